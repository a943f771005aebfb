/* helper_flaky_store.h - a store that fails when told to, around another one. */
#ifndef SS_TESTS_CONSUMER_HELPER_FLAKY_STORE_H
#define SS_TESTS_CONSUMER_HELPER_FLAKY_STORE_H

#include "state/store.h"

enum flaky_op {
    FLAKY_CHECKPOINT,
    FLAKY_LOAD,
    FLAKY_SAVE,
    FLAKY_WIPE,
    FLAKY_WAKES,
    FLAKY_REARM,
    FLAKY_WALK,
    FLAKY_OP_COUNT
};

struct flaky_store;

/* Closes `inner` with itself. */
struct flaky_store *flaky_store_new(struct ss_store *inner);
struct ss_store *flaky_store_handle(struct flaky_store *flaky);

/* A way in which a call fails, once or for a while. */
struct flaky_failure {
    enum flaky_op op;
    enum ss_status status;
    bool late;
    int times;
    const char *name;
};

/* From the nth call of an op on (1: the next one), `times` calls fail with `status` and do nothing;
 * with `late` they do their work and fail after it. */
void flaky_store_fail(struct flaky_store *flaky, enum flaky_op op, int nth, int times,
                      enum ss_status status, bool late);
/* The groups that wake after the first are found too, as on Redis; else as the inner store does. */
void flaky_store_find_all(struct flaky_store *flaky);
int flaky_store_calls(const struct flaky_store *flaky, enum flaky_op op);

#endif
