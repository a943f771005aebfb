/* The table of users: how its hash reads an id. The table itself is tested by all that fold into
 * it. */
#include "audit/user_table.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { SIZE = SS_USER_ID_MAX };

static char letter(int i)
{
    return (char)(i * 37 + 11);
}

/* Samples of users are chosen by it: two versions must choose the same ones. */
Test(user_table, the_hash_of_an_id_never_changes)
{
    static const struct {
        uint32_t size;
        uint64_t hash;
    } known[] = {
        {0, UINT64_C(0x39b3c8bd60e50656)},  {1, UINT64_C(0x143936d2b446da5e)},
        {3, UINT64_C(0x8c361532860b07e5)},  {4, UINT64_C(0x75c84f452f63078c)},
        {7, UINT64_C(0x8dd6358f2624bc8b)},  {8, UINT64_C(0x4337d7921ab47e49)},
        {9, UINT64_C(0xcfa57711fa6d8b54)},  {12, UINT64_C(0xc83a96b06fb34a63)},
        {15, UINT64_C(0x8bdcbe9261a36580)}, {16, UINT64_C(0xc35d205e340e7f7d)},
        {17, UINT64_C(0x6ace3e689a6a9a7f)}, {20, UINT64_C(0xa98a204c0f7a74cf)},
        {24, UINT64_C(0xb61dcf5f43c0db1b)}, {25, UINT64_C(0x5a018531301bbbcf)},
        {31, UINT64_C(0xab8a90f08ed9498f)}, {32, UINT64_C(0x2f542c8ba435bc9b)},
        {33, UINT64_C(0x2186ddebad4dae1e)}, {40, UINT64_C(0xcbf185ca5c48ae0b)},
        {63, UINT64_C(0x5cbda6f1480b5122)}, {64, UINT64_C(0x5ca4ef4be8d0707c)},
    };
    char id[SIZE];
    for (int i = 0; i < SIZE; i++)
        id[i] = letter(i);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const uint64_t hash = ss_user_hash((struct ss_text){id, known[i].size});
        cr_expect_eq(hash, known[i].hash, "of %u bytes: %016llx", known[i].size,
                     (unsigned long long)hash);
    }
}

/* Nothing but the id is read, and all of it: what lies around it may be anything. */
Test(user_table, the_hash_is_of_every_byte_and_of_no_other)
{
    char around[SIZE + 16], other[SIZE + 16];
    for (uint32_t size = 1; size <= SIZE; size++) {
        for (int i = 0; i < (int)sizeof around; i++) {
            const bool within = i >= 8 && i < 8 + (int)size;
            around[i] = within ? letter(i) : 'x';
            other[i] = within ? letter(i) : 'y';
        }
        char *id = malloc(size); /* where reading more is noticed */
        cr_assert_not_null(id);
        memcpy(id, around + 8, size);
        const uint64_t hash = ss_user_hash((struct ss_text){id, size});
        free(id);
        cr_assert_eq(ss_user_hash((struct ss_text){around + 8, size}), hash);
        cr_assert_eq(ss_user_hash((struct ss_text){other + 8, size}), hash);
        for (uint32_t i = 0; i < size; i++) {
            other[8 + i] ^= 0x40;
            cr_assert_neq(ss_user_hash((struct ss_text){other + 8, size}), hash);
            other[8 + i] ^= 0x40;
        }
    }
}
