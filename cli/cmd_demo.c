/* cmd_demo.c - the whole system in one process: a mock Kafka, a private Redis, the engine, a
 * made-up population that produces, and a subscriber that watches.
 *
 *   population ──> sender ──> (mock Kafka) ──> engine ──> (mock Kafka) ──> watch ──> screen
 *    └──── a thread of its own ────┘            workers          └─── this thread ───┘
 *
 * The mock cluster keeps only some megabytes of each partition, so the producer never runs further
 * ahead of the engine than AHEAD_MAX events, nor the engine ahead of the watch than UNSEEN_MAX
 * records.
 */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/demo_redis.h"
#include "cli/demo_screen.h"
#include "cli/demo_summary.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "consumer/kafka_mock.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    PARTITIONS = 4,
    WORKERS = 2,
    AHEAD_MAX = 30000,
    UNSEEN_MAX = 20000,
    DRAIN_SECONDS = 20,
    TOPIC_COUNT = SS_INPUT_COUNT + 5,
};

struct demo {
    struct ss_population_options options;
    int64_t seconds; /* of producing, at most */
    int verbose;

    struct ss_config config;
    struct ss_demo_redis redis;
    struct ss_kafka_mock *mock;
    struct ss_engine *engine;
    struct ss_demo_watch watch;
    struct ss_demo_screen screen;
    struct ss_population *population;
    struct ss_sender sender;

    pthread_t producer;
    bool producing; /* the thread is there */
    atomic_bool *interrupted;
    atomic_bool halt, produced; /* told to end; has ended */
    atomic_llong consumed, unseen;
    enum ss_status sent; /* the producer's */
    struct ss_error sent_err;

    double started, rate, rated_at;
    int64_t rated;
};

/* --- the producer's thread --- */

static bool has_room(const struct demo *demo)
{
    return ss_sender_sent(&demo->sender) - atomic_load(&demo->consumed) < AHEAD_MAX &&
           atomic_load(&demo->unseen) < UNSEEN_MAX;
}

static void *produce(void *arg)
{
    struct demo *demo = arg;
    struct ss_population_event event;
    struct ss_kafka_deliveries deliveries;
    double deadline = ss_seconds() + (double)demo->seconds;
    int64_t count = 0;

    while (demo->sent == SS_OK && !atomic_load(&demo->halt) &&
           ss_population_next(demo->population, &event)) {
        demo->sent = ss_sender_send(&demo->sender, &event, &demo->sent_err);
        while (!has_room(demo) && !atomic_load(&demo->halt))
            nanosleep(&(struct timespec){0, 2 * 1000000L}, NULL);
        if (++count % 256 == 0 && ss_seconds() > deadline)
            break;
    }
    if (demo->sent == SS_OK)
        demo->sent = ss_kafka_producer_flush(demo->sender.producer, DRAIN_SECONDS * 1000,
                                             &deliveries, &demo->sent_err);
    atomic_store(&demo->produced, true);
    return NULL;
}

/* --- setting up --- */

static enum ss_status configure(struct demo *demo, struct ss_error *err)
{
    char bootstrap[200], redis[200];
    snprintf(bootstrap, sizeof bootstrap, "kafka.bootstrap.servers=%s",
             ss_kafka_mock_bootstrap(demo->mock));
    snprintf(redis, sizeof redis, "redis.url=%s", demo->redis.url);
    const char *const settings[] = {
        bootstrap,       redis,       "registry.url=embedded:", "group=sesame-demo",
        "instance=demo", "workers=2", "redis.buckets=256",      "ranks.interval_ms=500"};
    _Static_assert(WORKERS == 2, "as in the settings");
    enum ss_status status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < sizeof settings / sizeof settings[0]; i++)
        status = ss_config_set(&demo->config, settings[i], err);
    if (status == SS_OK)
        status = ss_config_check_for_run(&demo->config, err);
    return status;
}

static enum ss_status open_mock(struct demo *demo, struct ss_error *err)
{
    const struct ss_config *config = &demo->config;
    struct ss_kafka_mock_topic topics[TOPIC_COUNT];
    const char *const outputs[] = {config->scores_topic, config->entitlements_topic,
                                   config->dead_letters_topic, config->state_topic,
                                   config->ranks_topic};
    for (int i = 0; i < TOPIC_COUNT; i++)
        topics[i] = (struct ss_kafka_mock_topic){i < SS_INPUT_COUNT ? config->input_topics[i]
                                                                    : outputs[i - SS_INPUT_COUNT],
                                                 i < TOPIC_COUNT - 1 ? PARTITIONS : 1};
    return ss_kafka_mock_open(1, topics, TOPIC_COUNT, &demo->mock, err);
}

static enum ss_status set_up(struct demo *demo, struct ss_error *err)
{
    struct ss_engine_options options = {.config = &demo->config, .mock = true};
    enum ss_status status = ss_demo_redis_start(&demo->redis, err);
    if (status == SS_OK)
        status = open_mock(demo, err);
    if (status == SS_OK)
        status = configure(demo, err);
    if (status == SS_OK)
        status = ss_engine_open(&options, &demo->engine, err);
    if (status == SS_OK)
        status = ss_demo_watch_open(&demo->watch, &demo->config, ss_engine_model(demo->engine),
                                    (uint32_t)demo->options.users, err);
    if (status == SS_OK)
        status = ss_population_open(&demo->options, &demo->population, err);
    if (status == SS_OK)
        status = ss_sender_open(&demo->sender, &demo->config, err);
    if (status == SS_OK)
        status = ss_engine_start(demo->engine, err);
    if (status == SS_OK) {
        demo->producing = pthread_create(&demo->producer, NULL, produce, demo) == 0;
        if (!demo->producing)
            status = ss_fail(err, SS_STOP, "cannot start the producer's thread");
    }
    return status;
}

/* Ends what runs; what was counted stays readable. */
static void halt(struct demo *demo)
{
    atomic_store(&demo->halt, true);
    if (demo->producing)
        pthread_join(demo->producer, NULL);
    demo->producing = false;
}

static void tear_down(struct demo *demo)
{
    halt(demo);
    ss_sender_close(&demo->sender);
    ss_population_close(demo->population);
    ss_demo_watch_close(&demo->watch);
    ss_engine_close(demo->engine);
    ss_kafka_mock_close(demo->mock);
    ss_demo_redis_stop(&demo->redis);
}

/* --- running --- */

static void rate_over_time(struct demo *demo, double now, int64_t consumed)
{
    if (demo->rated == 0) { /* from the first events on */
        demo->rated = consumed;
        demo->rated_at = now;
    }
    if (now - demo->rated_at < (demo->rate > 0 ? 0.5 : 0.1))
        return;
    double rate = (double)(consumed - demo->rated) / (now - demo->rated_at);
    demo->rate = demo->rate > 0 ? demo->rate * 0.6 + rate * 0.4 : rate;
    demo->rated = consumed;
    demo->rated_at = now;
}

static void draw(struct demo *demo, int64_t consumed, const char *phase)
{
    ss_demo_screen_draw(&demo->screen,
                        &(struct ss_demo_state){.watch = &demo->watch,
                                                .elapsed = ss_seconds() - demo->started,
                                                .total = demo->options.events,
                                                .consumed = consumed,
                                                .rate = demo->rate,
                                                .phase = phase,
                                                .workers = WORKERS});
}

static bool all_seen(const struct demo *demo, const struct ss_worker_stats *stats)
{
    int64_t dead = 0;
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        dead += stats->counts[input].outcomes[SS_REFUSED];
    return stats->counts[SS_NEIGHBOURS].consumed >= stats->neighbour_records &&
           ss_engine_consumed(stats) >= ss_sender_sent(&demo->sender) &&
           ss_demo_watch_received(&demo->watch) >= stats->score_records &&
           demo->watch.entitlements >= stats->entitlements && demo->watch.dead_letters >= dead;
}

/* A second Ctrl-C must not leave the terminal without its cursor. */
static const struct ss_demo_screen *screen_to_restore;

static void on_second_signal(int number)
{
    ss_demo_screen_restore(screen_to_restore);
    _exit(128 + number);
}

static void catch_second_signal(void)
{
    struct sigaction second = {.sa_handler = on_second_signal};
    sigemptyset(&second.sa_mask);
    sigaction(SIGINT, &second, NULL);
    sigaction(SIGTERM, &second, NULL);
}

/* Until everything produced has been consumed and everything published has been seen. */
static enum ss_status watch_it(struct demo *demo, struct ss_error *err)
{
    struct ss_worker_stats stats;
    double drawn = 0, produced_at = 0;

    for (;;) {
        enum ss_status status =
            ss_demo_watch_poll(&demo->watch, 20, ss_demo_screen_news, &demo->screen, err);
        if (status != SS_OK)
            return status;
        if (ss_engine_stopping(demo->engine))
            return SS_OK; /* a worker had to: its reason comes from ss_engine_wait */
        ss_engine_stats(demo->engine, &stats);
        int64_t consumed = ss_engine_consumed(&stats);
        atomic_store(&demo->consumed, consumed);
        atomic_store(&demo->unseen, stats.score_records - ss_demo_watch_received(&demo->watch));
        double now = ss_seconds();
        rate_over_time(demo, now, consumed);
        if (atomic_load(demo->interrupted) && !atomic_exchange(&demo->halt, true))
            catch_second_signal();
        bool produced = atomic_load(&demo->produced);
        bool ended = produced && all_seen(demo, &stats);
        if (ended || now - drawn >= 0.1) {
            draw(demo, consumed,
                 ended      ? "all consumed"
                 : consumed ? "running"
                            : "the consumer group forms");
            drawn = now;
        }
        if (ended)
            return SS_OK;
        if (produced && produced_at == 0)
            produced_at = now;
        if (produced && now - produced_at > DRAIN_SECONDS)
            return ss_fail(
                err, SS_STOP,
                "after %d s the engine has consumed %lld of %lld events, and %lld of "
                "%lld score records were received",
                DRAIN_SECONDS, (long long)consumed, (long long)ss_sender_sent(&demo->sender),
                (long long)ss_demo_watch_received(&demo->watch), (long long)stats.score_records);
    }
}

/* Time alone publishes too, up to the moment when the engine stopped. */
static enum ss_status see_the_rest(struct demo *demo, struct ss_error *err)
{
    struct ss_worker_stats stats;
    double until = ss_seconds() + DRAIN_SECONDS;
    enum ss_status status = SS_OK;
    ss_engine_stats(demo->engine, &stats);
    while (status == SS_OK && !all_seen(demo, &stats) && ss_seconds() < until)
        status = ss_demo_watch_poll(&demo->watch, 20, ss_demo_screen_news, &demo->screen, err);
    return status;
}

static int summarise(struct demo *demo)
{
    struct ss_worker_stats stats;
    char line[256];
    int64_t sent = ss_sender_sent(&demo->sender);
    double elapsed = ss_seconds() - demo->started;

    ss_engine_stats(demo->engine, &stats);
    bool fine = ss_demo_summarise(&(struct ss_demo_books){
        .watch = &demo->watch, .produced = &demo->sender.counts, .engine = &stats});
    printf("\n%s events in %.1f s, %s/s from producer to subscriber, in %s transactions%s\n",
           ss_demo_number(sent).text, elapsed,
           ss_demo_number((int64_t)((double)sent / elapsed)).text,
           ss_demo_number(stats.transactions).text,
           sent < demo->options.events ? " (stopped before all were produced)" : "");
    printf("%s\n", fine ? "the books of producer, engine and subscriber agree"
                        : "the books of producer, engine and subscriber do NOT agree");
    ss_engine_accounted(&stats, line, sizeof line);
    puts(line);
    fflush(stdout);
    return fine ? SS_EXIT_DONE : SS_EXIT_FAILED;
}

static int demonstrate(struct demo *demo)
{
    struct ss_error err, worker_err;
    demo->interrupted = ss_stopping_catch();
    ss_log_set_level(demo->verbose > 1   ? SS_LOG_DEBUG
                     : demo->verbose > 0 ? SS_LOG_INFO
                                         : SS_LOG_ERROR);
    demo->started = demo->rated_at = ss_seconds();
    enum ss_status status = set_up(demo, &err);
    if (status == SS_OK) {
        screen_to_restore = &demo->screen;
        ss_demo_screen_open(&demo->screen);
        status = watch_it(demo, &err);
        ss_demo_screen_restore(&demo->screen);
    }
    halt(demo);
    enum ss_status ended = SS_OK;
    if (demo->engine) {
        ss_engine_stop(demo->engine);
        ended = ss_engine_wait(demo->engine, &worker_err);
    }
    if (demo->engine && status == SS_OK && ended == SS_OK)
        status = see_the_rest(demo, &err);
    if (status == SS_OK && ended != SS_OK) {
        status = ended;
        err = worker_err;
    }
    if (status == SS_OK && demo->sent != SS_OK) {
        status = demo->sent;
        err = demo->sent_err;
    }
    int code = status == SS_OK ? summarise(demo) : ss_failed(&err);
    tear_down(demo);
    return code;
}

static bool option(struct demo *demo, int letter, const char *value)
{
    const struct ss_command *self = &ss_command_demo;
    int64_t seed;
    switch (letter) {
    case 'u':
        return ss_usage_number(self, "users", value, 100, 1000000, &demo->options.users);
    case 'e':
        return ss_usage_number(self, "events", value, 1000, 100000000, &demo->options.events);
    case 's':
        if (!ss_usage_number(self, "seed", value, 0, INT64_MAX, &seed))
            return false;
        demo->options.seed = (uint64_t)seed;
        return true;
    case 't':
        return ss_usage_number(self, "seconds", value, 1, 86400, &demo->seconds);
    case 'v':
        demo->verbose++;
        return true;
    default:
        ss_usage(&ss_command_demo, "see the options below");
        return false;
    }
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"users", required_argument, NULL, 'u'}, {"events", required_argument, NULL, 'e'},
        {"seed", required_argument, NULL, 's'},  {"seconds", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},        {0}};
    int64_t now_ms = ss_clock_wall_ms();
    struct ss_error err;
    int letter, code = SS_EXIT_USAGE;
    struct demo *demo = calloc(1, sizeof *demo);

    if (!demo || ss_config_init(&demo->config, &err) != SS_OK) {
        free(demo);
        fprintf(stderr, "sesame: out of memory\n");
        return SS_EXIT_FAILED;
    }
    demo->redis.pipe = -1;
    demo->seconds = 30;
    demo->options = (struct ss_population_options){
        .seed = 7,
        .users = 20000,
        .events = 2000000,
        .end_ms = now_ms - now_ms % SS_DAY_MS,
        .duplicates_permille = 5,
        .bad_permille = 10,
        .wire_flaws = true,
    };
    demo->options.start_ms = demo->options.end_ms - SS_POPULATION_SPAN_DAYS * SS_DAY_MS;
    while ((letter = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
        if (letter == 'h') {
            code = ss_help(&ss_command_demo);
            goto out;
        }
        if (!option(demo, letter, optarg))
            goto out;
    }
    if (optind < argc)
        code = ss_usage(&ss_command_demo, "'%s' is not expected", argv[optind]);
    else
        code = demonstrate(demo);
out:
    ss_config_reset(&demo->config);
    free(demo);
    return code;
}

const struct ss_command ss_command_demo = {
    .name = "demo",
    .summary = "see it work: everything in one process, with nothing to set up",
    .usage = "[--users N] [--events N] [--seconds S] [--seed N] [-v]",
    .help =
        "  --users N     how many people (default 20000)\n"
        "  --events N    how many events they produce (default 2000000)\n"
        "  --seconds S   stop producing after this time (default 30)\n"
        "  --seed N      another seed is another population\n"
        "  -v            more on standard error; twice for still more\n"
        "  -h            this help\n\n"
        "Runs librdkafka's mock cluster within the process and a redis-server of its own on a "
        "Unix\n"
        "socket; leaves nothing behind. A picture on a terminal, lines of text into a pipe. One\n"
        "event in a hundred is bad on purpose. The last line accounts for every event.\n",
    .run = run,
};
