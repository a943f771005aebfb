#include "scoring/recent.h"

#include "scoring/apply.h"
#include "scoring/decay.h"
#include "scoring/require.h"

#include <string.h>

static const size_t windows[] = {
    [SS_PAYMENTS] = offsetof(struct ss_user_state, payments.recent),
    [SS_BILLS] = offsetof(struct ss_user_state, bills.recent),
    [SS_BOOKINGS] = offsetof(struct ss_user_state, bookings.recent),
    [SS_SOCIAL] = offsetof(struct ss_user_state, social.recent),
    [SS_PROFILES] = offsetof(struct ss_user_state, profiles.recent),
    [SS_CONSENTS] = offsetof(struct ss_user_state, consents.recent),
    [SS_BLACKLIST] = offsetof(struct ss_user_state, blacklist.recent),
};
static const int window_count = sizeof windows / sizeof *windows;

struct ss_recent *ss_recent_of(struct ss_user_state *state, enum ss_input input)
{
    SS_REQUIRE((int)input < window_count);
    return (struct ss_recent *)((char *)state + windows[input]);
}

/* Those in front that are forgotten on that day; the difference of any two days fits. */
static int forgotten(const struct ss_model *model, const struct ss_recent *recent, int32_t day)
{
    int old = 0;
    while (old < recent->count && (int64_t)day - recent->day[old] > model->recent_days)
        old++;
    return old;
}

bool ss_recent_has(const struct ss_model *model, const struct ss_recent *recent, uint32_t hash,
                   int32_t day)
{
    for (int i = forgotten(model, recent, day); i < recent->count; i++)
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
    if (model->recent_window == 0)
        return;
    int old = forgotten(model, recent, day);
    if (recent->count - old >= model->recent_window) /* more, if another model filled it */
        old = recent->count - model->recent_window + 1;
    if (old > 0)
        forget(recent, old);
    if (recent->count > 0 && day < recent->day[recent->count - 1])
        day = recent->day[recent->count - 1]; /* only of a caller that has no days */
    recent->hash[recent->count] = hash;
    recent->day[recent->count++] = day;
}

int32_t ss_input_day(int32_t day, const struct ss_event *event, const struct ss_context *context)
{
    int64_t time_ms = event->occurred_at_ms < context->record_time_ms ? event->occurred_at_ms
                                                                      : context->record_time_ms;
    int32_t today = ss_day_of(time_ms < SS_OCCURRED_AT_MIN ? SS_OCCURRED_AT_MIN : time_ms);
    if (day == 0)
        return today;
    return today > day ? day + 1 : day;
}

uint32_t ss_forget(const struct ss_models *models, struct ss_user_state *state,
                   const int32_t days[SS_INPUT_COUNT])
{
    uint32_t inputs = 0;
    for (int input = 0; input < window_count; input++) {
        struct ss_recent *recent = ss_recent_of(state, (enum ss_input)input);
        if (recent->count > 0 &&
            (int64_t)days[input] - recent->day[0] > models->person->recent_days) {
            forget(recent, forgotten(models->person, recent, days[input]));
            inputs |= UINT32_C(1) << input;
        }
    }
    return inputs;
}
