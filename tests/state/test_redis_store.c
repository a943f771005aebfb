/* What only Redis can do to a store: be away, frozen, emptied, full, and written to by somebody
 * else. How it is connected to: test_redis_connection.c. */
#include "helper_proxy.h"
#include "helper_redis_store.h"
#include "helper_state.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

TestSuite(redis_store, .fini = remove_server);

/* ---- away, and back ---- */

Test(redis_store, a_killed_server_is_for_later_and_comes_back_empty)
{
    redis_server_start(&server, NULL);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    redis_server_kill(&server);
    cr_assert_eq(save(store, 1, 2, "two"), SS_RETRY);
    cr_assert_eq(load(store, 1), SS_RETRY);
    cr_assert_str_eq(loaded, "nothing was delivered");
    redis_server_restart(&server, NULL);
    cr_assert_eq(load(store, 1), SS_GIVE_UP);
    cr_assert(!has_checkpoint(store));
    cr_assert_eq(server_option("hash-max-listpack-value"), 512); /* checked and set again */
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    store->ops->close(store);
}

Test(redis_store, answers_that_come_too_late_are_never_taken_for_others)
{
    struct ss_store *store;
    redis_server_start(&server, NULL);
    struct ss_redis_config config = {server.url, "test", 16, 1000};
    cr_assert_eq(ss_redis_open(&config, &store, &err), SS_OK);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    kill(server.pid, SIGSTOP);
    cr_assert_eq(load(store, 1), SS_RETRY);
    cr_assert_eq(save(store, 1, 2, "two"), SS_RETRY);
    kill(server.pid, SIGCONT);
    enum ss_status status;
    double deadline = clock_seconds(CLOCK_MONOTONIC) + 30;
    while ((status = load(store, 1)) == SS_RETRY && clock_seconds(CLOCK_MONOTONIC) < deadline)
        ;
    cr_assert_eq(status, SS_OK, "%s", err.detail); /* the save had not got beyond asking */
    cr_assert_str_eq(loaded, "one");
    cr_assert_eq(save(store, 1, 2, "two"), SS_OK);
    store->ops->close(store);
}

Test(redis_store, flushall_is_noticed)
{
    char text[16];
    redis_server_start(&server, NULL);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    redis_server_text(&server, "FLUSHALL", text, sizeof text);
    cr_assert(!has_checkpoint(store));
    cr_assert_eq(load(store, 1), SS_GIVE_UP);
    cr_assert_eq(save(store, 1, 2, "two"), SS_GIVE_UP);
    store->ops->close(store);
}

Test(redis_store, garbage_in_the_checkpoint_is_none)
{
    char text[16];
    redis_server_start(&server, NULL);
    struct ss_store *store = open_url(server.url, 16);
    redis_server_text(&server, "SET test:{0}:cp garbage", text, sizeof text);
    cr_assert(!has_checkpoint(store));
    cr_assert_eq(load(store, 1), SS_GIVE_UP);
    cr_assert_eq(save(store, -1, 1, "one"), SS_GIVE_UP);
    cr_assert_eq(wipe_now(store, 0, &err), SS_OK);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    store->ops->close(store);
}

Test(redis_store, a_replica_or_a_full_server_is_for_later)
{
    char text[64];
    redis_server_start(&server, NULL);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    redis_server_text(&server, "REPLICAOF 127.0.0.1 1", text, sizeof text);
    cr_assert_eq(save(store, 1, 2, "two"), SS_RETRY);
    cr_assert(strstr(err.detail, "READONLY"), "%s", err.detail);
    redis_server_text(&server, "REPLICAOF NO ONE", text, sizeof text);
    cr_assert_eq(save(store, 1, 2, "two"), SS_OK);
    redis_server_text(&server, "CONFIG SET maxmemory 1", text, sizeof text);
    cr_assert_eq(save(store, 2, 3, "three"), SS_RETRY);
    cr_assert(strstr(err.detail, "OOM"), "%s", err.detail);
    redis_server_text(&server, "CONFIG SET maxmemory 0", text, sizeof text);
    cr_assert_eq(load(store, 2), SS_OK);
    cr_assert_str_eq(loaded, "two");
    store->ops->close(store);
}

Test(redis_store, a_foreign_key_in_the_way_stops_us_and_leaves_no_checkpoint)
{
    char text[16];
    redis_server_start(&server, NULL);
    struct ss_store *store = open_url(server.url, 1);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    redis_server_text(&server, "SET test:{0}:0 user-0", text, sizeof text);
    cr_assert_eq(load(store, 1), SS_STOP);
    cr_assert_eq(save(store, 1, 2, "two"), SS_STOP);
    cr_assert(!strstr(err.detail, "user-0"), "%s", err.detail);
    cr_assert(!has_checkpoint(store));
    store->ops->close(store);
}

/* ---- somebody else ---- */

struct intruder {
    const char *word; /* acts before the first piece to the server that has this word */
    void (*act)(void);
    bool cut;
    atomic_bool done;
};

static enum proxy_verdict intrude(void *arg, bool to_server, const char *data, size_t size)
{
    struct intruder *intruder = arg;
    if (!to_server || intruder->done || !proxy_says(data, size, intruder->word))
        return PROXY_PASS;
    intruder->done = true;
    if (intruder->act)
        intruder->act();
    return intruder->cut ? PROXY_CUT : PROXY_PASS;
}

static void successor_saves(void)
{
    struct ss_store *successor = open_url(server.url, 16);
    cr_assert_eq(save(successor, 1, 5, "the successor's"), SS_OK);
    successor->ops->close(successor);
}

Test(redis_store, a_save_gives_up_when_another_came_between_watch_and_exec)
{
    struct intruder intruder = {.word = "MULTI", .act = successor_saves};
    struct proxy proxy;
    redis_server_start(&server, NULL);
    proxy_start(&proxy, server.socket_path, intrude, &intruder);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    store->ops->close(store);
    store = open_url(proxy.url, 16);
    cr_assert_eq(save(store, 1, 2, "a stale worker's"), SS_GIVE_UP);
    cr_assert(intruder.done);
    cr_assert_eq(load(store, 5), SS_OK);
    cr_assert_str_eq(loaded, "the successor's");
    store->ops->close(store);
    proxy_stop(&proxy);
}

static void successor_refills(void)
{
    struct ss_store *successor = open_url(server.url, 16);
    cr_assert_eq(wipe_now(successor, 0, &err), SS_OK);
    cr_assert_eq(save_n(successor, -1, 5, "refilled", 100), SS_OK);
    successor->ops->close(successor);
}

/* A worker that is held up in the middle of a wipe: before it looks, or between its look and its
 * deletion. */
static void check_stale_wipe(const char *held_up_before)
{
    struct ss_checkpoint shown;
    bool found;
    struct intruder intruder = {.word = held_up_before, .act = successor_refills};
    struct proxy proxy;
    redis_server_start(&server, NULL);
    proxy_start(&proxy, server.socket_path, intrude, &intruder);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(save_n(store, -1, 1, "one", 100), SS_OK);
    store->ops->close(store);
    store = open_url(proxy.url, 16);
    cr_assert_eq(store->ops->checkpoint(store, 0, &shown, &found, &err), SS_OK);
    cr_assert_eq(store->ops->wipe(store, 0, &shown, &err), SS_GIVE_UP);
    cr_assert(intruder.done);
    cr_assert_eq(load(store, 5), SS_OK);
    cr_assert_str_eq(loaded, "refilled");
    cr_assert_eq(redis_server_integer(&server, "DBSIZE"), 17);
    store->ops->close(store);
    proxy_stop(&proxy);
}

Test(redis_store, a_stale_wipe_removes_nothing_of_the_successors)
{
    check_stale_wipe("UNLINK");
}

Test(redis_store, a_stale_wipe_does_not_begin)
{
    check_stale_wipe("WATCH");
}

Test(redis_store, a_wipe_looks_and_begins_in_one)
{
    check_stale_wipe("MULTI");
}

/* Each looks, and then is overtaken by the other's half of a wipe. */
Test(redis_store, a_wipe_is_not_taken_over_by_who_has_not_seen_it)
{
    struct ss_checkpoint shown, half;
    bool found;
    struct intruder intruder = {.word = "UNLINK", .cut = true};
    struct proxy proxy;
    redis_server_start(&server, NULL);
    proxy_start(&proxy, server.socket_path, intrude, &intruder);
    struct ss_store *store = open_url(proxy.url, 16), *other = open_url(server.url, 16);
    cr_assert_eq(save_n(store, -1, 1, "one", 100), SS_OK);
    cr_assert_eq(other->ops->checkpoint(other, 0, &shown, &found, &err), SS_OK);
    cr_assert_eq(wipe_now(store, 0, &err), SS_RETRY);
    cr_assert_eq(other->ops->wipe(other, 0, &shown, &err), SS_GIVE_UP);
    cr_assert_eq(other->ops->checkpoint(other, 0, &half, &found, &err), SS_OK);
    cr_assert_not(found);
    memset(&shown, 0, sizeof shown);
    cr_assert_eq(other->ops->wipe(other, 0, &shown, &err), SS_GIVE_UP,
                 "a half wipe is not nothing");
    cr_assert_eq(other->ops->wipe(other, 0, &half, &err), SS_OK);
    cr_assert_eq(redis_server_integer(&server, "DBSIZE"), 0);
    cr_assert_eq(other->ops->wipe(other, 0, &half, &err), SS_GIVE_UP);
    cr_assert_eq(other->ops->wipe(other, 0, &shown, &err), SS_OK);
    store->ops->close(store);
    other->ops->close(other);
    proxy_stop(&proxy);
}

Test(redis_store, a_wipe_cut_short_leaves_nothing_to_trust)
{
    struct intruder intruder = {.word = "UNLINK", .cut = true};
    struct proxy proxy;
    redis_server_start(&server, NULL);
    proxy_start(&proxy, server.socket_path, intrude, &intruder);
    struct ss_store *store = open_url(proxy.url, 16);
    cr_assert_eq(save_n(store, -1, 1, "one", 100), SS_OK);
    cr_assert_eq(wipe_now(store, 0, &err), SS_RETRY);
    cr_assert(!has_checkpoint(store));
    cr_assert_eq(load(store, 1), SS_GIVE_UP);
    cr_assert_eq(save(store, -1, 1, "among leftovers"), SS_GIVE_UP);
    store->ops->close(store);
    proxy_stop(&proxy);

    store = open_url(server.url, 4); /* and the next one has fewer buckets: all go nevertheless */
    cr_assert_eq(wipe_now(store, 0, &err), SS_OK);
    cr_assert_eq(redis_server_integer(&server, "DBSIZE"), 0);
    store->ops->close(store);
}

Test(redis_store, another_number_of_buckets_is_another_identity)
{
    redis_server_start(&server, NULL);
    struct ss_store *before = open_url(server.url, 16), *after = open_url(server.url, 17);
    cr_assert_eq(save(before, -1, 1, "one"), SS_OK);
    cr_assert(!has_checkpoint(after));
    cr_assert_eq(load(after, 1), SS_GIVE_UP);
    cr_assert_eq(save(after, -1, 1, "one"), SS_GIVE_UP);
    cr_assert(has_checkpoint(before));
    cr_assert_eq(wipe_now(after, 0, &err), SS_OK);
    cr_assert_eq(save(after, -1, 1, "one"), SS_OK);
    cr_assert(!has_checkpoint(before));
    before->ops->close(before);
    after->ops->close(after);
}

/* ---- torture ---- */

struct scissors {
    atomic_int cut_at, pieces;
};

static enum proxy_verdict snip(void *arg, bool to_server, const char *data, size_t size)
{
    struct scissors *scissors = arg;
    (void)to_server, (void)data, (void)size;
    return ++scissors->pieces == scissors->cut_at ? PROXY_CUT : PROXY_PASS;
}

/* The line is cut at each piece once, an answer lost behind EXEC included. */
Test(redis_store, every_lost_piece_is_survived_by_repeating)
{
    struct scissors scissors = {0};
    struct proxy proxy;
    redis_server_start(&server, NULL);
    proxy_start(&proxy, server.socket_path, snip, &scissors);
    struct ss_store *store = open_url(proxy.url, 16);
    cr_assert_eq(save_n(store, -1, 0, "-", 100), SS_OK);
    int retries = 0;
    bool whole = false; /* a round that no cut has reached */
    for (int64_t round = 1; !whole; round++) {
        char text[16];
        int retried = 0;
        snprintf(text, sizeof text, "%d", (int)round);
        scissors.pieces = 0;
        scissors.cut_at = (int)round;
        enum ss_status status;
        while ((status = save_n(store, round - 1, round, text, 100)) == SS_RETRY)
            retried++;
        cr_assert_eq(status, SS_OK, "%s", err.detail);
        while ((status = load(store, round)) == SS_RETRY)
            retried++;
        cr_assert_eq(status, SS_OK, "%s", err.detail);
        cr_assert_str_eq(loaded, text);
        cr_assert(retried <= 1);
        retries += retried;
        whole = retried == 0;
    }
    cr_assert(retries >= 6, "only %d", retries); /* three round trips */
    store->ops->close(store);
    proxy_stop(&proxy);
}
