/* memory_redis.h - a redis-server of bench/memory's own, and what it says of its memory. One at a
 * time. Whatever goes wrong ends the process with a message. */
#ifndef SS_BENCH_MEMORY_REDIS_H
#define SS_BENCH_MEMORY_REDIS_H

#include <stddef.h>

/* Returns its URL, valid until it is stopped; stopped at exit at the latest. */
const char *memory_redis_start(void);
void memory_redis_stop(void);

/* A number of INFO. */
double memory_redis_info(const char *section, const char *name);
/* used_memory once it has not changed for a second, for at most fifteen. */
double memory_redis_at_rest(void);
/* CPU time of the server so far. */
double memory_redis_seconds(void);

/* The hashes there, which must be listpacks. given: what the allocator gave for them, in bytes. */
struct memory_buckets {
    size_t count;
    double given;
};
struct memory_buckets memory_redis_buckets(void);
/* Bytes of a listpack's entry of so many bytes. */
size_t memory_listpack_entry(size_t size);

#endif
