#include "helper_worker.h"

#include "config/model_file.h"
#include "consumer/partitioner.h"
#include "schemas/wire_json.h"
#include "state/memory_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS_MAX = 20000, USERS_MAX = 64 };

static int64_t rig_now(void *arg)
{
    return ((struct rig *)arg)->now_ms;
}

static void open_worker(struct rig *rig)
{
    struct ss_error err;
    cr_assert_eq(ss_ranks_open(&rig->ranks, &err), SS_OK);
    rig->config.ranks = rig->ranks;
    rig->ranks_next = 0;
    memset(&rig->stats, 0, sizeof rig->stats);
    pthread_mutex_init(&rig->stats.lock, NULL);
    cr_assert_eq(ss_worker_open(&rig->config, &rig->worker, &err), SS_OK);
}

void rig_open(struct rig *rig, int32_t partition_count)
{
    struct ss_error err = {.detail = ""};
    static struct ss_model *model;
    struct ss_store *inner;
    memset(rig, 0, sizeof *rig);
    rig->now_ms = rig->record_time_ms = RIG_TIME + INT64_C(86400000);
    rig->memory = memory_bus_new(partition_count);
    memory_bus_set_time(rig->memory, rig->now_ms);
    if (!model) { /* once: it takes longer than a whole run */
        model = calloc(1, sizeof *model);
        cr_assert_eq(ss_model_default(model, &err), SS_OK, "%s", err.detail);
    }
    struct ss_registry_config registry = {.url = "embedded:"};
    cr_assert_eq(ss_registry_open(&registry, &rig->registry, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_memory_open(&inner, &err), SS_OK);
    rig->flaky = flaky_store_new(inner);
    rig->store = flaky_store_handle(rig->flaky);
    rig->config = (struct ss_worker_config){
        .group = "rig",
        .bus = memory_bus_handle(rig->memory),
        .store = rig->store,
        .registry = rig->registry,
        .models = {.person = model},
        .schema_ids = {[SS_SCORES] = SS_INPUT_COUNT + SS_SCORES + 1,
                       [SS_ENTITLEMENTS] = SS_INPUT_COUNT + SS_ENTITLEMENTS + 1,
                       [SS_RANKS] = SS_INPUT_COUNT + SS_RANKS + 1},
        .neighbours_schema_id = SS_NEIGHBOURS + 1,
        .clock = {rig_now, rig},
        .limits = {.batch_records_max = 1000,
                   .cache_bytes_max = 1 << 20,
                   .event_bytes_max = 1 << 20,
                   .dead_letter_bytes_max = 2 << 20,
                   .future_tolerance_ms = 3600000,
                   .delete_retention_ms = INT64_C(7) * 86400000,
                   .retry_ms = 0,
                   .ranks_interval_ms = INT64_MAX},
        .stats = &rig->stats,
        .stop = &rig->stop,
    };
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        rig->config.topics[input] = ss_input_name((enum ss_input)input);
    open_worker(rig);
}

static void close_worker(struct rig *rig)
{
    ss_worker_close(rig->worker);
    ss_ranks_close(rig->ranks);
    pthread_mutex_destroy(&rig->stats.lock);
}

void rig_close(struct rig *rig)
{
    close_worker(rig);
    rig->store->ops->close(rig->store);
    ss_registry_close(rig->registry);
    memory_bus_free(rig->memory);
}

void rig_restart(struct rig *rig)
{
    close_worker(rig);
    memory_bus_restart(rig->memory);
    open_worker(rig);
}

/* --- driving --- */

static void read_ranks(struct rig *rig)
{
    const struct memory_log *log = memory_bus_target(rig->memory, SS_TO_RANKS, 0);
    const struct memory_record *record;
    struct ss_error err = {.detail = ""};
    while ((record = memory_log_next(log, &rig->ranks_next)))
        cr_assert_eq(ss_ranks_take(rig->ranks, rig->ranks_next - 1, record->value, &err), SS_OK,
                     "%s", err.detail);
    ss_ranks_set_ready(rig->ranks);
}

enum ss_status rig_step(struct rig *rig, bool *idle, struct ss_error *err)
{
    read_ranks(rig);
    err->detail[0] = '\0';
    return ss_worker_step(rig->worker, idle, err);
}

enum ss_status rig_leave(struct rig *rig)
{
    struct ss_error err = {.detail = ""};
    return ss_worker_leave(rig->worker, &err);
}

int rig_run(struct rig *rig)
{
    struct ss_error err;
    int failures = 0, quiet = 0;
    for (int step = 0; quiet < 2; step++) {
        bool idle;
        cr_assert_lt(step, STEPS_MAX, "the worker does not come to rest: %s", err.detail);
        enum ss_status status = rig_step(rig, &idle, &err);
        cr_assert_neq(status, SS_STOP, "stopped: %s", err.detail);
        failures += status != SS_OK;
        quiet = idle && status == SS_OK ? quiet + 1 : 0;
    }
    return failures;
}

void rig_run_to_stop(struct rig *rig, const char *text)
{
    struct ss_error err;
    for (int step = 0; step < STEPS_MAX; step++) {
        bool idle;
        if (rig_step(rig, &idle, &err) != SS_STOP)
            continue;
        cr_assert(strstr(err.detail, text), "stopped, but with: %s", err.detail);
        return;
    }
    cr_assert_fail("the worker does not stop");
}

/* --- events --- */

const char *rig_user(const struct rig *rig, int32_t partition, int n)
{
    static char names[USERS_MAX][16];
    int32_t count = rig->config.bus->partition_count;
    for (int i = 0; i < USERS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "user-%d", i);
        if (ss_partition_of((struct ss_bytes){names[i], strlen(names[i])}, count) == partition &&
            n-- == 0)
            return names[i];
    }
    cr_assert_fail("too few users for partition %d", partition);
    return NULL;
}

static struct ss_text text_of(const char *text)
{
    return (struct ss_text){text, (uint32_t)strlen(text)};
}

struct ss_event rig_event(struct rig *rig, enum ss_input input, const char *user_id)
{
    static char ids[10000][16]; /* in use until they have been sent */
    int n = rig->events++;
    char *id = ids[n % 10000];
    snprintf(id, sizeof ids[0], "e%d", n + 1);
    return (struct ss_event){.input = input,
                             .user_id = text_of(user_id),
                             .event_id = text_of(id),
                             .occurred_at_ms = RIG_TIME + n * INT64_C(1000)};
}

struct ss_event rig_payment(struct rig *rig, const char *user_id, int64_t amount_minor)
{
    struct ss_event event = rig_event(rig, SS_PAYMENTS, user_id);
    event.payment =
        (struct ss_payment){.category = (enum ss_payment_category)(rig->events % SS_CATEGORY_COUNT),
                            .amount_minor = amount_minor,
                            .currency = text_of("CNY")};
    return event;
}

struct ss_event rig_bill(struct rig *rig, const char *user_id, enum ss_bill_status status,
                         const char *bill_id)
{
    struct ss_event event = rig_event(rig, SS_BILLS, user_id);
    event.bill = (struct ss_bill){.status = status,
                                  .kind = SS_BILL_RENT,
                                  .bill_id = text_of(bill_id),
                                  .amount_minor = 100000,
                                  .currency = text_of("CNY"),
                                  .due_at_ms = event.occurred_at_ms + 86400000};
    return event;
}

struct ss_event rig_consent(struct rig *rig, const char *user_id, enum ss_consent_action action)
{
    struct ss_event event = rig_event(rig, SS_CONSENTS, user_id);
    event.consent = (struct ss_consent){.action = action, .purpose = SS_PURPOSE_SCORING};
    if (action == SS_CONSENT_GRANTED)
        event.occurred_at_ms = RIG_TIME; /* whenever it is sent, it was given at the beginning */
    return event;
}

struct ss_event rig_listing(struct rig *rig, const char *user_id, enum ss_listing_action action,
                            const char *case_id)
{
    struct ss_event event = rig_event(rig, SS_BLACKLIST, user_id);
    event.listing = (struct ss_listing){.action = action,
                                        .case_id = text_of(case_id),
                                        .authority = text_of("court"),
                                        .currency = text_of("CNY")};
    return event;
}

struct ss_bytes rig_encode(const struct ss_event *event)
{
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 1 << 16);
    cr_assert_eq(ss_encode_event((uint32_t)event->input + 1, event, &buffer, &err), SS_OK);
    return (struct ss_bytes){buffer.data, buffer.size};
}

int64_t rig_send(struct rig *rig, struct ss_event event)
{
    struct ss_bytes key = {event.user_id.data, event.user_id.size};
    struct ss_bytes value = rig_encode(&event);
    int32_t partition = ss_partition_of(key, rig->config.bus->partition_count);
    int64_t offset = memory_bus_append(rig->memory, event.input, partition, key, value,
                                       rig->record_time_ms, NULL, 0);
    free((void *)value.data);
    return offset;
}

/* --- what came out --- */

json_t *rig_json(struct rig *rig, struct ss_bytes value)
{
    struct ss_buffer text;
    struct ss_error err = {.detail = ""};
    ss_buffer_init(&text, 1 << 16);
    cr_assert_eq(ss_wire_to_json(rig->registry, value, &text, &err), SS_OK, "%s", err.detail);
    json_t *json = json_loadb((const char *)text.data, text.size, 0, NULL);
    cr_assert_not_null(json, "%.*s", (int)text.size, (const char *)text.data);
    ss_buffer_reset(&text);
    return json;
}

json_t *rig_values(struct rig *rig, enum ss_target target, int32_t partition)
{
    const struct memory_log *log = memory_bus_target(rig->memory, target, partition);
    const struct memory_record *record;
    json_t *values = json_array();
    int64_t offset = 0;
    while ((record = memory_log_next(log, &offset)))
        json_array_append_new(values, rig_json(rig, record->value));
    return values;
}

static int32_t partition_of(const struct rig *rig, const char *user_id)
{
    return ss_partition_of((struct ss_bytes){user_id, strlen(user_id)},
                           rig->config.bus->partition_count);
}

int rig_last_score(struct rig *rig, const char *user_id)
{
    json_t *values = rig_values(rig, SS_TO_SCORES, partition_of(rig, user_id)), *value;
    size_t i;
    int score = 0;
    json_array_foreach(
        values, i,
        value) if (strcmp(json_string_value(json_object_get(value, "user_id")), user_id) == 0)
        score = (int)json_integer_value(json_object_get(value, "score"));
    json_decref(values);
    return score;
}

bool rig_mark(struct rig *rig, int32_t partition, struct ss_mark *mark, int64_t *offset)
{
    const struct memory_log *log = memory_bus_target(rig->memory, SS_TO_CHANGELOG, partition);
    const struct memory_record *record;
    struct ss_error err;
    int64_t next = 0;
    bool found = false;
    while ((record = memory_log_next(log, &next))) {
        if (!ss_bytes_equal(record->key, ss_mark_key))
            continue;
        cr_assert_eq(ss_mark_unpack(record->value, mark, &err), SS_OK, "%s", err.detail);
        *offset = next - 1;
        found = true;
    }
    return found;
}

/* --- the store against the changelog --- */

static void count_state(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    (void)user_id, (void)packed;
    ++*(int *)arg;
}

static void same_state(void *arg, size_t i, struct ss_bytes packed)
{
    (void)i;
    cr_assert(ss_bytes_equal(packed, *(struct ss_bytes *)arg),
              "the store holds another state than the changelog");
}

struct find {
    const char *user_id;
    bool found;
};

static void find_state(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    struct find *find = arg;
    (void)packed;
    find->found |= ss_bytes_equal(user_id, (struct ss_bytes){find->user_id, strlen(find->user_id)});
}

struct ss_counts rig_counts(struct rig *rig, enum ss_input input)
{
    struct ss_mark mark;
    int64_t offset;
    cr_assert(rig_mark(rig, 0, &mark, &offset));
    return mark.counts[input];
}

void wipe_partitions(struct ss_store *store, int32_t count)
{
    for (int32_t p = 0; p < count; p++) {
        struct ss_checkpoint shown;
        bool found;
        cr_assert_eq(store->ops->checkpoint(store, p, &shown, &found, NULL), SS_OK);
        cr_assert_eq(store->ops->wipe(store, p, &shown, NULL), SS_OK);
    }
}

bool rig_stored(struct rig *rig, const char *user_id)
{
    struct find find = {user_id, false};
    cr_assert_eq(
        rig->store->ops->scan(rig->store, partition_of(rig, user_id), find_state, &find, NULL),
        SS_OK);
    return find.found;
}

static bool is_newest(const struct memory_log *log, int64_t offset)
{
    const struct memory_record *record = log->records[offset], *later;
    for (int64_t next = offset + 1; (later = memory_log_next(log, &next));)
        if (ss_bytes_equal(later->key, record->key))
            return false;
    return true;
}

static void check_store(struct rig *rig, int32_t partition, int64_t mark_offset)
{
    const struct memory_log *log = memory_bus_target(rig->memory, SS_TO_CHANGELOG, partition);
    const struct memory_record *record;
    struct ss_checkpoint checkpoint;
    bool found;
    int expected = 0, stored = 0;
    struct ss_store *store = rig->store;

    cr_assert_eq(store->ops->checkpoint(store, partition, &checkpoint, &found, NULL), SS_OK);
    cr_assert(found);
    cr_assert_eq(checkpoint.offset, mark_offset, "the store is at %lld, the changelog at %lld",
                 (long long)checkpoint.offset, (long long)mark_offset);
    for (int64_t next = 0; (record = memory_log_next(log, &next));) {
        if (ss_bytes_equal(record->key, ss_mark_key) || !is_newest(log, next - 1))
            continue;
        struct ss_bytes value = record->value;
        expected += value.size > 0;
        cr_assert_eq(store->ops->load(store, partition, &checkpoint, &record->key, 1, same_state,
                                      &value, NULL),
                     SS_OK);
    }
    cr_assert_eq(store->ops->scan(store, partition, count_state, &stored, NULL), SS_OK);
    cr_assert_eq(stored, expected, "%d states stored, %d in the changelog", stored, expected);
}

static int64_t count_records(const struct memory_log *log)
{
    int64_t next = 0, count = 0;
    while (memory_log_next(log, &next))
        count++;
    return count;
}

static int64_t check_counts(struct rig *rig, int32_t partition, const struct ss_mark *mark)
{
    int64_t dead = 0;
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        const struct ss_counts *counts = &mark->counts[input];
        const struct memory_log *log =
            memory_bus_input(rig->memory, (enum ss_input)input, partition);
        int64_t sum = 0;
        for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++)
            sum += counts->outcomes[outcome];
        cr_assert_eq(sum, counts->consumed, "%s [%d]: outcomes %lld, consumed %lld",
                     ss_input_name((enum ss_input)input), partition, (long long)sum,
                     (long long)counts->consumed);
        cr_assert_eq(counts->consumed, count_records(log), "%s [%d]: %lld consumed of %lld",
                     ss_input_name((enum ss_input)input), partition, (long long)counts->consumed,
                     (long long)count_records(log));
        cr_assert_eq(*memory_bus_committed(rig->memory, (enum ss_input)input, partition),
                     mark->passed[input]);
        dead += counts->outcomes[SS_REFUSED];
    }
    return dead;
}

static void check_sequences(struct rig *rig, int32_t partition)
{
    json_t *values = rig_values(rig, SS_TO_SCORES, partition), *value;
    json_t *sequences = json_object();
    size_t i;
    json_array_foreach(values, i, value)
    {
        const char *user = json_string_value(json_object_get(value, "user_id"));
        json_int_t sequence = json_integer_value(json_object_get(value, "sequence"));
        json_int_t before = json_integer_value(json_object_get(sequences, user));
        cr_assert_eq(sequence, before + 1, "%s: sequence %lld after %lld", user,
                     (long long)sequence, (long long)before);
        json_object_set_new(sequences, user, json_integer(sequence));
    }
    json_decref(sequences);
    json_decref(values);
}

void rig_check(struct rig *rig)
{
    for (int32_t p = 0; p < rig->config.bus->partition_count; p++) {
        struct ss_mark mark;
        int64_t offset, records = 0;
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            records += count_records(memory_bus_input(rig->memory, (enum ss_input)input, p));
        bool found = rig_mark(rig, p, &mark, &offset);
        cr_assert_eq(found, records > 0);
        if (!found)
            continue;
        int64_t dead = check_counts(rig, p, &mark);
        cr_assert_eq(count_records(memory_bus_target(rig->memory, SS_TO_DEAD_LETTERS, p)), dead);
        check_sequences(rig, p);
        check_store(rig, p, offset);
    }
}
