/* batch.h - the batch in a worker's hand, between worker.c (the loop), intake.c (records to events)
 * and transact.c (events to a transaction). Internal to consumer/.
 */
#ifndef SS_CONSUMER_BATCH_H
#define SS_CONSUMER_BATCH_H

#include "consumer/dead_letter.h"
#include "consumer/partition.h"

/* One record of the batch in hand. */
struct ss_item {
    const struct ss_record *record;
    struct ss_partition *partition;
    struct ss_event event;
    struct ss_dead_letter letter; /* reason NULL: event is good */
};

struct ss_worker {
    struct ss_worker_config config;
    struct ss_partition **partitions; /* by number; NULL: not ours */
    struct ss_item *items;
    struct ss_bytes *missing; /* scratch of fetch */
    struct ss_buffer encoded;
    struct ss_worker_stats delta; /* of the transaction in hand; its lock is unused */
    int32_t mend_next;            /* where mend_partitions goes on, so that all get their turn */
    size_t batch_max; /* records of the next batch: fewer after a failed transaction, then more */
    bool retrying;    /* the last turn ended in SS_RETRY: said once */
};

/* Fills worker->items with what can be processed now; *taken records of the poll are covered by
 * them. SS_RETRY where the registry is away: the records from *taken on have to be put back. */
SS_MUST_USE enum ss_status ss_batch_intake(struct ss_worker *worker, const struct ss_poll *poll,
                                           size_t *count, size_t *taken, struct ss_error *err);

/* Puts the poll's records[from..] back: the bus delivers them again. */
SS_MUST_USE enum ss_status ss_batch_put_back(struct ss_worker *worker, const struct ss_poll *poll,
                                             size_t from, struct ss_error *err);

/* The item becomes a dead letter with this reason, instead of an event. */
void ss_item_reject(struct ss_item *item, const char *reason, const char *detail);

/* Applies the first `count` items and commits what comes of them in one transaction. Whatever
 * fails, nothing in memory is worth keeping after it. */
SS_MUST_USE enum ss_status ss_batch_transact(struct ss_worker *worker, size_t count,
                                             struct ss_error *err);

#endif
