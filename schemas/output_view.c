/* output_view.c - the mirror image of encode_score.c.
 *
 * A field of `scores` is read in ss_score_view_skim_next, or in both get_parts and pass_parts, and
 * compared in ss_score_view_is: one that were forgotten there could be altered unseen. */
#include "schemas/output_view.h"
#include "schemas/texts.h"
#include "schemas/wire_reader.h"

#include <assert.h>

SS_WIRE_INLINE void get_cause(struct ss_wire_reader *r, struct ss_cause_view *cause)
{
    *cause = (struct ss_cause_view){.known = ss_wire_has(r)};
    if (!cause->known)
        return;
    cause->topic = ss_wire_text(r);
    cause->partition = ss_wire_int(r);
    cause->offset = ss_wire_long(r);
    cause->event_id = ss_wire_text(r);
}

SS_WIRE_INLINE int64_t get_factor(struct ss_wire_reader *r)
{
    return ss_wire_number(r, 0, SS_FACTOR_COUNT + 1);
}

SS_WIRE_INLINE int get_reason_count(struct ss_wire_reader *r)
{
    return (int)ss_wire_number(r, 0, SS_REASONS_MAX);
}

/* An array as the encoder writes it: one block, then the end. */
SS_WIRE_INLINE void get_end(struct ss_wire_reader *r, int count)
{
    if (count)
        (void)ss_wire_number(r, 0, 0);
}

/* What ss_score_view.made_of is of. */
static void get_parts(struct ss_wire_reader *r, struct ss_score_view *view)
{
    view->has_factors = ss_wire_has(r);
    for (int i = 0; view->has_factors && i < SS_FACTOR_COUNT; i++) {
        view->factors[i].value = ss_wire_int(r);
        view->factors[i].weight = ss_wire_int(r);
        view->factors[i].points_centi = ss_wire_int(r);
    }
    view->reason_count = get_reason_count(r);
    for (int i = 0; i < view->reason_count; i++) {
        struct ss_reason_view *reason = &view->reasons[i];
        reason->code = ss_wire_text(r);
        int64_t factor = get_factor(r);
        reason->factor = factor >= 1 && factor <= SS_FACTOR_COUNT ? (enum ss_factor)(factor - 1)
                                                                  : SS_FACTOR_COUNT;
        reason->points_centi = ss_wire_int(r);
    }
    get_end(r, view->reason_count);
}

/* The same, seen to be right but not kept. */
SS_WIRE_INLINE void pass_parts(struct ss_wire_reader *r)
{
    if (ss_wire_has(r))
        ss_wire_skip_ints(r, 3 * SS_FACTOR_COUNT);
    const int count = get_reason_count(r);
    for (int i = 0; i < count; i++) {
        (void)ss_wire_text(r);
        (void)get_factor(r);
        ss_wire_skip_ints(r, 1);
    }
    get_end(r, count);
}

static enum ss_status not_one(const char *what, struct ss_error *err)
{
    return ss_fail(err, SS_DROP, "not a %s record of this version's schema", what);
}

static enum ss_status check_end(const uint8_t *at, const uint8_t *end, const char *what,
                                struct ss_error *err)
{
    return at == end
               ? SS_OK
               : ss_fail(err, SS_DROP, "%zu bytes behind the %s record", (size_t)(end - at), what);
}

enum ss_status ss_score_view_decode(struct ss_bytes body, struct ss_score_view *view,
                                    struct ss_error *err)
{
    enum ss_status status = ss_score_view_skim(body, view, err);
    if (status == SS_OK)
        *view = ss_score_view_whole(view);
    else
        memset(view, 0, sizeof *view);
    return status;
}

enum ss_status ss_score_view_skim(struct ss_bytes body, struct ss_score_view *view,
                                  struct ss_error *err)
{
    const uint8_t *at = body.data, *end = at ? at + body.size : at;
    enum ss_status status = ss_score_view_skim_next(&at, end, view, err);
    return status == SS_OK ? check_end(at, end, "score", err) : status;
}

enum ss_status ss_score_view_skim_next(const uint8_t **cursor, const uint8_t *end,
                                       struct ss_score_view *view, struct ss_error *err)
{
    struct ss_wire_reader reader = {.at = *cursor, .end = end}, *r = &reader;
    view->user_id = ss_wire_text(r);
    view->sequence = ss_wire_long(r);
    view->kind = (enum ss_score_kind)ss_wire_number(r, 0, SS_KIND_RESCORE);
    view->standing = (enum ss_standing)ss_wire_number(r, 0, SS_STANDING_OPTED_OUT);
    view->has_score = ss_wire_has(r);
    view->score = view->has_score ? ss_wire_int(r) : 0;
    view->has_previous = ss_wire_has(r);
    view->previous_score = view->has_previous ? ss_wire_int(r) : 0;
    view->tier = ss_wire_has(r) ? ss_wire_text(r) : (struct ss_text){0};
    view->made_of.data = r->at;
    pass_parts(r);
    view->made_of.size = (size_t)(r->at - (const uint8_t *)view->made_of.data);
    view->case_id = ss_wire_has(r) ? ss_wire_text(r) : (struct ss_text){0};
    get_cause(r, &view->cause);
    ss_wire_longs(r, view->positions, SS_INPUT_COUNT);
    view->consent_position = ss_wire_long(r);
    view->as_of_ms = ss_wire_time(r);
    view->clock_ms = ss_wire_time(r);
    view->friends_confirmed = ss_wire_int(r);
    view->friends_bands = ss_wire_int(r);
    view->model_version = ss_wire_text(r);
    view->has_rank = ss_wire_has(r);
    view->percentile = view->has_rank ? (int32_t)ss_wire_number(r, 0, SS_PERCENTILE_MAX) : 0;
    if (ss_wire_has(r) != view->has_rank)
        r->bad = true;
    view->ranks_offset = view->has_rank ? ss_wire_long(r) : 0;
    if (r->bad)
        return not_one("score", err);
    *cursor = r->at;
    return SS_OK;
}

struct ss_score_view ss_score_view_whole(const struct ss_score_view *skimmed)
{
    struct ss_score_view view = *skimmed;
    struct ss_wire_reader r = ss_wire_reader_of(view.made_of);
    if (!view.made_of.data)
        return view;
    memset(view.factors, 0, sizeof view.factors);
    get_parts(&r, &view);
    assert(!r.bad && r.at == r.end); /* it has been passed over */
    view.made_of = (struct ss_bytes){0};
    return view;
}

static void move(const char **at, const char *from, const char *to)
{
    if (*at)
        *at = to + (*at - from);
}

void ss_score_view_move(struct ss_score_view *view, const void *from, const void *to)
{
    const char *made_of = view->made_of.data;
    assert(made_of); /* it has not been read: then there is nothing of it to be moved */
    move(&view->user_id.data, from, to);
    move(&view->tier.data, from, to);
    move(&made_of, from, to);
    move(&view->case_id.data, from, to);
    move(&view->cause.topic.data, from, to);
    move(&view->cause.event_id.data, from, to);
    move(&view->model_version.data, from, to);
    view->made_of.data = made_of;
}

static bool same_string(struct ss_text text, const char *string) /* NULL: empty */
{
    return ss_same_text(text, (struct ss_text){string, string ? (uint32_t)strlen(string) : 0});
}

enum ss_input ss_cause_view_input(const struct ss_cause_view *cause)
{
    for (int i = 0; cause->known && i < SS_INPUT_COUNT; i++)
        if (cause->topic.size == ss_schema_texts[i].name_size &&
            ss_same_short(cause->topic.data, ss_schema_texts[i].name, cause->topic.size))
            return (enum ss_input)i;
    return SS_INPUT_COUNT;
}

static bool same_cause(const struct ss_cause_view *view, const struct ss_score_record *record)
{
    const struct ss_cause *cause = &record->cause;
    if (!view->known || !record->has_cause)
        return view->known == record->has_cause;
    const struct ss_schema_text *topic = &ss_schema_texts[cause->input];
    return view->partition == cause->partition && view->offset == cause->offset &&
           ss_same_text(view->event_id, cause->event_id) &&
           ss_same_text(view->topic, (struct ss_text){topic->name, (uint32_t)topic->name_size});
}

/* gcc's and clang's, on any machine; unsigned where a number may be too great to be doubled */
typedef int32_t lanes __attribute__((vector_size(16)));
typedef uint32_t bits __attribute__((vector_size(16)));

enum {
    LANES = sizeof(lanes) / sizeof(int32_t),
    FACTOR_NUMBERS = 3 * SS_FACTOR_COUNT,
    PARTS_NUMBERS = FACTOR_NUMBERS + SS_REASONS_MAX,
    PARTS_LANES = (PARTS_NUMBERS + LANES - 1) / LANES * LANES
};

/* Numbers as the encoder writes them, in words; those of parts take three bytes at most. */
struct parts_numbers {
    int32_t bytes[PARTS_LANES], size[PARTS_LANES];
};

/* Four at a time, and without a branch to be foretold. false: one is longer. */
static bool expect_numbers(const struct ss_score *score, struct parts_numbers *expected)
{
    int32_t numbers[PARTS_LANES];
    lanes given;
    bits all = {0};
    _Static_assert(sizeof score->factors == FACTOR_NUMBERS * sizeof *numbers, "no gaps");
    memcpy(numbers, score->factors, sizeof score->factors);
    memset(numbers + FACTOR_NUMBERS, 0, sizeof numbers - sizeof score->factors);
    for (int i = 0; i < score->reason_count; i++)
        numbers[FACTOR_NUMBERS + i] = score->reasons[i].points_centi;
    for (int i = 0; i < PARTS_LANES; i += LANES) {
        memcpy(&given, numbers + i, sizeof given);
        const bits raw = ((bits)given + (bits)given) ^ (bits)(given >> 31);
        const lanes two = (lanes)raw > 0x7f, three = (lanes)raw > 0x3fff; /* -1: it is */
        const lanes size = 1 - (two + three);
        /* what lies behind the first seven bits, twice; then what lies behind the second byte */
        bits bytes = raw + (raw & ~0x7fU);
        bytes += bytes & ~0x7fffU;
        bytes |= ((bits)two & 0x80) | ((bits)three & 0x8000);
        memcpy(expected->bytes + i, &bytes, sizeof bytes);
        memcpy(expected->size + i, &size, sizeof size);
        all |= raw;
    }
    return (all[0] | all[1] | all[2] | all[3]) >> 21 == 0;
}

/* Bits that differ. Reads four bytes. */
SS_WIRE_INLINE uint32_t differs(const uint8_t **at, const struct parts_numbers *expected, int i)
{
    static const uint32_t masks[] = {0, 0xff, 0xffff, 0xffffff};
    const uint32_t size = (uint32_t)expected->size[i];
    uint32_t found;
    memcpy(&found, *at, sizeof found);
    *at += size;
    return (le32toh(found) ^ (uint32_t)expected->bytes[i]) & masks[size];
}

/* Nothing is read behind something that differs, except within ten bytes: behind what a score is
 * made of, more than that has been skimmed. */
static bool same_made_of(const uint8_t *at, const struct ss_score *score)
{
    struct parts_numbers expected;
    if (!expect_numbers(score, &expected))
        return false;
    for (int i = 0; i < FACTOR_NUMBERS; i += 3)
        if (differs(&at, &expected, i) | differs(&at, &expected, i + 1) |
            differs(&at, &expected, i + 2))
            return false;
    const int count = score->reason_count;
    if (count && *at++ != 2 * count)
        return false;
    for (int i = 0; i < count; i++) {
        const struct ss_reason *reason = &score->reasons[i];
        const uint32_t size = reason->code.size;
        if (size > 0x3f || *at++ != 2 * size || !ss_same_short(at, reason->code.data, size))
            return false;
        at += size;
        /* The symbols begin with NONE, and LISTED is of no factor. */
        const unsigned factor = reason->factor == SS_FACTOR_COUNT ? 0 : 1 + reason->factor;
        if (*at++ != 2 * factor || differs(&at, &expected, FACTOR_NUMBERS + i))
            return false;
    }
    return *at == 0;
}

static bool same_parts(struct ss_bytes made_of, const struct ss_score_record *record)
{
    const uint8_t *at = made_of.data;
    if (!at || at[0] != 2 * record->has_score)
        return false;
    return record->has_score ? same_made_of(at + 1, &record->score) : at[1] == 0;
}

/* In the order of the schema. */
bool ss_score_view_is(const struct ss_score_view *view, const struct ss_score_record *record)
{
    return ss_same_text(view->user_id, record->user_id) && view->sequence == record->sequence &&
           view->kind == record->kind && view->standing == record->standing &&
           view->has_score == record->has_score &&
           (!view->has_score || view->score == record->score.score) &&
           view->has_previous == record->has_previous &&
           (!view->has_previous || view->previous_score == record->previous_score) &&
           same_string(view->tier, record->tier_name) && same_parts(view->made_of, record) &&
           ss_same_text(view->case_id, record->case_id) && same_cause(&view->cause, record) &&
           memcmp(view->positions, record->positions, sizeof view->positions) == 0 &&
           view->consent_position == record->consent_position &&
           view->as_of_ms == record->as_of_ms && view->clock_ms == record->clock_ms &&
           view->friends_confirmed == record->friends_confirmed &&
           view->friends_bands == record->friends_bands &&
           same_string(view->model_version, record->model_version) &&
           view->has_rank == record->has_rank &&
           (!view->has_rank ||
            (view->percentile == record->percentile && view->ranks_offset == record->ranks_offset));
}

enum ss_status ss_entitlement_view_decode(struct ss_bytes body, struct ss_entitlement_view *view,
                                          struct ss_error *err)
{
    struct ss_wire_reader reader = ss_wire_reader_of(body), *r = &reader;
    memset(view, 0, sizeof *view);
    view->user_id = ss_wire_text(r);
    view->action = (enum ss_entitlement_action)ss_wire_number(r, 0, SS_ENTITLEMENT_REVOKED);
    view->benefit_id = ss_wire_text(r);
    view->title = ss_wire_text(r);
    view->threshold = ss_wire_int(r);
    view->has_score = ss_wire_has(r);
    if (view->has_score)
        view->score = ss_wire_int(r);
    view->sequence = ss_wire_long(r);
    view->as_of_ms = ss_wire_time(r);
    get_cause(r, &view->cause);
    view->model_version = ss_wire_text(r);
    return r->bad ? not_one("entitlement", err) : check_end(r->at, r->end, "entitlement", err);
}
