/* Every transition of a link, what it makes both sides say, and the bands. Users here are one
 * letter: u is always the user in hand, f and g his friends. */
#include "scoring/friends.h"

#include "helper_model.h"
#include "scoring/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct ss_friends list;
static struct ss_friends_sum sum;
static struct ss_friends_step step;

#define U helper_text("u")
#define F helper_text("f")
#define G helper_text("g")

static bool is(struct ss_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

/* Consent at score 612, which is in band 5. */
static void opened(void)
{
    memset(&list, 0, sizeof list);
    memset(&sum, 0, sizeof sum);
    ss_friends_open(&sum, 612);
}

static void add(struct ss_text friend_id)
{
    ss_friends_add(&list, &sum, U, friend_id, SS_FRIENDS_MAX, &step);
    cr_assert(ss_friends_agree(&list, &sum));
}

static void removed(struct ss_text friend_id)
{
    ss_friends_remove(&list, &sum, U, friend_id, &step);
    cr_assert(ss_friends_agree(&list, &sum));
}

static void receive(const char *from, enum ss_neighbour_kind kind, uint8_t band, bool wants_reply)
{
    struct ss_neighbour_message message = {U, helper_text(from), kind, band, wants_reply};
    ss_friends_receive(&list, &sum, &message, &step);
    cr_assert(ss_friends_agree(&list, &sum));
}

static void assert_says(const char *to, enum ss_neighbour_kind kind, int band, bool wants_reply)
{
    cr_assert(step.says);
    cr_assert(ss_neighbour_valid(&step.message));
    cr_assert(is(step.message.to, to));
    cr_assert(is(step.message.from, "u"));
    cr_assert_eq(step.message.kind, kind);
    cr_assert_eq(step.message.band, band);
    cr_assert_eq(step.message.wants_reply, wants_reply);
}

static void assert_sum(int confirmed, int bands)
{
    cr_assert_eq(sum.confirmed, confirmed);
    cr_assert_eq(sum.bands, bands);
}

/* ---- links ---- */

Test(friends, a_friend_added_is_a_hash_and_is_asked)
{
    opened();
    add(F);
    assert_says("f", SS_NEIGHBOUR_BAND, 5, true);
    cr_assert(step.list_changed && !step.sum_changed);
    cr_assert_eq(list.count, 1);
    static const struct ss_friend expected = {.hash = UINT64_C(0xaf63db4c8601ead9)};
    cr_assert_eq(memcmp(&list.links[0], &expected, sizeof expected), 0); /* nothing else of him */
    assert_sum(0, 0);
}

Test(friends, who_is_listed_is_confirmed_by_his_band_and_told_ours)
{
    opened();
    add(F);
    receive("f", SS_NEIGHBOUR_BAND, 7, false);
    assert_says("f", SS_NEIGHBOUR_BAND, 5, false);
    cr_assert(step.list_changed && step.sum_changed);
    assert_sum(1, 7);
    cr_assert(is((struct ss_text){list.links[0].id, list.links[0].id_size}, "f"));

    add(G);
    receive("g", SS_NEIGHBOUR_BAND, 0, true);
    assert_says("g", SS_NEIGHBOUR_BAND, 5, false);
    cr_assert(step.list_changed && step.sum_changed);
    assert_sum(2, 7);
}

Test(friends, who_is_confirmed_tells_new_bands)
{
    opened();
    add(F);
    receive("f", SS_NEIGHBOUR_BAND, 7, false);
    receive("f", SS_NEIGHBOUR_BAND, 3, false);
    cr_assert(!step.says && step.list_changed && step.sum_changed);
    assert_sum(1, 3);
    receive("f", SS_NEIGHBOUR_BAND, 3, false);
    cr_assert(!step.says && !step.list_changed && !step.sum_changed);
    receive("f", SS_NEIGHBOUR_BAND, 3, true); /* he lists us anew */
    assert_says("f", SS_NEIGHBOUR_BAND, 5, false);
    cr_assert(!step.list_changed && !step.sum_changed);
}

Test(friends, who_is_not_listed_is_told_so_and_nothing_is_kept)
{
    opened();
    for (int wants_reply = 0; wants_reply < 2; wants_reply++) {
        receive("f", SS_NEIGHBOUR_BAND, 7, wants_reply);
        assert_says("f", SS_NEIGHBOUR_GONE, 0, false);
        cr_assert(!step.list_changed && !step.sum_changed);
        cr_assert_eq(list.count, 0);
    }
    receive("f", SS_NEIGHBOUR_GONE, 0, false);
    cr_assert(!step.says && !step.list_changed);
}

Test(friends, who_has_not_consented_answers_likewise)
{
    memset(&list, 0, sizeof list);
    memset(&sum, 0, sizeof sum);
    receive("f", SS_NEIGHBOUR_BAND, 7, true);
    assert_says("f", SS_NEIGHBOUR_GONE, 0, false);
    receive("f", SS_NEIGHBOUR_GONE, 0, false);
    cr_assert(!step.says);
    cr_assert_eq(list.count, 0);
    cr_assert_not(sum.open);
}

Test(friends, gone_takes_back_and_leaves_the_hash)
{
    opened();
    add(F);
    add(G);
    receive("f", SS_NEIGHBOUR_BAND, 7, false);
    receive("g", SS_NEIGHBOUR_BAND, 4, false);
    struct ss_friends before = list;
    receive("f", SS_NEIGHBOUR_GONE, 0, false);
    cr_assert(!step.says && step.list_changed && step.sum_changed);
    assert_sum(1, 4);
    cr_assert_eq(list.count, 2);
    for (int i = 0; i < 2; i++) {
        struct ss_friend expected = before.links[i];
        if (is((struct ss_text){expected.id, expected.id_size}, "f"))
            expected = (struct ss_friend){.hash = expected.hash};
        cr_assert_eq(memcmp(&list.links[i], &expected, sizeof expected), 0);
    }
    receive("f", SS_NEIGHBOUR_GONE, 0, false);
    cr_assert(!step.says && !step.list_changed && !step.sum_changed);
    receive("f", SS_NEIGHBOUR_BAND, 9, true); /* he is back: our word still stands */
    assert_says("f", SS_NEIGHBOUR_BAND, 5, false);
    assert_sum(2, 13);
}

Test(friends, removing_takes_back_and_says_so_to_who_is_confirmed)
{
    opened();
    add(F);
    receive("f", SS_NEIGHBOUR_BAND, 7, false);
    add(G);
    removed(F);
    assert_says("f", SS_NEIGHBOUR_GONE, 0, false);
    cr_assert(step.list_changed && step.sum_changed);
    assert_sum(0, 0);
    removed(G);
    cr_assert(!step.says && step.list_changed && !step.sum_changed);
    cr_assert_eq(list.count, 0);
    removed(G);
    cr_assert(!step.says && !step.list_changed && !step.sum_changed);
    cr_assert_eq(sum.unlinked, 0);
}

Test(friends, adding_again_asks_again_until_confirmed)
{
    opened();
    add(F);
    add(F);
    assert_says("f", SS_NEIGHBOUR_BAND, 5, true);
    cr_assert_not(step.list_changed);
    cr_assert_eq(list.count, 1);
    receive("f", SS_NEIGHBOUR_BAND, 7, false);
    add(F);
    cr_assert(!step.says && !step.list_changed);
    assert_sum(1, 7);
}

Test(friends, nobody_befriends_himself)
{
    opened();
    add(U);
    cr_assert(!step.says && !step.list_changed);
    cr_assert_eq(list.count, 0);
    cr_assert_eq(sum.unlinked, 0);
}

/* Two ids of one hash cannot be made by hand: the second one's hash is put in the place of
 * another's. */
Test(friends, an_equal_hash_is_not_an_equal_id)
{
    opened();
    add(F);
    receive("f", SS_NEIGHBOUR_BAND, 7, false);
    list.links[0].hash = ss_hash64(G);
    receive("g", SS_NEIGHBOUR_BAND, 2, true);
    assert_says("g", SS_NEIGHBOUR_GONE, 0, false);
    receive("g", SS_NEIGHBOUR_GONE, 0, false);
    assert_sum(1, 7);
    add(G);
    cr_assert(!step.says && !step.list_changed);
    cr_assert_eq(sum.unlinked, 1);
    removed(G);
    cr_assert(!step.says && !step.list_changed);
    cr_assert_eq(sum.unlinked, 0);
    assert_sum(1, 7);
}

/* ---- the bound ---- */

static struct ss_text numbered(int number)
{
    static char text[8][32];
    static int next;
    char *id = text[next++ % 8];
    return (struct ss_text){id, (uint32_t)sprintf(id, "friend-%d", number)};
}

Test(friends, a_celebrity_counts_who_finds_no_room)
{
    enum { ALL = 100000 };
    opened();
    for (int i = 0; i < ALL; i++) {
        ss_friends_add(&list, &sum, U, numbered(i), SS_FRIENDS_MAX, &step);
        cr_assert_eq(step.says, i < SS_FRIENDS_MAX);
        cr_assert_eq(step.list_changed, i < SS_FRIENDS_MAX);
    }
    cr_assert_eq(list.count, SS_FRIENDS_MAX);
    cr_assert_eq(sum.unlinked, ALL - SS_FRIENDS_MAX);
    for (int i = 1; i < list.count; i++)
        cr_assert_lt(list.links[i - 1].hash, list.links[i].hash);

    struct ss_neighbour_message fan = {U, numbered(ALL - 1), SS_NEIGHBOUR_BAND, 7, true};
    ss_friends_receive(&list, &sum, &fan, &step);
    cr_assert_eq(step.message.kind, SS_NEIGHBOUR_GONE);
    for (int i = ALL; i-- > 0;)
        ss_friends_remove(&list, &sum, U, numbered(i), &step);
    cr_assert_eq(list.count, 0);
    cr_assert_eq(sum.unlinked, 0);
    removed(F);
    cr_assert_eq(sum.unlinked, 0);
}

Test(friends, a_lower_bound_lets_nobody_in_and_nobody_out)
{
    opened();
    add(F);
    add(G);
    ss_friends_add(&list, &sum, U, helper_text("h"), 1, &step);
    cr_assert(!step.says && !step.list_changed);
    cr_assert_eq(list.count, 2);
    cr_assert_eq(sum.unlinked, 1);
    ss_friends_add(&list, &sum, U, F, 1, &step); /* in the list already */
    cr_assert_eq(sum.unlinked, 1);
    removed(helper_text("h"));
    cr_assert_eq(sum.unlinked, 0);
    sum.unlinked = UINT32_MAX;
    ss_friends_add(&list, &sum, U, helper_text("h"), 2, &step);
    cr_assert_eq(sum.unlinked, UINT32_MAX);
}

/* ---- withdrawal ---- */

Test(friends, leaving_tells_all_who_are_confirmed_and_leaves_nothing)
{
    struct ss_neighbour_message message;
    int told = 0;
    opened();
    for (int i = 0; i < 20; i++)
        ss_friends_add(&list, &sum, U, numbered(i), 18, &step);
    for (int i = 0; i < 18; i += 2) {
        message = (struct ss_neighbour_message){U, numbered(i), SS_NEIGHBOUR_BAND, 7, false};
        ss_friends_receive(&list, &sum, &message, &step);
    }
    struct ss_model *model = helper_model_copy();
    cr_assert(ss_friends_scored(model, &sum, 900));
    free(model);
    unsigned seen = 0;
    for (; ss_friends_leave(&list, &sum, U, &message); told++) {
        cr_assert(ss_neighbour_valid(&message));
        cr_assert_eq(message.kind, SS_NEIGHBOUR_GONE);
        cr_assert(is(message.from, "u"));
        char id[32] = "";
        memcpy(id, message.to.data, message.to.size);
        seen |= 1u << atoi(id + strlen("friend-"));
    }
    cr_assert_eq(told, 9);
    cr_assert_eq(seen, 0x15555);
    static const struct ss_friends_sum closed;
    cr_assert_eq(memcmp(&sum, &closed, sizeof sum), 0);
    cr_assert_eq(list.count, 0);
    cr_assert_not(ss_friends_leave(&list, &sum, U, &message));
}

/* ---- bands ---- */

Test(friends, bands_cover_the_scores)
{
    cr_assert_eq(ss_band_of(350), 0);
    cr_assert_eq(ss_band_of(399), 0);
    cr_assert_eq(ss_band_of(400), 1);
    cr_assert_eq(ss_band_of(899), 10);
    cr_assert_eq(ss_band_of(900), 11);
    cr_assert_eq(ss_band_of(950), 11);
    cr_assert_eq(ss_band_of(0), 0);
    cr_assert_eq(ss_band_of(2000), 11);
}

static bool scored(int32_t score)
{
    return ss_friends_scored(helper_model(), &sum, score); /* its reach is 30 points */
}

Test(friends, a_new_band_is_told_beyond_reach_and_margin)
{
    opened(); /* band 5: 600 to 649 */
    cr_assert_eq(ss_friends_reach(helper_model()), 30);
    cr_assert_not(scored(649 + 40));
    cr_assert_not(scored(600 - 40));
    cr_assert_eq(sum.told_band, 5);
    cr_assert(scored(649 + 41)); /* 690 is in band 6 */
    cr_assert_eq(sum.told_band, 6);
    cr_assert_not(sum.telling); /* there is nobody to be told */
    cr_assert_not(scored(650 - 40));
    cr_assert(scored(650 - 41));
    cr_assert_eq(sum.told_band, 5);
    cr_assert(scored(950));
    cr_assert_eq(sum.told_band, 11);
    cr_assert_not(scored(950));
}

Test(friends, a_closed_sum_tells_nothing)
{
    memset(&sum, 0, sizeof sum);
    cr_assert_not(scored(900));
    ss_friends_open(&sum, 900);
    cr_assert(sum.open);
    cr_assert_eq(sum.told_band, 11);
    ss_friends_open(&sum, 400); /* nothing, it is open */
    cr_assert_eq(sum.told_band, 11);
}

static int told_in(int at_most, uint8_t told[], int band)
{
    struct ss_neighbour_message message;
    int count = 0;
    for (; count < at_most && ss_friends_tell(&list, &sum, U, &message); count++) {
        cr_assert(ss_neighbour_valid(&message));
        cr_assert_eq(message.kind, SS_NEIGHBOUR_BAND);
        cr_assert_eq(message.band, band);
        cr_assert_not(message.wants_reply);
        char id[32] = "";
        memcpy(id, message.to.data, message.to.size);
        told[atoi(id + strlen("friend-"))]++;
    }
    return count;
}

static void confirm(int number)
{
    ss_friends_add(&list, &sum, U, numbered(number), SS_FRIENDS_MAX, &step);
    struct ss_neighbour_message message = {U, numbered(number), SS_NEIGHBOUR_BAND, 7, true};
    ss_friends_receive(&list, &sum, &message, &step);
}

Test(friends, a_telling_goes_on_in_pieces_while_the_list_changes)
{
    uint8_t told[200] = {0};
    opened();
    for (int i = 0; i < 100; i++)
        confirm(i);
    ss_friends_add(&list, &sum, U, numbered(100), SS_FRIENDS_MAX, &step); /* pending: not told */
    cr_assert(scored(750));
    cr_assert(sum.telling);
    cr_assert_eq(told_in(30, told, 8), 30);
    removed(numbered(0));
    for (int i = 150; i < 160; i++) {
        confirm(i); /* was answered with the new band */
        cr_assert_eq(step.message.band, 8);
    }
    while (sum.telling)
        told_in(7, told, 8);
    for (int i = 1; i < 100; i++)
        cr_assert_eq(told[i], 1);
    cr_assert_leq(told[0], 1);
    cr_assert_eq(told[100], 0);
    cr_assert_eq(sum.tell_from, 0);
    cr_assert_eq(told_in(1, told, 8), 0);
}

Test(friends, a_newer_band_starts_the_telling_over)
{
    uint8_t told[100] = {0};
    opened();
    for (int i = 0; i < 100; i++)
        confirm(i);
    cr_assert(scored(750));
    cr_assert_eq(told_in(60, told, 8), 60);
    cr_assert(scored(500));
    memset(told, 0, sizeof told);
    cr_assert_eq(told_in(1000, told, 3), 100);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(told[i], 1);
}

Test(friends, the_greatest_hash_is_told_once)
{
    uint8_t told[3] = {0};
    opened();
    confirm(0);
    confirm(1);
    list.links[1].hash = UINT64_MAX;
    cr_assert(scored(750));
    cr_assert_eq(told_in(2, told, 8), 2);
    cr_assert_not(sum.telling);
    cr_assert_eq(told_in(2, told, 8), 0);
}

/* ---- checking ---- */

Test(friends, messages_out_of_bounds_are_known)
{
    char id[SS_USER_ID_MAX + 1] = "";
    struct ss_text ok = {id, SS_USER_ID_MAX}, over = {id, SS_USER_ID_MAX + 1}, none = {id, 0};
    const struct {
        struct ss_neighbour_message message;
        bool valid;
    } cases[] = {
        {{ok, ok, SS_NEIGHBOUR_BAND, SS_BAND_COUNT - 1, true}, true},
        {{ok, ok, SS_NEIGHBOUR_GONE, 0, false}, true},
        {{ok, ok, SS_NEIGHBOUR_BAND, SS_BAND_COUNT, true}, false},
        {{ok, ok, SS_NEIGHBOUR_GONE, 1, false}, false},
        {{ok, ok, SS_NEIGHBOUR_GONE, 0, true}, false},
        {{ok, ok, (enum ss_neighbour_kind)2, 0, false}, false},
        {{over, ok, SS_NEIGHBOUR_BAND, 0, false}, false},
        {{ok, over, SS_NEIGHBOUR_BAND, 0, false}, false},
        {{none, ok, SS_NEIGHBOUR_BAND, 0, false}, false},
        {{ok, none, SS_NEIGHBOUR_BAND, 0, false}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(ss_neighbour_valid(&cases[i].message), cases[i].valid, "case %zu", i);
}

Test(friends, a_sum_that_is_not_of_the_list_is_noticed)
{
    opened();
    confirm(1);
    cr_assert(ss_friends_agree(&list, &sum));
    sum.bands++;
    cr_assert_not(ss_friends_agree(&list, &sum));
    sum.bands--;
    sum.confirmed++;
    cr_assert_not(ss_friends_agree(&list, &sum));
    sum.confirmed--;
    sum.tell_from = 1;
    cr_assert_not(ss_friends_agree(&list, &sum));
    sum.tell_from = 0;
    sum.told_band = SS_BAND_COUNT;
    cr_assert_not(ss_friends_agree(&list, &sum));
    memset(&sum, 0, sizeof sum);
    cr_assert_not(ss_friends_agree(&list, &sum));
    list.count = 0;
    cr_assert(ss_friends_agree(&list, &sum));
    sum.unlinked = 1;
    cr_assert_not(ss_friends_agree(&list, &sum));
}
