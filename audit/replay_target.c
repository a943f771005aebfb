#include "audit/replay_target.h"

#include "consumer/engine.h"
#include "consumer/kafka_admin.h"
#include "consumer/kafka_producer.h"
#include "schemas/registry.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 60000, NAME_MAX_BYTES = 249, RECORD_MAX = 1 << 20, PARTITIONS_MAX = 10000 };

static const enum ss_output outputs[] = {SS_SCORES, SS_ENTITLEMENTS};
enum { OUTPUTS = sizeof outputs / sizeof outputs[0] };

struct ss_replay_target {
    char names[OUTPUTS][NAME_MAX_BYTES + 1];
    uint32_t schema_ids[OUTPUTS];
    struct ss_kafka_access access;
    struct ss_kafka_producer *producer;
    pthread_mutex_t lock; /* of what follows, and of the producer */
    struct ss_buffer encoded;
    int64_t sent[OUTPUTS];
};

static bool is_live(const struct ss_config *config, const char *name)
{
    const char *const others[] = {config->scores_topic,       config->entitlements_topic,
                                  config->dead_letters_topic, config->state_topic,
                                  config->ranks_topic,        config->models_topic};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (strcmp(name, config->input_topics[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return true;
    for (int i = 0; i < config->subscriber_count; i++)
        if (strcmp(name, config->subscribers[i].topic) == 0)
            return true;
    return false;
}

static enum ss_status name_topics(struct ss_replay_target *target,
                                  const struct ss_replay_target_config *config,
                                  struct ss_error *err)
{
    const char *const live[] = {config->config->scores_topic, config->config->entitlements_topic};
    for (int i = 0; i < OUTPUTS; i++) {
        const int size =
            snprintf(target->names[i], sizeof target->names[i], "%s%s", config->prefix, live[i]);
        if (size > NAME_MAX_BYTES)
            return ss_fail(err, SS_STOP,
                           "the prefix makes a topic name of %d bytes; %d is the most", size,
                           NAME_MAX_BYTES);
        if (is_live(config->config, target->names[i]))
            return ss_fail(
                err, SS_STOP,
                "with the prefix '%.100s' the replay would write to %s, which is a topic "
                "of the live system; choose another",
                config->prefix, target->names[i]);
    }
    return SS_OK;
}

static enum ss_status make_topics(struct ss_replay_target *target,
                                  const struct ss_replay_target_config *config,
                                  struct ss_error *err)
{
    char retention[24];
    snprintf(retention, sizeof retention, "%" PRId64, config->config->scores_retention_ms);
    const struct ss_kafka_property properties[] = {{"cleanup.policy", "delete"},
                                                   {"retention.ms", retention}};
    struct ss_kafka_topic topics[OUTPUTS] = {0};
    for (int i = 0; i < OUTPUTS; i++)
        topics[i] = (struct ss_kafka_topic){
            .name = target->names[i],
            .partitions = config->partitions,
            .replication = (int)config->config->topic_replication,
            .config = {properties, sizeof properties / sizeof properties[0]}};
    return ss_kafka_topics_create(&target->access, topics, OUTPUTS, TIMEOUT_MS, err);
}

static enum ss_status check_empty(struct ss_replay_target *target, const char *name, bool replace,
                                  struct ss_error *err)
{
    int32_t count = PARTITIONS_MAX;
    int64_t records = 0;
    struct ss_kafka_end *ends = calloc((size_t)count, sizeof *ends);
    if (!ends)
        return ss_fail(err, SS_STOP, "out of memory");
    enum ss_status status =
        ss_kafka_topic_ends(&target->access, name, false, ends, &count, TIMEOUT_MS, err);
    for (int32_t p = 0; status == SS_OK && p < count; p++)
        records += ends[p].high - ends[p].low;
    free(ends);
    if (status != SS_OK || records == 0)
        return status;
    if (!replace)
        return ss_fail(err, SS_STOP,
                       "%s holds %" PRId64 " records already; choose another prefix, or give "
                       "--to-replace to delete them first",
                       name, records);
    return ss_kafka_topic_empty(&target->access, name, TIMEOUT_MS, err);
}

static enum ss_status register_schemas(struct ss_replay_target *target,
                                       const struct ss_config *config, struct ss_error *err)
{
    const struct ss_registry_config where = ss_engine_registry(config);
    struct ss_registry *registry;
    enum ss_status status = ss_registry_open(&where, &registry, err);
    if (status != SS_OK)
        return status;
    for (int i = 0; status == SS_OK && i < OUTPUTS; i++) {
        char subject[NAME_MAX_BYTES + 8];
        snprintf(subject, sizeof subject, "%s-value", target->names[i]);
        status = ss_registry_register(registry, subject, ss_schema_of_output(outputs[i]),
                                      &target->schema_ids[i], err);
    }
    ss_registry_close(registry);
    return status;
}

static enum ss_status open_all(struct ss_replay_target *target,
                               const struct ss_replay_target_config *config, struct ss_error *err)
{
    const struct ss_config *where = config->config;
    if (!ss_config_property(where, SS_CLIENTS_PRODUCER, "bootstrap.servers") ||
        !where->registry_url)
        return ss_fail(err, SS_STOP,
                       "where are the topics to be written to? Give a config with -F that names "
                       "the brokers and the registry");
    enum ss_status status = ss_engine_access_open(where, &target->access, err);
    if (status == SS_OK)
        status = name_topics(target, config, err);
    if (status == SS_OK)
        status = make_topics(target, config, err);
    for (int i = 0; status == SS_OK && i < OUTPUTS; i++)
        status = check_empty(target, target->names[i], config->replace, err);
    if (status == SS_OK)
        status = register_schemas(target, where, err);
    return status == SS_OK ? ss_kafka_producer_open(&target->access, &target->producer, err)
                           : status;
}

enum ss_status ss_replay_target_open(const struct ss_replay_target_config *config,
                                     struct ss_replay_target **out, struct ss_error *err)
{
    struct ss_replay_target *target = calloc(1, sizeof *target);
    if (!target)
        return ss_fail(err, SS_STOP, "out of memory");
    pthread_mutex_init(&target->lock, NULL);
    ss_buffer_init(&target->encoded, RECORD_MAX);
    enum ss_status status = open_all(target, config, err);
    if (status != SS_OK) {
        ss_replay_target_close(target);
        return status;
    }
    *out = target;
    return SS_OK;
}

/* What was encoded last; nothing here is to be tried again by whoever replays. */
static enum ss_status send(struct ss_replay_target *target, int output, struct ss_text user_id,
                           enum ss_status status, struct ss_error *err)
{
    const struct ss_bytes key = {user_id.data, user_id.size};
    const struct ss_bytes value = {target->encoded.data, target->encoded.size};
    if (status == SS_OK)
        status = ss_kafka_producer_send(target->producer, target->names[output], key, value, NULL,
                                        0, 0, err);
    target->sent[output]++;
    target->encoded.size = 0;
    return status == SS_OK ? SS_OK : SS_STOP;
}

enum ss_status ss_replay_target_publish(void *arg, struct ss_text user_id,
                                        const struct ss_effects *effects, struct ss_error *err)
{
    struct ss_replay_target *target = arg;
    enum ss_status status = SS_OK;
    pthread_mutex_lock(&target->lock);
    if (effects->has_record)
        status = send(
            target, 0, user_id,
            ss_encode_score(target->schema_ids[0], &effects->record, &target->encoded, err), err);
    for (int i = 0; status == SS_OK && i < effects->entitlement_count; i++)
        status = send(target, 1, user_id,
                      ss_encode_entitlement(target->schema_ids[1], &effects->entitlements[i],
                                            &target->encoded, err),
                      err);
    pthread_mutex_unlock(&target->lock);
    return status;
}

enum ss_status ss_replay_target_finish(struct ss_replay_target *target,
                                       struct ss_replay_target_counts *counts, struct ss_error *err)
{
    *counts = (struct ss_replay_target_counts){{0}, {0}};
    for (int i = 0; i < OUTPUTS; i++) {
        counts->topics[outputs[i]] = target->names[i];
        counts->sent[outputs[i]] = target->sent[i];
    }
    return ss_kafka_producer_flush(target->producer, TIMEOUT_MS, NULL, err);
}

void ss_replay_target_close(struct ss_replay_target *target)
{
    if (!target)
        return;
    ss_kafka_producer_close(target->producer);
    ss_buffer_reset(&target->encoded);
    pthread_mutex_destroy(&target->lock);
    ss_engine_access_close(&target->access);
    free(target);
}
