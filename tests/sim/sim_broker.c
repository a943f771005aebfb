/* sim_broker.c - the transaction coordinator, its markers, and the log cleaner.
 *
 *   (none) ──first record──> open ──EndTxn, timeout, or a new producer──> decided ──markers──>
 * (none)
 *
 * A decision is durable at once; the markers that make it visible reach each log, and the group's
 * offsets, one by one and later. A new transaction of the same id waits for all of them.
 */
#include "sim.h"

#include <assert.h>

struct sim_txn *sim_txn_new(struct sim_world *world)
{
    struct sim_txn *txn = sim_alloc(world->arena, sizeof *txn);
    txn->number = ++world->txn_count;
    sim_keys_tick(world);
    memset(txn->offsets, 0xff, sizeof txn->offsets);
    return txn;
}

static void queue_marker(struct sim_world *world, struct sim_txn *txn, struct sim_log *log)
{
    assert(world->marker_count < SIM_MARKERS_MAX);
    world->markers[world->marker_count++] = (struct sim_marker){txn, log};
    txn->markers_left++;
}

void sim_txn_decide(struct sim_world *world, struct sim_txn *txn, bool commit)
{
    assert(txn->state == SIM_TXN_OPEN);
    txn->state = commit ? SIM_TXN_COMMITTED : SIM_TXN_ABORTED;
    for (int i = 0; i < txn->log_count; i++)
        queue_marker(world, txn, txn->logs[i]);
    if (txn->has_offsets)
        queue_marker(world, txn, NULL);
    sim_trace(world, "txn %d %s", txn->number, commit ? "committed" : "aborted");
}

bool sim_txn_settled(const struct sim_world *world, const struct sim_txn *txn)
{
    (void)world;
    return !txn || (txn->state != SIM_TXN_OPEN && txn->markers_left == 0);
}

static void deliver(struct sim_world *world, int i)
{
    struct sim_marker marker = world->markers[i];
    world->markers[i] = world->markers[--world->marker_count];
    marker.txn->markers_left--;
    if (marker.log) {
        sim_log_marker(marker.log, marker.txn, world->now_ms);
        return;
    }
    marker.txn->offsets_applied = true;
    sim_trace(world, "txn %d: its offsets are there", marker.txn->number);
    if (marker.txn->state != SIM_TXN_COMMITTED)
        return;
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        for (int32_t p = 0; p < world->partition_count; p++)
            if (marker.txn->offsets[input][p] >= 0)
                world->group.committed[input][p] = marker.txn->offsets[input][p];
}

bool sim_producer_init(struct sim_session *session)
{
    struct sim_world *world = session->world;
    struct sim_producer *producer = &world->producers[session->slot];
    if (producer->txn && producer->txn->state == SIM_TXN_OPEN) {
        producer->epoch++; /* fences whoever is at it */
        sim_txn_decide(world, producer->txn, false);
    }
    if (!sim_txn_settled(world, producer->txn))
        return false;
    producer->txn = NULL;
    session->epoch = ++producer->epoch;
    return true;
}

bool sim_producer_current(const struct sim_session *session)
{
    return session->epoch == session->world->producers[session->slot].epoch;
}

bool sim_offsets_pending(const struct sim_world *world, int32_t partition)
{
    for (int i = 0; i < world->slot_count; i++) {
        const struct sim_txn *txn = world->producers[i].txn;
        if (!txn || !txn->has_offsets || txn->offsets_applied)
            continue;
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            if (txn->offsets[input][partition] >= 0)
                return true;
    }
    return false;
}

void sim_broker_tick(struct sim_world *world)
{
    for (int i = world->marker_count; i-- > 0;)
        if (sim_chance(world, 350))
            deliver(world, i);
    for (int i = 0; i < world->slot_count; i++) {
        struct sim_producer *producer = &world->producers[i];
        if (producer->txn && producer->txn->state == SIM_TXN_OPEN &&
            world->now_ms > producer->started_ms + SIM_TXN_TIMEOUT_MS + SIM_TXN_CLEANUP_MS / 4 &&
            world->now_ms % SIM_TXN_CLEANUP_MS < SIM_TXN_CLEANUP_MS / 4) {
            sim_trace(world, "slot %d: transaction timed out", i);
            producer->epoch++;
            sim_txn_decide(world, producer->txn, false);
        }
    }
}

/* Each key's newest record stays; a deletion goes delete.retention.ms after the pass
 * that found it the newest;
 * of aborted transactions nothing stays. Never above the last stable offset, nor the active
 * segment. */
void sim_compact(struct sim_world *world, int32_t partition)
{
    struct sim_log *log = &world->targets[SS_TO_CHANGELOG][partition];
    int64_t end = sim_log_stable(log) - (int64_t)sim_below(world, 8);
    int64_t first_left = end;
    for (int64_t at = end; at-- > log->start;) {
        struct sim_record *record = &log->records[at];
        if (record->gone)
            continue;
        if (record->control || record->txn->state != SIM_TXN_COMMITTED) {
            record->gone = true;
            continue;
        }
        bool newer = false;
        for (int64_t i = at + 1; i < end && !newer; i++) {
            const struct sim_record *other = &log->records[i];
            newer = !other->control && other->txn->state == SIM_TXN_COMMITTED &&
                    ss_bytes_equal(other->key, record->key);
        }
        bool tombstone = !record->value.data;
        if (tombstone && !newer && !record->horizon_ms)
            record->horizon_ms = world->now_ms + SIM_DELETE_RETENTION_MS;
        if (newer || (tombstone && world->now_ms > record->horizon_ms))
            record->gone = true;
        else
            first_left = at;
    }
    if (sim_chance(world, 300) && first_left > log->start)
        log->start = first_left;
    sim_trace(world, "changelog %d compacted up to %lld, starts at %lld", partition, (long long)end,
              (long long)log->start);
}

/* All is old, and retention takes it, markers behind the last record as well. */
void sim_cut_inputs(struct sim_world *world)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        for (int32_t p = 0; p < world->partition_count; p++)
            world->inputs[input][p].start = world->inputs[input][p].end;
}

/* Retention takes what the group has read. */
void sim_move_input_starts(struct sim_world *world)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        for (int32_t p = 0; p < world->partition_count; p++) {
            struct sim_log *log = &world->inputs[input][p];
            int64_t committed = world->group.committed[input][p];
            if (committed > log->start && sim_chance(world, 500))
                log->start += sim_below(world, (uint32_t)(committed - log->start) + 1);
        }
}
