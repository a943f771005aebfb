#include "consumer/worker.h"

#include "base/log.h"
#include "consumer/dead_letter.h"
#include "consumer/partition.h"
#include "consumer/partitioner.h"
#include "state/pack.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { STORE_LOOK_MS = 1000 }; /* how long the store of an idle partition goes unseen */

/* One record of the batch in hand. */
struct item {
    const struct ss_record *record;
    struct ss_partition *partition;
    struct ss_event event;
    struct ss_dead_letter letter; /* reason NULL: event is good */
};

struct ss_worker {
    struct ss_worker_config config;
    struct ss_partition **partitions; /* by number; NULL: not ours */
    struct item *items;
    struct ss_bytes *missing; /* scratch of fetch */
    struct ss_buffer encoded;
    struct ss_worker_stats delta; /* of the transaction in hand; its lock is unused */
    int32_t mend_next;            /* where mend_partitions goes on, so that all get their turn */
    bool retrying;                /* the last turn ended in SS_RETRY: said once */
};

enum ss_status ss_worker_open(const struct ss_worker_config *config, struct ss_worker **out,
                              struct ss_error *err)
{
    struct ss_worker *worker = calloc(1, sizeof *worker);
    if (worker) {
        size_t records = config->limits.batch_records_max;
        worker->config = *config;
        worker->partitions = calloc((size_t)config->bus->partition_count, sizeof(void *));
        worker->items = calloc(records, sizeof *worker->items);
        worker->missing = calloc(records, sizeof *worker->missing);
        ss_buffer_init(&worker->encoded, 64 * 1024);
    }
    if (!worker || !worker->partitions || !worker->items || !worker->missing) {
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
    ss_buffer_reset(&worker->encoded);
    free(worker);
}

/* --- assignment --- */

static void publish_assignment(struct ss_worker *worker)
{
    struct ss_worker_stats *stats = worker->config.stats;
    int32_t assigned = 0, ready = 0, caught_up = 0;
    for (int32_t p = 0; p < worker->config.bus->partition_count; p++) {
        const struct ss_partition *partition = worker->partitions[p];
        if (!partition)
            continue;
        assigned++;
        if (partition->broken)
            continue;
        ready++;
        caught_up += ss_partition_caught_up(&worker->config, partition);
    }
    pthread_mutex_lock(&stats->lock);
    stats->assigned = assigned;
    stats->ready = ready;
    stats->caught_up = caught_up;
    pthread_mutex_unlock(&stats->lock);
}

static enum ss_status begin_partition(struct ss_worker *worker, struct ss_partition *partition,
                                      struct ss_error *err)
{
    partition->broken = true;
    enum ss_status status = ss_partition_begin(&worker->config, partition, err);
    if (status == SS_OK) {
        partition->broken = false;
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

/* --- intake: records to events --- */

static void reject(struct item *item, const char *reason, const char *detail)
{
    item->letter.reason = reason;
    snprintf(item->letter.detail, sizeof item->letter.detail, "%.*s",
             (int)sizeof item->letter.detail - 1, detail);
}

/* SS_RETRY where the registry is away; everything else that is wrong becomes a dead letter. */
static enum ss_status read_record(struct ss_worker *worker, struct item *item, struct ss_error *err)
{
    const struct ss_record *record = item->record;
    const struct ss_plan *plan;
    struct ss_bytes body;
    uint32_t schema_id;

    item->letter.reason = NULL;
    if (!record->key.data || record->key.size == 0) {
        reject(item, "NO_KEY", "the record has no key; it must be the user id");
        return SS_OK;
    }
    if (record->key.size > SS_USER_ID_MAX) { /* before anybody asks the store for it */
        reject(item, ss_refusal_name(SS_REFUSAL_BAD_USER_ID), "the key is longer than a user id");
        return SS_OK;
    }
    if (!record->value.data) {
        reject(item, "NO_VALUE", "the record has no value");
        return SS_OK;
    }
    if (ss_partition_of(record->key, worker->config.bus->partition_count) != record->partition) {
        reject(item, "MISROUTED",
               "the key does not hash to this partition with Kafka's murmur2; librdkafka producers "
               "must set partitioner=murmur2_random");
        return SS_OK;
    }
    if (record->value.size > worker->config.limits.event_bytes_max) {
        reject(item, "TOO_LARGE", "the value is larger than events.value_bytes_max");
        return SS_OK;
    }
    if (ss_wire_open(record->value, &schema_id, &body, err) != SS_OK) {
        reject(item, "BAD_WIRE_FORMAT", err->detail);
        return SS_OK;
    }
    enum ss_status status =
        ss_registry_plan(worker->config.registry, record->input, schema_id, &plan, err);
    if (status == SS_DROP) {
        reject(item, "BAD_SCHEMA", err->detail);
        return SS_OK;
    }
    if (status != SS_OK)
        return status;
    if (ss_plan_decode(plan, body, &item->event, err) != SS_OK) {
        reject(item, "UNREADABLE", err->detail);
        return SS_OK;
    }
    struct ss_text user_id = item->event.user_id;
    if (!ss_bytes_equal(record->key, (struct ss_bytes){user_id.data, user_id.size}))
        reject(item, "KEY_MISMATCH", "the key is not the record's user_id");
    return SS_OK;
}

/* Puts records[from..] back: the bus delivers them again. A partition that cannot be rewound is
 * begun anew, for what comes next of it would leave a gap. */
static enum ss_status put_back(struct ss_worker *worker, const struct ss_poll *poll, size_t from,
                               struct ss_error *err)
{
    for (size_t i = from; i < poll->record_count; i++) {
        const struct ss_record *record = &poll->records[i];
        struct ss_partition *partition = worker->partitions[record->partition];
        /* in offset order within an input and partition: the first one is the one to return to */
        bool first = partition != NULL;
        for (size_t j = from; first && j < i; j++)
            first = poll->records[j].input != record->input ||
                    poll->records[j].partition != record->partition;
        if (!first || partition->broken)
            continue;
        enum ss_status status = worker->config.bus->ops->rewind(
            worker->config.bus, record->input, record->partition, record->offset, err);
        if (status == SS_STOP)
            return status;
        partition->broken = status != SS_OK;
    }
    return SS_OK;
}

/* Fills items with what can be processed now; *taken records of the poll are covered by them. */
static enum ss_status intake(struct ss_worker *worker, const struct ss_poll *poll, size_t *count,
                             size_t *taken, struct ss_error *err)
{
    *count = 0;
    for (*taken = 0; *taken < poll->record_count; ++*taken) {
        const struct ss_record *record = &poll->records[*taken];
        struct ss_partition *partition = worker->partitions[record->partition];
        if (!partition || partition->broken)
            continue; /* begin_partition returns to it */
        if (record->offset < partition->mark.positions[record->input])
            continue; /* delivered again although it is committed */
        struct item *item = &worker->items[*count];
        item->record = record;
        item->partition = partition;
        enum ss_status status = read_record(worker, item, err);
        if (status != SS_OK)
            return status;
        ++*count;
    }
    return SS_OK;
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
        const struct item *item = &worker->items[i];
        if (item->partition != partition || item->letter.reason)
            continue;
        if (ss_cache_get(partition->cache, item->record->key, &packed))
            continue;
        if (missing && ss_bytes_equal(worker->missing[missing - 1], item->record->key))
            continue;
        worker->missing[missing++] = item->record->key;
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
            ss_warn("worker", "worker %d partition %d: %s; restoring it from the changelog",
                    worker->config.index, p, err->detail);
            partition->broken = true;
        } else if (status != SS_OK) {
            return status;
        }
    }
    return SS_OK;
}

/* --- apply: one transaction --- */

static struct ss_bytes whole(const struct ss_buffer *buffer)
{
    return (struct ss_bytes){buffer->data, buffer->size};
}

static enum ss_status send_effects(struct ss_worker *worker, const struct item *item,
                                   const struct ss_effects *effects, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    const struct ss_record *record = item->record;
    struct ss_buffer *encoded = &worker->encoded;
    enum ss_status status = SS_OK;

    if (effects->has_record) {
        encoded->size = 0;
        status =
            ss_encode_score(worker->config.schema_ids[SS_SCORES], &effects->record, encoded, err);
        if (status == SS_OK)
            status = bus->ops->produce(bus, SS_TO_SCORES, record->partition, record->key,
                                       whole(encoded), NULL, 0, false, err);
        worker->delta.score_records++;
    }
    for (int i = 0; status == SS_OK && i < effects->entitlement_count; i++) {
        encoded->size = 0;
        status = ss_encode_entitlement(worker->config.schema_ids[SS_ENTITLEMENTS],
                                       &effects->entitlements[i], encoded, err);
        if (status == SS_OK)
            status = bus->ops->produce(bus, SS_TO_ENTITLEMENTS, record->partition, record->key,
                                       whole(encoded), NULL, 0, false, err);
        worker->delta.entitlements++;
    }
    return status;
}

static enum ss_status apply_event(struct ss_worker *worker, struct item *item,
                                  enum ss_outcome *outcome, struct ss_error *err)
{
    struct ss_partition *partition = item->partition;
    const struct ss_record *record = item->record;
    struct ss_user_state state;
    struct ss_effects effects;
    enum ss_refusal refusal;
    struct ss_bytes packed;
    uint8_t bytes[SS_PACKED_MAX];
    struct ss_context context = {
        .partition = record->partition,
        .offset = record->offset,
        .record_time_ms =
            record->timestamp_ms >= 0 ? record->timestamp_ms : item->event.occurred_at_ms,
        .future_tolerance_ms = worker->config.limits.future_tolerance_ms,
    };
    memcpy(context.positions, partition->mark.positions, sizeof context.positions);

    bool cached = ss_cache_get(partition->cache, record->key, &packed);
    assert(cached && "fetch has brought every state of the batch");
    enum ss_status status = ss_state_unpack(packed, &state, err);
    if (status != SS_OK) {
        /* The store holds what nobody wrote there. Wiped, it is restored from the changelog when
         * the aborted transaction's partitions come back. */
        struct ss_error ignored;
        (void)worker->config.store->ops->wipe(worker->config.store, record->partition, &ignored);
        return status;
    }
    *outcome = ss_apply(worker->config.model, &state, &item->event, &context, &effects, &refusal);
    if (*outcome == SS_REFUSED)
        reject(item, ss_refusal_name(refusal), "refused by the rules of docs/model.md");
    if (*outcome != SS_COUNTED)
        return SS_OK;
    size_t size = ss_state_pack(&state, bytes);
    if (!ss_cache_put(partition->cache, record->key, (struct ss_bytes){bytes, size}))
        return ss_fail(err, SS_STOP, "out of memory for states");
    return send_effects(worker, item, &effects, err);
}

static enum ss_status apply_item(struct ss_worker *worker, struct item *item, struct ss_error *err)
{
    struct ss_partition *partition = item->partition;
    const struct ss_record *record = item->record;
    enum ss_outcome outcome = SS_REFUSED;
    enum ss_status status = SS_OK;

    partition->touched = true;
    partition->mark.positions[record->input] = record->offset + 1;
    if (!item->letter.reason)
        status = apply_event(worker, item, &outcome, err);
    if (status == SS_OK && outcome == SS_REFUSED)
        status = ss_dead_letter_send(&worker->config, record, &item->letter, err);
    partition->mark.counts[record->input].outcomes[outcome]++; /* promise 6 */
    worker->delta.counts[record->input].outcomes[outcome]++;
    return status;
}

/* The changelog of a partition's changed states, its mark last, and the offsets. */
static enum ss_status send_changelog(struct ss_worker *worker, struct ss_partition *partition,
                                     struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    uint8_t packed[SS_MARK_PACKED_MAX];
    enum ss_status status = SS_OK;

    for (size_t i = 0; status == SS_OK && i < ss_cache_pinned_count(partition->cache); i++) {
        struct ss_put put;
        ss_cache_pinned(partition->cache, i, &put);
        if (put.packed.size == 0)
            put.packed.data = NULL; /* a tombstone */
        status = bus->ops->produce(bus, SS_TO_CHANGELOG, partition->number, put.user_id, put.packed,
                                   NULL, 0, false, err);
    }
    size_t size = ss_mark_pack(&partition->mark, packed);
    if (status == SS_OK)
        status = bus->ops->produce(bus, SS_TO_CHANGELOG, partition->number, ss_mark_key,
                                   (struct ss_bytes){packed, size}, NULL, 0, true, err);
    for (int input = 0; status == SS_OK && input < SS_INPUT_COUNT; input++)
        status = bus->ops->offset(bus, (enum ss_input)input, partition->number,
                                  partition->mark.positions[input], err);
    return status;
}

static enum ss_status transact(struct ss_worker *worker, size_t count, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    enum ss_status status = bus->ops->begin(bus, err);
    if (status != SS_OK)
        return status;
    for (size_t i = 0; status == SS_OK && i < count; i++)
        if (!worker->items[i].partition->broken)
            status = apply_item(worker, &worker->items[i], err);
    for (int32_t p = 0; status == SS_OK && p < bus->partition_count; p++)
        if (worker->partitions[p] && worker->partitions[p]->touched)
            status = send_changelog(worker, worker->partitions[p], err);
    if (status != SS_OK) {
        struct ss_error ignored;
        enum ss_status aborted = bus->ops->abort(bus, &ignored);
        return aborted == SS_STOP ? aborted : status;
    }
    return bus->ops->commit(bus, err);
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
        partition->touched = false;
        enum ss_status status =
            bus->ops->mark(bus, p, &partition->next.offset, &partition->next.broker_time_ms, err);
        if (status == SS_OK) {
            partition->unsaved = true;
            status = ss_partition_save(&worker->config, partition, err);
        }
        if (status == SS_GIVE_UP) {
            ss_warn("worker", "worker %d partition %d: %s; restoring it from the changelog",
                    worker->config.index, p, err->detail);
            partition->broken = true;
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
    stats->transactions++;
    pthread_mutex_unlock(&stats->lock);
}

/* Counted here, apart from the outcomes, so that the two can be held against each other (promise
 * 6). */
static size_t count_consumed(struct ss_worker *worker, size_t count)
{
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        const struct item *item = &worker->items[i];
        if (item->partition->broken)
            continue;
        item->partition->mark.counts[item->record->input].consumed++;
        worker->delta.counts[item->record->input].consumed++;
        live++;
    }
    return live;
}

static enum ss_status process(struct ss_worker *worker, const struct ss_poll *poll,
                              struct ss_error *err)
{
    struct ss_error back_err;
    size_t count, taken;
    enum ss_status wait = intake(worker, poll, &count, &taken, err);
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
        enum ss_status status = put_back(worker, poll, taken, &back_err);
        if (status == SS_STOP) {
            *err = back_err;
            return status;
        }
    }
    memset(&worker->delta, 0, sizeof worker->delta);
    if (count_consumed(worker, count) == 0)
        return wait;
    enum ss_status status = transact(worker, count, err);
    if (status != SS_OK) {
        drop_all(worker);
        return status == SS_STOP ? status : SS_RETRY;
    }
    add_stats(worker);
    status = save_touched(worker, err);
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
            partition->broken = true;
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
        if (status == SS_OK && (!found || !ss_checkpoint_equal(&shown, &partition->saved))) {
            ss_warn("worker",
                    "worker %d partition %d: the store no longer holds what was left there; "
                    "restoring it from the changelog",
                    worker->config.index, p);
            partition->broken = true;
        }
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

static enum ss_status turn(struct ss_worker *worker, bool *idle, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    struct ss_poll poll = {.event = SS_BUS_NOTHING};
    struct ss_error poll_err;
    bool mended = false;
    /* A partition that cannot be mended yet is no reason to be deaf: the group may take it away,
     * and the others go on. */
    enum ss_status mending = mend_partitions(worker, &mended, err);
    if (mending == SS_STOP)
        return mending;
    enum ss_status status =
        bus->ops->poll(bus, worker->config.limits.batch_records_max,
                       mended ? 0 : worker->config.limits.batch_wait_ms, &poll, &poll_err);
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
    return SS_OK;
}
