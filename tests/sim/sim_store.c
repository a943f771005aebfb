/* sim_store.c - a session's connection to the simulated Redis: what state/redis_store.c does, step
 * by step where it takes several. */
#include "sim.h"

#include "state/pack_friends.h"

static struct sim_session *session_of(struct ss_store *store)
{
    return ((struct sim_session_store *)store)->session;
}

static enum ss_status away(struct ss_error *err)
{
    return ss_fail(err, SS_RETRY, "redis does not answer");
}

static enum ss_status other(int32_t partition, struct ss_error *err)
{
    return ss_fail(err, SS_GIVE_UP, "redis holds another checkpoint of partition %d", partition);
}

static enum sim_fate enter(struct sim_session *session, const char *op)
{
    enum sim_fate fate = sim_point(session, op);
    if (fate != SIM_DEAD && session->world->now_ms < session->world->redis.away_until_ms)
        return SIM_FAILS;
    return fate;
}

static enum ss_status store_checkpoint(struct ss_store *store, int32_t partition,
                                       struct ss_checkpoint *out, bool *found, struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    enum sim_fate fate = enter(session, "checkpoint");
    if (fate != SIM_GOES)
        return fate == SIM_DEAD ? sim_dead(err) : away(err);
    const struct sim_keyspace *space = &session->world->redis.live[partition];
    sim_redis_shown(space, out);
    *found = space->found;
    session->looked[partition] = session->world->redis.live[partition].written;
    return sim_point(session, "checkpoint read") == SIM_DEAD ? sim_dead(err) : SS_OK;
}

static enum ss_status store_load(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *expect,
                                 const struct ss_bytes *user_ids, size_t count, ss_store_sink *sink,
                                 void *arg, struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    enum sim_fate fate = enter(session, "load");
    if (fate != SIM_GOES)
        return fate == SIM_DEAD ? sim_dead(err) : away(err);
    const struct sim_keyspace *space = &session->world->redis.live[partition];
    if ((!space->found || !ss_checkpoint_equal(&space->checkpoint, expect)) &&
        session->world->options.mutant != SIM_LOAD_WITHOUT_CHECKPOINT)
        return other(partition, err);
    session->looked[partition] = session->world->redis.live[partition].written;
    for (size_t i = 0; i < count; i++)
        sink(arg, i, sim_redis_get(space, user_ids[i]));
    return SS_OK;
}

/* The server carries it out when the client has long given up. */
static void save_late(struct sim_session *session, int32_t partition,
                      const struct ss_checkpoint *expect, const struct ss_checkpoint *next,
                      const struct ss_put *puts, size_t count)
{
    struct sim_world *world = session->world;
    for (int i = 0; i < SIM_LATE_MAX; i++) {
        struct sim_late *late = &world->redis.late[i];
        if (late->used)
            continue;
        *late = (struct sim_late){.used = true, .partition = partition, .count = count};
        late->has_expect = expect != NULL;
        if (expect)
            late->expect = *expect;
        late->next = *next;
        late->puts = sim_alloc(world->arena, count * sizeof *puts);
        for (size_t k = 0; k < count; k++)
            late->puts[k] =
                (struct ss_put){sim_copy(world->arena, puts[k].user_id),
                                sim_copy(world->arena, puts[k].packed), puts[k].wake_ms};
        return;
    }
}

/* The checkpoint first, the states after it: what a pipeline without MULTI would be. */
static enum ss_status save_in_steps(struct sim_session *session, int32_t partition,
                                    const struct ss_checkpoint *expect,
                                    const struct ss_checkpoint *next, const struct ss_put *puts,
                                    size_t count, struct ss_error *err)
{
    if (!sim_redis_save(session->world, partition, expect, next, NULL, 0))
        return other(partition, err);
    for (size_t i = 0; i < count; i++) {
        enum sim_fate fate = enter(session, "save a state");
        if (fate != SIM_GOES)
            return fate == SIM_DEAD ? sim_dead(err) : away(err);
        sim_redis_put(session->world, partition, &puts[i]);
    }
    return SS_OK;
}

static enum ss_status store_save(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *expect,
                                 const struct ss_checkpoint *next, const struct ss_put *puts,
                                 size_t count, struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    struct sim_world *world = session->world;
    enum sim_fate fate = enter(session, "save");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (fate == SIM_FAILS) {
        if (!world->calm && sim_chance(world, 500))
            save_late(session, partition, expect, next, puts, count);
        return away(err);
    }
    if (world->options.mutant == SIM_CHECKPOINT_NOT_ATOMIC)
        return save_in_steps(session, partition, expect, next, puts, count, err);
    bool saved = sim_redis_save(world, partition, expect, next, puts, count);
    if (saved)
        session->looked[partition] = world->redis.live[partition].written;
    if (fate == SIM_FAILS_LATER)
        return away(err);
    if (sim_point(session, "saved") == SIM_DEAD)
        return sim_dead(err);
    return saved ? SS_OK : other(partition, err);
}

/* First the token in place of the checkpoint, then the data in two steps, each only while the token
 * stands. */
static enum ss_status store_wipe(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *shown, struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    struct sim_world *world = session->world;
    struct sim_keyspace *space = &world->redis.live[partition];
    enum sim_fate fate = enter(session, "wipe");
    if (fate != SIM_GOES)
        return fate == SIM_DEAD ? sim_dead(err) : away(err);
    uint64_t token = sim_redis_wipe(session, partition, shown);
    if (token == 0)
        return other(partition, err);
    for (int half = 2; half > 0; half--) {
        fate = enter(session, "wipe on");
        if (fate != SIM_GOES)
            return fate == SIM_DEAD ? sim_dead(err) : away(err);
        if (space->wipe != token && world->options.mutant != SIM_WIPE_UNGUARDED)
            return ss_fail(err, SS_GIVE_UP, "somebody else writes to partition %d", partition);
        space->count = half == 2 ? space->count / 2 : 0;
    }
    space->wipe = 0;
    return sim_point(session, "wiped") == SIM_DEAD ? sim_dead(err) : SS_OK;
}

static enum ss_status store_wakes(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *expect, int64_t until_ms,
                                  uint32_t nth, struct ss_wake_group *out, ss_store_scan_sink *sink,
                                  void *arg, struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    enum sim_fate fate = enter(session, "wakes");
    *out = (struct ss_wake_group){.wake_ms = SS_WAKE_NEVER};
    if (fate != SIM_GOES)
        return fate == SIM_DEAD ? sim_dead(err) : away(err);
    const struct sim_keyspace *space = &session->world->redis.live[partition];
    if (!space->found || !ss_checkpoint_equal(&space->checkpoint, expect))
        return other(partition, err);
    for (uint32_t g = 0; g < SIM_WAKE_GROUPS; g++) {
        uint32_t before = 0;
        for (uint32_t o = 0; o < SIM_WAKE_GROUPS; o++)
            before += space->wakes[o] != 0 && (space->wakes[o] < space->wakes[g] ||
                                               (space->wakes[o] == space->wakes[g] && o < g));
        if (space->wakes[g] != 0 && before == nth)
            *out = (struct ss_wake_group){true, g, space->wakes[g]};
    }
    for (size_t i = 0; out->wake_ms <= until_ms && i < space->count; i++)
        if (sim_redis_group(space->pairs[i].key) == out->group &&
            !ss_is_friends_key(space->pairs[i].key))
            sink(arg, space->pairs[i].key, space->pairs[i].value);
    return SS_OK;
}

static void rearm_late(struct sim_world *world, int32_t partition,
                       const struct ss_checkpoint *expect, uint32_t group, int64_t wake_ms)
{
    for (int i = 0; i < SIM_LATE_MAX; i++)
        if (!world->redis.late[i].used) {
            world->redis.late[i] = (struct sim_late){.used = true,
                                                     .rearms = true,
                                                     .partition = partition,
                                                     .expect = *expect,
                                                     .group = group,
                                                     .wake_ms = wake_ms};
            return;
        }
}

static enum ss_status store_rearm(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *expect, uint32_t group,
                                  int64_t wake_ms, struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    enum sim_fate fate = enter(session, "rearm");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (fate == SIM_FAILS) {
        if (!session->world->calm && sim_chance(session->world, 500))
            rearm_late(session->world, partition, expect, group, wake_ms);
        return away(err);
    }
    bool done = sim_redis_rearm(session->world, partition, expect, group, wake_ms);
    if (fate == SIM_FAILS_LATER)
        return away(err);
    return done ? SS_OK : other(partition, err);
}

static enum ss_status store_walk(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *expect, uint32_t from, uint32_t *next,
                                 uint32_t *groups, ss_store_scan_sink *sink, void *arg,
                                 struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    enum sim_fate fate = enter(session, "walk");
    if (fate != SIM_GOES)
        return fate == SIM_DEAD ? sim_dead(err) : away(err);
    const struct sim_keyspace *space = &session->world->redis.live[partition];
    if (!space->found || !ss_checkpoint_equal(&space->checkpoint, expect))
        return other(partition, err);
    *groups = SIM_WAKE_GROUPS;
    *next = from < SIM_WAKE_GROUPS ? from + 1 : SIM_WAKE_GROUPS;
    for (size_t i = 0; i < space->count; i++)
        if (sim_redis_group(space->pairs[i].key) == from && !ss_is_friends_key(space->pairs[i].key))
            sink(arg, space->pairs[i].key, space->pairs[i].value);
    return SS_OK;
}

static enum ss_status store_scan(struct ss_store *store, int32_t partition,
                                 ss_store_scan_sink *sink, void *arg, struct ss_error *err)
{
    struct sim_session *session = session_of(store);
    if (session->dead)
        return sim_dead(err);
    const struct sim_keyspace *space = &session->world->redis.live[partition];
    for (size_t i = 0; i < space->count; i++)
        sink(arg, space->pairs[i].key, space->pairs[i].value);
    return SS_OK;
}

void sim_store_init(struct sim_session *session)
{
    static const struct ss_store_ops ops = {
        .checkpoint = store_checkpoint,
        .load = store_load,
        .save = store_save,
        .wipe = store_wipe,
        .wakes = store_wakes,
        .rearm = store_rearm,
        .walk = store_walk,
        .scan = store_scan,
    };
    session->store.store.ops = &ops;
    session->store.session = session;
}
