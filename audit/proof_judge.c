#include "audit/proof_internal.h"

#include "schemas/codec.h"
#include <stdlib.h>

/* Nobody is told. */
static void hush(struct ss_user_state *state)
{
    state->friends.telling = false;
    state->friends.tell_from = 0;
}

struct ss_context ss_proof_context(const struct proof *proof, const struct ss_source_event *event,
                                   int32_t day, int64_t clock_ms)
{
    return (struct ss_context){
        .partition = proof->options->partition,
        .offset = event->offset,
        .record_time_ms =
            event->timestamp_ms >= 0 ? event->timestamp_ms : event->event.occurred_at_ms,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = clock_ms,
        .day = day,
    };
}

bool ss_proof_passes(const struct proof *proof, const struct ss_event *event,
                     struct ss_context *context)
{
    const struct ss_model *model = proof->models.person;
    const bool in_hand = proof->walk.event && event == &proof->walk.event->event;
    context->checked = (in_hand && proof->passed_by == model) ||
                       ss_event_check(model, event, context) == SS_REFUSAL_NONE;
    return context->checked;
}

enum ss_outcome ss_proof_apply(struct proof *proof, struct ss_user_state *state,
                               const struct ss_event *event, struct ss_context *context)
{
    enum ss_refusal refusal;
    const struct ss_effects *effects = &proof->effects;
    struct ss_friends *list = &proof->friends->list;
    if (!ss_event_reads_friends(&proof->models, event)) {
        enum ss_outcome outcome =
            ss_apply(&proof->models, state, event, context, &proof->effects, &refusal);
        hush(state);
        return outcome;
    }
    if (!state->friends.open)
        list->count = 0;
    context->friends = list;
    enum ss_outcome outcome =
        ss_apply(&proof->models, state, event, context, &proof->effects, &refusal);
    hush(state);
    if (effects->friends_left)
        list->count = 0;
    proof->list_changed |= effects->friends_left || effects->friends_changed;
    return outcome;
}

bool ss_proof_wake(struct proof *proof, struct ss_user_state *state, struct ss_text user_id,
                   const struct ss_context *context)
{
    bool woken = ss_wake(&proof->models, state, user_id, context, &proof->effects);
    hush(state);
    return woken;
}

bool ss_proof_silent(struct proof *proof, struct ss_user_state *state, const struct ss_event *event,
                     int64_t offset, int64_t timestamp_ms, int32_t day, int64_t clock_ms,
                     bool *changed)
{
    const struct ss_effects *effects = &proof->effects;
    struct ss_context context = {
        .partition = proof->options->partition,
        .offset = offset,
        .record_time_ms = timestamp_ms >= 0 ? timestamp_ms : event->occurred_at_ms,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = clock_ms,
        .day = day,
    };
    *changed = false;
    if (!ss_proof_passes(proof, event, &context))
        return true;
    while (ss_proof_wake(proof, state, event->user_id, &context)) {
        *changed = true;
        if (effects->has_record)
            return false;
    }
    if (ss_proof_apply(proof, state, event, &context) != SS_COUNTED)
        return true;
    *changed = true;
    return !effects->has_record;
}

int64_t ss_proof_clock(const struct ss_score_view *view, int64_t low_ms)
{
    return ss_clock_exact(view) || view->clock_ms > low_ms ? view->clock_ms : low_ms;
}

/* What time had done, without a record, before the model was replaced: up to the record's as_of,
 * which a change of model does not move. */
static bool steps_before(struct proof *proof, struct ss_user_state *state,
                         const struct ss_score_view *view, const struct ss_context *context)
{
    struct ss_published *published = &state->published;
    bool silent = true;
    if (view->kind != SS_KIND_RESCORE || !state->consents.scoring)
        return true;
    struct ss_context earlier = *context;
    if (view->as_of_ms < earlier.clock_ms)
        earlier.clock_ms = view->as_of_ms;
    const struct ss_models now = ss_proof_go_back(proof, state->published.epoch);
    while (silent && published->as_of_ms < view->as_of_ms &&
           ss_proof_wake(proof, state, view->user_id, &earlier))
        silent = !proof->effects.has_record;
    proof->models = now;
    /* nor the horizon: it is that of the last silent event, whose clock nothing else has shown */
    if (view->clock_ms > published->horizon_ms && view->clock_ms <= published->as_of_ms &&
        view->clock_ms <= context->clock_ms)
        published->horizon_ms = view->clock_ms;
    return silent;
}

bool ss_proof_arrive(struct proof *proof, struct ss_user_state *state,
                     const struct ss_walk_record *record, const struct ss_source_event *cause,
                     int64_t low_ms)
{
    const struct ss_score_view *view = &record->view;
    const struct ss_effects *effects = &proof->effects;
    struct ss_context context = {
        .partition = proof->options->partition,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = ss_proof_clock(view, low_ms),
        .day = proof->day,
    };
    if (ss_clock_exact(view) && view->clock_ms < low_ms)
        return false; /* it never goes back */
    if (!steps_before(proof, state, view, &context))
        return false;
    memcpy(context.positions, view->positions, sizeof context.positions);
    if (cause) {
        context.offset = cause->offset;
        context.record_time_ms =
            cause->timestamp_ms >= 0 ? cause->timestamp_ms : cause->event.occurred_at_ms;
        if (!ss_proof_passes(proof, &cause->event, &context))
            return false;
    }
    while (ss_proof_wake(proof, state, view->user_id, &context))
        if (effects->has_record)
            return !cause && ss_proof_equal(proof, record);
    return cause && ss_proof_apply(proof, state, &cause->event, &context) == SS_COUNTED &&
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

/* Nearly always the record is as it was published; else it is encoded, for every field to be
 * compared as it was read. */
bool ss_proof_equal(struct proof *proof, const struct ss_walk_record *record)
{
    struct ss_score_view view;
    const struct ss_score_record *computed = &proof->effects.record;
    if (computed->sequence != record->view.sequence || computed->as_of_ms != record->view.as_of_ms)
        return false;
    ss_proof_take_rank(proof, &record->view);
    if (ss_score_view_is(&record->view, computed))
        return true;
    ss_proof_view(proof, computed, &view);
    return ss_proof_same_score(&view, &record->view);
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

/* The records behind go on with other models of this kind: then the one in hand stands alone. */
static bool stands_alone(const struct proof *proof, struct ss_text version, bool business)
{
    const struct ss_model_shelf *shelf = proof->options->shelf;
    int others = 0;
    for (int i = 1; i < proof->walk.ahead; i++) {
        const struct ss_walk_record *next = proof->walk.at[i];
        struct ss_text name = next->view.model_version;
        bool of_business = false;
        if (next->stray || !shelf->find(shelf->arg, name, &of_business) || of_business != business)
            continue;
        if (name.size == version.size && memcmp(name.data, version.data, name.size) == 0)
            return false;
        others++;
    }
    return others > 0;
}

enum ss_status ss_proof_models(struct proof *proof, const struct ss_walk_record *record)
{
    const struct ss_text version = record->view.model_version;
    bool business = false;
    proof->model_known = true;
    proof->model_alone = false;
    if (is_version(proof->models.person, version) || is_version(proof->models.business, version))
        return SS_OK;
    const struct ss_model *model =
        proof->options->shelf->find(proof->options->shelf->arg, version, &business);
    proof->model_known = model != NULL;
    if (!model)
        return SS_OK;
    struct ss_models **befores =
        realloc(proof->befores, (proof->before_count + 1) * sizeof *befores);
    struct ss_models *before = malloc(sizeof *before);
    if (befores)
        proof->befores = befores;
    if (!befores || !before) {
        free(before);
        return ss_fail(proof->err, SS_STOP, "out of memory for models");
    }
    befores[proof->before_count++] = before;
    *before = proof->models;
    proof->model_alone = stands_alone(proof, version, business);
    proof->models.before = before;
    proof->models.epoch++;
    if (business) {
        proof->models.business = model;
        proof->models.business_since = proof->models.epoch;
    } else {
        proof->models.person = model;
        proof->models.person_since = proof->models.epoch;
    }
    return SS_OK;
}

struct ss_models ss_proof_go_back(struct proof *proof, int32_t epoch)
{
    const struct ss_models now = proof->models;
    const struct ss_models *models = &now;
    while (models->epoch > epoch && models->before)
        models = models->before;
    proof->models = *models;
    return now;
}

int32_t ss_proof_epoch(struct proof *proof, const struct proof_kept *kept,
                       const struct ss_user_state *state)
{
    const struct ss_models now = ss_proof_go_back(proof, kept->epoch);
    bool untold = ss_rescore_due(&proof->models, state);
    proof->models = now;
    return untold ? state->published.epoch : kept->epoch;
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
    /* as the register has it: no step of time could tell of what no listing had moved */
    published->standing = state->blacklist.case_count > 0 ? SS_STANDING_LISTED : SS_STANDING_SCORED;
    published->score = (int16_t)view->score;
    published->tier = (uint8_t)tier_of(model, view->tier);
    published->business = is_version(proof->models.business, view->model_version);
    published->epoch = ss_models_since(&proof->models, published->business);
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
