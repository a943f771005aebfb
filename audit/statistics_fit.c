/* statistics_fit.c - from a value to a chance: bands of observed bad rates, and the logistic curve
 * through them. */
#include "audit/statistics.h"

#include <math.h>
#include <stdlib.h>

struct group { /* of the people who have the same value */
    int32_t value;
    double x; /* the value, centred and scaled */
    int64_t count, bads;
};

struct groups {
    struct group *of;
    size_t count;
    int64_t people, bads;
    double mean, spread;
};

struct item {
    int32_t value;
    bool bad;
};

static int by_value(const void *a, const void *b)
{
    int32_t x = ((const struct item *)a)->value, y = ((const struct item *)b)->value;
    return (x > y) - (x < y);
}

static enum ss_status group(const struct ss_statistics_sample *sample, struct groups *groups,
                            struct ss_error *err)
{
    size_t count = sample->count;
    struct item *items = malloc((count + 1) * sizeof *items);
    *groups = (struct groups){.of = calloc(count + 1, sizeof *groups->of)};
    if (!items || !groups->of) {
        free(items);
        free(groups->of);
        return ss_fail(err, SS_STOP, "out of memory to sort %zu values", count);
    }
    for (size_t i = 0; i < count; i++)
        items[i] = (struct item){sample->values[i], sample->bad[i]};
    qsort(items, count, sizeof *items, by_value);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || items[i].value != items[i - 1].value)
            groups->of[groups->count++].value = items[i].value;
        struct group *last = &groups->of[groups->count - 1];
        last->count++;
        last->bads += items[i].bad;
        groups->bads += items[i].bad;
        sum += items[i].value;
    }
    free(items);
    groups->people = (int64_t)count;
    groups->mean = count ? sum / (double)count : 0;
    for (size_t g = 0; g < groups->count; g++) {
        double off = groups->of[g].value - groups->mean;
        squares += off * off * (double)groups->of[g].count;
    }
    groups->spread = count && squares > 0 ? sqrt(squares / (double)count) : 1;
    for (size_t g = 0; g < groups->count; g++)
        groups->of[g].x = (groups->of[g].value - groups->mean) / groups->spread;
    return SS_OK;
}

/* Whether a value parts good and bad, in either direction: then the curve has no finite slope
 * (Albert and Anderson 1984, "On the existence of maximum likelihood estimates in logistic
 * regression models", Biometrika 71). At most one value may be shared. */
static bool separated(const struct groups *groups)
{
    int32_t low[2] = {INT32_MAX, INT32_MAX}, high[2] = {INT32_MIN, INT32_MIN};
    for (size_t g = 0; g < groups->count; g++) {
        const struct group *of = &groups->of[g];
        bool has[2] = {of->count > of->bads, of->bads > 0};
        for (int bad = 0; bad < 2; bad++) {
            if (!has[bad])
                continue;
            low[bad] = of->value < low[bad] ? of->value : low[bad];
            high[bad] = of->value > high[bad] ? of->value : high[bad];
        }
    }
    return high[0] <= low[1] || high[1] <= low[0];
}

static double chance(double log_odds)
{
    return 1 / (1 + exp(-log_odds));
}

/* Maximum likelihood by Newton's method, halving a step that would lose: McCullagh and Nelder 1989,
 * "Generalized Linear Models", 4.4. *a and *b are of the scaled value. */
static void fit(const struct groups *groups, double *a, double *b)
{
    double share = (double)groups->bads / (double)groups->people, best = -INFINITY, step_a = 0,
           step_b = 0;
    *a = log(share / (1 - share));
    *b = 0;
    for (int round = 0; round < 200; round++) {
        double likelihood = 0, ga = 0, gb = 0, haa = 0, hab = 0, hbb = 0;
        for (size_t g = 0; g < groups->count; g++) {
            const struct group *of = &groups->of[g];
            double n = (double)of->count, bads = (double)of->bads, z = *a + *b * of->x;
            double p = chance(z), w = n * p * (1 - p);
            /* log(1 + e^z) without overflow */
            likelihood += bads * z - n * (z > 0 ? z + log1p(exp(-z)) : log1p(exp(z)));
            ga += bads - n * p;
            gb += (bads - n * p) * of->x;
            haa += w;
            hab += w * of->x;
            hbb += w * of->x * of->x;
        }
        if (likelihood < best - 1e-9 * fabs(best)) {
            step_a /= 2;
            step_b /= 2;
            *a -= step_a;
            *b -= step_b;
            continue;
        }
        best = likelihood;
        double determinant = haa * hbb - hab * hab;
        if (determinant <= 0)
            return;
        step_a = (hbb * ga - hab * gb) / determinant;
        step_b = (haa * gb - hab * ga) / determinant;
        *a += step_a;
        *b += step_b;
        if (fabs(step_a) + fabs(step_b) < 1e-11)
            return;
    }
}

/* Cuts where the running count passes an even share, so that bands are never empty. */
static void cut(const struct groups *groups, int bands, double a, double b,
                struct ss_calibration *out)
{
    int64_t seen = 0;
    bool open = false;
    for (size_t g = 0; g < groups->count; g++) {
        const struct group *of = &groups->of[g];
        struct ss_calibration_band *band = &out->bands[out->band_count];
        if (!open)
            *band = (struct ss_calibration_band){.from = of->value};
        open = true;
        band->to = of->value;
        band->count += of->count;
        band->bads += of->bads;
        band->predicted += (double)of->count * chance(a + b * of->x);
        seen += of->count;
        /* closed where the edge lies nearer here than behind the next value */
        int64_t edge = groups->people * (out->band_count + 1) / bands;
        int64_t next = g + 1 < groups->count ? groups->of[g + 1].count : 0;
        if (out->band_count + 1 < bands && g + 1 < groups->count && seen + next / 2 >= edge) {
            out->band_count++;
            open = false;
        }
    }
    out->band_count += open;
    for (int i = 0; i < out->band_count; i++) {
        struct ss_calibration_band *band = &out->bands[i];
        band->predicted /= (double)band->count;
        band->rate = (double)band->bads / (double)band->count;
        band->interval = ss_statistics_wilson(band->bads, band->count);
        out->rises += i > 0 && band->rate > out->bands[i - 1].rate;
    }
}

/* Hosmer and Lemeshow 1980, "Goodness of fit tests for the multiple logistic regression model",
 * Communications in Statistics A9: chi-squared with two degrees of freedom less than bands, since
 * the fit is of the same people. With very many people any curve fails it. */
static void test_fit(struct ss_calibration *out)
{
    if (out->band_count < 3)
        return;
    for (int i = 0; i < out->band_count; i++) {
        const struct ss_calibration_band *band = &out->bands[i];
        double n = (double)band->count, p = band->predicted, variance = n * p * (1 - p);
        double off = (double)band->bads - n * p;
        if (variance > 0)
            out->fit_chi2 += off * off / variance;
    }
    out->fit_tested = true;
    out->fit_freedom = out->band_count - 2;
    out->fit_p = ss_statistics_chi2_tail(out->fit_chi2, out->fit_freedom);
}

enum ss_status ss_statistics_calibrate(const struct ss_statistics_sample *sample, int bands,
                                       struct ss_calibration *out, struct ss_error *err)
{
    struct groups groups;
    double a = 0, b = 0;
    *out = (struct ss_calibration){.verdict = SS_STATISTICS_NOTHING};
    if (sample->count == 0)
        return SS_OK;
    enum ss_status status = group(sample, &groups, err);
    if (status != SS_OK)
        return status;
    bands = bands < 1 ? 1 : bands > SS_STATISTICS_BANDS_MAX ? SS_STATISTICS_BANDS_MAX : bands;
    out->verdict = groups.bads == 0 || groups.bads == groups.people ? SS_STATISTICS_ONE_CLASS
                   : groups.count == 1                              ? SS_STATISTICS_ONE_VALUE
                   : separated(&groups)                             ? SS_STATISTICS_SEPARATED
                                                                    : SS_STATISTICS_FINE;
    if (out->verdict == SS_STATISTICS_FINE)
        fit(&groups, &a, &b);
    cut(&groups, bands, a, b, out);
    if (out->verdict == SS_STATISTICS_FINE) {
        out->slope = b / groups.spread;
        out->intercept = a - out->slope * groups.mean;
        out->points_to_double = out->slope < 0 ? log(2) / -out->slope : 0;
        test_fit(out);
    }
    free(groups.of);
    return SS_OK;
}
