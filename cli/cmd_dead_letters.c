/* cmd_dead_letters.c - looks at the topic of dead letters, and sends them back. */
#include "cli/command.h"
#include "cli/dead_letter_replay.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "config/number.h"
#include "consumer/engine.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILTERS_MAX = 32 };

struct names {
    const char *list[FILTERS_MAX];
    int count;
};

struct request {
    int32_t partition; /* -1: all */
    int64_t from_offset, from_time_ms, limit;
    struct names reasons, topics;
    bool json, replay, dry_run, all, filtered;
    const char *to;
};

struct tally {
    int64_t read, matched;
};

/* What is done with a letter that matches. */
typedef enum ss_status letter_fn(void *arg, const struct ss_letter *letter, struct ss_error *err);

static bool among(const struct names *names, const char *text)
{
    for (int i = 0; i < names->count; i++)
        if (strcasecmp(names->list[i], text) == 0)
            return true;
    return names->count == 0;
}

static enum ss_status each_letter(const struct ss_config *config,
                                  const struct ss_kafka_access *access,
                                  const struct request *request, letter_fn *use, void *arg,
                                  const atomic_bool *stop, struct tally *tally,
                                  struct ss_error *err)
{
    struct ss_kafka_reader *reader;
    struct ss_kafka_reader_config reader_config = {.access = *access,
                                                   .topic = config->dead_letters_topic,
                                                   .partition = request->partition,
                                                   .from_offset = request->from_offset,
                                                   .from_time_ms = request->from_time_ms};
    enum ss_status status = ss_kafka_reader_open(&reader_config, &reader, err);
    if (status != SS_OK)
        return status;
    while (status == SS_OK && tally->matched < request->limit && !(stop && atomic_load(stop))) {
        struct ss_kafka_record record;
        struct ss_letter letter;
        bool end;
        status = ss_kafka_reader_next(reader, &record, &end, err);
        if (status != SS_OK || end)
            break;
        tally->read++;
        ss_letter_read(&record, &letter);
        if (!among(&request->reasons, letter.reason) || !among(&request->topics, letter.topic))
            continue;
        tally->matched++;
        status = use(arg, &letter, err);
    }
    ss_kafka_reader_close(reader);
    return status;
}

/* --- list --- */

struct list {
    struct ss_letter_view view;
    bool json;
};

static enum ss_status show(void *arg, const struct ss_letter *letter, struct ss_error *err)
{
    struct list *list = arg;
    if (!(list->json ? ss_letter_show_json(&list->view, letter)
                     : ss_letter_show(&list->view, letter)))
        return ss_fail(err, SS_STOP, "dead letter %d:%lld does not fit into memory",
                       letter->record.partition, (long long)letter->record.offset);
    if (fwrite(list->view.text.data, 1, list->view.text.size, stdout) != list->view.text.size)
        return ss_fail(err, SS_STOP, "cannot write: %s", strerror(errno));
    return SS_OK;
}

static enum ss_status list(const struct ss_config *config, const struct ss_kafka_access *access,
                           const struct request *request, struct ss_error *err)
{
    const struct ss_registry_config where = ss_engine_registry(config);
    struct ss_registry *registry = NULL;
    struct list list = {.json = request->json};
    struct tally tally = {0};
    enum ss_status status = SS_OK;
    if (where.url)
        status = ss_registry_open(&where, &registry, err);
    ss_letter_view_init(&list.view, registry);
    if (status == SS_OK)
        status = each_letter(config, access, request, show, &list, NULL, &tally, err);
    ss_letter_view_reset(&list.view);
    ss_registry_close(registry);
    if (status == SS_OK && !request->json)
        printf("%" PRId64 " dead letters shown, %" PRId64 " read\n", tally.matched, tally.read);
    return status;
}

/* --- replay --- */

static enum ss_status send_back(void *arg, const struct ss_letter *letter, struct ss_error *err)
{
    return ss_letter_replay_send(arg, letter, err);
}

static enum ss_status replay(const struct ss_config *config, const struct ss_kafka_access *access,
                             const struct request *request, bool verbose, struct ss_error *err)
{
    struct ss_letter_replay_config replay_config = {.config = config,
                                                    .access = access,
                                                    .to = request->to,
                                                    .dry_run = request->dry_run,
                                                    .verbose = verbose};
    struct ss_letter_replay *replay;
    struct ss_letter_replayed counts;
    struct tally tally = {0};
    enum ss_status status = ss_letter_replay_open(&replay_config, &replay, err);
    if (status != SS_OK)
        return status;
    if (!request->dry_run)
        fprintf(stderr, "sesame: replaying the same dead letter twice is safe only while its event "
                        "is in the user's duplicate window; after that it counts twice\n");
    const atomic_bool *stop = ss_stopping_catch();
    status = each_letter(config, access, request, send_back, replay, stop, &tally, err);
    ss_letter_replay_finish(replay, &counts);
    ss_letter_replay_close(replay);
    printf("%s: read %" PRId64 ", matched %" PRId64 ": %s %" PRId64 ", not replayable %" PRId64
           ", failed %" PRId64 "%s\n",
           request->dry_run ? "dry run" : "replay", tally.read, tally.matched,
           request->dry_run ? "would send" : "sent", counts.sent, counts.not_replayable,
           counts.failed, atomic_load(stop) ? " (interrupted)" : "");
    if (status == SS_OK && counts.failed > 0)
        status = ss_fail(err, SS_RETRY, "%" PRId64 " dead letters were not sent", counts.failed);
    return status;
}

/* --- options --- */

static bool add_name(struct names *names, const char *name)
{
    if (names->count == FILTERS_MAX)
        return false;
    names->list[names->count++] = name;
    return true;
}

/* false: wrong, and said. *known: it is an option of this command. */
static bool take_option(struct request *request, int letter, const char *value, bool *known)
{
    int64_t number;
    bool fine = true;
    *known = true;
    switch (letter) {
    case 'p':
        fine = ss_number_parse(value, 0, INT32_MAX, &number) == SS_NUMBER_OK;
        request->partition = fine ? (int32_t)number : -1;
        request->filtered = true;
        break;
    case 'o':
        fine = ss_number_parse(value, 0, INT64_MAX, &request->from_offset) == SS_NUMBER_OK;
        request->filtered = true;
        break;
    case 'f':
        fine = ss_time_parse(value, &request->from_time_ms) && request->from_time_ms > 0;
        request->filtered = true;
        break;
    case 'r':
        fine = add_name(&request->reasons, value);
        request->filtered = true;
        break;
    case 't':
        fine = add_name(&request->topics, value);
        request->filtered = true;
        break;
    case 'l':
        fine = ss_number_parse(value, 0, INT64_MAX, &request->limit) == SS_NUMBER_OK;
        break;
    case 'j':
        request->json = true;
        break;
    case 'd':
        request->dry_run = true;
        break;
    case 'a':
        request->all = true;
        break;
    case 'T':
        request->to = value;
        break;
    default:
        *known = false;
    }
    return fine;
}

static bool parse(int argc, char **argv, struct ss_common *common, struct request *request)
{
    static const struct option long_options[] = {{"partition", required_argument, NULL, 'p'},
                                                 {"from-offset", required_argument, NULL, 'o'},
                                                 {"from", required_argument, NULL, 'f'},
                                                 {"reason", required_argument, NULL, 'r'},
                                                 {"topic", required_argument, NULL, 't'},
                                                 {"limit", required_argument, NULL, 'l'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"dry-run", no_argument, NULL, 'd'},
                                                 {"all", no_argument, NULL, 'a'},
                                                 {"to", required_argument, NULL, 'T'},
                                                 {0}};
    const struct ss_command *self = &ss_command_dead_letters;
    int letter;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1) {
        bool known;
        if (!take_option(request, letter, optarg, &known)) {
            ss_usage(self,
                     "'%s' cannot be used here (a number, a time such as 2026-05-01, or one "
                     "name too many)",
                     optarg);
            return false;
        }
        if (!known && !ss_common_option(common, self, letter, optarg))
            return false;
    }
    const char *what = optind < argc ? argv[optind] : "";
    request->replay = strcmp(what, "replay") == 0;
    const char *wrong = NULL;
    if (optind + 1 != argc || (!request->replay && strcmp(what, "list") != 0))
        wrong = "say what to do: list or replay";
    else if (request->from_offset >= 0 && request->from_time_ms)
        wrong = "--from-offset and --from exclude each other";
    else if (!request->replay && (request->dry_run || request->all || request->to))
        wrong = "--dry-run, --all and --to belong to replay";
    else if (request->replay && request->json)
        wrong = "--json belongs to list";
    else if (request->replay && !request->filtered && !request->all)
        wrong = "say which ones (--reason, --topic, --partition, --from-offset, --from), or --all";
    if (wrong)
        ss_usage(self, "%s", wrong);
    return !wrong;
}

static int act(const struct ss_common *common, const struct request *request)
{
    const struct ss_config *config = &common->config;
    struct ss_error err;
    if (ss_config_check(config, &err) != SS_OK)
        return ss_failed(&err);
    if (request->to && strcmp(request->to, config->dead_letters_topic) == 0) {
        fprintf(stderr, "sesame: --to %s would make dead letters of dead letters\n", request->to);
        return SS_EXIT_FAILED;
    }
    struct ss_kafka_access access;
    if (ss_engine_access_open(config, &access, &err) != SS_OK)
        return ss_failed(&err);
    enum ss_status status = request->replay
                                ? replay(config, &access, request, common->verbose > 0, &err)
                                : list(config, &access, request, &err);
    ss_engine_access_close(&access);
    return status == SS_OK ? SS_EXIT_DONE : ss_failed(&err);
}

static int run(int argc, char **argv)
{
    struct request request = {.partition = -1, .from_offset = -1, .limit = INT64_MAX};
    struct ss_common common;
    int code = SS_EXIT_USAGE;
    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    if (parse(argc, argv, &common, &request))
        code = ss_common_finish(&common) ? act(&common, &request) : SS_EXIT_FAILED;
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_dead_letters = {
    .name = "dead-letters",
    .summary = "look at the records that could not be used (list), or send them back (replay)",
    .usage = "list|replay -F sesame.yaml [--reason CODE] [--topic TOPIC] [--partition P]\n"
             "           [--from-offset N | --from TIME] [--limit N]\n"
             "           list: [--json]    replay: [--dry-run] [--to TOPIC] [--all]",
    .help =
        "Both read up to where the topic ends now, and take part in no group.\n\n"
        "  --reason CODE     only with this reason, such as MISROUTED; may be repeated\n"
        "  --topic TOPIC     only from this topic; may be repeated\n"
        "  --partition P     only this partition of the dead letters\n"
        "  --from-offset N   from this offset of the dead letters on, in each partition\n"
        "  --from TIME       from this time on: 2026-05-01 or 2026-05-01T12:00:00Z\n"
        "  --limit N         end after N that match\n"
        "  --json            list: a JSON object per line, with headers and the bytes in base64\n"
        "  --dry-run         replay: print what would be sent, send nothing\n"
        "  --to TOPIC        replay: send there instead of to the topic each came from\n"
        "  --all             replay: everything, where no filter says less\n" SS_COMMON_HELP
        "\nA replayed record has its original key, value and headers, a new timestamp, and a "
        "header\n"
        "sesame.replayed with the partition and offset of the dead letter. It goes to the "
        "partition\n"
        "that its key belongs to. Replaying one twice is safe only while its event is in the "
        "user's\n"
        "duplicate window. What was too large to be kept is reported with its coordinates.\n",
    .run = run,
};
