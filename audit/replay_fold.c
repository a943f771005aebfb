#include "audit/replay_fold.h"

#include "state/pack.h"

enum { SLOT_AHEAD = 6, BLOCK_AHEAD = 3 }; /* events of the same input */

enum ss_status ss_replay_fold_init(struct ss_replay_fold *fold, struct ss_error *err)
{
    *fold = (struct ss_replay_fold){.users = ss_user_table_open()};
    ss_replay_wakes_init(&fold->wakes);
    return fold->users ? SS_OK : ss_fail(err, SS_STOP, "out of memory for users");
}

void ss_replay_fold_reset(struct ss_replay_fold *fold)
{
    ss_user_table_close(fold->users);
    ss_replay_wakes_reset(&fold->wakes);
    fold->users = NULL;
}

static enum ss_status no_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for the states of users");
}

/* A user's `count` is its number among those to be woken. */
static enum ss_status keep(struct ss_replay_fold *fold, struct ss_user *user,
                           const struct ss_user_state *state, struct ss_error *err)
{
    uint8_t bytes[SS_PACKED_MAX];
    const size_t size = ss_state_pack(state, bytes);
    const int64_t wake_ms = fold->without_steps ? SS_WAKE_NEVER : ss_wake_at(&fold->models, state);
    if (wake_ms != SS_WAKE_NEVER && user->count == 0) {
        user->count = ss_replay_wakes_add(&fold->wakes, user->hash, ss_user_id(user));
        if (user->count == 0)
            return no_memory(err);
    }
    if (user->count && !ss_replay_wakes_set(&fold->wakes, user->count, wake_ms))
        return no_memory(err);
    return ss_user_table_put(fold->users, user, (struct ss_bytes){bytes, size}) ? SS_OK
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
    const struct ss_text id = ss_replay_wakes_id(&fold->wakes, number);
    struct ss_user *user = ss_user_table_find(fold->users, fold->wakes.wakers[number - 1].hash, id);
    struct ss_user_state state;
    bool stepped;
    enum ss_status status = ss_state_unpack(ss_user_packed(user), &state, err);
    if (status == SS_OK)
        status = take_steps(fold, id, &state, &context, &stepped, err);
    if (status != SS_OK)
        return status;
    return keep(fold, user, &state, err);
}

static enum ss_status pass_time(struct ss_replay_fold *fold, int64_t clock_ms, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    if (clock_ms > fold->clock_ms)
        fold->clock_ms = clock_ms;
    for (uint32_t first = 1; status == SS_OK && first;) {
        if (!ss_replay_wakes_take(&fold->wakes, fold->clock_ms, &first))
            return no_memory(err);
        if (first)
            status = wake(fold, first, err);
    }
    return status;
}

enum ss_status ss_replay_fold_put(struct ss_replay_fold *fold, struct ss_text user_id,
                                  struct ss_bytes packed, struct ss_error *err)
{
    struct ss_user_state state;
    enum ss_status status = ss_state_unpack(packed, &state, err);
    if (status != SS_OK)
        return status;
    if (user_id.size == 0 || user_id.size > SS_USER_ID_MAX)
        return ss_fail(err, SS_GIVE_UP, "a user id of %u bytes", user_id.size);
    struct ss_user *user = ss_user_table_add(fold->users, ss_user_hash(user_id), user_id);
    return user ? keep(fold, user, &state, err) : no_memory(err);
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
    context.clock_ms = fold->clock_ms;
    memcpy(context.positions, fold->positions, sizeof context.positions);
    context.positions[event->input] = one->offset + 1;

    const uint64_t hash = ss_user_hash(event->user_id);
    struct ss_user *user = ss_user_table_find(fold->users, hash, event->user_id);
    struct ss_user_state state;
    status = ss_state_unpack(user ? ss_user_packed(user) : (struct ss_bytes){NULL, 0}, &state, err);
    if (status != SS_OK)
        return status;
    *outcome = ss_apply(&fold->models, &state, event, &context, &fold->effects, &refusal);
    if (*outcome != SS_COUNTED)
        return SS_OK;
    if (!user)
        user = ss_user_table_add(fold->users, hash, event->user_id);
    status = user ? keep(fold, user, &state, err) : no_memory(err);
    return status == SS_OK ? tell(fold, event->user_id, err) : status;
}

void ss_replay_fold_ahead(const struct ss_replay_fold *fold, const struct ss_source_event *events,
                          size_t count)
{
    if (count > SLOT_AHEAD && !events[SLOT_AHEAD].reject)
        ss_user_table_prefetch(fold->users, ss_user_hash(events[SLOT_AHEAD].event.user_id));
    if (count > BLOCK_AHEAD && !events[BLOCK_AHEAD].reject)
        ss_user_table_prefetch_block(fold->users, ss_user_hash(events[BLOCK_AHEAD].event.user_id));
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
    fold->counts[input].consumed++;
    fold->counts[input].outcomes[outcome]++;
    return SS_OK;
}

enum ss_status ss_replay_fold_end(struct ss_replay_fold *fold, struct ss_error *err)
{
    return pass_time(fold, fold->reached_ms, err);
}
