#include "audit/source_internal.h"

#include "scoring/apply.h"

#include <stdlib.h>

static void name_topics(struct ss_source *source)
{
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        source->topics[i] = source->config.topics && source->config.topics[i]
                                ? source->config.topics[i]
                                : ss_input_name((enum ss_input)i);
    for (int o = 0; o < SS_OUTPUT_COUNT; o++)
        source->output_topics[o] = source->config.output_topics[o]
                                       ? source->config.output_topics[o]
                                       : ss_output_name((enum ss_output)o);
    struct ss_source_fields *fields = &source->config.fields;
    fields->partition = fields->partition ? fields->partition : "kafka_partition";
    fields->offset = fields->offset ? fields->offset : "kafka_offset";
    fields->timestamp = fields->timestamp ? fields->timestamp : "kafka_timestamp";
}

enum ss_status ss_source_open(const struct ss_source_config *config, struct ss_source **out,
                              struct ss_error *err)
{
    struct ss_source *source = calloc(1, sizeof *source);
    *out = NULL;
    if (!source)
        return ss_fail(err, SS_STOP, "out of memory");
    source->config = *config;
    name_topics(source);
    enum ss_status status =
        config->directory ? ss_source_files_open(source, err) : ss_source_kafka_open(source, err);
    if (status != SS_OK) {
        ss_source_close(source);
        return status;
    }
    *out = source;
    return SS_OK;
}

void ss_source_close(struct ss_source *source)
{
    if (!source)
        return;
    ss_archive_index_close(source->index);
    free(source->ranges);
    free(source);
}

enum ss_source_kind ss_source_kind(const struct ss_source *source)
{
    return source->kind;
}

int32_t ss_source_partition_count(const struct ss_source *source)
{
    return source->partition_count;
}

const char *ss_source_kind_name(enum ss_source_kind kind)
{
    static const char *const names[] = {"kafka", "archive", "files"};
    return names[kind];
}

struct ss_source_range ss_source_range(const struct ss_source *source, int32_t partition,
                                       enum ss_input input)
{
    return source->ranges[(size_t)partition * SS_INPUT_COUNT + (size_t)input];
}

bool ss_source_has(const struct ss_source *source, enum ss_input input)
{
    for (int32_t p = 0; p < ss_source_partition_count(source); p++) {
        const struct ss_source_range range = ss_source_range(source, p, input);
        if (range.end > range.low)
            return true;
    }
    return false;
}

enum ss_status ss_source_offsets_at(struct ss_source *source, int32_t partition, int64_t time_ms,
                                    int64_t offsets[SS_INPUT_COUNT], struct ss_error *err)
{
    offsets[SS_NEIGHBOURS] = 0;
    if (source->kind != SS_SOURCE_KAFKA)
        return ss_source_files_offsets_at(source, partition, time_ms, offsets, err);
    enum ss_status status =
        ss_kafka_positions_at(source->config.access, source->topics,
                              source->without_neighbours ? SS_UPSTREAM_COUNT : SS_INPUT_COUNT,
                              partition, time_ms, offsets, err);
    for (int i = 0; i < SS_INPUT_COUNT && status == SS_OK; i++)
        if (offsets[i] < 0)
            offsets[i] = ss_source_range(source, partition, (enum ss_input)i).end;
    return status;
}

static enum ss_status open_input(struct ss_puller *puller, const struct ss_puller_config *config,
                                 enum ss_input input, int64_t *from, int64_t *to,
                                 struct ss_error *err)
{
    struct ss_puller_input *in = &puller->inputs[input];
    const struct ss_source_range range = ss_source_range(puller->source, config->partition, input);
    *from = config->from ? config->from[input] : range.low;
    *to = config->to && config->to[input] < range.end ? config->to[input] : range.end;
    in->report = (struct ss_source_report){.first = -1, .next = *from, .missing_at = -1};
    if (range.low > *from || !config->from) {
        in->report.out_of_time = range.low - (config->from ? *from : 0);
        *from = in->report.next = range.low;
    }
    in->to = *to;
    if (config->inputs_skipped[input] ||
        (input == SS_NEIGHBOURS && puller->source->without_neighbours))
        return SS_OK;
    in->events = calloc(SS_SOURCE_BATCH_MAX, sizeof *in->events);
    return in->events ? SS_OK : ss_fail(err, SS_STOP, "out of memory for a batch of events");
}

enum ss_status ss_puller_open(struct ss_source *source, const struct ss_puller_config *config,
                              struct ss_puller **out, struct ss_error *err)
{
    int64_t from[SS_INPUT_COUNT] = {0}, to[SS_INPUT_COUNT] = {0};
    struct ss_puller *puller = calloc(1, sizeof *puller);
    enum ss_status status = SS_OK;
    *out = NULL;
    if (!puller)
        return ss_fail(err, SS_STOP, "out of memory");
    puller->source = source;
    puller->partition = config->partition;
    puller->users = config->users;
    for (int i = 0; i < SS_INPUT_COUNT && status == SS_OK; i++)
        status = open_input(puller, config, (enum ss_input)i, &from[i], &to[i], err);
    if (status == SS_OK && source->kind == SS_SOURCE_KAFKA)
        status = ss_source_kafka_pull(puller, from, to, err);
    if (status != SS_OK) {
        ss_puller_close(puller);
        return status;
    }
    *out = puller;
    return SS_OK;
}

enum ss_status ss_puller_next(struct ss_puller *puller, enum ss_input input,
                              struct ss_source_batch *batch, struct ss_error *err)
{
    struct ss_puller_input *in = &puller->inputs[input];
    bool end = !in->events;
    size_t count = 0;
    *batch = (struct ss_source_batch){.events = in->events};
    while (count == 0 && !end) { /* a batch may be of others altogether */
        enum ss_status status = puller->source->kind == SS_SOURCE_KAFKA
                                    ? ss_source_kafka_fill(puller, input, &count, &end, err)
                                    : ss_source_files_fill(puller, input, &count, &end, err);
        if (status != SS_OK && count == 0)
            return status; /* else it comes again with the next call */
        if (status != SS_OK)
            break;
    }
    batch->count = count;
    batch->next_offset = in->report.next;
    return SS_OK;
}

void ss_puller_close(struct ss_puller *puller)
{
    if (!puller)
        return;
    ss_kafka_pull_close(puller->pull);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        ss_container_close(puller->inputs[i].reader);
        free(puller->inputs[i].events);
    }
    free(puller);
}

void ss_puller_report(const struct ss_puller *puller, enum ss_input input,
                      struct ss_source_report *report)
{
    *report = puller->inputs[input].report;
}

int64_t ss_source_size(const struct ss_source *source, int32_t partition)
{
    int64_t size = 0;
    if (source->kind != SS_SOURCE_KAFKA)
        return ss_source_files_size(source, partition);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const struct ss_source_range range = ss_source_range(source, partition, (enum ss_input)i);
        size += range.end - range.low;
    }
    return size;
}

int64_t ss_puller_done(const struct ss_puller *puller)
{
    int64_t done = 0;
    if (puller->source->kind != SS_SOURCE_KAFKA)
        return ss_source_files_done(puller);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        done += puller->inputs[i].report.next -
                ss_source_range(puller->source, puller->partition, (enum ss_input)i).low;
    return done;
}
