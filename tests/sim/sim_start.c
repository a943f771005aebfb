/* sim_start.c - what a partition's new owner reads: offsets, then the changelog, as
 * consumer/kafka_start.c does it. Every wait lets the others go on. */
#include "sim.h"

static enum ss_status gone(int32_t partition, struct ss_error *err)
{
    return ss_fail(err, SS_GIVE_UP, "partition %d is no longer ours", partition);
}

/* One turn of waiting: serves the group, lets time pass. */
static enum ss_status wait_turn(struct sim_session *session, int32_t partition,
                                struct ss_error *err)
{
    enum ss_status status = sim_group_serve(session, err);
    if (status == SS_OK && !sim_owns(session, partition))
        return gone(partition, err);
    if (status == SS_OK && !sim_wait(session))
        return sim_dead(err);
    return status;
}

static enum ss_status committed(struct sim_session *session, int32_t partition,
                                struct ss_partition_start *out, struct ss_error *err)
{
    struct sim_world *world = session->world;
    int64_t deadline = world->now_ms + SIM_RESTORE_TIMEOUT_MS;
    while (world->options.mutant != SIM_UNSTABLE_OFFSETS && sim_offsets_pending(world, partition)) {
        if (world->now_ms >= deadline)
            return ss_fail(err, SS_RETRY, "no committed offsets of partition %d", partition);
        enum ss_status status = wait_turn(session, partition, err);
        if (status != SS_OK)
            return status;
    }
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        out->positions[i] = world->group.committed[i][partition];
    return SS_OK;
}

static int64_t changelog_end(const struct sim_session *session, int32_t partition)
{
    const struct sim_log *log = &session->world->targets[SS_TO_CHANGELOG][partition];
    switch (session->world->options.mutant) {
    case SIM_RESTORE_TO_LAST_STABLE:
        return sim_log_stable(log);
    case SIM_WATERMARK_BEFORE_OFFSETS: /* asked for on joining, before the predecessor was done */
        return session->owned[partition].early_end;
    default:
        return log->end;
    }
}

enum ss_status sim_start(struct ss_bus *bus, int32_t partition, struct ss_partition_start *out,
                         struct ss_error *err)
{
    struct sim_session *session = (struct sim_session *)bus;
    struct sim_world *world = session->world;
    enum sim_fate fate = sim_point(session, "start");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (!sim_owns(session, partition))
        return gone(partition, err);
    if (fate == SIM_FAILS)
        return ss_fail(err, SS_RETRY, "the coordinator is away");
    out->committed = false;
    enum ss_status status = committed(session, partition, out, err);
    if (status != SS_OK)
        return status;
    if (sim_point(session, "start: offsets read") == SIM_DEAD)
        return sim_dead(err);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const struct sim_log *log = &world->inputs[i][partition];
        out->starts[i] = log->start;
        out->ends[i] = sim_log_stable(log);
        if (out->positions[i] < 0) {
            out->positions[i] = log->start;
            continue;
        }
        out->committed = true;
        if (out->positions[i] < log->start &&
            out->positions[i] != world->group.committed[i][partition])
            return ss_fail(err, SS_RETRY, "the committed offset has moved on");
        if (out->positions[i] < log->start)
            return ss_fail(err, SS_STOP, "%s [%d]: committed offset %lld is gone",
                           ss_input_name((enum ss_input)i), partition,
                           (long long)out->positions[i]);
    }
    session->owned[partition].drain_end = out->ends[SS_CONSENTS];
    if (sim_point(session, "start: ends read") == SIM_DEAD)
        return sim_dead(err);
    out->changelog_start = world->targets[SS_TO_CHANGELOG][partition].start;
    out->changelog_end = changelog_end(session, partition);
    sim_trace(world, "session %d: start of %d: consents %lld, changelog %lld to %lld",
              session->number, partition, (long long)out->positions[SS_CONSENTS],
              (long long)out->changelog_start, (long long)out->changelog_end);
    return sim_point(session, "started") == SIM_DEAD ? sim_dead(err) : SS_OK;
}

enum ss_status sim_restore(struct ss_bus *bus, int32_t partition, int64_t from, int64_t to,
                           ss_restore_sink *sink, void *arg, struct ss_error *err)
{
    struct sim_session *session = (struct sim_session *)bus;
    struct sim_world *world = session->world;
    const struct sim_log *log = &world->targets[SS_TO_CHANGELOG][partition];
    int64_t position = from, progress_ms = world->now_ms;
    enum sim_fate fate = sim_point(session, "restore");
    if (fate == SIM_DEAD)
        return sim_dead(err);
    if (!sim_owns(session, partition))
        return gone(partition, err);
    if (fate == SIM_FAILS)
        return ss_fail(err, SS_RETRY, "reading the changelog: the broker is away");
    if (from < log->start)
        return ss_fail(err, SS_GIVE_UP, "the changelog no longer holds %lld", (long long)from);
    session->restores++;
    while (position < to) {
        int64_t stable = sim_log_stable(log), end = stable < to ? stable : to;
        const struct sim_record *record = sim_log_next(log, &position, end, false);
        if (record) {
            enum ss_status status =
                sink(arg, position - 1, record->timestamp_ms, record->key, record->value, err);
            if (status != SS_OK)
                return status;
            progress_ms = world->now_ms;
            if (!sim_chance(world, 60))
                continue;
            if (!world->calm && sim_chance(world, 20))
                return ss_fail(err, SS_RETRY, "reading the changelog: the connection broke");
        } else if (end > position) {
            position = end; /* markers, aborted records */
            continue;
        } else if (world->now_ms - progress_ms > SIM_RESTORE_TIMEOUT_MS) {
            return ss_fail(err, SS_GIVE_UP, "restore stands at %lld of %lld", (long long)position,
                           (long long)to);
        }
        enum ss_status status = wait_turn(session, partition, err);
        if (status != SS_OK)
            return status;
    }
    return sim_point(session, "restored") == SIM_DEAD ? sim_dead(err) : SS_OK;
}

enum ss_status sim_newest_group(struct ss_bus *bus, int32_t partition,
                                const struct ss_partition_start *start, char group[SS_GROUP_MAX],
                                struct ss_error *err)
{
    const struct sim_session *session = (struct sim_session *)bus;
    const struct sim_log *log = &session->world->targets[SS_TO_CHANGELOG][partition];
    struct ss_mark mark = {.group = ""};
    enum ss_status status = SS_OK;
    int64_t at = start->changelog_start, end = sim_log_stable(log);
    const struct sim_record *record, *newest = NULL;
    if (start->changelog_end < end)
        end = start->changelog_end;
    while ((record = sim_log_next(log, &at, end, false)))
        if (ss_bytes_equal(record->key, ss_mark_key))
            newest = record;
    if (newest)
        status = ss_mark_unpack(newest->value, &mark, err);
    memcpy(group, mark.group, sizeof mark.group);
    return status;
}
