/* sim_commit.c - the transactional producer, as consumer/kafka_transaction.c uses it: records wait
 * in the client and reach the logs in any order between partitions, all of them before the offsets,
 * the offsets before the commit. */
#include "sim.h"

#include <assert.h>
#include <stdio.h>

enum outcome { DONE, FENCED, TIMED_OUT, DEAD };

static struct sim_session *session_of(struct ss_bus *bus)
{
    return (struct sim_session *)bus;
}

static struct sim_producer *producer_of(const struct sim_session *session)
{
    return &session->world->producers[session->slot];
}

enum ss_status sim_begin(struct ss_bus *bus, struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    enum sim_fate fate = sim_point(session, "begin");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    assert(!session->in_txn);
    if (session->epoch < 0 || fate == SIM_FAILS) {
        session->epoch = -1;
        sim_take_back(session, 0);
        return ss_fail(err, SS_RETRY, "cannot begin a transaction");
    }
    for (int32_t p = 0; p < bus->partition_count; p++)
        session->owned[p].marked = false;
    memset(session->offsets, 0xff, sizeof session->offsets);
    session->buffered_count = session->flushed = 0;
    session->begun_at_ms = session->world->now_ms;
    session->in_txn = true;
    return SS_OK;
}

/* The coordinator adds the partition, the leader appends. */
static enum outcome append(struct sim_session *session, struct sim_buffered *buffered)
{
    struct sim_world *world = session->world;
    struct sim_producer *producer = producer_of(session);
    int64_t deadline = session->begun_at_ms + SIM_TXN_TIMEOUT_MS;
    for (;;) {
        if (!sim_producer_current(session))
            return FENCED;
        if (!producer->txn || producer->txn->state == SIM_TXN_OPEN)
            break;
        if (sim_txn_settled(world, producer->txn)) {
            producer->txn = NULL;
            break;
        }
        if (world->now_ms >= deadline)
            return TIMED_OUT;
        if (!sim_wait(session))
            return DEAD;
    }
    if (!producer->txn) {
        producer->txn = sim_txn_new(world);
        producer->txn->session = session->number;
        producer->started_ms = world->now_ms;
    }
    bool outside =
        (world->options.mutant == SIM_RANKS_OUTSIDE && buffered->target == SS_TO_RANKS) ||
        (world->options.mutant == SIM_TOLD_OUTSIDE && buffered->target == SS_TO_NEIGHBOURS);
    struct sim_log *log = buffered->target == SS_TO_NEIGHBOURS
                              ? &world->inputs[SS_NEIGHBOURS][buffered->partition]
                              : &world->targets[buffered->target][buffered->partition];
    buffered->record.txn = outside ? NULL : producer->txn;
    buffered->record.timestamp_ms = world->now_ms;
    int64_t offset = sim_log_append(log, &buffered->record);
    if (buffered->mark) {
        struct sim_owned *owned = &session->owned[buffered->partition];
        owned->marked = true;
        owned->mark_offset = offset;
        owned->mark_time_ms = world->now_ms;
        producer->txn->drain_end[buffered->partition] = owned->drain_end;
    }
    return DONE;
}

static enum outcome flush(struct sim_session *session, size_t up_to)
{
    while (session->flushed < up_to) {
        enum outcome outcome = append(session, &session->buffered[session->flushed]);
        if (outcome != DONE)
            return outcome;
        session->flushed++;
        if (sim_chance(session->world, 30) && !sim_wait(session))
            return DEAD;
    }
    return DONE;
}

enum ss_status sim_produce(struct ss_bus *bus, enum ss_target target, int32_t partition,
                           struct ss_bytes key, struct ss_bytes value,
                           const struct ss_header *headers, size_t header_count, bool mark,
                           struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    struct sim_arena *arena = session->world->arena;
    enum sim_fate fate = sim_point(session, "produce");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    assert(session->in_txn && partition >= 0 && partition < bus->partition_count);
    if (key.size + value.size > SIM_RECORD_BYTES_MAX)
        return ss_fail(err, SS_DROP, "record of %zu bytes is too large", key.size + value.size);
    if (fate == SIM_FAILS || session->buffered_count == SIM_BUFFERED_MAX)
        return ss_fail(err, SS_RETRY, "the queue is full");
    struct ss_header *copies = sim_alloc(arena, (header_count + 1) * sizeof *copies);
    for (size_t i = 0; i < header_count; i++) {
        struct ss_bytes name = {headers[i].name, strlen(headers[i].name) + 1};
        copies[i] =
            (struct ss_header){sim_copy(arena, name).data, sim_copy(arena, headers[i].value)};
    }
    session->buffered[session->buffered_count++] =
        (struct sim_buffered){.target = target,
                              .partition = partition,
                              .record = {.key = sim_copy(arena, key),
                                         .value = sim_copy(arena, value),
                                         .headers = copies,
                                         .header_count = header_count},
                              .mark = mark};
    if (sim_chance(session->world, 50))
        (void)flush(session, session->buffered_count); /* what failed shows again at the commit */
    return session->dead ? sim_dead(err) : SS_OK;
}

enum ss_status sim_offset(struct ss_bus *bus, enum ss_input input, int32_t partition,
                          int64_t next_offset, struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    if (session->dead)
        return sim_dead(err);
    assert(session->in_txn);
    session->offsets[input][partition] = next_offset;
    return SS_OK;
}

/* --- ends --- */

/* For the oracle, at the commit: what promise 10 says of each partition's clock. Where the
 * transaction has records of it, their times are the oracle's to look at. */
static void note_clocks(struct sim_session *session, struct sim_txn *txn)
{
    struct ss_bytes order = {session->order,
                             (size_t)session->order_count * sizeof session->order[0]};
    txn->order = sim_copy(session->world->arena, order).data;
    txn->order_count = session->order_count;
    for (int32_t p = 0; p < session->world->partition_count; p++) {
        struct sim_owned *owned = &session->owned[p];
        bool any = false;
        txn->behind[p] = 0;
        for (int i = 0; i < SS_INPUT_COUNT; i++) {
            int64_t at = owned->flows[i].base;
            any |= sim_log_next(&session->world->inputs[i][p], &at, session->offsets[i][p], true) !=
                   NULL; /* not markers alone */
            if (session->offsets[i][p] >= 0)
                owned->flows[i].base = session->offsets[i][p];
            if (i != SS_NEIGHBOURS)
                txn->behind[p] |= (uint32_t)!owned->flows[i].at_end << i;
        }
        txn->allowed_ms[p] = any ? owned->allowed_ms : sim_clock_allowed(session, p);
    }
}

/* EndTxn. false: fenced. */
static bool end_txn(struct sim_session *session, bool commit)
{
    struct sim_producer *producer = producer_of(session);
    if (!sim_producer_current(session))
        return false;
    if (producer->txn && producer->txn->state == SIM_TXN_OPEN) {
        if (commit)
            note_clocks(session, producer->txn);
        producer->txn->ranks_begun = session->ranks_begun;
        sim_txn_decide(session->world, producer->txn, commit);
    }
    return true;
}

static void leave_transaction(struct sim_session *session, bool discard)
{
    session->in_txn = false;
    session->buffered_count = session->flushed = 0;
    if (discard || !end_txn(session, false))
        session->epoch = -1;
}

static enum ss_status fail_transaction(struct sim_session *session, const char *step, bool discard,
                                       enum sim_refusal refusal, struct ss_error *err)
{
    bool late = session->world->now_ms - session->begun_at_ms >= SIM_TXN_TIMEOUT_MS;
    leave_transaction(session, discard);
    sim_take_back(session, refusal == SIM_STALE ? SIM_SESSION_TIMEOUT_MS / 3 : 0);
    if (refusal == SIM_FENCED && !late)
        return sim_fenced(session, step, err);
    if (refusal == SIM_STALE)
        return ss_fail(err, SS_GIVE_UP, "%s refused, the group has moved on", step);
    return ss_fail(err, SS_RETRY, "%s failed", step);
}

static enum ss_status fail_outcome(struct sim_session *session, const char *step,
                                   enum outcome outcome, struct ss_error *err)
{
    if (outcome == DEAD)
        return sim_dead(err);
    return fail_transaction(session, step, true, outcome == FENCED ? SIM_FENCED : SIM_ACCEPTED,
                            err);
}

static enum ss_status send_offsets(struct sim_session *session, struct ss_error *err)
{
    struct sim_world *world = session->world;
    struct sim_producer *producer = producer_of(session);
    bool any = false;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        for (int32_t p = 0; p < world->partition_count; p++)
            any |= session->offsets[i][p] >= 0;
    if (!any)
        return SS_OK;
    if (session->generation < 0 && world->options.mutant != SIM_GENERATION_MINUS_ONE)
        return fail_transaction(session, "offsets", false, SIM_STALE, err);
    if (!sim_producer_current(session))
        return fail_transaction(session, "offsets", false, SIM_FENCED, err);
    enum sim_refusal refusal = sim_group_accepts(session);
    if (refusal == SIM_FENCED) { /* by instance id: never only late */
        leave_transaction(session, false);
        return sim_fenced(session, "offsets", err);
    }
    if (refusal != SIM_ACCEPTED)
        return fail_transaction(session, "offsets", false, refusal, err);
    if (!producer->txn || producer->txn->state != SIM_TXN_OPEN) {
        if (!sim_txn_settled(world, producer->txn))
            return fail_transaction(session, "offsets", true, SIM_ACCEPTED, err);
        producer->txn = sim_txn_new(world);
        producer->txn->session = session->number;
        producer->started_ms = world->now_ms;
    }
    struct sim_txn *txn = producer->txn;
    txn->has_offsets = true;
    sim_trace(world, "session %d: offsets into txn %d", session->number, txn->number);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        for (int32_t p = 0; p < world->partition_count; p++)
            if (session->offsets[i][p] >= 0)
                txn->offsets[i][p] = session->offsets[i][p];
    return SS_OK;
}

static enum ss_status flush_step(struct sim_session *session, struct ss_error *err)
{
    enum sim_fate fate = sim_point(session, "flush");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (fate == SIM_FAILS || fate == SIM_FAILS_LATER) { /* a part of it is in the logs */
        size_t left = session->buffered_count - session->flushed;
        enum outcome outcome =
            flush(session, session->flushed + sim_below(session->world, (uint32_t)left + 1));
        if (session->world->options.mutant == SIM_OFFSETS_BEFORE_FLUSH && outcome == DONE)
            return SS_OK; /* the offsets are there, what can be wrong */
        return fail_outcome(session, "delivery", outcome == DONE ? TIMED_OUT : outcome, err);
    }
    enum outcome outcome = flush(session, session->buffered_count);
    return outcome == DONE ? SS_OK : fail_outcome(session, "flush", outcome, err);
}

static enum ss_status offsets_step(struct sim_session *session, struct ss_error *err)
{
    enum sim_fate fate = sim_point(session, "offsets");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (fate == SIM_FAILS)
        return fail_transaction(session, "offsets", true, SIM_ACCEPTED, err);
    enum ss_status status = send_offsets(session, err);
    if (status == SS_OK && fate == SIM_FAILS_LATER)
        return fail_transaction(session, "offsets", true, SIM_ACCEPTED, err);
    return status;
}

static enum ss_status end_step(struct sim_session *session, struct ss_error *err)
{
    enum sim_fate fate = sim_point(session, "commit");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    bool applied = fate != SIM_FAILS && end_txn(session, true);
    if (fate == SIM_GOES && !applied)
        return fail_transaction(session, "commit", false, SIM_FENCED, err);
    if (fate != SIM_GOES && session->world->options.mutant == SIM_UNKNOWN_COMMIT_IS_FINE) {
        session->in_txn = false;
        session->epoch = -1;
        return SS_OK;
    }
    if (fate != SIM_GOES) /* unknown: the next producer settles it */
        return fail_transaction(session, "commit", true, SIM_ACCEPTED, err);
    session->in_txn = false;
    return SS_OK;
}

enum ss_status sim_commit(struct ss_bus *bus, struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    if (session->dead)
        return sim_dead(err);
    assert(session->in_txn);
    bool early = session->world->options.mutant == SIM_OFFSETS_BEFORE_FLUSH;
    enum ss_status status = early ? offsets_step(session, err) : flush_step(session, err);
    if (status == SS_OK)
        status = early ? flush_step(session, err) : offsets_step(session, err);
    if (status == SS_OK)
        status = end_step(session, err);
    if (status != SS_OK)
        return status;
    return sim_point(session, "committed") == SIM_DEAD ? sim_dead(err) : SS_OK;
}

enum ss_status sim_abort(struct ss_bus *bus, struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    enum sim_fate fate = sim_point(session, "abort");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    assert(session->in_txn);
    leave_transaction(session, fate == SIM_FAILS);
    sim_take_back(session, 0);
    return SS_OK;
}

enum ss_status sim_mark(struct ss_bus *bus, int32_t partition, int64_t *offset,
                        int64_t *broker_time_ms, struct ss_error *err)
{
    const struct sim_session *session = session_of(bus);
    if (session->dead)
        return sim_dead(err);
    if (!session->owned[partition].marked)
        return ss_fail(err, SS_GIVE_UP, "no mark of partition %d in the last transaction",
                       partition);
    *offset = session->owned[partition].mark_offset;
    *broker_time_ms = session->owned[partition].mark_time_ms;
    return SS_OK;
}
