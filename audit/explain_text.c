/* explain_text.c - an explanation as text for a terminal. */
#include "audit/explain_internal.h"

#include <inttypes.h>
#include <string.h>

enum { WIDTH = 88 };

/* A paragraph, broken at blanks; following lines are indented likewise. */
static void wrap(FILE *out, const char *first, const char *text)
{
    int indent = (int)strlen(first), column = indent;
    fputs(first, out);
    while (*text) {
        size_t word = strcspn(text, " ");
        int shown = 0;
        for (size_t i = 0; i < word; i++)
            shown += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (column > indent && column + 1 + shown > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)word, text);
        column += shown;
        text += word + (text[word] == ' ');
    }
    fputc('\n', out);
}

static void print_factors(FILE *out, const struct ss_explanation *e)
{
    const struct ss_score_view *view = e->score;
    int32_t points = 0;
    char line[SS_WORDS_SENTENCE];
    fprintf(out, "\nWHAT IT IS MADE OF\n  %-28s %10s\n", "", "points");
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        points += view->factors[f].points_centi;
        fprintf(out, "  %-28s %10.2f of %.0f\n", ss_words_factor((enum ss_factor)f),
                view->factors[f].points_centi / 100.0, ss_factor_full(view, (enum ss_factor)f));
    }
    fprintf(out, "  %d + %.2f, cut to whole points: %d", SS_SCORE_MIN, points / 100.0,
            SS_SCORE_MIN + points / 100);
    if (view->standing == SS_STANDING_LISTED)
        fprintf(out, "; held down to %d by the court register", view->score);
    fputc('\n', out);
    if (ss_say_friends(e, line)[0])
        wrap(out, "  ", line);
}

static void print_reasons(FILE *out, const struct ss_explanation *e)
{
    char line[SS_WORDS_SENTENCE], head[32];
    const struct ss_score_view *view = e->score;
    fprintf(out, "\nWHAT HOLDS IT DOWN%s\n", view->reason_count ? ", most first" : ": nothing");
    for (int i = 0; i < view->reason_count; i++) {
        const struct ss_reason_view *reason = &view->reasons[i];
        const struct ss_reason_words *words = ss_words_reason(reason->code);
        line[0] = '\0';
        ss_words_append(line, sizeof line,
                        words ? (struct ss_text){words->brief, (uint32_t)strlen(words->brief)}
                              : reason->code);
        ss_words_append(line, sizeof line, (struct ss_text){" (", 2});
        ss_words_append(line, sizeof line, reason->code);
        ss_words_append(line, sizeof line, (struct ss_text){")", 1});
        snprintf(head, sizeof head, "  %d. ", i + 1);
        fprintf(out, "%s%s: up to %.2f points\n", head, line, reason->points_centi / 100.0);
        if (words)
            wrap(out, "     ", words->meaning);
        if (words && words->raise)
            wrap(out, "     ", words->raise);
    }
}

static void print_advice(FILE *out, const struct ss_explanation *e)
{
    char line[SS_WORDS_SENTENCE];
    if (e->recomputed != SS_RECOMPUTED_SAME)
        return;
    fputs("\nWHAT WOULD RAISE IT\n", out);
    if (e->advice.listed)
        wrap(out, "  ",
             "All but the first of these show only once the court register's entry is gone.");
    if (ss_say_start(e, line)[0])
        wrap(out, "  ", line);
    if (e->advice.act_count == 0)
        wrap(out, "  ", "No single act would raise it at once.");
    for (int i = 0; i < e->advice.act_count; i++)
        wrap(out, "  - ", ss_say_act(e, &e->advice.acts[i], line));
    wrap(out, "  - ", ss_say_path(e, line));
    if (e->advice.next_bill)
        wrap(out, "  - ", ss_say_next_bill(e, line));
}

static void print_changes(FILE *out, const struct ss_explanation *e)
{
    char line[SS_WORDS_SENTENCE], time[SS_WORDS_SHORT];
    fprintf(out, "\nHOW IT CAME TO BE: %zu change%s\n", e->change_count,
            e->change_count == 1 ? "" : "s");
    if (e->begins_late)
        wrap(out, "  ", "What was before the first of these is no longer kept.");
    for (size_t i = 0; i < e->change_count; i++) {
        const struct ss_explain_change *change = &e->changes[i];
        const struct ss_score_view *view = &change->record->view;
        fprintf(out, "  %s  ", ss_words_iso(view->as_of_ms, time));
        if (view->has_previous)
            fprintf(out, "%d -> %d", view->previous_score, view->score);
        else
            fprintf(out, "%d", view->score);
        fprintf(out, "  (change %" PRId64 ")\n", view->sequence);
        wrap(out, "      ", ss_say_cause(e, change, line));
        if (i > 0 && ss_say_moves(change - 1, change, line)[0])
            wrap(out, "      ", line);
        wrap(out, "      from: ", ss_say_place(change, line));
    }
    if (e->later)
        fprintf(out, "  … and %zu later, which are not explained here\n", e->later);
}

static void print_benefits(FILE *out, const struct ss_explanation *e)
{
    const struct ss_explain_change *last = &e->changes[e->change_count - 1];
    if (!last->benefits_known)
        return;
    fputs("\nPRIVILEGES\n", out);
    for (int b = 0; b < e->model->benefit_count; b++)
        fprintf(out, "  %-4s %s (from %d)\n", last->benefits & UINT32_C(1) << b ? "yes" : "no",
                e->model->benefits[b].title, e->model->benefits[b].threshold);
}

void ss_explain_text(FILE *out, const struct ss_explanation *e,
                     const struct ss_explain_issuer *issuer)
{
    char line[SS_WORDS_SENTENCE] = "";
    ss_words_append(line, sizeof line,
                    (struct ss_text){e->history->user_id, (uint32_t)e->history->user_id_size});
    fprintf(out, "Score of %s\n", line);
    if (issuer->name)
        fprintf(out, "Issued by %s\n", issuer->name);
    if (e->finding != SS_FOUND_SCORE) {
        fputc('\n', out);
        wrap(out, "", ss_explain_finding(e->finding));
        return;
    }
    fputc('\n', out);
    wrap(out, "", ss_say_score(e, line));
    if (ss_say_rank(e, line)[0])
        wrap(out, "", line);
    wrap(out, "", ss_say_proof(e, line));
    if (e->score->has_factors)
        print_factors(out, e);
    print_reasons(out, e);
    print_advice(out, e);
    print_benefits(out, e);
    print_changes(out, e);
    fprintf(out, "\nmodel %.*s, change %" PRId64 ", partition %d of %s\n",
            (int)e->score->model_version.size, e->score->model_version.data, e->score->sequence,
            e->history->partition, e->history->source);
    if (issuer->contact)
        fprintf(out, "Questions, and corrections of what is wrong: %s\n", issuer->contact);
}
