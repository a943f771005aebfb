/* transact.c - one transaction: effects, changelog with its marks, offsets (promise 1). */
#include "consumer/batch.h"

#include <assert.h>

static struct ss_bytes whole(const struct ss_buffer *buffer)
{
    return (struct ss_bytes){buffer->data, buffer->size};
}

/* Nothing where the user shares with somebody whom the config does not know. */
static enum ss_status send_shared(struct ss_worker *worker, int32_t partition, struct ss_bytes key,
                                  uint32_t hash, const struct ss_score_record *score,
                                  struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    struct ss_bytes value = {NULL, 0}; /* a tombstone */
    enum ss_status status = SS_OK;
    int i = 0;

    while (i < worker->config.subscriber_count && worker->config.subscribers[i].hash != hash)
        i++;
    if (i == worker->config.subscriber_count)
        return SS_OK;
    if (score) {
        const struct ss_worker_subscriber *subscriber = &worker->config.subscribers[i];
        worker->encoded.size = 0;
        status = ss_encode_shared_score(subscriber->schema_id, subscriber->fields, score,
                                        &worker->encoded, err);
        value = whole(&worker->encoded);
    }
    worker->delta.shared_records++;
    if (status == SS_OK)
        status = bus->ops->produce(bus, (enum ss_target)(SS_TO_SUBSCRIBERS + i), partition, key,
                                   value, NULL, 0, false, err);
    return status;
}

/* Promise 7: they see only who authorised them, and no longer than that. */
static enum ss_status send_to_subscribers(struct ss_worker *worker, int32_t partition,
                                          struct ss_bytes key, const struct ss_effects *effects,
                                          struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int i = 0; status == SS_OK && i < effects->told_count; i++)
        status = send_shared(worker, partition, key, effects->told[i], &effects->record, err);
    if (status == SS_OK && effects->has_shared)
        status = send_shared(worker, partition, key, effects->shared_with, &effects->shared, err);
    for (int i = 0; status == SS_OK && i < effects->gone_count; i++)
        status = send_shared(worker, partition, key, effects->gone[i], NULL, err);
    return status;
}

static enum ss_status send_effects(struct ss_worker *worker, int32_t partition, struct ss_bytes key,
                                   const struct ss_effects *effects, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    struct ss_buffer *encoded = &worker->encoded;
    enum ss_status status = SS_OK;

    if (effects->has_record) {
        encoded->size = 0;
        status =
            ss_encode_score(worker->config.schema_ids[SS_SCORES], &effects->record, encoded, err);
        if (status == SS_OK)
            status = bus->ops->produce(bus, SS_TO_SCORES, partition, key, whole(encoded), NULL, 0,
                                       false, err);
        worker->delta.score_records++;
    }
    for (int i = 0; status == SS_OK && i < effects->entitlement_count; i++) {
        encoded->size = 0;
        status = ss_encode_entitlement(worker->config.schema_ids[SS_ENTITLEMENTS],
                                       &effects->entitlements[i], encoded, err);
        if (status == SS_OK)
            status = bus->ops->produce(bus, SS_TO_ENTITLEMENTS, partition, key, whole(encoded),
                                       NULL, 0, false, err);
        worker->delta.entitlements++;
    }
    return status == SS_OK ? send_to_subscribers(worker, partition, key, effects, err) : status;
}

void ss_transact_distrust(struct ss_worker *worker, struct ss_partition *partition)
{
    struct ss_error ignored;
    (void)worker->config.store->ops->wipe(worker->config.store, partition->number,
                                          &partition->saved, &ignored);
}

enum ss_status ss_transact_state(struct ss_worker *worker, struct ss_partition *partition,
                                 struct ss_bytes user_id, struct ss_user_state *state,
                                 struct ss_error *err)
{
    struct ss_bytes stored;
    bool cached = ss_cache_get(partition->cache, user_id, &stored);
    assert(cached && "fetch has brought every state of the batch");
    enum ss_status status = ss_stored_read(worker->config.keys, user_id, stored, state, err);
    if (status == SS_GIVE_UP) /* a state whose key we lack is no such thing: it stays */
        ss_transact_distrust(worker, partition);
    return status;
}

static enum ss_status put_state(struct ss_worker *worker, struct ss_partition *partition,
                                struct ss_bytes user_id, struct ss_user_state *state,
                                struct ss_error *err)
{
    uint8_t bytes[SS_SEALED_MAX];
    /* By the days of the mark before: within the transaction nobody else knows them. */
    ss_forget(partition->models, state, partition->days);
    struct ss_bytes stored = ss_stored_write(worker->config.keys, user_id, state, bytes);
    int64_t wake_ms = ss_wake_at(partition->models, state);
    if (wake_ms < partition->wake_ms)
        partition->wake_ms = wake_ms;
    if (!ss_cache_put(partition->cache, user_id, stored, wake_ms))
        return ss_fail(err, SS_STOP, "out of memory for states");
    return SS_OK;
}

/* Whatever time has done to this user by now, before anything else happens to it. */
static enum ss_status take_steps(struct ss_worker *worker, struct ss_partition *partition,
                                 struct ss_bytes user_id, struct ss_user_state *state,
                                 const struct ss_context *context, bool *stepped,
                                 struct ss_error *err)
{
    struct ss_effects effects;
    const struct ss_text user = {user_id.data, (uint32_t)user_id.size};
    enum ss_status status = SS_OK;
    *stepped = false;
    if (!ss_wake_known(partition->models, state))
        return ss_fail(err, SS_STOP,
                       "partition %d: a user still holds benefits of the model of epoch %d, which "
                       "is not known: either sesame-models was lost, or this version cannot read "
                       "it. Let the version that can finish `sesame rescore` first",
                       partition->number, state->published.epoch);
    while (status == SS_OK && ss_wake(partition->models, state, user, context, &effects)) {
        *stepped = true;
        if (effects.has_record && effects.record.kind == SS_KIND_RESCORE) {
            partition->mark.rescored++;
            worker->delta.rescored++;
        }
        status = ss_rank_effects(worker, partition, &effects, err);
        if (status == SS_OK)
            status = send_effects(worker, context->partition, user_id, &effects, err);
    }
    return status;
}

enum ss_status ss_transact_steps(struct ss_worker *worker, struct ss_partition *partition,
                                 struct ss_bytes user_id, struct ss_error *err)
{
    struct ss_user_state state;
    struct ss_context context = {.partition = partition->number,
                                 .clock_ms = partition->mark.clock_ms};
    bool stepped;
    memcpy(context.positions, partition->mark.positions, sizeof context.positions);
    enum ss_status status = ss_transact_state(worker, partition, user_id, &state, err);
    bool telling = state.friends.telling; /* else the friends record has not been fetched */
    if (status == SS_OK)
        status = take_steps(worker, partition, user_id, &state, &context, &stepped, err);
    if (status == SS_OK && telling) {
        stepped = true;
        status = ss_neighbours_tell(worker, partition, user_id, &state, &context, err);
    }
    if (status != SS_OK || !stepped)
        return status;
    partition->touched = true;
    return put_state(worker, partition, user_id, &state, err);
}

/* What times from the future count as: those of the event, and those of a producer's clock. */
static int64_t no_stray(const struct ss_worker *worker, int64_t event_ms, int64_t record_ms)
{
    int64_t latest_ms = record_ms < worker->latest_ms ? record_ms : worker->latest_ms;
    return event_ms < latest_ms ? event_ms : latest_ms;
}

static enum ss_status apply_event(struct ss_worker *worker, struct ss_item *item,
                                  enum ss_outcome *outcome, struct ss_error *err)
{
    struct ss_partition *partition = item->partition;
    const struct ss_record *record = item->record;
    const struct ss_models *models = partition->models;
    struct ss_user_state state;
    struct ss_effects effects;
    struct ss_context context = {
        .partition = record->partition,
        .offset = record->offset,
        .record_time_ms =
            record->timestamp_ms >= 0 ? record->timestamp_ms : item->event.occurred_at_ms,
        .future_tolerance_ms = worker->config.limits.future_tolerance_ms,
    };
    enum ss_refusal refusal = ss_event_check(models->person, &item->event, &context);
    bool stepped = false;
    *outcome = SS_REFUSED;
    if (refusal == SS_REFUSAL_NONE) {
        context.checked = true;
        context.day = ss_input_day(partition->mark.days[record->input], &item->event, &context);
        partition->mark.days[record->input] = context.day;
        ss_partition_reach(partition, record->input,
                           no_stray(worker, item->event.occurred_at_ms, context.record_time_ms));
        context.clock_ms = partition->mark.clock_ms;
        memcpy(context.positions, partition->mark.positions, sizeof context.positions);
        enum ss_status status = ss_transact_state(worker, partition, record->key, &state, err);
        if (status == SS_OK) /* before the event, and before its position */
            status = take_steps(worker, partition, record->key, &state, &context, &stepped, err);
        if (status != SS_OK)
            return status;
        context.positions[record->input] = record->offset + 1;
        if (ss_event_reads_friends(models, &item->event)) {
            context.friends = worker->neighbours.list;
            status = ss_neighbours_read(worker, partition, record->key, &state, err);
            if (status != SS_OK)
                return status;
        }
        *outcome = ss_apply(models, &state, &item->event, &context, &effects, &refusal);
    }
    if (*outcome == SS_REFUSED)
        ss_item_reject(item, ss_refusal_name(refusal), "refused by the rules of docs/model.md");
    enum ss_status status = SS_OK;
    bool changed =
        *outcome == SS_COUNTED && (record->input != SS_NEIGHBOURS || effects.friends_changed);
    if (stepped || changed)
        status = put_state(worker, partition, record->key, &state, err);
    if (status == SS_OK && *outcome == SS_COUNTED)
        status = ss_rank_effects(worker, partition, &effects, err);
    if (status == SS_OK && *outcome == SS_COUNTED)
        status = send_effects(worker, record->partition, record->key, &effects, err);
    if (status == SS_OK && context.friends)
        status = ss_neighbours_effects(worker, partition, &item->event, &context, &effects, err);
    return status;
}

static enum ss_status apply_item(struct ss_worker *worker, struct ss_item *item,
                                 struct ss_error *err)
{
    struct ss_partition *partition = item->partition;
    const struct ss_record *record = item->record;
    enum ss_outcome outcome = SS_REFUSED;
    enum ss_status status = SS_OK;

    partition->touched = true;
    if (!item->letter.reason)
        status = apply_event(worker, item, &outcome, err);
    partition->mark.positions[record->input] = record->offset + 1;
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
    ss_partition_pass(&worker->config, partition);
    size_t size = ss_mark_pack(&partition->mark, packed);
    if (status == SS_OK)
        status = bus->ops->produce(bus, SS_TO_CHANGELOG, partition->number, ss_mark_key,
                                   (struct ss_bytes){packed, size}, NULL, 0, true, err);
    for (int input = 0; status == SS_OK && input < SS_INPUT_COUNT; input++)
        status = bus->ops->offset(bus, (enum ss_input)input, partition->number,
                                  partition->mark.passed[input], err);
    return status;
}

enum ss_status ss_transact_end(struct ss_worker *worker, enum ss_status status,
                               struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    for (int32_t p = 0; status == SS_OK && p < bus->partition_count; p++) {
        struct ss_partition *partition = worker->partitions[p];
        if (!partition || !partition->touched)
            continue;
        if (ss_rank_due(worker, partition))
            status = ss_rank_send(worker, partition, err);
        if (status == SS_OK)
            status = send_changelog(worker, partition, err);
    }
    if (status != SS_OK) {
        struct ss_error ignored;
        enum ss_status aborted = bus->ops->abort(bus, &ignored);
        return aborted == SS_STOP ? aborted : status;
    }
    return bus->ops->commit(bus, err);
}

enum ss_status ss_batch_transact(struct ss_worker *worker, size_t count, struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    (void)ss_rank_look(worker);
    enum ss_status status = bus->ops->begin(bus, err);
    if (status != SS_OK)
        return status;
    worker->latest_ms = worker->config.limits.event_time
                            ? INT64_MAX
                            : worker->config.clock.now_ms(worker->config.clock.arg);
    for (int32_t p = 0; p < bus->partition_count;
         p++) /* the poll may have found more, or put back */
        if (worker->partitions[p])
            ss_partition_look(&worker->config, worker->partitions[p]);
    for (size_t i = 0; i < count; i++)
        ss_partition_behind(worker->items[i].partition, worker->items[i].record->input);
    for (size_t i = 0; status == SS_OK && i < count; i++)
        if (!worker->items[i].partition->broken)
            status = apply_item(worker, &worker->items[i], err);
    return ss_transact_end(worker, status, err);
}
