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

SS_WIRE_INLINE int64_t ss_wire_number(struct ss_wire_reader *r, int64_t min, int64_t max)
{
    int64_t value = 0;
    if (ss_varint_read(&r->at, r->end, &value) && value >= min && value <= max)
        return value;
    r->bad = true;
    return min > 0 ? min : 0;
}

SS_WIRE_INLINE int64_t ss_wire_long(struct ss_wire_reader *r)
{
    return ss_wire_number(r, INT64_MIN, INT64_MAX);
}

SS_WIRE_INLINE int32_t ss_wire_int(struct ss_wire_reader *r)
{
    return (int32_t)ss_wire_number(r, INT32_MIN, INT32_MAX);
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
