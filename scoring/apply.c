/* apply.c - the gates an event passes, its fold, and what is published of it.
 *
 *   check ──> consent gate ──> duplicate? ──> fold ──> score ──> record, grants, revocations
 *     │             │              │            │
 *   REFUSED   NOT_CONSENTED    DUPLICATE     REFUSED
 *
 * 1. Whatever is not COUNTED leaves the state as it was.
 * 2. What is published of it is publish.c's; what time alone does, wake.c's; messages of friends
 *    and all about them apply_friends.c's.
 * 3. Withdrawal leaves nothing but the blacklist part (promise 7).
 */
#include "scoring/apply.h"

#include "scoring/apply_friends.h"
#include "scoring/fold.h"
#include "scoring/hash.h"
#include "scoring/publish.h"
#include "scoring/recent.h"
#include "scoring/sharing.h"

/* Consents open the gate themselves; the register of listings is public (promise 7). */
static bool consented(const struct ss_user_state *state, const struct ss_event *event)
{
    if (event->input == SS_BLACKLIST ||
        (event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SCORING))
        return true;
    if (!state->consents.scoring)
        return false;
    if (event->input == SS_SOCIAL &&
        (!state->consents.social || event->occurred_at_ms < state->consents.social_at_ms))
        return false;
    return event->input == SS_CONSENTS || event->occurred_at_ms >= state->consents.granted_at_ms;
}

static enum ss_refusal fold(const struct ss_models *models, struct ss_user_state *state,
                            const struct ss_event *event, const struct ss_context *context,
                            struct ss_effects *effects)
{
    const struct ss_model *model = models->person;
    switch (event->input) {
    case SS_PAYMENTS:
        return ss_fold_payment(model, &state->payments, event);
    case SS_BILLS:
        return ss_fold_bill(model, &state->bills, event);
    case SS_BOOKINGS:
        return ss_fold_booking(model, &state->bookings, event);
    case SS_SOCIAL:
        ss_friends_fold(models, state, event, context, effects);
        return SS_REFUSAL_NONE;
    case SS_PROFILES:
        return ss_fold_profile(model, &state->profiles, event);
    case SS_CONSENTS:
        return ss_fold_consent(&state->consents, event, context->offset);
    case SS_BLACKLIST:
        return ss_fold_listing(&state->blacklist, event);
    case SS_NEIGHBOURS:
    case SS_INPUT_COUNT:
        break;
    }
    return SS_REFUSAL_BAD_FIELD;
}

static bool is_share(const struct ss_event *event, enum ss_consent_action action)
{
    return event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SHARE &&
           event->consent.action == action;
}

static bool shares_with(const struct ss_user_state *state, uint32_t subscriber_hash)
{
    for (int i = 0; i < state->consents.share_count; i++)
        if (state->consents.shares[i].subscriber_hash == subscriber_hash)
            return true;
    return false;
}

/* What may be kept of somebody who has not opted in: the register of listings. */
static void erase(struct ss_user_state *state)
{
    struct ss_blacklist_part blacklist = state->blacklist;
    memset(state, 0, sizeof *state);
    if (blacklist.case_count > 0)
        state->blacklist = blacklist;
}

enum ss_outcome ss_apply(const struct ss_models *models, struct ss_user_state *state,
                         const struct ss_event *event, const struct ss_context *context,
                         struct ss_effects *effects, enum ss_refusal *refusal)
{
    const struct ss_model *model = models->person; /* what is structural is the same in both */
    ss_effects_clear(effects);
    *refusal = context->checked ? SS_REFUSAL_NONE : ss_event_check(model, event, context);
    if (*refusal != SS_REFUSAL_NONE)
        return SS_REFUSED;
    if (event->input == SS_NEIGHBOURS)
        return ss_friends_apply(models, state, event, context, effects);
    if (!consented(state, event))
        return SS_NOT_CONSENTED;
    struct ss_recent *recent = ss_recent_of(state, event->input);
    uint32_t hash = (uint32_t)ss_hash64(event->event_id);
    if (ss_recent_has(model, recent, hash, context->day))
        return SS_DUPLICATE;

    bool scored = state->consents.scoring;
    int64_t consent_position = state->consents.scoring_position;
    uint32_t hash_gone = 0;
    bool unshared = is_share(event, SS_CONSENT_WITHDRAWN);
    if (unshared) {
        hash_gone = ss_subscriber_hash(event->consent.subscriber);
        unshared = shares_with(state, hash_gone);
    }
    *refusal = fold(models, state, event, context, effects);
    if (*refusal != SS_REFUSAL_NONE)
        return SS_REFUSED;
    ss_recent_add(model, recent, hash, context->day);

    struct ss_occasion occasion = {event->user_id, event, SS_KIND_UPDATE, context};
    if (scored || state->consents.scoring)
        ss_published_move(&state->published, event->occurred_at_ms, context->clock_ms);
    effects->message_at_ms = state->published.as_of_ms;
    if (event->input == SS_CONSENTS)
        ss_friends_close(state, effects);
    if (state->consents.scoring) {
        ss_publish(models, state, &occasion, effects);
        ss_friends_reopen(models, state);
        if (unshared)
            effects->gone[effects->gone_count++] = hash_gone;
    } else {
        if (scored)
            ss_publish_opt_out(models, state, &occasion, consent_position, effects);
        erase(state);
    }
    return SS_COUNTED;
}
