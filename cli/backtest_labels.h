/* backtest_labels.h - what became of people, from a CSV: user, time, outcome, one label a line.
 *
 * A first line that names these columns may give them in any order, among others; without it they
 * are the first three. Times as time_text.h reads them. Outcomes: 1, bad, true, yes, default or
 * defaulted is bad; 0, good, false, no, paid or ok is good; in any case. Nothing is passed over: a
 * line that cannot be read ends it, with its number.
 */
#ifndef SS_CLI_BACKTEST_LABELS_H
#define SS_CLI_BACKTEST_LABELS_H

#include "audit/backtest.h"

struct ss_labels {
    struct ss_backtest_label *list; /* borrows from `ids` */
    size_t count, capacity;
    struct ss_buffer ids;
};

/* SS_STOP: it cannot be read, or a line is no label. *labels is to be reset whatever comes out. */
SS_MUST_USE enum ss_status ss_labels_read(const char *path, struct ss_labels *labels,
                                          struct ss_error *err);
void ss_labels_reset(struct ss_labels *labels);

#endif
