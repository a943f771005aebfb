/* Encoders: what they write, avro-c reads back by name. */
#include "helper_avro.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

static struct ss_bytes body_of(const struct ss_buffer *buffer, size_t from, uint32_t id)
{
    struct ss_bytes value = {buffer->data + from, buffer->size - from}, body;
    uint32_t read_id;
    cr_assert_eq(ss_wire_open(value, &read_id, &body, NULL), SS_OK);
    cr_assert_eq(read_id, id);
    return body;
}

static void expect_text(const avro_value_t *record, const char *path, const char *text)
{
    struct value value = ref_at(record, path);
    cr_expect(value.kind == VALUE_TEXT || value.kind == VALUE_ENUM, "%s", path);
    cr_expect(value.text.size == strlen(text) && !memcmp(value.text.data, text, value.text.size),
              "%s is %.*s", path, (int)value.text.size, value.text.data);
}

static void expect_long(const avro_value_t *record, const char *path, int64_t number)
{
    struct value value = ref_at(record, path);
    cr_expect_eq(value.kind, VALUE_LONG, "%s", path);
    cr_expect_eq(value.number, number, "%s is %ld", path, (long)value.number);
}

static void expect_null(const avro_value_t *record, const char *path)
{
    cr_expect_eq(ref_at(record, path).kind, VALUE_NULL, "%s", path);
}

static struct ss_text text(const char *s)
{
    return (struct ss_text){s, (uint32_t)strlen(s)};
}

Test(encode, events_round_trip_and_avro_c_agrees_field_by_field)
{
    struct rng rng = {1};
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        const char *json = ss_schema_of_input((enum ss_input)input);
        avro_schema_t schema = ref_parse(json);
        avro_value_t value = ref_new(schema);
        struct ss_plan *plan;
        struct ss_buffer out;
        struct ss_error err;
        ss_buffer_init(&out, 1 << 20);
        cr_assert_eq(ss_plan_open((enum ss_input)input, json, &plan, &err), SS_OK, "%s",
                     err.detail);
        for (int i = 0; i < 300; i++) {
            struct ss_event event, back;
            struct event_texts texts;
            random_event(&rng, (enum ss_input)input, &event, &texts);
            size_t from = out.size = (size_t)i % 3; /* appends behind what is there */
            cr_assert_eq(ss_encode_event(77, &event, &out, &err), SS_OK);
            struct ss_bytes body = body_of(&out, from, 77);
            cr_assert_eq(ss_plan_decode(plan, body, &back, &err), SS_OK, "%s", err.detail);
            cr_assert(events_equal(&event, &back));

            cr_assert(ref_read(&value, body));
            for (size_t j = 0; j < avro_schema_record_size(schema); j++) {
                const char *name = avro_schema_record_field_name(schema, (int)j);
                struct value theirs = ref_at(&value, name), ours = event_value(&event, name);
                cr_assert(theirs.kind == ours.kind && theirs.number == ours.number, "%s", name);
                /* avro-c keeps a string up to a NUL, and ours have none. */
                cr_assert(ours.kind != VALUE_TEXT ||
                              (theirs.text.size == ours.text.size &&
                               !memcmp(theirs.text.data, ours.text.data, ours.text.size)),
                          "%s", name);
            }
        }
        avro_value_decref(&value);
        avro_schema_decref(schema);
        ss_plan_close(plan);
        ss_buffer_reset(&out);
    }
}

static struct ss_score_record sample_record(void)
{
    struct ss_score_record r = {
        .user_id = text("u-1"),
        .kind = SS_KIND_BLACKLIST_DROP,
        .standing = SS_STANDING_LISTED,
        .sequence = INT64_C(5000000000),
        .has_score = true,
        .has_previous = true,
        .previous_score = 702,
        .score = {.score = 420, .full_score = 702, .reason_count = 4},
        .tier_name = "poor",
        .case_id = text("case-9"),
        .has_cause = true,
        .cause = {SS_BLACKLIST, 3, INT64_C(123456789012), {"e-17", 4}},
        .consent_position = 41,
        .as_of_ms = INT64_C(1700000000123),
        .friends_confirmed = 7,
        .friends_bands = 41,
        .model_version = "default-0123456789abcdef",
        .has_rank = true,
        .percentile = 10000,
        .ranks_offset = INT64_C(90000000001),
    };
    static const char *const codes[] = {"LISTED", "LATE_BILLS", "HIGH_DEBT", "LOW_FRIENDS_BANDS"};
    static const enum ss_factor factors[] = {SS_FACTOR_COUNT, SS_FACTOR_HISTORY,
                                             SS_FACTOR_CHARACTERISTICS, SS_FACTOR_RELATIONSHIPS};
    for (int i = 0; i < SS_FACTOR_COUNT; i++)
        r.score.factors[i] = (struct ss_factor_result){1000 + i, 10 * i, 2000 + i};
    for (int i = 0; i < SS_REASONS_MAX; i++)
        r.score.reasons[i] = (struct ss_reason){text(codes[i]), factors[i], 300 - i};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        r.positions[i] = INT64_C(10000000000) * i + 7;
    return r;
}

static void check_reasons(const avro_value_t *record, const struct ss_score_record *r)
{
    static const char *const symbols[] = {"HISTORY",         "BEHAVIOUR",     "FULFILMENT",
                                          "CHARACTERISTICS", "RELATIONSHIPS", "NONE"};
    avro_value_t reasons, reason;
    size_t count = 0;
    avro_value_get_by_name(record, "reasons", &reasons, NULL);
    avro_value_get_size(&reasons, &count);
    cr_assert_eq(count, r->has_score ? (size_t)r->score.reason_count : 0);
    for (size_t i = 0; i < count; i++) {
        avro_value_get_by_index(&reasons, i, &reason, NULL);
        expect_text(&reason, "code", r->score.reasons[i].code.data);
        expect_text(&reason, "factor", symbols[r->score.reasons[i].factor]);
        expect_long(&reason, "points", r->score.reasons[i].points_centi);
    }
}

/* Encodes, reads with avro-c, compares everything that the contract names. */
static void check_record(const struct ss_score_record *r, const char *kind, const char *standing,
                         const char *topic)
{
    static const char *const names[] = {"history", "behaviour", "fulfilment", "characteristics",
                                        "relationships"};
    static const char *const inputs[] = {"payments", "bills",    "bookings",  "social",
                                         "profiles", "consents", "blacklist", "neighbours"};
    avro_schema_t schema = ref_parse(ss_schema_of_output(SS_SCORES));
    avro_value_t value = ref_new(schema);
    struct ss_buffer out;
    char path[64];

    ss_buffer_init(&out, 1 << 20);
    cr_assert_eq(ss_encode_score(8, r, &out, NULL), SS_OK);
    cr_assert(ref_read(&value, body_of(&out, 0, 8)));
    expect_text(&value, "user_id", "u-1");
    expect_text(&value, "kind", kind);
    expect_text(&value, "standing", standing);
    expect_long(&value, "sequence", r->sequence);
    if (r->has_score)
        expect_long(&value, "score", r->score.score);
    else
        expect_null(&value, "score");
    if (r->has_previous)
        expect_long(&value, "previous_score", r->previous_score);
    else
        expect_null(&value, "previous_score");
    if (r->tier_name)
        expect_text(&value, "tier", r->tier_name);
    else
        expect_null(&value, "tier");
    for (int i = 0; r->has_score && i < SS_FACTOR_COUNT; i++) {
        snprintf(path, sizeof path, "factors.%s.value", names[i]);
        expect_long(&value, path, r->score.factors[i].value);
        snprintf(path, sizeof path, "factors.%s.weight", names[i]);
        expect_long(&value, path, r->score.factors[i].weight);
        snprintf(path, sizeof path, "factors.%s.points", names[i]);
        expect_long(&value, path, r->score.factors[i].points_centi);
    }
    if (!r->has_score)
        expect_null(&value, "factors");
    check_reasons(&value, r);
    if (r->case_id.size)
        expect_text(&value, "case_id", "case-9");
    else
        expect_null(&value, "case_id");
    expect_text(&value, "cause.topic", topic);
    expect_long(&value, "cause.partition", r->cause.partition);
    expect_long(&value, "cause.offset", r->cause.offset);
    expect_text(&value, "cause.event_id", "e-17");
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        snprintf(path, sizeof path, "positions.%s", inputs[i]);
        expect_long(&value, path, r->positions[i]);
    }
    expect_long(&value, "consent_positions.scoring", r->consent_position);
    expect_long(&value, "as_of", r->as_of_ms);
    expect_long(&value, "friends.confirmed", r->friends_confirmed);
    expect_long(&value, "friends.bands", r->friends_bands);
    expect_text(&value, "model_version", r->model_version);
    if (r->has_rank) {
        expect_long(&value, "percentile", r->percentile);
        expect_long(&value, "ranks", r->ranks_offset);
    } else {
        expect_null(&value, "percentile");
        expect_null(&value, "ranks");
    }
    avro_value_decref(&value);
    avro_schema_decref(schema);
    ss_buffer_reset(&out);
}

Test(encode, avro_c_reads_score_records)
{
    static const char *const kinds[] = {"UPDATE", "BLACKLIST_DROP", "BLACKLIST_RESTORE",
                                        "OPT_IN", "OPT_OUT",        "OVERDUE",
                                        "AGED",   "NEIGHBOUR",      "RESCORE"};
    struct ss_score_record r = sample_record();
    check_record(&r, "BLACKLIST_DROP", "LISTED", "blacklist");
    r.standing = SS_STANDING_SCORED;
    r.cause.input = SS_PAYMENTS;
    r.case_id = text("");
    for (int kind = 0; kind <= SS_KIND_RESCORE; kind++) {
        r.kind = (enum ss_score_kind)kind;
        r.score.reason_count = kind % 5;
        check_record(&r, kinds[kind], "SCORED", "payments");
    }
    r.kind = SS_KIND_OPT_IN;
    r.has_previous = false;
    check_record(&r, "OPT_IN", "SCORED", "payments");
    r.kind = SS_KIND_OPT_OUT;
    r.standing = SS_STANDING_OPTED_OUT;
    r.has_previous = true;
    r.has_score = false;
    r.tier_name = NULL;
    check_record(&r, "OPT_OUT", "OPTED_OUT", "payments");
}

Test(encode, avro_c_reads_entitlements)
{
    struct ss_benefit benefit = {"car-rental", "Deposit-free car rental", 650};
    struct ss_entitlement e = {
        .user_id = text("u-1"),
        .action = SS_ENTITLEMENT_GRANTED,
        .benefit = &benefit,
        .has_score = true,
        .score = 655,
        .sequence = 12,
        .as_of_ms = INT64_C(1700000000123),
        .has_cause = true,
        .cause = {SS_BOOKINGS, 3, 99, {"e-17", 4}},
        .model_version = "default-0123456789abcdef",
    };
    avro_schema_t schema = ref_parse(ss_schema_of_output(SS_ENTITLEMENTS));
    avro_value_t value = ref_new(schema);
    struct ss_buffer out;

    ss_buffer_init(&out, 1 << 20);
    for (int i = 0; i < 2; i++) {
        out.size = 0;
        cr_assert_eq(ss_encode_entitlement(9, &e, &out, NULL), SS_OK);
        cr_assert(ref_read(&value, body_of(&out, 0, 9)));
        expect_text(&value, "user_id", "u-1");
        expect_text(&value, "action", i ? "REVOKED" : "GRANTED");
        expect_text(&value, "benefit_id", "car-rental");
        expect_text(&value, "title", "Deposit-free car rental");
        expect_long(&value, "threshold", 650);
        if (i)
            expect_null(&value, "score");
        else
            expect_long(&value, "score", 655);
        expect_long(&value, "sequence", 12);
        expect_long(&value, "as_of", e.as_of_ms);
        expect_text(&value, "cause.topic", "bookings");
        expect_long(&value, "cause.partition", 3);
        expect_long(&value, "cause.offset", 99);
        expect_text(&value, "cause.event_id", "e-17");
        expect_text(&value, "model_version", e.model_version);
        e.action = SS_ENTITLEMENT_REVOKED;
        e.has_score = false;
    }
    avro_value_decref(&value);
    avro_schema_decref(schema);
    ss_buffer_reset(&out);
}

Test(encode, a_full_buffer_stops_and_keeps_what_it_had)
{
    struct ss_score_record r = sample_record();
    struct ss_buffer out;
    struct ss_error err;
    ss_buffer_init(&out, 64);
    cr_assert(ss_buffer_append(&out, "abc", 3));
    cr_expect_eq(ss_encode_score(8, &r, &out, &err), SS_STOP);
    cr_expect_eq(out.size, 3);
    cr_expect(strlen(err.detail) > 10);
    ss_buffer_reset(&out);
}
