/* spent.h - the seconds that a bench took: by the clock, and of the CPU, all its threads together;
 * the nanoseconds of one step, and the median of many; and how a bench ends that fails. */
#ifndef SS_BENCH_SPENT_H
#define SS_BENCH_SPENT_H

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Of the CPU, this thread alone: other load on the machine shows less. */
static inline double thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static inline double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

static inline void must(enum ss_status status, const struct ss_error *err)
{
    if (status == SS_OK)
        return;
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, err->detail);
    exit(1);
}

#endif
