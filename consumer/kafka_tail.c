#include "consumer/kafka_tail.h"

#include "consumer/kafka_client.h"

#include <stdlib.h>

enum { BATCH = 500, OPEN_TIMEOUT_MS = 30000, FETCH_BYTES = 16 << 20 };

struct ss_kafka_tail {
    struct ss_kafka_client client;
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
    size_t topic_count;
    rd_kafka_topic_t **topics;
    int32_t *partition_counts;
    int32_t *started; /* partitions of each topic, from 0 on */
    rd_kafka_message_t *messages[BATCH];
    size_t count, next;
    rd_kafka_message_t *given; /* what the caller looks at */
};

static enum ss_status start_topic(struct ss_kafka_tail *t, size_t topic, const char *name,
                                  struct ss_error *err)
{
    t->topics[topic] = rd_kafka_topic_new(t->handle, name, NULL);
    for (int32_t p = 0; p < t->partition_counts[topic]; p++) {
        int64_t low, high;
        enum ss_status status =
            ss_kafka_watermarks(t->handle, name, p, &low, &high, OPEN_TIMEOUT_MS, err);
        if (status)
            return status;
        if (rd_kafka_consume_start_queue(t->topics[topic], p, low, t->queue) != 0)
            return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", name, p,
                           rd_kafka_err2str(rd_kafka_last_error()));
        t->started[topic]++;
    }
    return SS_OK;
}

static enum ss_status start_all(struct ss_kafka_tail *t, const struct ss_kafka_access *access,
                                const char *const *topics, struct ss_error *err)
{
    enum ss_status status =
        ss_kafka_fetcher_open(&t->client, access, "read_committed", FETCH_BYTES, &t->handle, err);
    if (!status)
        status = ss_kafka_partition_counts(t->handle, topics, t->topic_count, t->partition_counts,
                                           OPEN_TIMEOUT_MS, err);
    if (status)
        return status;
    t->queue = rd_kafka_queue_new(t->handle);
    for (size_t i = 0; i < t->topic_count && !status; i++)
        status = t->partition_counts[i] ? start_topic(t, i, topics[i], err)
                                        : ss_fail(err, SS_STOP, "there is no topic %s", topics[i]);
    return status;
}

enum ss_status ss_kafka_tail_open(const struct ss_kafka_access *access, const char *const *topics,
                                  size_t topic_count, struct ss_kafka_tail **tail,
                                  struct ss_error *err)
{
    struct ss_kafka_tail *t = calloc(1, sizeof *t);
    if (t) {
        strcpy(t->client.who, "kafka-tail");
        t->topic_count = topic_count;
        t->topics = calloc(topic_count, sizeof *t->topics);
        t->partition_counts = calloc(topic_count, sizeof *t->partition_counts);
        t->started = calloc(topic_count, sizeof *t->started);
    }
    enum ss_status status = SS_OK;
    if (!t || !t->topics || !t->partition_counts || !t->started)
        status = ss_fail(err, SS_STOP, "out of memory");
    else
        status = start_all(t, access, topics, err);
    if (status) {
        ss_kafka_tail_close(t);
        return status;
    }
    *tail = t;
    return SS_OK;
}

static void let_go(struct ss_kafka_tail *t)
{
    if (t->given)
        rd_kafka_message_destroy(t->given);
    t->given = NULL;
}

enum ss_status ss_kafka_tail_next(struct ss_kafka_tail *t, int timeout_ms,
                                  struct ss_kafka_record *record, size_t *topic, bool *got,
                                  struct ss_error *err)
{
    *got = false;
    for (;;) {
        let_go(t);
        if (t->next == t->count) {
            rd_kafka_poll(t->handle, 0);
            ssize_t count = rd_kafka_consume_batch_queue(t->queue, timeout_ms, t->messages, BATCH);
            t->next = 0;
            t->count = count > 0 ? (size_t)count : 0;
            if (t->count == 0)
                return SS_OK;
        }
        rd_kafka_message_t *m = t->given = t->messages[t->next++];
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            timeout_ms = 0;
            continue;
        }
        if (m->err)
            return ss_fail(err, SS_RETRY, "reading %s: %s",
                           m->rkt ? rd_kafka_topic_name(m->rkt) : "a topic",
                           rd_kafka_message_errstr(m));
        for (*topic = 0; *topic + 1 < t->topic_count && t->topics[*topic] != m->rkt; ++*topic)
            ;
        *record = ss_kafka_record_of(m);
        *got = true;
        return SS_OK;
    }
}

void ss_kafka_tail_close(struct ss_kafka_tail *t)
{
    if (!t)
        return;
    let_go(t);
    while (t->next < t->count)
        rd_kafka_message_destroy(t->messages[t->next++]);
    for (size_t i = 0; t->topics && t->started && i < t->topic_count; i++) {
        for (int32_t p = 0; p < t->started[i]; p++)
            rd_kafka_consume_stop(t->topics[i], p);
        if (t->topics[i])
            rd_kafka_topic_destroy(t->topics[i]);
    }
    if (t->queue)
        rd_kafka_queue_destroy(t->queue);
    if (t->handle)
        rd_kafka_destroy(t->handle);
    free(t->topics);
    free(t->partition_counts);
    free(t->started);
    free(t);
}
