/* What a crowd of ordinary users takes in Redis: it must stay in the compact form, and what is
 * added to the packed states must stay small; sizes and times are printed for information.
 * bench/memory measures the same at length. */
#include "state/pack.h"
#include "state/redis_store.h"

#include "helper_redis.h"
#include "helper_state.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct redis_server server;
static struct ss_error err;

static void remove_server(void)
{
    redis_server_remove(&server);
}

TestSuite(redis_size, .fini = remove_server);

enum { CROWD = 20000, BUCKETS = CROWD / 60 };

static void count_bytes(void *arg, size_t i, struct ss_bytes packed)
{
    (void)i;
    *(size_t *)arg += packed.size;
}

static long long used_memory(void)
{
    static char info[8192];
    redis_server_text(&server, "INFO memory", info, sizeof info);
    return atoll(strstr(info, "used_memory:") + strlen("used_memory:"));
}

Test(redis_size, a_crowd_of_typical_users_stays_compact)
{
    static struct ss_user_state state;
    static uint8_t packed[CROWD][512];
    static char ids[CROWD][24];
    static struct ss_put puts[CROWD];
    static struct ss_bytes user_ids[CROWD];
    char text[64];
    redis_server_start(&server, NULL);
    const int windows[] = {4, 8, 16};
    for (int w = 0; w < 3; w++) {
        uint64_t seed = 1;
        size_t sum = 0, loaded = 0;
        for (int i = 0; i < CROWD; i++) {
            state_typical(&state, &seed, windows[w]);
            snprintf(ids[i], sizeof ids[i], "u%07d", i * 4);
            user_ids[i] = (struct ss_bytes){ids[i], strlen(ids[i])};
            puts[i] = (struct ss_put){
                user_ids[i], {packed[i], ss_state_pack(&state, packed[i])}, 1000 + i};
            sum += puts[i].packed.size;
        }
        redis_server_text(&server, "FLUSHALL", text, sizeof text);
        long long empty = used_memory();
        struct ss_store *store;
        struct ss_redis_config config = {server.url, "test", BUCKETS, 10000};
        cr_assert_eq(ss_redis_open(&config, &store, &err), SS_OK, "%s", err.detail);
        struct ss_checkpoint checkpoint = {.cluster_id = "cluster", .offset = 1};
        cr_assert_eq(store->ops->save(store, 0, NULL, &checkpoint, puts, CROWD, &err), SS_OK);
        double memory = (double)(used_memory() - empty) / CROWD;
        for (int b = 0; b < BUCKETS; b++) {
            char command[64];
            snprintf(command, sizeof command, "OBJECT ENCODING test:{0}:%x", b);
            redis_server_text(&server, command, text, sizeof text);
            cr_assert_str_eq(text, "listpack");
        }
        printf("window %2d: packed %.0f bytes, in Redis %.0f bytes per user\n", windows[w],
               (double)sum / CROWD, memory);
        /* the id, the heads of two entries and a little for keys, timers and the connection; the
         * allocator's classes are a fifth apart, so that it rounds up by a tenth in the mean */
        double entries = (double)sum / CROWD + 8 + 6;
        cr_assert_lt(memory, entries * 1.2 + 16, "%.0f bytes for %.0f of entries", memory, entries);

        for (int batch = 1000; batch <= CROWD; batch *= 20) {
            double cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID),
                   wall = clock_seconds(CLOCK_MONOTONIC);
            for (int i = 0; i < CROWD; i += batch) {
                struct ss_checkpoint next = checkpoint;
                next.offset++;
                cr_assert_eq(
                    store->ops->save(store, 0, &checkpoint, &next, puts + i, (size_t)batch, &err),
                    SS_OK, "%s", err.detail);
                checkpoint = next;
            }
            double save_cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID),
                   save_wall = clock_seconds(CLOCK_MONOTONIC);
            loaded = 0;
            for (int i = 0; i < CROWD; i += batch)
                cr_assert_eq(store->ops->load(store, 0, &checkpoint, user_ids + i, (size_t)batch,
                                              count_bytes, &loaded, &err),
                             SS_OK);
            cr_assert_eq(loaded, sum);
            printf("  batches of %5d: save %.2f us, of them our CPU %.2f; load %.2f, %.2f\n", batch,
                   (save_wall - wall) / CROWD * 1e6, (save_cpu - cpu) / CROWD * 1e6,
                   (clock_seconds(CLOCK_MONOTONIC) - save_wall) / CROWD * 1e6,
                   (clock_seconds(CLOCK_THREAD_CPUTIME_ID) - save_cpu) / CROWD * 1e6);
        }
        store->ops->close(store);
    }
}
