/* output_view.c - the mirror image of encode_score.c. */
#include "schemas/output_view.h"
#include "schemas/varint.h"

/* Once something did not fit, the reader is bad for good and gives zeros. */
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

static int64_t get_number(struct reader *r, int64_t min, int64_t max)
{
    int64_t value = 0;
    if (!r->bad && ss_varint_read(&r->at, r->end, &value) && value >= min && value <= max)
        return value;
    r->bad = true;
    return min > 0 ? min : 0;
}

static int64_t get_long(struct reader *r)
{
    return get_number(r, INT64_MIN, INT64_MAX);
}

static int32_t get_int(struct reader *r)
{
    return (int32_t)get_number(r, INT32_MIN, INT32_MAX);
}

/* The branch of a union of null and something. */
static bool get_has(struct reader *r)
{
    return get_number(r, 0, 1) == 1;
}

static struct ss_text get_text(struct reader *r)
{
    int64_t size = get_number(r, 0, INT32_MAX);
    if (r->bad || size > r->end - r->at) {
        r->bad = true;
        return (struct ss_text){0};
    }
    struct ss_text text = {(const char *)r->at, (uint32_t)size};
    r->at += size;
    return text;
}

static void get_cause(struct reader *r, struct ss_cause_view *cause)
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
static void get_reasons(struct reader *r, struct ss_score_view *view)
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

static enum ss_status finish(const struct reader *r, const char *what, struct ss_error *err)
{
    if (r->bad)
        return ss_fail(err, SS_DROP, "not a %s record of this version's schema", what);
    if (r->at != r->end)
        return ss_fail(err, SS_DROP, "%zu bytes behind the %s record", (size_t)(r->end - r->at),
                       what);
    return SS_OK;
}

static struct reader reader_of(struct ss_bytes body)
{
    const uint8_t *at = body.data;
    return (struct reader){.at = at, .end = at ? at + body.size : at};
}

enum ss_status ss_score_view_decode(struct ss_bytes body, struct ss_score_view *view,
                                    struct ss_error *err)
{
    struct reader reader = reader_of(body), *r = &reader;
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
    return finish(r, "score", err);
}

enum ss_status ss_entitlement_view_decode(struct ss_bytes body, struct ss_entitlement_view *view,
                                          struct ss_error *err)
{
    struct reader reader = reader_of(body), *r = &reader;
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
    return finish(r, "entitlement", err);
}
