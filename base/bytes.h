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
