#include "state/redis_partition.h"

#include "scoring/hash.h"
#include "state/wire.h"

static int slot_of(const struct ss_redis_store *redis, int32_t partition)
{
    struct ss_redis_key key;
    ss_redis_key_init(&key, redis->prefix, partition);
    return ss_redis_slot(key.text, key.size);
}

enum ss_status ss_redis_route(struct ss_redis_store *redis, int32_t partition, struct ss_error *err)
{
    if (redis->cluster)
        return ss_redis_cluster_route(redis->cluster, slot_of(redis, partition), &redis->connection,
                                      err);
    redis->connection = &redis->single;
    return ss_redis_ensure(redis->connection, err);
}

enum ss_status ss_redis_route_checkpoint(struct ss_redis_store *redis, int32_t partition,
                                         struct ss_redis_key *key, struct ss_error *err)
{
    ss_redis_key_init(key, redis->prefix, partition);
    ss_redis_key_checkpoint(key);
    return ss_redis_route(redis, partition, err);
}

bool ss_redis_reroute(struct ss_redis_store *redis, int32_t partition, enum ss_status status)
{
    return redis->cluster &&
           ss_redis_cluster_moved(redis->cluster, slot_of(redis, partition), status);
}

size_t ss_redis_value_pack(const struct ss_redis_store *redis,
                           const struct ss_checkpoint *checkpoint, uint8_t *out)
{
    ss_put_u32(out, redis->buckets);
    return 4 + ss_checkpoint_pack(checkpoint, out + 4);
}

bool ss_redis_value_unpack(const struct ss_redis_store *redis, struct ss_bytes value,
                           struct ss_checkpoint *out)
{
    if (value.size > 4 && ss_load_u32(value.data) == redis->buckets) {
        struct ss_bytes packed = {(const uint8_t *)value.data + 4, value.size - 4};
        if (ss_checkpoint_unpack(packed, out, NULL) == SS_OK)
            return true;
    }
    memset(out, 0, sizeof *out);
    if (value.size > 0)
        ss_put_u64(out->incarnation, ss_hash64((struct ss_text){value.data, (uint32_t)value.size}));
    return false;
}

void ss_redis_keyed(struct ss_redis_store *redis, const char *command,
                    const struct ss_redis_key *key, size_t arguments)
{
    ss_redis_command(redis->connection, 2 + arguments);
    ss_redis_arg(redis->connection, command, strlen(command));
    ss_redis_arg(redis->connection, key->text, key->size);
}

enum ss_status ss_redis_watch(struct ss_redis_store *redis, const struct ss_redis_key *key,
                              redisReply **value, struct ss_error *err)
{
    redisReply *watched = NULL;
    ss_redis_keyed(redis, "WATCH", key, 0);
    ss_redis_keyed(redis, "GET", key, 0);
    enum ss_status status = ss_redis_reply(redis->connection, &watched, err);
    if (status != SS_OK)
        return status;
    freeReplyObject(watched);
    return ss_redis_reply(redis->connection, value, err);
}

enum ss_status ss_redis_unwatch(struct ss_redis_store *redis, struct ss_error *err)
{
    redisReply *reply = NULL;
    ss_redis_texts(redis->connection, "UNWATCH", NULL);
    enum ss_status status = ss_redis_reply(redis->connection, &reply, err);
    if (status == SS_OK)
        freeReplyObject(reply);
    return status;
}

enum ss_status ss_redis_fail_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory");
}

enum ss_status ss_redis_fail_other(int32_t partition, struct ss_error *err)
{
    return ss_fail(err, SS_GIVE_UP,
                   "redis holds another checkpoint of partition %d than the one expected",
                   partition);
}

enum ss_status ss_redis_exec_watched(struct ss_redis_store *redis, int32_t partition, bool *partial,
                                     struct ss_error *err)
{
    redisReply *reply = NULL;
    enum ss_status status = ss_redis_exec(redis->connection, &reply, partial, err);
    if (status != SS_OK)
        return status;
    if (reply->type == REDIS_REPLY_NIL)
        status = ss_redis_fail_other(partition, err);
    freeReplyObject(reply);
    return status;
}

enum ss_status ss_redis_compare(struct ss_redis_store *redis, int32_t partition,
                                const struct ss_redis_key *key, struct ss_bytes expected,
                                struct ss_bytes next, bool *done, struct ss_error *err)
{
    redisReply *reply = NULL;
    enum ss_status status = ss_redis_watch(redis, key, &reply, err);
    if (status != SS_OK)
        return status;
    struct ss_bytes present = ss_redis_bytes(reply);
    *done = ss_bytes_equal(present, next);
    bool matches =
        expected.data ? ss_bytes_equal(present, expected) : reply->type == REDIS_REPLY_NIL;
    freeReplyObject(reply);
    if (matches && !*done)
        return SS_OK;
    status = ss_redis_unwatch(redis, err);
    if (status != SS_OK || *done)
        return status;
    return ss_redis_fail_other(partition, err);
}
