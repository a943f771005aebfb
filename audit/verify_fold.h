/* verify_fold.h - folding a partition's changelog up to a mark, for verify_state.c. Internal to
 * audit/. */
#ifndef SS_AUDIT_VERIFY_FOLD_H
#define SS_AUDIT_VERIFY_FOLD_H

#include "audit/state_table.h"
#include "audit/verify_state.h"

/* Flags of an entry. */
enum {
    IN_LOG = 1,     /* the changelog has a state, up to `next` */
    SEEN = 2,       /* the scan has found one */
    SUSPECT = 4,    /* does not agree, as far as is known */
    TOUCHED = 8,    /* a record came after the scan had begun */
    OVERTAKEN = 16, /* there is a record beyond the mark */
    STORED = 32,    /* the last load found a state */
    STRAY = 64,     /* the scan found one that no load can see */
    COMPARED = 128
};

struct ss_fold {
    const struct ss_verify_options *options;
    struct ss_verify_result *result;
    struct ss_state_table *table;
    int bits; /* of the hash that choose a pass */
    uint64_t pass;
    int64_t next; /* the first offset that is not folded */
    bool scanned; /* records are TOUCHED from now on */
    int64_t records, states;
    struct ss_verify_keys keys; /* of the records of this pass */
};

enum ss_fold_end {
    SS_FOLD_DONE,
    SS_FOLD_FULL,              /* the table is: use more passes */
    SS_FOLD_OTHER_INCARNATION, /* than the checkpoint's */
    SS_FOLD_UNKNOWN_MARK       /* the log has no such mark */
};

/* Whether a user belongs to this pass. */
static inline bool ss_fold_wants(const struct ss_fold *fold, uint64_t hash)
{
    return fold->bits == 0 || hash >> (64 - fold->bits) == fold->pass;
}

/* Folds from `next` up to the checkpoint's offset, and proves that the log has it: the first mark
 * met from there on is of its incarnation (compaction may have left only a later one, and a restore
 * under way stands between marks). Waits up to
 * settle_ms for the commit to become visible. NULL: up to the end, whatever marks there are. */
SS_MUST_USE enum ss_status ss_fold_to(struct ss_fold *fold, const struct ss_checkpoint *checkpoint,
                                      enum ss_fold_end *end, struct ss_error *err);

/* Sets OVERTAKEN for the users who have a record from `next` on, and for no other. */
SS_MUST_USE enum ss_status ss_fold_look_ahead(struct ss_fold *fold, struct ss_error *err);

void ss_fold_pause(void); /* between two looks */
void ss_fold_progress(const struct ss_fold *fold);

#endif
