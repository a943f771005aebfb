/* user_table.h - the states of many users in memory: what replays and proofs fold into.
 *
 * Open addressing over a 64-bit hash of the id; a user is one block of an arena: a header, the id,
 * the state in a form that is its owner's (state/pack.h, audit/held_state.h). A lookup touches
 * three cache lines, which ss_user_table_prefetch* fetches beforehand: the slot first, the block a
 * few users later. Nothing is allocated per event: a block that a state has outgrown is used again
 * for another user's.
 *
 * One thread per table.
 */
#ifndef SS_AUDIT_USER_TABLE_H
#define SS_AUDIT_USER_TABLE_H

#include "base/bytes.h"
#include "scoring/user_state.h"

struct ss_user_table;

enum { SS_USER_UNIT = 16 }; /* bytes: what blocks are counted in, so that 32 bits reach 64 GiB */

struct ss_user {
    uint64_t hash;
    int64_t note; /* the caller's, as are the next three; 0 at first */
    uint32_t count, grants;
    uint8_t flags;
    uint8_t id_size;
    uint16_t units; /* of the block */
    uint16_t packed_size;
    uint8_t bytes[]; /* the id, then the state */
};

/* All of its bits are good, and it is the same everywhere. */
uint64_t ss_user_hash(struct ss_text id);

static inline struct ss_text ss_user_id(const struct ss_user *user)
{
    return (struct ss_text){(const char *)user->bytes, user->id_size};
}

static inline struct ss_bytes ss_user_packed(const struct ss_user *user)
{
    return (struct ss_bytes){user->bytes + user->id_size, user->packed_size};
}

/* How many bytes of state fit where it is: whoever owns them may write there, and set their size.
 */
static inline size_t ss_user_room(const struct ss_user *user)
{
    return (size_t)user->units * SS_USER_UNIT - offsetof(struct ss_user, bytes) - user->id_size;
}

/* A user's first state is given room for `first` bytes at least: states that are known to grow are
 * then moved less often, and leave fewer blocks behind that are too small for all others. NULL: out
 * of memory. */
struct ss_user_table *ss_user_table_open(size_t first);
void ss_user_table_close(struct ss_user_table *table); /* NULL is fine */

/* Where a user is, until its next put, as a number; and who is there. */
uint32_t ss_user_block(const struct ss_user *user);
struct ss_user *ss_user_table_at(const struct ss_user_table *table, uint32_t block);

void ss_user_prefetch(const struct ss_user *user);
void ss_user_table_prefetch(const struct ss_user_table *table, uint64_t hash);
void ss_user_table_prefetch_block(const struct ss_user_table *table, uint64_t hash);

/* NULL: there is no such user. A user stays where it is until its own next put. */
struct ss_user *ss_user_table_find(const struct ss_user_table *table, uint64_t hash,
                                   struct ss_text id);
/* The user, with an empty state if it was not there. The id has 1 to SS_USER_ID_MAX bytes. NULL:
 * out of memory. */
SS_MUST_USE struct ss_user *ss_user_table_add(struct ss_user_table *table, uint64_t hash,
                                              struct ss_text id);
/* Replaces the user's packed state; *packed does not lie in the table. NULL: out of memory. */
SS_MUST_USE struct ss_user *ss_user_table_put(struct ss_user_table *table, struct ss_user *user,
                                              struct ss_bytes packed);

size_t ss_user_table_count(const struct ss_user_table *table);
size_t ss_user_table_bytes(const struct ss_user_table *table);
/* All users one after the other, in no order; *at begins at 0. NULL: that was the last. */
struct ss_user *ss_user_table_next(const struct ss_user_table *table, size_t *at);

#endif
