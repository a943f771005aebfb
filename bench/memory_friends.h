/* memory_friends.h - friend lists for bench/memory, through the core's own steps and the packed
 * form: whom a user has listed and who lists him back. */
#ifndef SS_BENCH_MEMORY_FRIENDS_H
#define SS_BENCH_MEMORY_FRIENDS_H

#include "bench/life.h"
#include "state/pack_friends.h"

/* The packed list of a user of `users`, all of whose links are confirmed: 0 to 2 * mean of them, as
 * many of each count, `less` fewer (but none below 0). Writes at most SS_FRIENDS_PACKED_MAX bytes.
 * One thread. */
size_t memory_friends_pack(char (*user_ids)[LIFE_ID_SIZE], int users, int user, int mean, int less,
                           uint8_t *out);

#endif
