/* sleepers.c - waking those whom nothing happens to but time (promise 10).
 *
 *   gather ──> due? ──> transact ──> (saved by the worker) ──> rearm
 *                └─ no ────────────────────────────────────────^
 *
 * The store knows when the first of a group is to be woken, or somewhat earlier. If the worker dies
 * anywhere on this way the group is found due again; what was committed by then takes no step
 * twice, for the state says how far it is.
 */
#include "consumer/batch.h"

#include <stdlib.h>

/* In one transaction, but for the last group's. Events wait for a slice of a sweep, so it is short.
 */
enum { USERS_MAX = 2000, SWEEP_USERS = 500, SWEEP_WALKS_MAX = 32 };

void ss_sleepers_reset(struct ss_sleepers *sleepers)
{
    ss_buffer_reset(&sleepers->ids);
    free(sleepers->users);
    *sleepers = (struct ss_sleepers){0};
}

static bool add(struct ss_sleepers *sleepers, struct ss_bytes user_id)
{
    if (sleepers->count == sleepers->capacity) {
        size_t capacity = sleepers->capacity ? sleepers->capacity * 2 : 1024;
        struct ss_sleeper *users = realloc(sleepers->users, capacity * sizeof *users);
        if (!users)
            return false;
        sleepers->users = users;
        sleepers->capacity = capacity;
    }
    sleepers->users[sleepers->count++] =
        (struct ss_sleeper){sleepers->ids.size, (uint32_t)user_id.size, sleepers->group_count};
    return ss_buffer_append(&sleepers->ids, user_id.data, user_id.size);
}

static void on_sleeper(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    struct ss_sleepers *sleepers = arg;
    if (!ss_cache_fill(sleepers->cache, user_id, packed) || !add(sleepers, user_id))
        sleepers->out_of_memory = true;
}

static struct ss_bytes id_of(const struct ss_sleepers *sleepers, size_t i)
{
    const struct ss_sleeper *user = &sleepers->users[i];
    return (struct ss_bytes){(const uint8_t *)sleepers->ids.data + user->user_id,
                             user->user_id_size};
}

static void begin_gathering(struct ss_sleepers *sleepers, struct ss_partition *partition)
{
    sleepers->ids.size = 0;
    sleepers->count = 0;
    sleepers->group_count = 0;
    sleepers->cache = partition->cache;
    sleepers->out_of_memory = false;
}

static enum ss_status fail_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for those to be woken");
}

enum ss_status ss_sleepers_sweep(struct ss_worker *worker, struct ss_partition *partition,
                                 struct ss_error *err)
{
    struct ss_sleepers *sleepers = &worker->sleepers;
    struct ss_store *store = worker->config.store;
    uint32_t next = partition->mark.sweep_next, groups = partition->mark.sweep_groups;
    const size_t most = worker->config.limits.sweep_users_max;
    const size_t users_max = most ? most : SWEEP_USERS;
    begin_gathering(sleepers, partition);
    for (int walks = 0;
         walks == 0 || (walks < SWEEP_WALKS_MAX && next < groups && sleepers->count < users_max);
         walks++) {
        uint32_t now;
        enum ss_status status = store->ops->walk(store, partition->number, &partition->saved, next,
                                                 &next, &now, on_sleeper, sleepers, err);
        if (status != SS_OK)
            return status;
        if (sleepers->out_of_memory)
            return fail_memory(err);
        if (now != groups && groups > 0)
            next = 0; /* users have changed places: from the first again */
        groups = now;
    }
    sleepers->sweep_next = next;
    sleepers->sweep_groups = groups;
    return SS_OK;
}

void ss_sleepers_swept(struct ss_worker *worker, struct ss_partition *partition)
{
    struct ss_mark *mark = &partition->mark;
    mark->sweep_next = worker->sleepers.sweep_next;
    mark->sweep_groups = worker->sleepers.sweep_groups;
    if (mark->sweep_next == mark->sweep_groups)
        mark->swept = mark->epoch;
}

enum ss_status ss_sleepers_gather(struct ss_worker *worker, struct ss_partition *partition,
                                  struct ss_error *err)
{
    struct ss_sleepers *sleepers = &worker->sleepers;
    struct ss_store *store = worker->config.store;
    struct ss_wake_group found;
    begin_gathering(sleepers, partition);
    do {
        enum ss_status status =
            store->ops->wakes(store, partition->number, &partition->saved, partition->mark.clock_ms,
                              (uint32_t)sleepers->group_count, &found, on_sleeper, sleepers, err);
        if (status != SS_OK)
            return status;
        if (sleepers->out_of_memory)
            return fail_memory(err);
        /* A rearming that the server carries out long after its time-out changes the order that is
         * counted off here, and a group can be skipped that is due. So when the next one wakes is
         * believed of the very first only: whoever has found somebody looks once more. */
        partition->wake_ms = sleepers->group_count > 0 ? 0
                             : found.found             ? found.wake_ms
                                                       : SS_WAKE_NEVER;
        if (!found.found || found.wake_ms > partition->mark.clock_ms)
            return SS_OK;
        sleepers->groups[sleepers->group_count++] = found.group;
    } while (sleepers->count < USERS_MAX && sleepers->group_count < SS_SLEEPER_GROUPS_MAX);
    return SS_OK;
}

enum ss_status ss_sleepers_due(struct ss_worker *worker, struct ss_partition *partition, bool *due,
                               struct ss_error *err)
{
    struct ss_sleepers *sleepers = &worker->sleepers;
    enum ss_status status = SS_OK;
    *due = false;
    sleepers->telling = false;
    for (int g = 0; g < sleepers->group_count; g++)
        sleepers->wake_ms[g] = SS_WAKE_NEVER;
    for (size_t i = 0; status == SS_OK && i < sleepers->count; i++) {
        int64_t *wake_ms = &sleepers->wake_ms[sleepers->users[i].group];
        struct ss_user_state state;
        status = ss_transact_state(worker, partition, id_of(sleepers, i), &state, err);
        int64_t at_ms = status == SS_OK ? ss_wake_at(partition->models, &state) : 0;
        if (at_ms < *wake_ms)
            *wake_ms = at_ms;
        *due |= at_ms <= partition->mark.clock_ms;
        sleepers->telling |= status == SS_OK && state.friends.telling;
    }
    return status;
}

struct friends_fill {
    struct ss_cache *cache;
    struct ss_bytes key;
    bool out_of_memory;
};

static void on_friends(void *arg, size_t i, struct ss_bytes packed)
{
    struct friends_fill *fill = arg;
    (void)i;
    fill->out_of_memory |= !ss_cache_fill(fill->cache, fill->key, packed);
}

/* One by one: few are telling at any time. */
enum ss_status ss_sleepers_fetch_friends(struct ss_worker *worker, struct ss_partition *partition,
                                         struct ss_error *err)
{
    const struct ss_sleepers *sleepers = &worker->sleepers;
    struct ss_store *store = worker->config.store;
    enum ss_status status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < sleepers->count; i++) {
        struct friends_fill fill = {.cache = partition->cache};
        struct ss_user_state state;
        uint8_t key[SS_FRIENDS_KEY_MAX];
        struct ss_bytes cached;
        status = ss_transact_state(worker, partition, id_of(sleepers, i), &state, err);
        fill.key = ss_friends_key(id_of(sleepers, i), key);
        if (status != SS_OK || !state.friends.open ||
            ss_cache_get(partition->cache, fill.key, &cached))
            continue;
        status = store->ops->load(store, partition->number, &partition->saved, &fill.key, 1,
                                  on_friends, &fill, err);
        if (fill.out_of_memory)
            status = ss_fail(err, SS_STOP, "out of memory for friends");
    }
    return status;
}

enum ss_status ss_sleepers_transact(struct ss_worker *worker, struct ss_partition *partition,
                                    struct ss_error *err)
{
    const struct ss_sleepers *sleepers = &worker->sleepers;
    enum ss_status status = worker->config.bus->ops->begin(worker->config.bus, err);
    bool due;
    if (status != SS_OK)
        return status;
    (void)ss_rank_look(worker);
    for (size_t i = 0; status == SS_OK && i < sleepers->count; i++)
        status = ss_transact_steps(worker, partition, id_of(sleepers, i), err);
    if (status == SS_OK)
        status = ss_sleepers_due(worker, partition, &due, err); /* now later than the clock */
    return ss_transact_end(worker, status, err);
}

enum ss_status ss_sleepers_rearm(struct ss_worker *worker, struct ss_partition *partition,
                                 struct ss_error *err)
{
    const struct ss_sleepers *sleepers = &worker->sleepers;
    struct ss_store *store = worker->config.store;
    for (int g = 0; g < sleepers->group_count; g++) {
        enum ss_status status = store->ops->rearm(store, partition->number, &partition->saved,
                                                  sleepers->groups[g], sleepers->wake_ms[g], err);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}
