#include "cli/logs.h"

#include "config/models.h"
#include "consumer/engine.h"

#include <stdio.h>
#include <unistd.h>

bool ss_logs_fields(char *text, struct ss_source_fields *fields)
{
    char *comma = strchr(text, ',');
    if (!comma || comma == text || !comma[1])
        return false;
    *comma = '\0';
    *fields = (struct ss_source_fields){.partition = text, .offset = comma + 1};
    comma = strchr(comma + 1, ',');
    if (!comma)
        return true;
    *comma = '\0';
    fields->timestamp = comma + 1;
    return *fields->offset && *fields->timestamp && !strchr(fields->timestamp, ',');
}

enum ss_status ss_logs_open(struct ss_logs *logs, const struct ss_logs_request *request,
                            const struct ss_config *config, struct ss_error *err)
{
    *logs = (struct ss_logs){0};
    struct ss_source_config source = {
        .directory = request->directory,
        .topics = (const char *const *)config->input_topics,
        .fields = request->fields,
        .partition_count = request->partition_count,
        .event_bytes_max = (size_t)config->events_value_bytes_max,
        .group = request->committed ? config->group : NULL,
    };
    source.output_topics[SS_SCORES] = config->scores_topic;
    source.output_topics[SS_ENTITLEMENTS] = config->entitlements_topic;
    source.output_topics[SS_RANKS] = config->ranks_topic;
    if (request->directory)
        return ss_source_open(&source, &logs->source, err);
    if (!ss_config_property(config, SS_CLIENTS_CONSUMER, "bootstrap.servers") ||
        !config->registry_url)
        return ss_fail(err, SS_STOP,
                       "where are the logs? Give a config with -F that names the brokers and the "
                       "registry, or archived files with --files DIR");
    const struct ss_registry_config registry = ss_engine_registry(config);
    enum ss_status status = ss_engine_access_open(config, &logs->access, err);
    if (status == SS_OK)
        status = ss_registry_open(&registry, &logs->registry, err);
    source.access = &logs->access;
    source.registry = logs->registry;
    return status == SS_OK ? ss_source_open(&source, &logs->source, err) : status;
}

void ss_logs_close(struct ss_logs *logs)
{
    ss_source_close(logs->source);
    ss_registry_close(logs->registry);
    ss_engine_access_close(&logs->access);
    *logs = (struct ss_logs){0};
}

enum ss_status ss_logs_models(const struct ss_logs *logs, const struct ss_logs_request *request,
                              const struct ss_config *config, struct ss_model_store **models,
                              bool *found, struct ss_error *err)
{
    const struct ss_model_store_place place = {
        .topic = config->models_topic,
        .access = request->directory ? NULL : &logs->access,
        .directory = request->directory,
    };
    *models = NULL;
    enum ss_status status = ss_model_store_open(models, err);
    return status == SS_OK ? ss_model_store_read(*models, &place, found, err) : status;
}

enum ss_status ss_logs_model_unknown(const char *name, const struct ss_config *config,
                                     struct ss_error *err)
{
    return ss_fail(err, SS_STOP,
                   "%.200s is neither a file nor the version of a model that %s says was live; "
                   "`sesame rescore --status` lists these",
                   name, config->models_topic);
}

static enum ss_status copy(const struct ss_model_store *known, const struct ss_config *config,
                           const char *name, const struct ss_model **model, struct ss_error *err)
{
    enum ss_status status = ss_model_store_copy(known, name, model, err);
    if (status != SS_OK && name && access(name, F_OK) != 0)
        return ss_logs_model_unknown(name, config, err);
    return status;
}

enum ss_status ss_logs_pair(const struct ss_model_store *known, const struct ss_config *config,
                            const char *person, const char *business, struct ss_models *models,
                            struct ss_error *err)
{
    const struct ss_models *live = ss_model_store_live(known);
    *models = (struct ss_models){0};
    if (!person)
        person = live ? live->person->version : config->model_file;
    if (!business && live)
        business = live->business ? live->business->version : NULL;
    else if (!business)
        business = config->business_model_file;
    enum ss_status status = copy(known, config, person, &models->person, err);
    if (status == SS_OK && business)
        status = copy(known, config, business, &models->business, err);
    if (status == SS_OK)
        status = ss_models_compare(models, business, err);
    if (status != SS_OK)
        ss_models_free(models);
    return status;
}

void ss_logs_models_missed(const struct ss_model_store *models, const struct ss_config *config)
{
    const char *version = ss_model_store_missed(models, 0);
    for (size_t i = 0; version; version = ss_model_store_missed(models, ++i))
        fprintf(stderr, "records name model %s, which is neither in %s nor given\n", version,
                config->models_topic);
    if (ss_model_store_missed(models, 0))
        fprintf(
            stderr,
            "give its file with --model FILE (of businesses: --business-model FILE), or archive "
            "%s beside the rest; `sesame check-config -X model.file=FILE` prints a file's "
            "version\n",
            config->models_topic);
}
