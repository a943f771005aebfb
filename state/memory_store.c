/* memory_store.c - for each partition an open-addressing table with linear probing, at most 7/8
 * full; an entry is one allocation that holds id and value. Deletion shifts followers back, so
 * there are no graves. A save that runs out of memory half-way is SS_STOP: nobody reads what is
 * left. */
#include "state/memory_store.h"

#include "scoring/hash.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    uint32_t value_size, value_capacity;
    uint8_t id_size;
    uint8_t bytes[]; /* the id, then the value */
};

struct slot {
    uint64_t hash;
    struct entry *entry; /* NULL: empty */
};

struct table {
    struct slot *slots;
    size_t mask, count; /* slots less one, entries; no slots at first */
    bool found;
    struct ss_checkpoint checkpoint;
};

struct memory_store {
    struct ss_store store; /* first, so that a handle is both */
    struct table *tables;  /* by partition */
    size_t table_count;
};

static uint64_t hash_of(struct ss_bytes id)
{
    /* Multiplied, so that the low bits, which choose the slot, depend on all of it. */
    uint64_t hash = ss_hash64((struct ss_text){id.data, (uint32_t)id.size});
    hash ^= hash >> 32;
    return hash * UINT64_C(0x9e3779b97f4a7c15);
}

/* The slot that holds the id, or the empty one where it belongs. Needs slots. */
static struct slot *find_slot(const struct table *table, uint64_t hash, struct ss_bytes id)
{
    for (size_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        struct slot *slot = &table->slots[i];
        if (!slot->entry)
            return slot;
        if (slot->hash == hash && slot->entry->id_size == id.size &&
            memcmp(slot->entry->bytes, id.data, id.size) == 0)
            return slot;
    }
}

static bool grow(struct table *table)
{
    size_t old_size = table->slots ? table->mask + 1 : 0;
    size_t size = old_size ? old_size * 2 : 64;
    struct slot *old = table->slots;
    struct slot *slots = calloc(size, sizeof *slots);
    if (!slots)
        return false;
    table->slots = slots;
    table->mask = size - 1;
    for (size_t i = 0; i < old_size; i++) {
        if (!old[i].entry)
            continue;
        size_t at = old[i].hash & table->mask;
        while (slots[at].entry)
            at = (at + 1) & table->mask;
        slots[at] = old[i];
    }
    free(old);
    return true;
}

static bool table_put(struct table *table, struct ss_bytes id, struct ss_bytes value)
{
    if (!table->slots || table->count >= (table->mask + 1) / 8 * 7)
        if (!grow(table))
            return false;
    uint64_t hash = hash_of(id);
    struct slot *slot = find_slot(table, hash, id);
    struct entry *entry = slot->entry;
    if (!entry || entry->value_capacity < value.size) {
        size_t capacity = (value.size + 15) / 16 * 16; /* states grow by a few bytes at a time */
        struct entry *bigger = realloc(entry, sizeof *entry + id.size + capacity);
        if (!bigger)
            return false;
        if (!entry) {
            table->count++;
            bigger->id_size = (uint8_t)id.size;
            memcpy(bigger->bytes, id.data, id.size);
        }
        bigger->value_capacity = (uint32_t)capacity;
        *slot = (struct slot){hash, bigger};
        entry = bigger;
    }
    entry->value_size = (uint32_t)value.size;
    memcpy(entry->bytes + entry->id_size, value.data, value.size);
    return true;
}

static void table_delete(struct table *table, struct ss_bytes id)
{
    if (!table->slots)
        return;
    struct slot *slot = find_slot(table, hash_of(id), id);
    if (!slot->entry)
        return;
    free(slot->entry);
    table->count--;
    size_t hole = (size_t)(slot - table->slots);
    for (size_t i = (hole + 1) & table->mask; table->slots[i].entry; i = (i + 1) & table->mask) {
        size_t home = table->slots[i].hash & table->mask;
        if (((i - home) & table->mask) < ((i - hole) & table->mask))
            continue; /* its home lies behind the hole: it may not move before it */
        table->slots[hole] = table->slots[i];
        hole = i;
    }
    table->slots[hole].entry = NULL;
}

static void table_reset(struct table *table)
{
    for (size_t i = 0; table->slots && i <= table->mask; i++)
        free(table->slots[i].entry);
    free(table->slots);
    *table = (struct table){0};
}

static struct ss_bytes entry_value(const struct entry *entry)
{
    return (struct ss_bytes){entry->bytes + entry->id_size, entry->value_size};
}

/* ---- operations ---- */

/* NULL: out of memory. */
static struct table *table_of(struct ss_store *store, int32_t partition)
{
    struct memory_store *memory = (struct memory_store *)store;
    assert(partition >= 0);
    size_t need = (size_t)partition + 1;
    if (need > memory->table_count) {
        struct table *tables = realloc(memory->tables, need * sizeof *tables);
        if (!tables)
            return NULL;
        memset(tables + memory->table_count, 0, (need - memory->table_count) * sizeof *tables);
        memory->tables = tables;
        memory->table_count = need;
    }
    return &memory->tables[partition];
}

static enum ss_status fail_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory");
}

static enum ss_status fail_other(int32_t partition, struct ss_error *err)
{
    return ss_fail(err, SS_GIVE_UP,
                   "the store holds another checkpoint of partition %d than the one expected",
                   partition);
}

static enum ss_status memory_checkpoint(struct ss_store *store, int32_t partition,
                                        struct ss_checkpoint *out, bool *found,
                                        struct ss_error *err)
{
    struct table *table = table_of(store, partition);
    if (!table)
        return fail_memory(err);
    *out = table->checkpoint;
    *found = table->found;
    return SS_OK;
}

static enum ss_status memory_load(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *expect,
                                  const struct ss_bytes *user_ids, size_t count,
                                  ss_store_sink *sink, void *arg, struct ss_error *err)
{
    struct table *table = table_of(store, partition);
    if (!table)
        return fail_memory(err);
    if (!table->found || !ss_checkpoint_equal(&table->checkpoint, expect))
        return fail_other(partition, err);
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry =
            table->slots ? find_slot(table, hash_of(user_ids[i]), user_ids[i])->entry : NULL;
        sink(arg, i, entry ? entry_value(entry) : (struct ss_bytes){0});
    }
    return SS_OK;
}

static enum ss_status memory_save(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *expect,
                                  const struct ss_checkpoint *next, const struct ss_put *puts,
                                  size_t count, struct ss_error *err)
{
    struct table *table = table_of(store, partition);
    if (!table)
        return fail_memory(err);
    assert(!expect || !ss_checkpoint_equal(expect, next)); /* it would pass for a repeated save */
    if (table->found && ss_checkpoint_equal(&table->checkpoint, next))
        return SS_OK;
    if (table->found != (expect != NULL) ||
        (expect && !ss_checkpoint_equal(&table->checkpoint, expect)))
        return fail_other(partition, err);
    for (size_t i = 0; i < count; i++) {
        assert(puts[i].user_id.size <= UINT8_MAX);
        if (puts[i].packed.size == 0)
            table_delete(table, puts[i].user_id);
        else if (!table_put(table, puts[i].user_id, puts[i].packed))
            return fail_memory(err);
    }
    table->checkpoint = *next;
    table->found = true;
    return SS_OK;
}

static enum ss_status memory_wipe(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *shown, struct ss_error *err)
{
    struct table *table = table_of(store, partition);
    if (!table)
        return fail_memory(err);
    if (!ss_checkpoint_equal(&table->checkpoint, shown))
        return fail_other(partition, err);
    table_reset(table);
    return SS_OK;
}

static enum ss_status memory_scan(struct ss_store *store, int32_t partition,
                                  ss_store_scan_sink *sink, void *arg, struct ss_error *err)
{
    struct table *table = table_of(store, partition);
    if (!table)
        return fail_memory(err);
    for (size_t i = 0; table->slots && i <= table->mask; i++) {
        const struct entry *entry = table->slots[i].entry;
        if (entry)
            sink(arg, (struct ss_bytes){entry->bytes, entry->id_size}, entry_value(entry));
    }
    return SS_OK;
}

static void memory_close(struct ss_store *store)
{
    struct memory_store *memory = (struct memory_store *)store;
    for (size_t i = 0; i < memory->table_count; i++)
        table_reset(&memory->tables[i]);
    free(memory->tables);
    free(memory);
}

static const struct ss_store_ops memory_ops = {
    .checkpoint = memory_checkpoint,
    .load = memory_load,
    .save = memory_save,
    .wipe = memory_wipe,
    .scan = memory_scan,
    .close = memory_close,
};

enum ss_status ss_memory_open(struct ss_store **store, struct ss_error *err)
{
    struct memory_store *memory = calloc(1, sizeof *memory);
    *store = memory ? &memory->store : NULL;
    if (!memory)
        return fail_memory(err);
    memory->store.ops = &memory_ops;
    return SS_OK;
}
