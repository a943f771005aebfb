/* redis_walk.c - all users, some buckets at a time (redis_partition.h).
 *
 *   walk    MULTI; GET checkpoint; HGETALL of each of these buckets; EXEC      one round trip
 */
#include "state/redis_partition.h"

enum { WALK_BUCKETS = 32 }; /* some 2,000 users, if the buckets are as full as they should be */

static enum ss_status ask_buckets(struct ss_redis_store *redis,
                                  const struct ss_redis_key *checkpoint_key, uint32_t from,
                                  uint32_t end, struct ss_error *err)
{
    struct ss_redis_key key = *checkpoint_key;
    enum ss_status status = SS_OK;
    ss_redis_multi(redis->connection);
    ss_redis_keyed(redis, "GET", checkpoint_key, 0);
    for (uint32_t bucket = from; bucket < end && status == SS_OK; bucket++) {
        ss_redis_key_bucket(&key, bucket, redis->buckets);
        ss_redis_keyed(redis, "HGETALL", &key, 0);
        status = ss_redis_flow(redis->connection, err);
    }
    return status;
}

static enum ss_status deliver(struct ss_redis_store *redis, int32_t partition,
                              const struct ss_redis_key *checkpoint_key, struct ss_bytes expected,
                              const redisReply *reply, size_t buckets, ss_store_scan_sink *sink,
                              void *arg, struct ss_error *err)
{
    bool lost = false;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1 + buckets ||
        !ss_bytes_equal(ss_redis_bytes(reply->element[0]), expected))
        return ss_redis_fail_other(partition, err);
    for (size_t i = 1; i <= buckets; i++)
        if (reply->element[i]->type == REDIS_REPLY_ARRAY)
            ss_redis_deliver_bucket(redis, reply->element[i], sink, arg, &lost);
        else
            lost = true;
    return lost ? ss_redis_fail_lost(redis, partition, checkpoint_key, expected, err) : SS_OK;
}

static enum ss_status walk(struct ss_redis_store *redis, int32_t partition,
                           struct ss_bytes expected, uint32_t from, uint32_t end,
                           ss_store_scan_sink *sink, void *arg, struct ss_error *err)
{
    struct ss_redis_key key;
    redisReply *reply = NULL;
    enum ss_status status = ss_redis_route_checkpoint(redis, partition, &key, err);
    if (status != SS_OK)
        return status;
    status = ask_buckets(redis, &key, from, end, err);
    if (status == SS_OK)
        status = ss_redis_exec(redis->connection, &reply, NULL, err);
    if (status != SS_OK)
        return status;
    status = deliver(redis, partition, &key, expected, reply, end - from, sink, arg, err);
    freeReplyObject(reply);
    return status;
}

enum ss_status ss_redis_walk(struct ss_store *store, int32_t partition,
                             const struct ss_checkpoint *expect, uint32_t from, uint32_t *next,
                             uint32_t *groups, ss_store_scan_sink *sink, void *arg,
                             struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    uint8_t value[SS_REDIS_VALUE_MAX];
    struct ss_bytes expected = {value, ss_redis_value_pack(redis, expect, value)};
    enum ss_status status;
    *groups = redis->buckets;
    from = ss_redis_smaller(from, *groups);
    *next = ss_redis_smaller(from + WALK_BUCKETS, *groups);
    do
        status = walk(redis, partition, expected, from, *next, sink, arg, err);
    while (ss_redis_reroute(redis, partition, status));
    return status;
}
