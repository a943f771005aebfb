/* snapshot.h - states of partitions in a file: where a later replay or verification starts from.
 *
 * An Avro container (codec null) of records of the union that snapshot_format.c has as text:
 *
 *   Head  Partition States States …  Partition …  End
 *
 * 1. Each record is a block of its own and ends with the CRC-32 of its bytes; End has that of the
 *    whole file before it, and its size. A byte changed anywhere is noticed: the records before End
 *    by both, and End by being exactly what its own contents lead to. This finds damage, not
 * forgery.
 * 2. A file is written beside its name, and takes it when it is whole.
 * 3. States are as state/pack.h packs them, and as state/seal.h seals them where the writer was
 *    given a sealer. They are personal data: withdrawal erases them here only when the file goes.
 * 4. The format's number is Head's first field; it rises with any change, and another is refused by
 *    name.
 *
 * A writer or reader belongs to one thread.
 */
#ifndef SS_AUDIT_SNAPSHOT_H
#define SS_AUDIT_SNAPSHOT_H

#include "scoring/model.h"
#include "state/changelog.h"
#include "state/seal.h"

enum { SS_SNAPSHOT_FORMAT = 3, SS_SNAPSHOT_NOTE_MAX = 256 };

/* A pair of models that was in charge (struct ss_models). */
struct ss_snapshot_epoch {
    int32_t epoch, person_since, business_since;
    char person[SS_NAME_MAX], business[SS_NAME_MAX]; /* versions; the latter may be "" */
};

struct ss_snapshot_head {
    bool live;                          /* of the changelog; else folded from logs */
    char cluster_id[SS_CLUSTER_ID_MAX]; /* of the changelog; else "" */
    int32_t partition_count;            /* of the topics; a file may hold some partitions only */
    int64_t made_at_ms;
    char model_version[SS_NAME_MAX], business_model_version[SS_NAME_MAX]; /* the latter may be "" */
    /* Which epochs there were: the states, and the partitions, name them. Oldest first, by rising
     * numbers; borrowed by a writer, a reader's own. */
    const struct ss_snapshot_epoch *epochs;
    size_t epoch_count;
    char note[SS_SNAPSHOT_NOTE_MAX]; /* what of its making must be the same where it goes on */
};

struct ss_snapshot_part {
    int32_t partition;
    int64_t mark_offset; /* in the changelog; -1: none */
    int32_t epoch;       /* of the models in charge */
    int64_t clock_ms, reached_ms;
    int64_t positions[SS_INPUT_COUNT];
    struct ss_counts counts[SS_INPUT_COUNT];
    int32_t days[SS_INPUT_COUNT];        /* that each has come to: ss_input_day */
    int64_t score_records, entitlements; /* published so far, where it was folded */
    int64_t records_bytes;               /* of the file beside it that they went to; 0: none */
    int64_t users;                       /* states that follow */
    int64_t friends;                     /* friends records (state/pack_friends.h) that follow */
};

/* --- writing --- */

struct ss_snapshot_writer;

/* sealer: NULL for none; borrowed. */
SS_MUST_USE enum ss_status ss_snapshot_create(const char *path, const struct ss_snapshot_head *head,
                                              const struct ss_sealer *sealer,
                                              struct ss_snapshot_writer **writer,
                                              struct ss_error *err);
/* Begins a partition; exactly part->users states follow, and part->friends friends records, which
 * are put with their keys in place of user ids, before or behind states. */
SS_MUST_USE enum ss_status ss_snapshot_begin(struct ss_snapshot_writer *writer,
                                             const struct ss_snapshot_part *part,
                                             struct ss_error *err);
SS_MUST_USE enum ss_status ss_snapshot_put(struct ss_snapshot_writer *writer,
                                           struct ss_text user_id, struct ss_bytes packed,
                                           struct ss_error *err);
/* Ends the file, on disk, and gives it its name. Closes the writer in any case. */
SS_MUST_USE enum ss_status ss_snapshot_finish(struct ss_snapshot_writer *writer,
                                              struct ss_error *err);
void ss_snapshot_abandon(struct ss_snapshot_writer *writer); /* leaves no file; NULL is fine */

/* --- reading --- */

struct ss_snapshot;

/* Reads the whole file through and checks every byte of it and every state. SS_STOP: damaged (says
 * where), of another format, or sealed with a key that is not at hand. */
SS_MUST_USE enum ss_status ss_snapshot_open(const char *path, const struct ss_sealer *sealer,
                                            struct ss_snapshot **snapshot, struct ss_error *err);
void ss_snapshot_close(struct ss_snapshot *snapshot); /* NULL is fine */
const struct ss_snapshot_head *ss_snapshot_head(const struct ss_snapshot *snapshot);
/* NULL: the file does not hold that partition. */
const struct ss_snapshot_part *ss_snapshot_part(const struct ss_snapshot *snapshot,
                                                int32_t partition);
int64_t ss_snapshot_states(const struct ss_snapshot *snapshot); /* and friends records, of all */
int64_t ss_snapshot_bytes(const struct ss_snapshot *snapshot);

/* Receives one state, or a friends record with its key for a user id; both live during the call.
 * Any status but SS_OK ends the reading with it. */
typedef enum ss_status ss_snapshot_sink(void *arg, struct ss_text user_id, struct ss_bytes packed,
                                        struct ss_error *err);
/* The states of a partition that the file holds. */
SS_MUST_USE enum ss_status ss_snapshot_read(struct ss_snapshot *snapshot, int32_t partition,
                                            ss_snapshot_sink *sink, void *arg,
                                            struct ss_error *err);

#endif
