#include "audit/statistics.h"

#include <math.h>

static const double Z_95 = 1.959963984540054;

const char *ss_statistics_verdict_text(enum ss_statistics_verdict verdict)
{
    switch (verdict) {
    case SS_STATISTICS_FINE:
        return "";
    case SS_STATISTICS_NOTHING:
        return "nobody to measure";
    case SS_STATISTICS_ONE_CLASS:
        return "all have the same outcome, so there is nothing to tell apart";
    case SS_STATISTICS_ONE_VALUE:
        return "all have the same value, so it ranks nobody";
    case SS_STATISTICS_SEPARATED:
        return "good and bad are parted without error, so there is no spread to judge by";
    case SS_STATISTICS_TOO_FEW:
        return "too few to say";
    }
    return "";
}

/* Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22:
 * unlike the textbook interval it stays within 0 and 1, and has a width at 0 and at all. */
struct ss_interval ss_statistics_wilson(int64_t hits, int64_t count)
{
    if (count <= 0)
        return (struct ss_interval){0, 1, false};
    double n = (double)count, p = (double)hits / n, z2 = Z_95 * Z_95;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z_95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
    /* at the ends the formula gives 0 and 1 but for rounding */
    return (struct ss_interval){hits == 0 ? 0 : middle - half, hits == count ? 1 : middle + half,
                                true};
}

/* Sum over bins of (actual - expected) * ln(actual / expected), in shares: Lewis 1994, "An
 * Introduction to Credit Scoring"; Siddiqi 2006, "Credit Risk Scorecards", has the two bounds. An
 * empty bin counts as half a person, for the logarithm's sake. */
struct ss_psi ss_statistics_psi(const int64_t *expected, const int64_t *actual, int bins)
{
    struct ss_psi psi = {0};
    double totals[2] = {0, 0};
    for (int i = 0; i < bins; i++) {
        totals[0] += (double)expected[i];
        totals[1] += (double)actual[i];
    }
    if (totals[0] <= 0 || totals[1] <= 0)
        return psi;
    psi.known = true;
    for (int i = 0; i < bins; i++) {
        if (expected[i] == 0 && actual[i] == 0)
            continue;
        double e = (expected[i] ? (double)expected[i] : 0.5) / totals[0];
        double a = (actual[i] ? (double)actual[i] : 0.5) / totals[1];
        psi.value += (a - e) * log(a / e);
    }
    psi.band = psi.value < 0.10 ? SS_PSI_STABLE : psi.value < 0.25 ? SS_PSI_SOME : SS_PSI_LARGE;
    return psi;
}

const char *ss_statistics_psi_text(enum ss_psi_band band)
{
    return band == SS_PSI_STABLE ? "no change worth speaking of"
           : band == SS_PSI_SOME ? "some change: look into it"
                                 : "a large change";
}

/* Holm 1979, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6: the
 * smallest of m is multiplied by m, the next by m - 1, and so on, never falling below one before.
 */
void ss_statistics_holm(double *p, int count)
{
    double floor_p = 0;
    bool done[64] = {false};
    if (count > 64)
        return;
    for (int left = count; left > 0; left--) {
        int least = -1;
        for (int i = 0; i < count; i++)
            if (!done[i] && (least < 0 || p[i] < p[least]))
                least = i;
        double adjusted = fmin(1, p[least] * left);
        floor_p = fmax(floor_p, adjusted);
        p[least] = floor_p;
        done[least] = true;
    }
}

double ss_statistics_normal_tail(double z)
{
    return erfc(fabs(z) / sqrt(2));
}

/* The regularised upper incomplete gamma function Q(freedom / 2, chi2 / 2): DLMF 8.7.1 as a series
 * below the mean, and 8.9.2 as a continued fraction above (Lentz's method). */
double ss_statistics_chi2_tail(double chi2, int freedom)
{
    enum { ROUNDS_MAX = 10000 };
    double a = freedom / 2.0, x = chi2 / 2;
    if (freedom <= 0 || x <= 0)
        return 1;
    double scale = exp(-x + a * log(x) - lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (int n = 1; n < ROUNDS_MAX && term > sum * 1e-16; n++)
            sum += term *= x / (a + n);
        return fmax(0, 1 - sum * scale);
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int n = 1; n < ROUNDS_MAX; n++) {
        double an = -n * (n - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        double change = d * c;
        h *= change;
        if (fabs(change - 1) < 1e-15)
            break;
    }
    return fmin(1, scale * h);
}

/* 2 * sum over k of (-1)^(k-1) exp(-2 k^2 x^2): Kolmogorov 1933, as by Smirnov 1948, "Table for
 * estimating the goodness of fit of empirical distributions", Ann. Math. Statist. 19. Below 0.3 it
 * is 1 to ten digits, and the sum converges slowly. */
double ss_statistics_kolmogorov_tail(double x)
{
    double sum = 0;
    if (x < 0.3)
        return 1;
    for (int k = 1; k <= 100; k++) {
        double term = exp(-2.0 * k * k * x * x);
        sum += k % 2 ? term : -term;
        if (term < 1e-17)
            break;
    }
    return fmin(1, fmax(0, 2 * sum));
}
