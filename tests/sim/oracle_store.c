/* oracle_store.c - what the store must hold: at the end what the logs give, and at any time what
 * the changelog has up to its checkpoint. */
#include "oracle.h"

#include "state/pack_friends.h"

void oracle_store(const struct oracle *oracle)
{
    struct sim_world *world = oracle->world;
    const int32_t p = oracle->partition;
    uint8_t stored[SS_SEALED_MAX];
    const struct sim_keyspace *space = &world->redis.live[p];
    size_t kept = 0;
    for (int i = 0; i < world->user_count; i++) {
        if (world->users[i].partition != p)
            continue;
        struct ss_bytes key = {world->users[i].id.data, world->users[i].id.size};
        struct ss_bytes expected =
            sim_keys_write(oracle->users[i].key_id, key, &oracle->users[i].state, stored);
        kept += expected.size > 0;
        if (!ss_bytes_equal(sim_redis_get(space, key), expected))
            sim_differ(world, "partition %d, user %d: redis is not what the logs give", p, i);
        uint8_t friends_key[SS_FRIENDS_KEY_MAX];
        key = ss_friends_key(key, friends_key);
        expected = oracle_stored_friends(&oracle->users[i], key);
        kept += expected.size > 0;
        if (!ss_bytes_equal(sim_redis_get(space, key), expected))
            sim_differ(world, "partition %d, user %d: redis has other friends than the logs give",
                       p, i);
    }
    if (kept != space->count)
        sim_differ(world, "partition %d: redis keeps %zu states, the logs give %zu", p,
                   space->count, kept);
}

/* What compaction has superseded since may be missing: whoever builds upon this checkpoint reads on
 * from it. */
void sim_judge_store(struct sim_world *world, int32_t partition)
{
    const struct sim_keyspace *space = &world->redis.live[partition];
    const struct sim_log *log = &world->targets[SS_TO_CHANGELOG][partition];
    const struct sim_record *newest[2 * SIM_USERS_MAX] = {0}, *record;
    int64_t at = 0;
    size_t kept = 0;
    bool superseded[2 * SIM_USERS_MAX] = {0};
    while ((record = sim_log_next(log, &at, log->end, true))) {
        int i = oracle_user_of(world, oracle_owner_of(record->key));
        if (i >= 0 && ss_is_friends_key(record->key))
            i += SIM_USERS_MAX;
        if (i >= 0 && at - 1 <= space->checkpoint.offset)
            newest[i] = record;
        else if (i >= 0)
            superseded[i] = true;
    }
    for (int n = 0; n < 2 * world->user_count; n++) {
        uint8_t friends_key[SS_FRIENDS_KEY_MAX];
        int user = n / 2, i = user + n % 2 * SIM_USERS_MAX;
        struct ss_bytes key = {world->users[user].id.data, world->users[user].id.size};
        if (n % 2)
            key = ss_friends_key(key, friends_key);
        struct ss_bytes expected = newest[i] ? newest[i]->value : (struct ss_bytes){0};
        struct ss_bytes stored = sim_redis_get(space, key);
        kept += stored.size > 0;
        if (!ss_bytes_equal(expected, stored) && !(newest[i] && newest[i]->gone && superseded[i]))
            sim_differ(world,
                       "partition %d, user %d: redis differs from the changelog up to its "
                       "checkpoint %lld",
                       partition, i, (long long)space->checkpoint.offset);
    }
    if (kept != space->count)
        sim_differ(world, "partition %d: redis keeps states of nobody", partition);
}
