/* What a process knows of sesame-ranks: the last histogram of each partition, and their sum. */
#include "consumer/ranks.h"

#include <criterion/criterion.h>

static struct ss_ranks *ranks;
static struct ss_ranks_view view;

static void set_up(void)
{
    cr_assert_eq(ss_ranks_open(&ranks, NULL), SS_OK);
    memset(&view, 0, sizeof view);
}

static void tear_down(void)
{
    ss_ranks_close(ranks);
}

TestSuite(ranks, .init = set_up, .fini = tear_down);

/* users with 350, and as many with 950 */
static void take(int64_t offset, int32_t partition, uint32_t users)
{
    struct ss_histogram histogram = {0};
    struct ss_rank_record record = {.partition = partition, .histogram = &histogram};
    struct ss_buffer out;
    struct ss_error err = {.detail = ""};
    histogram.users[0] = histogram.users[SS_SCORE_COUNT - 1] = users;
    ss_buffer_init(&out, 1 << 16);
    cr_assert_eq(ss_encode_rank(1, &record, &out, &err), SS_OK);
    cr_assert_eq(ss_ranks_take(ranks, offset, (struct ss_bytes){out.data, out.size}, &err), SS_OK,
                 "%s", err.detail);
    ss_buffer_reset(&out);
}

static void expect(int64_t offset, int64_t below_950, int64_t all)
{
    cr_assert(ss_ranks_look(ranks, &view));
    cr_expect_eq(view.offset, offset, "%lld", (long long)view.offset);
    cr_expect_eq(view.table.below[SS_SCORE_COUNT - 1], below_950);
    cr_expect_eq(view.table.below[SS_SCORE_COUNT], all);
}

Test(ranks, are_not_looked_at_before_all_are_read)
{
    take(0, 0, 5);
    cr_assert(!ss_ranks_look(ranks, &view));
    cr_assert_eq(view.offset, 0);
    ss_ranks_set_ready(ranks);
    expect(1, 5, 10);
}

Test(ranks, the_last_histogram_of_each_partition_counts)
{
    ss_ranks_set_ready(ranks);
    expect(0, 0, 0);
    take(3, 7, 5);
    take(4, 0, 1);
    expect(5, 6, 12);
    take(9, 7, 2);
    expect(10, 3, 6);
    expect(10, 3, 6);
    cr_expect(ss_ranks_has(ranks, 7) && ss_ranks_has(ranks, 0));
    cr_expect(!ss_ranks_has(ranks, 1) && !ss_ranks_has(ranks, 8));
    take(11, 7, 0);
    expect(12, 1, 2);
}

Test(ranks, what_is_no_histogram_is_passed_over)
{
    struct ss_error err;
    ss_ranks_set_ready(ranks);
    take(0, 0, 4);
    cr_expect_eq(ss_ranks_take(ranks, 1, (struct ss_bytes){NULL, 0}, &err), SS_DROP);
    cr_expect_eq(ss_ranks_take(ranks, 2, (struct ss_bytes){"\0\0\0\0\1\2", 6}, &err), SS_DROP);
    expect(3, 4, 8);
}

Test(ranks, nothing_is_known_of_a_topic_made_anew)
{
    ss_ranks_set_ready(ranks);
    take(5, 2, 4);
    expect(6, 4, 8);
    ss_ranks_clear(ranks);
    expect(0, 0, 0);
    cr_expect(!ss_ranks_has(ranks, 2));
    take(0, 2, 3);
    expect(1, 3, 6);
}
