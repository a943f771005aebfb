/* varint.h - Avro's variable-length zigzag numbers. Internal to schemas/.
 *
 * Reading never goes past `end` and refuses what does not fit 64 bits: more than ten bytes, or a
 * tenth byte over 1. */
#ifndef SS_SCHEMAS_VARINT_H
#define SS_SCHEMAS_VARINT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SS_VARINT_MAX = 10 }; /* bytes */

static inline int64_t ss_unzigzag(uint64_t raw)
{
    return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
}

/* Closes the gaps between the groups of 7, 14 and 28 bits of a number's bytes. */
static inline uint64_t ss_varint_close(uint64_t word)
{
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* Any number byte by byte, up to the end. */
__attribute__((noinline, unused)) static bool
ss_varint_read_slow(const uint8_t **cursor, const uint8_t *end, int64_t *value)
{
    const uint8_t *p = *cursor;
    uint64_t raw = 0;
    for (unsigned shift = 0; p != end && shift < 64; shift += 7) {
        uint8_t byte = *p++;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = ss_unzigzag(raw);
            *cursor = p;
            return shift < 63 || byte <= 1;
        }
    }
    return false;
}

/* false: truncated or overlong, and *cursor means nothing any more. */
static inline bool ss_varint_read(const uint8_t **cursor, const uint8_t *end, int64_t *value)
{
    const uint8_t *p = *cursor;
    uint64_t word, last;

    if (p != end && *p < 0x80) { /* most lengths, enums and branches */
        *value = ss_unzigzag(*p);
        *cursor = p + 1;
        return true;
    }
    if (end - p < 8)
        goto slow;
    memcpy(&word, p, sizeof word);
    word = le64toh(word);
    last = ~word & UINT64_C(0x8080808080808080); /* the top bit of bytes that end a number */
    if (!last)
        goto slow;
    /* Times and amounts, without a branch for each byte: cut behind the first last byte. */
    word &= last ^ (last - 1);
    *value = ss_unzigzag(ss_varint_close(word & UINT64_C(0x7f7f7f7f7f7f7f7f)));
    *cursor = p + __builtin_ctzll(last) / 8 + 1;
    return true;

slow:; /* through copies, so that the caller's own variables stay in registers */
    const uint8_t *slow_cursor = p;
    int64_t slow_value = 0;
    bool ok = ss_varint_read_slow(&slow_cursor, end, &slow_value);
    *cursor = slow_cursor;
    *value = slow_value;
    return ok;
}

/* Passes over `count` numbers, eight bytes at a time, if each has four bytes at most: then it is an
 * int, whatever it says. false: one is longer, or the end is near, and *cursor is as it was. */
static inline bool ss_varint_skip_short(const uint8_t **cursor, const uint8_t *end, unsigned count)
{
    const uint64_t tops = UINT64_C(0x8080808080808080), ones = UINT64_C(0x0101010101010101);
    if (count == 1 && end - *cursor >= 4) {
        uint32_t four;
        memcpy(&four, *cursor, sizeof four);
        const uint32_t last = ~le32toh(four) & (uint32_t)tops;
        *cursor += last ? __builtin_ctz(last) / 8 + 1 : 0;
        return last != 0;
    }
    for (const uint8_t *p = *cursor; end - p >= 8;) { /* p: where a number begins */
        uint64_t word;
        memcpy(&word, p, sizeof word);
        word = le64toh(word);
        const uint64_t on = word & tops, last = on ^ tops;
        const uint64_t twice = on & on << 8;
        if (twice & twice << 16) /* four in a row go on */
            return false;
        /* byte i: how many numbers have ended with it */
        const uint64_t ended = (last >> 7) * ones;
        if (ended >> 56 >= count) {
            const uint64_t enough = (ended + (0x80 - count) * ones) & tops;
            *cursor = p + __builtin_ctzll(enough) / 8 + 1;
            return true;
        }
        count -= (unsigned)(ended >> 56);
        p += 8 - __builtin_clzll(last) / 8;
    }
    return false;
}

__attribute__((noinline, unused)) static uint8_t *ss_varint_write_slow(uint8_t *p, uint64_t raw)
{
    while (raw >= 0x80) {
        *p++ = (uint8_t)(raw | 0x80);
        raw >>= 7;
    }
    *p++ = (uint8_t)raw;
    return p;
}

/* Writes at most SS_VARINT_MAX bytes and returns the place behind them. What lies behind that, as
 * far as SS_VARINT_MAX bytes reach, may be overwritten. */
static inline uint8_t *ss_varint_write(uint8_t *p, int64_t value)
{
    uint64_t raw = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    if (raw < 1 << 7) {
        *p = (uint8_t)raw;
        return p + 1;
    }
    if (raw < 1 << 21) { /* two or three, which nobody could foretell: without a branch */
        const unsigned third = raw >= 1 << 14;
        p[0] = (uint8_t)(raw | 0x80);
        p[1] = (uint8_t)((raw >> 7 & 0x7f) | third << 7);
        p[2] = (uint8_t)(raw >> 14);
        return p + 2 + third;
    }
    return ss_varint_write_slow(p, raw);
}

#endif
