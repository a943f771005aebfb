#include "audit/prove.h"

#include "audit/again.h"

#include <pthread.h>
#include <stdlib.h>

struct proving {
    const struct ss_prove_options *options;
    struct ss_proof_result *results;
    struct ss_snapshot_models *models; /* the snapshot's */
    pthread_mutex_t lock;              /* of what follows, of the callbacks, and of the snapshot */
    int32_t next, done, count;
    int64_t events, records;
    enum ss_status status; /* the first that was not SS_OK */
    struct ss_error err;
};

/* One partition in the hands of a thread. */
struct part {
    struct proving *proving;
    int32_t partition;
    int64_t start[SS_INPUT_COUNT];
    struct ss_puller *puller;
    struct ss_published_log *logs[2];
    struct ss_rank_cursor *ranks;
    struct ss_rank_part histograms;
    bool inputs_cut, without_neighbours, cut[2];
};

static const enum ss_output outputs[2] = {SS_SCORES, SS_ENTITLEMENTS};

/* --- the feed --- */

static bool again(const struct part *part, enum ss_status *status, int *tries, struct ss_error *err)
{
    if (*status != SS_RETRY)
        return false;
    if (ss_wait_again(tries, part->proving->options->stop))
        return true;
    *status = ss_fail(err, SS_STOP, "partition %d: %.400s", part->partition, err->detail);
    return false;
}

static enum ss_status on_events(void *arg, enum ss_input input, struct ss_source_batch *batch,
                                struct ss_error *err)
{
    struct part *part = arg;
    enum ss_status status;
    int tries = 0;
    do
        status = ss_puller_next(part->puller, input, batch, err);
    while (again(part, &status, &tries, err));
    return status;
}

static enum ss_status on_published(void *arg, enum ss_output output,
                                   struct ss_published_batch *batch, struct ss_error *err)
{
    struct part *part = arg;
    enum ss_status status;
    int tries = 0;
    do
        status = ss_published_next(part->logs[output == SS_ENTITLEMENTS], batch, err);
    while (again(part, &status, &tries, err));
    return status;
}

static void close_logs(struct part *part)
{
    ss_puller_close(part->puller);
    part->puller = NULL;
    for (int i = 0; i < 2; i++) {
        ss_published_close(part->logs[i]);
        part->logs[i] = NULL;
    }
}

static enum ss_status open_published(struct part *part, int i, struct ss_error *err)
{
    const struct ss_prove_options *options = part->proving->options;
    const struct ss_published_config config = {
        .output = outputs[i],
        .partition = part->partition,
        .users = options->users,
        .views = outputs[i] == SS_SCORES,
    };
    struct ss_source_range range = {0, 0};
    if (i == 1 && options->no_entitlements)
        return SS_OK;
    enum ss_status status =
        ss_published_open(options->published, &config, &part->logs[i], &range, err);
    part->cut[i] = range.low > 0;
    return status;
}

/* The records of all are needed in the second pass too: they say in which order things were read.
 */
static enum ss_status on_open(void *arg, const struct ss_source_users *users,
                              struct ss_walk_feed *feed, struct ss_error *err)
{
    struct part *part = arg;
    const struct ss_prove_options *options = part->proving->options;
    const struct ss_puller_config config = {
        .partition = part->partition,
        .from = part->start,
        .users = users ? users : options->users,
        .inputs_skipped = {[SS_NEIGHBOURS] = part->without_neighbours}};
    close_logs(part);
    enum ss_status status = ss_puller_open(options->inputs, &config, &part->puller, err);
    for (int i = 0; i < 2 && status == SS_OK; i++)
        status = open_published(part, i, err);
    *feed = (struct ss_walk_feed){part, on_events, on_published};
    return status;
}

/* --- a partition --- */

static void on_difference(void *arg, const struct ss_proof_difference *difference)
{
    struct part *part = arg;
    struct proving *proving = part->proving;
    pthread_mutex_lock(&proving->lock);
    if (proving->options->difference)
        proving->options->difference(proving->options->arg, difference);
    pthread_mutex_unlock(&proving->lock);
}

static void on_progress(void *arg, int64_t events, int64_t records)
{
    struct part *part = arg;
    struct proving *proving = part->proving;
    pthread_mutex_lock(&proving->lock);
    proving->events += events;
    proving->records += records;
    if (proving->options->progress)
        proving->options->progress(proving->options->arg, proving->events, proving->records,
                                   proving->done);
    pthread_mutex_unlock(&proving->lock);
}

static int32_t on_rank(void *arg, int64_t ranks_offset, int32_t score)
{
    struct part *part = arg;
    int32_t percentile = 0;
    switch (ss_rank_percentile_at(part->ranks, ranks_offset, score, &percentile)) {
    case SS_RANK_KNOWN:
        return percentile;
    case SS_RANK_GONE:
        return SS_PROOF_RANK_UNKNOWN;
    case SS_RANK_NOBODY:
    case SS_RANK_IMPOSSIBLE:
        break;
    }
    return SS_PROOF_RANK_NONE;
}

static const struct ss_rank_entry *on_histogram(void *arg)
{
    struct part *part = arg;
    return ss_rank_part_next(&part->histograms) ? &part->histograms.entry : NULL;
}

static enum ss_status on_seed(void *arg,
                              enum ss_status (*put)(void *to, struct ss_text user_id,
                                                    struct ss_bytes packed, struct ss_error *err),
                              void *to, struct ss_error *err)
{
    struct part *part = arg;
    struct proving *proving = part->proving;
    pthread_mutex_lock(&proving->lock); /* a snapshot has one reader at a time */
    enum ss_status status =
        ss_snapshot_read(proving->options->snapshot, part->partition, put, to, err);
    pthread_mutex_unlock(&proving->lock);
    return status;
}

/* Where the inputs begin, and whether there was more before. */
static enum ss_status find_start(struct part *part, const struct ss_snapshot_part *from,
                                 struct ss_error *err)
{
    const struct ss_prove_options *options = part->proving->options;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        struct ss_source_range range =
            ss_source_range(options->inputs, part->partition, (enum ss_input)i);
        part->start[i] = from ? from->positions[i] : range.low;
        if (i == SS_NEIGHBOURS) { /* kept for a shorter time: who is without friends is judged */
            part->without_neighbours = range.low == 0 && range.end == 0;
            if (range.low > part->start[i])
                part->start[i] = range.low;
            continue;
        }
        if (from && range.low > from->positions[i])
            return ss_fail(
                err, SS_STOP,
                "partition %d: the log of %s begins at %lld, behind the snapshot's %lld: "
                "retention took what lies between; use a later snapshot",
                part->partition, ss_input_name((enum ss_input)i), (long long)range.low,
                (long long)from->positions[i]);
        part->inputs_cut |= !from && range.low > 0;
    }
    return SS_OK;
}

/* Whether `scores` begin behind what the snapshot has read: records between are lost. */
static enum ss_status begins_behind(struct part *part, const struct ss_snapshot_part *from,
                                    bool *behind, struct ss_error *err)
{
    struct ss_published_batch batch = {0};
    struct ss_score_view view;
    struct ss_error ignored;
    enum ss_status status;
    int tries = 0;
    do
        status = ss_published_next(part->logs[0], &batch, err);
    while (again(part, &status, &tries, err));
    *behind = true;
    if (status != SS_OK || batch.count == 0)
        return status;
    const struct ss_published_record *first = &batch.records[0];
    if (first->view)
        view = *first->view;
    else if (!first->body.data || ss_score_view_decode(first->body, &view, &ignored) != SS_OK)
        return SS_OK;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (view.positions[i] < from->positions[i])
            *behind = false;
    return SS_OK;
}

static enum ss_status prove_part(struct part *part, struct ss_proof_result *result,
                                 struct ss_error *err)
{
    const struct ss_prove_options *options = part->proving->options;
    const struct ss_snapshot_part *from =
        options->snapshot ? ss_snapshot_part(options->snapshot, part->partition) : NULL;
    if (options->snapshot && !from)
        return ss_fail(err, SS_STOP, "the snapshot does not hold partition %d", part->partition);
    const struct ss_models *models = &options->models;
    enum ss_status status = find_start(part, from, err);
    if (status == SS_OK && from)
        status = ss_snapshot_models_at(part->proving->models, from->epoch, &models, err);
    /* once, to see where what was published begins */
    for (int i = 0; i < 2 && status == SS_OK; i++)
        status = open_published(part, i, err);
    bool scores_cut = part->cut[0];
    if (status == SS_OK && from && scores_cut)
        status = begins_behind(part, from, &scores_cut, err);
    if (status != SS_OK)
        return status;
    struct ss_proof_options proof = {
        .partition = part->partition,
        .shelf = options->shelf,
        .models = *models,
        .future_tolerance_ms = options->future_tolerance_ms,
        .start_clock_ms = from ? from->clock_ms : 0,
        .neighbours_from = from ? from->positions[SS_NEIGHBOURS] : 0,
        .without_neighbours = part->without_neighbours,
        .inputs_cut = part->inputs_cut,
        .scores_cut = scores_cut,
        .scores_begin_late = part->cut[0],
        .entitlements_cut = part->cut[1] || from,
        .no_entitlements = options->no_entitlements,
        .live = options->live,
        .sample_of = options->sample_of,
        .sample_seed = options->sample_seed,
        .some_users = options->users != NULL,
        .seed = from ? on_seed : NULL,
        .open = on_open,
        .difference = on_difference,
        .progress = on_progress,
        .arg = part,
        .stop = options->stop,
    };
    if (options->ranks) {
        part->ranks = ss_rank_cursor_open(options->ranks);
        if (!part->ranks)
            return ss_fail(err, SS_STOP, "out of memory for histograms");
        ss_rank_part_begin(&part->histograms, options->ranks, part->partition);
        proof.rank = on_rank;
        proof.histogram = on_histogram;
    }
    memcpy(proof.start, part->start, sizeof proof.start);
    if (from)
        memcpy(proof.start_days, from->days, sizeof proof.start_days);
    return ss_proof_run(&proof, result, err);
}

static void *run_thread(void *arg)
{
    struct proving *proving = arg;
    for (;;) {
        struct part part = {.proving = proving};
        struct ss_error err = {.detail = ""};
        pthread_mutex_lock(&proving->lock);
        bool more = proving->status == SS_OK && proving->next < proving->count;
        part.partition = proving->next;
        proving->next += more;
        pthread_mutex_unlock(&proving->lock);
        if (!more)
            return NULL;
        enum ss_status status = prove_part(&part, &proving->results[part.partition], &err);
        close_logs(&part);
        ss_rank_cursor_close(part.ranks);
        pthread_mutex_lock(&proving->lock);
        proving->done++;
        if (status != SS_OK && proving->status == SS_OK) {
            proving->status = SS_STOP;
            proving->err = err;
        }
        pthread_mutex_unlock(&proving->lock);
    }
}

enum ss_status ss_prove(const struct ss_prove_options *options, struct ss_proof_result *results,
                        struct ss_error *err)
{
    struct proving proving = {.options = options, .results = results};
    if (options->snapshot && ss_snapshot_models_open(ss_snapshot_head(options->snapshot),
                                                     options->shelf, &proving.models, err) != SS_OK)
        return SS_STOP;
    pthread_t *threads = calloc((size_t)options->threads, sizeof *threads);
    int started = 0;
    if (!threads) {
        ss_snapshot_models_close(proving.models);
        return ss_fail(err, SS_STOP, "out of memory");
    }
    proving.count = ss_source_partition_count(options->inputs);
    if (options->partition >= 0) {
        proving.next = options->partition;
        proving.count = options->partition + 1;
    }
    pthread_mutex_init(&proving.lock, NULL);
    while (started < options->threads &&
           pthread_create(&threads[started], NULL, run_thread, &proving) == 0)
        started++;
    if (started == 0)
        run_thread(&proving);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    free(threads);
    pthread_mutex_destroy(&proving.lock);
    ss_snapshot_models_close(proving.models);
    if (proving.status != SS_OK)
        *err = proving.err;
    return proving.status;
}
