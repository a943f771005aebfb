#include "state/redis_buckets.h"

#include "scoring/hash.h"
#include "state/pack_friends.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t ss_redis_bucket(struct ss_bytes key, uint32_t buckets)
{
    uint32_t friends = ss_is_friends_key(key);
    struct ss_text user_id = {(const char *)key.data + friends, (uint32_t)key.size - friends};
    /* Kafka's murmur2 has chosen the partition; FNV-1a knows nothing of it, so the buckets of one
     * partition fill evenly. Its high bits are weak for short keys: mix them before the modulo. */
    uint64_t hash = ss_hash64(user_id);
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15); /* 2^64 over the golden ratio */
    hash ^= hash >> 29;
    return (uint32_t)(hash % buckets) + friends * buckets;
}

void ss_redis_key_init(struct ss_redis_key *key, const char *prefix, int32_t partition)
{
    assert(strlen(prefix) <= SS_REDIS_PREFIX_MAX);
    key->start = (size_t)snprintf(key->text, sizeof key->text, "%s:{%d}:", prefix, partition);
    key->size = key->start;
}

void ss_redis_key_bucket(struct ss_redis_key *key, uint32_t bucket, uint32_t buckets)
{
    char *at = key->text + key->start;
    if (bucket >= buckets) {
        *at++ = 'x'; /* no hex digit */
        bucket -= buckets;
    }
    int shift = 28;
    while (shift > 0 && bucket >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[bucket >> shift & 15];
    key->size = (size_t)(at - key->text);
}

void ss_redis_key_checkpoint(struct ss_redis_key *key)
{
    memcpy(key->text + key->start, "cp", 2); /* no bucket's: p is no hex digit */
    key->size = key->start + 2;
}

void ss_redis_key_wakes(struct ss_redis_key *key)
{
    memcpy(key->text + key->start, "wk", 2); /* nor is w */
    key->size = key->start + 2;
}

bool ss_redis_batch_init(struct ss_redis_batch *batch, uint32_t buckets)
{
    *batch = (struct ss_redis_batch){.buckets = buckets};
    batch->chain_of = malloc(2 * buckets * sizeof *batch->chain_of);
    if (batch->chain_of)
        memset(batch->chain_of, 0xff, 2 * buckets * sizeof *batch->chain_of);
    return batch->chain_of != NULL;
}

void ss_redis_batch_reset(struct ss_redis_batch *batch)
{
    free(batch->chain_of);
    free(batch->chains);
    free(batch->next);
    *batch = (struct ss_redis_batch){0};
}

bool ss_redis_batch_begin(struct ss_redis_batch *batch, size_t count)
{
    for (size_t i = 0; i < batch->chain_count; i++)
        batch->chain_of[batch->chains[i].bucket] = -1;
    batch->chain_count = 0;
    if (count <= batch->capacity)
        return true;
    if (count > INT32_MAX)
        return false;
    size_t capacity = count + count / 2;
    struct ss_redis_chain *chains = realloc(batch->chains, capacity * sizeof *chains);
    if (chains)
        batch->chains = chains;
    uint32_t *next = realloc(batch->next, capacity * sizeof *next);
    if (next)
        batch->next = next;
    if (!chains || !next)
        return false;
    batch->capacity = capacity;
    return true;
}

void ss_redis_batch_add(struct ss_redis_batch *batch, uint32_t i, uint32_t bucket)
{
    int32_t chain = batch->chain_of[bucket];
    batch->next[i] = i; /* until another one follows */
    if (chain < 0) {
        batch->chain_of[bucket] = (int32_t)batch->chain_count;
        batch->chains[batch->chain_count++] = (struct ss_redis_chain){bucket, i, i, 1};
        return;
    }
    batch->next[batch->chains[chain].last] = i;
    batch->chains[chain].last = i;
    batch->chains[chain].count++;
}
