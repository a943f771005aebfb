/* cmd_verify_state.c - compares Redis with the changelog, on a live system too, and lets the engine
 * mend what differs. */
#include "audit/repair_state.h"
#include "audit/verify_state.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/time_text.h"
#include "consumer/engine.h"
#include "consumer/kafka_admin.h"
#include "schemas/wire_json.h"
#include "state/key_file.h"
#include "state/redis_store.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MEMORY_MIB = 256,
    LIMIT = 20,
    WAIT_S = 120,
    SETTLE_MS = 2000,
    SETTLE_ALONE_MS = 300,
    LIVE_EVERY_MS = 2000
};
enum { TIMEOUT_MS = 10000, ID_JSON_MAX = 1024 };

struct request {
    int32_t partition; /* -1: all */
    int64_t limit, memory_mib, wait_s;
    bool repair, json, show_users;
};

struct run {
    const struct request *request;
    const struct ss_config *config;
    const struct ss_kafka_access *access;
    struct ss_store *store;
    struct ss_state_log *log;
    int settle_ms; /* how long an engine may take to bring a checkpoint back */
    int64_t shown, not_shown;
    struct ss_verify_result *results; /* by partition */
    bool terminal;
    double started, said;
};

/* --- output --- */

static void on_progress(void *arg, int32_t partition, int64_t records, int64_t states)
{
    struct run *run = arg;
    double now = ss_seconds();
    if (now - run->said < (run->terminal ? 0.2 : 5))
        return;
    run->said = now;
    double seconds = now - run->started;
    fprintf(stderr,
            "%spartition %d: %" PRId64 " changelog records (%.0f/s), %" PRId64 " states of Redis%s",
            run->terminal ? SS_PROGRESS_BEGIN : "", partition, records, (double)records / seconds,
            states, run->terminal ? SS_PROGRESS_END : "\n");
}

static void show_user(const struct run *run, const struct ss_verify_difference *difference)
{
    struct ss_buffer text;
    ss_buffer_init(&text, ID_JSON_MAX);
    if (run->request->show_users && ss_json_append_text(&text, difference->user_id))
        printf(run->request->json ? ",\"user\":%.*s" : ", user %.*s", (int)text.size, text.data);
    ss_buffer_reset(&text);
}

static void on_difference(void *arg, const struct ss_verify_difference *difference)
{
    static const char *const kinds[] = {[SS_VERIFY_DIFFERING] = "differing",
                                        [SS_VERIFY_MISSING_STATE] = "missing",
                                        [SS_VERIFY_EXTRA] = "extra"};
    struct run *run = arg;
    if (run->shown == run->request->limit) {
        run->not_shown++;
        return;
    }
    run->shown++;
    ss_progress_wipe(run->terminal);
    printf(run->request->json ? "{\"difference\":\"%s\",\"partition\":%d,\"offset\":%" PRId64
                                ",\"mark\":%" PRId64 ",\"user_hash\":\"%016" PRIx64 "\""
                              : "  %-9s [%d] changelog offset %" PRId64 ", mark %" PRId64
                                ", user hash %016" PRIx64,
           kinds[difference->kind], difference->partition, difference->offset,
           difference->mark_offset, difference->user_hash);
    show_user(run, difference);
    puts(run->request->json ? "}" : "");
}

static void show_result_json(const struct ss_verify_result *result)
{
    printf("{\"partition\":%d,\"checkpoint\":\"%s\",\"mark\":%" PRId64 ",\"states\":%" PRId64
           ",\"equal\":%" PRId64 ",\"differing\":%" PRId64 ",\"missing\":%" PRId64
           ",\"extra\":%" PRId64 ",\"undecided\":%" PRId64 ",\"rechecked\":%" PRId64
           ",\"changelog_records\":%" PRId64 ",\"passes\":%d}\n",
           result->partition, ss_verify_checkpoint_text(result->checkpoint), result->mark_offset,
           result->states, result->equal, result->differing, result->missing, result->extra,
           result->undecided, result->rechecked, result->records, result->passes);
}

static void show_result(const struct run *run, const struct ss_verify_result *result)
{
    ss_progress_wipe(run->terminal);
    if (run->request->json) {
        show_result_json(result);
        return;
    }
    printf("partition %d: %" PRId64 " states: %" PRId64 " equal, %" PRId64 " differing, %" PRId64
           " missing in Redis, %" PRId64 " extra in Redis",
           result->partition, result->states, result->equal, result->differing, result->missing,
           result->extra);
    if (result->undecided > 0)
        printf(", %" PRId64 " undecided (the changelog holds newer ones than Redis has yet)",
               result->undecided);
    if (result->checkpoint == SS_VERIFY_USABLE)
        printf("; at mark %" PRId64, result->mark_offset);
    else
        printf("; checkpoint %s", ss_verify_checkpoint_text(result->checkpoint));
    printf(" (%" PRId64 " changelog records, %" PRId64 " states read again)\n", result->records,
           result->rechecked);
}

static void show_key(const struct run *run, const struct ss_verify_key *key)
{
    char name[32] = "not sealed", id[16] = "null";
    if (key->id == SS_VERIFY_OTHER_KEYS)
        snprintf(name, sizeof name, "other keys");
    else if (key->id > 0)
        snprintf(name, sizeof name, "key %u", key->id);
    if (key->id <= SS_SEAL_KEY_ID_MAX)
        snprintf(id, sizeof id, "%u", key->id);
    if (run->request->json)
        printf("{\"key\":%s,\"key_states\":%" PRId64 ",\"key_changelog_records\":%" PRId64 "}\n",
               id, key->states, key->records);
    else
        printf("%s: %" PRId64 " states, %" PRId64 " changelog records\n", name, key->states,
               key->records);
}

static int by_key_id(const void *a, const void *b)
{
    const struct ss_verify_key *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* How many states and records each key still opens, those of the key file that open none included:
 * whether a key can go. To people nothing where nothing is sealed. */
static void show_keys(const struct run *run)
{
    struct ss_verify_keys sum = {.count = 0};
    struct ss_key_file *file;
    struct ss_error err;
    const char *path = run->config->encryption_key_file;
    for (int32_t p = 0; p < run->log->partition_count; p++)
        for (size_t i = 0; i < run->results[p].keys.count; i++) {
            const struct ss_verify_key *key = &run->results[p].keys.list[i];
            ss_verify_count_key(&sum, key->id, key->states, key->records);
        }
    if (path && ss_key_file_open(path, &file, &err) != SS_OK) {
        ss_warn("verify-state", "%s", err.detail); /* not needed to compare */
    } else if (path) {
        for (size_t i = 0; i < ss_key_file_count(file); i++)
            ss_verify_count_key(&sum, ss_key_file_entry(file, i)->id, 0, 0);
        ss_key_file_close(file);
    }
    qsort(sum.list, sum.count, sizeof sum.list[0], by_key_id);
    for (size_t i = 0; i < sum.count; i++)
        if (path || run->request->json || sum.count > 1 || sum.list[0].id > 0)
            show_key(run, &sum.list[i]);
}

static int64_t show_total(const struct run *run)
{
    int64_t states = 0, differences = 0;
    for (int32_t p = 0; p < run->log->partition_count; p++) {
        states += run->results[p].states;
        differences += ss_verify_differences(&run->results[p]);
    }
    if (run->not_shown > 0 && !run->request->json)
        printf("%" PRId64 " more differences are not shown (--limit)\n", run->not_shown);
    show_keys(run);
    printf(run->request->json ? "{\"states\":%" PRId64 ",\"differences\":%" PRId64 "}\n"
                              : "%" PRId64 " states, %" PRId64 " differences\n",
           states, differences);
    return differences;
}

/* For people only; a JSON reader has the records. */
static void say(const struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ss_progress_wipe(run->terminal);
    vfprintf(run->request->json ? stderr : stdout, format, args);
    va_end(args);
}

/* --- the work --- */

static bool engine_lives(void *arg)
{
    const struct run *run = arg;
    struct ss_error err;
    int members;
    enum ss_status status =
        ss_kafka_group_members(run->access, run->config->group, &members, TIMEOUT_MS, &err);
    return status != SS_OK || members > 0; /* no answer: not to be given up for that */
}

static enum ss_status verify(struct run *run, int32_t partition, struct ss_error *err)
{
    const struct ss_verify_options options = {
        .store = run->store,
        .log = run->log,
        .memory_bytes_max = (size_t)run->request->memory_mib << 20,
        .settle_ms = run->settle_ms,
        .difference = on_difference,
        .progress = on_progress,
        .arg = run,
    };
    run->started = run->said = ss_seconds();
    enum ss_status status = ss_verify_partition(&options, partition, &run->results[partition], err);
    if (status == SS_OK)
        show_result(run, &run->results[partition]);
    ss_progress_wipe(run->terminal);
    return status;
}

static enum ss_status await_repair(struct run *run, int32_t partition, int64_t mark_offset,
                                   struct ss_error *err)
{
    const struct ss_repair_wait wait = {.store = run->store,
                                        .wait_ms = run->request->wait_s * 1000,
                                        .live_every_ms = LIVE_EVERY_MS,
                                        .live = engine_lives,
                                        .arg = run};
    bool back;
    double started = ss_seconds();
    enum ss_status status = ss_repair_await(&wait, partition, mark_offset, &back, err);
    if (status != SS_OK)
        return status;
    if (back) {
        say(run, "partition %d: restored by the engine after %.1f s; comparing again\n", partition,
            ss_seconds() - started);
        return verify(run, partition, err);
    }
    if (engine_lives(run))
        say(run,
            "partition %d: not restored within %" PRId64 " s; the engine is still at it, or says "
            "in its log what keeps it\n",
            partition, run->request->wait_s);
    else
        say(run,
            "partition %d: no engine of group %s is running; the next start rebuilds it from the "
            "changelog\n",
            partition, run->config->group);
    return SS_OK;
}

static enum ss_status repair(struct run *run, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    const int32_t count = run->log->partition_count;
    bool *bad = calloc((size_t)count, sizeof *bad);
    if (!bad)
        return ss_fail(err, SS_STOP, "out of memory");
    say(run, "repair: Redis is only a view, so nothing is patched: the checkpoint and states of "
             "each partition that differs are removed, and whoever owns it restores it from the "
             "changelog\n");
    for (int32_t p = 0; p < count && status == SS_OK; p++) {
        bad[p] = ss_verify_differences(&run->results[p]) > 0;
        if (!bad[p])
            continue;
        status = ss_repair_invalidate(run->store, p, err);
        if (status == SS_OK)
            say(run, "partition %d: invalidated\n", p);
    }
    for (int32_t p = 0; p < count && status == SS_OK; p++)
        if (bad[p])
            status = await_repair(run, p, run->results[p].mark_offset, err);
    free(bad);
    return status;
}

static enum ss_status work(struct run *run, int64_t *differences, struct ss_error *err)
{
    const int32_t only = run->request->partition;
    if (only >= run->log->partition_count)
        return ss_fail(err, SS_STOP, "%s has %d partitions, none is %d", run->config->state_topic,
                       run->log->partition_count, only);
    enum ss_status status = SS_OK;
    int64_t found = 0;
    run->settle_ms = engine_lives(run) ? SETTLE_MS : SETTLE_ALONE_MS;
    for (int32_t p = 0; p < run->log->partition_count && status == SS_OK; p++) {
        if (only >= 0 && p != only)
            continue;
        status = verify(run, p, err);
        found += ss_verify_differences(&run->results[p]);
    }
    if (status == SS_OK && run->request->repair && found > 0)
        status = repair(run, err);
    if (status == SS_OK)
        *differences = show_total(run);
    return status;
}

static enum ss_status open_and_work(struct run *run, int64_t *differences, struct ss_error *err)
{
    const struct ss_config *config = run->config;
    const struct ss_redis_config redis = {
        .url = config->redis_url,
        .prefix = config->redis_prefix,
        .buckets = (int32_t)config->redis_buckets,
        .timeout_ms = (int)config->redis_timeout_ms,
    };
    enum ss_status status = ss_redis_open(&redis, &run->store, err);
    if (status == SS_OK)
        status = ss_state_log_open(run->access, config->state_topic, &run->log, err);
    if (status == SS_OK) {
        run->results = calloc((size_t)run->log->partition_count, sizeof *run->results);
        status =
            run->results ? work(run, differences, err) : ss_fail(err, SS_STOP, "out of memory");
    }
    free(run->results);
    if (run->log)
        run->log->ops->close(run->log);
    if (run->store)
        run->store->ops->close(run->store);
    return status;
}

static int act(const struct ss_common *common, const struct request *request)
{
    const struct ss_config *config = &common->config;
    struct ss_error err;
    if (ss_config_check(config, &err) != SS_OK)
        return ss_failed(&err);
    const char *brokers = ss_config_property(config, SS_CLIENTS_CONSUMER, "bootstrap.servers");
    if (!brokers || !config->redis_url) {
        fprintf(stderr, "sesame: both the broker and Redis must be set; give the engine's config "
                        "with -F, or -X bootstrap.servers=HOST:PORT -X redis.url=URL\n");
        return SS_EXIT_FAILED;
    }
    struct ss_kafka_access access;
    if (ss_engine_access_open(config, &access, &err) != SS_OK)
        return ss_failed(&err);
    struct run run = {
        .request = request, .config = config, .access = &access, .terminal = isatty(STDERR_FILENO)};
    int64_t differences = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum ss_status status = open_and_work(&run, &differences, &err);
    ss_engine_access_close(&access);
    if (status != SS_OK)
        return ss_failed(&err);
    return differences == 0 ? SS_EXIT_DONE : SS_EXIT_FAILED;
}

/* --- options --- */

static bool parse(int argc, char **argv, struct ss_common *common, struct request *request)
{
    static const struct option long_options[] = {{"partition", required_argument, NULL, 'p'},
                                                 {"repair", no_argument, NULL, 'r'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"limit", required_argument, NULL, 'l'},
                                                 {"show-users", no_argument, NULL, 'u'},
                                                 {"memory", required_argument, NULL, 'm'},
                                                 {"wait", required_argument, NULL, 'w'},
                                                 {0}};
    const struct ss_command *self = &ss_command_verify_state;
    int64_t number;
    int letter;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1) {
        bool fine = true;
        switch (letter) {
        case 'p':
            fine = ss_usage_number(self, "partition", optarg, 0, INT32_MAX, &number);
            request->partition = fine ? (int32_t)number : -1;
            break;
        case 'r':
            request->repair = true;
            break;
        case 'j':
            request->json = true;
            break;
        case 'l':
            fine = ss_usage_number(self, "limit", optarg, 0, INT64_MAX, &request->limit);
            break;
        case 'u':
            request->show_users = true;
            break;
        case 'm':
            fine = ss_usage_number(self, "memory", optarg, 1, 1 << 20, &request->memory_mib);
            break;
        case 'w':
            fine = ss_usage_number(self, "wait", optarg, 0, 86400, &request->wait_s);
            break;
        default:
            if (!ss_common_option(common, self, letter, optarg))
                return false;
        }
        if (!fine)
            return false;
    }
    if (optind < argc)
        ss_usage(self, "'%s' is not expected", argv[optind]);
    return optind == argc;
}

static int run_command(int argc, char **argv)
{
    struct request request = {
        .partition = -1, .limit = LIMIT, .memory_mib = MEMORY_MIB, .wait_s = WAIT_S};
    struct ss_common common;
    int code = SS_EXIT_USAGE;
    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    if (parse(argc, argv, &common, &request))
        code = ss_common_finish(&common) ? act(&common, &request) : SS_EXIT_FAILED;
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_verify_state = {
    .name = "verify-state",
    .summary = "compare Redis with the changelog, on a live system too; --repair mends it",
    .usage = "-F sesame.yaml [--partition P] [--repair [--wait SECONDS]] [--json]\n"
             "           [--limit N] [--show-users] [--memory MIB]",
    .help =
        "Ends with the line `N states, D differences`; the exit status is 0 if D is none, else 1.\n"
        "Reads the changelog up to the mark that Redis's checkpoint names, and compares.\n\n"
        "  --partition P     only this partition\n"
        "  --repair          take away the checkpoint of each partition that differs: the engine\n"
        "                    that owns it restores it from the changelog within seconds, else the\n"
        "                    next one that starts; with an engine up, wait and compare again\n"
        "  --wait SECONDS    how long to wait for that, by partition (default 120)\n"
        "  --limit N         show N differences at most (default 20); all are counted\n"
        "  --show-users      show user ids, not only their hashes\n"
        "  --json            an object per line: each difference, each partition, the total\n"
        "  --memory MIB      for the users of a partition (default 256): those that do not fit "
        "are\n"
        "                    compared in further passes\n" SS_COMMON_HELP
        "\nIt takes part in no group and writes nothing without --repair. A listed difference "
        "says\n"
        "at which offset of the changelog the state is that Redis should hold (-1: none should\n"
        "be there). Where states are encrypted, it tells by key how many states and how many "
        "records\n"
        "of the changelog still need it. What an engine computed from a wrong state and committed "
        "before it was mended\n"
        "stays: then the changelog says so too.\n",
    .run = run_command,
};
