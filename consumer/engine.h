/* engine.h - the whole engine of one process: a model, a registry, and a worker thread each with
 * its bus and store, wired from the config.
 *
 *   ss_engine_open ──> ss_engine_start ──> (ss_engine_stats, ss_engine_caught_up) ──>
 * ss_engine_stop ──> ss_engine_wait
 *
 * A worker that has to stop (SS_STOP) stops all the others too; they finish their batch and leave
 * the group. Threads: all functions from one thread, but for ss_engine_stop, which a signal handler
 * may call, and ss_engine_stopping, ss_engine_stats and ss_engine_workers, which any thread may
 * call between ss_engine_open and ss_engine_close.
 */
#ifndef SS_CONSUMER_ENGINE_H
#define SS_CONSUMER_ENGINE_H

#include "config/config.h"
#include "consumer/kafka_access.h"
#include "consumer/worker.h"

struct ss_engine;
struct ss_key_ring;

struct ss_engine_options {
    const struct ss_config *config; /* borrowed */
    bool mock;                      /* the broker is librdkafka's mock cluster */
    const char
        *taken_over; /* the group that is taken over, and has stopped; NULL: none; borrowed */
};

/* Loads the model, finds the outputs' schema ids. SS_STOP: model or config wrong, schemas not
 * registered (says which command does it); SS_RETRY: the registry does not answer. */
SS_MUST_USE enum ss_status ss_engine_open(const struct ss_engine_options *options,
                                          struct ss_engine **engine, struct ss_error *err);
SS_MUST_USE enum ss_status ss_engine_start(struct ss_engine *engine, struct ss_error *err);
void ss_engine_stop(struct ss_engine *engine); /* async-signal-safe */
bool ss_engine_stopping(const struct ss_engine *engine);
/* Waits for the workers; the first one's reason, if one had to stop. */
SS_MUST_USE enum ss_status ss_engine_wait(struct ss_engine *engine, struct ss_error *err);
void ss_engine_close(struct ss_engine *engine);

/* Sums over the workers; the lock of *out is not used. */
void ss_engine_stats(struct ss_engine *engine, struct ss_worker_stats *out);

/* Where one worker is. */
struct ss_engine_worker {
    bool ended; /* its thread is through */
    /* Since it last polled Kafka, which each turn of its loop does; before it is connected: since
     * it last tried to reach Redis or Kafka. */
    int64_t turn_age_ms;
    /* It has its place in the group: it owns partitions, or the group has shared them out and left
     * none for it. After Kafka took its partitions away it has none until it hears from the group
     * again. */
    bool joined;
    int32_t assigned, ready, caught_up, restoring; /* partitions, as in struct ss_worker_stats */
    int64_t restore_done, restore_total;           /* changelog offsets */
    int64_t restored_records, rebalances;
};

/* Fills out[0 … config->workers - 1]. */
void ss_engine_workers(struct ss_engine *engine, struct ss_engine_worker *out);

/* Every partition that this process owns has been read to where it ended when it was assigned, and
 * no partition is on its way. While others of the group own some, it takes ten quiet seconds to be
 * sure. */
bool ss_engine_caught_up(struct ss_engine *engine);

/* That of persons. */
const struct ss_model *ss_engine_model(const struct ss_engine *engine);

/* How the config says to reach Kafka, until ss_engine_access_close. The config is borrowed.
 * SS_STOP: it names no brokers, or a property that librdkafka does not know or take. */
SS_MUST_USE enum ss_status ss_engine_access_open(const struct ss_config *config,
                                                 struct ss_kafka_access *access,
                                                 struct ss_error *err);
/* The latter alone, also without brokers. */
SS_MUST_USE enum ss_status ss_engine_access_check(const struct ss_config *config,
                                                  struct ss_error *err);
void ss_engine_access_close(struct ss_kafka_access *access); /* all-zero is fine */
/* … and the registry. The config is borrowed. */
struct ss_registry_config ss_engine_registry(const struct ss_config *config);

/* The id of a topic's schema. SS_STOP: nobody has registered it; says which command does it. */
SS_MUST_USE enum ss_status ss_engine_find_schema(struct ss_registry *registry, const char *topic,
                                                 const char *json, uint32_t *id,
                                                 struct ss_error *err);

/* The keys that states are sealed with, as the config says; *keys is NULL where they are not. */
SS_MUST_USE enum ss_status ss_engine_keys(const struct ss_config *config, struct ss_key_ring **keys,
                                          struct ss_error *err);

/* Events consumed, over all inputs that others write to. */
int64_t ss_engine_consumed(const struct ss_worker_stats *stats);
/* Of these events: "accounted: consumed N = counted A + duplicate B + not-consented C +
 * dead-lettered D" */
void ss_engine_accounted(const struct ss_worker_stats *stats, char *out, size_t size);

#endif
