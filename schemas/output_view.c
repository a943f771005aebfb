/* output_view.c - the mirror image of encode_score.c. */
#include "schemas/output_view.h"
#include "schemas/wire_reader.h"

SS_WIRE_INLINE void get_cause(struct ss_wire_reader *r, struct ss_cause_view *cause)
{
    cause->known = ss_wire_has(r);
    if (!cause->known)
        return;
    cause->topic = ss_wire_text(r);
    cause->partition = ss_wire_int(r);
    cause->offset = ss_wire_long(r);
    cause->event_id = ss_wire_text(r);
}

/* An array as the encoder writes it: one block, then the end. */
SS_WIRE_INLINE void get_reasons(struct ss_wire_reader *r, struct ss_score_view *view)
{
    view->reason_count = (int)ss_wire_number(r, 0, SS_REASONS_MAX);
    for (int i = 0; i < view->reason_count; i++) {
        struct ss_reason_view *reason = &view->reasons[i];
        reason->code = ss_wire_text(r);
        int64_t factor = ss_wire_number(r, 0, SS_FACTOR_COUNT + 1);
        reason->factor = factor >= 1 && factor <= SS_FACTOR_COUNT ? (enum ss_factor)(factor - 1)
                                                                  : SS_FACTOR_COUNT;
        reason->points_centi = ss_wire_int(r);
    }
    if (view->reason_count)
        (void)ss_wire_number(r, 0, 0);
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
    const uint8_t *at = body.data, *end = at ? at + body.size : at;
    enum ss_status status = ss_score_view_decode_next(&at, end, view, err);
    return status == SS_OK ? check_end(at, end, "score", err) : status;
}

enum ss_status ss_score_view_decode_next(const uint8_t **cursor, const uint8_t *end,
                                         struct ss_score_view *view, struct ss_error *err)
{
    struct ss_wire_reader reader = {.at = *cursor, .end = end}, *r = &reader;
    memset(view, 0, sizeof *view);
    view->user_id = ss_wire_text(r);
    view->sequence = ss_wire_long(r);
    view->kind = (enum ss_score_kind)ss_wire_number(r, 0, SS_KIND_RESCORE);
    view->standing = (enum ss_standing)ss_wire_number(r, 0, SS_STANDING_OPTED_OUT);
    view->has_score = ss_wire_has(r);
    if (view->has_score)
        view->score = ss_wire_int(r);
    view->has_previous = ss_wire_has(r);
    if (view->has_previous)
        view->previous_score = ss_wire_int(r);
    if (ss_wire_has(r))
        view->tier = ss_wire_text(r);
    view->has_factors = ss_wire_has(r);
    for (int i = 0; view->has_factors && i < SS_FACTOR_COUNT; i++) {
        view->factors[i].value = ss_wire_int(r);
        view->factors[i].weight = ss_wire_int(r);
        view->factors[i].points_centi = ss_wire_int(r);
    }
    get_reasons(r, view);
    if (ss_wire_has(r))
        view->case_id = ss_wire_text(r);
    get_cause(r, &view->cause);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        view->positions[i] = ss_wire_long(r);
    view->consent_position = ss_wire_long(r);
    view->as_of_ms = ss_wire_long(r);
    view->clock_ms = ss_wire_long(r);
    view->friends_confirmed = ss_wire_int(r);
    view->friends_bands = ss_wire_int(r);
    view->model_version = ss_wire_text(r);
    view->has_rank = ss_wire_has(r);
    if (view->has_rank)
        view->percentile = (int32_t)ss_wire_number(r, 0, SS_PERCENTILE_MAX);
    if (ss_wire_has(r) != view->has_rank)
        r->bad = true;
    if (view->has_rank)
        view->ranks_offset = ss_wire_long(r);
    if (r->bad)
        return not_one("score", err);
    *cursor = r->at;
    return SS_OK;
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
    view->as_of_ms = ss_wire_long(r);
    get_cause(r, &view->cause);
    view->model_version = ss_wire_text(r);
    return r->bad ? not_one("entitlement", err) : check_end(r->at, r->end, "entitlement", err);
}
