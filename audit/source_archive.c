/* source_archive.c - files: archives of several files per topic and partition, and plain ones. */
#include "audit/source_internal.h"

#include "base/log.h"
#include "consumer/partitioner.h"
#include "scoring/apply.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    EXTRA_PARTITION,
    EXTRA_OFFSET,
    EXTRA_TIMESTAMP,
    EXTRA_COUNT,
    DEFAULT_NAMES = SS_INPUT_COUNT + SS_OUTPUT_COUNT, /* of plain files, in the index */
    PLACED = 1 << EXTRA_PARTITION | 1 << EXTRA_OFFSET,
};

static const struct ss_archive_file *files_of(const struct ss_source *source, int32_t partition,
                                              enum ss_input input, size_t *count)
{
    size_t topic = (size_t)input;
    if (source->index->partition_count > 0)
        return ss_archive_index_find(source->index, topic, partition, count);
    if (strcmp(source->topics[input], ss_input_name(input)) != 0)
        topic += DEFAULT_NAMES;
    return ss_archive_index_find(source->index, topic, -1, count);
}

static enum ss_status open_file(const struct ss_source *source, enum ss_input input,
                                const char *path, struct ss_container_reader **reader,
                                uint32_t *found, struct ss_error *err)
{
    const struct ss_source_fields *fields = &source->config.fields;
    const size_t event = offsetof(struct ss_source_event, event);
    const struct ss_container_extra extras[EXTRA_COUNT] = {
        {fields->partition, (uint16_t)(offsetof(struct ss_source_event, partition) - event)},
        {fields->offset, (uint16_t)(offsetof(struct ss_source_event, offset) - event)},
        {fields->timestamp, (uint16_t)(offsetof(struct ss_source_event, timestamp_ms) - event)},
    };
    return ss_container_open(path, input, extras, EXTRA_COUNT, reader, found, err);
}

/* --- opening --- */

/* Only DIR/payments.avro and so on count as plain: nothing that lies deeper. */
static bool is_plain(const struct ss_source *source, const struct ss_archive_file *file)
{
    const char *name = strrchr(file->path, '/');
    return (size_t)(name - file->path) == strlen(source->config.directory) ||
           strncmp(name - 1, "//", 2) == 0;
}

/* Whether the records tell partition and offset: the first file of each input does for all. */
static enum ss_status look_placed(struct ss_source *source, bool *placed, struct ss_error *err)
{
    *placed = source->index->partition_count > 0;
    for (int i = 0; i < SS_INPUT_COUNT && *placed; i++) {
        bool seen = false;
        for (int32_t p = 0; p < source->index->partition_count && !seen; p++) {
            size_t count;
            uint32_t found;
            struct ss_container_reader *reader;
            const struct ss_archive_file *file = files_of(source, p, (enum ss_input)i, &count);
            if (count == 0)
                continue;
            enum ss_status status =
                open_file(source, (enum ss_input)i, file->path, &reader, &found, err);
            if (status != SS_OK)
                return status;
            ss_container_close(reader);
            seen = true;
            *placed = (found & PLACED) == PLACED;
        }
    }
    return SS_OK;
}

static enum ss_status check_files(const struct ss_source *source, struct ss_error *err)
{
    bool any = false;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        for (int32_t p = 0; p < source->partition_count; p++) {
            size_t count;
            const struct ss_archive_file *files = files_of(source, p, (enum ss_input)i, &count);
            if (source->index->partition_count == 0)
                for (size_t f = 0; f < count; f++)
                    if (!is_plain(source, &files[f]))
                        return ss_fail(err, SS_STOP,
                                       "%.200s tells neither partition nor offset in its name, "
                                       "and does not lie in %.200s itself",
                                       files[f].path, source->config.directory);
            any |= count > 0;
        }
    if (!any)
        return ss_fail(err, SS_STOP,
                       "%s has neither payments.avro, bills.avro, … nor files like "
                       "%s+0+0000000000.avro to read",
                       source->config.directory, source->topics[0]);
    return SS_OK;
}

enum ss_status ss_source_files_open(struct ss_source *source, struct ss_error *err)
{
    const char *names[2 * SS_INPUT_COUNT + SS_OUTPUT_COUNT];
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        names[i] = source->topics[i];
        names[DEFAULT_NAMES + i] = ss_input_name((enum ss_input)i);
    }
    for (int o = 0; o < SS_OUTPUT_COUNT; o++)
        names[SS_INPUT_COUNT + o] = source->output_topics[o];
    enum ss_status status = ss_archive_index_open(
        source->config.directory, names, sizeof names / sizeof names[0], &source->index, err);
    if (status != SS_OK)
        return status;
    bool placed;
    status = look_placed(source, &placed, err);
    if (status != SS_OK)
        return status;
    source->kind = placed ? SS_SOURCE_ARCHIVE : SS_SOURCE_PLAIN;
    const int32_t found = source->index->partition_count, told = source->config.partition_count;
    if (found > 0 && told > 0 && told < found)
        return ss_fail(err, SS_STOP, "%s has files of %d partitions, not of %d",
                       source->config.directory, found, told);
    source->partition_count = found == 0 ? 1 : told > 0 ? told : found;
    source->counted = found > 0 && told > 0;
    source->ranges =
        calloc((size_t)source->partition_count * SS_INPUT_COUNT, sizeof *source->ranges);
    if (!source->ranges)
        return ss_fail(err, SS_STOP, "out of memory");
    for (int32_t p = 0; p < source->partition_count; p++)
        for (size_t i = 0; i < SS_INPUT_COUNT; i++) {
            size_t count;
            const struct ss_archive_file *file = files_of(source, p, (enum ss_input)i, &count);
            if (count > 0)
                source->ranges[(size_t)p * SS_INPUT_COUNT + i] =
                    (struct ss_source_range){file->offset, INT64_MAX};
        }
    return check_files(source, err);
}

/* --- reading --- */

static enum ss_status next_file(struct ss_puller *puller, enum ss_input input, bool *end,
                                struct ss_error *err)
{
    struct ss_puller_input *in = &puller->inputs[input];
    const struct ss_source *source = puller->source;
    size_t count;
    uint32_t found;
    const struct ss_archive_file *files = files_of(source, puller->partition, input, &count);
    ss_container_close(in->reader);
    in->reader = NULL;
    /* what the next file begins with or before lies behind all of this one */
    while (!in->begun && in->file_next + 1 < count &&
           files[in->file_next + 1].offset <= in->report.next)
        in->bytes_done += files[in->file_next++].bytes;
    *end = in->file_next >= count || files[in->file_next].offset >= in->to;
    if (*end)
        return SS_OK;
    in->file = &files[in->file_next++];
    enum ss_status status = open_file(source, input, in->file->path, &in->reader, &found, err);
    if (status == SS_OK && source->kind == SS_SOURCE_ARCHIVE && (found & PLACED) != PLACED)
        return ss_fail(err, SS_STOP, "the records of %.200s have no %.60s and %.60s, as others do",
                       in->file->path, source->config.fields.partition,
                       source->config.fields.offset);
    in->begun = true;
    in->index = in->file->offset; /* a guess, where the records do not tell */
    return status;
}

static enum ss_status check_place(const struct ss_puller *puller, const struct ss_puller_input *in,
                                  const struct ss_source_event *out, struct ss_error *err)
{
    if (out->partition == puller->partition && out->offset >= 0)
        return SS_OK;
    if (out->partition == SS_TIME_UNKNOWN || out->offset < 0)
        return ss_fail(err, SS_STOP, "a record of %.200s has no partition or offset",
                       in->file->path);
    return ss_fail(err, SS_STOP, "%.200s holds a record of partition %lld", in->file->path,
                   (long long)out->partition);
}

/* A record that was read, or could not be. *keep: it is to be handed out. */
static enum ss_status place(struct ss_puller *puller, struct ss_puller_input *in,
                            struct ss_source_event *out, bool *keep, struct ss_error *err)
{
    const struct ss_source *source = puller->source;
    *keep = false;
    if (source->kind == SS_SOURCE_PLAIN) {
        out->partition = puller->partition;
        out->offset = in->index++;
        if (out->offset >= in->to || (in->report.first < 0 && out->offset < in->report.next))
            return SS_OK;
        if (in->report.first < 0)
            in->report.first = out->offset;
        in->report.next = out->offset + 1;
        in->report.records++;
    } else if (out->reject) {
        out->partition = puller->partition;
        out->offset = in->report.next;
        in->report.records++;
        in->unplaced++;
    } else {
        enum ss_status status = check_place(puller, in, out, err);
        bool early = in->report.first < 0 && out->offset < in->report.next;
        if (status != SS_OK || early || out->offset >= in->to || !ss_source_step(in, out->offset))
            return status;
    }
    if (out->timestamp_ms < 0)
        out->timestamp_ms = -1;
    if (!out->reject && source->counted) {
        struct ss_bytes key = {out->event.user_id.data, out->event.user_id.size};
        if (ss_partition_of(key, source->partition_count) != puller->partition)
            out->reject = "MISROUTED";
    }
    *keep = !puller->users ||
            (!out->reject &&
             ss_source_users_have(puller->users, out->event.user_id.data, out->event.user_id.size));
    in->report.rejected += *keep && out->reject;
    return SS_OK;
}

enum ss_status ss_source_files_fill(struct ss_puller *puller, enum ss_input input, size_t *count,
                                    bool *end, struct ss_error *err)
{
    struct ss_puller_input *in = &puller->inputs[input];
    if (!in->reader || in->file_next == SIZE_MAX - 1) {
        enum ss_status status = next_file(puller, input, end, err);
        if (status != SS_OK || *end)
            return status;
    }
    while (*count < SS_SOURCE_BATCH_MAX) {
        struct ss_source_event *out = &in->events[*count];
        bool file_end, keep;
        out->partition = SS_TIME_UNKNOWN;
        out->offset = -1;
        out->timestamp_ms = -1;
        out->reject = NULL;
        enum ss_status status = ss_container_next(in->reader, &out->event, &file_end, err);
        if (status == SS_DROP)
            out->reject = "UNREADABLE";
        else if (status != SS_OK)
            return status;
        if (file_end) {
            in->bytes_done += in->file->bytes;
            ss_container_close(in->reader);
            in->reader = NULL;
            return SS_OK;
        }
        status = place(puller, in, out, &keep, err);
        if (status != SS_OK)
            return status;
        if (out->offset >= in->to) { /* and so does all that follows */
            *end = *count == 0;
            in->file_next = SIZE_MAX - 1;
            return SS_OK;
        }
        *count += keep;
        if (ss_container_block_end(in->reader) && *count > 0)
            return SS_OK; /* the texts go with the block */
    }
    return SS_OK;
}

/* --- sizes --- */

int64_t ss_source_files_size(const struct ss_source *source, int32_t partition)
{
    int64_t size = 0;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        size_t count;
        const struct ss_archive_file *files = files_of(source, partition, (enum ss_input)i, &count);
        for (size_t f = 0; f < count; f++)
            size += files[f].bytes;
    }
    return size;
}

int64_t ss_source_files_done(const struct ss_puller *puller)
{
    int64_t done = 0;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const struct ss_puller_input *in = &puller->inputs[i];
        done += in->bytes_done + (in->reader ? ss_container_tell(in->reader) : 0);
    }
    return done;
}

/* --- times --- */

static enum ss_status offset_at(struct ss_source *source, int32_t partition, enum ss_input input,
                                int64_t time_ms, int64_t *offset, struct ss_error *err)
{
    struct ss_puller_config config = {.partition = partition};
    struct ss_puller *puller;
    struct ss_source_batch batch;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        config.inputs_skipped[i] = i != (int)input;
    enum ss_status status = ss_puller_open(source, &config, &puller, err);
    if (status != SS_OK)
        return status;
    *offset = -1;
    while (status == SS_OK && *offset < 0) {
        status = ss_puller_next(puller, input, &batch, err);
        if (status == SS_OK && batch.count == 0)
            *offset = batch.next_offset;
        for (size_t i = 0; status == SS_OK && i < batch.count && *offset < 0; i++) {
            const struct ss_source_event *event = &batch.events[i];
            if (event->timestamp_ms < 0 && !event->reject)
                status =
                    ss_fail(err, SS_STOP, "the archive's records have no field %s to tell times by",
                            source->config.fields.timestamp);
            else if (event->timestamp_ms >= time_ms)
                *offset = event->offset;
        }
    }
    ss_puller_close(puller);
    return status;
}

enum ss_status ss_source_files_offsets_at(struct ss_source *source, int32_t partition,
                                          int64_t time_ms, int64_t *offsets, struct ss_error *err)
{
    if (source->kind == SS_SOURCE_PLAIN)
        return ss_fail(err, SS_STOP, "these files have no times of their records");
    enum ss_status status = SS_OK;
    for (int i = 0; i < SS_INPUT_COUNT && status == SS_OK; i++)
        status = offset_at(source, partition, (enum ss_input)i, time_ms, &offsets[i], err);
    return status;
}
