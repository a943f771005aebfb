/* sim_redis.c - the simulated server: keyspaces by partition, and what befalls them.
 *
 * Snapshots are dumps that may come back at any time, the replica lags and is promoted with the
 * newest writes lost, and a save that timed out may be carried out much later. A failover or a dump
 * concerns some partitions and not others, as in a cluster. */
#include "sim.h"

#include "scoring/hash.h"

struct ss_bytes sim_redis_get(const struct sim_keyspace *space, struct ss_bytes key)
{
    for (size_t i = 0; i < space->count; i++)
        if (ss_bytes_equal(space->pairs[i].key, key))
            return space->pairs[i].value;
    return (struct ss_bytes){0};
}

void sim_redis_put(struct sim_world *world, int32_t partition, const struct ss_put *put)
{
    struct sim_keyspace *space = &world->redis.live[partition];
    struct ss_bytes key = put->user_id, value = put->packed;
    int64_t *wake_ms = &space->wakes[sim_redis_group(key)];
    size_t i = 0;
    if (value.size > 0 && put->wake_ms != SS_WAKE_NEVER &&
        (*wake_ms == 0 || put->wake_ms < *wake_ms))
        *wake_ms = put->wake_ms;
    while (i < space->count && !ss_bytes_equal(space->pairs[i].key, key))
        i++;
    if (value.size == 0) {
        if (i < space->count)
            space->pairs[i] = space->pairs[--space->count];
        return;
    }
    if (i == space->capacity) {
        size_t capacity = space->capacity ? 2 * space->capacity : 16;
        struct sim_pair *pairs = sim_alloc(world->arena, capacity * sizeof *pairs);
        if (space->count)
            memcpy(pairs, space->pairs, space->count * sizeof *pairs);
        space->pairs = pairs;
        space->capacity = capacity;
    }
    if (i == space->count)
        space->pairs[space->count++].key = sim_copy(world->arena, key);
    space->pairs[i].value = sim_copy(world->arena, value);
}

uint32_t sim_redis_group(struct ss_bytes key)
{
    return ss_hash64((struct ss_text){key.data, (uint32_t)key.size}) % SIM_WAKE_GROUPS;
}

void sim_redis_shown(const struct sim_keyspace *space, struct ss_checkpoint *out)
{
    memset(out, 0, sizeof *out);
    if (space->found)
        *out = space->checkpoint;
    else
        memcpy(out->incarnation, &space->wipe, sizeof space->wipe);
}

/* Promise 3: whoever was paused since it looked takes nothing away that another worker has written
 * meanwhile. Judged by who wrote, not by what is shown. */
uint64_t sim_redis_wipe(struct sim_session *session, int32_t partition,
                        const struct ss_checkpoint *shown)
{
    struct sim_world *world = session->world;
    struct sim_redis *redis = &world->redis;
    struct sim_keyspace *space = &redis->live[partition];
    struct ss_checkpoint present;
    sim_redis_shown(space, &present);
    if (!ss_checkpoint_equal(&present, shown) &&
        world->options.mutant != SIM_WIPE_WITHOUT_COMPARING)
        return 0;
    if (space->written != session->looked[partition] && space->found)
        sim_differ(world,
                   "partition %d: session %d wipes what another one has saved since it looked",
                   partition, session->number);
    session->looked[partition] = space->written = ++redis->writes;
    space->found = false;
    memset(space->wakes, 0, sizeof space->wakes);
    space->wipe = ++redis->next_token;
    return space->wipe;
}

/* Promise 2: a checkpoint names a record that is committed, whatever happens afterwards. */
static void check_next(struct sim_world *world, int32_t partition, const struct ss_checkpoint *next)
{
    const struct sim_log *log = &world->targets[SS_TO_CHANGELOG][partition];
    const struct sim_record *record =
        next->offset >= 0 && next->offset < log->end ? &log->records[next->offset] : NULL;
    if (!record || record->control || record->txn->state != SIM_TXN_COMMITTED)
        sim_differ(world,
                   "partition %d: the store is told of changelog offset %lld, which is not "
                   "committed",
                   partition, (long long)next->offset);
}

/* Compare and set, at the server, in one go. */
bool sim_redis_save(struct sim_world *world, int32_t partition, const struct ss_checkpoint *expect,
                    const struct ss_checkpoint *next, const struct ss_put *puts, size_t count)
{
    struct sim_keyspace *space = &world->redis.live[partition];
    if (space->found && ss_checkpoint_equal(&space->checkpoint, next))
        return true;
    bool matches = expect ? space->found && ss_checkpoint_equal(&space->checkpoint, expect)
                          : !space->found && !space->wipe;
    if (!matches && world->options.mutant != SIM_SAVE_WITHOUT_COMPARING)
        return false;
    check_next(world, partition, next);
    for (size_t i = 0; i < count; i++)
        sim_redis_put(world, partition, &puts[i]);
    space->checkpoint = *next;
    space->found = true;
    space->wipe = 0;
    space->written = ++world->redis.writes;
    if (sim_chance(world, 120))
        sim_judge_store(world, partition);
    if (sim_chance(world, 250))
        sim_judge_wakes(world, partition);
    return true;
}

bool sim_redis_rearm(struct sim_world *world, int32_t partition, const struct ss_checkpoint *expect,
                     uint32_t group, int64_t wake_ms)
{
    struct sim_keyspace *space = &world->redis.live[partition];
    if ((!space->found || !ss_checkpoint_equal(&space->checkpoint, expect)) &&
        world->options.mutant != SIM_REARM_WITHOUT_COMPARING)
        return false;
    space->wakes[group] = wake_ms == SS_WAKE_NEVER ? 0 : wake_ms;
    sim_judge_wakes(world, partition);
    return true;
}

static void copy_space(struct sim_world *world, struct sim_keyspace *to,
                       const struct sim_keyspace *from)
{
    *to = *from;
    to->capacity = from->count;
    to->pairs = sim_alloc(world->arena, from->count * sizeof *to->pairs);
    if (from->count)
        memcpy(to->pairs, from->pairs, from->count * sizeof *to->pairs);
}

void sim_redis_tick(struct sim_world *world)
{
    struct sim_redis *redis = &world->redis;
    for (int i = 0; i < SIM_LATE_MAX; i++) {
        struct sim_late *late = &redis->late[i];
        if (!late->used || !sim_chance(world, 40))
            continue;
        late->used = false;
        bool done =
            late->rearms
                ? sim_redis_rearm(world, late->partition, &late->expect, late->group, late->wake_ms)
                : sim_redis_save(world, late->partition, late->has_expect ? &late->expect : NULL,
                                 &late->next, late->puts, late->count);
        sim_trace(world, "redis: late %s of %d: %s", late->rearms ? "rearm" : "save",
                  late->partition, done ? "done" : "refused");
    }
    if (sim_chance(world, 30))
        for (int32_t p = 0; p < world->partition_count; p++)
            if (sim_chance(world, 500))
                copy_space(world, &redis->replica[p], &redis->live[p]);
    if (sim_chance(world, 3))
        for (int32_t p = 0; p < world->partition_count; p++)
            copy_space(world, &redis->snapshots[sim_below(world, SIM_SNAPSHOTS)][p],
                       &redis->live[p]);
}

void sim_redis_fault(struct sim_world *world)
{
    struct sim_redis *redis = &world->redis;
    uint32_t kind = sim_below(world, 4), which = sim_below(world, SIM_SNAPSHOTS);
    static const char *const names[] = {"loses its data", "gets an old dump", "fails over",
                                        "is away"};
    sim_trace(world, "redis %s", names[kind]);
    if (kind == 3) {
        redis->away_until_ms = world->now_ms + sim_below(world, 3000);
        return;
    }
    for (int32_t p = 0; p < world->partition_count; p++) {
        if (sim_chance(world, 300))
            continue;
        if (kind == 0)
            redis->live[p] = (struct sim_keyspace){0};
        else
            copy_space(world, &redis->live[p],
                       kind == 1 ? &redis->snapshots[which][p] : &redis->replica[p]);
    }
}
