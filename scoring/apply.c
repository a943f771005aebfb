/* apply.c - the gates an event passes, its fold, and what is published of it.
 *
 *   check ──> consent gate ──> duplicate? ──> fold ──> score ──> record, grants, revocations
 *     │             │              │            │
 *   REFUSED   NOT_CONSENTED    DUPLICATE     REFUSED
 *
 * 1. Whatever is not COUNTED leaves the state as it was.
 * 2. A record is written when score, tier or standing changed, and at each opt-in and opt-out.
 * 3. Withdrawal leaves nothing but the blacklist part (promise 7).
 * 4. A subscriber is told from its SHARE grant on, beginning with the score as it stands then,
 * until that grant or the SCORING grant is withdrawn, which it is told once.
 */
#include "scoring/apply.h"

#include "scoring/fold.h"
#include "scoring/hash.h"
#include "scoring/score.h"
#include "scoring/sharing.h"

static struct ss_recent *recent_of(struct ss_user_state *state, enum ss_input input)
{
    switch (input) {
    case SS_PAYMENTS:
        return &state->payments.recent;
    case SS_BILLS:
        return &state->bills.recent;
    case SS_BOOKINGS:
        return &state->bookings.recent;
    case SS_SOCIAL:
        return &state->social.recent;
    case SS_PROFILES:
        return &state->profiles.recent;
    case SS_CONSENTS:
        return &state->consents.recent;
    case SS_BLACKLIST:
    case SS_INPUT_COUNT:
        break;
    }
    return &state->blacklist.recent;
}

static bool recent_has(const struct ss_recent *recent, uint32_t hash)
{
    for (int i = 0; i < recent->count; i++)
        if (recent->hash[i] == hash)
            return true;
    return false;
}

static void recent_add(struct ss_recent *recent, uint32_t hash, int32_t window)
{
    if (window == 0)
        return;
    if (recent->count >= window) { /* more than that if another model filled it */
        memmove(&recent->hash[0], &recent->hash[recent->count - (window - 1)],
                (size_t)(window - 1) * sizeof hash);
        recent->count = (uint8_t)(window - 1);
    }
    recent->hash[recent->count++] = hash;
}

/* Consents open the gate themselves; the register of listings is public (promise 7). */
static bool consented(const struct ss_user_state *state, const struct ss_event *event)
{
    if (event->input == SS_BLACKLIST ||
        (event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SCORING))
        return true;
    if (!state->consents.scoring)
        return false;
    return event->input == SS_CONSENTS || event->occurred_at_ms >= state->consents.granted_at_ms;
}

static enum ss_refusal fold(const struct ss_model *model, struct ss_user_state *state,
                            const struct ss_event *event, const struct ss_context *context)
{
    switch (event->input) {
    case SS_PAYMENTS:
        return ss_fold_payment(model, &state->payments, event);
    case SS_BILLS:
        return ss_fold_bill(model, &state->bills, event);
    case SS_BOOKINGS:
        return ss_fold_booking(model, &state->bookings, event);
    case SS_SOCIAL:
        return ss_fold_social(&state->social, event);
    case SS_PROFILES:
        return ss_fold_profile(model, &state->profiles, event);
    case SS_CONSENTS:
        return ss_fold_consent(&state->consents, event, context->offset);
    case SS_BLACKLIST:
        return ss_fold_listing(&state->blacklist, event);
    case SS_INPUT_COUNT:
        break;
    }
    return SS_REFUSAL_BAD_FIELD;
}

/* What a record and its entitlements have in common with the event. */
static void fill_record(const struct ss_model *model, const struct ss_event *event,
                        const struct ss_context *context, const struct ss_published *published,
                        struct ss_score_record *record)
{
    *record = (struct ss_score_record){
        .user_id = event->user_id,
        .sequence = published->sequence,
        .cause = {event->input, context->partition, context->offset, event->event_id},
        .as_of_ms = published->as_of_ms,
        .model_version = model->version,
    };
    memcpy(record->positions, context->positions, sizeof record->positions);
}

static struct ss_score_record *begin_record(const struct ss_model *model,
                                            const struct ss_event *event,
                                            const struct ss_context *context,
                                            struct ss_published *published,
                                            struct ss_effects *effects)
{
    effects->has_record = true;
    published->sequence++;
    fill_record(model, event, context, published, &effects->record);
    return &effects->record;
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

/* Every score record goes to all with whom the user shares, but for the one who is only now. */
static void tell_subscribers(const struct ss_user_state *state, struct ss_effects *effects)
{
    for (int i = 0; i < state->consents.share_count; i++) {
        uint32_t hash = state->consents.shares[i].subscriber_hash;
        if (!effects->has_shared || hash != effects->shared_with)
            effects->told[effects->told_count++] = hash;
    }
}

/* Also where the grant held already: so a subscriber gets what it has lost, or never had. */
static struct ss_score_record *begin_shared(const struct ss_model *model,
                                            const struct ss_user_state *state,
                                            const struct ss_event *event,
                                            const struct ss_context *context,
                                            struct ss_effects *effects)
{
    fill_record(model, event, context, &state->published, &effects->shared);
    effects->has_shared = true;
    effects->shared_with = ss_subscriber_hash(event->consent.subscriber);
    effects->shared.kind = SS_KIND_SHARED;
    return &effects->shared;
}

static void set_score(const struct ss_model *model, const struct ss_user_state *state,
                      const struct ss_score *score, struct ss_score_record *record)
{
    record->standing = score->listed ? SS_STANDING_LISTED : SS_STANDING_SCORED;
    record->has_score = true;
    record->score = *score;
    record->tier_name = model->tiers[score->tier].name;
    record->consent_position = state->consents.scoring_position;
}

static void move_benefits(const struct ss_model *model, uint32_t wanted,
                          struct ss_published *published, struct ss_effects *effects)
{
    const struct ss_score_record *record = &effects->record;
    uint32_t changed = wanted ^ published->benefits;
    for (int b = 0; b < model->benefit_count; b++) {
        if (!(changed & UINT32_C(1) << b))
            continue;
        effects->entitlements[effects->entitlement_count++] = (struct ss_entitlement){
            .user_id = record->user_id,
            .action = wanted & UINT32_C(1) << b ? SS_ENTITLEMENT_GRANTED : SS_ENTITLEMENT_REVOKED,
            .benefit = &model->benefits[b],
            .has_score = record->has_score,
            .score = record->score.score,
            .sequence = record->sequence,
            .as_of_ms = record->as_of_ms,
            .cause = record->cause,
            .model_version = record->model_version,
        };
    }
    published->benefits = wanted;
}

static uint32_t benefits_at(const struct ss_model *model, const struct ss_score *score,
                            uint32_t held)
{
    uint32_t wanted = 0;
    if (score->listed)
        return 0;
    for (int b = 0; b < model->benefit_count; b++) {
        uint32_t bit = UINT32_C(1) << b;
        int32_t from = model->benefits[b].threshold - (held & bit ? model->revoke_margin : 0);
        if (score->score >= from)
            wanted |= bit;
    }
    return wanted;
}

static void publish(const struct ss_model *model, struct ss_user_state *state,
                    const struct ss_event *event, const struct ss_context *context,
                    struct ss_effects *effects)
{
    struct ss_published *published = &state->published;
    struct ss_variables variables;
    struct ss_score score;

    if (event->occurred_at_ms > published->as_of_ms)
        published->as_of_ms = event->occurred_at_ms;
    ss_variables_compute(model, state, published->as_of_ms, &variables);
    ss_score_sum(model, &variables, state->blacklist.case_count > 0, &score);

    enum ss_standing standing = score.listed ? SS_STANDING_LISTED : SS_STANDING_SCORED;
    struct ss_published before = *published;
    bool changed =
        standing != before.standing || score.score != before.score || score.tier != before.tier;
    bool shared = is_share(event, SS_CONSENT_GRANTED);
    if (!changed && !shared)
        return;
    ss_reasons_rank(model, &variables, &score);
    struct ss_score_record *record = NULL;
    if (changed)
        record = begin_record(model, event, context, published, effects);
    if (shared)
        set_score(model, state, &score, begin_shared(model, state, event, context, effects));
    if (!changed)
        return;

    set_score(model, state, &score, record);
    tell_subscribers(state, effects);
    record->has_previous = before.standing != SS_STANDING_NONE;
    record->previous_score = before.score;
    if (!record->has_previous)
        record->kind = SS_KIND_OPT_IN;
    else if (standing == before.standing)
        record->kind = SS_KIND_UPDATE;
    else
        record->kind = score.listed ? SS_KIND_BLACKLIST_DROP : SS_KIND_BLACKLIST_RESTORE;
    if (record->kind == SS_KIND_BLACKLIST_DROP || record->kind == SS_KIND_BLACKLIST_RESTORE)
        record->case_id = event->listing.case_id; /* nothing else moves the standing */

    published->standing = (uint8_t)standing;
    published->score = (int16_t)score.score;
    published->tier = (uint8_t)score.tier;
    move_benefits(model, benefits_at(model, &score, before.benefits), published, effects);
}

static void opt_out(const struct ss_model *model, struct ss_user_state *state,
                    const struct ss_event *event, const struct ss_context *context,
                    int64_t consent_position, struct ss_effects *effects)
{
    struct ss_published *published = &state->published;
    if (event->occurred_at_ms > published->as_of_ms)
        published->as_of_ms = event->occurred_at_ms;
    struct ss_score_record *record = begin_record(model, event, context, published, effects);
    record->kind = SS_KIND_OPT_OUT;
    record->standing = SS_STANDING_OPTED_OUT;
    record->has_previous = true;
    record->previous_score = published->score;
    record->consent_position = consent_position;
    move_benefits(model, 0, published, effects);
    for (int i = 0; i < state->consents.share_count; i++)
        effects->gone[effects->gone_count++] = state->consents.shares[i].subscriber_hash;
}

/* What may be kept of somebody who has not opted in: the register of listings. */
static void erase(struct ss_user_state *state)
{
    struct ss_blacklist_part blacklist = state->blacklist;
    memset(state, 0, sizeof *state);
    if (blacklist.case_count > 0)
        state->blacklist = blacklist;
}

enum ss_outcome ss_apply(const struct ss_model *model, struct ss_user_state *state,
                         const struct ss_event *event, const struct ss_context *context,
                         struct ss_effects *effects, enum ss_refusal *refusal)
{
    effects->has_record = effects->has_shared = false;
    effects->entitlement_count = effects->told_count = effects->gone_count = 0;
    *refusal = ss_event_check(model, event, context);
    if (*refusal != SS_REFUSAL_NONE)
        return SS_REFUSED;
    if (!consented(state, event))
        return SS_NOT_CONSENTED;
    struct ss_recent *recent = recent_of(state, event->input);
    uint32_t hash = (uint32_t)ss_hash64(event->event_id);
    if (recent_has(recent, hash))
        return SS_DUPLICATE;

    bool scored = state->consents.scoring;
    int64_t consent_position = state->consents.scoring_position;
    uint32_t hash_gone = 0;
    bool unshared = is_share(event, SS_CONSENT_WITHDRAWN);
    if (unshared) {
        hash_gone = ss_subscriber_hash(event->consent.subscriber);
        unshared = shares_with(state, hash_gone);
    }
    *refusal = fold(model, state, event, context);
    if (*refusal != SS_REFUSAL_NONE)
        return SS_REFUSED;
    recent_add(recent, hash, model->recent_window);

    if (state->consents.scoring) {
        publish(model, state, event, context, effects);
        if (unshared)
            effects->gone[effects->gone_count++] = hash_gone;
    } else {
        if (scored)
            opt_out(model, state, event, context, consent_position, effects);
        erase(state);
    }
    return SS_COUNTED;
}
