/* redis_partition.h - what redis_store.c, redis_load.c, redis_wipe.c and redis_wakes.c share: the
 * handle, and the value of a partition's checkpoint key. Internal to state/.
 *
 *   value = buckets (4 bytes little-endian) what
 *   what  = a packed checkpoint (it begins with 1), or 0 and 16 random bytes: a wipe has begun
 *
 * Whoever wipes puts its own random bytes there first, in place of the value that it distrusted and
 * of no other, and deletes only while they stand: two workers that wipe at once, or one that was
 * paused in the middle and woke up after its successor had refilled the partition, cannot remove
 * what is not theirs (promise 3). The number of buckets stays readable meanwhile, so that a wipe
 * under another number, or a repeated one, finds all of the old ones.
 *
 * In a cluster every bucket exists from the wipe on, and has a field of its own under the empty
 * name, which no user has. Keys of a slot that is being moved travel one by one: a node that fails
 * meanwhile can lose some buckets and keep the checkpoint, and a bucket that is gone would read
 * like one without users. A bucket without the field is such a loss, and load then takes the
 * checkpoint away, so that the partition is rebuilt (promise 2).
 *
 * Users of a bucket wake together: a sorted set has the buckets by when the first user of each is
 * to be woken. In a cluster it has an own member under the empty name, which is never woken, for
 * the same reason.
 */
#ifndef SS_STATE_REDIS_PARTITION_H
#define SS_STATE_REDIS_PARTITION_H

#include "state/redis_buckets.h"
#include "state/redis_cluster.h"
#include "state/store.h"

enum { SS_REDIS_VALUE_MAX = 4 + SS_CHECKPOINT_PACKED_MAX, SS_REDIS_FIELDS_MAX = 128 };

struct ss_redis_store {
    struct ss_store store;                  /* first, so that a handle is both */
    struct ss_redis_connection *connection; /* to the server that has the partition at hand */
    struct ss_redis_connection single;      /* the only one, but for a cluster: */
    struct ss_redis_cluster *cluster;       /* NULL: none */
    char prefix[SS_REDIS_PREFIX_MAX + 1];
    uint32_t buckets;
    struct ss_redis_batch batch;
};

static inline struct ss_redis_store *ss_redis_store_of(struct ss_store *store)
{
    return (struct ss_redis_store *)store;
}

/* Every attempt at a partition begins with the first, which sets `connection`, and ends with the
 * second: true if it is to be repeated, for the partition turned out to be on another node. */
SS_MUST_USE enum ss_status ss_redis_route(struct ss_redis_store *redis, int32_t partition,
                                          struct ss_error *err);
/* … and sets *key to that of the partition's checkpoint. */
SS_MUST_USE enum ss_status ss_redis_route_checkpoint(struct ss_redis_store *redis,
                                                     int32_t partition, struct ss_redis_key *key,
                                                     struct ss_error *err);
SS_MUST_USE bool ss_redis_reroute(struct ss_redis_store *redis, int32_t partition,
                                  enum ss_status status);

/* The value for a checkpoint under this store's number of buckets; returns its size. */
size_t ss_redis_value_pack(const struct ss_redis_store *redis,
                           const struct ss_checkpoint *checkpoint, uint8_t *out);

/* What the checkpoint's value shows: true for a checkpoint of ours under this number of buckets.
 * Anything else is none, and *out has a fingerprint of it (all-zero: there is nothing). */
bool ss_redis_value_unpack(const struct ss_redis_store *redis, struct ss_bytes value,
                           struct ss_checkpoint *out);

/* Begin a command on a key; the caller adds the remaining arguments. */
void ss_redis_keyed(struct ss_redis_store *redis, const char *command,
                    const struct ss_redis_key *key, size_t arguments);

/* WATCH and GET of the checkpoint's key: *value is the reply, a string or nil, to be freed. */
SS_MUST_USE enum ss_status ss_redis_watch(struct ss_redis_store *redis,
                                          const struct ss_redis_key *key, redisReply **value,
                                          struct ss_error *err);
/* Ends a watch that leads to no transaction. */
SS_MUST_USE enum ss_status ss_redis_unwatch(struct ss_redis_store *redis, struct ss_error *err);

/* Watches the checkpoint's key and compares what is there with what is expected (data NULL: none).
 * SS_OK and not *done: go on with MULTI. *done: it is `next` already, nothing is left to do. */
SS_MUST_USE enum ss_status ss_redis_compare(struct ss_redis_store *redis, int32_t partition,
                                            const struct ss_redis_key *key,
                                            struct ss_bytes expected, struct ss_bytes next,
                                            bool *done, struct ss_error *err);

/* Writes the ZADD of a save: buckets in the batch wake no later than the earliest of the puts. */
SS_MUST_USE enum ss_status ss_redis_write_wakes(struct ss_redis_store *redis,
                                                struct ss_redis_key *key, const struct ss_put *puts,
                                                struct ss_error *err);
/* The member that a cluster's set of wakes is known by. */
void ss_redis_put_own_wake(struct ss_redis_store *redis, const struct ss_redis_key *key);
/* Takes a checkpoint away that promises what is not there, if it still is the one expected:
 * SS_GIVE_UP with why. */
SS_MUST_USE enum ss_status ss_redis_fail_lost(struct ss_redis_store *redis, int32_t partition,
                                              const struct ss_redis_key *key,
                                              struct ss_bytes expected, struct ss_error *err);

/* A bucket's users, out of the answer to HGETALL; *lost where a cluster's bucket is without its own
 * field, and then nobody is delivered. */
void ss_redis_deliver_bucket(const struct ss_redis_store *redis, const redisReply *answer,
                             ss_store_scan_sink *sink, void *arg, bool *lost);

/* Runs a transaction of writes behind a watched checkpoint, as ss_redis_exec does. SS_GIVE_UP: it
 * has changed, and nothing was written. */
SS_MUST_USE enum ss_status ss_redis_exec_watched(struct ss_redis_store *redis, int32_t partition,
                                                 bool *partial, struct ss_error *err);

enum ss_status ss_redis_fail_other(int32_t partition, struct ss_error *err); /* SS_GIVE_UP */
enum ss_status ss_redis_fail_memory(struct ss_error *err);                   /* SS_STOP */

static inline uint32_t ss_redis_smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline struct ss_bytes ss_redis_bytes(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING)
        return (struct ss_bytes){0};
    return (struct ss_bytes){reply->str, (size_t)reply->len};
}

/* The operations of redis_load.c, redis_wipe.c, redis_wakes.c and redis_walk.c. */
enum ss_status ss_redis_wakes(struct ss_store *store, int32_t partition,
                              const struct ss_checkpoint *expect, int64_t until_ms, uint32_t nth,
                              struct ss_wake_group *out, ss_store_scan_sink *sink, void *arg,
                              struct ss_error *err);
enum ss_status ss_redis_rearm(struct ss_store *store, int32_t partition,
                              const struct ss_checkpoint *expect, uint32_t group, int64_t wake_ms,
                              struct ss_error *err);
enum ss_status ss_redis_walk(struct ss_store *store, int32_t partition,
                             const struct ss_checkpoint *expect, uint32_t from, uint32_t *next,
                             uint32_t *groups, ss_store_scan_sink *sink, void *arg,
                             struct ss_error *err);
enum ss_status ss_redis_load(struct ss_store *store, int32_t partition,
                             const struct ss_checkpoint *expect, const struct ss_bytes *user_ids,
                             size_t count, ss_store_sink *sink, void *arg, struct ss_error *err);
enum ss_status ss_redis_wipe(struct ss_store *store, int32_t partition,
                             const struct ss_checkpoint *shown, struct ss_error *err);
enum ss_status ss_redis_scan(struct ss_store *store, int32_t partition, ss_store_scan_sink *sink,
                             void *arg, struct ss_error *err);

#endif
