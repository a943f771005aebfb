/* redis_wakes.c - which bucket is to be woken next (redis_partition.h).
 *
 * wakes   MULTI; GET checkpoint; ZRANGE wakes n n; EXEC               one round trip
 *         MULTI; GET checkpoint; HGETALL of that bucket; EXEC         one more, if its time has
 * come rearm   WATCH checkpoint; GET checkpoint                            one MULTI; ZADD wakes,
 * or ZREM; EXEC                            one
 *
 * In a cluster wakes asks for the set's own member as well, and looks for the bucket's own field.
 */
#include "state/redis_partition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAIRS_MAX = 512, NUMBER_MAX = 24 };

/* Scores are doubles: whole milliseconds for the next 280,000 years. */
static void put_number(struct ss_redis_connection *connection, int64_t number)
{
    char text[NUMBER_MAX];
    int size = snprintf(text, sizeof text, "%" PRId64, number);
    ss_redis_arg(connection, text, (size_t)size);
}

void ss_redis_put_own_wake(struct ss_redis_store *redis, const struct ss_redis_key *key)
{
    ss_redis_keyed(redis, "ZADD", key, 2);
    ss_redis_arg(redis->connection, "+inf", 4);
    ss_redis_arg(redis->connection, "", 0);
}

static int64_t chain_wake(const struct ss_redis_batch *batch, const struct ss_redis_chain *chain,
                          const struct ss_put *puts)
{
    int64_t wake_ms = SS_WAKE_NEVER;
    uint32_t i = chain->first;
    for (uint32_t n = 0; n < chain->count; n++, i = batch->next[i])
        if (puts[i].packed.size > 0 && puts[i].wake_ms < wake_ms)
            wake_ms = puts[i].wake_ms;
    return wake_ms;
}

enum ss_status ss_redis_write_wakes(struct ss_redis_store *redis, struct ss_redis_key *key,
                                    const struct ss_put *puts, struct ss_error *err)
{
    const struct ss_redis_batch *batch = &redis->batch;
    struct ss_redis_connection *connection = redis->connection;
    enum ss_status status = SS_OK;
    ss_redis_key_wakes(key);
    for (size_t from = 0; from < batch->chain_count && status == SS_OK;) {
        size_t to = from, pairs = 0;
        for (; to < batch->chain_count && pairs < PAIRS_MAX; to++)
            pairs += chain_wake(batch, &batch->chains[to], puts) != SS_WAKE_NEVER;
        if (pairs > 0)
            ss_redis_keyed(redis, "ZADD", key, 1 + 2 * pairs);
        if (pairs > 0)
            ss_redis_arg(connection, "LT", 2);
        for (; from < to; from++) {
            int64_t wake_ms = chain_wake(batch, &batch->chains[from], puts);
            if (wake_ms == SS_WAKE_NEVER)
                continue;
            put_number(connection, wake_ms);
            put_number(connection, batch->chains[from].bucket);
        }
        status = ss_redis_flow(connection, err);
    }
    return status;
}

static enum ss_status fail_form(struct ss_redis_store *redis, struct ss_error *err)
{
    ss_redis_drop(redis->connection);
    return ss_fail(err, SS_RETRY, "redis %s answers out of step", redis->connection->name);
}

/* One transaction that reads the checkpoint and so many things more, the first of them a list:
 * *reply is of all, to be freed. */
static enum ss_status read_with_checkpoint(struct ss_redis_store *redis, int32_t partition,
                                           struct ss_bytes expected, size_t more,
                                           redisReply **reply, struct ss_error *err)
{
    enum ss_status status = ss_redis_exec(redis->connection, reply, NULL, err);
    if (status != SS_OK)
        return status;
    if ((*reply)->type == REDIS_REPLY_ARRAY && (*reply)->elements == 1 + more &&
        ss_bytes_equal(ss_redis_bytes((*reply)->element[0]), expected)) {
        if ((*reply)->element[1]->type == REDIS_REPLY_ARRAY)
            return SS_OK;
        status = fail_form(redis, err);
    } else {
        status = ss_redis_fail_other(partition, err);
    }
    freeReplyObject(*reply);
    return status;
}

static enum ss_status find_earliest(struct ss_redis_store *redis, int32_t partition,
                                    const struct ss_redis_key *checkpoint_key,
                                    struct ss_bytes expected, uint32_t nth,
                                    struct ss_wake_group *out, struct ss_error *err)
{
    struct ss_redis_key key = *checkpoint_key;
    redisReply *reply = NULL;
    ss_redis_key_wakes(&key);
    ss_redis_multi(redis->connection);
    ss_redis_keyed(redis, "GET", checkpoint_key, 0);
    ss_redis_keyed(redis, "ZRANGE", &key, 3);
    put_number(redis->connection, nth);
    put_number(redis->connection, nth);
    ss_redis_arg(redis->connection, "WITHSCORES", 10);
    if (redis->cluster) {
        ss_redis_keyed(redis, "ZSCORE", &key, 1);
        ss_redis_arg(redis->connection, "", 0);
    }
    enum ss_status status =
        read_with_checkpoint(redis, partition, expected, redis->cluster ? 2 : 1, &reply, err);
    if (status != SS_OK)
        return status;
    const redisReply *pair = reply->element[1];
    if (pair->elements == 2 && pair->element[0]->len > 0) {
        out->found = true;
        out->group = (uint32_t)strtoul(pair->element[0]->str, NULL, 10);
        out->wake_ms = (int64_t)strtod(pair->element[1]->str, NULL);
    }
    bool lost = redis->cluster && reply->element[2]->type == REDIS_REPLY_NIL;
    freeReplyObject(reply);
    return lost ? ss_redis_fail_lost(redis, partition, checkpoint_key, expected, err) : SS_OK;
}

void ss_redis_deliver_bucket(const struct ss_redis_store *redis, const redisReply *answer,
                             ss_store_scan_sink *sink, void *arg, bool *lost)
{
    redisReply **pairs = answer->element;
    size_t count = answer->elements;
    bool own = redis->cluster == NULL;
    for (size_t i = 0; i + 1 < count; i += 2)
        own |= pairs[i]->len == 0; /* the bucket's own field */
    *lost |= !own;
    for (size_t i = 0; own && i + 1 < count; i += 2)
        if (pairs[i]->len > 0)
            sink(arg, ss_redis_bytes(pairs[i]), ss_redis_bytes(pairs[i + 1]));
}

static enum ss_status deliver_bucket(struct ss_redis_store *redis, int32_t partition,
                                     const struct ss_redis_key *checkpoint_key,
                                     struct ss_bytes expected, uint32_t bucket,
                                     ss_store_scan_sink *sink, void *arg, struct ss_error *err)
{
    struct ss_redis_key key = *checkpoint_key;
    redisReply *reply = NULL;
    ss_redis_key_bucket(&key, bucket, redis->buckets);
    ss_redis_multi(redis->connection);
    ss_redis_keyed(redis, "GET", checkpoint_key, 0);
    ss_redis_keyed(redis, "HGETALL", &key, 0);
    enum ss_status status = read_with_checkpoint(redis, partition, expected, 1, &reply, err);
    if (status != SS_OK)
        return status;
    bool lost = false;
    ss_redis_deliver_bucket(redis, reply->element[1], sink, arg, &lost);
    freeReplyObject(reply);
    return lost ? ss_redis_fail_lost(redis, partition, checkpoint_key, expected, err) : SS_OK;
}

static enum ss_status find_and_deliver(struct ss_redis_store *redis, int32_t partition,
                                       struct ss_bytes expected, int64_t until_ms, uint32_t nth,
                                       struct ss_wake_group *out, ss_store_scan_sink *sink,
                                       void *arg, struct ss_error *err)
{
    struct ss_redis_key key;
    *out = (struct ss_wake_group){.wake_ms = SS_WAKE_NEVER};
    enum ss_status status = ss_redis_route_checkpoint(redis, partition, &key, err);
    if (status != SS_OK)
        return status;
    status = find_earliest(redis, partition, &key, expected, nth, out, err);
    if (status == SS_OK && out->found && out->wake_ms <= until_ms)
        status = deliver_bucket(redis, partition, &key, expected, out->group, sink, arg, err);
    return status;
}

enum ss_status ss_redis_wakes(struct ss_store *store, int32_t partition,
                              const struct ss_checkpoint *expect, int64_t until_ms, uint32_t nth,
                              struct ss_wake_group *out, ss_store_scan_sink *sink, void *arg,
                              struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    uint8_t value[SS_REDIS_VALUE_MAX];
    struct ss_bytes expected = {value, ss_redis_value_pack(redis, expect, value)};
    enum ss_status status;
    do
        status = find_and_deliver(redis, partition, expected, until_ms, nth, out, sink, arg, err);
    while (ss_redis_reroute(redis, partition, status));
    return status;
}

static enum ss_status set_wake(struct ss_redis_store *redis, int32_t partition,
                               struct ss_bytes expected, uint32_t bucket, int64_t wake_ms,
                               struct ss_error *err)
{
    struct ss_redis_key checkpoint_key, key;
    bool done;
    enum ss_status status = ss_redis_route(redis, partition, err);
    if (status != SS_OK)
        return status;
    ss_redis_key_init(&key, redis->prefix, partition);
    checkpoint_key = key;
    ss_redis_key_checkpoint(&checkpoint_key);
    ss_redis_key_wakes(&key);
    status = ss_redis_compare(redis, partition, &checkpoint_key, expected, (struct ss_bytes){0},
                              &done, err);
    if (status == SS_OK && done) /* there is no checkpoint any more */
        status = ss_redis_fail_other(partition, err);
    if (status != SS_OK)
        return status;
    ss_redis_multi(redis->connection);
    bool never = wake_ms == SS_WAKE_NEVER;
    ss_redis_keyed(redis, never ? "ZREM" : "ZADD", &key, never ? 1 : 2);
    if (!never)
        put_number(redis->connection, wake_ms);
    put_number(redis->connection, bucket);
    return ss_redis_exec_watched(redis, partition, NULL, err);
}

enum ss_status ss_redis_rearm(struct ss_store *store, int32_t partition,
                              const struct ss_checkpoint *expect, uint32_t group, int64_t wake_ms,
                              struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    uint8_t value[SS_REDIS_VALUE_MAX];
    struct ss_bytes expected = {value, ss_redis_value_pack(redis, expect, value)};
    enum ss_status status;
    do
        status = set_wake(redis, partition, expected, group, wake_ms, err);
    while (ss_redis_reroute(redis, partition, status));
    return status;
}
