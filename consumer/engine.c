#include "consumer/engine.h"

#include "base/log.h"
#include "config/models.h"
#include "consumer/kafka_bus.h"
#include "consumer/kafka_ranks.h"
#include "consumer/model_topic.h"
#include "state/redis_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MODELS_WAIT_MS = 200 };
enum { QUIET_MS = 10000 }; /* without a new partition: the group has shared them out */

/* A worker's place in the group, as far as its bus tells. */
enum place { PLACE_WAITING, PLACE_OWNER, PLACE_SPARE };

struct worker_thread {
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
    _Atomic int64_t turned_ms; /* by steady_now_ms */
    _Atomic int place;         /* enum place */
};

struct ss_engine {
    const struct ss_config *config;
    bool mock;
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
    struct ss_kafka_property *properties;
    struct ss_kafka_access access;
    struct ss_ranks *ranks;
    struct ss_kafka_ranks *ranks_reader;
    atomic_bool stop;
    int worker_count;
    struct worker_thread *workers;
    _Atomic int32_t partition_count; /* 0 until the first bus is open */
    int64_t rebalances_seen, quiet_since_ms;
};

static int64_t system_now_ms(void *arg)
{
    struct timespec now;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Not set back or forth by anybody, so that nobody looks stuck who is not. */
static int64_t steady_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct ss_kafka_access ss_engine_access(const struct ss_config *config,
                                        struct ss_kafka_property *properties)
{
    struct ss_kafka_access access = {0};
    struct ss_kafka_properties *const lists[] = {
        [SS_CLIENTS_ALL] = &access.common,
        [SS_CLIENTS_CONSUMER] = &access.consumer,
        [SS_CLIENTS_PRODUCER] = &access.producer,
    };
    for (int clients = 0; clients < 3; clients++) {
        lists[clients]->list = properties;
        for (size_t i = 0; i < config->property_count; i++)
            if ((int)config->properties[i].clients == clients)
                properties[lists[clients]->count++] = (struct ss_kafka_property){
                    config->properties[i].name, config->properties[i].value};
        properties += lists[clients]->count;
    }
    return access;
}

static enum ss_status find_schema(struct ss_engine *engine, const char *topic, const char *json,
                                  uint32_t *id, struct ss_error *err)
{
    char subject[320];
    snprintf(subject, sizeof subject, "%s-value", topic);
    enum ss_status status = ss_registry_find(engine->registry, subject, json, id, err);
    if (status == SS_DROP)
        return ss_fail(err, SS_STOP,
                       "the registry has no such schema under %s; run `sesame schemas register` "
                       "with this config first",
                       subject);
    return status;
}

static enum ss_status find_schemas(struct ss_engine *engine, struct ss_error *err)
{
    const struct ss_config *config = engine->config;
    const char *const topics[] = {[SS_SCORES] = config->scores_topic,
                                  [SS_ENTITLEMENTS] = config->entitlements_topic,
                                  [SS_RANKS] = config->ranks_topic};
    enum ss_status status = SS_OK;
    for (int output = 0; status == SS_OK && output < SS_OUTPUT_COUNT; output++) {
        const char *json = ss_schema_of_output((enum ss_output)output);
        if (json)
            status = find_schema(engine, topics[output], json, &engine->schema_ids[output], err);
    }
    if (status == SS_OK)
        status = find_schema(engine, config->models_topic, ss_schema_of_models(),
                             &engine->models_schema_id, err);
    if (status == SS_OK)
        status = find_schema(engine, config->input_topics[SS_NEIGHBOURS],
                             ss_schema_of_input(SS_NEIGHBOURS), &engine->neighbours_schema_id, err);
    for (int i = 0; status == SS_OK && i < config->subscriber_count; i++) {
        const struct ss_subscriber *subscriber = &config->subscribers[i];
        struct ss_worker_subscriber *out = &engine->subscribers[i];
        char *json = NULL;
        *out =
            (struct ss_worker_subscriber){.hash = subscriber->hash, .fields = subscriber->fields};
        status = ss_schema_of_subscriber(subscriber->fields, &json, err);
        if (status == SS_OK)
            status = find_schema(engine, subscriber->topic, json, &out->schema_id, err);
        free(json);
    }
    return status;
}

enum ss_status ss_engine_open(const struct ss_engine_options *options, struct ss_engine **out,
                              struct ss_error *err)
{
    const struct ss_config *config = options->config;
    struct ss_engine *engine = calloc(1, sizeof *engine);
    if (engine) {
        engine->config = config;
        engine->mock = options->mock;
        engine->worker_count = (int)config->workers;
        engine->workers = calloc((size_t)config->workers, sizeof *engine->workers);
        engine->properties = calloc(config->property_count + 1, sizeof *engine->properties);
    }
    if (!engine || !engine->workers || !engine->properties) {
        ss_engine_close(engine);
        return ss_fail(err, SS_STOP, "out of memory for the engine");
    }
    engine->access = ss_engine_access(config, engine->properties);
    for (int i = 0; i < engine->worker_count; i++) {
        engine->workers[i].engine = engine;
        engine->workers[i].index = i;
        pthread_mutex_init(&engine->workers[i].stats.lock, NULL);
    }
    struct ss_registry_config registry = {
        .url = config->registry_url,
        .basic_auth = config->registry_basic_auth,
        .ca_file = config->registry_ca_file,
        .timeout_ms = (int)config->registry_timeout_ms,
    };
    enum ss_status status =
        ss_models_load(config->model_file, config->business_model_file, &engine->models, err);
    if (status == SS_OK && config->encryption_key_file)
        status = ss_key_ring_open(config->encryption_key_file,
                                  (enum ss_plain_states)config->encryption_plain_states,
                                  system_now_ms(NULL), &engine->keys, err);
    if (status == SS_OK)
        status = ss_registry_open(&registry, &engine->registry, err);
    if (status == SS_OK)
        status = find_schemas(engine, err);
    if (status == SS_OK)
        status = ss_ranks_open(&engine->ranks, err);
    if (status != SS_OK) {
        ss_engine_close(engine);
        return status;
    }
    *out = engine;
    return SS_OK;
}

void ss_engine_close(struct ss_engine *engine)
{
    if (!engine)
        return;
    ss_kafka_ranks_close(engine->ranks_reader);
    ss_ranks_close(engine->ranks);
    if (engine->registry)
        ss_registry_close(engine->registry);
    ss_key_ring_close(engine->keys);
    for (int i = 0; engine->workers && i < engine->worker_count; i++)
        pthread_mutex_destroy(&engine->workers[i].stats.lock);
    free(engine->workers);
    ss_model_topic_close(engine->model_topic);
    ss_models_free(&engine->models);
    free(engine->properties);
    free(engine);
}

/* --- the models' thread --- */

static void pause_models(const struct ss_engine *engine)
{
    for (int i = 0; i < 50 && !atomic_load(&engine->stop); i++)
        nanosleep(&(struct timespec){0, 10 * 1000000L}, NULL);
}

static bool same_model(const struct ss_model *a, const struct ss_model *b)
{
    return !a == !b && (!a || strcmp(a->version, b->version) == 0);
}

/* Several may do so at once, with other files even: the first in the topic counts for all. */
static enum ss_status begin_models(struct ss_engine *engine, struct ss_error *err)
{
    const struct ss_config *config = engine->config;
    const struct {
        const char *file;
        const struct ss_model *model;
    } sides[2] = {{config->model_file, engine->models.person},
                  {config->business_model_file, engine->models.business}};
    struct ss_model_activation first = {.by = "sesame run"};
    struct ss_model_text *const texts[2] = {&first.person, &first.business};
    char *sources[2] = {NULL, NULL};
    enum ss_status status = SS_OK;
    for (int i = 0; i < 2 && status == SS_OK; i++) {
        struct ss_model *again = sides[i].model ? calloc(1, sizeof *again) : NULL;
        size_t size = 0;
        if (!sides[i].model)
            continue;
        if (!again)
            return ss_fail(err, SS_STOP, "out of memory for a model");
        status = ss_model_load_text(sides[i].file, again, &sources[i], &size, err);
        if (status == SS_OK && !same_model(again, sides[i].model))
            status = ss_fail(err, SS_STOP, "%s has changed since it was read", sides[i].file);
        free(again);
        *texts[i] = (struct ss_model_text){sides[i].model, {sources[i], size}};
    }
    bool won = false;
    if (status == SS_OK)
        status = ss_model_topic_activate(engine->model_topic, &engine->access,
                                         engine->models_schema_id, &first, &won, err);
    if (status == SS_OK && won)
        ss_info("models", "%s was empty: model %s is live from now on", config->models_topic,
                engine->models.person->version);
    free(sources[0]);
    free(sources[1]);
    return status;
}

/* What the config names is what a deployment begins with, and nothing else: else a restart with an
 * old file would take back what others have put in charge. */
static void compare_models(const struct ss_engine *engine, const struct ss_models *live)
{
    const struct ss_config *config = engine->config;
    if (same_model(live->person, engine->models.person) &&
        same_model(live->business, engine->models.business))
        return;
    ss_warn("models",
            "%s says that model %s%s%s is live; the config's %s%s%s is not used. `sesame rescore` "
            "changes the live model; to silence this, let model.file be the live one's",
            config->models_topic, live->person->version,
            live->business ? " with businesses by " : "",
            live->business ? live->business->version : "", engine->models.person->version,
            engine->models.business ? " with businesses by " : "",
            engine->models.business ? engine->models.business->version : "");
}

static enum ss_status open_models(struct ss_engine *engine, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    if (!engine->model_topic)
        status = ss_model_topic_open(&engine->access, engine->config->models_topic,
                                     &engine->model_topic, err);
    if (status != SS_OK)
        return status;
    const struct ss_model_history *history = ss_model_topic_history(engine->model_topic);
    if (ss_model_history_newest(history) < 0)
        status = begin_models(engine, err);
    const char *trouble = ss_model_history_trouble(history);
    if (status == SS_OK && trouble)
        return ss_fail(err, SS_STOP, "%s: cannot go on to %s", engine->config->models_topic,
                       trouble);
    if (status != SS_OK)
        return status;
    compare_models(engine, &ss_model_history_live(history)->models);
    return SS_OK;
}

static void *models_main(void *arg)
{
    struct ss_engine *engine = arg;
    struct ss_error *err = &engine->models_error;
    const struct ss_models *live = NULL;
    bool said = false;
    enum ss_status status = SS_RETRY;
    while (status == SS_RETRY && !atomic_load(&engine->stop)) {
        status = open_models(engine, err);
        if (status == SS_RETRY && !said)
            ss_warn("models", "%s; trying again", err->detail);
        said |= status == SS_RETRY;
        if (status == SS_RETRY)
            pause_models(engine);
    }
    while (status != SS_STOP && !atomic_load(&engine->stop)) {
        const struct ss_models *now =
            &ss_model_history_live(ss_model_topic_history(engine->model_topic))->models;
        if (live && now != live)
            ss_info("models", "model %s is live from now on (epoch %d)", now->person->version,
                    now->epoch);
        atomic_store(&engine->live, live = now);
        status = ss_model_topic_poll(engine->model_topic, MODELS_WAIT_MS, err);
        if (status == SS_RETRY)
            pause_models(engine);
    }
    engine->models_status = status == SS_STOP ? status : SS_OK;
    if (status == SS_STOP)
        atomic_store(&engine->stop, true);
    return NULL;
}

static const struct ss_models *live_models(void *arg)
{
    return atomic_load(&((struct ss_engine *)arg)->live);
}

/* --- a worker's thread --- */

/* A bus belongs to one thread (bus.h), so the thread says whose it is. */
static _Thread_local struct worker_thread *this_worker;

static void note_turn(struct worker_thread *self)
{
    atomic_store(&self->turned_ms, steady_now_ms());
}

/* The bus's poll, noting that the worker takes turns and what the group tells it. */
static enum ss_status watched_poll(struct ss_bus *bus, size_t records_max, int timeout_ms,
                                   struct ss_poll *out, struct ss_error *err)
{
    struct worker_thread *self = this_worker;
    note_turn(self);
    enum ss_status status = self->bus_ops->poll(bus, records_max, timeout_ms, out, err);
    if (status != SS_OK)
        return status;
    if (out->event == SS_BUS_ASSIGNED)
        atomic_store(&self->place, out->partition_count > 0 ? PLACE_OWNER : PLACE_SPARE);
    else if (out->event == SS_BUS_REVOKED)
        atomic_store(&self->place, PLACE_WAITING);
    return status;
}

static void watch_bus(struct worker_thread *self, struct ss_bus *bus)
{
    self->bus_ops = bus->ops;
    self->watched_ops = *bus->ops;
    self->watched_ops.poll = watched_poll;
    bus->ops = &self->watched_ops;
    this_worker = self;
}

static enum ss_status open_bus(struct worker_thread *self, struct ss_bus **bus,
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

static enum ss_status open_store(struct worker_thread *self, struct ss_store **store,
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

static void pause_before_retry(struct worker_thread *self, const char *what,
                               const struct ss_error *err, bool *said)
{
    if (!*said)
        ss_warn("engine", "worker %d: %s: %s; trying again", self->index, what, err->detail);
    *said = true;
    for (int i = 0; i < 50 && !atomic_load(&self->engine->stop); i++)
        nanosleep(&(struct timespec){0, 10 * 1000000L}, NULL);
}

static enum ss_status run_worker(struct worker_thread *self, struct ss_bus *bus,
                                 struct ss_store *store, struct ss_error *err)
{
    struct ss_engine *engine = self->engine;
    const struct ss_config *config = engine->config;
    struct ss_worker *worker;
    struct ss_keys keys = {.ring = engine->keys};
    struct ss_worker_config worker_config = {
        .index = self->index,
        .bus = bus,
        .store = store,
        .registry = engine->registry,
        .ranks = engine->ranks,
        .models = engine->models,
        .keys = &keys,
        .live = live_models,
        .live_arg = engine,
        .clock = {system_now_ms, NULL},
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

static void *worker_main(void *arg)
{
    struct worker_thread *self = arg;
    struct ss_engine *engine = self->engine;
    struct ss_bus *bus = NULL;
    struct ss_store *store = NULL;
    bool said = false;
    enum ss_status status = SS_RETRY;

    while (status == SS_RETRY && !atomic_load(&engine->stop)) {
        note_turn(self);
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

enum ss_status ss_engine_start(struct ss_engine *engine, struct ss_error *err)
{
    enum ss_status status = ss_kafka_ranks_open(&engine->access, engine->config->ranks_topic,
                                                engine->ranks, &engine->ranks_reader, err);
    if (status != SS_OK)
        return status;
    for (int i = 0; i < engine->worker_count; i++)
        note_turn(&engine->workers[i]);
    if (engine->mock) {
        atomic_store(&engine->live, &engine->models);
    } else if (pthread_create(&engine->models_thread, NULL, models_main, engine)) {
        return ss_fail(err, SS_STOP, "cannot start the models' thread");
    } else {
        engine->models_started = true;
    }
    for (int i = 0; i < engine->worker_count; i++) {
        if (pthread_create(&engine->workers[i].thread, NULL, worker_main, &engine->workers[i])) {
            ss_engine_stop(engine);
            return ss_fail(err, SS_STOP, "cannot start worker %d's thread", i);
        }
        engine->workers[i].started = true;
    }
    return SS_OK;
}

void ss_engine_stop(struct ss_engine *engine)
{
    atomic_store(&engine->stop, true);
}

bool ss_engine_stopping(const struct ss_engine *engine)
{
    return atomic_load(&engine->stop);
}

enum ss_status ss_engine_wait(struct ss_engine *engine, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int i = 0; i < engine->worker_count; i++) {
        struct worker_thread *worker = &engine->workers[i];
        if (!worker->started)
            continue;
        pthread_join(worker->thread, NULL);
        worker->started = false;
        if (worker->status != SS_OK && status == SS_OK) {
            status = worker->status;
            *err = worker->error;
        }
    }
    if (engine->models_started)
        pthread_join(engine->models_thread, NULL);
    engine->models_started = false;
    if (engine->models_status != SS_OK && status == SS_OK) {
        status = engine->models_status;
        *err = engine->models_error;
    }
    return status;
}

void ss_engine_stats(struct ss_engine *engine, struct ss_worker_stats *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < engine->worker_count; i++) {
        struct ss_worker_stats *stats = &engine->workers[i].stats;
        pthread_mutex_lock(&stats->lock);
        for (int input = 0; input < SS_INPUT_COUNT; input++) {
            out->counts[input].consumed += stats->counts[input].consumed;
            for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++)
                out->counts[input].outcomes[outcome] += stats->counts[input].outcomes[outcome];
        }
        out->score_records += stats->score_records;
        out->entitlements += stats->entitlements;
        out->shared_records += stats->shared_records;
        out->rescored += stats->rescored;
        out->sweeping += stats->sweeping;
        out->neighbour_records += stats->neighbour_records;
        out->transactions += stats->transactions;
        out->restored_records += stats->restored_records;
        out->restoring += stats->restoring;
        out->restore_done += stats->restore_done;
        out->restore_total += stats->restore_total;
        out->assigned += stats->assigned;
        out->ready += stats->ready;
        out->caught_up += stats->caught_up;
        out->rebalances += stats->rebalances;
        pthread_mutex_unlock(&stats->lock);
    }
}

static bool has_joined(const struct worker_thread *worker, int32_t assigned)
{
    enum place place = (enum place)atomic_load(&worker->place);
    /* an owner of nothing is just taking over, or giving back */
    return place == PLACE_SPARE || (place == PLACE_OWNER && assigned > 0);
}

void ss_engine_workers(struct ss_engine *engine, struct ss_engine_worker *out)
{
    int64_t now_ms = steady_now_ms();
    for (int i = 0; i < engine->worker_count; i++) {
        struct worker_thread *worker = &engine->workers[i];
        struct ss_worker_stats *stats = &worker->stats;
        int64_t turned_ms = atomic_load(&worker->turned_ms);
        pthread_mutex_lock(&stats->lock);
        out[i] = (struct ss_engine_worker){
            .ended = atomic_load(&worker->ended),
            /* it may have turned since now_ms was read, or not have been started */
            .turn_age_ms = turned_ms && turned_ms < now_ms ? now_ms - turned_ms : 0,
            .assigned = stats->assigned,
            .ready = stats->ready,
            .caught_up = stats->caught_up,
            .restoring = stats->restoring,
            .restore_done = stats->restore_done,
            .restore_total = stats->restore_total,
            .restored_records = stats->restored_records,
            .rebalances = stats->rebalances,
            .joined = has_joined(worker, stats->assigned),
        };
        pthread_mutex_unlock(&stats->lock);
    }
}

bool ss_engine_caught_up(struct ss_engine *engine)
{
    struct ss_worker_stats stats;
    int32_t partitions = atomic_load(&engine->partition_count);
    int64_t now_ms = system_now_ms(NULL);
    ss_engine_stats(engine, &stats);
    if (stats.assigned == 0 || stats.caught_up < stats.assigned ||
        stats.rebalances != engine->rebalances_seen) {
        engine->rebalances_seen = stats.rebalances;
        engine->quiet_since_ms = now_ms;
        return false;
    }
    return stats.assigned == partitions || now_ms - engine->quiet_since_ms > QUIET_MS;
}

const struct ss_model *ss_engine_model(const struct ss_engine *engine)
{
    return engine->models.person;
}

int64_t ss_engine_consumed(const struct ss_worker_stats *stats)
{
    int64_t sum = 0;
    for (int input = 0; input < SS_UPSTREAM_COUNT; input++)
        sum += stats->counts[input].consumed;
    return sum;
}

void ss_engine_accounted(const struct ss_worker_stats *stats, char *out, size_t size)
{
    struct ss_counts sum = {0};
    for (int input = 0; input < SS_UPSTREAM_COUNT; input++) {
        sum.consumed += stats->counts[input].consumed;
        for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++)
            sum.outcomes[outcome] += stats->counts[input].outcomes[outcome];
    }
    snprintf(out, size,
             "accounted: consumed %lld = counted %lld + duplicate %lld + not-consented %lld + "
             "dead-lettered %lld",
             (long long)sum.consumed, (long long)sum.outcomes[SS_COUNTED],
             (long long)sum.outcomes[SS_DUPLICATE], (long long)sum.outcomes[SS_NOT_CONSENTED],
             (long long)sum.outcomes[SS_REFUSED]);
}
