/* backtest_json.c - a backtest for programs: every number of the result, under names that stay. */
#include "audit/backtest_report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

static const char *const side_names[SS_SIDE_COUNT] = {"champion", "challenger"};

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text(struct ss_text value)
{
    return json_stringn(value.data, value.size);
}

static json_t *time_of(int64_t time_ms)
{
    char words[SS_BACKTEST_WORDS_MAX];
    return json_string(ss_backtest_time_words(words, time_ms));
}

static json_t *interval(const struct ss_interval *of)
{
    return of->known ? json_pack("[o, o]", number(of->low), number(of->high)) : json_null();
}

static const char *verdict(enum ss_statistics_verdict of)
{
    static const char *const names[] = {"fine",      "nothing",   "one_class",
                                        "one_value", "separated", "too_few"};
    return names[of];
}

static json_t *percents(const int32_t of[7])
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "0", of[0], "5", of[1], "25", of[2],
                     "50", of[3], "75", of[4], "95", of[5], "100", of[6]);
}

static json_t *side(const struct ss_backtest_side_facts *of)
{
    json_t *tiers = json_array(), *bins = json_array();
    for (int t = 0; t < of->tier_count; t++)
        json_array_append_new(tiers, json_pack("{s:s, s:i, s:I}", "name", of->tiers[t].name, "from",
                                               of->tiers[t].from, "people",
                                               (json_int_t)of->tier_people[t]));
    for (int i = 0; i < SS_BACKTEST_BINS; i++)
        json_array_append_new(bins,
                              json_pack("{s:i, s:I}", "from", SS_SCORE_MIN + i * SS_BACKTEST_BIN,
                                        "people", (json_int_t)of->histogram[i]));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", of->name, "version",
                     of->version, "business_version",
                     of->business_version[0] ? json_string(of->business_version) : json_null(),
                     "mean", number(of->mean), "spread", number(of->spread), "percentiles",
                     percents(of->percent), "tiers", tiers, "distribution", bins);
}

static json_t *factors(const struct ss_backtest_row *row)
{
    json_t *out = json_array();
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        json_array_append_new(out, json_pack("{s:s, s:[o, o], s:[i, i]}", "factor",
                                             ss_factor_name((enum ss_factor)f), "points",
                                             number(row->of[0].points_centi[f] / 100.0),
                                             number(row->of[1].points_centi[f] / 100.0), "value",
                                             row->of[0].values[f], row->of[1].values[f]));
    return out;
}

static json_t *mover(const struct ss_backtest_result *r, const struct ss_backtest_mover *of)
{
    const struct ss_backtest_row *row = &r->at_end.rows[of->row];
    json_t *components = json_array();
    for (int i = 0; i < of->component_count; i++) {
        const struct ss_backtest_component *c = &of->components[i];
        json_t *values = json_array();
        for (int s = 0; s < SS_SIDE_COUNT; s++)
            json_array_append_new(values,
                                  c->known[s] ? json_integer(c->variable_value[s]) : json_null());
        json_array_append_new(components,
                              json_pack("{s:s, s:o, s:[o, o]}", "variable",
                                        ss_variable_name(c->variable), "variable_value", values,
                                        "points", number(c->points_centi[0] / 100.0),
                                        number(c->points_centi[1] / 100.0)));
    }
    return json_pack(
        "{s:o, s:[i, i], s:[s, s], s:b, s:o, s:o}", "user_id",
        text(ss_backtest_user(r, row->person)), "score", row->of[0].score, row->of[1].score, "tier",
        r->sides[0].tiers[row->of[0].tier].name, r->sides[1].tiers[row->of[1].tier].name, "listed",
        row->of[0].listed || row->of[1].listed, "factors", factors(row), "components", components);
}

static json_t *psi(const struct ss_psi *of)
{
    static const char *const bands[] = {"stable", "some", "large"};
    return of->known ? json_pack("{s:o, s:s}", "value", number(of->value), "band", bands[of->band])
                     : json_null();
}

static json_t *comparison(const struct ss_backtest_result *r)
{
    const struct ss_backtest_comparison *c = &r->comparison;
    json_t *bins = json_array(), *of_factors = json_object(), *tiers = json_array(),
           *benefits = json_array(), *movers = json_array();
    for (int i = 0; i < c->psi_bins; i++)
        json_array_append_new(bins, json_pack("{s:i, s:I, s:I}", "to", c->psi_to[i], "champion",
                                              (json_int_t)c->psi_counts[0][i], "challenger",
                                              (json_int_t)c->psi_counts[1][i]));
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        json_object_set_new(of_factors, ss_factor_name((enum ss_factor)f), psi(&c->factor_psi[f]));
    for (int t = 0; t < r->sides[0].tier_count; t++) {
        json_t *row = json_array();
        for (int u = 0; u < r->sides[1].tier_count; u++)
            json_array_append_new(row, json_integer(c->tiers[t][u]));
        json_array_append_new(tiers, row);
    }
    for (int b = 0; b < c->benefit_count; b++) {
        const struct ss_backtest_benefit *of = &c->benefits[b];
        json_array_append_new(
            benefits, json_pack("{s:s, s:I, s:I, s:I, s:I}", "id", of->id, "champion",
                                (json_int_t)of->held[0], "challenger", (json_int_t)of->held[1],
                                "gained", (json_int_t)of->gained, "lost", (json_int_t)of->lost));
    }
    for (int i = 0; i < c->mover_count; i++)
        json_array_append_new(movers, mover(r, &c->movers[i]));
    json_t *ranks = json_pack("{s:s, s:o, s:o}", "verdict", verdict(c->ranks.verdict), "rho",
                              number(c->ranks.rho), "interval", interval(&c->ranks.interval));
    json_t *out =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "people", (json_int_t)c->people,
                  "risen", (json_int_t)c->risen, "fallen", (json_int_t)c->fallen, "moved_10",
                  (json_int_t)c->moved_10, "moved_25", (json_int_t)c->moved_25, "moved_50",
                  (json_int_t)c->moved_50, "mean_change", number(c->mean_change), "mean_distance",
                  number(c->mean_distance), "change_percentiles", percents(c->change_percent));
    json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "rank_correlation",
                             ranks, "psi", psi(&c->psi), "psi_bins", bins, "factor_psi", of_factors,
                             "tiers", tiers, "tier_up", (json_int_t)c->tier_up, "tier_down",
                             (json_int_t)c->tier_down, "benefits", benefits, "movers", movers);
    json_object_update(out, more);
    json_decref(more);
    return out;
}

static json_t *discrimination(const struct ss_discrimination *d, double p_together)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "verdict",
                     verdict(d->verdict), "auc", number(d->auc), "auc_se", number(d->auc_se),
                     "auc_interval", interval(&d->auc_interval), "gini", number(d->gini),
                     "gini_interval", interval(&d->gini_interval), "ks_at", d->ks_at, "ks",
                     number(d->ks), "ks_interval", interval(&d->ks_interval), "ks_p",
                     number(d->ks_p), "p", number(d->p), "p_holm", number(p_together));
}

static json_t *calibration(const struct ss_calibration *c)
{
    json_t *bands = json_array();
    bool fitted = c->verdict == SS_STATISTICS_FINE;
    for (int i = 0; i < c->band_count; i++) {
        const struct ss_calibration_band *b = &c->bands[i];
        json_array_append_new(bands, json_pack("{s:i, s:i, s:I, s:I, s:o, s:o, s:o}", "from",
                                               b->from, "to", b->to, "people", (json_int_t)b->count,
                                               "bad", (json_int_t)b->bads, "rate", number(b->rate),
                                               "interval", interval(&b->interval), "fitted",
                                               fitted ? number(b->predicted) : json_null()));
    }
    json_t *test = json_null();
    if (c->fit_tested)
        test = json_pack("{s:o, s:i, s:o}", "chi2", number(c->fit_chi2), "freedom", c->fit_freedom,
                         "p", number(c->fit_p));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i}", "verdict", verdict(c->verdict),
                     "intercept", fitted ? number(c->intercept) : json_null(), "slope",
                     fitted ? number(c->slope) : json_null(), "points_to_double_odds",
                     c->points_to_double > 0 ? number(c->points_to_double) : json_null(), "bands",
                     bands, "hosmer_lemeshow", test, "rises", c->rises);
}

static json_t *measured(const struct ss_backtest_side_facts *facts,
                        const struct ss_backtest_measured *of)
{
    json_t *measures = json_object(), *tiers = json_array(), *roc = json_array();
    for (int m = 0; m < SS_BACKTEST_MEASURES; m++)
        json_object_set_new(measures, ss_backtest_measure_name(m),
                            discrimination(&of->of[m], of->p_together[m]));
    for (int t = 0; t < facts->tier_count; t++) {
        const struct ss_backtest_tier_rate *tier = &of->tiers[t];
        double rate = tier->count ? (double)tier->bads / (double)tier->count : NAN;
        json_array_append_new(tiers, json_pack("{s:s, s:i, s:I, s:I, s:o, s:o}", "name",
                                               facts->tiers[t].name, "from", facts->tiers[t].from,
                                               "people", (json_int_t)tier->count, "bad",
                                               (json_int_t)tier->bads, "rate", number(rate),
                                               "interval", interval(&tier->interval)));
    }
    for (size_t i = 0; i < of->roc_count; i++)
        json_array_append_new(roc, json_pack("[o, o]", number(of->roc_x[i]), number(of->roc_y[i])));
    return json_pack("{s:o, s:o, s:o, s:o}", "measures", measures, "calibration",
                     calibration(&of->calibration), "tiers", tiers, "roc", roc);
}

static json_t *labelled(const struct ss_backtest_result *r)
{
    const struct ss_backtest_labelled *l = &r->labelled;
    json_t *out = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "labels", (json_int_t)l->labels,
                            "used", (json_int_t)l->used, "good", (json_int_t)l->goods, "bad",
                            (json_int_t)l->bads, "people", (json_int_t)l->people, "without_consent",
                            (json_int_t)l->unscored, "unknown_people", (json_int_t)l->unknown);
    if (l->used) {
        json_object_set_new(out, "first", time_of(l->first_ms));
        json_object_set_new(out, "last", time_of(l->last_ms));
    }
    for (int s = 0; s <= r->has_challenger; s++)
        json_object_set_new(out, side_names[s], measured(&r->sides[s], &l->of[s]));
    if (!r->has_challenger)
        return out;
    json_t *differences = json_object();
    for (int m = 0; m < SS_BACKTEST_MEASURES; m++) {
        const struct ss_auc_difference *d = &l->differences[m];
        json_object_set_new(differences, ss_backtest_measure_name(m),
                            json_pack("{s:s, s:o, s:o, s:o}", "verdict", verdict(d->verdict), "auc",
                                      number(d->difference), "interval", interval(&d->interval),
                                      "p", number(d->p)));
    }
    json_object_set_new(out, "challenger_less_champion", differences);
    return out;
}

enum ss_status ss_backtest_json(const struct ss_backtest_result *r, const char *path,
                                struct ss_error *err)
{
    json_t *accounted = json_object();
    for (int o = 0; o < SS_OUTCOME_COUNT; o++)
        json_object_set_new(accounted, ss_outcome_name((enum ss_outcome)o),
                            json_integer(r->outcomes[o]));
    json_t *out = json_pack("{s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:b, s:b, s:b}",
                            "source", r->source, "consumed", (json_int_t)r->events, "outcomes",
                            accounted, "first", time_of(r->first_ms), "as_of", time_of(r->as_of_ms),
                            "people", (json_int_t)r->people, "scored", (json_int_t)r->scored,
                            "listed", (json_int_t)r->listed, "folded_for_each", r->refolded,
                            "friends_followed", r->friends_followed, "friends_left_out",
                            r->friends_left_out, "friends_cut", r->friends_cut);
    for (int s = 0; s <= r->has_challenger; s++)
        json_object_set_new(out, side_names[s], side(&r->sides[s]));
    if (r->has_challenger)
        json_object_set_new(out, "comparison", comparison(r));
    if (r->has_labels)
        json_object_set_new(out, "labelled", labelled(r));
    if (!out)
        return ss_fail(err, SS_STOP, "out of memory for the report");
    bool standard = path[0] == '-' && path[1] == '\0';
    FILE *file = standard ? stdout : fopen(path, "w");
    bool failed = !file || json_dumpf(out, file, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0;
    json_decref(out);
    if (file)
        fputc('\n', file);
    if (file && !standard)
        failed = fclose(file) != 0 || failed;
    else if (file)
        failed = fflush(file) != 0 || failed;
    return failed ? ss_fail(err, SS_STOP, "cannot write %s: %s", path, strerror(errno)) : SS_OK;
}
