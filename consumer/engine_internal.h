/* engine_internal.h - an engine from inside. engine.c opens it, starts and joins its threads;
 * engine_models.c is the thread that follows the live model, engine_worker.c those of the workers,
 * engine_stats.c tells anybody how they do.
 *
 * Threads: what is neither atomic nor behind a lock is written before the threads start, or by the
 * one that it belongs to and read once that has been joined; rebalances_seen and quiet_since_ms are
 * of whoever calls ss_engine_caught_up. Internal to consumer/engine*.c.
 */
#ifndef SS_CONSUMER_ENGINE_INTERNAL_H
#define SS_CONSUMER_ENGINE_INTERNAL_H

#include "config/models.h"
#include "consumer/engine.h"
#include "consumer/kafka_ranks.h"
#include "consumer/model_topic.h"

/* A worker's place in the group, as far as its bus tells. */
enum ss_engine_place { SS_PLACE_WAITING, SS_PLACE_OWNER, SS_PLACE_SPARE };

struct ss_engine_thread {
    struct ss_engine *engine;
    int index;
    pthread_t thread;
    bool started;
    struct ss_worker_stats stats;
    enum ss_status status;
    struct ss_error error;
    const struct ss_bus_ops *bus_ops; /* the bus's own */
    struct ss_bus_ops watched_ops;    /* the same but for poll */
    /* Written by the thread, read by any. */
    atomic_bool ended;
    _Atomic int64_t turned_ms; /* by ss_clock_steady_ms */
    _Atomic int place;         /* enum ss_engine_place */
};

struct ss_engine {
    const struct ss_config *config;
    bool mock;
    const char *taken_over;
    struct ss_key_ring *keys; /* NULL: states are not sealed */
    struct ss_models models;  /* the config's: what a new deployment begins with */
    /* What is live, as sesame-models says: a thread of its own follows that. */
    struct ss_model_topic *model_topic;
    const struct ss_models *_Atomic live; /* NULL: not read yet */
    pthread_t models_thread;
    bool models_started;
    enum ss_status models_status;
    struct ss_error models_error;
    struct ss_registry *registry;
    uint32_t schema_ids[SS_OUTPUT_COUNT], neighbours_schema_id, models_schema_id;
    struct ss_worker_subscriber subscribers[SS_SUBSCRIBERS_MAX];
    struct ss_kafka_access access;
    struct ss_ranks *ranks;
    struct ss_kafka_ranks *ranks_reader;
    atomic_bool stop;
    int worker_count;
    struct ss_engine_thread *workers;
    _Atomic int32_t partition_count; /* 0 until the first bus is open */
    int64_t rebalances_seen, quiet_since_ms;
};

/* The threads' bodies: of a struct ss_engine, and of a struct ss_engine_thread. One that has to
 * stop says why in its status and error, and stops the others. */
void *ss_engine_models_main(void *engine);
void *ss_engine_worker_main(void *thread);

/* The worker takes a turn, as far as anybody can tell (struct ss_engine_worker). */
void ss_engine_note_turn(struct ss_engine_thread *thread);
/* Before another try: half a second, or until the engine is told to stop. */
void ss_engine_pause(const struct ss_engine *engine);

#endif
