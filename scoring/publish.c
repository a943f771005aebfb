#include "scoring/publish.h"

#include "scoring/model_plan.h"
#include "scoring/require.h"
#include "scoring/score.h"
#include "scoring/sharing.h"

#include <string.h>

void ss_effects_clear(struct ss_effects *effects)
{
    effects->has_record = effects->has_shared = false;
    effects->friends_changed = effects->friends_left = effects->has_message = false;
    effects->entitlement_count = effects->told_count = effects->gone_count = 0;
}

void ss_published_move(struct ss_published *published, int64_t as_of_ms, int64_t clock_ms)
{
    if (as_of_ms > published->as_of_ms)
        published->as_of_ms = as_of_ms;
    int64_t horizon_ms = clock_ms < published->as_of_ms ? clock_ms : published->as_of_ms;
    if (horizon_ms > published->horizon_ms)
        published->horizon_ms = horizon_ms;
}

/* What every record says of its occasion. The score is left to the caller; every other field is
 * set by itself, since to clear all of the record first costs more than the rest. */
static void fill_record(const struct ss_model *model, const struct ss_occasion *occasion,
                        const struct ss_published *published, struct ss_score_record *record)
{
    const struct ss_event *event = occasion->event;
    const struct ss_context *context = occasion->context;
    record->user_id = occasion->user_id;
    record->kind = occasion->kind;
    record->standing = SS_STANDING_NONE;
    record->sequence = published->sequence;
    record->has_score = record->has_previous = false;
    record->previous_score = 0;
    record->tier_name = NULL;
    record->case_id = (struct ss_text){0};
    record->has_cause = event != NULL;
    record->cause = event ? (struct ss_cause){event->input, context->partition, context->offset,
                                              event->event_id}
                          : (struct ss_cause){0};
    memcpy(record->positions, context->positions, sizeof record->positions);
    record->consent_position = 0;
    record->as_of_ms = published->as_of_ms;
    record->clock_ms = published->horizon_ms;
    record->friends_confirmed = record->friends_bands = 0;
    record->model_version = model->version;
    record->has_rank = false;
    record->percentile = 0;
    record->ranks_offset = 0;
}

static struct ss_score_record *begin_record(const struct ss_model *model,
                                            const struct ss_occasion *occasion,
                                            struct ss_published *published,
                                            struct ss_effects *effects)
{
    effects->has_record = true;
    published->sequence++;
    fill_record(model, occasion, published, &effects->record);
    return &effects->record;
}

/* --- benefits --- */

static void tell_benefit(const struct ss_benefit *benefit, enum ss_entitlement_action action,
                         struct ss_effects *effects)
{
    const struct ss_score_record *record = &effects->record;
    effects->entitlements[effects->entitlement_count++] = (struct ss_entitlement){
        .user_id = record->user_id,
        .action = action,
        .benefit = benefit,
        .has_score = record->has_score,
        .score = record->score.score,
        .sequence = record->sequence,
        .as_of_ms = record->as_of_ms,
        .has_cause = record->has_cause,
        .cause = record->cause,
        .model_version = record->model_version,
    };
}

static void move_benefits(const struct ss_model *model, uint32_t wanted,
                          struct ss_published *published, struct ss_effects *effects)
{
    uint32_t changed = wanted ^ published->benefits;
    for (int b = 0; changed && b < model->benefit_count; b++)
        if (changed & UINT32_C(1) << b)
            tell_benefit(&model->benefits[b],
                         wanted & UINT32_C(1) << b ? SS_ENTITLEMENT_GRANTED
                                                   : SS_ENTITLEMENT_REVOKED,
                         effects);
    published->benefits = wanted;
}

static uint32_t benefits_at(const struct ss_model *model, const struct ss_score *score,
                            uint32_t held)
{
    const int32_t *from = ss_model_plan_of(model)->benefits_from;
    uint32_t wanted = 0;
    if (score->listed)
        return 0;
    for (int b = 0; b < model->benefit_count; b++) {
        const int32_t margin = held >> b & 1 ? model->revoke_margin : 0;
        wanted |= (uint32_t)(score->score >= from[b] - margin) << b;
    }
    return wanted;
}

static bool same_id(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static int benefit_find(const struct ss_model *model, const char *id)
{
    for (int b = 0; b < model->benefit_count; b++)
        if (same_id(model->benefits[b].id, id))
            return b;
    return -1;
}

/* The user has turned out to be a business, or none, or the model was replaced: what is held and
 * known to the new model stays held there, the rest is revoked. */
static void change_model(const struct ss_model *from, const struct ss_model *to,
                         struct ss_published *published, struct ss_effects *effects)
{
    uint32_t held = 0;
    SS_REQUIRE(from || !published->benefits); /* ss_wake's caller has made sure */
    for (int b = 0; from && b < from->benefit_count; b++) {
        if (!(published->benefits & UINT32_C(1) << b))
            continue;
        int same = benefit_find(to, from->benefits[b].id);
        if (same >= 0)
            held |= UINT32_C(1) << same;
        else
            tell_benefit(&from->benefits[b], SS_ENTITLEMENT_REVOKED, effects);
    }
    published->benefits = held;
}

/* --- subscribers --- */

static bool is_share_grant(const struct ss_event *event)
{
    return event && event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SHARE &&
           event->consent.action == SS_CONSENT_GRANTED;
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

static void set_score(const struct ss_model *model, const struct ss_user_state *state,
                      const struct ss_score *score, struct ss_score_record *record)
{
    record->standing = score->listed ? SS_STANDING_LISTED : SS_STANDING_SCORED;
    record->has_score = true;
    record->score = *score;
    record->tier_name = model->tiers[score->tier].name;
    record->consent_position = state->consents.scoring_position;
    record->friends_confirmed = state->friends.confirmed;
    record->friends_bands = state->friends.bands;
}

/* Also where the grant held already: so a subscriber gets what it has lost, or never had. */
static void share(const struct ss_model *model, const struct ss_user_state *state,
                  const struct ss_score *score, const struct ss_occasion *occasion,
                  struct ss_effects *effects)
{
    fill_record(model, occasion, &state->published, &effects->shared);
    effects->has_shared = true;
    effects->shared_with = ss_subscriber_hash(occasion->event->consent.subscriber);
    effects->shared.kind = SS_KIND_SHARED;
    set_score(model, state, score, &effects->shared);
}

/* --- records --- */

static enum ss_score_kind kind_of(const struct ss_occasion *occasion, uint8_t standing_before,
                                  const struct ss_score_record *record)
{
    if (!record->has_previous)
        return SS_KIND_OPT_IN;
    if (record->standing == standing_before)
        return occasion->kind;
    return record->standing == SS_STANDING_LISTED ? SS_KIND_BLACKLIST_DROP
                                                  : SS_KIND_BLACKLIST_RESTORE;
}

void ss_publish(const struct ss_models *models, struct ss_user_state *state,
                const struct ss_occasion *occasion, struct ss_effects *effects)
{
    const struct ss_model *model = ss_model_of(models, state);
    struct ss_published *published = &state->published;
    struct ss_variables variables;
    struct ss_score score;

    if (occasion->context->without_scores) {
        published->standing =
            state->blacklist.case_count > 0 ? SS_STANDING_LISTED : SS_STANDING_SCORED;
        return;
    }
    ss_variables_compute(model, state, published->as_of_ms, published->horizon_ms, &variables);
    ss_score_sum(model, &variables, state->blacklist.case_count > 0, &score);
    ss_friends_scored(model, &state->friends, score.score);

    enum ss_standing standing = score.listed ? SS_STANDING_LISTED : SS_STANDING_SCORED;
    bool business = ss_is_business(models, state);
    struct ss_published before = *published;
    const bool other = !ss_models_told(models, business, before.epoch);
    bool changed = standing != before.standing || score.score != before.score ||
                   score.tier != before.tier || business != before.business || other;
    bool shared = is_share_grant(occasion->event);
    if (!changed && !shared)
        return;
    if (!occasion->context->without_reasons)
        ss_reasons_rank(model, &variables, &score);
    struct ss_score_record *record = NULL;
    if (changed)
        record = begin_record(model, occasion, published, effects);
    if (shared)
        share(model, state, &score, occasion, effects);
    if (!changed)
        return;

    set_score(model, state, &score, record);
    tell_subscribers(state, effects);
    record->has_previous = before.standing != SS_STANDING_NONE;
    record->previous_score = before.score;
    record->kind = kind_of(occasion, before.standing, record);
    if (record->kind == SS_KIND_BLACKLIST_DROP || record->kind == SS_KIND_BLACKLIST_RESTORE)
        record->case_id = occasion->event->listing.case_id; /* nothing else moves the standing */

    published->standing = (uint8_t)standing;
    published->score = (int16_t)score.score;
    published->tier = (uint8_t)score.tier;
    if ((business != before.business || other) && record->has_previous)
        change_model(ss_models_find(models, before.business, before.epoch), model, published,
                     effects);
    published->business = business;
    published->epoch = ss_models_since(models, business);
    move_benefits(model, benefits_at(model, &score, published->benefits), published, effects);
}

void ss_publish_opt_out(const struct ss_models *models, struct ss_user_state *state,
                        const struct ss_occasion *occasion, int64_t consent_position,
                        struct ss_effects *effects)
{
    struct ss_published *published = &state->published;
    const struct ss_model *model = ss_model_of(models, state);
    struct ss_score_record *record = begin_record(model, occasion, published, effects);
    record->kind = SS_KIND_OPT_OUT;
    record->standing = SS_STANDING_OPTED_OUT;
    record->score = (struct ss_score){0};
    record->has_previous = true;
    record->previous_score = published->score;
    record->consent_position = consent_position;
    move_benefits(model, 0, published, effects);
    for (int i = 0; i < state->consents.share_count; i++)
        effects->gone[effects->gone_count++] = state->consents.shares[i].subscriber_hash;
}
