/* replay.h - folds archived event files through the engine's own worker into an isolated state: no
 * Kafka, no Redis. The same files, model and until give the same bytes. Time passes with the events
 * alone, in whose order the files are merged.
 */
#ifndef SS_AUDIT_REPLAY_H
#define SS_AUDIT_REPLAY_H

#include "consumer/worker.h"

struct ss_replay_options {
    const char *directory;           /* of payments.avro, bills.avro, … (consumer/files_bus.h) */
    const char *model_file;          /* NULL: the built-in model */
    const char *business_model_file; /* NULL: businesses are scored as persons are */
    const char *const *topics;       /* SS_INPUT_COUNT names */
    int64_t until_ms;                /* INT64_MAX: everything */
    bool assume_consent;
    int64_t future_tolerance_ms;
    const char *scores_csv;   /* final scores, one line per scored user, by user id; or NULL */
    const char *records_file; /* every record of `scores`, an Avro container; or NULL */
    atomic_bool *stop;        /* set: ends early with SS_STOP */
    void (*progress)(void *arg, const struct ss_worker_stats *stats); /* now and then; or NULL */
    void *progress_arg;
};

/* Fills *stats with what was done (its lock is not used) and *users with how many have a score. The
 * final scores are as of until_ms if that was given, else of each user's last as_of. SS_STOP: files
 * missing or damaged, or an output that cannot be written. */
SS_MUST_USE enum ss_status ss_replay_run(const struct ss_replay_options *options,
                                         struct ss_worker_stats *stats, int64_t *users,
                                         struct ss_error *err);

#endif
