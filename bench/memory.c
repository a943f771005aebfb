/* memory.c - what a user takes in Redis: ordinary users' final states, through the real core,
 * packed form and store, in a redis-server of their own.
 *
 *   memory [--users 300000] [--events 100] [--window 16] [--days 14] [--per-bucket 96]
 *          [--partitions 4] [--buckets B] [--batch 2000] [--friends 10] [--sealed] [--all]
 *
 * 1. Every user has a life of `events` events (life.h), applied with the default model but for its
 *    window of duplicates, steps of time included.
 * 2. Redis gets all states as they were before the last event, then all final ones, in batches and
 * in an order that has nothing to do with buckets, as the engine's: so it holds what was
 * overwritten, and the time of the second round is that of updates. Then all are read once.
 * 3. used_memory is what Redis says of itself, less what it said when it was empty, with nobody
 *    connected but the one who asks, once it has stopped changing.
 * 4. Then each user's list of friends (memory_friends.h), without its newest and with it: what that
 *    adds is told apart.
 *
 * Asserts nothing but that the buckets are compact. --all: all windows and sizes of bucket, too.
 * Sizes are the same on each run with the same Redis and allocator; times are not.
 */
#include "bench/life.h"
#include "bench/memory_friends.h"
#include "bench/memory_parts.h"
#include "bench/memory_redis.h"
#include "bench/spent.h"

#include "config/model_file.h"
#include "scoring/apply.h"
#include "state/pack.h"
#include "state/redis_store.h"
#include "state/seal.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DAY_MS = 86400000,
    ENOUGH_USERS = 300000000
}; /* of whom Zhima wrote: what that many would take is told */

static struct {
    int users, events, window, days, per_bucket, partitions, buckets, batch, friends, sealed, all;
} options = {300000, 100, 16, 14, 96, 4, 0, 2000, 10, 0, 0};

static struct ss_model model;
static const struct ss_models models = {.person = &model};
static const struct ss_sealer *sealer;

static void *must_have(void *memory)
{
    if (!memory) {
        fprintf(stderr, "memory: out of memory\n");
        exit(1);
    }
    return memory;
}

/* --- the states --- */

struct states {
    uint8_t *bytes;
    size_t size, capacity;
    size_t *end;      /* of each user's */
    int64_t *wake_ms; /* of each user */
};

static char (*user_ids)[LIFE_ID_SIZE];
static struct states before, final; /* before the last event, and after it */

static struct ss_bytes id_of(int user)
{
    return (struct ss_bytes){user_ids[user], LIFE_ID_SIZE};
}

static struct ss_bytes state_of(const struct states *states, int user)
{
    size_t from = user > 0 ? states->end[user - 1] : 0;
    return (struct ss_bytes){states->bytes + from, states->end[user] - from};
}

static void init_states(struct states *states)
{
    states->end = must_have(malloc((size_t)options.users * sizeof *states->end));
    states->wake_ms = must_have(malloc((size_t)options.users * sizeof *states->wake_ms));
}

static void reset_states(struct states *states)
{
    free(states->bytes);
    free(states->end);
    free(states->wake_ms);
}

/* As the engine stores it, when all inputs have come to the same day. */
static void keep(struct states *states, int user, struct ss_user_state *state, int64_t time_ms)
{
    int32_t days[SS_INPUT_COUNT];
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        days[input] = (int32_t)(time_ms / DAY_MS);
    ss_forget(&models, state, days);
    uint8_t packed[SS_PACKED_MAX], sealed[SS_SEALED_MAX];
    struct ss_bytes bytes = {packed, ss_state_pack(state, packed)};
    bytes = ss_seal(sealer, id_of(user), bytes, sealed);
    if (states->size + bytes.size > states->capacity) {
        states->capacity = states->capacity * 2 + ((size_t)1 << 20);
        states->bytes = must_have(realloc(states->bytes, states->capacity));
    }
    memcpy(states->bytes + states->size, bytes.data, bytes.size);
    states->end[user] = states->size += bytes.size;
    states->wake_ms[user] = ss_wake_at(&models, state);
}

static void apply(struct ss_user_state *state, const struct life *life, int i)
{
    const struct ss_event *event = &life->events[i];
    struct ss_effects effects;
    enum ss_refusal refusal;
    static struct ss_friends friends; /* records apart: here only what the state has of them */
    friends.count = 0;
    struct ss_context context = {
        .friends = &friends,
        .offset = life->positions[i],
        .record_time_ms = event->occurred_at_ms,
        .clock_ms = event->occurred_at_ms,
        .day = (int32_t)(event->occurred_at_ms / DAY_MS), /* others have brought the input there */
    };
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        context.positions[input] = life->positions[i] + 1;
    while (ss_wake(&models, state, event->user_id, &context, &effects))
        ;
    enum ss_outcome outcome = ss_apply(&models, state, event, &context, &effects, &refusal);
    if (outcome != SS_COUNTED) {
        fprintf(stderr, "memory: an event of %s was %s\n", ss_input_name(event->input),
                ss_outcome_name(outcome));
        exit(1);
    }
}

static size_t sizes[SS_SEALED_MAX + 1]; /* how many states have each size */

static void make_states(int window, int days)
{
    static struct life life;
    static struct ss_user_state state;
    model.recent_window = window;
    model.recent_days = days;
    before.size = final.size = 0;
    memset(sizes, 0, sizeof sizes);
    memory_parts_clear();
    for (int user = 0; user < options.users; user++) {
        life_make(&life, (uint64_t)user, options.events);
        memcpy(user_ids[user], life.user_id, LIFE_ID_SIZE);
        memset(&state, 0, sizeof state);
        for (int i = 0; i < life.count - 1; i++)
            apply(&state, &life, i);
        keep(&before, user, &state, life.events[life.count - 2].occurred_at_ms);
        apply(&state, &life, life.count - 1);
        keep(&final, user, &state, life.events[life.count - 1].occurred_at_ms);
        sizes[state_of(&final, user).size]++;
        memory_parts_add(&state);
    }
}

static double mean(size_t sum)
{
    return (double)sum / options.users;
}

static size_t percentile(int percent)
{
    size_t seen = 0, size = 0;
    while ((seen += sizes[size]) * 100 < (size_t)options.users * (size_t)percent)
        size++;
    return size;
}

static void print_states(void)
{
    printf("A packed state: mean %.1f bytes, half of them up to %zu, 90 %% up to %zu, 99 %% up to "
           "%zu\n\n",
           mean(final.size), percentile(50), percentile(90), percentile(99));
    memory_parts_print(options.users);
}

/* --- Redis --- */

struct cost {
    double used, dataset, fragmentation; /* bytes per user; resident over used */
    double content, rounding; /* bytes per user: the entries; the allocator's, over that */
    double save_us, load_us;  /* of Redis, per user */
    double users_per_bucket;
    double lists, listed; /* bytes per user: what friend lists add; of them packed lists */
};

/* What the buckets' listpacks have in them, and what the allocator gave for that. */
static void look_into_buckets(struct cost *cost)
{
    struct memory_buckets buckets = memory_redis_buckets();
    double content = 7.0 * (double)buckets.count; /* a listpack's head and end */
    for (int user = 0; user < options.users; user++)
        content += (double)(memory_listpack_entry(LIFE_ID_SIZE) +
                            memory_listpack_entry(state_of(&final, user).size));
    cost->content = content / options.users;
    cost->rounding = (buckets.given - content) / options.users;
    cost->users_per_bucket = (double)options.users / (double)buckets.count;
}

/* The i-th user of the partition in an order of no meaning. */
static int user_at(int partition, int i, int count)
{
    return (int)((int64_t)i * 7919 % count) * options.partitions + partition;
}

static void save_all(struct ss_store *store, const struct states *states,
                     struct ss_checkpoint *checkpoint)
{
    struct ss_error err;
    struct ss_put *puts = must_have(malloc((size_t)options.batch * sizeof *puts));
    int count = options.users / options.partitions;
    for (int p = 0; p < options.partitions; p++)
        for (int from = 0; from < count; from += options.batch) {
            int n = count - from < options.batch ? count - from : options.batch;
            for (int i = 0; i < n; i++) {
                int user = user_at(p, from + i, count);
                puts[i] =
                    (struct ss_put){id_of(user), state_of(states, user), states->wake_ms[user]};
            }
            struct ss_checkpoint next = checkpoint[p];
            next.offset++;
            must(store->ops->save(store, p, next.offset == 1 ? NULL : &checkpoint[p], &next, puts,
                                  (size_t)n, &err),
                 &err);
            checkpoint[p] = next;
        }
    free(puts);
}

static void count_bytes(void *arg, size_t i, struct ss_bytes packed)
{
    (void)i;
    *(size_t *)arg += packed.size;
}

static void load_all(struct ss_store *store, const struct ss_checkpoint *checkpoint)
{
    struct ss_error err;
    struct ss_bytes *ids = must_have(malloc((size_t)options.batch * sizeof *ids));
    int count = options.users / options.partitions;
    size_t bytes = 0;
    for (int p = 0; p < options.partitions; p++)
        for (int from = 0; from < count; from += options.batch) {
            int n = count - from < options.batch ? count - from : options.batch;
            for (int i = 0; i < n; i++)
                ids[i] = id_of(user_at(p, from + i, count));
            must(store->ops->load(store, p, &checkpoint[p], ids, (size_t)n, count_bytes, &bytes,
                                  &err),
                 &err);
        }
    free(ids);
    if (bytes != final.size) {
        fprintf(stderr, "memory: Redis gave back %zu bytes of %zu\n", bytes, final.size);
        exit(1);
    }
}

/* Returns the bytes of all lists. */
static size_t save_friends(struct ss_store *store, struct ss_checkpoint *checkpoint, int less)
{
    struct ss_error err;
    struct ss_put *puts = must_have(malloc((size_t)options.batch * sizeof *puts));
    uint8_t(*keys)[SS_FRIENDS_KEY_MAX] = must_have(malloc((size_t)options.batch * sizeof *keys));
    size_t most = 3 + (size_t)options.friends * 2 * (2 + LIFE_ID_SIZE) + SS_SEAL_OVERHEAD_MAX;
    uint8_t *packed = must_have(malloc((size_t)options.batch * most));
    static uint8_t list[SS_FRIENDS_PACKED_MAX];
    size_t bytes = 0;
    int count = options.users / options.partitions;
    for (int p = 0; p < options.partitions; p++)
        for (int from = 0; from < count; from += options.batch) {
            int n = count - from < options.batch ? count - from : options.batch, given = 0;
            size_t at = 0;
            for (int i = 0; i < n; i++) {
                int user = user_at(p, from + i, count);
                struct ss_bytes value = {list, memory_friends_pack(user_ids, options.users, user,
                                                                   options.friends, less, list)};
                struct ss_bytes key = ss_friends_key(id_of(user), keys[given]);
                if (value.size == 0)
                    continue;
                value = ss_seal(sealer, key, value, packed + at);
                if (value.data == list)
                    value.data = memcpy(packed + at, list, value.size);
                at += value.size;
                puts[given++] = (struct ss_put){key, value, SS_WAKE_NEVER};
            }
            struct ss_checkpoint next = checkpoint[p];
            next.offset++;
            must(store->ops->save(store, p, &checkpoint[p], &next, puts, (size_t)given, &err),
                 &err);
            checkpoint[p] = next;
            bytes += at;
        }
    free(packed);
    free(keys);
    free(puts);
    return bytes;
}

static struct cost measure(int per_bucket)
{
    struct ss_error err;
    struct ss_store *store;
    struct cost cost = {0};
    int buckets = options.buckets;
    if (!buckets)
        buckets = options.users / options.partitions / per_bucket;
    if (!buckets)
        buckets = 1;
    const char *url = memory_redis_start();
    struct ss_redis_config config = {url, "bench", buckets, 60000};
    double empty = memory_redis_at_rest(),
           empty_dataset = memory_redis_info("memory", "used_memory_dataset");
    must(ss_redis_open(&config, &store, &err), &err);
    struct ss_checkpoint *checkpoint =
        must_have(calloc((size_t)options.partitions, sizeof *checkpoint));
    save_all(store, &before, checkpoint);
    double seconds = memory_redis_seconds();
    save_all(store, &final, checkpoint);
    cost.save_us = (memory_redis_seconds() - seconds) / options.users * 1e6;
    seconds = memory_redis_seconds();
    load_all(store, checkpoint);
    cost.load_us = (memory_redis_seconds() - seconds) / options.users * 1e6;
    store->ops->close(store);
    double used = memory_redis_at_rest();
    cost.used = (used - empty) / options.users;
    cost.dataset =
        (memory_redis_info("memory", "used_memory_dataset") - empty_dataset) / options.users;
    cost.fragmentation = memory_redis_info("memory", "mem_fragmentation_ratio");
    look_into_buckets(&cost);
    if (options.friends > 0) {
        must(ss_redis_open(&config, &store, &err), &err);
        save_friends(store, checkpoint, 1);
        cost.listed = mean(save_friends(store, checkpoint, 0));
        store->ops->close(store);
        cost.lists = (memory_redis_at_rest() - used) / options.users;
    }
    free(checkpoint);
    memory_redis_stop();
    return cost;
}

static void print_cost(const struct cost *cost)
{
    double all = cost->used * ENOUGH_USERS;
    printf("Redis: %.1f bytes per user (used_memory), of them %.1f in the dataset\n", cost->used,
           cost->dataset);
    printf("  a packed state %.1f, the id %d, the rest of the two entries %.1f\n", mean(final.size),
           LIFE_ID_SIZE, cost->content - mean(final.size) - LIFE_ID_SIZE);
    printf("  rounded up by the allocator %.1f, keys and timers %.1f, %.1f users per bucket\n",
           cost->rounding, cost->used - cost->content - cost->rounding, cost->users_per_bucket);
    printf("  resident over used %.2f; CPU of Redis for an update %.2f us, for a read %.2f us\n",
           cost->fragmentation, cost->save_us, cost->load_us);
    printf("%d million users: %.1f GB (%.1f GiB)\n\n", ENOUGH_USERS / 1000000, all / 1e9,
           all / (1 << 30));
    if (options.friends == 0)
        return;
    printf("Lists of %d friends in the mean, apart: %.1f bytes per user, of them the packed list "
           "%.1f\n",
           options.friends, cost->lists, cost->listed);
    printf("%d million users: %.1f GB more\n\n", ENOUGH_USERS / 1000000,
           cost->lists * ENOUGH_USERS / 1e9);
}

static void print_windows(void)
{
    static const int windows[] = {0, 4, 8, 16}, days[] = {7, 14, 30};
    printf("| window | days | packed | Redis, bytes per user | 300 million, GB "
           "|\n|---|---|---|---|---|\n");
    for (int w = 0; w < 4; w++)
        for (int d = 0; d < (w ? 3 : 1); d++) {
            make_states(windows[w], days[d]);
            struct cost cost = measure(options.per_bucket);
            printf("| %d | %d | %.1f | %.1f | %.1f |\n", windows[w], days[d], mean(final.size),
                   cost.used, cost.used * ENOUGH_USERS / 1e9);
            fflush(stdout);
        }
    printf("\n");
}

static void print_buckets(void)
{
    static const int users[] = {4, 18, 32, 60, 80, 96, 128, 192, 288, 512, 800};
    printf("| users per bucket | Redis, bytes per user | rounding | keys and timers | update, us | "
           "read, us |\n"
           "|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct cost cost = measure(users[i]);
        printf("| %.0f | %.1f | %.1f | %.1f | %.2f | %.2f |\n", cost.users_per_bucket, cost.used,
               cost.rounding, cost.used - cost.content - cost.rounding, cost.save_us, cost.load_us);
        fflush(stdout);
    }
    printf("\n");
}

static struct {
    struct option option;
    int *value, least, most;
} const known[] = {
    {{"users", required_argument, NULL, 0}, &options.users, 1, 20000000},
    {{"events", required_argument, NULL, 0}, &options.events, LIFE_EVENTS_MIN, LIFE_EVENTS_MAX},
    {{"window", required_argument, NULL, 0}, &options.window, 0, SS_RECENT_MAX},
    {{"days", required_argument, NULL, 0}, &options.days, 1, SS_DECAY_DAYS_MAX},
    {{"per-bucket", required_argument, NULL, 0}, &options.per_bucket, 1, 1024},
    {{"partitions", required_argument, NULL, 0}, &options.partitions, 1, 10000},
    {{"buckets", required_argument, NULL, 0}, &options.buckets, 1, 1048576},
    {{"batch", required_argument, NULL, 0}, &options.batch, 1, 1000000},
    {{"friends", required_argument, NULL, 0}, &options.friends, 0, SS_FRIENDS_MAX / 2},
    {{"sealed", no_argument, NULL, 0}, &options.sealed, 0, 1},
    {{"all", no_argument, NULL, 0}, &options.all, 0, 1},
};
enum { KNOWN_COUNT = sizeof known / sizeof known[0] };

static void read_options(int argc, char **argv)
{
    struct option list[KNOWN_COUNT + 1] = {{0}};
    int which = 0, found;
    for (int i = 0; i < KNOWN_COUNT; i++)
        list[i] = known[i].option;
    while ((found = getopt_long(argc, argv, "", list, &which)) == 0) {
        char *end = NULL;
        long value = known[which].option.has_arg ? strtol(optarg, &end, 10) : 1;
        if ((end && (*end || end == optarg)) || value < known[which].least ||
            value > known[which].most) {
            fprintf(stderr, "memory: --%s must be %d to %d\n", known[which].option.name,
                    known[which].least, known[which].most);
            exit(2);
        }
        *known[which].value = (int)value;
    }
    if (found != -1 || optind < argc) {
        fprintf(stderr, "usage: memory");
        for (int i = 0; i < KNOWN_COUNT; i++)
            fprintf(stderr, " [--%s%s]", known[i].option.name, known[i].option.has_arg ? " N" : "");
        fprintf(stderr, "\n");
        exit(2);
    }
    options.users =
        (options.users + options.partitions - 1) / options.partitions * options.partitions;
}

static void open_sealer(void)
{
    static const uint8_t bytes[SS_SEAL_KEY_SIZE] = {1};
    struct ss_seal_key key = {1, bytes};
    struct ss_sealer *opened;
    struct ss_error err;
    must(ss_sealer_open(&key, 1, 0, SS_PLAIN_REFUSE, &opened, &err), &err);
    sealer = opened;
}

int main(int argc, char **argv)
{
    struct ss_error err;
    read_options(argc, argv);
    must(ss_model_default(&model, &err), &err);
    if (options.sealed)
        open_sealer();
    user_ids = must_have(malloc((size_t)options.users * sizeof *user_ids));
    init_states(&before);
    init_states(&final);

    printf("%d users, %d events each, a window of %d for %d days%s, ids of %d bytes\n\n",
           options.users, options.events, options.window, options.days,
           options.sealed ? ", sealed" : "", LIFE_ID_SIZE);
    make_states(options.window, options.days);
    print_states();
    fflush(stdout);
    struct cost cost = measure(options.per_bucket);
    print_cost(&cost);
    fflush(stdout);
    if (options.all) {
        options.buckets = 0;
        print_buckets();
        print_windows();
    }
    ss_sealer_close(sealer);
    free(user_ids);
    reset_states(&before);
    reset_states(&final);
    return 0;
}
