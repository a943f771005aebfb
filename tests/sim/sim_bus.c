/* sim_bus.c - the client's side of the simulated Kafka: flows and poll, as consumer/kafka_bus.c has
 * them. A log is read in place; a queue between would add nothing, since that of a stopped flow is
 * never delivered. */
#include "sim.h"

#include <assert.h>
#include <stdio.h>

bool sim_owns(const struct sim_session *session, int32_t partition)
{
    const struct sim_owned *owned = &session->owned[partition];
    return owned->announced && !owned->revoke_pending;
}

static enum ss_status gone(int32_t partition, struct ss_error *err)
{
    return ss_fail(err, SS_GIVE_UP, "partition %d is no longer ours", partition);
}

static struct sim_session *session_of(struct ss_bus *bus)
{
    return (struct sim_session *)bus;
}

static void flows_stop(struct sim_owned *owned)
{
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        owned->flows[i].flowing = false;
}

void sim_on_revoke(struct sim_session *session, bool lost)
{
    for (int32_t p = 0; p < session->bus.partition_count; p++) {
        struct sim_owned *owned = &session->owned[p];
        flows_stop(owned);
        owned->assigned = owned->assign_pending = owned->open = false;
        if (owned->announced) {
            owned->revoke_pending = true;
            owned->revoke_lost |= lost;
        }
    }
    session->generation = -1;
}

void sim_on_join(struct sim_session *session)
{
    for (int32_t p = 0; p < session->bus.partition_count; p++)
        session->owned[p].early_end = session->world->targets[SS_TO_CHANGELOG][p].end;
}

void sim_take_back(struct sim_session *session, int pause_ms)
{
    for (int32_t p = 0; p < session->bus.partition_count; p++) {
        struct sim_owned *owned = &session->owned[p];
        flows_stop(owned);
        owned->open = false;
        if (owned->announced)
            owned->revoke_pending = owned->revoke_lost = true;
        owned->assign_pending = owned->assigned;
    }
    session->reassign_at_ms = session->world->now_ms + pause_ms;
}

/* --- flows --- */

static enum ss_status sim_open_partition(struct ss_bus *bus, int32_t partition,
                                         const int64_t positions[SS_INPUT_COUNT],
                                         struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    enum sim_fate fate = sim_point(session, "open");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (!sim_owns(session, partition))
        return gone(partition, err);
    struct sim_owned *owned = &session->owned[partition];
    flows_stop(owned);
    if (fate == SIM_FAILS)
        return ss_fail(err, SS_RETRY, "cannot open");
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        owned->flows[i].next = owned->flows[i].passed = owned->flows[i].base = positions[i];
        owned->flows[i].reached_ms = owned->flows[i].looked_ms = 0;
        owned->flows[i].at_end = false;
        owned->flows[i].flowing = !owned->flows[i].held;
    }
    owned->allowed_ms = 0;
    owned->open = true;
    return SS_OK;
}

static enum ss_status sim_hold(struct ss_bus *bus, enum ss_input input, int32_t partition,
                               bool hold, struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    enum sim_fate fate = sim_point(session, "hold");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (!sim_owns(session, partition))
        return gone(partition, err);
    struct sim_owned *owned = &session->owned[partition];
    struct sim_flow *flow = &owned->flows[input];
    flow->held = hold;
    if (hold)
        flow->flowing = false;
    else if (owned->open && fate == SIM_FAILS)
        return ss_fail(err, SS_RETRY, "cannot let it flow");
    else if (owned->open)
        flow->flowing = true;
    return SS_OK;
}

static int64_t sim_position(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    const struct sim_flow *flow = &session_of(bus)->owned[partition].flows[input];
    return flow->passed > flow->next ? flow->passed : flow->next;
}

static bool sim_at_end(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    return session_of(bus)->owned[partition].flows[input].at_end;
}

static enum ss_status sim_rewind(struct ss_bus *bus, enum ss_input input, int32_t partition,
                                 int64_t next_offset, struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    enum sim_fate fate = sim_point(session, "rewind");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (!sim_owns(session, partition))
        return gone(partition, err);
    struct sim_owned *owned = &session->owned[partition];
    struct sim_flow *flow = &owned->flows[input];
    flow->flowing = false;
    flow->next = flow->passed = next_offset;
    flow->at_end = false;
    if (!owned->open || flow->held)
        return SS_OK;
    if (fate == SIM_FAILS)
        return ss_fail(err, SS_RETRY, "cannot rewind");
    flow->flowing = true;
    return SS_OK;
}

/* --- poll --- */

static bool group_event(struct sim_session *session, struct ss_poll *out)
{
    size_t count = 0;
    bool any_lost = false;
    for (int32_t p = 0; p < session->bus.partition_count; p++)
        any_lost |= session->owned[p].revoke_pending && session->owned[p].revoke_lost;
    for (int32_t p = 0; p < session->bus.partition_count; p++) {
        struct sim_owned *owned = &session->owned[p];
        if (!owned->revoke_pending || owned->revoke_lost != any_lost)
            continue;
        owned->revoke_pending = owned->revoke_lost = owned->announced = false;
        session->event_partitions[count++] = p;
    }
    out->event = SS_BUS_REVOKED;
    out->lost = any_lost;
    if (count == 0 && session->epoch >= 0 && session->world->now_ms >= session->reassign_at_ms) {
        for (int32_t p = 0; p < session->bus.partition_count; p++) {
            struct sim_owned *owned = &session->owned[p];
            if (!owned->assign_pending)
                continue;
            owned->assign_pending = false;
            owned->announced = true;
            memset(owned->flows, 0, sizeof owned->flows);
            session->event_partitions[count++] = p;
        }
        out->event = SS_BUS_ASSIGNED;
        out->lost = false;
    }
    if (count == 0) {
        out->event = SS_BUS_NOTHING;
        return false;
    }
    out->partitions = session->event_partitions;
    out->partition_count = count;
    sim_trace(session->world, "session %d: %s %zu from %d", session->number,
              out->event == SS_BUS_ASSIGNED ? "gets"
              : out->lost                   ? "has lost"
                                            : "gives up",
              count, session->event_partitions[0]);
    return true;
}

/* For promise 10, by upstream's truth: what a record says of the time that its input has come to.
 */
static int64_t event_ms(const struct sim_record *record)
{
    const struct sim_truth *truth = record->truth;
    if (!truth || truth->reason || truth->event.occurred_at_ms < SS_OCCURRED_AT_MIN)
        return 0;
    int64_t stamp_ms = record->timestamp_ms;
    return stamp_ms >= 0 && stamp_ms < truth->event.occurred_at_ms ? stamp_ms
                                                                   : truth->event.occurred_at_ms;
}

/* How far the clock of a partition may come, by what has been read and looked at: everything before
 * it has been read. */
int64_t sim_clock_allowed(const struct sim_session *session, int32_t partition)
{
    const struct sim_owned *owned = &session->owned[partition];
    int64_t allowed_ms = session->world->now_ms + SIM_SKEW_MS;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const struct sim_flow *flow = &owned->flows[i];
        if (i != SS_NEIGHBOURS && !flow->at_end && flow->reached_ms - 1 < allowed_ms)
            allowed_ms = flow->reached_ms - 1;
    }
    return allowed_ms > owned->allowed_ms ? allowed_ms : owned->allowed_ms;
}

/* What the fetches say of the logs' ends; not always the newest. */
static void look(struct sim_session *session)
{
    struct sim_world *world = session->world;
    for (int32_t p = 0; p < session->bus.partition_count; p++)
        for (int i = 0; i < SS_INPUT_COUNT && session->owned[p].open; i++) {
            struct sim_flow *flow = &session->owned[p].flows[i];
            const struct sim_log *log = &world->inputs[i][p];
            int64_t next = flow->next;
            if (!flow->flowing ||
                (world->now_ms - flow->looked_ms < SIM_LOOK_MS && sim_chance(world, 100)))
                continue;
            flow->looked_ms = world->now_ms;
            flow->at_end = !sim_log_next(log, &next, sim_log_stable(log), false);
        }
}

/* Takes up to `max` records of a flow. */
static void take(struct sim_session *session, int input, int32_t partition, size_t max,
                 struct ss_poll *out)
{
    struct sim_world *world = session->world;
    struct sim_owned *owned = &session->owned[partition];
    struct sim_flow *flow = &owned->flows[input];
    if (!owned->open || !flow->flowing)
        return;
    const struct sim_log *log = &world->inputs[input][partition];
    int64_t end = world->options.mutant == SIM_READ_UNCOMMITTED ? log->end : sim_log_stable(log);
    while (max-- > 0) {
        int64_t next = flow->next;
        const struct sim_record *record = sim_log_next(log, &next, end, false);
        while (!record && next < end) { /* an uncommitted one, for the mutant that reads those */
            if (world->options.mutant == SIM_READ_UNCOMMITTED && !log->records[next].control)
                record = &log->records[next];
            next++;
        }
        if (!record) {
            if (end > flow->passed)
                flow->passed = end;
            return;
        }
        flow->next = next;
        flow->at_end = false;
        if (event_ms(record) > flow->reached_ms)
            flow->reached_ms = event_ms(record);
        session->records[out->record_count++] =
            (struct ss_record){.input = (enum ss_input)input,
                               .partition = partition,
                               .offset = next - 1,
                               .timestamp_ms = record->timestamp_ms,
                               .key = record->key,
                               .value = record->value,
                               .message = (void *)(uintptr_t)record->headers};
        out->event = SS_BUS_RECORDS;
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* blacklist, consents, then the others as chance will have it. */
static void drain(struct sim_session *session, size_t records_max, struct ss_poll *out)
{
    static const int first[] = {SS_BLACKLIST, SS_CONSENTS};
    struct sim_world *world = session->world;
    int32_t partitions = session->bus.partition_count;
    if (!world->calm)
        records_max = 1 + sim_below(world, (uint32_t)records_max);
    for (int q = 0; q < 2; q++)
        for (int32_t i = 0, at = (int32_t)sim_below(world, 4); i < partitions; i++)
            if (world->calm || sim_chance(world, 850)) /* or the fetch is still on its way */
                take(session, first[q], (at + i) % partitions, records_max - out->record_count,
                     out);
    for (int tries = 0; tries < 10 * partitions && out->record_count < records_max; tries++) {
        /* One by one: the order of arguments is the compiler's. */
        int input = (int)sim_below(world, SS_CONSENTS + 1);
        if (input == SS_CONSENTS)
            input = SS_NEIGHBOURS;
        int32_t partition = (int32_t)sim_below(world, (uint32_t)partitions);
        if (input == world->slow_input && sim_chance(world, 900))
            continue;
        size_t most = 1 + sim_below(world, 6);
        take(session, input, partition, least(records_max - out->record_count, most), out);
    }
}

/* A fetch from before the log's start: the broker holds no such offset. */
static enum ss_status look_for_cuts(const struct sim_session *session, struct ss_error *err)
{
    for (int32_t p = 0; p < session->bus.partition_count; p++)
        for (int i = 0; i < SS_INPUT_COUNT && session->owned[p].open; i++) {
            const struct sim_flow *flow = &session->owned[p].flows[i];
            int64_t start = session->world->inputs[i][p].start;
            if (flow->flowing && flow->next < start && flow->passed < start)
                return ss_fail(err, SS_STOP, "%s [%d] no longer holds offset %lld",
                               ss_input_name((enum ss_input)i), p, (long long)flow->next);
        }
    return SS_OK;
}

static enum ss_status sim_poll(struct ss_bus *bus, size_t records_max, int timeout_ms,
                               struct ss_poll *out, struct ss_error *err)
{
    struct sim_session *session = session_of(bus);
    (void)timeout_ms;
    assert(!session->in_txn);
    *out = (struct ss_poll){.event = SS_BUS_NOTHING};
    enum sim_fate fate = sim_point(session, "poll");
    enum ss_status status = fate == SIM_DEAD ? sim_dead(err) : sim_group_serve(session, err);
    if (status != SS_OK)
        return status;
    for (int32_t p = 0; p < session->bus.partition_count; p++)
        if (session->owned[p].open)
            session->owned[p].allowed_ms = sim_clock_allowed(session, p);
    bool ready = session->epoch >= 0 ||
                 (session->world->now_ms >= session->anew_at_ms && sim_producer_init(session));
    if (group_event(session, out))
        return SS_OK;
    if (!ready)
        return ss_fail(err, SS_RETRY, "transactions not ready");
    if (fate == SIM_FAILS)
        return ss_fail(err, SS_RETRY, "the cluster does not answer");
    out->records = session->records;
    status = look_for_cuts(session, err);
    if (status != SS_OK)
        return status;
    drain(session, least(records_max, SIM_BATCH_MAX), out);
    session->order_count = (int)out->record_count;
    for (size_t i = 0; i < out->record_count; i++)
        session->order[i] = (struct sim_delivery){
            (int)out->records[i].input, out->records[i].partition, out->records[i].offset};
    look(session);
    return SS_OK;
}

static bool sim_header(struct ss_bus *bus, const struct ss_record *record, size_t i,
                       struct ss_header *out)
{
    (void)bus;
    const struct ss_header *headers = record->message;
    if (!headers || !headers[i].name)
        return false; /* upstream ends its lists with a NULL */
    *out = headers[i];
    return true;
}

void sim_bus_leave(struct sim_session *session)
{
    if (!session->world->static_members && !session->fenced)
        sim_group_leave(session);
}

void sim_bus_init(struct sim_session *session)
{
    static const struct ss_bus_ops ops = {
        .poll = sim_poll,
        .start = sim_start,
        .restore = sim_restore,
        .newest_group = sim_newest_group,
        .open_partition = sim_open_partition,
        .hold = sim_hold,
        .position = sim_position,
        .at_end = sim_at_end,
        .rewind = sim_rewind,
        .begin = sim_begin,
        .produce = sim_produce,
        .commit = sim_commit,
        .abort = sim_abort,
        .offset = sim_offset,
        .mark = sim_mark,
        .header = sim_header,
    };
    session->bus.ops = &ops;
    session->bus.partition_count = session->world->partition_count;
    snprintf(session->bus.cluster_id, sizeof session->bus.cluster_id, "simulated");
    session->generation = -1;
    session->epoch = -1;
}
