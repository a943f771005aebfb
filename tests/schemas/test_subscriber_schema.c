/* What a subscriber gets: its schema has its fields and no others, records of it read back by
 * avro-c as they were put in, and a set that grows keeps to Avro's rules. */
#include "helper_avro.h"

#include "schemas/registry.h"
#include "schemas/schema_check.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

enum { FIXED_ID = 77 };

static struct ss_text text(const char *s)
{
    return (struct ss_text){s, (uint32_t)strlen(s)};
}

static char *schema_of(uint32_t fields)
{
    struct ss_error err = {.detail = ""};
    char *json = NULL;
    cr_assert_eq(ss_schema_of_subscriber(fields, &json, &err), SS_OK, "%s", err.detail);
    return json;
}

static struct ss_score_record sample_record(void)
{
    struct ss_score_record r = {
        .user_id = text("u-1"),
        .kind = SS_KIND_SHARED,
        .standing = SS_STANDING_LISTED,
        .sequence = INT64_C(5000000000),
        .has_score = true,
        .has_previous = true,
        .previous_score = 702,
        .score = {.score = 420, .full_score = 702, .reason_count = 1},
        .tier_name = "poor",
        .case_id = text("case-9"),
        .has_cause = true,
        .cause = {SS_BLACKLIST, 3, INT64_C(123456789012), {"e-17", 4}},
        .consent_position = 41,
        .as_of_ms = INT64_C(1700000000123),
        .clock_ms = INT64_C(1700000000122),
        .friends_confirmed = 77,
        .model_version = "default-0123456789abcdef",
        .has_rank = true,
        .percentile = 9012,
        .ranks_offset = INT64_C(70000000001),
    };
    for (int i = 0; i < SS_FACTOR_COUNT; i++)
        r.score.factors[i] = (struct ss_factor_result){1000 + i, 10 * i, 2000 + i};
    r.score.reasons[0] = (struct ss_reason){{"LISTED", 6}, SS_FACTOR_COUNT, 300};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        r.positions[i] = INT64_C(10000000000) * i + 7;
    return r;
}

/* One scalar of each field, by which to know it. */
static const struct {
    const char *path, *text; /* NULL: a number */
    int64_t number;
} marks[SS_FIELD_COUNT] = {
    [SS_FIELD_FRIENDS] = {"friends.confirmed", NULL, 77},
    [SS_FIELD_SEQUENCE] = {"sequence", NULL, INT64_C(5000000000)},
    [SS_FIELD_KIND] = {"kind", "SHARED", 0},
    [SS_FIELD_STANDING] = {"standing", "LISTED", 0},
    [SS_FIELD_SCORE] = {"score", NULL, 420},
    [SS_FIELD_PREVIOUS_SCORE] = {"previous_score", NULL, 702},
    [SS_FIELD_TIER] = {"tier", "poor", 0},
    [SS_FIELD_FACTORS] = {"factors.relationships.points", NULL, 2004},
    [SS_FIELD_REASONS] = {NULL, NULL, 0}, /* an array: below */
    [SS_FIELD_CASE_ID] = {"case_id", "case-9", 0},
    [SS_FIELD_CAUSE] = {"cause.event_id", "e-17", 0},
    [SS_FIELD_POSITIONS] = {"positions.blacklist", NULL, INT64_C(60000000007)},
    [SS_FIELD_CONSENT_POSITIONS] = {"consent_positions.scoring", NULL, 41},
    [SS_FIELD_AS_OF] = {"as_of", NULL, INT64_C(1700000000123)},
    [SS_FIELD_CLOCK] = {"clock", NULL, INT64_C(1700000000122)},
    [SS_FIELD_MODEL_VERSION] = {"model_version", "default-0123456789abcdef", 0},
    [SS_FIELD_PERCENTILE] = {"percentile", NULL, 9012},
    [SS_FIELD_RANKS] = {"ranks", NULL, INT64_C(70000000001)},
};

static void expect_field(const avro_value_t *record, int field)
{
    avro_value_t reasons;
    size_t count = 0;
    if (field == SS_FIELD_REASONS) {
        avro_value_get_by_name(record, "reasons", &reasons, NULL);
        avro_value_get_size(&reasons, &count);
        cr_expect_eq(count, 1);
        return;
    }
    struct value value = ref_at(record, marks[field].path);
    if (marks[field].text)
        cr_expect(value.text.size == strlen(marks[field].text) &&
                      !memcmp(value.text.data, marks[field].text, value.text.size),
                  "%s is %.*s", marks[field].path, (int)value.text.size, value.text.data);
    else
        cr_expect_eq(value.number, marks[field].number, "%s", marks[field].path);
}

static void check_set(uint32_t fields, const struct ss_score_record *record)
{
    char *json = schema_of(fields);
    avro_schema_t schema = ref_parse(json);
    avro_value_t value = ref_new(schema), field;
    struct ss_buffer out;
    struct ss_bytes body;
    struct ss_error err = {.detail = ""};
    uint32_t id;
    size_t count = 1; /* user_id */

    cr_assert_eq(ss_schema_check(json, &err), SS_OK, "%x: %s", fields, err.detail);
    ss_buffer_init(&out, 1 << 16);
    cr_assert_eq(ss_encode_shared_score(FIXED_ID, fields, record, &out, NULL), SS_OK);
    cr_assert_eq(ss_wire_open((struct ss_bytes){out.data, out.size}, &id, &body, NULL), SS_OK);
    cr_assert_eq(id, FIXED_ID);
    cr_assert(ref_read(&value, body), "%x: avro-c does not read it", fields);
    for (int f = 0; f < SS_FIELD_COUNT; f++) {
        bool there = avro_value_get_by_name(&value, ss_score_field_name((enum ss_score_field)f),
                                            &field, NULL) == 0;
        cr_expect_eq(there, !!(fields & SS_FIELD_BIT(f)), "%x: %s", fields,
                     ss_score_field_name((enum ss_score_field)f));
        count += there;
        if (there && record->has_score)
            expect_field(&value, f);
    }
    cr_expect_eq(count, avro_schema_record_size(schema));
    cr_expect_eq(ref_at(&value, "user_id").text.size, 3);
    avro_value_decref(&value);
    avro_schema_decref(schema);
    ss_buffer_reset(&out);
    free(json);
}

Test(subscriber_schema, has_the_fields_of_the_set_and_no_others)
{
    struct ss_score_record record = sample_record();
    for (int f = 0; f < SS_FIELD_COUNT; f++) {
        check_set(SS_FIELD_BIT(f), &record);
        check_set(SS_FIELDS_ALL & ~SS_FIELD_BIT(f), &record);
    }
    check_set(SS_FIELDS_ALL, &record);
    check_set(SS_FIELDS_DEFAULT, &record);
    struct rng rng = {1};
    for (int i = 0; i < 300; i++)
        check_set((uint32_t)rng_next(&rng) & SS_FIELDS_ALL, &record);
}

/* The fields of `scores` are the enum's, in its order: what is added there has to be told apart
 * here too. */
Test(subscriber_schema, the_names_are_those_of_scores)
{
    json_t *schema = json_loads(ss_schema_of_output(SS_SCORES), 0, NULL);
    json_t *fields = json_object_get(schema, "fields");
    cr_assert_eq(json_array_size(fields), SS_FIELD_COUNT + 1);
    for (size_t i = 1; i < json_array_size(fields); i++)
        cr_expect_str_eq(json_string_value(json_object_get(json_array_get(fields, i), "name")),
                         ss_score_field_name((enum ss_score_field)(i - 1)));
    json_decref(schema);
}

Test(subscriber_schema, what_is_not_seen_is_not_in_the_bytes)
{
    struct ss_score_record record = sample_record();
    struct ss_buffer out;
    ss_buffer_init(&out, 1 << 16);
    cr_assert_eq(ss_encode_shared_score(FIXED_ID, SS_FIELDS_DEFAULT, &record, &out, NULL), SS_OK);
    cr_expect_null(memmem(out.data, out.size, "case-9", 6));
    cr_expect_null(memmem(out.data, out.size, "e-17", 4));
    cr_expect_null(memmem(out.data, out.size, "LISTED", 6));
    cr_expect_null(memmem(out.data, out.size, "default-", 8));
    ss_buffer_reset(&out);
}

/* BACKWARD: whoever reads with the wider schema finds a default where the narrower has nothing. */
Test(subscriber_schema, a_set_can_grow)
{
    char *json = schema_of(SS_FIELDS_ALL);
    json_t *schema = json_loads(json, 0, NULL), *field;
    size_t i;
    json_array_foreach(json_object_get(schema, "fields"), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        cr_expect_eq(!json_object_get(field, "default"), strcmp(name, "user_id") == 0, "%s", name);
    }
    json_decref(schema);
    free(json);
}

Test(subscriber_schema, the_embedded_registry_knows_each)
{
    struct ss_registry_config config = {.url = "embedded:"};
    struct ss_registry *registry;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_registry_open(&config, &registry, &err), SS_OK, "%s", err.detail);
    for (uint32_t fields = 1; fields <= SS_FIELDS_ALL; fields = fields * 3 + 1) {
        char *json = schema_of(fields), *back;
        uint32_t id = 0, again = 0;
        cr_assert_eq(ss_registry_register(registry, "scores.x-value", json, &id, &err), SS_OK, "%s",
                     err.detail);
        cr_assert_eq(ss_registry_find(registry, "scores.x-value", json, &again, &err), SS_OK);
        cr_assert_eq(id, again);
        cr_assert_eq(ss_registry_schema(registry, id, &back, &err), SS_OK, "%s", err.detail);
        cr_assert_str_eq(back, json);
        free(json);
        free(back);
    }
    char *json = schema_of(SS_FIELDS_DEFAULT);
    uint32_t id;
    *strstr(json, "sesame.shared") = 'S';
    cr_assert_eq(ss_registry_find(registry, "scores.x-value", json, &id, &err), SS_DROP);
    free(json);
    ss_registry_close(registry);
}
