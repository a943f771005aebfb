#include "state/redis_url.h"

#include <criterion/criterion.h>
#include <string.h>

static struct ss_redis_url parse(const char *text)
{
    struct ss_redis_url url;
    struct ss_error err;
    cr_assert_eq(ss_redis_url_parse(text, &url, &err), SS_OK, "%s: %s", text, err.detail);
    return url;
}

Test(redis_url, reads_host_port_and_database)
{
    struct ss_redis_url url = parse("redis://localhost");
    cr_assert_str_eq(url.host, "localhost");
    cr_assert_eq(url.port, 6379);
    cr_assert_eq(url.db, 0);
    cr_assert(!url.tls && !url.is_unix && !url.user[0] && !url.password[0]);
    url = parse("redis://10.0.0.1:7000/15");
    cr_assert_str_eq(url.host, "10.0.0.1");
    cr_assert_eq(url.port, 7000);
    cr_assert_eq(url.db, 15);
    url = parse("rediss://[::1]:6380/");
    cr_assert_str_eq(url.host, "::1");
    cr_assert_eq(url.port, 6380);
    cr_assert(url.tls);
}

Test(redis_url, reads_user_and_password)
{
    struct ss_redis_url url = parse("redis://sesame:p%40ss%3a%2Fw%20rd@host:1/2");
    cr_assert_str_eq(url.user, "sesame");
    cr_assert_str_eq(url.password, "p@ss:/w rd");
    cr_assert_str_eq(url.host, "host");
    cr_assert_eq(url.db, 2);
    url = parse("redis://:se@cret@host");
    cr_assert_str_eq(url.user, "");
    cr_assert_str_eq(url.password, "se@cret");
    cr_assert_str_eq(url.host, "host");
}

Test(redis_url, reads_unix_sockets)
{
    struct ss_redis_url url = parse("unix:///run/redis/a@b.sock?db=3");
    cr_assert(url.is_unix);
    cr_assert_str_eq(url.host, "/run/redis/a@b.sock");
    cr_assert_eq(url.db, 3);
    url = parse("unix://:secret@/run/redis.sock");
    cr_assert_str_eq(url.password, "secret");
    cr_assert_str_eq(url.host, "/run/redis.sock");
    cr_assert_eq(url.db, 0);
}

Test(redis_url, reads_the_nodes_of_a_cluster)
{
    static const char text[] = "redis-cluster://u:p%40@a:7000,10.0.0.2,[::1]:7002";
    static const char *const hosts[] = {"a", "10.0.0.2", "::1"};
    static const int ports[] = {7000, 6379, 7002};
    struct ss_redis_url url;
    struct ss_error err;
    for (size_t i = 0; i < 3; i++) {
        size_t count = 0;
        cr_assert_eq(ss_redis_url_parse_node(text, i, &url, &count, &err), SS_OK, "%s", err.detail);
        cr_assert_eq(count, 3);
        cr_assert_str_eq(url.host, hosts[i]);
        cr_assert_eq(url.port, ports[i]);
        cr_assert_str_eq(url.user, "u");
        cr_assert_str_eq(url.password, "p@");
        cr_assert(url.cluster && !url.tls && !url.is_unix);
    }
    cr_assert_eq(ss_redis_url_parse_node(text, 3, &url, NULL, &err), SS_STOP);
    url = parse("rediss-cluster://a:1,b:2/");
    cr_assert(url.cluster && url.tls);
    cr_assert_str_eq(url.host, "a");
    cr_assert(!parse("redis://a:1").cluster);
}

Test(redis_url, refuses_the_rest_without_repeating_it)
{
    static const char *const bad[] = {
        "",
        "localhost:6379",
        "http://hunter2@host",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@:6379",
        "redis://hunter2@host",
        "redis://:hunter2@host:0",
        "redis://:hunter2@host:65536",
        "redis://:hunter2@host:63a",
        "redis://:hunter2@host:",
        "redis://:hunter2@host/x",
        "redis://:hunter2@host/1/2",
        "redis://:hunter2@host/99999999999999999999",
        "redis://:hunter2@host?db=1",
        "redis://:hunter2%4@host",
        "redis://:hunter2%00@host",
        "redis://[::1:6379",
        "redis://[::1]6379",
        "redis://:hunter2@a,b:2,c",
        "redis-cluster://",
        "redis-cluster://:hunter2@a:1,",
        "redis-cluster://:hunter2@,a:1",
        "redis-cluster://:hunter2@a:1,b:x",
        "redis-cluster://:hunter2@a:1/1",
        "redis-cluster://:hunter2@a:1?x",
        "unix://hunter2/path",
        "unix:///hunter2?database=1",
        "unix:///hunter2?db=",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ss_redis_url url;
        struct ss_error err;
        cr_expect_eq(ss_redis_url_parse(bad[i], &url, &err), SS_STOP, "%s", bad[i]);
        cr_expect(!strstr(err.detail, "hunter2"), "%s", err.detail);
    }
    char longest[1024] = "redis://";
    memset(longest + 8, 'h', 1000);
    struct ss_redis_url url;
    cr_assert_eq(ss_redis_url_parse(longest, &url, NULL), SS_STOP);
}
