/* suggest.h - "did you mean": the known name that a mistyped one is nearest to. Pure. */
#ifndef SS_CONFIG_SUGGEST_H
#define SS_CONFIG_SUGGEST_H

#include <stddef.h>

/* Changes that make a into b: a letter added, removed, replaced, or two neighbours swapped. Names
 * longer than 63 bytes are far from everything. */
int ss_suggest_distance(const char *a, const char *b);

/* The nearest of count names, NULL if none is near enough to be what was meant. */
const char *ss_suggest(const char *given, const char *const *names, size_t count);

#endif
