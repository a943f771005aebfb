/* variables.h - what the folds say at a moment: one number for each variable, or that nothing is
 * known. The rules are docs/model.md's, "Variables". Pure; internal to scoring/. */
#ifndef SS_SCORING_VARIABLES_H
#define SS_SCORING_VARIABLES_H

#include "scoring/model.h"

struct ss_variables {
    int64_t value[SS_VAR_COUNT];
    bool known[SS_VAR_COUNT];
    int32_t worth[SS_VAR_COUNT]; /* of components with a weight: set by ss_score_sum (score.h) */
    bool overdue_alone; /* of bills, no more is known than that some are overdue: no good news */
};

/* At as_of_ms; open bills due by the earlier of it and clock_ms count as overdue. */
void ss_variables_compute(const struct ss_model *model, const struct ss_user_state *state,
                          int64_t as_of_ms, int64_t clock_ms, struct ss_variables *out);

/* y at x: linear between the points, rounded down, level beyond the ends. Inline: a score takes a
 * dozen of them. */
static inline int32_t ss_curve_at(const struct ss_curve *curve, int64_t x)
{
    int last = curve->count - 1;
    if (x <= curve->x[0])
        return curve->y[0];
    if (x >= curve->x[last])
        return curve->y[last];
    int i = 1;
    while (x >= curve->x[i])
        i++;
    /* within 64 bits: the loader keeps |x| to 10^12 and y to 10^6 */
    int64_t rise = (int64_t)(curve->y[i] - curve->y[i - 1]) * (x - curve->x[i - 1]);
    int64_t run = curve->x[i] - curve->x[i - 1];
    int64_t quotient = rise / run - (rise % run < 0); /* rounded down */
    return curve->y[i - 1] + (int32_t)quotient;
}

#endif
