/* Against scipy 1.x and scikit-learn on the same forty people, and DeLong's and the logistic
 * formulas written out in numpy over all pairs. What has no answer must say so, and never be NaN.
 */
#include "audit/statistics.h"

#include <criterion/criterion.h>
#include <math.h>

enum { N = 40 };
static const int32_t first[N] = {620, 650, 680, 560, 580, 620, 540, 610, 660, 620,
                                 690, 670, 670, 620, 640, 600, 670, 670, 580, 660,
                                 640, 630, 630, 640, 660, 610, 630, 640, 660, 590,
                                 680, 630, 600, 670, 690, 670, 590, 640, 660, 600};
static const int32_t second[N] = {575, 680, 615, 600, 630, 580, 565, 560, 655, 675,
                                  720, 595, 635, 625, 660, 635, 630, 660, 615, 640,
                                  615, 620, 645, 635, 640, 585, 595, 675, 640, 550,
                                  695, 625, 660, 650, 645, 580, 660, 690, 620, 580};
static const bool bad[N] = {1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0,
                            0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1};
static const struct ss_statistics_sample sample = {first, bad, N};

static void near(double got, double want, double tolerance, const char *what)
{
    cr_expect(fabs(got - want) <= tolerance, "%s: %.15g instead of %.15g", what, got, want);
}

static struct ss_discrimination discriminate(const int32_t *values, const bool *outcomes, size_t n)
{
    struct ss_statistics_sample some = {values, outcomes, n};
    struct ss_discrimination out;
    struct ss_error err;
    cr_assert_eq(ss_statistics_discriminate(&some, &out, &err), SS_OK);
    double numbers[] = {out.auc,
                        out.auc_se,
                        out.gini,
                        out.p,
                        out.ks,
                        out.ks_p,
                        out.auc_interval.low,
                        out.auc_interval.high,
                        out.ks_interval.low};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        cr_assert(isfinite(numbers[i]), "number %zu", i);
    return out;
}

Test(statistics, auc_gini_and_ks_are_those_of_scipy)
{
    struct ss_discrimination d = discriminate(first, bad, N);
    cr_assert_eq(d.verdict, SS_STATISTICS_FINE);
    cr_assert_eq(d.goods, 25);
    cr_assert_eq(d.bads, 15);
    near(d.auc, 0.7986666666666666, 1e-12, "AUC");
    near(d.auc_se, 0.07148433801897155, 1e-12, "its standard error");
    near(d.auc_interval.low, 0.6585599386907951, 1e-9, "from");
    near(d.auc_interval.high, 0.9387733946425382, 1e-9, "to");
    near(d.gini, 0.5973333333333333, 1e-12, "Gini");
    near(d.gini_interval.low, 2 * 0.6585599386907951 - 1, 1e-9, "Gini from");
    near(d.p, 0.0016645987488844965, 1e-12, "Mann-Whitney");
    near(d.ks, 0.5333333333333333, 1e-12, "KS");
    cr_assert_eq(d.ks_at, 640);
    near(d.ks_p, 0.00965589890103449, 1e-12, "its p");
    near(d.ks_interval.low, 0.30352266131849126, 1e-9, "KS from");
    near(d.ks_interval.high, 0.7631440053481754, 1e-9, "KS to");
}

Test(statistics, an_upside_down_value_has_the_mirrored_auc)
{
    int32_t turned[N];
    for (int i = 0; i < N; i++)
        turned[i] = -first[i];
    struct ss_discrimination d = discriminate(turned, bad, N);
    near(d.auc, 1 - 0.7986666666666666, 1e-12, "AUC");
    near(d.p, 0.0016645987488844965, 1e-12, "p");
    near(d.ks, 0.5333333333333333, 1e-12, "KS");
}

Test(statistics, two_values_of_the_same_people_are_compared_in_pairs)
{
    struct ss_auc_difference d;
    struct ss_error err;
    cr_assert_eq(ss_statistics_compare(&sample, second, &d, &err), SS_OK);
    cr_assert_eq(d.verdict, SS_STATISTICS_FINE);
    near(d.second, 0.7453333333333333, 1e-12, "AUC of the second");
    near(d.difference, -0.053333333333333344, 1e-12, "difference");
    near(d.interval.low, -0.25721026667952424, 1e-9, "from");
    near(d.interval.high, 0.15054360001285755, 1e-9, "to");
    near(d.p, 0.608148462827298, 1e-9, "p");
}

Test(statistics, values_that_rank_alike_do_not_differ)
{
    struct ss_auc_difference d;
    struct ss_error err;
    int32_t stretched[N];
    for (int i = 0; i < N; i++)
        stretched[i] = first[i] * 3 - 1000;
    cr_assert_eq(ss_statistics_compare(&sample, stretched, &d, &err), SS_OK);
    cr_assert_eq(d.verdict, SS_STATISTICS_ONE_VALUE);
    cr_assert_eq(d.difference, 0);
    cr_assert_eq(d.p, 1);
}

Test(statistics, where_there_is_nothing_to_rank_it_says_so)
{
    static const int32_t same[4] = {600, 600, 600, 600}, parted[4] = {500, 510, 600, 610};
    static const bool mixed[4] = {1, 1, 0, 0}, none[4] = {0}, one[4] = {0, 1, 0, 0};
    struct ss_discrimination d = discriminate(same, mixed, 0);
    cr_assert_eq(d.verdict, SS_STATISTICS_NOTHING);
    d = discriminate(parted, none, 4);
    cr_assert_eq(d.verdict, SS_STATISTICS_ONE_CLASS);
    cr_assert_eq(d.goods, 4);
    d = discriminate(same, mixed, 4);
    cr_assert_eq(d.verdict, SS_STATISTICS_ONE_VALUE);
    near(d.auc, 0.5, 0, "AUC");
    near(d.p, 1, 0, "p");
    near(d.ks, 0, 0, "KS");
    cr_assert_not(d.auc_interval.known);
    d = discriminate(parted, mixed, 4);
    cr_assert_eq(d.verdict, SS_STATISTICS_SEPARATED);
    near(d.auc, 1, 0, "AUC");
    near(d.ks, 1, 0, "KS");
    cr_assert_eq(d.ks_at, 510);
    cr_assert_not(d.auc_interval.known);
    d = discriminate(parted, one, 4);
    cr_assert_eq(d.verdict, SS_STATISTICS_TOO_FEW);
    near(d.auc, 2.0 / 3, 1e-12, "AUC");
    for (int v = SS_STATISTICS_NOTHING; v <= SS_STATISTICS_TOO_FEW; v++)
        cr_assert_neq(ss_statistics_verdict_text((enum ss_statistics_verdict)v)[0], '\0');
}

Test(statistics, a_comparison_without_an_answer_has_none)
{
    static const int32_t a[4] = {500, 510, 600, 610}, b[4] = {510, 500, 610, 600};
    static const bool mixed[4] = {1, 1, 0, 0}, none[4] = {0}, one[4] = {1, 0, 0, 0};
    struct ss_auc_difference d;
    struct ss_error err;
    cr_assert_eq(ss_statistics_compare(&(struct ss_statistics_sample){a, none, 4}, b, &d, &err),
                 SS_OK);
    cr_assert_eq(d.verdict, SS_STATISTICS_ONE_CLASS);
    cr_assert_eq(ss_statistics_compare(&(struct ss_statistics_sample){a, one, 4}, b, &d, &err),
                 SS_OK);
    cr_assert_eq(d.verdict, SS_STATISTICS_TOO_FEW);
    near(d.difference, -1.0 / 3, 1e-12, "difference");
    cr_assert_eq(ss_statistics_compare(&(struct ss_statistics_sample){a, mixed, 4}, b, &d, &err),
                 SS_OK);
    cr_assert_eq(d.verdict, SS_STATISTICS_ONE_VALUE, "both are perfect");
    static const int32_t flat[4] = {600, 600, 600, 600};
    cr_assert_eq(ss_statistics_compare(&(struct ss_statistics_sample){a, mixed, 4}, flat, &d, &err),
                 SS_OK);
    cr_assert_eq(d.verdict, SS_STATISTICS_SEPARATED);
    near(d.difference, -0.5, 1e-12, "difference");
    cr_assert(isfinite(d.p));
}

Test(statistics, the_roc_curve_has_the_auc_as_its_area)
{
    double x[N + 2], y[N + 2], area = 0;
    size_t count;
    struct ss_error err;
    cr_assert_eq(ss_statistics_roc(&sample, N + 2, x, y, &count, &err), SS_OK);
    for (size_t i = 1; i < count; i++)
        area += (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2;
    near(area, 0.7986666666666666, 1e-12, "area");
    near(x[0] + y[0], 0, 0, "start");
    near(x[count - 1] + y[count - 1], 2, 0, "end");
    cr_assert_eq(ss_statistics_roc(&sample, 5, x, y, &count, &err), SS_OK);
    cr_assert_leq(count, 5);
    near(x[count - 1] + y[count - 1], 2, 0, "end of the thinned one");
}

Test(statistics, rank_correlation_is_that_of_scipy)
{
    struct ss_rank_correlation c;
    struct ss_error err;
    static const int32_t flat[N] = {0};
    cr_assert_eq(ss_statistics_correlate(first, second, N, &c, &err), SS_OK);
    near(c.rho, 0.4087070434340035, 1e-12, "rho");
    near(c.interval.low, 0.09833701185119463, 1e-9, "from");
    near(c.interval.high, 0.6466154211679531, 1e-9, "to");
    cr_assert_eq(ss_statistics_correlate(first, first, N, &c, &err), SS_OK);
    near(c.rho, 1, 0, "with itself");
    cr_assert_not(c.interval.known);
    cr_assert_eq(ss_statistics_correlate(first, flat, N, &c, &err), SS_OK);
    cr_assert_eq(c.verdict, SS_STATISTICS_ONE_VALUE);
    cr_assert_eq(ss_statistics_correlate(first, flat, 0, &c, &err), SS_OK);
    cr_assert_eq(c.verdict, SS_STATISTICS_NOTHING);
}

Test(statistics, the_fit_is_that_of_scikit_learn)
{
    struct ss_calibration c;
    struct ss_error err;
    cr_assert_eq(ss_statistics_calibrate(&sample, 4, &c, &err), SS_OK);
    cr_assert_eq(c.verdict, SS_STATISTICS_FINE);
    near(c.intercept, 22.309079192669593, 1e-5, "intercept");
    near(c.slope, -0.036175474060264785, 1e-8, "slope");
    near(c.points_to_double, 19.160693772947667, 1e-5, "points that double the odds");
    cr_assert_eq(c.band_count, 4);
    int64_t people = 0, bads = 0;
    double expected = 0, chi2 = 0;
    for (int i = 0; i < c.band_count; i++) {
        const struct ss_calibration_band *band = &c.bands[i];
        double n = (double)band->count, p = 0;
        cr_assert(i == 0 || band->from > c.bands[i - 1].to, "people of one value stay together");
        for (int k = 0; k < N; k++)
            if (first[k] >= band->from && first[k] <= band->to)
                p += 1 / (1 + exp(-(22.309079192669593 - 0.036175474060264785 * first[k])));
        near(band->predicted, p / n, 1e-8, "prediction");
        chi2 += ((double)band->bads - p) * ((double)band->bads - p) / (p * (1 - p / n));
        people += band->count;
        bads += band->bads;
        expected += p;
    }
    cr_assert_eq(people, N);
    cr_assert_eq(bads, 15);
    near(expected, 15, 1e-6, "a fit with an intercept expects what there was");
    cr_assert(c.fit_tested);
    cr_assert_eq(c.fit_freedom, 2);
    near(c.fit_chi2, chi2, 1e-6, "Hosmer-Lemeshow");
    near(c.fit_p, exp(-chi2 / 2), 1e-6, "with two degrees of freedom");
}

Test(statistics, bands_without_a_fit_are_bands_all_the_same)
{
    static const int32_t parted[6] = {500, 510, 520, 600, 610, 620}, same[6] = {0};
    static const bool mixed[6] = {1, 1, 1, 0, 0, 0}, none[6] = {0};
    struct ss_calibration c;
    struct ss_error err;
    cr_assert_eq(
        ss_statistics_calibrate(&(struct ss_statistics_sample){parted, mixed, 6}, 3, &c, &err),
        SS_OK);
    cr_assert_eq(c.verdict, SS_STATISTICS_SEPARATED);
    cr_assert_eq(c.band_count, 3);
    cr_assert_not(c.fit_tested);
    near(c.bands[0].rate, 1, 0, "rate");
    cr_assert_eq(
        ss_statistics_calibrate(&(struct ss_statistics_sample){parted, none, 6}, 3, &c, &err),
        SS_OK);
    cr_assert_eq(c.verdict, SS_STATISTICS_ONE_CLASS);
    cr_assert_eq(c.rises, 0);
    cr_assert_eq(
        ss_statistics_calibrate(&(struct ss_statistics_sample){same, mixed, 6}, 3, &c, &err),
        SS_OK);
    cr_assert_eq(c.verdict, SS_STATISTICS_ONE_VALUE);
    cr_assert_eq(c.band_count, 1);
    cr_assert_eq(c.bands[0].count, 6);
    cr_assert_eq(
        ss_statistics_calibrate(&(struct ss_statistics_sample){same, mixed, 0}, 3, &c, &err),
        SS_OK);
    cr_assert_eq(c.verdict, SS_STATISTICS_NOTHING);
    cr_assert_eq(c.band_count, 0);
}

Test(statistics, shares_have_the_interval_of_scipy)
{
    static const struct {
        int64_t hits, count;
        double low, high;
    } rows[] = {{0, 10, 0, 0.27753279986288926},
                {3, 10, 0.10779126740630102, 0.6032218525388546},
                {10, 10, 0.7224672001371109, 1},
                {7, 2500, 0.0013569852192520603, 0.005768649176584418}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ss_interval interval = ss_statistics_wilson(rows[i].hits, rows[i].count);
        near(interval.low, rows[i].low, 1e-12, "from");
        near(interval.high, rows[i].high, 1e-12, "to");
    }
    cr_assert_not(ss_statistics_wilson(0, 0).known);
}

Test(statistics, tails_are_those_of_scipy)
{
    static const struct {
        double chi2;
        int freedom;
        double p;
    } rows[] = {{0.5, 1, 0.47950012218695337}, {3.84, 1, 0.05004352124870519},
                {10, 4, 0.04042768199451279},  {25, 8, 0.001554557843011069},
                {2, 8, 0.9810118431238462},    {120, 100, 0.08440668109369177}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        near(ss_statistics_chi2_tail(rows[i].chi2, rows[i].freedom), rows[i].p, 1e-12, "chi2");
    near(ss_statistics_chi2_tail(0, 3), 1, 0, "at 0");
    near(ss_statistics_kolmogorov_tail(0.4), 0.9971923267772983, 1e-12, "Kolmogorov");
    near(ss_statistics_kolmogorov_tail(0.8), 0.5441424115741981, 1e-12, "Kolmogorov");
    near(ss_statistics_kolmogorov_tail(1.36), 0.049485876755377876, 1e-12, "Kolmogorov");
    near(ss_statistics_kolmogorov_tail(2), 0.0006709252557796953, 1e-12, "Kolmogorov");
    near(ss_statistics_normal_tail(-1.959963984540054), 0.05, 1e-12, "normal");
}

/* By hand: 0.2 ln 2 + 0 + -0.1 ln 0.75 + -0.1 ln 0.5 … */
Test(statistics, stability_is_the_sum_over_bins)
{
    static const int64_t expected[4] = {20, 20, 40, 20}, actual[4] = {40, 20, 30, 10};
    struct ss_psi psi = ss_statistics_psi(expected, actual, 4);
    cr_assert(psi.known);
    near(psi.value, 0.2 * log(2) - 0.1 * log(0.75) - 0.1 * log(0.5), 1e-12, "PSI");
    cr_assert_eq(psi.band, SS_PSI_SOME);
    cr_assert_eq(ss_statistics_psi(expected, expected, 4).value, 0);
    cr_assert_eq(ss_statistics_psi(expected, expected, 4).band, SS_PSI_STABLE);
    static const int64_t gone[4] = {0, 0, 0, 100}, nobody[4] = {0};
    psi = ss_statistics_psi(expected, gone, 4);
    cr_assert(isfinite(psi.value));
    cr_assert_eq(psi.band, SS_PSI_LARGE);
    cr_assert_not(ss_statistics_psi(expected, nobody, 4).known);
}

/* As R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"). */
Test(statistics, several_tests_are_read_side_by_side)
{
    double p[4] = {0.01, 0.04, 0.03, 0.005}, one = 0.7, high[2] = {0.9, 0.8};
    ss_statistics_holm(p, 4);
    near(p[0], 0.03, 1e-15, "first");
    near(p[1], 0.06, 1e-15, "second");
    near(p[2], 0.06, 1e-15, "third");
    near(p[3], 0.02, 1e-15, "fourth");
    ss_statistics_holm(&one, 1);
    near(one, 0.7, 0, "one alone");
    ss_statistics_holm(high, 2);
    near(high[0], 1, 0, "no more than 1");
}
