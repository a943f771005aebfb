/* rank_log.h - the histograms of `sesame-ranks`, as far as they are still there: what percentiles
 * are recomputed from (docs/model.md 7.13).
 *
 *   read once ──> shared by all threads ──> a cursor each: the sum of the last histogram of every
 *                                           partition below an offset
 *
 * 1. The topic is compacted, and nobody can see what was taken. At an offset the sum is known if
 *    each partition of which there is any histogram has one below: compaction takes the older one
 *    of two, never the newer. It is also known of a partition whose first histogram that is there
 *    is its first ever: that one counts the score records of the partition's first transaction,
 * with which an engine publishes it (consumer/transact_rank.c), and no more. A transaction ends
 * where offsets of `scores` are missing; the first one begins at 0, or, in a log that is there
 * from 0 on, behind those that were aborted. Where the next one read nothing more, so that
 * positions do not tell the two apart, the users that they count must.
 * 2. A record cites the offset behind the last histogram that was read: beyond the end of the topic
 *    there is none. Offsets with the same histograms below are as good as each other.
 *
 * In memory a histogram is what differs from the one before it in its partition.
 */
#ifndef SS_AUDIT_RANK_LOG_H
#define SS_AUDIT_RANK_LOG_H

#include "audit/source.h"

#include <stdatomic.h>

struct ss_rank_log;
struct ss_rank_cursor;

struct ss_rank_reading {
    struct ss_source *source;
    const atomic_bool *stop; /* may be NULL */
};

/* *log NULL: there is no such topic or file, or files without offsets. SS_STOP: it cannot be read,
 * or stopped. */
SS_MUST_USE enum ss_status ss_rank_log_read(const struct ss_rank_reading *reading,
                                            struct ss_rank_log **log, struct ss_error *err);
void ss_rank_log_close(struct ss_rank_log *log); /* NULL is fine */
size_t ss_rank_log_count(const struct ss_rank_log *log);
size_t ss_rank_log_bytes(const struct ss_rank_log *log);

/* The caller frees; NULL: out of memory. Cheap where offsets rise. One thread. */
struct ss_rank_cursor *ss_rank_cursor_open(const struct ss_rank_log *log);
void ss_rank_cursor_close(struct ss_rank_cursor *cursor); /* NULL is fine */

enum ss_rank_answer {
    SS_RANK_KNOWN,
    SS_RANK_NOBODY,     /* the histograms count nobody: a record has no percentile */
    SS_RANK_IMPOSSIBLE, /* the topic has never come to this offset */
    SS_RANK_GONE,       /* compaction may have taken what was summed; or it is not archived yet */
};
enum ss_rank_answer ss_rank_percentile_at(struct ss_rank_cursor *cursor, int64_t offset,
                                          int32_t score, int32_t *percentile);

/* A histogram of one partition. */
struct ss_rank_entry {
    int64_t offset;
    int64_t positions[SS_INPUT_COUNT];
    struct ss_histogram histogram;
};
/* A partition's histograms, one after the other. */
struct ss_rank_part {
    const struct ss_rank_log *log;
    int32_t partition;
    size_t next;
    struct ss_rank_entry entry;
};
void ss_rank_part_begin(struct ss_rank_part *part, const struct ss_rank_log *log,
                        int32_t partition);
/* The next one, in part->entry; false: there are no more. */
bool ss_rank_part_next(struct ss_rank_part *part);

#endif
