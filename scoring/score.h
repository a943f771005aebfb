/* score.h - from variables to a score. Pure; internal to scoring/ (apply.h has the public way). */
#ifndef SS_SCORING_SCORE_H
#define SS_SCORING_SCORE_H

#include "scoring/reasons.h"

/* Everything of *score but the reasons, and variables->worth, of which these are told. */
void ss_score_sum(const struct ss_model *model, struct ss_variables *variables, bool listed,
                  struct ss_score *score);

/* The tier of a score, an index into the model's tiers. */
int ss_score_tier(const struct ss_model *model, int32_t score);

#endif
