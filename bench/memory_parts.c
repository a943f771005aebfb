#include "bench/memory_parts.h"

#include "scoring/apply.h"
#include "state/pack.h"

#include <stdio.h>

static struct ss_user_state peeled;

#define PEEL(name, what)          \
    static void peel_##name(void) \
    {                             \
        what;                     \
    }
#define CLEAR(field) memset(&peeled.field, 0, sizeof peeled.field)
PEEL(as_of, peeled.published.horizon_ms -= peeled.published.as_of_ms; CLEAR(published.as_of_ms))
PEEL(published, CLEAR(published))
PEEL(consents_window, CLEAR(consents.recent))
PEEL(shares, CLEAR(consents.shares); peeled.consents.share_count = 0)
PEEL(granted_at, CLEAR(consents.granted_at_ms))
PEEL(position, CLEAR(consents.scoring_position))
PEEL(profiles_window, CLEAR(profiles.recent))
PEEL(lines, CLEAR(profiles.lines); peeled.profiles.line_count = 0)
PEEL(profiles, CLEAR(profiles))
PEEL(social_window, CLEAR(social.recent))
PEEL(social, CLEAR(social))
PEEL(bookings_window, CLEAR(bookings.recent))
PEEL(bookings, CLEAR(bookings))
PEEL(bills_window, CLEAR(bills.recent))
PEEL(open, CLEAR(bills.open); peeled.bills.open_count = 0)
PEEL(bills, CLEAR(bills))
PEEL(payments_window, CLEAR(payments.recent))
PEEL(payments, CLEAR(payments))
PEEL(rest, CLEAR(consents))

/* From the back to the front, so that nothing which is left changes its form: a day or a time is
 * written against a day of an earlier part. */
static struct {
    const char *name;
    bool window;
    void (*peel)(void);
    size_t bytes;
} parts[] = {
    {"published: as_of", false, peel_as_of, 0},
    {"published: the rest", false, peel_published, 0},
    {"window of consents", true, peel_consents_window, 0},
    {"consents: shares", false, peel_shares, 0},
    {"consents: granted_at", false, peel_granted_at, 0},
    {"consents: position of the grant", false, peel_position, 0},
    {"window of profiles", true, peel_profiles_window, 0},
    {"profiles: credit lines", false, peel_lines, 0},
    {"profiles: the rest", false, peel_profiles, 0},
    {"window of social", true, peel_social_window, 0},
    {"social: the rest", false, peel_social, 0},
    {"window of bookings", true, peel_bookings_window, 0},
    {"bookings: the rest", false, peel_bookings, 0},
    {"window of bills", true, peel_bills_window, 0},
    {"bills: open ones", false, peel_open, 0},
    {"bills: the rest", false, peel_bills, 0},
    {"window of payments", true, peel_payments_window, 0},
    {"payments: the rest", false, peel_payments, 0},
    {"format, parts, grant", false, peel_rest, 0},
};
enum { PART_COUNT = sizeof parts / sizeof parts[0] };

static size_t remembered[SS_UPSTREAM_COUNT];

void memory_parts_add(const struct ss_user_state *state)
{
    static uint8_t packed[SS_PACKED_MAX];
    const struct ss_recent *windows[] = {&state->payments.recent, &state->bills.recent,
                                         &state->bookings.recent, &state->social.recent,
                                         &state->profiles.recent, &state->consents.recent,
                                         &state->blacklist.recent};
    for (int i = 0; i < SS_UPSTREAM_COUNT; i++)
        remembered[i] += windows[i]->count;
    peeled = *state;
    size_t size = ss_state_pack(state, packed);
    for (int i = 0; i < PART_COUNT; i++) {
        parts[i].peel();
        size_t left = ss_state_pack(&peeled, packed);
        parts[i].bytes += size - left;
        size = left;
    }
}

void memory_parts_clear(void)
{
    memset(remembered, 0, sizeof remembered);
    for (int i = 0; i < PART_COUNT; i++)
        parts[i].bytes = 0;
}

void memory_parts_print(int users)
{
    size_t windows = 0;
    printf("| part | bytes, mean |\n|---|---|\n");
    for (int i = PART_COUNT; i-- > 0;) {
        windows += parts[i].window ? parts[i].bytes : 0;
        printf("| %s | %.1f |\n", parts[i].name, (double)parts[i].bytes / users);
    }
    printf("| (all windows) | %.1f |\n\nEvents remembered:", (double)windows / users);
    for (int i = 0; i < SS_UPSTREAM_COUNT; i++)
        printf(" %s %.2f", ss_input_name((enum ss_input)i), (double)remembered[i] / users);
    printf("\n\n");
}
