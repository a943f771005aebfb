/* engine_worker.c - a worker's thread: waits for the live model, Redis and Kafka, then runs the
 * loop (worker.h) on them, all wired from the config, until that ends or the engine is told to
 * stop.
 *
 * Its bus is watched: each poll notes that the worker takes turns, and what the group gives it or
 * takes away, for engine_stats.c.
 */
#include "consumer/engine_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "consumer/kafka_bus.h"
#include "state/redis_store.h"

#include <time.h>

/* A bus belongs to one thread (bus.h), so the thread says whose it is. */
static _Thread_local struct ss_engine_thread *this_worker;

void ss_engine_note_turn(struct ss_engine_thread *self)
{
    atomic_store(&self->turned_ms, ss_clock_steady_ms());
}

/* The bus's poll, noting that the worker takes turns and what the group tells it. */
static enum ss_status watched_poll(struct ss_bus *bus, size_t records_max, int timeout_ms,
                                   struct ss_poll *out, struct ss_error *err)
{
    struct ss_engine_thread *self = this_worker;
    ss_engine_note_turn(self);
    enum ss_status status = self->bus_ops->poll(bus, records_max, timeout_ms, out, err);
    if (status != SS_OK)
        return status;
    if (out->event == SS_BUS_ASSIGNED)
        atomic_store(&self->place, out->partition_count > 0 ? SS_PLACE_OWNER : SS_PLACE_SPARE);
    else if (out->event == SS_BUS_REVOKED)
        atomic_store(&self->place, SS_PLACE_WAITING);
    return status;
}

static void watch_bus(struct ss_engine_thread *self, struct ss_bus *bus)
{
    self->bus_ops = bus->ops;
    self->watched_ops = *bus->ops;
    self->watched_ops.poll = watched_poll;
    bus->ops = &self->watched_ops;
    this_worker = self;
}

static enum ss_status open_bus(struct ss_engine_thread *self, struct ss_bus **bus,
                               struct ss_error *err)
{
    struct ss_engine *engine = self->engine;
    const struct ss_config *config = engine->config;
    struct ss_kafka_config kafka = {
        .access = engine->access,
        .group = config->group,
        .instance = config->instance,
        .worker = self->index,
        .targets = {[SS_TO_SCORES] = config->scores_topic,
                    [SS_TO_ENTITLEMENTS] = config->entitlements_topic,
                    [SS_TO_DEAD_LETTERS] = config->dead_letters_topic,
                    [SS_TO_CHANGELOG] = config->state_topic,
                    [SS_TO_RANKS] = config->ranks_topic,
                    [SS_TO_NEIGHBOURS] = config->input_topics[SS_NEIGHBOURS]},
        .restore_timeout_ms = (int)config->restore_timeout_ms,
        .open_timeout_ms = 5000, /* it is tried again; between two tries SIGTERM is heard */
        .fetch_bytes = (size_t)config->memory_fetch_bytes_max,
        .record_bytes_max = (size_t)config->dead_letters_value_bytes_max + 65536, /* headers */
        .mock = engine->mock,
    };
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        kafka.inputs[input] = config->input_topics[input];
    for (int i = 0; i < config->subscriber_count; i++)
        kafka.targets[SS_TO_SUBSCRIBERS + i] = config->subscribers[i].topic;
    return ss_kafka_bus_open(&kafka, bus, err);
}

static enum ss_status open_store(struct ss_engine_thread *self, struct ss_store **store,
                                 struct ss_error *err)
{
    const struct ss_config *config = self->engine->config;
    struct ss_redis_config redis = {
        .url = config->redis_url,
        .prefix = config->redis_prefix,
        .buckets = (int32_t)config->redis_buckets,
        .timeout_ms = (int)config->redis_timeout_ms,
    };
    return ss_redis_open(&redis, store, err);
}

static void pause_before_retry(struct ss_engine_thread *self, const char *what,
                               const struct ss_error *err, bool *said)
{
    if (!*said)
        ss_warn("engine", "worker %d: %s: %s; trying again", self->index, what, err->detail);
    *said = true;
    ss_engine_pause(self->engine);
}

static const struct ss_models *live_models(void *arg)
{
    return atomic_load(&((struct ss_engine *)arg)->live);
}

static int64_t wall_ms(void *arg)
{
    (void)arg;
    return ss_clock_wall_ms();
}

static enum ss_status run_worker(struct ss_engine_thread *self, struct ss_bus *bus,
                                 struct ss_store *store, struct ss_error *err)
{
    struct ss_engine *engine = self->engine;
    const struct ss_config *config = engine->config;
    struct ss_worker *worker;
    struct ss_keys keys = {.ring = engine->keys};
    struct ss_worker_config worker_config = {
        .index = self->index,
        .group = config->group,
        .taken_over = engine->taken_over,
        .bus = bus,
        .store = store,
        .registry = engine->registry,
        .ranks = engine->ranks,
        .models = engine->models,
        .keys = &keys,
        .live = live_models,
        .live_arg = engine,
        .clock = {wall_ms, NULL},
        .limits = {.batch_records_max = (size_t)config->batch_records_max,
                   .batch_wait_ms = (int)config->batch_wait_ms,
                   .cache_bytes_max = (size_t)config->cache_bytes_max,
                   .event_bytes_max = (size_t)config->events_value_bytes_max,
                   .dead_letter_bytes_max = (size_t)config->dead_letters_value_bytes_max,
                   .future_tolerance_ms = config->events_future_tolerance_ms,
                   .delete_retention_ms = config->state_delete_retention_ms,
                   .retry_ms = 500,
                   .event_time = config->clock_source == SS_CLOCK_EVENTS,
                   .wake_interval_ms = (int)config->clock_wake_interval_ms,
                   .heartbeat_ms = config->state_heartbeat_ms,
                   .ranks_interval_ms = config->ranks_interval_ms,
                   .sweep_users_max = (size_t)config->batch_rescore_users_max},
        .stats = &self->stats,
        .stop = &engine->stop,
    };
    memcpy(worker_config.schema_ids, engine->schema_ids, sizeof engine->schema_ids);
    worker_config.neighbours_schema_id = engine->neighbours_schema_id;
    memcpy(worker_config.subscribers, engine->subscribers, sizeof engine->subscribers);
    worker_config.subscriber_count = config->subscriber_count;
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        worker_config.topics[input] = config->input_topics[input];
    enum ss_status status = ss_worker_open(&worker_config, &worker, err);
    if (status != SS_OK)
        return status;
    status = ss_worker_run(worker, err);
    ss_worker_close(worker);
    ss_keys_reset(&keys);
    return status;
}

void *ss_engine_worker_main(void *arg)
{
    struct ss_engine_thread *self = arg;
    struct ss_engine *engine = self->engine;
    struct ss_bus *bus = NULL;
    struct ss_store *store = NULL;
    bool said = false;
    enum ss_status status = SS_RETRY;

    while (status == SS_RETRY && !atomic_load(&engine->stop)) {
        ss_engine_note_turn(self);
        if (!atomic_load(&engine->live)) { /* its own thread says what it waits for */
            nanosleep(&(struct timespec){0, 10 * 1000000L}, NULL);
            continue;
        }
        status = store ? SS_OK : open_store(self, &store, &self->error);
        if (status == SS_RETRY) {
            pause_before_retry(self, "Redis", &self->error, &said);
        } else if (status == SS_OK) {
            status = open_bus(self, &bus, &self->error);
            if (status == SS_RETRY)
                pause_before_retry(self, "Kafka", &self->error, &said);
        }
    }
    if (status == SS_OK) {
        atomic_store(&engine->partition_count, bus->partition_count);
        watch_bus(self, bus);
        status = run_worker(self, bus, store, &self->error);
    } else if (status == SS_RETRY) {
        status = SS_OK; /* told to stop while waiting */
    }
    if (bus)
        bus->ops->close(bus);
    if (store)
        store->ops->close(store);
    self->status = status;
    if (status != SS_OK)
        atomic_store(&engine->stop, true);
    atomic_store(&self->ended, true);
    return NULL;
}
