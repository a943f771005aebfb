/* wire_reader.h - reads the fields of a body that is of our own schema, one after the other, as the
 * encoders write them. Internal to schemas/.
 *
 * Once something did not fit, the reader is bad for good, and what it gives from there on means
 * nothing but that it is within the bounds asked for: whoever reads a whole record looks once, at
 * its end. All of it is inlined, so that a reader stays in registers: an audit reads each record of
 * a history.
 */
#ifndef SS_SCHEMAS_WIRE_READER_H
#define SS_SCHEMAS_WIRE_READER_H

#include "base/bytes.h"
#include "schemas/varint.h"
#include "scoring/event.h"

#define SS_WIRE_INLINE static inline __attribute__((always_inline))

struct ss_wire_reader {
    const uint8_t *at, *end;
    bool bad;
};

SS_WIRE_INLINE struct ss_wire_reader ss_wire_reader_of(struct ss_bytes body)
{
    const uint8_t *at = body.data;
    return (struct ss_wire_reader){.at = at, .end = at ? at + body.size : at};
}

SS_WIRE_INLINE int64_t ss_wire_within(struct ss_wire_reader *r, int64_t value, int64_t min,
                                      int64_t max)
{
    if (value >= min && value <= max)
        return value;
    r->bad = true;
    return min > 0 ? min : 0;
}

/* Of one byte, most likely: an enum, a branch, a length. The byte is turned by one bit, so that
 * what is negative or goes on is large: one comparison tells that it is neither, and within the
 * bounds. */
SS_WIRE_INLINE int64_t ss_wire_number(struct ss_wire_reader *r, int64_t min, int64_t max)
{
    if (min == 0 && r->at != r->end) {
        const uint8_t turned = (uint8_t)(*r->at >> 1 | *r->at << 7);
        if (turned <= (max < 0x3f ? max : 0x3f)) {
            r->at++;
            return turned;
        }
    }
    const uint8_t *at = r->at; /* through copies, as ss_varint_read does */
    int64_t value = 0;
    r->bad |= !ss_varint_read_slow(&at, r->end, &value);
    r->at = at;
    return ss_wire_within(r, value, min, max);
}

/* Of one to three bytes, most likely: an offset, a score. `room`: there are three bytes left. */
SS_WIRE_INLINE int64_t ss_wire_long_in(struct ss_wire_reader *r, bool room)
{
    const uint8_t *p = r->at;
    int64_t value = 0;
    if (room) {
        uint32_t raw = p[0];
        r->at = p + 1;
        if (raw < 0x80)
            return ss_unzigzag(raw);
        raw += ((uint32_t)p[1] << 7) - (1 << 7); /* less the bit that says that it goes on */
        r->at = p + 2;
        if (p[1] < 0x80)
            return ss_unzigzag(raw);
        raw += ((uint32_t)p[2] << 14) - (1 << 14);
        r->at = p + 3;
        if (p[2] < 0x80)
            return ss_unzigzag(raw);
    }
    r->bad |= !ss_varint_read_slow(&p, r->end, &value);
    r->at = p;
    return value;
}

SS_WIRE_INLINE int64_t ss_wire_long(struct ss_wire_reader *r)
{
    return ss_wire_long_in(r, r->end - r->at >= 3);
}

/* `count` such numbers, which no end comes between, most likely. */
SS_WIRE_INLINE void ss_wire_longs(struct ss_wire_reader *r, int64_t *values, int count)
{
    if (r->end - r->at >= SS_VARINT_MAX * count)
        for (int i = 0; i < count; i++)
            values[i] = ss_wire_long_in(r, true);
    else
        for (int i = 0; i < count; i++)
            values[i] = ss_wire_long(r);
}

/* Of six bytes: a time of this century. Where that is foretold, nothing waits for its length. */
SS_WIRE_INLINE int64_t ss_wire_time(struct ss_wire_reader *r)
{
    int64_t value = 0;
    uint64_t word;
    if (r->end - r->at >= 8) {
        memcpy(&word, r->at, sizeof word);
        word = le64toh(word);
        if ((word & UINT64_C(0x808080808080)) == UINT64_C(0x8080808080)) {
            r->at += 6;
            return ss_unzigzag(ss_varint_close(word & UINT64_C(0x7f7f7f7f7f7f)));
        }
    }
    r->bad |= !ss_varint_read(&r->at, r->end, &value);
    return value;
}

SS_WIRE_INLINE int32_t ss_wire_int(struct ss_wire_reader *r)
{
    return (int32_t)ss_wire_within(r, ss_wire_long(r), INT32_MIN, INT32_MAX);
}

/* Passes over `count` ints that nobody needs, and finds bad what reading them would. */
SS_WIRE_INLINE void ss_wire_skip_ints(struct ss_wire_reader *r, unsigned count)
{
    if (ss_varint_skip_short(&r->at, r->end, count))
        return;
    while (count--)
        (void)ss_wire_int(r);
}

/* The branch of a union of null and something, or a boolean. */
SS_WIRE_INLINE bool ss_wire_has(struct ss_wire_reader *r)
{
    return ss_wire_number(r, 0, 1) == 1;
}

/* Points into the body. */
SS_WIRE_INLINE struct ss_text ss_wire_text(struct ss_wire_reader *r)
{
    int64_t size = ss_wire_number(r, 0, INT32_MAX);
    if (size > r->end - r->at) {
        r->bad = true;
        return (struct ss_text){0};
    }
    struct ss_text text = {(const char *)r->at, (uint32_t)size};
    r->at += size;
    return text;
}

#endif
