#include "audit/proof_internal.h"

#include "schemas/codec.h"
#include "scoring/publish.h" /* of a message nothing but its outcome is known: ss_apply needs all */

#include <stdlib.h>

/* --- friends ---
 *
 * Who is on a list, and what he told, is not followed: a record carries the sum that was scored. In
 * between, messages move the sum, and as_of, without a record where the score stays.
 */

bool ss_proof_befriended(const struct proof *proof, const struct ss_user_state *state)
{
    const struct ss_walk *walk = &proof->walk;
    return state->friends.open &&
           (walk->inputs[SS_NEIGHBOURS].position > walk->start[SS_NEIGHBOURS] ||
            walk->target[SS_NEIGHBOURS] > walk->start[SS_NEIGHBOURS]);
}

void ss_proof_take_friends(const struct proof *proof, struct ss_user_state *state,
                           const struct ss_score_view *view)
{
    if (!ss_proof_befriended(proof, state) || view->friends_confirmed < 0 ||
        view->friends_confirmed > proof->models.person->friends_max || view->friends_bands < 0 ||
        view->friends_bands > view->friends_confirmed * (SS_BAND_COUNT - 1))
        return;
    state->friends.confirmed = (uint16_t)view->friends_confirmed;
    state->friends.bands = (uint16_t)view->friends_bands;
}

/* Nobody is told. */
static void hush(struct ss_user_state *state)
{
    state->friends.telling = false;
    state->friends.tell_from = 0;
}

enum ss_outcome ss_proof_apply(struct proof *proof, struct ss_user_state *state,
                               const struct ss_event *event, struct ss_context *context)
{
    enum ss_refusal refusal;
    if (ss_event_reads_friends(&proof->models, event)) {
        proof->friends->count = 0;
        context->friends = proof->friends;
    }
    enum ss_outcome outcome =
        ss_apply(&proof->models, state, event, context, &proof->effects, &refusal);
    hush(state);
    return outcome;
}

bool ss_proof_wake(struct proof *proof, struct ss_user_state *state, struct ss_text user_id,
                   const struct ss_context *context)
{
    bool woken = ss_wake(&proof->models, state, user_id, context, &proof->effects);
    hush(state);
    return woken;
}

static bool silent_once(struct proof *proof, struct ss_user_state *state,
                        const struct ss_event *event, struct ss_context *context, bool *changed)
{
    struct ss_effects *effects = &proof->effects;
    *changed = false;
    if (ss_wake_at(&proof->models, state) <= context->clock_ms) {
        if (ss_event_check(proof->models.person, event, context) != SS_REFUSAL_NONE)
            return true;
        while (ss_proof_wake(proof, state, event->user_id, context)) {
            *changed = true;
            if (effects->has_record)
                return false;
        }
    }
    if (ss_proof_apply(proof, state, event, context) != SS_COUNTED)
        return true;
    *changed = true;
    return !effects->has_record;
}

enum { MEANS = 10 * (SS_BAND_COUNT - 1) }; /* a tenth of a band moves no more than a point */

/* With any sum that friends may have come to by then, in the end at the record's as_of. */
static bool silent_somehow(struct proof *proof, struct ss_user_state *state,
                           const struct ss_event *event, struct ss_context *context, bool *changed)
{
    const struct ss_user_state begin = *state;
    for (int late = 0; late < 1 + (proof->goal_ms > begin.published.as_of_ms); late++)
        for (int mean = -1; mean <= MEANS; mean++) {
            *state = begin;
            state->friends.confirmed = mean < 0 ? 0 : 10;
            state->friends.bands = mean < 0 ? 0 : (uint16_t)mean;
            if (late)
                ss_published_move(&state->published, proof->goal_ms, context->clock_ms);
            if (silent_once(proof, state, event, context, changed)) {
                *changed = true;
                return true;
            }
        }
    *state = begin;
    return false;
}

bool ss_proof_silent(struct proof *proof, struct ss_user_state *state, const struct ss_event *event,
                     int64_t offset, int64_t timestamp_ms, int32_t day, int64_t clock_ms,
                     bool *changed)
{
    struct ss_context context = {
        .partition = proof->options->partition,
        .offset = offset,
        .record_time_ms = timestamp_ms >= 0 ? timestamp_ms : event->occurred_at_ms,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = clock_ms,
        .day = day,
    };
    if (!ss_proof_befriended(proof, state))
        return silent_once(proof, state, event, &context, changed);
    const struct ss_user_state begin = *state;
    if (silent_once(proof, state, event, &context, changed))
        return true;
    *state = begin;
    return silent_somehow(proof, state, event, &context, changed) ||
           silent_once(proof, state, event, &context, changed);
}

int64_t ss_proof_clock(const struct ss_score_view *view, int64_t low_ms)
{
    return ss_clock_exact(view) || view->clock_ms > low_ms ? view->clock_ms : low_ms;
}

bool ss_proof_message(struct proof *proof, struct ss_user_state *state,
                      const struct ss_score_view *view, struct ss_context *context)
{
    const struct ss_event event = {.input = SS_NEIGHBOURS,
                                   .user_id = view->user_id,
                                   .event_id = {"", 0},
                                   .occurred_at_ms = view->as_of_ms};
    const struct ss_occasion occasion = {view->user_id, &event, SS_KIND_NEIGHBOUR, context};
    ss_effects_clear(&proof->effects);
    if (!ss_proof_befriended(proof, state))
        return false;
    context->offset = view->cause.offset;
    ss_published_move(&state->published, event.occurred_at_ms, context->clock_ms);
    ss_publish(&proof->models, state, &occasion, &proof->effects);
    hush(state);
    return proof->effects.has_record;
}

/* How friends may have come into it: not since the last record; by what led to this one; before. */
enum friendship { AS_BEFORE, IN_THE_END, FROM_THE_START, LATE, LATE_OVERDUE, FRIENDSHIPS };

/* How far a message may have moved as_of before the record: to the record's own, or to where its
 * step of time began. */
static int64_t late_as_of(const struct proof *proof, const struct ss_user_state *state,
                          const struct ss_score_view *view, enum friendship how)
{
    const struct ss_model *model = ss_model_of(&proof->models, state);
    const int64_t day_ms = 86400000;
    if (view->kind != SS_KIND_AGED)
        return view->as_of_ms;
    return view->as_of_ms - day_ms * (how == LATE ? model->aged_days : model->aged_overdue_days);
}

static bool arrive(struct proof *proof, struct ss_user_state *state,
                   const struct ss_walk_record *record, const struct ss_source_event *cause,
                   struct ss_context *context, enum friendship how)
{
    const struct ss_score_view *view = &record->view;
    struct ss_effects *effects = &proof->effects;
    bool message = record->cause_input == SS_NEIGHBOURS;
    if (how >= FROM_THE_START || (how == IN_THE_END && !cause && !message))
        ss_proof_take_friends(proof, state, view);
    if (how >= LATE)
        ss_published_move(&state->published, late_as_of(proof, state, view, how),
                          view->kind == SS_KIND_RESCORE ? view->clock_ms
                                                        : state->published.horizon_ms);
    while (ss_proof_wake(proof, state, view->user_id, context))
        if (effects->has_record)
            return !cause && !message && ss_proof_equal(proof, record);
    if (how >= IN_THE_END)
        ss_proof_take_friends(proof, state, view);
    if (message)
        return ss_proof_message(proof, state, view, context) && ss_proof_equal(proof, record);
    return cause && ss_proof_apply(proof, state, &cause->event, context) == SS_COUNTED &&
           effects->has_record && ss_proof_equal(proof, record);
}

/* What time had done, without a record, before the model was replaced: up to the record's as_of,
 * which a change of model does not move. */
static bool steps_before(struct proof *proof, struct ss_user_state *state,
                         const struct ss_score_view *view, const struct ss_context *context)
{
    struct ss_context earlier = *context;
    struct ss_published *published = &state->published;
    bool silent = true;
    if (view->kind != SS_KIND_RESCORE || !state->consents.scoring)
        return true;
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
        if (ss_event_check(proof->models.person, &cause->event, &context) != SS_REFUSAL_NONE)
            return false;
    }
    if (!state->friends.open && !proof->left_friends)
        return arrive(proof, state, record, cause, &context, AS_BEFORE);
    uint8_t bytes[SS_HELD_MAX];
    struct ss_bytes begin = proof->held;
    if (!begin.data || view->kind == SS_KIND_RESCORE)
        begin = (struct ss_bytes){bytes, ss_held_write(state, bytes)};
    const int64_t as_of_ms = state->published.as_of_ms;
    int ways = proof->left_friends || ss_proof_befriended(proof, state) ? FRIENDSHIPS : IN_THE_END;
    for (int how = 0; how < ways; how++) {
        if (how >= LATE && view->as_of_ms <= as_of_ms)
            continue;
        if (how > AS_BEFORE)
            ss_held_read(begin, state);
        if (arrive(proof, state, record, cause, &context, (enum friendship)how))
            return true;
    }
    return false;
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
/* Where a score stands among all is not of this user's events: what the record says is taken, if it
 * can be so, and held against the histograms where these are at hand. */
static void take_rank(struct proof *proof, const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    struct ss_score_record *computed = &proof->effects.record;
    computed->has_rank = computed->has_score && view->has_rank && view->percentile >= 0 &&
                         view->percentile <= SS_PERCENTILE_MAX && view->ranks_offset >= 0;
    computed->percentile = computed->has_rank ? view->percentile : 0;
    computed->ranks_offset = computed->has_rank ? view->ranks_offset : 0;
    if (!computed->has_rank || !options->rank)
        return;
    int32_t percentile = options->rank(options->arg, computed->ranks_offset, computed->score.score);
    if (percentile == SS_PROOF_RANK_NONE)
        computed->has_rank = false;
    else if (percentile >= 0)
        computed->percentile = percentile;
}

bool ss_proof_equal(struct proof *proof, const struct ss_walk_record *record)
{
    struct ss_error err;
    struct ss_score_view view;
    const struct ss_score_record *computed = &proof->effects.record;
    if (computed->sequence != record->view.sequence || computed->as_of_ms != record->view.as_of_ms)
        return false;
    take_rank(proof, &record->view);
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
    if (is_version(proof->models.person, version) || is_version(proof->models.business, version))
        return SS_OK;
    const struct ss_model *model =
        proof->options->shelf->find(proof->options->shelf->arg, version, &business);
    proof->model_known = model != NULL;
    if (!model || stands_alone(proof, version, business))
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
    published->epoch = ss_models_since(&proof->models, published->business);
    published->sequence = view->sequence;
    published->as_of_ms = view->as_of_ms;
    published->horizon_ms = view->clock_ms;
    ss_proof_take_friends(proof, state, view);
    for (int b = 0; b < model->benefit_count; b++) {
        uint32_t bit = UINT32_C(1) << b;
        int32_t threshold = model->benefits[b].threshold;
        if (view->standing == SS_STANDING_LISTED || view->score < threshold - model->revoke_margin)
            published->benefits &= ~bit;
        else if (view->score >= threshold)
            published->benefits |= bit;
    }
}
