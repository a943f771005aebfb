/* decay.h - exponential forgetting in whole days and integers. Source of the rule: docs/model.md,
 * "Decay". Pure. */
#ifndef SS_SCORING_DECAY_H
#define SS_SCORING_DECAY_H

#include "scoring/model.h"
#include "scoring/require.h"

/* Fills the table: f is the largest integer below 2^32 with power(f, half_life_days) <= 2^31, where
 * power multiplies by squaring and drops the low 32 bits each time; factor[d] = power(f, d).
 * half_life_days: 1 to SS_DECAY_DAYS_MAX. */
void ss_decay_init(struct ss_decay *decay, int32_t half_life_days);

/* What is left of 2^32 after `days` more days: 0 beyond SS_DECAY_DAYS_MAX; days below 0 count as 0.
 */
static inline uint64_t ss_decay_factor(const struct ss_decay *decay, int64_t days)
{
    if (days <= 0)
        return UINT64_C(1) << 32;
    return days > SS_DECAY_DAYS_MAX ? 0 : decay->factor[days];
}

/* value (>= 0, below 2^62) * factor / 2^32, rounded down: in two halves, so that 64 bits suffice.
 */
static inline int64_t ss_decay_with(uint64_t factor, int64_t value)
{
    SS_REQUIRE(value >= 0);
    uint64_t v = (uint64_t)value;
    return (int64_t)((v >> 32) * factor + (((v & UINT32_MAX) * factor) >> 32));
}

/* value after `days` more days. */
static inline int64_t ss_decay_by(const struct ss_decay *decay, int64_t value, int64_t days)
{
    return ss_decay_with(ss_decay_factor(decay, days), value);
}

/* Day number of a time, rounded towards the past. */
int32_t ss_day_of(int64_t time_ms);

#endif
