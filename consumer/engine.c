#include "consumer/engine_internal.h"

#include "base/clock.h"
#include "state/key_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static enum ss_status access_make(const struct ss_config *config, struct ss_kafka_access *access,
                                  struct ss_error *err)
{
    struct ss_kafka_property *properties = calloc(config->property_count + 1, sizeof *properties);
    struct ss_kafka_properties *const lists[] = {
        [SS_CLIENTS_ALL] = &access->common,
        [SS_CLIENTS_CONSUMER] = &access->consumer,
        [SS_CLIENTS_PRODUCER] = &access->producer,
    };
    *access = (struct ss_kafka_access){0};
    if (!properties)
        return ss_fail(err, SS_STOP, "out of memory for the properties of Kafka's clients");
    for (int clients = 0; clients < 3; clients++) {
        lists[clients]->list = properties;
        for (size_t i = 0; i < config->property_count; i++)
            if ((int)config->properties[i].clients == clients)
                properties[lists[clients]->count++] = (struct ss_kafka_property){
                    config->properties[i].name, config->properties[i].value};
        properties += lists[clients]->count;
    }
    enum ss_status status = ss_kafka_access_check(access, err);
    if (status != SS_OK)
        ss_engine_access_close(access);
    return status;
}

enum ss_status ss_engine_access_check(const struct ss_config *config, struct ss_error *err)
{
    struct ss_kafka_access access;
    enum ss_status status = access_make(config, &access, err);
    if (status == SS_OK)
        ss_engine_access_close(&access);
    return status;
}

enum ss_status ss_engine_access_open(const struct ss_config *config, struct ss_kafka_access *access,
                                     struct ss_error *err)
{
    *access = (struct ss_kafka_access){0};
    enum ss_status status = ss_config_check_brokers(config, err);
    return status == SS_OK ? access_make(config, access, err) : status;
}

void ss_engine_access_close(struct ss_kafka_access *access)
{
    free((void *)access->common.list); /* the first part of the one list */
    *access = (struct ss_kafka_access){0};
}

struct ss_registry_config ss_engine_registry(const struct ss_config *config)
{
    return (struct ss_registry_config){
        .url = config->registry_url,
        .basic_auth = config->registry_basic_auth,
        .ca_file = config->registry_ca_file,
        .timeout_ms = (int)config->registry_timeout_ms,
    };
}

enum ss_status ss_engine_keys(const struct ss_config *config, struct ss_key_ring **keys,
                              struct ss_error *err)
{
    *keys = NULL;
    if (!config->encryption_key_file)
        return SS_OK;
    return ss_key_ring_open(config->encryption_key_file,
                            (enum ss_plain_states)config->encryption_plain_states,
                            ss_clock_wall_ms(), keys, err);
}

enum ss_status ss_engine_find_schema(struct ss_registry *registry, const char *topic,
                                     const char *json, uint32_t *id, struct ss_error *err)
{
    char subject[320];
    snprintf(subject, sizeof subject, "%s-value", topic);
    enum ss_status status = ss_registry_find(registry, subject, json, id, err);
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
    struct ss_registry *registry = engine->registry;
    enum ss_status status = SS_OK;
    for (int output = 0; status == SS_OK && output < SS_OUTPUT_COUNT; output++) {
        const char *json = ss_schema_of_output((enum ss_output)output);
        if (json)
            status = ss_engine_find_schema(registry, topics[output], json,
                                           &engine->schema_ids[output], err);
    }
    if (status == SS_OK)
        status = ss_engine_find_schema(registry, config->models_topic, ss_schema_of_models(),
                                       &engine->models_schema_id, err);
    if (status == SS_OK)
        status = ss_engine_find_schema(registry, config->input_topics[SS_NEIGHBOURS],
                                       ss_schema_of_input(SS_NEIGHBOURS),
                                       &engine->neighbours_schema_id, err);
    for (int i = 0; status == SS_OK && i < config->subscriber_count; i++) {
        const struct ss_subscriber *subscriber = &config->subscribers[i];
        struct ss_worker_subscriber *out = &engine->subscribers[i];
        char *json = NULL;
        *out =
            (struct ss_worker_subscriber){.hash = subscriber->hash, .fields = subscriber->fields};
        status = ss_schema_of_subscriber(subscriber->fields, &json, err);
        if (status == SS_OK)
            status = ss_engine_find_schema(registry, subscriber->topic, json, &out->schema_id, err);
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
        engine->taken_over = options->taken_over;
        engine->worker_count = (int)config->workers;
        engine->workers = calloc((size_t)config->workers, sizeof *engine->workers);
    }
    if (!engine || !engine->workers) {
        ss_engine_close(engine);
        return ss_fail(err, SS_STOP, "out of memory for the engine");
    }
    for (int i = 0; i < engine->worker_count; i++) {
        engine->workers[i].engine = engine;
        engine->workers[i].index = i;
        pthread_mutex_init(&engine->workers[i].stats.lock, NULL);
    }
    const struct ss_registry_config registry = ss_engine_registry(config);
    enum ss_status status = ss_engine_access_open(config, &engine->access, err);
    if (status == SS_OK)
        status =
            ss_models_load(config->model_file, config->business_model_file, &engine->models, err);
    if (status == SS_OK)
        status = ss_engine_keys(config, &engine->keys, err);
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
    ss_engine_access_close(&engine->access);
    free(engine);
}

enum ss_status ss_engine_start(struct ss_engine *engine, struct ss_error *err)
{
    enum ss_status status = ss_kafka_ranks_open(&engine->access, engine->config->ranks_topic,
                                                engine->ranks, &engine->ranks_reader, err);
    if (status != SS_OK)
        return status;
    for (int i = 0; i < engine->worker_count; i++)
        ss_engine_note_turn(&engine->workers[i]);
    if (engine->mock) {
        atomic_store(&engine->live, &engine->models);
    } else if (pthread_create(&engine->models_thread, NULL, ss_engine_models_main, engine)) {
        return ss_fail(err, SS_STOP, "cannot start the models' thread");
    } else {
        engine->models_started = true;
    }
    for (int i = 0; i < engine->worker_count; i++) {
        if (pthread_create(&engine->workers[i].thread, NULL, ss_engine_worker_main,
                           &engine->workers[i])) {
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

void ss_engine_pause(const struct ss_engine *engine)
{
    for (int i = 0; i < 50 && !atomic_load(&engine->stop); i++)
        nanosleep(&(struct timespec){0, 10 * 1000000L}, NULL);
}

bool ss_engine_stopping(const struct ss_engine *engine)
{
    return atomic_load(&engine->stop);
}

enum ss_status ss_engine_wait(struct ss_engine *engine, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int i = 0; i < engine->worker_count; i++) {
        struct ss_engine_thread *worker = &engine->workers[i];
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

const struct ss_model *ss_engine_model(const struct ss_engine *engine)
{
    return engine->models.person;
}
