/* cmd_snapshot.c - the states of all users in one checked file: of the live changelog, or folded
 * from logs. */
#include "audit/snapshot.h"
#include "audit/snapshot_live.h"
#include "cli/command.h"
#include "cli/replay_options.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "consumer/engine.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct request {
    struct ss_replay_request replay;
    const char *out;
    bool check, fold;
    const char *logs_only; /* an option was given that only a fold of logs can heed */
};

static void print_snapshot(const struct ss_snapshot *snapshot, const char *path)
{
    const struct ss_snapshot_head *head = ss_snapshot_head(snapshot);
    char made_at[40], clock[40];
    int64_t states = 0;
    for (int32_t p = 0; p < head->partition_count; p++)
        states += ss_snapshot_part(snapshot, p) ? ss_snapshot_part(snapshot, p)->users : 0;
    printf("%s: sound: %" PRId64 " states, %" PRId64 " bytes, %s, made at %s\n", path, states,
           ss_snapshot_bytes(snapshot), head->live ? "of the changelog" : "folded from logs",
           ss_time_format(head->made_at_ms, made_at, sizeof made_at));
    printf("model %s%s%s\n", head->model_version, *head->business_model_version ? " and " : "",
           head->business_model_version);
    for (int32_t p = 0; p < head->partition_count; p++) {
        const struct ss_snapshot_part *part = ss_snapshot_part(snapshot, p);
        if (!part) {
            printf("partition %d: not in it\n", p);
            continue;
        }
        printf("partition %d: %" PRId64 " states, %" PRId64 " of them with friends, clock %s, "
               "positions",
               p, part->users, part->friends, ss_time_format(part->clock_ms, clock, sizeof clock));
        for (int i = 0; i < SS_INPUT_COUNT; i++)
            printf(" %s %" PRId64, ss_input_name((enum ss_input)i), part->positions[i]);
        putchar('\n');
    }
}

/* The keys, if there are any, that a snapshot's states are sealed with. */
static int check(struct request *request, const struct ss_config *config)
{
    struct ss_snapshot *snapshot;
    struct ss_error err;
    enum ss_status status = ss_replay_request_keys(&request->replay, config, &err);
    if (status == SS_OK)
        status = ss_snapshot_open(request->out, request->replay.options.sealer, &snapshot, &err);
    if (status != SS_OK)
        return ss_failed(&err);
    print_snapshot(snapshot, request->out);
    ss_snapshot_close(snapshot);
    return SS_EXIT_DONE;
}

/* What was written is read back before anything is said of it. */
static int checked(const struct request *request, double started)
{
    struct ss_snapshot *snapshot;
    struct ss_error err;
    if (ss_snapshot_open(request->out, request->replay.options.sealer, &snapshot, &err) != SS_OK)
        return ss_failed(&err);
    print_snapshot(snapshot, request->out);
    ss_snapshot_close(snapshot);
    printf("written and checked in %.1f s\n", ss_seconds() - started);
    return SS_EXIT_DONE;
}

static int of_logs(struct request *request, const struct ss_config *config)
{
    struct ss_replay_options *options = &request->replay.options;
    const double started = ss_seconds();
    struct ss_worker_stats stats;
    struct ss_logs logs;
    struct ss_error err;
    int64_t users;
    char line[256];
    options->stop = ss_stopping_catch();
    options->save_file = request->out;
    enum ss_status status = ss_logs_open(&logs, &request->replay.logs, config, &err);
    if (status == SS_OK)
        status = ss_replay_request_finish(&request->replay, &logs, config, &err);
    if (status == SS_OK) {
        status = ss_replay_run(options, &stats, &users, &err);
        ss_replay_request_clear(&request->replay);
    }
    if (status == SS_OK)
        ss_replay_request_print_friends(&request->replay, logs.source);
    ss_logs_close(&logs);
    if (status != SS_OK)
        return ss_failed(&err);
    ss_engine_accounted(&stats, line, sizeof line);
    puts(line);
    return checked(request, started);
}

static int of_changelog(struct request *request, const struct ss_config *config)
{
    struct ss_replay_request *replay = &request->replay;
    const double started = ss_seconds();
    struct ss_snapshot_live live = {.topic = config->state_topic,
                                    .models_topic = config->models_topic,
                                    .path = request->out,
                                    .stop = ss_stopping_catch()};
    struct ss_snapshot_live_result result;
    struct ss_kafka_access access;
    struct ss_error err;
    live.access = &access;
    enum ss_status status = ss_engine_access_open(config, &access, &err);
    if (status == SS_OK)
        status = ss_replay_request_keys(replay, config, &err);
    if (status == SS_OK) {
        live.sealer = replay->options.sealer;
        live.progress = ss_replay_request_progress(replay);
        live.arg = replay;
        status = ss_snapshot_live(&live, &result, &err);
        ss_replay_request_clear(replay);
    }
    ss_engine_access_close(&access);
    if (status != SS_OK)
        return ss_failed(&err);
    printf("%" PRId64 " records of %s\n", result.records, config->state_topic);
    return checked(request, started);
}

static int act(struct request *request, const struct ss_config *config)
{
    struct ss_error err;
    if (request->check)
        return check(request, config);
    if (ss_output_file(request->out, &err) != SS_OK)
        return ss_failed(&err);
    return request->replay.logs.directory || request->fold ? of_logs(request, config)
                                                           : of_changelog(request, config);
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {SS_REPLAY_LONG_OPTIONS,
                                                 {"check", no_argument, NULL, 'C'},
                                                 {"fold", no_argument, NULL, 'l'},
                                                 {0}};
    const struct ss_command *self = &ss_command_snapshot;
    struct request request = {0};
    struct ss_common common;
    int letter, at = -1, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    ss_replay_request_init(&request.replay);
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, &at)) != -1) {
        if (letter == 'C')
            request.check = true;
        else if (letter == 'l')
            request.fold = true;
        else if (!ss_replay_request_option(&request.replay, self, letter, optarg) &&
                 (request.replay.wrong || !ss_common_option(&common, self, letter, optarg)))
            goto out;
        if (at >= 0 && letter != 'C' && letter != 'l')
            request.logs_only = long_options[at].name;
        at = -1;
    }
    request.out = argv[optind];
    if (argc - optind != 1)
        ss_usage(self, request.out ? "'%s' is not expected" : "the file's name is missing%s",
                 request.out ? argv[optind + 1] : "");
    else if (request.logs_only && !request.check && !request.replay.logs.directory && !request.fold)
        ss_usage(self, "--%s is for what is folded from logs: with --files DIR or --fold",
                 request.logs_only);
    else if (!request.check && !request.replay.logs.directory && !common.file)
        ss_usage(self, "-F sesame.yaml or --files DIR is missing%s", "");
    else
        code = ss_common_finish(&common) ? act(&request, &common.config) : SS_EXIT_FAILED;
out:
    ss_replay_request_reset(&request.replay);
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_snapshot = {
    .name = "snapshot",
    .summary = "all states in one checked file, for a replay or verification to begin with",
    .usage =
        "OUT.avro -F sesame.yaml\n"
        "       sesame snapshot OUT.avro --files DIR | --fold -F sesame.yaml [--until TIME] …\n"
        "       sesame snapshot --check FILE",
    .help =
        "Without --files and --fold: the states that the engine has committed, from its\n"
        "changelog, up to the newest mark of each partition; the engine may be at work.\n"
        "  --check             read FILE through and check every byte of it\n"
        "  --fold              fold the input topics anew instead\n" SS_REPLAY_HELP SS_COMMON_HELP,
    .run = run,
};
