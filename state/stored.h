/* stored.h - the form in which changelog, store and cache hold a state: packed, and sealed where
 * the process has keys (docs/encryption.md).
 *
 * A state is sealed once, when it is put; changelog and store get the same bytes, so that a compare
 * of the two stays one of bytes. It is sealed anew with the key of the day when it changes next.
 */
#ifndef SS_STATE_STORED_H
#define SS_STATE_STORED_H

#include "state/key_ring.h"

/* A worker's hold on the keys. Both NULL: states are not sealed. */
struct ss_keys {
    struct ss_key_ring *ring;       /* borrowed; NULL: the sealer stays as it is */
    const struct ss_sealer *sealer; /* of now; a reference of its own */
};

/* To the keys of now: at each batch and before each restore. NULL is fine. */
void ss_keys_renew(struct ss_keys *keys, int64_t now_ms);
/* Gives the sealer back. NULL is fine. */
void ss_keys_reset(struct ss_keys *keys);

/* The stored form, a view of out (SS_SEALED_MAX bytes); size 0 for an empty state. Cannot fail. */
struct ss_bytes ss_stored_write(const struct ss_keys *keys, struct ss_bytes user_id,
                                const struct ss_user_state *state, uint8_t *out);

/* The same for another record of a user, under its key, with out of packed.size and
 * SS_SEAL_OVERHEAD_MAX bytes; and back, with out of out_max. Statuses as ss_stored_read's. */
struct ss_bytes ss_stored_seal(const struct ss_keys *keys, struct ss_bytes key,
                               struct ss_bytes packed, uint8_t *out);
SS_MUST_USE enum ss_status ss_stored_open(struct ss_keys *keys, struct ss_bytes key,
                                          struct ss_bytes stored, uint8_t *out, size_t out_max,
                                          struct ss_bytes *packed, struct ss_error *err);

/* Size 0 gives the all-zero state. A key that we do not have is looked for in the file once more:
 * another process may have sealed with it the moment that it was added.
 *
 * SS_GIVE_UP: nobody who may has written this for this user, or it is plain where that is refused.
 * SS_STOP: sealed with a key that we do not have. The state is lost to us and to nobody else: who
 * gets this must neither wipe nor overwrite anything. *state is all-zero then. */
SS_MUST_USE enum ss_status ss_stored_read(struct ss_keys *keys, struct ss_bytes user_id,
                                          struct ss_bytes stored, struct ss_user_state *state,
                                          struct ss_error *err);

#endif
