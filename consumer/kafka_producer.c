#include "consumer/kafka_producer.h"

#include "base/clock.h"
#include "consumer/kafka_client.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROOM_TIMEOUT_MS = 60000, SERVE_REPORTS_EVERY = 1000 };

struct ss_kafka_producer {
    struct ss_kafka_client client;
    rd_kafka_t *handle;
    struct ss_kafka_deliveries deliveries;
    size_t sent;
};

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct ss_kafka_producer *p = ((struct ss_kafka_client *)opaque)->owner;
    (void)handle;
    if (!message->err) {
        p->deliveries.delivered++;
        return;
    }
    p->deliveries.failed++;
    snprintf(p->deliveries.error, sizeof p->deliveries.error, "%s: %s",
             rd_kafka_topic_name(message->rkt), rd_kafka_err2str(message->err));
}

static enum ss_status set_up(rd_kafka_conf_t *conf, const struct ss_kafka_access *access,
                             struct ss_error *err)
{
    static const struct ss_kafka_property ours[] = {
        {"partitioner", "murmur2_random"},
        {"enable.idempotence", "true"},
        {"linger.ms", "10"},
        {"queue.buffering.max.kbytes", "65536"},
        {"message.max.bytes", "11534336"},
    };
    enum ss_status status = SS_OK;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0] && !status; i++)
        status = ss_kafka_conf_set(conf, ours[i].name, ours[i].value, err);
    if (!status)
        status = ss_kafka_conf_access(conf, access, RD_KAFKA_PRODUCER, err);
    return status;
}

enum ss_status ss_kafka_producer_open(const struct ss_kafka_access *access,
                                      struct ss_kafka_producer **producer, struct ss_error *err)
{
    struct ss_kafka_producer *p = calloc(1, sizeof *p);
    if (!p)
        return ss_fail(err, SS_STOP, "out of memory");
    strcpy(p->client.who, "kafka-producer");
    p->client.owner = p;
    rd_kafka_conf_t *conf = ss_kafka_conf_new(&p->client);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    enum ss_status status = set_up(conf, access, err);
    if (status)
        rd_kafka_conf_destroy(conf);
    else
        status = ss_kafka_handle_open(conf, RD_KAFKA_PRODUCER, &p->handle, err);
    if (status) {
        free(p);
        return status;
    }
    *producer = p;
    return SS_OK;
}

static rd_kafka_resp_err_t send_once(struct ss_kafka_producer *p, const char *topic,
                                     struct ss_bytes key, struct ss_bytes value,
                                     const struct ss_header *headers, size_t header_count,
                                     int64_t timestamp_ms)
{
    rd_kafka_headers_t *list;
    rd_kafka_resp_err_t code = ss_kafka_headers_new(headers, header_count, &list);
    if (!code)
        code = rd_kafka_producev(
            p->handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(key.data, key.size), RD_KAFKA_V_VALUE((void *)value.data, value.size),
            RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_END);
    if (code)
        rd_kafka_headers_destroy(list);
    return code;
}

enum ss_status ss_kafka_producer_send(struct ss_kafka_producer *producer, const char *topic,
                                      struct ss_bytes key, struct ss_bytes value,
                                      const struct ss_header *headers, size_t header_count,
                                      int64_t timestamp_ms, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + ROOM_TIMEOUT_MS;
    rd_kafka_resp_err_t code;
    while ((code = send_once(producer, topic, key, value, headers, header_count, timestamp_ms)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(producer->handle, 50);
        if (ss_clock_steady_ms() > deadline)
            return ss_fail(err, SS_RETRY, "Kafka took no record for %d ms", ROOM_TIMEOUT_MS);
    }
    if (code)
        return ss_fail(err, code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? SS_DROP : SS_STOP,
                       "producing to %s: %s", topic, rd_kafka_err2str(code));
    if (++producer->sent % SERVE_REPORTS_EVERY == 0)
        rd_kafka_poll(producer->handle, 0);
    return SS_OK;
}

enum ss_status ss_kafka_producer_flush(struct ss_kafka_producer *producer, int timeout_ms,
                                       struct ss_kafka_deliveries *deliveries, struct ss_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(producer->handle, timeout_ms);
    if (deliveries)
        *deliveries = producer->deliveries;
    if (code)
        return ss_fail(err, SS_RETRY, "%d records not acknowledged within %d ms",
                       rd_kafka_outq_len(producer->handle), timeout_ms);
    if (producer->deliveries.failed)
        return ss_fail(err, SS_RETRY, "%lld records failed, the last: %s",
                       (long long)producer->deliveries.failed, producer->deliveries.error);
    return SS_OK;
}

void ss_kafka_producer_close(struct ss_kafka_producer *producer)
{
    if (!producer)
        return;
    rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(producer->handle, 0);
    rd_kafka_destroy(producer->handle);
    free(producer);
}
