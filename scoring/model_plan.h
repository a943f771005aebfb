/* model_plan.h - what all scores of a model share, computed once, and how it is read.
 *
 * ss_model_prepare is the last step of making a model, and of changing one: without it scoring
 * stops the process. The numbers that are read from a plan are exactly those of docs/model.md;
 * divisions have become multiplications with the quotient of two numbers of the model, a / b, in
 * units small enough and rounded up. The product with an n of the user is then too great by less
 * than n units. Where n * a / b is not whole, it lies 1 / b or more below the next whole number: as
 * long as n units are no more than that, rounding the product down gives floor(n * a / b).
 *
 * 1. Shares: in units of 2^-40, and n * b is at most 2^40.
 * 2. Slopes of curves: in units of 2^-86, n is a distance of less than b, and b less than 2^41.
 *
 * Pure; any thread. Internal to scoring/, but for ss_model_prepare.
 */
#ifndef SS_SCORING_MODEL_PLAN_H
#define SS_SCORING_MODEL_PLAN_H

#include "scoring/model.h"
#include "scoring/require.h"

/* Requires the bounds of docs/model.md 1.9. */
void ss_model_prepare(struct ss_model *model);

static inline const struct ss_model_plan *ss_model_plan_of(const struct ss_model *model)
{
    SS_REQUIRE(model->plan.ready);
    return &model->plan;
}

/* ---- shares ---- */

enum { SS_SHARE_BITS = 40 };

/* For n from 0 to n_max. */
static inline uint64_t ss_share_prepare(uint64_t a, uint64_t b, uint64_t n_max)
{
    const uint64_t one = UINT64_C(1) << SS_SHARE_BITS;
    SS_REQUIRE(b > 0 && n_max <= one / b && a <= UINT64_MAX / one - 1);
    const uint64_t share = (a * one + b - 1) / b;
    SS_REQUIRE(n_max == 0 || share <= UINT64_MAX / n_max);
    return share;
}

static inline int32_t ss_share_of(uint64_t share, int64_t n)
{
    return (int32_t)((uint64_t)n * share >> SS_SHARE_BITS);
}

/* ---- curves ---- */

enum { SS_SLOPE_BITS = 22 };

void ss_curve_prepare(const struct ss_curve *curve, struct ss_plan_curve *plan);

/* One step of a search, as a sum and not as a choice: compilers make a branch of that, which is
 * guessed wrong every other time. */
static inline const struct ss_plan_stretch *ss_plan_skip(const struct ss_plan_stretch *at,
                                                         int stretches, int64_t x)
{
    return at + (ptrdiff_t)(at[stretches].from <= x) * stretches;
}

/* y at x: linear between the points, rounded down, level beyond the ends. */
static inline int32_t ss_curve_at(const struct ss_plan_curve *curve, int64_t x)
{
    const struct ss_plan_stretch *at = curve->stretches;
    if (curve->many) {
        at = ss_plan_skip(at, 16, x);
        at = ss_plan_skip(at, 8, x);
    }
    at = ss_plan_skip(at, 4, x);
    at = ss_plan_skip(at, 2, x);
    at = ss_plan_skip(at, 1, x);
    const uint64_t distance = (uint64_t)x - (uint64_t)at->from;
    const uint64_t remainder = (uint64_t)((unsigned __int128)distance * at->remainder >> 64);
    /* 64 bits hold it, since a stretch rises by 10^6 at most; >> of what falls rounds down too */
    const int64_t risen = (int64_t)(distance * (uint64_t)at->rise + remainder);
    return (int32_t)(at->base + (risen >> SS_SLOPE_BITS));
}

/* ---- tiers ---- */

static inline int ss_tier_of(const struct ss_model_plan *plan, int32_t score)
{
    int tier = 0;
    for (int i = 1; i < SS_TIERS_MAX; i++)
        tier += score >= plan->tiers_from[i];
    return tier;
}

#endif
