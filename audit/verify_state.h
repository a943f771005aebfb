/* verify_state.h - compares what the store holds of a partition with its changelog, while an engine
 * may be writing both (promise 2).
 *
 * The store's checkpoint names a mark of the changelog; folding the log up to exactly that mark
 * gives what the store must hold. The engine moves on meanwhile, so this is done in two steps:
 *
 *   1. fold the changelog up to the checkpoint's mark (a digest by user), scan the store, and take
 *      note of every user that does not agree: differing, or new, or not seen.
 *   2. read those again with ss_store_ops.load, which delivers states and checkpoint atomically,
 *      fold on to the mark which that checkpoint names, and compare. Now only what is wrong is
 * left.
 *
 * Compaction can have taken the record that was current at a mark, if there is a newer one behind
 * it. A user who still disagrees and has such a record is looked at again once the checkpoint has
 * moved on; if it does not move, the user counts as undecided: whoever restores the partition from
 * its checkpoint will replace that state with the newer record.
 *
 * A state where no reader looks for it (a field in another user's bucket) counts as extra. What an
 * engine has computed from a wrong state and committed is right by this measure: then the changelog
 * says so too. `sesame verify-state` compares two copies; only a replay of the inputs judges both.
 *
 * Memory is bounded: where a partition's users do not fit, it is compared in passes over ranges of
 * the hash of the user id, each of which reads log and store once.
 *
 * Nothing is written, neither to the store nor to the log (in a cluster, load takes the checkpoint
 * of a partition away that has lost a bucket: state/redis_partition.h). One thread.
 */
#ifndef SS_AUDIT_VERIFY_STATE_H
#define SS_AUDIT_VERIFY_STATE_H

#include "audit/state_log.h"
#include "state/seal.h"
#include "state/store.h"

enum ss_verify_checkpoint {
    SS_VERIFY_USABLE,
    SS_VERIFY_NONE_NEEDED, /* nothing was ever committed, and the store says nothing else */
    SS_VERIFY_MISSING,
    SS_VERIFY_OTHER_CLUSTER,
    SS_VERIFY_OTHER_PARTITION_COUNT,
    SS_VERIFY_OTHER_INCARNATION,
    SS_VERIFY_UNKNOWN_MARK, /* it names no mark of the changelog */
    SS_VERIFY_CHECKPOINT_COUNT
};

enum ss_verify_kind { SS_VERIFY_DIFFERING, SS_VERIFY_MISSING_STATE, SS_VERIFY_EXTRA };

struct ss_verify_difference {
    enum ss_verify_kind kind;
    int32_t partition;
    int64_t offset;      /* of the user's newest record up to the mark; -1: none */
    int64_t mark_offset; /* at which it was compared */
    uint64_t user_hash;
    struct ss_bytes user_id; /* valid during the call */
};

/* What is sealed with a key, in the changelog: whether the key can go (docs/encryption.md). */
struct ss_verify_key {
    uint32_t id;    /* 0: not sealed; SS_VERIFY_OTHER_KEYS: all that found no room */
    int64_t states; /* newest records of users */
    int64_t records;
};
enum { SS_VERIFY_KEYS_MAX = 2 * SS_SEAL_KEYS_MAX, SS_VERIFY_OTHER_KEYS = SS_SEAL_KEY_ID_MAX + 1 };
struct ss_verify_keys {
    struct ss_verify_key list[SS_VERIFY_KEYS_MAX + 1];
    size_t count;
};
void ss_verify_count_key(struct ss_verify_keys *keys, uint32_t id, int64_t states, int64_t records);

struct ss_verify_result {
    int32_t partition;
    enum ss_verify_checkpoint checkpoint; /* unless USABLE, no state in the store can be used: */
    int64_t states;                       /* … then all of these are missing */
    int64_t equal, differing, missing, extra;
    int64_t undecided;   /* and no difference */
    int64_t mark_offset; /* compared up to here; the newest mark unless USABLE; -1: none */
    int64_t records;     /* of the changelog, read; in all passes */
    int64_t rechecked;   /* states that step 2 looked at */
    int passes;
    struct ss_verify_keys keys; /* of the records up to the mark */
};

struct ss_verify_options {
    struct ss_store *store;
    struct ss_state_log *log;
    size_t memory_bytes_max; /* for the users of one pass */
    int rounds_max;          /* of step 2, and of a pass whose checkpoint vanished; 0: 5 */
    int settle_ms;           /* how long to wait for a checkpoint to appear or to move on */
    /* Each may be NULL. `records` and `states`: read in this pass of this partition. */
    void (*difference)(void *arg, const struct ss_verify_difference *difference);
    void (*progress)(void *arg, int32_t partition, int64_t records, int64_t states);
    void *arg;
};

/* SS_OK: compared, with the differences counted in *result. SS_RETRY: store or log is away, or the
 * checkpoint would not hold still. SS_STOP: a mark of a newer version, or out of memory. */
SS_MUST_USE enum ss_status ss_verify_partition(const struct ss_verify_options *options,
                                               int32_t partition, struct ss_verify_result *result,
                                               struct ss_error *err);

/* The sum of what differs; an unusable checkpoint is one more. */
int64_t ss_verify_differences(const struct ss_verify_result *result);

/* "missing", "of another Kafka cluster", …: static text. */
const char *ss_verify_checkpoint_text(enum ss_verify_checkpoint checkpoint);

#endif
