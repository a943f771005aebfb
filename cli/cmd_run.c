/* cmd_run.c - the engine in the foreground: until SIGTERM, SIGINT, or until it has caught up. */
#include "cli/command.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "consumer/engine.h"
#include "consumer/kafka_admin.h"
#include "serve/serve.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT_MS = 10000 };

struct request {
    bool until_caught_up;
    const char *taken_over; /* a group; NULL: none */
};

static void print_summary(struct ss_engine *engine, const struct ss_config *config, double elapsed)
{
    struct ss_worker_stats stats;
    char line[256];
    ss_engine_stats(engine, &stats);
    printf("%-17s %12s %12s %10s %14s %14s\n", "input", "consumed", "counted", "duplicate",
           "not-consented", "dead-lettered");
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        const struct ss_counts *counts = &stats.counts[input];
        printf("%-17s %12" PRId64 " %12" PRId64 " %10" PRId64 " %14" PRId64 " %14" PRId64 "\n",
               config->input_topics[input], counts->consumed, counts->outcomes[SS_COUNTED],
               counts->outcomes[SS_DUPLICATE], counts->outcomes[SS_NOT_CONSENTED],
               counts->outcomes[SS_REFUSED]);
    }
    printf("published: %" PRId64 " score records, %" PRId64 " grants and revocations, in %" PRId64
           " transactions; %.1f s, %.0f events/s\n",
           stats.score_records, stats.entitlements, stats.transactions, elapsed,
           elapsed > 0 ? (double)ss_engine_consumed(&stats) / elapsed : 0);
    if (stats.restored_records)
        printf("restored: %" PRId64 " changelog records\n", stats.restored_records);
    ss_engine_accounted(&stats, line, sizeof line);
    puts(line);
    fflush(stdout);
}

static void report_progress(struct ss_engine *engine, int64_t *last, double every)
{
    struct ss_worker_stats stats;
    ss_engine_stats(engine, &stats);
    int64_t now = ss_engine_consumed(&stats);
    if (now != *last)
        ss_info("run", "%" PRId64 " events, %.0f/s, %d of %d partitions ready", now,
                (double)(now - *last) / every, stats.ready, stats.assigned);
    *last = now;
}

static void supervise(struct ss_engine *engine, struct ss_serve *serve, bool until_caught_up,
                      atomic_bool *stopping)
{
    const double every = 5;
    double reported = ss_seconds();
    int64_t last = 0;
    while (!ss_engine_stopping(engine)) {
        nanosleep(&(struct timespec){0, 20 * 1000000L}, NULL);
        if (atomic_load(stopping) || (until_caught_up && ss_engine_caught_up(engine)))
            ss_engine_stop(engine);
        ss_serve_note(serve);
        if (ss_seconds() - reported >= every) {
            report_progress(engine, &last, every);
            reported += every;
        }
    }
    ss_serve_note(serve); /* a worker may have been the one to stop it */
}

/* Two groups on one state would undo each other's work. Somebody is there to start it again if
 * Kafka does not answer. */
static enum ss_status check_stopped(const struct ss_config *config, const char *group,
                                    struct ss_error *err)
{
    struct ss_kafka_access access;
    int members = 0;
    if (strcmp(group, config->group) == 0)
        return ss_fail(err, SS_STOP,
                       "--take-over wants the group's former name, and `group` is still %s", group);
    enum ss_status status = ss_engine_access_open(config, &access, err);
    if (status == SS_OK)
        status = ss_kafka_group_members(&access, group, &members, TIMEOUT_MS, err);
    ss_engine_access_close(&access);
    if (status == SS_OK && members > 0)
        status = ss_fail(err, SS_STOP,
                         "group %s is not stopped, it has %d member%s: stop its engines, and wait "
                         "for the session timeout (10 s), before group %s takes over",
                         group, members, members == 1 ? "" : "s", config->group);
    return status == SS_RETRY ? SS_STOP : status;
}

/* A registry that is away at the start is waited for, as Kafka and Redis are by the workers.
 * SS_RETRY: told to stop meanwhile. */
static enum ss_status open_engine(const struct ss_config *config, const struct request *request,
                                  const atomic_bool *stopping, struct ss_engine **engine,
                                  struct ss_error *err)
{
    struct ss_engine_options options = {.config = config, .taken_over = request->taken_over};
    enum ss_status status = ss_engine_open(&options, engine, err);
    if (status == SS_RETRY)
        ss_warn("run", "%s; trying again", err->detail);
    while (status == SS_RETRY && !atomic_load(stopping)) {
        for (int i = 0; i < 25 && !atomic_load(stopping); i++)
            nanosleep(&(struct timespec){0, 20 * 1000000L}, NULL);
        status = ss_engine_open(&options, engine, err);
    }
    return status;
}

/* From an open engine to its end; closes it. */
static int drive(struct ss_engine *engine, struct ss_serve *serve, const struct ss_config *config,
                 bool until_caught_up, atomic_bool *stopping)
{
    struct ss_error err, worker_err;
    double started = ss_seconds();
    ss_info("run", "model %s, group %s, instance %s, %d worker%s", ss_engine_model(engine)->version,
            config->group, config->instance, (int)config->workers, config->workers == 1 ? "" : "s");
    enum ss_status status = ss_engine_start(engine, &err);
    if (status == SS_OK) {
        ss_serve_watch(serve, engine);
        supervise(engine, serve, until_caught_up, stopping);
    }
    enum ss_status ended = ss_engine_wait(engine, &worker_err);
    print_summary(engine, config, ss_seconds() - started);
    ss_serve_watch(serve, NULL);
    ss_engine_close(engine);
    if (status != SS_OK)
        return ss_failed(&err);
    return ended == SS_OK ? SS_EXIT_DONE : ss_failed(&worker_err);
}

static int run_engine(const struct ss_config *config, const struct request *request)
{
    struct ss_engine *engine;
    struct ss_serve *serve = NULL;
    struct ss_error err;
    int code;
    atomic_bool *stopping = ss_stopping_catch();
    enum ss_status status = ss_config_check_for_run(config, &err);
    if (status == SS_OK && request->taken_over)
        status = check_stopped(config, request->taken_over, &err);
    if (status == SS_OK)
        status = ss_serve_open(config, &serve, &err);
    if (status == SS_OK)
        status = open_engine(config, request, stopping, &engine, &err);
    if (status == SS_OK) {
        code = drive(engine, serve, config, request->until_caught_up, stopping);
    } else if (status == SS_RETRY) {
        puts("accounted: consumed 0 = counted 0 + duplicate 0 + not-consented 0 + dead-lettered 0");
        code = SS_EXIT_DONE;
    } else {
        code = ss_failed(&err);
    }
    ss_serve_close(serve);
    return code;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {{"until-caught-up", no_argument, NULL, 'u'},
                                            {"take-over", required_argument, NULL, 't'},
                                            {0}};
    struct ss_common common;
    struct request request = {0};
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, options, NULL)) != -1) {
        if (letter == 'u')
            request.until_caught_up = true;
        else if (letter == 't')
            request.taken_over = optarg;
        else if (!ss_common_option(&common, &ss_command_run, letter, optarg))
            goto out;
    }
    if (optind < argc) {
        code = ss_usage(&ss_command_run, "'%s' is not expected", argv[optind]);
        goto out;
    }
    code = ss_common_finish(&common) ? run_engine(&common.config, &request) : SS_EXIT_FAILED;
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_run = {
    .name = "run",
    .summary = "run the engine: consume events, publish scores",
    .usage = "-F sesame.yaml [--until-caught-up] [--take-over GROUP] [-X NAME=VALUE …]",
    .help = SS_COMMON_HELP
    "  --until-caught-up   end once everything has been read that was there at the start\n"
    "  --take-over GROUP   go on with the state of GROUP, which `group` was named before and "
    "whose\n"
    "                      engines are stopped; otherwise another group's state is refused. "
    "Needed\n"
    "                      once, until this group has all partitions\n\n"
    "SIGTERM or SIGINT finish the batch in hand and leave the group. The last line printed "
    "accounts\n"
    "for every event that was consumed. With serve.listen set it answers GET /live and /ready.\n",
    .run = run,
};
