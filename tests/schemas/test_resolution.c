/* The differential test: random values under drifted writer schemas, as avro-c writes them, against
 * what the plan makes of them.
 *
 * Two opinions are compared with the plan's. One is worked out here from the writer's value tree by
 * the rules of Avro's specification; it covers everything. The other is avro-c's own resolution,
 * over the part of our schema that it can resolve: it applies no defaults, aliases or enum
 * defaults, matches enums by number and takes no string for bytes, so fields that need one of these
 * are left out there. */
#include "helper_avro.h"
#include "helper_evolve.h"
#include "schemas/plan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct trial {
    enum ss_input input;
    json_t *reader; /* our schema */
    json_t *writer;
    int events, drops, agreed_with_avro_c;
};

static json_t *find(json_t *fields, const char *name, const char *alias_prefix)
{
    json_t *field;
    size_t i;
    json_array_foreach(fields, i, field)
    {
        const char *theirs = json_string_value(json_object_get(field, "name"));
        size_t skip = strlen(alias_prefix);
        if (!strncmp(theirs, alias_prefix, skip) && !strcmp(theirs + skip, name))
            return field;
    }
    return NULL;
}

/* What our type is: by the shape that all of ours have. */
static enum value_kind reader_kind(json_t *type)
{
    const char *name =
        json_string_value(json_is_object(type) ? json_object_get(type, "type") : type);
    if (json_is_array(type))
        return VALUE_NULL; /* ["null", timestamp] */
    return !strcmp(name, "string") ? VALUE_TEXT : !strcmp(name, "long") ? VALUE_LONG : VALUE_ENUM;
}

static int64_t symbol_index(json_t *type, const char *symbol, size_t size)
{
    json_t *item;
    size_t i;
    json_array_foreach(json_object_get(type, "symbols"), i,
                       item) if (json_string_length(item) == size &&
                                 !memcmp(json_string_value(item), symbol, size)) return (int64_t)i;
    return -1;
}

/* The value that our field must get from the writer's; VALUE_NONE: the record must be refused. */
static struct value resolved(json_t *type, struct value theirs)
{
    enum value_kind ours = reader_kind(type);
    if (ours == VALUE_ENUM && theirs.kind == VALUE_ENUM) {
        json_t *otherwise = json_object_get(type, "default");
        theirs.number = symbol_index(type, theirs.text.data, theirs.text.size);
        if (theirs.number < 0 && otherwise)
            theirs.number =
                symbol_index(type, json_string_value(otherwise), json_string_length(otherwise));
        theirs.text.size = 0;
        if (theirs.number >= 0)
            return theirs;
    } else if (ours == theirs.kind || (ours == VALUE_NULL && theirs.kind == VALUE_LONG)) {
        return theirs;
    }
    return (struct value){VALUE_NONE, {0}, 0};
}

static struct value default_of(json_t *type, json_t *value)
{
    const char *text = json_string_value(value);
    switch (reader_kind(type)) {
    case VALUE_TEXT:
        return (struct value){VALUE_TEXT, {text, (uint32_t)strlen(text)}, 0};
    case VALUE_LONG:
        return (struct value){VALUE_LONG, {0}, json_integer_value(value)};
    case VALUE_ENUM:
        return (struct value){VALUE_ENUM, {0}, symbol_index(type, text, strlen(text))};
    default:
        cr_assert(json_is_null(value));
        return (struct value){VALUE_NULL, {0}, 0};
    }
}

static bool same(struct value a, struct value b)
{
    return a.kind == b.kind && a.number == b.number && a.text.size == b.text.size &&
           (a.text.size == 0 || !memcmp(a.text.data, b.text.data, a.text.size));
}

static void check_by_specification(struct trial *trial, avro_value_t *written,
                                   enum ss_status status, const struct ss_event *event,
                                   const char *detail)
{
    json_t *theirs = json_object_get(trial->writer, "fields"), *field;
    bool refused = false;
    size_t i;

    trial->events++;
    for (int pass = 0; pass < 2; pass++) { /* is it refused? then: is each field right? */
        json_array_foreach(json_object_get(trial->reader, "fields"), i, field)
        {
            const char *name = json_string_value(json_object_get(field, "name"));
            json_t *type = json_object_get(field, "type");
            json_t *source = find(theirs, name, "");
            struct value expected;
            source = source ? source : find(theirs, name, "was_");
            if (source)
                expected = resolved(
                    type, ref_at(written, json_string_value(json_object_get(source, "name"))));
            else
                expected = default_of(type, json_object_get(field, "default"));
            if (pass == 0)
                refused |= expected.kind == VALUE_NONE;
            else
                cr_assert(same(expected, event_value(event, name)), "%s of %s", name,
                          json_dumps(trial->writer, 0));
        }
        cr_assert_eq(status, refused ? SS_DROP : SS_OK, "%s: %s", detail,
                     json_dumps(trial->writer, 0));
        if (refused) {
            trial->drops++;
            return;
        }
    }
}

/* Our schema without the fields that avro-c cannot resolve against the writer's. */
static json_t *reduced(struct trial *trial)
{
    json_t *schema = json_deep_copy(trial->reader), *fields = json_object_get(schema, "fields");
    for (size_t i = json_array_size(fields); i-- > 0;) {
        json_t *field = json_array_get(fields, i), *ours = json_object_get(field, "type");
        json_t *source = find(json_object_get(trial->writer, "fields"),
                              json_string_value(json_object_get(field, "name")), "");
        json_t *type = json_object_get(source, "type"), *branch;
        char *text = source ? json_dumps(type, JSON_ENCODE_ANY) : NULL;
        bool fits = source && !strstr(text, "\"bytes\"");
        size_t j;
        if (fits && reader_kind(ours) == VALUE_ENUM) {
            json_t *theirs = json_is_array(type) ? NULL : type;
            if (!theirs)
                json_array_foreach(type, j, branch) theirs =
                    json_object_get(branch, "symbols") ? branch : theirs;
            fits = json_equal(json_object_get(theirs, "symbols"), json_object_get(ours, "symbols"));
        }
        free(text);
        if (!fits)
            json_array_remove(fields, i);
    }
    return schema;
}

static void check_by_avro_c(struct trial *trial, avro_schema_t writer, struct ss_bytes body,
                            const struct ss_event *event)
{
    json_t *schema = reduced(trial);
    char *text = json_dumps(schema, 0);
    avro_schema_t reader = ref_parse(text);
    avro_value_iface_t *iface = avro_resolved_writer_new(writer, reader);
    free(text);
    json_decref(schema);
    if (iface) {
        avro_value_t value = ref_new(reader), resolving;
        cr_assert_eq(avro_resolved_writer_new_value(iface, &resolving), 0);
        avro_resolved_writer_set_dest(&resolving, &value);
        if (ref_read(&resolving, body)) {
            for (size_t i = 0; i < avro_schema_record_size(reader); i++) {
                const char *name = avro_schema_record_field_name(reader, (int)i);
                struct value theirs = ref_at(&value, name);
                if (theirs.kind == VALUE_ENUM)
                    theirs.text.size = 0;
                cr_assert(same(theirs, event_value(event, name)), "%s of %s", name,
                          json_dumps(trial->writer, 0));
                trial->agreed_with_avro_c++;
            }
        }
        avro_value_decref(&resolving);
        avro_value_iface_decref(iface);
        avro_value_decref(&value);
    }
    avro_schema_decref(reader);
}

static void run_trial(struct rng *rng, struct trial *trial, const char *reader_json, int values)
{
    char *json = json_dumps(trial->writer, 0);
    avro_schema_t schema = ref_parse(json);
    struct ss_plan *plan;
    struct ss_error err = {.detail = ""};

    cr_assert_eq(ss_plan_open_between(trial->input, reader_json, json, &plan, &err), SS_OK,
                 "%s: %s", err.detail, json);
    for (int i = 0; i < values; i++) {
        avro_value_t value = ref_new(schema);
        struct ss_event event;
        ref_randomise(rng, &value, 0);
        struct ss_bytes body = ref_bytes(&value);
        enum ss_status status = ss_plan_decode(plan, body, &event, &err);
        check_by_specification(trial, &value, status, &event, err.detail);
        if (status == SS_OK && i < 5)
            check_by_avro_c(trial, schema, body, &event);

        /* The walk that containers use to get past a refused record ends where the record does. */
        const uint8_t *p = body.data, *end = p + body.size;
        cr_assert(ss_plan_skip(plan, plan->root, &p, end));
        cr_assert_eq(p, end);
        free((void *)(uintptr_t)body.data);
        avro_value_decref(&value);
    }
    ss_plan_close(plan);
    avro_schema_decref(schema);
    free(json);
}

static struct trial run_trials(uint64_t seed, int ways, int schemas)
{
    struct rng rng = {seed};
    struct trial trial = {0};
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        char *aliased = evolve_aliases((enum ss_input)input);
        trial.input = (enum ss_input)input;
        trial.reader = json_loads(aliased, 0, NULL);
        for (int i = 0; i < schemas; i++) {
            trial.writer = evolve(&rng, trial.input, ways);
            run_trial(&rng, &trial, aliased, 20);
            json_decref(trial.writer);
        }
        json_decref(trial.reader);
        free(aliased);
    }
    return trial;
}

Test(resolution, our_own_schema)
{
    struct trial trial = run_trials(1, 0, 3);
    cr_expect_eq(trial.drops, 0);
    cr_expect_gt(trial.agreed_with_avro_c, 100);
}

Test(resolution, fields_reordered)
{
    struct trial trial = run_trials(2, EVOLVE_REORDER, 20);
    cr_expect_eq(trial.drops, 0);
    cr_expect_gt(trial.agreed_with_avro_c, 500);
}

Test(resolution, fields_added)
{
    struct trial trial = run_trials(3, EVOLVE_ADD | EVOLVE_REORDER, 60);
    cr_expect_eq(trial.drops, 0);
    cr_expect_gt(trial.agreed_with_avro_c, 1000);
}

Test(resolution, fields_removed_take_our_default)
{
    struct trial trial = run_trials(4, EVOLVE_REMOVE, 20);
    cr_expect_eq(trial.drops, 0);
    cr_expect_gt(trial.agreed_with_avro_c, 500);
}

Test(resolution, types_promoted)
{
    struct trial trial = run_trials(5, EVOLVE_PROMOTE, 20);
    cr_expect_eq(trial.drops, 0);
    cr_expect_gt(trial.agreed_with_avro_c, 200);
}

Test(resolution, enum_symbols_by_name_with_default)
{
    struct trial trial = run_trials(6, EVOLVE_SYMBOLS, 30);
    cr_expect_gt(trial.drops, 100, "unknown symbols of enums without default");
    cr_expect_gt(trial.events - trial.drops, 1000);
}

Test(resolution, unions_wrapped_and_unwrapped)
{
    struct trial trial = run_trials(7, EVOLVE_UNION, 40);
    cr_expect_gt(trial.drops, 100, "branches that our fields cannot take");
    cr_expect_gt(trial.events - trial.drops, 500);
    cr_expect_gt(trial.agreed_with_avro_c, 500);
}

Test(resolution, fields_renamed_with_alias)
{
    struct trial trial = run_trials(8, EVOLVE_RENAME, 20);
    cr_expect_eq(trial.drops, 0);
}

Test(resolution, all_at_once)
{
    struct trial trial = run_trials(9, EVOLVE_ALL, 150);
    cr_expect_gt(trial.events - trial.drops, 1000);
    cr_expect_gt(trial.drops, 1000);
}

/* --- what must not be read --- */

static void expect_refused(const char *writer, const char *hint)
{
    struct ss_plan *plan;
    struct ss_error err = {.detail = ""};
    cr_expect_eq(ss_plan_open(SS_SOCIAL, writer, &plan, &err), SS_DROP, "%s", writer);
    cr_expect(strstr(err.detail, hint), "'%s' does not say '%s'", err.detail, hint);
    cr_expect_null(plan);
}

#define SOCIAL(event_id, occurred_at, action)                  \
    "{\"type\": \"record\", \"name\": \"X\", \"fields\": ["    \
    "{\"name\": \"event_id\", \"type\": " event_id "}, "       \
    "{\"name\": \"user_id\", \"type\": \"string\"}, "          \
    "{\"name\": \"occurred_at\", \"type\": " occurred_at "}, " \
    "{\"name\": \"action\", \"type\": " action "}, "           \
    "{\"name\": \"friend_id\", \"type\": \"string\"}]}"
#define ACTION                                                                        \
    "{\"type\": \"enum\", \"name\": \"any.Name\", \"symbols\": [\"FRIEND_REMOVED\", " \
    "\"FRIEND_ADDED\"]}"

Test(resolution, types_that_do_not_fit_are_refused_by_field)
{
    expect_refused(SOCIAL("\"string\"", "\"double\"", ACTION), "occurred_at");
    expect_refused(SOCIAL("\"string\"", "\"float\"", ACTION), "occurred_at");
    expect_refused(SOCIAL("\"string\"", "\"string\"", ACTION), "occurred_at");
    expect_refused(SOCIAL("\"long\"", "\"long\"", ACTION), "event_id");
    expect_refused(SOCIAL("[\"null\", \"long\"]", "\"long\"", ACTION), "event_id");
    expect_refused(SOCIAL("\"null\"", "\"long\"", ACTION), "event_id");
    expect_refused(SOCIAL("\"string\"", "\"long\"", "\"string\""), "action");
    expect_refused("\"string\"", "not of a record");
    expect_refused("{\"type\": \"record\", \"name\": \"X\", \"fields\": []}", "event_id");
}

Test(resolution, names_of_types_do_not_matter)
{
    struct ss_plan *plan;
    struct ss_event event;
    struct ss_error err = {.detail = ""};
    const char body[] = "\2e\2u\10\2\2f"; /* "e", "u", 4, symbol 1, "f" */
    cr_assert_eq(ss_plan_open(SS_SOCIAL, SOCIAL("\"string\"", "\"int\"", ACTION), &plan, &err),
                 SS_OK, "%s", err.detail);
    cr_assert_eq(ss_plan_decode(plan, (struct ss_bytes){body, sizeof body - 1}, &event, &err),
                 SS_OK, "%s", err.detail);
    cr_expect_eq(event.social.action, SS_FRIEND_ADDED);
    cr_expect_eq(event.occurred_at_ms, 4);
    ss_plan_close(plan);
}

/* A topic of several record types has a union at the top. */
Test(resolution, a_union_of_records_at_the_top)
{
    char json[4096];
    struct ss_plan *plan;
    struct ss_event event;
    struct ss_error err = {.detail = ""};
    snprintf(json, sizeof json,
             "[\"null\", {\"type\": \"record\", \"name\": \"Y\", \"fields\": [{\"name\": \"q\", "
             "\"type\": \"long\"}]}, %s]",
             SOCIAL("[\"null\", \"string\"]", "\"long\"", ACTION));
    cr_assert_eq(ss_plan_open(SS_SOCIAL, json, &plan, &err), SS_OK, "%s", err.detail);
    const char body[] = "\4\2\2e\2u\10\0\2f";
    cr_assert_eq(ss_plan_decode(plan, (struct ss_bytes){body, sizeof body - 1}, &event, &err),
                 SS_OK, "%s", err.detail);
    cr_expect_eq(event.social.action, SS_FRIEND_REMOVED);
    cr_expect_eq(event.event_id.data[0], 'e');
    cr_expect_eq(ss_plan_decode(plan, (struct ss_bytes){"\0", 1}, &event, &err), SS_DROP);
    cr_expect_eq(ss_plan_decode(plan, (struct ss_bytes){"\2\2", 2}, &event, &err), SS_DROP);
    ss_plan_close(plan);
}
