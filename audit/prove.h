/* prove.h - proves all that was published, or a part of it: partitions side by side, from the logs
 * (source.h), optionally on from a snapshot.
 *
 * Where the group's committed positions say how far the inputs have been read, what those lead to
 * must have been published up to there: a cut-off end shows. With an engine running, records newer
 * than those positions are counted and not judged.
 */
#ifndef SS_AUDIT_PROVE_H
#define SS_AUDIT_PROVE_H

#include "audit/proof.h"
#include "audit/snapshot_models.h"

struct ss_prove_options {
    struct ss_source *inputs;
    struct ss_source *published;     /* of scores and entitlements; may be the same */
    struct ss_snapshot *snapshot;    /* NULL: from where the logs begin */
    const struct ss_rank_log *ranks; /* NULL: no percentile is checked */
    const struct ss_model_shelf *shelf;
    struct ss_models models; /* in charge until a record names others; a snapshot says its own */
    int64_t future_tolerance_ms;
    const struct ss_source_users *users; /* NULL: everybody's */
    uint64_t sample_of, sample_seed;     /* as in proof.h */
    int32_t partition;                   /* -1: all */
    int threads;
    bool no_entitlements, live;
    /* Called by one thread at a time. `partitions`: how many are done; `running`: the counts of
     * these. */
    void (*difference)(void *arg, const struct ss_proof_difference *difference);
    void (*progress)(void *arg, int64_t events, int64_t records, int32_t partitions);
    void *arg;
    atomic_bool *stop;
};

/* results: one for each partition of the source, those not asked for left zero. SS_STOP: logs that
 * cannot be read, or stopped. */
SS_MUST_USE enum ss_status ss_prove(const struct ss_prove_options *options,
                                    struct ss_proof_result *results, struct ss_error *err);

#endif
