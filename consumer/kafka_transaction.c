/* kafka_transaction.c - outputs, changelog and offsets in one transaction, and what happens when
 * one fails.
 *
 *   ready ──begin──> open ──produce, offset──> open ──commit──> ready              SS_OK
 *
 * and where an open one does not get there:
 *
 *   refused                    aborted; ready, rewound                             SS_RETRY
 *   refused, stale generation  aborted; ready, rewound after a pause               SS_GIVE_UP
 *   fatal, or outcome unknown  discard; producer_ready: new and settled; rewound   SS_RETRY
 *   fenced                     discard, the group too; both anew after a pause     SS_RETRY
 *   fenced again and again     a twin (kafka_fence.c)                              SS_STOP
 *   abort                      ready, rewound                                      SS_OK
 *
 * A transaction that this producer cannot account for is settled by the next one with the same
 * transactional.id: its initialisation waits until the old one is committed or aborted. Either way
 * what counts is read back from Kafka after that (invariant 3 in kafka_bus.h).
 */
#include "consumer/kafka_internal.h"

#include "base/clock.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>

enum { SERVE_REPORTS_EVERY = 5000 };

static int left_ms(int64_t deadline)
{
    int64_t left = deadline - ss_clock_steady_ms();
    return left > 0 ? (int)left : 0;
}

/* --- the producer's life --- */

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct ss_kafka_bus *k = ((struct ss_kafka_client *)opaque)->owner;
    (void)handle;
    if (message->err) {
        if (!k->delivery_error && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
            message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
            k->delivery_error = message->err;
            snprintf(k->delivery_topic, sizeof k->delivery_topic, "%s",
                     rd_kafka_topic_name(message->rkt));
        }
    } else if (message->_private) {
        struct ss_kafka_partition *partition = message->_private;
        partition->marked = true;
        partition->mark_offset = message->offset;
        /* The mock cluster makes up its times. */
        partition->mark_time_ms =
            k->config.mock ? ss_clock_wall_ms() : rd_kafka_message_timestamp(message, NULL);
    }
}

static enum ss_status producer_conf(struct ss_kafka_bus *k, rd_kafka_conf_t *conf,
                                    struct ss_error *err)
{
    const struct {
        const char *name;
        int64_t value;
    } ours[] = {
        {"linger.ms", 5}, /* fills batches while a transaction is filled; a commit does not wait */
        {"queue.buffering.max.messages", 1000000},
        {"queue.buffering.max.kbytes", (int64_t)(k->config.produce_bytes / 1024)},
        {"message.max.bytes", (int64_t)k->config.record_bytes_max},
    };
    enum ss_status status = SS_OK;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0] && !status; i++)
        status = ss_kafka_conf_set_number(conf, ours[i].name, ours[i].value, err);
    if (!status)
        status = ss_kafka_conf_access(conf, &k->config.access, RD_KAFKA_PRODUCER, err);
    if (!status)
        status = ss_kafka_conf_set(conf, "transactional.id", k->id, err);
    if (!status)
        status = ss_kafka_conf_set(conf, "enable.idempotence", "true", err);
    if (!status)
        status = ss_kafka_conf_set_number(conf, "transaction.timeout.ms",
                                          k->config.transaction_timeout_ms, err);
    return status;
}

static enum ss_status producer_open(struct ss_kafka_bus *k, struct ss_error *err)
{
    rd_kafka_conf_t *conf = ss_kafka_conf_new(&k->client);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    enum ss_status status = producer_conf(k, conf, err);
    if (status) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    status = ss_kafka_handle_open(conf, RD_KAFKA_PRODUCER, &k->producer, err);
    for (int i = 0; i < SS_TARGET_MAX && !status; i++)
        if (k->config.targets[i])
            k->targets[i] = rd_kafka_topic_new(k->producer, k->config.targets[i], NULL);
    return status;
}

void ss_kafka_producer_discard(struct ss_kafka_bus *k)
{
    if (!k->producer)
        return;
    /* Nothing of it may be sent any more; reports of what is purged are of no interest. */
    rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_poll(k->producer, 0);
    for (int i = 0; i < SS_TARGET_MAX; i++)
        if (k->targets[i])
            rd_kafka_topic_destroy(k->targets[i]);
    memset(k->targets, 0, sizeof k->targets);
    rd_kafka_destroy(k->producer);
    k->producer = NULL;
    k->producer_ready = false;
}

static bool is_fenced(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static const char *init_refused(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
        return "lower the transaction timeout, or raise the broker's transaction.max.timeout.ms";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return "grant WRITE and DESCRIBE on this transactional id";
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return "grant IDEMPOTENT_WRITE on the cluster";
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return "this broker does not support transactions";
    default:
        return NULL;
    }
}

enum ss_status ss_kafka_producer_ready(struct ss_kafka_bus *k, int budget_ms, struct ss_error *err)
{
    char text[256];
    if (k->producer_ready)
        return SS_OK;
    if (ss_kafka_anew_ms(k) > 0) {
        poll(NULL, 0, ss_kafka_anew_ms(k) < budget_ms ? ss_kafka_anew_ms(k) : budget_ms);
        return ss_fail(err, SS_RETRY, "%s was taken over and begins anew shortly", k->id);
    }
    if (!k->producer) {
        enum ss_status status = producer_open(k, err);
        if (status)
            return status;
    }
    rd_kafka_error_t *error = rd_kafka_init_transactions(k->producer, budget_ms);
    if (!error) {
        k->producer_ready = true;
        return SS_OK;
    }
    const bool again = rd_kafka_error_is_retriable(error) && !rd_kafka_error_is_fatal(error);
    rd_kafka_resp_err_t code =
        ss_kafka_cause(k->producer, rd_kafka_error_code(error), text, sizeof text);
    snprintf(text, sizeof text, "%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    const char *advice = init_refused(code);
    if (advice)
        return ss_kafka_stop(k, err, "transactional id %s refused: %s: %s", k->id, text, advice);
    if (!again) {
        if (is_fenced(code))
            return ss_kafka_fenced(k, text, err);
        ss_kafka_producer_discard(k);
    }
    return ss_fail(err, SS_RETRY, "transactions of %s not ready: %s", k->id, text);
}

/* --- a transaction --- */

/* Why a step failed, copied out of librdkafka's error object. */
struct failure {
    rd_kafka_resp_err_t code;
    bool again;   /* the same call may be repeated */
    bool discard; /* the producer cannot go on */
    char text[256];
};

static struct failure failure_of(struct ss_kafka_bus *k, rd_kafka_error_t *error)
{
    struct failure failure = {
        .again = rd_kafka_error_is_retriable(error),
        .discard = rd_kafka_error_is_fatal(error) || !(rd_kafka_error_txn_requires_abort(error) ||
                                                       rd_kafka_error_is_retriable(error)),
    };
    failure.code =
        ss_kafka_cause(k->producer, rd_kafka_error_code(error), failure.text, sizeof failure.text);
    snprintf(failure.text, sizeof failure.text, "%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return failure;
}

enum ss_status ss_kafka_begin(struct ss_bus *bus, struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    assert(!k->in_transaction);
    if (k->fatal.status)
        return ss_fail(err, SS_STOP, "%s", k->fatal.detail);
    if (!k->producer_ready) {
        ss_kafka_take_back(k, 0);
        return ss_fail(err, SS_RETRY, "transactions of %s not ready yet", k->id);
    }
    rd_kafka_error_t *error = rd_kafka_begin_transaction(k->producer);
    if (error) {
        struct failure failure = failure_of(k, error);
        if (is_fenced(failure.code))
            return ss_kafka_fenced(k, failure.text, err);
        ss_kafka_producer_discard(k);
        ss_kafka_take_back(k, 0);
        return ss_fail(err, SS_RETRY, "cannot begin a transaction: %s", failure.text);
    }
    for (int32_t p = 0; p < k->bus.partition_count; p++) {
        k->partitions[p].marked = false;
        for (int i = 0; i < SS_INPUT_COUNT; i++)
            k->partitions[p].offsets[i] = -1;
    }
    k->delivery_error = RD_KAFKA_RESP_ERR_NO_ERROR;
    k->producer_suspect = false;
    k->produced = 0;
    k->begun_at_ms = ss_clock_steady_ms();
    k->in_transaction = true;
    return SS_OK;
}

/* One attempt. RD_KAFKA_RESP_ERR__QUEUE_FULL: serve reports and try again. */
static rd_kafka_resp_err_t produce_once(struct ss_kafka_bus *k, enum ss_target target,
                                        int32_t partition, struct ss_bytes key,
                                        struct ss_bytes value, const struct ss_header *headers,
                                        size_t header_count, void *opaque)
{
    rd_kafka_topic_t *topic = k->targets[target];
    if (header_count == 0) {
        if (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, (void *)value.data, value.size,
                             key.data, key.size, opaque) == 0)
            return RD_KAFKA_RESP_ERR_NO_ERROR;
        return rd_kafka_last_error();
    }
    rd_kafka_headers_t *list;
    rd_kafka_resp_err_t code = ss_kafka_headers_new(headers, header_count, &list);
    if (!code)
        code = rd_kafka_producev(
            k->producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_VALUE((void *)value.data, value.size), RD_KAFKA_V_KEY(key.data, key.size),
            RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    if (code)
        rd_kafka_headers_destroy(list);
    return code;
}

enum ss_status ss_kafka_produce(struct ss_bus *bus, enum ss_target target, int32_t partition,
                                struct ss_bytes key, struct ss_bytes value,
                                const struct ss_header *headers, size_t header_count, bool mark,
                                struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    void *opaque = mark ? &k->partitions[partition] : NULL;
    const int64_t deadline = k->begun_at_ms + k->config.transaction_timeout_ms;
    rd_kafka_resp_err_t code;

    assert(k->in_transaction);
    assert(partition >= 0 && partition < k->bus.partition_count);
    for (;;) {
        code = produce_once(k, target, partition, key, value, headers, header_count, opaque);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        if (left_ms(deadline) == 0)
            return ss_fail(err, SS_RETRY,
                           "Kafka takes no more records: the queue of %zu bytes is "
                           "still full at the transaction's timeout",
                           k->config.produce_bytes);
        rd_kafka_poll(k->producer, 10);
    }
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return ss_fail(err, SS_DROP, "record of %zu bytes for %s is larger than %zu",
                       key.size + value.size, k->config.targets[target],
                       k->config.record_bytes_max);
    if (code) {
        k->producer_suspect = true;
        return ss_fail(err, SS_RETRY, "producing to %s: %s", k->config.targets[target],
                       rd_kafka_err2str(code));
    }
    if (++k->produced % SERVE_REPORTS_EVERY == 0)
        rd_kafka_poll(k->producer, 0);
    return SS_OK;
}

enum ss_status ss_kafka_offset(struct ss_bus *bus, enum ss_input input, int32_t partition,
                               int64_t next_offset, struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    (void)err;
    assert(k->in_transaction);
    assert(partition >= 0 && partition < k->bus.partition_count);
    k->partitions[partition].offsets[input] = next_offset;
    return SS_OK;
}

static bool group_moved_on(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
}

/* Leaves the open transaction without committing it: aborted, or the producer thrown away. */
static void leave_transaction(struct ss_kafka_bus *k, bool discard)
{
    const int64_t deadline = ss_clock_steady_ms() + k->config.transaction_timeout_ms;
    k->in_transaction = false;
    /* A topic that refused a record stays refused in this producer until its metadata expires. */
    discard |= k->producer_suspect || k->delivery_error;
    while (!discard) {
        rd_kafka_error_t *error = rd_kafka_abort_transaction(k->producer, left_ms(deadline));
        if (!error)
            return;
        struct failure failure = failure_of(k, error);
        discard = failure.discard || !failure.again || left_ms(deadline) == 0;
        if (!discard)
            rd_kafka_poll(k->producer, 20);
    }
    ss_kafka_producer_discard(k);
}

/* Ends the transaction that did not commit and says what follows from it. */
static enum ss_status fail_transaction(struct ss_kafka_bus *k, const char *step,
                                       const struct failure *failure, struct ss_error *err)
{
    /* The broker fences a producer for two reasons: another took its id, or its transaction lasted
     * longer than agreed. The second is no sign of a twin. */
    const bool late = ss_clock_steady_ms() - k->begun_at_ms >= k->config.transaction_timeout_ms;
    const bool stale = group_moved_on(failure->code);

    const bool fenced = failure->code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
                        (is_fenced(failure->code) && !late);
    char cause[300];

    leave_transaction(k, failure->discard || fenced);
    if (fenced) {
        snprintf(cause, sizeof cause, "%s: %s", step, failure->text);
        return ss_kafka_fenced(k, cause, err);
    }
    ss_kafka_take_back(k, stale ? k->config.session_timeout_ms / 3 : 0);
    if (stale)
        return ss_fail(err, SS_GIVE_UP, "%s refused, the group has moved on: %s", step,
                       failure->text);
    return ss_fail(err, SS_RETRY, "%s failed: %s", step, failure->text);
}

static enum ss_status delivery_failed(struct ss_kafka_bus *k, struct ss_error *err)
{
    struct failure failure = {.code = k->delivery_error};
    snprintf(failure.text, sizeof failure.text, "to %.180s: %.60s", k->delivery_topic,
             rd_kafka_err2str(k->delivery_error));
    enum ss_status status = fail_transaction(k, "delivery", &failure, err);
    /* It would fail again and again. */
    if (failure.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        return ss_kafka_stop(k, err,
                             "%s refuses a record: raise its max.message.bytes to at least %zu",
                             k->delivery_topic, k->config.record_bytes_max);
    return status;
}

static rd_kafka_topic_partition_list_t *offset_list(const struct ss_kafka_bus *k)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int32_t p = 0; p < k->bus.partition_count; p++)
        for (int i = 0; i < SS_INPUT_COUNT; i++)
            if (k->partitions[p].offsets[i] >= 0)
                rd_kafka_topic_partition_list_add(list, k->config.inputs[i], p)->offset =
                    k->partitions[p].offsets[i];
    return list;
}

static enum ss_status send_offsets(struct ss_kafka_bus *k, int64_t deadline, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    struct failure failure;
    rd_kafka_topic_partition_list_t *list = offset_list(k);
    while (list->cnt > 0) {
        rd_kafka_error_t *error = NULL;
        if (ss_kafka_generation(k->membership) < 0)
            failure = (struct failure){.code = RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                                       .text = "no generation"};
        else if (!(error = rd_kafka_send_offsets_to_transaction(k->producer, list, k->membership,
                                                                left_ms(deadline))))
            break;
        else
            failure = failure_of(k, error);
        if (!failure.again || left_ms(deadline) == 0) {
            status = fail_transaction(k, "offsets", &failure, err);
            break;
        }
        rd_kafka_poll(k->producer, 10);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

enum ss_status ss_kafka_commit(struct ss_bus *bus, struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    const int64_t deadline = ss_clock_steady_ms() + k->config.transaction_timeout_ms;
    struct failure failure;

    assert(k->in_transaction);
    rd_kafka_resp_err_t code = rd_kafka_flush(k->producer, left_ms(deadline));
    if (k->delivery_error)
        return delivery_failed(k, err);
    if (code) {
        failure = (struct failure){.code = code, .discard = true};
        ss_kafka_cause(k->producer, code, failure.text, sizeof failure.text);
        return fail_transaction(k, "flush", &failure, err);
    }
    enum ss_status status = send_offsets(k, deadline, err);
    if (status)
        return status;
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(k->producer, left_ms(deadline));
        if (!error)
            break;
        failure = failure_of(k, error);
        if (failure.again && left_ms(deadline) > 0)
            continue; /* resumes the same commit */
        if (failure.again)
            failure.discard = true; /* still under way: unknown */
        return fail_transaction(k, "commit", &failure, err);
    }
    k->in_transaction = false;
    k->committed_at_ms = ss_clock_steady_ms();
    ss_kafka_client_well(&k->client);
    return SS_OK;
}

enum ss_status ss_kafka_abort(struct ss_bus *bus, struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    (void)err;
    assert(k->in_transaction);
    leave_transaction(k, false);
    ss_kafka_take_back(k, 0);
    return SS_OK;
}

enum ss_status ss_kafka_mark(struct ss_bus *bus, int32_t partition, int64_t *offset,
                             int64_t *broker_time_ms, struct ss_error *err)
{
    const struct ss_kafka_bus *k = (const struct ss_kafka_bus *)bus;
    if (partition < 0 || partition >= k->bus.partition_count || !k->partitions[partition].marked)
        return ss_fail(err, SS_GIVE_UP, "no mark of partition %d in the last transaction",
                       partition);
    *offset = k->partitions[partition].mark_offset;
    *broker_time_ms = k->partitions[partition].mark_time_ms;
    return SS_OK;
}
