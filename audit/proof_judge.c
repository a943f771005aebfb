#include "audit/proof_internal.h"

#include "schemas/codec.h"

bool ss_proof_silent(struct proof *proof, struct ss_user_state *state, const struct ss_event *event,
                     int64_t offset, int64_t timestamp_ms, int64_t clock_ms, bool *changed)
{
    struct ss_effects *effects = &proof->effects;
    const struct ss_context context = {
        .partition = proof->options->partition,
        .offset = offset,
        .record_time_ms = timestamp_ms >= 0 ? timestamp_ms : event->occurred_at_ms,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = clock_ms,
    };
    enum ss_refusal refusal;
    *changed = false;
    if (ss_wake_at(&proof->models, state) <= clock_ms) {
        if (ss_event_check(proof->models.person, event, &context) != SS_REFUSAL_NONE)
            return true;
        while (ss_wake(&proof->models, state, event->user_id, &context, effects)) {
            *changed = true;
            if (effects->has_record)
                return false;
        }
    }
    if (ss_apply(&proof->models, state, event, &context, effects, &refusal) != SS_COUNTED)
        return true;
    *changed = true;
    return !effects->has_record;
}

int64_t ss_proof_clock(const struct ss_score_view *view, int64_t low_ms)
{
    return ss_clock_exact(view) || view->clock_ms > low_ms ? view->clock_ms : low_ms;
}

bool ss_proof_arrive(struct proof *proof, struct ss_user_state *state,
                     const struct ss_walk_record *record, const struct ss_source_event *cause,
                     int64_t low_ms)
{
    const struct ss_score_view *view = &record->view;
    struct ss_effects *effects = &proof->effects;
    struct ss_context context = {
        .partition = proof->options->partition,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = ss_proof_clock(view, low_ms),
    };
    enum ss_refusal refusal;
    if (ss_clock_exact(view) && view->clock_ms < low_ms)
        return false; /* it never goes back */
    memcpy(context.positions, view->positions, sizeof context.positions);
    if (cause) {
        context.offset = cause->offset;
        context.record_time_ms =
            cause->timestamp_ms >= 0 ? cause->timestamp_ms : cause->event.occurred_at_ms;
        if (ss_event_check(proof->models.person, &cause->event, &context) != SS_REFUSAL_NONE)
            return false;
    }
    while (ss_wake(&proof->models, state, view->user_id, &context, effects))
        if (effects->has_record)
            return !cause && ss_proof_equal(proof, record);
    return cause &&
           ss_apply(&proof->models, state, &cause->event, &context, effects, &refusal) ==
               SS_COUNTED &&
           effects->has_record && ss_proof_equal(proof, record);
}

/* --- comparing --- */

static struct ss_bytes encoded_body(const struct proof *proof)
{
    const struct ss_buffer *encoded = &proof->encoded;
    return (struct ss_bytes){encoded->data + SS_WIRE_HEADER_SIZE,
                             encoded->size - SS_WIRE_HEADER_SIZE};
}

void ss_proof_view(struct proof *proof, const struct ss_score_record *record,
                   struct ss_score_view *view)
{
    struct ss_error err;
    proof->encoded.size = 0;
    if (ss_encode_score(0, record, &proof->encoded, &err) != SS_OK ||
        ss_score_view_decode(encoded_body(proof), view, &err) != SS_OK)
        memset(view, 0, sizeof *view);
}

void ss_proof_view_grant(struct proof *proof, const struct ss_entitlement *entitlement,
                         struct ss_entitlement_view *view)
{
    struct ss_error err;
    proof->encoded.size = 0;
    if (ss_encode_entitlement(0, entitlement, &proof->encoded, &err) != SS_OK ||
        ss_entitlement_view_decode(encoded_body(proof), view, &err) != SS_OK)
        memset(view, 0, sizeof *view);
}

/* The bytes first: equal ones are equal in every field. */
bool ss_proof_equal(struct proof *proof, const struct ss_walk_record *record)
{
    struct ss_error err;
    struct ss_score_view view;
    const struct ss_score_record *computed = &proof->effects.record;
    if (computed->sequence != record->view.sequence || computed->as_of_ms != record->view.as_of_ms)
        return false;
    proof->encoded.size = 0;
    if (ss_encode_score(0, computed, &proof->encoded, &err) != SS_OK)
        return false;
    if (ss_bytes_equal(encoded_body(proof), record->body))
        return true;
    return ss_score_view_decode(encoded_body(proof), &view, &err) == SS_OK &&
           ss_proof_same_score(&view, &record->view);
}

bool ss_proof_equal_grant(struct proof *proof, const struct ss_entitlement *entitlement,
                          const struct proof_grant *grant)
{
    struct ss_entitlement_view view;
    ss_proof_view_grant(proof, entitlement, &view);
    return ss_proof_same_entitlement(&view, &grant->view);
}

/* --- models, and believing a record --- */

static bool is_version(const struct ss_model *model, struct ss_text version)
{
    return model && strlen(model->version) == version.size &&
           memcmp(model->version, version.data, version.size) == 0;
}

bool ss_proof_models(struct proof *proof, struct ss_text version)
{
    bool business = false;
    if (is_version(proof->models.person, version) || is_version(proof->models.business, version))
        return true;
    const struct ss_model *model =
        proof->options->shelf->find(proof->options->shelf->arg, version, &business);
    if (!model)
        return false;
    if (business)
        proof->models.business = model;
    else
        proof->models.person = model;
    return true;
}

static int tier_of(const struct ss_model *model, struct ss_text name)
{
    for (int i = 0; i < model->tier_count; i++)
        if (strlen(model->tiers[i].name) == name.size &&
            memcmp(model->tiers[i].name, name.data, name.size) == 0)
            return i;
    return 0;
}

void ss_proof_adopt(const struct proof *proof, struct ss_user_state *state,
                    const struct ss_score_view *view)
{
    struct ss_published *published = &state->published;
    const struct ss_model *model = ss_model_of(&proof->models, state);
    if (view->standing == SS_STANDING_OPTED_OUT) {
        ss_proof_begin_known(state);
        return;
    }
    published->standing = (uint8_t)view->standing;
    published->score = (int16_t)view->score;
    published->tier = (uint8_t)tier_of(model, view->tier);
    published->business = is_version(proof->models.business, view->model_version);
    published->sequence = view->sequence;
    published->as_of_ms = view->as_of_ms;
    published->horizon_ms = view->clock_ms;
    for (int b = 0; b < model->benefit_count; b++) {
        uint32_t bit = UINT32_C(1) << b;
        int32_t threshold = model->benefits[b].threshold;
        if (view->standing == SS_STANDING_LISTED || view->score < threshold - model->revoke_margin)
            published->benefits &= ~bit;
        else if (view->score >= threshold)
            published->benefits |= bit;
    }
}
