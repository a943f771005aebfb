#include "state/stored.h"

void ss_keys_renew(struct ss_keys *keys, int64_t now_ms)
{
    if (keys)
        keys->sealer = ss_key_ring_renew(keys->ring, keys->sealer, now_ms);
}

void ss_keys_reset(struct ss_keys *keys)
{
    if (!keys)
        return;
    ss_sealer_close(keys->sealer);
    *keys = (struct ss_keys){0};
}

static const struct ss_sealer *sealer_of(const struct ss_keys *keys)
{
    return keys ? keys->sealer : NULL;
}

struct ss_bytes ss_stored_write(const struct ss_keys *keys, struct ss_bytes user_id,
                                const struct ss_user_state *state, uint8_t *out)
{
    uint8_t packed[SS_PACKED_MAX];
    if (!sealer_of(keys))
        return (struct ss_bytes){out, ss_state_pack(state, out)};
    struct ss_bytes plain = {packed, ss_state_pack(state, packed)};
    if (plain.size == 0)
        return (struct ss_bytes){out, 0};
    return ss_seal(sealer_of(keys), user_id, plain, out);
}

struct ss_bytes ss_stored_seal(const struct ss_keys *keys, struct ss_bytes key,
                               struct ss_bytes packed, uint8_t *out)
{
    return ss_seal(sealer_of(keys), key, packed, out);
}

enum ss_status ss_stored_open(struct ss_keys *keys, struct ss_bytes key, struct ss_bytes stored,
                              uint8_t *out, size_t out_max, struct ss_bytes *packed,
                              struct ss_error *err)
{
    enum ss_status status = ss_unseal_into(sealer_of(keys), key, stored, out, out_max, packed, err);
    if (status != SS_STOP || !keys || !keys->ring)
        return status;
    keys->sealer = ss_key_ring_look(keys->ring, keys->sealer);
    return ss_unseal_into(keys->sealer, key, stored, out, out_max, packed, err);
}

enum ss_status ss_stored_read(struct ss_keys *keys, struct ss_bytes user_id, struct ss_bytes stored,
                              struct ss_user_state *state, struct ss_error *err)
{
    uint8_t opened[SS_PACKED_MAX];
    struct ss_bytes packed;
    enum ss_status status =
        ss_stored_open(keys, user_id, stored, opened, sizeof opened, &packed, err);
    if (status == SS_OK && packed.size > SS_PACKED_MAX)
        status = ss_fail(err, SS_GIVE_UP, "%zu bytes are no packed state", packed.size);
    if (status == SS_OK)
        return ss_state_unpack(packed, state, err);
    memset(state, 0, sizeof *state);
    return status;
}
