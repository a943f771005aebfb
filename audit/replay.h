/* replay.h - folds logs into an isolated state: what the scores would be, or would have been.
 *
 * It reads what audit/source.h reads and writes nothing but the files that it is told to: neither
 * topics (but see replay_target.h), nor a group's offsets, nor Redis. Partitions are folded in
 * parallel, each in the order of its events' times (source_merge.h, replay_fold.h). The same logs,
 * models and options give the same bytes, with any number of threads, in one run or in several.
 */
#ifndef SS_AUDIT_REPLAY_H
#define SS_AUDIT_REPLAY_H

#include "audit/source.h"
#include "consumer/worker.h"

struct ss_sealer;

/* What friends tell each other goes from partition to partition, so partitions folded apart cannot
 * tell it: they read what was told at the time, if that is at hand. */
enum ss_replay_friendship {
    SS_FRIENDSHIP_NONE, /* nothing that friends do matters to the model, or there are no friends */
    SS_FRIENDSHIP_LOOPED,  /* one partition: whatever is told is heard at once */
    SS_FRIENDSHIP_LOG,     /* sesame-neighbours is read as the other inputs are */
    SS_FRIENDSHIP_UNHEARD, /* it is not at hand: links stay unconfirmed, and count for nothing */
};

struct ss_replay_options {
    struct ss_source *source;        /* NULL: plain files in `directory` */
    const char *directory;           /* of payments.avro, bills.avro, … */
    const struct ss_models *models;  /* NULL: those of the files */
    const char *model_file;          /* NULL: the built-in model */
    const char *business_model_file; /* NULL: businesses are scored as persons are */
    const char *const *topics;       /* SS_INPUT_COUNT names */
    int64_t until_ms;                /* INT64_MAX: everything */
    bool assume_consent;
    int64_t future_tolerance_ms;

    const struct ss_source_users *users; /* NULL: everybody */
    const bool *partitions;              /* by number: which; NULL: all */
    const int64_t *from; /* offsets, by partition, then input; negative: what there is; or NULL */
    int threads;         /* 0: one */
    /* Only final scores are wanted, and nothing else is computed: not with records, snapshots or a
     * directory to resume from. stats tells no records and entitlements then. */
    bool scores_only;

    const char *snapshot_file; /* to begin with; or NULL */
    /* Of models that users in it may have been told of, if it was made amid a change; or NULL. */
    const struct ss_model_shelf *shelf;
    /* A directory (made if missing) that the run is kept in, so that one that was cut short goes on
     * where it was; or NULL. */
    const char *resume_directory;
    int64_t save_ms;                /* how often it is brought up to date; 0: 20,000 */
    const struct ss_sealer *sealer; /* for snapshots; NULL: none */

    const char *scores_csv;    /* final scores, one line per scored user, by user id; or NULL */
    const char *records_file;  /* every record of `scores`, an Avro container; or NULL */
    const char *records_codec; /* … of this codec: "null" or "deflate"; NULL: deflate */
    /* A snapshot of the end, or NULL. With until_ms each input then ends at its first event that
     * occurred later: nothing that a later run would have to read is passed over. */
    const char *save_file;
    /* Each record as it is written, for whoever wants to pick some; or NULL. One thread only. */
    enum ss_status (*record)(void *arg, struct ss_bytes user_id, struct ss_bytes body,
                             struct ss_error *err);
    void *record_arg;
    /* Whatever is published, in each partition's order, from any thread; or NULL. Not with a
     * directory to resume from: what was published cannot be taken back. */
    enum ss_status (*publish)(void *arg, struct ss_text user_id, const struct ss_effects *effects,
                              struct ss_error *err);
    void *publish_arg;
    atomic_bool *stop; /* set: ends early with SS_STOP; what was done by then can be resumed */
    /* Now and then, from one thread; or NULL. `share`: how much has been read, 0 to 1. */
    void (*progress)(void *arg, int64_t events, double share);
    void *progress_arg;
    struct ss_source_report *reports;      /* by partition, then input: filled in; or NULL */
    enum ss_replay_friendship *friendship; /* filled in; or NULL */
};

/* Fills *stats with what was done, what a snapshot told included (its lock is not used), and *users
 * with how many have a score. The final scores are as of until_ms if that was given, else of each
 * user's last as_of. SS_STOP: logs missing or damaged, or an output that cannot be written.
 * SS_RETRY: Kafka or the registry is away. */
SS_MUST_USE enum ss_status ss_replay_run(const struct ss_replay_options *options,
                                         struct ss_worker_stats *stats, int64_t *users,
                                         struct ss_error *err);

#endif
