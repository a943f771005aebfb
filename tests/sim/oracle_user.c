/* oracle_user.c - one event of one user: gates, duplicates, fold, and what has to be told. */
#include "oracle.h"

#include "scoring/fold.h"
#include "scoring/hash.h"

static struct ss_recent *window_of(struct ss_user_state *state, enum ss_input input)
{
    struct ss_recent *windows[SS_INPUT_COUNT] = {
        [SS_PAYMENTS] = &state->payments.recent,   [SS_BILLS] = &state->bills.recent,
        [SS_BOOKINGS] = &state->bookings.recent,   [SS_SOCIAL] = &state->social.recent,
        [SS_PROFILES] = &state->profiles.recent,   [SS_CONSENTS] = &state->consents.recent,
        [SS_BLACKLIST] = &state->blacklist.recent, [SS_NEIGHBOURS] = NULL,
    };
    return windows[input];
}

/* The newest ids, as far as the input has not left them behind since they came. */
static void leave(const struct ss_model *model, struct ss_recent *window, int32_t today, int keep)
{
    struct ss_recent before = *window;
    memset(window, 0, sizeof *window);
    for (int i = 0; i < before.count; i++) {
        if (before.count - i > keep || before.day[i] < today - model->recent_days)
            continue;
        window->hash[window->count] = before.hash[i];
        window->day[window->count++] = before.day[i];
    }
}

static bool known(const struct ss_model *model, const struct ss_recent *window, uint32_t hash,
                  int32_t today)
{
    bool found = false;
    for (int i = 0; i < window->count; i++)
        found |= window->hash[i] == hash && window->day[i] >= today - model->recent_days;
    return found;
}

static void remember(const struct ss_model *model, struct ss_recent *window, uint32_t hash,
                     int32_t today)
{
    leave(model, window, today, model->recent_window - 1);
    window->hash[window->count] = hash;
    window->day[window->count++] = today;
}

void oracle_forget(const struct oracle *oracle, struct ss_user_state *state)
{
    for (int i = 0; i <= SS_BLACKLIST; i++)
        leave(oracle->world->model, window_of(state, (enum ss_input)i), oracle->days_before[i],
              SS_RECENT_MAX);
}

static bool passes(const struct ss_user_state *state, const struct ss_event *event)
{
    bool scoring = event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SCORING;
    if (event->input == SS_BLACKLIST || scoring)
        return true;
    if (!state->consents.scoring)
        return false;
    const struct ss_consents_part *consents = &state->consents;
    if (event->input == SS_SOCIAL &&
        (!consents->social || event->occurred_at_ms < consents->social_at_ms))
        return false;
    return event->input == SS_CONSENTS || event->occurred_at_ms >= consents->granted_at_ms;
}

static enum ss_refusal fold(const struct ss_model *model, struct ss_user_state *state,
                            const struct ss_event *event, int64_t offset)
{
    switch (event->input) {
    case SS_PAYMENTS:
        return ss_fold_payment(model, &state->payments, event);
    case SS_BILLS:
        return ss_fold_bill(model, &state->bills, event);
    case SS_BOOKINGS:
        return ss_fold_booking(model, &state->bookings, event);
    case SS_SOCIAL:
        return SS_REFUSAL_NONE; /* oracle_social */
    case SS_PROFILES:
        return ss_fold_profile(model, &state->profiles, event);
    case SS_CONSENTS:
        return ss_fold_consent(&state->consents, event, offset);
    default:
        return ss_fold_listing(&state->blacklist, event);
    }
}

static uint32_t benefits_of(const struct ss_model *model, const struct ss_score *score,
                            uint32_t held)
{
    uint32_t wanted = 0;
    for (int b = 0; b < model->benefit_count && !score->listed; b++) {
        bool has = held >> b & 1;
        if (score->score >= model->benefits[b].threshold - (has ? model->revoke_margin : 0))
            wanted |= UINT32_C(1) << b;
    }
    return wanted;
}

static enum ss_standing standing_of(const struct ss_user_state *state)
{
    return state->blacklist.case_count ? SS_STANDING_LISTED : SS_STANDING_SCORED;
}

static void begin_record(struct oracle *oracle, struct ss_user_state *state,
                         const struct ss_event *event, int64_t offset,
                         const int64_t positions[SS_INPUT_COUNT], struct oracle_effect *effect)
{
    effect->has_record = true;
    effect->record = (struct ss_score_record){
        .sequence = ++state->published.sequence,
        .as_of_ms = state->published.as_of_ms,
        .clock_ms = state->published.horizon_ms,
        .model_version = oracle->world->epochs[oracle->epoch].person->version,
    };
    if (event) {
        effect->record.user_id = event->user_id;
        effect->record.has_cause = true;
        effect->record.cause =
            (struct ss_cause){event->input, oracle->partition, offset, event->event_id};
    }
    memcpy(effect->record.positions, positions, sizeof effect->record.positions);
}

static void move_benefits(struct ss_published *published, uint32_t wanted,
                          struct oracle_effect *effect)
{
    effect->granted = wanted & ~published->benefits;
    effect->revoked = published->benefits & ~wanted;
    published->benefits = wanted;
}

/* Both models know the same benefits, in another order. */
static uint32_t under_other_names(const struct ss_model *from, const struct ss_model *to,
                                  uint32_t held)
{
    uint32_t now = 0;
    for (int f = 0; f < from->benefit_count; f++)
        for (int t = 0; t < to->benefit_count; t++)
            if ((held >> f & 1) && strcmp(from->benefits[f].id, to->benefits[t].id) == 0)
                now |= UINT32_C(1) << t;
    return now;
}

bool oracle_knows_model(const struct oracle *oracle, const struct ss_user_state *state)
{
    const struct ss_models *epochs = oracle->world->epochs;
    return epochs[state->published.epoch].person == epochs[oracle->epoch].person;
}

static void publish(struct oracle *oracle, struct ss_user_state *state,
                    const struct ss_event *event, int64_t offset,
                    const int64_t positions[SS_INPUT_COUNT], struct oracle_effect *effect)
{
    const struct ss_model *model = oracle->world->epochs[oracle->epoch].person;
    struct ss_published *published = &state->published;
    struct ss_score score;
    ss_score_compute(model, state, published->as_of_ms, published->horizon_ms, &score);
    enum ss_standing standing = standing_of(state), before = published->standing;
    const bool told = oracle_knows_model(oracle, state);
    if (standing == before && score.score == published->score && score.tier == published->tier &&
        told)
        return;
    if (before != SS_STANDING_NONE && !told && (event || oracle->told->kind != SS_KIND_RESCORE))
        sim_differ(oracle->world,
                   "partition %d: a record of epoch %d in txn %d of somebody who is at %d",
                   oracle->partition, oracle->epoch, oracle->txn->number, published->epoch);
    begin_record(oracle, state, event, offset, positions, effect);
    struct ss_score_record *record = &effect->record;
    const bool by_friend = event && event->input == SS_NEIGHBOURS;
    record->kind = before == SS_STANDING_NONE       ? SS_KIND_OPT_IN
                   : before == standing             ? by_friend ? SS_KIND_NEIGHBOUR : SS_KIND_UPDATE
                   : standing == SS_STANDING_LISTED ? SS_KIND_BLACKLIST_DROP
                                                    : SS_KIND_BLACKLIST_RESTORE;
    record->standing = standing;
    record->has_score = true;
    record->has_previous = before != SS_STANDING_NONE;
    record->previous_score = published->score;
    record->score = score;
    record->tier_name = model->tiers[score.tier].name;
    record->consent_position = state->consents.scoring_position;
    record->friends_confirmed = state->friends.confirmed;
    record->friends_bands = state->friends.bands;
    if (record->kind == SS_KIND_BLACKLIST_DROP || record->kind == SS_KIND_BLACKLIST_RESTORE)
        record->case_id = event->listing.case_id;
    published->standing = (uint8_t)standing;
    published->score = (int16_t)score.score;
    published->tier = (uint8_t)score.tier;
    if (!told && before != SS_STANDING_NONE)
        published->benefits =
            under_other_names(sim_model_of(oracle->world, state), model, published->benefits);
    published->epoch = oracle->epoch;
    move_benefits(published, benefits_of(model, &score, published->benefits), effect);
}

static void opt_out(struct oracle *oracle, struct ss_user_state *state,
                    const struct ss_event *event, int64_t offset, int64_t grant,
                    const int64_t positions[SS_INPUT_COUNT], struct oracle_effect *effect)
{
    begin_record(oracle, state, event, offset, positions, effect);
    effect->record.kind = SS_KIND_OPT_OUT;
    effect->record.standing = SS_STANDING_OPTED_OUT;
    effect->record.has_previous = true;
    effect->record.previous_score = state->published.score;
    effect->record.consent_position = grant;
    move_benefits(&state->published, 0, effect);
}

static void forget(struct ss_user_state *state)
{
    struct ss_blacklist_part listed = state->blacklist;
    *state = (struct ss_user_state){0};
    if (listed.case_count)
        state->blacklist = listed;
}

static void refused(struct oracle_effect *effect, const char *reason)
{
    effect->outcome = SS_REFUSED;
    effect->reason = reason;
}

/* It led to no record: as_of has moved, and where time has come to only the changelog knows. */
static void silent(struct oracle_user *user, const struct ss_event *event)
{
    struct ss_published *published = &user->state.published;
    if (user->silent_count < ORACLE_SILENT_MAX)
        user->silent_ms[user->silent_count] = event->occurred_at_ms;
    user->silent_count++;
    user->silent_bills |= event->input == SS_BILLS;
    if (published->as_of_ms < event->occurred_at_ms)
        published->as_of_ms = event->occurred_at_ms;
}

static struct ss_context context_of(const struct oracle *oracle, const struct sim_record *record,
                                    int64_t offset)
{
    const struct sim_truth *truth = record->truth;
    return (struct ss_context){
        .partition = oracle->partition,
        .offset = offset,
        .record_time_ms =
            record->timestamp_ms < 0 ? truth->event.occurred_at_ms : record->timestamp_ms,
        .future_tolerance_ms = SIM_FUTURE_TOLERANCE_MS,
    };
}

int64_t oracle_event_ms(const struct oracle *oracle, const struct sim_record *record)
{
    const struct sim_truth *truth = record->truth;
    struct ss_context context = context_of(oracle, record, 0);
    if (truth->reason ||
        ss_event_check(oracle->world->model, &truth->event, &context) != SS_REFUSAL_NONE)
        return 0;
    return truth->event.occurred_at_ms < context.record_time_ms ? truth->event.occurred_at_ms
                                                                : context.record_time_ms;
}

/* What a friend has told. */
static void hear(struct oracle *oracle, struct oracle_user *user, const struct ss_event *event,
                 int64_t offset, const int64_t positions[SS_INPUT_COUNT], bool cause,
                 struct oracle_effect *effect)
{
    bool open = user->friends.open;
    effect->outcome = open ? SS_COUNTED : SS_NOT_CONSENTED;
    effect->reason = NULL;
    if (cause)
        oracle_before_event(oracle, user, event->occurred_at_ms, oracle->told);
    struct oracle_grants grants = oracle_grants(&user->state);
    if (!oracle_told(oracle, user, event, offset))
        return;
    user->counted = true;
    if (!cause) {
        silent(user, event);
        user->touched = true;
        return;
    }
    publish(oracle, &user->state, event, offset, positions, effect);
    oracle_shared(oracle, &user->state, event, offset, grants,
                  effect->has_record ? &effect->record : NULL);
    if (effect->has_record)
        oracle_friends_scored(oracle, user);
}

void oracle_apply(struct oracle *oracle, const struct sim_record *record, enum ss_input input,
                  int64_t offset, const int64_t positions[SS_INPUT_COUNT], bool cause,
                  struct oracle_effect *effect)
{
    struct sim_world *world = oracle->world;
    const struct sim_truth *truth = record->truth;
    const struct ss_event *event = &truth->event;
    *effect = (struct oracle_effect){.outcome = SS_REFUSED, .reason = truth->reason};
    if (truth->reason)
        return;
    struct ss_context context = context_of(oracle, record, offset);
    enum ss_refusal refusal = ss_event_check(world->model, event, &context);
    if (refusal != SS_REFUSAL_NONE) {
        refused(effect, ss_refusal_name(refusal));
        return;
    }
    int64_t event_ms = oracle_event_ms(oracle, record);
    if (input != SS_NEIGHBOURS && event_ms > oracle->reached_ms[input])
        oracle->reached_ms[input] = event_ms;
    int32_t *today = &oracle->days[input], that_day = (int32_t)(event_ms / SIM_DAY_MS);
    *today =
        *today == 0 || that_day < *today + 1 ? (that_day > *today ? that_day : *today) : *today + 1;
    struct oracle_user *user = &oracle->users[truth->user];
    struct ss_user_state *state = &user->state;
    uint32_t hash = (uint32_t)ss_hash64(event->event_id);
    if (input == SS_NEIGHBOURS) {
        hear(oracle, user, event, offset, positions, cause, effect);
        return;
    }
    effect->outcome = SS_NOT_CONSENTED;
    if (!passes(state, event))
        return;
    effect->outcome = SS_DUPLICATE;
    if (known(world->model, window_of(state, input), hash, *today))
        return;
    bool scored = state->consents.scoring;
    int64_t grant = state->consents.scoring_position;
    struct oracle_grants before = oracle_grants(state);
    if (cause)
        oracle_before_event(oracle, user, event->occurred_at_ms, oracle->told);
    refusal = fold(world->model, state, event, offset);
    if (refusal != SS_REFUSAL_NONE) {
        refused(effect, ss_refusal_name(refusal));
        return;
    }
    if (input == SS_SOCIAL)
        oracle_social(oracle, user, event, offset);
    remember(world->model, window_of(state, input), hash, *today);
    if (input == SS_CONSENTS)
        oracle_consented(oracle, user, event, offset);
    effect->outcome = SS_COUNTED;
    effect->reason = NULL;
    user->counted = true;
    if (!cause && (scored || state->consents.scoring))
        silent(user, event);
    if (scored != state->consents.scoring && !cause)
        sim_differ(world, "%s [%d] %lld: a consent changed and no score record says so",
                   ss_input_name(input), oracle->partition, (long long)offset);
    if (state->consents.scoring && cause)
        publish(oracle, state, event, offset, positions, effect);
    else if (state->consents.scoring)
        user->touched = true;
    else if (scored && cause)
        opt_out(oracle, state, event, offset, grant, positions, effect);
    oracle_shared(oracle, state, event, offset, before,
                  effect->has_record ? &effect->record : NULL);
    if (effect->has_record)
        oracle_friends_scored(oracle, user);
    oracle_open_friends(user);
    if (!state->consents.scoring) {
        forget(state);
        user->known_as_of_ms = user->silent_count = 0;
    }
}

void oracle_rescore(struct oracle *oracle, struct oracle_user *user,
                    const struct ss_score_view *told)
{
    const struct ss_published *published = &user->state.published;
    const char *why = !user->state.consents.scoring              ? "is not scored"
                      : oracle_knows_model(oracle, &user->state) ? "was told already"
                      : user->silent_count > 0                   ? "had an event before it"
                      : told->as_of_ms != published->as_of_ms    ? "stands at another as_of"
                      : told->clock_ms != published->horizon_ms  ? "stands at another horizon"
                                                                 : NULL;
    if (why)
        sim_differ(oracle->world, "partition %d, user %d: a RESCORE in txn %d of somebody who %s",
                   oracle->partition, (int)(user - oracle->users), oracle->txn->number, why);
    oracle->rescored++;
}

void oracle_aged(struct oracle *oracle, struct oracle_user *user, struct oracle_effect *effect)
{
    publish(oracle, &user->state, NULL, 0, oracle->told->positions, effect);
    if (!effect->has_record)
        return;
    effect->record.user_id = oracle->told->user_id;
    effect->record.kind = oracle->told->kind; /* oracle_step has looked at it */
    oracle_friends_scored(oracle, user);
    oracle_shared_step(oracle, &user->state, &effect->record);
}

void oracle_cut(struct oracle *oracle)
{
    struct sim_world *world = oracle->world;
    for (int i = 0; i < world->user_count; i++) {
        struct oracle_user *user = &oracle->users[i];
        if (!user->touched)
            continue;
        user->touched = false;
        if (user->state.consents.scoring && !oracle_stands(oracle, user))
            sim_differ(world,
                       "partition %d, user %d: stands elsewhere than what is published, %d, before "
                       "txn %d ends",
                       oracle->partition, i, user->state.published.score, oracle->txn->number);
    }
}
