/* helper_memory_bus.h - Kafka for unit tests of the worker: logs in memory, and a bus on them.
 *
 * The logs (inputs, outputs, committed offsets) outlive every session of a worker, as a cluster
 * does. Like on Kafka, a committed transaction ends with a marker in each partition it wrote to, an
 * aborted one leaves its records and a marker as gaps, and every failed transaction takes all
 * partitions back: REVOKED with lost, then ASSIGNED.
 *
 * Records are delivered in the order of enum ss_input, so that what must wait for the consents
 * comes first unless it is held.
 */
#ifndef SS_TESTS_CONSUMER_HELPER_MEMORY_BUS_H
#define SS_TESTS_CONSUMER_HELPER_MEMORY_BUS_H

#include "consumer/bus.h"
#include "helper_memory_log.h"

enum memory_op {
    MEMORY_POLL,
    MEMORY_START,
    MEMORY_RESTORE,
    MEMORY_NEWEST_GROUP,
    MEMORY_OPEN,
    MEMORY_HOLD,
    MEMORY_REWIND,
    MEMORY_BEGIN,
    MEMORY_PRODUCE,
    MEMORY_COMMIT,
    MEMORY_ABORT,
    MEMORY_OFFSET,
    MEMORY_MARK,
    MEMORY_OP_COUNT
};

struct memory_bus;

struct memory_bus *memory_bus_new(int32_t partition_count);
void memory_bus_free(struct memory_bus *memory);
struct ss_bus *memory_bus_handle(struct memory_bus *memory);

/* Appends to an input; returns the offset. Everything is copied. */
int64_t memory_bus_append(struct memory_bus *memory, enum ss_input input, int32_t partition,
                          struct ss_bytes key, struct ss_bytes value, int64_t timestamp_ms,
                          const struct ss_header *headers, size_t header_count);
/* Appends what is never delivered: an aborted record and its marker. */
void memory_bus_append_gap(struct memory_bus *memory, enum ss_input input, int32_t partition);
/* Retention takes all that is in an input. */
void memory_bus_cut(struct memory_bus *memory, enum ss_input input, int32_t partition);
/* Appends a committed record (and no marker) to a target, as somebody else might. */
void memory_bus_append_target(struct memory_bus *memory, enum ss_target target, int32_t partition,
                              struct ss_bytes key, struct ss_bytes value);

/* Ends the worker's session; the next one is assigned everything anew. */
void memory_bus_restart(struct memory_bus *memory);
/* Takes one partition away: REVOKED at the next poll; memory_bus_assign brings it back. */
void memory_bus_revoke(struct memory_bus *memory, int32_t partition);
void memory_bus_assign(struct memory_bus *memory, int32_t partition);

/* Delivers an input again from its beginning, as a rewound consumer may. */
void memory_bus_redeliver(struct memory_bus *memory, enum ss_input input, int32_t partition);

/* A way in which a call fails. */
struct memory_failure {
    enum memory_op op;
    enum ss_status status;
    bool late;
    const char *name;
};
enum { MEMORY_TRANSACTION_FAILURES = 8 };
/* All those of a transaction's calls. */
extern const struct memory_failure memory_transaction_failures[MEMORY_TRANSACTION_FAILURES];

/* The nth call of an op from now on (1: the next one) fails with `status` and does nothing; with
 * `late` it does its work and fails after it. Replaces an earlier plan for the same op. */
void memory_bus_fail(struct memory_bus *memory, enum memory_op op, int nth, enum ss_status status,
                     bool late);
/* How often an op was called. */
int memory_bus_calls(const struct memory_bus *memory, enum memory_op op);

/* Records with more bytes (key, value, headers) are refused with SS_DROP. */
void memory_bus_set_record_max(struct memory_bus *memory, size_t bytes);
/* At most this many records a poll; 0: the worker's own limit. */
void memory_bus_set_poll_max(struct memory_bus *memory, size_t records);
/* The broker's clock, for the marks. */
void memory_bus_set_time(struct memory_bus *memory, int64_t now_ms);

/* The log of an input, a target. */
const struct memory_log *memory_bus_input(const struct memory_bus *memory, enum ss_input input,
                                          int32_t partition);
const struct memory_log *memory_bus_target(const struct memory_bus *memory, enum ss_target target,
                                           int32_t partition);
/* Committed next offset; -1: none. May be set, as an operator resets a group. */
int64_t *memory_bus_committed(struct memory_bus *memory, enum ss_input input, int32_t partition);
/* Empties the log of a target: the topic was deleted and made anew. */
void memory_bus_truncate(struct memory_bus *memory, enum ss_target target, int32_t partition);

#endif
