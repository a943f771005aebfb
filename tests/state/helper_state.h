/* helper_state.h - states to test with. */
#ifndef SS_TESTS_HELPER_STATE_H
#define SS_TESTS_HELPER_STATE_H

#include "scoring/user_state.h"
#include "state/store.h"

/* A repeatable stream of random numbers; any seed. */
uint64_t random_next(uint64_t *seed);

/* Any state that scoring could hold, all the way to the bounds; never empty; padding is zero. */
void state_random(struct ss_user_state *state, uint64_t *seed);

/* Somebody ordinary, some time in 2026: 30 payments, 6 bills paid on time and 2 open, 2 bookings
 * honoured, identity and phone verified, consent given; up to `window` event ids remembered in each
 * part. */
void state_typical(struct ss_user_state *state, uint64_t *seed, int window);

/* Wipes whatever the store shows of a partition now. */
enum ss_status wipe_now(struct ss_store *store, int32_t partition, struct ss_error *err);

#endif
