/* partition.h - what a worker keeps of a partition that it owns, and how it gets there.
 *
 * The state of a partition is what its changelog says up to the newest mark. The store and the
 * cache hold views of it; `saved` is the checkpoint that the store must show, `mark_offset` the
 * mark that the cache stands for. They differ only while a save is outstanding, and then the
 * difference is pinned in the cache. Internal to consumer/.
 */
#ifndef SS_CONSUMER_PARTITION_H
#define SS_CONSUMER_PARTITION_H

#include "consumer/worker.h"
#include "state/cache.h"

struct ss_partition {
    int32_t number;
    bool draining; /* only consents and blacklist flow (promise 7) */
    bool touched;  /* in the transaction in hand */
    bool broken;   /* what the batch in hand holds of it is void */
    bool unsaved;  /* the store is behind `next` */
    bool has_saved;
    struct ss_checkpoint saved;     /* what the store shows, if has_saved */
    struct ss_checkpoint next;      /* of the newest committed mark */
    uint8_t writer[SS_WRITER_SIZE]; /* whose checkpoints those are that we write */
    int64_t looked_at_ms;           /* when the store last showed `saved`, by our clock */
    struct ss_mark mark;            /* the newest one, counts and positions running on from it */
    int32_t days[SS_INPUT_COUNT];   /* of the newest committed one */
    bool renamed;  /* the newest committed mark is still of the group that is taken over */
    bool disputed; /* by the changelog: the committed offsets that were last read */
    int64_t disputed_positions[SS_INPUT_COUNT];
    int64_t ends[SS_INPUT_COUNT]; /* when the partition was assigned */
    struct ss_cache *cache;
    const struct ss_models *models; /* in charge: those of the mark's epoch */
    /* Time (promise 10); the clock itself is the mark's. */
    int64_t reached_ms[SS_INPUT_COUNT]; /* event time reached since the assignment; 0: none */
    bool behind[SS_INPUT_COUNT];        /* not read to its end, or in the batch in hand */
    int64_t wake_ms;                    /* nobody is to be woken before; 0: not known yet */
    bool woke_last;                     /* the last turn of time was a wake, no sweep */
    int64_t woke_at_ms;                 /* when that was last looked up, by our clock */
    int64_t marked_at_ms;               /* when the newest mark was committed, by our clock */
    int64_t ranks_sent_ms;              /* when its histogram was published; 0: not by us */
};

/* Between batches: moves the clock up to what the inputs' ends, or the system's time, allow. */
void ss_partition_tick(const struct ss_worker_config *config, struct ss_partition *partition);
/* After a poll, whose records are not applied yet: which inputs have more than these. */
void ss_partition_look(const struct ss_worker_config *config, struct ss_partition *partition);
/* An input's records are in the batch in hand: what has been delivered is not yet applied. */
void ss_partition_behind(struct ss_partition *partition, enum ss_input input);
/* An event has been read that is not refused, and is no stray from the future; the clock may move
 * on. */
void ss_partition_reach(struct ss_partition *partition, enum ss_input input, int64_t event_ms);

/* Makes a partition ready: start, checkpoint, restore, open, consents first. Used at assignment and
 * whenever the store turned out not to hold what was left there. SS_RETRY: a dependency is away,
 * try again. SS_STOP: changelog and committed offsets contradict each other, with what to do. */
SS_MUST_USE enum ss_status ss_partition_begin(const struct ss_worker_config *config,
                                              struct ss_partition *partition, struct ss_error *err);

/* The newest models there are. */
const struct ss_models *ss_worker_models(const struct ss_worker_config *config);
/* Once the mark is in hand. SS_RETRY: whoever took the partition over has not heard yet of the
 * models that are in charge of it. */
SS_MUST_USE enum ss_status ss_partition_begin_models(const struct ss_worker_config *config,
                                                     struct ss_partition *partition, bool any_mark,
                                                     struct ss_error *err);
/* Between transactions: puts them in charge. The next mark says so. */
void ss_partition_follow(const struct ss_worker_config *config, struct ss_partition *partition);
/* Somebody may not have been told yet of the models in charge. */
static inline bool ss_partition_sweeping(const struct ss_partition *partition)
{
    return partition->mark.swept < partition->mark.epoch;
}

/* Writes what is outstanding. SS_RETRY: still outstanding. SS_GIVE_UP: begin again. */
SS_MUST_USE enum ss_status ss_partition_save(const struct ss_worker_config *config,
                                             struct ss_partition *partition, struct ss_error *err);

/* Lets the other inputs flow once the consents have been read to where they ended. */
SS_MUST_USE enum ss_status ss_partition_drain(const struct ss_worker_config *config,
                                              struct ss_partition *partition, struct ss_error *err);

/* Whether the group has committed what the restored mark says, or an operator has told us to go on
 * behind what is lost, which the mark in hand says then too. SS_RETRY: to be read again. SS_STOP:
 * they contradict each other. */
SS_MUST_USE enum ss_status ss_partition_compare(const struct ss_worker_config *config,
                                                struct ss_partition *partition,
                                                const struct ss_partition_start *start,
                                                bool any_mark, struct ss_error *err);
/* Whose state it is, by the group that its newest mark names. SS_STOP: another one's. */
SS_MUST_USE enum ss_status ss_partition_check_group(const struct ss_worker_config *config,
                                                    struct ss_partition *partition,
                                                    const char *group, struct ss_error *err);
/* … which is looked up. */
SS_MUST_USE enum ss_status ss_partition_ask_group(const struct ss_worker_config *config,
                                                  struct ss_partition *partition,
                                                  const struct ss_partition_start *start,
                                                  struct ss_error *err);
/* Whatever the bus has delivered of the partition is applied: the mark in hand says how far the
 * inputs were passed, markers and aborted records included. */
void ss_partition_pass(const struct ss_worker_config *config, struct ss_partition *partition);
/* Between batches: they were passed further than the newest mark says. */
bool ss_partition_trails(const struct ss_worker_config *config,
                         const struct ss_partition *partition);

/* Everything has been read that was there at assignment. */
bool ss_partition_caught_up(const struct ss_worker_config *config,
                            const struct ss_partition *partition);

#endif
