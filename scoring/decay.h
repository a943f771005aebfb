/* decay.h - exponential forgetting in whole days and integers. Source of the rule: docs/model.md,
 * "Decay". Pure. */
#ifndef SS_SCORING_DECAY_H
#define SS_SCORING_DECAY_H

#include "scoring/model.h"

/* Fills the table: f is the largest integer below 2^32 with power(f, half_life_days) <= 2^31, where
 * power multiplies by squaring and drops the low 32 bits each time; factor[d] = power(f, d).
 * half_life_days: 1 to SS_DECAY_DAYS_MAX. */
void ss_decay_init(struct ss_decay *decay, int32_t half_life_days);

/* value (>= 0, below 2^62) after `days` more days: rounded down; 0 beyond SS_DECAY_DAYS_MAX; days
 * below 0 count as 0. */
int64_t ss_decay_by(const struct ss_decay *decay, int64_t value, int64_t days);

/* Day number of a time, rounded towards the past. */
int32_t ss_day_of(int64_t time_ms);

#endif
