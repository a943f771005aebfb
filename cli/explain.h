/* explain.h - a score record in plain words: factor by factor, and what keeps it from being higher.
 */
#ifndef SS_CLI_EXPLAIN_H
#define SS_CLI_EXPLAIN_H

#include "schemas/output_view.h"

#include <stdio.h>

/* Some ten lines. Nothing but a line for a record without a score (OPT_OUT). */
void ss_explain_score(FILE *out, const struct ss_score_view *view);

/* "bills paid late or still unpaid" for LATE_BILLS; the code itself if it is not known here. */
struct ss_text ss_explain_reason(struct ss_text code);
const char *ss_explain_factor(enum ss_factor factor); /* static text */

#endif
