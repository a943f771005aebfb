#include "schemas/container_codec.h"
#include "schemas/container.h"

#include <libdeflate.h>
#ifdef SS_HAVE_SNAPPY
#include <snappy-c.h>
#endif
#ifdef SS_HAVE_ZSTD
#include <zstd.h>
#endif

enum { LEVEL = 6, INFLATED_FIRST = 64 * 1024 };

uint32_t ss_container_crc(uint32_t crc, struct ss_bytes bytes)
{
    return bytes.size ? libdeflate_crc32(crc, bytes.data, bytes.size) : crc;
}

void ss_container_works_reset(struct ss_container_works *works)
{
    if (works->deflates)
        libdeflate_free_compressor(works->deflates);
    if (works->inflates)
        libdeflate_free_decompressor(works->inflates);
    *works = (struct ss_container_works){0};
}

static const char supported[] = "null"
#ifdef SS_HAVE_SNAPPY
                                ", snappy"
#endif
#ifdef SS_HAVE_ZSTD
                                ", zstandard"
#endif
                                " and deflate";

static bool named(struct ss_bytes name, const char *text)
{
    return ss_bytes_equal(name, (struct ss_bytes){text, strlen(text)});
}

enum ss_status ss_container_codec_find(struct ss_bytes name, enum ss_container_codec *codec,
                                       struct ss_error *err)
{
    if (!name.size || named(name, "null"))
        *codec = SS_CODEC_NULL;
    else if (named(name, "deflate"))
        *codec = SS_CODEC_DEFLATE;
#ifdef SS_HAVE_SNAPPY
    else if (named(name, "snappy"))
        *codec = SS_CODEC_SNAPPY;
#endif
#ifdef SS_HAVE_ZSTD
    else if (named(name, "zstandard"))
        *codec = SS_CODEC_ZSTANDARD;
#endif
    else
        return ss_fail(err, SS_STOP, "codec '%.*s' is not supported: %s are",
                       (int)(name.size > 32 ? 32 : name.size), (const char *)name.data, supported);
    return SS_OK;
}

static enum ss_status copy(struct ss_bytes in, struct ss_buffer *out, struct ss_error *err)
{
    if (!ss_buffer_append(out, in.data, in.size))
        return ss_fail(err, SS_STOP, "a block of %zu bytes is over the bound", in.size);
    return SS_OK;
}

/* A block does not say how long it will be: what it needs is found by doubling, and the buffer
 * keeps it for the blocks that follow. */
static enum ss_status inflate_block(struct ss_container_works *works, struct ss_bytes in,
                                    struct ss_buffer *out, struct ss_error *err)
{
    if (!works->inflates && !(works->inflates = libdeflate_alloc_decompressor()))
        return ss_fail(err, SS_STOP, "out of memory for inflating a block");
    for (size_t room = INFLATED_FIRST;; room = out->capacity + 1) {
        if (!ss_buffer_reserve(out, room < out->size_max ? room : out->size_max))
            return ss_fail(err, SS_STOP, "out of memory for inflating a block");
        const enum libdeflate_result result = libdeflate_deflate_decompress(
            works->inflates, in.data, in.size, out->data, out->capacity, &out->size);
        if (result == LIBDEFLATE_SUCCESS)
            return SS_OK;
        out->size = 0;
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return ss_fail(err, SS_STOP, "a block does not inflate");
        if (out->capacity >= out->size_max)
            return ss_fail(err, SS_STOP, "a block inflates over the bound of %zu bytes",
                           out->size_max);
    }
}

#ifdef SS_HAVE_SNAPPY
/* The compressed bytes, then the CRC-32 of the plain ones, big-endian. */
static enum ss_status unsnap(struct ss_bytes in, struct ss_buffer *out, struct ss_error *err)
{
    const uint8_t *bytes = in.data;
    size_t size;
    if (in.size < 4 ||
        snappy_uncompressed_length((const char *)bytes, in.size - 4, &size) != SNAPPY_OK ||
        !ss_buffer_reserve(out, size) ||
        snappy_uncompress((const char *)bytes, in.size - 4, (char *)out->data, &size) != SNAPPY_OK)
        return ss_fail(err, SS_STOP, "a snappy block cannot be unpacked");
    out->size = size;
    bytes += in.size - 4;
    uint32_t crc =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (crc != libdeflate_crc32(0, out->data, size))
        return ss_fail(err, SS_STOP, "a snappy block has a wrong checksum");
    return SS_OK;
}
#endif

#ifdef SS_HAVE_ZSTD
static enum ss_status unzstd(struct ss_bytes in, struct ss_buffer *out, struct ss_error *err)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer from = {in.data, in.size, 0};
    size_t left = 1; /* 0: a frame has ended */
    if (!stream)
        return ss_fail(err, SS_STOP, "out of memory for unpacking a block");
    while ((left > 0 || from.pos < from.size) && !ZSTD_isError(left)) {
        if (!ss_buffer_reserve(out, 1)) {
            ZSTD_freeDStream(stream);
            return ss_fail(err, SS_STOP, "a block unpacks over the bound of %zu bytes",
                           out->size_max);
        }
        ZSTD_outBuffer to = {out->data, out->capacity, out->size};
        const size_t had = from.pos;
        left = ZSTD_decompressStream(stream, &to, &from);
        if (left > 0 && from.pos == had && to.pos == out->size)
            break; /* cut off */
        out->size = to.pos;
    }
    ZSTD_freeDStream(stream);
    return left == 0 ? SS_OK : ss_fail(err, SS_STOP, "a zstandard block cannot be unpacked");
}
#endif

enum ss_status ss_container_unpack(struct ss_container_works *works, enum ss_container_codec codec,
                                   struct ss_bytes in, struct ss_buffer *out, struct ss_error *err)
{
    out->size = 0;
    switch (codec) {
    case SS_CODEC_NULL:
        return copy(in, out, err);
    case SS_CODEC_DEFLATE:
        return inflate_block(works, in, out, err);
    case SS_CODEC_SNAPPY:
#ifdef SS_HAVE_SNAPPY
        return unsnap(in, out, err);
#else
        break;
#endif
    case SS_CODEC_ZSTANDARD:
#ifdef SS_HAVE_ZSTD
        return unzstd(in, out, err);
#else
        break;
#endif
    }
    return ss_fail(err, SS_STOP, "a block of an unknown codec");
}

static enum ss_status deflate_block(struct ss_container_works *works, struct ss_bytes in,
                                    struct ss_buffer *out, struct ss_error *err)
{
    if (!works->deflates && !(works->deflates = libdeflate_alloc_compressor(LEVEL)))
        return ss_fail(err, SS_STOP, "out of memory for deflating a block");
    if (ss_buffer_reserve(out, libdeflate_deflate_compress_bound(works->deflates, in.size)))
        out->size = libdeflate_deflate_compress(works->deflates, in.data, in.size, out->data,
                                                out->capacity);
    return out->size > 0
               ? SS_OK
               : ss_fail(err, SS_STOP, "a block of %zu bytes cannot be deflated", in.size);
}

enum ss_status ss_container_pack(struct ss_container_works *works, enum ss_container_codec codec,
                                 struct ss_bytes in, struct ss_buffer *out, struct ss_error *err)
{
    out->size = 0;
    switch (codec) {
    case SS_CODEC_NULL:
        return copy(in, out, err);
    case SS_CODEC_DEFLATE:
        return deflate_block(works, in, out, err);
    case SS_CODEC_SNAPPY:
    case SS_CODEC_ZSTANDARD:
        break;
    }
    return ss_fail(err, SS_STOP, "container files are written with codec null or deflate");
}
