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
        ss_held_read((struct ss_bytes){held, size}, &back);
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
        ss_held_read((struct ss_bytes){held, ss_held_write(&state, held)}, &back);
        expect_same();
    }
}

Test(held_state, nobody_takes_no_bytes_and_reads_as_nobody)
{
    state = (struct ss_user_state){.payments.settled_milli = 1000};
    cr_assert_eq(ss_held_write(&state, held), 0);
    memset(&back, 0xa5, sizeof back);
    ss_held_read((struct ss_bytes){NULL, 0}, &back);
    cr_assert(ss_user_state_empty(&back));
    state = (struct ss_user_state){0};
    expect_same();
}
