/* pack.h - the packed form of a user's state: what the changelog, Redis and the cache hold.
 *
 * A format byte, a byte of which parts are present, then the parts in the order of enum ss_input
 * and `published`, all as zig-zag or plain varints (LEB128), hashes as little-endian fixed width;
 * absent parts are all-zero. Derived from the values alone: equal states have equal bytes on every
 * machine, so that a byte compare of Redis and changelog is a compare of states. The format is
 * described field by field at the top of pack.c (unpack.c reads it); the format byte rises with any
 * change, and an older one is refused by name.
 */
#ifndef SS_STATE_PACK_H
#define SS_STATE_PACK_H

#include "base/bytes.h"
#include "scoring/user_state.h"

/* No packed state is larger. */
enum { SS_PACKED_MAX = 4096 };

/* Writes at most SS_PACKED_MAX bytes and returns their count; 0 for an empty state
 * (ss_user_state_empty), which is stored as a tombstone. Cannot fail. */
size_t ss_state_pack(const struct ss_user_state *state, uint8_t *out);

/* Reads packed bytes; size 0 gives the all-zero state. SS_GIVE_UP: not a packed state (truncated,
 * trailing bytes, a count over its bound, an unknown format), for then nothing beside it can be
 * trusted either. *state is all-zero then. */
SS_MUST_USE enum ss_status ss_state_unpack(struct ss_bytes packed, struct ss_user_state *state,
                                           struct ss_error *err);

#endif
