/* clear.h - zeroes a few words of what every score begins with. Compilers make of such a memset a
 * string instruction, which takes longer to begin than these stores do to end. */
#ifndef SS_SCORING_CLEAR_H
#define SS_SCORING_CLEAR_H

#include <stddef.h>
#include <string.h>

enum { SS_CLEAR_STEP = 32 };

/* size: a constant, and a multiple of SS_CLEAR_STEP. */
static inline void ss_clear(void *at, size_t size)
{
    for (size_t i = 0; i < size; i += SS_CLEAR_STEP)
        memset((char *)at + i, 0, SS_CLEAR_STEP);
}

#endif
