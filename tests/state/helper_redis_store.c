#include "helper_redis_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct redis_server server;
_Thread_local struct ss_error err;
char loaded[64];

void remove_server(void)
{
    redis_server_remove(&server);
}

enum ss_status try_open(const char *url, int32_t buckets, struct ss_store **store)
{
    struct ss_redis_config config = {url, "test", buckets, 10000};
    return ss_redis_open(&config, store, &err);
}

struct ss_store *open_url(const char *url, int32_t buckets)
{
    struct ss_store *store;
    cr_assert_eq(try_open(url, buckets, &store), SS_OK, "%s", err.detail);
    return store;
}

static struct ss_checkpoint at(int64_t offset)
{
    return (struct ss_checkpoint){.cluster_id = "cluster", .partition_count = 4, .offset = offset};
}

enum ss_status save_n(struct ss_store *store, int64_t from, int64_t to, const char *text, int count)
{
    static _Thread_local char ids[1000][16];
    static _Thread_local struct ss_put puts[1000];
    struct ss_checkpoint expect = at(from), next = at(to);
    for (int i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "user-%d", i);
        puts[i] = (struct ss_put){{ids[i], strlen(ids[i])}, {text, strlen(text)}, SS_WAKE_NEVER};
    }
    return store->ops->save(store, 0, from < 0 ? NULL : &expect, &next, puts, (size_t)count, &err);
}

enum ss_status save(struct ss_store *store, int64_t from, int64_t to, const char *text)
{
    return save_n(store, from, to, text, 1);
}

static void see(void *arg, size_t i, struct ss_bytes packed)
{
    (void)i;
    snprintf(arg, 64, "%.*s", (int)packed.size, packed.data ? (const char *)packed.data : "");
}

enum ss_status load(struct ss_store *store, int64_t offset)
{
    struct ss_checkpoint expect = at(offset);
    struct ss_bytes id = {"user-0", 6};
    strcpy(loaded, "nothing was delivered");
    return store->ops->load(store, 0, &expect, &id, 1, see, loaded, &err);
}

bool has_checkpoint(struct ss_store *store)
{
    struct ss_checkpoint checkpoint;
    bool found;
    cr_assert_eq(store->ops->checkpoint(store, 0, &checkpoint, &found, &err), SS_OK, "%s",
                 err.detail);
    return found;
}

long server_option(const char *name)
{
    redisContext *client = redis_server_connect(&server);
    redisReply *reply = redisCommand(client, "CONFIG GET %s", name);
    long number = reply->elements == 2 ? atol(reply->element[1]->str) : -1;
    freeReplyObject(reply);
    redisFree(client);
    return number;
}
