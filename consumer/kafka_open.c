/* kafka_open.c - the bus's life: its config, what is checked before anything is consumed, its end.
 */
#include "consumer/kafka_internal.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void kafka_close(struct ss_bus *bus)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    if (k->in_transaction)
        (void)ss_kafka_abort(bus, NULL); /* else it holds readers back until its timeout */
    ss_kafka_release(k);
    for (int32_t p = 0; p < k->bus.partition_count; p++)
        ss_kafka_flows_stop(k, p);
    ss_kafka_group_close(k);
    ss_kafka_producer_discard(k);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (k->inputs[i])
            rd_kafka_topic_destroy(k->inputs[i]);
    if (k->fetch)
        rd_kafka_destroy(k->fetch);
    ss_kafka_start_close(k);
    if (k->wake_fd >= 0)
        close(k->wake_fd);
    free(k->partitions);
    free(k->event_partitions);
    free(k->messages);
    free(k->records);
    free(k->properties);
    free(k->strings);
    free(k);
}

static const struct ss_bus_ops kafka_ops = {
    .poll = ss_kafka_poll,
    .start = ss_kafka_start,
    .restore = ss_kafka_restore,
    .newest_group = ss_kafka_newest_group,
    .open_partition = ss_kafka_open_partition,
    .hold = ss_kafka_hold,
    .position = ss_kafka_position,
    .at_end = ss_kafka_at_end,
    .rewind = ss_kafka_rewind,
    .begin = ss_kafka_begin,
    .produce = ss_kafka_produce,
    .commit = ss_kafka_commit,
    .abort = ss_kafka_abort,
    .offset = ss_kafka_offset,
    .mark = ss_kafka_mark,
    .header = ss_kafka_header,
    .close = kafka_close,
};

static void set_default(int *value, int otherwise)
{
    if (*value <= 0)
        *value = otherwise;
}

static void set_default_size(size_t *value, size_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

/* Every text the config points to. `visit` may replace the pointer. */
static void each_text(struct ss_kafka_config *config, struct ss_kafka_property *properties,
                      void (*visit)(void *arg, const char **text), void *arg)
{
    struct ss_kafka_properties *lists[] = {&config->access.common, &config->access.consumer,
                                           &config->access.producer};
    if (config->access.bootstrap)
        visit(arg, &config->access.bootstrap);
    visit(arg, &config->group);
    visit(arg, &config->instance);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        visit(arg, &config->inputs[i]);
    for (int i = 0; i < SS_TARGET_MAX; i++)
        if (config->targets[i])
            visit(arg, &config->targets[i]);
    for (size_t l = 0; l < 3; l++) {
        if (lists[l]->count > 0)
            memcpy(properties, lists[l]->list, lists[l]->count * sizeof *properties);
        lists[l]->list = properties;
        for (size_t i = 0; i < lists[l]->count; i++, properties++) {
            visit(arg, &properties->name);
            visit(arg, &properties->value);
        }
    }
}

static void measure_text(void *arg, const char **text)
{
    *(size_t *)arg += strlen(*text) + 1;
}

static void copy_text(void *arg, const char **text)
{
    char **at = arg;
    size_t size = strlen(*text) + 1;
    *text = memcpy(*at, *text, size);
    *at += size;
}

static bool config_copy(struct ss_kafka_bus *k, const struct ss_kafka_config *config)
{
    const struct ss_kafka_access *access = &config->access;
    size_t size = 0;
    k->properties =
        calloc(access->common.count + access->consumer.count + access->producer.count + 1,
               sizeof *k->properties);
    if (!k->properties)
        return false;
    k->config = *config;
    each_text(&k->config, k->properties, measure_text, &size);
    k->strings = malloc(size);
    if (!k->strings)
        return false;
    char *at = k->strings;
    k->config = *config;
    each_text(&k->config, k->properties, copy_text, &at);

    set_default(&k->config.session_timeout_ms, 10000);
    set_default(&k->config.transaction_timeout_ms, 10000);
    set_default(&k->config.open_timeout_ms, 30000);
    set_default(&k->config.restore_timeout_ms, 60000);
    set_default(&k->config.gather_ms, 2);
    set_default_size(&k->config.fetch_bytes, 32u << 20);
    set_default_size(&k->config.produce_bytes, 32u << 20);
    set_default_size(&k->config.record_bytes_max, 11u << 20);
    snprintf(k->id, sizeof k->id, "%s-%s-%d", k->config.group, k->config.instance,
             k->config.worker);
    snprintf(k->client.who, sizeof k->client.who, "kafka-%d", k->config.worker);
    k->client.owner = k;
    k->client.statistics = config->statistics;
    k->client.statistics_arg = config->statistics_arg;
    k->client.statistics_interval_ms = config->statistics_interval_ms;
    return true;
}

enum { TOPICS_MAX = SS_INPUT_COUNT + SS_TARGET_MAX, TOPICS_SETTLE_MS = 3000 };

static bool any_missing(const int32_t *counts, size_t topic_count)
{
    for (size_t i = 0; i < topic_count; i++)
        if (counts[i] == 0)
            return true;
    return false;
}

static enum ss_status check_topics(struct ss_kafka_bus *k, struct ss_error *err)
{
    const int64_t settled_at = ss_clock_steady_ms() + TOPICS_SETTLE_MS;
    const char *topics[TOPICS_MAX];
    int32_t counts[TOPICS_MAX];
    size_t topic_count = SS_INPUT_COUNT;
    char list[300] = "";
    size_t used = 0;
    bool missing, unequal = false, several = false;

    memcpy(topics, k->config.inputs, sizeof k->config.inputs);
    for (int i = 0; i < SS_TARGET_MAX; i++)
        if (k->config.targets[i])
            topics[topic_count++] = k->config.targets[i];
    for (;;) {
        enum ss_status status = ss_kafka_partition_counts(k->fetch, topics, topic_count, counts,
                                                          k->config.open_timeout_ms, err);
        if (status)
            return status;
        missing = any_missing(counts, topic_count);
        if (!missing || ss_clock_steady_ms() > settled_at)
            break;
        poll(NULL, 0, 100); /* just made: not every broker knows them yet */
    }
    for (size_t i = 0; i < topic_count; i++) {
        if (topics[i] == k->config.targets[SS_TO_RANKS] && counts[i] > 0) {
            several = counts[i] > 1;
            continue;
        }
        unequal |= counts[i] != counts[0];
        if (missing && counts[i] == 0)
            used += (size_t)snprintf(list + used, sizeof list - used, " %s", topics[i]);
        else if (!missing)
            used +=
                (size_t)snprintf(list + used, sizeof list - used, " %s %d", topics[i], counts[i]);
        if (used >= sizeof list)
            used = sizeof list - 1;
    }
    if (missing)
        return ss_fail(err, SS_STOP,
                       "topics missing (or not ours to describe):%s; run `sesame topics create`",
                       list);
    if (unequal)
        return ss_fail(err, SS_STOP, "all topics need one partition count, they have:%s", list);
    if (several)
        return ss_fail(err, SS_STOP,
                       "%s has more than one partition; delete it and run `sesame topics create`",
                       k->config.targets[SS_TO_RANKS]);
    k->bus.partition_count = counts[0];
    return SS_OK;
}

static enum ss_status open_all(struct ss_kafka_bus *k, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + k->config.open_timeout_ms;
    enum ss_status status;

    k->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (k->wake_fd < 0)
        return ss_fail(err, SS_STOP, "no event descriptor: raise the limit of open files");
    status = ss_kafka_fetcher_open(&k->client, &k->config.access, "read_committed",
                                   k->config.fetch_bytes, &k->fetch, err);
    if (!status)
        status = check_topics(k, err);
    if (status)
        return status;

    const size_t count = (size_t)k->bus.partition_count;
    k->partitions = calloc(count, sizeof *k->partitions);
    k->event_partitions = calloc(count, sizeof *k->event_partitions);
    if (!k->partitions || !k->event_partitions)
        return ss_fail(err, SS_STOP, "out of memory for %zu partitions", count);
    char *cluster = rd_kafka_clusterid(k->fetch, k->config.open_timeout_ms);
    if (!cluster)
        return ss_kafka_no_answer(k->fetch, k->config.open_timeout_ms, RD_KAFKA_RESP_ERR__TIMED_OUT,
                                  err);
    snprintf(k->bus.cluster_id, sizeof k->bus.cluster_id, "%s", cluster);
    rd_kafka_mem_free(k->fetch, cluster);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(k->fetch);
        rd_kafka_topic_conf_set_opaque(conf, (void *)(intptr_t)i);
        rd_kafka_topic_conf_set(conf, "auto.commit.enable", "false", NULL, 0);
        k->inputs[i] = rd_kafka_topic_new(k->fetch, k->config.inputs[i], conf);
    }
    do
        status = ss_kafka_producer_ready(k, 1000, err);
    while (status == SS_RETRY && ss_clock_steady_ms() < deadline);
    if (!status)
        status = ss_kafka_group_open(k, err);
    return status;
}

enum ss_status ss_kafka_bus_open(const struct ss_kafka_config *config, struct ss_bus **bus,
                                 struct ss_error *err)
{
    struct ss_kafka_bus *k = calloc(1, sizeof *k);
    if (!k)
        return ss_fail(err, SS_STOP, "out of memory");
    k->bus.ops = &kafka_ops;
    k->wake_fd = -1;
    enum ss_status status =
        config_copy(k, config) ? open_all(k, err) : ss_fail(err, SS_STOP, "out of memory");
    if (status) {
        kafka_close(&k->bus);
        return status;
    }
    *bus = &k->bus;
    return SS_OK;
}
