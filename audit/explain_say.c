/* explain_say.c - the sentences that text and page have in common. */
#include "audit/explain_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WORTH_SAYING = 10 }; /* hundredths of a point, beside others that are */

static void add(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char *out, const char *format, ...)
{
    char text[SS_WORDS_SENTENCE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ss_words_append(out, SS_WORDS_SENTENCE, (struct ss_text){text, (uint32_t)strlen(text)});
}

static void add_text(char *out, struct ss_text text)
{
    ss_words_append(out, SS_WORDS_SENTENCE, text);
}

char *ss_say_score(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE])
{
    char date[SS_WORDS_SHORT];
    out[0] = '\0';
    add(out, "%d, ", e->score->score);
    add_text(out, e->score->tier);
    add(out, ", on a scale from %d to %d, as of %s", SS_SCORE_MIN, SS_SCORE_MAX,
        ss_words_time(e->score->as_of_ms, date));
    return out;
}

/* The bill that fell due at a step of time. */
static const struct ss_bill *fallen_due(const struct ss_history *history, int64_t due_at_ms)
{
    const struct ss_history_log *log = &history->inputs[SS_BILLS];
    for (size_t i = log->count; i-- > 0;) {
        const struct ss_bill *bill = &log->events[i].event.bill;
        if (bill->status == SS_BILL_ISSUED && bill->due_at_ms == due_at_ms)
            return bill;
    }
    return NULL;
}

static void add_bill(char *out, const struct ss_bill *bill)
{
    char money[SS_WORDS_SHORT];
    add(out, "%s ", ss_words_bill(bill->kind));
    add_text(out, bill->bill_id);
    if (bill->amount_minor)
        add(out, " of %s", ss_words_money(bill->amount_minor, bill->currency, money));
}

static void add_step(char *out, const struct ss_history *history, const struct ss_score_view *view)
{
    char date[SS_WORDS_SHORT];
    const struct ss_bill *bill = fallen_due(history, view->as_of_ms);
    if (view->kind == SS_KIND_RESCORE) {
        add(out, "The model by which scores are computed was replaced; nothing that you did.");
    } else if (view->kind == SS_KIND_NEIGHBOUR) {
        add(out, "What a friend's score says of yours changed.");
    } else if (view->kind == SS_KIND_OVERDUE && bill) {
        add(out, "The ");
        add_bill(out, bill);
        add(out, " was not paid by its due date, %s.", ss_words_date(bill->due_at_ms, date));
    } else if (view->kind == SS_KIND_OVERDUE) {
        add(out, "A bill was not paid by its due date, %s.", ss_words_date(view->as_of_ms, date));
    } else {
        add(out, "Time passed: what is long past counts less, accounts grow older, and what is "
                 "unpaid counts more.");
    }
}

char *ss_say_cause(const struct ss_explanation *e, const struct ss_explain_change *change,
                   char out[SS_WORDS_SENTENCE])
{
    const struct ss_score_view *view = &change->record->view;
    out[0] = '\0';
    if (change->cause)
        ss_words_event(&change->cause->event, change->due_at_ms, out);
    else if (view->cause.known && view->kind != SS_KIND_NEIGHBOUR) /* which replays keep nowhere */
        add(out, "%s; the event is no longer in the log.", ss_words_kind(view->kind));
    else
        add_step(out, e->history, view);
    return out;
}

char *ss_say_place(const struct ss_explain_change *change, char out[SS_WORDS_SENTENCE])
{
    const struct ss_cause_view *cause = &change->record->view.cause;
    out[0] = '\0';
    if (!cause->known) {
        add(out, "no event");
        return out;
    }
    add_text(out, cause->topic);
    add(out, ", partition %d, offset %" PRId64 ", event ", cause->partition, cause->offset);
    add_text(out, cause->event_id);
    return out;
}

char *ss_say_moves(const struct ss_explain_change *before, const struct ss_explain_change *change,
                   char out[SS_WORDS_SENTENCE])
{
    const struct ss_score_view *was = before ? &before->record->view : NULL,
                               *is = &change->record->view;
    bool any = false;
    out[0] = '\0';
    if (!was || !was->has_factors || !is->has_factors)
        return out;
    int32_t least = 1;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        if (abs(is->factors[f].points_centi - was->factors[f].points_centi) >= WORTH_SAYING)
            least = WORTH_SAYING;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        int32_t centi = is->factors[f].points_centi - was->factors[f].points_centi;
        if (abs(centi) < least)
            continue;
        add(out, "%s%s %s%d.%02d", any ? ", " : "", ss_words_factor((enum ss_factor)f),
            centi < 0 ? "\xe2\x88\x92" : "+", abs(centi) / 100, abs(centi) % 100);
        any = true;
    }
    if (was->standing != is->standing)
        add(out, "%s%s", any ? ", " : "",
            is->standing == SS_STANDING_LISTED ? "held down by the court register"
                                               : "no longer held down by the court register");
    return out;
}

double ss_factor_full(const struct ss_score_view *view, enum ss_factor factor)
{
    double weights = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        weights += view->factors[f].weight;
    return weights > 0 ? (SS_SCORE_MAX - SS_SCORE_MIN) * view->factors[factor].weight / weights : 0;
}

/* ---- advice ---- */

static struct ss_text base_currency(const struct ss_explanation *e)
{
    return (struct ss_text){e->model->base_currency, (uint32_t)strlen(e->model->base_currency)};
}

static void add_open_bill(char *out, const struct ss_advice_bill *bill)
{
    char text[SS_WORDS_SHORT];
    add(out, "%s ", ss_words_bill(bill->kind));
    add_text(out, bill->bill_id);
    if (bill->amount_minor)
        add(out, " of %s", ss_words_money(bill->amount_minor, bill->currency, text));
}

static void add_gain(char *out, const struct ss_act *act)
{
    add(out, ": %d %s more, %d in all.", act->gain, act->gain == 1 ? "point" : "points",
        act->score);
}

char *ss_say_act(const struct ss_explanation *e, const struct ss_act *act,
                 char out[SS_WORDS_SENTENCE])
{
    char text[SS_WORDS_SHORT];
    out[0] = '\0';
    switch (act->kind) {
    case SS_ACT_PAY_OVERDUE:
        add(out, "Pay the ");
        add_open_bill(out, act->bill);
        add(out, ", overdue since %s", ss_words_date(act->bill->due_at_ms, text));
        break;
    case SS_ACT_PAY_ALL_OVERDUE:
        add(out, "Pay all %d overdue bills", act->count);
        break;
    case SS_ACT_REPAY:
        add(out, "Repay what you owe on credit lines, %s",
            ss_words_money(act->amount_minor, base_currency(e), text));
        break;
    case SS_ACT_VERIFY:
        add(out, "Have your %s verified", ss_words_fact(act->fact));
        break;
    case SS_ACT_DEGREE:
        add(out, "Have a university degree verified, if you hold one");
        break;
    case SS_ACT_BOOKINGS:
        add(out, "Keep the next %d bookings that you make", act->count);
        break;
    case SS_ACT_CLOSE_CASES:
        add(out,
            act->count == 1 ? "Settle the court case and have its entry removed"
                            : "Settle the %d court cases and have their entries removed",
            act->count);
        break;
    }
    add_gain(out, act);
    return out;
}

char *ss_say_start(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE])
{
    char date[SS_WORDS_SHORT];
    out[0] = '\0';
    if (e->as_of_ms / 86400000 == e->score->as_of_ms / 86400000)
        return out;
    add(out,
        "The starting point is what is known up to %s; what came in since the score was last "
        "published has not changed it",
        ss_words_date(e->as_of_ms, date));
    if (e->advice.listed)
        add(out, " (without the court register it would be %d by now)", e->advice.score);
    add(out, ".");
    return out;
}

char *ss_say_path(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE])
{
    const struct ss_advice *advice = &e->advice;
    char payment[SS_WORDS_SHORT], bill[SS_WORDS_SHORT];
    out[0] = '\0';
    add(out,
        "If from now on every bill is paid on time (what is overdue at once, and one of %s a "
        "month), and you make %d payment%s of %s a month%s, and all else stays as it is:",
        ss_words_money(advice->bill_minor, base_currency(e), bill), advice->payments_a_month,
        advice->payments_a_month == 1 ? "" : "s",
        ss_words_money(advice->payment_minor, base_currency(e), payment),
        advice->as_lately ? ", as lately" : "");
    for (int i = 0; i < SS_PATH_MAX; i++)
        add(out, "%s %d after %d months", i ? "," : "", advice->path[i].score,
            advice->path[i].months);
    add(out, ".");
    return out;
}

char *ss_say_next_bill(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE])
{
    const struct ss_advice_bill *bill = e->advice.next_bill;
    char date[SS_WORDS_SHORT];
    out[0] = '\0';
    if (!bill)
        return out;
    add(out, "Next to be paid: the ");
    add_open_bill(out, bill);
    add(out, ", due on %s.", ss_words_date(bill->due_at_ms, date));
    if (e->advice.unpaid_loss > 0)
        add(out,
            " Unpaid, it would cost %d %s on that day compared with paying it, and more later.",
            e->advice.unpaid_loss, e->advice.unpaid_loss == 1 ? "point" : "points");
    return out;
}

char *ss_say_friends(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE])
{
    const int32_t friends = e->score->friends_confirmed;
    out[0] = '\0';
    if (friends >= SS_FRIENDS_SHOWN_MIN)
        add(out,
            "%d friends count, who confirm the friendship and take part as well. Their scores are "
            "near %d on average; they are known in steps of %d points only.",
            friends,
            SS_SCORE_MIN + SS_BAND_WIDTH / 2 + SS_BAND_WIDTH * e->score->friends_bands / friends,
            SS_BAND_WIDTH);
    else if (friends > 0)
        add(out,
            "%s as well. Where their scores lie is shown from %d friends on only: a friend's score "
            "is the friend's own.",
            friends == 1 ? "One friend counts, who confirms the friendship and takes part"
                         : "Two friends count, who confirm the friendship and take part",
            SS_FRIENDS_SHOWN_MIN);
    return out;
}

char *ss_say_rank(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE])
{
    const int32_t of_hundred = e->score->percentile / 100;
    out[0] = '\0';
    if (!e->score->has_rank)
        return out;
    if (of_hundred < 1)
        add(out, "When this score was published, fewer than 1 in 100 people who are scored had a "
                 "lower one.");
    else
        add(out,
            "When this score was published, about %d in 100 people who are scored had a lower "
            "one.",
            of_hundred < 99 ? of_hundred : 99); /* they are some time old: nobody is above all */
    return out;
}

char *ss_say_proof(const struct ss_explanation *e, char out[SS_WORDS_SENTENCE])
{
    out[0] = '\0';
    if (!e->history->published)
        add(out,
            "Computed here from %" PRId64 " events in files; nothing was published to compare "
            "it with, so this shows what the files lead to and proves nothing more.",
            e->events_counted);
    else if (e->recomputed == SS_RECOMPUTED_SAME)
        add(out,
            "Recomputed for this explanation from %" PRId64 " events of yours in the logs: the "
            "result is the published one to the last digit.",
            e->events_counted);
    else if (e->recomputed == SS_RECOMPUTED_NO_MODEL)
        add(out, "Not recomputed: the score was made by a model that is not at hand, so there is "
                 "no advice here on what an act would change.");
    else
        add(out, "Not recomputed: the logs at hand lead to another result, most likely since old "
                 "events are no longer kept. So there is no advice here on what an act would "
                 "change.");
    return out;
}
