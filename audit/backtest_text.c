/* backtest_text.c - a backtest for a terminal. */
#include "audit/backtest_report.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const side_names[SS_SIDE_COUNT] = {"champion", "challenger"};
static const char *const percent_names[7] = {"least", " 5 %", "25 %", "median",
                                             "75 %",  "95 %", "most"};

static void heading(FILE *out, const char *text)
{
    fprintf(out, "\n%s\n", text);
}

static void facts(const struct ss_backtest_result *r, FILE *out)
{
    char a[SS_BACKTEST_WORDS_MAX], b[SS_BACKTEST_WORDS_MAX], c[SS_BACKTEST_WORDS_MAX];
    for (int s = 0; s <= r->has_challenger; s++)
        fprintf(out, "%-11s %s%s%s\n", side_names[s], r->sides[s].version,
                r->sides[s].business_version[0] ? "; businesses " : "",
                r->sides[s].business_version);
    fprintf(out, "history     %s: %s events, from %s", r->source,
            ss_backtest_count_words(a, r->events), ss_backtest_time_words(b, r->first_ms));
    fprintf(out, "; scored as of %s\n", ss_backtest_time_words(c, r->as_of_ms));
    fprintf(out,
            "accounted   consumed %" PRId64 " = counted %" PRId64 " + duplicate %" PRId64
            " + not-consented %" PRId64 " + dead-lettered %" PRId64 "\n",
            r->events, r->outcomes[SS_COUNTED], r->outcomes[SS_DUPLICATE],
            r->outcomes[SS_NOT_CONSENTED], r->outcomes[SS_REFUSED]);
    fprintf(out, "people      %s in the history, %s scored, %s of them listed\n",
            ss_backtest_count_words(a, r->people), ss_backtest_count_words(b, r->scored),
            ss_backtest_count_words(c, r->listed));
    if (r->refolded)
        fprintf(out, "            the models differ in what is structural: the history was folded "
                     "for each\n");
    if (*ss_backtest_friends_words(r))
        fprintf(out, "            %s\n", ss_backtest_friends_words(r));
}

static void bar(FILE *out, int64_t count, int64_t most, char mark)
{
    enum { WIDTH = 32 };
    int length = most ? (int)((count * WIDTH + most - 1) / most) : 0;
    for (int i = 0; i < WIDTH; i++)
        fputc(i < length ? mark : ' ', out);
}

static void distribution(const struct ss_backtest_result *r, FILE *out)
{
    char a[64], b[64];
    int64_t most = 1;
    int first = SS_BACKTEST_BINS, last = 0;
    for (int i = 0; i < SS_BACKTEST_BINS; i++)
        for (int s = 0; s <= r->has_challenger; s++) {
            if (r->sides[s].histogram[i] > most)
                most = r->sides[s].histogram[i];
            if (r->sides[s].histogram[i]) {
                first = i < first ? i : first;
                last = i;
            }
        }
    heading(out, "Scores");
    fprintf(out, "  %-9s", "");
    for (int s = 0; s <= r->has_challenger; s++)
        fprintf(out, " %11s", side_names[s]);
    fprintf(out, "\n  %-9s", "mean");
    for (int s = 0; s <= r->has_challenger; s++)
        fprintf(out, " %11.1f", r->sides[s].mean);
    for (int i = 0; i < 7; i++) {
        fprintf(out, "\n  %-9s", percent_names[i]);
        for (int s = 0; s <= r->has_challenger; s++)
            fprintf(out, " %11d", r->sides[s].percent[i]);
    }
    fputs("\n\n", out);
    for (int i = first; i <= last; i++) {
        int from = SS_SCORE_MIN + i * SS_BACKTEST_BIN;
        fprintf(out, "  %d-%d ", from,
                i == SS_BACKTEST_BINS - 1 ? SS_SCORE_MAX : from + SS_BACKTEST_BIN - 1);
        bar(out, r->sides[0].histogram[i], most, '#');
        fprintf(out, " %9s", ss_backtest_count_words(a, r->sides[0].histogram[i]));
        if (r->has_challenger) {
            fputs("  ", out);
            bar(out, r->sides[1].histogram[i], most, '=');
            fprintf(out, " %9s", ss_backtest_count_words(b, r->sides[1].histogram[i]));
        }
        fputc('\n', out);
    }
}

static void moves(const struct ss_backtest_result *r, FILE *out)
{
    const struct ss_backtest_comparison *c = &r->comparison;
    char words[SS_BACKTEST_WORDS_MAX];
    heading(out, "Who moves");
    fprintf(out, "  %s\n\n", ss_backtest_moves_verdict(words, r));
    fprintf(out,
            "  %" PRId64 " rise, %" PRId64 " fall, %" PRId64 " stay; by 10 points and more %" PRId64
            ", by 25 %" PRId64 ", by 50 %" PRId64 "\n",
            c->risen, c->fallen, c->people - c->risen - c->fallen, c->moved_10, c->moved_25,
            c->moved_50);
    fprintf(out, "  change: mean %+.2f", c->mean_change);
    for (int i = 0; i < 7; i++)
        fprintf(out, ", %s %+d",
                percent_names[i][0] == ' ' ? percent_names[i] + 1 : percent_names[i],
                c->change_percent[i]);
    fputc('\n', out);
    if (c->ranks.verdict == SS_STATISTICS_FINE)
        fprintf(out, "  rank correlation %.4f%s%s\n", c->ranks.rho,
                c->ranks.interval.known ? ", 95 %: " : "",
                c->ranks.interval.known
                    ? ss_backtest_interval_words(words, &c->ranks.interval, 4, 1)
                    : "");
    fputs("  population stability by factor:", out);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        if (c->factor_psi[f].known)
            fprintf(out, " %s %.4f", ss_factor_name((enum ss_factor)f), c->factor_psi[f].value);
    fputc('\n', out);
}

static void tiers(const struct ss_backtest_result *r, FILE *out)
{
    const struct ss_backtest_comparison *c = &r->comparison;
    const struct ss_backtest_side_facts *rows = &r->sides[0], *columns = &r->sides[1];
    heading(out, "Tiers: from the champion's (down) to the challenger's (across)");
    fprintf(out, "  %-16s", "");
    for (int t = 0; t < columns->tier_count; t++)
        fprintf(out, " %12.12s", columns->tiers[t].name);
    fputs("        all\n", out);
    for (int t = 0; t < rows->tier_count; t++) {
        fprintf(out, "  %-12.12s %3d", rows->tiers[t].name, rows->tiers[t].from);
        for (int u = 0; u < columns->tier_count; u++)
            fprintf(out, " %12" PRId64, c->tiers[t][u]);
        fprintf(out, " %10" PRId64 "\n", rows->tier_people[t]);
    }
    fprintf(out, "  %-16s", "all");
    for (int t = 0; t < columns->tier_count; t++)
        fprintf(out, " %12" PRId64, columns->tier_people[t]);
    fprintf(out, "\n  %" PRId64 " go up, %" PRId64 " go down\n", c->tier_up, c->tier_down);
    heading(out, "Privileges, as granted anew");
    fprintf(out, "  %-32s %10s %10s %10s %10s\n", "", "champion", "challenger", "gain it",
            "lose it");
    for (int b = 0; b < c->benefit_count; b++)
        fprintf(out, "  %-32.48s %10" PRId64 " %10" PRId64 " %10" PRId64 " %10" PRId64 "\n",
                c->benefits[b].id, c->benefits[b].held[0], c->benefits[b].held[1],
                c->benefits[b].gained, c->benefits[b].lost);
}

static void movers(const struct ss_backtest_result *r, FILE *out)
{
    const struct ss_backtest_comparison *c = &r->comparison;
    char words[SS_BACKTEST_WORDS_MAX];
    if (c->mover_count == 0)
        return;
    heading(out, "The largest movers: points by factor, champion -> challenger");
    for (int i = 0; i < c->mover_count; i++) {
        const struct ss_backtest_row *row = &r->at_end.rows[c->movers[i].row];
        struct ss_text id = ss_backtest_user(r, row->person);
        const struct ss_backtest_score *a = &row->of[0], *b = &row->of[1];
        fprintf(out, "  %.*s: %d -> %d (%+d), %s -> %s%s\n", (int)id.size, id.data, a->score,
                b->score, b->score - a->score, r->sides[0].tiers[a->tier].name,
                r->sides[1].tiers[b->tier].name, a->listed || b->listed ? ", listed" : "");
        for (int f = 0; f < SS_FACTOR_COUNT; f++)
            if (a->points_centi[f] != b->points_centi[f])
                fprintf(out, "      %-16s %7.2f -> %7.2f (%+.2f)\n",
                        ss_factor_name((enum ss_factor)f), a->points_centi[f] / 100.0,
                        b->points_centi[f] / 100.0,
                        (b->points_centi[f] - a->points_centi[f]) / 100.0);
        for (int v = 0; v < c->movers[i].component_count && v < 3; v++)
            fprintf(out, "        %s\n",
                    ss_backtest_component_words(words, &c->movers[i].components[v]));
    }
}

static void discrimination(const struct ss_backtest_result *r, int s, FILE *out)
{
    const struct ss_backtest_measured *of = &r->labelled.of[s];
    char auc[SS_BACKTEST_WORDS_MAX], ks[SS_BACKTEST_WORDS_MAX], gini[SS_BACKTEST_WORDS_MAX],
        p[SS_BACKTEST_WORDS_MAX], q[SS_BACKTEST_WORDS_MAX];
    fprintf(out, "\n  %-16s %6s %-17s %6s %-17s %6s %-15s %9s %9s\n", side_names[s], "AUC",
            "  95 %", "Gini", "  95 %", "KS", "  95 %", "p", "p, Holm");
    for (int i = 0; i < SS_BACKTEST_MEASURES; i++) {
        int m = i == 0 ? SS_BACKTEST_SCORE : i - 1;
        const struct ss_discrimination *d = &of->of[m];
        fprintf(out, "  %-16s %6.4f %-17s %6.4f %-17s %6.3f %-15s %9s %9s\n",
                ss_backtest_measure_name(m), d->auc,
                ss_backtest_interval_words(auc, &d->auc_interval, 4, 1), d->gini,
                ss_backtest_interval_words(gini, &d->gini_interval, 4, 1), d->ks,
                ss_backtest_interval_words(ks, &d->ks_interval, 3, 1), ss_backtest_p_words(p, d->p),
                ss_backtest_p_words(q, of->p_together[m]));
        if (d->verdict != SS_STATISTICS_FINE)
            fprintf(out, "  %-16s (%s)\n", "", ss_statistics_verdict_text(d->verdict));
    }
}

static void calibration(const struct ss_backtest_result *r, int s, FILE *out)
{
    const struct ss_backtest_measured *of = &r->labelled.of[s];
    const struct ss_calibration *c = &of->calibration;
    char interval[SS_BACKTEST_WORDS_MAX], p[SS_BACKTEST_WORDS_MAX];
    fprintf(out, "\n  %s, by score   %9s %9s %9s %-16s %9s\n", side_names[s], "people", "bad",
            "rate", "   95 %", "fitted");
    for (int i = 0; i < c->band_count; i++) {
        const struct ss_calibration_band *band = &c->bands[i];
        fprintf(out, "  %3d to %3d %17" PRId64 " %9" PRId64 " %8.2f%%   %-14s", band->from,
                band->to, band->count, band->bads, band->rate * 100,
                ss_backtest_interval_words(interval, &band->interval, 2, 100));
        if (c->verdict == SS_STATISTICS_FINE)
            fprintf(out, " %8.2f%%", band->predicted * 100);
        fputc('\n', out);
    }
    if (c->verdict != SS_STATISTICS_FINE)
        fprintf(out, "  no curve is fitted: %s\n", ss_statistics_verdict_text(c->verdict));
    else
        fprintf(out, "  log odds of bad = %.4f %+.6f * score; %.1f points double the odds\n",
                c->intercept, c->slope, c->points_to_double);
    if (c->fit_tested)
        fprintf(out, "  Hosmer-Lemeshow chi2 %.2f with %d degrees of freedom, p %s\n", c->fit_chi2,
                c->fit_freedom, ss_backtest_p_words(p, c->fit_p));
    fprintf(out, "  bands with a higher bad rate than the one below: %d\n", c->rises);
    fprintf(out, "\n  %s, by tier    %9s %9s %9s    95 %%\n", side_names[s], "people", "bad",
            "rate");
    for (int t = 0; t < r->sides[s].tier_count; t++) {
        const struct ss_backtest_tier_rate *tier = &of->tiers[t];
        fprintf(out, "  %-12.12s %3d %12" PRId64 " %9" PRId64, r->sides[s].tiers[t].name,
                r->sides[s].tiers[t].from, tier->count, tier->bads);
        if (tier->count)
            fprintf(out, " %8.2f%%   %s", 100.0 * (double)tier->bads / (double)tier->count,
                    ss_backtest_interval_words(interval, &tier->interval, 2, 100));
        fputc('\n', out);
    }
}

static void labels(const struct ss_backtest_result *r, FILE *out)
{
    const struct ss_backtest_labelled *l = &r->labelled;
    char words[SS_BACKTEST_WORDS_MAX], p[SS_BACKTEST_WORDS_MAX];
    heading(out, "Against the labels: scores as of just before each label's time");
    fprintf(out, "  %s\n\n", ss_backtest_labels_verdict(words, r));
    fprintf(out,
            "  %" PRId64 " labels: %" PRId64 " used (%" PRId64 " good, %" PRId64 " bad), %" PRId64
            " of people without consent by then, %" PRId64 " of people the history does not know\n",
            l->labels, l->used, l->goods, l->bads, l->unscored, l->unknown);
    if (l->people < l->used)
        fprintf(out,
                "  %" PRId64 " people have %" PRId64 " labels: several of one person are not "
                "independent, and the intervals are too narrow\n",
                l->people, l->used);
    if (l->goods == 0 || l->bads == 0)
        return;
    for (int s = 0; s <= r->has_challenger; s++)
        discrimination(r, s, out);
    if (r->has_challenger) {
        fprintf(out, "\n  %-16s %10s   %-18s %9s\n", "challenger - champion", "AUC", "95 %", "p");
        for (int i = 0; i < SS_BACKTEST_MEASURES; i++) {
            int m = i == 0 ? SS_BACKTEST_SCORE : i - 1;
            const struct ss_auc_difference *d = &l->differences[m];
            fprintf(out, "  %-21s %+10.4f   %-18s %9s %s\n", ss_backtest_measure_name(m),
                    d->difference, ss_backtest_interval_words(words, &d->interval, 4, 1),
                    ss_backtest_p_words(p, d->p),
                    d->verdict == SS_STATISTICS_ONE_VALUE ? "alike" : "");
        }
    }
    for (int s = 0; s <= r->has_challenger; s++)
        calibration(r, s, out);
}

void ss_backtest_text(const struct ss_backtest_result *result, FILE *out)
{
    facts(result, out);
    if (result->scored)
        distribution(result, out);
    if (result->has_challenger && result->scored) {
        moves(result, out);
        tiers(result, out);
        movers(result, out);
    }
    if (result->has_labels)
        labels(result, out);
}
