/* The packed form: whatever a state holds survives, nothing else is accepted, and the bytes of
 * the format stay what they are. */
#include "state/pack.h"

#include "helper_state.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct ss_bytes pack(const struct ss_user_state *state, uint8_t out[SS_PACKED_MAX])
{
    return (struct ss_bytes){out, ss_state_pack(state, out)};
}

static void assert_survives(const struct ss_user_state *state)
{
    uint8_t bytes[SS_PACKED_MAX], again[SS_PACKED_MAX];
    struct ss_user_state copy;
    struct ss_error err;
    memset(&copy, 0x5a, sizeof copy);
    struct ss_bytes packed = pack(state, bytes);
    cr_assert_eq(ss_state_unpack(packed, &copy, &err), SS_OK);
    cr_assert_eq(memcmp(state, &copy, sizeof copy), 0);
    cr_assert(ss_bytes_equal(packed, pack(&copy, again)));
}

static void assert_bytes(const struct ss_user_state *state, const char *hex)
{
    uint8_t bytes[SS_PACKED_MAX];
    char text[2 * SS_PACKED_MAX + 1] = "";
    struct ss_bytes packed = pack(state, bytes);
    for (size_t i = 0; i < packed.size; i++)
        sprintf(text + 2 * i, "%02x", bytes[i]);
    cr_assert_str_eq(text, hex);
    assert_survives(state);
}

Test(pack, nobody_packs_to_nothing)
{
    struct ss_user_state state = {0};
    uint8_t bytes[SS_PACKED_MAX];
    cr_assert_eq(ss_state_pack(&state, bytes), 0);
    state.payments.any = true; /* without a grant nothing else is kept */
    cr_assert_eq(ss_state_pack(&state, bytes), 0);
    memset(&state, 0x5a, sizeof state);
    cr_assert_eq(ss_state_unpack((struct ss_bytes){0}, &state, NULL), SS_OK);
    static const struct ss_user_state zero;
    cr_assert_eq(memcmp(&state, &zero, sizeof zero), 0);
}

/* Golden bytes. If one of these fails, states in the field are no longer readable: give the new
 * form a new format number and keep reading this one. */
Test(pack, bytes_of_a_grant)
{
    struct ss_user_state state = {0};
    state.consents.scoring = true;
    state.consents.granted_at_ms = INT64_C(1577836800000) + 5000; /* 2020-01-01T00:00:05Z */
    state.consents.scoring_position = 300;
    state.consents.recent.count = 1;
    state.consents.recent.hash[0] = 0x04030201;
    state.published.standing = SS_STANDING_SCORED;
    state.published.score = 600;
    state.published.sequence = 1;
    state.published.as_of_ms = INT64_C(1577836800000) - 86400000;
    /* format, parts 5 and 7; consents: mask, 5 s, position, count and -1 day, hash;
     * published: mask with standing, score, sequence, -1 day, horizon 300 ms before it */
    state.consents.recent.day[0] = 18262 - 1;
    state.published.horizon_ms = state.published.as_of_ms - 300;
    assert_bytes(&state, "03a0"
                         "4d"
                         "29"
                         "ac02"
                         "20"
                         "01020304"
                         "5a01"
                         "b009"
                         "01"
                         "07"
                         "ac02");
}

Test(pack, bytes_of_every_part)
{
    struct ss_user_state state = {0};
    state.payments = (struct ss_payments_part){.ref_day = 20453,
                                               .settled_milli = 2000,
                                               .amount = 12345,
                                               .month = 681,
                                               .months_mask = 3,
                                               .quarter = 226 /* one before its day's */,
                                               .any = true};
    state.bills = (struct ss_bills_part){
        .ref_day = 20450, .on_time_milli = 1000, .any = true, .open_count = 2};
    state.bills.late_milli[4] = 500;
    state.bills.open[0] = (struct ss_open_bill){0x55667788, INT64_C(20460) * 86400000};
    state.bills.open[1] = (struct ss_open_bill){1, INT64_C(20460) * 86400000 + 61};
    state.bookings = (struct ss_bookings_part){.ref_day = 20454, .made_milli = 1, .any = true};
    state.friends = (struct ss_friends_sum){.open = true,
                                            .told_band = 7,
                                            .telling = true,
                                            .tell_from = 0x1122334455667788,
                                            .confirmed = 200,
                                            .bands = 1000,
                                            .unlinked = 1};
    state.profiles = (struct ss_profiles_part){.verified = 2,
                                               .holder = 1,
                                               .opened = true,
                                               .any = true,
                                               .opened_day = 20000,
                                               .line_count = 1};
    state.profiles.lines[0] = (struct ss_credit_line){0xdeadbeef, 100000, -5};
    state.consents = (struct ss_consents_part){
        .scoring = true, .social = true, .social_position = 9, .share_count = 1};
    state.consents.social_at_ms = INT64_C(20400) * 86400000;
    state.consents.shares[0] = (struct ss_share){7, 8};
    state.blacklist.case_count = 1;
    state.blacklist.cases[0] = 0xff;
    assert_bytes(&state, "037f"
                         "d304"
                         "9e22"
                         "d00f"
                         "b960"
                         "03"
                         "01"
                         "430c"
                         "05"
                         "e807"
                         "f403"
                         "02"
                         "3b"
                         "88776655"
                         "e803"
                         "01000000"
                         "23"
                         "02"
                         "01"
                         "7f"
                         "07"
                         "8877665544332211"
                         "c801"
                         "e807"
                         "01"
                         "7d"
                         "02"
                         "01"
                         "8b07"
                         "01"
                         "efbeadde"
                         "a08d06"
                         "09"
                         "b3"
                         "09"
                         "01"
                         "07000000"
                         "08"
                         "af03"
                         "01"
                         "01"
                         "ff00000000000000");
}

Test(pack, random_states_survive)
{
    uint64_t seed = 7;
    struct ss_user_state state;
    for (int i = 0; i < 20000; i++) {
        state_random(&state, &seed);
        assert_survives(&state);
    }
}

/* Equal values have equal bytes whatever lies in the padding and behind the counts. */
Test(pack, bytes_come_from_the_values_alone)
{
    uint64_t seed = 11;
    for (int i = 0; i < 2000; i++) {
        struct ss_user_state state, dirty;
        uint8_t a[SS_PACKED_MAX], b[SS_PACKED_MAX];
        state_random(&state, &seed);
        memset(&dirty, 0xa5, sizeof dirty);
        struct ss_bytes packed = pack(&state, a);
        cr_assert_eq(ss_state_unpack(packed, &dirty, NULL), SS_OK);
        if (dirty.bills.recent.count < SS_RECENT_MAX)
            dirty.bills.recent.hash[SS_RECENT_MAX - 1] = 1;
        if (dirty.bills.open_count < SS_OPEN_BILLS_MAX)
            dirty.bills.open[SS_OPEN_BILLS_MAX - 1].id_hash = 1;
        cr_assert(ss_bytes_equal(packed, pack(&dirty, b)));
    }
}

static void fill(struct ss_recent *recent)
{
    memset(recent->hash, 0xff, sizeof recent->hash);
    for (int i = 0; i < SS_RECENT_MAX; i++)
        recent->day[i] = i < SS_RECENT_MAX / 2 ? INT32_MIN : INT32_MAX;
    recent->count = SS_RECENT_MAX;
}

Test(pack, the_largest_state_fits)
{
    struct ss_user_state state;
    memset(&state, 0, sizeof state);
    struct ss_payments_part *p = &state.payments;
    p->ref_day = INT32_MIN;
    p->settled_milli = p->refunded_milli = p->reversed_milli = p->amount = -1;
    p->month = p->quarter = INT32_MAX;
    p->months_mask = p->categories[0] = p->categories[1] = UINT32_MAX;
    p->any = true;
    struct ss_bills_part *b = &state.bills;
    b->ref_day = INT32_MAX;
    b->on_time_milli = b->defaulted_milli = b->billed = b->paid = -1;
    for (int i = 0; i < SS_LATE_BUCKETS; i++)
        b->late_milli[i] = -1;
    b->any = true;
    b->open_count = SS_OPEN_BILLS_MAX;
    for (int i = 0; i < SS_OPEN_BILLS_MAX; i++) {
        b->open[i].due_at_ms = i < 32 ? INT64_MIN + i : INT64_MAX - 64 + i;
        b->open[i].id_hash = UINT32_MAX;
    }
    struct ss_bookings_part *k = &state.bookings;
    k->ref_day = INT32_MIN;
    k->made_milli = k->honoured_milli = k->no_show_milli = k->cancelled_milli = -1;
    k->any = true;
    state.friends = (struct ss_friends_sum){.open = true,
                                            .told_band = UINT8_MAX,
                                            .telling = true,
                                            .tell_from = UINT64_MAX,
                                            .confirmed = UINT16_MAX,
                                            .bands = UINT16_MAX,
                                            .unlinked = UINT32_MAX};
    struct ss_profiles_part *f = &state.profiles;
    f->verified = f->degree_level = f->holder = UINT8_MAX;
    f->any = f->opened = true;
    f->opened_day = INT32_MIN;
    f->line_count = SS_CREDIT_LINES_MAX;
    for (int i = 0; i < SS_CREDIT_LINES_MAX; i++) {
        f->lines[i].id_hash = UINT32_MAX - SS_CREDIT_LINES_MAX + (uint32_t)i;
        f->lines[i].limit = -1;
        f->lines[i].balance = INT64_MIN;
    }
    struct ss_consents_part *c = &state.consents;
    c->scoring = c->social = true;
    c->granted_at_ms = c->social_at_ms = INT64_MIN + 1;
    c->scoring_position = c->social_position = -1;
    c->share_count = SS_SHARES_MAX;
    for (int i = 0; i < SS_SHARES_MAX; i++) {
        c->shares[i].subscriber_hash = UINT32_MAX - SS_SHARES_MAX + (uint32_t)i;
        c->shares[i].position = -1;
    }
    state.blacklist.case_count = SS_CASES_MAX;
    memset(state.blacklist.cases, 0xff, sizeof state.blacklist.cases);
    state.published = (struct ss_published){.standing = 3,
                                            .tier = UINT8_MAX,
                                            .score = INT16_MIN,
                                            .benefits = UINT32_MAX,
                                            .sequence = -1,
                                            .as_of_ms = INT64_MIN,
                                            .business = true,
                                            .horizon_ms = INT64_MAX};
    fill(&p->recent), fill(&b->recent), fill(&k->recent), fill(&state.social.recent);
    fill(&f->recent), fill(&c->recent), fill(&state.blacklist.recent);

    uint8_t bytes[SS_PACKED_MAX];
    cr_log_info("largest: %zu of %d bytes", ss_state_pack(&state, bytes), SS_PACKED_MAX);
    assert_survives(&state);
}

/* Unpacks a copy of exactly that size, so that a sanitizer sees any byte read behind it. What is
 * accepted must be the one form of its state. */
static enum ss_status unpack_exact(const uint8_t *bytes, size_t size)
{
    struct ss_user_state state;
    uint8_t again[SS_PACKED_MAX];
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    enum ss_status status = ss_state_unpack((struct ss_bytes){copy, size}, &state, NULL);
    if (status == SS_OK && size > 0 && !ss_user_state_empty(&state)) {
        cr_assert_eq(ss_state_pack(&state, again), size);
        cr_assert_eq(memcmp(again, copy, size), 0);
    } else if (status != SS_OK) {
        static const struct ss_user_state zero;
        cr_assert_eq(status, SS_GIVE_UP);
        cr_assert_eq(memcmp(&state, &zero, sizeof zero), 0);
    }
    free(copy);
    return status;
}

Test(pack, every_truncation_and_every_tail_is_refused)
{
    uint64_t seed = 3;
    for (int i = 0; i < 100; i++) {
        struct ss_user_state state;
        uint8_t bytes[SS_PACKED_MAX + 1];
        state_random(&state, &seed);
        size_t size = ss_state_pack(&state, bytes);
        for (size_t cut = 1; cut < size; cut++)
            cr_assert_eq(unpack_exact(bytes, cut), SS_GIVE_UP);
        bytes[size] = 0;
        cr_assert_eq(unpack_exact(bytes, size + 1), SS_GIVE_UP);
    }
}

Test(pack, damaged_bytes_are_refused_or_are_another_state)
{
    uint64_t seed = 5;
    int accepted = 0;
    for (int i = 0; i < 100000; i++) {
        struct ss_user_state state;
        uint8_t bytes[SS_PACKED_MAX];
        if (i & 1)
            state_typical(&state, &seed, 8);
        else
            state_random(&state, &seed);
        size_t size = ss_state_pack(&state, bytes);
        for (uint64_t n = 1 + random_next(&seed) % 3; n > 0; n--)
            bytes[random_next(&seed) % size] ^= (uint8_t)(1u << random_next(&seed) % 8);
        accepted += unpack_exact(bytes, size) == SS_OK;
    }
    cr_assert(accepted > 0 && accepted < 100000);
}

Test(pack, refuses_other_forms_of_the_same_state)
{
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t size;
    } cases[] = {
        {"the plain form", {3, 0x20, 0x09, 5}, 4},
        {"an older format", {2, 0x20, 0x09, 5}, 4},
        {"an unknown format", {4, 0x20, 0x09, 5}, 4},
        {"no parts", {3, 0}, 2},
        {"a part without fields", {3, 0x21, 0, 0, 0x09, 5}, 6},
        {"a field at its default", {3, 0x20, 0x09, 0}, 4},
        {"a varint with a needless byte", {3, 0x20, 0x09, 0x85, 0}, 5},
        {"a varint over 64 bits",
         {3, 0x20, 0x09, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2},
         13},
        {"an unknown field", {3, 0x20, 0x89, 5}, 4},
        {"a count over its bound", {3, 0x20, 0x21, SS_SHARES_MAX + 1}, 4},
        {"an empty list", {3, 0x20, 0x21, 0}, 4},
        {"a window without its ids", {3, 0x20, 0x41, 0x40}, 4},
        {"a window of no day", {3, 0x20, 0x41, 0xe0, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4}, 13},
        {"a time in too small a unit", {3, 0x20, 0x05, 0x80, 0x7d}, 5},
    };
    cr_assert_eq(unpack_exact(cases[0].bytes, cases[0].size), SS_OK);
    for (size_t i = 1; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(unpack_exact(cases[i].bytes, cases[i].size), SS_GIVE_UP, "%s", cases[i].what);
}

Test(pack, refuses_lists_out_of_order)
{
    struct ss_user_state state = {0};
    uint8_t bytes[SS_PACKED_MAX];
    state.consents.scoring = true;
    state.consents.share_count = 2;
    state.consents.shares[0].subscriber_hash = 1;
    state.consents.shares[1].subscriber_hash = 2;
    size_t size = ss_state_pack(&state, bytes);
    cr_assert_eq(bytes[size - 5], 2); /* the second share's hash */
    bytes[size - 5] = 1;
    cr_assert_eq(unpack_exact(bytes, size), SS_GIVE_UP);

    memset(&state.consents.shares, 0, sizeof state.consents.shares);
    state.consents.share_count = 0;
    state.bills.open_count = 2;
    state.bills.open[0].id_hash = 1;
    state.bills.open[1].id_hash = 2;
    size = ss_state_pack(&state, bytes);
    uint8_t *second = NULL;
    for (size_t i = 1; i + 4 <= size; i++)
        if (bytes[i] == 2 && bytes[i - 1] == 3) /* due on the same instant, then the hash */
            second = &bytes[i];
    cr_assert(second);
    *second = 1;
    cr_assert_eq(unpack_exact(bytes, size), SS_GIVE_UP);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* For information: what an ordinary user takes. */
Test(pack, sizes_and_times_of_a_typical_user)
{
    enum { USERS = 256, ROUNDS = 200 };
    static uint8_t bytes[USERS][SS_PACKED_MAX];
    static struct ss_user_state states[USERS];
    static size_t sizes[USERS];
    const int windows[] = {0, 4, 8, 16};
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        uint64_t seed = 1;
        size_t sum = 0;
        for (int i = 0; i < USERS; i++)
            state_typical(&states[i], &seed, windows[w]);
        double start = now_ns();
        for (int r = 0; r < ROUNDS; r++)
            for (int i = 0; i < USERS; i++)
                sizes[i] = ss_state_pack(&states[i], bytes[i]);
        double packed = now_ns();
        struct ss_user_state state;
        int failed = 0;
        for (int r = 0; r < ROUNDS; r++)
            for (int i = 0; i < USERS; i++)
                failed +=
                    ss_state_unpack((struct ss_bytes){bytes[i], sizes[i]}, &state, NULL) != SS_OK;
        double unpacked = now_ns();
        for (int i = 0; i < USERS; i++)
            sum += sizes[i];
        printf("window %2d: %.1f bytes, pack %.0f ns, unpack %.0f ns\n", windows[w],
               (double)sum / USERS, (packed - start) / USERS / ROUNDS,
               (unpacked - packed) / USERS / ROUNDS);
        cr_assert_eq(failed, 0);
        cr_assert(sum / USERS < 90 + 11 * 5 + 5); /* 11: events of thirty days */
    }
}
