/* redis_buckets.h - which hash a user is in, the keys, and a batch of users sorted by bucket.
 * Internal to state/; includes no hiredis. */
#ifndef SS_STATE_REDIS_BUCKETS_H
#define SS_STATE_REDIS_BUCKETS_H

#include "base/bytes.h"

enum { SS_REDIS_PREFIX_MAX = 64, SS_REDIS_KEY_MAX = 112, SS_REDIS_BUCKETS_MAX = 1 << 20 };

/* Of a user: 0 to buckets - 1; of a friends record (state/pack_friends.h), which would spoil the
 * compact form of the users' hashes: buckets to 2 * buckets - 1. Part of the data's identity, as
 * the number of buckets is. */
uint32_t ss_redis_bucket(struct ss_bytes key, uint32_t buckets);

/* A key under construction: everything up to the part that names a bucket or the checkpoint. */
struct ss_redis_key {
    char text[SS_REDIS_KEY_MAX];
    size_t start, size;
};
void ss_redis_key_init(struct ss_redis_key *key, const char *prefix, int32_t partition);
void ss_redis_key_bucket(struct ss_redis_key *key, uint32_t bucket, uint32_t buckets);
void ss_redis_key_checkpoint(struct ss_redis_key *key);
void ss_redis_key_wakes(struct ss_redis_key *key);

/* A batch: its users in chains, one for each bucket that occurs. */
struct ss_redis_chain {
    uint32_t bucket, first, last, count; /* first and last: indexes of users */
};
struct ss_redis_batch {
    uint32_t buckets;
    int32_t *chain_of; /* by bucket: index into chains, -1 where none */
    struct ss_redis_chain *chains;
    size_t chain_count;
    uint32_t *next; /* by user: the next one of the same bucket; itself at a chain's last */
    size_t capacity;
};

/* false: out of memory. */
SS_MUST_USE bool ss_redis_batch_init(struct ss_redis_batch *batch, uint32_t buckets);
void ss_redis_batch_reset(struct ss_redis_batch *batch);
/* Empties the batch and makes room for count users, which then are added as 0, 1, 2, … */
SS_MUST_USE bool ss_redis_batch_begin(struct ss_redis_batch *batch, size_t count);
void ss_redis_batch_add(struct ss_redis_batch *batch, uint32_t i, uint32_t bucket);

#endif
