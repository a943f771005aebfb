/* States as replays hold them in memory. */
#include "audit/held_state.h"
#include "state/pack.h"
#include "tests/state/helper_state.h"

#include <criterion/criterion.h>

static struct ss_user_state state, back;
static uint8_t held[SS_HELD_MAX], packed[SS_PACKED_MAX], packed_back[SS_PACKED_MAX];

/* The packed form, which has a test of its own, says whether two states are the same. */
static void expect_same(void)
{
    const size_t size = ss_state_pack(&state, packed);
    const size_t size_back = ss_state_pack(&back, packed_back);
    cr_assert(
        ss_bytes_equal((struct ss_bytes){packed, size}, (struct ss_bytes){packed_back, size_back}));
}

Test(held_state, any_state_comes_back_over_whatever_was_there)
{
    uint64_t seed = 7;
    for (int i = 0; i < 2000; i++) {
        if (i % 3 == 0)
            state_typical(&state, &seed, 1 + i % SS_RECENT_MAX);
        else
            state_random(&state, &seed);
        const size_t size = ss_held_write(&state, held);
        cr_assert(size > 0 && size <= SS_HELD_MAX);
        memset(&back, 0xa5, sizeof back);
        ss_held_read((struct ss_bytes){held, size}, &back, NULL);
        expect_same();
    }
}

Test(held_state, a_part_alone_comes_back_and_leaves_the_others_empty)
{
    uint64_t seed = 11;
    for (int part = 0; part < 7; part++) {
        struct ss_user_state full;
        state_random(&full, &seed);
        state = (struct ss_user_state){.blacklist = full.blacklist};
        state.blacklist.case_count = 1; /* or there would be nothing to keep */
        state.payments = part == 0 ? full.payments : state.payments;
        state.bills = part == 1 ? full.bills : state.bills;
        state.bookings = part == 2 ? full.bookings : state.bookings;
        state.social = part == 3 ? full.social : state.social;
        state.friends = part == 4 ? full.friends : state.friends;
        state.profiles = part == 5 ? full.profiles : state.profiles;
        state.consents = part == 6 ? full.consents : state.consents;
        memset(&back, 0xa5, sizeof back);
        ss_held_read((struct ss_bytes){held, ss_held_write(&state, held)}, &back, NULL);
        expect_same();
    }
}

/* One part after the other turns into another state's, where it lies or elsewhere: larger, smaller,
 * or gone. */
Test(held_state, what_has_changed_is_put_among_what_has_not)
{
    struct ss_user_table *table = ss_user_table_open(0);
    const struct ss_text id = {"somebody", 8};
    const uint64_t hash = ss_user_hash(id);
    uint64_t seed = 13;
    int there = 0;
    struct ss_user *user = ss_user_table_add(table, hash, id);
    cr_assert_not_null(user);
    for (int i = 0; i < 20000; i++) {
        struct ss_user_state other;
        struct ss_held_places places;
        const bool all = i % 100 == 0;
        uint32_t inputs = 0;
        if (i % 5 == 0)
            state_random(&other, &seed);
        else
            state_typical(&other, &seed, 1 + i % 5);
        if (i % 7 == 0) /* a part that is gone */
            other = (struct ss_user_state){.consents = other.consents};
        memset(&back, 0xa5, sizeof back);
        ss_held_read(ss_user_packed(user), &back, &places);
        state = all ? other : back;
        state.published = other.published;
        if (i % 8 == SS_PAYMENTS)
            state.payments = other.payments;
        else if (i % 8 == SS_BILLS)
            state.bills = other.bills;
        else if (i % 8 == SS_BOOKINGS)
            state.bookings = other.bookings;
        else if (i % 8 == SS_PROFILES)
            state.profiles = other.profiles;
        else if (i % 8 == SS_CONSENTS)
            state.consents = other.consents;
        else if (i % 8 == SS_BLACKLIST)
            state.blacklist = other.blacklist;
        else if (i % 8 == SS_SOCIAL)
            state.social = other.social;
        if (i % 3 == 0)
            state.friends = other.friends;
        inputs = i % 8 == SS_INPUT_COUNT - 1 ? 0 : UINT32_C(1) << i % 8;
        if (i % 11 == 0) { /* windows of another part are forgotten */
            state.bills.recent.count /= 2;
            inputs |= UINT32_C(1) << SS_BILLS;
        }
        const struct ss_user *before = user;
        user = ss_held_put(table, user, &state, all ? NULL : &places, inputs);
        cr_assert_not_null(user);
        there += user == before && !all;
        memset(&back, 0xa5, sizeof back);
        ss_held_read(ss_user_packed(user), &back, NULL);
        expect_same();
    }
    cr_assert_gt(there, 15000);
    ss_user_table_close(table);
}

Test(held_state, nobody_takes_no_bytes_and_reads_as_nobody)
{
    state = (struct ss_user_state){.payments.settled_milli = 1000};
    cr_assert_eq(ss_held_write(&state, held), 0);
    memset(&back, 0xa5, sizeof back);
    ss_held_read((struct ss_bytes){NULL, 0}, &back, NULL);
    cr_assert(ss_user_state_empty(&back));
    state = (struct ss_user_state){0};
    expect_same();
}
