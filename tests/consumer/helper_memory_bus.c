/* helper_memory_bus.c - the cluster as tests fill, disturb and read it. */
#include "helper_memory_bus_internal.h"

#include <stdlib.h>

static void session_begin(struct memory_bus *memory)
{
    memory->in_transaction = false;
    for (int32_t p = 0; p < memory->bus.partition_count; p++) {
        struct part *part = &memory->parts[p];
        part->owned = part->open = part->revoke_pending = part->lost = false;
        part->assign_pending = true;
        part->mark_offset = -1;
        memset(part->flows, 0, sizeof part->flows);
    }
}

struct memory_bus *memory_bus_new(int32_t partition_count)
{
    struct memory_bus *memory = calloc(1, sizeof *memory);
    memory->bus.ops = &memory_bus_ops;
    memory->bus.partition_count = partition_count;
    strcpy(memory->bus.cluster_id, "memory");
    memory->parts = calloc((size_t)partition_count, sizeof *memory->parts);
    memory->told = calloc((size_t)partition_count, sizeof *memory->told);
    memory->record_max = SIZE_MAX;
    for (int32_t p = 0; p < partition_count; p++)
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            memory->parts[p].committed[input] = -1;
    session_begin(memory);
    return memory;
}

void memory_bus_free(struct memory_bus *memory)
{
    for (int32_t p = 0; p < memory->bus.partition_count; p++) {
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            memory_log_reset(&memory->parts[p].inputs[input]);
        for (int target = 0; target < SS_TARGET_MAX; target++)
            memory_log_reset(&memory->parts[p].targets[target]);
    }
    free(memory->parts);
    free(memory->told);
    free(memory->records);
    free(memory);
}

struct ss_bus *memory_bus_handle(struct memory_bus *memory)
{
    return &memory->bus;
}

int64_t memory_bus_append(struct memory_bus *memory, enum ss_input input, int32_t partition,
                          struct ss_bytes key, struct ss_bytes value, int64_t timestamp_ms,
                          const struct ss_header *headers, size_t header_count)
{
    struct memory_record *record = memory_record_new(key, value, headers, header_count);
    record->timestamp_ms = timestamp_ms;
    return memory_log_append(&memory->parts[partition].inputs[input], record);
}

void memory_bus_append_gap(struct memory_bus *memory, enum ss_input input, int32_t partition)
{
    struct memory_log *log = &memory->parts[partition].inputs[input];
    struct memory_record *record =
        memory_record_new((struct ss_bytes){"gap", 3}, (struct ss_bytes){"gap", 3}, NULL, 0);
    record->aborted = true;
    memory_log_append(log, record);
    memory_log_append_marker(log);
}

void memory_bus_cut(struct memory_bus *memory, enum ss_input input, int32_t partition)
{
    struct part *part = &memory->parts[partition];
    part->starts[input] = part->inputs[input].end;
}

void memory_bus_append_target(struct memory_bus *memory, enum ss_target target, int32_t partition,
                              struct ss_bytes key, struct ss_bytes value)
{
    memory_log_append(&memory->parts[partition].targets[target],
                      memory_record_new(key, value, NULL, 0));
}

void memory_bus_truncate(struct memory_bus *memory, enum ss_target target, int32_t partition)
{
    memory_log_reset(&memory->parts[partition].targets[target]);
}

void memory_bus_restart(struct memory_bus *memory)
{
    session_begin(memory);
}

void memory_bus_revoke(struct memory_bus *memory, int32_t partition)
{
    struct part *part = &memory->parts[partition];
    part->open = part->assign_pending = false;
    part->revoke_pending = part->owned;
}

void memory_bus_assign(struct memory_bus *memory, int32_t partition)
{
    memory->parts[partition].assign_pending = true;
}

void memory_bus_redeliver(struct memory_bus *memory, enum ss_input input, int32_t partition)
{
    memory->parts[partition].flows[input].next = 0;
}

const struct memory_failure memory_transaction_failures[MEMORY_TRANSACTION_FAILURES] = {
    {MEMORY_BEGIN, SS_RETRY, false, "begin"},
    {MEMORY_PRODUCE, SS_RETRY, false, "produce"},
    {MEMORY_PRODUCE, SS_RETRY, true, "produce, late"},
    {MEMORY_OFFSET, SS_RETRY, false, "offset"},
    {MEMORY_COMMIT, SS_RETRY, false, "commit"},
    {MEMORY_COMMIT, SS_GIVE_UP, false, "commit after the group has moved on"},
    {MEMORY_COMMIT, SS_RETRY, true, "commit that was done but not answered"},
    {MEMORY_MARK, SS_GIVE_UP, false, "mark"},
};

void memory_bus_fail(struct memory_bus *memory, enum memory_op op, int nth, enum ss_status status,
                     bool late)
{
    memory->plans[op] = (struct plan){nth, status, late};
}

int memory_bus_calls(const struct memory_bus *memory, enum memory_op op)
{
    return memory->calls[op];
}

void memory_bus_set_record_max(struct memory_bus *memory, size_t bytes)
{
    memory->record_max = bytes;
}

void memory_bus_set_poll_max(struct memory_bus *memory, size_t records)
{
    memory->poll_max = records;
}

void memory_bus_set_time(struct memory_bus *memory, int64_t now_ms)
{
    memory->now_ms = now_ms;
}

const struct memory_log *memory_bus_input(const struct memory_bus *memory, enum ss_input input,
                                          int32_t partition)
{
    return &memory->parts[partition].inputs[input];
}

const struct memory_log *memory_bus_target(const struct memory_bus *memory, enum ss_target target,
                                           int32_t partition)
{
    return &memory->parts[partition].targets[target];
}

int64_t *memory_bus_committed(struct memory_bus *memory, enum ss_input input, int32_t partition)
{
    return &memory->parts[partition].committed[input];
}
