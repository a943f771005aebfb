#include "consumer/kafka_admin.h"

#include "base/clock.h"
#include "consumer/kafka_client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static enum ss_status new_topic(const struct ss_kafka_topic *topic, rd_kafka_NewTopic_t **out,
                                struct ss_error *err)
{
    char reason[256];
    *out = rd_kafka_NewTopic_new(topic->name, topic->partitions,
                                 topic->replication > 0 ? topic->replication : -1, reason,
                                 sizeof reason);
    if (!*out)
        return ss_fail(err, SS_STOP, "topic %s: %s", topic->name, reason);
    for (size_t i = 0; i < topic->config.count; i++) {
        const struct ss_kafka_property *property = &topic->config.list[i];
        rd_kafka_resp_err_t code =
            rd_kafka_NewTopic_set_config(*out, property->name, property->value);
        if (code)
            return ss_fail(err, SS_STOP, "topic %s, %s: %s", topic->name, property->name,
                           rd_kafka_err2str(code));
    }
    return SS_OK;
}

static enum ss_status judge(rd_kafka_t *handle, rd_kafka_event_t *event,
                            struct ss_kafka_topic *topics, size_t count, int timeout_ms,
                            struct ss_error *err)
{
    enum ss_status status = SS_OK;
    size_t result_count;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        return ss_kafka_no_answer(handle, timeout_ms, RD_KAFKA_RESP_ERR__TIMED_OUT, err);
    if (rd_kafka_event_error(event) || !result)
        return ss_fail(err, SS_RETRY, "creating topics: %s", rd_kafka_event_error_string(event));
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(result, &result_count);
    for (size_t r = 0; r < result_count; r++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[r]);
        for (size_t i = 0; i < count && !code; i++)
            if (strcmp(topics[i].name, rd_kafka_topic_result_name(results[r])) == 0)
                topics[i].created = true;
        if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            status = ss_fail(err, SS_STOP, "topic %s not created: %s",
                             rd_kafka_topic_result_name(results[r]),
                             rd_kafka_topic_result_error_string(results[r]));
    }
    return status;
}

static enum ss_status create(rd_kafka_t *handle, struct ss_kafka_topic *topics, size_t count,
                             int timeout_ms, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    char reason[256];
    rd_kafka_NewTopic_t **list = calloc(count, sizeof *list);
    if (!list)
        return ss_fail(err, SS_STOP, "out of memory");
    for (size_t i = 0; i < count && !status; i++)
        status = new_topic(&topics[i], &list[i], err);
    if (!status) {
        rd_kafka_AdminOptions_t *options =
            rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
        rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, reason, sizeof reason);
        /* So that whoever starts next finds leaders. */
        rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, reason, sizeof reason);
        rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
        rd_kafka_CreateTopics(handle, list, count, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
        if (event)
            status = judge(handle, event, topics, count, timeout_ms, err);
        else
            status = ss_kafka_no_answer(handle, timeout_ms, RD_KAFKA_RESP_ERR__TIMED_OUT, err);
        if (event)
            rd_kafka_event_destroy(event);
        rd_kafka_queue_destroy(queue);
        rd_kafka_AdminOptions_destroy(options);
    }
    for (size_t i = 0; i < count; i++)
        if (list[i])
            rd_kafka_NewTopic_destroy(list[i]);
    free(list);
    return status;
}

/* Waits until all are known with their partitions: brokers learn of a new topic a little later, and
 * whoever starts next must find it. */
static enum ss_status check_counts(rd_kafka_t *handle, const struct ss_kafka_topic *topics,
                                   size_t count, int timeout_ms, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + timeout_ms;
    for (size_t i = 0; i < count;) {
        int32_t partitions;
        enum ss_status status =
            ss_kafka_partition_counts(handle, &topics[i].name, 1, &partitions, timeout_ms, err);
        if (status)
            return status;
        if (partitions == topics[i].partitions) {
            i++;
        } else if (partitions != 0) {
            return ss_fail(err, SS_STOP,
                           "topic %s exists with %d partitions, %d are wanted: all topics need "
                           "the same count, and it cannot be changed for a keyed topic",
                           topics[i].name, partitions, topics[i].partitions);
        } else if (ss_clock_steady_ms() > deadline) {
            return ss_fail(err, SS_RETRY, "topic %s was made but is not known after %d ms",
                           topics[i].name, timeout_ms);
        } else {
            poll(NULL, 0, 50);
        }
    }
    return SS_OK;
}

static enum ss_status admin_open(struct ss_kafka_client *client,
                                 const struct ss_kafka_access *access, rd_kafka_t **handle,
                                 struct ss_error *err)
{
    strcpy(client->who, "kafka-admin");
    rd_kafka_conf_t *conf = ss_kafka_conf_new(client);
    enum ss_status status = ss_kafka_conf_access(conf, access, RD_KAFKA_PRODUCER, err);
    if (status) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    return ss_kafka_handle_open(conf, RD_KAFKA_PRODUCER, handle, err);
}

enum ss_status ss_kafka_topics_create(const struct ss_kafka_access *access,
                                      struct ss_kafka_topic *topics, size_t count, int timeout_ms,
                                      struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    rd_kafka_t *handle;
    enum ss_status status = admin_open(&client, access, &handle, err);
    if (status)
        return status;
    for (size_t i = 0; i < count; i++)
        topics[i].created = false;
    status = create(handle, topics, count, timeout_ms, err);
    if (!status)
        status = check_counts(handle, topics, count, timeout_ms, err);
    rd_kafka_destroy(handle);
    return status;
}

enum ss_status ss_kafka_topic_ends(const struct ss_kafka_access *access, const char *topic,
                                   bool committed, struct ss_kafka_end *ends,
                                   int32_t *partition_count, int timeout_ms, struct ss_error *err)
{
    struct ss_kafka_client client = {.who = "kafka-admin"};
    const int32_t room = *partition_count;
    rd_kafka_t *handle;
    enum ss_status status = ss_kafka_fetcher_open(
        &client, access, committed ? "read_committed" : "read_uncommitted", 1 << 20, &handle, err);
    if (status)
        return status;
    status = ss_kafka_partition_counts(handle, &topic, 1, partition_count, timeout_ms, err);
    if (!status && *partition_count == 0)
        status = ss_fail(err, SS_STOP, "there is no topic %s", topic);
    if (!status && *partition_count > room)
        status = ss_fail(err, SS_STOP, "%s has %d partitions, room is for %d", topic,
                         *partition_count, room);
    for (int32_t p = 0; p < *partition_count && !status; p++)
        status =
            ss_kafka_watermarks(handle, topic, p, &ends[p].low, &ends[p].high, timeout_ms, err);
    rd_kafka_destroy(handle);
    return status;
}

static enum ss_status judge_deleted(rd_kafka_event_t *event, const char *topic,
                                    struct ss_error *err)
{
    const rd_kafka_DeleteRecords_result_t *result =
        event ? rd_kafka_event_DeleteRecords_result(event) : NULL;
    if (!result || rd_kafka_event_error(event))
        return ss_fail(err, SS_RETRY, "emptying %s: %s", topic,
                       event ? rd_kafka_event_error_string(event) : "no answer");
    const rd_kafka_topic_partition_list_t *list = rd_kafka_DeleteRecords_result_offsets(result);
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err)
            return ss_fail(err, SS_STOP, "emptying %s [%d]: %s", topic, list->elems[i].partition,
                           rd_kafka_err2str(list->elems[i].err));
    return SS_OK;
}

static enum ss_status delete_records(rd_kafka_t *handle, const char *topic, int32_t partitions,
                                     int timeout_ms, struct ss_error *err)
{
    char reason[256];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, reason, sizeof reason);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DeleteRecords(handle, &request, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    enum ss_status status = judge_deleted(event, topic, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

enum ss_status ss_kafka_topic_empty(const struct ss_kafka_access *access, const char *topic,
                                    int timeout_ms, struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    int32_t partitions;
    rd_kafka_t *handle;
    enum ss_status status = admin_open(&client, access, &handle, err);
    if (status)
        return status;
    status = ss_kafka_partition_counts(handle, &topic, 1, &partitions, timeout_ms, err);
    if (!status && partitions == 0)
        status = ss_fail(err, SS_STOP, "there is no topic %s", topic);
    if (!status)
        status = delete_records(handle, topic, partitions, timeout_ms, err);
    rd_kafka_destroy(handle);
    return status;
}

enum ss_status ss_kafka_cluster_id(const struct ss_kafka_access *access, char *id, size_t size,
                                   int timeout_ms, struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    rd_kafka_t *handle;
    enum ss_status status = admin_open(&client, access, &handle, err);
    if (status)
        return status;
    char *found = rd_kafka_clusterid(handle, timeout_ms);
    if (found)
        snprintf(id, size, "%s", found);
    else
        status = ss_kafka_no_answer(handle, timeout_ms, RD_KAFKA_RESP_ERR__TIMED_OUT, err);
    if (found)
        rd_kafka_mem_free(handle, found);
    rd_kafka_destroy(handle);
    return status;
}

enum ss_status ss_kafka_group_members(const struct ss_kafka_access *access, const char *group,
                                      int *members, int timeout_ms, struct ss_error *err)
{
    struct ss_kafka_client client = {0};
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_t *handle;
    *members = 0;
    enum ss_status status = admin_open(&client, access, &handle, err);
    if (status)
        return status;
    rd_kafka_resp_err_t code = rd_kafka_list_groups(handle, group, &list, timeout_ms);
    for (int i = 0; !code && i < list->group_cnt; i++) {
        code = list->groups[i].err;
        *members += list->groups[i].member_cnt;
    }
    if (code)
        status = ss_fail(err, SS_RETRY, "members of group %s: %s", group, rd_kafka_err2str(code));
    if (list)
        rd_kafka_group_list_destroy(list);
    rd_kafka_destroy(handle);
    return status;
}
