/* Histograms: what is written, avro-c and our own reader read back; damage is refused. */
#include "helper_avro.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ss_histogram some(int from, int to)
{
    struct ss_histogram histogram = {0};
    for (int i = from; i < to; i++)
        histogram.users[i] = (uint32_t)(i % 3 ? i * 1000003 : 0);
    if (to > from)
        histogram.users[to - 1] = UINT32_MAX;
    return histogram;
}

static struct ss_bytes encoded(const struct ss_histogram *histogram, struct ss_buffer *out)
{
    struct ss_rank_record record = {
        .partition = 11, .histogram = histogram, .clock_ms = INT64_C(1700000000123)};
    struct ss_bytes body;
    struct ss_error err = {.detail = ""};
    uint32_t id;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        record.positions[i] = INT64_C(10000000000) * i + 7;
    out->size = 0;
    cr_assert_eq(ss_encode_rank(9, &record, out, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_wire_open((struct ss_bytes){out->data, out->size}, &id, &body, &err), SS_OK);
    cr_assert_eq(id, 9);
    return body;
}

static const int ranges[][2] = {{0, 0}, {0, 1}, {600, 601}, {7, 400}, {0, SS_SCORE_COUNT}};
enum { RANGES = sizeof ranges / sizeof ranges[0] };

Test(encode_rank, comes_back)
{
    struct ss_buffer out;
    struct ss_error err = {.detail = ""};
    ss_buffer_init(&out, 1 << 16);
    for (int r = 0; r < RANGES; r++) {
        struct ss_histogram histogram = some(ranges[r][0], ranges[r][1]), back;
        struct ss_bytes body = encoded(&histogram, &out);
        int32_t partition;
        cr_assert_eq(ss_decode_rank(body, &partition, &back, &err), SS_OK, "%s", err.detail);
        cr_expect_eq(partition, 11);
        cr_expect_eq(memcmp(&back, &histogram, sizeof back), 0, "range %d", r);
    }
    ss_buffer_reset(&out);
}

Test(encode_rank, comes_back_with_its_positions)
{
    struct ss_histogram histogram = some(7, 400), back;
    struct ss_rank_record record;
    struct ss_buffer out;
    struct ss_error err = {.detail = ""};
    ss_buffer_init(&out, 1 << 16);
    struct ss_bytes body = encoded(&histogram, &out);
    cr_assert_eq(ss_decode_rank_record(body, &back, &record, &err), SS_OK, "%s", err.detail);
    cr_expect_eq(record.partition, 11);
    cr_expect_eq(record.histogram, &back);
    cr_expect_eq(memcmp(&back, &histogram, sizeof back), 0);
    cr_expect_eq(record.clock_ms, INT64_C(1700000000123));
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        cr_expect_eq(record.positions[i], INT64_C(10000000000) * i + 7);
    for (size_t size = 0; size < body.size; size++) /* what is cut off, or has more behind it */
        cr_expect_eq(
            ss_decode_rank_record((struct ss_bytes){body.data, size}, &back, &record, &err),
            SS_DROP);
    cr_assert(ss_buffer_append(&out, "\0", 1));
    body = (struct ss_bytes){out.data + SS_WIRE_HEADER_SIZE, out.size - SS_WIRE_HEADER_SIZE};
    cr_expect_eq(ss_decode_rank_record(body, &back, &record, &err), SS_DROP);
    ss_buffer_reset(&out);
}

Test(encode_rank, avro_c_agrees)
{
    avro_schema_t schema = ref_parse(ss_schema_of_output(SS_RANKS));
    avro_value_t value = ref_new(schema), users, item;
    struct ss_buffer out;
    ss_buffer_init(&out, 1 << 16);
    for (int r = 0; r < RANGES; r++) {
        struct ss_histogram histogram = some(ranges[r][0], ranges[r][1]);
        cr_assert(ref_read(&value, encoded(&histogram, &out)));
        cr_expect_eq(ref_at(&value, "partition").number, 11);
        cr_expect_eq(ref_at(&value, "clock").number, INT64_C(1700000000123));
        cr_expect_eq(ref_at(&value, "positions.blacklist").number,
                     INT64_C(10000000000) * SS_BLACKLIST + 7);
        int64_t lowest = ref_at(&value, "lowest").number - SS_SCORE_MIN;
        size_t count = 0;
        avro_value_get_by_name(&value, "users", &users, NULL);
        avro_value_get_size(&users, &count);
        cr_assert_leq((size_t)lowest + count, SS_SCORE_COUNT);
        for (size_t i = 0; i < SS_SCORE_COUNT; i++) {
            bool there = (int64_t)i >= lowest && i < (size_t)lowest + count;
            if (there)
                avro_value_get_by_index(&users, i - (size_t)lowest, &item, NULL);
            cr_expect_eq(there ? ref_scalar(&item).number : 0, histogram.users[i]);
        }
    }
    avro_value_decref(&value);
    avro_schema_decref(schema);
    ss_buffer_reset(&out);
}

/* Every proper prefix up to the end of the histogram, in memory of just that size. */
Test(encode_rank, what_is_cut_off_is_refused)
{
    struct ss_histogram histogram = some(3, 40), back;
    struct ss_buffer out;
    struct ss_error err;
    int32_t partition;
    ss_buffer_init(&out, 1 << 16);
    struct ss_bytes body = encoded(&histogram, &out);
    size_t refused = 0;
    for (size_t size = 0; size < body.size; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, body.data, size);
        bool fine = ss_decode_rank((struct ss_bytes){cut, size}, &partition, &back, &err) == SS_OK;
        cr_assert(!fine || memcmp(&back, &histogram, sizeof back) == 0);
        refused += !fine;
        free(cut);
    }
    cr_assert_gt(refused, 60);
    ss_buffer_reset(&out);
}

Test(encode_rank, impossible_numbers_are_refused)
{
    static const struct {
        const char *what;
        uint8_t bytes[12];
    } bad[] = {
        {"a negative partition", {0x01, 0xbc, 0x05, 0x00}},
        {"a score below all", {0x02, 0xba, 0x05, 0x00}},
        {"a score above all", {0x02, 0xee, 0x0e, 0x00}},
        {"more scores than there are", {0x02, 0xec, 0x0e, 0x04, 0x02, 0x02, 0x00}},
        {"a block with its size", {0x02, 0xbc, 0x05, 0x01, 0x02, 0x02, 0x00}},
        {"fewer than nobody", {0x02, 0xbc, 0x05, 0x02, 0x01, 0x00}},
        {"more than the world", {0x02, 0xbc, 0x05, 0x02, 0x80, 0x80, 0x80, 0x80, 0x20, 0x00}},
    };
    struct ss_histogram histogram;
    struct ss_error err;
    int32_t partition;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(ss_decode_rank((struct ss_bytes){bad[i].bytes, sizeof bad[i].bytes},
                                    &partition, &histogram, &err),
                     SS_DROP, "%s", bad[i].what);
    static const uint8_t good[] = {0x02, 0xec, 0x0e, 0x02, 0x02, 0x00};
    cr_expect_eq(ss_decode_rank((struct ss_bytes){good, sizeof good}, &partition, &histogram, &err),
                 SS_OK);
    cr_expect_eq(histogram.users[600], 1);
}
