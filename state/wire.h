/* wire.h - the small pieces of which the layer's packed forms are made: varints (LEB128), zig-zag,
 * little-endian words, and a reader that cannot leave its bytes. Internal to state/.
 *
 * Each value has exactly one form: a varint with a needless byte is refused, so that byte-equal and
 * value-equal mean the same.
 */
#ifndef SS_STATE_WIRE_H
#define SS_STATE_WIRE_H

#include "base/bytes.h"

enum { SS_VARINT_MAX = 10 }; /* bytes */

static inline uint8_t *ss_put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* 0, -1, 1, -2, … as 0, 1, 2, 3, …: small numbers of either sign are short. */
static inline uint64_t ss_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (0 - ((uint64_t)value >> 63));
}
static inline int64_t ss_unzigzag(uint64_t value)
{
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

static inline uint8_t *ss_put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}
static inline uint8_t *ss_put_u64(uint8_t *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

/* Reads from the front. Once something did not fit it is bad for good, and gives zeros. */
struct ss_reader {
    const uint8_t *at, *end;
    bool bad;
};

static inline struct ss_reader ss_reader_of(struct ss_bytes bytes)
{
    const uint8_t *at = bytes.data;
    return (struct ss_reader){.at = at, .end = at ? at + bytes.size : at};
}

static inline uint64_t ss_reader_fail(struct ss_reader *reader)
{
    reader->bad = true;
    reader->at = reader->end;
    return 0;
}

static inline uint64_t ss_get_varint(struct ss_reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (reader->at == reader->end)
            return ss_reader_fail(reader);
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1)
            return ss_reader_fail(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return byte == 0 && shift > 0 ? ss_reader_fail(reader) : value;
    }
    return ss_reader_fail(reader);
}

/* The next size bytes, or NULL and the reader is bad. */
static inline const uint8_t *ss_get_bytes(struct ss_reader *reader, size_t size)
{
    const uint8_t *at = reader->at;
    if ((size_t)(reader->end - at) < size) {
        ss_reader_fail(reader);
        return NULL;
    }
    reader->at += size;
    return at;
}

static inline uint8_t ss_get_u8(struct ss_reader *reader)
{
    const uint8_t *at = ss_get_bytes(reader, 1);
    return at ? *at : 0;
}
static inline uint32_t ss_load_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
static inline uint32_t ss_get_u32(struct ss_reader *reader)
{
    const uint8_t *at = ss_get_bytes(reader, 4);
    return at ? ss_load_u32(at) : 0;
}
static inline uint64_t ss_get_u64(struct ss_reader *reader)
{
    const uint8_t *at = ss_get_bytes(reader, 8);
    return at ? (uint64_t)ss_load_u32(at) | (uint64_t)ss_load_u32(at + 4) << 32 : 0;
}

/* A varint that must not be over max. */
static inline uint64_t ss_get_bounded(struct ss_reader *reader, uint64_t max)
{
    uint64_t value = ss_get_varint(reader);
    return value > max ? ss_reader_fail(reader) : value;
}

#endif
