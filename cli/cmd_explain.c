/* cmd_explain.c - one user's score explained, from the running system's logs or from archived
 * files, as text, JSON, or a page to hand out. */
#include "audit/explain.h"
#include "audit/replay.h"
#include "cli/command.h"
#include "cli/logs.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "config/number.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, OFFSETS_MAX = 16, JSON_BYTES_MAX = 256 << 20 };

struct offset_option {
    const char *text;
    char topic[256];
    int32_t partition;
    int64_t offset;
};

struct request {
    const char *user, *files, *html, *json, *model_file, *business_model_file;
    int64_t at_ms;
    bool model_given;   /* on the command line */
    int32_t partitions; /* of an archive; 0: not told */
    struct offset_option offsets[OFFSETS_MAX];
    int offset_count;
    struct ss_explain_issuer issuer;
};

struct run {
    const struct request *request;
    const struct ss_config *config;
    atomic_bool *stop;
    struct ss_history history;
    struct ss_model_store *models;
    struct ss_model_shelf shelf;
    struct ss_explain_request question;
    bool terminal;
};

/* --- reading --- */

static void on_progress(void *arg, const char *what)
{
    const struct run *run = arg;
    if (run->terminal)
        fprintf(stderr, "\r\033[Kreading %s …", what);
}

static enum ss_status on_record(void *arg, struct ss_bytes user_id, struct ss_bytes body,
                                struct ss_error *err)
{
    struct run *run = arg;
    struct ss_bytes wanted = {run->history.user_id, run->history.user_id_size};
    if (!ss_bytes_equal(user_id, wanted))
        return SS_OK;
    return ss_history_add_record(&run->history, -1, body, err);
}

/* Plain files of the inputs alone say what would have been published. */
static enum ss_status replay_files(struct run *run, struct ss_error *err)
{
    struct ss_worker_stats stats;
    int64_t users;
    struct ss_replay_options options = {
        .directory = run->request->files,
        .model_file = run->request->model_file,
        .business_model_file = run->request->business_model_file,
        .topics = (const char *const *)run->config->input_topics,
        .until_ms = run->request->at_ms,
        .future_tolerance_ms = run->config->events_future_tolerance_ms,
        .record = on_record,
        .record_arg = run,
        .stop = run->stop,
    };
    on_progress(run, "everybody's events");
    if (run->config->log_level == SS_LOG_INFO) /* the worker's steps are of no interest here */
        ss_log_set_level(SS_LOG_WARN);
    return ss_replay_run(&options, &stats, &users, err);
}

static enum ss_status load_models(struct run *run, const struct ss_logs *logs,
                                  const struct ss_logs_request *from, struct ss_error *err)
{
    const struct request *request = run->request;
    struct ss_models *models = &run->question.models;
    bool found = false;
    enum ss_status status = ss_logs_models(logs, from, run->config, &run->models, &found, err);
    const bool given = request->model_given || !found;
    if (status == SS_OK && given)
        status = ss_model_store_file(run->models, request->model_file, false, err);
    if (status == SS_OK && given && request->business_model_file)
        status = ss_model_store_file(run->models, request->business_model_file, true, err);
    if (status != SS_OK)
        return status;
    *models = given ? ss_model_store_given(run->models) : *ss_model_store_live(run->models);
    models->before = NULL; /* nobody is told of a change here */
    models->epoch = models->person_since = models->business_since = 0;
    run->shelf = ss_model_store_shelf(run->models);
    run->question.shelf = &run->shelf;
    return SS_OK;
}

static enum ss_status read_history(struct run *run, const struct ss_logs *logs,
                                   const struct ss_logs_request *from, struct ss_error *err)
{
    const enum ss_source_kind kind = ss_source_kind(logs->source);
    bool scores = false;
    struct ss_history_reading reading = {.source = logs->source,
                                         .patience_ms = PATIENCE_MS,
                                         .partitions_unsure =
                                             from->directory && from->partition_count == 0,
                                         .stop = run->stop,
                                         .progress = on_progress,
                                         .arg = run};
    enum ss_status status = ss_history_read(&run->history, &reading, &scores, err);
    if (status != SS_OK || scores)
        return status;
    if (kind == SS_SOURCE_PLAIN)
        return replay_files(run, err);
    return ss_fail(err, SS_STOP,
                   "%s holds no scores; archive that topic too: it is what is explained",
                   run->request->files);
}

static enum ss_status read_logs(struct run *run, struct ss_error *err)
{
    const struct ss_logs_request from = {.directory = run->request->files,
                                         .partition_count = run->request->partitions};
    struct ss_logs logs;
    enum ss_status status = ss_logs_open(&logs, &from, run->config, err);
    if (status == SS_OK)
        status = load_models(run, &logs, &from, err);
    if (status == SS_OK)
        status = read_history(run, &logs, &from, err);
    ss_logs_close(&logs);
    return status;
}

/* --- what is asked for --- */

static enum ss_status take_offsets(struct run *run, struct ss_error *err)
{
    const struct ss_config *config = run->config;
    for (int i = 0; i < run->request->offset_count; i++) {
        const struct offset_option *option = &run->request->offsets[i];
        int input = 0;
        while (input < SS_INPUT_COUNT && strcmp(option->topic, config->input_topics[input]) != 0 &&
               strcmp(option->topic, ss_input_name((enum ss_input)input)) != 0)
            input++;
        bool scores = strcmp(option->topic, config->scores_topic) == 0 ||
                      strcmp(option->topic, ss_output_name(SS_SCORES)) == 0;
        if (input == SS_INPUT_COUNT && !scores)
            return ss_fail(err, SS_STOP,
                           "--offset %s: no input has that topic, nor have the scores",
                           option->text);
        if (option->partition != run->history.partition)
            return ss_fail(err, SS_STOP,
                           "--offset %s: this user's records are in partition %d of every topic",
                           option->text, run->history.partition);
        if (scores)
            run->question.score_offset = option->offset;
        else
            run->question.read_to[input] = option->offset;
    }
    return SS_OK;
}

static enum ss_status write_json(const struct request *request,
                                 const struct ss_explanation *explanation, struct ss_error *err)
{
    struct ss_buffer json;
    ss_buffer_init(&json, JSON_BYTES_MAX);
    enum ss_status status = ss_explain_json(explanation, &request->issuer, &json, err);
    if (status == SS_OK)
        status = ss_page_save_bytes((struct ss_bytes){json.data, json.size}, request->json, err);
    ss_buffer_reset(&json);
    return status;
}

static enum ss_status write_html(const struct request *request,
                                 const struct ss_explanation *explanation, struct ss_error *err)
{
    struct ss_page page;
    enum ss_status status = ss_explain_html(explanation, &request->issuer, &page, err);
    if (status == SS_OK)
        status = ss_page_save(&page, request->html, err);
    ss_page_reset(&page);
    return status;
}

static enum ss_status answer(struct run *run, struct ss_error *err)
{
    const struct request *request = run->request;
    struct ss_explanation explanation;
    enum ss_status status = ss_explain(&run->history, &run->question, &explanation, err);
    if (status != SS_OK)
        return status;
    if (explanation.finding == SS_FOUND_NOBODY) {
        status = ss_fail(err, SS_DROP, "%s", ss_explain_finding(explanation.finding));
    } else {
        if (request->json)
            status = write_json(request, &explanation, err);
        if (status == SS_OK && request->html)
            status = write_html(request, &explanation, err);
        if (status == SS_OK && !request->json && !request->html)
            ss_explain_text(stdout, &explanation, &request->issuer);
    }
    if (status == SS_OK && explanation.finding == SS_FOUND_SCORE)
        ss_logs_models_missed(run->models, run->config);
    ss_explanation_reset(&explanation);
    return status;
}

static int act(const struct ss_config *config, const struct request *request)
{
    struct ss_error err;
    struct run run = {.request = request,
                      .config = config,
                      .stop = ss_stopping_catch(),
                      .terminal = isatty(STDERR_FILENO)};
    run.question =
        (struct ss_explain_request){.at_ms = request->at_ms,
                                    .score_offset = -1,
                                    .future_tolerance_ms = config->events_future_tolerance_ms};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        run.question.read_to[i] = -1;
    if (ss_output_file(request->json, &err) != SS_OK ||
        ss_output_file(request->html, &err) != SS_OK)
        return ss_failed(&err);
    enum ss_status status = ss_history_init(&run.history, request->user, &err);
    if (status == SS_OK)
        status = read_logs(&run, &err);
    ss_progress_wipe(run.terminal);
    if (status == SS_OK)
        status = take_offsets(&run, &err);
    if (status == SS_OK)
        status = answer(&run, &err);
    ss_history_reset(&run.history);
    ss_model_store_close(run.models);
    return status == SS_OK ? SS_EXIT_DONE : ss_failed(&err);
}

/* --- options --- */

static bool parse_whole(const char *text, int64_t max, int64_t *number)
{
    return ss_number_parse(text, 0, max, number) == SS_NUMBER_OK;
}

/* TOPIC:PARTITION:OFFSET; a topic has no colon. */
static bool parse_offset(const char *text, struct offset_option *option)
{
    char copy[320], *partition, *offset;
    int64_t number;
    snprintf(copy, sizeof copy, "%s", text);
    option->text = text;
    if (strlen(text) >= sizeof copy || !(partition = strchr(copy, ':')) ||
        !(offset = strchr(partition + 1, ':')))
        return false;
    *partition++ = '\0';
    *offset++ = '\0';
    if (strlen(copy) >= sizeof option->topic || !parse_whole(partition, INT32_MAX, &number) ||
        !parse_whole(offset, INT64_MAX - 1, &option->offset))
        return false;
    option->partition = (int32_t)number;
    strcpy(option->topic, copy);
    return true;
}

static bool take_option(int letter, const char *value, struct request *request)
{
    const struct ss_command *self = &ss_command_explain;
    int64_t number;
    switch (letter) {
    case 'a':
        if (ss_time_parse(value, &request->at_ms))
            return true;
        ss_usage(self, "'%s' is no time; write 2005-09-30 or 2005-09-30T23:59:59Z", value);
        return false;
    case 'o':
        if (request->offset_count < OFFSETS_MAX &&
            parse_offset(value, &request->offsets[request->offset_count])) {
            request->offset_count++;
            return true;
        }
        ss_usage(self, "'%s' is no place in a log; write TOPIC:PARTITION:OFFSET, at most %d times",
                 value, OFFSETS_MAX);
        return false;
    case 'p':
        if (parse_whole(value, 100000, &number) && number > 0) {
            request->partitions = (int32_t)number;
            return true;
        }
        ss_usage(self, "'%s' is no number of partitions", value);
        return false;
    case 'f':
        request->files = value;
        return true;
    case 'H':
        request->html = value;
        return true;
    case 'j':
        request->json = value;
        return true;
    case 'm':
        request->model_file = value;
        return true;
    case 'b':
        request->business_model_file = value;
        return true;
    case 'i':
        request->issuer.name = value;
        return true;
    default:
        request->issuer.contact = value;
        return true;
    }
}

static bool parse(int argc, char **argv, struct ss_common *common, struct request *request)
{
    static const struct option long_options[] = {{"at", required_argument, NULL, 'a'},
                                                 {"offset", required_argument, NULL, 'o'},
                                                 {"files", required_argument, NULL, 'f'},
                                                 {"partitions", required_argument, NULL, 'p'},
                                                 {"html", required_argument, NULL, 'H'},
                                                 {"json", required_argument, NULL, 'j'},
                                                 {"model", required_argument, NULL, 'm'},
                                                 {"business-model", required_argument, NULL, 'b'},
                                                 {"issuer", required_argument, NULL, 'i'},
                                                 {"contact", required_argument, NULL, 'c'},
                                                 {0}};
    const struct ss_command *self = &ss_command_explain;
    int letter;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1) {
        bool own = letter != '?' && strchr("aofpHjmbic", letter);
        if (!(own ? take_option(letter, optarg, request)
                  : ss_common_option(common, self, letter, optarg)))
            return false;
    }
    if (optind + 1 != argc) {
        if (optind < argc)
            ss_usage(self, "'%s' is not expected: one user at a time", argv[optind + 1]);
        else
            ss_usage(self, "whose score? USER is missing");
        return false;
    }
    request->user = argv[optind];
    return true;
}

static int run_command(int argc, char **argv)
{
    struct request request = {.at_ms = INT64_MAX};
    struct ss_common common;
    int code = SS_EXIT_USAGE;
    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    if (parse(argc, argv, &common, &request)) {
        code = SS_EXIT_FAILED;
        if (ss_common_finish(&common)) {
            request.model_given = request.model_file || request.business_model_file;
            if (!request.model_file)
                request.model_file = common.config.model_file;
            if (!request.business_model_file)
                request.business_model_file = common.config.business_model_file;
            code = act(&common.config, &request);
        }
    }
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_explain = {
    .name = "explain",
    .summary = "one user's score: what it is made of, why, and what would raise it",
    .usage = "USER -F sesame.yaml | --files DIR  [--at TIME] [--offset TOPIC:PARTITION:OFFSET …]\n"
             "           [--html OUT.html] [--json OUT.json]",
    .help =
        "Reads the user's events and published scores from the logs, recomputes the score from "
        "the\n"
        "events, and says in plain words what it is made of, at most four reasons, what would "
        "raise\n"
        "it, and which event changed it when. Writes nothing but the files named.\n\n"
        "  --files DIR       archived logs (Avro container files) instead of Kafka; of plain "
        "files\n"
        "                    without scores it explains what they lead to\n"
        "  --partitions N    how many partitions the archived topics had\n"
        "  --at TIME         the score as it stood then, 2005-09-30 or 2005-09-30T23:59:59Z\n"
        "  --offset TOPIC:PARTITION:OFFSET\n"
        "                    the score when that record of an input had been read, or by that "
        "record\n"
        "                    of the scores; may be repeated, for other topics\n"
        "  --html FILE       a page to hand out, whole in one file; - is standard output\n"
        "  --json FILE       the same for programs; with neither, text\n"
        "  --issuer NAME     who hands it out, and\n"
        "  --contact TEXT    whom to ask, for the page's head and foot\n"
        "  --model FILE      a model.yaml instead of the config's, if the score was made by that\n"
        "  --business-model FILE  the same for small businesses\n" SS_COMMON_HELP,
    .run = run_command,
};
