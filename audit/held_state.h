/* held_state.h - a state as a replay holds it in memory: its numbers as they are, and of its lists
 * what is in them. Twice to three times the bytes of the packed form (state/pack.h) and a tenth of
 * its work: for states that are read and written at every event and never leave the process.
 *
 * Any state at all survives the round trip, but for what lies behind the ends of its lists, which
 * means nothing. The bytes are those of this very build. Internal to audit/.
 */
#ifndef SS_AUDIT_HELD_STATE_H
#define SS_AUDIT_HELD_STATE_H

#include "audit/user_table.h"
#include "scoring/event.h"

enum {
    SS_HELD_MAX = sizeof(struct ss_user_state) + 16,
    SS_HELD_FIRST = 336, /* for ss_user_table_open: what most come to with ten or twenty events */
    SS_HELD_PARTS = 8
};

/* Where the parts of a state begin in its bytes, in their order, and where they end. */
struct ss_held_places {
    uint16_t at[SS_HELD_PARTS + 1];
};

/* How many of `out` it takes; 0: there is nothing worth keeping (ss_user_state_empty). */
size_t ss_held_write(const struct ss_user_state *state, uint8_t out[SS_HELD_MAX]);
/* `held` is what ss_held_write wrote, or of no bytes: nobody's. `places` may be NULL. */
void ss_held_read(struct ss_bytes held, struct ss_user_state *state, struct ss_held_places *places);

/* Puts a state back to its user. With the `places` where it was read only what has changed is
 * written: what time may change, which is `published` and `friends`, and the parts of `inputs`, a
 * bit for each. Without (NULL) it is any state. The user may move. NULL: out of memory. */
SS_MUST_USE struct ss_user *ss_held_put(struct ss_user_table *table, struct ss_user *user,
                                        const struct ss_user_state *state,
                                        const struct ss_held_places *places, uint32_t inputs);

#endif
