/* apply_friends.h - events of `social`, grants and withdrawals, and messages of friends, as far as
 * friends are concerned (friends.h, docs/model.md 4.4). Pure; internal to scoring/.
 *
 * The sum is open exactly while SCORING and SOCIAL hold, under a model in which friends matter.
 */
#ifndef SS_SCORING_APPLY_FRIENDS_H
#define SS_SCORING_APPLY_FRIENDS_H

#include "scoring/apply.h"

/* An event of `social` that has passed the gates. */
void ss_friends_fold(const struct ss_models *models, struct ss_user_state *state,
                     const struct ss_event *event, const struct ss_context *context,
                     struct ss_effects *effects);

/* An event of `consents` has been folded: closes, before the score is computed anew. */
void ss_friends_close(struct ss_user_state *state, struct ss_effects *effects);
/* Opens, at the score that is published by now. */
void ss_friends_reopen(const struct ss_models *models, struct ss_user_state *state);

/* A message that has passed ss_event_check: its gate, what it changes and what is published of it.
 */
enum ss_outcome ss_friends_apply(const struct ss_models *models, struct ss_user_state *state,
                                 const struct ss_event *event, const struct ss_context *context,
                                 struct ss_effects *effects);

#endif
