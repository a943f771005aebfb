/* proof_doubt.c - whether a record can be right though the folds do not lead to it.
 *
 * Where `scores` begins late nobody knows which events were read before the grant, and so did not
 * count: until a grant is read that the records show, the folds of a user may hold too much. What
 * follows from such folds is proven all the same. What does not may be wrong, or they are. Then
 * only that is wrong which no folds at all lead to:
 *
 * 1. What a record says of itself and of its place (sequence, kind, standing, cause, consent,
 *    times, the score before) follows from its cause and the record before.
 * 2. Its score follows from its factors' values and the model; the rest of the score must be one
 *    that there can be.
 * 3. If the next record follows from the folds, then what they hold too much has come to an end in
 *    between: by an event of an input that the factor which was another follows from.
 */
#include "audit/proof_internal.h"

#include "scoring/score.h"

#define DAY_MS INT64_C(86400000)

/* --- the score --- */

static bool same_name(struct ss_text text, const char *name)
{
    return strlen(name) == text.size && memcmp(name, text.data, text.size) == 0;
}

const struct ss_model *ss_proof_model_named(const struct proof *proof,
                                            const struct ss_score_view *view)
{
    const struct ss_models *models = &proof->models;
    return models->business && same_name(view->model_version, models->business->version)
               ? models->business
               : models->person;
}

/* Whether it is the score that its factors' values make: *score, without reasons. */
static bool adds_up(const struct ss_model *model, const struct ss_score_view *view,
                    struct ss_score *score)
{
    if (!view->has_score || !view->has_factors)
        return false;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        score->factors[f].value = view->factors[f].value;
        if (view->factors[f].value < 0 || view->factors[f].value > SS_VALUE_MAX)
            return false;
    }
    ss_score_add_up(model, view->standing == SS_STANDING_LISTED, score);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        if (view->factors[f].weight != score->factors[f].weight ||
            view->factors[f].points_centi != score->factors[f].points_centi)
            return false;
    return view->score == score->score && same_name(view->tier, model->tiers[score->tier].name);
}

bool ss_proof_adds_up(const struct proof *proof, const struct ss_score_view *view)
{
    const struct ss_score_view whole = ss_score_view_whole(view);
    const struct ss_model *model = ss_proof_model_named(proof, view);
    struct ss_score score;
    return view->standing == SS_STANDING_OPTED_OUT || adds_up(model, &whole, &score);
}

/* Of the same factors and codes they are the same; others must be such as there can be. */
static bool reasons_can_be(const struct ss_score_view *view, const struct ss_score *score,
                           const struct ss_score *folded)
{
    int64_t lacking_centi = (SS_SCORE_MAX - SS_SCORE_MIN) * INT64_C(100);
    bool same = view->reason_count == folded->reason_count;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        same &= view->factors[f].value == folded->factors[f].value;
        lacking_centi -= score->factors[f].points_centi;
    }
    for (int i = 0; i < view->reason_count; i++)
        same = same && ss_same_text(view->reasons[i].code, folded->reasons[i].code);
    for (int i = 0; i < view->reason_count; i++) {
        const struct ss_reason_view *reason = &view->reasons[i];
        const bool listed = reason->factor == SS_FACTOR_COUNT;
        if (same && reason->points_centi != folded->reasons[i].points_centi)
            return false;
        if (listed != (i == 0 && score->listed))
            return false;
        if (listed && reason->points_centi != (score->full_score - score->score) * 100)
            return false;
        if (!listed && i > 0 && view->reasons[i - 1].factor != SS_FACTOR_COUNT &&
            reason->points_centi > view->reasons[i - 1].points_centi)
            return false;
        if (!listed)
            lacking_centi -= reason->points_centi;
        if (reason->points_centi < 0 || lacking_centi < 0)
            return false;
    }
    return true;
}

/* *others: bit f, another value of factor f than the folds give. */
static bool score_can_be(const struct proof *proof, const struct ss_user_state *state,
                         const struct ss_score_view *view, uint32_t *others)
{
    struct ss_user_state befriended = *state;
    const struct ss_model *model = ss_proof_model_named(proof, view);
    struct ss_score score, folded;
    if (!adds_up(model, view, &score))
        return false;
    befriended.friends.confirmed = view->friends_confirmed;
    befriended.friends.bands = view->friends_bands;
    ss_score_compute(model, &befriended, view->as_of_ms, view->clock_ms, &folded);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        *others |= (uint32_t)(folded.factors[f].value != view->factors[f].value) << f;
    *others |= (uint32_t)(view->friends_confirmed != state->friends.confirmed ||
                          view->friends_bands != state->friends.bands)
               << SS_FACTOR_RELATIONSHIPS;
    return view->friends_confirmed >= 0 && view->friends_bands >= 0 &&
           folded.factors[SS_FACTOR_RELATIONSHIPS].value ==
               view->factors[SS_FACTOR_RELATIONSHIPS].value &&
           reasons_can_be(view, &score, &folded);
}

/* --- its place --- */

/* Whole days later than an instant, as a step of time is. */
static bool is_step(int64_t from_ms, int64_t to_ms)
{
    return to_ms >= from_ms && (to_ms - from_ms) % DAY_MS == 0;
}

/* Its time is that of an event, or time alone has led there from one, or from a bill's due. */
static bool time_can_be(const struct settling *s, const struct ss_user_state *state)
{
    const int64_t as_of_ms = s->record->view.as_of_ms;
    bool can = is_step(s->before.as_of_ms, as_of_ms) ||
               (s->cause && is_step(s->cause->event.occurred_at_ms, as_of_ms));
    for (size_t i = 0; i < s->one->kept_count; i++) {
        const struct ss_event *event = &s->one->kept[i]->event;
        can |= is_step(event->occurred_at_ms, as_of_ms);
        if (event->input == SS_BILLS && event->bill.status == SS_BILL_ISSUED)
            can |= is_step(event->bill.due_at_ms, as_of_ms);
    }
    for (int i = 0; i < state->bills.open_count; i++)
        can |= is_step(state->bills.open[i].due_at_ms, as_of_ms);
    return can;
}

/* Neither consent nor register has led to it. */
static bool of_score_alone(const struct settling *s, const struct ss_user_state *state)
{
    const struct ss_score_view *view = &s->record->view;
    return view->has_previous && (int)view->standing == s->before.standing &&
           view->case_id.size == 0 && view->consent_position == state->consents.scoring_position &&
           view->clock_ms >= s->before.horizon_ms;
}

/* Of time alone. */
static bool step_can_be(const struct settling *s, const struct ss_user_state *state)
{
    const struct ss_score_view *view = &s->record->view;
    const struct ss_published *before = &s->before;
    bool kind = view->kind == SS_KIND_OVERDUE;
    if (view->kind == SS_KIND_AGED)
        kind = view->as_of_ms > before->as_of_ms && view->clock_ms == view->as_of_ms;
    if (view->kind == SS_KIND_RESCORE)
        kind = !ss_models_told(&s->proof->models, before->business, before->epoch);
    return kind && of_score_alone(s, state);
}

/* What its cause leads to, whatever the score. */
static bool event_can_be(const struct settling *s, const struct ss_user_state *folded)
{
    struct proof *proof = s->proof;
    const struct ss_score_view whole = ss_score_view_whole(&s->record->view), *view = &whole;
    struct ss_user_state state = *folded;
    struct ss_score_view made;
    struct ss_context context =
        ss_proof_context(proof, s->cause, proof->day, ss_proof_clock(view, proof->low_ms));
    memcpy(context.positions, view->positions, sizeof context.positions);
    if (view->clock_ms < s->before.horizon_ms ||
        !ss_proof_passes(proof, &s->cause->event, &context))
        return false;
    state.published = s->before;
    state.published.as_of_ms = view->as_of_ms;
    state.published.score = -1; /* so that there is a record in any case */
    state.published.benefits = 0;
    state.published.business = ss_is_business(&proof->models, &state);
    state.published.epoch = ss_models_since(&proof->models, state.published.business);
    const enum ss_outcome outcome = ss_proof_apply(proof, &state, &s->cause->event, &context);
    if (outcome == SS_DUPLICATE || outcome == SS_REFUSED)
        return true; /* of what may not have counted, or for want of room that was taken by it */
    if (outcome == SS_COUNTED && !proof->effects.has_record) /* friends as they were already */
        return view->kind == SS_KIND_NEIGHBOUR && s->cause->event.input == SS_NEIGHBOURS &&
               of_score_alone(s, folded);
    if (outcome != SS_COUNTED)
        return false;
    ss_proof_view(proof, &proof->effects.record, &made);
    made.previous_score = view->previous_score;
    made.score = view->score;
    made.tier = view->tier;
    memcpy(made.factors, view->factors, sizeof made.factors);
    made.reason_count = view->reason_count;
    memcpy(made.reasons, view->reasons, sizeof made.reasons);
    made.friends_confirmed = view->friends_confirmed;
    made.friends_bands = view->friends_bands;
    made.model_version = view->model_version;
    made.has_rank = view->has_rank;
    made.percentile = view->percentile;
    made.ranks_offset = view->ranks_offset;
    return ss_proof_same_score(&made, view);
}

static bool can_be(struct settling *s, const struct ss_user_state *folded, uint32_t *others)
{
    const struct ss_score_view whole = ss_score_view_whole(&s->record->view), *view = &whole;
    struct ss_user_state after = *folded;
    if (view->sequence != s->before.sequence + 1 || view->previous_score != s->before.score ||
        view->as_of_ms < s->before.as_of_ms || !time_can_be(s, folded))
        return false;
    if (!(s->cause ? event_can_be(s, folded) : step_can_be(s, folded)))
        return false;
    if (s->cause)
        ss_proof_fold_blind(s->proof, &after, s->cause, s->proof->day);
    return view->kind == SS_KIND_OPT_OUT || score_can_be(s->proof, &after, view, others);
}

bool ss_proof_can_be(struct settling *s, const struct ss_user_state *folded, uint32_t *others)
{
    struct proof *proof = s->proof;
    const bool changed = proof->list_changed;
    struct ss_friends list;
    ss_proof_friends_copy(&list, &proof->friends->list);
    *others = 0;
    const bool can = can_be(s, folded, others);
    ss_proof_friends_copy(&proof->friends->list, &list);
    proof->list_changed = changed;
    return can;
}

/* --- afterwards --- */

/* Bit i: the factor follows from input i. */
static const uint32_t inputs_of[SS_FACTOR_COUNT] = {
    [SS_FACTOR_HISTORY] = 1u << SS_BILLS | 1u << SS_PROFILES,
    [SS_FACTOR_BEHAVIOUR] = 1u << SS_PAYMENTS,
    [SS_FACTOR_FULFILMENT] =
        1u << SS_PAYMENTS | 1u << SS_BILLS | 1u << SS_BOOKINGS | 1u << SS_PROFILES,
    [SS_FACTOR_CHARACTERISTICS] = 1u << SS_PROFILES,
    [SS_FACTOR_RELATIONSHIPS] = 1u << SS_SOCIAL | 1u << SS_NEIGHBOURS | 1u << SS_CONSENTS,
};

bool ss_proof_can_have_been(const struct settling *s, const struct proof_stray *stray)
{
    const struct ss_score_view whole = ss_score_view_whole(&s->record->view), *next = &whole;
    uint32_t inputs = s->cause ? 1u << s->cause->event.input : 0;
    if (!stray->can_be || next->kind == SS_KIND_OPT_IN || !next->has_factors)
        return stray->can_be;
    for (size_t i = 0; i < s->one->kept_count; i++)
        inputs |= 1u << s->one->kept[i]->event.input;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        if (stray->others >> f & 1 && !(inputs & inputs_of[f]))
            return false;
    return true;
}
