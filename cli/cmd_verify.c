/* cmd_verify.c - recomputes what was published from the logs. */
#include "audit/prove.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/logs.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "cli/verify_report.h"
#include "config/number.h"
#include "consumer/engine.h"
#include "consumer/kafka_admin.h"
#include "state/key_ring.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MODELS_MAX = 64, LIMIT = 20, THREADS_MAX = 256, BAR = 30, TIMEOUT_MS = 10000 };

struct request {
    struct ss_logs_request logs, published; /* the latter's directory NULL: as the former */
    const char *model_files[MODELS_MAX];
    bool business[MODELS_MAX];
    int model_count;
    struct ss_source_users *users;
    const char *snapshot;
    int64_t partition, threads, limit, sample_of, sample_seed;
    bool json, show_users, to_end, no_entitlements, no_percentiles;
};

struct run {
    const struct request *request;
    const struct ss_config *config;
    struct ss_logs inputs, published;
    struct ss_model_store *models;
    struct ss_rank_log *ranks;
    struct ss_key_ring *keys;
    const struct ss_sealer *sealer;
    struct ss_snapshot *snapshot;
    struct ss_verify_report report;
    atomic_bool *stop;
    bool terminal;
    double started, said;
    int64_t total;      /* events to be read; 0: not known */
    int32_t partitions; /* to be verified */
};

/* --- models and histograms --- */

/* Those that were live; where the topic of models is not at hand, those given, or the config's. */
static enum ss_status load_models(struct run *run, struct ss_models *models, struct ss_error *err)
{
    const struct request *request = run->request;
    bool found = false;
    enum ss_status status =
        ss_logs_models(&run->inputs, &request->logs, run->config, &run->models, &found, err);
    if (status == SS_OK && !found && request->published.directory) {
        const struct ss_model_store_place beside = {.topic = run->config->models_topic,
                                                    .directory = request->published.directory};
        status = ss_model_store_read(run->models, &beside, &found, err);
    }
    for (int i = 0; i < request->model_count && status == SS_OK; i++)
        status =
            ss_model_store_file(run->models, request->model_files[i], request->business[i], err);
    if (status != SS_OK)
        return status;
    struct ss_models given = ss_model_store_given(run->models);
    if (!found && !given.person)
        status = ss_model_store_file(run->models, run->config->model_file, false, err);
    if (status == SS_OK && !found && !given.business && run->config->business_model_file)
        status = ss_model_store_file(run->models, run->config->business_model_file, true, err);
    *models = found ? *ss_model_store_first(run->models) : ss_model_store_given(run->models);
    return status;
}

static enum ss_status read_ranks(struct run *run, struct ss_source *published, struct ss_error *err)
{
    if (run->request->no_percentiles)
        return SS_OK;
    const struct ss_rank_reading reading = {.source = published, .stop = run->stop};
    if (run->terminal)
        fprintf(stderr, "reading %s …", run->config->ranks_topic);
    enum ss_status status = ss_rank_log_read(&reading, &run->ranks, err);
    ss_progress_wipe(run->terminal);
    return status;
}

/* --- progress --- */

static void on_progress(void *arg, int64_t events, int64_t records, int32_t partitions)
{
    struct run *run = arg;
    double now = ss_seconds(), elapsed = now - run->started;
    char bar[BAR + 1] = "";
    if (now - run->said < (run->terminal ? 0.2 : 5))
        return;
    run->said = now;
    /* of those who are looked at again, what was read is read again */
    double share = run->total > 0 ? (double)events / (double)run->total
                                  : (double)partitions / (double)run->partitions;
    share = share > 1 ? 1 : share;
    for (int i = 0; i < BAR; i++)
        bar[i] = share * BAR > i ? '#' : '.';
    fprintf(stderr, "%s[%s] %d of %d partitions, %" PRId64 " events, %" PRId64 " records, %.0f/s%s",
            run->terminal ? SS_PROGRESS_BEGIN : "", bar, partitions, run->partitions, events,
            records, (double)events / elapsed, run->terminal ? SS_PROGRESS_END : "\n");
}

static void on_difference(void *arg, const struct ss_proof_difference *difference)
{
    struct run *run = arg;
    ss_progress_wipe(run->terminal);
    ss_verify_report_difference(&run->report, difference);
}

static void count_total(struct run *run)
{
    const struct ss_source *source = run->inputs.source;
    for (int32_t p = 0; p < ss_source_partition_count(source); p++) {
        if (run->request->partition >= 0 && p != run->request->partition)
            continue;
        run->partitions++;
        for (int i = 0; i < SS_INPUT_COUNT; i++) {
            struct ss_source_range range = ss_source_range(source, p, (enum ss_input)i);
            if (range.end == INT64_MAX || run->total < 0)
                run->total = -1;
            else
                run->total += range.end - range.low;
        }
    }
}

/* --- the work --- */

static enum ss_status open_snapshot(struct run *run, struct ss_error *err)
{
    const struct ss_config *config = run->config;
    if (!run->request->snapshot)
        return SS_OK;
    enum ss_status status = ss_engine_keys(config, &run->keys, err);
    if (status == SS_OK && run->keys)
        run->sealer = ss_key_ring_renew(run->keys, NULL, ss_clock_wall_ms());
    if (status == SS_OK)
        status = ss_snapshot_open(run->request->snapshot, run->sealer, &run->snapshot, err);
    if (status != SS_OK)
        return status;
    int32_t count = ss_snapshot_head(run->snapshot)->partition_count;
    if (count != ss_source_partition_count(run->inputs.source))
        return ss_fail(err, SS_STOP, "%s is of %d partitions, the logs have %d",
                       run->request->snapshot, count,
                       ss_source_partition_count(run->inputs.source));
    return SS_OK;
}

static enum ss_status open_logs(struct run *run, struct ss_error *err)
{
    struct ss_logs_request inputs = run->request->logs;
    inputs.committed = !inputs.directory && !run->request->to_end;
    enum ss_status status = ss_logs_open(&run->inputs, &inputs, run->config, err);
    if (status == SS_OK && run->request->published.directory)
        status = ss_logs_open(&run->published, &run->request->published, run->config, err);
    if (status == SS_OK && run->request->partition >= ss_source_partition_count(run->inputs.source))
        return ss_fail(err, SS_STOP, "there are %d partitions, none is %" PRId64,
                       ss_source_partition_count(run->inputs.source), run->request->partition);
    return status;
}

/* Whether somebody may be publishing while we read. */
static bool is_live(const struct run *run)
{
    struct ss_error ignored;
    int members;
    if (run->request->logs.directory)
        return false;
    return ss_kafka_group_members(&run->inputs.access, run->config->group, &members, TIMEOUT_MS,
                                  &ignored) != SS_OK ||
           members > 0;
}

static enum ss_status prove(struct run *run, struct ss_proof_result *sum, struct ss_error *err)
{
    const struct request *request = run->request;
    struct ss_model_shelf shelf;
    struct ss_prove_options options = {
        .inputs = run->inputs.source,
        .published = run->published.source ? run->published.source : run->inputs.source,
        .snapshot = run->snapshot,
        .shelf = &shelf,
        .future_tolerance_ms = run->config->events_future_tolerance_ms,
        .users = request->users,
        .sample_of = (uint64_t)request->sample_of,
        .sample_seed = (uint64_t)request->sample_seed,
        .partition = (int32_t)request->partition,
        .threads = (int)request->threads,
        .no_entitlements = request->no_entitlements,
        .live = is_live(run),
        .difference = on_difference,
        .progress = on_progress,
        .arg = run,
        .stop = run->stop,
    };
    const int32_t count = ss_source_partition_count(run->inputs.source);
    enum ss_status status = load_models(run, &options.models, err);
    if (status == SS_OK)
        status = read_ranks(run, options.published, err);
    options.ranks = run->ranks;
    shelf = ss_model_store_shelf(run->models);
    struct ss_proof_result *results = calloc((size_t)count, sizeof *results);
    if (status == SS_OK && !results)
        status = ss_fail(err, SS_STOP, "out of memory");
    count_total(run);
    if (options.threads > run->partitions)
        options.threads = run->partitions;
    run->started = run->said = ss_seconds();
    if (status == SS_OK)
        status = ss_prove(&options, results, err);
    ss_progress_wipe(run->terminal);
    for (int32_t p = 0; p < count && status == SS_OK; p++) {
        if (request->partition >= 0 && p != request->partition)
            continue;
        ss_proof_add(sum, &results[p]);
        ss_verify_report_result(&run->report, p, &results[p], 0);
    }
    free(results);
    return status;
}

static int act(const struct ss_common *common, const struct request *request)
{
    struct ss_error err;
    struct ss_proof_result sum = {0};
    struct run run = {.request = request,
                      .config = &common->config,
                      .stop = ss_stopping_catch(),
                      .terminal = isatty(STDERR_FILENO),
                      .report = {.out = stdout,
                                 .json = request->json,
                                 .show_users = request->show_users,
                                 .limit = request->limit}};
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum ss_status status = open_logs(&run, &err);
    if (status == SS_OK)
        status = open_snapshot(&run, &err);
    if (status == SS_OK)
        status = prove(&run, &sum, &err);
    if (status == SS_OK) {
        if (ss_source_kind(run.inputs.source) == SS_SOURCE_PLAIN && !request->json)
            puts("the files carry no partitions and offsets: this shows that they agree, and "
                 "proves nothing about what was published");
        ss_verify_report_result(&run.report, -1, &sum, ss_seconds() - run.started);
        ss_logs_models_missed(run.models, run.config);
    }
    ss_snapshot_close(run.snapshot);
    ss_sealer_close(run.sealer);
    ss_key_ring_close(run.keys);
    ss_rank_log_close(run.ranks);
    ss_model_store_close(run.models);
    ss_logs_close(&run.published);
    ss_logs_close(&run.inputs);
    if (status != SS_OK)
        return ss_failed(&err);
    if (sum.proven == 0 && ss_proof_holds(&sum))
        fprintf(stderr, "sesame: nothing differs, but nothing was proven either: no record was "
                        "there that is asked for and could be recomputed\n");
    return ss_proof_holds(&sum) ? SS_EXIT_DONE : SS_EXIT_FAILED;
}

/* --- options --- */

/* 1/N or K/N: the users whose hash, modulo N, is K - 1. */
static bool sample(struct request *request, const char *text)
{
    const char *slash = strchr(text, '/');
    char first[24];
    if (slash && slash > text && slash - text < (ptrdiff_t)sizeof first) {
        memcpy(first, text, (size_t)(slash - text));
        first[slash - text] = '\0';
        if (ss_number_parse(slash + 1, 1, 1000000000, &request->sample_of) == SS_NUMBER_OK &&
            ss_number_parse(first, 1, request->sample_of, &request->sample_seed) == SS_NUMBER_OK) {
            request->sample_seed--;
            return true;
        }
    }
    ss_usage(&ss_command_verify, "--sample: '%s' is not of the form 1/100", text);
    return false;
}

static bool users(struct request *request, const char *id, const char *file)
{
    struct ss_error err = {.detail = "out of memory"};
    enum ss_status status = SS_STOP;
    if (!request->users)
        request->users = ss_source_users_open();
    if (request->users)
        status = id ? ss_source_users_add(request->users, (struct ss_bytes){id, strlen(id)}, &err)
                    : ss_source_users_read(request->users, file, &err);
    if (status != SS_OK)
        ss_usage(&ss_command_verify, "%s", err.detail);
    return status == SS_OK;
}

static bool add_model(struct request *request, const char *file, bool business)
{
    if (request->model_count == MODELS_MAX) {
        ss_usage(&ss_command_verify, "more than %d models", MODELS_MAX);
        return false;
    }
    request->model_files[request->model_count] = file;
    request->business[request->model_count++] = business;
    return true;
}

static bool option(struct request *request, struct ss_common *common, int letter, char *value)
{
    int64_t count = 0;
    bool fine;
    switch (letter) {
    case 'f':
        request->logs.directory = value;
        return true;
    case 'P':
        request->published.directory = value;
        return true;
    case 'i':
        fine = ss_logs_fields(value, &request->logs.fields);
        if (!fine)
            ss_usage(&ss_command_verify, "--fields: it must be PARTITION,OFFSET[,TIMESTAMP]");
        request->published.fields = request->logs.fields;
        return fine;
    case 'c':
        fine = ss_usage_number(&ss_command_verify, "partition-count", value, 1, 100000, &count);
        request->logs.partition_count = request->published.partition_count = (int32_t)count;
        return fine;
    case 'm':
        return add_model(request, value, false);
    case 'b':
        return add_model(request, value, true);
    case 'u':
        return users(request, value, NULL);
    case 'U':
        return users(request, NULL, value);
    case 's':
        return sample(request, value);
    case 'p':
        return ss_usage_number(&ss_command_verify, "partition", value, 0, 100000,
                               &request->partition);
    case 'T':
        return ss_usage_number(&ss_command_verify, "threads", value, 1, THREADS_MAX,
                               &request->threads);
    case 'l':
        return ss_usage_number(&ss_command_verify, "limit", value, 0, INT64_MAX, &request->limit);
    case 'S':
        request->snapshot = value;
        return true;
    case 'j':
        request->json = true;
        return true;
    case 'w':
        request->show_users = true;
        return true;
    case 'e':
        request->to_end = true;
        return true;
    case 'n':
        request->no_entitlements = true;
        return true;
    case 'r':
        request->no_percentiles = true;
        return true;
    default:
        return ss_common_option(common, &ss_command_verify, letter, value);
    }
}

static int run_command(int argc, char **argv)
{
    static const struct option long_options[] = {{"files", required_argument, NULL, 'f'},
                                                 {"published", required_argument, NULL, 'P'},
                                                 {"fields", required_argument, NULL, 'i'},
                                                 {"partition-count", required_argument, NULL, 'c'},
                                                 {"model", required_argument, NULL, 'm'},
                                                 {"business-model", required_argument, NULL, 'b'},
                                                 {"user", required_argument, NULL, 'u'},
                                                 {"users", required_argument, NULL, 'U'},
                                                 {"sample", required_argument, NULL, 's'},
                                                 {"partition", required_argument, NULL, 'p'},
                                                 {"threads", required_argument, NULL, 'T'},
                                                 {"limit", required_argument, NULL, 'l'},
                                                 {"snapshot", required_argument, NULL, 'S'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"show-users", no_argument, NULL, 'w'},
                                                 {"to-end", no_argument, NULL, 'e'},
                                                 {"no-entitlements", no_argument, NULL, 'n'},
                                                 {"no-percentiles", no_argument, NULL, 'r'},
                                                 {0}};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct request request = {.partition = -1,
                              .limit = LIMIT,
                              .threads = cores < 1             ? 1
                                         : cores > THREADS_MAX ? THREADS_MAX
                                                               : cores};
    struct ss_common common;
    int letter, code = SS_EXIT_USAGE;
    bool fine = true;
    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while (fine && (letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1)
        fine = option(&request, &common, letter, optarg);
    if (fine && optind < argc)
        ss_usage(&ss_command_verify, "'%s' is not expected", argv[optind]);
    else if (fine && request.users && request.sample_of)
        ss_usage(&ss_command_verify, "--sample and --user are one or the other");
    else if (fine)
        code = ss_common_finish(&common) ? act(&common, &request) : SS_EXIT_FAILED;
    ss_source_users_close(request.users);
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_verify = {
    .name = "verify",
    .summary = "recompute every published score from the logs, and say what does not follow",
    .usage = "-F sesame.yaml [--user ID | --sample 1/N] [--snapshot FILE] [--json] …\n"
             "       sesame verify --files DIR [--published DIR] …",
    .help =
        "Reads the inputs, `scores`, `entitlements`, `sesame-ranks` and `sesame-models` from "
        "Kafka,\n"
        "or from archived Avro files, and recomputes each record at its own positions, as_of and\n"
        "clock with the model that it names, and its percentile.\n"
        "Exit status 0: all that could be recomputed is proven. 1: something differs, is missing "
        "or\n"
        "one too many; each is shown with what led to it.\n\n"
        "  --files DIR         archived Avro files with partitions and offsets, as Kafka Connect\n"
        "                      writes them; or payments.avro, bills.avro, …, scores.avro, which "
        "show\n"
        "                      whether they agree and prove nothing\n"
        "  --published DIR     scores and entitlements from there instead\n"
        "  --fields P,O[,T]    what the archives' fields of partition, offset and time are called\n"
        "  --partition-count N of the topics, where an archive lacks the last ones\n"
        "  --model FILE        a model that was live, where sesame-models is not at hand; may be\n"
        "                      repeated (default then: the config's)\n"
        "  --business-model FILE  likewise of businesses\n"
        "  --snapshot FILE     start from a state that `sesame snapshot` wrote\n"
        "  --user ID           the records of this user only; may be repeated\n"
        "  --users FILE        of those in a file, one a line\n"
        "  --sample K/N        of the K-th of N parts of the users, as 1/100\n"
        "  --partition P       only this partition\n"
        "  --to-end            read the inputs to their ends, not to where the group has "
        "committed:\n"
        "                      what an engine has not read yet then counts as missing\n"
        "  --no-entitlements   leave entitlements out\n"
        "  --no-percentiles    do not read sesame-ranks: percentiles are held to their bounds "
        "only\n"
        "  --threads N         partitions at a time (default: one for each processor)\n"
        "  --limit N           show N differences at most (default 20); all are counted\n"
        "  --show-users        show user ids, not only their hashes\n"
        "  --json              an object per line: each difference, each partition, the "
        "total\n" SS_COMMON_HELP "\nIt takes part in no group, commits nothing and writes nothing. "
        "docs/audit.md says what is\n"
        "proven by it, and what cannot be.\n",
    .run = run_command,
};
