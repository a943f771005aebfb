#include "sim_log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* --- memory of a seed --- */

enum { BLOCK_SIZE = 1 << 20 };

struct block {
    struct block *next;
    size_t size;
    max_align_t bytes[];
};

struct sim_arena {
    struct block *blocks, *current;
    size_t used;
};

static struct block *block_new(size_t size)
{
    struct block *block = malloc(sizeof *block + size);
    if (!block) {
        perror("sim");
        abort();
    }
    block->next = NULL;
    block->size = size;
    return block;
}

struct sim_arena *sim_arena_new(void)
{
    struct sim_arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        abort();
    arena->blocks = arena->current = block_new(BLOCK_SIZE);
    return arena;
}

void sim_arena_free(struct sim_arena *arena)
{
    for (struct block *block = arena->blocks; block;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    free(arena);
}

void sim_arena_reset(struct sim_arena *arena)
{
    arena->current = arena->blocks;
    arena->used = 0;
}

void *sim_alloc(struct sim_arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    while (arena->used + size > arena->current->size) {
        if (!arena->current->next)
            arena->current->next = block_new(size > BLOCK_SIZE ? size : BLOCK_SIZE);
        arena->current = arena->current->next;
        arena->used = 0;
    }
    void *at = (char *)arena->current->bytes + arena->used;
    arena->used += size;
    return memset(at, 0, size);
}

struct ss_bytes sim_copy(struct sim_arena *arena, struct ss_bytes bytes)
{
    if (!bytes.data)
        return bytes;
    char *copy = sim_alloc(arena, bytes.size ? bytes.size : 1);
    memcpy(copy, bytes.data, bytes.size);
    return (struct ss_bytes){copy, bytes.size};
}

/* --- the log --- */

static struct sim_record *push(struct sim_log *log)
{
    if (log->end == log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 64;
        log->records = realloc(log->records, (size_t)log->capacity * sizeof *log->records);
        if (!log->records)
            abort();
    }
    return &log->records[log->end++];
}

int64_t sim_log_append(struct sim_log *log, const struct sim_record *record)
{
    int64_t offset = log->end;
    if (record->txn) {
        int i = 0;
        while (i < log->open_count && log->open[i].txn != record->txn)
            i++;
        if (i == log->open_count) {
            assert(i < SIM_OPEN_MAX && record->txn->log_count < SIM_TXN_LOGS_MAX);
            log->open[i].txn = record->txn;
            log->open[i].first = offset;
            log->open_count++;
            record->txn->logs[record->txn->log_count++] = log;
        }
    }
    *push(log) = *record;
    return offset;
}

void sim_log_marker(struct sim_log *log, struct sim_txn *txn, int64_t now_ms)
{
    for (int i = 0; i < log->open_count; i++)
        if (log->open[i].txn == txn)
            log->open[i] = log->open[--log->open_count];
    *push(log) = (struct sim_record){.timestamp_ms = now_ms, .txn = txn, .control = true};
}

int64_t sim_log_stable(const struct sim_log *log)
{
    int64_t stable = log->end;
    for (int i = 0; i < log->open_count; i++)
        if (log->open[i].first < stable)
            stable = log->open[i].first;
    return stable;
}

const struct sim_record *sim_log_next(const struct sim_log *log, int64_t *offset, int64_t end,
                                      bool all)
{
    for (int64_t at = *offset; at < end && at < log->end; at++) {
        const struct sim_record *record = &log->records[at];
        if (record->control || (record->gone && !all) ||
            (record->txn && record->txn->state != SIM_TXN_COMMITTED))
            continue;
        *offset = at + 1;
        return record;
    }
    return NULL;
}

void sim_log_free(struct sim_log *log)
{
    free(log->records);
    *log = (struct sim_log){0};
}
