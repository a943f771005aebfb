/* cmd_backtest.c - another model over the same history, before it goes live. */
#include "audit/backtest_report.h"
#include "cli/backtest_labels.h"
#include "cli/command.h"
#include "cli/logs.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "config/models.h"
#include "config/number.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct request {
    struct ss_logs_request logs;
    const char *models[SS_SIDE_COUNT], *businesses[SS_SIDE_COUNT], *labels;
    const char *json, *html, *scores_csv, *labels_csv;
    int64_t until_ms;
    bool assume_consent;
};

struct progress {
    bool terminal;
    double started, said;
};

static void on_progress(void *arg, int64_t events)
{
    struct progress *progress = arg;
    double now = ss_seconds();
    if (now - progress->said < (progress->terminal ? 0.2 : 5))
        return;
    progress->said = now;
    fprintf(stderr,
            progress->terminal ? SS_PROGRESS_BEGIN "%" PRId64 " events, %.0f/s" SS_PROGRESS_END
                               : "%" PRId64 " events, %.0f/s\n",
            events, (double)events / (now - progress->started));
}

/* ---- the work ---- */

static enum ss_status load_models(const struct request *request, const struct ss_logs *logs,
                                  const struct ss_config *config,
                                  struct ss_models models[SS_SIDE_COUNT], struct ss_error *err)
{
    const char *business = request->businesses[SS_CHAMPION];
    struct ss_model_store *known;
    bool found;
    enum ss_status status = ss_logs_models(logs, &request->logs, config, &known, &found, err);
    if (status == SS_OK)
        status = ss_logs_pair(known, config, request->models[SS_CHAMPION], business,
                              &models[SS_CHAMPION], err);
    if (request->businesses[SS_CHALLENGER])
        business = request->businesses[SS_CHALLENGER];
    if (status == SS_OK && request->models[SS_CHALLENGER])
        status = ss_logs_pair(known, config, request->models[SS_CHALLENGER], business,
                              &models[SS_CHALLENGER], err);
    ss_model_store_close(known);
    return status;
}

static enum ss_status report(const struct request *request, const struct ss_backtest_result *result,
                             struct ss_error *err)
{
    const char *const standard = "-";
    enum ss_status status = SS_OK;
    bool quiet = (request->json && strcmp(request->json, standard) == 0) ||
                 (request->html && strcmp(request->html, standard) == 0);
    if (!quiet)
        ss_backtest_text(result, stdout);
    if (request->json)
        status = ss_backtest_json(result, request->json, err);
    if (status == SS_OK && request->html)
        status = ss_backtest_page(result, request->html, err);
    if (status == SS_OK && request->scores_csv)
        status = ss_backtest_csv(result, false, request->scores_csv, err);
    if (status == SS_OK && request->labels_csv)
        status = ss_backtest_csv(result, true, request->labels_csv, err);
    return status;
}

static int backtest(const struct request *request, const struct ss_config *config)
{
    struct progress progress = {.terminal = isatty(STDERR_FILENO), .started = ss_seconds()};
    struct ss_backtest_options options = {
        .until_ms = request->until_ms,
        .assume_consent = request->assume_consent,
        .future_tolerance_ms = config->events_future_tolerance_ms,
        .stop = ss_stopping_catch(),
        .progress = on_progress,
        .progress_arg = &progress,
    };
    struct ss_backtest_result *result = calloc(1, sizeof *result); /* too large for the stack */
    struct ss_labels labels = {0};
    struct ss_logs logs = {0};
    struct ss_error err;
    enum ss_status status = result ? SS_OK : ss_fail(&err, SS_STOP, "out of memory");
    progress.said = progress.started;
    if (status == SS_OK)
        status = ss_output_file(request->html, &err);
    if (status == SS_OK && request->labels)
        status = ss_labels_read(request->labels, &labels, &err);
    options.labels = labels.list;
    options.label_count = labels.count;
    if (status == SS_OK)
        status = ss_logs_open(&logs, &request->logs, config, &err);
    options.source = logs.source;
    if (status == SS_OK)
        status = load_models(request, &logs, config, options.models, &err);
    if (status == SS_OK) {
        status = ss_backtest_run(&options, result, &err);
        ss_progress_wipe(progress.terminal);
        if (status == SS_OK)
            status = report(request, result, &err);
        ss_backtest_reset(result);
    }
    ss_logs_close(&logs);
    ss_labels_reset(&labels);
    for (int s = 0; s < SS_SIDE_COUNT; s++)
        ss_models_free(&options.models[s]);
    free(result);
    return status == SS_OK ? SS_EXIT_DONE : ss_failed(&err);
}

/* ---- options ---- */

static bool parse_count(const char *text, int32_t *count)
{
    int64_t number = 0;
    const bool fine = ss_number_parse(text, 1, INT32_MAX, &number) == SS_NUMBER_OK;
    *count = (int32_t)number;
    return fine;
}

static bool parse(int argc, char **argv, struct ss_common *common, struct request *request)
{
    static const struct option long_options[] = {
        {"model", required_argument, NULL, 'm'},
        {"business-model", required_argument, NULL, 'b'},
        {"champion", required_argument, NULL, 'c'},
        {"champion-business", required_argument, NULL, 'B'},
        {"files", required_argument, NULL, 'f'},
        {"fields", required_argument, NULL, 'i'},
        {"partition-count", required_argument, NULL, 'P'},
        {"committed", no_argument, NULL, 'C'},
        {"until", required_argument, NULL, 't'},
        {"assume-consent", no_argument, NULL, 'a'},
        {"labels", required_argument, NULL, 'l'},
        {"json", required_argument, NULL, 'j'},
        {"html", required_argument, NULL, 'p'},
        {"scores", required_argument, NULL, 's'},
        {"label-scores", required_argument, NULL, 'S'},
        {0}};
    const struct ss_command *self = &ss_command_backtest;
    int letter;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1) {
        switch (letter) {
        case 'm':
            request->models[SS_CHALLENGER] = optarg;
            break;
        case 'b':
            request->businesses[SS_CHALLENGER] = optarg;
            break;
        case 'c':
            request->models[SS_CHAMPION] = optarg;
            break;
        case 'B':
            request->businesses[SS_CHAMPION] = optarg;
            break;
        case 'f':
            request->logs.directory = optarg;
            break;
        case 'i':
            if (!ss_logs_fields(optarg, &request->logs.fields)) {
                ss_usage(self, "'%s' is not PARTITION,OFFSET or PARTITION,OFFSET,TIMESTAMP",
                         optarg);
                return false;
            }
            break;
        case 'P':
            if (!parse_count(optarg, &request->logs.partition_count)) {
                ss_usage(self, "'%s' is no number of partitions", optarg);
                return false;
            }
            break;
        case 'C':
            request->logs.committed = true;
            break;
        case 't':
            if (!ss_time_parse(optarg, &request->until_ms)) {
                ss_usage(self, "'%s' is no time; write 2005-09-30 or 2005-09-30T23:59:59Z", optarg);
                return false;
            }
            break;
        case 'a':
            request->assume_consent = true;
            break;
        case 'l':
            request->labels = optarg;
            break;
        case 'j':
            request->json = optarg;
            break;
        case 'p':
            request->html = optarg;
            break;
        case 's':
            request->scores_csv = optarg;
            break;
        case 'S':
            request->labels_csv = optarg;
            break;
        default:
            if (!ss_common_option(common, self, letter, optarg))
                return false;
        }
    }
    if (optind < argc)
        ss_usage(self, "'%s' is not expected", argv[optind]);
    else if (!request->models[SS_CHALLENGER] && !request->labels)
        ss_usage(self,
                 "--model FILE names the challenger; without one, --labels measures the "
                 "champion alone%s",
                 "");
    else if (request->labels_csv && !request->labels)
        ss_usage(self, "--label-scores needs --labels%s", "");
    else if (request->businesses[SS_CHALLENGER] && !request->models[SS_CHALLENGER])
        ss_usage(self, "--business-model is the challenger's, and needs --model%s", "");
    else
        return true;
    return false;
}

static int run(int argc, char **argv)
{
    struct request request = {.until_ms = INT64_MAX};
    struct ss_common common;
    int code = SS_EXIT_USAGE;
    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    if (parse(argc, argv, &common, &request))
        code = ss_common_finish(&common) ? backtest(&request, &common.config) : SS_EXIT_FAILED;
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_backtest = {
    .name = "backtest",
    .summary = "another model over the same history: who moves, and which foretells better",
    .usage = "--model challenger.yaml [--files DIR] [--labels outcomes.csv] [--until TIME]\n"
             "                       [--json OUT.json] [--html OUT.html] [--scores OUT.csv]",
    .help =
        "The champion is the model that is live by sesame-models, or without that topic the\n"
        "config's. A MODEL is a file or a version that the topic has. Both models score everybody "
        "from the same events, as\n"
        "of the same instant; nothing is written to Kafka or Redis.\n\n"
        "  --model MODEL       the challenger's model.yaml; without it, and with --labels, the\n"
        "                      champion is measured alone\n"
        "  --business-model MODEL  the challenger's for small businesses (default: the "
        "champion's)\n"
        "  --champion MODEL    another champion\n"
        "  --champion-business MODEL  likewise for small businesses\n"
        "  --files DIR         archived logs instead of those on Kafka: payments.avro, "
        "bills.avro,\n"
        "                      …, or the files that Kafka Connect's sinks write\n"
        "  --fields P,O[,T]    what the archived records' fields of partition, offset and "
        "timestamp\n"
        "                      are called (kafka_partition,kafka_offset,kafka_timestamp)\n"
        "  --partition-count N of the archived topics, where the last ones are empty\n"
        "  --committed         from Kafka: up to what the config's group has committed, instead "
        "of\n"
        "                      up to the end\n"
        "  --until TIME        leave out what occurred later, and score as of then (default: as "
        "of\n"
        "                      the newest event)\n"
        "  --assume-consent    score users without any consent record too: for studies\n"
        "  --labels FILE.csv   what became of people: user,time,outcome; 1 or bad, 0 or good. The\n"
        "                      scores are those of just before the time\n"
        "  --json OUT.json     everything for programs; - is standard output, without the text\n"
        "  --html OUT.html     everything as a page that needs nothing else\n"
        "  --scores OUT.csv    everybody's score under both models\n"
        "  --label-scores OUT.csv  the same for the labels, with time and outcome\n" SS_COMMON_HELP,
    .run = run,
};
