/* pack_friends.h - the packed form of a friends record, which has a key of its own beside the
 * user's packed state: the byte 0x02 followed by the user id.
 *
 *   friends = format (byte, 1) count (varint, 1 to SS_FRIENDS_MAX) link*
 *   link    = 0 (byte)   hash (8 bytes, little-endian)       pending
 *           | n (byte, 1 to 64)   id (n bytes)   band (byte)   confirmed; its hash is ss_hash64(id)
 *
 * Links are in the order of their hashes, strictly ascending. Equal lists have equal bytes, and
 * nothing but the one form is accepted. The empty list is no bytes: a tombstone.
 */
#ifndef SS_STATE_PACK_FRIENDS_H
#define SS_STATE_PACK_FRIENDS_H

#include "base/bytes.h"
#include "scoring/friends.h"

/* No user id begins so. */
enum { SS_FRIENDS_KEY = 0x02, SS_FRIENDS_KEY_MAX = 1 + SS_USER_ID_MAX };

/* Whether a key of the changelog or of a store is a friends record's. */
static inline bool ss_is_friends_key(struct ss_bytes key)
{
    return key.size > 0 && ((const uint8_t *)key.data)[0] == SS_FRIENDS_KEY;
}

static inline struct ss_bytes ss_friends_key(struct ss_bytes user_id,
                                             uint8_t out[SS_FRIENDS_KEY_MAX])
{
    out[0] = SS_FRIENDS_KEY;
    memcpy(out + 1, user_id.data, user_id.size);
    return (struct ss_bytes){out, 1 + user_id.size};
}

/* No packed list is larger. */
enum { SS_FRIENDS_PACKED_MAX = 1 + 2 + SS_FRIENDS_MAX * (1 + SS_USER_ID_MAX + 1) };

/* Writes at most SS_FRIENDS_PACKED_MAX bytes and returns their count; 0 for an empty list. Cannot
 * fail. */
size_t ss_friends_pack(const struct ss_friends *list, uint8_t *out);

/* Reads packed bytes; size 0 gives the empty list. SS_GIVE_UP: not a packed list, for then nothing
 * beside it can be trusted either; the list is empty then. Only `count` links are written. */
SS_MUST_USE enum ss_status ss_friends_unpack(struct ss_bytes packed, struct ss_friends *list,
                                             struct ss_error *err);

#endif
