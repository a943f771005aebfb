/* replay_part.c - one partition of a replay, in a thread of its own.
 *
 *   take up (a run's directory, a snapshot, or nothing) ──> merge ──> fold ──┐
 *                                          ^ save now and then ──────────────┘──> end ──> results
 */
#include "audit/held_state.h"
#include "audit/replay_internal.h"
#include "base/clock.h"

#include <stdio.h>

enum { LOOK_EVERY = 4096, SAVE_MS = 20000, RETRIES_MAX = 4, SCHEMA_ID = 0 };

struct part {
    struct ss_replay *run;
    struct ss_replay_fold fold;
    struct ss_merge *merge;
    struct ss_container_writer *records;
    struct ss_buffer encoded;
    int64_t told, done; /* to run->events and run->done */
    int64_t saved_at_ms;
    bool takes_records;
};

static enum ss_status on_effects(void *arg, struct ss_text user_id,
                                 const struct ss_effects *effects, struct ss_error *err)
{
    struct part *part = arg;
    const struct ss_replay_options *options = part->run->options;
    enum ss_status status =
        options->publish ? options->publish(options->publish_arg, user_id, effects, err) : SS_OK;
    if (status != SS_OK || !effects->has_record || !(part->records || options->record))
        return status;
    part->encoded.size = 0;
    status = ss_encode_score(SCHEMA_ID, &effects->record, &part->encoded, err);
    struct ss_bytes body = {part->encoded.data + SS_WIRE_HEADER_SIZE,
                            part->encoded.size - SS_WIRE_HEADER_SIZE};
    if (status == SS_OK && part->records)
        status = ss_container_append(part->records, body, err);
    if (status == SS_OK && options->record)
        status = options->record(options->record_arg, (struct ss_bytes){user_id.data, user_id.size},
                                 body, err);
    return status;
}

/* Behind what a snapshot knows of, or anew. */
static enum ss_status open_records(struct part *part, int64_t bytes, struct ss_error *err)
{
    const struct ss_replay *run = part->run;
    const char *schema = ss_schema_of_output(SS_SCORES), *codec = ss_replay_records_codec(run);
    const char *file = run->options->records_file;
    char path[4096];
    if (!file)
        return SS_OK;
    if (ss_replay_in_parts(run)) {
        if (!ss_replay_records_path(run, part->fold.partition, path, sizeof path))
            return ss_fail(err, SS_STOP, "the records' file name is too long");
        file = path;
    }
    return bytes > 0 ? ss_container_reopen(file, schema, codec, bytes, &part->records, err)
                     : ss_container_create(file, schema, codec, &part->records, err);
}

static enum ss_status flush_records(struct part *part, int64_t *bytes, struct ss_error *err)
{
    uint32_t crc;
    *bytes = 0;
    return part->records ? ss_container_flush(part->records, bytes, &crc, err) : SS_OK;
}

static enum ss_status save(struct part *part, struct ss_error *err)
{
    int64_t bytes;
    if (!part->run->options->resume_directory)
        return SS_OK;
    enum ss_status status = flush_records(part, &bytes, err);
    if (status == SS_OK)
        status = ss_replay_save(part->run, &part->fold, bytes, err);
    part->saved_at_ms = ss_clock_steady_ms();
    return status;
}

/* Where the fold begins, and the logs with it. */
static enum ss_status begin(struct part *part, int32_t partition, struct ss_error *err)
{
    struct ss_replay *run = part->run;
    const struct ss_replay_options *options = run->options;
    struct ss_replay_fold *fold = &part->fold;
    int64_t records_bytes = 0;
    bool found = false;
    enum ss_status status = ss_replay_fold_init(fold, &run->models, err);
    if (status != SS_OK)
        return status;
    fold->partition = partition;
    fold->future_tolerance_ms = options->future_tolerance_ms;
    /* what friends are told depends on every score on the way */
    const bool looped = run->friendship == SS_FRIENDSHIP_LOOPED;
    fold->without_scores = options->scores_only && !looped;
    fold->without_steps = fold->without_scores && options->until_ms != INT64_MAX;
    fold->of_some = options->users != NULL;
    fold->hearing = looped                                 ? SS_FRIENDS_LOOPED
                    : run->friendship == SS_FRIENDSHIP_LOG ? SS_FRIENDS_OF_LOG
                                                           : SS_FRIENDS_UNHEARD;
    if (options->records_file || options->record || options->publish) {
        fold->sink = on_effects;
        fold->sink_arg = part;
    }
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const int64_t *from =
            options->from ? options->from + (size_t)partition * SS_INPUT_COUNT + i : NULL;
        fold->positions[i] = from && *from >= 0
                                 ? *from
                                 : ss_source_range(run->source, partition, (enum ss_input)i).low;
    }
    if (options->resume_directory)
        status = ss_replay_take_up(run, fold, &records_bytes, &found, err);
    if (status == SS_OK && !found && run->start) {
        int64_t of_another_run;
        pthread_mutex_lock(&run->lock);
        status = ss_replay_read(fold, run->start, &of_another_run, err);
        pthread_mutex_unlock(&run->lock);
    }
    if (status == SS_OK)
        status = open_records(part, records_bytes, err);
    if (status != SS_OK)
        return status;
    struct ss_merge_config merge = {
        .source = run->source,
        .puller = {.partition = partition, .from = fold->positions, .users = options->users},
        .until_ms = options->until_ms,
        .cut = options->save_file != NULL,
        .future_tolerance_ms = options->future_tolerance_ms,
        .assume_consent = options->assume_consent};
    merge.puller.inputs_skipped[SS_NEIGHBOURS] = fold->hearing != SS_FRIENDS_OF_LOG;
    part->saved_at_ms = ss_clock_steady_ms();
    return ss_merge_open(&merge, &part->merge, err);
}

static void tell_progress(struct part *part, int64_t events)
{
    struct ss_replay *run = part->run;
    const int64_t done = ss_puller_done(ss_merge_puller(part->merge));
    atomic_fetch_add(&run->events, events - part->told);
    atomic_fetch_add(&run->done, done - part->done);
    part->told = events;
    part->done = done;
}

/* Now and then. */
static enum ss_status look_around(struct part *part, int64_t events, struct ss_error *err)
{
    const struct ss_replay_options *options = part->run->options;
    const int64_t every_ms = options->save_ms > 0 ? options->save_ms : SAVE_MS;
    const bool stopped = atomic_load(options->stop);
    tell_progress(part, events);
    if (stopped || ss_clock_steady_ms() - part->saved_at_ms >= every_ms) {
        enum ss_status status = save(part, err);
        if (status != SS_OK)
            return status;
    }
    if (stopped)
        return ss_fail(err, SS_STOP, "interrupted%s",
                       options->resume_directory ? ": the same command goes on where it was" : "");
    return atomic_load(&part->run->failed) ? ss_fail(err, SS_STOP, "another partition failed")
                                           : SS_OK;
}

static enum ss_status fold_all(struct part *part, struct ss_error *err)
{
    const struct ss_source_event *event;
    int64_t events = 0;
    int retries = 0;
    for (;;) {
        enum ss_status status = ss_merge_next(part->merge, &event, err);
        if (status == SS_RETRY && ++retries < RETRIES_MAX && !atomic_load(part->run->options->stop))
            continue;
        if (status != SS_OK)
            return status;
        retries = 0;
        if (!event) {
            tell_progress(part, events);
            return SS_OK;
        }
        ss_replay_fold_ahead(&part->fold, event, ss_merge_row(part->merge));
        status = ss_replay_fold_event(&part->fold, event, err);
        if (status == SS_OK && ++events % LOOK_EVERY == 0)
            status = look_around(part, events, err);
        if (status != SS_OK)
            return status;
    }
}

static void add_stats(struct ss_replay *run, const struct ss_replay_fold *fold)
{
    struct ss_worker_stats *stats = run->stats;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        stats->counts[i].consumed += fold->counts[i].consumed;
        for (int o = 0; o < SS_OUTCOME_COUNT; o++)
            stats->counts[i].outcomes[o] += fold->counts[i].outcomes[o];
    }
    stats->score_records += fold->score_records;
    stats->entitlements += fold->entitlements;
}

static enum ss_status fill_table(struct part *part, struct ss_score_table **out,
                                 struct ss_error *err)
{
    const struct ss_replay *run = part->run;
    const struct ss_user *user;
    struct ss_user_state state;
    enum ss_status status = ss_score_table_open(&run->models, run->options->until_ms,
                                                !run->options->scores_csv, out, err);
    for (size_t at = 0; status == SS_OK && (user = ss_user_table_next(part->fold.users, &at));) {
        const struct ss_text id = ss_user_id(user);
        ss_held_read(ss_user_packed(user), &state, NULL);
        status = ss_score_table_add(*out, (struct ss_bytes){id.data, id.size}, &state, err);
    }
    return status;
}

static enum ss_status end(struct part *part, struct ss_error *err)
{
    struct ss_replay *run = part->run;
    const int32_t partition = part->fold.partition;
    struct ss_score_table *table = NULL;
    enum ss_status status = save(part, err);
    if (status == SS_OK && run->save) {
        pthread_mutex_lock(&run->lock);
        status = ss_replay_write(&part->fold, 0, run->save, err);
        pthread_mutex_unlock(&run->lock);
    }
    if (status == SS_OK)
        status = ss_replay_fold_end(&part->fold, err);
    if (status == SS_OK)
        status = fill_table(part, &table, err);
    pthread_mutex_lock(&run->lock);
    run->tables[partition] = table;
    add_stats(run, &part->fold);
    for (int i = 0; i < SS_INPUT_COUNT && run->options->reports; i++)
        ss_puller_report(ss_merge_puller(part->merge), (enum ss_input)i,
                         &run->options->reports[partition * SS_INPUT_COUNT + i]);
    pthread_mutex_unlock(&run->lock);
    return status;
}

enum ss_status ss_replay_partition(struct ss_replay *run, int32_t partition, struct ss_error *err)
{
    struct part part = {.run = run};
    ss_buffer_init(&part.encoded, 64 * 1024);
    enum ss_status status = begin(&part, partition, err);
    if (status == SS_OK)
        status = fold_all(&part, err);
    if (status == SS_OK)
        status = end(&part, err);
    if (part.records) {
        struct ss_error finish_err;
        enum ss_status finished = ss_container_finish(part.records, &finish_err);
        if (status == SS_OK && finished != SS_OK) {
            status = finished;
            *err = finish_err;
        }
    }
    ss_merge_close(part.merge);
    ss_replay_fold_reset(&part.fold);
    ss_buffer_reset(&part.encoded);
    return status;
}
