/* rank.h - where a score stands among all that are published: the percentile of a record.
 *
 * A histogram counts the users of one partition by their last published score, listed ones
 * included: it is the fold of the partition's score records. A table is the sum of histograms, and
 * a percentile a function of score and table alone (docs/model.md 7.13). Pure; any thread.
 */
#ifndef SS_SCORING_RANK_H
#define SS_SCORING_RANK_H

#include "scoring/output.h"

enum {
    SS_SCORE_COUNT = SS_SCORE_MAX - SS_SCORE_MIN + 1,
    SS_PERCENTILE_MAX = 10000, /* hundredths of a percent */
};

struct ss_histogram {
    uint32_t users[SS_SCORE_COUNT]; /* of each score, from SS_SCORE_MIN on */
};

/* below[i]: users whose score is less than SS_SCORE_MIN + i; the last one: all. */
struct ss_rank_table {
    int64_t below[SS_SCORE_COUNT + 1];
};

/* The record's user leaves the score before and comes to the new one, as far as there are any.
 * false: nobody has the score before, so the histogram is not that of these records. */
bool ss_histogram_move(struct ss_histogram *histogram, const struct ss_score_record *record);
bool ss_histogram_empty(const struct ss_histogram *histogram);

/* Of the sums of histograms: users of each score. */
void ss_rank_table_init(struct ss_rank_table *table, const int64_t users[SS_SCORE_COUNT]);

/* The share of all users who have a lower score, in hundredths of a percent, rounded down; -1 where
 * the table counts nobody. */
int32_t ss_rank_percentile(const struct ss_rank_table *table, int32_t score);

/* Sets what the record says of its rank; `offset` is what the table was summed up to. */
void ss_rank_record(const struct ss_rank_table *table, int64_t offset,
                    struct ss_score_record *record);

#endif
