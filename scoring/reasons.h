/* reasons.h - which components cost a user most, under stable codes. Pure; internal to scoring/. */
#ifndef SS_SCORING_REASONS_H
#define SS_SCORING_REASONS_H

#include "scoring/output.h"
#include "scoring/variables.h"

/* Fills score->reasons from what each component falls short of its best value; docs/model.md,
 * "Reasons". ss_score_sum must have filled the rest of both. */
void ss_reasons_rank(const struct ss_model *model, const struct ss_variables *variables,
                     struct ss_score *score);

#endif
