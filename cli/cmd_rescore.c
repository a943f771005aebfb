/* cmd_rescore.c - puts another model in charge while the engines run, and follows what they make of
 * it. All it does itself is to write to `sesame-models`: whoever ends it ends nothing. */
#include "cli/command.h"
#include "cli/logs.h"
#include "cli/rescore_watch.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "config/model_file.h"
#include "config/models.h"
#include "consumer/engine.h"
#include "consumer/model_topic.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 500, SILENT_S = 30 };

struct request {
    const char *person, *business; /* a file or a version; NULL: stays as it is */
    bool no_business, no_wait, status;
};

struct side {
    const char *what;
    const struct ss_model *model; /* NULL: none */
    struct ss_model *own;
    char *text;
    struct ss_bytes source;
};

struct rescore {
    const struct ss_config *config;
    const struct request *request;
    struct ss_kafka_access access;
    struct ss_model_topic *topic;
    struct ss_rescore_watch watch;
    struct side person, business;
    atomic_bool *stopping;
};

static const struct ss_model_history *history_of(const struct rescore *rescore)
{
    return ss_model_topic_history(rescore->topic);
}

/* --- which models --- */

static enum ss_status choose(const struct rescore *rescore, const char *name, struct side *side,
                             const struct ss_model *live, struct ss_error *err)
{
    size_t size = 0;
    side->model = name ? ss_model_history_find(history_of(rescore), name) : live;
    if (!name || side->model)
        return SS_OK;
    if (access(name, F_OK) != 0)
        return ss_logs_model_unknown(name, rescore->config, err);
    side->own = calloc(1, sizeof *side->own);
    if (!side->own)
        return ss_fail(err, SS_STOP, "out of memory for a model");
    enum ss_status status = ss_model_load_text(name, side->own, &side->text, &size, err);
    side->model = side->own;
    side->source = (struct ss_bytes){side->text, size};
    return status;
}

static enum ss_status compare_folds(const struct side *side, const struct ss_model *with,
                                    const char *whose, struct ss_error *err)
{
    char ours[SS_NAME_MAX], theirs[SS_NAME_MAX];
    if (!side->model || !with)
        return SS_OK;
    enum ss_status status = ss_model_structural_version(side->model, ours, err);
    if (status == SS_OK)
        status = ss_model_structural_version(with, theirs, err);
    if (status != SS_OK || strcmp(ours, theirs) == 0)
        return status;
    return ss_fail(err, SS_STOP,
                   "%s: what is under `structural` (half-lives, recent_window, recent_days, "
                   "currencies) is not that of %s (%s here, %s there). It is in every user's state "
                   "already: such a model needs new states, by a replay into a new group with new "
                   "state topics. To change scores only, copy `structural` from there",
                   side->model->version, whose, ours, theirs);
}

static enum ss_status choose_models(struct rescore *rescore, const struct ss_models *live,
                                    struct ss_error *err)
{
    const struct request *request = rescore->request;
    if (!live && !request->person)
        return ss_fail(err, SS_STOP, "nothing is live yet, so --model is needed");
    enum ss_status status =
        choose(rescore, request->person, &rescore->person, live ? live->person : NULL, err);
    if (status == SS_OK && !request->no_business)
        status = choose(rescore, request->business, &rescore->business,
                        live ? live->business : NULL, err);
    if (status == SS_OK)
        status =
            compare_folds(&rescore->business, rescore->person.model, "the persons' model", err);
    if (status == SS_OK && live)
        status = compare_folds(&rescore->person, live->person, "the live model", err);
    return status;
}

static bool same(const struct ss_model *a, const struct ss_model *b)
{
    return !a == !b && (!a || strcmp(a->version, b->version) == 0);
}

/* --- changing it --- */

static enum ss_status find_schema(const struct ss_config *config, uint32_t *id,
                                  struct ss_error *err)
{
    const struct ss_registry_config where = ss_engine_registry(config);
    struct ss_registry *registry;
    enum ss_status status = ss_registry_open(&where, &registry, err);
    if (status != SS_OK)
        return status;
    status = ss_engine_find_schema(registry, config->models_topic, ss_schema_of_models(), id, err);
    ss_registry_close(registry);
    return status;
}

/* Above all that is in charge anywhere. Where the topic was lost, what it said is put back first.
 */
static enum ss_status next_epoch(const struct rescore *rescore, int32_t *epoch,
                                 struct ss_error *err)
{
    const struct ss_rescore_sum sum = ss_rescore_watch_sum(&rescore->watch, 0);
    *epoch = ss_model_history_newest(history_of(rescore)) + 1;
    if (*epoch > sum.epoch_max || sum.epoch_max == 0)
        return SS_OK;
    *epoch = sum.epoch_max;
    if (strcmp(rescore->person.model->version, sum.version_max) == 0)
        return SS_OK;
    return ss_fail(err, SS_STOP,
                   "%s was lost: it ends before epoch %" PRId32 ", at which the states are. First "
                   "give it back what was live, --model with the file of %s (and the businesses' "
                   "model if there was one); then change it",
                   rescore->config->models_topic, sum.epoch_max, sum.version_max);
}

static enum ss_status activate(struct rescore *rescore, int32_t *epoch, struct ss_error *err)
{
    const struct ss_model_epoch *live = ss_model_history_live(history_of(rescore));
    const struct ss_model *person = rescore->person.model, *business = rescore->business.model;
    if (live && same(person, live->models.person) && same(business, live->models.business)) {
        *epoch = live->models.epoch;
        printf("model %s%s%s is live already (epoch %" PRId32 "): nothing to change\n",
               person->version, business ? ", businesses by " : "",
               business ? business->version : "", *epoch);
        return SS_OK;
    }
    uint32_t schema_id;
    bool won = false;
    enum ss_status status = next_epoch(rescore, epoch, err);
    if (status == SS_OK)
        status = find_schema(rescore->config, &schema_id, err);
    if (status != SS_OK)
        return status;
    const struct ss_model_activation activation = {
        .person = {person, rescore->person.source},
        .business = {business, rescore->business.source},
        .epoch = *epoch,
        .by = "sesame rescore",
    };
    status = ss_model_topic_activate(rescore->topic, &rescore->access, schema_id, &activation, &won,
                                     err);
    if (status == SS_OK && !won)
        status = ss_fail(err, SS_STOP,
                         "somebody else has changed the model at the same time, and was first; "
                         "`sesame rescore --status` says to which");
    if (status != SS_OK)
        return status;
    printf("model %s%s%s is live from now on (epoch %" PRId32 ")", person->version,
           business ? ", businesses by " : "", business ? business->version : "", *epoch);
    if (live)
        printf(", in place of %s%s%s", live->models.person->version,
               live->models.business ? ", businesses by " : "",
               live->models.business ? live->models.business->version : "");
    puts("");
    fflush(stdout);
    return SS_OK;
}

/* --- following it --- */

static void print_partitions(const struct rescore *rescore, int32_t epoch)
{
    char line[160];
    for (int32_t p = 0; p < rescore->watch.partition_count; p++) {
        ss_rescore_watch_line(&rescore->watch, p, epoch, line, sizeof line);
        printf("  %s\n", line);
    }
    fflush(stdout);
}

struct progress {
    double began, last_said, last_moved;
    double share_at_begin, share_seen;
    int64_t rescored_at_begin;
};

static void print_progress(const struct rescore *rescore, const struct ss_rescore_sum *sum,
                           struct progress *progress)
{
    const double now = ss_seconds(), passed = now - progress->began;
    const double gone = sum->share - progress->share_at_begin;
    if (sum->share > progress->share_seen)
        progress->last_moved = now;
    progress->share_seen = sum->share;
    if (now - progress->last_said < 2)
        return;
    progress->last_said = now;
    printf("%5.1f %%  %" PRId64, 100 * sum->share, sum->rescored);
    if (sum->users >= 0)
        printf(" of about %" PRId64, sum->users);
    printf(" users rescored, %.0f/s, %" PRId32 " of %" PRId32 " partitions done",
           passed > 0 ? (double)(sum->rescored - progress->rescored_at_begin) / passed : 0.0,
           sum->done, rescore->watch.partition_count);
    if (gone > 0)
        printf(", about %.0f s to go", passed / gone * (1 - sum->share));
    if (now - progress->last_moved > SILENT_S)
        printf(" (nothing for %.0f s: is an engine running?)", now - progress->last_moved);
    puts("");
    fflush(stdout);
}

static enum ss_status look_again(struct rescore *rescore, struct ss_error *err)
{
    for (int i = 0; i < LOOK_MS / 20 && !atomic_load(rescore->stopping); i++)
        nanosleep(&(struct timespec){0, 20 * 1000000L}, NULL);
    if (atomic_load(rescore->stopping))
        return SS_OK;
    enum ss_status status = ss_rescore_watch_refresh(&rescore->watch, err);
    if (status == SS_RETRY) {
        printf("%s; looking again\n", err->detail);
        fflush(stdout);
    }
    return status == SS_RETRY ? SS_OK : status;
}

static int follow(struct rescore *rescore, int32_t epoch)
{
    struct ss_error err;
    struct ss_rescore_sum sum = ss_rescore_watch_sum(&rescore->watch, epoch);
    struct progress progress = {.began = ss_seconds(),
                                .share_at_begin = sum.share,
                                .share_seen = sum.share,
                                .rescored_at_begin = sum.rescored};
    progress.last_moved = progress.last_said = progress.began;
    while (sum.done < rescore->watch.partition_count) {
        if (look_again(rescore, &err) != SS_OK)
            return ss_failed(&err);
        sum = ss_rescore_watch_sum(&rescore->watch, epoch);
        if (atomic_load(rescore->stopping)) {
            printf("stopped following at %.1f %%; the engines go on. `sesame rescore` without "
                   "--model follows again, --status says how far it is\n",
                   100 * sum.share);
            return SS_EXIT_UNFINISHED;
        }
        print_progress(rescore, &sum, &progress);
    }
    print_partitions(rescore, epoch);
    printf("done: %" PRId64 " users rescored, %.1f s\n", sum.rescored,
           ss_seconds() - progress.began);
    return SS_EXIT_DONE;
}

static void print_history(const struct rescore *rescore)
{
    char since[40];
    const char *trouble = ss_model_history_trouble(history_of(rescore));
    puts("live models, newest first:");
    for (const struct ss_model_epoch *epoch = ss_model_history_live(history_of(rescore)); epoch;
         epoch = epoch->previous)
        printf("  epoch %-4" PRId32 " since %s  %s%s%s\n", epoch->models.epoch,
               ss_time_format(epoch->since_ms, since, sizeof since), epoch->models.person->version,
               epoch->models.business ? ", businesses by " : "",
               epoch->models.business ? epoch->models.business->version : "");
    if (trouble)
        printf("  cannot go on to %s\n", trouble);
}

static int show_status(const struct rescore *rescore)
{
    const struct ss_model_epoch *live = ss_model_history_live(history_of(rescore));
    if (!live) {
        printf("nothing is live yet: the first start of an engine puts the config's model there\n");
        return SS_EXIT_DONE;
    }
    const struct ss_rescore_sum sum = ss_rescore_watch_sum(&rescore->watch, live->models.epoch);
    print_history(rescore);
    printf("%s: %.1f %%, %" PRId64 " users rescored\n",
           sum.done == rescore->watch.partition_count ? "done" : "under way", 100 * sum.share,
           sum.rescored);
    print_partitions(rescore, live->models.epoch);
    return SS_EXIT_DONE;
}

/* --- the command --- */

static int work(struct rescore *rescore, struct ss_error *err)
{
    const struct request *request = rescore->request;
    if (request->status)
        return show_status(rescore);
    const struct ss_model_epoch *live = ss_model_history_live(history_of(rescore));
    int32_t epoch;
    if (request->person || request->business || request->no_business) {
        enum ss_status status = choose_models(rescore, live ? &live->models : NULL, err);
        if (status == SS_OK)
            status = activate(rescore, &epoch, err);
        if (status != SS_OK)
            return ss_failed(err);
    } else if (live) {
        epoch = live->models.epoch;
    } else {
        return show_status(rescore);
    }
    if (request->no_wait) {
        puts("the engines do the rest; `sesame rescore --status` says how far they are");
        return SS_EXIT_DONE;
    }
    return follow(rescore, epoch);
}

static int act(const struct ss_config *config, const struct request *request)
{
    struct rescore rescore = {.config = config, .request = request};
    struct ss_error err;
    enum ss_status status = ss_config_check(config, &err);
    if (status == SS_OK && !config->registry_url)
        status = ss_fail(&err, SS_STOP, "registry.url is not set");
    if (status == SS_OK)
        status = ss_engine_access_open(config, &rescore.access, &err);
    if (status == SS_OK) {
        rescore.stopping = ss_stopping_catch();
        status = ss_model_topic_open(&rescore.access, config->models_topic, &rescore.topic, &err);
    }
    if (status == SS_OK)
        status = ss_rescore_watch_open(&rescore.access, config->state_topic, &rescore.watch, &err);
    int code = status == SS_OK ? work(&rescore, &err) : ss_failed(&err);
    ss_rescore_watch_close(&rescore.watch);
    ss_model_topic_close(rescore.topic);
    free(rescore.person.own);
    free(rescore.person.text);
    free(rescore.business.own);
    free(rescore.business.text);
    ss_engine_access_close(&rescore.access);
    return code;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {{"model", required_argument, NULL, 'm'},
                                            {"business-model", required_argument, NULL, 'b'},
                                            {"no-business-model", no_argument, NULL, 'B'},
                                            {"no-wait", no_argument, NULL, 'n'},
                                            {"status", no_argument, NULL, 's'},
                                            {0}};
    struct ss_common common;
    struct request request = {0};
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, options, NULL)) != -1) {
        if (letter == 'm')
            request.person = optarg;
        else if (letter == 'b')
            request.business = optarg;
        else if (letter == 'B')
            request.no_business = true;
        else if (letter == 'n')
            request.no_wait = true;
        else if (letter == 's')
            request.status = true;
        else if (!ss_common_option(&common, &ss_command_rescore, letter, optarg))
            goto out;
    }
    const bool changes = request.person || request.business || request.no_business;
    if (optind < argc)
        code = ss_usage(&ss_command_rescore, "'%s' is not expected", argv[optind]);
    else if (request.business && request.no_business)
        code = ss_usage(&ss_command_rescore, "--business-model and --no-business-model exclude "
                                             "each other");
    else if (request.status && changes)
        code = ss_usage(&ss_command_rescore, "--status changes nothing; leave the models out");
    else
        code = ss_common_finish(&common) ? act(&common.config, &request) : SS_EXIT_FAILED;
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_rescore = {
    .name = "rescore",
    .summary = "change the live model: every user is rescored, while events keep flowing",
    .usage = "-F sesame.yaml [--model FILE] [--business-model FILE] [--no-wait | --status]",
    .help = SS_COMMON_HELP
    "  --model FILE            the new model of persons\n"
    "  --business-model FILE   the new model of businesses\n"
    "  --no-business-model     businesses are scored as persons are, from now on\n"
    "  --no-wait               do not follow what the engines make of it\n"
    "  --status                which models are and were live, and how far the change has come\n\n"
    "In place of FILE the version of a model that was live before goes back to it. What is not\n"
    "given stays. The engines need no restart: each partition goes over to the new models between\n"
    "two transactions, and every user whose model has changed gets one record of kind RESCORE.\n"
    "A model whose part `structural` differs is refused, since it is in the users' states "
    "already.\n"
    "Without a model, rescore follows the change that is under way. Ctrl-C ends the following "
    "only\n"
    "(exit status 3).\n",
    .run = run,
};
