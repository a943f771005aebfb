/* helper_worker.h - a worker on a bus in memory and a store in memory, driven step by step, and
 * what must hold whenever it has come to rest. */
#ifndef SS_TESTS_CONSUMER_HELPER_WORKER_H
#define SS_TESTS_CONSUMER_HELPER_WORKER_H

#include "consumer/worker.h"
#include "helper_flaky_store.h"
#include "helper_memory_bus.h"

#include <jansson.h>

#define RIG_TIME INT64_C(1767225600000) /* 2026-01-01, when events begin */

struct rig {
    struct memory_bus *memory;
    struct flaky_store *flaky;
    struct ss_store *store; /* the flaky one's handle */
    struct ss_registry *registry;
    struct ss_ranks *ranks; /* what the process has read of the histograms: before each step, all */
    int64_t ranks_next;
    struct ss_worker_stats stats;
    struct ss_worker_config config;
    struct ss_worker *worker;
    atomic_bool stop;
    int64_t now_ms;
    int64_t record_time_ms; /* of what rig_send sends; RIG_TIME and a day unless changed */
    int events;             /* made so far: each has an id of its own */
};

/* No histogram is published unless config.limits.ranks_interval_ms is set lower. */
void rig_open(struct rig *rig, int32_t partition_count);
void rig_close(struct rig *rig);
/* The worker's process ends and a new one begins; statistics start anew. */
void rig_restart(struct rig *rig);

/* What a worker does last before it stops. */
enum ss_status rig_leave(struct rig *rig);
enum ss_status rig_step(struct rig *rig, bool *idle, struct ss_error *err);
/* Steps until nothing is left to do. SS_RETRY and SS_GIVE_UP are tried again, their count is
 * returned; SS_STOP fails the test. */
int rig_run(struct rig *rig);
/* Steps until SS_STOP, whose detail must contain the text. */
void rig_run_to_stop(struct rig *rig, const char *text);

/* The nth user (from 0) whose records belong to a partition. The text stays. */
const char *rig_user(const struct rig *rig, int32_t partition, int n);

/* Events one second apart, at RIG_TIME and after; ids are "e1", "e2", …. */
struct ss_event rig_event(struct rig *rig, enum ss_input input, const char *user_id);
struct ss_event rig_payment(struct rig *rig, const char *user_id, int64_t amount_minor);
struct ss_event rig_bill(struct rig *rig, const char *user_id, enum ss_bill_status status,
                         const char *bill_id);
struct ss_event rig_consent(struct rig *rig, const char *user_id, enum ss_consent_action action);
struct ss_event rig_listing(struct rig *rig, const char *user_id, enum ss_listing_action action,
                            const char *case_id);

/* Appends an event to its input, in its user's partition; returns the offset. */
int64_t rig_send(struct rig *rig, struct ss_event event);
/* Its bytes in the wire format; the caller frees. */
struct ss_bytes rig_encode(const struct ss_event *event);

/* A value in the wire format; the caller decrefs. */
json_t *rig_json(struct rig *rig, struct ss_bytes value);
/* Everything of a target that subscribers see, as a JSON array of values; the caller decrefs. */
json_t *rig_values(struct rig *rig, enum ss_target target, int32_t partition);
/* The last score that was published of a user; 0 if none. */
int rig_last_score(struct rig *rig, const char *user_id);

/* The newest committed mark of a partition; false: none. */
bool rig_mark(struct rig *rig, int32_t partition, struct ss_mark *mark, int64_t *offset);
/* Its counts of an input, in partition 0. */
struct ss_counts rig_counts(struct rig *rig, enum ss_input input);
/* Whatever a store shows of its partitions is gone. */
void wipe_partitions(struct ss_store *store, int32_t count);
/* Whether the store holds a state of the user. */
bool rig_stored(struct rig *rig, const char *user_id);

/* What must hold at rest: all records of all inputs are counted once, outcomes add up to what was
 * consumed (promise 6), the committed offsets are the mark's positions, each dead letter is there
 * once, each user's sequence numbers have no gap, and store and changelog hold the same. */
void rig_check(struct rig *rig);

#endif
