#include "consumer/worker.h"

#include "base/log.h"
#include "consumer/batch.h"

#include <stdlib.h>
#include <time.h>

enum { STORE_LOOK_MS = 1000 }; /* how long the store of an idle partition goes unseen */

enum ss_status ss_worker_open(const struct ss_worker_config *config, struct ss_worker **out,
                              struct ss_error *err)
{
    struct ss_worker *worker = calloc(1, sizeof *worker);
    if (worker) {
        size_t records = config->limits.batch_records_max;
        worker->config = *config;
        worker->batch_max = records;
        worker->partitions = calloc((size_t)config->bus->partition_count, sizeof(void *));
        worker->items = calloc(records, sizeof *worker->items);
        worker->missing = calloc(2 * records, sizeof *worker->missing);
        ss_buffer_init(&worker->encoded, 64 * 1024);
        ss_buffer_init(&worker->sleepers.ids, SIZE_MAX / 2);
    }
    if (!worker || !worker->partitions || !worker->items || !worker->missing ||
        !ss_neighbours_open(&worker->neighbours, config->limits.batch_records_max)) {
        ss_worker_close(worker);
        return ss_fail(err, SS_STOP, "out of memory for a worker");
    }
    *out = worker;
    return SS_OK;
}

static void drop_partition(struct ss_worker *worker, int32_t number)
{
    struct ss_partition *partition = worker->partitions[number];
    if (!partition)
        return;
    ss_cache_close(partition->cache);
    free(partition);
    worker->partitions[number] = NULL;
}

/* After a failed commit nothing in memory is worth keeping: the bus re-assigns, and each partition
 * restarts from what Kafka has committed (promises 1 and 3). */
static void drop_all(struct ss_worker *worker)
{
    for (int32_t p = 0; p < worker->config.bus->partition_count; p++)
        drop_partition(worker, p);
}

void ss_worker_close(struct ss_worker *worker)
{
    if (!worker)
        return;
    if (worker->partitions)
        drop_all(worker);
    free(worker->partitions);
    free(worker->items);
    free(worker->missing);
    ss_neighbours_close(&worker->neighbours);
    ss_buffer_reset(&worker->encoded);
    ss_sleepers_reset(&worker->sleepers);
    free(worker);
}

/* --- assignment --- */

static void publish_assignment(struct ss_worker *worker)
{
    struct ss_worker_stats *stats = worker->config.stats;
    int32_t assigned = 0, ready = 0, caught_up = 0, sweeping = 0;
    for (int32_t p = 0; p < worker->config.bus->partition_count; p++) {
        const struct ss_partition *partition = worker->partitions[p];
        if (!partition)
            continue;
        assigned++;
        if (partition->broken)
            continue;
        ready++;
        caught_up += ss_partition_caught_up(&worker->config, partition);
        sweeping += ss_partition_sweeping(partition);
    }
    worker->sweeping = sweeping > 0;
    pthread_mutex_lock(&stats->lock);
    stats->assigned = assigned;
    stats->ready = ready;
    stats->caught_up = caught_up;
    stats->sweeping = sweeping;
    pthread_mutex_unlock(&stats->lock);
}

static enum ss_status begin_partition(struct ss_worker *worker, struct ss_partition *partition,
                                      struct ss_error *err)
{
    partition->broken = true;
    if (!ss_rank_look(worker)) /* who has not read them would rank by old ones */
        return ss_fail(err, SS_RETRY, "partition %d waits until sesame-ranks has been read",
                       partition->number);
    enum ss_status status = ss_partition_begin(&worker->config, partition, err);
    if (status == SS_OK) {
        partition->broken = false;
        ss_rank_begin(worker, partition);
        ss_info("worker", "worker %d partition %d: ready", worker->config.index, partition->number);
    }
    return status;
}

static enum ss_status assigned(struct ss_worker *worker, const struct ss_poll *poll,
                               struct ss_error *err)
{
    for (size_t i = 0; i < poll->partition_count; i++) {
        int32_t number = poll->partitions[i];
        drop_partition(worker, number);
        struct ss_partition *partition = calloc(1, sizeof *partition);
        if (!partition)
            return ss_fail(err, SS_STOP, "out of memory for a partition");
        partition->number = number;
        partition->broken = true; /* until mend_partitions has begun it */
        worker->partitions[number] = partition;
    }
    pthread_mutex_lock(&worker->config.stats->lock);
    worker->config.stats->rebalances++;
    pthread_mutex_unlock(&worker->config.stats->lock);
    return SS_OK;
}

/* Begins what is newly assigned, or turned out to be out of step with the store. One partition a
 * turn, so that the bus is polled in between. */
static enum ss_status mend_partitions(struct ss_worker *worker, bool *mended, struct ss_error *err)
{
    int32_t count = worker->config.bus->partition_count;
    for (int32_t i = 0; i < count; i++) {
        int32_t p = (worker->mend_next + i) % count;
        struct ss_partition *partition = worker->partitions[p];
        if (!partition || !partition->broken)
            continue;
        *mended = true;
        worker->mend_next = (p + 1) % count;
        return begin_partition(worker, partition, err);
    }
    return SS_OK;
}

void ss_worker_restore(const struct ss_worker *worker, struct ss_partition *partition,
                       const char *why)
{
    ss_warn("worker", "worker %d partition %d: %s; restoring it from the changelog",
            worker->config.index, partition->number, why);
    partition->broken = true; /* until mend_partitions has begun it again */
}

/* --- fetch: the states of the batch --- */

struct fill {
    struct ss_cache *cache;
    const struct ss_bytes *user_ids;
    bool out_of_memory;
};

static void on_state(void *arg, size_t i, struct ss_bytes packed)
{
    struct fill *fill = arg;
    if (!ss_cache_fill(fill->cache, fill->user_ids[i], packed))
        fill->out_of_memory = true;
}

/* A state is not worth asking for twice in a row: most repeats of a user are neighbours. */
static size_t list_missing(struct ss_worker *worker, const struct ss_partition *partition,
                           size_t count)
{
    size_t missing = 0;
    struct ss_bytes packed;
    for (size_t i = 0; i < count; i++) {
        const struct ss_item *item = &worker->items[i];
        if (item->partition != partition || item->letter.reason)
            continue;
        if (ss_cache_get(partition->cache, item->record->key, &packed))
            continue;
        if (missing && ss_bytes_equal(worker->missing[missing - 1], item->record->key))
            continue;
        worker->missing[missing++] = item->record->key;
    }
    for (size_t i = 0; i < count; i++) {
        const struct ss_item *item = &worker->items[i];
        if (item->partition != partition || item->letter.reason ||
            !ss_event_reads_friends(&worker->config.models, &item->event))
            continue;
        struct ss_bytes key = ss_friends_key(item->record->key, worker->neighbours.keys[i]);
        if (!ss_cache_get(partition->cache, key, &packed))
            worker->missing[missing++] = key;
    }
    return missing;
}

static enum ss_status fetch_partition(struct ss_worker *worker, struct ss_partition *partition,
                                      size_t count, struct ss_error *err)
{
    enum ss_status status = ss_partition_save(&worker->config, partition, err);
    if (status != SS_OK)
        return status;
    size_t missing = list_missing(worker, partition, count);
    struct fill fill = {partition->cache, worker->missing, false};
    if (missing && partition->has_saved)
        status = worker->config.store->ops->load(worker->config.store, partition->number,
                                                 &partition->saved, worker->missing, missing,
                                                 on_state, &fill, err);
    else /* nothing was ever committed of this partition */
        for (size_t i = 0; i < missing; i++)
            on_state(&fill, i, (struct ss_bytes){NULL, 0});
    if (fill.out_of_memory)
        return ss_fail(err, SS_STOP, "out of memory for states");
    return status;
}

/* Promise 3: no worker computes from states that are not those of its own last checkpoint. */
static enum ss_status fetch(struct ss_worker *worker, size_t count, struct ss_error *err)
{
    for (int32_t p = 0; p < worker->config.bus->partition_count; p++) {
        struct ss_partition *partition = worker->partitions[p];
        if (!partition || partition->broken)
            continue;
        enum ss_status status = fetch_partition(worker, partition, count, err);
        if (status == SS_GIVE_UP) {
            ss_worker_restore(worker, partition, err->detail);
        } else if (status != SS_OK) {
            return status;
        }
    }
    return SS_OK;
}

/* --- after the commit --- */

/* Promise 2: the store is written after the commit, never before. What fails stays pinned. */
static enum ss_status save_touched(struct ss_worker *worker, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    enum ss_status worst = SS_OK;
    for (int32_t p = 0; p < bus->partition_count; p++) {
        struct ss_partition *partition = worker->partitions[p];
        if (!partition || !partition->touched)
            continue;
        partition->touched = partition->renamed = false;
        memcpy(partition->days, partition->mark.days, sizeof partition->days);
        partition->marked_at_ms = worker->config.clock.now_ms(worker->config.clock.arg);
        enum ss_status status =
            bus->ops->mark(bus, p, &partition->next.offset, &partition->next.broker_time_ms, err);
        if (status == SS_OK) {
            partition->unsaved = true;
            status = ss_partition_save(&worker->config, partition, err);
        }
        if (status == SS_GIVE_UP) {
            ss_worker_restore(worker, partition, err->detail);
        } else if (status > worst) {
            worst = status;
        }
        if (status == SS_STOP)
            return status;
    }
    return worst;
}

static void add_stats(struct ss_worker *worker)
{
    struct ss_worker_stats *stats = worker->config.stats, *delta = &worker->delta;
    pthread_mutex_lock(&stats->lock);
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        stats->counts[input].consumed += delta->counts[input].consumed;
        for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++)
            stats->counts[input].outcomes[outcome] += delta->counts[input].outcomes[outcome];
    }
    stats->score_records += delta->score_records;
    stats->entitlements += delta->entitlements;
    stats->shared_records += delta->shared_records;
    stats->rescored += delta->rescored;
    stats->neighbour_records += delta->neighbour_records;
    stats->transactions++;
    pthread_mutex_unlock(&stats->lock);
}

enum ss_status ss_worker_settle(struct ss_worker *worker, enum ss_status status,
                                struct ss_error *err)
{
    if (status != SS_OK) {
        drop_all(worker);
        return status == SS_STOP ? status : SS_RETRY;
    }
    add_stats(worker);
    return save_touched(worker, err);
}

/* Counted here, apart from the outcomes, so that the two can be held against each other (promise
 * 6). */
static size_t count_consumed(struct ss_worker *worker, size_t count)
{
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        const struct ss_item *item = &worker->items[i];
        if (item->partition->broken)
            continue;
        item->partition->mark.counts[item->record->input].consumed++;
        worker->delta.counts[item->record->input].consumed++;
        live++;
    }
    return live;
}

/* Over a slow broker a full batch may not pass within the transaction's timeout, and would fail
 * again and again: half of it may. What then passes grows back by steps (promise 9). */
static void size_next_batch(struct ss_worker *worker, bool passed, size_t count)
{
    size_t limit = worker->config.limits.batch_records_max;
    if (!passed)
        worker->batch_max = count > 1 ? count / 2 : 1;
    else if (count >= worker->batch_max)
        worker->batch_max += limit / 32 + 1;
    if (worker->batch_max > limit)
        worker->batch_max = limit;
}

static enum ss_status process(struct ss_worker *worker, const struct ss_poll *poll,
                              struct ss_error *err)
{
    struct ss_error back_err;
    size_t count, taken;
    enum ss_status wait = ss_batch_intake(worker, poll, &count, &taken, err);
    if (wait == SS_OK || wait == SS_RETRY) {
        enum ss_status status = fetch(worker, count, err);
        if (status != SS_OK) {
            wait = status;
            count = taken = 0;
        }
    }
    if (wait != SS_OK) {
        if (wait != SS_RETRY)
            return wait;
        enum ss_status status = ss_batch_put_back(worker, poll, taken, &back_err);
        if (status == SS_STOP) {
            *err = back_err;
            return status;
        }
    }
    memset(&worker->delta, 0, sizeof worker->delta);
    if (count_consumed(worker, count) == 0)
        return wait;
    enum ss_status status = ss_batch_transact(worker, count, err);
    size_next_batch(worker, status == SS_OK, count);
    status = ss_worker_settle(worker, status, err);
    return status != SS_OK ? status : wait;
}

/* --- the loop --- */

static void pause_ms(const struct ss_worker *worker, int ms)
{
    struct timespec step = {0, 10 * 1000000L};
    for (int waited = 0; waited < ms && !atomic_load(worker->config.stop); waited += 10)
        nanosleep(&step, NULL);
}

/* Nothing new: a good time for what is outstanding. */
static enum ss_status save_outstanding(struct ss_worker *worker, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int32_t p = 0; p < worker->config.bus->partition_count && status == SS_OK; p++) {
        struct ss_partition *partition = worker->partitions[p];
        if (!partition || partition->broken)
            continue;
        status = ss_partition_save(&worker->config, partition, err);
        if (status == SS_GIVE_UP) {
            ss_worker_restore(worker, partition, err->detail);
            status = SS_OK;
        }
    }
    return status;
}

/* Promise 2: what the store lost is noticed without an event that asks for it. One partition a
 * turn, each at intervals; a save counts as a look. */
static enum ss_status watch_store(struct ss_worker *worker, struct ss_error *err)
{
    struct ss_store *store = worker->config.store;
    int64_t now_ms = worker->config.clock.now_ms(worker->config.clock.arg);
    for (int32_t p = 0; p < worker->config.bus->partition_count; p++) {
        struct ss_partition *partition = worker->partitions[p];
        struct ss_checkpoint shown;
        bool found;
        if (!partition || partition->broken || partition->unsaved || !partition->has_saved ||
            now_ms - partition->looked_at_ms < STORE_LOOK_MS)
            continue;
        partition->looked_at_ms = now_ms;
        enum ss_status status = store->ops->checkpoint(store, p, &shown, &found, err);
        if (status == SS_OK && (!found || !ss_checkpoint_equal(&shown, &partition->saved)))
            ss_worker_restore(worker, partition, "the store no longer holds what was left there");
        return status;
    }
    return SS_OK;
}

/* Every turn and for all: a log of consents that ends in markers is passed without a record. */
static enum ss_status drain_partitions(struct ss_worker *worker, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int32_t p = 0; p < worker->config.bus->partition_count && status == SS_OK; p++) {
        struct ss_partition *partition = worker->partitions[p];
        if (partition && !partition->broken)
            status = ss_partition_drain(&worker->config, partition, err);
    }
    return status;
}

static void follow_models(struct ss_worker *worker)
{
    for (int32_t p = 0; p < worker->config.bus->partition_count; p++) {
        struct ss_partition *partition = worker->partitions[p];
        if (partition && !partition->broken)
            ss_partition_follow(&worker->config, partition);
    }
}

static enum ss_status turn(struct ss_worker *worker, bool *idle, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    struct ss_poll poll = {.event = SS_BUS_NOTHING};
    struct ss_error poll_err;
    bool mended = false;
    ss_keys_renew(worker->config.keys, worker->config.clock.now_ms(worker->config.clock.arg));
    /* A partition that cannot be mended yet is no reason to be deaf: the group may take it away,
     * and the others go on. */
    enum ss_status mending = mend_partitions(worker, &mended, err);
    if (mending == SS_STOP)
        return mending;
    follow_models(worker);
    enum ss_status status = bus->ops->poll(
        bus, worker->batch_max,
        mended || worker->sweeping ? 0 : worker->config.limits.batch_wait_ms, &poll, &poll_err);
    if (status == SS_OK) {
        *idle = poll.event == SS_BUS_NOTHING && !mended;
        switch (poll.event) {
        case SS_BUS_ASSIGNED:
            status = assigned(worker, &poll, &poll_err);
            break;
        case SS_BUS_REVOKED:
            for (size_t i = 0; i < poll.partition_count; i++)
                drop_partition(worker, poll.partitions[i]);
            break;
        case SS_BUS_RECORDS:
            status = process(worker, &poll, &poll_err);
            break;
        case SS_BUS_NOTHING:
            status = save_outstanding(worker, &poll_err);
            break;
        }
    }
    if (status == SS_OK)
        status = watch_store(worker, &poll_err);
    if (status == SS_OK)
        status = drain_partitions(worker, &poll_err);
    if (status == SS_OK)
        status = ss_worker_pass_time(worker, idle, &poll_err);
    if (status == SS_OK)
        return mending;
    *err = poll_err;
    return status;
}

enum ss_status ss_worker_step(struct ss_worker *worker, bool *idle, struct ss_error *err)
{
    *idle = false;
    enum ss_status status = turn(worker, idle, err);
    publish_assignment(worker);
    if (status == SS_OK)
        worker->retrying = false;
    return status;
}

enum ss_status ss_worker_run(struct ss_worker *worker, struct ss_error *err)
{
    while (!atomic_load(worker->config.stop)) {
        bool idle;
        bool said = worker->retrying;
        enum ss_status status = ss_worker_step(worker, &idle, err);
        if (status == SS_STOP)
            return status;
        if (status != SS_OK) {
            if (!said)
                ss_warn("worker", "worker %d: %s; trying again", worker->config.index, err->detail);
            worker->retrying = true;
            pause_ms(worker, worker->config.limits.retry_ms);
        }
    }
    if (!worker->retrying && ss_worker_leave(worker, err) != SS_OK)
        ss_warn("worker", "worker %d: stopping, the inputs' last markers stay uncommitted: %s",
                worker->config.index, err->detail);
    return SS_OK;
}
