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
