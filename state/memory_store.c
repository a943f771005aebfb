/* memory_store.c - for each partition an open-addressing table with linear probing, at most 7/8
 * full; an entry is one allocation that holds id and value. Deletion shifts followers back, so
 * there are no graves. A save that runs out of memory half-way is SS_STOP: nobody reads what is
 * left. */
#include "state/memory_store.h"

#include "scoring/hash.h"
#include "state/pack_friends.h"

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
    /* A group of users is those at home in GROUP_SLOTS neighbouring slots. A heap without order
     * among siblings: node 1 is the root, the groups are the leaves from wakes[groups] on, and each
     * inner node is the lesser of its two children. */
    int64_t *wakes;
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

enum { GROUP_SLOTS = 32, SLOTS_MIN = 64, WALK_GROUPS = 8 };

static size_t group_count(const struct table *table)
{
    return (table->mask + 1) / GROUP_SLOTS;
}

static void set_wake(struct table *table, size_t group, int64_t wake_ms)
{
    size_t node = group_count(table) + group;
    table->wakes[node] = wake_ms;
    for (node /= 2; node > 0; node /= 2) {
        int64_t left = table->wakes[2 * node], right = table->wakes[2 * node + 1];
        table->wakes[node] = left < right ? left : right;
    }
}

static size_t group_of(const struct table *table, uint64_t hash)
{
    return (hash & table->mask) / GROUP_SLOTS;
}

/* Twice as many groups: both halves of one wake when it would have. */
static bool grow_wakes(struct table *table, size_t groups)
{
    size_t before = table->wakes ? groups / 2 : 0;
    int64_t *old = table->wakes, *wakes = malloc(2 * groups * sizeof *wakes);
    if (!wakes)
        return false;
    for (size_t i = 0; i < 2 * groups; i++)
        wakes[i] = SS_WAKE_NEVER;
    table->wakes = wakes;
    for (size_t g = 0; g < before; g++)
        if (old[before + g] != SS_WAKE_NEVER) {
            set_wake(table, g, old[before + g]);
            set_wake(table, before + g, old[before + g]);
        }
    free(old);
    return true;
}

static bool grow(struct table *table)
{
    size_t old_size = table->slots ? table->mask + 1 : 0;
    size_t size = old_size ? old_size * 2 : SLOTS_MIN;
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
    return grow_wakes(table, size / GROUP_SLOTS);
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
    free(table->wakes);
    *table = (struct table){0};
}

static void wake_by(struct table *table, struct ss_bytes id, int64_t wake_ms)
{
    size_t group = group_of(table, hash_of(id));
    if (wake_ms < table->wakes[group_count(table) + group])
        set_wake(table, group, wake_ms);
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

/* A partition's states, if they are those of the checkpoint that is expected. */
static enum ss_status table_at(struct ss_store *store, int32_t partition,
                               const struct ss_checkpoint *expect, struct table **out,
                               struct ss_error *err)
{
    struct table *table = *out = table_of(store, partition);
    if (!table)
        return fail_memory(err);
    if (!table->found || !ss_checkpoint_equal(&table->checkpoint, expect))
        return fail_other(partition, err);
    return SS_OK;
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
    struct table *table;
    enum ss_status status = table_at(store, partition, expect, &table, err);
    if (status != SS_OK)
        return status;
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
        else
            wake_by(table, puts[i].user_id, puts[i].wake_ms);
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

static bool is_friends(const struct entry *entry)
{
    return ss_is_friends_key((struct ss_bytes){entry->bytes, entry->id_size});
}

/* Linear probing: who is at home in the group stands there or right behind it. */
static void deliver_group(const struct table *table, size_t group, ss_store_scan_sink *sink,
                          void *arg)
{
    size_t end = (group + 1) * GROUP_SLOTS;
    for (size_t i = group * GROUP_SLOTS;; i++) {
        const struct slot *slot = &table->slots[i & table->mask];
        if (!slot->entry && i >= end)
            return;
        if (slot->entry && group_of(table, slot->hash) == group && !is_friends(slot->entry))
            sink(arg, (struct ss_bytes){slot->entry->bytes, slot->entry->id_size},
                 entry_value(slot->entry));
        if (i > table->mask + end)
            return; /* once around */
    }
}

static enum ss_status memory_wakes(struct ss_store *store, int32_t partition,
                                   const struct ss_checkpoint *expect, int64_t until_ms,
                                   uint32_t nth, struct ss_wake_group *out,
                                   ss_store_scan_sink *sink, void *arg, struct ss_error *err)
{
    struct table *table;
    enum ss_status status = table_at(store, partition, expect, &table, err);
    *out = (struct ss_wake_group){.wake_ms = SS_WAKE_NEVER};
    if (status != SS_OK)
        return status;
    if (nth > 0 || !table->slots || table->wakes[1] == SS_WAKE_NEVER)
        return SS_OK;
    size_t node = 1;
    while (node < group_count(table))
        node = 2 * node + (table->wakes[2 * node] != table->wakes[node]);
    *out = (struct ss_wake_group){true, (uint32_t)(node - group_count(table)), table->wakes[1]};
    if (out->wake_ms <= until_ms)
        deliver_group(table, out->group, sink, arg);
    return SS_OK;
}

static enum ss_status memory_rearm(struct ss_store *store, int32_t partition,
                                   const struct ss_checkpoint *expect, uint32_t group,
                                   int64_t wake_ms, struct ss_error *err)
{
    struct table *table;
    enum ss_status status = table_at(store, partition, expect, &table, err);
    if (status != SS_OK)
        return status;
    if (table->slots && group < group_count(table))
        set_wake(table, group, wake_ms);
    return SS_OK;
}

static enum ss_status memory_walk(struct ss_store *store, int32_t partition,
                                  const struct ss_checkpoint *expect, uint32_t from, uint32_t *next,
                                  uint32_t *groups, ss_store_scan_sink *sink, void *arg,
                                  struct ss_error *err)
{
    struct table *table;
    enum ss_status status = table_at(store, partition, expect, &table, err);
    if (status != SS_OK)
        return status;
    *groups = table->slots ? (uint32_t)group_count(table) : 0;
    *next = from < *groups ? from : *groups;
    for (int i = 0; i < WALK_GROUPS && *next < *groups; i++)
        deliver_group(table, (*next)++, sink, arg);
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
    .wakes = memory_wakes,
    .rearm = memory_rearm,
    .walk = memory_walk,
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
