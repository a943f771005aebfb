/* worker_time.c - what a worker does where no record asks for it: wakes those whose time has come
 * (promise 10), tells of a new model, gives an idle changelog its heartbeat. One partition a turn.
 */
#include "consumer/batch.h"

#include "base/log.h"

enum { TAIL_MS = 60000 }; /* how long what was passed behind the last record goes uncommitted */

/* Everything is dropped if the transaction fails. */
static enum ss_status take_due_steps(struct ss_worker *worker, struct ss_partition *partition,
                                     struct ss_error *err)
{
    memset(&worker->delta, 0, sizeof worker->delta);
    return ss_worker_settle(worker, ss_sleepers_transact(worker, partition, err), err);
}

/* Once the store has answered who is concerned: whether anything is due, and what the steps need
 * beside the states. The partition is broken if the store shows another checkpoint. */
static enum ss_status look_at(struct ss_worker *worker, struct ss_partition *partition,
                              enum ss_status gathered, bool *due, struct ss_error *err)
{
    enum ss_status status = gathered;
    *due = false;
    if (status == SS_OK)
        status = ss_sleepers_due(worker, partition, due, err);
    if (status == SS_OK && worker->sleepers.telling)
        status = ss_sleepers_fetch_friends(worker, partition, err);
    if (status == SS_GIVE_UP)
        ss_worker_restore(worker, partition, err->detail);
    return status;
}

/* What is due of one partition: in the order of the groups' instants, and each user's steps in
 * theirs. */
static enum ss_status wake_partition(struct ss_worker *worker, struct ss_partition *partition,
                                     struct ss_error *err)
{
    const int32_t number = partition->number;
    bool due;
    enum ss_status status =
        look_at(worker, partition, ss_sleepers_gather(worker, partition, err), &due, err);
    if (partition->broken)
        return SS_OK;
    if (status == SS_OK && due) {
        status = take_due_steps(worker, partition, err);
        if (!worker->partitions[number])
            return status;
    }
    ss_cache_trim(partition->cache);
    if (status == SS_OK && !partition->broken)
        status = ss_sleepers_rearm(worker, partition, err);
    if (status != SS_OK) /* the groups are still as they were: the next look at the store tells */
        partition->wake_ms = 0;
    return status == SS_GIVE_UP ? SS_OK : status;
}

/* A transaction of nothing but the marks of those that are `touched`. */
static enum ss_status write_marks(struct ss_worker *worker, struct ss_error *err)
{
    memset(&worker->delta, 0, sizeof worker->delta);
    enum ss_status status = worker->config.bus->ops->begin(worker->config.bus, err);
    if (status == SS_OK)
        status = ss_transact_end(worker, SS_OK, err);
    return ss_worker_settle(worker, status, err);
}

/* A changelog partition that nobody writes to is never compacted to its end, and what was erased
 * from it stays there: its newest segment rolls only when something is appended (promise 7).
 * Nor would the histogram be told that the last transaction has changed; and retention may take the
 * markers behind the last record, which nobody could tell from records that were never read.
 * A group that was renamed says so at once, so that this name is asked for from now on. */
static enum ss_status heartbeat(struct ss_worker *worker, struct ss_partition *partition,
                                struct ss_error *err)
{
    partition->touched = true;
    return write_marks(worker, err);
}

/* A new model is in charge: tells the next of those to whom nothing else has happened since. Each
 * is told once, for the state says of which model its user was told last; where the sweep has come
 * to is in the mark. */
static enum ss_status sweep_partition(struct ss_worker *worker, struct ss_partition *partition,
                                      struct ss_error *err)
{
    const int32_t number = partition->number;
    bool due;
    enum ss_status status =
        look_at(worker, partition, ss_sleepers_sweep(worker, partition, err), &due, err);
    if (partition->broken)
        return SS_OK;
    if (status != SS_OK)
        return status;
    ss_sleepers_swept(worker, partition);
    const bool over = !ss_partition_sweeping(partition);
    if (due)
        status = take_due_steps(worker, partition, err);
    else if (over)
        status = heartbeat(worker, partition, err); /* so that it is known to be over */
    partition = worker->partitions[number];
    if (!partition)
        return status;
    ss_cache_trim(partition->cache);
    if (status == SS_OK && over)
        ss_info("worker", "worker %d partition %d: all %lld users are told of model %s",
                worker->config.index, number, (long long)partition->mark.rescored,
                partition->models->person->version);
    return status == SS_GIVE_UP ? SS_OK : status;
}

static bool wakes_now(const struct ss_worker *worker, const struct ss_partition *partition,
                      int64_t now_ms)
{
    return partition->mark.clock_ms >= partition->wake_ms &&
           now_ms - partition->woke_at_ms >= worker->config.limits.wake_interval_ms;
}

static bool beats_now(const struct ss_worker *worker, const struct ss_partition *partition,
                      int64_t now_ms)
{
    if (partition->renamed)
        return true;
    int64_t heartbeat_ms = worker->config.limits.heartbeat_ms;
    int64_t idle_ms = now_ms - partition->marked_at_ms;
    return (heartbeat_ms > 0 && idle_ms >= heartbeat_ms) ||
           (idle_ms >= TAIL_MS && ss_partition_trails(&worker->config, partition));
}

/* What the store has is what the changelog says, and it may be moved on. */
static bool is_settled(const struct ss_partition *partition)
{
    return partition && !partition->broken && !partition->draining && !partition->unsaved &&
           partition->has_saved;
}

enum ss_status ss_worker_leave(struct ss_worker *worker, struct ss_error *err)
{
    bool any = false;
    for (int32_t p = 0; p < worker->config.bus->partition_count; p++) {
        struct ss_partition *partition = worker->partitions[p];
        if (!is_settled(partition) ||
            !(partition->renamed || ss_partition_trails(&worker->config, partition)))
            continue;
        partition->touched = any = true;
    }
    return any ? write_marks(worker, err) : SS_OK;
}

enum ss_status ss_worker_pass_time(struct ss_worker *worker, bool *idle, struct ss_error *err)
{
    int32_t count = worker->config.bus->partition_count;
    int64_t now_ms = worker->config.clock.now_ms(worker->config.clock.arg);
    struct ss_partition *next = NULL;
    for (int32_t i = 0; i < count; i++) {
        int32_t p = (worker->wake_next + i) % count;
        struct ss_partition *partition = worker->partitions[p];
        if (!partition || partition->broken || partition->draining)
            continue;
        ss_partition_tick(&worker->config, partition);
        if (!next && is_settled(partition) &&
            (wakes_now(worker, partition, now_ms) || beats_now(worker, partition, now_ms) ||
             ss_rank_due(worker, partition) || ss_partition_sweeping(partition)))
            next = partition;
    }
    if (!next)
        return SS_OK;
    *idle = false;
    worker->wake_next = (next->number + 1) % count;
    bool wakes = wakes_now(worker, next, now_ms);
    if (ss_partition_sweeping(next) && (next->woke_last || !wakes)) {
        next->woke_last = false;
        return sweep_partition(worker, next, err);
    }
    if (!wakes)
        return heartbeat(worker, next, err);
    next->woke_last = true;
    next->woke_at_ms = now_ms;
    return wake_partition(worker, next, err);
}
