/* What only Redis can do to the times at which users are to be woken. */
#include "state/redis_store.h"

#include "helper_proxy.h"
#include "helper_redis.h"
#include "helper_stores.h"

#include <stdio.h>

static struct redis_server server;
static struct ss_error err;

static void remove_server(void)
{
    redis_server_remove(&server);
}

TestSuite(redis_wakes, .fini = remove_server);

static enum ss_status try_open(const char *url)
{
    struct ss_redis_config config = {url, "test", 16, 10000};
    return ss_redis_open(&config, &store, &err);
}

static void save_one(const struct ss_checkpoint *expect, const struct ss_checkpoint *next)
{
    struct ss_put put = {text_bytes("alice"), text_bytes("one"), 500};
    cr_assert_eq(store->ops->save(store, 0, expect, next, &put, 1, &err), SS_OK, "%s", err.detail);
}

/* Else a set of times would be left in a Redis that holds nothing else. */
Test(redis_wakes, nothing_is_armed_in_a_redis_that_was_emptied)
{
    struct ss_checkpoint one = checkpoint_at(1);
    char text[16];
    redis_server_start(&server, NULL);
    cr_assert_eq(try_open(server.url), SS_OK, "%s", err.detail);
    save_one(NULL, &one);
    redis_server_text(&server, "FLUSHALL", text, sizeof text);
    cr_assert_eq(store->ops->rearm(store, 0, &one, 3, 700, &err), SS_GIVE_UP);
    cr_assert_eq(store->ops->rearm(store, 0, &one, 3, SS_WAKE_NEVER, &err), SS_GIVE_UP);
    cr_assert_eq(redis_server_integer(&server, "DBSIZE"), 0);
    store->ops->close(store);
}

/* --- overtaken --- */

/* Another worker of this partition, right before our MULTI gets through. */
struct successor {
    bool done;
};

static void succeed(void)
{
    struct ss_store *ours = store;
    struct ss_checkpoint one = checkpoint_at(1), two = checkpoint_at(2);
    cr_assert_eq(try_open(server.url), SS_OK, "%s", err.detail);
    save_one(&one, &two);
    store->ops->close(store);
    store = ours;
}

static enum proxy_verdict let_succeed(void *arg, bool to_server, const char *data, size_t size)
{
    struct successor *successor = arg;
    if (to_server && !successor->done && proxy_says(data, size, "MULTI") &&
        proxy_says(data, size, "ZADD") && !proxy_says(data, size, "HSET")) {
        successor->done = true;
        succeed();
    }
    return PROXY_PASS;
}

Test(redis_wakes, arming_gives_up_when_a_successor_came_between_watch_and_exec)
{
    struct successor successor = {false};
    struct ss_checkpoint one = checkpoint_at(1);
    struct proxy proxy;
    redis_server_start(&server, NULL);
    proxy_start(&proxy, server.socket_path, let_succeed, &successor);
    cr_assert_eq(try_open(proxy.url), SS_OK, "%s", err.detail);
    save_one(NULL, &one);
    cr_assert_eq(store->ops->rearm(store, 0, &one, 3, 700, &err), SS_GIVE_UP);
    cr_assert(successor.done);
    cr_assert_eq(redis_server_integer(&server, "ZCARD test:{0}:wk"), 1, "it was armed");
    store->ops->close(store);
    proxy_stop(&proxy);
}

/* --- a server too old for ZADD LT --- */

static enum proxy_verdict make_older(void *arg, bool to_server, const char *data, size_t size)
{
    const char *version = to_server ? NULL : memmem(data, size, "redis_version:", 14);
    if (version)
        memcpy((char *)version + 14, arg, 3); /* the proxy's own buffer */
    return PROXY_PASS;
}

static enum ss_status open_at_version(const char *version)
{
    struct proxy proxy;
    char text[4];
    snprintf(text, sizeof text, "%s", version);
    proxy_start(&proxy, server.socket_path, make_older, text);
    enum ss_status status = try_open(proxy.url);
    if (status == SS_OK)
        store->ops->close(store);
    proxy_stop(&proxy);
    return status;
}

Test(redis_wakes, a_server_before_6_2_is_refused)
{
    redis_server_start(&server, NULL);
    cr_assert_eq(open_at_version("5.0"), SS_STOP);
    cr_assert_eq(open_at_version("6.0"), SS_STOP);
    cr_assert(strstr(err.detail, "6.2 or newer"), "%s", err.detail);
    cr_assert(strstr(err.detail, "6.0"), "%s", err.detail);
    cr_assert_eq(open_at_version("6.2"), SS_OK, "%s", err.detail);
    cr_assert_eq(open_at_version("8.0"), SS_OK, "%s", err.detail);
}
