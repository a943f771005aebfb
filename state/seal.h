/* seal.h - packed states under encryption: what the changelog, Redis and the cache hold where
 * `encryption.key_file` is set (docs/encryption.md).
 *
 * A sealed state is
 *
 *   format (byte 0xe5)  key id (varint, 1 to 4 bytes)  tag (16 bytes)  ciphertext (as the packed)
 *
 * 18 bytes longer than the packed one with a key id below 128. A packed state begins with a format
 * byte below 0x20 (pack_format.h), so that the two are told apart by their first byte, and states
 * from before encryption was switched on can be read.
 *
 * 1. Deterministic: the same state of the same user under the same key has the same bytes. There is
 *    no randomness, no counter and no nonce that could repeat (docs/decisions/0009-sealed-states.md
 *    has the construction and why it is safe), so that replays and comparisons stay what they are.
 * 2. Bound to its user: bytes that were moved to another user, cut or changed do not open.
 * 3. "No state" (size 0, a tombstone) is not sealed: it stays size 0 both ways.
 * 4. A NULL sealer is encryption switched off: packed states pass, sealed ones are refused.
 *
 * Threads: a sealer is immutable, in memory that is locked against swapping and left out of core
 * dumps, and shared by all workers. Who holds one has a reference of its own. Nothing but
 * ss_sealer_open allocates.
 */
#ifndef SS_STATE_SEAL_H
#define SS_STATE_SEAL_H

#include "scoring/event.h"
#include "state/pack.h"

enum {
    SS_SEAL_KEY_SIZE = 32,
    SS_SEAL_KEYS_MAX = 64,
    SS_SEAL_KEY_ID_MAX = (1 << 28) - 1, /* key ids are 1 to this */
    SS_SEAL_TAG_SIZE = 16,
    SS_SEAL_OVERHEAD_MAX = 1 + 4 + SS_SEAL_TAG_SIZE,
    /* No stored state is larger, sealed or not. */
    SS_SEALED_MAX = SS_PACKED_MAX + SS_SEAL_OVERHEAD_MAX,
    /* Other records of a user are sealed in the same way, under keys of their own in the changelog
     * and the store: up to this size, and with such a key in place of the user id. */
    SS_SEAL_PLAIN_MAX = 64 * 1024,
    SS_SEAL_NAME_MAX = 1 + SS_USER_ID_MAX,
};

struct ss_sealer;

/* Whether states that are not sealed open. Refusing them once all are sealed keeps somebody who can
 * write to Redis or the changelog from putting a state of his own making there. */
enum ss_plain_states { SS_PLAIN_ACCEPT, SS_PLAIN_REFUSE };

struct ss_seal_key {
    uint32_t id;
    const uint8_t *bytes; /* SS_SEAL_KEY_SIZE of them; borrowed during the call */
};

/* keys[current] seals, all of them open. Requires 1 to SS_SEAL_KEYS_MAX keys with ids of their own.
 * One reference, the caller's. SS_STOP: no memory that can be protected. */
SS_MUST_USE enum ss_status ss_sealer_open(const struct ss_seal_key *keys, size_t count,
                                          size_t current, enum ss_plain_states plain,
                                          struct ss_sealer **out, struct ss_error *err);
/* Another reference to it; returns it. */
const struct ss_sealer *ss_sealer_share(const struct ss_sealer *sealer);
/* Gives a reference back; the last one wipes the keys. NULL is fine. */
void ss_sealer_close(const struct ss_sealer *sealer);
/* The id of the key that seals; 0 for NULL. */
uint32_t ss_sealer_key_id(const struct ss_sealer *sealer);

/* Seals a packed state (or record, of at most SS_SEAL_PLAIN_MAX bytes) into out, which has
 * SS_SEAL_OVERHEAD_MAX bytes more than it and does not overlap it. Returns what to store: a view of
 * out, or of packed where there is nothing to do (NULL sealer, size 0). user_id has at most
 * SS_SEAL_NAME_MAX bytes. Cannot fail. */
struct ss_bytes ss_seal(const struct ss_sealer *sealer, struct ss_bytes user_id,
                        struct ss_bytes packed, uint8_t *out);

/* Opens what is stored. *packed is then a view of out (SS_PACKED_MAX bytes, no overlap), or of
 * stored where that is not sealed; on an error it is empty, and out holds nothing of the state.
 *
 * SS_GIVE_UP: not what was sealed for this user, or plain where that is refused: nothing beside it
 * can be trusted either. SS_STOP: sealed with a key that we do not have (its id is in the detail);
 * the operator must put it back. */
SS_MUST_USE enum ss_status ss_unseal(const struct ss_sealer *sealer, struct ss_bytes user_id,
                                     struct ss_bytes stored, uint8_t *out, struct ss_bytes *packed,
                                     struct ss_error *err);
/* The same with out of out_max bytes, for records that may be larger than a state. */
SS_MUST_USE enum ss_status ss_unseal_into(const struct ss_sealer *sealer, struct ss_bytes user_id,
                                          struct ss_bytes stored, uint8_t *out, size_t out_max,
                                          struct ss_bytes *packed, struct ss_error *err);

/* The key id that a stored state names, without looking further: what counts how many are left
 * under an old key. 0: not sealed (or nothing, or not readable). */
uint32_t ss_seal_key_id(struct ss_bytes stored);

#endif
