/* backtest_measure.c - the scores as of the labels' times, held against the outcomes. */
#include "audit/backtest_internal.h"

#include <stdlib.h>

struct columns {
    int32_t *values[SS_SIDE_COUNT];
    bool *bad;
    size_t count;
};

static int32_t value_of(const struct ss_backtest_score *of, int measure)
{
    return measure == SS_BACKTEST_SCORE ? of->score : of->values[measure];
}

static void fill(const struct ss_backtest_result *result, int measure, struct columns *columns)
{
    for (size_t i = 0; i < columns->count; i++)
        for (int s = 0; s <= result->has_challenger; s++)
            columns->values[s][i] = value_of(&result->at_labels.rows[i].of[s], measure);
}

static void count_labels(struct ss_backtest_result *result)
{
    struct ss_backtest_labelled *labelled = &result->labelled;
    const struct ss_backtest_rows *rows = &result->at_labels;
    labelled->used = (int64_t)rows->count;
    labelled->first_ms = rows->count ? rows->rows[0].time_ms : 0;
    labelled->last_ms = labelled->first_ms;
    for (size_t i = 0; i < rows->count; i++) {
        const struct ss_backtest_row *row = &rows->rows[i];
        labelled->bads += row->bad;
        labelled->people += i == 0 || row->person != row[-1].person;
        if (row->time_ms < labelled->first_ms)
            labelled->first_ms = row->time_ms;
        if (row->time_ms > labelled->last_ms)
            labelled->last_ms = row->time_ms;
        for (int s = 0; s <= result->has_challenger; s++) {
            struct ss_backtest_tier_rate *tier = &labelled->of[s].tiers[row->of[s].tier];
            tier->count++;
            tier->bads += row->bad;
        }
    }
    labelled->goods = labelled->used - labelled->bads;
    for (int s = 0; s <= result->has_challenger; s++)
        for (int t = 0; t < result->sides[s].tier_count; t++) {
            struct ss_backtest_tier_rate *tier = &labelled->of[s].tiers[t];
            tier->interval = ss_statistics_wilson(tier->bads, tier->count);
        }
}

static enum ss_status measure(struct ss_backtest_result *result, int m, struct columns *columns,
                              struct ss_error *err)
{
    struct ss_backtest_labelled *labelled = &result->labelled;
    enum ss_status status = SS_OK;
    fill(result, m, columns);
    for (int s = 0; status == SS_OK && s <= result->has_challenger; s++) {
        struct ss_statistics_sample sample = {columns->values[s], columns->bad, columns->count};
        struct ss_backtest_measured *of = &labelled->of[s];
        status = ss_statistics_discriminate(&sample, &of->of[m], err);
        of->p_together[m] = of->of[m].p;
        if (status == SS_OK && m == SS_BACKTEST_SCORE)
            status = ss_statistics_calibrate(&sample, SS_BACKTEST_CALIBRATION_BANDS,
                                             &of->calibration, err);
        if (status == SS_OK && m == SS_BACKTEST_SCORE)
            status = ss_statistics_roc(&sample, SS_BACKTEST_ROC_MAX, of->roc_x, of->roc_y,
                                       &of->roc_count, err);
    }
    if (status != SS_OK || !result->has_challenger)
        return status;
    struct ss_statistics_sample champion = {columns->values[0], columns->bad, columns->count};
    return ss_statistics_compare(&champion, columns->values[1], &labelled->differences[m], err);
}

enum ss_status ss_backtest_measure(struct ss_backtest_result *result, struct ss_error *err)
{
    size_t count = result->at_labels.count;
    struct columns columns = {
        .count = count,
        .values = {malloc((count + 1) * sizeof(int32_t)), malloc((count + 1) * sizeof(int32_t))},
        .bad = malloc((count + 1) * sizeof(bool))};
    enum ss_status status = columns.values[0] && columns.values[1] && columns.bad
                                ? SS_OK
                                : ss_fail(err, SS_STOP, "out of memory for %zu labels", count);
    if (status == SS_OK)
        count_labels(result);
    for (size_t i = 0; status == SS_OK && i < count; i++)
        columns.bad[i] = result->at_labels.rows[i].bad;
    for (int m = 0; status == SS_OK && m < SS_BACKTEST_MEASURES; m++)
        status = measure(result, m, &columns, err);
    for (int s = 0; status == SS_OK && s <= result->has_challenger; s++)
        ss_statistics_holm(result->labelled.of[s].p_together, SS_BACKTEST_MEASURES);
    free(columns.values[0]);
    free(columns.values[1]);
    free(columns.bad);
    return status;
}
