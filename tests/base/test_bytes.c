#include "base/bytes.h"

#include <criterion/criterion.h>

Test(bytes, buffer_refuses_to_grow_past_its_maximum)
{
    struct ss_buffer buffer;
    ss_buffer_init(&buffer, 300);
    cr_assert(ss_buffer_append(&buffer, "abc", 3));
    cr_assert(ss_buffer_reserve(&buffer, 297));
    cr_assert(!ss_buffer_reserve(&buffer, 298));
    cr_assert(!ss_buffer_reserve(&buffer, SIZE_MAX));
    cr_assert_eq(buffer.size, 3);
    cr_assert_eq(memcmp(buffer.data, "abc", 3), 0);
    ss_buffer_reset(&buffer);
    cr_assert_eq(buffer.size, 0);
    cr_assert_eq(buffer.size_max, 300);
}

Test(bytes, equal_compares_content_and_length)
{
    cr_assert(ss_bytes_equal((struct ss_bytes){"ab", 2}, (struct ss_bytes){"abc", 2}));
    cr_assert(!ss_bytes_equal((struct ss_bytes){"ab", 2}, (struct ss_bytes){"abc", 3}));
    cr_assert(ss_bytes_equal((struct ss_bytes){0}, (struct ss_bytes){"", 0}));
}

/* Of each size, and with a difference at each place; what lies behind differs too. */
Test(bytes, short_ones_are_the_same_or_differ_anywhere)
{
    uint8_t a[48], b[48];
    for (size_t size = 0; size < 40; size++) {
        for (size_t i = 0; i < sizeof a; i++) {
            a[i] = (uint8_t)(i * 7 + 1);
            b[i] = (uint8_t)(i < size ? a[i] : ~a[i]);
        }
        cr_assert(ss_same_short(a, b, size), "%zu bytes", size);
        for (size_t i = 0; i < size; i++) {
            b[i] ^= 0x80;
            cr_assert(!ss_same_short(a, b, size), "byte %zu of %zu", i, size);
            b[i] ^= 0x80;
        }
    }
    cr_assert(ss_same_short(NULL, NULL, 0));
}
