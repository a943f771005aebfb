/* What the encoder writes, the view reads; what is damaged, it refuses. */
#include "schemas/output_view.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ss_text text(const char *literal)
{
    return (struct ss_text){literal, (uint32_t)strlen(literal)};
}

static bool is(struct ss_text got, const char *wanted)
{
    return got.size == strlen(wanted) && memcmp(got.data, wanted, got.size) == 0;
}

static struct ss_score_record full_record(void)
{
    struct ss_score_record record = {
        .user_id = text("u-000042"),
        .kind = SS_KIND_BLACKLIST_DROP,
        .standing = SS_STANDING_LISTED,
        .sequence = 300,
        .has_score = true,
        .has_previous = true,
        .previous_score = 712,
        .score = {.score = 350, .reason_count = 2},
        .tier_name = "poor",
        .case_id = text("case-7"),
        .has_cause = true,
        .cause = {SS_BLACKLIST, 3, 1234567890123, text("e-1")},
        .positions = {1, 2, 3, 4, 5, 6, 7000000000},
        .consent_position = 99,
        .as_of_ms = 1767225600000,
        .model_version = "default-0123456789abcdef",
        .has_rank = true,
        .percentile = 7341,
        .ranks_offset = 4321,
    };
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        record.score.factors[f] = (struct ss_factor_result){1000 * f, 10 + f, -100 * f};
    record.score.reasons[0] = (struct ss_reason){text("LISTED"), SS_FACTOR_COUNT, 36200};
    record.score.reasons[1] = (struct ss_reason){text("HIGH_DEBT"), SS_FACTOR_HISTORY, 815};
    return record;
}

static struct ss_bytes body_of(const struct ss_buffer *buffer)
{
    return (struct ss_bytes){buffer->data + SS_WIRE_HEADER_SIZE,
                             buffer->size - SS_WIRE_HEADER_SIZE};
}

Test(output_view, reads_a_full_score_record)
{
    struct ss_score_record record = full_record();
    struct ss_score_view view;
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    cr_assert_eq(ss_encode_score(5, &record, &buffer, &err), SS_OK);
    cr_assert_eq(ss_score_view_decode(body_of(&buffer), &view, &err), SS_OK, "%s", err.detail);
    cr_assert(is(view.user_id, "u-000042") && is(view.tier, "poor") && is(view.case_id, "case-7"));
    cr_assert_eq(view.sequence, 300);
    cr_assert_eq(view.kind, SS_KIND_BLACKLIST_DROP);
    cr_assert_eq(view.standing, SS_STANDING_LISTED);
    cr_assert(view.has_score && view.score == 350 && view.has_previous &&
              view.previous_score == 712);
    cr_assert(view.has_factors);
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        cr_assert_eq(view.factors[f].value, 1000 * f);
        cr_assert_eq(view.factors[f].weight, 10 + f);
        cr_assert_eq(view.factors[f].points_centi, -100 * f);
    }
    cr_assert_eq(view.reason_count, 2);
    cr_assert(is(view.reasons[0].code, "LISTED") && view.reasons[0].factor == SS_FACTOR_COUNT);
    cr_assert(is(view.reasons[1].code, "HIGH_DEBT") &&
              view.reasons[1].factor == SS_FACTOR_HISTORY && view.reasons[1].points_centi == 815);
    cr_assert(is(view.cause.topic, "blacklist") && is(view.cause.event_id, "e-1"));
    cr_assert(view.cause.partition == 3 && view.cause.offset == 1234567890123);
    cr_assert_eq(view.positions[SS_BLACKLIST], 7000000000);
    cr_assert_eq(view.consent_position, 99);
    cr_assert_eq(view.as_of_ms, 1767225600000);
    cr_assert(is(view.model_version, "default-0123456789abcdef"));
    cr_assert(view.has_rank);
    cr_assert_eq(view.percentile, 7341);
    cr_assert_eq(view.ranks_offset, 4321);
    ss_buffer_reset(&buffer);
}

/* One behind the other, as in a block of a file: each ends where the next begins. */
Test(output_view, finds_where_a_record_ends)
{
    struct ss_score_record record = full_record();
    struct ss_score_view view;
    struct ss_buffer one, both;
    struct ss_error err;
    ss_buffer_init(&one, 4096);
    ss_buffer_init(&both, 8192);
    cr_assert_eq(ss_encode_score(5, &record, &one, &err), SS_OK);
    const struct ss_bytes body = body_of(&one);
    for (int i = 0; i < 2; i++)
        cr_assert(ss_buffer_append(&both, body.data, body.size));
    const uint8_t *at = both.data, *end = both.data + both.size;
    for (int i = 1; i <= 2; i++) {
        cr_assert_eq(ss_score_view_skim_next(&at, end, &view, &err), SS_OK, "%s", err.detail);
        cr_assert_eq(at, both.data + (size_t)i * body.size);
        cr_expect_eq(view.ranks_offset, 4321);
    }
    for (size_t cut = 0; cut < body.size; cut++) {
        at = both.data;
        cr_assert_eq(ss_score_view_skim_next(&at, both.data + cut, &view, &err), SS_DROP);
        cr_assert_eq(at, both.data);
    }
    ss_buffer_reset(&one);
    ss_buffer_reset(&both);
}

static void encode(const struct ss_score_record *record, struct ss_buffer *buffer)
{
    struct ss_error err;
    buffer->size = 0;
    cr_assert_eq(ss_encode_score(5, record, buffer, &err), SS_OK);
}

/* Whether it is, and is not taken for any that differs from it in one field. */
static void is_itself(const struct ss_score_view *view, const struct ss_score_record *record)
{
    struct ss_score_record other;
    cr_assert(ss_score_view_is(view, record));
#define DIFFERS(CHANGE)                                         \
    do {                                                        \
        other = *record;                                        \
        other.CHANGE;                                           \
        cr_expect_not(ss_score_view_is(view, &other), #CHANGE); \
    } while (0)
    DIFFERS(user_id = text("u-000043"));
    DIFFERS(kind = SS_KIND_AGED);
    DIFFERS(standing = SS_STANDING_SCORED);
    DIFFERS(sequence++);
    DIFFERS(has_score ^= true);
    DIFFERS(has_previous ^= true);
    if (record->has_score) {
        DIFFERS(score.score++);
        for (int f = 0; f < SS_FACTOR_COUNT; f++) {
            DIFFERS(score.factors[f].value++);
            DIFFERS(score.factors[f].weight++);
            DIFFERS(score.factors[f].points_centi++);
        }
        for (int32_t bit = 1 << 6; bit <= 1 << 13; bit <<= 7) { /* of the second and third byte */
            DIFFERS(score.factors[1].value ^= bit);
            DIFFERS(score.factors[2].weight ^= bit);
            DIFFERS(score.factors[3].points_centi ^= bit);
            DIFFERS(score.factors[4].points_centi ^= bit);
            DIFFERS(score.reasons[1].points_centi ^= bit);
        }
        DIFFERS(score.reason_count--);
        DIFFERS(score.reasons[1].code = text("HIGH_DEBTS"));
        DIFFERS(score.reasons[0].factor = SS_FACTOR_HISTORY);
        DIFFERS(score.reasons[1].factor = SS_FACTOR_COUNT);
        DIFFERS(score.reasons[1].points_centi--);
    }
    DIFFERS(previous_score++);
    DIFFERS(tier_name = record->tier_name ? NULL : "poor");
    DIFFERS(tier_name = "poorer");
    DIFFERS(case_id = text("case-8"));
    DIFFERS(has_cause ^= true);
    if (record->has_cause) {
        DIFFERS(cause.input = SS_BILLS);
        DIFFERS(cause.partition++);
        DIFFERS(cause.offset++);
        DIFFERS(cause.event_id = text("e-2"));
    }
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        DIFFERS(positions[i]++);
    DIFFERS(consent_position++);
    DIFFERS(as_of_ms++);
    DIFFERS(clock_ms++);
    DIFFERS(friends_confirmed++);
    DIFFERS(friends_bands++);
    DIFFERS(model_version = "default-0123456789abcdee");
    DIFFERS(has_rank ^= true);
    if (record->has_rank) {
        DIFFERS(percentile++);
        DIFFERS(ranks_offset++);
    }
#undef DIFFERS
}

Test(output_view, knows_a_record_again)
{
    struct ss_score_record record = full_record();
    struct ss_score_view view;
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    for (int turn = 0; turn < 3; turn++) {
        encode(&record, &buffer);
        cr_assert_eq(ss_score_view_skim(body_of(&buffer), &view, &err), SS_OK, "%s", err.detail);
        is_itself(&view, &record);
        record.has_cause = turn == 1; /* time alone; then an opt-out */
        record.has_rank = false;
        record.has_score = turn == 0;
        record.tier_name = record.has_score ? record.tier_name : NULL;
    }
    ss_buffer_reset(&buffer);
}

/* Where its encoding grows by a byte, and on either side of 0. Longer ones are no score's: these
 * are left to whoever compares the fields. */
Test(output_view, knows_numbers_of_any_length_again)
{
    static const int32_t edges[] = {0, 63, 64, 8191, 8192, (1 << 20) - 1, 1 << 20, INT32_MAX};
    struct ss_score_record record = full_record();
    struct ss_score_view view;
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    for (size_t e = 0; e < 2 * sizeof edges / sizeof *edges; e++) {
        const int32_t edge = e % 2 ? -1 - edges[e / 2] : edges[e / 2];
        for (int n = 0; n <= 2 * SS_FACTOR_COUNT + 2; n++) {
            record = full_record();
            struct ss_factor_result *factor = &record.score.factors[n % SS_FACTOR_COUNT];
            if (n == 2 * SS_FACTOR_COUNT + 2)
                record.score.reasons[1].points_centi = edge;
            else if (n < SS_FACTOR_COUNT)
                factor->value = edge;
            else
                factor->points_centi = edge;
            encode(&record, &buffer);
            cr_assert_eq(ss_score_view_skim(body_of(&buffer), &view, &err), SS_OK);
            if (e < 12)
                is_itself(&view, &record);
            else
                cr_assert(!ss_score_view_is(&view, &record));
        }
    }
    ss_buffer_reset(&buffer);
}

/* Whatever bit of it is altered: it is no record any more, or another one. */
Test(output_view, knows_no_record_of_which_a_bit_was_altered)
{
    struct ss_score_record record = full_record();
    struct ss_score_view view;
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    encode(&record, &buffer);
    uint8_t *bytes = buffer.data + SS_WIRE_HEADER_SIZE;
    size_t others = 0;
    for (size_t bit = 0; bit < 8 * body_of(&buffer).size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (ss_score_view_skim(body_of(&buffer), &view, &err) == SS_OK) {
            cr_expect(!ss_score_view_is(&view, &record), "bit %zu of byte %zu", bit % 8, bit / 8);
            others++;
        }
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_gt(others, 500);
    ss_buffer_reset(&buffer);
}

Test(output_view, a_view_moves_with_its_body)
{
    struct ss_score_record record = full_record();
    struct ss_score_view view, moved;
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    for (int turn = 0; turn < 2; turn++) {
        encode(&record, &buffer);
        const struct ss_bytes body = body_of(&buffer);
        uint8_t *bytes = malloc(body.size);
        cr_assert_not_null(bytes);
        memcpy(bytes, body.data, body.size);
        cr_assert_eq(ss_score_view_skim(body, &view, &err), SS_OK);
        moved = view;
        ss_score_view_move(&moved, body.data, bytes);
        memset(buffer.data, 0xff, buffer.size);
        cr_assert(ss_score_view_is(&moved, &record));
        view = ss_score_view_whole(&moved);
        if (record.has_score)
            cr_assert(is(view.reasons[1].code, "HIGH_DEBT") && view.factors[1].value == 1000);
        free(bytes);
        record.has_score = record.has_cause = false; /* texts that are not there */
        record.tier_name = NULL;
    }
    ss_buffer_reset(&buffer);
}

/* Bytes that say the same, as another encoder might write it. */
Test(output_view, reads_what_our_encoder_would_not_write)
{
    struct ss_score_record record = full_record();
    struct ss_score_view view, again;
    struct ss_buffer buffer, longer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    ss_buffer_init(&longer, 4096);
    encode(&record, &buffer);
    const struct ss_bytes body = body_of(&buffer);
    const uint8_t *bytes = body.data;
    cr_assert_eq(ss_score_view_skim(body, &view, &err), SS_OK);
    /* the first factor's value, which is 0, in two bytes */
    const size_t at = (size_t)((const uint8_t *)view.made_of.data - bytes) + 1;
    cr_assert_eq(bytes[at], 0);
    cr_assert(ss_buffer_append(&longer, bytes, at) && ss_buffer_append(&longer, "\x80", 1) &&
              ss_buffer_append(&longer, bytes + at, body.size - at));
    cr_assert_eq(ss_score_view_skim((struct ss_bytes){longer.data, longer.size}, &again, &err),
                 SS_OK);
    cr_assert(!ss_score_view_is(&again, &record));
    view = ss_score_view_whole(&view);
    again = ss_score_view_whole(&again);
    cr_assert(memcmp(view.factors, again.factors, sizeof view.factors) == 0);
    cr_assert(!view.made_of.data && view.reason_count == again.reason_count);
    ss_buffer_reset(&buffer);
    ss_buffer_reset(&longer);
}

Test(output_view, reads_an_opt_out_which_has_no_score)
{
    struct ss_score_record record = full_record();
    struct ss_score_view view;
    struct ss_buffer buffer;
    struct ss_error err;
    record.kind = SS_KIND_OPT_OUT;
    record.standing = SS_STANDING_OPTED_OUT;
    record.has_score = false;
    record.tier_name = NULL;
    record.case_id = (struct ss_text){0};
    ss_buffer_init(&buffer, 4096);
    cr_assert_eq(ss_encode_score(5, &record, &buffer, &err), SS_OK);
    cr_assert_eq(ss_score_view_decode(body_of(&buffer), &view, &err), SS_OK, "%s", err.detail);
    cr_assert(!view.has_score && !view.has_factors && view.reason_count == 0 &&
              view.tier.size == 0 && view.case_id.size == 0);
    cr_assert_eq(view.previous_score, 712);
    ss_buffer_reset(&buffer);
}

Test(output_view, reads_an_entitlement)
{
    struct ss_benefit benefit = {.id = "cash-loan", .title = "Cash loan", .threshold = 666};
    struct ss_entitlement entitlement = {.user_id = text("u-1"),
                                         .action = SS_ENTITLEMENT_REVOKED,
                                         .benefit = &benefit,
                                         .has_score = true,
                                         .score = 665,
                                         .sequence = 9,
                                         .as_of_ms = 5,
                                         .has_cause = true,
                                         .cause = {SS_BILLS, 1, 2, text("e-2")},
                                         .model_version = "m-1"};
    struct ss_entitlement_view view;
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    cr_assert_eq(ss_encode_entitlement(6, &entitlement, &buffer, &err), SS_OK);
    cr_assert_eq(ss_entitlement_view_decode(body_of(&buffer), &view, &err), SS_OK, "%s",
                 err.detail);
    cr_assert(is(view.user_id, "u-1") && is(view.benefit_id, "cash-loan") &&
              is(view.title, "Cash loan") && view.threshold == 666);
    cr_assert_eq(view.action, SS_ENTITLEMENT_REVOKED);
    cr_assert(view.has_score && view.score == 665 && view.sequence == 9 && view.as_of_ms == 5);
    cr_assert(is(view.cause.topic, "bills") && view.cause.partition == 1 && view.cause.offset == 2);
    cr_assert(is(view.model_version, "m-1"));
    ss_buffer_reset(&buffer);
}

/* Every cut, and every byte set to each of a few values: refused or read, never beyond the end.
 * Each body lies in memory of exactly its size, so that the sanitizers see a step too far. */
Test(output_view, survives_damage)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct ss_score_record record = full_record();
    struct ss_score_view view;
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 4096);
    cr_assert_eq(ss_encode_score(5, &record, &buffer, &err), SS_OK);
    struct ss_bytes body = body_of(&buffer);
    for (size_t size = 0; size < body.size; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        cr_assert_not_null(cut);
        memcpy(cut, body.data, size);
        cr_assert_eq(ss_score_view_decode((struct ss_bytes){cut, size}, &view, &err), SS_DROP);
        free(cut);
    }
    for (size_t at = 0; at < body.size; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            uint8_t *damaged = malloc(body.size);
            cr_assert_not_null(damaged);
            memcpy(damaged, body.data, body.size);
            damaged[at] = values[v];
            (void)!ss_score_view_decode((struct ss_bytes){damaged, body.size}, &view, &err);
            cr_assert(view.reason_count >= 0 && view.reason_count <= SS_REASONS_MAX);
            free(damaged);
        }
    ss_buffer_reset(&buffer);
}
