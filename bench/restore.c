/* restore.c - what rebuilding a wiped Redis from the changelog costs: the engine's own restore
 * (ss_partition_begin) from a changelog in memory into a redis-server of its own on a Unix socket.
 *
 *   restore [USERS [BUCKETS]]      1000000 users, one bucket for 60 of them
 *
 * The states are those that the events of `sesame generate` lead to, of USERS_MADE users, each
 * given to many. The changelog is as compaction leaves it: one record for each user, and one mark.
 * What Kafka's client costs is not in it: bare_loop.c has that. Prints one line of JSON: CPU time
 * of the engine and of the server, and users per second of both together and of either alone.
 */
#include "base/clock.h"
#include "bench/spent.h"
#include "cli/population.h"
#include "config/model_file.h"
#include "consumer/partition.h"
#include "scoring/apply.h"
#include "state/changelog.h"
#include "state/pack.h"
#include "state/redis_store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARTITIONS = 4, USERS_MADE = 20000, EVENTS_PER_USER = 20, USERS_IN_A_BUCKET = 60 };

static struct ss_user_state states[USERS_MADE];
static uint8_t packed[USERS_MADE][SS_PACKED_MAX];
static size_t packed_size[USERS_MADE];
static uint8_t mark[SS_MARK_PACKED_MAX];
static size_t mark_size;
static long users = 1000000, buckets;
static const int64_t start_ms = INT64_C(1704067200000);

static uint32_t number_of(struct ss_text id)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < id.size; i++)
        if (id.data[i] >= '0' && id.data[i] <= '9')
            number = number * 10 + (uint32_t)(id.data[i] - '0');
    return number % USERS_MADE;
}

static void make_states(const struct ss_model *model)
{
    struct ss_population_options options = {
        .seed = 7,
        .users = USERS_MADE,
        .events = (int64_t)USERS_MADE * EVENTS_PER_USER,
        .start_ms = start_ms,
        .end_ms = start_ms + SS_POPULATION_SPAN_DAYS * SS_DAY_MS,
    };
    struct ss_population *population;
    struct ss_population_event next;
    const struct ss_models models = {.person = model};
    struct ss_effects effects;
    enum ss_refusal refusal;
    struct ss_error err;
    must(ss_population_open(&options, &population, &err), &err);
    for (int64_t i = 0; ss_population_next(population, &next); i++) {
        static struct ss_friends friends; /* records of their own are left out here */
        friends.count = 0;
        struct ss_context context = {.offset = i,
                                     .friends = &friends,
                                     .record_time_ms = next.event.occurred_at_ms,
                                     .future_tolerance_ms = SS_DAY_MS};
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            context.positions[input] = i;
        (void)ss_apply(&models, &states[number_of(next.event.user_id)], &next.event, &context,
                       &effects, &refusal);
    }
    ss_population_close(population);
    for (size_t u = 0; u < USERS_MADE; u++)
        packed_size[u] = ss_state_pack(&states[u], packed[u]);
}

/* --- a bus that has a changelog and nothing else --- */

static enum ss_status bus_start(struct ss_bus *bus, int32_t partition,
                                struct ss_partition_start *out, struct ss_error *err)
{
    (void)bus, (void)partition, (void)err;
    memset(out, 0, sizeof *out);
    out->changelog_end = users / PARTITIONS + 2; /* the states, their mark, its marker */
    return SS_OK;
}

static enum ss_status bus_restore(struct ss_bus *bus, int32_t partition, int64_t from, int64_t to,
                                  ss_restore_sink *sink, void *arg, struct ss_error *err)
{
    (void)bus;
    int64_t count = to - 2;
    enum ss_status status = SS_OK;
    for (int64_t i = from; i < count && status == SS_OK; i++) {
        char id[32];
        /* in another order than that of their numbers; users of one partition */
        long number = (long)(i * INT64_C(7919) % count) * PARTITIONS + partition;
        int size = snprintf(id, sizeof id, "user-%08ld", number);
        size_t u = (size_t)number % USERS_MADE;
        if (packed_size[u] == 0)
            u = 0;
        status = sink(arg, i, start_ms + i, (struct ss_bytes){id, (size_t)size},
                      (struct ss_bytes){packed[u], packed_size[u]}, err);
    }
    if (status == SS_OK)
        status = sink(arg, count, start_ms + count, ss_mark_key, (struct ss_bytes){mark, mark_size},
                      err);
    return status;
}

static enum ss_status bus_newest_group(struct ss_bus *bus, int32_t partition,
                                       const struct ss_partition_start *start,
                                       char group[SS_GROUP_MAX], struct ss_error *err)
{
    (void)bus, (void)partition, (void)start, (void)err;
    group[0] = '\0';
    return SS_OK;
}

static enum ss_status bus_open(struct ss_bus *bus, int32_t partition,
                               const int64_t positions[SS_INPUT_COUNT], struct ss_error *err)
{
    (void)bus, (void)partition, (void)positions, (void)err;
    return SS_OK;
}

static enum ss_status bus_hold(struct ss_bus *bus, enum ss_input input, int32_t partition,
                               bool hold, struct ss_error *err)
{
    (void)bus, (void)input, (void)partition, (void)hold, (void)err;
    return SS_OK;
}

static int64_t bus_position(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    (void)bus, (void)input, (void)partition;
    return INT64_MAX;
}

static const struct ss_bus_ops bus_ops = {
    .start = bus_start,
    .restore = bus_restore,
    .newest_group = bus_newest_group,
    .open_partition = bus_open,
    .hold = bus_hold,
    .position = bus_position,
};

/* --- the server --- */

static char directory[] = "/tmp/sesame-restore-XXXXXX";
static char socket_path[sizeof directory + 16];

static pid_t start_server(void)
{
    if (!mkdtemp(directory))
        exit(1);
    snprintf(socket_path, sizeof socket_path, "%s/redis.sock", directory);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--save",
               "", "--dir", directory, "--logfile", "/dev/null", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static struct ss_store *open_store(void)
{
    char url[sizeof socket_path + 16];
    struct ss_store *store;
    struct ss_error err;
    snprintf(url, sizeof url, "unix://%s", socket_path);
    const struct ss_redis_config config = {url, "bench", (int)buckets, 10000};
    for (int try = 0; try < 500; try++) {
        if (ss_redis_open(&config, &store, &err) == SS_OK)
            return store;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    must(SS_STOP, &err);
    return NULL;
}

/* User and system time, from /proc; the server's threads included. */
static double server_seconds(pid_t pid)
{
    char path[32], line[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file) || !strrchr(line, ')') ||
        sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) != 2)
        exit(1);
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int64_t now_ms(void *arg)
{
    (void)arg;
    return ss_clock_wall_ms();
}

static void restore_all(struct ss_store *store, const struct ss_model *model)
{
    static struct ss_worker_stats stats = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct ss_bus bus = {&bus_ops, PARTITIONS, "bench"};
    struct ss_worker_config config = {
        .group = "bench",
        .bus = &bus,
        .store = store,
        .models = {.person = model},
        .clock = {now_ms, NULL},
        .limits = {.cache_bytes_max = 64u << 20, .delete_retention_ms = SS_DAY_MS},
        .stats = &stats,
    };
    struct ss_error err;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct ss_partition partition = {.number = p};
        must(ss_partition_begin(&config, &partition, &err), &err);
        ss_cache_close(partition.cache);
    }
}

int main(int argc, char **argv)
{
    static struct ss_model model;
    struct ss_mark newest = {.partition_count = PARTITIONS, .incarnation = {1}};
    struct ss_error err;
    if (argc > 1)
        users = atol(argv[1]) / PARTITIONS * PARTITIONS;
    buckets = argc > 2 ? atol(argv[2]) : users / PARTITIONS / USERS_IN_A_BUCKET + 1;
    if (users < PARTITIONS || argc > 3) {
        fprintf(stderr, "usage: restore [USERS [BUCKETS]]\n");
        return 2;
    }
    must(ss_model_default(&model, &err), &err);
    make_states(&model);
    mark_size = ss_mark_pack(&newest, mark);
    pid_t server = start_server();
    struct ss_store *store = open_store();
    double own = cpu(), others = server_seconds(server);
    int64_t began_ms = now_ms(NULL);
    restore_all(store, &model);
    double wall = (double)(now_ms(NULL) - began_ms) / 1000;
    own = cpu() - own;
    others = server_seconds(server) - others;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    size_t bytes = 0;
    for (size_t u = 0; u < USERS_MADE; u++)
        bytes += packed_size[u];
    printf("{\"kind\": \"restore\", \"users\": %ld, \"buckets\": %ld, \"state_bytes\": %zu, "
           "\"engine_s\": %.2f, \"redis_s\": %.2f, \"wall_s\": %.2f, \"engine_mib\": %ld, "
           "\"users_per_s_and_core\": %.0f, \"engine_alone\": %.0f, \"redis_alone\": %.0f}\n",
           users, buckets, bytes / USERS_MADE, own, others, wall, usage.ru_maxrss / 1024,
           (double)users / (own + others), (double)users / own, (double)users / others);
    store->ops->close(store);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    unlink(socket_path);
    rmdir(directory);
    return 0;
}
