/* reasons.h - which components cost a user most, under stable codes. Pure; internal to scoring/. */
#ifndef SS_SCORING_REASONS_H
#define SS_SCORING_REASONS_H

#include "scoring/output.h"
#include "scoring/variables.h"

/* Fills score->reasons from what each component falls short of its best value; docs/model.md,
 * "Reasons". score->listed, score and full_score must be set. */
void ss_reasons_rank(const struct ss_model *model, const struct ss_variables *variables,
                     struct ss_score *score);

/* The weighted value of a component: its curve's, or the neutral one. */
int32_t ss_component_value(const struct ss_model *model, const struct ss_variables *variables,
                           enum ss_variable variable);

#endif
