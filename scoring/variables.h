/* variables.h - what the folds say at a moment: one number for each variable, or that nothing is
 * known. The rules are docs/model.md's, "Variables". Pure; internal to scoring/. */
#ifndef SS_SCORING_VARIABLES_H
#define SS_SCORING_VARIABLES_H

#include "scoring/model.h"

struct ss_variables {
    int64_t value[SS_VAR_COUNT];
    bool known[SS_VAR_COUNT];
    int32_t worth[SS_VAR_COUNT]; /* of components: set by ss_score_sum (score.h) */
    bool overdue_alone; /* of bills, no more is known than that some are overdue: no good news */
};

/* At as_of_ms; open bills due by the earlier of it and clock_ms count as overdue. */
void ss_variables_compute(const struct ss_model *model, const struct ss_user_state *state,
                          int64_t as_of_ms, int64_t clock_ms, struct ss_variables *out);

#endif
