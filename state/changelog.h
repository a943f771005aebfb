/* changelog.h - the records of `sesame-state`, the durable form of all state (promise 2).
 *
 * Three kinds of record, told apart by the key. A user's: key is the user id, value the packed
 * state, null once there is nothing to keep. A user's friends record (state/pack_friends.h),
 * likewise. The partition's own: key is the single byte 0x01 (no user id holds a control
 * character), value a struct ss_mark. Every transaction that touches a partition's changelog writes
 * the mark last, so the offset of the newest mark names a committed state of the partition: that is
 * what a checkpoint holds. docs/decisions/ says why.
 */
#ifndef SS_STATE_CHANGELOG_H
#define SS_STATE_CHANGELOG_H

#include "base/bytes.h"
#include "scoring/apply.h"
#include "scoring/rank.h"
#include "state/checkpoint.h"

extern const struct ss_bytes ss_mark_key;

enum { SS_GROUP_MAX = 65 }; /* the name of a consumer group, with its NUL */

struct ss_counts {
    int64_t consumed;                   /* kept by the bus side, by offsets passed */
    int64_t outcomes[SS_OUTCOME_COUNT]; /* kept by the outcome side; SS_REFUSED is dead-lettered */
};

struct ss_mark {
    uint8_t incarnation[SS_INCARNATION_SIZE]; /* random, drawn at the first mark */
    int32_t partition_count;                  /* part of the state's identity */
    int64_t clock_ms;                         /* the partition's watermark; 0 until there is one */
    char model_version[SS_NAME_MAX];
    char group[SS_GROUP_MAX]; /* whose worker wrote it; "": of a format that did not say */
    struct ss_counts counts[SS_INPUT_COUNT]; /* since the beginning */
    int64_t positions[SS_INPUT_COUNT]; /* of each input: behind the last record that was read */
    /* Not less than that: behind what is no record too, markers of transactions and records of
     * aborted ones. It is what the group commits, and where reading goes on: retention may take all
     * before it, and nothing is lost. */
    int64_t passed[SS_INPUT_COUNT];
    int32_t days[SS_INPUT_COUNT];  /* that each has come to: ss_input_day */
    struct ss_histogram histogram; /* of what is published of the partition's users */
    bool ranks_due;                /* `sesame-ranks` does not have that histogram yet */
    /* A change of model: which pair is in charge (struct ss_models), and how far those have been
     * told of it to whom nothing else happens. The store's groups of users from sweep_next on are
     * to be gone through; while there are sweep_groups of them, else from the first again. */
    int32_t epoch;
    int32_t swept; /* the newest epoch of which all have been told */
    uint32_t sweep_next, sweep_groups;
    int64_t rescored; /* records of kind RESCORE since that epoch began */
};

enum { SS_MARK_PACKED_MAX = 4096 };

/* Writes at most SS_MARK_PACKED_MAX bytes and returns their count. */
size_t ss_mark_pack(const struct ss_mark *mark, uint8_t *out);
/* SS_STOP: not a mark, or of a newer format (says which). */
SS_MUST_USE enum ss_status ss_mark_unpack(struct ss_bytes packed, struct ss_mark *mark,
                                          struct ss_error *err);

#endif
