/* backtest.h - a champion and a challenger over the same history: who would move, and which of the
 * two tells better who will keep their word.
 *
 *   options ──> ss_backtest_run ──> result ──> ss_backtest_text, _json, _page, _csv (report.h)
 *
 * 1. Both models score the same people from the same events at the same instant: `until`, or the
 *    newest event's time. Everything is computed anew from the history; what the engine published,
 *    and its Redis, play no part, and nothing is written to either.
 * 2. A label is (user, time, outcome). The score that it is held against is as of 1 ms before its
 *    time, from events that occurred before it (backtest_people.h, 1).
 * 3. Benefits are compared as if granted at that instant: a score at or above the threshold. What a
 *    revoke_margin lets somebody keep depends on the way there, and is left out.
 * 4. The result depends on the history, models and labels alone, not on when or where it is run.
 *
 * One thread.
 */
#ifndef SS_AUDIT_BACKTEST_H
#define SS_AUDIT_BACKTEST_H

#include "audit/source.h"
#include "audit/statistics.h"
#include "base/bytes.h"
#include "scoring/apply.h"

#include <stdatomic.h>

enum {
    SS_BACKTEST_MOVERS = 20,
    SS_BACKTEST_BIN = 25, /* points of a bin of the picture */
    SS_BACKTEST_BINS = (SS_SCORE_MAX - SS_SCORE_MIN) / SS_BACKTEST_BIN,
    SS_BACKTEST_TIERS_MAX = 2 * SS_TIERS_MAX, /* persons' and businesses' */
    SS_BACKTEST_BENEFITS_MAX = 4 * SS_BENEFITS_MAX,
    SS_BACKTEST_ROC_MAX = 200,
    SS_BACKTEST_PSI_BINS = 10,
    SS_BACKTEST_CALIBRATION_BANDS = 10,
};

enum ss_backtest_side { SS_CHAMPION, SS_CHALLENGER, SS_SIDE_COUNT };

struct ss_backtest_label {
    struct ss_text user_id;
    int64_t time_ms;
    bool bad;
};

struct ss_backtest_options {
    struct ss_source *source;               /* borrowed, as all of this is */
    struct ss_models models[SS_SIDE_COUNT]; /* challenger.person NULL: the champion alone */
    int64_t until_ms;                       /* INT64_MAX: the whole history */
    bool assume_consent;
    int64_t future_tolerance_ms;
    const struct ss_backtest_label *labels;
    size_t label_count;
    atomic_bool *stop;                           /* set: ends early with SS_STOP */
    void (*progress)(void *arg, int64_t events); /* now and then; or NULL */
    void *progress_arg;
};

/* What one model says of one person at one moment. */
struct ss_backtest_score {
    int16_t score;
    uint8_t tier; /* of the result's tiers of this side */
    bool listed, business;
    int16_t values[SS_FACTOR_COUNT]; /* the factors', 0 to SS_VALUE_MAX */
    int32_t points_centi[SS_FACTOR_COUNT];
};

struct ss_backtest_row {
    uint32_t person, moment;
    int64_t time_ms; /* of the label; SS_MOMENT_END at the end of the history */
    bool bad;        /* the label's outcome */
    struct ss_backtest_score of[SS_SIDE_COUNT];
};

struct ss_backtest_rows {
    struct ss_backtest_row *rows; /* who is scored then; by user id, then time */
    size_t count, capacity;
};

/* --- how people move --- */

struct ss_backtest_benefit {
    const char *id;
    int64_t held[SS_SIDE_COUNT];
    int64_t gained, lost;
};

/* One variable of a mover, where the two models differ about what it is worth. */
struct ss_backtest_component {
    enum ss_variable variable;
    bool known[SS_SIDE_COUNT];
    int64_t variable_value[SS_SIDE_COUNT];
    int32_t points_centi[SS_SIDE_COUNT]; /* of the score, but for rounding */
};

struct ss_backtest_mover {
    size_t row;
    int component_count;
    struct ss_backtest_component components[SS_VAR_COUNT]; /* greatest difference first */
};

struct ss_backtest_comparison {
    int64_t people, risen, fallen;
    double mean_change, mean_distance;    /* challenger - champion; of its absolute value */
    int32_t change_percent[7];            /* at 0, 5, 25, 50, 75, 95, 100 % of the people */
    int64_t moved_10, moved_25, moved_50; /* by so many points and more */
    struct ss_rank_correlation ranks;
    /* tenths of the champion's distribution: bin i is up to psi_to[i] */
    int psi_bins;
    int32_t psi_to[SS_BACKTEST_PSI_BINS];
    int64_t psi_counts[SS_SIDE_COUNT][SS_BACKTEST_PSI_BINS];
    struct ss_psi psi;
    /* of each factor's value, over tenths of its champion's */
    struct ss_psi factor_psi[SS_FACTOR_COUNT];
    int64_t tiers[SS_BACKTEST_TIERS_MAX][SS_BACKTEST_TIERS_MAX]; /* [champion's][challenger's] */
    int64_t tier_up, tier_down; /* to one that begins higher, or lower */
    int benefit_count;
    struct ss_backtest_benefit benefits[SS_BACKTEST_BENEFITS_MAX];
    int mover_count;
    struct ss_backtest_mover movers[SS_BACKTEST_MOVERS]; /* the largest first */
};

/* --- how well they foretell --- */

enum { SS_BACKTEST_SCORE = SS_FACTOR_COUNT, SS_BACKTEST_MEASURES = SS_FACTOR_COUNT + 1 };
/* "score", "history", …: measures are the factors, then the score. */
const char *ss_backtest_measure_name(int measure);

struct ss_backtest_tier_rate {
    int64_t count, bads;
    struct ss_interval interval; /* of the bad rate */
};

struct ss_backtest_measured {
    struct ss_discrimination of[SS_BACKTEST_MEASURES];
    double p_together[SS_BACKTEST_MEASURES]; /* that of the rank tests, read side by side */
    struct ss_calibration calibration;
    struct ss_backtest_tier_rate tiers[SS_BACKTEST_TIERS_MAX];
    size_t roc_count;
    double roc_x[SS_BACKTEST_ROC_MAX], roc_y[SS_BACKTEST_ROC_MAX];
};

struct ss_backtest_labelled {
    int64_t labels;
    int64_t unknown;  /* of people of whom the history has nothing */
    int64_t unscored; /* of people without consent at that time, or with nothing before it */
    int64_t used, goods, bads;
    int64_t people; /* fewer than used: some have several labels, which are not independent */
    int64_t first_ms, last_ms; /* of the times of those used */
    struct ss_backtest_measured of[SS_SIDE_COUNT];
    struct ss_auc_difference differences[SS_BACKTEST_MEASURES];
};

/* --- the result --- */

struct ss_backtest_side_facts {
    char name[SS_NAME_MAX], version[SS_NAME_MAX];
    char business_version[SS_NAME_MAX]; /* "": none */
    int tier_count;
    struct ss_tier tiers[SS_BACKTEST_TIERS_MAX];
    int64_t tier_people[SS_BACKTEST_TIERS_MAX];
    int64_t histogram[SS_BACKTEST_BINS];
    double mean, spread; /* of the scores */
    int32_t percent[7];  /* as change_percent */
};

struct ss_people;

struct ss_backtest_result {
    const char *source;                         /* "kafka", "archive", "files" */
    int64_t events, outcomes[SS_OUTCOME_COUNT]; /* accounted for */
    int64_t as_of_ms, first_ms;                 /* first_ms: of the earliest event */
    int64_t people, scored, listed;
    bool has_challenger, refolded; /* refolded: what is structural differs */
    /* Where there are friends, and they matter to a model: they are followed by what the logs say
     * that they were told then, under either model alike; or, where the logs do not say it, left
     * out, so that all relationships stand at neutral. friends_cut: retention took the beginning of
     * what was told. */
    bool friends_followed, friends_left_out, friends_cut;
    struct ss_backtest_side_facts sides[SS_SIDE_COUNT];
    struct ss_backtest_comparison comparison; /* if has_challenger */
    bool has_labels;
    struct ss_backtest_labelled labelled; /* if has_labels */
    struct ss_backtest_rows at_end, at_labels;
    struct ss_people *who; /* for ss_backtest_user */
};

/* Fills *result, which ss_backtest_reset frees, whatever the status. SS_STOP: interrupted, a
 * damaged archive, out of memory. SS_RETRY: Kafka was away for long. */
SS_MUST_USE enum ss_status ss_backtest_run(const struct ss_backtest_options *options,
                                           struct ss_backtest_result *result, struct ss_error *err);
void ss_backtest_reset(struct ss_backtest_result *result);
struct ss_text ss_backtest_user(const struct ss_backtest_result *result, uint32_t person);

#endif
