/* cmd_replay.c - scores out of archived event files, without Kafka and Redis. */
#include "audit/replay.h"
#include "cli/command.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "consumer/engine.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct progress {
    bool terminal;
    double started, said;
};

static void on_progress(void *arg, const struct ss_worker_stats *stats)
{
    struct progress *progress = arg;
    double now = ss_seconds();
    if (now - progress->said < (progress->terminal ? 0.2 : 5))
        return;
    progress->said = now;
    int64_t events = ss_engine_consumed(stats);
    fprintf(stderr,
            progress->terminal ? "\r%" PRId64 " events, %.0f/s   " : "%" PRId64 " events, %.0f/s\n",
            events, (double)events / (now - progress->started));
}

static int replay(struct ss_replay_options *options, const struct ss_config *config)
{
    struct progress progress = {.terminal = isatty(STDERR_FILENO), .started = ss_seconds()};
    struct ss_worker_stats stats;
    struct ss_error err;
    char line[256];
    int64_t users;

    options->model_file = options->model_file ? options->model_file : config->model_file;
    if (!options->business_model_file)
        options->business_model_file = config->business_model_file;
    options->topics = (const char *const *)config->input_topics;
    options->future_tolerance_ms = config->events_future_tolerance_ms;
    options->stop = ss_stopping_catch();
    options->progress = on_progress;
    options->progress_arg = &progress;
    progress.said = progress.started;
    enum ss_status status = ss_replay_run(options, &stats, &users, &err);
    if (progress.terminal)
        fprintf(stderr, "\r\033[K");
    if (status != SS_OK)
        return ss_failed(&err);
    double elapsed = ss_seconds() - progress.started;
    printf("replayed %" PRId64 " events in %.1f s (%.0f/s): %" PRId64 " users scored, %" PRId64
           " score records, %" PRId64 " grants and revocations\n",
           ss_engine_consumed(&stats), elapsed, (double)ss_engine_consumed(&stats) / elapsed, users,
           stats.score_records, stats.entitlements);
    printf("this shows what the files lead to; they carry no partitions and offsets, so it proves "
           "nothing about what was published\n");
    ss_engine_accounted(&stats, line, sizeof line);
    puts(line);
    return SS_EXIT_DONE;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"files", required_argument, NULL, 'f'},
                                                 {"until", required_argument, NULL, 't'},
                                                 {"scores", required_argument, NULL, 's'},
                                                 {"records", required_argument, NULL, 'r'},
                                                 {"model", required_argument, NULL, 'm'},
                                                 {"business-model", required_argument, NULL, 'b'},
                                                 {"assume-consent", no_argument, NULL, 'a'},
                                                 {0}};
    const struct ss_command *self = &ss_command_replay;
    struct ss_replay_options options = {.until_ms = INT64_MAX};
    struct ss_common common;
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1) {
        switch (letter) {
        case 'f':
            options.directory = optarg;
            break;
        case 't':
            if (!ss_time_parse(optarg, &options.until_ms)) {
                ss_usage(self, "'%s' is no time; write 2005-09-30 or 2005-09-30T23:59:59Z", optarg);
                goto out;
            }
            break;
        case 's':
            options.scores_csv = optarg;
            break;
        case 'r':
            options.records_file = optarg;
            break;
        case 'm':
            options.model_file = optarg;
            break;
        case 'b':
            options.business_model_file = optarg;
            break;
        case 'a':
            options.assume_consent = true;
            break;
        default:
            if (!ss_common_option(&common, self, letter, optarg))
                goto out;
        }
    }
    if (!options.directory || optind < argc)
        ss_usage(self, options.directory ? "'%s' is not expected" : "--files DIR is missing%s",
                 options.directory ? argv[optind] : "");
    else
        code = ss_common_finish(&common) ? replay(&options, &common.config) : SS_EXIT_FAILED;
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_replay = {
    .name = "replay",
    .summary = "score archived event files, without Kafka and Redis",
    .usage = "--files DIR [--scores OUT.csv] [--records OUT.avro] [--until TIME]\n"
             "                     [--model model.yaml] [--business-model business.yaml]\n"
             "                     [--assume-consent]",
    .help =
        "  --files DIR         holds payments.avro, bills.avro, … (Avro container files; missing\n"
        "                      ones are empty); merged by occurred_at\n"
        "  --scores OUT.csv    final scores: user_id, score, tier, standing, as_of, and the value "
        "and\n"
        "                      points of each factor\n"
        "  --records OUT.avro  every score record that would be published, as an Avro container\n"
        "  --until TIME        leave out what occurred later, and score as of then\n"
        "  --model FILE        a model.yaml instead of the config's\n"
        "  --business-model FILE  the same for small businesses\n"
        "  --assume-consent    score users without any consent record too: for "
        "studies\n" SS_COMMON_HELP,
    .run = run,
};
