/* held_state.h - a state as a replay holds it in memory: its numbers as they are, and of its lists
 * what is in them. Twice to three times the bytes of the packed form (state/pack.h) and a tenth of
 * its work: for states that are read and written at every event and never leave the process.
 *
 * Any state at all survives the round trip, but for what lies behind the ends of its lists, which
 * means nothing: reading leaves there what was there. The bytes are those of this very build.
 * Pure. Internal to audit/.
 */
#ifndef SS_AUDIT_HELD_STATE_H
#define SS_AUDIT_HELD_STATE_H

#include "base/bytes.h"
#include "scoring/user_state.h"

enum { SS_HELD_MAX = sizeof(struct ss_user_state) + 16 };

/* How many of `out` it takes; 0: there is nothing worth keeping (ss_user_state_empty). */
size_t ss_held_write(const struct ss_user_state *state, uint8_t out[SS_HELD_MAX]);
/* `held` is what ss_held_write wrote, or of no bytes: nobody's. */
void ss_held_read(struct ss_bytes held, struct ss_user_state *state);

#endif
