/* population_random.h - random numbers for a population: splitmix64 and whole numbers, so that
 * every machine draws the same. Internal to cli/population*. */
#ifndef SS_CLI_POPULATION_RANDOM_H
#define SS_CLI_POPULATION_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t ss_mix64(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t ss_random64(uint64_t *state)
{
    return ss_mix64(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/* 0 to below - 1; the bias is below one in 2^32 / below. */
static inline uint32_t ss_random_below(uint64_t *state, uint32_t below)
{
    return (uint32_t)(((ss_random64(state) >> 32) * below) >> 32);
}

static inline uint32_t ss_random_between(uint64_t *state, uint32_t from, uint32_t to)
{
    return from + ss_random_below(state, to - from + 1);
}

static inline bool ss_random_chance(uint64_t *state, uint32_t permille)
{
    return ss_random_below(state, 1000) < permille;
}

/* About exponential with a mean of 65536: -log2 of a uniform number, straight between powers of
 * two. */
static inline uint32_t ss_random_exponential(uint64_t *state)
{
    uint32_t r = (uint32_t)(ss_random64(state) >> 32) | 1;
    uint32_t zeros = (uint32_t)__builtin_clz(r);
    uint32_t fraction = (uint32_t)(((uint64_t)r << (zeros + 1) & UINT32_MAX) >> 16);
    return (uint32_t)(((uint64_t)((zeros + 1) << 16) - fraction) * 45426 >> 16);
}

#endif
