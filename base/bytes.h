/* bytes.h - borrowed and growing byte strings.
 *
 * struct ss_bytes borrows: whoever made it says how long it lives. struct ss_buffer owns: it is
 * born with a maximum and refuses to grow past it, so that no input decides how much memory we use
 * (promise 9). Neither is shared between threads.
 */
#ifndef SS_BASE_BYTES_H
#define SS_BASE_BYTES_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ss_bytes {
    const void *data; /* NULL with size 0 for an absent value */
    size_t size;
};

static inline bool ss_bytes_equal(struct ss_bytes a, struct ss_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Whether `size` bytes are the same, where a call of memcmp would cost more than comparing them:
 * ids, names. In pieces that may overlap. */
static inline bool ss_same_short(const void *a, const void *b, size_t size)
{
    const uint8_t *p = (const uint8_t *)a, *q = (const uint8_t *)b;
    uint64_t x[4], y[4];
    if (size >= 8 && size <= 32) {
        const size_t last = size - 8, third = size > 16 ? 8 : 0, second = size > 16 ? size - 16 : 0;
        memcpy(&x[0], p, 8);
        memcpy(&y[0], q, 8);
        memcpy(&x[1], p + last, 8);
        memcpy(&y[1], q + last, 8);
        memcpy(&x[2], p + second, 8);
        memcpy(&y[2], q + second, 8);
        memcpy(&x[3], p + third, 8);
        memcpy(&y[3], q + third, 8);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
    }
    return size == 0 || memcmp(p, q, size) == 0;
}

struct ss_buffer {
    uint8_t *data;
    size_t size, capacity, size_max;
};

/* An empty buffer that never grows past size_max bytes; nothing is allocated yet. */
void ss_buffer_init(struct ss_buffer *buffer, size_t size_max);
/* Frees what the buffer holds; it can be filled again. */
void ss_buffer_reset(struct ss_buffer *buffer);
/* Makes room for `more` bytes behind the present ones. false: over size_max or out of memory, and
 * the buffer is as it was. */
SS_MUST_USE bool ss_buffer_reserve(struct ss_buffer *buffer, size_t more);
SS_MUST_USE bool ss_buffer_append(struct ss_buffer *buffer, const void *data, size_t size);

#endif
