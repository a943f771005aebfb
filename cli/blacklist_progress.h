/* blacklist_progress.h - how far an import has come, in a small file of its own.
 *
 * 1. What it says was acknowledged by the broker before it was written, so that going on there
 *    leaves no row out. Rows behind it may have been sent too, and are sent again.
 * 2. It is replaced whole: a crash leaves the old one or the new one.
 * 3. It belongs to one content (size, and a digest of all bytes before the offset), one cluster and
 *    one topic.
 *
 * One thread.
 */
#ifndef SS_CLI_BLACKLIST_PROGRESS_H
#define SS_CLI_BLACKLIST_PROGRESS_H

#include "cli/blacklist_csv.h"

struct ss_blacklist_progress {
    char cluster[128], topic[256];
    int64_t size, offset, line;
    uint8_t digest[SS_CSV_DIGEST_SIZE];
    int64_t rows, published, rejected;
    char rejects[4096]; /* which file keeps the rejected rows; "" none */
    int64_t rejects_bytes;
};

/* *found is false if there is none. SS_STOP: it cannot be read, or is none of ours. */
SS_MUST_USE enum ss_status ss_blacklist_progress_load(const char *path,
                                                      struct ss_blacklist_progress *progress,
                                                      bool *found, struct ss_error *err);
SS_MUST_USE enum ss_status ss_blacklist_progress_save(const char *path,
                                                      const struct ss_blacklist_progress *progress,
                                                      struct ss_error *err);

#endif
