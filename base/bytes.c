#include "base/bytes.h"

#include <stdlib.h>

void ss_buffer_init(struct ss_buffer *buffer, size_t size_max)
{
    *buffer = (struct ss_buffer){.size_max = size_max};
}

void ss_buffer_reset(struct ss_buffer *buffer)
{
    free(buffer->data);
    ss_buffer_init(buffer, buffer->size_max);
}

bool ss_buffer_reserve(struct ss_buffer *buffer, size_t more)
{
    if (more > buffer->size_max - buffer->size)
        return false;
    size_t need = buffer->size + more;
    if (need <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < need)
        capacity *= 2;
    if (capacity > buffer->size_max)
        capacity = buffer->size_max;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data)
        return false;
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

bool ss_buffer_append(struct ss_buffer *buffer, const void *data, size_t size)
{
    if (!ss_buffer_reserve(buffer, size))
        return false;
    if (size)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return true;
}
