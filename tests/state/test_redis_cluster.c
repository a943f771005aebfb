/* What only a cluster can do to a store: have the partition elsewhere, move it while it is in use,
 * lose a master and what its replica had not read, lose keys on the way, be down. */
#include "state/redis_cluster.h"
#include "state/redis_store.h"

#include "helper_cluster.h"
#include "helper_state.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { BUCKETS = 16, USERS = 100, DEADLINE_S = 30 };

static struct cluster cluster;
static struct redis_server alone;
static struct ss_error err;

static void remove_servers(void)
{
    cluster_remove(&cluster);
    redis_server_remove(&alone);
}

TestSuite(redis_cluster, .fini = remove_servers, .timeout = 120);

static enum ss_status try_open(const char *url, struct ss_store **store)
{
    struct ss_redis_config config = {url, "test", BUCKETS, 2000};
    return ss_redis_open(&config, store, &err);
}

static struct ss_store *open_store(void)
{
    struct ss_store *store;
    cr_assert_eq(try_open(cluster.url, &store), SS_OK, "%s", err.detail);
    return store;
}

static struct ss_checkpoint at(int64_t offset)
{
    return (struct ss_checkpoint){.cluster_id = "cluster", .partition_count = 16, .offset = offset};
}

/* All users get `to` as their state; from -1: from nothing. */
static enum ss_status save(struct ss_store *store, int32_t partition, int64_t from, int64_t to)
{
    static char ids[USERS][16], state[24];
    static struct ss_put puts[USERS];
    struct ss_checkpoint expect = at(from), next = at(to);
    snprintf(state, sizeof state, "%lld", (long long)to);
    for (int i = 0; i < USERS; i++) {
        snprintf(ids[i], sizeof ids[i], "user-%d", i);
        puts[i] = (struct ss_put){{ids[i], strlen(ids[i])}, {state, strlen(state)}, SS_WAKE_NEVER};
    }
    return store->ops->save(store, partition, from < 0 ? NULL : &expect, &next, puts, USERS, &err);
}

static void see(void *arg, size_t i, struct ss_bytes packed)
{
    (void)i;
    cr_assert(ss_bytes_equal(packed, *(const struct ss_bytes *)arg), "a state is wrong");
}

/* Fails the test if anything is delivered that is not of this offset. */
static enum ss_status load(struct ss_store *store, int32_t partition, int64_t offset)
{
    char ids[USERS][16], state[24];
    struct ss_bytes user_ids[USERS], expected = {state, 0};
    struct ss_checkpoint expect = at(offset);
    expected.size = (size_t)snprintf(state, sizeof state, "%lld", (long long)offset);
    for (int i = 0; i < USERS; i++)
        user_ids[i] =
            (struct ss_bytes){ids[i], (size_t)snprintf(ids[i], sizeof ids[i], "user-%d", i)};
    return store->ops->load(store, partition, &expect, user_ids, USERS, see, &expected, &err);
}

static int64_t checkpoint(struct ss_store *store, int32_t partition)
{
    struct ss_checkpoint found;
    bool is_found;
    cr_assert_eq(store->ops->checkpoint(store, partition, &found, &is_found, &err), SS_OK, "%s",
                 err.detail);
    return is_found ? found.offset : -1;
}

static void count_users(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    (void)user_id, (void)packed;
    ++*(int *)arg;
}

static int slot_of(int32_t partition)
{
    char key[32];
    return ss_redis_slot(key, (size_t)snprintf(key, sizeof key, "test:{%d}:", partition));
}

/* Repeats while the answer is "later". */
#define UNTIL_ANSWERED(call)                                                           \
    ({                                                                                 \
        double until_s = clock_seconds(CLOCK_MONOTONIC) + DEADLINE_S;                  \
        enum ss_status status;                                                         \
        while ((status = (call)) == SS_RETRY) {                                        \
            cr_assert(clock_seconds(CLOCK_MONOTONIC) < until_s, "still %s: %s", #call, \
                      err.detail);                                                     \
            poll(NULL, 0, 5);                                                          \
        }                                                                              \
        status;                                                                        \
    })

static void fill(struct ss_store *store, int32_t partition)
{
    cr_assert_eq(wipe_now(store, partition, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(save(store, partition, -1, 1), SS_OK, "%s", err.detail);
}

Test(redis_cluster, slots_are_those_of_redis)
{
    static const char *const keys[] = {"123456789",     "{user1000}.following",
                                       "foo{}{bar}",    "foo{{bar}}zap",
                                       "foo{bar}{zap}", "a{b",
                                       "a}b{c}",        "}{"};
    cr_assert_eq(ss_redis_slot("123456789", 9), 0x31c3);
    cluster_start(&cluster, 1, false);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        cr_expect_eq(ss_redis_slot(keys[i], strlen(keys[i])),
                     cluster_ask(&cluster, 0, "CLUSTER KEYSLOT %s", keys[i]), "%s", keys[i]);
    for (int32_t p = 0; p < 200; p++)
        cr_expect_eq(slot_of(p), cluster_ask(&cluster, 0, "CLUSTER KEYSLOT x:{%d}:cp", p));
}

Test(redis_cluster, partitions_are_spread_and_each_master_is_checked)
{
    char url[128];
    struct ss_store *store;
    cluster_start(&cluster, 3, false);
    snprintf(url, sizeof url, "redis-cluster://127.0.0.1:1,127.0.0.1:%d", cluster.nodes[1].port);
    cr_assert_eq(try_open(url, &store), SS_OK, "%s", err.detail); /* the first is nobody */
    for (int n = 0; n < 3; n++)
        cluster_wait(&cluster, n, "CONFIG GET hash-max-listpack-value", "512");
    for (int32_t p = 0; p < 16; p++)
        fill(store, p);
    for (int32_t p = 0; p < 16; p++) {
        int users = 0;
        cr_assert_eq(load(store, p, 1), SS_OK, "%s", err.detail);
        cr_assert_eq(cluster_ask(&cluster, cluster_owner(&cluster, slot_of(p)),
                                 "EXISTS test:{%d}:cp test:{%d}:0", p, p),
                     2);
        cr_assert_eq(store->ops->scan(store, p, count_users, &users, &err), SS_OK);
        cr_assert_eq(users, USERS);
    }
    for (int n = 0; n < 3; n++) {
        cr_assert_gt(cluster_ask(&cluster, n, "DBSIZE"), 0);
        cr_assert_leq(cluster_ask(&cluster, n, "CLIENT KILL TYPE normal"), 2); /* bounded */
    }
    cr_assert_eq(UNTIL_ANSWERED(save(store, 0, 1, 2)), SS_OK);
    store->ops->close(store);

    cluster_ask(&cluster, 2, "CONFIG SET maxmemory-policy allkeys-lru");
    cr_assert_eq(try_open(url, &store), SS_STOP);
    cr_assert(strstr(err.detail, "allkeys-lru"), "%s", err.detail);
}

Test(redis_cluster, logs_in_everywhere_and_tells_a_cluster_from_a_server)
{
    struct ss_store *store;
    char url[128];
    cluster_start(&cluster, 1, false);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", cluster.nodes[0].port);
    cluster_ask(&cluster, 0, "CLUSTER DELSLOTS %d", slot_of(0));
    cluster_ask(&cluster, 0, "CONFIG SET cluster-require-full-coverage no");
    cr_assert_eq(try_open(cluster.url, &store), SS_OK);
    cr_assert_eq(load(store, 0, 1), SS_RETRY);
    cr_assert(strstr(err.detail, "no node of the Redis Cluster has slot"), "%s", err.detail);
    store->ops->close(store);
    cluster_ask(&cluster, 0, "CLUSTER ADDSLOTS %d", slot_of(0));

    cluster_ask(&cluster, 0, "ACL SETUSER sesame on >se:cret ~test:* +@all");
    cluster_ask(&cluster, 0, "ACL SETUSER default on >hunter2");
    cr_assert_eq(try_open(cluster.url, &store), SS_STOP);
    snprintf(url, sizeof url, "redis-cluster://sesame:wrong@127.0.0.1:%d", cluster.nodes[0].port);
    cr_assert_eq(try_open(url, &store), SS_STOP);
    snprintf(url, sizeof url, "redis-cluster://sesame:se%%3Acret@127.0.0.1:%d",
             cluster.nodes[0].port);
    cr_assert_eq(UNTIL_ANSWERED(try_open(url, &store)), SS_OK, "%s", err.detail);
    cr_assert_eq(UNTIL_ANSWERED(wipe_now(store, 0, &err)), SS_OK, "%s", err.detail);
    cr_assert_eq(save(store, 0, -1, 1), SS_OK);
    store->ops->close(store);

    redis_server_start_tcp(&alone, NULL);
    snprintf(url, sizeof url, "redis-cluster://127.0.0.1:%d", alone.port);
    cr_assert_eq(try_open(url, &store), SS_STOP);
    cr_assert(strstr(err.detail, "with redis://"), "%s", err.detail);
}

Test(redis_cluster, a_server_url_at_a_cluster_says_what_to_do)
{
    struct ss_store *store;
    char url[64];
    cluster_start(&cluster, 3, false);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d",
             cluster.nodes[(cluster_owner(&cluster, slot_of(0)) + 1) % 3].port);
    cr_assert_eq(try_open(url, &store), SS_OK);
    cr_assert_eq(load(store, 0, 1), SS_STOP);
    cr_assert(strstr(err.detail, "redis-cluster://"), "%s", err.detail);
    store->ops->close(store);
}

/* ---- moving ---- */

Test(redis_cluster, a_slot_on_the_move_waits_and_arrives_whole)
{
    cluster_start(&cluster, 3, false);
    struct ss_store *store = open_store();
    int slot = slot_of(0), from = cluster_owner(&cluster, slot), to = (from + 1) % 3, users = 0;
    fill(store, 0);
    cluster_move_open(&cluster, slot, from, to);
    cr_assert_eq(load(store, 0, 1), SS_OK, "%s", err.detail); /* nothing has gone yet */
    cr_assert_eq(save(store, 0, 1, 2), SS_OK, "%s", err.detail);

    /* some may be the set of wakes and those of friends, which load does not need */
    for (int i = 0; i < BUCKETS + 2; i++)
        cr_assert(cluster_move_key(&cluster, slot, from, to, "test:{0}:cp"));
    cr_assert_eq(checkpoint(store, 0), 2);
    cr_assert_eq(load(store, 0, 2), SS_RETRY);
    cr_assert_eq(save(store, 0, 2, 3), SS_RETRY);
    cr_assert_eq(store->ops->scan(store, 0, count_users, &users, &err), SS_RETRY);
    while (cluster_move_key(&cluster, slot, from, to, "test:{0}:cp"))
        ;
    cr_assert_eq(save(store, 0, 2, 3), SS_RETRY);
    cr_assert(cluster_move_key(&cluster, slot, from, to, NULL)); /* the checkpoint goes last */
    cr_assert_eq(load(store, 0, 2), SS_RETRY);
    cr_assert_eq(save(store, 0, 2, 3), SS_RETRY);
    cr_assert_eq(save(store, 0, -1, 3), SS_RETRY);
    cr_assert_eq(wipe_now(store, 0, &err), SS_RETRY);
    cr_assert(strstr(err.detail, "being moved"), "%s", err.detail);
    cluster_move_close(&cluster, slot, from, to);

    cr_assert_eq(load(store, 0, 2), SS_OK, "%s", err.detail); /* MOVED is followed at once */
    cr_assert_eq(save(store, 0, 2, 3), SS_OK, "%s", err.detail);
    cr_assert_eq(load(store, 0, 3), SS_OK, "%s", err.detail);
    cr_assert_eq(store->ops->scan(store, 0, count_users, &users, &err), SS_OK);
    cr_assert_eq(users, USERS);
    cr_assert_eq(cluster_ask(&cluster, from, "CLUSTER COUNTKEYSINSLOT %d", slot), 0);
    store->ops->close(store);
}

static atomic_bool moving_done;

static void *move_about(void *arg)
{
    int slot = slot_of(0), at_node = cluster_owner(&cluster, slot);
    for (int round = 0; round < *(const int *)arg; round++) {
        int next = (at_node + 1) % 3;
        cluster_move_open(&cluster, slot, at_node, next);
        while (cluster_move_key(&cluster, slot, at_node, next, NULL))
            ;
        cluster_move_close(&cluster, slot, at_node, next);
        at_node = next;
    }
    moving_done = true;
    return NULL;
}

Test(redis_cluster, a_slot_moved_about_all_the_time_never_tells_wrong)
{
    int rounds = 60, retries = 0, saves = 0;
    pthread_t mover;
    int64_t offset = 1;
    cluster_start(&cluster, 3, false);
    struct ss_store *store = open_store();
    fill(store, 0);
    cr_assert_eq(pthread_create(&mover, NULL, move_about, &rounds), 0);
    while (!moving_done) {
        enum ss_status saved = save(store, 0, offset, offset + 1);
        cr_assert(saved == SS_OK || saved == SS_RETRY, "%s", err.detail);
        saves += saved == SS_OK;
        retries += saved == SS_RETRY;
        offset += saved == SS_OK;
        enum ss_status loaded = load(store, 0, offset); /* checks each state */
        cr_assert(loaded == SS_OK || loaded == SS_RETRY, "%d %s", loaded, err.detail);
    }
    pthread_join(mover, NULL);
    cr_assert_eq(UNTIL_ANSWERED(load(store, 0, offset)), SS_OK, "%s", err.detail);
    cr_assert_eq(save(store, 0, offset, offset + 1), SS_OK, "%s", err.detail);
    cr_assert(saves > 5 && retries > 5, "%d saves, %d retries", saves, retries);
    store->ops->close(store);
}

/* A master that fails while a slot is on its way forgets that it was: what has gone seems never to
 * have been. The same if the target loses what has come. */
Test(redis_cluster, keys_lost_on_the_way_are_noticed)
{
    cluster_start(&cluster, 3, false);
    struct ss_store *store = open_store();
    int slot = slot_of(0), from = cluster_owner(&cluster, slot), to = (from + 1) % 3;
    fill(store, 0);
    cluster_move_open(&cluster, slot, from, to);
    /* at least one bucket of users, beside those of friends and the set of wakes */
    for (int i = 0; i < BUCKETS + 2; i++)
        cr_assert(cluster_move_key(&cluster, slot, from, to, "test:{0}:cp"));
    cr_assert_eq(cluster_ask(&cluster, from, "CLUSTER SETSLOT %d STABLE", slot), 0);
    cr_assert_eq(cluster_ask(&cluster, to, "FLUSHALL"), 0);
    cr_assert_eq(cluster_ask(&cluster, to, "CLUSTER SETSLOT %d STABLE", slot), 0);
    cr_assert_eq(checkpoint(store, 0), 1);
    cr_assert_eq(load(store, 0, 1), SS_GIVE_UP, "%s", err.detail);
    cr_assert(strstr(err.detail, "lost states"), "%s", err.detail);
    cr_assert_eq(checkpoint(store, 0), -1); /* and so it is rebuilt */
    fill(store, 0);
    cr_assert_eq(load(store, 0, 1), SS_OK, "%s", err.detail);

    /* a save that fills the gap by half covers nothing up */
    cr_assert_eq(cluster_ask(&cluster, from, "DEL test:{0}:3"), 1);
    cr_assert_eq(save(store, 0, 1, 2), SS_OK);
    cr_assert_eq(load(store, 0, 2), SS_GIVE_UP);
    store->ops->close(store);
}

static enum ss_status wakes(struct ss_store *store, int64_t offset)
{
    struct ss_checkpoint expect = at(offset);
    struct ss_wake_group found;
    int users = 0;
    return store->ops->wakes(store, 0, &expect, INT64_MAX - 1, 0, &found, count_users, &users,
                             &err);
}

/* Else whoever sleeps there would never be woken. */
Test(redis_cluster, a_lost_set_of_wakes_is_noticed)
{
    cluster_start(&cluster, 3, false);
    struct ss_store *store = open_store();
    int node = cluster_owner(&cluster, slot_of(0));
    struct ss_checkpoint one = at(1), two = at(2), three = at(3);
    struct ss_put put = {{"user-1", 6}, {"1", 1}, 500};
    fill(store, 0);
    cr_assert_eq(wakes(store, 1), SS_OK, "%s", err.detail); /* nobody sleeps: that is no loss */
    cr_assert_eq(cluster_ask(&cluster, node, "DEL test:{0}:wk"), 1);
    cr_assert_eq(wakes(store, 1), SS_GIVE_UP);
    cr_assert(strstr(err.detail, "lost"), "%s", err.detail);
    cr_assert_eq(checkpoint(store, 0), -1); /* and so it is rebuilt */

    fill(store, 0); /* a save does not cover it up */
    cr_assert_eq(cluster_ask(&cluster, node, "DEL test:{0}:wk"), 1);
    cr_assert_eq(store->ops->save(store, 0, &one, &two, &put, 1, &err), SS_OK);
    cr_assert_eq(wakes(store, 2), SS_GIVE_UP);

    fill(store, 0); /* nor is a bucket that is to be woken taken for whole */
    cr_assert_eq(store->ops->save(store, 0, &one, &two, &put, 1, &err), SS_OK);
    cr_assert_eq(wakes(store, 2), SS_OK, "%s", err.detail);
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
        cr_assert_eq(cluster_ask(&cluster, node, "DEL test:{0}:%x", bucket), 1);
    put.wake_ms = 400;
    cr_assert_eq(store->ops->save(store, 0, &two, &three, &put, 1, &err), SS_OK);
    cr_assert_eq(wakes(store, 3), SS_GIVE_UP);
    store->ops->close(store);
}

/* ---- losing nodes ---- */

/* The replica no longer follows, nor can it come back; what is written now, only the master has. */
static void cut_off(int master)
{
    char text[16];
    redis_server_text(&cluster.nodes[master], "ACL SETUSER default -psync -sync -replconf", text,
                      sizeof text);
    redis_server_integer(&cluster.nodes[master], "CLIENT KILL TYPE replica");
    cluster_wait(&cluster, master + 3, "INFO replication", "master_link_status:down");
}

Test(redis_cluster, a_promoted_replica_that_lost_writes_is_noticed)
{
    cluster_start(&cluster, 3, true);
    struct ss_store *store = open_store();
    int master = cluster_owner(&cluster, slot_of(0)), replica = master + 3;
    for (int32_t p = 0; p < 8; p++)
        fill(store, p);
    double deadline = clock_seconds(CLOCK_MONOTONIC) + DEADLINE_S;
    while (cluster_ask(&cluster, replica, "DBSIZE") != cluster_ask(&cluster, master, "DBSIZE"))
        cr_assert(clock_seconds(CLOCK_MONOTONIC) < deadline);
    cut_off(master);
    for (int32_t p = 0; p < 8; p++)
        cr_assert_eq(save(store, p, 1, 2), SS_OK, "%s", err.detail);
    redis_server_kill(&cluster.nodes[master]);

    int lost = 0;
    for (int32_t p = 0; p < 8; p++) {
        bool was_there = cluster_owner(&cluster, slot_of(p)) == master;
        lost += was_there;
        cr_assert_eq(UNTIL_ANSWERED(load(store, p, 2)), was_there ? SS_GIVE_UP : SS_OK, "%s",
                     err.detail);
        cr_assert_eq(checkpoint(store, p), was_there ? 1 : 2);
        if (was_there)
            cr_assert_eq(save(store, p, 1, 2), SS_OK, "%s", err.detail); /* as a restore does */
        cr_assert_eq(load(store, p, 2), SS_OK, "%s", err.detail);
    }
    cr_assert(lost > 0 && lost < 8, "%d", lost);
    cluster_restart(&cluster, master); /* comes back as a replica of its replica */
    cluster_wait(&cluster, master, "INFO replication", "master_link_status:up");
    for (int32_t p = 0; p < 8; p++)
        cr_assert_eq(UNTIL_ANSWERED(save(store, p, 2, 3)), SS_OK, "%s", err.detail);
    store->ops->close(store);
}

Test(redis_cluster, a_cluster_that_is_down_is_for_later)
{
    cluster_start(&cluster, 3, false);
    struct ss_store *store = open_store();
    int32_t other = 0;
    while (cluster_owner(&cluster, slot_of(other)) == cluster_owner(&cluster, slot_of(0)))
        other++;
    fill(store, 0);
    fill(store, other);
    int here = cluster_owner(&cluster, slot_of(0));
    redis_server_kill(&cluster.nodes[here]);
    cr_assert_eq(load(store, 0, 1), SS_RETRY);
    cluster_wait(&cluster, cluster_owner(&cluster, slot_of(other)), "CLUSTER INFO",
                 "cluster_state:fail");
    cr_assert_eq(load(store, other, 1), SS_RETRY);
    cr_assert(strstr(err.detail, "CLUSTERDOWN"), "%s", err.detail);
    cr_assert_eq(save(store, other, 1, 2), SS_RETRY);

    for (int n = 0; n < 3; n++)
        redis_server_kill(&cluster.nodes[n]);
    double before = clock_seconds(CLOCK_MONOTONIC);
    for (int32_t p = 0; p < 8; p++) {
        cr_assert_eq(load(store, p, 1), SS_RETRY);
        cr_assert_eq(save(store, p, 1, 2), SS_RETRY);
        cr_assert_eq(wipe_now(store, p, &err), SS_RETRY);
    }
    cr_assert_lt(clock_seconds(CLOCK_MONOTONIC) - before, 10.0);
    struct ss_store *second;
    cr_assert_eq(try_open(cluster.url, &second), SS_RETRY);

    for (int n = 0; n < 3; n++)
        cluster_restart(&cluster, n);
    cr_assert_eq(UNTIL_ANSWERED(load(store, 0, 1)), SS_GIVE_UP); /* up again, and empty */
    fill(store, 0);
    cr_assert_eq(load(store, 0, 1), SS_OK, "%s", err.detail);
    store->ops->close(store);
}
