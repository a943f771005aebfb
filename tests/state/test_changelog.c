/* Marks and checkpoints: what is packed comes back, and nothing else is taken for one. */
#include "state/changelog.h"

#include "helper_state.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct ss_mark some_mark(uint64_t seed)
{
    struct ss_mark mark;
    memset(&mark, 0, sizeof mark);
    for (int i = 0; i < SS_INCARNATION_SIZE; i++)
        mark.incarnation[i] = (uint8_t)random_next(&seed);
    mark.partition_count = 12;
    mark.clock_ms = INT64_C(1790000000123);
    snprintf(mark.model_version, sizeof mark.model_version, "default-0123456789abcdef");
    snprintf(mark.group, sizeof mark.group, "group-%d", (int)(seed % 100));
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        mark.counts[i].consumed = (int64_t)(random_next(&seed) >> (random_next(&seed) % 63 + 1));
        for (int o = 0; o < SS_OUTCOME_COUNT; o++)
            mark.counts[i].outcomes[o] = (int64_t)(random_next(&seed) % 1000);
        mark.positions[i] = (int64_t)(random_next(&seed) % 1000000);
        mark.passed[i] = mark.positions[i] + (int64_t)(random_next(&seed) % 3);
    }
    mark.ranks_due = seed % 2;
    for (int i = 0; i < SS_SCORE_COUNT; i++) /* gaps of all sizes, at both ends too */
        if (random_next(&seed) % 100 < (uint64_t)mark.positions[0] % 100)
            mark.histogram.users[i] = (uint32_t)(random_next(&seed) >> (32 + seed % 32));
    mark.epoch = (int32_t)(random_next(&seed) % 300);
    mark.swept = (int32_t)(random_next(&seed) % 300);
    mark.sweep_next = (uint32_t)random_next(&seed);
    mark.sweep_groups = (uint32_t)random_next(&seed);
    mark.rescored = (int64_t)(random_next(&seed) >> 20);
    return mark;
}

static struct ss_checkpoint some_checkpoint(void)
{
    struct ss_checkpoint checkpoint;
    memset(&checkpoint, 0, sizeof checkpoint);
    snprintf(checkpoint.cluster_id, sizeof checkpoint.cluster_id, "MkU3OEVBNTcwNTJENDM2Qk");
    memset(checkpoint.incarnation, 0xab, sizeof checkpoint.incarnation);
    memset(checkpoint.writer, 0xcd, sizeof checkpoint.writer);
    checkpoint.partition_count = 12;
    checkpoint.offset = 123456789;
    checkpoint.broker_time_ms = INT64_C(1790000000123);
    return checkpoint;
}

Test(changelog, the_marks_key_is_no_user_id)
{
    cr_assert_eq(ss_mark_key.size, 1);
    cr_assert_eq(*(const char *)ss_mark_key.data, 1);
}

Test(changelog, marks_survive)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct ss_mark mark = some_mark(seed), copy;
        uint8_t bytes[SS_MARK_PACKED_MAX];
        size_t size = ss_mark_pack(&mark, bytes);
        cr_assert_eq(ss_mark_unpack((struct ss_bytes){bytes, size}, &copy, NULL), SS_OK);
        cr_assert_eq(memcmp(&mark, &copy, sizeof copy), 0);
    }
}

/* As versions before this one wrote it: format 3 without the group, format 2 without a varint
 * behind each input's day either. */
static void check_old_format(uint8_t format)
{
    enum { VARINTS = SS_OUTCOME_COUNT + 3 };
    struct ss_mark mark = some_mark(7), copy;
    uint8_t bytes[SS_MARK_PACKED_MAX], old[SS_MARK_PACKED_MAX], *out = old;
    if (format == 2)
        memcpy(mark.passed, mark.positions, sizeof mark.passed);
    memset(mark.group, 0, sizeof mark.group);
    size_t size = ss_mark_pack(&mark, bytes);
    const uint8_t *at = bytes + 1 + SS_INCARNATION_SIZE;
    for (int varints = 0; varints < 2; at++)
        varints += *at < 0x80;
    at += 1 + *at; /* the model */
    memcpy(out, bytes, (size_t)(at - bytes));
    out += at - bytes;
    old[0] = format;
    cr_assert_eq(*at++, 0);
    *out++ = *at++, *out++ = *at++; /* the numbers of inputs and outcomes */
    for (int input = 0; format == 2 && input < SS_INPUT_COUNT; input++) {
        for (int varints = 0; varints < VARINTS; varints += *at++ < 0x80)
            *out++ = *at;
        cr_assert_eq(*at++, 0);
    }
    size_t rest = size - (size_t)(at - bytes);
    memcpy(out, at, rest);
    cr_assert_eq(ss_mark_unpack((struct ss_bytes){old, (size_t)(out - old) + rest}, &copy, NULL),
                 SS_OK);
    cr_assert_eq(memcmp(&mark, &copy, sizeof copy), 0);
}

Test(changelog, a_mark_without_what_was_passed_is_read)
{
    check_old_format(2);
}

Test(changelog, a_mark_without_its_group_is_read)
{
    check_old_format(3);
}

Test(changelog, the_largest_mark_fits)
{
    struct ss_mark mark, copy;
    uint8_t bytes[SS_MARK_PACKED_MAX];
    memset(&mark, 0x80, sizeof mark);
    memset(mark.model_version, 'm', sizeof mark.model_version - 1);
    mark.model_version[sizeof mark.model_version - 1] = '\0';
    memset(mark.group, 'g', sizeof mark.group - 1);
    mark.group[sizeof mark.group - 1] = '\0';
    mark.partition_count = mark.epoch = mark.swept = INT32_MAX;
    mark.sweep_next = mark.sweep_groups = UINT32_MAX;
    mark.ranks_due = true;
    memset(&mark.histogram, 0xff, sizeof mark.histogram);
    size_t size = ss_mark_pack(&mark, bytes);
    cr_assert(size <= sizeof bytes);
    cr_assert_eq(ss_mark_unpack((struct ss_bytes){bytes, size}, &copy, NULL), SS_OK);
    cr_assert_str_eq(copy.group, mark.group);
    cr_assert_eq(copy.counts[6].outcomes[3], mark.counts[6].outcomes[3]);
}

/* Two runs of nobody, a run of none, scores beyond the last: each histogram has one form. */
Test(changelog, another_form_of_a_histogram_stops_us)
{
    static const uint8_t ends[][4] = {{0x02, 0xb0, 0x09},
                                      {0x00, 0xb2, 0x09},
                                      {0x01, 0xb0, 0x09},
                                      {0xb4, 0x09, 0x00},
                                      {0xb2, 0x09, 0x02}};
    struct ss_mark mark, copy;
    uint8_t bytes[SS_MARK_PACKED_MAX + 4];
    memset(&mark, 0, sizeof mark);
    size_t size = ss_mark_pack(&mark, bytes) - 2; /* one run of all: 1202 */
    cr_assert_eq(bytes[size], 0xb2);
    cr_assert_eq(bytes[size + 1], 0x09);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        memcpy(bytes + size, ends[i], 3);
        cr_expect_eq(ss_mark_unpack((struct ss_bytes){bytes, size + 3}, &copy, NULL), SS_STOP,
                     "%zu", i);
    }
    bytes[size] = 0x03; /* one user with the least score */
    bytes[size + 1] = 0xb0;
    bytes[size + 2] = 0x09;
    cr_expect_eq(ss_mark_unpack((struct ss_bytes){bytes, size + 3}, &copy, NULL), SS_OK);
    cr_expect_eq(copy.histogram.users[0], 1);
}

Test(changelog, what_is_no_mark_stops_us)
{
    struct ss_mark mark = some_mark(1), copy;
    uint8_t bytes[SS_MARK_PACKED_MAX];
    size_t size = ss_mark_pack(&mark, bytes);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, bytes, cut);
        cr_assert_eq(ss_mark_unpack((struct ss_bytes){exact, cut}, &copy, NULL), SS_STOP);
        free(exact);
    }
    cr_assert_eq(ss_mark_unpack((struct ss_bytes){bytes, size + 1}, &copy, NULL), SS_STOP);

    struct ss_error err;
    bytes[0] = 9;
    cr_assert_eq(ss_mark_unpack((struct ss_bytes){bytes, size}, &copy, &err), SS_STOP);
    cr_assert(strstr(err.detail, "format 9"), "%s", err.detail);
}

Test(checkpoint, survives_and_equals_itself)
{
    struct ss_checkpoint checkpoint = some_checkpoint(), copy;
    uint8_t bytes[SS_CHECKPOINT_PACKED_MAX];
    size_t size = ss_checkpoint_pack(&checkpoint, bytes);
    cr_assert_eq(ss_checkpoint_unpack((struct ss_bytes){bytes, size}, &copy, NULL), SS_OK);
    cr_assert(ss_checkpoint_equal(&checkpoint, &copy));
    cr_assert_eq(memcmp(&checkpoint, &copy, sizeof copy), 0);
    checkpoint.offset = -1;
    memset(checkpoint.cluster_id, 'c', sizeof checkpoint.cluster_id - 1);
    size = ss_checkpoint_pack(&checkpoint, bytes);
    cr_assert_eq(ss_checkpoint_unpack((struct ss_bytes){bytes, size}, &copy, NULL), SS_OK);
    cr_assert(ss_checkpoint_equal(&checkpoint, &copy));
}

Test(checkpoint, each_field_makes_another)
{
    struct ss_checkpoint a = some_checkpoint(), b;
    b = a, b.cluster_id[3] = '!';
    cr_assert(!ss_checkpoint_equal(&a, &b));
    b = a, b.incarnation[15] = 0;
    cr_assert(!ss_checkpoint_equal(&a, &b));
    b = a, b.partition_count++;
    cr_assert(!ss_checkpoint_equal(&a, &b));
    b = a, b.offset++;
    cr_assert(!ss_checkpoint_equal(&a, &b));
    b = a, b.broker_time_ms++;
    cr_assert(!ss_checkpoint_equal(&a, &b));
}

Test(checkpoint, what_is_none_is_refused)
{
    struct ss_checkpoint checkpoint = some_checkpoint(), copy;
    uint8_t bytes[SS_CHECKPOINT_PACKED_MAX + 1] = {0};
    size_t size = ss_checkpoint_pack(&checkpoint, bytes);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, bytes, cut);
        cr_assert_eq(ss_checkpoint_unpack((struct ss_bytes){exact, cut}, &copy, NULL), SS_GIVE_UP);
        free(exact);
    }
    cr_assert_eq(ss_checkpoint_unpack((struct ss_bytes){bytes, size + 1}, &copy, NULL), SS_GIVE_UP);
    bytes[0] = 3;
    cr_assert_eq(ss_checkpoint_unpack((struct ss_bytes){bytes, size}, &copy, NULL), SS_GIVE_UP);
}
