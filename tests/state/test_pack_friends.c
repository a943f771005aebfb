/* The packed friends record: whatever a list holds survives, nothing else is accepted, and the
 * bytes of format 1 stay what they are. */
#include "state/pack_friends.h"

#include "helper_state.h"
#include "scoring/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static int by_hash(const void *a, const void *b)
{
    const struct ss_friend *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static struct ss_friend confirmed(const char *id, uint8_t band)
{
    struct ss_friend link = {.id_size = (uint8_t)strlen(id), .band = band};
    memcpy(link.id, id, link.id_size);
    link.hash = ss_hash64((struct ss_text){link.id, link.id_size});
    return link;
}

static struct ss_friend any_link(uint64_t *seed, int id_max)
{
    struct ss_friend link = {.hash = random_next(seed)};
    if (random_next(seed) % 3 == 0)
        return link;
    link.id_size = (uint8_t)(1 + random_next(seed) % (uint64_t)id_max);
    for (int i = 0; i < link.id_size; i++)
        link.id[i] = (char)random_next(seed);
    link.band = (uint8_t)(random_next(seed) % SS_BAND_COUNT);
    link.hash = ss_hash64((struct ss_text){link.id, link.id_size});
    return link;
}

static void any_list(struct ss_friends *list, uint64_t *seed, int count_max)
{
    int count = (int)(random_next(seed) % (uint64_t)(count_max + 1));
    for (int i = 0; i < count; i++)
        list->links[i] = any_link(seed, SS_USER_ID_MAX);
    qsort(list->links, (size_t)count, sizeof list->links[0], by_hash);
    list->count = 0;
    for (int i = 0; i < count; i++) /* short random ids repeat */
        if (list->count == 0 || list->links[list->count - 1].hash != list->links[i].hash)
            list->links[list->count++] = list->links[i];
}

static bool equal(const struct ss_friends *a, const struct ss_friends *b)
{
    return a->count == b->count && memcmp(a->links, b->links, a->count * sizeof a->links[0]) == 0;
}

/* The format of pack_friends.h once more, as plainly as can be. */
static size_t pack_plainly(const struct ss_friends *list, uint8_t *out)
{
    size_t n = 0;
    if (list->count == 0)
        return 0;
    out[n++] = 1;
    if (list->count >= 128)
        out[n++] = (uint8_t)(list->count % 128 + 128);
    out[n++] = (uint8_t)(list->count < 128 ? list->count : list->count / 128);
    for (int i = 0; i < list->count; i++) {
        out[n++] = list->links[i].id_size;
        if (list->links[i].id_size == 0) {
            for (int b = 0; b < 64; b += 8)
                out[n++] = (uint8_t)(list->links[i].hash >> b);
            continue;
        }
        for (int b = 0; b < list->links[i].id_size; b++)
            out[n++] = (uint8_t)list->links[i].id[b];
        out[n++] = list->links[i].band;
    }
    return n;
}

static void assert_survives(const struct ss_friends *list)
{
    static uint8_t bytes[SS_FRIENDS_PACKED_MAX], plain[SS_FRIENDS_PACKED_MAX];
    static struct ss_friends copy;
    struct ss_error err;
    size_t size = ss_friends_pack(list, bytes);
    cr_assert_eq(pack_plainly(list, plain), size);
    cr_assert_eq(memcmp(bytes, plain, size), 0);
    memset(&copy, 0x5a, sizeof copy);
    cr_assert_eq(ss_friends_unpack((struct ss_bytes){bytes, size}, &copy, &err), SS_OK);
    cr_assert(equal(list, &copy));
}

static struct ss_friends list;

Test(pack_friends, nobody_packs_to_nothing)
{
    uint8_t bytes[1];
    list.count = 0;
    cr_assert_eq(ss_friends_pack(&list, bytes), 0);
    list.count = 7;
    cr_assert_eq(ss_friends_unpack((struct ss_bytes){0}, &list, NULL), SS_OK);
    cr_assert_eq(list.count, 0);
}

/* Golden bytes. If this fails, lists in the field are no longer readable: give the new form a new
 * format number and keep reading this one. */
Test(pack_friends, bytes_of_a_list)
{
    uint8_t bytes[SS_FRIENDS_PACKED_MAX];
    char hex[128] = "";
    list.count = 3;
    list.links[0] = (struct ss_friend){.hash = 0x0102030405060708};
    list.links[1] = confirmed("u", 11);
    list.links[2] = (struct ss_friend){.hash = UINT64_MAX};
    cr_assert_eq(list.links[1].hash, UINT64_C(0xaf63e84c860200f0));
    size_t size = ss_friends_pack(&list, bytes);
    for (size_t i = 0; i < size; i++)
        sprintf(hex + 2 * i, "%02x", bytes[i]);
    cr_assert_str_eq(hex, "0103"
                          "000807060504030201"
                          "01750b"
                          "00ffffffffffffffff");
    assert_survives(&list);
}

Test(pack_friends, random_lists_survive)
{
    uint64_t seed = 1;
    for (int i = 0; i < 5000; i++) {
        any_list(&list, &seed, i % 10 ? 20 : SS_FRIENDS_MAX);
        assert_survives(&list);
    }
}

Test(pack_friends, the_largest_list_fits)
{
    static uint8_t bytes[SS_FRIENDS_PACKED_MAX];
    for (int i = 0; i < SS_FRIENDS_MAX; i++) {
        char id[SS_USER_ID_MAX + 1];
        snprintf(id, sizeof id, "%064d", i);
        list.links[i] = confirmed(id, SS_BAND_COUNT - 1);
    }
    list.count = SS_FRIENDS_MAX;
    qsort(list.links, list.count, sizeof list.links[0], by_hash);
    cr_assert_eq(ss_friends_pack(&list, bytes), SS_FRIENDS_PACKED_MAX);
    assert_survives(&list);
}

/* Unpacks a copy of exactly that size, so that a sanitizer sees any byte read behind it. What is
 * accepted must be the one form of its list. */
static enum ss_status unpack_exact(const uint8_t *bytes, size_t size)
{
    static struct ss_friends found;
    static uint8_t again[SS_FRIENDS_PACKED_MAX];
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    enum ss_status status = ss_friends_unpack((struct ss_bytes){copy, size}, &found, NULL);
    if (status == SS_OK) {
        cr_assert_eq(ss_friends_pack(&found, again), size);
        cr_assert_eq(memcmp(again, copy, size), 0);
    } else {
        cr_assert_eq(status, SS_GIVE_UP);
        cr_assert_eq(found.count, 0);
    }
    free(copy);
    return status;
}

Test(pack_friends, every_truncation_and_every_tail_is_refused)
{
    static uint8_t bytes[SS_FRIENDS_PACKED_MAX + 1];
    uint64_t seed = 3;
    for (int i = 0; i < 100; i++) {
        any_list(&list, &seed, 10);
        size_t size = ss_friends_pack(&list, bytes);
        if (size == 0)
            continue;
        for (size_t cut = 1; cut < size; cut++)
            cr_assert_eq(unpack_exact(bytes, cut), SS_GIVE_UP);
        bytes[size] = 0;
        cr_assert_eq(unpack_exact(bytes, size + 1), SS_GIVE_UP);
    }
}

Test(pack_friends, damaged_bytes_are_refused_or_are_another_list)
{
    static uint8_t bytes[SS_FRIENDS_PACKED_MAX];
    uint64_t seed = 5;
    int accepted = 0, refused = 0;
    for (int i = 0; i < 100000; i++) {
        any_list(&list, &seed, 6);
        size_t size = ss_friends_pack(&list, bytes);
        if (size == 0)
            continue;
        for (uint64_t n = 1 + random_next(&seed) % 3; n > 0; n--)
            bytes[random_next(&seed) % size] ^= (uint8_t)(1u << random_next(&seed) % 8);
        if (unpack_exact(bytes, size) == SS_OK)
            accepted++;
        else
            refused++;
    }
    cr_assert(accepted > 1000 && refused > 1000);
}

Test(pack_friends, refuses_other_forms)
{
    static const struct {
        const char *what;
        uint8_t bytes[24];
        size_t size;
    } cases[] = {
        {"the plain form", {1, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 'u', 11}, 14},
        {"an unknown format", {2, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 'u', 11}, 14},
        {"nobody", {1, 0}, 2},
        {"a count with a needless byte", {1, 0x81, 0, 1, 'u', 11}, 6},
        {"a count over its bound", {1, 0xf5, 3, 1, 'u', 11}, 6},
        {"more counted than there are", {1, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 'u', 11}, 14},
        {"a band that is none", {1, 1, 1, 'u', 12}, 5},
        {"the same twice", {1, 2, 1, 'u', 1, 1, 'u', 1}, 8},
        {"out of order", {1, 2, 1, 'u', 11, 0, 1, 0, 0, 0, 0, 0, 0, 0}, 14},
        {"an id over its bound", {1, 1, 65, 'u', 11}, 5},
    };
    cr_assert_eq(unpack_exact(cases[0].bytes, cases[0].size), SS_OK);
    for (size_t i = 1; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(unpack_exact(cases[i].bytes, cases[i].size), SS_GIVE_UP, "%s", cases[i].what);

    uint8_t long_id[3 + 65 + 1] = {1, 1, 65};
    cr_expect_eq(unpack_exact(long_id, sizeof long_id), SS_GIVE_UP);
    long_id[2] = 64;
    cr_expect_eq(unpack_exact(long_id, sizeof long_id - 1), SS_OK);
}

/* For information: what ten friends take, eight of them confirmed, with ids of 16 bytes. */
Test(pack_friends, size_of_a_typical_list)
{
    uint8_t bytes[SS_FRIENDS_PACKED_MAX];
    list.count = 10;
    for (int i = 0; i < 10; i++) {
        char id[17];
        snprintf(id, sizeof id, "user-%011d", i);
        list.links[i] = confirmed(id, 5);
        if (i < 2)
            list.links[i] = (struct ss_friend){.hash = list.links[i].hash};
    }
    qsort(list.links, list.count, sizeof list.links[0], by_hash);
    size_t size = ss_friends_pack(&list, bytes);
    printf("ten friends, eight confirmed: %zu bytes\n", size);
    cr_assert_eq(size, 2 + 2 * 9 + 8 * 18);
}
