#include "scoring/apply_friends.h"

#include "scoring/publish.h"
#include "scoring/require.h"

#include <string.h>

bool ss_event_reads_friends(const struct ss_models *models, const struct ss_event *event)
{
    const bool may =
        event->input == SS_SOCIAL || event->input == SS_NEIGHBOURS ||
        (event->input == SS_CONSENTS && event->consent.action == SS_CONSENT_WITHDRAWN &&
         event->consent.purpose != SS_PURPOSE_SHARE);
    return may && ss_friends_matter(models->person);
}

static void take(const struct ss_friends_step *step, struct ss_effects *effects)
{
    effects->friends_changed = step->list_changed;
    effects->has_message = step->says;
    effects->message = step->message;
}

void ss_friends_fold(const struct ss_models *models, struct ss_user_state *state,
                     const struct ss_event *event, const struct ss_context *context,
                     struct ss_effects *effects)
{
    struct ss_friends_step step;
    if (!state->friends.open)
        return;
    SS_REQUIRE(context->friends);
    if (event->social.action == SS_FRIEND_ADDED)
        ss_friends_add(context->friends, &state->friends, event->user_id, event->social.friend_id,
                       (uint16_t)models->person->friends_max, &step);
    else
        ss_friends_remove(context->friends, &state->friends, event->user_id,
                          event->social.friend_id, &step);
    take(&step, effects);
}

void ss_friends_close(struct ss_user_state *state, struct ss_effects *effects)
{
    if (state->consents.scoring && state->consents.social)
        return;
    effects->friends_left = state->friends.open;
    state->friends = (struct ss_friends_sum){0};
    memset(&state->social, 0, sizeof state->social);
}

void ss_friends_reopen(const struct ss_models *models, struct ss_user_state *state)
{
    if (state->consents.social && !state->friends.open && ss_friends_matter(models->person))
        ss_friends_open(&state->friends, state->published.score);
}

enum ss_outcome ss_friends_apply(const struct ss_models *models, struct ss_user_state *state,
                                 const struct ss_event *event, const struct ss_context *context,
                                 struct ss_effects *effects)
{
    struct ss_neighbour_message message;
    struct ss_friends_step step;
    bool open = state->friends.open;
    effects->message_at_ms = event->occurred_at_ms;
    if (!ss_friends_matter(models->person))
        return SS_NOT_CONSENTED;
    SS_REQUIRE(context->friends && ss_neighbour_of(event, &message));
    ss_friends_receive(context->friends, &state->friends, &message, &step);
    take(&step, effects);
    if (!open)
        return SS_NOT_CONSENTED;
    if (step.sum_changed) {
        struct ss_occasion occasion = {event->user_id, event, SS_KIND_NEIGHBOUR, context};
        ss_published_move(&state->published, event->occurred_at_ms, context->clock_ms);
        ss_publish(models, state, &occasion, effects);
    }
    effects->message_at_ms = state->published.as_of_ms;
    return SS_COUNTED;
}
