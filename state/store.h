/* store.h - the edge to where states live: Redis, or memory for tests, simulation and replay.
 *
 * A store is a view (promise 2): it holds, for each partition, packed states by user id and the
 * checkpoint of the changelog that they stand for. Reads deliver both atomically; writes are a
 * compare-and-set on the checkpoint. Whoever finds another checkpoint than its own (SS_GIVE_UP)
 * must not use what it read: it restores the partition from the changelog, or no longer owns it
 * (promise 3).
 *
 * One handle belongs to one worker thread. SS_RETRY: the store is away or answered late; whether a
 * write was applied is unknown then, and the next read tells by its checkpoint.
 */
#ifndef SS_STATE_STORE_H
#define SS_STATE_STORE_H

#include "scoring/apply.h"
#include "state/checkpoint.h"

struct ss_store; /* each implementation's own */

struct ss_put {
    struct ss_bytes user_id; /* or the key of a friends record (state/pack_friends.h) */
    struct ss_bytes packed;  /* size 0 deletes */
    int64_t wake_ms; /* when time alone has to do with this user next; SS_WAKE_NEVER: never */
};

/* Users wake in groups: of each the store keeps when the first of it is to be woken, or somewhat
 * earlier, so that millions who sleep cost next to nothing. */
struct ss_wake_group {
    bool found; /* anybody is to be woken at all */
    uint32_t group;
    int64_t wake_ms; /* the earliest of all groups' */
};

/* Receives the i-th asked state; packed has size 0 where there is none, and is valid during the
 * call. */
typedef void ss_store_sink(void *arg, size_t i, struct ss_bytes packed);
/* Receives one stored state of a scan. */
typedef void ss_store_scan_sink(void *arg, struct ss_bytes user_id, struct ss_bytes packed);

struct ss_store_ops {
    /* *found false: the store holds nothing (trustworthy) of this partition; *out then is no
     * checkpoint, but tells what is there instead (nothing: all-zero; a wipe cut short), for wipe.
     */
    enum ss_status (*checkpoint)(struct ss_store *store, int32_t partition,
                                 struct ss_checkpoint *out, bool *found, struct ss_error *err);
    /* Reads count states, atomically with the checkpoint; sink is called only if that equals
     * *expect, else SS_GIVE_UP. */
    enum ss_status (*load)(struct ss_store *store, int32_t partition,
                           const struct ss_checkpoint *expect, const struct ss_bytes *user_ids,
                           size_t count, ss_store_sink *sink, void *arg, struct ss_error *err);
    /* Writes all puts (each user once) and *next atomically if the checkpoint is *expect (NULL: if
     * there is none), else SS_GIVE_UP and nothing is written. If it already is *next, a lost answer
     * is being repeated: SS_OK; *next therefore never equals *expect. */
    enum ss_status (*save)(struct ss_store *store, int32_t partition,
                           const struct ss_checkpoint *expect, const struct ss_checkpoint *next,
                           const struct ss_put *puts, size_t count, struct ss_error *err);
    /* Removes everything of the partition, the checkpoint first, if the store still shows *shown:
     * what `checkpoint` delivered, found or not. SS_GIVE_UP: it shows another by now, and nothing
     * is removed, or another worker writes to it meanwhile. Who was paused since it looked can thus
     * not take away what a successor has put there. */
    enum ss_status (*wipe)(struct ss_store *store, int32_t partition,
                           const struct ss_checkpoint *shown, struct ss_error *err);
    /* The group that wakes first of all; with nth the one after so many others, for which a store
     * that costs no round trip need not look. If it wakes at until_ms at the latest, sink receives
     * all states of it (no friends records), atomically with the checkpoint; SS_GIVE_UP as load. */
    enum ss_status (*wakes)(struct ss_store *store, int32_t partition,
                            const struct ss_checkpoint *expect, int64_t until_ms, uint32_t nth,
                            struct ss_wake_group *out, ss_store_scan_sink *sink, void *arg,
                            struct ss_error *err);
    /* Sets when a group wakes next: save only ever brings that forward. A compare on the checkpoint
     * as well. */
    enum ss_status (*rearm)(struct ss_store *store, int32_t partition,
                            const struct ss_checkpoint *expect, uint32_t group, int64_t wake_ms,
                            struct ss_error *err);
    /* All states of some groups, from one on, atomically with the checkpoint; SS_GIVE_UP as load.
     * *next is the group behind them, *groups how many there are: *next == *groups is the end. As
     * long as *groups stays the same every user stays in its group, whoever comes and goes. */
    enum ss_status (*walk)(struct ss_store *store, int32_t partition,
                           const struct ss_checkpoint *expect, uint32_t from, uint32_t *next,
                           uint32_t *groups, ss_store_scan_sink *sink, void *arg,
                           struct ss_error *err);
    /* All states of a partition, in no order; not atomic. */
    enum ss_status (*scan)(struct ss_store *store, int32_t partition, ss_store_scan_sink *sink,
                           void *arg, struct ss_error *err);
    void (*close)(struct ss_store *store);
};

struct ss_store {
    const struct ss_store_ops *ops;
};

#endif
