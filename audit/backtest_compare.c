/* backtest_compare.c - how the scores lie, and who moves from the champion's to the challenger's.
 */
#include "audit/backtest_internal.h"

#include "scoring/score.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

void ss_backtest_percent(const int32_t *sorted, size_t count, int32_t out[7])
{
    static const int percents[7] = {0, 5, 25, 50, 75, 95, 100};
    for (int i = 0; i < 7; i++)
        out[i] = count ? sorted[(count - 1) * (size_t)percents[i] / 100] : 0;
}

static enum ss_status column(size_t count, int32_t **out, struct ss_error *err)
{
    *out = malloc((count + 1) * sizeof **out);
    return *out ? SS_OK : ss_fail(err, SS_STOP, "out of memory for %zu scores", count);
}

enum ss_status ss_backtest_describe(struct ss_backtest_result *result, struct ss_error *err)
{
    const struct ss_backtest_rows *rows = &result->at_end;
    int32_t *scores;
    enum ss_status status = column(rows->count, &scores, err);
    if (status != SS_OK)
        return status;
    for (int s = 0; s <= result->has_challenger; s++) {
        struct ss_backtest_side_facts *side = &result->sides[s];
        double sum = 0, squares = 0;
        for (size_t i = 0; i < rows->count; i++) {
            const struct ss_backtest_score *of = &rows->rows[i].of[s];
            int bin = (of->score - SS_SCORE_MIN) / SS_BACKTEST_BIN;
            side->histogram[bin < SS_BACKTEST_BINS ? bin : SS_BACKTEST_BINS - 1]++;
            side->tier_people[of->tier]++;
            scores[i] = of->score;
            sum += of->score;
            squares += (double)of->score * of->score;
        }
        double n = rows->count ? (double)rows->count : 1;
        side->mean = sum / n;
        side->spread = sqrt(fmax(0, squares / n - side->mean * side->mean));
        qsort(scores, rows->count, sizeof *scores, ascending);
        ss_backtest_percent(scores, rows->count, side->percent);
    }
    free(scores);
    return SS_OK;
}

/* ---- stability ---- */

/* Tenths of the champion's values, people of the same value together. Where all have the same one:
 * below it, at it, above it. */
static int edges(int32_t *champion, size_t count, int32_t to[SS_BACKTEST_PSI_BINS])
{
    int bins = 0;
    qsort(champion, count, sizeof *champion, ascending);
    for (size_t i = 1; i <= SS_BACKTEST_PSI_BINS; i++) {
        size_t below = count * i / SS_BACKTEST_PSI_BINS;
        int32_t edge = champion[below ? below - 1 : 0];
        if (bins == 0 || edge > to[bins - 1])
            to[bins++] = edge;
    }
    if (bins == 1) {
        to[1] = to[0];
        to[0]--;
        to[2] = INT32_MAX;
        bins = 3;
    }
    return bins;
}

static int bin_of(int32_t value, const int32_t *to, int bins)
{
    int bin = 0;
    while (bin < bins - 1 && value > to[bin])
        bin++;
    return bin;
}

static int32_t value_of(const struct ss_backtest_score *of, int measure)
{
    return measure == SS_BACKTEST_SCORE ? of->score : of->values[measure];
}

static void stability(struct ss_backtest_result *result, int32_t *scratch)
{
    struct ss_backtest_comparison *c = &result->comparison;
    const struct ss_backtest_rows *rows = &result->at_end;
    for (int m = 0; m < SS_BACKTEST_MEASURES; m++) {
        int32_t to[SS_BACKTEST_PSI_BINS];
        int64_t counts[SS_SIDE_COUNT][SS_BACKTEST_PSI_BINS] = {0};
        for (size_t i = 0; i < rows->count; i++)
            scratch[i] = value_of(&rows->rows[i].of[SS_CHAMPION], m);
        int bins = edges(scratch, rows->count, to);
        for (size_t i = 0; i < rows->count; i++)
            for (int s = 0; s < SS_SIDE_COUNT; s++)
                counts[s][bin_of(value_of(&rows->rows[i].of[s], m), to, bins)]++;
        struct ss_psi psi = ss_statistics_psi(counts[SS_CHAMPION], counts[SS_CHALLENGER], bins);
        if (m < SS_FACTOR_COUNT) {
            c->factor_psi[m] = psi;
            continue;
        }
        c->psi = psi;
        c->psi_bins = bins;
        memcpy(c->psi_to, to, sizeof to);
        memcpy(c->psi_counts, counts, sizeof counts);
    }
}

/* ---- benefits ---- */

static struct ss_backtest_benefit *benefit_of(struct ss_backtest_comparison *c, const char *id)
{
    for (int i = 0; i < c->benefit_count; i++)
        if (strcmp(c->benefits[i].id, id) == 0)
            return &c->benefits[i];
    c->benefits[c->benefit_count] = (struct ss_backtest_benefit){.id = id};
    return &c->benefits[c->benefit_count++];
}

static void list_benefits(const struct ss_backtest_options *options,
                          struct ss_backtest_comparison *c)
{
    for (int s = 0; s < SS_SIDE_COUNT; s++) {
        const struct ss_model *models[2] = {options->models[s].person, options->models[s].business};
        for (int m = 0; m < 2; m++)
            for (int b = 0; models[m] && b < models[m]->benefit_count; b++)
                benefit_of(c, models[m]->benefits[b].id);
    }
}

static bool holds(const struct ss_model *model, const char *id, const struct ss_backtest_score *of)
{
    for (int b = 0; b < model->benefit_count; b++)
        if (strcmp(model->benefits[b].id, id) == 0)
            return !of->listed && of->score >= model->benefits[b].threshold;
    return false;
}

static void count_benefits(const struct ss_backtest_options *options,
                           struct ss_backtest_result *result)
{
    struct ss_backtest_comparison *c = &result->comparison;
    list_benefits(options, c);
    for (size_t i = 0; i < result->at_end.count; i++) {
        const struct ss_backtest_row *row = &result->at_end.rows[i];
        for (int b = 0; b < c->benefit_count; b++) {
            struct ss_backtest_benefit *benefit = &c->benefits[b];
            bool held[SS_SIDE_COUNT];
            for (int s = 0; s < SS_SIDE_COUNT; s++) {
                const struct ss_models *models = &options->models[s];
                held[s] = holds(row->of[s].business ? models->business : models->person,
                                benefit->id, &row->of[s]);
                benefit->held[s] += held[s];
            }
            benefit->gained += held[1] && !held[0];
            benefit->lost += held[0] && !held[1];
        }
    }
}

/* ---- movers ---- */

struct move {
    int32_t distance;
    uint32_t row;
};

static int farthest(const void *a, const void *b)
{
    const struct move *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row); /* by user id */
}

static int32_t component_points(const struct ss_model *model, const struct ss_variables *variables,
                                enum ss_variable variable)
{
    int64_t weights = 0, of_factor = 0;
    enum ss_factor factor = ss_variable_factor(variable);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        weights += model->weights[f];
    for (int v = 0; v < SS_VAR_COUNT; v++)
        if (ss_variable_factor((enum ss_variable)v) == factor)
            of_factor += model->components[v].weight;
    return (int32_t)(60000 * (int64_t)model->weights[factor] * model->components[variable].weight *
                     variables->worth[variable] / (weights * SS_VALUE_MAX * of_factor));
}

static int by_difference(const void *a, const void *b)
{
    const struct ss_backtest_component *x = a, *y = b;
    int32_t dx = abs(x->points_centi[1] - x->points_centi[0]);
    int32_t dy = abs(y->points_centi[1] - y->points_centi[0]);
    return dx != dy ? (dx < dy ? 1 : -1)
                    : ((int)x->variable > (int)y->variable) - ((int)x->variable < (int)y->variable);
}

static enum ss_status explain(const struct ss_backtest_options *options,
                              struct ss_backtest_result *result, struct ss_backtest_mover *mover,
                              struct ss_error *err)
{
    size_t moment = result->at_end.rows[mover->row].moment;
    struct ss_variables variables[SS_SIDE_COUNT] = {0};
    struct ss_score score;
    const struct ss_model *models[SS_SIDE_COUNT];
    struct ss_user_state state;
    for (int s = 0; s < SS_SIDE_COUNT; s++) {
        enum ss_status status =
            ss_people_state(result->who, moment, ss_backtest_fold(result, s), &state, err);
        if (status != SS_OK)
            return status;
        models[s] = ss_model_of(&options->models[s], &state);
        ss_variables_compute(models[s], &state, result->as_of_ms, result->as_of_ms, &variables[s]);
        ss_score_sum(models[s], &variables[s], false, &score);
    }
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        struct ss_backtest_component component = {.variable = (enum ss_variable)v};
        for (int s = 0; s < SS_SIDE_COUNT; s++) {
            component.known[s] = variables[s].known[v];
            component.variable_value[s] = variables[s].value[v];
            component.points_centi[s] =
                component_points(models[s], &variables[s], (enum ss_variable)v);
        }
        if (component.points_centi[0] != component.points_centi[1])
            mover->components[mover->component_count++] = component;
    }
    qsort(mover->components, (size_t)mover->component_count, sizeof mover->components[0],
          by_difference);
    return SS_OK;
}

static enum ss_status find_movers(const struct ss_backtest_options *options,
                                  struct ss_backtest_result *result, struct ss_error *err)
{
    struct ss_backtest_comparison *c = &result->comparison;
    const struct ss_backtest_rows *rows = &result->at_end;
    struct move *moves = malloc((rows->count + 1) * sizeof *moves);
    enum ss_status status = moves ? SS_OK : ss_fail(err, SS_STOP, "out of memory");
    size_t count = 0;
    for (size_t i = 0; status == SS_OK && i < rows->count; i++) {
        int32_t change = rows->rows[i].of[1].score - rows->rows[i].of[0].score;
        if (change != 0)
            moves[count++] = (struct move){abs(change), (uint32_t)i};
    }
    if (count)
        qsort(moves, count, sizeof *moves, farthest);
    for (size_t i = 0; status == SS_OK && i < count && i < SS_BACKTEST_MOVERS; i++) {
        c->movers[i].row = moves[i].row;
        status = explain(options, result, &c->movers[i], err);
        c->mover_count++;
    }
    free(moves);
    return status;
}

/* ---- all of it ---- */

static void count_moves(struct ss_backtest_result *result, int32_t *changes)
{
    struct ss_backtest_comparison *c = &result->comparison;
    const struct ss_backtest_rows *rows = &result->at_end;
    double sum = 0, distance = 0;
    c->people = (int64_t)rows->count;
    for (size_t i = 0; i < rows->count; i++) {
        const struct ss_backtest_score *a = &rows->rows[i].of[0], *b = &rows->rows[i].of[1];
        int32_t change = b->score - a->score, far = abs(change);
        changes[i] = change;
        sum += change;
        distance += far;
        c->risen += change > 0;
        c->fallen += change < 0;
        c->moved_10 += far >= 10;
        c->moved_25 += far >= 25;
        c->moved_50 += far >= 50;
        c->tiers[a->tier][b->tier]++;
        int32_t from = result->sides[0].tiers[a->tier].from;
        int32_t to = result->sides[1].tiers[b->tier].from;
        c->tier_up += to > from;
        c->tier_down += to < from;
    }
    if (rows->count) {
        c->mean_change = sum / (double)rows->count;
        c->mean_distance = distance / (double)rows->count;
    }
    qsort(changes, rows->count, sizeof *changes, ascending);
    ss_backtest_percent(changes, rows->count, c->change_percent);
}

enum ss_status ss_backtest_compare(const struct ss_backtest_options *options,
                                   struct ss_backtest_result *result, struct ss_error *err)
{
    size_t count = result->at_end.count;
    int32_t *a, *b = NULL;
    enum ss_status status = column(count, &a, err);
    if (status == SS_OK)
        status = column(count, &b, err);
    for (size_t i = 0; status == SS_OK && i < count; i++) {
        a[i] = result->at_end.rows[i].of[0].score;
        b[i] = result->at_end.rows[i].of[1].score;
    }
    if (status == SS_OK)
        status = ss_statistics_correlate(a, b, count, &result->comparison.ranks, err);
    if (status == SS_OK && count) {
        count_moves(result, a);
        stability(result, a);
    }
    if (status == SS_OK) {
        count_benefits(options, result);
        status = find_movers(options, result, err);
    }
    free(a);
    free(b);
    return status;
}
