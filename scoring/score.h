/* score.h - from variables to a score. Pure; internal to scoring/ (apply.h has the public way). */
#ifndef SS_SCORING_SCORE_H
#define SS_SCORING_SCORE_H

#include "scoring/reasons.h"

/* Everything of *score but the reasons, and variables->worth, of which these are told. */
void ss_score_sum(const struct ss_model *model, struct ss_variables *variables, bool listed,
                  struct ss_score *score);

/* What follows from the factors' values, each of 0 to SS_VALUE_MAX: everything else of *score but
 * the reasons. */
void ss_score_add_up(const struct ss_model *model, bool listed, struct ss_score *score);

#endif
