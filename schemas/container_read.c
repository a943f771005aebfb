/* container_read.c - reads container files: a header with the writer's schema, then blocks of
 * records.
 *
 * The framing is read here and not by avro-c, whose reader hands out generic values only, at a
 * hundred times the cost of the plan that runs over a raw block; tests/schemas reads the same files
 * with both. The file is not trusted: sizes are bounded, and a block counts only with its sync
 * marker behind it. */
#include "schemas/container.h"
#include "schemas/container_codec.h"
#include "schemas/plan.h"
#include "schemas/varint.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SYNC_SIZE = 16,
    FILE_BUFFER = 256 * 1024,
    META_ENTRIES_MAX = 256,
    META_VALUE_MAX = SS_SCHEMA_TEXT_MAX
};

struct ss_container_reader {
    FILE *file;
    char *path;
    struct ss_plan *plan;
    char *schema; /* of the file, where records are handed out as they are */
    enum ss_container_codec codec;
    uint8_t sync[SYNC_SIZE];
    struct ss_buffer packed, block;
    struct ss_container_works works;
    const uint8_t *p, *end; /* what is left of the block */
    int64_t left;           /* records left in it */
    int64_t records;        /* handed out or dropped so far */
    bool damaged;
};

static enum ss_status damaged(struct ss_container_reader *reader, const char *what,
                              struct ss_error *err)
{
    reader->damaged = true;
    return ss_fail(err, SS_STOP, "%.200s is damaged behind record %lld: %.200s", reader->path,
                   (long long)reader->records, what);
}

/* *first_byte_missing (may be NULL): the file ended before the number rather than in it. */
static bool read_number(FILE *file, int64_t *number, bool *first_byte_missing)
{
    uint8_t bytes[SS_VARINT_MAX];
    const uint8_t *p = bytes;
    size_t size = 0;
    do {
        int byte = getc_unlocked(file);
        if (first_byte_missing)
            *first_byte_missing = byte == EOF && size == 0;
        if (byte == EOF || size == sizeof bytes)
            return false;
        bytes[size++] = (uint8_t)byte;
    } while (bytes[size - 1] >= 0x80);
    return ss_varint_read(&p, bytes + size, number);
}

/* Replaces what *out holds by `size` bytes of the file. */
static bool read_bytes(FILE *file, struct ss_buffer *out, int64_t size)
{
    out->size = 0;
    if (size < 0 || (uint64_t)size > out->size_max || !ss_buffer_reserve(out, (size_t)size))
        return false;
    out->size = (size_t)size;
    return !size || fread(out->data, 1, out->size, file) == out->size;
}

static bool read_text(FILE *file, struct ss_buffer *out)
{
    int64_t size;
    return read_number(file, &size, NULL) && read_bytes(file, out, size);
}

static bool is(const struct ss_buffer *buffer, const char *text)
{
    return buffer->size == strlen(text) && !memcmp(buffer->data, text, buffer->size);
}

/* The metadata map: *schema and *codec_name are left as they are where it does not have them. */
static bool read_meta(FILE *file, struct ss_buffer *key, struct ss_buffer *value,
                      struct ss_buffer *schema, struct ss_buffer *codec_name)
{
    int64_t total = 0, count, size;
    for (;;) {
        if (!read_number(file, &count, NULL))
            return false;
        if (count == 0)
            return true;
        if (count < 0 && (count < -META_ENTRIES_MAX || !read_number(file, &size, NULL)))
            return false;
        count = count < 0 ? -count : count;
        if (count > META_ENTRIES_MAX || (total += count) > META_ENTRIES_MAX)
            return false;
        while (count--) {
            if (!read_text(file, key) || !read_text(file, value))
                return false;
            struct ss_buffer *kept = is(key, "avro.schema")  ? schema
                                     : is(key, "avro.codec") ? codec_name
                                                             : NULL;
            if (kept) {
                kept->size = 0;
                if (!ss_buffer_append(kept, value->data, value->size))
                    return false;
            }
        }
    }
}

/* What a file is read as. */
struct wanted {
    bool raw;
    enum ss_input input;
    const struct ss_container_extra *extras;
    size_t extra_count;
};

static enum ss_status make_plan(struct ss_container_reader *reader, const struct wanted *wanted,
                                const char *schema, struct ss_error *err)
{
    if (!wanted->raw)
        return ss_plan_open_extras(wanted->input, wanted->extras, wanted->extra_count, schema,
                                   &reader->plan, err);
    reader->schema = strdup(schema);
    if (!reader->schema)
        return ss_fail(err, SS_STOP, "out of memory for reading %.200s", reader->path);
    return ss_plan_open_skipping(schema, &reader->plan, err);
}

static enum ss_status read_header(struct ss_container_reader *reader, const struct wanted *wanted,
                                  struct ss_error *err)
{
    struct ss_buffer key, value, schema, codec_name;
    uint8_t magic[4];
    enum ss_status status;

    ss_buffer_init(&key, META_VALUE_MAX);
    ss_buffer_init(&value, META_VALUE_MAX);
    ss_buffer_init(&schema, META_VALUE_MAX + 1);
    ss_buffer_init(&codec_name, META_VALUE_MAX);
    if (fread(magic, 1, sizeof magic, reader->file) != sizeof magic || memcmp(magic, "Obj\1", 4))
        status = ss_fail(err, SS_STOP, "%.200s is not an Avro container file", reader->path);
    else if (!read_meta(reader->file, &key, &value, &schema, &codec_name) || !schema.size ||
             fread(reader->sync, 1, SYNC_SIZE, reader->file) != SYNC_SIZE ||
             !ss_buffer_append(&schema, "", 1))
        status = damaged(reader, "its header cannot be read", err);
    else
        status = ss_container_codec_find((struct ss_bytes){codec_name.data, codec_name.size},
                                         &reader->codec, err);
    if (status == SS_OK)
        status = make_plan(reader, wanted, (const char *)schema.data, err);
    ss_buffer_reset(&key);
    ss_buffer_reset(&value);
    ss_buffer_reset(&schema);
    ss_buffer_reset(&codec_name);
    /* A file as a whole cannot be dropped like a record. */
    return status == SS_DROP ? SS_STOP : status;
}

static enum ss_status open_reader(const char *path, const struct wanted *wanted,
                                  struct ss_container_reader **out, struct ss_error *err)
{
    struct ss_container_reader *reader = calloc(1, sizeof *reader);
    *out = NULL;
    if (reader) {
        ss_buffer_init(&reader->packed, SS_CONTAINER_BLOCK_MAX);
        ss_buffer_init(&reader->block, SS_CONTAINER_BLOCK_MAX);
        reader->path = strdup(path);
    }
    if (!reader || !reader->path) {
        ss_container_close(reader);
        return ss_fail(err, SS_STOP, "out of memory for reading %.200s", path);
    }
    reader->file = fopen(path, "rbe");
    if (reader->file)
        setvbuf(reader->file, NULL, _IOFBF, FILE_BUFFER);
    enum ss_status status =
        reader->file ? read_header(reader, wanted, err)
                     : ss_fail(err, SS_STOP, "cannot open %.200s: %s", path, strerror(errno));
    if (status != SS_OK) {
        ss_container_close(reader);
        return status;
    }
    *out = reader;
    return SS_OK;
}

enum ss_status ss_container_open(const char *path, enum ss_input input,
                                 const struct ss_container_extra *extras, size_t extra_count,
                                 struct ss_container_reader **reader, uint32_t *found,
                                 struct ss_error *err)
{
    const struct wanted wanted = {.input = input, .extras = extras, .extra_count = extra_count};
    enum ss_status status = open_reader(path, &wanted, reader, err);
    *found = status == SS_OK ? (*reader)->plan->extras_found : 0;
    return status;
}

enum ss_status ss_container_open_raw(const char *path, struct ss_container_reader **reader,
                                     const char **schema_json, struct ss_error *err)
{
    const struct wanted wanted = {.raw = true};
    enum ss_status status = open_reader(path, &wanted, reader, err);
    *schema_json = status == SS_OK ? (*reader)->schema : NULL;
    return status;
}

void ss_container_close(struct ss_container_reader *reader)
{
    if (!reader)
        return;
    if (reader->file)
        fclose(reader->file);
    ss_plan_close(reader->plan);
    ss_buffer_reset(&reader->packed);
    ss_buffer_reset(&reader->block);
    ss_container_works_reset(&reader->works);
    free(reader->path);
    free(reader->schema);
    free(reader);
}

static enum ss_status next_block(struct ss_container_reader *reader, bool *end,
                                 struct ss_error *err)
{
    uint8_t sync[SYNC_SIZE];
    int64_t count, size;
    bool at_end = false;

    if (!read_number(reader->file, &count, &at_end)) {
        if (!at_end || ferror(reader->file))
            return damaged(reader, "it ends within a block's header, or cannot be read", err);
        *end = true;
        return SS_OK;
    }
    if (count < 0 || !read_number(reader->file, &size, NULL))
        return damaged(reader, "a block's header cannot be read", err);
    /* Uncompressed blocks are used where they were read. */
    struct ss_buffer *to = reader->codec == SS_CODEC_NULL ? &reader->block : &reader->packed;
    if (!read_bytes(reader->file, to, size) || fread(sync, 1, SYNC_SIZE, reader->file) != SYNC_SIZE)
        return damaged(reader, "it ends within a block, or the block is over the bound", err);
    if (memcmp(sync, reader->sync, SYNC_SIZE) != 0)
        return damaged(reader, "a block is not followed by the sync marker", err);
    if (to == &reader->packed) {
        struct ss_error why;
        struct ss_bytes packed = {to->data, to->size};
        if (ss_container_unpack(&reader->works, reader->codec, packed, &reader->block, &why) !=
            SS_OK)
            return damaged(reader, why.detail, err);
    }
    reader->p = reader->block.data;
    reader->end = reader->p + reader->block.size;
    reader->left = count;
    return SS_OK;
}

/* A block with records, unless *end. */
static enum ss_status fill(struct ss_container_reader *reader, bool *end, struct ss_error *err)
{
    *end = false;
    if (reader->damaged)
        return damaged(reader, "it cannot be read on", err);
    while (reader->left == 0) {
        if (reader->p != reader->end)
            return damaged(reader, "a block holds more than its records", err);
        enum ss_status status = next_block(reader, end, err);
        if (status != SS_OK || *end)
            return status;
    }
    return SS_OK;
}

enum ss_status ss_container_next(struct ss_container_reader *reader, struct ss_event *event,
                                 bool *end, struct ss_error *err)
{
    enum ss_status status = fill(reader, end, err);
    if (status != SS_OK || *end)
        return status;
    status = ss_plan_decode_next(reader->plan, &reader->p, reader->end, event, err);
    if (status == SS_DROP &&
        !ss_plan_skip(reader->plan, reader->plan->root, &reader->p, reader->end))
        return damaged(reader, "its record is not one", err);
    reader->left--;
    reader->records++;
    return status;
}

bool ss_container_block_end(const struct ss_container_reader *reader)
{
    return reader->left == 0;
}

enum ss_status ss_container_next_raw(struct ss_container_reader *reader, struct ss_bytes *body,
                                     struct ss_error *err)
{
    bool end;
    enum ss_status status = fill(reader, &end, err);
    *body = (struct ss_bytes){NULL, 0};
    if (status != SS_OK || end)
        return status;
    const uint8_t *begin = reader->p;
    if (!ss_plan_skip(reader->plan, reader->plan->root, &reader->p, reader->end))
        return damaged(reader, "its record is not one", err);
    *body = (struct ss_bytes){begin, (size_t)(reader->p - begin)};
    reader->left--;
    reader->records++;
    return SS_OK;
}

enum ss_status ss_container_rest(struct ss_container_reader *reader, struct ss_bytes *rest,
                                 bool *end, struct ss_error *err)
{
    enum ss_status status = fill(reader, end, err);
    if (status == SS_OK && !*end)
        *rest = (struct ss_bytes){reader->p, (size_t)(reader->end - reader->p)};
    return status;
}

void ss_container_take(struct ss_container_reader *reader, size_t size)
{
    assert(reader->left > 0 && size <= (size_t)(reader->end - reader->p));
    reader->p += size;
    reader->left--;
    reader->records++;
}

int64_t ss_container_tell(const struct ss_container_reader *reader)
{
    return ftello(reader->file);
}

enum ss_status ss_container_seek(struct ss_container_reader *reader, int64_t offset,
                                 struct ss_error *err)
{
    reader->left = 0;
    reader->p = reader->end;
    if (fseeko(reader->file, offset, SEEK_SET) != 0)
        return ss_fail(err, SS_STOP, "cannot read %.200s: %s", reader->path, strerror(errno));
    return SS_OK;
}
