#include "consumer/kafka_positions.h"

#include "base/clock.h"
#include "consumer/kafka_client.h"

#include <poll.h>
#include <string.h>

enum { TIMEOUT_MS = 30000, BUFFER_BYTES = 1 << 20 };

static enum ss_status open_handle(struct ss_kafka_client *client,
                                  const struct ss_kafka_access *access, rd_kafka_t **handle,
                                  struct ss_error *err)
{
    strcpy(client->who, "kafka-positions");
    return ss_kafka_fetcher_open(client, access, "read_committed", BUFFER_BYTES, handle, err);
}

enum ss_status ss_kafka_positions_counts(const struct ss_kafka_access *access,
                                         const char *const *topics, size_t topic_count,
                                         int32_t *counts, struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    rd_kafka_t *handle;
    enum ss_status status = open_handle(&client, access, &handle, err);
    if (status)
        return status;
    status = ss_kafka_partition_counts(handle, topics, topic_count, counts, TIMEOUT_MS, err);
    rd_kafka_destroy(handle);
    return status;
}

enum ss_status ss_kafka_positions_ends(const struct ss_kafka_access *access,
                                       const char *const *topics, size_t topic_count,
                                       int32_t partition_count, int64_t *lows, int64_t *ends,
                                       struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    rd_kafka_t *handle;
    enum ss_status status = open_handle(&client, access, &handle, err);
    if (status)
        return status;
    for (size_t t = 0; t < topic_count && !status; t++)
        for (int32_t p = 0; p < partition_count && !status; p++) {
            size_t i = t * (size_t)partition_count + (size_t)p;
            status = ss_kafka_watermarks(handle, topics[t], p, &lows[i], &ends[i], TIMEOUT_MS, err);
        }
    rd_kafka_destroy(handle);
    return status;
}

static size_t topic_index(const char *const *topics, size_t count, const char *topic)
{
    size_t i = 0;
    while (i < count && strcmp(topics[i], topic) != 0)
        i++;
    return i;
}

static rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t *list,
                                       rd_kafka_resp_err_t code)
{
    for (int i = 0; i < list->cnt && !code; i++)
        code = list->elems[i].err;
    return code;
}

static enum ss_status open_member(struct ss_kafka_client *client,
                                  const struct ss_kafka_access *access, const char *group,
                                  rd_kafka_t **handle, struct ss_error *err)
{
    strcpy(client->who, "kafka-positions");
    rd_kafka_conf_t *conf = ss_kafka_conf_new(client);
    enum ss_status status = ss_kafka_conf_access(conf, access, RD_KAFKA_CONSUMER, err);
    if (!status)
        status = ss_kafka_conf_set(conf, "group.id", group, err);
    if (!status)
        status = ss_kafka_conf_set(conf, "enable.auto.commit", "false", err);
    if (!status)
        status = ss_kafka_conf_set(conf, "isolation.level", "read_committed", err);
    if (status) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    return ss_kafka_handle_open(conf, RD_KAFKA_CONSUMER, handle, err);
}

enum ss_status ss_kafka_positions_group(const struct ss_kafka_access *access, const char *group,
                                        const char *const *topics, size_t topic_count,
                                        int32_t partition_count, int64_t *offsets,
                                        struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    rd_kafka_t *handle;
    rd_kafka_resp_err_t code;
    enum ss_status status = open_member(&client, access, group, &handle, err);
    if (status)
        return status;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)topic_count * partition_count);
    for (size_t t = 0; t < topic_count; t++)
        for (int32_t p = 0; p < partition_count; p++)
            rd_kafka_topic_partition_list_add(list, topics[t], p);
    const int64_t deadline = ss_clock_steady_ms() + TIMEOUT_MS;
    for (;;) {
        code = first_error(list, rd_kafka_committed(handle, list, TIMEOUT_MS / 4));
        if (!code || ss_clock_steady_ms() > deadline)
            break;
        poll(NULL, 0, 50); /* a transaction is being decided, or the coordinator moves */
    }
    if (code)
        status = ss_fail(err, SS_RETRY, "committed offsets of group %s: %s", group,
                         rd_kafka_err2str(code));
    for (int i = 0; i < list->cnt && !status; i++) { /* the list may have been reordered */
        const rd_kafka_topic_partition_t *one = &list->elems[i];
        size_t t = topic_index(topics, topic_count, one->topic);
        if (t < topic_count)
            offsets[t * (size_t)partition_count + (size_t)one->partition] =
                one->offset < 0 ? -1 : one->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(handle);
    return status;
}

enum ss_status ss_kafka_positions_at(const struct ss_kafka_access *access,
                                     const char *const *topics, size_t topic_count,
                                     int32_t partition, int64_t time_ms, int64_t *offsets,
                                     struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    rd_kafka_t *handle;
    enum ss_status status = open_handle(&client, access, &handle, err);
    if (status)
        return status;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)topic_count);
    for (size_t t = 0; t < topic_count; t++)
        rd_kafka_topic_partition_list_add(list, topics[t], partition)->offset = time_ms;
    rd_kafka_resp_err_t code =
        first_error(list, rd_kafka_offsets_for_times(handle, list, TIMEOUT_MS));
    if (code)
        status = ss_fail(err, SS_RETRY, "offsets by time: %s", rd_kafka_err2str(code));
    for (int i = 0; i < list->cnt && !status; i++) {
        size_t t = topic_index(topics, topic_count, list->elems[i].topic);
        if (t < topic_count)
            offsets[t] = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(handle);
    return status;
}
