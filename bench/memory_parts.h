/* memory_parts.h - how many bytes of the packed states each of their parts takes, for bench/memory:
 * one is taken away after the other, and what is left is packed again. */
#ifndef SS_BENCH_MEMORY_PARTS_H
#define SS_BENCH_MEMORY_PARTS_H

#include "scoring/user_state.h"

void memory_parts_clear(void);
void memory_parts_add(const struct ss_user_state *state);
/* A table of means over so many users. */
void memory_parts_print(int users);

#endif
