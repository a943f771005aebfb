/* container_write.c - writes container files.
 *
 * avro-c would write the schema as it parsed it, without docs, defaults and logical types, which
 * readers in other languages need; so the framing is written here, with the schema's own text. The
 * same records give the same file: the sync marker is a hash of the schema, which is as good as a
 * random one where nobody splits files in search of it. */
#include "schemas/container.h"
#include "schemas/container_codec.h"
#include "schemas/schema_check.h"
#include "schemas/varint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SYNC_SIZE = 16, BLOCK_FULL = 64 * 1024 };

struct ss_container_writer {
    FILE *file;
    char *path;
    enum ss_container_codec codec;
    uint8_t sync[SYNC_SIZE];
    struct ss_buffer block, packed;
    struct ss_container_works works;
    int64_t count;               /* records in the block */
    int64_t bytes, header_bytes; /* written */
    uint32_t crc;
};

static uint64_t hash(uint64_t state, const char *text)
{
    for (; *text; text++)
        state = (state ^ (uint8_t)*text) * UINT64_C(1099511628211);
    return state;
}

static bool put_bytes(struct ss_container_writer *writer, const void *data, size_t size)
{
    if (!size)
        return true;
    writer->crc = ss_container_crc(writer->crc, (struct ss_bytes){data, size});
    writer->bytes += (int64_t)size;
    return fwrite(data, 1, size, writer->file) == size;
}

static bool put_number(struct ss_container_writer *writer, int64_t number)
{
    uint8_t bytes[SS_VARINT_MAX];
    return put_bytes(writer, bytes, (size_t)(ss_varint_write(bytes, number) - bytes));
}

static bool put_text(struct ss_container_writer *writer, const char *text)
{
    return put_number(writer, (int64_t)strlen(text)) && put_bytes(writer, text, strlen(text));
}

static enum ss_status cannot_write(const struct ss_container_writer *writer, struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "cannot write %.200s: %s", writer->path, strerror(errno));
}

static void writer_free(struct ss_container_writer *writer)
{
    ss_buffer_reset(&writer->block);
    ss_buffer_reset(&writer->packed);
    ss_container_works_reset(&writer->works);
    free(writer->path);
    free(writer);
}

static bool put_header(struct ss_container_writer *writer, const char *schema, const char *codec)
{
    uint64_t halves[2];
    halves[0] = hash(UINT64_C(14695981039346656037), schema);
    halves[1] = hash(halves[0], codec);
    memcpy(writer->sync, halves, SYNC_SIZE);
    return put_bytes(writer, "Obj\1", 4) && put_number(writer, 2) &&
           put_text(writer, "avro.codec") && put_text(writer, codec) &&
           put_text(writer, "avro.schema") && put_text(writer, schema) && put_number(writer, 0) &&
           put_bytes(writer, writer->sync, SYNC_SIZE);
}

/* A writer without a file. */
static enum ss_status writer_new(const char *path, const char *schema_json, const char *codec,
                                 struct ss_container_writer **out, struct ss_error *err)
{
    enum ss_container_codec found;
    *out = NULL;
    enum ss_status status = ss_schema_check(schema_json, err);
    if (status == SS_OK)
        status = ss_container_codec_find((struct ss_bytes){codec, strlen(codec)}, &found, err);
    if (status == SS_OK && found != SS_CODEC_NULL && found != SS_CODEC_DEFLATE)
        status = ss_fail(err, SS_STOP,
                         "codec '%.32s' is one for reading: files are written with null or deflate",
                         codec);
    if (status != SS_OK)
        return status;

    struct ss_container_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return ss_fail(err, SS_STOP, "out of memory for writing %.200s", path);
    writer->codec = found;
    ss_buffer_init(&writer->block, SS_CONTAINER_BLOCK_MAX);
    /* Deflated, a block that does not compress grows a little. */
    ss_buffer_init(&writer->packed, SS_CONTAINER_BLOCK_MAX + SS_CONTAINER_BLOCK_MAX / 64);
    writer->path = strdup(path);
    if (!writer->path) {
        writer_free(writer);
        return ss_fail(err, SS_STOP, "out of memory for writing %.200s", path);
    }
    *out = writer;
    return SS_OK;
}

enum ss_status ss_container_create(const char *path, const char *schema_json, const char *codec,
                                   struct ss_container_writer **out, struct ss_error *err)
{
    struct ss_container_writer *writer;
    enum ss_status status = writer_new(path, schema_json, codec, &writer, err);
    *out = NULL;
    if (status != SS_OK)
        return status;
    writer->file = fopen(path, "wbe");
    if (!writer->file || !put_header(writer, schema_json, codec)) {
        status = cannot_write(writer, err);
        if (writer->file)
            fclose(writer->file);
        writer_free(writer);
        return status;
    }
    writer->header_bytes = writer->bytes;
    *out = writer;
    return SS_OK;
}

/* The header is a matter of schema and codec alone: writes it to nowhere, to know it. */
static bool know_header(struct ss_container_writer *writer, const char *schema, const char *codec)
{
    writer->file = fopen("/dev/null", "wbe");
    bool known = writer->file && put_header(writer, schema, codec);
    writer->header_bytes = writer->bytes;
    if (writer->file)
        fclose(writer->file);
    writer->file = NULL;
    return known;
}

static bool cut(struct ss_container_writer *writer, int64_t bytes)
{
    writer->file = fopen(writer->path, "r+be");
    if (!writer->file || fseeko(writer->file, 0, SEEK_END) != 0)
        return false;
    if (bytes < writer->header_bytes || ftello(writer->file) < bytes) {
        errno = ENODATA;
        return false;
    }
    writer->bytes = bytes;
    return ftruncate(fileno(writer->file), bytes) == 0 &&
           fseeko(writer->file, bytes, SEEK_SET) == 0;
}

enum ss_status ss_container_reopen(const char *path, const char *schema_json, const char *codec,
                                   int64_t bytes, struct ss_container_writer **out,
                                   struct ss_error *err)
{
    struct ss_container_writer *writer;
    enum ss_status status = writer_new(path, schema_json, codec, &writer, err);
    *out = NULL;
    if (status != SS_OK)
        return status;
    if (!know_header(writer, schema_json, codec) || !cut(writer, bytes)) {
        status = cannot_write(writer, err);
        if (writer->file)
            fclose(writer->file);
        writer_free(writer);
        return status;
    }
    *out = writer;
    return SS_OK;
}

static enum ss_status flush_block(struct ss_container_writer *writer, struct ss_error *err)
{
    struct ss_buffer *from = &writer->block;
    if (!writer->count)
        return SS_OK;
    if (writer->codec != SS_CODEC_NULL) {
        struct ss_bytes plain = {writer->block.data, writer->block.size};
        enum ss_status status =
            ss_container_pack(&writer->works, writer->codec, plain, &writer->packed, err);
        if (status != SS_OK)
            return status;
        from = &writer->packed;
    }
    if (!put_number(writer, writer->count) || !put_number(writer, (int64_t)from->size) ||
        !put_bytes(writer, from->data, from->size) || !put_bytes(writer, writer->sync, SYNC_SIZE))
        return cannot_write(writer, err);
    writer->block.size = 0;
    writer->count = 0;
    return SS_OK;
}

enum ss_status ss_container_append(struct ss_container_writer *writer, struct ss_bytes body,
                                   struct ss_error *err)
{
    if (writer->block.size + body.size > BLOCK_FULL) {
        enum ss_status status = flush_block(writer, err);
        if (status != SS_OK)
            return status;
    }
    if (!ss_buffer_append(&writer->block, body.data, body.size))
        return ss_fail(err, SS_STOP, "a record of %zu bytes is over the bound of a block",
                       body.size);
    writer->count++;
    return SS_OK;
}

enum ss_status ss_container_flush(struct ss_container_writer *writer, int64_t *bytes, uint32_t *crc,
                                  struct ss_error *err)
{
    enum ss_status status = flush_block(writer, err);
    if (status == SS_OK && fflush(writer->file) != 0)
        status = cannot_write(writer, err);
    *bytes = writer->bytes;
    *crc = writer->crc;
    return status;
}

enum ss_status ss_container_join(struct ss_container_writer *writer, const char *path,
                                 struct ss_error *err)
{
    enum ss_status status = flush_block(writer, err);
    if (status != SS_OK)
        return status;
    FILE *file = fopen(path, "rbe");
    if (!file || fseeko(file, writer->header_bytes, SEEK_SET) != 0) {
        status = ss_fail(err, SS_STOP, "cannot read %.200s: %s", path, strerror(errno));
        if (file)
            fclose(file);
        return status;
    }
    char bytes[1 << 16];
    for (size_t size; status == SS_OK && (size = fread(bytes, 1, sizeof bytes, file)) > 0;)
        if (!put_bytes(writer, bytes, size))
            status = cannot_write(writer, err);
    if (status == SS_OK && ferror(file))
        status = ss_fail(err, SS_STOP, "cannot read %.200s: %s", path, strerror(errno));
    fclose(file);
    return status;
}

enum ss_status ss_container_finish(struct ss_container_writer *writer, struct ss_error *err)
{
    enum ss_status status = flush_block(writer, err);
    bool whole = !ferror(writer->file);
    if (fclose(writer->file) != 0 || !whole) /* what stdio held back may fail only now */
        status = status == SS_OK ? cannot_write(writer, err) : status;
    writer_free(writer);
    return status;
}
