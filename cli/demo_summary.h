/* demo_summary.h - the demo's closing account: what was produced, what became of it, what
 * subscribers saw; three books kept independently, compared. */
#ifndef SS_CLI_DEMO_SUMMARY_H
#define SS_CLI_DEMO_SUMMARY_H

#include "cli/demo_watch.h"
#include "cli/sender.h"
#include "consumer/engine.h"

struct ss_demo_books {
    const struct ss_demo_watch *watch;
    const struct ss_sender_counts *produced;
    const struct ss_worker_stats *engine;
};

/* Prints to standard output, the reasons on standard error where the books do not agree: false
 * then. */
bool ss_demo_summarise(const struct ss_demo_books *books);

#endif
