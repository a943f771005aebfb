/* explain_html.c - an explanation as a page to hand to the person scored. */
#include "audit/explain_internal.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    PAGE_BYTES_MAX = 256 << 20,
    NEWEST = 12 /* changes that are not folded away */
};

/* Enough room around the values, in whole fifties. */
static void value_range(const struct ss_explanation *e, double *low, double *high)
{
    int32_t least = SS_SCORE_MAX, most = SS_SCORE_MIN;
    for (size_t i = 0; i < e->change_count; i++) {
        int32_t score = e->changes[i].record->view.score;
        least = score < least ? score : least;
        most = score > most ? score : most;
    }
    least = (least - 20) / 50 * 50;
    most = (most + 69) / 50 * 50;
    *low = least < SS_SCORE_MIN ? SS_SCORE_MIN : least;
    *high = most > SS_SCORE_MAX ? SS_SCORE_MAX : most;
}

static int tier_bands(const struct ss_explanation *e, struct ss_page_band bands[SS_TIERS_MAX])
{
    int count = e->model ? e->model->tier_count : 0;
    for (int t = 0; t < count; t++)
        bands[t] = (struct ss_page_band){e->model->tiers[t].name, e->model->tiers[t].from};
    return count;
}

static void draw_course(struct ss_page *page, const struct ss_explanation *e)
{
    struct ss_page_step *steps = calloc(e->change_count, sizeof *steps);
    char(*texts)[SS_WORDS_SENTENCE + 96] = calloc(e->change_count, sizeof *texts);
    struct ss_page_band bands[SS_TIERS_MAX];
    char description[SS_WORDS_SENTENCE], first[SS_WORDS_SHORT], last[SS_WORDS_SHORT];
    if (!steps || !texts) {
        page->failed = true;
        free(steps);
        free(texts);
        return;
    }
    int32_t least = SS_SCORE_MAX, most = SS_SCORE_MIN;
    for (size_t i = 0; i < e->change_count; i++) {
        const struct ss_score_view *view = &e->changes[i].record->view;
        char line[SS_WORDS_SENTENCE], date[SS_WORDS_SHORT];
        snprintf(texts[i], sizeof texts[i], "%s: %d. %s", ss_words_date(view->as_of_ms, date),
                 view->score, ss_say_cause(e, &e->changes[i], line));
        steps[i] = (struct ss_page_step){view->as_of_ms, view->score, false, texts[i]};
        least = view->score < least ? view->score : least;
        most = view->score > most ? view->score : most;
    }
    snprintf(description, sizeof description,
             "From %s to %s the score changed %zu times: it began at %d, was %d at least and %d at "
             "most, and is %d now.",
             ss_words_date(steps[0].time_ms, first), ss_words_date(e->score->as_of_ms, last),
             e->change_count - 1, e->changes[0].record->view.score, least, most, e->score->score);
    struct ss_page_course course = {
        .picture = {"The score over time", description, false},
        .value_label = "score",
        .bands = bands,
        .band_count = tier_bands(e, bands),
        .steps = steps,
        .step_count = (int)e->change_count,
        .until_ms = e->recomputed == SS_RECOMPUTED_SAME ? e->as_of_ms : e->score->as_of_ms,
    };
    value_range(e, &course.low, &course.high);
    ss_page_course(page, &course);
    free(steps);
    free(texts);
}

static void head_figures(struct ss_page *page, const struct ss_explanation *e)
{
    char score[16], range[64], date[SS_WORDS_SHORT], tier[SS_WORDS_SHORT] = "";
    ss_words_append(tier, sizeof tier, e->score->tier);
    snprintf(score, sizeof score, "%d", e->score->score);
    snprintf(range, sizeof range, "on a scale from %d to %d", SS_SCORE_MIN, SS_SCORE_MAX);
    struct ss_page_figure figures[] = {
        {"Your score", score, range},
        {"Level", tier, "higher is better"},
        {"As of", ss_words_date(e->score->as_of_ms, date), "dates are in UTC"},
    };
    ss_page_figures(page, figures, 3);
}

static void write_reasons(struct ss_page *page, const struct ss_explanation *e)
{
    const struct ss_score_view *view = e->score;
    if (view->reason_count == 0) {
        ss_page_paragraph(page, "Nothing: no part of it could be higher.");
        return;
    }
    ss_page_list_begin(page, true);
    for (int i = 0; i < view->reason_count; i++) {
        const struct ss_reason_view *reason = &view->reasons[i];
        const struct ss_reason_words *words = ss_words_reason(reason->code);
        ss_page_raw(page, "<li><strong>");
        if (words) {
            ss_page_raw(page, "%c", words->brief[0] - 'a' + 'A');
            ss_page_text(page, words->brief + 1);
        }
        if (!words)
            ss_page_text_of(page, (struct ss_bytes){reason->code.data, reason->code.size});
        ss_page_raw(page, "</strong>, up to %.2f points. ", reason->points_centi / 100.0);
        if (words) {
            ss_page_text(page, words->meaning);
            if (words->raise) {
                ss_page_raw(page, " <em>");
                ss_page_text(page, words->raise);
                ss_page_raw(page, "</em>");
            }
        }
        ss_page_raw(page, " <small>(");
        ss_page_text_of(page, (struct ss_bytes){reason->code.data, reason->code.size});
        ss_page_raw(page, ")</small></li>\n");
    }
    ss_page_list_end(page);
}

static void write_advice(struct ss_page *page, const struct ss_explanation *e)
{
    char line[SS_WORDS_SENTENCE];
    if (e->recomputed != SS_RECOMPUTED_SAME)
        return;
    ss_page_section(page, "What would raise it most",
                    "Each of these was tried on a copy of your data, by the same rules; the result "
                    "is what the score would be at once. They are possibilities, not demands.");
    if (e->advice.listed)
        ss_page_notice(page, "All but the removal from the court register show only once that has "
                             "happened; the figures are for then.");
    if (ss_say_start(e, line)[0])
        ss_page_paragraph(page, "%s", line);
    if (e->advice.act_count == 0)
        ss_page_paragraph(page, "No single act would raise it at once.");
    else {
        ss_page_list_begin(page, false);
        for (int i = 0; i < e->advice.act_count; i++)
            ss_page_item(page, "%s", ss_say_act(e, &e->advice.acts[i], line));
        ss_page_list_end(page);
    }
    ss_page_heading(page, "What steady months would do");
    ss_page_paragraph(page, "%s", ss_say_path(e, line));
    if (e->advice.next_bill)
        ss_page_paragraph(page, "%s", ss_say_next_bill(e, line));
}

static void write_factors(struct ss_page *page, const struct ss_explanation *e)
{
    static const struct ss_page_column columns[] = {
        {"Part", false}, {"What it looks at", false}, {"Points", true}, {"Of at most", true}};
    const struct ss_score_view *view = e->score;
    struct ss_page_level levels[SS_FACTOR_COUNT];
    char texts[SS_FACTOR_COUNT][32], description[SS_WORDS_SENTENCE] = "";
    int32_t points = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        double full = ss_factor_full(view, (enum ss_factor)f);
        points += view->factors[f].points_centi;
        snprintf(texts[f], sizeof texts[f], "%.2f of %.0f", view->factors[f].points_centi / 100.0,
                 full);
        levels[f] = (struct ss_page_level){ss_words_factor((enum ss_factor)f), texts[f],
                                           view->factors[f].points_centi / 100.0, full};
        size_t used = strlen(description);
        snprintf(description + used, sizeof description - used, "%s%s: %s", f ? "; " : "",
                 levels[f].name, texts[f]);
    }
    ss_page_levels(page, &(struct ss_page_picture){"Points of each part", description, false},
                   levels, SS_FACTOR_COUNT);
    ss_page_table(page, NULL, columns, 4);
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        ss_page_cell(page, "%s", levels[f].name);
        ss_page_cell(page, "%s", ss_words_factor_meaning((enum ss_factor)f));
        ss_page_cell(page, "%.2f", levels[f].value);
        ss_page_cell(page, "%.0f", levels[f].full);
    }
    ss_page_table_end(page);
    ss_page_paragraph(page, "%d + %.2f, cut to whole points: %d.", SS_SCORE_MIN, points / 100.0,
                      SS_SCORE_MIN + points / 100);
    if (ss_say_friends(e, description)[0])
        ss_page_paragraph(page, "%s", description);
}

static void write_privileges(struct ss_page *page, const struct ss_explanation *e)
{
    static const struct ss_page_column columns[] = {
        {"Privilege", false}, {"From a score of", true}, {"Yours", false}};
    const struct ss_explain_change *last = &e->changes[e->change_count - 1];
    if (!last->benefits_known || e->model->benefit_count == 0)
        return;
    ss_page_section(page, "Privileges", NULL);
    ss_page_table(page, NULL, columns, 3);
    for (int b = 0; b < e->model->benefit_count; b++) {
        ss_page_cell(page, "%s", e->model->benefits[b].title);
        ss_page_cell(page, "%d", e->model->benefits[b].threshold);
        ss_page_cell(page, last->benefits & UINT32_C(1) << b ? "yes" : "no");
    }
    ss_page_table_end(page);
}

static const struct ss_page_column change_columns[] = {
    {"When (UTC)", false}, {"Score", true}, {"What happened", false}, {"Recorded as", false}};

static void write_change(struct ss_page *page, const struct ss_explanation *e, size_t i)
{
    const struct ss_explain_change *change = &e->changes[i];
    const struct ss_score_view *view = &change->record->view;
    char time[SS_WORDS_SHORT], cause[SS_WORDS_SENTENCE], moves[SS_WORDS_SENTENCE],
        place[SS_WORDS_SENTENCE];
    ss_words_iso(view->as_of_ms / 1000 * 1000, time);
    time[10] = ' ';
    time[19] = '\0';
    ss_page_cell(page, "%s", time);
    if (view->has_previous)
        ss_page_cell(page, "%d \xe2\x86\x92 %d", view->previous_score, view->score);
    else
        ss_page_cell(page, "%d", view->score);
    ss_say_moves(i > 0 ? change - 1 : NULL, change, moves);
    ss_page_cell(page, "%s%s%s%s", ss_say_cause(e, change, cause), moves[0] ? " (" : "", moves,
                 moves[0] ? ")" : "");
    ss_page_cell(page, "%s; change %" PRId64, ss_say_place(change, place), view->sequence);
}

static void write_changes(struct ss_page *page, const struct ss_explanation *e)
{
    ss_page_section(page, "How it came to be",
                    "Newest first. Each change names the event it came from, as it stands in the "
                    "log, so that it can be looked up and, where wrong, be disputed.");
    draw_course(page, e);
    size_t shown = e->change_count < NEWEST ? e->change_count : NEWEST;
    ss_page_table(page, NULL, change_columns, 4);
    for (size_t i = 0; i < shown; i++)
        write_change(page, e, e->change_count - 1 - i);
    ss_page_table_end(page);
    if (shown < e->change_count) {
        char summary[64];
        snprintf(summary, sizeof summary, "The %zu changes before", e->change_count - shown);
        ss_page_fold(page, summary);
        ss_page_table(page, NULL, change_columns, 4);
        for (size_t i = shown; i < e->change_count; i++)
            write_change(page, e, e->change_count - 1 - i);
        ss_page_table_end(page);
        ss_page_fold_end(page);
    }
    if (e->begins_late)
        ss_page_note(page, "What was before the first of these is no longer kept.");
    if (e->later)
        ss_page_note(page, "There were %zu later changes; this page is about the score before.",
                     e->later);
}

static void write_rights(struct ss_page *page, const struct ss_explanation *e,
                         const struct ss_explain_issuer *issuer)
{
    char line[SS_WORDS_SENTENCE];
    ss_page_section(page, "How sure this is, and what you can do about it", NULL);
    ss_page_paragraph(page, "%s", ss_say_proof(e, line));
    ss_page_paragraph(
        page, "The score is computed by fixed rules from the events that were reported, and from "
              "nothing else: not from what you say, think, or look at. If an event is wrong, have "
              "it corrected by whoever reported it; the score then follows. You can withdraw your "
              "consent at any time, upon which the score and all behind it are erased.");
    if (issuer->contact)
        ss_page_paragraph(page, "Questions, and corrections of what is wrong: %s.",
                          issuer->contact);
    ss_page_note(page, "Model %.*s, change %" PRId64 ", partition %d.",
                 (int)e->score->model_version.size, e->score->model_version.data,
                 e->score->sequence, e->history->partition);
}

static void write_score(struct ss_page *page, const struct ss_explanation *e,
                        const struct ss_explain_issuer *issuer)
{
    char line[SS_WORDS_SENTENCE];
    head_figures(page, e);
    if (ss_say_rank(e, line)[0])
        ss_page_paragraph(page, "%s", line);
    if (e->score->standing == SS_STANDING_LISTED)
        ss_page_notice(page, "A court has entered you in its register of defaulters. This holds "
                             "the score down, whatever else is below.");
    ss_page_section(page, "What holds it down",
                    "At most four things, the weightiest first; up to so many points each would "
                    "add at its best.");
    write_reasons(page, e);
    write_advice(page, e);
    if (e->score->has_factors) {
        ss_page_section(page, "What it is made of", NULL);
        write_factors(page, e);
    }
    write_changes(page, e);
    write_privileges(page, e);
    write_rights(page, e, issuer);
}

enum ss_status ss_explain_html(const struct ss_explanation *explanation,
                               const struct ss_explain_issuer *issuer, struct ss_page *page,
                               struct ss_error *err)
{
    char lead[SS_WORDS_SENTENCE] = "For ";
    ss_words_append(lead, sizeof lead,
                    (struct ss_text){explanation->history->user_id,
                                     (uint32_t)explanation->history->user_id_size});
    if (issuer->name) {
        ss_words_append(lead, sizeof lead, (struct ss_text){", issued by ", 12});
        ss_words_append(lead, sizeof lead,
                        (struct ss_text){issuer->name, (uint32_t)strlen(issuer->name)});
    }
    ss_page_begin(page, PAGE_BYTES_MAX, "Your score, explained", lead);
    if (explanation->finding == SS_FOUND_SCORE)
        write_score(page, explanation, issuer);
    else
        ss_page_notice(page, "%s", ss_explain_finding(explanation->finding));
    return ss_page_end(page, NULL, err);
}
