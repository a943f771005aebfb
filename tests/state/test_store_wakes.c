/* When users are to be woken, as every store must keep it (state/store.h): never late. */
#include "helper_state.h"
#include "helper_stores.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(store_wakes, .fini = stores_remove);

enum { P = 3, USERS = 2500, LATER = 1000000 };

/* What is known of the users beside the store. */
struct sleeper {
    char id[16];
    int64_t wake_ms;
    bool there;
    int delivered; /* how often since that was last set to 0 */
};
static struct sleeper users[USERS];
static int64_t offset; /* of the store's checkpoint; -1: none */

static void begin(void)
{
    offset = -1;
    memset(users, 0, sizeof users);
    for (int i = 0; i < USERS; i++)
        snprintf(users[i].id, sizeof users[i].id, "user-%d", i);
}

static struct ss_put put_of(int user, int64_t wake_ms, bool there)
{
    users[user].wake_ms = wake_ms;
    users[user].there = there;
    return (struct ss_put){text_bytes(users[user].id),
                           there ? text_bytes("state") : (struct ss_bytes){0}, wake_ms};
}

static void save(const struct ss_put *batch_puts, size_t count)
{
    struct ss_checkpoint expect = checkpoint_at(offset), next = checkpoint_at(offset + 1);
    cr_assert_eq(
        store->ops->save(store, P, offset < 0 ? NULL : &expect, &next, batch_puts, count, NULL),
        SS_OK);
    offset++;
}

static void sleep_until(int user, int64_t wake_ms)
{
    struct ss_put put = put_of(user, wake_ms, true);
    save(&put, 1);
}

static void on_user(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    char id[16] = "";
    (void)arg;
    memcpy(id, user_id.data, user_id.size);
    int user = atoi(id + 5);
    cr_assert(users[user].there, "%s was delivered, and is not there", id);
    cr_assert(ss_bytes_equal(packed, text_bytes("state")));
    users[user].delivered++;
}

static struct ss_wake_group look(int64_t until_ms, uint32_t nth)
{
    struct ss_wake_group found;
    struct ss_checkpoint expect = checkpoint_at(offset);
    for (int i = 0; i < USERS; i++)
        users[i].delivered = 0;
    cr_assert_eq(store->ops->wakes(store, P, &expect, until_ms, nth, &found, on_user, NULL, NULL),
                 SS_OK);
    if (!found.found)
        cr_assert_eq(found.wake_ms, SS_WAKE_NEVER);
    return found;
}

static int delivered(void)
{
    int sum = 0;
    for (int i = 0; i < USERS; i++) {
        cr_assert_leq(users[i].delivered, 1, "%s was delivered twice", users[i].id);
        sum += users[i].delivered;
    }
    return sum;
}

static void rearm(uint32_t group, int64_t wake_ms)
{
    struct ss_checkpoint expect = checkpoint_at(offset);
    cr_assert_eq(store->ops->rearm(store, P, &expect, group, wake_ms, NULL), SS_OK);
}

static int64_t earliest(void)
{
    return look(0, 0).wake_ms;
}

STORE_TEST(store_wakes, who_never_wakes_is_not_found)
{
    begin();
    sleep_until(1, SS_WAKE_NEVER);
    cr_assert(!look(INT64_MAX - 1, 0).found);
    cr_assert_eq(delivered(), 0);
}

STORE_TEST(store_wakes, are_delivered_when_their_time_has_come)
{
    begin();
    sleep_until(1, 500);
    struct ss_wake_group found = look(499, 0);
    cr_assert(found.found);
    cr_assert_eq(found.wake_ms, 500);
    cr_assert_eq(delivered(), 0);
    found = look(500, 0);
    cr_assert_eq(found.wake_ms, 500);
    cr_assert_eq(users[1].delivered, 1);
    cr_assert_eq(delivered(), 1);
    cr_assert_eq(look(500, 0).wake_ms, 500); /* until it is armed anew */
    cr_assert_eq(delivered(), 1);
}

STORE_TEST(store_wakes, are_only_brought_forward_by_a_save)
{
    begin();
    sleep_until(1, 500);
    sleep_until(1, 900);
    cr_assert_eq(earliest(), 500);
    sleep_until(1, SS_WAKE_NEVER);
    cr_assert_eq(earliest(), 500);
    sleep_until(1, 300);
    cr_assert_eq(earliest(), 300);
}

STORE_TEST(store_wakes, are_armed_anew_for_later_or_for_never)
{
    begin();
    sleep_until(1, 500);
    struct ss_wake_group found = look(500, 0);
    rearm(found.group, 1700000000123);
    cr_assert_eq(earliest(), 1700000000123);
    sleep_until(1, 600);
    cr_assert_eq(earliest(), 600);
    rearm(found.group, SS_WAKE_NEVER);
    cr_assert(!look(INT64_MAX - 1, 0).found);
    cr_assert_eq(delivered(), 0);
    sleep_until(1, 700);
    cr_assert_eq(earliest(), 700);
}

STORE_TEST(store_wakes, who_was_deleted_is_not_delivered)
{
    begin();
    sleep_until(1, 500);
    struct ss_put gone = put_of(1, SS_WAKE_NEVER, false);
    save(&gone, 1);
    struct ss_wake_group found = look(LATER, 0);
    if (found.found)
        rearm(found.group, SS_WAKE_NEVER);
    cr_assert_eq(delivered(), 0);
    cr_assert(!look(LATER, 0).found);
}

static void expect_give_up(int64_t at_offset, uint32_t group)
{
    struct ss_checkpoint other = checkpoint_at(at_offset);
    struct ss_wake_group found;
    for (int i = 0; i < USERS; i++)
        users[i].delivered = 0;
    cr_assert_eq(store->ops->wakes(store, P, &other, LATER, 0, &found, on_user, NULL, NULL),
                 SS_GIVE_UP);
    cr_assert_eq(delivered(), 0);
    cr_assert_eq(store->ops->rearm(store, P, &other, group, 5, NULL), SS_GIVE_UP);
}

STORE_TEST(store_wakes, give_up_at_another_checkpoint)
{
    begin();
    expect_give_up(0, 0); /* there is none */
    sleep_until(1, 500);
    uint32_t group = look(500, 0).group;
    expect_give_up(offset + 1, group);
    cr_assert_eq(earliest(), 500);
    sleep_until(1, 500);
    expect_give_up(offset - 1, group);
    cr_assert_eq(earliest(), 500);
}

STORE_TEST(store_wakes, are_forgotten_by_a_wipe)
{
    begin();
    sleep_until(1, 500);
    uint32_t group = look(500, 0).group;
    cr_assert_eq(wipe_now(store, P, NULL), SS_OK);
    expect_give_up(offset, group);
    offset = -1;
    sleep_until(2, SS_WAKE_NEVER);
    cr_assert(!look(LATER, 0).found);
}

STORE_TEST(store_wakes, of_partitions_are_apart)
{
    struct ss_checkpoint one = checkpoint_at(1);
    struct ss_put put = {text_bytes("user-7"), text_bytes("state"), 5};
    begin();
    cr_assert_eq(store->ops->save(store, P + 1, NULL, &one, &put, 1, NULL), SS_OK);
    sleep_until(1, 500);
    cr_assert_eq(look(LATER, 0).wake_ms, 500);
    cr_assert_eq(delivered(), 1);
}

/* --- many --- */

static struct ss_put batch[USERS];

static void fill(uint64_t *seed)
{
    for (int i = 0; i < USERS; i++)
        batch[i] = put_of(i, 1 + (int64_t)(random_next(seed) % LATER), true);
    save(batch, USERS);
}

/* The first of all who are there, as the test knows it. */
static int64_t first_of_all(void)
{
    int64_t first_ms = SS_WAKE_NEVER;
    for (int i = 0; i < USERS; i++)
        if (users[i].there && users[i].wake_ms < first_ms)
            first_ms = users[i].wake_ms;
    return first_ms;
}

/* The first of those just delivered, to whom something happens that lets them sleep on. */
static int64_t first_delivered(void)
{
    int64_t first_ms = SS_WAKE_NEVER;
    for (int i = 0; i < USERS; i++)
        if (users[i].delivered && users[i].wake_ms < first_ms)
            first_ms = users[i].wake_ms;
    return first_ms;
}

STORE_TEST(store_wakes, come_in_the_order_of_their_groups_and_each_user_once)
{
    static bool woken[USERS];
    uint64_t seed = 5;
    int64_t before = 0;
    begin();
    memset(woken, 0, sizeof woken);
    fill(&seed);
    cr_assert_leq(earliest(), first_of_all());
    for (int round = 0; round <= USERS; round++) {
        struct ss_wake_group found = look(LATER, 0);
        if (!found.found)
            break;
        cr_assert_geq(found.wake_ms, before);
        cr_assert_geq(first_delivered(), found.wake_ms, "somebody of the group is late");
        before = found.wake_ms;
        for (int i = 0; i < USERS; i++) {
            cr_assert(!(woken[i] && users[i].delivered), "%s twice", users[i].id);
            woken[i] |= users[i].delivered;
        }
        rearm(found.group, SS_WAKE_NEVER);
    }
    for (int i = 0; i < USERS; i++)
        cr_assert(woken[i], "%s was never woken", users[i].id);
}

/* A store that asks nobody for it may leave nth to the next call. */
STORE_TEST(store_wakes, the_nth_is_another_group_and_no_earlier)
{
    uint64_t seed = 6;
    uint32_t seen[8];
    int64_t before = 0;
    begin();
    fill(&seed);
    for (uint32_t nth = 0; nth < 8; nth++) {
        struct ss_wake_group found = look(LATER, nth);
        if (!found.found)
            break;
        cr_assert_geq(found.wake_ms, before);
        before = found.wake_ms;
        for (uint32_t i = 0; i < nth; i++)
            cr_assert_neq(found.group, seen[i]);
        seen[nth] = found.group;
        cr_assert_gt(delivered(), 0);
    }
    cr_assert(!look(LATER, 100000).found);
}

/* What the worker does, and what happens to users meanwhile; the store grows under it. */
STORE_TEST(store_wakes, are_never_late_over_a_long_random_run)
{
    enum { STEPS = 250, BATCH = 60 };
    uint64_t seed = 7;
    int64_t now = 0;
    begin();
    for (int step = 0; step < STEPS; step++) {
        int known = BATCH + step * (USERS - BATCH) / STEPS; /* more and more */
        int first = (int)(random_next(&seed) % (uint64_t)(known - BATCH + 1));
        for (int i = 0; i < BATCH; i++) {
            uint64_t what = random_next(&seed) % 10;
            int64_t wake_ms = now + 1 + (int64_t)(random_next(&seed) % 5000);
            batch[i] = put_of(first + i, what == 0 ? SS_WAKE_NEVER : wake_ms, what != 1);
        }
        save(batch, BATCH);
        now += (int64_t)(random_next(&seed) % 300);
        for (int rounds = 0;; rounds++) {
            cr_assert_lt(rounds, 10 * USERS, "the same group is found again and again");
            struct ss_wake_group found = look(now, 0);
            cr_assert_leq(found.wake_ms, first_of_all(), "somebody will be woken late");
            if (!found.found || found.wake_ms > now)
                break;
            for (int i = 0; i < USERS; i++) /* a step is taken, which the worker saves */
                if (users[i].delivered && users[i].wake_ms <= now)
                    users[i].wake_ms = now + 3000;
            rearm(found.group, first_delivered());
        }
        cr_assert_gt(first_of_all(), now);
    }
}

/* --- all of them, a few groups at a time --- */

static uint32_t walk_from(uint32_t from, uint32_t *groups)
{
    struct ss_checkpoint expect = checkpoint_at(offset);
    uint32_t next;
    cr_assert_eq(store->ops->walk(store, P, &expect, from, &next, groups, on_user, NULL, NULL),
                 SS_OK);
    return next;
}

STORE_TEST(store_wakes, a_walk_meets_each_user_once)
{
    uint64_t seed = 7;
    uint32_t at = 0, groups = 1;
    begin();
    fill(&seed);
    for (int rounds = 0; at < groups; rounds++) {
        uint32_t next = walk_from(at, &groups);
        cr_assert(next > at && next <= groups && rounds < 10000);
        at = next;
    }
    for (int i = 0; i < USERS; i++)
        cr_assert_eq(users[i].delivered, 1, "%s: %d times", users[i].id, users[i].delivered);
    cr_assert_eq(walk_from(groups, &groups), groups, "behind the last there is nobody");
    cr_assert_eq(walk_from(groups + 7, &groups), groups);
    cr_assert_eq(delivered(), USERS);
}

STORE_TEST(store_wakes, a_walk_is_not_put_off_by_who_comes_and_goes)
{
    uint64_t seed = 9;
    uint32_t at = 0, groups = 1, before = 0;
    begin();
    fill(&seed);
    for (int rounds = 0; at < groups; rounds++) {
        at = walk_from(at, &groups);
        cr_assert(before == 0 || groups == before, "the users have changed places");
        before = groups;
        int i = (int)(random_next(&seed) % USERS);
        struct ss_put put = put_of(i, 5, users[i].delivered == 0 || rounds % 2);
        save(&put, 1);
    }
    for (int i = 0; i < USERS; i++)
        cr_assert_eq(users[i].delivered, 1, "%s: %d times", users[i].id, users[i].delivered);
}

STORE_TEST(store_wakes, a_walk_at_another_checkpoint_is_given_up)
{
    struct ss_checkpoint other = checkpoint_at(99);
    uint32_t next, groups;
    struct ss_error err;
    begin();
    sleep_until(1, 500);
    cr_assert_eq(store->ops->walk(store, P, &other, 0, &next, &groups, on_user, NULL, &err),
                 SS_GIVE_UP);
    cr_assert_eq(delivered(), 0);
}

Test(store_wakes, are_the_same_on_a_cluster)
{
    cr_assert_eq(stores_check_on_a_cluster(), 14);
}
