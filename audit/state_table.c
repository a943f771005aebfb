#include "audit/state_table.h"

#include "scoring/hash.h"

#include <stdlib.h>

/* By user: the entry, an id of usual length, and two to four slots. */
enum { ID_BYTES = 24, USER_BYTES = sizeof(struct ss_state_entry) + ID_BYTES + 16, USERS_MIN = 16 };

struct ss_state_table {
    struct ss_state_entry *entries;
    uint8_t *ids;
    uint32_t *slots; /* index of an entry, plus one; linear probing */
    size_t count, entries_max, ids_size, ids_max, slot_mask;
};

struct ss_state_table *ss_state_table_open(size_t bytes_max)
{
    struct ss_state_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->entries_max = bytes_max / USER_BYTES;
    if (table->entries_max < USERS_MIN)
        table->entries_max = USERS_MIN;
    if (table->entries_max > UINT32_MAX / ID_BYTES)
        table->entries_max = UINT32_MAX / ID_BYTES;
    table->ids_max = table->entries_max * ID_BYTES;
    size_t slots = 1;
    while (slots < 2 * table->entries_max)
        slots *= 2;
    table->slot_mask = slots - 1;
    /* Pages that are never written cost nothing, so the largest size is taken at once. */
    table->entries = calloc(table->entries_max, sizeof *table->entries);
    table->ids = calloc(1, table->ids_max);
    table->slots = calloc(slots, sizeof *table->slots);
    if (table->entries && table->ids && table->slots)
        return table;
    ss_state_table_close(table);
    return NULL;
}

void ss_state_table_close(struct ss_state_table *table)
{
    if (!table)
        return;
    free(table->entries);
    free(table->ids);
    free(table->slots);
    free(table);
}

void ss_state_table_reset(struct ss_state_table *table)
{
    memset(table->slots, 0, (table->slot_mask + 1) * sizeof *table->slots);
    table->count = table->ids_size = 0;
}

/* The slot of a user, or the free one where it belongs. At most half of them are taken. */
static uint32_t *slot_of(const struct ss_state_table *table, uint64_t hash, struct ss_bytes id)
{
    for (size_t at = hash & table->slot_mask;; at = (at + 1) & table->slot_mask) {
        uint32_t *slot = &table->slots[at];
        if (*slot == 0)
            return slot;
        const struct ss_state_entry *entry = &table->entries[*slot - 1];
        if (entry->hash == hash && ss_bytes_equal(ss_state_table_id(table, entry), id))
            return slot;
    }
}

struct ss_state_entry *ss_state_table_find(const struct ss_state_table *table, uint64_t hash,
                                           struct ss_bytes id)
{
    const uint32_t *slot = slot_of(table, hash, id);
    return *slot ? &table->entries[*slot - 1] : NULL;
}

struct ss_state_entry *ss_state_table_add(struct ss_state_table *table, uint64_t hash,
                                          struct ss_bytes id)
{
    if (table->count == table->entries_max || id.size > table->ids_max - table->ids_size)
        return NULL;
    uint32_t *slot = slot_of(table, hash, id);
    struct ss_state_entry *entry = &table->entries[table->count++];
    *slot = (uint32_t)table->count;
    *entry = (struct ss_state_entry){
        .hash = hash, .id_at = (uint32_t)table->ids_size, .id_size = (uint8_t)id.size};
    memcpy(table->ids + table->ids_size, id.data, id.size);
    table->ids_size += id.size;
    return entry;
}

size_t ss_state_table_count(const struct ss_state_table *table)
{
    return table->count;
}

struct ss_state_entry *ss_state_table_at(const struct ss_state_table *table, size_t i)
{
    return &table->entries[i];
}

struct ss_bytes ss_state_table_id(const struct ss_state_table *table,
                                  const struct ss_state_entry *entry)
{
    return (struct ss_bytes){table->ids + entry->id_at, entry->id_size};
}

/* FNV-1a is weak in its upper bits, by which passes are told apart: mixed once more, which loses
 * nothing, for the mixing is one to one. */
uint64_t ss_state_hash(struct ss_bytes bytes)
{
    uint64_t hash = ss_hash64((struct ss_text){bytes.data, (uint32_t)bytes.size});
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 33;
}
