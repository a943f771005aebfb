/* micro.c - nanoseconds of the steps that an event passes within the process: decode, apply,
 * unpack, pack, encode, and the cache. One line of JSON for each, the median of ROUNDS rounds.
 *
 * The events are those of `sesame generate`: what a step costs depends on what the users' states
 * have come to look like, so they are applied in order from nothing, and the states at the end are
 * what the later steps work on. One thread, no I/O.
 */
#include "bench/spent.h"
#include "cli/population.h"
#include "config/model_file.h"
#include "schemas/codec.h"
#include "scoring/apply.h"
#include "state/cache.h"
#include "state/changelog.h"
#include "state/pack.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 15, USERS = 1000, EVENTS = 20000 };

/* An event that owns its bytes: the encoded body. */
struct kept {
    enum ss_input input;
    uint32_t user, size;
    size_t at; /* in bodies */
};

static struct kept kept[EVENTS];
static struct ss_buffer bodies;
static struct ss_user_state states[USERS], scratch[USERS];
static uint8_t packed[USERS][SS_PACKED_MAX];
static size_t packed_size[USERS];
static char user_ids[USERS][SS_USER_ID_MAX];
static uint32_t user_id_size[USERS];
static struct ss_model model;
static const struct ss_models models = {.person = &model};
static struct ss_plan *plans[SS_INPUT_COUNT];
static struct ss_buffer encoded;
static struct ss_cache *cache;
static volatile uint64_t sink; /* keeps results alive */

static uint32_t user_of(struct ss_text id)
{
    static uint32_t count;
    static uint32_t table[1 << 12];
    uint32_t hash = 2166136261u, mask = (1 << 12) - 1;
    for (uint32_t i = 0; i < id.size; i++)
        hash = (hash ^ (uint8_t)id.data[i]) * 16777619u;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        uint32_t user = table[at] - 1;
        if (table[at] == 0) {
            if (count == USERS || id.size > SS_USER_ID_MAX) {
                fprintf(stderr, "micro: more users than asked for\n");
                exit(1);
            }
            table[at] = ++count;
            memcpy(user_ids[count - 1], id.data, id.size);
            user_id_size[count - 1] = id.size;
            return count - 1;
        }
        if (user_id_size[user] == id.size && memcmp(user_ids[user], id.data, id.size) == 0)
            return user;
    }
}

static void make_events(void)
{
    struct ss_population_options options = {
        .seed = 7,
        .users = USERS,
        .events = EVENTS,
        .start_ms = INT64_C(1704067200000),
        .end_ms = INT64_C(1704067200000) + SS_POPULATION_SPAN_DAYS * SS_DAY_MS,
        .duplicates_permille = 5,
    };
    struct ss_population *population;
    struct ss_population_event next;
    struct ss_error err;
    must(ss_population_open(&options, &population, &err), &err);
    for (size_t i = 0; i < EVENTS && ss_population_next(population, &next); i++) {
        kept[i].input = next.event.input;
        kept[i].user = user_of(next.event.user_id);
        kept[i].at = bodies.size + SS_WIRE_HEADER_SIZE;
        must(ss_encode_event(1, &next.event, &bodies, &err), &err);
        kept[i].size = (uint32_t)(bodies.size - kept[i].at);
    }
    ss_population_close(population);
}

static void decode(size_t i, struct ss_event *event)
{
    struct ss_error err;
    struct ss_bytes body = {bodies.data + kept[i].at, kept[i].size};
    must(ss_plan_decode(plans[kept[i].input], body, event, &err), &err);
}

/* --- the steps: each returns how often it did what it is called after --- */

static size_t decode_payments(void)
{
    size_t count = 0;
    struct ss_event event;
    for (size_t i = 0; i < EVENTS; i++) {
        if (kept[i].input != SS_PAYMENTS)
            continue;
        decode(i, &event);
        sink += (uint64_t)event.payment.amount_minor;
        count++;
    }
    return count;
}

static size_t decode_all(void)
{
    struct ss_event event;
    for (size_t i = 0; i < EVENTS; i++) {
        decode(i, &event);
        sink += (uint64_t)event.occurred_at_ms;
    }
    return EVENTS;
}

static struct ss_context context_of(size_t i, const struct ss_event *event)
{
    struct ss_context context = {
        .offset = (int64_t)i,
        .record_time_ms = event->occurred_at_ms,
        .future_tolerance_ms = SS_DAY_MS,
    };
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        context.positions[input] = (int64_t)i;
    return context;
}

static void forget_all(void)
{
    memset(scratch, 0, sizeof scratch);
}

/* Decoded once more per event, for a decoded event borrows: subtract `decode, all inputs`. */
static size_t decode_and_apply(void)
{
    struct ss_event event;
    struct ss_effects effects;
    enum ss_refusal refusal;
    for (size_t i = 0; i < EVENTS; i++) {
        decode(i, &event);
        struct ss_context context = context_of(i, &event);
        static struct ss_friends friends; /* short ones: nobody answers */
        friends.count = 0;
        context.friends = &friends;
        sink += (uint64_t)ss_apply(&models, &scratch[kept[i].user], &event, &context, &effects,
                                   &refusal);
    }
    return EVENTS;
}

/* The state that the model and all of the user's events lead to. */
static size_t score_states(void)
{
    struct ss_score score;
    for (size_t u = 0; u < USERS; u++) {
        ss_score_compute(&model, &states[u], states[u].published.as_of_ms,
                         states[u].published.horizon_ms, &score);
        sink += (uint64_t)score.score;
    }
    return USERS;
}

static size_t pack_states(void)
{
    for (size_t u = 0; u < USERS; u++)
        packed_size[u] = ss_state_pack(&states[u], packed[u]);
    return USERS;
}

static size_t unpack_states(void)
{
    struct ss_error err;
    for (size_t u = 0; u < USERS; u++) {
        must(ss_state_unpack((struct ss_bytes){packed[u], packed_size[u]}, &scratch[0], &err),
             &err);
        sink += (uint64_t)scratch[0].published.score;
    }
    return USERS;
}

static size_t encode_scores(void)
{
    struct ss_error err;
    struct ss_score_record record = {
        .kind = SS_KIND_UPDATE,
        .standing = SS_STANDING_SCORED,
        .has_score = true,
        .has_previous = true,
        .cause = {.event_id = {"0123456789abcdef", 16}},
        .model_version = model.version,
    };
    for (size_t u = 0; u < USERS; u++) {
        if (u % 64 == 0) /* scoring is another step's */
            ss_score_compute(&model, &states[u], states[u].published.as_of_ms,
                             states[u].published.horizon_ms, &record.score);
        record.tier_name = model.tiers[record.score.tier].name;
        record.user_id = (struct ss_text){user_ids[u], user_id_size[u]};
        record.sequence = states[u].published.sequence;
        record.as_of_ms = states[u].published.as_of_ms;
        encoded.size = 0;
        must(ss_encode_score(1, &record, &encoded, &err), &err);
        sink += encoded.size;
    }
    return USERS;
}

/* A partition of a million users, most of them in the middle. */
static struct ss_mark mark;

static void fill_mark(void)
{
    for (int i = 0; i < SS_SCORE_COUNT; i++) {
        int64_t off = i < 250 ? 250 - i : i - 250;
        mark.histogram.users[i] = off < 225 ? (uint32_t)((225 - off) * 20) : 0;
    }
}

static size_t rank_records(void)
{
    static struct ss_rank_table table;
    int64_t users[SS_SCORE_COUNT];
    struct ss_score_record record = {.has_score = true, .has_previous = true};
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        users[i] = mark.histogram.users[i];
    ss_rank_table_init(&table, users);
    for (size_t i = 0; i < EVENTS; i++) {
        record.previous_score = 500 + (int32_t)(i % 100);
        record.score.score = 500 + (int32_t)((i + 1) % 100);
        sink += ss_histogram_move(&mark.histogram, &record);
        ss_rank_record(&table, 1, &record);
        sink += (uint64_t)record.percentile;
    }
    return EVENTS;
}

static size_t pack_marks(void)
{
    uint8_t bytes[SS_MARK_PACKED_MAX];
    for (size_t i = 0; i < EVENTS / 100; i++) {
        mark.clock_ms++;
        sink += ss_mark_pack(&mark, bytes);
    }
    return EVENTS / 100;
}

static struct ss_bytes key_of(size_t user)
{
    return (struct ss_bytes){user_ids[user], user_id_size[user]};
}

static size_t cache_puts(void)
{
    bool put = true;
    for (size_t i = 0; i < EVENTS; i++) {
        uint32_t user = kept[i].user;
        put &= ss_cache_put(cache, key_of(user), (struct ss_bytes){packed[user], packed_size[user]},
                            i);
        if (i % 10000 == 0)
            ss_cache_saved(cache);
    }
    sink += put;
    return EVENTS;
}

static size_t cache_gets(void)
{
    struct ss_bytes found = {NULL, 0};
    for (size_t i = 0; i < EVENTS; i++) {
        sink += ss_cache_get(cache, key_of(kept[i].user), &found);
        sink += found.size;
    }
    return EVENTS;
}

static double median_ns(void (*prepare)(void), size_t (*step)(void))
{
    double ns[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) { /* the first one warms up */
        if (prepare)
            prepare();
        double started = thread_ns();
        size_t count = step();
        double taken = (thread_ns() - started) / (double)count;
        if (round >= 0)
            ns[round] = taken;
    }
    return median(ns, ROUNDS);
}

static double measure_after(void (*prepare)(void), const char *name, size_t (*step)(void),
                            double less)
{
    double ns = median_ns(prepare, step) - less;
    printf("{\"kind\": \"micro\", \"step\": \"%s\", \"ns\": %.1f, \"rounds\": %d}\n", name, ns,
           ROUNDS);
    return ns;
}

static double measure(const char *name, size_t (*step)(void))
{
    return measure_after(NULL, name, step, 0);
}

static size_t mean_packed(void)
{
    size_t sum = 0, users = 0;
    for (size_t u = 0; u < USERS; u++) {
        sum += packed_size[u];
        users += packed_size[u] > 0;
    }
    return users ? sum / users : 0;
}

int main(void)
{
    struct ss_error err;
    ss_buffer_init(&bodies, (size_t)EVENTS * 512);
    ss_buffer_init(&encoded, 64 * 1024);
    must(ss_model_default(&model, &err), &err);
    cache = ss_cache_open(64u << 20);
    if (!cache)
        return 1;
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        must(ss_plan_open((enum ss_input)input, ss_schema_of_input((enum ss_input)input),
                          &plans[input], &err),
             &err);
    make_events();
    measure("decode a payment", decode_payments);
    double decode_ns = measure("decode any event", decode_all);
    measure_after(forget_all, "apply an event", decode_and_apply, decode_ns);
    memcpy(states, scratch, sizeof states);
    measure("score a state", score_states);
    measure("pack a state", pack_states);
    measure("unpack a state", unpack_states);
    measure("encode a score record", encode_scores);
    uint8_t bytes[SS_MARK_PACKED_MAX];
    size_t empty = ss_mark_pack(&mark, bytes);
    fill_mark();
    measure("rank a score record", rank_records);
    measure("pack a mark", pack_marks);
    printf("{\"kind\": \"micro\", \"step\": \"a histogram in the mark\", \"bytes\": %zu}\n",
           ss_mark_pack(&mark, bytes) - empty);
    measure("put into the cache", cache_puts);
    measure("get from the cache", cache_gets);
    printf("{\"kind\": \"micro\", \"step\": \"a packed state\", \"bytes\": %zu}\n", mean_packed());
    ss_cache_close(cache);
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        ss_plan_close(plans[input]);
    ss_buffer_reset(&bodies);
    ss_buffer_reset(&encoded);
    return 0;
}
