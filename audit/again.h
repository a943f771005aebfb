/* again.h - whether to ask again where something is away that may come back. */
#ifndef SS_AUDIT_AGAIN_H
#define SS_AUDIT_AGAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum { SS_AGAIN_MAX = 30 };

/* Waits a second; false at once if that has been done SS_AGAIN_MAX times, by *tries, which begins
 * at 0, or if *stop is set (NULL: nobody stops it). Any thread. */
static inline bool ss_wait_again(int *tries, const atomic_bool *stop)
{
    if ((stop && atomic_load(stop)) || ++*tries > SS_AGAIN_MAX)
        return false;
    nanosleep(&(struct timespec){1, 0}, NULL);
    return true;
}

#endif
