/* replay_internal.h - a run of replay.h, shared by its threads: replay.c (the run and what it
 * leaves behind), replay_part.c (one partition), replay_resume.c (taking it up again). Internal to
 * audit/.
 */
#ifndef SS_AUDIT_REPLAY_INTERNAL_H
#define SS_AUDIT_REPLAY_INTERNAL_H

#include "audit/replay.h"
#include "audit/replay_fold.h"
#include "audit/score_table.h"
#include "audit/snapshot_models.h"
#include "audit/source_merge.h"
#include "schemas/container.h"

struct ss_replay {
    const struct ss_replay_options *options;
    struct ss_source *source, *own_source;
    struct ss_models models;
    int32_t partition_count;
    char note[SS_SNAPSHOT_NOTE_MAX]; /* what must be the same in a run that is taken up */
    struct ss_snapshot *start;
    struct ss_snapshot_models *start_models; /* those of its epochs */
    struct ss_snapshot_epoch *epochs;        /* of what is saved */
    size_t epoch_count;
    int64_t size; /* of all partitions to be read */
    enum ss_replay_friendship friendship;

    atomic_int next; /* partition */
    atomic_bool failed;
    _Atomic int64_t events, done; /* of `size` */

    pthread_mutex_t lock; /* of what follows, and of `start` */
    enum ss_status status;
    struct ss_error err;
    struct ss_worker_stats *stats;
    struct ss_score_table **tables; /* by partition */
    struct ss_snapshot_writer *save;
    double said; /* by progress */
};

/* Folds one partition to its end and leaves its results in *run. Any thread. */
SS_MUST_USE enum ss_status ss_replay_partition(struct ss_replay *run, int32_t partition,
                                               struct ss_error *err);

static inline bool ss_replay_wants(const struct ss_replay *run, int32_t partition)
{
    return !run->options->partitions || run->options->partitions[partition];
}

/* Whether records go through files of partitions, to be joined at the end. */
static inline bool ss_replay_in_parts(const struct ss_replay *run)
{
    return run->options->records_file &&
           (run->partition_count > 1 || run->options->resume_directory);
}
static inline const char *ss_replay_records_codec(const struct ss_replay *run)
{
    return run->options->records_codec ? run->options->records_codec : "deflate";
}
/* That file. false: the name is too long. */
SS_MUST_USE bool ss_replay_records_path(const struct ss_replay *run, int32_t partition, char *path,
                                        size_t size);

struct ss_snapshot_head ss_replay_head(const struct ss_replay *run);
/* All states of a fold into a snapshot. */
SS_MUST_USE enum ss_status ss_replay_write(const struct ss_replay_fold *fold, int64_t records_bytes,
                                           struct ss_snapshot_writer *writer, struct ss_error *err);
/* The states of a snapshot into a fold that is empty. */
SS_MUST_USE enum ss_status ss_replay_read(struct ss_replay_fold *fold, struct ss_snapshot *snapshot,
                                          int64_t *records_bytes, struct ss_error *err);
/* A partition's own snapshot in the directory of a run: *found, and it is read into the fold. */
SS_MUST_USE enum ss_status ss_replay_take_up(const struct ss_replay *run,
                                             struct ss_replay_fold *fold, int64_t *records_bytes,
                                             bool *found, struct ss_error *err);
SS_MUST_USE enum ss_status ss_replay_save(const struct ss_replay *run,
                                          const struct ss_replay_fold *fold, int64_t records_bytes,
                                          struct ss_error *err);

#endif
