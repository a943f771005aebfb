#include "consumer/partitioner.h"

#include <assert.h>

int32_t ss_partition_hash(struct ss_bytes key)
{
    const uint32_t multiplier = 0x5bd1e995u;
    const uint8_t *byte = key.data;
    size_t left = key.size;
    uint32_t hash = 0x9747b28cu ^ (uint32_t)key.size;

    for (; left >= 4; left -= 4, byte += 4) {
        uint32_t k = (uint32_t)byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 |
                     (uint32_t)byte[3] << 24;
        k *= multiplier;
        k ^= k >> 24;
        k *= multiplier;
        hash = hash * multiplier ^ k;
    }
    if (left > 0) {
        for (size_t i = 0; i < left; i++)
            hash ^= (uint32_t)byte[i] << 8 * i;
        hash *= multiplier;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    hash ^= hash >> 15;
    return (int32_t)hash;
}

int32_t ss_partition_of(struct ss_bytes key, int32_t partition_count)
{
    assert(partition_count > 0);
    return (ss_partition_hash(key) & INT32_MAX) % partition_count;
}
