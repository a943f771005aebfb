/* seal.c - SIV of two standard parts: the tag is a keyed BLAKE2b of everything, the ciphertext is
 * XChaCha20 with the tag as its nonce.
 *
 *   mac key, stream key = crypto_kdf(key, "sesstate", 1 and 2)
 *   tag        = BLAKE2b-128(mac key, format | key id | size of user id | user id | packed)
 *   ciphertext = packed XOR XChaCha20(stream key, nonce = tag | 8 zero bytes)
 *
 * Each piece of the tag's input but the last says its own length, so that no two inputs run into
 * one.
 */
#include "state/seal.h"

#include "state/pack_format.h"
#include "state/wire.h"

#include <assert.h>
#include <sodium.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    SEALED_FORMAT = 0xe5, /* no single bit away from a packed state's */
    PLAIN_FORMATS = 0x20, /* packed states begin below this */
    HEADER_MAX = SS_SEAL_OVERHEAD_MAX - SS_SEAL_TAG_SIZE,
    PREFIX_MAX = HEADER_MAX + 1 + SS_SEAL_NAME_MAX,
};

static_assert((int)SS_PACK_FORMAT < (int)PLAIN_FORMATS, "packed and sealed states are told apart");
static_assert((int)SS_SEAL_NAME_MAX < 0x80, "the user id's size is one byte of the tag's input");
static_assert(SS_SEAL_KEY_SIZE == crypto_kdf_KEYBYTES, "keys are the derivation's");
static_assert(SS_SEAL_TAG_SIZE <= crypto_stream_xchacha20_NONCEBYTES, "the tag fits the nonce");
static_assert(SS_SEAL_TAG_SIZE >= crypto_generichash_BYTES_MIN, "the hash can be that short");

struct sealing_key {
    uint32_t id;
    /* sodium_malloc aligns the end of what it gives: sizes must be multiples of the alignment. */
    alignas(16) uint8_t mac[crypto_generichash_KEYBYTES];
    uint8_t stream[crypto_stream_xchacha20_KEYBYTES];
};

struct ss_sealer {
    atomic_int *references; /* apart: what follows is in memory that is read-only */
    enum ss_plain_states plain;
    size_t count, current;
    struct sealing_key keys[];
};

enum ss_status ss_sealer_open(const struct ss_seal_key *keys, size_t count, size_t current,
                              enum ss_plain_states plain, struct ss_sealer **out,
                              struct ss_error *err)
{
    assert(count >= 1 && count <= SS_SEAL_KEYS_MAX && current < count);
    *out = NULL;
    if (sodium_init() < 0)
        return ss_fail(err, SS_STOP, "libsodium does not start");
    struct ss_sealer *sealer = sodium_malloc(sizeof *sealer + count * sizeof sealer->keys[0]);
    atomic_int *references = malloc(sizeof *references);
    if (!sealer || !references) {
        sodium_free(sealer);
        free(references);
        return ss_fail(err, SS_STOP, "out of memory for keys");
    }
    atomic_init(references, 1);
    sealer->references = references;
    sealer->plain = plain;
    sealer->count = count;
    sealer->current = current;
    for (size_t i = 0; i < count; i++) {
        struct sealing_key *key = &sealer->keys[i];
        assert(keys[i].id >= 1 && keys[i].id <= SS_SEAL_KEY_ID_MAX);
        key->id = keys[i].id;
        crypto_kdf_derive_from_key(key->mac, sizeof key->mac, 1, "sesstate", keys[i].bytes);
        crypto_kdf_derive_from_key(key->stream, sizeof key->stream, 2, "sesstate", keys[i].bytes);
    }
    sodium_mprotect_readonly(sealer);
    *out = sealer;
    return SS_OK;
}

const struct ss_sealer *ss_sealer_share(const struct ss_sealer *sealer)
{
    if (sealer)
        atomic_fetch_add(sealer->references, 1);
    return sealer;
}

void ss_sealer_close(const struct ss_sealer *sealer)
{
    if (!sealer || atomic_fetch_sub(sealer->references, 1) != 1)
        return;
    free(sealer->references);
    sodium_free((struct ss_sealer *)sealer); /* wipes */
}

uint32_t ss_sealer_key_id(const struct ss_sealer *sealer)
{
    return sealer ? sealer->keys[sealer->current].id : 0;
}

static void make_tag(const struct sealing_key *key, const uint8_t *header, size_t header_size,
                     struct ss_bytes user_id, struct ss_bytes packed, uint8_t *tag)
{
    uint8_t input[PREFIX_MAX + SS_PACKED_MAX];
    uint8_t *at = input;
    memcpy(at, header, header_size);
    at += header_size;
    *at++ = (uint8_t)user_id.size;
    memcpy(at, user_id.data, user_id.size);
    at += user_id.size;
    if (packed.size <= SS_PACKED_MAX) {
        /* In one piece: copying this little is cheaper than streaming it. */
        memcpy(at, packed.data, packed.size);
        at += packed.size;
        crypto_generichash(tag, SS_SEAL_TAG_SIZE, input, (size_t)(at - input), key->mac,
                           sizeof key->mac);
        return;
    }
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, key->mac, sizeof key->mac, SS_SEAL_TAG_SIZE);
    crypto_generichash_update(&hash, input, (size_t)(at - input));
    crypto_generichash_update(&hash, packed.data, packed.size);
    crypto_generichash_final(&hash, tag, SS_SEAL_TAG_SIZE);
}

static void apply_stream(const struct sealing_key *key, const uint8_t *tag, const uint8_t *in,
                         size_t size, uint8_t *out)
{
    uint8_t nonce[crypto_stream_xchacha20_NONCEBYTES] = {0};
    memcpy(nonce, tag, SS_SEAL_TAG_SIZE);
    crypto_stream_xchacha20_xor(out, in, size, nonce, key->stream);
}

struct ss_bytes ss_seal(const struct ss_sealer *sealer, struct ss_bytes user_id,
                        struct ss_bytes packed, uint8_t *out)
{
    if (!sealer || packed.size == 0)
        return packed;
    assert(packed.size <= SS_SEAL_PLAIN_MAX && user_id.size >= 1 &&
           user_id.size <= SS_SEAL_NAME_MAX);
    const struct sealing_key *key = &sealer->keys[sealer->current];
    out[0] = SEALED_FORMAT;
    uint8_t *tag = ss_put_varint(out + 1, key->id);
    make_tag(key, out, (size_t)(tag - out), user_id, packed, tag);
    uint8_t *body = tag + SS_SEAL_TAG_SIZE;
    apply_stream(key, tag, packed.data, packed.size, body);
    return (struct ss_bytes){out, (size_t)(body - out) + packed.size};
}

/* The key id behind the format byte; 0 if there is none. The reader then stands at the tag. */
static uint32_t read_key_id(struct ss_reader *reader)
{
    if (ss_get_u8(reader) != SEALED_FORMAT)
        return 0;
    return (uint32_t)ss_get_bounded(reader, SS_SEAL_KEY_ID_MAX);
}

uint32_t ss_seal_key_id(struct ss_bytes stored)
{
    struct ss_reader reader = ss_reader_of(stored);
    return read_key_id(&reader);
}

static const struct sealing_key *find_key(const struct ss_sealer *sealer, uint32_t id)
{
    for (size_t i = sealer->count; i-- > 0;) /* the newest are last */
        if (sealer->keys[i].id == id)
            return &sealer->keys[i];
    return NULL;
}

static enum ss_status open_plain(const struct ss_sealer *sealer, struct ss_bytes stored,
                                 struct ss_bytes *packed, struct ss_error *err)
{
    if (sealer && sealer->plain == SS_PLAIN_REFUSE)
        return ss_fail(err, SS_GIVE_UP,
                       "a state is not sealed, which encryption.plain_states refuses");
    *packed = stored;
    return SS_OK;
}

enum ss_status ss_unseal(const struct ss_sealer *sealer, struct ss_bytes user_id,
                         struct ss_bytes stored, uint8_t *out, struct ss_bytes *packed,
                         struct ss_error *err)
{
    return ss_unseal_into(sealer, user_id, stored, out, SS_PACKED_MAX, packed, err);
}

enum ss_status ss_unseal_into(const struct ss_sealer *sealer, struct ss_bytes user_id,
                              struct ss_bytes stored, uint8_t *out, size_t out_max,
                              struct ss_bytes *packed, struct ss_error *err)
{
    *packed = (struct ss_bytes){0};
    if (stored.size == 0)
        return SS_OK;
    const uint8_t *start = stored.data;
    if (*start < PLAIN_FORMATS)
        return open_plain(sealer, stored, packed, err);

    struct ss_reader reader = ss_reader_of(stored);
    uint32_t id = read_key_id(&reader);
    const uint8_t *tag = reader.at;
    size_t header_size = (size_t)(tag - start);
    const uint8_t *sealed = ss_get_bytes(&reader, SS_SEAL_TAG_SIZE);
    size_t size = (size_t)(reader.end - reader.at);
    if (id == 0 || !sealed || size == 0 || size > out_max || user_id.size < 1 ||
        user_id.size > SS_SEAL_NAME_MAX)
        return ss_fail(err, SS_GIVE_UP, "a stored state of %zu bytes is neither packed nor sealed",
                       stored.size);
    if (!sealer)
        return ss_fail(err, SS_STOP,
                       "a state is sealed with key %u, but encryption.key_file is not set", id);
    const struct sealing_key *key = find_key(sealer, id);
    if (!key)
        return ss_fail(err, SS_STOP,
                       "a state is sealed with key %u, which the key file does not have: put it "
                       "back, or bring this host's key file up to date",
                       id);

    uint8_t expected[SS_SEAL_TAG_SIZE];
    apply_stream(key, tag, reader.at, size, out);
    struct ss_bytes opened = {out, size};
    make_tag(key, start, header_size, user_id, opened, expected);
    if (sodium_memcmp(expected, tag, SS_SEAL_TAG_SIZE) != 0) {
        sodium_memzero(out, size);
        return ss_fail(err, SS_GIVE_UP,
                       "a state of %zu bytes is not what was sealed with key %u for its user",
                       stored.size, id);
    }
    *packed = opened;
    return SS_OK;
}
