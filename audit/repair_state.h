/* repair_state.h - mends a partition whose store differs from its changelog, by letting its owner
 * do it (promise 2).
 *
 * Only the owner of a partition may write states, so a repair writes none: it takes the checkpoint
 * away, by ss_store_ops.wipe. The owner looks at its checkpoint once a second and at every read and
 * write of states; it finds another one than its own, drops what it has cached, and restores the
 * partition from the changelog. Where no engine runs, the next one that starts does.
 *
 * That wipe is safe from outside, whatever the owner does meanwhile (state/redis_partition.h):
 *   - it first replaces the checkpoint by a random token, if that has not moved since it was read;
 *     else it reads again. A save of the owner's compares the checkpoint under WATCH: begun
 *     before, its EXEC fails; begun after, its compare does. Either way nothing is written and the
 *     owner restores. No read uses states under the token either.
 *   - it deletes only while its own token stands, under WATCH as well. An owner that notices and
 *     wipes by itself puts a token of its own there, and we stop (SS_GIVE_UP; the look that follows
 *     finds no checkpoint, which is success). If we are paused in the middle and wake up after the
 *     owner has restored, we delete nothing of that under the old token; the look then finds a
 *     checkpoint, and takes it away once more, which costs another restore and no more.
 *   - cut short, it leaves the token, which counts as no checkpoint: the same as a finished one.
 *   - the owner may be wiping or restoring just then. Our token ends that with SS_GIVE_UP, and it
 *     begins again; since we stop as soon as there is none, it cannot go on like that.
 * Kafka is not touched: no transaction is fenced, no offset moves, and no score depends on it.
 */
#ifndef SS_AUDIT_REPAIR_STATE_H
#define SS_AUDIT_REPAIR_STATE_H

#include "state/store.h"

/* Takes a partition's checkpoint and states away. SS_RETRY: the store is away; unknown whether. */
SS_MUST_USE enum ss_status ss_repair_invalidate(struct ss_store *store, int32_t partition,
                                                struct ss_error *err);

struct ss_repair_wait {
    struct ss_store *store;
    int64_t wait_ms;
    int live_every_ms;       /* how often `live` is asked */
    bool (*live)(void *arg); /* whether there still is an engine to wait for */
    void *arg;
};

/* Waits for the owner to bring the partition back to the given mark. *back false: it did not within
 * wait_ms, or there is none any more. */
SS_MUST_USE enum ss_status ss_repair_await(const struct ss_repair_wait *wait, int32_t partition,
                                           int64_t mark_offset, bool *back, struct ss_error *err);

#endif
