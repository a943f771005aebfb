/* redis_store.c - checkpoint and save, and the handle.
 *
 * load   MULTI; GET checkpoint; HMGET for each bucket; EXEC           one round trip
 * save   WATCH checkpoint; GET checkpoint                             one
 *        MULTI; HSET and HDEL for each bucket; ZADD wakes; SET checkpoint; EXEC   one
 *
 * The other operations are redis_wipe.c's; a partition's keys are told in redis_partition.h. Each
 * operation is one attempt after the other until the node that has the partition is found.
 */
#include "state/redis_store.h"

#include "state/redis_partition.h"
#include "state/wire.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

/* ---- checkpoint ---- */

static enum ss_status get_checkpoint(struct ss_redis_store *redis, int32_t partition,
                                     struct ss_checkpoint *out, bool *found, struct ss_error *err)
{
    struct ss_redis_key key;
    redisReply *reply = NULL;
    memset(out, 0, sizeof *out);
    *found = false;
    enum ss_status status = ss_redis_route_checkpoint(redis, partition, &key, err);
    if (status != SS_OK)
        return status;
    ss_redis_keyed(redis, "GET", &key, 0);
    status = ss_redis_reply(redis->connection, &reply, err);
    if (status != SS_OK)
        return status;
    *found = ss_redis_value_unpack(redis, ss_redis_bytes(reply), out);
    freeReplyObject(reply);
    return SS_OK;
}

static enum ss_status redis_checkpoint(struct ss_store *store, int32_t partition,
                                       struct ss_checkpoint *out, bool *found, struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    enum ss_status status;
    do
        status = get_checkpoint(redis, partition, out, found, err);
    while (ss_redis_reroute(redis, partition, status));
    return status;
}

/* ---- save ---- */

/* Writes the puts of one bucket that are deletions, or those that are not. */
static enum ss_status write_chain(struct ss_redis_store *redis, const struct ss_redis_key *key,
                                  const struct ss_redis_chain *chain, const struct ss_put *puts,
                                  bool deletions, uint32_t left, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    uint32_t i = chain->first;
    while (left > 0 && status == SS_OK) {
        uint32_t fields = ss_redis_smaller(left, SS_REDIS_FIELDS_MAX);
        ss_redis_keyed(redis, deletions ? "HDEL" : "HSET", key, deletions ? fields : fields * 2);
        left -= fields;
        for (; fields > 0; i = redis->batch.next[i]) {
            const struct ss_put *put = &puts[i];
            if ((put->packed.size == 0) != deletions)
                continue;
            ss_redis_arg(redis->connection, put->user_id.data, put->user_id.size);
            if (!deletions)
                ss_redis_arg(redis->connection, put->packed.data, put->packed.size);
            fields--;
        }
        status = ss_redis_flow(redis->connection, err);
    }
    return status;
}

static enum ss_status write_states(struct ss_redis_store *redis, struct ss_redis_key *key,
                                   const struct ss_put *puts, struct ss_error *err)
{
    const struct ss_redis_batch *batch = &redis->batch;
    enum ss_status status = SS_OK;
    for (size_t c = 0; c < batch->chain_count && status == SS_OK; c++) {
        const struct ss_redis_chain *chain = &batch->chains[c];
        uint32_t deletions = 0, i = chain->first;
        for (uint32_t n = 0; n < chain->count; n++, i = batch->next[i])
            deletions += puts[i].packed.size == 0;
        ss_redis_key_bucket(key, chain->bucket, redis->buckets);
        status = write_chain(redis, key, chain, puts, false, chain->count - deletions, err);
        if (status == SS_OK)
            status = write_chain(redis, key, chain, puts, true, deletions, err);
    }
    return status;
}

/* A command failed within EXEC, so the checkpoint now promises what is not there: take it away. */
static void distrust(struct ss_redis_store *redis, const struct ss_redis_key *key)
{
    redisReply *reply = NULL;
    ss_redis_keyed(redis, "DEL", key, 0);
    if (ss_redis_reply(redis->connection, &reply, NULL) == SS_OK)
        freeReplyObject(reply);
}

static enum ss_status save_states(struct ss_redis_store *redis, int32_t partition,
                                  struct ss_bytes expected, struct ss_bytes next,
                                  const struct ss_put *puts, struct ss_error *err)
{
    struct ss_redis_key checkpoint_key, key;
    ss_redis_key_init(&key, redis->prefix, partition);
    checkpoint_key = key;
    ss_redis_key_checkpoint(&checkpoint_key);
    bool done = false, partial = false;
    enum ss_status status = ss_redis_route(redis, partition, err);
    if (status == SS_OK)
        status = ss_redis_compare(redis, partition, &checkpoint_key, expected, next, &done, err);
    if (status != SS_OK || done)
        return status;
    ss_redis_multi(redis->connection);
    status = write_states(redis, &key, puts, err);
    if (status == SS_OK)
        status = ss_redis_write_wakes(redis, &key, puts, err);
    if (status != SS_OK)
        return status;
    ss_redis_keyed(redis, "SET", &checkpoint_key, 1);
    ss_redis_arg(redis->connection, next.data, next.size);
    status = ss_redis_exec_watched(redis, partition, &partial, err);
    if (partial)
        distrust(redis, &checkpoint_key);
    return status;
}

static enum ss_status redis_save(struct ss_store *store, int32_t partition,
                                 const struct ss_checkpoint *expect,
                                 const struct ss_checkpoint *next, const struct ss_put *puts,
                                 size_t count, struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    uint8_t expected_value[SS_REDIS_VALUE_MAX], next_value[SS_REDIS_VALUE_MAX];
    struct ss_bytes expected = {0};
    struct ss_bytes written = {next_value, ss_redis_value_pack(redis, next, next_value)};
    if (expect)
        expected =
            (struct ss_bytes){expected_value, ss_redis_value_pack(redis, expect, expected_value)};
    assert(!ss_bytes_equal(expected, written)); /* it would pass for a repeated save */
    if (!ss_redis_batch_begin(&redis->batch, count))
        return ss_redis_fail_memory(err);
    for (size_t i = 0; i < count; i++)
        ss_redis_batch_add(&redis->batch, (uint32_t)i,
                           ss_redis_bucket(puts[i].user_id, redis->buckets));
    enum ss_status status;
    do
        status = save_states(redis, partition, expected, written, puts, err);
    while (ss_redis_reroute(redis, partition, status));
    return status;
}

/* ---- the handle ---- */

static void redis_close(struct ss_store *store)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    ss_redis_cluster_close(redis->cluster);
    ss_redis_connection_reset(&redis->single);
    ss_redis_batch_reset(&redis->batch);
    free(redis);
}

static const struct ss_store_ops redis_ops = {
    .checkpoint = redis_checkpoint,
    .load = ss_redis_load,
    .save = redis_save,
    .wipe = ss_redis_wipe,
    .wakes = ss_redis_wakes,
    .rearm = ss_redis_rearm,
    .walk = ss_redis_walk,
    .scan = ss_redis_scan,
    .close = redis_close,
};

static enum ss_status check_config(const struct ss_redis_config *config, struct ss_error *err)
{
    size_t prefix_size = strlen(config->prefix);
    if (prefix_size < 1 || prefix_size > SS_REDIS_PREFIX_MAX)
        return ss_fail(err, SS_STOP, "the prefix of Redis keys must have 1 to %d bytes",
                       SS_REDIS_PREFIX_MAX);
    if (strpbrk(config->prefix, "{}"))
        return ss_fail(err, SS_STOP,
                       "the prefix of Redis keys must not contain { or }, which name "
                       "the cluster's slot");
    if (config->buckets < 1 || config->buckets > SS_REDIS_BUCKETS_MAX)
        return ss_fail(err, SS_STOP, "Redis buckets per partition must be 1 to %d, not %d",
                       SS_REDIS_BUCKETS_MAX, config->buckets);
    if (config->timeout_ms < 1)
        return ss_fail(err, SS_STOP, "the timeout for Redis must be 1 ms or more");
    return SS_OK;
}

/* hiredis writes without MSG_NOSIGNAL: a server that goes away must not take the process with it.
 */
static void ignore_sigpipe(void)
{
    struct sigaction present;
    if (sigaction(SIGPIPE, NULL, &present) == 0 && present.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static enum ss_status connect_store(struct ss_redis_store *redis,
                                    const struct ss_redis_config *config, struct ss_error *err)
{
    struct ss_redis_url url;
    enum ss_status status = ss_redis_url_parse(config->url, &url, err);
    if (status == SS_OK && url.cluster) {
        status = ss_redis_cluster_open(config->url, config->timeout_ms, &redis->cluster, err);
    } else if (status == SS_OK) {
        status = ss_redis_connection_init(&redis->single, &url, config->timeout_ms, err);
        if (status == SS_OK)
            status = ss_redis_ensure(&redis->single, err);
    }
    explicit_bzero(&url, sizeof url);
    return status;
}

enum ss_status ss_redis_open(const struct ss_redis_config *config, struct ss_store **store,
                             struct ss_error *err)
{
    *store = NULL;
    enum ss_status status = check_config(config, err);
    if (status != SS_OK)
        return status;
    ignore_sigpipe();
    struct ss_redis_store *redis = calloc(1, sizeof *redis);
    if (!redis)
        return ss_redis_fail_memory(err);
    redis->store.ops = &redis_ops;
    redis->buckets = (uint32_t)config->buckets;
    memcpy(redis->prefix, config->prefix, strlen(config->prefix));
    status = connect_store(redis, config, err);
    if (status == SS_OK && !ss_redis_batch_init(&redis->batch, redis->buckets))
        status = ss_redis_fail_memory(err);
    if (status != SS_OK) {
        redis_close(&redis->store);
        return status;
    }
    *store = &redis->store;
    return SS_OK;
}
