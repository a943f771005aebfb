/* backtest_internal.h - what the parts of a backtest share. Internal to audit/. */
#ifndef SS_AUDIT_BACKTEST_INTERNAL_H
#define SS_AUDIT_BACKTEST_INTERNAL_H

#include "audit/backtest.h"
#include "audit/backtest_people.h"

/* Over result->at_end, and over result->at_labels: all rows are there, in their order. */
SS_MUST_USE enum ss_status ss_backtest_compare(const struct ss_backtest_options *options,
                                               struct ss_backtest_result *result,
                                               struct ss_error *err);
SS_MUST_USE enum ss_status ss_backtest_describe(struct ss_backtest_result *result,
                                                struct ss_error *err);
SS_MUST_USE enum ss_status ss_backtest_measure(struct ss_backtest_result *result,
                                               struct ss_error *err);

/* The fold of the people that a side's model reads. */
static inline int ss_backtest_fold(const struct ss_backtest_result *result, int side)
{
    return result->refolded ? side : 0;
}

/* The index of a model's tier among its side's. */
int ss_backtest_tier(const struct ss_backtest_side_facts *side, const struct ss_tier *tier);

/* Sorted values at 0, 5, 25, 50, 75, 95 and 100 %. */
void ss_backtest_percent(const int32_t *sorted, size_t count, int32_t out[7]);

#endif
