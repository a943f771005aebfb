/* redis_wipe.c - a whole partition: removing it, and walking through it. */
#include "state/redis_partition.h"
#include "state/wire.h"

#include <sys/random.h>

enum { TOKEN_SIZE = 16, UNLINK_BATCH = 512, SCAN_BATCH = 64 };

/* The checkpoint's value while a wipe is under way. */
struct wipe_mark {
    uint8_t value[4 + 1 + TOKEN_SIZE];
    uint32_t buckets;
};

/* How many buckets a checkpoint's value speaks of, if it is one. */
static uint32_t buckets_of(const redisReply *reply)
{
    struct ss_bytes value = ss_redis_bytes(reply);
    uint32_t buckets = value.size > 4 ? ss_load_u32(value.data) : 0;
    return buckets <= SS_REDIS_BUCKETS_MAX ? buckets : 0;
}

static bool is_mark(const struct wipe_mark *mark, struct ss_bytes value)
{
    return ss_bytes_equal(value, (struct ss_bytes){mark->value, sizeof mark->value});
}

/* Replaces the checkpoint by the mark of this wipe, if it still is the one that was shown; an
 * earlier attempt may have got that far. If there were more buckets once, the mark must say so from
 * the start, should this wipe be cut short. */
static enum ss_status mark_wipe(struct ss_redis_store *redis, int32_t partition,
                                const struct ss_redis_key *key, const struct ss_checkpoint *shown,
                                struct wipe_mark *mark, struct ss_error *err)
{
    redisReply *reply = NULL;
    struct ss_checkpoint present;
    enum ss_status status = ss_redis_watch(redis, key, &reply, err);
    if (status != SS_OK)
        return status;
    bool marked = mark->buckets > 0 && is_mark(mark, ss_redis_bytes(reply));
    (void)ss_redis_value_unpack(redis, ss_redis_bytes(reply), &present);
    uint32_t buckets = buckets_of(reply);
    freeReplyObject(reply);
    if (marked || !ss_checkpoint_equal(&present, shown)) {
        status = ss_redis_unwatch(redis, err);
        return status != SS_OK || marked ? status : ss_redis_fail_other(partition, err);
    }
    mark->buckets = buckets > redis->buckets ? buckets : redis->buckets;
    ss_put_u32(mark->value, mark->buckets);
    ss_redis_multi(redis->connection);
    ss_redis_keyed(redis, "SET", key, 1);
    ss_redis_arg(redis->connection, mark->value, sizeof mark->value);
    return ss_redis_exec_watched(redis, partition, NULL, err);
}

/* A bucket's own field, under the name that no user has (redis_partition.h). */
static void put_own_field(struct ss_redis_store *redis, const struct ss_redis_key *key)
{
    ss_redis_keyed(redis, "HSET", key, 2);
    ss_redis_arg(redis->connection, "", 0);
    ss_redis_arg(redis->connection, "", 0);
}

/* Removes buckets [from, to), and with the last ones the mark, if the mark still is ours. */
static enum ss_status unlink_buckets(struct ss_redis_store *redis, int32_t partition,
                                     const struct wipe_mark *mark, uint32_t from, uint32_t to,
                                     struct ss_error *err)
{
    struct ss_redis_key mark_key, key;
    redisReply *reply = NULL;
    ss_redis_key_init(&key, redis->prefix, partition);
    mark_key = key;
    ss_redis_key_checkpoint(&mark_key);
    enum ss_status status = ss_redis_watch(redis, &mark_key, &reply, err);
    if (status != SS_OK)
        return status;
    bool ours = is_mark(mark, ss_redis_bytes(reply));
    freeReplyObject(reply);
    if (!ours) {
        status = ss_redis_unwatch(redis, err);
    } else {
        ss_redis_multi(redis->connection);
        uint32_t buckets = mark->buckets;
        ss_redis_command(redis->connection, 1 + 2 * (to - from));
        ss_redis_arg(redis->connection, "UNLINK", 6);
        for (uint32_t bucket = from; bucket < to; bucket++)
            for (uint32_t friends = 0; friends <= 1; friends++) {
                ss_redis_key_bucket(&key, bucket + friends * buckets, buckets);
                ss_redis_arg(redis->connection, key.text, key.size);
            }
        for (uint32_t bucket = from; redis->cluster && bucket < to; bucket++)
            for (uint32_t friends = 0; friends <= 1 && bucket < redis->buckets; friends++) {
                ss_redis_key_bucket(&key, bucket + friends * buckets, buckets);
                put_own_field(redis, &key);
            }
        if (to == mark->buckets) {
            ss_redis_key_wakes(&key);
            ss_redis_keyed(redis, "DEL", &key, 0);
            if (redis->cluster)
                ss_redis_put_own_wake(redis, &key);
            ss_redis_keyed(redis, "DEL", &mark_key, 0);
        }
        status = ss_redis_exec(redis->connection, &reply, NULL, err);
        if (status == SS_OK) {
            ours = reply->type != REDIS_REPLY_NIL;
            freeReplyObject(reply);
        }
    }
    if (status != SS_OK || ours)
        return status;
    return ss_fail(err, SS_GIVE_UP, "somebody else writes to partition %d while it is being wiped",
                   partition);
}

static enum ss_status wipe_once(struct ss_redis_store *redis, int32_t partition,
                                const struct ss_checkpoint *shown, struct wipe_mark *mark,
                                struct ss_error *err)
{
    struct ss_redis_key key;
    enum ss_status status = ss_redis_route_checkpoint(redis, partition, &key, err);
    if (status != SS_OK)
        return status;
    status = mark_wipe(redis, partition, &key, shown, mark, err);
    for (uint32_t from = 0; from < mark->buckets && status == SS_OK; from += UNLINK_BATCH) {
        uint32_t to = mark->buckets - from < UNLINK_BATCH ? mark->buckets : from + UNLINK_BATCH;
        status = unlink_buckets(redis, partition, mark, from, to, err);
    }
    return status;
}

enum ss_status ss_redis_wipe(struct ss_store *store, int32_t partition,
                             const struct ss_checkpoint *shown, struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    struct wipe_mark mark = {0};
    enum ss_status status;
    if (getrandom(mark.value + 5, TOKEN_SIZE, 0) != TOKEN_SIZE)
        return ss_fail(err, SS_STOP, "the system gives no random numbers");
    do
        status = wipe_once(redis, partition, shown, &mark, err);
    while (ss_redis_reroute(redis, partition, status));
    return status;
}

/* Reads the buckets [from, from + count) before any of them is delivered: an attempt that ends at
 * the wrong node has then told nothing. */
static enum ss_status scan_buckets(struct ss_redis_store *redis, int32_t partition, uint32_t from,
                                   uint32_t count, redisReply **replies, struct ss_error *err)
{
    struct ss_redis_key key;
    enum ss_status status = ss_redis_route(redis, partition, err);
    if (status != SS_OK)
        return status;
    ss_redis_key_init(&key, redis->prefix, partition);
    for (uint32_t b = 0; b < count; b++) {
        ss_redis_key_bucket(&key, from + b, redis->buckets);
        ss_redis_keyed(redis, "HGETALL", &key, 0);
    }
    for (uint32_t b = 0; b < count && status == SS_OK; b++) {
        status = ss_redis_reply(redis->connection, &replies[b], err);
        while (status != SS_OK && b > 0)
            freeReplyObject(replies[--b]);
    }
    return status;
}

enum ss_status ss_redis_scan(struct ss_store *store, int32_t partition, ss_store_scan_sink *sink,
                             void *arg, struct ss_error *err)
{
    struct ss_redis_store *redis = ss_redis_store_of(store);
    enum ss_status status = SS_OK;
    const uint32_t buckets = 2 * redis->buckets;
    for (uint32_t from = 0; from < buckets && status == SS_OK; from += SCAN_BATCH) {
        uint32_t count = buckets - from < SCAN_BATCH ? buckets - from : SCAN_BATCH;
        redisReply *replies[SCAN_BATCH];
        do
            status = scan_buckets(redis, partition, from, count, replies, err);
        while (ss_redis_reroute(redis, partition, status));
        for (uint32_t b = 0; b < count && status == SS_OK; b++) {
            for (size_t i = 0; i + 1 < replies[b]->elements; i += 2)
                if (replies[b]->element[i]->len > 0) /* not the bucket's own field */
                    sink(arg, ss_redis_bytes(replies[b]->element[i]),
                         ss_redis_bytes(replies[b]->element[i + 1]));
            freeReplyObject(replies[b]);
        }
    }
    return status;
}
