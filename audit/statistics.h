/* statistics.h - how well a number ranks people by what became of them, and how two distributions
 * differ. Pure functions of their arguments; each formula's source stands at its code. Any thread.
 *
 * 1. A high value is meant to say that all will be well. AUC is the chance that somebody who kept
 *    their word has a higher value than somebody who did not, ties counting half: 0.5 is chance,
 *    1 is perfect, below 0.5 is upside down.
 * 2. Intervals are of 95 %, tests two-sided. Observations count as independent of each other.
 * 3. What cannot be said is never a NaN: `verdict` says why, and an interval has `known` false.
 *
 * Functions that sort allocate; SS_STOP is out of memory, and nothing else fails.
 */
#ifndef SS_AUDIT_STATISTICS_H
#define SS_AUDIT_STATISTICS_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ss_interval {
    double low, high;
    bool known;
};

/* Observation i has the value values[i], and turned out bad or not. */
struct ss_statistics_sample {
    const int32_t *values;
    const bool *bad;
    size_t count;
};

enum ss_statistics_verdict {
    SS_STATISTICS_FINE,
    SS_STATISTICS_NOTHING,   /* no observations */
    SS_STATISTICS_ONE_CLASS, /* all good, or all bad: nothing to tell apart */
    SS_STATISTICS_ONE_VALUE, /* all have the same value: it ranks nobody; AUC 0.5, KS 0, p 1 */
    SS_STATISTICS_SEPARATED, /* a value parts good and bad without error: no spread to judge by */
    SS_STATISTICS_TOO_FEW,   /* for this method */
};
/* "all have the same outcome", …: static text, "" where it is fine. */
const char *ss_statistics_verdict_text(enum ss_statistics_verdict verdict);

/* ---- ranking: statistics_rank.c ---- */

struct ss_discrimination {
    enum ss_statistics_verdict verdict; /* NOTHING, ONE_CLASS: only goods and bads are set */
    int64_t goods, bads;
    double auc, auc_se; /* se 0 where there is no interval */
    struct ss_interval auc_interval;
    double gini; /* 2 AUC - 1 */
    struct ss_interval gini_interval;
    double p;  /* that a value which has nothing to do with the outcome does as well or better */
    double ks; /* the greatest distance of the two distributions */
    int32_t ks_at; /* ... between values up to this one and those above */
    struct ss_interval ks_interval;
    double ks_p;
};
SS_MUST_USE enum ss_status ss_statistics_discriminate(const struct ss_statistics_sample *sample,
                                                      struct ss_discrimination *out,
                                                      struct ss_error *err);

/* Of two values of the same people. */
struct ss_auc_difference {
    enum ss_statistics_verdict verdict; /* ONE_VALUE: both rank alike, difference 0 and p 1 */
    double first, second, difference;   /* AUC; second - first */
    struct ss_interval interval;
    double p;
};
SS_MUST_USE enum ss_status ss_statistics_compare(const struct ss_statistics_sample *first,
                                                 const int32_t *second_values,
                                                 struct ss_auc_difference *out,
                                                 struct ss_error *err);

/* The share of the bads (y) beside the share of the goods (x) that lie at or below each value, from
 * (0,0) to (1,1), thinned to at most points_max (at least 2). *count 0: one class. */
SS_MUST_USE enum ss_status ss_statistics_roc(const struct ss_statistics_sample *sample,
                                             size_t points_max, double *x, double *y, size_t *count,
                                             struct ss_error *err);

/* The correlation of two values' ranks, -1 to 1. */
struct ss_rank_correlation {
    enum ss_statistics_verdict verdict; /* ONE_VALUE: one of the two does not vary */
    double rho;
    struct ss_interval interval;
};
SS_MUST_USE enum ss_status ss_statistics_correlate(const int32_t *a, const int32_t *b, size_t count,
                                                   struct ss_rank_correlation *out,
                                                   struct ss_error *err);

/* ---- calibration: statistics_fit.c ---- */

enum { SS_STATISTICS_BANDS_MAX = 20 };

struct ss_calibration_band {
    int32_t from, to; /* least and greatest value in it */
    int64_t count, bads;
    double rate;
    struct ss_interval interval;
    double predicted; /* by the fit; meaningful if it is fine */
};

struct ss_calibration {
    enum ss_statistics_verdict verdict; /* of the fit; the bands are there unless NOTHING */
    /* The logistic regression log odds of bad = intercept + slope * value. */
    double intercept, slope;
    double points_to_double; /* so many points less double the odds; 0 where the slope is >= 0 */
    int band_count;
    struct ss_calibration_band bands[SS_STATISTICS_BANDS_MAX];
    int rises;       /* bands with a higher bad rate than the one below them */
    bool fit_tested; /* whether the three below are there: three bands or more, and a fit */
    double fit_chi2;
    int fit_freedom;
    double fit_p; /* small: the bad rates do not follow the curve of the fit */
};
/* Bands of about the same size, as many as asked for; people of the same value stay together. */
SS_MUST_USE enum ss_status ss_statistics_calibrate(const struct ss_statistics_sample *sample,
                                                   int bands, struct ss_calibration *out,
                                                   struct ss_error *err);

/* ---- shares and distributions: statistics.c ---- */

/* Of `hits` out of `count`; unknown where count is 0. */
struct ss_interval ss_statistics_wilson(int64_t hits, int64_t count);

enum ss_psi_band { SS_PSI_STABLE, SS_PSI_SOME, SS_PSI_LARGE };
struct ss_psi {
    bool known; /* both distributions have somebody in them */
    double value;
    enum ss_psi_band band; /* below 0.10, below 0.25, above */
};
/* Population stability index of two distributions over the same bins, as counts. */
struct ss_psi ss_statistics_psi(const int64_t *expected, const int64_t *actual, int bins);
const char *ss_statistics_psi_text(enum ss_psi_band band); /* "no change worth speaking of", … */

/* Adjusts p values in place so that they may be read side by side: Holm's method. */
void ss_statistics_holm(double *p, int count);

/* Upper tails: of the absolute value of a standard normal, chi-squared, Kolmogorov's limit. */
double ss_statistics_normal_tail(double z);
double ss_statistics_chi2_tail(double chi2, int freedom);
double ss_statistics_kolmogorov_tail(double x);

#endif
