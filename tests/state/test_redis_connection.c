/* What a Redis must be before a store trusts it, at first and at each reconnect: logged in to, on
 * the right database, not evicting, wide enough in its listpacks, and behind TLS where asked. */
#include "helper_redis_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(redis_connection, .fini = remove_server);

Test(redis_connection, logs_in_and_selects_the_database_again_at_each_reconnect)
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
    cr_assert_str_eq(loaded, "two");

    redisReply *reply = redisCommand(client, "DBSIZE");
    cr_assert_eq(reply->integer, 0); /* nothing has ended up in database 0 */
    freeReplyObject(reply);
    redisFree(client);
    store->ops->close(store);
}

Test(redis_connection, nobody_there_is_for_later)
{
    struct ss_store *store;
    cr_assert_eq(try_open("unix:///nonexistent/redis.sock", 16, &store), SS_RETRY);
    cr_assert_null(store);
}

Test(redis_connection, refuses_a_configuration_that_cannot_be)
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

Test(redis_connection, refuses_a_server_that_evicts_also_at_a_reconnect)
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

Test(redis_connection, raises_the_listpack_limits_and_never_lowers_them)
{
    redis_server_start(&server, (const char *const[]){"--hash-max-listpack-entries", "2000", NULL});
    cr_assert_eq(server_option("hash-max-listpack-value"), 64);
    struct ss_store *store = open_url(server.url, 16);
    cr_assert_eq(server_option("hash-max-listpack-value"), 512);
    cr_assert_eq(server_option("hash-max-listpack-entries"), 2000);
    store->ops->close(store);
}

Test(redis_connection, does_without_config_where_it_is_forbidden)
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

Test(redis_connection, speaks_tls_where_hiredis_does)
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
    cr_assert_str_eq(loaded, "over TLS");
    store->ops->close(store);
}
