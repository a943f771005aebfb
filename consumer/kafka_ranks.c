#include "consumer/kafka_ranks.h"

#include "base/log.h"
#include "consumer/kafka_client.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { REQUEST_TIMEOUT_MS = 3000, FETCH_BYTES = 4 << 20, WAIT_MS = 100, RETRY_MS = 500 };

struct ss_kafka_ranks {
    struct ss_kafka_client client;
    const struct ss_kafka_access *access;
    const char *name;
    struct ss_ranks *ranks;
    pthread_t thread;
    atomic_bool stop;
    bool said;
    rd_kafka_t *handle; /* NULL: to be opened */
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int64_t next; /* offset */
};

static void leave(struct ss_kafka_ranks *r)
{
    if (r->topic) {
        rd_kafka_consume_stop(r->topic, 0);
        rd_kafka_topic_destroy(r->topic);
    }
    if (r->queue)
        rd_kafka_queue_destroy(r->queue);
    if (r->handle)
        rd_kafka_destroy(r->handle);
    r->topic = NULL;
    r->queue = NULL;
    r->handle = NULL;
}

static enum ss_status join(struct ss_kafka_ranks *r, struct ss_error *err)
{
    int64_t low, high;
    enum ss_status status = ss_kafka_fetcher_open(&r->client, r->access, "read_committed",
                                                  FETCH_BYTES, &r->handle, err);
    if (status == SS_OK)
        status = ss_kafka_watermarks(r->handle, r->name, 0, &low, &high, REQUEST_TIMEOUT_MS, err);
    if (status != SS_OK)
        return status;
    if (r->next > high) { /* deleted, and made anew */
        ss_warn(r->client.who, "%s ends at %lld, it has been read up to %lld: reading it anew",
                r->name, (long long)high, (long long)r->next);
        ss_ranks_clear(r->ranks);
        r->next = 0;
    }
    if (r->next < low) /* compacted: of each partition something newer is there */
        r->next = low;
    r->queue = rd_kafka_queue_new(r->handle);
    r->topic = rd_kafka_topic_new(r->handle, r->name, NULL);
    if (rd_kafka_consume_start_queue(r->topic, 0, r->next, r->queue) != 0)
        return ss_fail(err, SS_RETRY, "reading %s: %s", r->name,
                       rd_kafka_err2str(rd_kafka_last_error()));
    return SS_OK;
}

static enum ss_status take(struct ss_kafka_ranks *r, const rd_kafka_message_t *message,
                           struct ss_error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ss_ranks_set_ready(r->ranks);
        return SS_OK;
    }
    if (message->err)
        return ss_fail(err, SS_RETRY, "reading %s: %s", r->name, rd_kafka_message_errstr(message));
    if (message->offset < r->next)
        return SS_OK;
    r->next = message->offset + 1;
    enum ss_status status = ss_ranks_take(r->ranks, message->offset,
                                          (struct ss_bytes){message->payload, message->len}, err);
    if (status != SS_DROP)
        return status;
    ss_warn(r->client.who, "%s offset %lld passed over: %s", r->name, (long long)message->offset,
            err->detail);
    return SS_OK;
}

static enum ss_status read_some(struct ss_kafka_ranks *r, struct ss_error *err)
{
    enum ss_status status = r->handle ? SS_OK : join(r, err);
    if (status != SS_OK)
        return status;
    rd_kafka_poll(r->handle, 0);
    rd_kafka_message_t *message = rd_kafka_consume_queue(r->queue, WAIT_MS);
    if (!message)
        return SS_OK;
    status = take(r, message, err);
    rd_kafka_message_destroy(message);
    r->said &= status != SS_OK;
    return status;
}

static void *follow(void *arg)
{
    struct ss_kafka_ranks *r = arg;
    struct ss_error err;
    while (!atomic_load(&r->stop)) {
        if (read_some(r, &err) == SS_OK)
            continue;
        if (!r->said)
            ss_warn(r->client.who, "%s; trying again", err.detail);
        r->said = true;
        leave(r);
        for (int waited = 0; waited < RETRY_MS && !atomic_load(&r->stop); waited += 50)
            poll(NULL, 0, 50);
    }
    leave(r);
    return NULL;
}

enum ss_status ss_kafka_ranks_open(const struct ss_kafka_access *access, const char *topic,
                                   struct ss_ranks *ranks, struct ss_kafka_ranks **reader,
                                   struct ss_error *err)
{
    struct ss_kafka_ranks *r = calloc(1, sizeof *r);
    if (!r)
        return ss_fail(err, SS_STOP, "out of memory");
    strcpy(r->client.who, "kafka-ranks");
    r->access = access;
    r->name = topic;
    r->ranks = ranks;
    if (pthread_create(&r->thread, NULL, follow, r) != 0) {
        free(r);
        return ss_fail(err, SS_STOP, "cannot start the thread that reads %s", topic);
    }
    *reader = r;
    return SS_OK;
}

void ss_kafka_ranks_close(struct ss_kafka_ranks *r)
{
    if (!r)
        return;
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    free(r);
}
