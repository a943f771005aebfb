#include "consumer/files_bus.h"

#include "base/log.h"
#include "schemas/container.h"
#include "state/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct source {
    struct ss_container_reader *reader; /* NULL: no such file, or read to its end */
    struct ss_event event;
    bool held, unreadable; /* event is waiting; it could not be read */
    int64_t next_offset;
};

struct slot { /* of one delivered record, as offsets into bytes */
    size_t key, value, value_size;
};

struct files_bus {
    struct ss_bus bus;
    struct ss_files_config config;
    struct source sources[SS_INPUT_COUNT];
    struct ss_buffer bytes; /* keys and values of the batch */
    struct ss_record *records;
    struct slot *slots;
    size_t capacity;
    struct ss_cache *known;  /* assume_consent: users who need no grant of ours (any more) */
    struct ss_cache *social; /* and no second one, of SOCIAL */
    /* What friends tell comes back before anything else. `told` grows while a batch of `telling`,
     * which is delivered from telling_next on, is in the worker's hands. */
    struct ss_buffer told, telling;
    size_t telling_next;
    bool assigned, end;
    int32_t partition;
    int64_t marks;
};

/* The order of ties. */
static const enum ss_input merge_order[SS_UPSTREAM_COUNT] = {
    SS_CONSENTS, SS_BLACKLIST, SS_PAYMENTS, SS_BILLS, SS_BOOKINGS, SS_SOCIAL, SS_PROFILES};

static struct files_bus *self_of(struct ss_bus *bus)
{
    return (struct files_bus *)bus;
}

static struct ss_bytes user_key(const struct ss_event *event)
{
    return (struct ss_bytes){event->user_id.data, event->user_id.size};
}

/* Holds the next event of a source, if it has one. */
static enum ss_status advance(struct source *source, struct ss_error *err)
{
    bool end = false;
    source->held = false;
    if (!source->reader)
        return SS_OK;
    enum ss_status status = ss_container_next(source->reader, &source->event, &end, err);
    source->unreadable = status == SS_DROP;
    if (source->unreadable) {
        ss_warn("files", "%s", err->detail);
        source->event.occurred_at_ms = INT64_MIN; /* right away: it has no time of its own */
    } else if (status != SS_OK) {
        return status;
    }
    if (end) {
        ss_container_close(source->reader);
        source->reader = NULL;
    } else {
        source->held = true;
    }
    return SS_OK;
}

static struct source *earliest(struct files_bus *self, enum ss_input *input)
{
    struct source *best = NULL;
    for (int i = 0; i < SS_UPSTREAM_COUNT; i++) {
        struct source *source = &self->sources[merge_order[i]];
        if (source->held && (!best || source->event.occurred_at_ms < best->event.occurred_at_ms)) {
            best = source;
            *input = merge_order[i];
        }
    }
    return best;
}

static enum ss_status add_record(struct files_bus *self, size_t i, const struct ss_event *event,
                                 struct ss_error *err)
{
    struct source *source = &self->sources[event->input];
    struct slot *slot = &self->slots[i];
    *slot = (struct slot){.key = self->bytes.size};
    self->records[i] = (struct ss_record){
        .input = event->input, .offset = source->next_offset++, .timestamp_ms = -1};
    if (!ss_buffer_append(&self->bytes, event->user_id.data, event->user_id.size))
        return ss_fail(err, SS_STOP, "out of memory for a batch of records");
    self->records[i].key.size = event->user_id.size;
    slot->value = self->bytes.size;
    enum ss_status status = ss_encode_event((uint32_t)event->input + 1, event, &self->bytes, err);
    slot->value_size = self->bytes.size - slot->value;
    return status;
}

/* A record that could not be read: without key and value, it becomes a dead letter. */
static void add_unreadable(struct files_bus *self, size_t i, enum ss_input input)
{
    self->slots[i] = (struct slot){0};
    self->records[i] = (struct ss_record){
        .input = input, .offset = self->sources[input].next_offset++, .timestamp_ms = -1};
}

static bool needs_consent(struct files_bus *self, const struct ss_event *event)
{
    struct ss_bytes nothing;
    if (!self->known || event->input == SS_CONSENTS || event->input == SS_BLACKLIST)
        return false;
    return !ss_cache_get(self->known, user_key(event), &nothing) ||
           (event->input == SS_SOCIAL && !ss_cache_get(self->social, user_key(event), &nothing));
}

/* SCORING first, then, before the first friend, SOCIAL. */
static enum ss_status add_consent(struct files_bus *self, size_t i, const struct ss_event *first,
                                  struct ss_error *err)
{
    struct ss_bytes nothing;
    bool scored = ss_cache_get(self->known, user_key(first), &nothing);
    struct ss_event grant = {
        .input = SS_CONSENTS,
        .user_id = first->user_id,
        .event_id = {scored ? "assumed-social" : "assumed", scored ? 14 : 7},
        .occurred_at_ms = first->occurred_at_ms,
        .consent = {.action = SS_CONSENT_GRANTED,
                    .purpose = scored ? SS_PURPOSE_SOCIAL : SS_PURPOSE_SCORING},
    };
    if (!ss_cache_fill(scored ? self->social : self->known, user_key(first),
                       (struct ss_bytes){NULL, 0}))
        return ss_fail(err, SS_STOP, "out of memory for the users without consent records");
    return add_record(self, i, &grant, err);
}

static enum ss_status next_record(struct files_bus *self, size_t i, bool *more,
                                  struct ss_error *err)
{
    enum ss_input input = SS_PAYMENTS;
    struct source *source = earliest(self, &input);
    while (source && source->event.occurred_at_ms > self->config.until_ms) {
        /* not an end: a file's times need not be in order */
        source->next_offset++;
        enum ss_status status = advance(source, err);
        if (status != SS_OK)
            return status;
        source = earliest(self, &input);
    }
    *more = source != NULL;
    if (!source)
        return SS_OK;
    enum ss_status status = SS_OK;
    if (source->unreadable)
        add_unreadable(self, i, input);
    else if (needs_consent(self, &source->event))
        return add_consent(self, i, &source->event, err); /* the event comes next */
    else
        status = add_record(self, i, &source->event, err);
    return status == SS_OK ? advance(source, err) : status;
}

struct told { /* in front of key and value */
    uint32_t key_size, value_size;
};

static enum ss_status tell(struct files_bus *self, struct ss_bytes key, struct ss_bytes value,
                           struct ss_error *err)
{
    const struct told told = {(uint32_t)key.size, (uint32_t)value.size};
    if (!ss_buffer_append(&self->told, &told, sizeof told) ||
        !ss_buffer_append(&self->told, key.data, key.size) ||
        !ss_buffer_append(&self->told, value.data, value.size))
        return ss_fail(err, SS_STOP, "out of memory for what friends tell");
    return SS_OK;
}

static bool told_all(const struct files_bus *self)
{
    return self->told.size == 0 && self->telling_next == self->telling.size;
}

static size_t told_records(struct files_bus *self, size_t records_max)
{
    size_t count = 0;
    if (self->telling_next == self->telling.size) {
        const struct ss_buffer done = self->telling;
        self->telling = self->told;
        self->told = done;
        self->told.size = self->telling_next = 0;
    }
    for (; count < records_max && self->telling_next < self->telling.size; count++) {
        const uint8_t *at = self->telling.data + self->telling_next;
        struct told told;
        memcpy(&told, at, sizeof told);
        at += sizeof told;
        self->records[count] =
            (struct ss_record){.input = SS_NEIGHBOURS,
                               .offset = self->sources[SS_NEIGHBOURS].next_offset++,
                               .timestamp_ms = -1,
                               .key = {at, told.key_size},
                               .value = {at + told.key_size, told.value_size}};
        self->telling_next += sizeof told + told.key_size + told.value_size;
    }
    return count;
}

static enum ss_status files_poll(struct ss_bus *bus, size_t records_max, int timeout_ms,
                                 struct ss_poll *out, struct ss_error *err)
{
    struct files_bus *self = self_of(bus);
    (void)timeout_ms;
    *out = (struct ss_poll){.event = SS_BUS_NOTHING};
    if (!self->assigned) {
        self->assigned = true;
        *out = (struct ss_poll){
            .event = SS_BUS_ASSIGNED, .partitions = &self->partition, .partition_count = 1};
        return SS_OK;
    }
    if (records_max > self->capacity) {
        free(self->records);
        free(self->slots);
        self->records = calloc(records_max, sizeof *self->records);
        self->slots = calloc(records_max, sizeof *self->slots);
        if (!self->records || !self->slots)
            return ss_fail(err, SS_STOP, "out of memory for a batch of records");
        self->capacity = records_max;
    }
    size_t count = told_records(self, records_max);
    bool more = true;
    if (count > 0) {
        *out = (struct ss_poll){
            .event = SS_BUS_RECORDS, .records = self->records, .record_count = count};
        return SS_OK;
    }
    self->bytes.size = 0;
    while (count < records_max) {
        enum ss_status status = next_record(self, count, &more, err);
        if (status != SS_OK)
            return status;
        if (!more)
            break;
        count++;
    }
    self->end = !more;
    for (size_t i = 0; i < count; i++) { /* the buffer no longer moves */
        const struct slot *slot = &self->slots[i];
        if (slot->value_size == 0)
            continue;
        self->records[i].key.data = self->bytes.data + slot->key;
        self->records[i].value =
            (struct ss_bytes){self->bytes.data + slot->value, slot->value_size};
    }
    if (count)
        *out = (struct ss_poll){
            .event = SS_BUS_RECORDS, .records = self->records, .record_count = count};
    return SS_OK;
}

static enum ss_status files_start(struct ss_bus *bus, int32_t partition,
                                  struct ss_partition_start *out, struct ss_error *err)
{
    (void)bus, (void)partition, (void)err;
    *out = (struct ss_partition_start){.committed = false};
    return SS_OK;
}

static enum ss_status files_restore(struct ss_bus *bus, int32_t partition, int64_t from, int64_t to,
                                    ss_restore_sink *sink, void *arg, struct ss_error *err)
{
    (void)bus, (void)partition, (void)from, (void)to, (void)sink, (void)arg, (void)err;
    return SS_OK;
}

static enum ss_status files_open_partition(struct ss_bus *bus, int32_t partition,
                                           const int64_t positions[SS_INPUT_COUNT],
                                           struct ss_error *err)
{
    (void)bus, (void)partition, (void)positions, (void)err;
    return SS_OK;
}

static enum ss_status files_hold(struct ss_bus *bus, enum ss_input input, int32_t partition,
                                 bool hold, struct ss_error *err)
{
    (void)bus, (void)input, (void)partition, (void)hold, (void)err;
    return SS_OK;
}

static int64_t files_position(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    (void)partition;
    return self_of(bus)->sources[input].next_offset;
}

/* All of them at once: records come in the order of their times, over all files. */
static bool files_at_end(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    (void)input, (void)partition;
    return self_of(bus)->end;
}

static enum ss_status files_rewind(struct ss_bus *bus, enum ss_input input, int32_t partition,
                                   int64_t next_offset, struct ss_error *err)
{
    (void)bus, (void)input, (void)partition, (void)next_offset;
    return ss_fail(err, SS_STOP, "archived files cannot be put back");
}

static enum ss_status files_begin(struct ss_bus *bus, struct ss_error *err)
{
    (void)bus, (void)err;
    return SS_OK;
}

static enum ss_status files_produce(struct ss_bus *bus, enum ss_target target, int32_t partition,
                                    struct ss_bytes key, struct ss_bytes value,
                                    const struct ss_header *headers, size_t header_count, bool mark,
                                    struct ss_error *err)
{
    struct files_bus *self = self_of(bus);
    (void)partition, (void)headers, (void)header_count;
    if (mark)
        self->marks++;
    if (target == SS_TO_NEIGHBOURS)
        return tell(self, key, value, err);
    if (target == SS_TO_CHANGELOG || !self->config.sink)
        return SS_OK;
    return self->config.sink(self->config.sink_arg, target, key, value, err);
}

static enum ss_status files_offset(struct ss_bus *bus, enum ss_input input, int32_t partition,
                                   int64_t next_offset, struct ss_error *err)
{
    (void)bus, (void)input, (void)partition, (void)next_offset, (void)err;
    return SS_OK;
}

static enum ss_status files_mark(struct ss_bus *bus, int32_t partition, int64_t *offset,
                                 int64_t *broker_time_ms, struct ss_error *err)
{
    (void)partition, (void)err;
    *offset = self_of(bus)->marks; /* only has to rise */
    *broker_time_ms = 0;
    return SS_OK;
}

static bool files_header(struct ss_bus *bus, const struct ss_record *record, size_t i,
                         struct ss_header *out)
{
    (void)bus, (void)record, (void)i, (void)out;
    return false;
}

static void files_close(struct ss_bus *bus)
{
    struct files_bus *self = self_of(bus);
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (self->sources[input].reader)
            ss_container_close(self->sources[input].reader);
    ss_buffer_reset(&self->bytes);
    ss_buffer_reset(&self->told);
    ss_buffer_reset(&self->telling);
    ss_cache_close(self->known);
    ss_cache_close(self->social);
    free(self->records);
    free(self->slots);
    free(self);
}

static const struct ss_bus_ops files_ops = {
    .poll = files_poll,
    .start = files_start,
    .restore = files_restore,
    .open_partition = files_open_partition,
    .hold = files_hold,
    .position = files_position,
    .at_end = files_at_end,
    .rewind = files_rewind,
    .begin = files_begin,
    .produce = files_produce,
    .commit = files_begin,
    .abort = files_begin,
    .offset = files_offset,
    .mark = files_mark,
    .header = files_header,
    .close = files_close,
};

static enum ss_status open_source(const struct ss_files_config *config, enum ss_input input,
                                  struct ss_container_reader **reader, struct ss_error *err)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s.avro", config->directory, ss_input_name(input));
    if (length < 0 || (size_t)length >= sizeof path)
        return ss_fail(err, SS_STOP, "the directory's name is too long");
    *reader = NULL;
    if (access(path, R_OK) != 0) {
        if (errno == ENOENT)
            return SS_OK;
        return ss_fail(err, SS_STOP, "cannot read %s: %s", path, strerror(errno));
    }
    return ss_container_open(path, input, reader, err);
}

/* Reads consents.avro once through for whom it names. */
static enum ss_status list_known(struct files_bus *self, struct ss_error *err)
{
    struct source source = {0};
    self->known = ss_cache_open(SIZE_MAX);
    self->social = ss_cache_open(SIZE_MAX);
    if (!self->known || !self->social)
        return ss_fail(err, SS_STOP, "out of memory");
    enum ss_status status = open_source(&self->config, SS_CONSENTS, &source.reader, err);
    if (status == SS_OK)
        status = advance(&source, err);
    while (status == SS_OK && source.held) {
        if (!source.unreadable &&
            (!ss_cache_fill(self->known, user_key(&source.event), (struct ss_bytes){NULL, 0}) ||
             !ss_cache_fill(self->social, user_key(&source.event), (struct ss_bytes){NULL, 0})))
            status = ss_fail(err, SS_STOP, "out of memory");
        if (status == SS_OK)
            status = advance(&source, err);
    }
    if (source.reader)
        ss_container_close(source.reader);
    return status;
}

enum ss_status ss_files_open(const struct ss_files_config *config, struct ss_bus **bus,
                             struct ss_error *err)
{
    enum ss_status status = SS_OK;
    int found = 0;
    if (access(config->directory, R_OK | X_OK) != 0)
        return ss_fail(err, SS_STOP, "cannot read the directory %s: %s", config->directory,
                       strerror(errno));
    struct files_bus *self = calloc(1, sizeof *self);
    if (!self)
        return ss_fail(err, SS_STOP, "out of memory");
    self->bus.ops = &files_ops;
    self->bus.partition_count = 1;
    snprintf(self->bus.cluster_id, sizeof self->bus.cluster_id, "files");
    self->config = *config;
    ss_buffer_init(&self->bytes, SIZE_MAX / 2);
    ss_buffer_init(&self->told, SIZE_MAX / 2);
    ss_buffer_init(&self->telling, SIZE_MAX / 2);
    if (config->assume_consent)
        status = list_known(self, err);
    for (int input = 0; status == SS_OK && input < SS_UPSTREAM_COUNT; input++) {
        struct source *source = &self->sources[input];
        status = open_source(config, (enum ss_input)input, &source->reader, err);
        found += source->reader != NULL;
        if (status == SS_OK)
            status = advance(source, err);
    }
    if (status == SS_OK && found == 0)
        status = ss_fail(err, SS_STOP, "%s has no payments.avro, bills.avro, … to read",
                         config->directory);
    if (status != SS_OK) {
        files_close(&self->bus);
        return status;
    }
    *bus = &self->bus;
    return SS_OK;
}

bool ss_files_end(const struct ss_bus *bus)
{
    const struct files_bus *self = (const struct files_bus *)bus;
    return self->end && told_all(self);
}
