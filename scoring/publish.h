/* publish.h - from a state that has changed, or aged, to what subscribers must be told.
 *
 * 1. A record is written when score, tier, standing or the model in charge changed, be it that
 *    the user turned out to be a business or that a model was replaced, and at each opt-in and
 *    opt-out; grants and revocations only together with one.
 * 2. A subscriber is told from its SHARE grant on, beginning with the score as it stands then,
 * until that grant or the SCORING grant is withdrawn, which it is told once. Pure; internal to
 * scoring/.
 */
#ifndef SS_SCORING_PUBLISH_H
#define SS_SCORING_PUBLISH_H

#include "scoring/apply.h"

/* Why something is published now. */
struct ss_occasion {
    struct ss_text user_id;
    const struct ss_event *event; /* NULL: time alone */
    enum ss_score_kind kind;      /* of a record that no opt-in and no listing explains */
    const struct ss_context *context;
};

void ss_effects_clear(struct ss_effects *effects);

/* Moves as_of up to as_of_ms, and the horizon of overdue bills up to the clock or as_of. */
void ss_published_move(struct ss_published *published, int64_t as_of_ms, int64_t clock_ms);

/* What the state says at published.as_of, where that differs from what was published last. */
void ss_publish(const struct ss_models *models, struct ss_user_state *state,
                const struct ss_occasion *occasion, struct ss_effects *effects);

/* The last word on somebody whose SCORING grant, read at consent_position, was withdrawn. */
void ss_publish_opt_out(const struct ss_models *models, struct ss_user_state *state,
                        const struct ss_occasion *occasion, int64_t consent_position,
                        struct ss_effects *effects);

#endif
