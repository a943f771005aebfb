#include "consumer/kafka_client.h"

#include "base/clock.h"
#include "base/log.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* --- logging and error state --- */

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    const struct ss_kafka_client *client = rd_kafka_opaque(handle);
    enum ss_log_level ours = level <= 3   ? SS_LOG_ERROR
                             : level == 4 ? SS_LOG_WARN
                             : level <= 6 ? SS_LOG_INFO
                                          : SS_LOG_DEBUG;
    /* Properties common to all clients reach consumers and producers alike; that each ignores the
     * other's is meant. A lost connection is told once by on_error, whatever the number of brokers.
     * What befalls a transaction comes back from its calls, and whoever called heals or tells it.
     */
    static const char *const told_elsewhere[] = {"CONFWARN", "FAIL",     "ERROR",  "TXNERR",
                                                 "FATAL",    "ADDPARTS", "GETPID", "PARTCNT"};
    for (size_t i = 0; i < sizeof told_elsewhere / sizeof told_elsewhere[0]; i++)
        if (strcmp(facility, told_elsewhere[i]) == 0)
            ours = SS_LOG_DEBUG;
    ss_log(ours, client ? client->who : "kafka", "%s: %s", facility, text);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct ss_kafka_client *client = opaque;
    (void)handle;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        return; /* whoever called into the client hears of it and decides */
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        client->all_down = true;
    else if (client->all_down && code == RD_KAFKA_RESP_ERR__TRANSPORT)
        return; /* adds nothing */
    if (client->trouble == (rd_kafka_resp_err_t)code)
        return;
    client->trouble = (rd_kafka_resp_err_t)code;
    ss_warn(client->who, "%s: %s; trying on", rd_kafka_err2str((rd_kafka_resp_err_t)code), reason);
}

void ss_kafka_client_well(struct ss_kafka_client *client)
{
    if (!client->trouble)
        return;
    ss_info(client->who, "well again after: %s", rd_kafka_err2str(client->trouble));
    client->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    client->all_down = false;
}

static int on_statistics(rd_kafka_t *handle, char *json, size_t size, void *opaque)
{
    struct ss_kafka_client *client = opaque;
    client->statistics(client->statistics_arg, rd_kafka_name(handle), json, size);
    return 0; /* librdkafka frees the text */
}

rd_kafka_resp_err_t ss_kafka_cause(rd_kafka_t *handle, rd_kafka_resp_err_t code, char *text,
                                   size_t size)
{
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_resp_err_t cause = rd_kafka_fatal_error(handle, text, size);
        if (cause)
            return cause;
    }
    snprintf(text, size, "%s", rd_kafka_err2str(code));
    return code;
}

/* --- configuration --- */

rd_kafka_conf_t *ss_kafka_conf_new(struct ss_kafka_client *client)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    /* Defaults of ours that a user may change. Nagle delays small requests by up to 40 ms. */
    rd_kafka_conf_set(conf, "client.id", "sesame", NULL, 0);
    rd_kafka_conf_set(conf, "socket.nagle.disable", "true", NULL, 0);
    rd_kafka_conf_set(conf, "reconnect.backoff.ms", "100", NULL, 0);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "2000", NULL, 0);
    if (client->statistics && client->statistics_interval_ms > 0) {
        char text[16];
        snprintf(text, sizeof text, "%d", client->statistics_interval_ms);
        rd_kafka_conf_set(conf, "statistics.interval.ms", text, NULL, 0);
        rd_kafka_conf_set_stats_cb(conf, on_statistics);
    }
    return conf;
}

enum ss_status ss_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                 struct ss_error *err)
{
    char reason[256];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
        return SS_OK;
    return ss_fail(err, SS_STOP, "Kafka property %s: %s", name, reason);
}

enum ss_status ss_kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name, int64_t value,
                                        struct ss_error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return ss_kafka_conf_set(conf, name, text, err);
}

/* What a promise rests on. */
static const char *reserved(const char *name)
{
    static const struct {
        const char *name, *instead;
    } list[] = {
        {"group.id", "set the group in the config"},
        {"group.instance.id", "set the instance in the config"},
        {"group.protocol", "partitions must be assigned by range"},
        {"partition.assignment.strategy", "partitions must be assigned by range"},
        {"enable.auto.commit", "offsets are committed with each transaction"},
        {"auto.commit.enable", "offsets are committed with each transaction"},
        {"enable.auto.offset.store", "offsets are committed with each transaction"},
        {"auto.offset.reset", "a gap in the log must never be skipped"},
        {"isolation.level", "inputs are read committed"},
        {"enable.partition.eof", "the engine needs it"},
        {"transactional.id", "it is made of group, instance and worker"},
        {"enable.idempotence", "transactions need it"},
        {"transaction.timeout.ms", "it is sesame's own, 10 s"},
        {"session.timeout.ms", "it is sesame's own, 10 s"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if (strcmp(name, list[i].name) == 0)
            return list[i].instead;
    return NULL;
}

static enum ss_status set_all(rd_kafka_conf_t *conf, struct ss_kafka_properties properties,
                              struct ss_error *err)
{
    for (size_t i = 0; i < properties.count; i++) {
        const struct ss_kafka_property *property = &properties.list[i];
        const char *instead = reserved(property->name);
        if (instead)
            return ss_fail(err, SS_STOP, "Kafka property %s cannot be set: %s", property->name,
                           instead);
        enum ss_status status = ss_kafka_conf_set(conf, property->name, property->value, err);
        if (status)
            return status;
    }
    return SS_OK;
}

enum ss_status ss_kafka_conf_access(rd_kafka_conf_t *conf, const struct ss_kafka_access *access,
                                    rd_kafka_type_t type, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    if (access->bootstrap)
        status = ss_kafka_conf_set(conf, "bootstrap.servers", access->bootstrap, err);
    if (!status)
        status = set_all(conf, access->common, err);
    if (!status)
        status =
            set_all(conf, type == RD_KAFKA_CONSUMER ? access->consumer : access->producer, err);
    return status;
}

enum ss_status ss_kafka_access_check(const struct ss_kafka_access *access, struct ss_error *err)
{
    static const rd_kafka_type_t types[] = {RD_KAFKA_CONSUMER, RD_KAFKA_PRODUCER};
    enum ss_status status = SS_OK;
    for (size_t i = 0; i < sizeof types / sizeof *types && !status; i++) {
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        status = ss_kafka_conf_access(conf, access, types[i], err);
        rd_kafka_conf_destroy(conf);
    }
    return status;
}

enum ss_status ss_kafka_handle_open(rd_kafka_conf_t *conf, rd_kafka_type_t type,
                                    rd_kafka_t **handle, struct ss_error *err)
{
    char reason[256];
    *handle = rd_kafka_new(type, conf, reason, sizeof reason);
    if (*handle)
        return SS_OK;
    rd_kafka_conf_destroy(conf);
    return ss_fail(err, SS_STOP, "Kafka client refused: %s", reason);
}

static int64_t conf_number(rd_kafka_conf_t *conf, const char *name)
{
    char text[32];
    size_t size = sizeof text;
    if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
        return 0;
    return strtoll(text, NULL, 10);
}

/* How long the broker may hold a fetch that has nothing to bring. One fetch is under way per
 * broker, for all partitions whose queues have room; those whose queue was full wait for it to
 * return. So this is also the longest that a drained queue stays dry. */
enum { FETCH_WAIT_MS = 20 };

static enum ss_status fetcher_conf(rd_kafka_conf_t *conf, const struct ss_kafka_access *access,
                                   const char *isolation, size_t budget, struct ss_error *err)
{
    /* A queue stops being filled at its byte or message limit, and may overshoot by one response,
     * whose limit counts compressed bytes: in memory they are several times as many. The message
     * limit stands for what librdkafka itself keeps per message, some 300 bytes. */
    int64_t part = (int64_t)budget / 4;
    int64_t response = part / 4 < 1000000 ? 1000000 : part / 4;
    int64_t messages = part / 256 < 1000 ? 1000 : part / 256;
    const struct {
        const char *name;
        int64_t value;
    } sizes[] = {
        {"queued.max.messages.kbytes", part / 1024 < 64 ? 64 : part / 1024},
        {"queued.min.messages", messages > 1000000 ? 1000000 : messages},
        {"fetch.max.bytes", response > 100000000 ? 100000000 : response},
        {"max.partition.fetch.bytes", response / 2},
        {"fetch.wait.max.ms", FETCH_WAIT_MS},
        {"fetch.error.backoff.ms", 100},
#if RD_KAFKA_VERSION >= 0x020200ff
        {"fetch.queue.backoff.ms", FETCH_WAIT_MS},
#endif
    };
    enum ss_status status = SS_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && !status; i++)
        status = ss_kafka_conf_set_number(conf, sizes[i].name, sizes[i].value, err);
    if (!status)
        status = ss_kafka_conf_access(conf, access, RD_KAFKA_CONSUMER, err);
    if (!status && conf_number(conf, "fetch.max.bytes") < conf_number(conf, "message.max.bytes"))
        status = ss_kafka_conf_set_number(conf, "fetch.max.bytes",
                                          conf_number(conf, "message.max.bytes"), err);
    static const struct ss_kafka_property ours[] = {
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        /* An offset that the log no longer holds is reported, never skipped. */
        {"auto.offset.reset", "error"},
    };
    for (size_t i = 0; i < sizeof ours / sizeof ours[0] && !status; i++)
        status = ss_kafka_conf_set(conf, ours[i].name, ours[i].value, err);
    if (!status)
        status = ss_kafka_conf_set(conf, "isolation.level", isolation, err);
    return status;
}

enum ss_status ss_kafka_fetcher_open(struct ss_kafka_client *client,
                                     const struct ss_kafka_access *access, const char *isolation,
                                     size_t budget, rd_kafka_t **handle, struct ss_error *err)
{
    rd_kafka_conf_t *conf = ss_kafka_conf_new(client);
    enum ss_status status = fetcher_conf(conf, access, isolation, budget, err);
    if (status) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    return ss_kafka_handle_open(conf, RD_KAFKA_CONSUMER, handle, err);
}

/* --- small requests --- */

struct ss_kafka_record ss_kafka_record_of(const rd_kafka_message_t *message)
{
    return (struct ss_kafka_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = {message->key, message->key_len},
        .value = {message->payload, message->len},
        .message = (void *)(uintptr_t)message,
    };
}

bool ss_kafka_message_header(void *message, size_t i, const char **name, struct ss_bytes *value)
{
    rd_kafka_headers_t *headers;
    if (rd_kafka_message_headers(message, &headers))
        return false;
    return rd_kafka_header_get_all(headers, i, name, &value->data, &value->size) ==
           RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t ss_kafka_headers_new(const struct ss_header *headers, size_t count,
                                         rd_kafka_headers_t **list)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    *list = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count && !code; i++)
        code = rd_kafka_header_add(*list, headers[i].name, -1, headers[i].value.data,
                                   (ssize_t)headers[i].value.size);
    return code;
}

enum ss_status ss_kafka_watermarks(rd_kafka_t *handle, const char *topic, int32_t partition,
                                   int64_t *low, int64_t *high, int timeout_ms,
                                   struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + timeout_ms;
    rd_kafka_resp_err_t code;
    for (;;) {
        const int64_t left = deadline - ss_clock_steady_ms();
        code = rd_kafka_query_watermark_offsets(handle, topic, partition, low, high,
                                                left > 1 ? (int)left : 1);
        if (!code)
            return SS_OK;
        if (left < 50 || code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            break;
        poll(NULL, 0, 50); /* leaders move, and a new topic's is not known everywhere at once */
    }
    return ss_fail(err, SS_RETRY, "offsets of %s [%d]: %s", topic, partition,
                   rd_kafka_err2str(code));
}

void ss_kafka_fetcher_wake(rd_kafka_t *handle, const char *topic, int32_t partition)
{
    int64_t low, high;
    rd_kafka_resp_err_t ignored =
        rd_kafka_query_watermark_offsets(handle, topic, partition, &low, &high, 1000);
    (void)ignored; /* callers judge by what arrives */
}

enum ss_status ss_kafka_no_answer(rd_kafka_t *handle, int timeout_ms, rd_kafka_resp_err_t code,
                                  struct ss_error *err)
{
    char brokers[200];
    size_t size = sizeof brokers;
    if (rd_kafka_conf_get(rd_kafka_conf(handle), "bootstrap.servers", brokers, &size) !=
        RD_KAFKA_CONF_OK)
        snprintf(brokers, sizeof brokers, "many brokers");
    return ss_fail(err, SS_RETRY,
                   "no answer from Kafka at %s within %d ms: %s. Are the brokers up, and is "
                   "kafka.bootstrap.servers right (and security.protocol)?",
                   brokers, timeout_ms, rd_kafka_err2str(code));
}

enum ss_status ss_kafka_partition_counts(rd_kafka_t *handle, const char *const *topics,
                                         size_t count, int32_t *partitions, int timeout_ms,
                                         struct ss_error *err)
{
    const struct rd_kafka_metadata *metadata;
    /* All topics: a request that names them would create them where the broker may. */
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 1, NULL, &metadata, timeout_ms);
    if (code)
        return ss_kafka_no_answer(handle, timeout_ms, code, err);
    for (size_t i = 0; i < count; i++) {
        partitions[i] = 0;
        for (int t = 0; t < metadata->topic_cnt; t++)
            if (strcmp(metadata->topics[t].topic, topics[i]) == 0)
                partitions[i] = metadata->topics[t].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return SS_OK;
}
