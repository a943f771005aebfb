/* helper_evolve.h - writer schemas that have drifted away from ours, made at random. */
#ifndef SS_TEST_HELPER_EVOLVE_H
#define SS_TEST_HELPER_EVOLVE_H

#include "helper_events.h"

#include <jansson.h>

enum evolution {
    EVOLVE_REORDER = 1,
    EVOLVE_ADD = 2,      /* fields of every type that Avro has */
    EVOLVE_REMOVE = 4,   /* fields for which ours has a default */
    EVOLVE_PROMOTE = 8,  /* long -> int, string -> bytes */
    EVOLVE_SYMBOLS = 16, /* reordered, some renamed */
    EVOLVE_UNION = 32,   /* wrapped, or taken out of one */
    EVOLVE_RENAME = 64,  /* names that ours has as aliases: see evolve_aliases */
    EVOLVE_ALL = 127
};

/* Our schema of an input, changed in the given ways. The caller calls json_decref. */
json_t *evolve(struct rng *rng, enum ss_input input, int ways);
/* Our schema of an input with an alias "was_<name>" for each field, as text; the caller frees. */
char *evolve_aliases(enum ss_input input);

#endif
