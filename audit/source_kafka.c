/* source_kafka.c - the topics themselves. What makes a record unusable is judged as
 * consumer/intake.c does, in the same order. */
#include "audit/source_internal.h"

#include "consumer/kafka_positions.h"
#include "consumer/partitioner.h"
#include "scoring/apply.h"

#include <stdlib.h>

static enum ss_status count_partitions(struct ss_source *source, struct ss_error *err)
{
    int32_t counts[SS_INPUT_COUNT];
    enum ss_status status = ss_kafka_positions_counts(source->config.access, source->topics,
                                                      SS_INPUT_COUNT, counts, err);
    if (status != SS_OK)
        return status;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        if (counts[i] == 0 && i == SS_NEIGHBOURS) { /* the engine's own: where friends matter */
            source->without_neighbours = true;
            continue;
        }
        if (counts[i] == 0)
            return ss_fail(err, SS_STOP, "there is no topic %s", source->topics[i]);
        if (counts[i] != counts[0])
            return ss_fail(err, SS_STOP, "%s has %d partitions and %s has %d", source->topics[i],
                           counts[i], source->topics[0], counts[0]);
    }
    source->partition_count = counts[0];
    source->counted = true;
    return SS_OK;
}

static enum ss_status ask_ranges(struct ss_source *source, int64_t *lows, int64_t *ends,
                                 int64_t *committed, struct ss_error *err)
{
    const struct ss_source_config *config = &source->config;
    const size_t topics = source->without_neighbours ? SS_UPSTREAM_COUNT : SS_INPUT_COUNT;
    enum ss_status status = ss_kafka_positions_ends(config->access, source->topics, topics,
                                                    source->partition_count, lows, ends, err);
    if (status == SS_OK && config->group)
        status = ss_kafka_positions_group(config->access, config->group, source->topics, topics,
                                          source->partition_count, committed, err);
    for (int32_t p = 0; p < source->partition_count && status == SS_OK; p++)
        for (size_t i = 0; i < topics; i++) {
            const size_t at = i * (size_t)source->partition_count + (size_t)p;
            struct ss_source_range range = {lows[at], ends[at]};
            if (config->group && committed[at] < range.end)
                range.end = committed[at] < range.low ? range.low : committed[at];
            source->ranges[(size_t)p * SS_INPUT_COUNT + i] = range;
        }
    return status;
}

enum ss_status ss_source_kafka_open(struct ss_source *source, struct ss_error *err)
{
    source->kind = SS_SOURCE_KAFKA;
    enum ss_status status = count_partitions(source, err);
    if (status != SS_OK)
        return status;
    const size_t count = (size_t)source->partition_count * SS_INPUT_COUNT;
    int64_t *numbers = calloc(3 * count, sizeof *numbers);
    source->ranges = calloc(count, sizeof *source->ranges);
    if (numbers && source->ranges)
        status = ask_ranges(source, numbers, numbers + count, numbers + 2 * count, err);
    else
        status = ss_fail(err, SS_STOP, "out of memory");
    free(numbers);
    return status;
}

enum ss_status ss_source_kafka_pull(struct ss_puller *puller, const int64_t *from,
                                    const int64_t *to, struct ss_error *err)
{
    const char *topics[SS_INPUT_COUNT];
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        topics[i] = puller->inputs[i].events ? puller->source->topics[i] : NULL;
    const struct ss_kafka_pull_config config = {.access = puller->source->config.access,
                                                .topics = topics,
                                                .topic_count = SS_INPUT_COUNT,
                                                .partition = puller->partition,
                                                .from = from,
                                                .to = to,
                                                .records_max = SS_SOURCE_BATCH_MAX,
                                                .memory_bytes_max = SS_SOURCE_QUEUE_BYTES};
    return ss_kafka_pull_open(&config, &puller->pull, err);
}

static enum ss_status plan_of(struct ss_puller *puller, enum ss_input input, uint32_t schema_id,
                              const struct ss_plan **plan, struct ss_error *err)
{
    if (!puller->plan[input] || puller->schema_id[input] != schema_id) {
        enum ss_status status = ss_registry_plan(puller->source->config.registry, input, schema_id,
                                                 &puller->plan[input], err);
        if (status != SS_OK) {
            puller->plan[input] = NULL;
            return status;
        }
        puller->schema_id[input] = schema_id;
    }
    *plan = puller->plan[input];
    return SS_OK;
}

/* Sets out->reject, or decodes. SS_RETRY: the registry is away. */
static enum ss_status read_record(struct ss_puller *puller, enum ss_input input,
                                  const struct ss_kafka_record *record, struct ss_source_event *out,
                                  struct ss_error *err)
{
    const struct ss_source *source = puller->source;
    const size_t bytes_max = source->config.event_bytes_max;
    const struct ss_plan *plan;
    struct ss_bytes body;
    uint32_t schema_id;

    out->reject = !record->key.data || record->key.size == 0 ? "NO_KEY"
                  : record->key.size > SS_USER_ID_MAX ? ss_refusal_name(SS_REFUSAL_BAD_USER_ID)
                  : !record->value.data               ? "NO_VALUE"
                  : ss_partition_of(record->key, source->partition_count) != record->partition
                      ? "MISROUTED"
                  : bytes_max && record->value.size > bytes_max ? "TOO_LARGE"
                                                                : NULL;
    if (out->reject)
        return SS_OK;
    if (ss_wire_open(record->value, &schema_id, &body, err) != SS_OK) {
        out->reject = "BAD_WIRE_FORMAT";
        return SS_OK;
    }
    enum ss_status status = plan_of(puller, input, schema_id, &plan, err);
    if (status == SS_DROP) {
        out->reject = "BAD_SCHEMA";
        return SS_OK;
    }
    if (status != SS_OK)
        return status;
    if (ss_plan_decode(plan, body, &out->event, err) != SS_OK) {
        out->reject = "UNREADABLE";
        return SS_OK;
    }
    struct ss_text user_id = out->event.user_id;
    if (!ss_bytes_equal(record->key, (struct ss_bytes){user_id.data, user_id.size}))
        out->reject = "KEY_MISMATCH";
    return SS_OK;
}

enum ss_status ss_source_kafka_fill(struct ss_puller *puller, enum ss_input input, size_t *count,
                                    bool *end, struct ss_error *err)
{
    struct ss_puller_input *in = &puller->inputs[input];
    enum ss_status status = SS_OK;
    if (in->record_next == in->record_count) {
        in->record_next = 0;
        status =
            ss_kafka_pull_next(puller->pull, (size_t)input, &in->records, &in->record_count, err);
        *end = status == SS_OK && in->record_count == 0;
        if (*end && in->report.next < in->to)
            in->report.next = in->to; /* markers, and what was aborted */
    }
    for (; status == SS_OK && in->record_next < in->record_count; in->record_next++) {
        const struct ss_kafka_record *record = &in->records[in->record_next];
        struct ss_source_event *out = &in->events[*count];
        bool wanted = !puller->users ||
                      ss_source_users_have(puller->users, record->key.data, record->key.size);
        out->event.input = input;
        if (wanted)
            status = read_record(puller, input, record, out, err);
        if (status != SS_OK)
            break;
        if (!ss_source_step(in, record->offset) || !wanted || (puller->users && out->reject))
            continue;
        out->partition = record->partition;
        out->offset = record->offset;
        out->timestamp_ms = record->timestamp_ms;
        in->report.rejected += out->reject != NULL;
        ++*count;
    }
    return status;
}
