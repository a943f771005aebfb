/* What only Redis can do to a store: be guarded by a password, badly configured, away, frozen,
 * emptied, and written to by somebody else. */
#include "state/redis_store.h"

#include "helper_proxy.h"
#include "helper_redis.h"
#include "helper_state.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct redis_server server;
static _Thread_local struct ss_error err; /* a proxy's thread has its own */

static void remove_server(void)
{
    redis_server_remove(&server);
}

TestSuite(redis_store, .fini = remove_server);

static enum ss_status try_open(const char *url, int32_t buckets, struct ss_store **store)
{
    struct ss_redis_config config = {url, "test", buckets, 10000};
    return ss_redis_open(&config, store, &err);
}

static struct ss_store *open_url(const char *url, int32_t buckets)
{
    struct ss_store *store;
    cr_assert_eq(try_open(url, buckets, &store), SS_OK, "%s", err.detail);
    return store;
}

static struct ss_checkpoint at(int64_t offset)
{
    return (struct ss_checkpoint){.cluster_id = "cluster", .partition_count = 4, .offset = offset};
}

static enum ss_status save_n(struct ss_store *store, int64_t from, int64_t to, const char *value,
                             int count)
{
    static _Thread_local char ids[1000][16];
    static _Thread_local struct ss_put puts[1000];
    struct ss_checkpoint expect = at(from), next = at(to);
    for (int i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "user-%d", i);
        puts[i] = (struct ss_put){{ids[i], strlen(ids[i])}, {value, strlen(value)}, SS_WAKE_NEVER};
    }
    return store->ops->save(store, 0, from < 0 ? NULL : &expect, &next, puts, (size_t)count, &err);
}

static enum ss_status save(struct ss_store *store, int64_t from, int64_t to, const char *value)
{
    return save_n(store, from, to, value, 1);
}

static void see(void *arg, size_t i, struct ss_bytes packed)
{
    (void)i;
    snprintf(arg, 64, "%.*s", (int)packed.size, packed.data ? (const char *)packed.data : "");
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char value[64];

static enum ss_status load(struct ss_store *store, int64_t offset)
{
    struct ss_checkpoint expect = at(offset);
    struct ss_bytes id = {"user-0", 6};
    strcpy(value, "nothing was delivered");
    return store->ops->load(store, 0, &expect, &id, 1, see, value, &err);
}

static bool has_checkpoint(struct ss_store *store)
{
    struct ss_checkpoint checkpoint;
    bool found;
    cr_assert_eq(store->ops->checkpoint(store, 0, &checkpoint, &found, &err), SS_OK, "%s",
                 err.detail);
    return found;
}

/* ---- connecting ---- */

Test(redis_store, logs_in_and_selects_the_database_again_at_each_reconnect)
{
    struct ss_store *store;
    char url[128];
    redis_server_start_tcp(&server, (const char *const[]){"--requirepass", "sec:ret", NULL});
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
    cr_assert_eq(try_open(url, 16, &store), SS_STOP);
    snprintf(url, sizeof url, "redis://:hunter2@127.0.0.1:%d", server.port);
    cr_assert_eq(try_open(url, 16, &store), SS_STOP);
    cr_assert(!strstr(err.detail, "hunter2"), "%s", err.detail);
    snprintf(url, sizeof url, "redis://:sec%%3Aret@127.0.0.1:%d/99", server.port);
    cr_assert_eq(try_open(url, 16, &store), SS_STOP, "there is no database 99");

    snprintf(url, sizeof url, "redis://:sec%%3Aret@127.0.0.1:%d/3", server.port);
    store = open_url(url, 16);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);

    redisContext *client = redis_server_connect(&server);
    freeReplyObject(redisCommand(client, "AUTH sec:ret"));
    freeReplyObject(redisCommand(client, "CLIENT KILL TYPE normal")); /* SKIPME is the default */
    cr_assert_eq(save(store, 1, 2, "two"), SS_RETRY);
    cr_assert_eq(save(store, 1, 2, "two"), SS_OK, "%s", err.detail);
    cr_assert_eq(load(store, 2), SS_OK);
    cr_assert_str_eq(value, "two");

    redisReply *reply = redisCommand(client, "DBSIZE");
    cr_assert_eq(reply->integer, 0); /* nothing has ended up in database 0 */
    freeReplyObject(reply);
    redisFree(client);
    store->ops->close(store);
}

Test(redis_store, nobody_there_is_for_later)
{
    struct ss_store *store;
    cr_assert_eq(try_open("unix:///nonexistent/redis.sock", 16, &store), SS_RETRY);
    cr_assert_null(store);
}

Test(redis_store, refuses_a_configuration_that_cannot_be)
{
    static const struct ss_redis_config bad[] = {
        {"unix:///x", "", 16, 1000}, {"unix:///x", "a{b}", 16, 1000},   {"unix:///x", "a", 0, 1000},
        {"unix:///x", "a", 16, 0},   {"unix:///x", "a", 1 << 30, 1000}, {"http://x", "a", 16, 1000},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ss_store *store;
        cr_expect_eq(ss_redis_open(&bad[i], &store, &err), SS_STOP, "%zu", i);
    }
}

Test(redis_store, refuses_a_server_that_evicts_also_at_a_reconnect)
{
    struct ss_store *store;
    char text[64];
    redis_server_start(&server, NULL);
    redis_server_text(&server, "CONFIG SET maxmemory-policy allkeys-lru", text, sizeof text);
    cr_assert_eq(try_open(server.url, 16, &store), SS_STOP);
    cr_assert(strstr(err.detail, "allkeys-lru"), "%s", err.detail);

    redis_server_text(&server, "CONFIG SET maxmemory-policy noeviction", text, sizeof text);
    store = open_url(server.url, 16);
    redis_server_text(&server, "CONFIG SET maxmemory-policy volatile-ttl", text, sizeof text);
    redis_server_integer(&server, "CLIENT KILL TYPE normal");
    cr_assert_eq(save(store, -1, 1, "one"), SS_RETRY);
    cr_assert_eq(save(store, -1, 1, "one"), SS_STOP);
    store->ops->close(store);
}

/* The value of one option, as a client sees it. */
static long option(const char *name)
{
    redisContext *client = redis_server_connect(&server);
    redisReply *reply = redisCommand(client, "CONFIG GET %s", name);
    long number = reply->elements == 2 ? atol(reply->element[1]->str) : -1;
    freeReplyObject(reply);
    redisFree(client);
    return number;
}

Test(redis_store, raises_the_listpack_limits_and_never_lowers_them)
{
    redis_server_start(&server, (const char *const[]){"--hash-max-listpack-entries", "2000", NULL});
    cr_assert_eq(option("hash-max-listpack-value"), 64);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(option("hash-max-listpack-value"), 512);
    cr_assert_eq(option("hash-max-listpack-entries"), 2000);
    store->ops->close(store);
}

Test(redis_store, does_without_config_where_it_is_forbidden)
{
    struct ss_store *store;
    char text[64], url[160];
    redis_server_start_tcp(&server, NULL);
    redis_server_text(&server, "ACL SETUSER sesame on >pass ~* +@all -config", text, sizeof text);
    snprintf(url, sizeof url, "redis://sesame:pass@127.0.0.1:%d", server.port);
    store = open_url(url, 16);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    store->ops->close(store);

    redis_server_text(&server, "CONFIG SET maxmemory-policy allkeys-lru", text, sizeof text);
    cr_assert_eq(try_open(url, 16, &store), SS_STOP); /* INFO tells it all the same */
    cr_assert(strstr(err.detail, "allkeys-lru"), "%s", err.detail);
    redis_server_text(&server, "ACL SETUSER sesame -info", text, sizeof text);
    cr_assert_eq(try_open(url, 16, &store), SS_STOP);
    cr_assert(strstr(err.detail, "refuses to tell"), "%s", err.detail);
}

/* A certificate for localhost that signs itself. false: no openssl here to make one. */
static bool make_certificate(const char *directory)
{
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
             "-keyout key.pem -out cert.pem >/dev/null 2>&1",
             directory);
    return system(command) == 0;
}

Test(redis_store, speaks_tls_where_hiredis_does)
{
    struct ss_store *store;
    char url[64], certificate[128], key[128], text[160];
    cr_assert_neq(try_open("rediss://127.0.0.1:1", 16, &store), SS_OK);
    if (strstr(err.detail, "needs a hiredis with TLS")) {
        cr_assert_eq(err.status, SS_STOP);
        cr_skip_test("this hiredis has no TLS");
    }
    redis_server_start_tcp(&server, NULL);
    if (!make_certificate(server.directory))
        cr_skip_test("no openssl to make a certificate with");
    snprintf(certificate, sizeof certificate, "%s/cert.pem", server.directory);
    snprintf(key, sizeof key, "%s/key.pem", server.directory);
    redis_server_kill(&server);
    char port[16];
    snprintf(port, sizeof port, "%d", server.port);
    snprintf(url, sizeof url, "rediss://localhost:%d", server.port);
    server.port = 0;
    redis_server_restart(&server, (const char *const[]){"--tls-port", port, "--tls-cert-file",
                                                        certificate, "--tls-key-file", key,
                                                        "--tls-auth-clients", "no", NULL});

    unsetenv("SSL_CERT_FILE");
    cr_assert_eq(try_open(url, 16, &store), SS_RETRY); /* signed by nobody known */
    setenv("SSL_CERT_FILE", certificate, 1);
    store = open_url(url, 16);
    cr_assert_eq(save_n(store, -1, 1, "over TLS", 1000), SS_OK, "%s", err.detail);
    redis_server_text(&server, "CLIENT KILL TYPE normal", text, sizeof text);
    cr_assert_eq(load(store, 1), SS_RETRY);
    cr_assert_eq(load(store, 1), SS_OK);
    cr_assert_str_eq(value, "over TLS");
    store->ops->close(store);
}

/* ---- away, and back ---- */

Test(redis_store, a_killed_server_is_for_later_and_comes_back_empty)
{
    redis_server_start(&server, NULL);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(save(store, -1, 1, "one"), SS_OK);
    redis_server_kill(&server);
    cr_assert_eq(save(store, 1, 2, "two"), SS_RETRY);
    cr_assert_eq(load(store, 1), SS_RETRY);
    cr_assert_str_eq(value, "nothing was delivered");
    redis_server_restart(&server, NULL);
    cr_assert_eq(load(store, 1), SS_GIVE_UP);
    cr_assert(!has_checkpoint(store));
    cr_assert_eq(option("hash-max-listpack-value"), 512); /* checked and set again */
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
    double deadline = seconds(CLOCK_MONOTONIC) + 30;
    while ((status = load(store, 1)) == SS_RETRY && seconds(CLOCK_MONOTONIC) < deadline)
        ;
    cr_assert_eq(status, SS_OK, "%s", err.detail); /* the save had not got beyond asking */
    cr_assert_str_eq(value, "one");
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
    cr_assert_str_eq(value, "two");
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
    cr_assert_str_eq(value, "the successor's");
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
    cr_assert_str_eq(value, "refilled");
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
        cr_assert_str_eq(value, text);
        cr_assert(retried <= 1);
        retries += retried;
        whole = retried == 0;
    }
    cr_assert(retries >= 6, "only %d", retries); /* three round trips */
    store->ops->close(store);
    proxy_stop(&proxy);
}
