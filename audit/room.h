/* room.h - arrays that grow. Any thread. */
#ifndef SS_AUDIT_ROOM_H
#define SS_AUDIT_ROOM_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more item of `size` bytes than `count` in *(T **)array, which may move. False: out
 * of memory, and all is as it was. */
static inline bool ss_make_room(void *array, size_t count, size_t *capacity, size_t size)
{
    void *items;
    if (count < *capacity)
        return true;
    const size_t more = *capacity ? *capacity * 2 : 8;
    memcpy(&items, array, sizeof items); /* whichever type it points to */
    if (!(items = realloc(items, more * size)))
        return false;
    memcpy(array, &items, sizeof items);
    *capacity = more;
    return true;
}

#endif
