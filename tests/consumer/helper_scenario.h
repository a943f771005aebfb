/* helper_scenario.h - a bit of everything on two partitions, and what it must lead to, whatever
 * fails on the way.
 *
 * What a user's records depend on must not depend on how topics interleave, which a failure
 * changes: users 0 and 1 pay and have bills (always read in this order), 2 is listed, 3 has not
 * consented.
 */
#ifndef SS_TESTS_CONSUMER_HELPER_SCENARIO_H
#define SS_TESTS_CONSUMER_HELPER_SCENARIO_H

#include "helper_worker.h"

enum { PARTITIONS = 2 };

extern struct rig rig; /* of the test at hand */

void open_rig(void);
/* So that states are read from the store. */
void open_rig_with_a_small_cache(void);
void close_rig(void);

/* The first half. */
void send_consents(struct rig *to);
void send_events(struct rig *to);
/* The second half: send_payments twice, then send_the_rest. */
void send_more(struct rig *to);
void send_payments(struct rig *to);
void send_the_rest(struct rig *to);

/* The whole, with a hook between its two halves (or NULL); returns how often a step had to be tried
 * again. */
int run_all(void (*between)(void));

/* What may happen between them, or at any time: the store loses all, the worker's process ends and
 * a new one begins, both. */
void wipe_store(void);
void restart(void);
void restart_wiped(void);
/* The first half and a send_payments, and then the store is what it was before these: as after a
 * fail-over to a replica that lags, an old checkpoint with the states of then. */
void run_and_fall_back(void);

/* The same scores and entitlements as where nothing fails, and rig_check. */
void check_against_reference(const char *what, int nth);

#endif
