/* output_view.c - the mirror image of encode_score.c. */
#include "schemas/output_view.h"
#include "schemas/varint.h"

/* A reader that does not leave its function stays in registers: audits decode each record of a
 * history. */
#define SS_INLINE static inline __attribute__((always_inline))

/* Once something did not fit, the reader is bad for good, and what it gives means nothing but that
 * it is within the bounds asked for. */
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

SS_INLINE int64_t get_number(struct reader *r, int64_t min, int64_t max)
{
    int64_t value = 0;
    if (ss_varint_read(&r->at, r->end, &value) && value >= min && value <= max)
        return value;
    r->bad = true;
    return min > 0 ? min : 0;
}

SS_INLINE int64_t get_long(struct reader *r)
{
    return get_number(r, INT64_MIN, INT64_MAX);
}

SS_INLINE int32_t get_int(struct reader *r)
{
    return (int32_t)get_number(r, INT32_MIN, INT32_MAX);
}

/* The branch of a union of null and something. */
SS_INLINE bool get_has(struct reader *r)
{
    return get_number(r, 0, 1) == 1;
}

SS_INLINE struct ss_text get_text(struct reader *r)
{
    int64_t size = get_number(r, 0, INT32_MAX);
    if (size > r->end - r->at) {
        r->bad = true;
        return (struct ss_text){0};
    }
    struct ss_text text = {(const char *)r->at, (uint32_t)size};
    r->at += size;
    return text;
}

SS_INLINE void get_cause(struct reader *r, struct ss_cause_view *cause)
{
    cause->known = get_has(r);
    if (!cause->known)
        return;
    cause->topic = get_text(r);
    cause->partition = get_int(r);
    cause->offset = get_long(r);
    cause->event_id = get_text(r);
}

/* An array as the encoder writes it: one block, then the end. */
SS_INLINE void get_reasons(struct reader *r, struct ss_score_view *view)
{
    view->reason_count = (int)get_number(r, 0, SS_REASONS_MAX);
    for (int i = 0; i < view->reason_count; i++) {
        struct ss_reason_view *reason = &view->reasons[i];
        reason->code = get_text(r);
        int64_t factor = get_number(r, 0, SS_FACTOR_COUNT + 1);
        reason->factor = factor >= 1 && factor <= SS_FACTOR_COUNT ? (enum ss_factor)(factor - 1)
                                                                  : SS_FACTOR_COUNT;
        reason->points_centi = get_int(r);
    }
    if (view->reason_count)
        (void)get_number(r, 0, 0);
}

static enum ss_status not_one(const char *what, struct ss_error *err)
{
    return ss_fail(err, SS_DROP, "not a %s record of this version's schema", what);
}

static enum ss_status check_end(const uint8_t *at, const uint8_t *end, const char *what,
                                struct ss_error *err)
{
    return at == end ? SS_OK
                     : ss_fail(err, SS_DROP, "%zu bytes behind the %s record", (size_t)(end - at),
                               what);
}

enum ss_status ss_score_view_decode(struct ss_bytes body, struct ss_score_view *view,
                                    struct ss_error *err)
{
    const uint8_t *at = body.data, *end = at ? at + body.size : at;
    enum ss_status status = ss_score_view_decode_next(&at, end, view, err);
    return status == SS_OK ? check_end(at, end, "score", err) : status;
}

enum ss_status ss_score_view_decode_next(const uint8_t **cursor, const uint8_t *end,
                                         struct ss_score_view *view, struct ss_error *err)
{
    struct reader reader = {.at = *cursor, .end = end}, *r = &reader;
    memset(view, 0, sizeof *view);
    view->user_id = get_text(r);
    view->sequence = get_long(r);
    view->kind = (enum ss_score_kind)get_number(r, 0, SS_KIND_RESCORE);
    view->standing = (enum ss_standing)get_number(r, 0, SS_STANDING_OPTED_OUT);
    view->has_score = get_has(r);
    if (view->has_score)
        view->score = get_int(r);
    view->has_previous = get_has(r);
    if (view->has_previous)
        view->previous_score = get_int(r);
    if (get_has(r))
        view->tier = get_text(r);
    view->has_factors = get_has(r);
    for (int i = 0; view->has_factors && i < SS_FACTOR_COUNT; i++) {
        view->factors[i].value = get_int(r);
        view->factors[i].weight = get_int(r);
        view->factors[i].points_centi = get_int(r);
    }
    get_reasons(r, view);
    if (get_has(r))
        view->case_id = get_text(r);
    get_cause(r, &view->cause);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        view->positions[i] = get_long(r);
    view->consent_position = get_long(r);
    view->as_of_ms = get_long(r);
    view->clock_ms = get_long(r);
    view->friends_confirmed = get_int(r);
    view->friends_bands = get_int(r);
    view->model_version = get_text(r);
    view->has_rank = get_has(r);
    if (view->has_rank)
        view->percentile = (int32_t)get_number(r, 0, SS_PERCENTILE_MAX);
    if (get_has(r) != view->has_rank)
        r->bad = true;
    if (view->has_rank)
        view->ranks_offset = get_long(r);
    if (r->bad)
        return not_one("score", err);
    *cursor = r->at;
    return SS_OK;
}

enum ss_status ss_entitlement_view_decode(struct ss_bytes body, struct ss_entitlement_view *view,
                                          struct ss_error *err)
{
    const uint8_t *at = body.data;
    struct reader reader = {.at = at, .end = at ? at + body.size : at}, *r = &reader;
    memset(view, 0, sizeof *view);
    view->user_id = get_text(r);
    view->action = (enum ss_entitlement_action)get_number(r, 0, SS_ENTITLEMENT_REVOKED);
    view->benefit_id = get_text(r);
    view->title = get_text(r);
    view->threshold = get_int(r);
    view->has_score = get_has(r);
    if (view->has_score)
        view->score = get_int(r);
    view->sequence = get_long(r);
    view->as_of_ms = get_long(r);
    get_cause(r, &view->cause);
    view->model_version = get_text(r);
    return r->bad ? not_one("entitlement", err) : check_end(r->at, r->end, "entitlement", err);
}
