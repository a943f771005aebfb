/* helper_memory_bus_ops.c - the bus as the worker calls it, with the failures that were planned. */
#include "helper_memory_bus_internal.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct memory_bus *memory_of(struct ss_bus *bus)
{
    return (struct memory_bus *)bus;
}

/* Whether this call is the one that fails. */
static bool fails(struct memory_bus *memory, enum memory_op op, struct plan *plan)
{
    memory->calls[op]++;
    *plan = memory->plans[op];
    if (plan->nth == 0 || --memory->plans[op].nth > 0)
        return false;
    return true;
}

/* For ops that fail before doing anything, or after. */
#define FAIL_EARLY(op)                       \
    struct plan plan;                        \
    bool failing = fails(memory, op, &plan); \
    if (failing && !plan.late)               \
    return ss_fail(err, plan.status, "injected failure of " #op)
#define FAIL_LATE(op) failing ? ss_fail(err, plan.status, "injected late failure of " #op) : SS_OK

static void take_back(struct memory_bus *memory)
{
    for (int32_t p = 0; p < memory->bus.partition_count; p++) {
        struct part *part = &memory->parts[p];
        part->open = false;
        if (!part->owned)
            continue;
        part->revoke_pending = part->lost = true;
        part->assign_pending = true;
    }
}

static bool tell(struct memory_bus *memory, struct ss_poll *out)
{
    size_t count = 0;
    for (int32_t p = 0; p < memory->bus.partition_count; p++) {
        struct part *part = &memory->parts[p];
        if (!part->revoke_pending)
            continue;
        out->lost |= part->lost;
        part->revoke_pending = part->lost = part->owned = part->open = false;
        memory->told[count++] = p;
    }
    out->event = SS_BUS_REVOKED;
    if (count == 0) {
        for (int32_t p = 0; p < memory->bus.partition_count; p++) {
            struct part *part = &memory->parts[p];
            if (!part->assign_pending)
                continue;
            part->assign_pending = false;
            part->owned = true;
            memset(part->flows, 0, sizeof part->flows);
            memory->told[count++] = p;
        }
        out->event = SS_BUS_ASSIGNED;
    }
    out->partitions = memory->told;
    out->partition_count = count;
    if (count == 0)
        *out = (struct ss_poll){.event = SS_BUS_NOTHING};
    return count > 0;
}

/* Of delivery. */
static const enum ss_input order[SS_INPUT_COUNT] = {SS_PAYMENTS,  SS_BILLS,    SS_BOOKINGS,
                                                    SS_SOCIAL,    SS_PROFILES, SS_NEIGHBOURS,
                                                    SS_BLACKLIST, SS_CONSENTS};

/* As a consumer learns of the end of a log, by polling it. */
static void find_ends(struct memory_bus *memory)
{
    for (int32_t p = 0; p < memory->bus.partition_count; p++) {
        struct part *part = &memory->parts[p];
        for (int input = 0; part->open && input < SS_INPUT_COUNT; input++) {
            int64_t next = part->flows[input].next;
            if (!part->flows[input].held && !memory_log_next(&part->inputs[input], &next))
                part->flows[input].passed = part->inputs[input].end;
        }
    }
}

static enum ss_status memory_poll(struct ss_bus *bus, size_t records_max, int timeout_ms,
                                  struct ss_poll *out, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    size_t count = 0;
    (void)timeout_ms;
    cr_assert(!memory->in_transaction, "polled with a transaction open");
    *out = (struct ss_poll){.event = SS_BUS_NOTHING};
    FAIL_EARLY(MEMORY_POLL);
    if (tell(memory, out))
        return SS_OK;
    if (memory->poll_max && memory->poll_max < records_max)
        records_max = memory->poll_max;
    if (records_max > memory->record_capacity) {
        memory->records = realloc(memory->records, records_max * sizeof *memory->records);
        memory->record_capacity = records_max;
    }
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        enum ss_input input = order[i];
        for (int32_t p = 0; p < bus->partition_count; p++) {
            struct part *part = &memory->parts[p];
            struct flow *flow = &part->flows[input];
            struct memory_log *log = &part->inputs[input];
            while (part->open && !flow->held && count < records_max) {
                struct memory_record *record =
                    (struct memory_record *)memory_log_next(log, &flow->next);
                if (!record)
                    break;
                memory->records[count++] = (struct ss_record){.input = input,
                                                              .partition = p,
                                                              .offset = flow->next - 1,
                                                              .timestamp_ms = record->timestamp_ms,
                                                              .key = record->key,
                                                              .value = record->value,
                                                              .message = record};
            }
        }
    }
    find_ends(memory);
    if (count)
        *out = (struct ss_poll){
            .event = SS_BUS_RECORDS, .records = memory->records, .record_count = count};
    return SS_OK;
}

static enum ss_status memory_start(struct ss_bus *bus, int32_t partition,
                                   struct ss_partition_start *out, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    const struct part *part = &memory->parts[partition];
    FAIL_EARLY(MEMORY_START);
    cr_assert(part->owned, "started partition %d, which is not owned", partition);
    *out = (struct ss_partition_start){.changelog_end = part->targets[SS_TO_CHANGELOG].end};
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        int64_t committed = part->committed[input], start = part->starts[input];
        if (committed >= 0 && committed < start)
            return ss_fail(err, SS_STOP, "%s [%d]: committed offset %lld is gone",
                           ss_input_name((enum ss_input)input), partition, (long long)committed);
        out->committed |= committed >= 0;
        out->starts[input] = start;
        out->positions[input] = committed >= 0 ? committed : start;
        out->ends[input] = part->inputs[input].end;
    }
    return SS_OK;
}

static enum ss_status memory_restore(struct ss_bus *bus, int32_t partition, int64_t from,
                                     int64_t to, ss_restore_sink *sink, void *arg,
                                     struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    const struct memory_log *log = &memory->parts[partition].targets[SS_TO_CHANGELOG];
    FAIL_EARLY(MEMORY_RESTORE);
    for (int64_t offset = from; offset < to; offset++) {
        const struct memory_record *record = log->records[offset];
        if (record->marker || record->aborted)
            continue;
        enum ss_status status =
            sink(arg, offset, record->timestamp_ms, record->key, record->value, err);
        if (status != SS_OK)
            return status;
    }
    return FAIL_LATE(MEMORY_RESTORE);
}

static enum ss_status memory_newest_group(struct ss_bus *bus, int32_t partition,
                                          const struct ss_partition_start *start,
                                          char group[SS_GROUP_MAX], struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    const struct memory_log *log = &memory->parts[partition].targets[SS_TO_CHANGELOG];
    struct ss_mark mark = {.group = ""};
    FAIL_EARLY(MEMORY_NEWEST_GROUP);
    for (int64_t offset = start->changelog_end; offset-- > start->changelog_start;) {
        const struct memory_record *record = log->records[offset];
        if (record->marker || record->aborted || !ss_bytes_equal(record->key, ss_mark_key))
            continue;
        enum ss_status status = ss_mark_unpack(record->value, &mark, err);
        if (status != SS_OK)
            return status;
        break;
    }
    memcpy(group, mark.group, sizeof mark.group);
    return FAIL_LATE(MEMORY_NEWEST_GROUP);
}

static enum ss_status memory_open(struct ss_bus *bus, int32_t partition,
                                  const int64_t positions[SS_INPUT_COUNT], struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    struct part *part = &memory->parts[partition];
    FAIL_EARLY(MEMORY_OPEN);
    cr_assert(part->owned);
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        cr_assert_geq(positions[input], part->starts[input], "%s is no longer there",
                      ss_input_name((enum ss_input)input));
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        part->flows[input].next = part->flows[input].passed = positions[input];
    part->open = true;
    return SS_OK;
}

static enum ss_status memory_hold(struct ss_bus *bus, enum ss_input input, int32_t partition,
                                  bool hold, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    FAIL_EARLY(MEMORY_HOLD);
    memory->parts[partition].flows[input].held = hold;
    return SS_OK;
}

static int64_t memory_position(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    const struct flow *flow = &memory_of(bus)->parts[partition].flows[input];
    return flow->passed > flow->next ? flow->passed : flow->next;
}

static bool memory_at_end(struct ss_bus *bus, enum ss_input input, int32_t partition)
{
    const struct part *part = &memory_of(bus)->parts[partition];
    int64_t next = part->flows[input].next;
    return part->open && !part->flows[input].held &&
           !memory_log_next((struct memory_log *)&part->inputs[input], &next);
}

static enum ss_status memory_rewind(struct ss_bus *bus, enum ss_input input, int32_t partition,
                                    int64_t next_offset, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    FAIL_EARLY(MEMORY_REWIND);
    cr_assert_leq(next_offset, memory->parts[partition].flows[input].next);
    memory->parts[partition].flows[input].next = next_offset;
    memory->parts[partition].flows[input].passed = next_offset;
    return SS_OK;
}

static enum ss_status memory_begin(struct ss_bus *bus, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    struct plan plan;
    cr_assert(!memory->in_transaction);
    if (fails(memory, MEMORY_BEGIN, &plan)) {
        take_back(memory);
        return ss_fail(err, plan.status, "injected failure of begin");
    }
    memory->in_transaction = true;
    for (int32_t p = 0; p < bus->partition_count; p++) {
        memory->parts[p].mark_offset = -1;
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            memory->parts[p].pending[input] = -1;
    }
    return SS_OK;
}

/* Records of the open transaction stand in the log as aborted, until a commit says otherwise; so
 * a transaction that nobody ends is invisible. */
static enum ss_status memory_produce(struct ss_bus *bus, enum ss_target target, int32_t partition,
                                     struct ss_bytes key, struct ss_bytes value,
                                     const struct ss_header *headers, size_t header_count,
                                     bool mark, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    size_t size = key.size + value.size;
    FAIL_EARLY(MEMORY_PRODUCE);
    cr_assert(memory->in_transaction);
    cr_assert(target == SS_TO_NEIGHBOURS || memory->parts[partition].owned,
              "produced to partition %d, which is not owned", partition);
    for (size_t i = 0; i < header_count; i++)
        size += strlen(headers[i].name) + headers[i].value.size;
    if (size > memory->record_max)
        return ss_fail(err, SS_DROP, "a record of %zu bytes", size);
    struct memory_record *record = memory_record_new(key, value, headers, header_count);
    record->aborted = true;
    record->mark = mark;
    record->timestamp_ms = memory->now_ms;
    memory_log_append(target == SS_TO_NEIGHBOURS ? &memory->parts[partition].inputs[SS_NEIGHBOURS]
                                                 : &memory->parts[partition].targets[target],
                      record);
    return FAIL_LATE(MEMORY_PRODUCE);
}

/* The records since the last marker are the transaction's. */
static void end_log(struct memory_log *log, bool commit, struct part *part)
{
    int64_t first = log->end;
    while (first > 0 && !log->records[first - 1]->marker && log->records[first - 1]->aborted)
        first--;
    if (first == log->end)
        return;
    for (int64_t i = first; commit && i < log->end; i++) {
        log->records[i]->aborted = false;
        if (log->records[i]->mark) {
            part->mark_offset = i;
            part->mark_time_ms = log->records[i]->timestamp_ms;
        }
    }
    memory_log_append_marker(log);
}

static void end_transaction(struct memory_bus *memory, bool commit)
{
    memory->in_transaction = false;
    for (int32_t p = 0; p < memory->bus.partition_count; p++) {
        struct part *part = &memory->parts[p];
        for (int target = 0; target < SS_TARGET_MAX; target++)
            end_log(&part->targets[target], commit, part);
        end_log(&part->inputs[SS_NEIGHBOURS], commit, part);
        for (int input = 0; commit && input < SS_INPUT_COUNT; input++)
            if (part->pending[input] >= 0)
                part->committed[input] = part->pending[input];
    }
}

static enum ss_status memory_commit(struct ss_bus *bus, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    struct plan plan;
    bool failing = fails(memory, MEMORY_COMMIT, &plan);
    cr_assert(memory->in_transaction);
    end_transaction(memory, !failing || plan.late);
    if (!failing)
        return SS_OK;
    take_back(memory);
    return ss_fail(err, plan.status, "injected failure of commit");
}

static enum ss_status memory_abort(struct ss_bus *bus, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    cr_assert(memory->in_transaction);
    end_transaction(memory, false);
    take_back(memory);
    FAIL_EARLY(MEMORY_ABORT);
    return SS_OK;
}

static enum ss_status memory_offset(struct ss_bus *bus, enum ss_input input, int32_t partition,
                                    int64_t next_offset, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    FAIL_EARLY(MEMORY_OFFSET);
    cr_assert(memory->in_transaction);
    cr_assert_leq(next_offset, memory->parts[partition].inputs[input].end);
    memory->parts[partition].pending[input] = next_offset;
    return SS_OK;
}

static enum ss_status memory_mark(struct ss_bus *bus, int32_t partition, int64_t *offset,
                                  int64_t *broker_time_ms, struct ss_error *err)
{
    struct memory_bus *memory = memory_of(bus);
    const struct part *part = &memory->parts[partition];
    FAIL_EARLY(MEMORY_MARK);
    if (part->mark_offset < 0)
        return ss_fail(err, SS_GIVE_UP, "no mark");
    *offset = part->mark_offset;
    *broker_time_ms = part->mark_time_ms;
    return SS_OK;
}

static bool memory_header(struct ss_bus *bus, const struct ss_record *record, size_t i,
                          struct ss_header *out)
{
    const struct memory_record *message = record->message;
    (void)bus;
    if (i >= message->header_count)
        return false;
    *out = message->headers[i];
    return true;
}

static void memory_close(struct ss_bus *bus)
{
    (void)bus; /* the cluster stays; memory_bus_free */
}

const struct ss_bus_ops memory_bus_ops = {
    .poll = memory_poll,
    .start = memory_start,
    .restore = memory_restore,
    .newest_group = memory_newest_group,
    .open_partition = memory_open,
    .hold = memory_hold,
    .position = memory_position,
    .at_end = memory_at_end,
    .rewind = memory_rewind,
    .begin = memory_begin,
    .produce = memory_produce,
    .commit = memory_commit,
    .abort = memory_abort,
    .offset = memory_offset,
    .mark = memory_mark,
    .header = memory_header,
    .close = memory_close,
};
