/* blacklist_rejects.h - the rows that were rejected, as a CSV file: line, reason, and then the row
 * as it was, so that the file can be mended and imported in its turn (with --ignore-columns). A row
 * that is no CSV stands in one field of its own. One thread.
 */
#ifndef SS_CLI_BLACKLIST_REJECTS_H
#define SS_CLI_BLACKLIST_REJECTS_H

#include "cli/blacklist_csv.h"

struct ss_blacklist_rejects;

/* A new file with the header's columns behind ours; keep > 0: the file that is there, cut to that
 * size. SS_STOP: cannot be written, or is shorter than that. */
SS_MUST_USE enum ss_status ss_blacklist_rejects_open(const char *path, struct ss_text header,
                                                     int64_t keep,
                                                     struct ss_blacklist_rejects **rejects,
                                                     struct ss_error *err);
void ss_blacklist_rejects_add(struct ss_blacklist_rejects *rejects,
                              const struct ss_csv_record *record, const char *reason);
/* Makes sure that all is on the disk; how large it is by now. SS_STOP: it is not. */
SS_MUST_USE enum ss_status ss_blacklist_rejects_sync(struct ss_blacklist_rejects *rejects,
                                                     int64_t *size, struct ss_error *err);
void ss_blacklist_rejects_close(struct ss_blacklist_rejects *rejects); /* NULL is fine */

#endif
