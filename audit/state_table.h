/* state_table.h - who has which state, within a given amount of memory: a user's id and a 64-bit
 * digest of the packed state, not the state. Two states that differ have the same digest once in
 * 2^64 times; a single changed byte always shows. One thread.
 */
#ifndef SS_AUDIT_STATE_TABLE_H
#define SS_AUDIT_STATE_TABLE_H

#include "base/bytes.h"

struct ss_state_table;

struct ss_state_entry {
    uint64_t hash;   /* of the user id */
    uint64_t digest; /* the caller's, as are the next two */
    int64_t offset;
    uint32_t flags;
    uint32_t id_at;
    uint8_t id_size;
    uint32_t key_id; /* the caller's as well */
};

/* Takes about bytes_max of memory at most, whatever is added. NULL: out of memory. */
struct ss_state_table *ss_state_table_open(size_t bytes_max);
void ss_state_table_close(struct ss_state_table *table); /* NULL is fine */
void ss_state_table_reset(struct ss_state_table *table); /* empties it */

/* NULL: there is no such user. Entries stay where they are until the next reset. */
struct ss_state_entry *ss_state_table_find(const struct ss_state_table *table, uint64_t hash,
                                           struct ss_bytes id);
/* An entry, zeroed, for a user of 1 to 255 bytes that is not there yet. NULL: full. */
SS_MUST_USE struct ss_state_entry *ss_state_table_add(struct ss_state_table *table, uint64_t hash,
                                                      struct ss_bytes id);
/* The entries in the order in which they were added. */
size_t ss_state_table_count(const struct ss_state_table *table);
struct ss_state_entry *ss_state_table_at(const struct ss_state_table *table, size_t i);
/* Borrowed until the next reset. */
struct ss_bytes ss_state_table_id(const struct ss_state_table *table,
                                  const struct ss_state_entry *entry);

/* Of ids and states alike; all of its bits are good. */
uint64_t ss_state_hash(struct ss_bytes bytes);

#endif
