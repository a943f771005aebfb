/* recent.h - the duplicate window of a part (docs/model.md 3.3). Pure; internal to scoring/. */
#ifndef SS_SCORING_RECENT_H
#define SS_SCORING_RECENT_H

#include "scoring/model.h"

/* Not of SS_NEIGHBOURS, which has none. */
struct ss_recent *ss_recent_of(struct ss_user_state *state, enum ss_input input);

/* On that day of the input: whether the window holds it, forgotten ids not counted though they may
 * still be there. */
bool ss_recent_has(const struct ss_model *model, const struct ss_recent *recent, uint32_t hash,
                   int32_t day);

/* An event has counted on that day of the input: forgets what the model's window no longer holds,
 * then remembers it. */
void ss_recent_add(const struct ss_model *model, struct ss_recent *recent, uint32_t hash,
                   int32_t day);

#endif
