/* ranks.h - the last histogram of every partition, as a process knows them from `sesame-ranks`, and
 * their sum.
 *
 * One thread takes the records of the topic in their order; workers look. What a worker sees is the
 * sum of all that was taken, and the offset behind the last of it: with that offset anybody can sum
 * the same (docs/model.md 7.13). Threads: any.
 */
#ifndef SS_CONSUMER_RANKS_H
#define SS_CONSUMER_RANKS_H

#include "schemas/codec.h"

struct ss_ranks;

/* A worker's view of them. Zeroed at the beginning. */
struct ss_ranks_view {
    int64_t version; /* of the table, as long as the process lives */
    int64_t offset;  /* next offset of the topic */
    struct ss_rank_table table;
};

SS_MUST_USE enum ss_status ss_ranks_open(struct ss_ranks **ranks, struct ss_error *err);
void ss_ranks_close(struct ss_ranks *ranks); /* NULL is fine */

/* The record at `offset`. What is no histogram is passed over, with SS_DROP. */
SS_MUST_USE enum ss_status ss_ranks_take(struct ss_ranks *ranks, int64_t offset,
                                         struct ss_bytes value, struct ss_error *err);
/* The topic was made anew: nothing is known of any partition. */
void ss_ranks_clear(struct ss_ranks *ranks);
/* All that was in the topic when reading began has been taken. */
void ss_ranks_set_ready(struct ss_ranks *ranks);

/* Brings *view up to date; false: not ready yet. */
bool ss_ranks_look(struct ss_ranks *ranks, struct ss_ranks_view *view);
/* Whether a histogram of the partition was taken. */
bool ss_ranks_has(struct ss_ranks *ranks, int32_t partition);

#endif
