/* backtest_page.c - a backtest as a page to read, print and pass on: pictures first, then tables.
 */
#include "audit/backtest_report.h"
#include "audit/page.h"

#include <inttypes.h>

enum { PAGE_BYTES_MAX = 16 << 20 };

static const char *const side_names[SS_SIDE_COUNT] = {"champion", "challenger"};
static const char *const percent_names[7] = {"least",  "5 % have up to",  "25 % have up to",
                                             "median", "75 % have up to", "95 % have up to",
                                             "most"};

static void facts(struct ss_page *page, const struct ss_backtest_result *r)
{
    char a[SS_BACKTEST_WORDS_MAX], b[SS_BACKTEST_WORDS_MAX], c[SS_BACKTEST_WORDS_MAX];
    ss_page_section(page, "What was compared", NULL);
    ss_page_list_begin(page, false);
    for (int s = 0; s <= r->has_challenger; s++)
        ss_page_item(page, "%s: %s%s%s", s == 0 ? "Champion" : "Challenger", r->sides[s].version,
                     r->sides[s].business_version[0] ? "; businesses " : "",
                     r->sides[s].business_version);
    ss_page_item(page, "History (%s): %s events from %s on", r->source,
                 ss_backtest_count_words(a, r->events), ss_backtest_time_words(b, r->first_ms));
    ss_page_item(page,
                 "Accounted: consumed %" PRId64 " = counted %" PRId64 " + duplicate %" PRId64
                 " + not consented %" PRId64 " + dead-lettered %" PRId64,
                 r->events, r->outcomes[SS_COUNTED], r->outcomes[SS_DUPLICATE],
                 r->outcomes[SS_NOT_CONSENTED], r->outcomes[SS_REFUSED]);
    ss_page_item(page, "People: %s in the history; %s scored as of %s, %" PRId64 " of them listed",
                 ss_backtest_count_words(a, r->people), ss_backtest_count_words(c, r->scored),
                 ss_backtest_time_words(b, r->as_of_ms), r->listed);
    if (r->refolded)
        ss_page_item(page, "The models differ in what is structural: the history was folded for "
                           "each of them.");
    if (*ss_backtest_friends_words(r))
        ss_page_item(page, "%s", ss_backtest_friends_words(r));
    ss_page_list_end(page);
}

static void figures(struct ss_page *page, const struct ss_backtest_result *r)
{
    struct ss_page_figure list[6];
    char words[6][SS_BACKTEST_WORDS_MAX], notes[6][SS_BACKTEST_WORDS_MAX];
    int count = 0;
    const struct ss_backtest_comparison *c = &r->comparison;
    list[count++] = (struct ss_page_figure){"people scored",
                                            ss_backtest_count_words(words[0], r->scored), NULL};
    if (r->has_challenger) {
        snprintf(words[1], sizeof words[1], "%.1f", c->mean_distance);
        snprintf(notes[1], sizeof notes[1], "mean change %+.1f", c->mean_change);
        list[count++] = (struct ss_page_figure){"points moved, on average", words[1], notes[1]};
        snprintf(words[2], sizeof words[2], "%.4f", c->psi.value);
        list[count++] = (struct ss_page_figure){"population stability index", words[2],
                                                ss_statistics_psi_text(c->psi.band)};
    }
    for (int s = 0; r->has_labels && s <= r->has_challenger; s++) {
        const struct ss_discrimination *d = &r->labelled.of[s].of[SS_BACKTEST_SCORE];
        char *interval = notes[3 + s];
        if (d->goods == 0 || d->bads == 0)
            continue;
        snprintf(words[3 + s], sizeof words[3], "%.4f", d->auc);
        ss_backtest_interval_words(interval, &d->auc_interval, 4, 1);
        list[count++] = (struct ss_page_figure){s == 0 ? "AUC, champion" : "AUC, challenger",
                                                words[3 + s], interval};
    }
    ss_page_figures(page, list, count);
}

static void distribution(struct ss_page *page, const struct ss_backtest_result *r)
{
    static const struct ss_page_column columns[] = {
        {"", false}, {"champion", true}, {"challenger", true}};
    char names[SS_BACKTEST_BINS][24], description[SS_BACKTEST_WORDS_MAX];
    const char *bins[SS_BACKTEST_BINS];
    double values[SS_SIDE_COUNT][SS_BACKTEST_BINS];
    for (int i = 0; i < SS_BACKTEST_BINS; i++) {
        int from = SS_SCORE_MIN + i * SS_BACKTEST_BIN;
        snprintf(names[i], sizeof names[i], "%d", from);
        bins[i] = names[i];
        for (int s = 0; s < SS_SIDE_COUNT; s++)
            values[s][i] = (double)r->sides[s].histogram[i];
    }
    if (r->has_challenger)
        snprintf(
            description, sizeof description,
            "People by score, in steps of %d points, under both models. The median is %d under "
            "the champion and %d under the challenger.",
            SS_BACKTEST_BIN, r->sides[0].percent[3], r->sides[1].percent[3]);
    else
        snprintf(description, sizeof description,
                 "People by score, in steps of %d points. The median is %d.", SS_BACKTEST_BIN,
                 r->sides[0].percent[3]);
    struct ss_page_bars bars = {
        .picture = {"How the scores lie", description, true},
        .label = "score from",
        .value_label = "people",
        .bins = bins,
        .series = {"champion", r->has_challenger ? "challenger" : NULL},
        .values = {values[0], r->has_challenger ? values[1] : NULL},
        .count = SS_BACKTEST_BINS,
    };
    ss_page_section(page, "The scores", NULL);
    ss_page_bars(page, &bars);
    ss_page_table(page, "Scores", columns, 2 + r->has_challenger);
    for (int i = -1; i < 7; i++) {
        ss_page_cell(page, "%s", i < 0 ? "mean" : percent_names[i]);
        for (int s = 0; s <= r->has_challenger; s++) {
            if (i < 0)
                ss_page_cell(page, "%.1f", r->sides[s].mean);
            else
                ss_page_cell(page, "%d", r->sides[s].percent[i]);
        }
    }
    ss_page_table_end(page);
}

static void share_row(struct ss_page *page, const char *name, int64_t count, int64_t all)
{
    char words[SS_BACKTEST_WORDS_MAX];
    ss_page_cell(page, "%s", name);
    ss_page_cell(page, "%s", ss_backtest_count_words(words, count));
    ss_page_cell(page, "%.2f %%", all ? 100.0 * (double)count / (double)all : 0.0);
}

static void moves(struct ss_page *page, const struct ss_backtest_result *r)
{
    static const struct ss_page_column columns[] = {{"", false}, {"people", true}, {"share", true}};
    static const struct ss_page_column psi_columns[] = {{"", false}, {"index", true}, {"", false}};
    const struct ss_backtest_comparison *c = &r->comparison;
    char words[SS_BACKTEST_WORDS_MAX];
    ss_page_section(page, "Who moves", NULL);
    ss_page_notice(page, "%s", ss_backtest_moves_verdict(words, r));
    ss_page_table(page, "From the champion's score to the challenger's", columns, 3);
    share_row(page, "rise", c->risen, c->people);
    share_row(page, "fall", c->fallen, c->people);
    share_row(page, "stay", c->people - c->risen - c->fallen, c->people);
    share_row(page, "move by 10 points or more", c->moved_10, c->people);
    share_row(page, "by 25 or more", c->moved_25, c->people);
    share_row(page, "by 50 or more", c->moved_50, c->people);
    ss_page_table_end(page);
    ss_page_paragraph(
        page,
        "The change: at least %+d; a quarter of the people %+d or less, half %+d or less, "
        "three quarters %+d or less; at most %+d.",
        c->change_percent[0], c->change_percent[2], c->change_percent[3], c->change_percent[4],
        c->change_percent[6]);
    if (c->ranks.verdict == SS_STATISTICS_FINE)
        ss_page_paragraph(
            page,
            "Rank correlation of the two scores: %.4f (95 %%: %s). At 1 the order of the "
            "people is the same.",
            c->ranks.rho, ss_backtest_interval_words(words, &c->ranks.interval, 4, 1));
    ss_page_table(page, "Population stability index, over tenths of the champion's values",
                  psi_columns, 3);
    for (int i = 0; i < SS_BACKTEST_MEASURES; i++) {
        int m = i == 0 ? SS_BACKTEST_SCORE : i - 1;
        const struct ss_psi *psi = m == SS_BACKTEST_SCORE ? &c->psi : &c->factor_psi[m];
        ss_page_cell(page, "%s", ss_backtest_measure_name(m));
        ss_page_cell(page, "%.4f", psi->value);
        ss_page_cell(page, "%s",
                     psi->known ? ss_statistics_psi_text(psi->band) : "nobody to compare");
    }
    ss_page_table_end(page);
    ss_page_note(
        page, "Below 0.10 is taken for stable, below 0.25 for some change, above for a large one.");
}

static void tiers(struct ss_page *page, const struct ss_backtest_result *r)
{
    static const struct ss_page_column benefit_columns[] = {{"privilege", false},
                                                            {"champion", true},
                                                            {"challenger", true},
                                                            {"gain it", true},
                                                            {"lose it", true}};
    const struct ss_backtest_comparison *c = &r->comparison;
    struct ss_page_column columns[SS_BACKTEST_TIERS_MAX + 2] = {{"champion's tier", false}};
    int count = 1;
    for (int t = 0; t < r->sides[1].tier_count; t++)
        columns[count++] = (struct ss_page_column){r->sides[1].tiers[t].name, true};
    columns[count++] = (struct ss_page_column){"all", true};
    ss_page_section(page, "Tiers and privileges", NULL);
    ss_page_table(page, "People, from the champion's tier to the challenger's", columns, count);
    for (int t = 0; t < r->sides[0].tier_count; t++) {
        ss_page_cell(page, "%s, from %d", r->sides[0].tiers[t].name, r->sides[0].tiers[t].from);
        for (int u = 0; u < r->sides[1].tier_count; u++)
            ss_page_cell(page, "%" PRId64, c->tiers[t][u]);
        ss_page_cell(page, "%" PRId64, r->sides[0].tier_people[t]);
    }
    ss_page_table_end(page);
    ss_page_paragraph(page, "%" PRId64 " people go up a tier or more, %" PRId64 " go down.",
                      c->tier_up, c->tier_down);
    ss_page_table(page, "Who holds what, as granted anew", benefit_columns, 5);
    for (int b = 0; b < c->benefit_count; b++) {
        ss_page_cell(page, "%s", c->benefits[b].id);
        ss_page_cell(page, "%" PRId64, c->benefits[b].held[0]);
        ss_page_cell(page, "%" PRId64, c->benefits[b].held[1]);
        ss_page_cell(page, "%" PRId64, c->benefits[b].gained);
        ss_page_cell(page, "%" PRId64, c->benefits[b].lost);
    }
    ss_page_table_end(page);
}

static void mover(struct ss_page *page, const struct ss_backtest_result *r,
                  const struct ss_backtest_mover *mover)
{
    static const struct ss_page_column columns[] = {
        {"factor", false}, {"champion", true}, {"challenger", true}, {"change", true}};
    const struct ss_backtest_row *row = &r->at_end.rows[mover->row];
    const struct ss_backtest_score *a = &row->of[0], *b = &row->of[1];
    struct ss_text id = ss_backtest_user(r, row->person);
    char words[SS_BACKTEST_WORDS_MAX];
    snprintf(words, sizeof words, "%.*s: %d, now %d (%+d); %s, now %s%s", (int)id.size, id.data,
             a->score, b->score, b->score - a->score, r->sides[0].tiers[a->tier].name,
             r->sides[1].tiers[b->tier].name, a->listed || b->listed ? "; listed" : "");
    ss_page_fold(page, words);
    ss_page_table(page, NULL, columns, 4);
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        ss_page_cell(page, "%s", ss_factor_name((enum ss_factor)f));
        ss_page_cell(page, "%.2f", a->points_centi[f] / 100.0);
        ss_page_cell(page, "%.2f", b->points_centi[f] / 100.0);
        ss_page_cell(page, "%+.2f", (b->points_centi[f] - a->points_centi[f]) / 100.0);
    }
    ss_page_table_end(page);
    ss_page_list_begin(page, false);
    for (int i = 0; i < mover->component_count; i++)
        ss_page_item(page, "%s", ss_backtest_component_words(words, &mover->components[i]));
    ss_page_list_end(page);
    ss_page_fold_end(page);
}

static void labels_counts(struct ss_page *page, const struct ss_backtest_result *r)
{
    const struct ss_backtest_labelled *l = &r->labelled;
    char a[SS_BACKTEST_WORDS_MAX], b[SS_BACKTEST_WORDS_MAX];
    ss_page_paragraph(page,
                      "%" PRId64 " labels, %" PRId64 " of them used: %" PRId64 " good, %" PRId64
                      " bad. %" PRId64 " were of people without consent by then, %" PRId64
                      " of people whom the history does not know.",
                      l->labels, l->used, l->goods, l->bads, l->unscored, l->unknown);
    if (l->used)
        ss_page_paragraph(
            page,
            "Each score is as of just before its label's time (%s to %s), from events "
            "that occurred before it.",
            ss_backtest_time_words(a, l->first_ms), ss_backtest_time_words(b, l->last_ms));
    if (l->people < l->used)
        ss_page_notice(page,
                       "%" PRId64 " people have %" PRId64 " labels. Several of one person are not "
                       "independent, so the intervals are too narrow.",
                       l->people, l->used);
}

static void discrimination(struct ss_page *page, const struct ss_backtest_result *r, int s)
{
    static const struct ss_page_column columns[] = {
        {"", false},    {"AUC", true}, {"95 %", true}, {"Gini", true},
        {"95 %", true}, {"KS", true},  {"95 %", true}, {"p, of six", true}};
    const struct ss_backtest_measured *of = &r->labelled.of[s];
    char words[SS_BACKTEST_WORDS_MAX];
    ss_page_table(page, s == 0 ? "Champion: how well it ranks" : "Challenger: how well it ranks",
                  columns, 8);
    for (int i = 0; i < SS_BACKTEST_MEASURES; i++) {
        int m = i == 0 ? SS_BACKTEST_SCORE : i - 1;
        const struct ss_discrimination *d = &of->of[m];
        ss_page_cell(page, "%s", ss_backtest_measure_name(m));
        ss_page_cell(page, "%.4f", d->auc);
        ss_page_cell(page, "%s", ss_backtest_interval_words(words, &d->auc_interval, 4, 1));
        ss_page_cell(page, "%.4f", d->gini);
        ss_page_cell(page, "%s", ss_backtest_interval_words(words, &d->gini_interval, 4, 1));
        ss_page_cell(page, "%.3f", d->ks);
        ss_page_cell(page, "%s", ss_backtest_interval_words(words, &d->ks_interval, 3, 1));
        ss_page_cell(page, "%s", ss_backtest_p_words(words, of->p_together[m]));
    }
    ss_page_table_end(page);
    for (int m = SS_BACKTEST_SCORE; m >= 0; m--) {
        const struct ss_discrimination *d = &of->of[m];
        const char *name = ss_backtest_measure_name(m);
        if (d->verdict != SS_STATISTICS_FINE)
            ss_page_note(page, "%s: %s.", name, ss_statistics_verdict_text(d->verdict));
        else if (of->p_together[m] >= 0.05)
            ss_page_note(page, "%s: no significant link to the outcome.", name);
        else if (d->auc < 0.5)
            ss_page_note(
                page, "%s: linked upside down, the better its value the worse the outcome.", name);
    }
}

static void differences(struct ss_page *page, const struct ss_backtest_result *r)
{
    static const struct ss_page_column columns[] = {
        {"", false}, {"AUC, challenger less champion", true}, {"95 %", true}, {"p", true}};
    char words[SS_BACKTEST_WORDS_MAX];
    ss_page_table(page, "Challenger against champion, on the same people", columns, 4);
    for (int i = 0; i < SS_BACKTEST_MEASURES; i++) {
        int m = i == 0 ? SS_BACKTEST_SCORE : i - 1;
        const struct ss_auc_difference *d = &r->labelled.differences[m];
        ss_page_cell(page, "%s", ss_backtest_measure_name(m));
        ss_page_cell(page, "%+.4f", d->difference);
        ss_page_cell(page, "%s", ss_backtest_interval_words(words, &d->interval, 4, 1));
        if (d->verdict == SS_STATISTICS_ONE_VALUE)
            ss_page_cell(page, "they rank alike");
        else
            ss_page_cell(page, "%s", ss_backtest_p_words(words, d->p));
    }
    ss_page_table_end(page);
}

static void roc(struct ss_page *page, const struct ss_backtest_result *r)
{
    struct ss_page_curve curves[SS_SIDE_COUNT];
    char names[SS_SIDE_COUNT][64], description[SS_BACKTEST_WORDS_MAX];
    int count = 0;
    for (int s = 0; s <= r->has_challenger; s++) {
        const struct ss_backtest_measured *of = &r->labelled.of[s];
        snprintf(names[s], sizeof names[s], "%s, AUC %.4f", side_names[s],
                 of->of[SS_BACKTEST_SCORE].auc);
        curves[count++] =
            (struct ss_page_curve){names[s], of->roc_x, of->roc_y, (int)of->roc_count};
    }
    snprintf(description, sizeof description,
             "For each score, which share of those who turned out good, and of those who turned "
             "out bad, "
             "have at most that score. %s%s%s.",
             names[0], r->has_challenger ? "; " : "", r->has_challenger ? names[1] : "");
    struct ss_page_picture picture = {"How well good and bad are told apart", description, false};
    ss_page_roc(page, &picture, "share of the good", "share of the bad", curves, count);
}

static void calibration(struct ss_page *page, const struct ss_backtest_result *r, int s)
{
    static const struct ss_page_column columns[] = {{"score", false}, {"people", true},
                                                    {"bad", true},    {"bad rate", true},
                                                    {"95 %", true},   {"fitted", true}};
    struct ss_page_reliability_point points[SS_STATISTICS_BANDS_MAX];
    const struct ss_calibration *c = &r->labelled.of[s].calibration;
    bool fitted = c->verdict == SS_STATISTICS_FINE;
    char words[SS_BACKTEST_WORDS_MAX];
    for (int i = 0; i < c->band_count; i++)
        points[i] = (struct ss_page_reliability_point){
            c->bands[i].predicted, c->bands[i].rate, c->bands[i].interval.low,
            c->bands[i].interval.high, c->bands[i].count};
    ss_page_heading(page, s == 0 ? "Bad rate by the champion's score"
                                 : "Bad rate by the challenger's score");
    if (fitted) {
        snprintf(words, sizeof words,
                 "For each of %d bands of the score, the chance of bad that a logistic curve "
                 "through the "
                 "%s's scores gives, beside the share that turned out bad.",
                 c->band_count, side_names[s]);
        struct ss_page_picture picture = {
            s == 0 ? "Calibration of the champion" : "Calibration of the challenger", words, false};
        ss_page_reliability(page, &picture, "by the curve", "turned out", points, c->band_count);
    }
    ss_page_table(page, NULL, columns, fitted ? 6 : 5);
    for (int i = 0; i < c->band_count; i++) {
        const struct ss_calibration_band *band = &c->bands[i];
        ss_page_cell(page, "%d to %d", band->from, band->to);
        ss_page_cell(page, "%" PRId64, band->count);
        ss_page_cell(page, "%" PRId64, band->bads);
        ss_page_cell(page, "%.2f %%", band->rate * 100);
        ss_page_cell(page, "%s %%", ss_backtest_interval_words(words, &band->interval, 2, 100));
        if (fitted)
            ss_page_cell(page, "%.2f %%", band->predicted * 100);
    }
    ss_page_table_end(page);
    if (!fitted)
        ss_page_note(page, "No curve is fitted: %s.", ss_statistics_verdict_text(c->verdict));
    else
        ss_page_note(page,
                     "Log odds of bad = %.4f %+.6f times the score; %.1f points less double the "
                     "odds. The curve "
                     "is fitted to these very people.",
                     c->intercept, c->slope, c->points_to_double);
    if (c->fit_tested)
        ss_page_note(page,
                     "Hosmer-Lemeshow: chi-squared %.2f with %d degrees of freedom, p %s. Small "
                     "means that the bad "
                     "rates do not follow the curve, not that the score is worthless.",
                     c->fit_chi2, c->fit_freedom, ss_backtest_p_words(words, c->fit_p));
}

static void tier_rates(struct ss_page *page, const struct ss_backtest_result *r, int s)
{
    static const struct ss_page_column columns[] = {
        {"tier", false}, {"people", true}, {"bad", true}, {"bad rate", true}, {"95 %", true}};
    char words[SS_BACKTEST_WORDS_MAX];
    ss_page_table(page,
                  s == 0 ? "Bad rate by the champion's tier" : "Bad rate by the challenger's tier",
                  columns, 5);
    for (int t = 0; t < r->sides[s].tier_count; t++) {
        const struct ss_backtest_tier_rate *tier = &r->labelled.of[s].tiers[t];
        ss_page_cell(page, "%s, from %d", r->sides[s].tiers[t].name, r->sides[s].tiers[t].from);
        ss_page_cell(page, "%" PRId64, tier->count);
        ss_page_cell(page, "%" PRId64, tier->bads);
        if (tier->count) {
            ss_page_cell(page, "%.2f %%", 100.0 * (double)tier->bads / (double)tier->count);
            ss_page_cell(page, "%s %%", ss_backtest_interval_words(words, &tier->interval, 2, 100));
        } else {
            ss_page_cell(page, "-");
            ss_page_cell(page, "-");
        }
    }
    ss_page_table_end(page);
}

static void labels(struct ss_page *page, const struct ss_backtest_result *r)
{
    char words[SS_BACKTEST_WORDS_MAX];
    ss_page_section(page, "Against what became of them", NULL);
    ss_page_notice(page, "%s", ss_backtest_labels_verdict(words, r));
    labels_counts(page, r);
    if (r->labelled.goods == 0 || r->labelled.bads == 0)
        return;
    roc(page, r);
    for (int s = 0; s <= r->has_challenger; s++)
        discrimination(page, r, s);
    ss_page_note(page, "AUC is the chance that somebody who turned out good has the higher value "
                       "of the two: 0.5 is chance. "
                       "Gini is twice the AUC less one; KS the greatest distance between the two "
                       "distributions. p is the chance of such a ranking from a value without any "
                       "link, made up for there being six of them (Holm).");
    if (r->has_challenger)
        differences(page, r);
    for (int s = 0; s <= r->has_challenger; s++) {
        calibration(page, r, s);
        tier_rates(page, r, s);
    }
}

enum ss_status ss_backtest_page(const struct ss_backtest_result *r, const char *path,
                                struct ss_error *err)
{
    struct ss_page page;
    char lead[SS_BACKTEST_WORDS_MAX], as_of[SS_BACKTEST_WORDS_MAX];
    snprintf(lead, sizeof lead, "%s%s%s, as of %s", r->sides[0].name,
             r->has_challenger ? " against " : "", r->has_challenger ? r->sides[1].name : "",
             ss_backtest_time_words(as_of, r->as_of_ms));
    ss_page_begin(&page, PAGE_BYTES_MAX, "Backtest", lead);
    figures(&page, r);
    if (r->scored)
        distribution(&page, r);
    if (r->has_challenger && r->scored) {
        moves(&page, r);
        tiers(&page, r);
        if (r->comparison.mover_count)
            ss_page_section(&page, "The largest movers",
                            "Points by factor under both models, and the variables that are worth "
                            "more or less now.");
        for (int i = 0; i < r->comparison.mover_count; i++)
            mover(&page, r, &r->comparison.movers[i]);
    }
    if (r->has_labels)
        labels(&page, r);
    facts(&page, r);
    enum ss_status status = ss_page_end(
        &page, "Computed anew from the event logs; what was published played no part.", err);
    if (status == SS_OK)
        status = ss_page_save(&page, path, err);
    ss_page_reset(&page);
    return status;
}
