/* statistics_rank.c - what ranks alone say. Everything starts from one sort: the distinct values,
 * with how many goods and bads have each. */
#include "audit/statistics.h"

#include <math.h>
#include <stdlib.h>

static const double Z_95 = 1.959963984540054;

struct item {
    int32_t value;
    uint32_t at; /* in the sample */
};

static int by_value(const void *a, const void *b)
{
    int32_t x = ((const struct item *)a)->value, y = ((const struct item *)b)->value;
    return (x > y) - (x < y);
}

static enum ss_status sorted(const int32_t *values, size_t count, struct item **out,
                             struct ss_error *err)
{
    struct item *items = count <= UINT32_MAX ? malloc((count + 1) * sizeof *items) : NULL;
    if (!items)
        return ss_fail(err, SS_STOP, "out of memory to sort %zu values", count);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct item){values[i], (uint32_t)i};
    qsort(items, count, sizeof *items, by_value);
    *out = items;
    return SS_OK;
}

/* The end of the run of equal values that starts at `from`, and its bads. */
static size_t run_of(const struct item *items, size_t count, const bool *bad, size_t from,
                     int64_t *bads)
{
    size_t end = from;
    *bads = 0;
    for (; end < count && items[end].value == items[from].value; end++)
        *bads += bad[items[end].at];
    return end;
}

static void count_classes(const struct ss_statistics_sample *sample, int64_t *goods, int64_t *bads)
{
    *bads = 0;
    for (size_t i = 0; i < sample->count; i++)
        *bads += sample->bad[i];
    *goods = (int64_t)sample->count - *bads;
}

/* Of each observation the share of the other class that it is placed rightly against, ties half:
 * their mean over either class is the AUC, their variances make up its own. DeLong, DeLong and
 * Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver operating
 * characteristic curves", Biometrics 44; from ranks, as by Sun and Xu 2014, "Fast implementation
 * of DeLong's algorithm", IEEE Signal Processing Letters 21. */
static enum ss_status place(const struct ss_statistics_sample *sample, int64_t goods, int64_t bads,
                            double *placements, double *auc, struct ss_error *err)
{
    struct item *items;
    enum ss_status status = sorted(sample->values, sample->count, &items, err);
    if (status != SS_OK)
        return status;
    int64_t bads_below = 0, goods_below = 0;
    double sum = 0;
    for (size_t from = 0, end; from < sample->count; from = end) {
        int64_t run_bads;
        end = run_of(items, sample->count, sample->bad, from, &run_bads);
        int64_t run_goods = (int64_t)(end - from) - run_bads;
        double of_good = ((double)bads_below + (double)run_bads / 2) / (double)bads;
        double of_bad =
            ((double)(goods - goods_below - run_goods) + (double)run_goods / 2) / (double)goods;
        for (size_t i = from; i < end; i++)
            placements[items[i].at] = sample->bad[items[i].at] ? of_bad : of_good;
        sum += (double)run_goods * of_good;
        bads_below += run_bads;
        goods_below += run_goods;
    }
    *auc = sum / (double)goods;
    free(items);
    return SS_OK;
}

/* The covariance of two AUCs over the same people; the variance, if both are the same. */
static double covariance(const bool *bad, size_t count, int64_t goods, int64_t bads,
                         const double *a, double auc_a, const double *b, double auc_b)
{
    double sums[2] = {0, 0};
    for (size_t i = 0; i < count; i++)
        sums[bad[i]] += (a[i] - auc_a) * (b[i] - auc_b);
    return sums[0] / ((double)(goods - 1) * (double)goods) +
           sums[1] / ((double)(bads - 1) * (double)bads);
}

static struct ss_interval around(double middle, double se, double low, double high)
{
    return (struct ss_interval){fmax(low, middle - Z_95 * se), fmin(high, middle + Z_95 * se),
                                true};
}

/* Walks up the values for KS, and for the ties that the rank test has to correct for. */
static void walk(const struct item *items, const struct ss_statistics_sample *sample,
                 struct ss_discrimination *out, double *ties)
{
    double goods = (double)out->goods, bads = (double)out->bads, bads_below = 0, goods_below = 0;
    *ties = 0;
    for (size_t from = 0, end; from < sample->count; from = end) {
        int64_t run_bads;
        end = run_of(items, sample->count, sample->bad, from, &run_bads);
        double run = (double)(end - from);
        *ties += run * run * run - run;
        bads_below += (double)run_bads;
        goods_below += run - (double)run_bads;
        double b = bads_below / bads, g = goods_below / goods, distance = fabs(b - g);
        if (distance > out->ks) {
            out->ks = distance;
            out->ks_at = items[from].value;
            /* Raghavachari 1973, "Limiting distributions of Kolmogorov-Smirnov type statistics
             * under the alternative", Ann. Statist. 1: normal, with the variance of the two shares
             * at the value where the distance is greatest. */
            out->ks_interval =
                around(distance, sqrt(b * (1 - b) / bads + g * (1 - g) / goods), 0, 1);
        }
    }
}

enum ss_status ss_statistics_discriminate(const struct ss_statistics_sample *sample,
                                          struct ss_discrimination *out, struct ss_error *err)
{
    *out = (struct ss_discrimination){.p = 1, .ks_p = 1, .auc = 0.5};
    count_classes(sample, &out->goods, &out->bads);
    if (out->goods == 0 || out->bads == 0) {
        out->verdict = sample->count ? SS_STATISTICS_ONE_CLASS : SS_STATISTICS_NOTHING;
        return SS_OK;
    }
    struct item *items = NULL;
    double *placements = malloc(sample->count * sizeof *placements), ties;
    enum ss_status status = placements ? SS_OK : ss_fail(err, SS_STOP, "out of memory");
    if (status == SS_OK)
        status = sorted(sample->values, sample->count, &items, err);
    if (status == SS_OK)
        status = place(sample, out->goods, out->bads, placements, &out->auc, err);
    if (status != SS_OK) {
        free(items);
        free(placements);
        return status;
    }
    double goods = (double)out->goods, bads = (double)out->bads, n = goods + bads;
    out->gini = 2 * out->auc - 1;
    walk(items, sample, out, &ties);
    if (items[0].value == items[sample->count - 1].value) {
        out->verdict = SS_STATISTICS_ONE_VALUE;
    } else {
        /* Mann and Whitney 1947, "On a test of whether one of two random variables is
         * stochastically larger than the other", Ann. Math. Statist. 18; with the correction for
         * ties of Lehmann 1975, "Nonparametrics", 1.4. */
        double se = sqrt(((n + 1) - ties / (n * (n - 1))) / (12 * goods * bads));
        out->p = ss_statistics_normal_tail((out->auc - 0.5) / se);
        out->ks_p = ss_statistics_kolmogorov_tail(out->ks * sqrt(goods * bads / n));
        if (out->auc <= 0 || out->auc >= 1)
            out->verdict = SS_STATISTICS_SEPARATED;
        else if (out->goods < 2 || out->bads < 2)
            out->verdict = SS_STATISTICS_TOO_FEW;
    }
    if (out->verdict == SS_STATISTICS_FINE) {
        out->auc_se = sqrt(covariance(sample->bad, sample->count, out->goods, out->bads, placements,
                                      out->auc, placements, out->auc));
        out->auc_interval = around(out->auc, out->auc_se, 0, 1);
        out->gini_interval = (struct ss_interval){2 * out->auc_interval.low - 1,
                                                  2 * out->auc_interval.high - 1, true};
    } else {
        out->ks_interval.known = false;
    }
    free(items);
    free(placements);
    return SS_OK;
}

enum ss_status ss_statistics_compare(const struct ss_statistics_sample *first,
                                     const int32_t *second_values, struct ss_auc_difference *out,
                                     struct ss_error *err)
{
    struct ss_statistics_sample second = {second_values, first->bad, first->count};
    int64_t goods, bads;
    *out = (struct ss_auc_difference){.first = 0.5, .second = 0.5, .p = 1};
    count_classes(first, &goods, &bads);
    if (goods == 0 || bads == 0) {
        out->verdict = first->count ? SS_STATISTICS_ONE_CLASS : SS_STATISTICS_NOTHING;
        return SS_OK;
    }
    size_t count = first->count;
    double *a = malloc(2 * count * sizeof *a), *b = a + count;
    if (!a)
        return ss_fail(err, SS_STOP, "out of memory");
    enum ss_status status = place(first, goods, bads, a, &out->first, err);
    if (status == SS_OK)
        status = place(&second, goods, bads, b, &out->second, err);
    if (status == SS_OK && (goods < 2 || bads < 2)) {
        out->difference = out->second - out->first;
        out->verdict = SS_STATISTICS_TOO_FEW;
    } else if (status == SS_OK) {
        /* the variance of the difference, person by person, so that nothing cancels */
        out->difference = out->second - out->first;
        for (size_t i = 0; i < count; i++)
            a[i] = b[i] - a[i];
        double variance =
            covariance(first->bad, count, goods, bads, a, out->difference, a, out->difference);
        if (variance > 1e-24) {
            double se = sqrt(variance);
            out->interval = around(out->difference, se, -1, 1);
            out->p = ss_statistics_normal_tail(out->difference / se);
        } else {
            out->verdict =
                fabs(out->difference) < 1e-12 ? SS_STATISTICS_ONE_VALUE : SS_STATISTICS_SEPARATED;
        }
    }
    free(a);
    return status;
}

enum ss_status ss_statistics_roc(const struct ss_statistics_sample *sample, size_t points_max,
                                 double *x, double *y, size_t *count, struct ss_error *err)
{
    int64_t goods, bads;
    struct item *items;
    *count = 0;
    count_classes(sample, &goods, &bads);
    if (goods == 0 || bads == 0)
        return SS_OK;
    enum ss_status status = sorted(sample->values, sample->count, &items, err);
    if (status != SS_OK)
        return status;
    size_t distinct = 0;
    for (size_t i = 0; i < sample->count; i++)
        distinct += i == 0 || items[i].value != items[i - 1].value;
    size_t step = distinct / (points_max - 1) + 1, run = 0;
    int64_t bads_below = 0, run_bads;
    x[0] = y[0] = 0;
    *count = 1;
    for (size_t from = 0, end; from < sample->count; from = end) {
        end = run_of(items, sample->count, sample->bad, from, &run_bads);
        bads_below += run_bads;
        if (++run % step != 0 && end < sample->count)
            continue;
        x[*count] = (double)((int64_t)end - bads_below) / (double)goods;
        y[*count] = (double)bads_below / (double)bads;
        ++*count;
    }
    free(items);
    return SS_OK;
}

static enum ss_status ranks_of(const int32_t *values, size_t count, double *ranks,
                               struct ss_error *err)
{
    struct item *items;
    enum ss_status status = sorted(values, count, &items, err);
    if (status != SS_OK)
        return status;
    for (size_t from = 0, end; from < count; from = end) {
        for (end = from; end < count && items[end].value == items[from].value; end++)
            ;
        for (size_t i = from; i < end; i++)
            ranks[items[i].at] = ((double)from + (double)end + 1) / 2;
    }
    free(items);
    return SS_OK;
}

/* Spearman 1904, "The proof and measurement of association between two things": the correlation of
 * the ranks, equal values sharing their mean rank. Its interval by Fisher's transformation with the
 * variance of Bonett and Wright 2000, "Sample size requirements for estimating Pearson, Kendall and
 * Spearman correlations", Psychometrika 65. */
enum ss_status ss_statistics_correlate(const int32_t *a, const int32_t *b, size_t count,
                                       struct ss_rank_correlation *out, struct ss_error *err)
{
    *out = (struct ss_rank_correlation){.verdict = SS_STATISTICS_NOTHING};
    if (count == 0)
        return SS_OK;
    double *x = malloc(2 * count * sizeof *x), *y = x + count;
    if (!x)
        return ss_fail(err, SS_STOP, "out of memory");
    enum ss_status status = ranks_of(a, count, x, err);
    if (status == SS_OK)
        status = ranks_of(b, count, y, err);
    double middle = ((double)count + 1) / 2, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; status == SS_OK && i < count; i++) {
        xx += (x[i] - middle) * (x[i] - middle);
        yy += (y[i] - middle) * (y[i] - middle);
        xy += (x[i] - middle) * (y[i] - middle);
    }
    free(x);
    if (status != SS_OK)
        return status;
    if (xx <= 0 || yy <= 0) {
        out->verdict = SS_STATISTICS_ONE_VALUE;
        return SS_OK;
    }
    out->verdict = count > 3 ? SS_STATISTICS_FINE : SS_STATISTICS_TOO_FEW;
    out->rho = fmax(-1, fmin(1, xy / sqrt(xx * yy)));
    if (count > 3 && fabs(out->rho) < 1) {
        double z = atanh(out->rho);
        double half = Z_95 * sqrt((1 + out->rho * out->rho / 2) / ((double)count - 3));
        out->interval = (struct ss_interval){tanh(z - half), tanh(z + half), true};
    }
    return SS_OK;
}
