/* kafka_start.c - what a partition's new owner reads before its first record: offsets, then state.
 *
 * The order is what makes a take-over right: committed offsets first, stable ones, so that no
 * transaction of the predecessor is undecided; then the changelog's high watermark as
 * read_uncommitted sees it, which lies behind all that such a transaction wrote. The other way
 * round a predecessor's offsets could count and its state not.
 */
#include "consumer/kafka_internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <poll.h>

enum { REQUEST_TIMEOUT_MS = 5000, RESTORE_BATCH = 1000, RESTORE_WAIT_MS = 5 };

static enum ss_status gone(int32_t partition, struct ss_error *err)
{
    return ss_fail(err, SS_GIVE_UP, "partition %d is no longer ours", partition);
}

/* Committed offsets of the seven inputs; RD_KAFKA_OFFSET_INVALID where none. */
static enum ss_status committed_offsets(struct ss_kafka_bus *k, int32_t partition,
                                        int64_t offsets[SS_INPUT_COUNT], struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + k->config.restore_timeout_ms;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(SS_INPUT_COUNT);
    enum ss_status status = SS_OK;
    rd_kafka_resp_err_t code;

    for (int i = 0; i < SS_INPUT_COUNT; i++)
        rd_kafka_topic_partition_list_add(list, k->config.inputs[i], partition);
    for (;;) {
        code = rd_kafka_committed(k->group, list, REQUEST_TIMEOUT_MS);
        for (int i = 0; i < list->cnt && !code; i++)
            code = list->elems[i].err;
        if (!code)
            break;
        status = ss_kafka_group_serve(k, err);
        if (status)
            break;
        if (!ss_kafka_owned(k, partition)) {
            status = gone(partition, err);
            break;
        }
        if (ss_clock_steady_ms() >= deadline) {
            status = ss_fail(err, SS_RETRY,
                             "no committed offsets of partition %d: %s (a killed worker's open "
                             "transaction ends with transaction.timeout.ms and the broker's "
                             "cleanup interval)",
                             partition, rd_kafka_err2str(code));
            break;
        }
        poll(NULL, 0, 50); /* a transaction is being decided, or the coordinator moves */
    }
    for (int i = 0; i < list->cnt && !status; i++) /* the list may have been reordered */
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            if (strcmp(list->elems[i].topic, k->config.inputs[input]) == 0)
                offsets[input] = list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static enum ss_status check_position(struct ss_kafka_bus *k, const char *topic, int32_t partition,
                                     int64_t position, int64_t low, int64_t high,
                                     struct ss_error *err)
{
    if (position < low)
        return ss_kafka_stop(k, err,
                             "%s [%d]: committed offset %lld is gone, the log starts at %lld: "
                             "retention cut off up to %lld records that were never read. Raise the "
                             "topic's retention; to go on without them, stop the group's engines "
                             "and reset the offset with "
                             "kafka-consumer-groups --group %s --topic %s:%d --reset-offsets "
                             "--to-earliest --execute",
                             topic, partition, (long long)position, (long long)low,
                             (long long)(low - position), k->config.group, topic, partition);
    if (position > high)
        return ss_kafka_stop(k, err,
                             "%s [%d]: committed offset %lld lies behind the log's end %lld: was "
                             "the topic deleted and made anew, or data lost? The state stands for "
                             "the old log; reset it together with the offsets of group %s",
                             topic, partition, (long long)position, (long long)high,
                             k->config.group);
    return SS_OK;
}

/* Who was paused since reading the offsets may find the log cut behind those of a successor. */
static enum ss_status check_still(struct ss_kafka_bus *k, int32_t partition, int input,
                                  int64_t position, struct ss_error *err)
{
    int64_t offsets[SS_INPUT_COUNT];
    enum ss_status status = committed_offsets(k, partition, offsets, err);
    if (!status && offsets[input] != position)
        status = ss_fail(err, SS_RETRY, "%s [%d]: the committed offset has moved on",
                         k->config.inputs[input], partition);
    return status;
}

enum ss_status ss_kafka_start(struct ss_bus *bus, int32_t partition, struct ss_partition_start *out,
                              struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    enum ss_status status = SS_OK;
    int64_t low, high;

    if (!ss_kafka_owned(k, partition))
        return gone(partition, err);
    out->committed = false;
    if (k->config.mock)
        for (int i = 0; i < SS_INPUT_COUNT; i++)
            out->positions[i] = RD_KAFKA_OFFSET_INVALID;
    else
        status = committed_offsets(k, partition, out->positions, err);
    for (int i = 0; i < SS_INPUT_COUNT && !status; i++) {
        status = ss_kafka_watermarks(k->group, k->config.inputs[i], partition, &low, &high,
                                     REQUEST_TIMEOUT_MS, err);
        if (status)
            break;
        out->starts[i] = low;
        out->ends[i] = high;
        if (out->positions[i] < 0) {
            out->positions[i] = low;
            continue;
        }
        out->committed = true;
        if (out->positions[i] < low)
            status = check_still(k, partition, i, out->positions[i], err);
        if (status)
            break;
        status =
            check_position(k, k->config.inputs[i], partition, out->positions[i], low, high, err);
    }
    if (!status && !k->tail)
        status = ss_kafka_fetcher_open(&k->client, &k->config.access, "read_uncommitted",
                                       1024 * 1024, &k->tail, err);
    if (!status)
        status = ss_kafka_watermarks(k->tail, k->config.targets[SS_TO_CHANGELOG], partition,
                                     &out->changelog_start, &out->changelog_end, REQUEST_TIMEOUT_MS,
                                     err);
    return status;
}

struct restore {
    struct ss_kafka_bus *k;
    int32_t partition;
    int64_t position, to;
    ss_restore_sink *sink;
    void *arg;
};

static enum ss_status restore_message(struct restore *r, const rd_kafka_message_t *message,
                                      struct ss_error *err)
{
    const char *topic = r->k->config.targets[SS_TO_CHANGELOG];
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        /* The end as read_committed sees it: behind markers and aborted records, but before an open
         * transaction, which is waited for. */
        if (message->offset > r->position)
            r->position = message->offset;
        return SS_OK;
    }
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        return ss_fail(err, SS_GIVE_UP, "%s [%d] no longer holds offset %lld", topic, r->partition,
                       (long long)r->position);
    if (message->err)
        return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", topic, r->partition,
                       rd_kafka_message_errstr(message));
    if (message->offset < r->position)
        return SS_OK;
    if (message->offset >= r->to) {
        r->position = r->to;
        return SS_OK;
    }
    r->position = message->offset + 1;
    return r->sink(r->arg, message->offset, rd_kafka_message_timestamp(message, NULL),
                   (struct ss_bytes){message->key, message->key_len},
                   (struct ss_bytes){message->payload, message->len}, err);
}

static enum ss_status restore_run(struct restore *r, rd_kafka_queue_t *queue, struct ss_error *err)
{
    struct ss_kafka_bus *k = r->k;
    rd_kafka_message_t *batch[RESTORE_BATCH];
    int64_t progress_at = ss_clock_steady_ms();
    enum ss_status status = SS_OK;

    while (r->position < r->to && !status) {
        const int64_t before = r->position;
        ssize_t count = rd_kafka_consume_batch_queue(queue, RESTORE_WAIT_MS, batch, RESTORE_BATCH);
        if (count == 0)
            ss_kafka_fetcher_wake(k->restore, k->config.targets[SS_TO_CHANGELOG], r->partition);
        for (ssize_t i = 0; i < count; i++) {
            if (!status && r->position < r->to)
                status = restore_message(r, batch[i], err);
            rd_kafka_message_destroy(batch[i]);
        }
        rd_kafka_poll(k->restore, 0);
        if (status)
            break;
        const int64_t now = ss_clock_steady_ms();
        if (r->position > before)
            progress_at = now;
        else if (now - progress_at > k->config.restore_timeout_ms)
            status =
                ss_fail(err, SS_GIVE_UP,
                        "restore of %s [%d] stands at %lld of %lld for %d ms: is a "
                        "transaction of another producer left open there?",
                        k->config.targets[SS_TO_CHANGELOG], r->partition, (long long)r->position,
                        (long long)r->to, k->config.restore_timeout_ms);
        if (!status)
            status = ss_kafka_group_serve(k, err); /* a long restore must not cost the membership */
        if (!status && !ss_kafka_owned(k, r->partition))
            status = gone(r->partition, err);
    }
    return status;
}

enum ss_status ss_kafka_restore(struct ss_bus *bus, int32_t partition, int64_t from, int64_t to,
                                ss_restore_sink *sink, void *arg, struct ss_error *err)
{
    struct ss_kafka_bus *k = (struct ss_kafka_bus *)bus;
    struct restore r = {k, partition, from, to, sink, arg};
    enum ss_status status = SS_OK;

    if (!ss_kafka_owned(k, partition))
        return gone(partition, err);
    if (from >= to)
        return SS_OK;
    if (!k->restore) {
        status = ss_kafka_fetcher_open(&k->client, &k->config.access, "read_committed",
                                       k->config.fetch_bytes, &k->restore, err);
        if (status)
            return status;
        k->changelog = rd_kafka_topic_new(k->restore, k->config.targets[SS_TO_CHANGELOG], NULL);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(k->restore);
    if (rd_kafka_consume_start_queue(k->changelog, partition, from, queue) != 0) {
        status = ss_fail(err, SS_RETRY, "reading %s [%d]: %s", k->config.targets[SS_TO_CHANGELOG],
                         partition, rd_kafka_err2str(rd_kafka_last_error()));
    } else {
        status = restore_run(&r, queue, err);
        rd_kafka_consume_stop(k->changelog, partition);
    }
    rd_kafka_queue_destroy(queue);
    return status;
}

void ss_kafka_start_close(struct ss_kafka_bus *k)
{
    if (k->changelog)
        rd_kafka_topic_destroy(k->changelog);
    if (k->restore)
        rd_kafka_destroy(k->restore);
    if (k->tail)
        rd_kafka_destroy(k->tail);
}
