/* driver.c - the engine of the scenarios on the in-memory bus: the real worker, decoder, packing
 * and scoring on the logs and the store of tests/consumer, told what to do line by line.
 *
 * Each line of standard input is a JSON object, each answer one line of JSON on standard output.
 *
 *   {"do": "open", "partitions": N, "now": MS, "future_tolerance_ms": MS, "model": YAML or null,
 *    "business_model": YAML or null, "subscribers": [{"name", "fields": [names]}]}
 *   {"do": "send", "records": [{"topic", "partition", "key": text or null, "value": hex or null}]}
 *   {"do": "clock", "now": MS}     moves the system clock, and the broker's with it; the
 * partitions' own clocks move with the events alone (clock.source events)
 *   {"do": "run"}                  until nothing is left to do
 *   {"do": "restart"}              the process ends, a new one begins
 *   {"do": "wipe"}                 the store loses everything
 *   {"do": "read", "users": [ID]}  -> {"records", "dead_letters", "stored", "kept", "accounts"}
 *   {"do": "check"}                what must hold at rest (rig_check)
 *   {"do": "close"}
 *
 * "read" answers with everything from the beginning: "records" [{"topic", "partition", "offset",
 * "key", "value"}] of all topics that subscribers see, "dead_letters" [{"key", header: text}],
 * which of the users have a state in the store ("stored") and in the changelog ("kept"), and the
 * counts of the newest marks, "accounts" {topic: {outcome: N}} summed over the partitions.
 *
 * Whatever is wrong, with a line or with the engine, ends the process with 3 and a sentence.
 */
#include "config/model_file.h"
#include "consumer/helper_worker.h"
#include "consumer/partitioner.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig rig;
static bool is_open;
static struct ss_model *model, *business;   /* of the scenario, where it has some of its own */
static char topics[SS_SUBSCRIBERS_MAX][64]; /* of the subscribers */

enum { WIPE_NOTICED_AFTER_MS = 2000 }; /* idle partitions are looked at once a second */

static const char *text_at(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    cr_assert_not_null(text, "\"%s\" is missing", key);
    return text;
}

static int64_t number_at(json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);
    cr_assert(json_is_integer(number), "\"%s\" is missing", key);
    return json_integer_value(number);
}

static void set_clock(int64_t now_ms)
{
    rig.now_ms = now_ms;
    memory_bus_set_time(rig.memory, now_ms);
}

static const struct ss_model *model_of(json_t *line, const char *key, struct ss_model **own)
{
    struct ss_error err = {.detail = ""};
    const char *yaml = json_string_value(json_object_get(line, key));
    if (!yaml)
        return NULL;
    if (!*own)
        *own = malloc(sizeof **own);
    cr_assert_not_null(*own);
    cr_assert_eq(ss_model_parse(yaml, strlen(yaml), key, *own, &err), SS_OK, "%s", err.detail);
    return *own;
}

static uint32_t field_of(const char *name)
{
    for (int field = 0; field < SS_FIELD_COUNT; field++)
        if (name && strcmp(ss_score_field_name((enum ss_score_field)field), name) == 0)
            return SS_FIELD_BIT(field);
    cr_assert_fail("no field is called %s", name ? name : "that");
    return 0;
}

static void subscribe(json_t *all)
{
    json_t *each, *field;
    size_t i, n;
    cr_assert_leq(json_array_size(all), SS_SUBSCRIBERS_MAX, "too many subscribers");
    json_array_foreach(all, i, each)
    {
        struct ss_worker_subscriber *subscriber = &rig.config.subscribers[i];
        const char *name = text_at(each, "name");
        struct ss_error err = {.detail = ""};
        char *schema;
        subscriber->hash = ss_subscriber_hash((struct ss_text){name, (uint32_t)strlen(name)});
        subscriber->fields = 0;
        json_array_foreach(json_object_get(each, "fields"), n, field) subscriber->fields |=
            field_of(json_string_value(field));
        cr_assert_eq(ss_schema_of_subscriber(subscriber->fields, &schema, &err), SS_OK, "%s",
                     err.detail);
        cr_assert_eq(ss_registry_find(rig.registry, "any", schema, &subscriber->schema_id, &err),
                     SS_OK, "%s", err.detail);
        free(schema);
        snprintf(topics[i], sizeof topics[i], "scores.%s", name);
    }
    rig.config.subscriber_count = (int)json_array_size(all);
}

static void do_open(json_t *line)
{
    struct ss_error err = {.detail = ""};
    cr_assert(!is_open, "open already");
    rig_open(&rig, (int32_t)number_at(line, "partitions"));
    is_open = true;
    set_clock(number_at(line, "now"));
    ss_worker_close(rig.worker);
    rig.config.limits.future_tolerance_ms = number_at(line, "future_tolerance_ms");
    rig.config.limits.ranks_interval_ms = number_at(line, "ranks_interval_ms");
    rig.config.limits.event_time = true; /* the days of the scenarios are long past */
    if (model_of(line, "model", &model))
        rig.config.models.person = model;
    rig.config.models.business = model_of(line, "business_model", &business);
    subscribe(json_object_get(line, "subscribers"));
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK, "%s", err.detail);
}

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;
    cr_assert_not_null(found, "not a hexadecimal digit: %c", c);
    return (int)(found - digits);
}

/* Frees with the data; an absent value stays absent. */
static struct ss_bytes bytes_of(const char *hex)
{
    if (!hex)
        return (struct ss_bytes){NULL, 0};
    size_t size = strlen(hex) / 2;
    uint8_t *data = malloc(size + 1);
    cr_assert_not_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
    return (struct ss_bytes){data, size};
}

static enum ss_input input_of(const char *topic)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (strcmp(ss_input_name((enum ss_input)input), topic) == 0)
            return (enum ss_input)input;
    cr_assert_fail("no input is called %s", topic);
    return SS_INPUT_COUNT;
}

static void do_send(json_t *line)
{
    json_t *record;
    size_t i;
    json_array_foreach(json_object_get(line, "records"), i, record)
    {
        const char *key = json_string_value(json_object_get(record, "key"));
        struct ss_bytes value = bytes_of(json_string_value(json_object_get(record, "value")));
        memory_bus_append(
            rig.memory, input_of(text_at(record, "topic")), (int32_t)number_at(record, "partition"),
            (struct ss_bytes){key, key ? strlen(key) : 0}, value, rig.now_ms, NULL, 0);
        free((void *)value.data);
    }
}

static void do_wipe(void)
{
    wipe_partitions(rig.store, rig.config.bus->partition_count);
    set_clock(rig.now_ms + WIPE_NOTICED_AFTER_MS);
}

/* --- what came out --- */

static void read_target(json_t *records, enum ss_target target, const char *topic, int32_t p)
{
    const struct memory_log *log = memory_bus_target(rig.memory, target, p);
    const struct memory_record *record;
    for (int64_t next = 0; (record = memory_log_next(log, &next));)
        json_array_append_new(
            records, json_pack("{s:s, s:i, s:I, s:s%, s:o}", "topic", topic, "partition", (int)p,
                               "offset", (json_int_t)(next - 1), "key",
                               (const char *)record->key.data, record->key.size, "value",
                               record->value.data ? rig_json(&rig, record->value) : json_null()));
}

static void read_dead_letters(json_t *letters, int32_t p)
{
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_DEAD_LETTERS, p);
    const struct memory_record *record;
    for (int64_t next = 0; (record = memory_log_next(log, &next));) {
        json_t *letter = json_object();
        json_object_set_new(
            letter, "key",
            json_stringn(record->key.data ? record->key.data : "", record->key.size));
        for (size_t i = 0; i < record->header_count; i++)
            json_object_set_new(
                letter, record->headers[i].name,
                json_stringn(record->headers[i].value.data, record->headers[i].value.size));
        json_array_append_new(letters, letter);
    }
}

static bool is_kept(struct ss_bytes user)
{
    int32_t p = ss_partition_of(user, rig.config.bus->partition_count);
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, p);
    const struct memory_record *record;
    bool kept = false;
    for (int64_t next = 0; (record = memory_log_next(log, &next));)
        if (ss_bytes_equal(record->key, user))
            kept = record->value.size > 0;
    return kept;
}

static void count(json_t *accounts, int32_t p)
{
    struct ss_mark mark;
    int64_t offset;
    if (!rig_mark(&rig, p, &mark, &offset))
        return;
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        const char *topic = ss_input_name((enum ss_input)input);
        json_t *counts = json_object_get(accounts, topic);
        if (!counts)
            json_object_set_new(accounts, topic, counts = json_object());
        for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++) {
            const char *name = ss_outcome_name((enum ss_outcome)outcome);
            json_int_t before = json_integer_value(json_object_get(counts, name));
            json_object_set_new(counts, name,
                                json_integer(before + mark.counts[input].outcomes[outcome]));
        }
    }
}

static json_t *do_read(json_t *line)
{
    json_t *records = json_array(), *letters = json_array(), *accounts = json_object();
    json_t *stored = json_array(), *kept = json_array(), *user;
    size_t i;
    for (int32_t p = 0; p < rig.config.bus->partition_count; p++) {
        read_target(records, SS_TO_SCORES, "scores", p);
        read_target(records, SS_TO_ENTITLEMENTS, "entitlements", p);
        for (int of = 0; of < rig.config.subscriber_count; of++)
            read_target(records, (enum ss_target)(SS_TO_SUBSCRIBERS + of), topics[of], p);
        read_dead_letters(letters, p);
        count(accounts, p);
    }
    json_array_foreach(json_object_get(line, "users"), i, user)
    {
        struct ss_bytes id = {json_string_value(user), json_string_length(user)};
        if (rig_stored(&rig, json_string_value(user)))
            json_array_append(stored, user);
        if (is_kept(id))
            json_array_append(kept, user);
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "records", records, "dead_letters", letters,
                     "accounts", accounts, "stored", stored, "kept", kept);
}

static json_t *obey(json_t *line)
{
    const char *what = text_at(line, "do");
    if (strcmp(what, "open") == 0) {
        do_open(line);
        return json_object();
    }
    cr_assert(is_open, "%s before open", what);
    if (strcmp(what, "send") == 0) {
        do_send(line);
    } else if (strcmp(what, "clock") == 0) {
        set_clock(number_at(line, "now"));
    } else if (strcmp(what, "run") == 0) {
        rig_run(&rig);
    } else if (strcmp(what, "restart") == 0) {
        rig_restart(&rig);
    } else if (strcmp(what, "wipe") == 0) {
        do_wipe();
    } else if (strcmp(what, "check") == 0) {
        rig_check(&rig);
    } else if (strcmp(what, "read") == 0) {
        return do_read(line);
    } else if (strcmp(what, "close") == 0) {
        rig_close(&rig);
        is_open = false;
    } else {
        cr_assert_fail("cannot do \"%s\"", what);
    }
    return json_object();
}

int main(void)
{
    char *text = NULL;
    size_t capacity = 0;
    while (getline(&text, &capacity, stdin) > 0) {
        json_error_t error;
        json_t *line = json_loads(text, 0, &error);
        cr_assert_not_null(line, "not JSON: %s", error.text);
        json_t *answer = obey(line);
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
        json_decref(line);
    }
    if (is_open)
        rig_close(&rig);
    free(model);
    free(business);
    free(text);
    return 0;
}
