/* worker.h - the loop: polls, decodes, fetches states, applies, publishes, commits, writes the
 * store.
 *
 * A worker is one thread with a bus and a store of its own; workers share nothing but the model,
 * the registry and their statistics. Every edge is a table of functions (bus.h, store.h, ss_clock),
 * so that the same loop runs on Kafka and Redis, and in simulation.
 *
 *            ┌────────────────────────────────────────────────────────────┐
 *            v                                                            │
 *   poll ─> intake ─> fetch ─> apply: effects + changelog + offsets ─> commit ─> save to the store
 *              │         │                                                │           │
 *              └─ put back, try again later (SS_RETRY)                    │           └─ later,
 * pinned └─ the store is not what was left there: restore └─ aborted: all restarts from the
 * partition from the changelog                 what Kafka has committed
 *
 * docs/guarantees.md numbers the promises; the numbers in worker*.c are theirs.
 */
#ifndef SS_CONSUMER_WORKER_H
#define SS_CONSUMER_WORKER_H

#include "consumer/bus.h"
#include "consumer/ranks.h"
#include "schemas/registry.h"
#include "state/store.h"
#include "state/stored.h"

#include <pthread.h>
#include <stdatomic.h>

struct ss_clock {
    int64_t (*now_ms)(void *arg); /* since 1970 */
    void *arg;
};

struct ss_worker_limits {
    size_t batch_records_max;     /* of one transaction */
    int batch_wait_ms;            /* how long a poll waits for the first record */
    size_t cache_bytes_max;       /* of packed states, over all partitions of the worker */
    size_t event_bytes_max;       /* a larger value is dead-lettered undecoded */
    size_t dead_letter_bytes_max; /* a larger record is recorded by coordinates and hash */
    int64_t future_tolerance_ms;
    int64_t delete_retention_ms; /* of the changelog: how old a checkpoint may be (half of it) */
    int retry_ms;                /* pause after SS_RETRY */
    bool event_time;             /* time passes with the events alone: studies of the past */
    int wake_interval_ms;      /* how often who is to be woken is looked for, while some are due */
    int64_t heartbeat_ms;      /* a changelog partition gets a mark that often; 0: never */
    int64_t ranks_interval_ms; /* a partition publishes its histogram that often, if it changes */
    size_t sweep_users_max;    /* told of a new model in one transaction; 0: 500 */
    size_t restore_save_records; /* states a restore gathers before it saves; 0: 50,000 */
};

/* Counts of one run. Written by the worker after each commit, read by any thread. */
struct ss_worker_stats {
    pthread_mutex_t lock;
    struct ss_counts counts[SS_INPUT_COUNT];
    int64_t score_records, entitlements, transactions;
    int64_t shared_records;    /* to subscribers, tombstones included */
    int64_t rescored;          /* of the score records: of kind RESCORE */
    int64_t neighbour_records; /* what friends are told */
    int64_t restored_records;  /* changelog records read by restores */
    int32_t restoring;         /* partitions now being restored */
    int64_t restore_done;      /* changelog offsets behind these restores, */
    int64_t restore_total;     /* and in their ranges altogether; both 0 when none is in hand */
    int32_t assigned;          /* partitions owned */
    int32_t ready;             /* of these, restored and flowing */
    int32_t caught_up;         /* of these, everything read that was there at assignment */
    int32_t sweeping;          /* of these, some may not have been told of a new model yet */
    int64_t rebalances;
};

/* A subscriber's topic is the target SS_TO_SUBSCRIBERS + its index. */
struct ss_worker_subscriber {
    uint32_t hash; /* ss_subscriber_hash: no two alike */
    uint32_t schema_id;
    uint32_t fields; /* SS_FIELD_BIT */
};

struct ss_worker_config {
    int index; /* names the worker in logs */
    /* That the bus joins: of at most SS_GROUP_MAX - 1 letters. Each mark names it, and a partition
     * whose newest mark names another is not taken over. */
    const char *group;
    const char *taken_over; /* but from that group it is, which has stopped; NULL: from none */
    struct ss_bus *bus;
    struct ss_store *store;
    struct ss_registry *registry;
    struct ss_ranks *ranks; /* NULL: records say nothing of ranks, no histogram is published */
    struct ss_models models;
    struct ss_keys *keys; /* of the stored states, this worker's; NULL: they are not sealed */
    /* Where models are replaced while the engine runs: the newest pair, which outlives the worker.
     * Looked at between transactions; a pair that is older than the last is not gone back to. NULL:
     * `models` always. */
    const struct ss_models *(*live)(void *arg);
    void *live_arg;
    uint32_t schema_ids[SS_OUTPUT_COUNT];
    uint32_t neighbours_schema_id;
    struct ss_worker_subscriber subscribers[SS_SUBSCRIBERS_MAX];
    int subscriber_count;
    const char *topics[SS_INPUT_COUNT]; /* names, for dead letters' headers */
    struct ss_clock clock;
    struct ss_worker_limits limits;
    struct ss_worker_stats *stats;
    atomic_bool *stop; /* set by anybody: the batch in hand is finished, then the worker returns */
};

struct ss_worker;

/* Borrows everything in *config. SS_STOP: out of memory. */
SS_MUST_USE enum ss_status ss_worker_open(const struct ss_worker_config *config,
                                          struct ss_worker **worker, struct ss_error *err);
/* Runs until *stop, or until SS_STOP with the reason; SS_OK after *stop. */
SS_MUST_USE enum ss_status ss_worker_run(struct ss_worker *worker, struct ss_error *err);
/* Before a clean close: commits how far the inputs were passed behind their last records, so that
 * retention may take all of it meanwhile. ss_worker_run has done it when it returns SS_OK. Whatever
 * fails, nothing is lost. */
SS_MUST_USE enum ss_status ss_worker_leave(struct ss_worker *worker, struct ss_error *err);
/* One turn of the loop, for drivers that bring their own: *idle if nothing was there to do. */
SS_MUST_USE enum ss_status ss_worker_step(struct ss_worker *worker, bool *idle,
                                          struct ss_error *err);
void ss_worker_close(struct ss_worker *worker);

#endif
