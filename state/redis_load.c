/* redis_load.c - the states of a batch of users, atomically with the checkpoint. */
#include "state/redis_partition.h"

/* Writes the transaction's reads: one HMGET for each SS_REDIS_FIELDS_MAX users of a bucket. In a
 * cluster it asks for the bucket's own field first. */
static enum ss_status ask_states(struct ss_redis_store *redis, struct ss_redis_key *key,
                                 const struct ss_bytes *user_ids, struct ss_error *err)
{
    const struct ss_redis_batch *batch = &redis->batch;
    enum ss_status status = SS_OK;
    for (size_t c = 0; c < batch->chain_count && status == SS_OK; c++) {
        uint32_t i = batch->chains[c].first;
        ss_redis_key_bucket(key, batch->chains[c].bucket, redis->buckets);
        for (uint32_t left = batch->chains[c].count; left > 0 && status == SS_OK;) {
            uint32_t fields = ss_redis_smaller(left, SS_REDIS_FIELDS_MAX);
            ss_redis_keyed(redis, "HMGET", key, fields + (redis->cluster != NULL));
            if (redis->cluster)
                ss_redis_arg(redis->connection, "", 0);
            left -= fields;
            for (; fields > 0; fields--, i = batch->next[i])
                ss_redis_arg(redis->connection, user_ids[i].data, user_ids[i].size);
            status = ss_redis_flow(redis->connection, err);
        }
    }
    return status;
}

/* Walks the answers in the order of ask_states. false: they are not of that form. *lost: a
 * cluster's bucket is without its own field. */
static bool check_states(const struct ss_redis_store *redis, redisReply **answers, bool *lost)
{
    const struct ss_redis_batch *batch = &redis->batch;
    uint32_t own = redis->cluster != NULL;
    *lost = false;
    for (size_t c = 0; c < batch->chain_count; c++)
        for (uint32_t left = batch->chains[c].count; left > 0;) {
            const redisReply *answer = *answers++;
            uint32_t fields = ss_redis_smaller(left, SS_REDIS_FIELDS_MAX);
            if (answer->type != REDIS_REPLY_ARRAY || answer->elements != fields + own)
                return false;
            *lost |= own && answer->element[0]->type != REDIS_REPLY_STRING;
            left -= fields;
        }
    return true;
}

static void deliver_states(const struct ss_redis_store *redis, redisReply **answers,
                           ss_store_sink *sink, void *arg)
{
    const struct ss_redis_batch *batch = &redis->batch;
    for (size_t c = 0; c < batch->chain_count; c++) {
        uint32_t i = batch->chains[c].first;
        for (uint32_t left = batch->chains[c].count; left > 0;) {
            redisReply *const *answer = (*answers++)->element + (redis->cluster != NULL);
            uint32_t fields = ss_redis_smaller(left, SS_REDIS_FIELDS_MAX);
            left -= fields;
            for (; fields > 0; fields--, i = batch->next[i])
                sink(arg, i, ss_redis_bytes(*answer++));
        }
    }
}

enum ss_status ss_redis_fail_lost(struct ss_redis_store *redis, int32_t partition,
                                  const struct ss_redis_key *key, struct ss_bytes expected,
                                  struct ss_error *err)
{
    redisReply *reply = NULL;
    bool done;
    enum ss_status status =
        ss_redis_compare(redis, partition, key, expected, (struct ss_bytes){0}, &done, err);
    if (status == SS_OK && !done) {
        ss_redis_multi(redis->connection);
        ss_redis_keyed(redis, "DEL", key, 0);
        status = ss_redis_exec(redis->connection, &reply, NULL, err);
        if (status == SS_OK)
            freeReplyObject(reply);
    }
    if (status != SS_OK)
        return status;
    return ss_fail(err, SS_GIVE_UP,
                   "redis has lost states of partition %d, but not all: was a node lost while "
                   "a slot was being moved?",
                   partition);
}

static enum ss_status load_states(struct ss_redis_store *redis, int32_t partition,
                                  struct ss_bytes expected, const struct ss_bytes *user_ids,
                                  ss_store_sink *sink, void *arg, struct ss_error *err)
{
    struct ss_redis_key checkpoint_key, key;
    enum ss_status status = ss_redis_route(redis, partition, err);
    if (status != SS_OK)
        return status;
    redisReply *reply = NULL;
    bool lost = false;
    ss_redis_key_init(&key, redis->prefix, partition);
    checkpoint_key = key;
    ss_redis_key_checkpoint(&checkpoint_key);
    ss_redis_multi(redis->connection);
    ss_redis_keyed(redis, "GET", &checkpoint_key, 0);
    status = ask_states(redis, &key, user_ids, err);
    if (status == SS_OK)
        status = ss_redis_exec(redis->connection, &reply, NULL, err);
    if (status != SS_OK)
        return status;
    if (reply->type != REDIS_REPLY_ARRAY ||
        !ss_bytes_equal(ss_redis_bytes(reply->element[0]), expected)) {
        status = ss_redis_fail_other(partition, err);
    } else if (!check_states(redis, reply->element + 1, &lost)) {
        ss_redis_drop(redis->connection);
        status = ss_fail(err, SS_RETRY, "redis %s answers out of step", redis->connection->name);
    } else if (lost) {
        status = ss_redis_fail_lost(redis, partition, &checkpoint_key, expected, err);
    } else {
        deliver_states(redis, reply->element + 1, sink, arg);
    }
    freeReplyObject(reply);
    return status;
}

enum ss_status ss_redis_load(struct ss_store *store, int32_t partition,
                             const struct ss_checkpoint *expect, const struct ss_bytes *user_ids,
                             size_t count, ss_store_sink *sink, void *arg, struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    uint8_t value[SS_REDIS_VALUE_MAX];
    struct ss_bytes expected = {value, ss_redis_value_pack(redis, expect, value)};
    if (!ss_redis_batch_begin(&redis->batch, count))
        return ss_redis_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        ss_redis_batch_add(&redis->batch, (uint32_t)i,
                           ss_redis_bucket(user_ids[i], redis->buckets));
    enum ss_status status;
    do
        status = load_states(redis, partition, expected, user_ids, sink, arg, err);
    while (ss_redis_reroute(redis, partition, status));
    return status;
}
