#include "scoring/recent.h"

#include "scoring/require.h"

#include <string.h>

struct ss_recent *ss_recent_of(struct ss_user_state *state, enum ss_input input)
{
    switch (input) {
    case SS_PAYMENTS:
        return &state->payments.recent;
    case SS_BILLS:
        return &state->bills.recent;
    case SS_BOOKINGS:
        return &state->bookings.recent;
    case SS_SOCIAL:
        return &state->social.recent;
    case SS_PROFILES:
        return &state->profiles.recent;
    case SS_CONSENTS:
        return &state->consents.recent;
    case SS_BLACKLIST:
        return &state->blacklist.recent;
    case SS_NEIGHBOURS:
    case SS_INPUT_COUNT:
        break;
    }
    SS_REQUIRE(!"an input without a window");
    return NULL;
}

bool ss_recent_has(const struct ss_recent *recent, uint32_t hash)
{
    for (int i = 0; i < recent->count; i++)
        if (recent->hash[i] == hash)
            return true;
    return false;
}

static void forget(struct ss_recent *recent, int count)
{
    int left = recent->count - count;
    memmove(recent->hash, recent->hash + count, (size_t)left * sizeof recent->hash[0]);
    memmove(recent->day, recent->day + count, (size_t)left * sizeof recent->day[0]);
    recent->count = (uint8_t)left;
}

void ss_recent_add(const struct ss_model *model, struct ss_recent *recent, uint32_t hash,
                   int32_t day)
{
    int old = 0;
    if (model->recent_window == 0)
        return;
    if (recent->count > 0 && day < recent->day[recent->count - 1])
        day = recent->day[recent->count - 1]; /* late: stamped with the newest day seen */
    while (old < recent->count && (int64_t)day - recent->day[old] > model->recent_days)
        old++;
    if (recent->count - old >= model->recent_window) /* more, if another model filled it */
        old = recent->count - model->recent_window + 1;
    if (old > 0)
        forget(recent, old);
    recent->hash[recent->count] = hash;
    recent->day[recent->count++] = day;
}
