/* sim_random.h - the one source of chance of a seed: splitmix64. */
#ifndef SS_TESTS_SIM_RANDOM_H
#define SS_TESTS_SIM_RANDOM_H

#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 to bound - 1; bound is at least 1. */
static inline uint32_t sim_random_below(struct sim_random *random, uint32_t bound)
{
    return (uint32_t)((sim_random_next(random) >> 32) * bound >> 32);
}

#endif
