/* kafka_bus.c - the records' way out of Kafka: flows, queues, poll. */
#include "consumer/kafka_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum ss_status ss_kafka_stop(struct ss_kafka_bus *k, struct ss_error *err, const char *format, ...)
{
    va_list args;
    if (!k->fatal.status) {
        va_start(args, format);
        k->fatal.status = SS_STOP;
        vsnprintf(k->fatal.detail, sizeof k->fatal.detail, format, args);
        va_end(args);
    }
    if (err)
        *err = k->fatal;
    return SS_STOP;
}

bool ss_kafka_owned(const struct ss_kafka_bus *k, int32_t partition)
{
    return partition >= 0 && partition < k->bus.partition_count &&
           k->partitions[partition].announced && !k->partitions[partition].revoke_pending;
}

/* --- flows --- */

static enum ss_kafka_queue queue_of(enum ss_input input)
{
    return input == SS_BLACKLIST  ? SS_QUEUE_BLACKLIST
           : input == SS_CONSENTS ? SS_QUEUE_CONSENTS
                                  : SS_QUEUE_OTHERS;
}

static void queues_close(struct ss_kafka_bus *k)
{
    for (int i = 0; i < SS_QUEUE_COUNT; i++) {
        if (k->queues[i])
            rd_kafka_queue_destroy(k->queues[i]);
        k->queues[i] = NULL;
    }
}

static enum ss_status flow_start(struct ss_kafka_bus *k, enum ss_input input, int32_t partition,
                                 struct ss_error *err)
{
    struct ss_kafka_flow *flow = &k->partitions[partition].flows[input];
    rd_kafka_queue_t **queue = &k->queues[queue_of(input)];
    const uint64_t one = 1;

    assert(!flow->flowing);
    if (!*queue) {
        *queue = rd_kafka_queue_new(k->fetch);
        rd_kafka_queue_io_event_enable(*queue, k->wake_fd, &one, sizeof one);
    }
    if (rd_kafka_consume_start_queue(k->inputs[input], partition, flow->next, *queue) != 0)
        return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", k->config.inputs[input], partition,
                       rd_kafka_err2str(rd_kafka_last_error()));
    flow->flowing = true;
    k->flow_count++;
    return SS_OK;
}

static void flow_stop(struct ss_kafka_bus *k, enum ss_input input, int32_t partition)
{
    struct ss_kafka_flow *flow = &k->partitions[partition].flows[input];
    if (!flow->flowing)
        return;
    rd_kafka_consume_stop(k->inputs[input], partition);
    flow->flowing = false;
    if (--k->flow_count == 0)
        queues_close(k); /* with whatever they still held */
}

void ss_kafka_flows_stop(struct ss_kafka_bus *k, int32_t partition)
{
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        flow_stop(k, (enum ss_input)i, partition);
}

enum ss_status ss_kafka_open_partition(struct ss_bus *bus, int32_t partition,
                                       const int64_t positions[SS_INPUT_COUNT],
                                       struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    enum ss_status status = SS_OK;
    if (!ss_kafka_owned(k, partition))
        return ss_fail(err, SS_GIVE_UP, "partition %d is no longer ours", partition);
    ss_kafka_flows_stop(k, partition);
    for (int i = 0; i < SS_INPUT_COUNT && !status; i++) {
        struct ss_kafka_flow *flow = &k->partitions[partition].flows[i];
        flow->next = flow->passed = positions[i];
        flow->at_end = false;
        if (!flow->held)
            status = flow_start(k, (enum ss_input)i, partition, err);
    }
    k->partitions[partition].open = !status;
    return status;
}

enum ss_status ss_kafka_hold(struct ss_bus *bus, enum ss_input input, int32_t partition, bool hold,
                             struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    if (!ss_kafka_owned(k, partition))
        return ss_fail(err, SS_GIVE_UP, "partition %d is no longer ours", partition);
    struct ss_kafka_partition *p = &k->partitions[partition];
    p->flows[input].held = hold;
    if (hold)
        flow_stop(k, input, partition);
    else if (p->open && !p->flows[input].flowing)
        return flow_start(k, input, partition, err);
    return SS_OK;
}

int64_t ss_kafka_position(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    const struct ss_kafka_bus *k = (const struct ss_kafka_bus *)bus;
    const struct ss_kafka_flow *flow = &k->partitions[partition].flows[input];
    return flow->passed > flow->next ? flow->passed : flow->next;
}

bool ss_kafka_at_end(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    return ((const struct ss_kafka_bus *)bus)->partitions[partition].flows[input].at_end;
}

enum ss_status ss_kafka_rewind(struct ss_bus *bus, enum ss_input input, int32_t partition,
                               int64_t next_offset, struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    if (!ss_kafka_owned(k, partition))
        return ss_fail(err, SS_GIVE_UP, "partition %d is no longer ours", partition);
    struct ss_kafka_flow *flow = &k->partitions[partition].flows[input];
    flow_stop(k, input, partition); /* outdates what its queue still holds of it */
    flow->next = flow->passed = next_offset;
    flow->at_end = false;
    if (!k->partitions[partition].open || flow->held)
        return SS_OK;
    return flow_start(k, input, partition, err);
}

/* --- poll --- */

enum { MARKERS_WRITTEN_MS = 5 };

void ss_kafka_release(struct ss_kafka_bus *k)
{
    for (size_t i = 0; i < k->record_count; i++)
        rd_kafka_message_destroy(k->messages[i]);
    k->record_count = 0;
}

static enum ss_status fetch_failed(struct ss_kafka_bus *k, enum ss_input input,
                                   const rd_kafka_message_t *message, struct ss_error *err)
{
    const struct ss_kafka_flow *flow = &k->partitions[message->partition].flows[input];
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return ss_kafka_stop(k, err,
                             "%s [%d] no longer holds offset %lld: retention cut off records that "
                             "were never read, or the log was truncated. Raise the topic's "
                             "retention; the next start says how to go on without them",
                             k->config.inputs[input], message->partition, (long long)flow->next);
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return ss_kafka_stop(k, err, "%s [%d] is gone: was the topic deleted?",
                             k->config.inputs[input], message->partition);
    default: /* librdkafka goes on trying */
        if (k->client.trouble != message->err)
            ss_warn(k->client.who, "reading %s [%d]: %s", k->config.inputs[input],
                    message->partition, rd_kafka_message_errstr(message));
        k->client.trouble = message->err;
        return SS_OK;
    }
}

/* Judges one message from a queue; kept if it becomes a record. */
static enum ss_status take_message(struct ss_kafka_bus *k, rd_kafka_message_t *message, bool *kept,
                                   struct ss_error *err)
{
    enum ss_input input = (enum ss_input)(intptr_t)rd_kafka_topic_opaque(message->rkt);
    struct ss_kafka_partition *partition = &k->partitions[message->partition];
    struct ss_kafka_flow *flow = &partition->flows[input];

    *kept = false;
    if (!partition->open || !flow->flowing)
        return SS_OK;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        k->reached_end |= message->offset > flow->passed;
        flow->passed = message->offset;
        flow->at_end = true;
        return SS_OK;
    }
    if (message->err)
        return fetch_failed(k, input, message, err);
    if (message->offset < flow->next)
        return SS_OK;
    /* Gaps are legal: compaction, markers, aborted records. */
    flow->next = message->offset + 1;
    flow->at_end = false;
    k->records[k->record_count] = (struct ss_record){
        .input = input,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = {message->key, message->key_len},
        .value = {message->payload, message->len},
        .message = message,
    };
    k->messages[k->record_count++] = message;
    *kept = true;
    return SS_OK;
}

static enum ss_status drain(struct ss_kafka_bus *k, size_t records_max, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int q = 0; q < SS_QUEUE_COUNT; q++) {
        while (k->queues[q] && k->record_count < records_max && !status) {
            const size_t first = k->record_count;
            ssize_t got = rd_kafka_consume_batch_queue(k->queues[q], 0, k->messages + first,
                                                       records_max - first);
            if (got <= 0)
                break;
            for (ssize_t i = 0; i < got; i++) {
                rd_kafka_message_t *message = k->messages[first + (size_t)i];
                bool kept = false;
                if (!status)
                    status = take_message(k, message, &kept, err);
                if (!kept)
                    rd_kafka_message_destroy(message);
            }
        }
    }
    return status;
}

static bool make_room(struct ss_kafka_bus *k, size_t records_max)
{
    if (records_max <= k->capacity)
        return true;
    rd_kafka_message_t **messages = realloc(k->messages, records_max * sizeof *messages);
    if (messages)
        k->messages = messages;
    struct ss_record *records = realloc(k->records, records_max * sizeof *records);
    if (records)
        k->records = records;
    if (messages && records)
        k->capacity = records_max;
    return messages && records;
}

static void wait_wake(struct ss_kafka_bus *k, int timeout_ms)
{
    struct pollfd wake = {.fd = k->wake_fd, .events = POLLIN};
    poll(&wake, 1, timeout_ms);
}

static void clear_wake(struct ss_kafka_bus *k)
{
    uint64_t count;
    ssize_t ignored = read(k->wake_fd, &count, sizeof count);
    (void)ignored; /* non-blocking: nothing was written */
}

/* Rebalances, errors, reports, statistics, and a producer that has to be made anew. */
static enum ss_status serve(struct ss_kafka_bus *k, int budget_ms, struct ss_error *err)
{
    enum ss_status status = ss_kafka_group_serve(k, err);
    if (status)
        return status;
    rd_kafka_poll(k->fetch, 0);
    if (k->producer)
        rd_kafka_poll(k->producer, 0);
    if (k->tail)
        rd_kafka_poll(k->tail, 0);
    if (!k->producer_ready && ss_kafka_anew_ms(k) == 0)
        return ss_kafka_producer_ready(k, budget_ms, err);
    return SS_OK;
}

/* How long a batch that is not full waits for more. After an idle stretch: a moment for the rest of
 * a burst, so that it is one transaction. After a commit: until its markers are likely written; a
 * transaction that begins earlier is sent away by the coordinator, and librdkafka comes back only
 * after 20 ms. */
static int gather_ms(const struct ss_kafka_bus *k, bool waited)
{
    int64_t settling = k->committed_at_ms + MARKERS_WRITTEN_MS - ss_clock_steady_ms();
    int64_t burst = waited ? k->config.gather_ms : 0;
    return (int)(settling > burst ? settling : burst);
}

enum ss_status ss_kafka_poll(struct ss_bus *bus, size_t records_max, int timeout_ms,
                             struct ss_poll *out, struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    const int64_t deadline = ss_clock_steady_ms() + timeout_ms;
    bool waited = false;

    assert(!k->in_transaction);
    *out = (struct ss_poll){.event = SS_BUS_NOTHING};
    ss_kafka_release(k);
    k->reached_end = false;
    if (!make_room(k, records_max))
        return ss_fail(err, SS_STOP, "out of memory for a batch of %zu records", records_max);
    for (;;) {
        clear_wake(k);
        enum ss_status served = serve(k, timeout_ms < 1000 ? timeout_ms : 1000, err);
        if (served == SS_STOP)
            return served;
        /* What was taken from the worker it hears even while there is no producer yet. */
        if (ss_kafka_group_event(k, out))
            return SS_OK;
        if (served)
            return served;
        enum ss_status status = drain(k, records_max, err);
        const int pause_ms = gather_ms(k, waited);
        if (!status && pause_ms > 0 && k->record_count > 0 && k->record_count < records_max) {
            /* Nothing else is served meanwhile, so no partition can be revoked. */
            poll(NULL, 0, pause_ms);
            status = drain(k, records_max, err);
        }
        if (status)
            return status;
        const int64_t left = deadline - ss_clock_steady_ms();
        if (k->record_count > 0 || k->reached_end || left <= 0)
            break;
        wait_wake(k,
                  left < 1000 ? (int)left : 1000); /* at least once a second a timer may be due */
        waited = true;
    }
    if (k->record_count > 0) {
        ss_kafka_client_well(&k->client);
        out->event = SS_BUS_RECORDS;
        out->records = k->records;
        out->record_count = k->record_count;
    }
    return SS_OK;
}

bool ss_kafka_header(struct ss_bus *bus, const struct ss_record *record, size_t i,
                     struct ss_header *out)
{
    (void)bus;
    return ss_kafka_message_header(record->message, i, &out->name, &out->value);
}
