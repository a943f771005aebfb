#include "audit/state_log.h"

#include "consumer/kafka_admin.h"
#include "consumer/kafka_reader.h"

#include <stdlib.h>

enum { TIMEOUT_MS = 30000, PARTITIONS_MAX = 4096, OURS = 2 };

/* librdkafka before 2.2 rests for a second when a queue has filled up. Records are small here: some
 * 100 MB at most. */
static const struct ss_kafka_property ours[OURS] = {{"queued.min.messages", "200000"},
                                                    {"queued.max.messages.kbytes", "65536"}};

struct kafka_log {
    struct ss_state_log log; /* first, so that a handle is both */
    const struct ss_kafka_access *access;
    struct ss_kafka_property *consumer; /* access->consumer, with ours in front */
    const char *topic;
    struct ss_kafka_end ends[PARTITIONS_MAX];
};

static enum ss_status read_log(struct ss_state_log *log, int32_t partition, int64_t from,
                               ss_state_log_sink *sink, void *arg, struct ss_error *err)
{
    const struct kafka_log *kafka = (const struct kafka_log *)log;
    struct ss_kafka_reader *reader;
    struct ss_kafka_reader_config config = {.access = *kafka->access,
                                            .topic = kafka->topic,
                                            .partition = partition,
                                            .from_offset = from};
    config.access.consumer =
        (struct ss_kafka_properties){kafka->consumer, kafka->access->consumer.count + OURS};
    enum ss_status status = ss_kafka_reader_open(&config, &reader, err);
    if (status != SS_OK)
        return status;
    for (bool more = true; more && status == SS_OK;) {
        struct ss_kafka_record record;
        bool end;
        status = ss_kafka_reader_next(reader, &record, &end, err);
        if (status == SS_OK)
            more = !end && sink(arg, &record);
    }
    ss_kafka_reader_close(reader);
    return status;
}

static enum ss_status ask_ends(struct kafka_log *kafka, struct ss_error *err)
{
    kafka->log.partition_count = PARTITIONS_MAX;
    return ss_kafka_topic_ends(kafka->access, kafka->topic, false, kafka->ends,
                               &kafka->log.partition_count, TIMEOUT_MS, err);
}

static enum ss_status log_ends(struct ss_state_log *log, int32_t partition, int64_t *low,
                               int64_t *high, struct ss_error *err)
{
    struct kafka_log *kafka = (struct kafka_log *)log;
    enum ss_status status = ask_ends(kafka, err);
    if (status != SS_OK)
        return status;
    *low = kafka->ends[partition].low;
    *high = kafka->ends[partition].high;
    return SS_OK;
}

static void close_log(struct ss_state_log *log)
{
    free(((struct kafka_log *)log)->consumer);
    free(log);
}

static const struct ss_state_log_ops kafka_ops = {
    .read = read_log,
    .ends = log_ends,
    .close = close_log,
};

enum ss_status ss_state_log_open(const struct ss_kafka_access *access, const char *topic,
                                 struct ss_state_log **log, struct ss_error *err)
{
    struct kafka_log *kafka = calloc(1, sizeof *kafka);
    const size_t count = access->consumer.count;
    if (kafka)
        kafka->consumer = calloc(count + OURS, sizeof *kafka->consumer);
    if (!kafka || !kafka->consumer) {
        free(kafka);
        return ss_fail(err, SS_STOP, "out of memory");
    }
    memcpy(kafka->consumer, ours, sizeof ours);
    for (size_t i = 0; i < count; i++)
        kafka->consumer[OURS + i] = access->consumer.list[i];
    kafka->log.ops = &kafka_ops;
    kafka->access = access;
    kafka->topic = topic;
    enum ss_status status = ss_kafka_cluster_id(access, kafka->log.cluster_id,
                                                sizeof kafka->log.cluster_id, TIMEOUT_MS, err);
    if (status == SS_OK)
        status = ask_ends(kafka, err);
    if (status != SS_OK) {
        close_log(&kafka->log);
        return status;
    }
    *log = &kafka->log;
    return SS_OK;
}
