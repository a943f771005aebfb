/* blacklist_import.h - from a court's list in a file to the blacklist topic.
 *
 *   read a row ──> check it ──> send it ──> … every two seconds: wait for the broker's word on all
 *       │             └──> rejected           that was sent, then write down how far that is
 *       └──> a signal, or too many rejected: the same, and end
 *
 * 1. The progress file never says more than the broker has acknowledged (blacklist_progress.h).
 * 2. A row's event has the same id each time, so that sending one again changes nothing as long as
 *    the id is in the user's duplicate window, and a case that is listed already is not listed
 *    again in any case (docs/blacklist.md).
 * 3. Memory does not depend on the file's size.
 *
 * One thread, but for *stop.
 */
#ifndef SS_CLI_BLACKLIST_IMPORT_H
#define SS_CLI_BLACKLIST_IMPORT_H

#include "base/bytes.h"
#include "config/config.h"

#include <stdatomic.h>

struct ss_blacklist_import {
    const char *path;
    const char *progress_path; /* where progress is kept */
    const char *rejects_path;  /* NULL: rejected rows are told on standard error */
    int64_t rejects_max;       /* ends once more than that were rejected; INT64_MAX: never */
    bool ignore_columns, restart, dry_run;
    atomic_bool *stop;
};

enum ss_blacklist_end {
    SS_BLACKLIST_COMPLETE,
    SS_BLACKLIST_REJECTED_TOO_MANY,
    SS_BLACKLIST_STOPPED,     /* a signal */
    SS_BLACKLIST_UNDELIVERED, /* *err says why; to be run again */
};

struct ss_blacklist_result {
    enum ss_blacklist_end end;
    int64_t rows, published, rejected; /* of the whole file, earlier runs included */
    int64_t rows_before;               /* by earlier runs */
    double seconds;                    /* from the first row of this run to the last */
};

/* SS_OK: *result says how far it came. Else it could not begin, or could not go on for a reason
 * that does not pass; SS_RETRY: a dependency is away. */
SS_MUST_USE enum ss_status ss_blacklist_import(const struct ss_blacklist_import *options,
                                               const struct ss_config *config,
                                               struct ss_blacklist_result *result,
                                               struct ss_error *err);

#endif
