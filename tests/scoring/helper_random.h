/* helper_random.h - numbers by chance that are the same in every run: splitmix64. */
#ifndef SS_TESTS_SCORING_HELPER_RANDOM_H
#define SS_TESTS_SCORING_HELPER_RANDOM_H

#include <stdint.h>

static inline uint64_t helper_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 to bound - 1. */
static inline int64_t helper_random_below(uint64_t *seed, int64_t bound)
{
    return (int64_t)(helper_random(seed) % (uint64_t)bound);
}

#endif
