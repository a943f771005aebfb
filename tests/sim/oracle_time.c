/* oracle_time.c - what the passage of time may do, and must: docs/model.md 7.11 and 7.12, said once
 * more.
 *
 * The clock at which a step was taken is known from the record that it led to; of a step that led
 * to none, only the state that the transaction left. In between the oracle takes the steps itself,
 * up to the least clock that explains what is there, and each must have been worth no record. Where
 * events of the same transaction came between that led to no record either, their order is not
 * known: any order will do, and where bills were among them, anything that the rules allow. */
#include "oracle.h"

#include "state/pack.h"

/* --- the rules --- */

struct span {
    int64_t as_of_ms, horizon_ms;
};

static int64_t next_due(const struct ss_user_state *state, int64_t after_ms)
{
    int64_t due_ms = INT64_MAX;
    for (int i = 0; i < state->bills.open_count; i++)
        if (state->bills.open[i].due_at_ms > after_ms && state->bills.open[i].due_at_ms < due_ms)
            due_ms = state->bills.open[i].due_at_ms;
    return due_ms;
}

static int64_t interval_ms(const struct ss_model *model, const struct ss_user_state *state,
                           int64_t horizon_ms)
{
    int32_t days = model->aged_days;
    for (int i = 0; i < state->bills.open_count; i++)
        if (state->bills.open[i].due_at_ms <= horizon_ms)
            days = model->aged_overdue_days;
    return days * SIM_DAY_MS;
}

/* The next thing that time does to this user once the clock is there; false: nothing by then. */
static bool step(const struct ss_model *model, const struct ss_user_state *state, int64_t clock_ms,
                 struct span *span, enum ss_score_kind *kind)
{
    int64_t due_ms = next_due(state, span->horizon_ms);
    int64_t every_ms = interval_ms(model, state, span->horizon_ms);
    int64_t aged_ms = span->as_of_ms + every_ms;
    if (due_ms > clock_ms && aged_ms > clock_ms)
        return false;
    if (due_ms <= aged_ms) {
        *kind = SS_KIND_OVERDUE;
        if (due_ms > span->as_of_ms)
            span->as_of_ms = due_ms;
    } else {
        int64_t last_ms = due_ms <= clock_ms ? due_ms - 1 : clock_ms;
        *kind = SS_KIND_AGED;
        while (span->as_of_ms + every_ms <= last_ms)
            span->as_of_ms += every_ms;
    }
    int64_t horizon_ms = clock_ms < span->as_of_ms ? clock_ms : span->as_of_ms;
    if (horizon_ms > span->horizon_ms)
        span->horizon_ms = horizon_ms;
    return true;
}

int64_t sim_wake_at(const struct ss_model *model, const struct ss_user_state *state)
{
    const struct ss_published *published = &state->published;
    if (state->friends.telling)
        return SS_WAKE_NOW;
    if (!state->consents.scoring)
        return SS_WAKE_NEVER;
    int64_t due_ms = next_due(state, published->horizon_ms);
    int64_t aged_ms = published->as_of_ms + interval_ms(model, state, published->horizon_ms);
    return due_ms < aged_ms ? due_ms : aged_ms;
}

/* --- whether nothing was owed --- */

static bool stands(const struct oracle *oracle, const struct ss_user_state *state,
                   const struct span *span)
{
    const struct ss_published *published = &state->published;
    struct ss_score score;
    ss_score_compute(sim_model_of(oracle->world, state), state, span->as_of_ms, span->horizon_ms,
                     &score);
    return score.score == published->score && score.tier == published->tier;
}

/* From where steps can have begun: what is known, and what the events since may have made of it. */
static int spans_before(const struct oracle_user *user, int64_t clock_ms,
                        struct span out[ORACLE_SPANS_MAX])
{
    const struct ss_published *published = &user->state.published;
    int64_t moved_ms = clock_ms < published->as_of_ms ? clock_ms : published->as_of_ms;
    int count = 0;
    out[count++] = (struct span){published->as_of_ms, published->horizon_ms};
    if (!user->silent_count)
        return count;
    if (moved_ms > published->horizon_ms)
        out[count++] = (struct span){published->as_of_ms, moved_ms};
    out[count++] = (struct span){user->known_as_of_ms, published->horizon_ms};
    for (int i = 0; i < user->silent_count && i < ORACLE_SILENT_MAX; i++)
        if (user->silent_ms[i] > user->known_as_of_ms)
            out[count++] = (struct span){user->silent_ms[i], published->horizon_ms};
    return count;
}

/* Takes all steps up to the clock; false: one of them would have led to a record. */
static bool silent_steps(const struct oracle *oracle, const struct oracle_user *user,
                         int64_t clock_ms, struct span *span)
{
    enum ss_score_kind kind;
    while (user->state.consents.scoring &&
           step(sim_model_of(oracle->world, &user->state), &user->state, clock_ms, span, &kind))
        if (!stands(oracle, &user->state, span))
            return false;
    return true;
}

static void adopt(struct oracle_user *user, struct span span)
{
    user->state.published.as_of_ms = user->known_as_of_ms = span.as_of_ms;
    user->state.published.horizon_ms = span.horizon_ms;
    user->silent_count = 0;
    user->silent_bills = false;
}

/* With events in between, whose order is not known, as_of must at least be an event's, a due time,
 * or whole intervals after one of these. */
static bool plausible(const struct oracle_user *user, struct span there)
{
    const struct ss_published *published = &user->state.published;
    if (there.as_of_ms < published->as_of_ms || there.horizon_ms < published->horizon_ms ||
        there.horizon_ms > there.as_of_ms)
        return false;
    if (there.as_of_ms == published->as_of_ms || user->silent_count > ORACLE_SILENT_MAX ||
        user->silent_bills)
        return true;
    bool fits = (there.as_of_ms - user->known_as_of_ms) % SIM_DAY_MS == 0;
    for (int i = 0; i < user->silent_count; i++)
        fits |= (there.as_of_ms - user->silent_ms[i]) % SIM_DAY_MS == 0;
    for (int i = 0; i < user->state.bills.open_count; i++)
        fits |= (there.as_of_ms - user->state.bills.open[i].due_at_ms) % SIM_DAY_MS == 0;
    return fits && there.horizon_ms == there.as_of_ms;
}

/* --- what is called --- */

void oracle_step(struct oracle *oracle, struct oracle_user *user, const struct ss_score_view *told)
{
    struct span spans[ORACLE_SPANS_MAX], span;
    enum ss_score_kind kind;
    int count = spans_before(user, told->clock_ms, spans);
    for (int i = 0; i < count && user->state.consents.scoring; i++) {
        span = spans[i];
        while (step(sim_model_of(oracle->world, &user->state), &user->state, told->clock_ms, &span,
                    &kind)) {
            if (stands(oracle, &user->state, &span))
                continue;
            if (kind != told->kind || span.as_of_ms != told->as_of_ms ||
                span.horizon_ms != told->clock_ms)
                break;
            adopt(user, span);
            return;
        }
    }
    span = (struct span){told->as_of_ms, told->clock_ms};
    if (user->silent_bills && plausible(user, span)) {
        adopt(user, span); /* the bills were others when time passed */
        return;
    }
    sim_differ(oracle->world,
               "partition %d: no step of time leads to the %s of %.*s as of %lld in txn %d",
               oracle->partition, told->kind == SS_KIND_OVERDUE ? "OVERDUE" : "AGED",
               (int)told->user_id.size, told->user_id.data, (long long)told->as_of_ms,
               oracle->txn->number);
}

void oracle_before_event(struct oracle *oracle, struct oracle_user *user, int64_t event_ms,
                         const struct ss_score_view *told)
{
    struct span spans[ORACLE_SPANS_MAX];
    int count = spans_before(user, told->clock_ms, spans);
    for (int i = 0; i < count; i++) {
        struct span span = spans[i];
        if (!silent_steps(oracle, user, told->clock_ms, &span))
            continue;
        int64_t as_of_ms = span.as_of_ms > event_ms ? span.as_of_ms : event_ms;
        if (as_of_ms != told->as_of_ms || told->clock_ms < span.horizon_ms ||
            told->clock_ms > as_of_ms)
            continue;
        adopt(user, (struct span){as_of_ms, told->clock_ms});
        return;
    }
    struct span there = {told->as_of_ms, told->clock_ms};
    if (user->silent_bills && there.as_of_ms >= event_ms && plausible(user, there)) {
        adopt(user, there); /* the bills were others when time passed */
        return;
    }
    sim_differ(oracle->world,
               "partition %d: a record of %.*s in txn %d as of %lld with the clock at %lld, or "
               "time owed another before it",
               oracle->partition, (int)told->user_id.size, told->user_id.data, oracle->txn->number,
               (long long)told->as_of_ms, (long long)told->clock_ms);
}

void oracle_left(struct oracle *oracle, struct oracle_user *user, const struct ss_published *left)
{
    const struct ss_published *published = &user->state.published;
    struct sim_world *world = oracle->world;
    struct span span = {published->as_of_ms, published->horizon_ms};
    struct span there = {left->as_of_ms, left->horizon_ms};
    if (user->silent_count
            ? !plausible(user, there)
            : !silent_steps(oracle, user, left->horizon_ms, &span) ||
                  span.as_of_ms != left->as_of_ms || span.horizon_ms != left->horizon_ms)
        sim_differ(world,
                   "partition %d, user %d: from as_of %lld, horizon %lld no steps without a "
                   "record lead to %lld, %lld in txn %d",
                   oracle->partition, (int)(user - oracle->users), (long long)published->as_of_ms,
                   (long long)published->horizon_ms, (long long)left->as_of_ms,
                   (long long)left->horizon_ms, oracle->txn->number);
    if (left->horizon_ms > oracle->told_clock_ms)
        oracle->told_clock_ms = left->horizon_ms;
    adopt(user, there);
    if (user->state.consents.scoring && !stands(oracle, &user->state, &there))
        sim_differ(world, "partition %d, user %d: what is published is not what holds after txn %d",
                   oracle->partition, (int)(user - oracle->users), oracle->txn->number);
}

bool oracle_stands(const struct oracle *oracle, const struct oracle_user *user)
{
    const struct ss_published *published = &user->state.published;
    const struct ss_model *model = sim_model_of(oracle->world, &user->state);
    int32_t days =
        model->aged_days < model->aged_overdue_days ? model->aged_days : model->aged_overdue_days;
    struct span span = {published->as_of_ms, published->horizon_ms};
    bool settled = !user->silent_bills && next_due(&user->state, INT64_MIN) > span.as_of_ms &&
                   user->known_as_of_ms + days * SIM_DAY_MS > oracle->bound_ms;
    return !settled || stands(oracle, &user->state, &span);
}

/* --- the partition's clock --- */

/* How far the inputs have been read, and what each says of the time; the next of `beyond` too,
 * since the clock moves with an event before steps are taken and it is applied. */
static int64_t least_reached(const struct oracle *oracle, uint32_t behind, int beyond)
{
    int64_t least_ms = INT64_MAX;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        int64_t reached_ms = oracle->reached_ms[i];
        if (i == beyond) {
            int64_t at = oracle->positions[i], next_ms;
            const struct sim_log *log = &oracle->world->inputs[i][oracle->partition];
            const struct sim_record *next = sim_log_next(log, &at, log->end, true);
            if (next && (next_ms = oracle_event_ms(oracle, next)) > reached_ms)
                reached_ms = next_ms;
        }
        if ((behind >> i & 1) && reached_ms - 1 < least_ms)
            least_ms = reached_ms - 1;
    }
    return behind ? least_ms : 0;
}

void oracle_bound(struct oracle *oracle, bool before_an_event)
{
    const struct sim_txn *txn = oracle->txn;
    int64_t bound_ms = oracle->clock_ms, beyond_ms;
    if (txn->allowed_ms[oracle->partition] > bound_ms)
        bound_ms = txn->allowed_ms[oracle->partition];
    uint32_t behind = oracle->has_records ? oracle->behind : 0;
    for (int i = -1; i < (before_an_event ? SS_INPUT_COUNT : 0); i++)
        if ((beyond_ms = least_reached(oracle, behind, i)) > bound_ms)
            bound_ms = beyond_ms;
    if (bound_ms > oracle->clock_ms && bound_ms > oracle->now_ms)
        bound_ms = oracle->clock_ms > oracle->now_ms ? oracle->clock_ms : oracle->now_ms;
    oracle->bound_ms = bound_ms;
}

void oracle_clock(struct oracle *oracle, int64_t clock_ms, const char *whose)
{
    if (clock_ms > oracle->bound_ms)
        sim_differ(oracle->world,
                   "partition %d: the clock of %s in txn %d is at %lld, promise 10 allows %lld",
                   oracle->partition, whose, oracle->txn->number, (long long)clock_ms,
                   (long long)oracle->bound_ms);
    if (clock_ms > oracle->told_clock_ms)
        oracle->told_clock_ms = clock_ms;
}

/* --- what the store knows of it --- */

void sim_judge_wakes(struct sim_world *world, int32_t partition)
{
    const struct sim_keyspace *space = &world->redis.live[partition];
    struct ss_user_state state;
    for (size_t i = 0; space->found && i < space->count; i++) {
        uint32_t group = sim_redis_group(space->pairs[i].key);
        if (!sim_keys_read(space->pairs[i].key, space->pairs[i].value, &state))
            continue;
        int64_t wake_ms = sim_wake_at(sim_model_of(world, &state), &state);
        if (wake_ms != SS_WAKE_NEVER && (space->wakes[group] == 0 || space->wakes[group] > wake_ms))
            sim_differ(world,
                       "partition %d: redis wakes group %u at %lld, one of it is to be woken at "
                       "%lld",
                       partition, group, (long long)space->wakes[group], (long long)wake_ms);
    }
}
