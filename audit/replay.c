#include "audit/replay.h"

#include "audit/replay_internal.h"
#include "config/models.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS_MAX = 256, PROGRESS_MS = 100 };

/* --- before --- */

static enum ss_status open_source(struct ss_replay *run, struct ss_error *err)
{
    const struct ss_replay_options *options = run->options;
    const struct ss_source_config config = {.directory = options->directory,
                                            .topics = options->topics};
    run->source = options->source;
    if (!run->source) {
        enum ss_status status = ss_source_open(&config, &run->own_source, err);
        if (status != SS_OK)
            return status;
        run->source = run->own_source;
    }
    run->partition_count = ss_source_partition_count(run->source);
    for (int32_t p = 0; p < run->partition_count; p++)
        if (ss_replay_wants(run, p))
            run->size += ss_source_size(run->source, p);
    return SS_OK;
}

static enum ss_replay_friendship friendship_of(const struct ss_replay *run)
{
    if (!ss_friends_matter(run->models.person))
        return SS_FRIENDSHIP_NONE;
    if (ss_source_kind(run->source) != SS_SOURCE_PLAIN && ss_source_has(run->source, SS_NEIGHBOURS))
        return SS_FRIENDSHIP_LOG;
    /* a snapshot may hold friends of before */
    if (!ss_source_has(run->source, SS_SOCIAL) && !run->options->snapshot_file)
        return SS_FRIENDSHIP_NONE;
    return run->partition_count == 1 ? SS_FRIENDSHIP_LOOPED : SS_FRIENDSHIP_UNHEARD;
}

static uint64_t hash_of_from(const struct ss_replay *run)
{
    const struct ss_replay_options *options = run->options;
    const struct ss_text offsets = {
        (const char *)options->from,
        (uint32_t)((size_t)run->partition_count * SS_INPUT_COUNT * sizeof *options->from)};
    return options->from ? ss_user_hash(offsets) : 0;
}

/* 0 and 1 as runs that an earlier version has kept say it. */
static const char *records_of(const struct ss_replay *run)
{
    const char *codec = ss_replay_records_codec(run);
    if (!run->options->records_file)
        return "0";
    return strcmp(codec, "deflate") == 0 ? "1" : codec;
}

/* Whatever else the results depend on, so that no run is taken up with other options. */
static void write_note(struct ss_replay *run)
{
    const struct ss_replay_options *options = run->options;
    const struct ss_snapshot_head *start = run->start ? ss_snapshot_head(run->start) : NULL;
    snprintf(run->note, sizeof run->note,
             "%s, until %lld, tolerance %lld, users %llx, from %llx, snapshot %lld, records %s, "
             "friends %d",
             ss_source_kind_name(ss_source_kind(run->source)), (long long)options->until_ms,
             (long long)options->future_tolerance_ms,
             (unsigned long long)(options->users ? ss_source_users_digest(options->users) : 0),
             (unsigned long long)hash_of_from(run), (long long)(start ? start->made_at_ms : 0),
             records_of(run), (int)run->friendship);
}

/* Finds a model by its version: the run's own, or one of the caller's shelf. */
static const struct ss_model *find_model(void *arg, struct ss_text version, bool *business)
{
    const struct ss_replay *run = arg;
    const struct ss_model *own[] = {run->models.person, run->models.business};
    for (int i = 0; i < 2; i++) {
        *business = i == 1;
        if (own[i] && strlen(own[i]->version) == version.size &&
            memcmp(own[i]->version, version.data, version.size) == 0)
            return own[i];
    }
    const struct ss_model_shelf *shelf = run->options->shelf;
    return shelf ? shelf->find(shelf->arg, version, business) : NULL;
}

/* The states name epochs: those who were not told of the newest are told by the replay. */
static enum ss_status go_on_from(struct ss_replay *run, const struct ss_snapshot_head *head,
                                 struct ss_error *err)
{
    const struct ss_model_shelf shelf = {run, find_model};
    const struct ss_models *newest;
    if (head->epoch_count == 0)
        return ss_fail(err, SS_STOP, "the snapshot does not say of which models its states are");
    enum ss_status status = ss_snapshot_models_open(head, &shelf, &run->start_models, err);
    if (status == SS_OK)
        status = ss_snapshot_models_at(run->start_models, head->epochs[head->epoch_count - 1].epoch,
                                       &newest, err);
    if (status == SS_OK) {
        run->models.epoch = newest->epoch;
        run->models.person_since = newest->person_since;
        run->models.business_since = newest->business_since;
        run->models.before = newest->before;
    }
    return status;
}

static enum ss_status open_start(struct ss_replay *run, struct ss_error *err)
{
    const struct ss_replay_options *options = run->options;
    if (!options->snapshot_file)
        return SS_OK;
    enum ss_status status =
        ss_snapshot_open(options->snapshot_file, options->sealer, &run->start, err);
    if (status != SS_OK)
        return status;
    const struct ss_snapshot_head *head = ss_snapshot_head(run->start);
    const char *business = run->models.business ? run->models.business->version : "";
    if (head->partition_count != run->partition_count)
        return ss_fail(err, SS_STOP, "the snapshot is of %d partitions, and the logs have %d",
                       head->partition_count, run->partition_count);
    if (strcmp(head->model_version, run->models.person->version) != 0 ||
        strcmp(head->business_model_version, business) != 0)
        return ss_fail(err, SS_STOP,
                       "the snapshot is of model %.60s%s%.60s, and this is %.60s%s%.60s: states go "
                       "on only with the model that they were made by",
                       head->model_version, *head->business_model_version ? " and " : "",
                       head->business_model_version, run->models.person->version,
                       *business ? " and " : "", business);
    return go_on_from(run, head, err);
}

static enum ss_status check_options(const struct ss_replay *run, struct ss_error *err)
{
    const struct ss_replay_options *options = run->options;
    if (options->assume_consent && (options->resume_directory || options->snapshot_file))
        return ss_fail(err, SS_STOP,
                       "consent is assumed in replays of one go only, from the beginning");
    if (options->scores_only && (options->records_file || options->record || options->publish ||
                                 options->save_file || options->resume_directory))
        return ss_fail(err, SS_STOP, "with final scores only there are no records and snapshots");
    if (options->publish && options->resume_directory)
        return ss_fail(err, SS_STOP,
                       "a run that writes to topics cannot be taken up again: what is in them "
                       "cannot be taken back");
    if (options->resume_directory && mkdir(options->resume_directory, 0700) != 0 && errno != EEXIST)
        return ss_fail(err, SS_STOP, "cannot make the directory %.200s: %s",
                       options->resume_directory, strerror(errno));
    return SS_OK;
}

static enum ss_status open_run(struct ss_replay *run, struct ss_error *err)
{
    const struct ss_replay_options *options = run->options;
    enum ss_status status = SS_OK;
    if (options->models)
        run->models = *options->models;
    else
        status =
            ss_models_load(options->model_file, options->business_model_file, &run->models, err);
    if (status == SS_OK)
        status = open_source(run, err);
    if (status == SS_OK) {
        run->friendship = friendship_of(run);
        if (options->friendship)
            *options->friendship = run->friendship;
        status = check_options(run, err);
    }
    if (status == SS_OK)
        status = open_start(run, err);
    if (status == SS_OK)
        status = ss_snapshot_epochs_list(&run->models, &run->epochs, &run->epoch_count, err);
    if (status != SS_OK)
        return status;
    write_note(run);
    run->tables = calloc((size_t)run->partition_count, sizeof(struct ss_score_table *));
    if (!run->tables)
        return ss_fail(err, SS_STOP, "out of memory");
    const struct ss_snapshot_head head = ss_replay_head(run);
    return options->save_file
               ? ss_snapshot_create(options->save_file, &head, options->sealer, &run->save, err)
               : SS_OK;
}

/* --- the threads --- */

static void *work(void *arg)
{
    struct ss_replay *run = arg;
    for (int32_t p; (p = atomic_fetch_add(&run->next, 1)) < run->partition_count;) {
        struct ss_error err;
        if (!ss_replay_wants(run, p) || atomic_load(&run->failed))
            continue;
        enum ss_status status = ss_replay_partition(run, p, &err);
        if (status == SS_OK)
            continue;
        pthread_mutex_lock(&run->lock);
        if (!atomic_exchange(&run->failed, true)) {
            run->status = status;
            run->err = err;
        }
        pthread_mutex_unlock(&run->lock);
    }
    return NULL;
}

struct teller {
    struct ss_replay *run;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool ended;
};

static void tell(const struct ss_replay *run)
{
    const double share = run->size > 0 ? (double)run->done / (double)run->size : 1;
    run->options->progress(run->options->progress_arg, run->events, share > 1 ? 1 : share);
}

/* Progress is told from a thread of its own: the others are at work. */
static void *tell_now_and_then(void *arg)
{
    struct teller *teller = arg;
    pthread_mutex_lock(&teller->lock);
    while (!teller->ended) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PROGRESS_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&teller->over, &teller->lock, &until);
        if (!teller->ended)
            tell(teller->run);
    }
    pthread_mutex_unlock(&teller->lock);
    return NULL;
}

static enum ss_status work_all(struct ss_replay *run, struct ss_error *err)
{
    pthread_t threads[THREADS_MAX], telling;
    struct teller teller = {.run = run};
    int wanted = run->options->threads > 1 ? run->options->threads : 1, count = 0;
    if (wanted > THREADS_MAX)
        wanted = THREADS_MAX;
    if (wanted > run->partition_count)
        wanted = run->partition_count;
    pthread_mutex_init(&teller.lock, NULL);
    pthread_cond_init(&teller.over, NULL);
    bool tells =
        run->options->progress && pthread_create(&telling, NULL, tell_now_and_then, &teller) == 0;
    while (count < wanted - 1 && pthread_create(&threads[count], NULL, work, run) == 0)
        count++;
    work(run);
    while (count > 0)
        pthread_join(threads[--count], NULL);
    if (tells) {
        pthread_mutex_lock(&teller.lock);
        teller.ended = true;
        pthread_cond_signal(&teller.over);
        pthread_mutex_unlock(&teller.lock);
        pthread_join(telling, NULL);
    }
    pthread_cond_destroy(&teller.over);
    pthread_mutex_destroy(&teller.lock);
    *err = run->err;
    return run->status;
}

/* --- after --- */

/* The partitions' records, one after the other, in one file. Those of a run that can be taken up
 * again are left where they are. */
static enum ss_status join_records(struct ss_replay *run, struct ss_error *err)
{
    struct ss_container_writer *writer;
    if (!ss_replay_in_parts(run))
        return SS_OK;
    enum ss_status status =
        ss_container_create(run->options->records_file, ss_schema_of_output(SS_SCORES),
                            ss_replay_records_codec(run), &writer, err);
    if (status != SS_OK)
        return status;
    for (int32_t p = 0; status == SS_OK && p < run->partition_count; p++) {
        char path[4096];
        if (ss_replay_wants(run, p) && ss_replay_records_path(run, p, path, sizeof path))
            status = ss_container_join(writer, path, err);
    }
    struct ss_error finish_err;
    enum ss_status finished = ss_container_finish(writer, &finish_err);
    if (status == SS_OK && finished != SS_OK) {
        status = finished;
        *err = finish_err;
    }
    return status;
}

static void remove_parts(const struct ss_replay *run)
{
    if (!ss_replay_in_parts(run) || run->options->resume_directory)
        return;
    for (int32_t p = 0; p < run->partition_count; p++) {
        char path[4096];
        if (ss_replay_wants(run, p) && ss_replay_records_path(run, p, path, sizeof path))
            unlink(path);
    }
}

static enum ss_status leave_results(struct ss_replay *run, int64_t *users, struct ss_error *err)
{
    enum ss_status status = join_records(run, err);
    for (int32_t p = 0; p < run->partition_count; p++)
        *users += run->tables[p] ? ss_score_table_count(run->tables[p]) : 0;
    if (status == SS_OK && run->options->scores_csv)
        status = ss_score_table_write(run->tables, (size_t)run->partition_count,
                                      run->options->scores_csv, err);
    if (status == SS_OK && run->save) {
        struct ss_snapshot_writer *save = run->save;
        run->save = NULL;
        status = ss_snapshot_finish(save, err);
    }
    return status;
}

enum ss_status ss_replay_run(const struct ss_replay_options *options, struct ss_worker_stats *stats,
                             int64_t *users, struct ss_error *err)
{
    struct ss_replay run = {.options = options, .stats = stats};
    memset(stats, 0, sizeof *stats);
    *users = 0;
    pthread_mutex_init(&run.lock, NULL);
    enum ss_status status = open_run(&run, err);
    if (status == SS_OK) {
        status = work_all(&run, err);
        if (status == SS_OK)
            status = leave_results(&run, users, err);
        remove_parts(&run);
    }
    for (int32_t p = 0; run.tables && p < run.partition_count; p++)
        ss_score_table_close(run.tables[p]);
    free(run.tables);
    ss_snapshot_abandon(run.save);
    free(run.epochs);
    ss_snapshot_models_close(run.start_models);
    ss_snapshot_close(run.start);
    ss_source_close(run.own_source);
    if (!options->models)
        ss_models_free(&run.models);
    pthread_mutex_destroy(&run.lock);
    return status;
}
