/* backtest_report.h - a backtest's result as text, JSON, a page and tables. Nothing is computed
 * here. User ids are in all of them: a report is as confidential as its people's scores. */
#ifndef SS_AUDIT_BACKTEST_REPORT_H
#define SS_AUDIT_BACKTEST_REPORT_H

#include "audit/backtest.h"

#include <stdio.h>

/* For a terminal of 100 columns. */
void ss_backtest_text(const struct ss_backtest_result *result, FILE *out);

/* Into a file, or "-": standard output. SS_STOP: it cannot be written. */
SS_MUST_USE enum ss_status ss_backtest_json(const struct ss_backtest_result *result,
                                            const char *path, struct ss_error *err);
SS_MUST_USE enum ss_status ss_backtest_page(const struct ss_backtest_result *result,
                                            const char *path, struct ss_error *err);
/* Everybody, one a line: user_id, then score, tier and factor values of both models; with labels
 * (of result->at_labels) also time and outcome, 1 being bad. */
SS_MUST_USE enum ss_status ss_backtest_csv(const struct ss_backtest_result *result, bool labels,
                                           const char *path, struct ss_error *err);

/* ---- words that they share ---- */

enum { SS_BACKTEST_WORDS_MAX = 512 };

/* Each writes into out, of at least SS_BACKTEST_WORDS_MAX bytes, and returns it. */
char *ss_backtest_time_words(char *out, int64_t time_ms); /* 2005-09-30T23:59:59Z */
char *ss_backtest_count_words(char *out, int64_t count);  /* 15,000 */
char *ss_backtest_p_words(char *out, double p);           /* 0.012, "< 0.0001" */
char *ss_backtest_interval_words(char *out, const struct ss_interval *interval, int decimals,
                                 double scale);
char *ss_backtest_points_words(char *out, int32_t centi); /* -1.25 */
/* "lateness 1200 (4000 -> 6200 …)": what a component of a mover was worth, and is. */
char *ss_backtest_component_words(char *out, const struct ss_backtest_component *component);
/* In a sentence or two, what came out: of the comparison, and of the labels. */
char *ss_backtest_moves_verdict(char *out, const struct ss_backtest_result *result);
char *ss_backtest_labels_verdict(char *out, const struct ss_backtest_result *result);
/* Whether friends count in these scores; "": there are none that could. */
const char *ss_backtest_friends_words(const struct ss_backtest_result *result);

#endif
