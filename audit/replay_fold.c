#include "audit/replay_fold.h"

#include "audit/held_state.h"
#include "state/pack.h"
#include "state/pack_friends.h"

enum { SLOT_AHEAD = 6, BLOCK_AHEAD = 3 }; /* events of the same input */

enum ss_status ss_replay_fold_init(struct ss_replay_fold *fold, const struct ss_models *models,
                                   struct ss_error *err)
{
    *fold = (struct ss_replay_fold){.models = *models, .users = ss_user_table_open(SS_HELD_FIRST)};
    ss_replay_wakes_init(&fold->wakes, fold->users);
    if (!fold->users)
        return ss_fail(err, SS_STOP, "out of memory for users");
    return ss_friends_matter(models->person) ? ss_replay_friends_open(&fold->friends, err) : SS_OK;
}

void ss_replay_fold_reset(struct ss_replay_fold *fold)
{
    ss_user_table_close(fold->users);
    ss_replay_wakes_reset(&fold->wakes);
    ss_replay_friends_close(fold->friends);
    fold->users = NULL;
    fold->friends = NULL;
}

static uint64_t hash_of(struct ss_replay_fold *fold, const struct ss_source_event *event)
{
    const struct ss_event *inner = &event->event;
    struct ss_replay_ahead *ahead =
        &fold->ahead[inner->input][(uint64_t)event->offset % SS_REPLAY_AHEAD];
    if (ahead->event != event || ahead->offset != event->offset)
        *ahead = (struct ss_replay_ahead){event, event->offset, ss_user_hash(inner->user_id)};
    return ahead->hash;
}

static enum ss_status no_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for the states of users");
}

/* A user's `count` is its number among those to be woken. `inputs` as of ss_held_put. */
static enum ss_status keep(struct ss_replay_fold *fold, struct ss_user *user,
                           struct ss_user_state *state, const struct ss_held_places *places,
                           uint32_t inputs, struct ss_error *err)
{
    inputs |= ss_forget(&fold->models, state, fold->days);
    const int64_t wake_ms = fold->without_steps ? SS_WAKE_NEVER : ss_wake_at(&fold->models, state);
    user = ss_held_put(fold->users, user, state, places, inputs);
    if (!user)
        return no_memory(err);
    if (wake_ms != SS_WAKE_NEVER && user->count == 0) {
        user->count = ss_replay_wakes_add(&fold->wakes);
        if (user->count == 0)
            return no_memory(err);
    }
    const uint32_t block = ss_user_block(user);
    return user->count == 0 || ss_replay_wakes_set(&fold->wakes, user->count, block, wake_ms)
               ? SS_OK
               : no_memory(err);
}

static enum ss_status tell(struct ss_replay_fold *fold, struct ss_text user_id,
                           struct ss_error *err)
{
    if (fold->without_scores)
        return SS_OK;
    fold->score_records += fold->effects.has_record;
    fold->entitlements += fold->effects.entitlement_count;
    return fold->sink ? fold->sink(fold->sink_arg, user_id, &fold->effects, err) : SS_OK;
}

/* Who is to be told a new band: once, whoever hears it. */
static enum ss_status tell_friends(struct ss_replay_fold *fold, struct ss_text user_id,
                                   struct ss_user_state *state, struct ss_error *err)
{
    struct ss_neighbour_message message;
    if (!state->friends.telling)
        return SS_OK;
    if (fold->hearing != SS_FRIENDS_LOOPED) {
        state->friends.telling = false;
        state->friends.tell_from = 0;
        return SS_OK;
    }
    enum ss_status status = ss_replay_friends_read(fold->friends, user_id, err);
    while (status == SS_OK &&
           ss_friends_tell(&fold->friends->list, &state->friends, user_id, &message))
        status = ss_replay_friends_send(fold->friends, &message, state->published.as_of_ms, err);
    return status;
}

/* The rest of what an event has led to where it read the friends record. */
static enum ss_status keep_friends(struct ss_replay_fold *fold, struct ss_text user_id,
                                   struct ss_error *err)
{
    const struct ss_effects *effects = &fold->effects;
    struct ss_friends *list = &fold->friends->list;
    struct ss_friends_sum closing = {.open = true};
    struct ss_neighbour_message gone;
    const bool hears = fold->hearing == SS_FRIENDS_LOOPED;
    const bool erases = effects->friends_left && list->count > 0;
    enum ss_status status = SS_OK;
    if (effects->has_message && hears)
        status =
            ss_replay_friends_send(fold->friends, &effects->message, effects->message_at_ms, err);
    while (status == SS_OK && effects->friends_left &&
           ss_friends_leave(list, &closing, user_id, &gone))
        if (hears)
            status = ss_replay_friends_send(fold->friends, &gone, effects->message_at_ms, err);
    if (status == SS_OK && (effects->friends_changed || erases))
        status = ss_replay_friends_write(fold->friends, user_id, err);
    return status;
}

/* Whatever time has done to a user by now. */
static enum ss_status take_steps(struct ss_replay_fold *fold, struct ss_text user_id,
                                 struct ss_user_state *state, const struct ss_context *context,
                                 bool *stepped, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    *stepped = false;
    while (status == SS_OK && ss_wake(&fold->models, state, user_id, context, &fold->effects)) {
        *stepped = true;
        status = tell(fold, user_id, err);
    }
    return status;
}

static struct ss_context context_of(const struct ss_replay_fold *fold)
{
    struct ss_context context = {.partition = fold->partition,
                                 .future_tolerance_ms = fold->future_tolerance_ms,
                                 .clock_ms = fold->clock_ms,
                                 .without_reasons = !fold->sink,
                                 .without_scores = fold->without_scores};
    memcpy(context.positions, fold->positions, sizeof context.positions);
    return context;
}

static enum ss_status wake(struct ss_replay_fold *fold, uint32_t number, struct ss_error *err)
{
    const struct ss_context context = context_of(fold);
    struct ss_user *user = ss_replay_wakes_user(&fold->wakes, number);
    const struct ss_text id = ss_user_id(user);
    struct ss_user_state state;
    struct ss_held_places places;
    bool stepped;
    ss_held_read(ss_user_packed(user), &state, &places);
    enum ss_status status = take_steps(fold, id, &state, &context, &stepped, err);
    if (status == SS_OK)
        status = tell_friends(fold, id, &state, err);
    if (status != SS_OK)
        return status;
    return keep(fold, user, &state, &places, 0, err);
}

/* An event whose time has come, into its user's state. */
static enum ss_status take(struct ss_replay_fold *fold, const struct ss_event *event, uint64_t hash,
                           struct ss_context *context, bool steps, enum ss_outcome *outcome,
                           struct ss_error *err)
{
    struct ss_user *user = ss_user_table_find(fold->users, hash, event->user_id);
    const bool reads = fold->friends && ss_event_reads_friends(&fold->models, event);
    enum ss_refusal refusal;
    struct ss_user_state state;
    struct ss_held_places places;
    bool stepped = false;
    enum ss_status status = SS_OK;
    if (user && user->count)
        ss_replay_wakes_prefetch(&fold->wakes, user->count);
    ss_held_read(user ? ss_user_packed(user) : (struct ss_bytes){NULL, 0}, &state, &places);
    if (steps) {
        const struct ss_context before = context_of(fold);
        status = take_steps(fold, event->user_id, &state, &before, &stepped, err);
    }
    if (status == SS_OK && reads) {
        context->friends = &fold->friends->list;
        status = ss_replay_friends_read(fold->friends, event->user_id, err);
    }
    if (status != SS_OK)
        return status;
    *outcome = ss_apply(&fold->models, &state, event, context, &fold->effects, &refusal);
    if (reads && *outcome != SS_REFUSED)
        status = keep_friends(fold, event->user_id, err);
    if (*outcome == SS_COUNTED && status == SS_OK)
        status = tell(fold, event->user_id, err);
    if (status == SS_OK && (*outcome == SS_COUNTED || stepped))
        status = tell_friends(fold, event->user_id, &state, err);
    if (status != SS_OK || (*outcome != SS_COUNTED && !stepped))
        return status;
    if (!user)
        user = ss_user_table_add(fold->users, hash, event->user_id);
    const uint32_t inputs = UINT32_C(1) << event->input;
    return user ? keep(fold, user, &state, &places, inputs, err) : no_memory(err);
}

static void account(struct ss_replay_fold *fold, enum ss_input input, enum ss_outcome outcome)
{
    fold->counts[input].consumed++;
    fold->counts[input].outcomes[outcome]++;
}

/* All that friends have been told, and what they answer, at the clock that it is. */
static enum ss_status hear_all(struct ss_replay_fold *fold, struct ss_error *err)
{
    char texts[2 * SS_USER_ID_MAX];
    struct ss_event event;
    enum ss_status status = SS_OK;
    while (status == SS_OK && fold->friends &&
           ss_replay_friends_hear(fold->friends, texts, &event)) {
        enum ss_outcome outcome = SS_REFUSED;
        struct ss_context context = context_of(fold);
        context.offset = fold->positions[SS_NEIGHBOURS];
        context.positions[SS_NEIGHBOURS] = context.offset + 1;
        context.record_time_ms = event.occurred_at_ms;
        status = take(fold, &event, ss_user_hash(event.user_id), &context, true, &outcome, err);
        fold->positions[SS_NEIGHBOURS] = context.offset + 1;
        account(fold, SS_NEIGHBOURS, outcome);
    }
    return status;
}

static enum ss_status pass_time(struct ss_replay_fold *fold, int64_t clock_ms, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    if (clock_ms > fold->clock_ms)
        fold->clock_ms = clock_ms;
    for (uint32_t first = 1; status == SS_OK && first;) {
        if (!ss_replay_wakes_take(&fold->wakes, fold->clock_ms, &first))
            return no_memory(err);
        ss_replay_wakes_prefetch_first(&fold->wakes);
        if (first)
            status = wake(fold, first, err);
        if (status == SS_OK)
            status = hear_all(fold, err);
    }
    return status;
}

enum ss_status ss_replay_fold_put(struct ss_replay_fold *fold, struct ss_text user_id,
                                  struct ss_bytes packed, struct ss_error *err)
{
    struct ss_user_state state;
    if (ss_is_friends_key((struct ss_bytes){user_id.data, user_id.size})) {
        const struct ss_text id = {user_id.data + 1, user_id.size - 1};
        return fold->friends ? ss_replay_friends_put(fold->friends, id, packed, err) : SS_OK;
    }
    enum ss_status status = ss_state_unpack(packed, &state, err);
    if (status != SS_OK)
        return status;
    if (user_id.size == 0 || user_id.size > SS_USER_ID_MAX)
        return ss_fail(err, SS_GIVE_UP, "a user id of %u bytes", user_id.size);
    struct ss_user *user = ss_user_table_add(fold->users, ss_user_hash(user_id), user_id);
    return user ? keep(fold, user, &state, NULL, 0, err) : no_memory(err);
}

static enum ss_status apply(struct ss_replay_fold *fold, const struct ss_source_event *one,
                            enum ss_outcome *outcome, struct ss_error *err)
{
    const struct ss_event *event = &one->event;
    struct ss_context context = {
        .partition = fold->partition,
        .offset = one->offset,
        .record_time_ms = one->timestamp_ms >= 0 ? one->timestamp_ms : event->occurred_at_ms,
        .future_tolerance_ms = fold->future_tolerance_ms,
        .without_reasons = !fold->sink,
        .without_scores = fold->without_scores,
    };
    enum ss_refusal refusal = ss_event_check(fold->models.person, event, &context);
    *outcome = SS_REFUSED;
    if (refusal != SS_REFUSAL_NONE)
        return SS_OK;
    if (event->occurred_at_ms > fold->reached_ms)
        fold->reached_ms = event->occurred_at_ms;
    enum ss_status status = pass_time(fold, event->occurred_at_ms - 1, err);
    if (status != SS_OK)
        return status;
    context.checked = true;
    context.clock_ms = fold->clock_ms;
    /* some users' events alone would leave their inputs' days behind: a day at each */
    int32_t *day = &fold->days[event->input];
    const int32_t today = ss_input_day(fold->of_some ? 0 : *day, event, &context);
    *day = today > *day ? today : *day;
    context.day = *day;
    memcpy(context.positions, fold->positions, sizeof context.positions);
    context.positions[event->input] = one->offset + 1;
    return take(fold, event, hash_of(fold, one), &context, false, outcome, err);
}

void ss_replay_fold_ahead(struct ss_replay_fold *fold, const struct ss_source_event *events,
                          size_t count)
{
    if (count > SLOT_AHEAD && !events[SLOT_AHEAD].reject)
        ss_user_table_prefetch(fold->users, hash_of(fold, &events[SLOT_AHEAD]));
    if (count > BLOCK_AHEAD && !events[BLOCK_AHEAD].reject)
        ss_user_table_prefetch_block(fold->users, hash_of(fold, &events[BLOCK_AHEAD]));
}

enum ss_status ss_replay_fold_event(struct ss_replay_fold *fold,
                                    const struct ss_source_event *event, struct ss_error *err)
{
    const enum ss_input input = event->event.input;
    enum ss_outcome outcome = SS_REFUSED;
    enum ss_status status = event->reject ? SS_OK : apply(fold, event, &outcome, err);
    if (status != SS_OK)
        return status;
    fold->positions[input] = event->offset + 1;
    account(fold, input, outcome);
    return hear_all(fold, err);
}

enum ss_status ss_replay_fold_end(struct ss_replay_fold *fold, struct ss_error *err)
{
    return pass_time(fold, fold->reached_ms, err);
}
