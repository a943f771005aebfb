#include "consumer/kafka_pull.h"

#include "base/clock.h"
#include "consumer/kafka_client.h"

#include <stdlib.h>

enum { DRY_MS = 5, DRY_MS_MAX = 100 };

struct part {
    rd_kafka_topic_t *topic; /* NULL: none, or nothing to be read */
    rd_kafka_queue_t *queue;
    int64_t end;
    bool done;
    rd_kafka_message_t **messages; /* of the batch that was handed out */
    size_t message_count;
    struct ss_kafka_record *records;
};

struct ss_kafka_pull {
    struct ss_kafka_client client;
    rd_kafka_t *handle;
    int32_t partition;
    size_t part_count, records_max;
    int timeout_ms;
    struct part parts[SS_KAFKA_PULL_TOPICS_MAX];
};

static enum ss_status start_part(struct ss_kafka_pull *pull,
                                 const struct ss_kafka_pull_config *config, size_t i,
                                 struct ss_error *err)
{
    struct part *part = &pull->parts[i];
    part->end = config->to[i];
    part->done = !config->topics[i] || config->from[i] >= config->to[i];
    if (part->done)
        return SS_OK;
    part->messages = calloc(config->records_max, sizeof(rd_kafka_message_t *));
    part->records = calloc(config->records_max, sizeof *part->records);
    if (!part->messages || !part->records)
        return ss_fail(err, SS_STOP, "out of memory");
    part->queue = rd_kafka_queue_new(pull->handle);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(pull->handle, config->topics[i], NULL);
    if (!topic ||
        rd_kafka_consume_start_queue(topic, pull->partition, config->from[i], part->queue) != 0) {
        if (topic)
            rd_kafka_topic_destroy(topic);
        return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", config->topics[i], pull->partition,
                       rd_kafka_err2str(rd_kafka_last_error()));
    }
    part->topic = topic;
    return SS_OK;
}

enum ss_status ss_kafka_pull_open(const struct ss_kafka_pull_config *config,
                                  struct ss_kafka_pull **out, struct ss_error *err)
{
    struct ss_kafka_pull *pull = calloc(1, sizeof *pull);
    *out = NULL;
    if (!pull || config->topic_count > SS_KAFKA_PULL_TOPICS_MAX) {
        free(pull);
        return ss_fail(err, SS_STOP, "out of memory");
    }
    strcpy(pull->client.who, "kafka-pull");
    pull->partition = config->partition;
    pull->part_count = config->topic_count;
    pull->records_max = config->records_max;
    pull->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : 30000;
    enum ss_status status = ss_kafka_fetcher_open(&pull->client, config->access, "read_committed",
                                                  config->memory_bytes_max, &pull->handle, err);
    for (size_t i = 0; i < config->topic_count && !status; i++)
        status = start_part(pull, config, i, err);
    if (status) {
        ss_kafka_pull_close(pull);
        return status;
    }
    *out = pull;
    return SS_OK;
}

static void release(struct part *part)
{
    for (size_t i = 0; i < part->message_count; i++)
        rd_kafka_message_destroy(part->messages[i]);
    part->message_count = 0;
}

/* What came of a topic: records below the end, errors, and word of the log's end. */
static enum ss_status sift(struct ss_kafka_pull *pull, struct part *part, size_t *count,
                           struct ss_error *err)
{
    for (size_t i = 0; i < part->message_count && !part->done; i++) {
        const rd_kafka_message_t *m = part->messages[i];
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            part->done = m->offset >= part->end; /* behind markers and aborted records */
            continue;
        }
        if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
            return ss_fail(err, SS_STOP, "%s [%d]: retention has cut off what was to be read: %s",
                           rd_kafka_topic_name(part->topic), pull->partition,
                           rd_kafka_message_errstr(m));
        if (m->err)
            return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", rd_kafka_topic_name(part->topic),
                           pull->partition, rd_kafka_message_errstr(m));
        part->done = m->offset + 1 >= part->end;
        if (m->offset >= part->end)
            break;
        part->records[(*count)++] = ss_kafka_record_of(m);
    }
    return SS_OK;
}

enum ss_status ss_kafka_pull_next(struct ss_kafka_pull *pull, size_t topic,
                                  const struct ss_kafka_record **records, size_t *count,
                                  struct ss_error *err)
{
    struct part *part = &pull->parts[topic];
    const int64_t deadline = ss_clock_steady_ms() + pull->timeout_ms;
    int wait_ms = DRY_MS; /* longer and longer, for an end that is held back by a transaction */
    *records = part->records;
    *count = 0;
    while (*count == 0) {
        release(part);
        if (part->done)
            return SS_OK;
        /* with a timeout it would wait for a full batch */
        ssize_t got =
            rd_kafka_consume_batch_queue(part->queue, 0, part->messages, pull->records_max);
        if (got == 0)
            got = rd_kafka_consume_batch_queue(part->queue, wait_ms, part->messages, 1);
        rd_kafka_poll(pull->handle, 0);
        if (got < 0)
            return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", rd_kafka_topic_name(part->topic),
                           pull->partition, rd_kafka_err2str(rd_kafka_last_error()));
        part->message_count = (size_t)got;
        if (got == 0) {
            if (ss_clock_steady_ms() >= deadline)
                return ss_fail(err, SS_RETRY, "%s [%d]: nothing for %d ms, the end not reached",
                               rd_kafka_topic_name(part->topic), pull->partition, pull->timeout_ms);
            ss_kafka_fetcher_wake(pull->handle, rd_kafka_topic_name(part->topic), pull->partition);
            wait_ms = wait_ms * 2 < DRY_MS_MAX ? wait_ms * 2 : DRY_MS_MAX;
            continue;
        }
        enum ss_status status = sift(pull, part, count, err);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}

void ss_kafka_pull_close(struct ss_kafka_pull *pull)
{
    if (!pull)
        return;
    for (size_t i = 0; i < pull->part_count; i++) {
        struct part *part = &pull->parts[i];
        release(part);
        if (part->topic) {
            rd_kafka_consume_stop(part->topic, pull->partition);
            rd_kafka_topic_destroy(part->topic);
        }
        if (part->queue)
            rd_kafka_queue_destroy(part->queue);
        free(part->messages);
        free(part->records);
    }
    if (pull->handle)
        rd_kafka_destroy(pull->handle);
    free(pull);
}
