/* explain.h - one score record in a few lines, for the demo: factor by factor, and what keeps it
 * from being higher. `sesame explain` says all of it: audit/explain.h. */
#ifndef SS_CLI_EXPLAIN_H
#define SS_CLI_EXPLAIN_H

#include "schemas/output_view.h"

#include <stdio.h>

/* Some ten lines. Nothing but a line for a record without a score (OPT_OUT). */
void ss_explain_score(FILE *out, const struct ss_score_view *view);

#endif
