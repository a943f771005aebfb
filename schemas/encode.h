/* encode.h - writing Avro into room reserved beforehand. Internal to schemas/.
 *
 * An encoder works out an upper bound of its record's size, reserves it once with ss_encode_begin,
 * writes without further checks and closes with ss_encode_end, which asserts that the bound held.
 */
#ifndef SS_SCHEMAS_ENCODE_H
#define SS_SCHEMAS_ENCODE_H

#include "schemas/codec.h"
#include "schemas/varint.h"

#include <assert.h>

/* Reserves size_max bytes and writes the wire header; NULL: no room, and *err says so. */
static inline uint8_t *ss_encode_begin(struct ss_buffer *out, uint32_t schema_id, size_t size_max,
                                       struct ss_error *err)
{
    if (!ss_buffer_reserve(out, SS_WIRE_HEADER_SIZE + size_max)) {
        (void)ss_fail(err, SS_STOP, "no room for a record of up to %zu bytes behind %zu", size_max,
                      out->size);
        return NULL;
    }
    uint8_t *p = out->data + out->size;
    *p++ = 0;
    *p++ = (uint8_t)(schema_id >> 24);
    *p++ = (uint8_t)(schema_id >> 16);
    *p++ = (uint8_t)(schema_id >> 8);
    *p++ = (uint8_t)schema_id;
    return p;
}

static inline enum ss_status ss_encode_end(struct ss_buffer *out, const uint8_t *p)
{
    out->size = (size_t)(p - out->data);
    assert(out->size <= out->capacity);
    return SS_OK;
}

/* Texts are short: where a call of memcpy would cost more than the copying, two pieces that may
 * overlap are copied. */
static inline void ss_copy_short(uint8_t *to, const char *from, size_t size)
{
    if (size > 32) {
        memcpy(to, from, size);
    } else if (size >= 16) {
        memcpy(to, from, 16);
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else {
        while (size--)
            *to++ = (uint8_t)*from++;
    }
}

static inline uint8_t *ss_put_bytes(uint8_t *p, const char *data, size_t size)
{
    p = ss_varint_write(p, (int64_t)size);
    ss_copy_short(p, data, size);
    return p + size;
}

static inline uint8_t *ss_put_text(uint8_t *p, struct ss_text text)
{
    return ss_put_bytes(p, text.data, text.size);
}

#endif
