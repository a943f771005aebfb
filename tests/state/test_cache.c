/* The write-back cache against a plain array, over a long random run. */
#include "helper_state.h"
#include "state/cache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct ss_bytes text(const char *s)
{
    return (struct ss_bytes){s, strlen(s)};
}

static bool put(struct ss_cache *cache, const char *user_id, const char *state)
{
    return ss_cache_put(cache, text(user_id), text(state), SS_WAKE_NEVER);
}

/* The state, "" if the user is known to be absent, NULL if the cache does not know. */
static const char *get(struct ss_cache *cache, const char *user_id)
{
    static char found[5000];
    struct ss_bytes packed;
    if (!ss_cache_get(cache, text(user_id), &packed))
        return NULL;
    snprintf(found, sizeof found, "%.*s", (int)packed.size, (const char *)packed.data);
    return found;
}

Test(cache, knows_what_was_put_and_what_was_filled)
{
    struct ss_cache *cache = ss_cache_open(1 << 20);
    cr_assert_null(get(cache, "alice"));
    cr_assert(ss_cache_fill(cache, text("alice"), text("read")));
    cr_assert_str_eq(get(cache, "alice"), "read");
    cr_assert(put(cache, "alice", "changed"));
    cr_assert(ss_cache_fill(cache, text("alice"), text("read")));
    cr_assert_str_eq(get(cache, "alice"), "changed", "a fill replaced a newer state");
    cr_assert(ss_cache_fill(cache, text("bob"), (struct ss_bytes){NULL, 0}));
    cr_assert_str_eq(get(cache, "bob"), "");
    cr_assert_eq(ss_cache_entries(cache), 2);
    ss_cache_close(cache);
}

Test(cache, a_state_may_be_put_from_the_cache_itself)
{
    struct ss_cache *cache = ss_cache_open(1 << 20);
    struct ss_bytes packed;
    cr_assert(put(cache, "alice", "0123456789"));
    cr_assert(ss_cache_get(cache, text("alice"), &packed));
    packed.data = (const char *)packed.data + 2;
    packed.size -= 2;
    cr_assert(ss_cache_put(cache, text("alice"), packed, SS_WAKE_NEVER));
    cr_assert_str_eq(get(cache, "alice"), "23456789");
    ss_cache_close(cache);
}

Test(cache, lists_each_pinned_state_once_in_order)
{
    struct ss_cache *cache = ss_cache_open(1 << 20);
    const char *const names[] = {"carol", "alice", "bob"};
    struct ss_put one;
    char large[3000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    for (int i = 0; i < 3; i++)
        cr_assert(put(cache, names[i], "first"));
    cr_assert(put(cache, "alice", large)); /* grows out of its place */
    cr_assert(put(cache, "bob", ""));      /* deletes */
    cr_assert_eq(ss_cache_pinned_count(cache), 3);
    const char *const states[] = {"first", large, ""};
    for (size_t i = 0; i < 3; i++) {
        ss_cache_pinned(cache, i, &one);
        cr_assert(ss_bytes_equal(one.user_id, text(names[i])));
        cr_assert(ss_bytes_equal(one.packed, text(states[i])));
    }
    ss_cache_saved(cache);
    cr_assert_eq(ss_cache_pinned_count(cache), 0);
    cr_assert_str_eq(get(cache, "alice"), large);
    cr_assert(put(cache, "bob", "again"));
    cr_assert_eq(ss_cache_pinned_count(cache), 1);
    ss_cache_close(cache);
}

Test(cache, keeps_when_each_pinned_state_wakes)
{
    struct ss_cache *cache = ss_cache_open(1 << 20);
    struct ss_put one;
    char large[3000];
    memset(large, 'x', sizeof large);
    cr_assert(ss_cache_put(cache, text("alice"), text("a"), 500));
    cr_assert(ss_cache_put(cache, text("bob"), text("b"), SS_WAKE_NEVER));
    cr_assert(ss_cache_put(cache, text("alice"), text("aa"), 900));
    cr_assert(ss_cache_put(cache, text("bob"), (struct ss_bytes){large, sizeof large}, 300));
    ss_cache_pinned(cache, 0, &one);
    cr_assert_eq(one.wake_ms, 900, "that of an older state");
    ss_cache_pinned(cache, 1, &one);
    cr_assert_eq(one.wake_ms, 300);
    ss_cache_saved(cache);
    cr_assert(ss_cache_put(cache, text("alice"), text("a"), 100));
    ss_cache_pinned(cache, 0, &one);
    cr_assert_eq(one.wake_ms, 100);
    ss_cache_close(cache);
}

Test(cache, is_trimmed_of_what_was_filled_but_not_of_what_is_pinned)
{
    struct ss_cache *cache = ss_cache_open(0);
    cr_assert(put(cache, "alice", "changed"));
    cr_assert(ss_cache_fill(cache, text("bob"), text("read")));
    ss_cache_trim(cache);
    cr_assert_null(get(cache, "bob"));
    cr_assert_str_eq(get(cache, "alice"), "changed");
    ss_cache_close(cache);
}

Test(cache, what_is_used_survives_what_is_not)
{
    struct ss_cache *cache = ss_cache_open(20000);
    char name[24];
    cr_assert(put(cache, "often", "x"));
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "once-%d", i);
        cr_assert(put(cache, name, "x"));
        cr_assert_not_null(get(cache, "often"), "evicted after %d others", i);
        if (i % 10 == 9)
            ss_cache_saved(cache);
    }
    ss_cache_close(cache);
}

enum { USERS = 400, STEPS = 60000, STATE_MAX = 900, BYTES_MAX = 60000 };

struct reference {
    char name[16];
    char cached[STATE_MAX]; /* what must be in the cache if it is pinned */
    char stored[STATE_MAX]; /* what the store would answer */
    bool pinned;
};

static void random_text(uint64_t *seed, char *out)
{
    size_t size = random_next(seed) % 4 ? random_next(seed) % 60 : random_next(seed) % STATE_MAX;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)('a' + random_next(seed) % 26);
    out[size] = '\0';
}

static void check_pinned(const struct ss_cache *cache, const struct reference *users)
{
    size_t pinned = 0;
    for (int i = 0; i < USERS; i++)
        pinned += users[i].pinned;
    cr_assert_eq(ss_cache_pinned_count(cache), pinned);
    for (size_t i = 0; i < pinned; i++) {
        struct ss_put one;
        char name[16];
        ss_cache_pinned(cache, i, &one);
        snprintf(name, sizeof name, "%.*s", (int)one.user_id.size, (const char *)one.user_id.data);
        const struct reference *user = &users[atoi(name + 1)];
        cr_assert(user->pinned);
        cr_assert(ss_bytes_equal(one.packed, text(user->cached)), "%s", name);
    }
}

/* One round of what a worker does: reads, changes, and now and then a save. */
static void random_step(struct ss_cache *cache, struct reference *users, uint64_t *seed)
{
    struct reference *user = &users[random_next(seed) % USERS];
    const char *found = get(cache, user->name);
    switch (random_next(seed) % 4) {
    case 0:
    case 1:
        if (user->pinned)
            cr_assert_not_null(found, "%s was evicted although it is pinned", user->name);
        if (found) {
            cr_assert_str_eq(found, user->pinned ? user->cached : user->stored);
        } else {
            cr_assert(ss_cache_fill(cache, text(user->name), text(user->stored)));
            cr_assert_str_eq(get(cache, user->name), user->stored);
        }
        break;
    case 2:
        random_text(seed, user->cached);
        user->pinned = true;
        cr_assert(put(cache, user->name, user->cached));
        break;
    default:
        if (random_next(seed) % 20 != 0)
            break;
        check_pinned(cache, users);
        ss_cache_saved(cache);
        for (int i = 0; i < USERS; i++)
            if (users[i].pinned) {
                strcpy(users[i].stored, users[i].cached);
                users[i].pinned = false;
            }
        cr_assert_leq(ss_cache_bytes(cache), BYTES_MAX);
    }
}

Test(cache, agrees_with_a_plain_array_over_a_long_run)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t state = seed;
        struct reference *users = calloc(USERS, sizeof *users);
        struct ss_cache *cache = ss_cache_open(BYTES_MAX);
        for (int i = 0; i < USERS; i++)
            snprintf(users[i].name, sizeof users[i].name, "u%d", i);
        for (int step = 0; step < STEPS; step++)
            random_step(cache, users, &state);
        check_pinned(cache, users);
        ss_cache_saved(cache);
        cr_assert_leq(ss_cache_bytes(cache), BYTES_MAX);
        cr_assert_gt(ss_cache_entries(cache), 20, "it holds next to nothing");
        cr_assert_lt(ss_cache_entries(cache), USERS, "the bound was never met");
        ss_cache_close(cache);
        free(users);
    }
}

Test(cache, empty_after_eviction_of_all_counts_no_bytes)
{
    struct ss_cache *cache = ss_cache_open(0);
    char name[24];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "user-%d", i);
        cr_assert(put(cache, name, "some state"));
    }
    cr_assert_eq(ss_cache_entries(cache), 500, "pinned states were evicted");
    ss_cache_saved(cache);
    cr_assert_eq(ss_cache_entries(cache), 0);
    cr_assert_eq(ss_cache_bytes(cache), 0);
    ss_cache_close(cache);
}
