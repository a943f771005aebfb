/* source_published.c - what was published, out of a topic or an archive, in our own schema. */
#include "audit/source_internal.h"

#include "schemas/transcode.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SCHEMAS_MAX = 16,
    EXTRA_COUNT = 3,
    VIEWS_MAX = 32, /* at once, so that they stay in the nearest cache */
};

struct known_schema {
    uint32_t id;
    struct ss_transcoder *transcoder; /* NULL: it cannot be read as ours */
};

struct ss_published_log {
    struct ss_source *source;
    struct ss_published_config config;
    struct ss_published_record *records; /* SS_SOURCE_BATCH_MAX */
    struct ss_buffer bodies;             /* of those that had to be transcoded */
    size_t *places;                      /* where in `bodies`; SIZE_MAX: elsewhere */
    struct ss_score_view *views;         /* VIEWS_MAX; NULL: they are not asked for */
    size_t batch_max;
    int64_t next; /* behind the last that was handed out */
    /* Kafka */
    struct ss_kafka_pull *pull;
    struct known_schema schemas[SCHEMAS_MAX];
    size_t schema_count;
    const struct ss_kafka_record *fetched;
    size_t fetched_count, fetched_next;
    /* files */
    const struct ss_archive_file *files;
    size_t file_count, file_next;
    struct ss_container_reader *reader;
    struct ss_transcoder *transcoder;
    bool placed; /* the records of this file tell their offsets */
    int64_t index;
};

enum ss_status ss_published_have(const struct ss_source *source, enum ss_output output, bool *have,
                                 struct ss_error *err)
{
    int32_t partitions = 0;
    size_t files = 0;
    enum ss_status status = SS_OK;
    if (source->kind == SS_SOURCE_KAFKA)
        status = ss_kafka_positions_counts(source->config.access, &source->output_topics[output], 1,
                                           &partitions, err);
    else if (source->kind == SS_SOURCE_ARCHIVE)
        (void)ss_archive_index_find(source->index, SS_INPUT_COUNT + (size_t)output, 0, &files);
    *have = partitions > 0 || files > 0;
    return status;
}

static enum ss_status open_kafka(struct ss_published_log *log, struct ss_source_range *range,
                                 struct ss_error *err)
{
    const struct ss_source *source = log->source;
    const char *topic = source->output_topics[log->config.output];
    const struct ss_kafka_access *access = source->config.access;
    int32_t count;
    enum ss_status status = ss_kafka_positions_counts(access, &topic, 1, &count, err);
    if (status == SS_OK && log->config.partition >= count)
        status = count == 0 ? ss_fail(err, SS_STOP, "there is no topic %s", topic)
                            : ss_fail(err, SS_STOP, "%s has %d partitions, none is %d", topic,
                                      count, log->config.partition);
    int64_t *numbers = calloc(2 * (size_t)count + 1, sizeof *numbers);
    if (status == SS_OK && !numbers)
        status = ss_fail(err, SS_STOP, "out of memory");
    if (status == SS_OK)
        status = ss_kafka_positions_ends(access, &topic, 1, count, numbers, numbers + count, err);
    if (status == SS_OK)
        *range = (struct ss_source_range){numbers[log->config.partition],
                                          numbers[count + log->config.partition]};
    free(numbers);
    if (status != SS_OK)
        return status;
    const int64_t from = log->config.from > range->low ? log->config.from : range->low;
    const struct ss_kafka_pull_config config = {.access = access,
                                                .topics = &topic,
                                                .topic_count = 1,
                                                .partition = log->config.partition,
                                                .from = &from,
                                                .to = &range->end,
                                                .records_max = SS_SOURCE_BATCH_MAX,
                                                .memory_bytes_max = SS_SOURCE_QUEUE_BYTES};
    return ss_kafka_pull_open(&config, &log->pull, err);
}

static enum ss_status open_files(struct ss_published_log *log, struct ss_source_range *range,
                                 struct ss_error *err)
{
    const struct ss_source *source = log->source;
    const size_t topic = SS_INPUT_COUNT + (size_t)log->config.output;
    log->files =
        ss_archive_index_find(source->index, topic, log->config.partition, &log->file_count);
    if (log->file_count == 0 && source->index->partition_count == 0 && log->config.partition == 0)
        log->files = ss_archive_index_find(source->index, topic, -1, &log->file_count);
    if (log->file_count == 0 && source->index->partition_count == 0)
        return ss_fail(err, SS_STOP, "%s has no %s.avro", source->config.directory,
                       source->output_topics[log->config.output]);
    *range = (struct ss_source_range){log->file_count ? log->files[0].offset : 0,
                                      log->file_count ? INT64_MAX : 0};
    while (log->file_next + 1 < log->file_count &&
           log->files[log->file_next + 1].offset <= log->config.from)
        log->file_next++;
    return SS_OK;
}

enum ss_status ss_published_open(struct ss_source *source, const struct ss_published_config *config,
                                 struct ss_published_log **out, struct ss_source_range *range,
                                 struct ss_error *err)
{
    struct ss_source_range ignored;
    struct ss_published_log *log = calloc(1, sizeof *log);
    *out = NULL;
    if (log) {
        log->source = source;
        log->config = *config;
        log->next = config->from;
        ss_buffer_init(&log->bodies, SIZE_MAX / 2);
        log->records = calloc(SS_SOURCE_BATCH_MAX, sizeof *log->records);
        log->places = calloc(SS_SOURCE_BATCH_MAX, sizeof *log->places);
        log->batch_max = config->views ? VIEWS_MAX : SS_SOURCE_BATCH_MAX;
        if (config->views)
            log->views = calloc(VIEWS_MAX, sizeof *log->views);
    }
    enum ss_status status = log && log->records && log->places && (log->views || !config->views)
                                ? SS_OK
                                : ss_fail(err, SS_STOP, "out of memory");
    range = range ? range : &ignored;
    if (status == SS_OK)
        status = source->kind == SS_SOURCE_KAFKA ? open_kafka(log, range, err)
                                                 : open_files(log, range, err);
    if (status != SS_OK) {
        ss_published_close(log);
        return status;
    }
    *out = log;
    return SS_OK;
}

/* Where user_id lies in the body: it is the first field of both outputs. */
static bool wanted(const struct ss_published_log *log, struct ss_bytes body)
{
    const uint8_t *p = body.data;
    if (!log->config.users)
        return true;
    /* a user id's length is one byte up to 63 bytes, two at 64 */
    size_t size = body.size ? p[0] / 2u : 0, head = 1;
    if (body.size > 1 && (p[0] & 0x80)) {
        size = (size_t)(p[0] & 0x7f) / 2 + (size_t)p[1] * 64;
        head = 2;
    }
    return head + size <= body.size && ss_source_users_have(log->config.users, p + head, size);
}

/* Puts the body in; it stays where it is, or is copied if it lies in the transcoder. */
static enum ss_status put_body(struct ss_published_log *log, size_t i, struct ss_bytes given,
                               struct ss_bytes made, struct ss_error *err)
{
    log->records[i].body = made;
    log->places[i] = SIZE_MAX;
    if (made.data == given.data)
        return SS_OK;
    log->places[i] = log->bodies.size;
    return ss_buffer_append(&log->bodies, made.data, made.size)
               ? SS_OK
               : ss_fail(err, SS_STOP, "out of memory for a batch of records");
}

/* --- Kafka --- */

static enum ss_status schema_of(struct ss_published_log *log, uint32_t id,
                                struct ss_transcoder **transcoder, struct ss_error *err)
{
    struct known_schema *slot = NULL;
    for (size_t i = 0; i < log->schema_count; i++)
        if (log->schemas[i].id == id) {
            *transcoder = log->schemas[i].transcoder;
            return SS_OK;
        }
    char *json;
    struct known_schema found = {.id = id};
    enum ss_status status = ss_registry_schema(log->source->config.registry, id, &json, err);
    if (status == SS_OK) {
        status = ss_transcoder_open(ss_schema_of_output(log->config.output), json, NULL, 0,
                                    &found.transcoder, NULL, err);
        free(json);
    }
    if (status != SS_OK && status != SS_DROP)
        return status;
    if (log->schema_count < SCHEMAS_MAX) {
        slot = &log->schemas[log->schema_count++];
    } else { /* more of them than anybody has: the oldest goes */
        ss_transcoder_close(log->schemas[0].transcoder);
        memmove(log->schemas, log->schemas + 1, (SCHEMAS_MAX - 1) * sizeof *slot);
        slot = &log->schemas[SCHEMAS_MAX - 1];
    }
    *slot = found;
    *transcoder = found.transcoder;
    return SS_OK;
}

static enum ss_status read_value(struct ss_published_log *log, size_t i, struct ss_bytes value,
                                 struct ss_error *err)
{
    struct ss_published_record *record = &log->records[i];
    struct ss_transcoder *transcoder;
    struct ss_bytes body, made;
    uint32_t id;
    if (ss_wire_open(value, &id, &body, err) != SS_OK) {
        record->reject = "BAD_WIRE_FORMAT";
        return SS_OK;
    }
    enum ss_status status = schema_of(log, id, &transcoder, err);
    if (status != SS_OK)
        return status;
    if (!transcoder) {
        record->reject = "BAD_SCHEMA";
        return SS_OK;
    }
    if (ss_transcode(transcoder, body, &made, NULL, err) != SS_OK) {
        record->reject = "UNREADABLE";
        return SS_OK;
    }
    return put_body(log, i, body, made, err);
}

static enum ss_status fill_from_kafka(struct ss_published_log *log, size_t *count, bool *end,
                                      struct ss_error *err)
{
    enum ss_status status = SS_OK;
    if (log->fetched_next == log->fetched_count) {
        log->fetched_next = 0;
        status = ss_kafka_pull_next(log->pull, 0, &log->fetched, &log->fetched_count, err);
        *end = status == SS_OK && log->fetched_count == 0;
    }
    for (; status == SS_OK && log->fetched_next < log->fetched_count; log->fetched_next++) {
        const struct ss_kafka_record *from = &log->fetched[log->fetched_next];
        struct ss_published_record *record = &log->records[*count];
        if (log->config.users &&
            !ss_source_users_have(log->config.users, from->key.data, from->key.size))
            continue;
        *record = (struct ss_published_record){
            .offset = from->offset, .timestamp_ms = from->timestamp_ms, .key = from->key};
        log->places[*count] = SIZE_MAX;
        if (from->value.data)
            status = read_value(log, *count, from->value, err);
        if (status != SS_OK)
            break;
        ++*count;
    }
    return status;
}

/* --- files --- */

static enum ss_status next_file(struct ss_published_log *log, bool *end, struct ss_error *err)
{
    const struct ss_source_fields *fields = &log->source->config.fields;
    const char *const extras[EXTRA_COUNT] = {fields->partition, fields->offset, fields->timestamp};
    const char *schema;
    uint32_t found;
    ss_transcoder_close(log->transcoder);
    log->transcoder = NULL;
    *end = log->file_next == log->file_count;
    if (*end)
        return SS_OK;
    const struct ss_archive_file *file = &log->files[log->file_next++];
    enum ss_status status = ss_container_open_raw(file->path, &log->reader, &schema, err);
    if (status == SS_OK) {
        struct ss_error why;
        status = ss_transcoder_open(ss_schema_of_output(log->config.output), schema, extras,
                                    EXTRA_COUNT, &log->transcoder, &found, &why);
        if (status != SS_OK)
            return ss_fail(err, SS_STOP, "%.200s does not hold records of %s: %.200s", file->path,
                           ss_output_name(log->config.output), why.detail);
        log->placed = (found & 3) == 3;
        if (!log->placed && log->source->kind == SS_SOURCE_ARCHIVE)
            return ss_fail(err, SS_STOP, "the records of %.200s have no %.60s and %.60s",
                           file->path, fields->partition, fields->offset);
    }
    log->index = file->offset;
    return status;
}

static enum ss_status read_from_file(struct ss_published_log *log, size_t *count,
                                     struct ss_bytes given, struct ss_error *err)
{
    struct ss_published_record *record = &log->records[*count];
    int64_t numbers[EXTRA_COUNT] = {-1, -1, -1};
    struct ss_bytes made;
    enum ss_status status = ss_transcode(log->transcoder, given, &made, numbers, err);
    *record = (struct ss_published_record){.offset = log->placed ? numbers[1] : log->index,
                                           .timestamp_ms = numbers[2]};
    log->index++;
    log->places[*count] = SIZE_MAX;
    if (status != SS_OK) {
        record->offset = log->next;
        record->reject = "UNREADABLE";
        *count += !log->config.users;
        return SS_OK;
    }
    if (log->placed && numbers[0] != log->config.partition)
        return ss_fail(err, SS_STOP, "%.200s holds a record of partition %lld",
                       log->files[log->file_next - 1].path, (long long)numbers[0]);
    if (record->offset < log->next)
        return SS_OK; /* before where it was to begin, or twice */
    log->next = record->offset + 1;
    if (!wanted(log, made))
        return SS_OK;
    status = put_body(log, *count, given, made, err);
    *count += status == SS_OK;
    return status;
}

/* A record of which decoding shows where it ends. *got false: it has to be read as any other. */
static enum ss_status view_from_file(struct ss_published_log *log, size_t *count, bool *got,
                                     struct ss_error *err)
{
    struct ss_score_view *view = &log->views[*count];
    struct ss_bytes rest;
    struct ss_error ignored;
    bool end;
    enum ss_status status = ss_container_rest(log->reader, &rest, &end, err);
    *got = false;
    if (status != SS_OK || end)
        return status;
    const uint8_t *begin = rest.data, *behind = begin;
    if (ss_score_view_skim_next(&behind, begin + rest.size, view, &ignored) != SS_OK)
        return SS_OK;
    *got = true;
    ss_container_take(log->reader, (size_t)(behind - begin));
    const int64_t offset = log->index++;
    if (offset < log->next) /* before where it was to begin */
        return SS_OK;
    log->next = offset + 1;
    if (log->config.users &&
        !ss_source_users_have(log->config.users, view->user_id.data, view->user_id.size))
        return SS_OK;
    log->places[*count] = SIZE_MAX;
    log->records[*count] = (struct ss_published_record){
        .offset = offset,
        .timestamp_ms = -1,
        .body = {begin, (size_t)(behind - begin)},
        .view = view,
    };
    ++*count;
    return SS_OK;
}

static enum ss_status fill_from_files(struct ss_published_log *log, size_t *count, bool *end,
                                      struct ss_error *err)
{
    if (!log->reader) {
        enum ss_status status = next_file(log, end, err);
        if (status != SS_OK || *end)
            return status;
    }
    const bool views = log->views && ss_transcoder_alike(log->transcoder);
    while (*count < log->batch_max) {
        struct ss_bytes given;
        bool got = false;
        enum ss_status status = views ? view_from_file(log, count, &got, err) : SS_OK;
        if (status == SS_OK && !got) {
            status = ss_container_next_raw(log->reader, &given, err);
            if (status == SS_OK && !given.data) {
                ss_container_close(log->reader);
                log->reader = NULL;
                return SS_OK;
            }
            if (status == SS_OK)
                status = read_from_file(log, count, given, err);
        }
        if (status != SS_OK)
            return status;
        if (ss_container_block_end(log->reader) && *count > 0)
            return SS_OK; /* the bytes go with the block */
    }
    return SS_OK;
}

enum ss_status ss_published_next(struct ss_published_log *log, struct ss_published_batch *batch,
                                 struct ss_error *err)
{
    bool end = false;
    size_t count = 0;
    *batch = (struct ss_published_batch){.records = log->records};
    log->bodies.size = 0;
    while (count == 0 && !end) {
        enum ss_status status = log->source->kind == SS_SOURCE_KAFKA
                                    ? fill_from_kafka(log, &count, &end, err)
                                    : fill_from_files(log, &count, &end, err);
        if (status != SS_OK && count == 0)
            return status;
        if (status != SS_OK)
            break; /* it comes again with the next call */
    }
    for (size_t i = 0; i < count; i++) /* the buffer no longer moves */
        if (log->places[i] != SIZE_MAX)
            log->records[i].body.data = log->bodies.data + log->places[i];
    batch->count = count;
    return SS_OK;
}

void ss_published_close(struct ss_published_log *log)
{
    if (!log)
        return;
    ss_kafka_pull_close(log->pull);
    ss_container_close(log->reader);
    ss_transcoder_close(log->transcoder);
    for (size_t i = 0; i < log->schema_count; i++)
        ss_transcoder_close(log->schemas[i].transcoder);
    ss_buffer_reset(&log->bodies);
    free(log->records);
    free(log->places);
    free(log->views);
    free(log);
}
