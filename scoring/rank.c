#include "scoring/rank.h"

#include "scoring/require.h"

static uint32_t *users_of(struct ss_histogram *histogram, int32_t score)
{
    SS_REQUIRE(score >= SS_SCORE_MIN && score <= SS_SCORE_MAX);
    return &histogram->users[score - SS_SCORE_MIN];
}

bool ss_histogram_move(struct ss_histogram *histogram, const struct ss_score_record *record)
{
    if (record->has_previous) {
        uint32_t *left = users_of(histogram, record->previous_score);
        if (*left == 0)
            return false;
        --*left;
    }
    if (record->has_score)
        ++*users_of(histogram, record->score.score);
    return true;
}

bool ss_histogram_empty(const struct ss_histogram *histogram)
{
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        if (histogram->users[i])
            return false;
    return true;
}

void ss_rank_table_init(struct ss_rank_table *table, const int64_t users[SS_SCORE_COUNT])
{
    int64_t below = 0;
    for (int i = 0; i < SS_SCORE_COUNT; i++) {
        table->below[i] = below;
        below += users[i];
    }
    table->below[SS_SCORE_COUNT] = below;
}

int32_t ss_rank_percentile(const struct ss_rank_table *table, int32_t score)
{
    int64_t all = table->below[SS_SCORE_COUNT];
    SS_REQUIRE(score >= SS_SCORE_MIN && score <= SS_SCORE_MAX);
    if (all == 0)
        return -1;
    return (int32_t)(table->below[score - SS_SCORE_MIN] * SS_PERCENTILE_MAX / all);
}

void ss_rank_record(const struct ss_rank_table *table, int64_t offset,
                    struct ss_score_record *record)
{
    int32_t percentile = record->has_score ? ss_rank_percentile(table, record->score.score) : -1;
    record->has_rank = percentile >= 0;
    record->percentile = record->has_rank ? percentile : 0;
    record->ranks_offset = record->has_rank ? offset : 0;
}
