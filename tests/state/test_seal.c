/* Sealed states: they open for whom they were sealed, and nothing else opens. */
#include "state/seal.h"

#include "helper_state.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const uint8_t key_one[SS_SEAL_KEY_SIZE] = {1, 2, 3};
static const uint8_t key_two[SS_SEAL_KEY_SIZE] = {9, 8, 7};

static struct ss_sealer *open_with(const struct ss_seal_key *keys, size_t count, size_t current,
                                   enum ss_plain_states plain)
{
    struct ss_sealer *sealer;
    struct ss_error err = {0};
    cr_assert_eq(ss_sealer_open(keys, count, current, plain, &sealer, &err), SS_OK, "%s",
                 err.detail);
    return sealer;
}

static struct ss_sealer *one_key(uint32_t id)
{
    struct ss_seal_key key = {id, key_one};
    return open_with(&key, 1, 0, SS_PLAIN_ACCEPT);
}

static struct ss_bytes bytes_of(const char *text)
{
    return (struct ss_bytes){text, strlen(text)};
}

/* Some packed state: format byte and what has that length. */
static struct ss_bytes some_packed(size_t size, uint8_t *out)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(i * 37 + 11);
    out[0] = 1;
    return (struct ss_bytes){out, size};
}

static enum ss_status unseal(const struct ss_sealer *sealer, const char *user,
                             struct ss_bytes stored, char detail[480])
{
    uint8_t out[SS_PACKED_MAX];
    struct ss_bytes packed = {out, 99};
    struct ss_error err = {0};
    enum ss_status status = ss_unseal(sealer, bytes_of(user), stored, out, &packed, &err);
    cr_assert(status == SS_OK || packed.size == 0, "nothing is handed out on an error");
    if (detail)
        strcpy(detail, err.detail);
    return status;
}

Test(seal, any_size_comes_back)
{
    struct ss_sealer *sealer = one_key(1);
    uint8_t plain[SS_PACKED_MAX], sealed[SS_SEALED_MAX], out[SS_PACKED_MAX];
    for (size_t size = 1; size <= SS_PACKED_MAX; size = size < 300 ? size + 1 : size * 2 + 1) {
        struct ss_bytes packed = some_packed(size, plain), opened;
        struct ss_bytes stored = ss_seal(sealer, bytes_of("u"), packed, sealed);
        cr_assert_eq(stored.size, size + 18, "one byte of format, one of key id, 16 of tag");
        cr_assert_eq(ss_unseal(sealer, bytes_of("u"), stored, out, &opened, NULL), SS_OK);
        cr_assert(ss_bytes_equal(opened, packed), "size %zu", size);
    }
    struct ss_bytes packed = some_packed(SS_PACKED_MAX, plain), opened;
    struct ss_bytes stored = ss_seal(sealer, bytes_of("u"), packed, sealed);
    cr_assert_leq(stored.size, (size_t)SS_SEALED_MAX);
    cr_assert_eq(ss_unseal(sealer, bytes_of("u"), stored, out, &opened, NULL), SS_OK);
    cr_assert(ss_bytes_equal(opened, packed));
    ss_sealer_close(sealer);
}

Test(seal, a_real_state_comes_back)
{
    struct ss_sealer *sealer = one_key(1);
    struct ss_user_state state = {0}, copy;
    uint8_t plain[SS_PACKED_MAX], sealed[SS_SEALED_MAX], out[SS_PACKED_MAX];
    state.consents.scoring = true;
    state.published.score = 612;
    struct ss_bytes opened, packed = {plain, ss_state_pack(&state, plain)};
    struct ss_bytes stored = ss_seal(sealer, bytes_of("u"), packed, sealed);
    cr_assert_eq(ss_state_unpack(stored, &copy, NULL), SS_GIVE_UP, "sealed bytes are no state");
    cr_assert_eq(ss_unseal(sealer, bytes_of("u"), stored, out, &opened, NULL), SS_OK);
    cr_assert_eq(ss_state_unpack(opened, &copy, NULL), SS_OK);
    cr_assert_eq(memcmp(&state, &copy, sizeof copy), 0);
    ss_sealer_close(sealer);
}

/* If this fails, states in the field no longer open: give the new form a format byte of its own. */
Test(seal, bytes_stay_what_they_are)
{
    struct ss_sealer *sealer = one_key(300);
    uint8_t sealed[SS_SEALED_MAX];
    char text[2 * 64 + 1];
    struct ss_bytes stored =
        ss_seal(sealer, bytes_of("user-0000000042"), bytes_of("\x01sesame"), sealed);
    cr_assert_eq(stored.size, 1 + 2 + 16 + 7);
    for (size_t i = 0; i < stored.size; i++)
        sprintf(text + 2 * i, "%02x", sealed[i]);
    cr_assert_str_eq(text, "e5ac0218d4f56d1ab19b212cec78d7fe4283c895c2f33bcd36af");
    ss_sealer_close(sealer);
}

Test(seal, the_same_state_has_the_same_bytes_but_only_for_its_user_and_key)
{
    struct ss_sealer *sealer = one_key(1), *again = one_key(1), *other = one_key(2);
    uint8_t plain[200], a[SS_SEALED_MAX], b[SS_SEALED_MAX];
    struct ss_bytes packed = some_packed(sizeof plain, plain);
    struct ss_bytes first = ss_seal(sealer, bytes_of("anna"), packed, a);
    cr_assert(ss_bytes_equal(first, ss_seal(again, bytes_of("anna"), packed, b)));
    ss_seal(sealer, bytes_of("otto"), packed, b);
    cr_assert_neq(memcmp(a + 18, b + 18, packed.size), 0);
    cr_assert_neq(memcmp(a + 2, b + 2, SS_SEAL_TAG_SIZE), 0);
    ss_seal(other, bytes_of("anna"), packed, b);
    cr_assert_neq(memcmp(a + 2, b + 2, SS_SEAL_TAG_SIZE), 0, "the key id is part of the tag");
    plain[199] ^= 1;
    ss_seal(sealer, bytes_of("anna"), packed, b);
    cr_assert_neq(memcmp(a + 18, b + 18, 16), 0, "a change at the end changes the beginning");
    ss_sealer_close(sealer);
    ss_sealer_close(again);
    ss_sealer_close(other);
}

Test(seal, does_not_open_for_another_user)
{
    struct ss_sealer *sealer = one_key(1);
    uint8_t plain[100], sealed[SS_SEALED_MAX];
    char detail[480];
    struct ss_bytes stored =
        ss_seal(sealer, bytes_of("anna"), some_packed(sizeof plain, plain), sealed);
    cr_assert_eq(unseal(sealer, "anna", stored, NULL), SS_OK);
    cr_assert_eq(unseal(sealer, "otto", stored, detail), SS_GIVE_UP);
    cr_assert_null(strstr(detail, "otto"), "no user id in errors: %s", detail);
    cr_assert_eq(unseal(sealer, "ann", stored, NULL), SS_GIVE_UP);
    cr_assert_eq(unseal(sealer, "", stored, NULL), SS_GIVE_UP);
    char long_id[SS_USER_ID_MAX + 2];
    memset(long_id, 'u', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    cr_assert_eq(unseal(sealer, long_id, stored, NULL), SS_GIVE_UP);
    ss_sealer_close(sealer);
}

Test(seal, user_id_and_state_do_not_run_into_one_another)
{
    struct ss_sealer *sealer = one_key(1);
    uint8_t a[SS_SEALED_MAX], b[SS_SEALED_MAX];
    ss_seal(sealer, bytes_of("ab"), bytes_of("\x01rest"), a);
    ss_seal(sealer, bytes_of("ab\x01"), bytes_of("rest"), b);
    cr_assert_neq(memcmp(a + 2, b + 2, SS_SEAL_TAG_SIZE), 0);
    ss_sealer_close(sealer);
}

Test(seal, each_flipped_bit_is_detected)
{
    struct ss_seal_key keys[] = {{1, key_one}, {3, key_two}};
    struct ss_sealer *sealer = open_with(keys, 2, 0, SS_PLAIN_ACCEPT);
    uint8_t plain[60], sealed[SS_SEALED_MAX];
    struct ss_bytes stored =
        ss_seal(sealer, bytes_of("anna"), some_packed(sizeof plain, plain), sealed);
    for (size_t bit = 0; bit < stored.size * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum ss_status status = unseal(sealer, "anna", stored, NULL);
        cr_assert(status == SS_GIVE_UP || (status == SS_STOP && bit / 8 == 1), "bit %zu: %s", bit,
                  ss_status_name(status));
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(unseal(sealer, "anna", stored, NULL), SS_OK);
    ss_sealer_close(sealer);
}

Test(seal, truncated_or_longer_is_detected)
{
    struct ss_sealer *sealer = one_key(1);
    uint8_t plain[60], sealed[SS_SEALED_MAX] = {0};
    struct ss_bytes stored =
        ss_seal(sealer, bytes_of("anna"), some_packed(sizeof plain, plain), sealed);
    for (size_t size = 1; size < stored.size; size++)
        cr_assert_eq(unseal(sealer, "anna", (struct ss_bytes){sealed, size}, NULL), SS_GIVE_UP,
                     "%zu bytes", size);
    cr_assert_eq(unseal(sealer, "anna", (struct ss_bytes){sealed, stored.size + 1}, NULL),
                 SS_GIVE_UP);
    static uint8_t huge[SS_SEALED_MAX + 100] = {0xe5, 1};
    cr_assert_eq(unseal(sealer, "anna", (struct ss_bytes){huge, sizeof huge}, NULL), SS_GIVE_UP);
    ss_sealer_close(sealer);
}

Test(seal, an_unknown_key_is_named)
{
    struct ss_sealer *writer = one_key(4711), *reader = one_key(1);
    uint8_t plain[60], sealed[SS_SEALED_MAX];
    char detail[480];
    struct ss_bytes stored =
        ss_seal(writer, bytes_of("anna"), some_packed(sizeof plain, plain), sealed);
    cr_assert_eq(unseal(reader, "anna", stored, detail), SS_STOP);
    cr_assert_not_null(strstr(detail, "key 4711,"), "%s", detail);
    cr_assert_eq(unseal(NULL, "anna", stored, detail), SS_STOP, "encryption off");
    cr_assert_not_null(strstr(detail, "key 4711,"), "%s", detail);
    cr_assert_not_null(strstr(detail, "encryption.key_file"), "%s", detail);
    ss_sealer_close(writer);
    ss_sealer_close(reader);
}

Test(seal, another_key_of_the_same_id_does_not_open)
{
    struct ss_seal_key key = {1, key_two};
    struct ss_sealer *writer = one_key(1), *reader = open_with(&key, 1, 0, SS_PLAIN_ACCEPT);
    uint8_t plain[60], sealed[SS_SEALED_MAX];
    struct ss_bytes stored =
        ss_seal(writer, bytes_of("anna"), some_packed(sizeof plain, plain), sealed);
    cr_assert_eq(unseal(reader, "anna", stored, NULL), SS_GIVE_UP);
    ss_sealer_close(writer);
    ss_sealer_close(reader);
}

Test(seal, all_keys_open_and_the_current_one_seals)
{
    struct ss_seal_key keys[] = {{1, key_one}, {2, key_two}};
    struct ss_sealer *old = one_key(1), *both = open_with(keys, 2, 1, SS_PLAIN_ACCEPT);
    uint8_t plain[60], sealed[SS_SEALED_MAX];
    struct ss_bytes packed = some_packed(sizeof plain, plain);
    cr_assert_eq(ss_sealer_key_id(both), 2);
    struct ss_bytes stored = ss_seal(old, bytes_of("anna"), packed, sealed);
    cr_assert_eq(ss_seal_key_id(stored), 1);
    cr_assert_eq(unseal(both, "anna", stored, NULL), SS_OK);
    stored = ss_seal(both, bytes_of("anna"), packed, sealed);
    cr_assert_eq(ss_seal_key_id(stored), 2);
    cr_assert_eq(unseal(both, "anna", stored, NULL), SS_OK);
    cr_assert_eq(unseal(old, "anna", stored, NULL), SS_STOP);
    ss_sealer_close(old);
    ss_sealer_close(both);
}

Test(seal, key_ids_of_each_length)
{
    static const struct {
        uint32_t id;
        size_t size;
    } each[] = {{1, 1},     {127, 1},     {128, 2},     {16383, 2},
                {16384, 3}, {2097151, 3}, {2097152, 4}, {SS_SEAL_KEY_ID_MAX, 4}};
    uint8_t plain[60], sealed[SS_SEALED_MAX];
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct ss_sealer *sealer = one_key(each[i].id);
        struct ss_bytes stored =
            ss_seal(sealer, bytes_of("anna"), some_packed(sizeof plain, plain), sealed);
        cr_assert_eq(stored.size, 60 + 1 + each[i].size + 16);
        cr_assert_eq(ss_seal_key_id(stored), each[i].id);
        cr_assert_eq(unseal(sealer, "anna", stored, NULL), SS_OK);
        ss_sealer_close(sealer);
    }
}

Test(seal, key_ids_of_what_is_not_sealed)
{
    cr_assert_eq(ss_seal_key_id((struct ss_bytes){0}), 0);
    cr_assert_eq(ss_seal_key_id(bytes_of("\x01plain")), 0);
    cr_assert_eq(ss_seal_key_id(bytes_of("\xe5")), 0);
    cr_assert_eq(ss_seal_key_id(bytes_of("\xe5\xff\xff\xff\xff\xff\xff")), 0);
    cr_assert_eq(ss_seal_key_id(bytes_of("\xe5\x81\x80\x80\x80\x01zzzz")), 0, "over 4 bytes");
}

Test(seal, plain_states_pass_unless_refused)
{
    struct ss_seal_key key = {1, key_one};
    struct ss_sealer *accepting = one_key(1);
    struct ss_sealer *refusing = open_with(&key, 1, 0, SS_PLAIN_REFUSE);
    uint8_t plain[60], sealed[SS_SEALED_MAX], out[SS_PACKED_MAX];
    struct ss_bytes packed = some_packed(sizeof plain, plain), opened;
    cr_assert_eq(ss_unseal(accepting, bytes_of("anna"), packed, out, &opened, NULL), SS_OK);
    cr_assert_eq(opened.data, packed.data, "no copy is made");
    cr_assert_eq(ss_unseal(NULL, bytes_of("anna"), packed, out, &opened, NULL), SS_OK);
    cr_assert_eq(unseal(refusing, "anna", packed, NULL), SS_GIVE_UP);
    struct ss_bytes stored = ss_seal(refusing, bytes_of("anna"), packed, sealed);
    cr_assert_eq(unseal(refusing, "anna", stored, NULL), SS_OK);
    cr_assert_eq(ss_seal(NULL, bytes_of("anna"), packed, sealed).data, packed.data);
    ss_sealer_close(accepting);
    ss_sealer_close(refusing);
}

Test(seal, no_state_stays_no_state)
{
    struct ss_seal_key key = {1, key_one};
    struct ss_sealer *sealer = open_with(&key, 1, 0, SS_PLAIN_REFUSE);
    uint8_t sealed[SS_SEALED_MAX];
    struct ss_bytes stored = ss_seal(sealer, bytes_of("anna"), (struct ss_bytes){0}, sealed);
    cr_assert_eq(stored.size, 0);
    cr_assert_eq(unseal(sealer, "anna", stored, NULL), SS_OK);
    ss_sealer_close(sealer);
}

/* --- other records than states --- */

Test(seal, larger_records_are_sealed_under_keys_of_their_own)
{
    static uint8_t plain[SS_SEAL_PLAIN_MAX], sealed[SS_SEAL_PLAIN_MAX + SS_SEAL_OVERHEAD_MAX],
        out[SS_SEAL_PLAIN_MAX];
    static char name[SS_SEAL_NAME_MAX];
    struct ss_sealer *sealer = one_key(1);
    static const size_t some[] = {1, SS_PACKED_MAX, SS_PACKED_MAX + 1, SS_SEAL_PLAIN_MAX};
    struct ss_bytes key = {name, sizeof name}, opened;
    struct ss_error err;
    memset(name, 'u', sizeof name);
    name[0] = 2;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        struct ss_bytes stored = ss_seal(sealer, key, (struct ss_bytes){plain, some[i]}, sealed);
        cr_assert_eq(ss_unseal_into(sealer, key, stored, out, some[i], &opened, &err), SS_OK, "%s",
                     err.detail);
        cr_assert_eq(opened.size, some[i]);
        cr_assert_eq(memcmp(opened.data, plain, some[i]), 0);
        cr_assert_eq(ss_unseal_into(sealer, (struct ss_bytes){name + 1, sizeof name - 1}, stored,
                                    out, some[i], &opened, &err),
                     SS_GIVE_UP, "as a state of the same user");
        cr_assert_eq(ss_unseal_into(sealer, key, stored, out, some[i] - 1, &opened, &err),
                     SS_GIVE_UP, "larger than there is room");
        sealed[stored.size - 1] ^= 1;
        cr_assert_eq(ss_unseal_into(sealer, key, stored, out, some[i], &opened, &err), SS_GIVE_UP);
    }
    ss_sealer_close(sealer);
}
