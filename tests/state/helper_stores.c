#include "helper_stores.h"

#include "helper_cluster.h"
#include "helper_redis.h"
#include "helper_state.h"
#include "state/memory_store.h"
#include "state/redis_store.h"

#include <stdio.h>

struct ss_store *store;

static struct redis_server server;
static struct cluster cluster;

static struct {
    const char *title;
    void (*check)(void);
} checks[32];
static size_t check_count;

void stores_list(const char *title, void (*check)(void))
{
    checks[check_count].title = title;
    checks[check_count++].check = check;
}

void stores_remove(void)
{
    redis_server_remove(&server); /* harmless without one */
    cluster_remove(&cluster);
}

void stores_open(enum store_kind kind)
{
    struct ss_error err = {0};
    if (kind == STORE_MEMORY) {
        cr_assert_eq(ss_memory_open(&store, &err), SS_OK);
        return;
    }
    redis_server_start(&server, NULL);
    struct ss_redis_config config = {server.url, "test", 16, 10000};
    cr_assert_eq(ss_redis_open(&config, &store, &err), SS_OK, "%s", err.detail);
}

void stores_close(enum store_kind kind)
{
    store->ops->close(store);
    if (kind == STORE_REDIS)
        redis_server_remove(&server);
}

size_t stores_check_on_a_cluster(void)
{
    struct ss_error err = {0};
    cluster_start(&cluster, 3, false);
    for (size_t i = 0; i < check_count; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "test%zu", i);
        struct ss_redis_config config = {cluster.url, prefix, 16, 10000};
        cr_log_info("%s", checks[i].title);
        cr_assert_eq(ss_redis_open(&config, &store, &err), SS_OK, "%s", err.detail);
        for (int32_t p = 0; p < 10; p++) /* lays out the buckets */
            cr_assert_eq(wipe_now(store, p, &err), SS_OK, "%s", err.detail);
        checks[i].check();
        store->ops->close(store);
    }
    return check_count;
}

struct ss_checkpoint checkpoint_at(int64_t offset)
{
    struct ss_checkpoint checkpoint = {.cluster_id = "cluster",
                                       .partition_count = 4,
                                       .offset = offset,
                                       .broker_time_ms = 1000 + offset};
    checkpoint.incarnation[0] = 7;
    return checkpoint;
}

struct ss_bytes text_bytes(const char *text)
{
    return (struct ss_bytes){text, strlen(text)};
}
