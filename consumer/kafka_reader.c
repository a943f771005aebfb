#include "consumer/kafka_reader.h"

#include "base/clock.h"
#include "consumer/kafka_client.h"

#include <stdlib.h>

enum { REQUEST_TIMEOUT_MS = 10000, FETCH_BYTES = 16 << 20, DRY_MS = 5, DRY_MS_MAX = 100 };

struct part {
    bool started;
    bool done;
    int64_t end;
};

struct ss_kafka_reader {
    struct ss_kafka_client client;
    rd_kafka_t *handle;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int32_t partition_count;
    struct part *parts;
    size_t open_count; /* parts not yet done */
    rd_kafka_message_t *message;
    int timeout_ms;
};

static enum ss_status offset_at(struct ss_kafka_reader *r, const char *topic, int32_t partition,
                                int64_t time_ms, int64_t *offset, struct ss_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = time_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(r->handle, list, REQUEST_TIMEOUT_MS);
    if (!code)
        code = list->elems[0].err;
    *offset = list->elems[0].offset; /* RD_KAFKA_OFFSET_END: none so young */
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return ss_fail(err, SS_RETRY, "offset of %s [%d] by time: %s", topic, partition,
                       rd_kafka_err2str(code));
    return SS_OK;
}

static enum ss_status start_part(struct ss_kafka_reader *r,
                                 const struct ss_kafka_reader_config *config, int32_t partition,
                                 struct ss_error *err)
{
    struct part *part = &r->parts[partition];
    int64_t low, from = config->from_offset;
    enum ss_status status = ss_kafka_watermarks(r->handle, config->topic, partition, &low,
                                                &part->end, REQUEST_TIMEOUT_MS, err);
    if (!status && config->from_time_ms != 0) {
        status = offset_at(r, config->topic, partition, config->from_time_ms, &from, err);
        if (from == RD_KAFKA_OFFSET_END)
            from = part->end;
    }
    if (status)
        return status;
    if (from < low)
        from = low;
    if (from >= part->end)
        return SS_OK;
    if (rd_kafka_consume_start_queue(r->topic, partition, from, r->queue) != 0)
        return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", config->topic, partition,
                       rd_kafka_err2str(rd_kafka_last_error()));
    part->started = true;
    r->open_count++;
    return SS_OK;
}

static enum ss_status open_reader(struct ss_kafka_reader *r,
                                  const struct ss_kafka_reader_config *config, struct ss_error *err)
{
    enum ss_status status = ss_kafka_fetcher_open(&r->client, &config->access, "read_committed",
                                                  FETCH_BYTES, &r->handle, err);
    if (!status)
        status = ss_kafka_partition_counts(r->handle, &config->topic, 1, &r->partition_count,
                                           r->timeout_ms, err);
    if (status)
        return status;
    if (r->partition_count == 0)
        return ss_fail(err, SS_STOP, "there is no topic %s", config->topic);
    if (config->partition >= r->partition_count)
        return ss_fail(err, SS_STOP, "%s has %d partitions, none is %d", config->topic,
                       r->partition_count, config->partition);
    r->parts = calloc((size_t)r->partition_count, sizeof *r->parts);
    if (!r->parts)
        return ss_fail(err, SS_STOP, "out of memory");
    r->topic = rd_kafka_topic_new(r->handle, config->topic, NULL);
    r->queue = rd_kafka_queue_new(r->handle);
    for (int32_t p = 0; p < r->partition_count && !status; p++)
        if (config->partition < 0 || config->partition == p)
            status = start_part(r, config, p, err);
    return status;
}

enum ss_status ss_kafka_reader_open(const struct ss_kafka_reader_config *config,
                                    struct ss_kafka_reader **reader, struct ss_error *err)
{
    struct ss_kafka_reader *r = calloc(1, sizeof *r);
    if (!r)
        return ss_fail(err, SS_STOP, "out of memory");
    strcpy(r->client.who, "kafka-reader");
    r->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : 30000;
    enum ss_status status = open_reader(r, config, err);
    if (status) {
        ss_kafka_reader_close(r);
        return status;
    }
    *reader = r;
    return SS_OK;
}

static void part_reached(struct ss_kafka_reader *r, int32_t partition, int64_t position)
{
    struct part *part = &r->parts[partition];
    if (part->done || position < part->end)
        return;
    part->done = true;
    r->open_count--;
}

static void wake_fetchers(struct ss_kafka_reader *r)
{
    for (int32_t p = 0; p < r->partition_count; p++)
        if (r->parts[p].started && !r->parts[p].done)
            ss_kafka_fetcher_wake(r->handle, rd_kafka_topic_name(r->topic), p);
}

enum ss_status ss_kafka_reader_next(struct ss_kafka_reader *reader, struct ss_kafka_record *record,
                                    bool *end, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + reader->timeout_ms;
    int wait_ms = DRY_MS; /* longer and longer, for an end that is held back by a transaction */
    *end = false;
    for (;;) {
        if (reader->message)
            rd_kafka_message_destroy(reader->message);
        reader->message = NULL;
        if (reader->open_count == 0) {
            *end = true;
            return SS_OK;
        }
        rd_kafka_message_t *m = rd_kafka_consume_queue(reader->queue, wait_ms);
        rd_kafka_poll(reader->handle, 0);
        if (!m) {
            if (ss_clock_steady_ms() < deadline) {
                wake_fetchers(reader);
                wait_ms = wait_ms * 2 < DRY_MS_MAX ? wait_ms * 2 : DRY_MS_MAX;
                continue;
            }
            return ss_fail(err, SS_RETRY, "%s: nothing for %d ms, the end not reached",
                           rd_kafka_topic_name(reader->topic), reader->timeout_ms);
        }
        reader->message = m;
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            part_reached(reader, m->partition, m->offset);
            continue;
        }
        if (m->err)
            return ss_fail(err, SS_RETRY, "reading %s [%d]: %s", rd_kafka_topic_name(m->rkt),
                           m->partition, rd_kafka_message_errstr(m));
        if (reader->parts[m->partition].done)
            continue; /* came after the end that was agreed on */
        const bool beyond = m->offset >= reader->parts[m->partition].end;
        part_reached(reader, m->partition, m->offset + 1);
        if (beyond)
            continue;
        *record = ss_kafka_record_of(m);
        return SS_OK;
    }
}

bool ss_kafka_reader_header(const struct ss_kafka_record *record, size_t i, struct ss_header *out)
{
    return ss_kafka_message_header(record->message, i, &out->name, &out->value);
}

void ss_kafka_reader_close(struct ss_kafka_reader *reader)
{
    if (!reader)
        return;
    if (reader->message)
        rd_kafka_message_destroy(reader->message);
    for (int32_t p = 0; reader->parts && p < reader->partition_count; p++)
        if (reader->parts[p].started)
            rd_kafka_consume_stop(reader->topic, p);
    if (reader->queue)
        rd_kafka_queue_destroy(reader->queue);
    if (reader->topic)
        rd_kafka_topic_destroy(reader->topic);
    if (reader->handle)
        rd_kafka_destroy(reader->handle);
    free(reader->parts);
    free(reader);
}
