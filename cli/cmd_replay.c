/* cmd_replay.c - scores out of the logs, from Kafka or from archived files, into an isolated state.
 */
#include "audit/replay.h"
#include "audit/replay_target.h"
#include "cli/command.h"
#include "cli/logs.h"
#include "cli/replay_options.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "consumer/engine.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct target {
    const char *prefix; /* NULL: no topics */
    bool replace;
    struct ss_replay_target *target;
};

/* What the logs did not hold. */
static void print_holes(const struct ss_source *source, const struct ss_source_report *reports)
{
    for (int32_t p = 0; p < ss_source_partition_count(source); p++)
        for (int i = 0; i < SS_INPUT_COUNT; i++) {
            const struct ss_source_report *report = &reports[p * SS_INPUT_COUNT + i];
            const char *name = ss_input_name((enum ss_input)i);
            if (report->out_of_time > 0)
                printf("%s [%d]: begins at offset %" PRId64 ": %" PRId64
                       " records before it are out of retention\n",
                       name, p, report->out_of_time, report->out_of_time);
            if (report->repeated > 0)
                printf("%s [%d]: %" PRId64 " records are in the archive twice; left out\n", name, p,
                       report->repeated);
        }
}

/* Of all partitions: in archives markers and lost records look the same. */
static void print_gaps(const struct ss_source *source, const struct ss_source_report *reports)
{
    const struct ss_source_report *first = NULL;
    int64_t gaps = 0, missing = 0;
    size_t at = 0;
    for (size_t i = 0; i < (size_t)ss_source_partition_count(source) * SS_INPUT_COUNT; i++) {
        gaps += reports[i].gaps;
        missing += reports[i].missing;
        if (reports[i].gaps > 0 && !first) {
            first = &reports[i];
            at = i;
        }
    }
    if (first)
        printf("%" PRId64 " offsets in %" PRId64 " places hold no record, the first at %s [%zu] "
               "%" PRId64 ": markers of transactions do that, and lost records\n",
               missing, gaps, ss_input_name((enum ss_input)(at % SS_INPUT_COUNT)),
               at / SS_INPUT_COUNT, first->missing_at);
}

static void print_proof(const struct ss_source *source)
{
    switch (ss_source_kind(source)) {
    case SS_SOURCE_PLAIN:
        printf("this shows what the files lead to; they carry no partitions and offsets, so it "
               "proves nothing about what was published\n");
        break;
    case SS_SOURCE_ARCHIVE:
    case SS_SOURCE_KAFKA:
        printf("this shows what the logs of %d partitions lead to, in the order of the events' "
               "times; `sesame verify` proves what was published\n",
               ss_source_partition_count(source));
        break;
    }
}

static void print_result(const struct ss_replay_request *request, const struct ss_source *source,
                         const struct ss_source_report *reports,
                         const struct ss_worker_stats *stats, int64_t users, double elapsed)
{
    char line[256];
    const int64_t events = ss_engine_consumed(stats);
    if (request->options.snapshot_file)
        printf("%" PRId64 " events, with those that the snapshot had read, in %.1f s: %" PRId64
               " users scored",
               events, elapsed, users);
    else
        printf("replayed %" PRId64 " events in %.1f s (%.0f/s): %" PRId64 " users scored", events,
               elapsed, (double)events / elapsed, users);
    if (!request->options.scores_only)
        printf(", %" PRId64 " score records, %" PRId64 " grants and revocations",
               stats->score_records, stats->entitlements);
    putchar('\n');
    print_proof(source);
    if (request->from)
        printf("it began in the midst of the logs: whoever granted consent before is not scored\n");
    ss_replay_request_print_friends(request, source);
    print_holes(source, reports);
    print_gaps(source, reports);
    ss_engine_accounted(stats, line, sizeof line);
    puts(line);
}

static enum ss_status open_target(struct target *to, struct ss_replay_request *request,
                                  const struct ss_source *source, const struct ss_config *config,
                                  struct ss_error *err)
{
    if (!to->prefix)
        return SS_OK;
    const struct ss_replay_target_config wanted = {.config = config,
                                                   .prefix = to->prefix,
                                                   .partitions = ss_source_partition_count(source),
                                                   .replace = to->replace};
    enum ss_status status = ss_replay_target_open(&wanted, &to->target, err);
    request->options.publish = ss_replay_target_publish;
    request->options.publish_arg = to->target;
    return status;
}

/* Whatever came of the run: topics that hold a part of it must not pass for the whole. */
static enum ss_status close_target(struct target *to, enum ss_status status, struct ss_error *err)
{
    struct ss_replay_target_counts counts;
    if (!to->target)
        return status;
    if (status == SS_OK)
        status = ss_replay_target_finish(to->target, &counts, err);
    if (status == SS_OK)
        for (int i = 0; i < SS_OUTPUT_COUNT; i++) {
            if (counts.topics[i])
                printf("%" PRId64 " records are in %s\n", counts.sent[i], counts.topics[i]);
        }
    else
        fprintf(stderr,
                "sesame: the topics with the prefix %s hold a part of the replay at most; "
                "--to-replace begins anew\n",
                to->prefix);
    ss_replay_target_close(to->target);
    return status;
}

static int replay(struct ss_replay_request *request, const struct ss_config *config,
                  struct target *to)
{
    struct ss_logs logs;
    struct ss_error err;
    struct ss_worker_stats stats;
    int64_t users = 0;
    struct ss_replay_options *options = &request->options;
    const double started = ss_seconds();
    options->stop = ss_stopping_catch();
    enum ss_status status = ss_logs_open(&logs, &request->logs, config, &err);
    if (status == SS_OK)
        status = ss_replay_request_finish(request, &logs, config, &err);
    if (status == SS_OK)
        status = open_target(to, request, logs.source, config, &err);
    if (status == SS_OK) {
        status = ss_replay_run(options, &stats, &users, &err);
        ss_replay_request_clear(request);
    }
    if (status == SS_OK)
        print_result(request, logs.source, options->reports, &stats, users, ss_seconds() - started);
    status = close_target(to, status, &err);
    ss_logs_close(&logs);
    return status == SS_OK ? SS_EXIT_DONE : ss_failed(&err);
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {SS_REPLAY_LONG_OPTIONS,
                                                 {"scores", required_argument, NULL, 's'},
                                                 {"scores-only", no_argument, NULL, 'O'},
                                                 {"records", required_argument, NULL, 'r'},
                                                 {"codec", required_argument, NULL, 'z'},
                                                 {"resume", required_argument, NULL, 'R'},
                                                 {"save-every", required_argument, NULL, 'E'},
                                                 {"snapshot", required_argument, NULL, 'S'},
                                                 {"to-prefix", required_argument, NULL, 'K'},
                                                 {"to-replace", no_argument, NULL, 'L'},
                                                 {0}};
    const struct ss_command *self = &ss_command_replay;
    struct ss_replay_request request;
    struct ss_common common;
    struct target to = {0};
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    ss_replay_request_init(&request);
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1) {
        switch (letter) {
        case 's':
            request.options.scores_csv = optarg;
            break;
        case 'O':
            request.options.scores_only = true;
            break;
        case 'r':
            request.options.records_file = optarg;
            break;
        case 'z':
            request.options.records_codec = optarg;
            break;
        case 'R':
            request.options.resume_directory = optarg;
            break;
        case 'E':
            request.options.save_ms = atoll(optarg) * 1000;
            if (request.options.save_ms <= 0) {
                ss_usage(self, "'%s' is no number of seconds", optarg);
                goto out;
            }
            break;
        case 'S':
            request.options.snapshot_file = optarg;
            break;
        case 'K':
            to.prefix = optarg;
            break;
        case 'L':
            to.replace = true;
            break;
        default:
            if (!ss_replay_request_option(&request, self, letter, optarg) &&
                (request.wrong || !ss_common_option(&common, self, letter, optarg)))
                goto out;
        }
    }
    if (optind < argc)
        ss_usage(self, "'%s' is not expected", argv[optind]);
    else if (!request.logs.directory && !common.file)
        ss_usage(self, "--files DIR or -F sesame.yaml is missing%s", "");
    else if (request.options.records_codec && !request.options.records_file)
        ss_usage(self, "--codec goes with --records%s", "");
    else if (to.replace && !to.prefix)
        ss_usage(self, "--to-replace goes with --to-prefix%s", "");
    else if (to.prefix && (request.options.resume_directory || request.options.scores_only))
        ss_usage(self,
                 "--to-prefix goes neither with --resume, for what is in topics cannot be taken "
                 "back, nor with --scores-only, which makes no records%s",
                 "");
    else
        code = ss_common_finish(&common) ? replay(&request, &common.config, &to) : SS_EXIT_FAILED;
out:
    ss_replay_request_reset(&request);
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_replay = {
    .name = "replay",
    .summary = "score the logs anew, from Kafka or archived files, leaving the live system alone",
    .usage =
        "--files DIR | -F sesame.yaml  [--scores OUT.csv] [--records OUT.avro]\n"
        "                     [--to-prefix P [--to-replace]]\n"
        "                     [--until TIME] [--from TIME|OFFSETS] [--user ID]… [--users FILE]\n"
        "                     [--partitions LIST] [--threads N] [--resume DIR] …",
    .help = SS_REPLAY_HELP
    "  --scores OUT.csv    final scores: user_id, score, tier, standing, as_of, and the value "
    "and\n"
    "                      points of each factor\n"
    "  --scores-only       compute the final scores and nothing on the way: faster\n"
    "  --records OUT.avro  every score record that would be published, as an Avro container\n"
    "  --codec NAME        how it is compressed: deflate (the default), or null for not at all\n"
    "  --to-prefix P       publish the records into topics of their own, P before the config's\n"
    "                      names (Pscores, Pentitlements), made if missing; the config (-F) says\n"
    "                      where. No topic of the live system is written to, nor one that holds\n"
    "                      records\n"
    "  --to-replace        … but delete the records that those topics hold, first\n"
    "  --snapshot FILE     begin with the states of `sesame snapshot`\n"
    "  --resume DIR        keep the run there, so that the same command goes on where it was\n"
    "                      cut short; the results are those of one run\n"
    "  --save-every N      seconds between two saves of --resume (20)\n" SS_COMMON_HELP,
    .run = run,
};
