/* wake.c - what the passage of time does to a score (promise 10).
 *
 *        as_of ──────────── a bill's due ───────── as_of + interval ──>  the partition's clock
 *      RESCORE                 OVERDUE                  AGED
 *
 * 1. Steps are taken in the order of their instants, each once; which ones there are follows from
 *    the state alone, so that a replay, a restart and a moved partition take the same.
 * 2. A step is due when the clock has reached it. An event of the user takes those before it.
 * 3. as_of may be ahead of the clock, where one input was read further than another. Bills that
 * fall due in between wait for the clock: their payment may not have been read yet.
 * 4. Where the model was replaced, the first step is to say so, at the very as_of and horizon of
 * what was said last: what differs is the model's doing alone.
 */
#include "scoring/publish.h"

enum { DAY_MS = 86400000 };

/* The first open bill that no horizon has reached. */
static const struct ss_open_bill *next_due(const struct ss_user_state *state)
{
    const struct ss_bills_part *bills = &state->bills;
    for (int i = 0; i < bills->open_count; i++)
        if (bills->open[i].due_at_ms > state->published.horizon_ms)
            return &bills->open[i];
    return NULL;
}

static int64_t interval_ms(const struct ss_model *model, const struct ss_user_state *state)
{
    const struct ss_bills_part *bills = &state->bills;
    bool overdue = bills->open_count > 0 && bills->open[0].due_at_ms <= state->published.horizon_ms;
    return (int64_t)(overdue ? model->aged_overdue_days : model->aged_days) * DAY_MS;
}

static int64_t step_at(const struct ss_models *models, const struct ss_user_state *state)
{
    if (!state->consents.scoring)
        return SS_WAKE_NEVER;
    if (ss_rescore_due(models, state))
        return SS_WAKE_NOW;
    const struct ss_open_bill *bill = next_due(state);
    int64_t aged_ms = state->published.as_of_ms + interval_ms(ss_model_of(models, state), state);
    return bill && bill->due_at_ms < aged_ms ? bill->due_at_ms : aged_ms;
}

bool ss_wake_known(const struct ss_models *models, const struct ss_user_state *state)
{
    const struct ss_published *published = &state->published;
    return published->benefits == 0 ||
           ss_models_find(models, published->business, published->epoch) != NULL;
}

int64_t ss_wake_at(const struct ss_models *models, const struct ss_user_state *state)
{
    return state->friends.telling ? SS_WAKE_NOW : step_at(models, state);
}

bool ss_wake(const struct ss_models *models, struct ss_user_state *state, struct ss_text user_id,
             const struct ss_context *context, struct ss_effects *effects)
{
    struct ss_published *published = &state->published;
    struct ss_occasion occasion = {.user_id = user_id, .context = context};
    int64_t at_ms = step_at(models, state);
    if (at_ms > context->clock_ms)
        return false;
    ss_effects_clear(effects);
    if (at_ms == SS_WAKE_NOW) {
        occasion.kind = SS_KIND_RESCORE;
        ss_publish(models, state, &occasion, effects);
        return true;
    }
    const struct ss_open_bill *bill = next_due(state);
    int64_t until_ms = context->clock_ms;
    if (bill && bill->due_at_ms <= at_ms) {
        occasion.kind = SS_KIND_OVERDUE;
        until_ms = bill->due_at_ms;
    } else {
        /* who slept through several intervals wakes up once */
        int64_t step_ms = interval_ms(ss_model_of(models, state), state);
        occasion.kind = SS_KIND_AGED;
        if (bill && bill->due_at_ms <= until_ms)
            until_ms = bill->due_at_ms - 1;
        until_ms = at_ms + (until_ms - at_ms) / step_ms * step_ms;
    }
    ss_published_move(published, until_ms, context->clock_ms);
    ss_publish(models, state, &occasion, effects);
    return true;
}
