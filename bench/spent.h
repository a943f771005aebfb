/* spent.h - the seconds that a bench took: by the clock, and of the CPU, all its threads together.
 */
#ifndef SS_BENCH_SPENT_H
#define SS_BENCH_SPENT_H

#include <sys/resource.h>
#include <time.h>

static inline double wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double cpu(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

#endif
