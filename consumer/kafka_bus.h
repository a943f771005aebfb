/* kafka_bus.h - the bus over librdkafka: one worker's place in the consumer group and its
 * transactions.
 *
 * A bus holds five clients, each for what only it can do:
 *
 *   group     membership, rebalances, committed offsets; fetches nothing itself
 *   fetch     the inputs, read_committed, each partition started at an explicit offset
 *   producer  transactional; thrown away and made anew whenever an outcome is unknown
 *   restore   the changelog, read_committed, up to a given offset
 *   tail      the changelog's true high watermark, read_uncommitted
 *
 * Invariants
 * 1. A flow (one input of one partition) is started by open_partition or hold and stopped before
 * the partition is revoked or rewound; its queue is new after each of those, so no record of an
 * earlier assignment can come out of it. Beyond that each record is checked: open, and not below
 * `next`.
 * 2. Offsets are sent with the group metadata of the assignment that delivered the records, never
 * with one of another generation or of none. A stale worker's commit is refused by the broker
 * (promise 3).
 * 3. After a transaction that did not commit, every partition is given back (REVOKED, lost) and is
 *    assigned again only when no transaction of this worker is open any more: start() then reads
 * what Kafka says is committed (promise 1).
 * 4. blacklist and consents have queues of their own, drained before the others (promise 8).
 * 5. What waits in memory is bounded by fetch_bytes and produce_bytes (promise 9).
 *
 * A bus whose place in the group or transactional id is taken by another client (fenced) throws
 * group and producer away, waits for n times a tenth to three tenths of the session's timeout, and
 * joins anew. Fenced for the third time (n = 3), each within three session timeouts of the last, it
 * stops with SS_STOP: of two processes with the same group, instance and worker the older one does,
 * within six session timeouts. See kafka_fence.c.
 *
 * Threads: as bus.h says; librdkafka's own threads call only the logger.
 */
#ifndef SS_CONSUMER_KAFKA_BUS_H
#define SS_CONSUMER_KAFKA_BUS_H

#include "consumer/bus.h"
#include "consumer/kafka_access.h"

struct ss_kafka_config {
    struct ss_kafka_access access;
    const char *group, *instance; /* instance: unique per process within the group */
    int worker;                   /* index within the process */
    const char *inputs[SS_INPUT_COUNT];
    const char *targets[SS_TARGET_MAX]; /* NULL: no such subscriber */
    /* 0 stands for the default in parentheses */
    int session_timeout_ms;     /* (10,000) until a dead worker's partitions move */
    int transaction_timeout_ms; /* (10,000) until a dead worker's transaction is aborted; the
                                   broker's own interval of 10 s comes on top */
    int open_timeout_ms;        /* (30,000) for the cluster to answer at open */
    int restore_timeout_ms;     /* (60,000) without any progress in start or restore */
    int gather_ms;              /* (2) that a burst gets after its first record */
    size_t fetch_bytes;         /* (32 MiB) of fetched records in memory */
    size_t produce_bytes;       /* (32 MiB) of records not yet acknowledged */
    size_t record_bytes_max;    /* (11 MiB) of one produced record */
    /* librdkafka's mock cluster forgets the offsets of transactions and knows no static members:
     * commit offsets once more by themselves, join without instance id. Never for a real cluster.
     */
    bool mock;
    /* Statistics as librdkafka's JSON, if interval and function are set; called from within poll.
     */
    int statistics_interval_ms;
    void (*statistics)(void *arg, const char *client, const char *json, size_t size);
    void *statistics_arg;
};

/* Connects, checks that all topics are there with one partition count, and settles what an earlier
 * worker of this name left open. Copies the config. SS_RETRY: the cluster does not answer. SS_STOP:
 * topics missing or of unequal partition counts, a property refused; the detail says what to do. */
SS_MUST_USE enum ss_status ss_kafka_bus_open(const struct ss_kafka_config *config,
                                             struct ss_bus **bus, struct ss_error *err);

#endif
