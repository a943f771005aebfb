#include "audit/replay.h"

#include "audit/score_table.h"
#include "config/models.h"
#include "consumer/files_bus.h"
#include "schemas/container.h"
#include "state/memory_store.h"

#include <stdlib.h>

struct replay {
    const struct ss_replay_options *options;
    struct ss_models models;
    struct ss_registry *registry;
    struct ss_bus *bus;
    struct ss_store *store;
    struct ss_worker *worker;
    struct ss_container_writer *records;
    struct ss_worker_stats *stats;
};

static int64_t no_clock(void *arg)
{
    (void)arg;
    return 0; /* nothing in a replay depends on when it runs */
}

static enum ss_status on_produce(void *arg, enum ss_target target, struct ss_bytes key,
                                 struct ss_bytes value, struct ss_error *err)
{
    struct replay *replay = arg;
    (void)key;
    if (target != SS_TO_SCORES || !replay->records)
        return SS_OK;
    struct ss_bytes body = {(const uint8_t *)value.data + SS_WIRE_HEADER_SIZE,
                            value.size - SS_WIRE_HEADER_SIZE};
    return ss_container_append(replay->records, body, err);
}

static enum ss_status open_parts(struct replay *replay, struct ss_error *err)
{
    const struct ss_replay_options *options = replay->options;
    struct ss_registry_config registry = {.url = "embedded:"};
    struct ss_files_config files = {.directory = options->directory,
                                    .until_ms = options->until_ms,
                                    .assume_consent = options->assume_consent,
                                    .sink = on_produce,
                                    .sink_arg = replay};
    enum ss_status status =
        ss_models_load(options->model_file, options->business_model_file, &replay->models, err);
    if (status == SS_OK)
        status = ss_registry_open(&registry, &replay->registry, err);
    if (status == SS_OK)
        status = ss_files_open(&files, &replay->bus, err);
    if (status == SS_OK)
        status = ss_memory_open(&replay->store, err);
    if (status == SS_OK && options->records_file)
        status = ss_container_create(options->records_file, ss_schema_of_output(SS_SCORES),
                                     "deflate", &replay->records, err);
    if (status != SS_OK)
        return status;
    struct ss_worker_config worker = {
        .bus = replay->bus,
        .store = replay->store,
        .registry = replay->registry,
        .models = replay->models,
        .clock = {no_clock, NULL},
        .limits = {.batch_records_max = 10000,
                   .cache_bytes_max = 256u << 20,
                   .event_bytes_max = 1u << 20,
                   .dead_letter_bytes_max = 1u << 20,
                   .future_tolerance_ms = options->future_tolerance_ms,
                   .delete_retention_ms = INT64_MAX,
                   .event_time = true,
                   .in_order = true},
        .stats = replay->stats,
        .stop = options->stop,
    };
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        worker.topics[input] = options->topics[input];
    for (int output = 0; output < SS_OUTPUT_COUNT; output++)
        worker.schema_ids[output] = (uint32_t)(SS_INPUT_COUNT + output + 1);
    worker.neighbours_schema_id = SS_NEIGHBOURS + 1;
    return ss_worker_open(&worker, &replay->worker, err);
}

static enum ss_status replay_all(struct replay *replay, struct ss_error *err)
{
    const struct ss_replay_options *options = replay->options;
    bool idle = false;
    /* caught up: nobody is left whom the time at the end has something to do with */
    while (!(idle && ss_files_end(replay->bus) && replay->stats->caught_up)) {
        if (atomic_load(options->stop))
            return ss_fail(err, SS_STOP, "interrupted");
        enum ss_status status = ss_worker_step(replay->worker, &idle, err);
        if (status != SS_OK) /* nothing here can be away, so nothing gets better by waiting */
            return SS_STOP;
        if (options->progress)
            options->progress(options->progress_arg, replay->stats);
    }
    return SS_OK;
}

enum ss_status ss_replay_run(const struct ss_replay_options *options, struct ss_worker_stats *stats,
                             int64_t *users, struct ss_error *err)
{
    struct replay replay = {.options = options, .stats = stats};
    memset(stats, 0, sizeof *stats);
    pthread_mutex_init(&stats->lock, NULL);
    *users = 0;
    enum ss_status status = open_parts(&replay, err);
    if (status == SS_OK)
        status = replay_all(&replay, err);
    if (replay.records) {
        struct ss_error finish_err;
        enum ss_status finished = ss_container_finish(replay.records, &finish_err);
        if (status == SS_OK && finished != SS_OK) {
            status = finished;
            *err = finish_err;
        }
    }
    if (status == SS_OK)
        status = ss_score_table_write(replay.store, 1, &replay.models, options->until_ms,
                                      options->scores_csv, users, err);
    ss_worker_close(replay.worker);
    if (replay.bus)
        replay.bus->ops->close(replay.bus);
    if (replay.store)
        replay.store->ops->close(replay.store);
    if (replay.registry)
        ss_registry_close(replay.registry);
    ss_models_free(&replay.models);
    pthread_mutex_destroy(&stats->lock);
    return status;
}
