/* Percentiles against counting by hand, and histograms as the fold of records. */
#include "scoring/rank.h"

#include <criterion/criterion.h>

static struct ss_rank_table table_of(const int64_t users[SS_SCORE_COUNT])
{
    struct ss_rank_table table;
    ss_rank_table_init(&table, users);
    return table;
}

Test(rank, nobody_counted_gives_none)
{
    int64_t users[SS_SCORE_COUNT] = {0};
    struct ss_rank_table table = table_of(users);
    cr_assert_eq(ss_rank_percentile(&table, 350), -1);
    cr_assert_eq(ss_rank_percentile(&table, 950), -1);
}

Test(rank, is_the_share_below_rounded_down)
{
    int64_t users[SS_SCORE_COUNT] = {0};
    users[0] = 1;   /* 350 */
    users[250] = 3; /* 600 */
    users[600] = 3; /* 950 */
    struct ss_rank_table table = table_of(users);
    cr_expect_eq(ss_rank_percentile(&table, 350), 0);
    cr_expect_eq(ss_rank_percentile(&table, 351), 1428); /* 1 of 7 */
    cr_expect_eq(ss_rank_percentile(&table, 600), 1428);
    cr_expect_eq(ss_rank_percentile(&table, 601), 5714); /* 4 of 7 */
    cr_expect_eq(ss_rank_percentile(&table, 950), 5714);
}

Test(rank, reaches_the_whole_where_all_others_are_below)
{
    int64_t users[SS_SCORE_COUNT] = {0};
    users[100] = 7;
    struct ss_rank_table table = table_of(users);
    cr_expect_eq(ss_rank_percentile(&table, 450), 0);
    cr_expect_eq(ss_rank_percentile(&table, 451), SS_PERCENTILE_MAX);
}

Test(rank, does_not_overflow_with_all_of_mankind)
{
    int64_t users[SS_SCORE_COUNT];
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        users[i] = INT64_C(1000000000000);
    struct ss_rank_table table = table_of(users);
    cr_expect_eq(ss_rank_percentile(&table, 650), 300 * 10000 / 601);
}

static struct ss_score_record record_of(int32_t previous, int32_t score)
{
    return (struct ss_score_record){.has_previous = previous != 0,
                                    .previous_score = previous,
                                    .has_score = score != 0,
                                    .score = {.score = score}};
}

Test(rank, histograms_follow_the_records)
{
    struct ss_histogram histogram = {0};
    struct ss_score_record in = record_of(0, 561), up = record_of(561, 950),
                           down = record_of(950, 350), out = record_of(350, 0);
    cr_assert(ss_histogram_empty(&histogram));
    cr_assert(ss_histogram_move(&histogram, &in));
    cr_assert(ss_histogram_move(&histogram, &in));
    cr_assert_eq(histogram.users[211], 2);
    cr_assert(ss_histogram_move(&histogram, &up));
    cr_assert_eq(histogram.users[211], 1);
    cr_assert_eq(histogram.users[600], 1);
    cr_assert(ss_histogram_move(&histogram, &down));
    cr_assert(!ss_histogram_move(&histogram, &down), "nobody has 950 any more");
    cr_assert(ss_histogram_move(&histogram, &out));
    cr_assert(!ss_histogram_empty(&histogram));
    up.score.score = 561;
    cr_assert(ss_histogram_move(&histogram, &up), "the same score again: BLACKLIST_DROP may");
    cr_assert_eq(histogram.users[211], 1);
}

Test(rank, a_record_says_it_only_with_a_score)
{
    int64_t users[SS_SCORE_COUNT] = {1};
    struct ss_rank_table table = table_of(users);
    struct ss_score_record with = record_of(0, 561), without = record_of(561, 0);
    ss_rank_record(&table, 17, &with);
    cr_expect(with.has_rank);
    cr_expect_eq(with.percentile, 10000);
    cr_expect_eq(with.ranks_offset, 17);
    ss_rank_record(&table, 17, &without);
    cr_expect(!without.has_rank);
}
