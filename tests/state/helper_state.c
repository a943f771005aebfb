#include "helper_state.h"

#include <stdlib.h>
#include <string.h>

uint64_t random_next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Zero, small, middling and extreme values alike. */
static uint64_t any(uint64_t *seed)
{
    uint64_t kind = random_next(seed) % 4;
    return kind == 0 ? 0 : random_next(seed) >> (kind == 1 ? 0 : random_next(seed) % 64);
}

static int32_t any_day(uint64_t *seed)
{
    return random_next(seed) % 8 == 0 ? (int32_t)any(seed)
                                      : 10000 + (int32_t)(random_next(seed) % 20000);
}

static int64_t any_time(uint64_t *seed)
{
    static const int64_t units[] = {1, 1000, 60000, 86400000};
    uint64_t kind = random_next(seed) % 6;
    if (kind == 5)
        return (int64_t)any(seed);
    if (kind == 4)
        return 0;
    return units[kind] * (int64_t)(random_next(seed) % (UINT64_C(4000000000000) / units[kind]));
}

static void any_recent(struct ss_recent *recent, uint64_t *seed)
{
    recent->count = (uint8_t)(random_next(seed) % (SS_RECENT_MAX + 1));
    int32_t day = (int32_t)(random_next(seed) % 40000) - 10000;
    for (int i = 0; i < recent->count; i++) {
        recent->hash[i] = (uint32_t)random_next(seed);
        recent->day[i] = day += (int32_t)(random_next(seed) % 300);
    }
}

static int by_due(const void *a, const void *b)
{
    const struct ss_open_bill *x = a, *y = b;
    if (x->due_at_ms != y->due_at_ms)
        return x->due_at_ms < y->due_at_ms ? -1 : 1;
    return x->id_hash < y->id_hash ? -1 : x->id_hash > y->id_hash;
}

static void any_bills(struct ss_bills_part *part, uint64_t *seed)
{
    part->ref_day = any_day(seed);
    part->on_time_milli = (int64_t)any(seed);
    for (int i = 0; i < SS_LATE_BUCKETS; i++)
        part->late_milli[i] = (int64_t)any(seed);
    part->defaulted_milli = (int64_t)any(seed);
    part->billed = (int64_t)any(seed);
    part->paid = (int64_t)any(seed);
    part->any = random_next(seed) & 1;
    part->open_count = (uint8_t)(random_next(seed) % (SS_OPEN_BILLS_MAX + 1));
    for (int i = 0; i < part->open_count; i++) {
        part->open[i].due_at_ms = any_time(seed);
        part->open[i].id_hash = random_next(seed);
    }
    qsort(part->open, part->open_count, sizeof part->open[0], by_due);
    any_recent(&part->recent, seed);
}

static void any_payments(struct ss_payments_part *part, uint64_t *seed)
{
    part->ref_day = any_day(seed);
    part->settled_milli = (int64_t)any(seed);
    part->refunded_milli = (int64_t)any(seed);
    part->reversed_milli = (int64_t)any(seed);
    part->amount = (int64_t)any(seed);
    part->month = (int32_t)any(seed);
    part->months_mask = (uint32_t)any(seed);
    part->quarter = (int32_t)any(seed);
    part->categories[0] = (uint32_t)any(seed);
    part->categories[1] = (uint32_t)any(seed);
    part->any = random_next(seed) & 1;
    any_recent(&part->recent, seed);
}

static void any_profiles(struct ss_profiles_part *part, uint64_t *seed)
{
    part->verified = (uint8_t)any(seed);
    part->degree_level = (uint8_t)any(seed);
    part->holder = (uint8_t)any(seed);
    part->any = random_next(seed) & 1;
    part->opened = random_next(seed) & 1;
    part->opened_day = any_day(seed);
    part->line_count = (uint8_t)(random_next(seed) % (SS_CREDIT_LINES_MAX + 1));
    uint32_t id_hash = 0;
    for (int i = 0; i < part->line_count; i++) {
        part->lines[i].id_hash = id_hash += 1 + (uint32_t)(random_next(seed) % 500000000);
        part->lines[i].limit = (int64_t)any(seed);
        part->lines[i].balance = (int64_t)any(seed);
    }
    any_recent(&part->recent, seed);
}

static void any_consents(struct ss_consents_part *part, uint64_t *seed)
{
    part->scoring = true;
    part->social = random_next(seed) & 1;
    part->granted_at_ms = any_time(seed);
    part->scoring_position = (int64_t)any(seed);
    part->social_position = (int64_t)any(seed);
    part->social_at_ms = any_time(seed);
    part->share_count = (uint8_t)(random_next(seed) % (SS_SHARES_MAX + 1));
    uint32_t hash = 0;
    for (int i = 0; i < part->share_count; i++) {
        part->shares[i].subscriber_hash = hash += 1 + (uint32_t)(random_next(seed) % 200000000);
        part->shares[i].position = (int64_t)any(seed);
    }
    any_recent(&part->recent, seed);
}

void state_random(struct ss_user_state *state, uint64_t *seed)
{
    memset(state, 0, sizeof *state);
    uint64_t parts = random_next(seed); /* some parts are absent */
    any_consents(&state->consents, seed);
    if (parts & 1)
        any_payments(&state->payments, seed);
    if (parts & 2)
        any_bills(&state->bills, seed);
    if (parts & 4) {
        struct ss_bookings_part *part = &state->bookings;
        part->ref_day = any_day(seed);
        part->made_milli = (int64_t)any(seed);
        part->honoured_milli = (int64_t)any(seed);
        part->no_show_milli = (int64_t)any(seed);
        part->cancelled_milli = (int64_t)any(seed);
        part->any = random_next(seed) & 1;
        any_recent(&part->recent, seed);
    }
    if (parts & 8) {
        state->friends.open = random_next(seed) & 1;
        state->friends.told_band = (uint8_t)any(seed);
        state->friends.telling = random_next(seed) & 1;
        state->friends.tell_from = any(seed);
        state->friends.confirmed = (uint16_t)any(seed);
        state->friends.bands = (uint16_t)any(seed);
        state->friends.unlinked = (uint32_t)any(seed);
        any_recent(&state->social.recent, seed);
    }
    if (parts & 16)
        any_profiles(&state->profiles, seed);
    if (parts & 32) {
        state->blacklist.case_count = (uint8_t)(random_next(seed) % (SS_CASES_MAX + 1));
        for (int i = 0; i < state->blacklist.case_count; i++)
            state->blacklist.cases[i] = random_next(seed);
        any_recent(&state->blacklist.recent, seed);
    }
    if (parts & 64) {
        struct ss_published *published = &state->published;
        published->standing = (uint8_t)(random_next(seed) % 4);
        published->tier = (uint8_t)any(seed);
        published->score = (int16_t)any(seed);
        published->benefits = (uint32_t)any(seed);
        published->sequence = (int64_t)any(seed);
        published->as_of_ms = any_time(seed);
        published->business = random_next(seed) & 1;
        published->horizon_ms = random_next(seed) & 1 ? published->as_of_ms : any_time(seed);
        published->epoch = (int32_t)any(seed);
    }
}

/* Those of the last thirty days, of what came in half a year. */
static void remember(struct ss_recent *recent, uint64_t *seed, int32_t newest, int events,
                     int window)
{
    int within = (events + 5) / 6;
    recent->count = (uint8_t)(within < window ? within : window);
    for (int i = 0; i < recent->count; i++) {
        recent->hash[i] = (uint32_t)random_next(seed);
        recent->day[i] = newest - 180 / events * (recent->count - 1 - i);
    }
}

void state_typical(struct ss_user_state *state, uint64_t *seed, int window)
{
    const int64_t day_ms = 86400000;
    int32_t today = 20600 + (int32_t)(random_next(seed) % 60);
    memset(state, 0, sizeof *state);

    struct ss_payments_part *payments = &state->payments;
    payments->any = true;
    payments->ref_day = today;
    payments->settled_milli = 20000 + (int64_t)(random_next(seed) % 8000);
    payments->amount = 100000 + (int64_t)(random_next(seed) % 900000);
    payments->month = today / 30;
    payments->months_mask = 0x7f;
    payments->quarter = today / 90;
    payments->categories[0] = 0x1a6e & (uint32_t)random_next(seed);
    payments->categories[1] = 0x1a6e & (uint32_t)random_next(seed);
    remember(&payments->recent, seed, today, 30, window);

    struct ss_bills_part *bills = &state->bills;
    bills->any = true;
    bills->ref_day = today - (int32_t)(random_next(seed) % 20);
    bills->on_time_milli = 5000 + (int64_t)(random_next(seed) % 1000);
    bills->billed = 300000 + (int64_t)(random_next(seed) % 500000);
    bills->paid = bills->billed - 50000;
    bills->open_count = 2;
    for (int i = 0; i < 2; i++) {
        bills->open[i].due_at_ms = (today + 10 + 7 * i) * day_ms;
        bills->open[i].id_hash = (uint32_t)random_next(seed);
    }
    remember(&bills->recent, seed, bills->ref_day, 6 * 2 + 2, window);

    struct ss_bookings_part *bookings = &state->bookings;
    bookings->any = true;
    bookings->ref_day = today - (int32_t)(random_next(seed) % 40);
    bookings->made_milli = 1800 + (int64_t)(random_next(seed) % 200);
    bookings->honoured_milli = 1700 + (int64_t)(random_next(seed) % 200);
    remember(&bookings->recent, seed, bookings->ref_day, 4, window);

    state->profiles.any = true;
    state->profiles.verified = 1 << SS_FACT_PHONE | 1 << SS_FACT_IDENTITY;
    state->profiles.holder = SS_HOLDER_PERSON;
    state->profiles.opened = true;
    state->profiles.opened_day = today - 900;
    remember(&state->profiles.recent, seed, today - 400, 3, window);

    state->consents.scoring = true;
    state->consents.granted_at_ms =
        (today - 300) * day_ms + (int64_t)(random_next(seed) % (uint64_t)day_ms);
    state->consents.scoring_position = 20000 + (int64_t)(random_next(seed) % 200000);
    remember(&state->consents.recent, seed, today - 400, 1, window);

    state->published.standing = SS_STANDING_SCORED;
    state->published.tier = 2;
    state->published.score = (int16_t)(560 + random_next(seed) % 120);
    state->published.benefits = 1;
    state->published.sequence = 20 + (int64_t)(random_next(seed) % 20);
    state->published.as_of_ms = today * day_ms + (int64_t)(random_next(seed) % (uint64_t)day_ms);
}

enum ss_status wipe_now(struct ss_store *store, int32_t partition, struct ss_error *err)
{
    struct ss_checkpoint shown;
    bool found;
    enum ss_status status = store->ops->checkpoint(store, partition, &shown, &found, err);
    return status == SS_OK ? store->ops->wipe(store, partition, &shown, err) : status;
}
