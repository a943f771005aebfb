/* verify_report.h - what `sesame verify` finds, as text for people or as an object per line. */
#ifndef SS_CLI_VERIFY_REPORT_H
#define SS_CLI_VERIFY_REPORT_H

#include "audit/proof.h"

#include <stdio.h>

struct ss_verify_report {
    FILE *out;
    bool json, show_users;
    int64_t limit; /* differences to be shown; all are counted */
    int64_t shown, not_shown;
};

void ss_verify_report_difference(struct ss_verify_report *report,
                                 const struct ss_proof_difference *difference);
/* One partition's, or with -1 all of them. */
void ss_verify_report_result(struct ss_verify_report *report, int32_t partition,
                             const struct ss_proof_result *result, double seconds);

#endif
