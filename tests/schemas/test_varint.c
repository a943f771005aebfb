/* Numbers as Avro writes them: written, read and passed over as byte by byte. */
#include "schemas/varint.h"
#include "schemas/wire_reader.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { NUMBERS = 200000, RUN_MAX = 16 };

/* By the letter of the specification. */
static size_t write_plainly(uint8_t *p, int64_t value)
{
    uint64_t raw = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t size = 0;
    for (; raw >= 0x80; raw >>= 7)
        p[size++] = (uint8_t)(raw | 0x80);
    p[size++] = (uint8_t)raw;
    return size;
}

static uint64_t step(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Of any length, as likely as any other. */
static int64_t any_number(uint64_t *random)
{
    const unsigned shift = (unsigned)(step(random) % 64);
    return (int64_t)(step(random) >> shift) ^ -(int64_t)(step(random) & 1);
}

Test(varint, writes_and_reads_any_number)
{
    uint64_t random = 88172645463325252;
    for (int i = 0; i < NUMBERS; i++) {
        const int64_t number = i < 70000 ? i - 35000 : any_number(&random);
        uint8_t plain[SS_VARINT_MAX], written[SS_VARINT_MAX + 1];
        const size_t size = write_plainly(plain, number);
        written[SS_VARINT_MAX] = 0x2e;
        cr_assert_eq(ss_varint_write(written, number) - written, (ptrdiff_t)size);
        cr_assert_eq(memcmp(plain, written, size), 0, "%lld", (long long)number);
        cr_assert_eq(written[SS_VARINT_MAX], 0x2e);
        for (size_t cut = 0; cut <= size; cut++) { /* with the end near, and far */
            struct ss_wire_reader r = {.at = plain, .end = plain + cut}, t = r;
            const int64_t got = ss_wire_long(&r), time = ss_wire_time(&t);
            cr_assert_eq(r.bad, cut < size);
            cr_assert_eq(t.bad, cut < size);
            if (cut == size)
                cr_assert(got == number && time == number && r.at == r.end && t.at == t.end);
        }
        struct ss_wire_reader far = {.at = written, .end = written + sizeof written};
        cr_assert_eq(ss_wire_long(&far), number);
        cr_assert_eq(far.at, written + size);
    }
}

/* Runs of bytes of any kind, most of them numbers, in memory of exactly their size. */
Test(varint, passes_over_what_it_would_read)
{
    uint64_t random = 4711;
    int passed = 0, refused = 0;
    for (int i = 0; i < NUMBERS; i++) {
        const unsigned count = 1 + (unsigned)(step(&random) % RUN_MAX);
        const size_t size = step(&random) % (3 * RUN_MAX);
        const uint64_t longer = step(&random) % 4; /* one number in so many goes on, or none */
        uint8_t *bytes = malloc(size ? size : 1);
        cr_assert_not_null(bytes);
        for (size_t b = 0; b < size; b++) {
            const bool on = longer && step(&random) % (1 + longer) == 0;
            bytes[b] = (uint8_t)((step(&random) & 0x7f) | (on ? 0x80 : 0));
        }
        struct ss_wire_reader read = {.at = bytes, .end = bytes + size}, skip = read;
        for (unsigned n = 0; n < count; n++)
            (void)ss_wire_int(&read);
        ss_wire_skip_ints(&skip, count);
        cr_assert_eq(skip.bad, read.bad);
        if (!read.bad)
            cr_assert_eq(skip.at, read.at);
        passed += !read.bad;
        refused += read.bad;
        free(bytes);
    }
    cr_assert(passed > NUMBERS / 10 && refused > NUMBERS / 10);
}

/* Numbers that are no ints, at each place of a run. */
Test(varint, does_not_pass_over_what_is_no_int)
{
    static const uint8_t too_large[] = {0x80, 0x80, 0x80, 0x80, 0x10};
    uint8_t bytes[64];
    for (size_t at = 0; at < RUN_MAX; at++) {
        memset(bytes, 2, sizeof bytes);
        memcpy(bytes + at, too_large, sizeof too_large);
        struct ss_wire_reader r = {.at = bytes, .end = bytes + sizeof bytes};
        ss_wire_skip_ints(&r, RUN_MAX);
        cr_assert(r.bad, "at %zu", at);
        bytes[at + 4] = 0x0f; /* the least int there is */
        r = (struct ss_wire_reader){.at = bytes, .end = bytes + sizeof bytes};
        ss_wire_skip_ints(&r, RUN_MAX);
        cr_assert(!r.bad && r.at == bytes + RUN_MAX + 4);
    }
}
