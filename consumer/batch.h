/* batch.h - the batch in a worker's hand, between worker.c (the loop), worker_time.c (what no
 * record asks for), intake.c (records to events) and transact.c (events to a transaction). Internal
 * to consumer/.
 */
#ifndef SS_CONSUMER_BATCH_H
#define SS_CONSUMER_BATCH_H

#include "consumer/dead_letter.h"
#include "consumer/partition.h"
#include "state/pack_friends.h"

/* One record of the batch in hand. */
struct ss_item {
    const struct ss_record *record;
    struct ss_partition *partition;
    struct ss_event event;
    struct ss_dead_letter letter; /* reason NULL: event is good */
};

/* Users whom nothing happens to but time, gathered from groups that are to be woken (promise 10).
 * One partition's at a time. */
struct ss_sleeper {
    size_t user_id; /* where it begins in ids */
    uint32_t user_id_size;
    int group; /* index into groups */
};
enum { SS_SLEEPER_GROUPS_MAX = 64 };
struct ss_sleepers {
    struct ss_buffer ids;
    struct ss_sleeper *users;
    size_t count, capacity;
    uint32_t groups[SS_SLEEPER_GROUPS_MAX];
    int64_t wake_ms[SS_SLEEPER_GROUPS_MAX]; /* of each group, once the steps are taken */
    int group_count;
    uint32_t sweep_next, sweep_groups; /* where a sweep goes on, of how many groups */
    struct ss_cache *cache;            /* scratch */
    bool out_of_memory;
    bool telling; /* somebody is: the friends records are needed too */
};

/* Scratch of neighbours.c and of who fetches for it. */
struct ss_neighbours {
    struct ss_friends *list;             /* the record in hand */
    uint8_t *packed, *sealed;            /* its forms */
    uint8_t (*keys)[SS_FRIENDS_KEY_MAX]; /* as many as records in a batch */
};

struct ss_worker {
    struct ss_worker_config config;
    struct ss_partition **partitions; /* by number; NULL: not ours */
    struct ss_item *items;
    struct ss_bytes *missing; /* scratch of fetch: two for each record */
    struct ss_neighbours neighbours;
    struct ss_buffer encoded;
    struct ss_sleepers sleepers;
    struct ss_ranks_view ranks;   /* of the transaction in hand */
    struct ss_worker_stats delta; /* of the transaction in hand; its lock is unused */
    int32_t mend_next;            /* where mend_partitions goes on, so that all get their turn */
    size_t batch_max;  /* records of the next batch: fewer after a failed transaction, then more */
    int32_t wake_next; /* likewise, who is next to be woken */
    int64_t latest_ms; /* no event of the batch in hand moves a clock beyond that */
    bool sweeping;     /* a partition is: nobody waits for records then */
    bool retrying;     /* the last turn ended in SS_RETRY: said once */
};

/* A transaction is over: counts it and writes the store, or drops everything if it failed.
 * SS_RETRY: it did, or the store is behind. */
SS_MUST_USE enum ss_status ss_worker_settle(struct ss_worker *worker, enum ss_status status,
                                            struct ss_error *err);
/* The store is not what was left there: the partition is broken until it has been begun again. */
void ss_worker_restore(const struct ss_worker *worker, struct ss_partition *partition,
                       const char *why);
/* Between batches: clocks move in every partition, and one that has something to do then has its
 * turn; *idle is false if so. */
SS_MUST_USE enum ss_status ss_worker_pass_time(struct ss_worker *worker, bool *idle,
                                               struct ss_error *err);

/* Fills worker->items with what can be processed now; *taken records of the poll are covered by
 * them. SS_RETRY where the registry is away: the records from *taken on have to be put back. */
SS_MUST_USE enum ss_status ss_batch_intake(struct ss_worker *worker, const struct ss_poll *poll,
                                           size_t *count, size_t *taken, struct ss_error *err);

/* Puts the poll's records[from..] back: the bus delivers them again. */
SS_MUST_USE enum ss_status ss_batch_put_back(struct ss_worker *worker, const struct ss_poll *poll,
                                             size_t from, struct ss_error *err);

/* The item becomes a dead letter with this reason, instead of an event. */
void ss_item_reject(struct ss_item *item, const char *reason, const char *detail);

/* Applies the first `count` items and commits what comes of them in one transaction. Whatever
 * fails, nothing in memory is worth keeping after it. */
SS_MUST_USE enum ss_status ss_batch_transact(struct ss_worker *worker, size_t count,
                                             struct ss_error *err);

/* The pieces of a transaction that has begun: the state of a user in the cache; the steps that time
 * takes with a user whose state is there; and the end, which commits, or aborts unless status is
 * SS_OK and stays so. */
SS_MUST_USE enum ss_status ss_transact_state(struct ss_worker *worker,
                                             struct ss_partition *partition,
                                             struct ss_bytes user_id, struct ss_user_state *state,
                                             struct ss_error *err);
SS_MUST_USE enum ss_status ss_transact_steps(struct ss_worker *worker,
                                             struct ss_partition *partition,
                                             struct ss_bytes user_id, struct ss_error *err);
SS_MUST_USE enum ss_status ss_transact_end(struct ss_worker *worker, enum ss_status status,
                                           struct ss_error *err);

/* Ranks (transact_rank.c). Takes one view of the histograms, for a transaction; false: they are not
 * there yet. */
bool ss_rank_look(struct ss_worker *worker);
/* The partition has been made ready. */
void ss_rank_begin(const struct ss_worker *worker, struct ss_partition *partition);
/* Counts what is about to be published, and says its rank in it. SS_STOP: the histogram is not that
 * of what was published before. */
SS_MUST_USE enum ss_status ss_rank_effects(const struct ss_worker *worker,
                                           struct ss_partition *partition,
                                           struct ss_effects *effects, struct ss_error *err);
/* Whether the partition's histogram is to go out with the next mark; and that it does. */
bool ss_rank_due(const struct ss_worker *worker, const struct ss_partition *partition);
SS_MUST_USE enum ss_status ss_rank_send(struct ss_worker *worker, struct ss_partition *partition,
                                        struct ss_error *err);
/* What the store holds cannot be what was written there. Wiped, it is restored from the changelog
 * when the aborted transaction's partitions come back. */
void ss_transact_distrust(struct ss_worker *worker, struct ss_partition *partition);

/* neighbours.c; false: out of memory. */
SS_MUST_USE bool ss_neighbours_open(struct ss_neighbours *neighbours, size_t records_max);
void ss_neighbours_close(struct ss_neighbours *neighbours);
/* The friends record of a user into neighbours.list: empty if the sum is closed. */
SS_MUST_USE enum ss_status ss_neighbours_read(struct ss_worker *worker,
                                              struct ss_partition *partition,
                                              struct ss_bytes user_id,
                                              const struct ss_user_state *state,
                                              struct ss_error *err);
/* What an event that read it leads to: messages, and the record as it is by now. */
SS_MUST_USE enum ss_status
ss_neighbours_effects(struct ss_worker *worker, struct ss_partition *partition,
                      const struct ss_event *event, const struct ss_context *context,
                      const struct ss_effects *effects, struct ss_error *err);
/* A piece of a telling: *state has moved on by it. */
SS_MUST_USE enum ss_status ss_neighbours_tell(struct ss_worker *worker,
                                              struct ss_partition *partition,
                                              struct ss_bytes user_id, struct ss_user_state *state,
                                              const struct ss_context *context,
                                              struct ss_error *err);

/* Brings the groups that are due into sleepers and their states into the partition's cache; updates
 * partition->wake_ms. None due: group_count is 0. SS_GIVE_UP: the store shows another checkpoint.
 */
SS_MUST_USE enum ss_status ss_sleepers_gather(struct ss_worker *worker,
                                              struct ss_partition *partition, struct ss_error *err);
/* Whether a step is to be taken with any of them. */
SS_MUST_USE enum ss_status ss_sleepers_due(struct ss_worker *worker, struct ss_partition *partition,
                                           bool *due, struct ss_error *err);
/* Brings the friends records of those who are telling into the partition's cache. */
SS_MUST_USE enum ss_status ss_sleepers_fetch_friends(struct ss_worker *worker,
                                                     struct ss_partition *partition,
                                                     struct ss_error *err);
/* Takes the steps, and commits them in one transaction. As ss_batch_transact. */
SS_MUST_USE enum ss_status ss_sleepers_transact(struct ss_worker *worker,
                                                struct ss_partition *partition,
                                                struct ss_error *err);
/* When the steps are committed and saved: tells the store when the groups wake next. */
SS_MUST_USE enum ss_status ss_sleepers_rearm(struct ss_worker *worker,
                                             struct ss_partition *partition, struct ss_error *err);
/* A new model is in charge: brings those into sleepers who are next to be told, as gather does;
 * when the steps are taken is noted in the groups as usual. */
SS_MUST_USE enum ss_status ss_sleepers_sweep(struct ss_worker *worker,
                                             struct ss_partition *partition, struct ss_error *err);
/* Notes in the mark that these are done; to be called before the transaction that tells them. */
void ss_sleepers_swept(struct ss_worker *worker, struct ss_partition *partition);
void ss_sleepers_reset(struct ss_sleepers *sleepers);

#endif
