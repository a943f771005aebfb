/* What an explanation finds in a history: which score, from which events, and what it keeps quiet
 * about. */
#include "helper_explained.h"

#include "scoring/model_plan.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(explain, .init = begin_life, .fini = end_life);

static void explain(void)
{
    cr_assert_eq(ss_explain(&life.history, &request, &e, &err), SS_OK, "%s", err.detail);
}

Test(explain, recomputes_the_published_score_from_the_events)
{
    live_hundred_days(&life);
    request = ask(&life);
    explain();
    cr_assert_eq(e.finding, SS_FOUND_SCORE);
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
    cr_assert_eq(e.score->score, life.state.published.score);
    cr_assert_eq(e.change_count, life.history.record_count);
    cr_assert_eq(e.events_counted, 18);
    cr_assert_eq(e.later, 0);
}

Test(explain, every_change_names_its_cause_down_to_the_offset)
{
    live_hundred_days(&life);
    request = ask(&life);
    explain();
    size_t events = 0, overdue = 0;
    for (size_t i = 0; i < e.change_count; i++) {
        const struct ss_score_view *view = &e.changes[i].record->view;
        overdue += view->kind == SS_KIND_OVERDUE;
        cr_assert_eq(e.changes[i].cause != NULL, view->cause.known);
        if (!view->cause.known)
            continue;
        events++;
        cr_assert_eq(e.changes[i].cause->offset, view->cause.offset);
        cr_assert_eq(e.changes[i].cause->event.event_id.size, view->cause.event_id.size);
    }
    cr_assert_geq(events, 13);
    cr_assert_eq(overdue, 2);
    char *text = explained_text(&e);
    cr_assert(strstr(text, "The utility bill b-late of 120.00 CNY was paid 5 days late; it was due "
                           "on 10"));
    cr_assert(strstr(text, "from: bills, partition 3, offset 130, event bills-130"));
    cr_assert(strstr(text, "The utility bill b-open of 80.00 CNY was not paid by its due date, 1"));
    free(text);
}

Test(explain, the_score_of_a_past_time_knows_nothing_of_later_events)
{
    live_hundred_days(&life);
    request = ask(&life);
    request.at_ms = BEGIN + 44 * DAY;
    explain();
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
    cr_assert_leq(e.score->as_of_ms, request.at_ms);
    cr_assert_gt(e.later, 0);
    char *json = explained_json(&e);
    cr_assert(strstr(json, "b-late"), "it is overdue then");
    cr_assert_not(strstr(json, "b-open"));
    free(json);
    ss_explanation_reset(&e);
    request.at_ms = BEGIN - 1;
    explain();
    cr_assert_eq(e.finding, SS_FOUND_NOT_THEN);
}

Test(explain, the_score_at_an_offset_is_the_one_that_had_read_so_far)
{
    live_hundred_days(&life);
    for (size_t i = 1; i < life.history.record_count; i++) {
        const struct ss_score_view *view = &life.history.records[i].view;
        if (!view->cause.known)
            continue;
        enum ss_input input = ss_history_input_of(view->cause.topic);
        request = ask(&life);
        request.read_to[input] = view->cause.offset - 1;
        explain();
        cr_assert_lt(e.score->sequence, view->sequence);
        cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
        ss_explanation_reset(&e);
        request.read_to[input] = view->cause.offset;
        explain();
        cr_assert_geq(e.score->sequence, view->sequence);
        cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
        ss_explanation_reset(&e);
    }
    request = ask(&life);
    request.score_offset = 4;
    explain();
    cr_assert_eq(e.score->sequence, 5);
    request.score_offset = 4000;
    ss_explanation_reset(&e);
    cr_assert_eq(ss_explain(&life.history, &request, &e, &err), SS_DROP);
}

Test(explain, who_has_withdrawn_is_told_so_and_nothing_else)
{
    live_hundred_days(&life);
    live(&life, BEGIN + 101 * DAY, withdrawn());
    for (int past = 0; past < 2; past++) {
        request = ask(&life);
        if (past)
            request.at_ms = BEGIN + 90 * DAY;
        explain();
        cr_assert_eq(e.finding, SS_FOUND_WITHDRAWN);
        char *texts[] = {explained_text(&e), explained_json(&e), explained_html(&e)};
        for (int i = 0; i < 3; i++) {
            cr_assert(strstr(texts[i], "withdrawn the consent"), "%s", texts[i]);
            cr_assert_not(strstr(texts[i], "b-open"));
            cr_assert_not(strstr(texts[i], "CNY"));
            cr_assert_not(strstr(texts[i], "points"));
            cr_assert_not(strstr(texts[i], "2020"));
            free(texts[i]);
        }
    }
}

/* The engine lags: the withdrawal is in the log, and no record says so yet. */
Test(explain, a_withdrawal_holds_as_soon_as_it_is_in_the_log)
{
    struct ss_event last = withdrawn();
    live_hundred_days(&life);
    last.user_id = last.event_id = (struct ss_text){"x", 1};
    cr_assert_eq(ss_history_add_event(&life.history, 500, BEGIN, &last, &err), SS_OK);
    request = ask(&life);
    explain();
    cr_assert_eq(e.finding, SS_FOUND_WITHDRAWN);
}

Test(explain, a_new_consent_begins_anew)
{
    live_hundred_days(&life);
    live(&life, BEGIN + 101 * DAY, withdrawn());
    live(&life, BEGIN + 110 * DAY, granted());
    live(&life, BEGIN + 111 * DAY, verified(SS_FACT_IDENTITY));
    request = ask(&life);
    explain();
    cr_assert_eq(e.finding, SS_FOUND_SCORE);
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
    cr_assert_eq(e.change_count, 2);
    cr_assert_eq(e.events_counted, 2);
    char *text = explained_text(&e);
    cr_assert_not(strstr(text, "b-open"));
    free(text);
    ss_explanation_reset(&e);
    request.at_ms = BEGIN + 50 * DAY;
    explain();
    cr_assert_eq(e.finding, SS_FOUND_NOT_THEN);
}

Test(explain, tells_nobody_from_somebody_without_consent)
{
    request = ask(&life);
    explain();
    cr_assert_eq(e.finding, SS_FOUND_NOBODY);
    struct ss_event payment = paid(100, SS_CATEGORY_DINING);
    payment.user_id = payment.event_id = (struct ss_text){"x", 1};
    cr_assert_eq(ss_history_add_event(&life.history, 5, BEGIN, &payment, &err), SS_OK);
    explain();
    cr_assert_eq(e.finding, SS_FOUND_NO_CONSENT);
    struct ss_event grant = granted();
    grant.user_id = grant.event_id = (struct ss_text){"x", 1};
    cr_assert_eq(ss_history_add_event(&life.history, 5, BEGIN, &grant, &err), SS_OK);
    explain();
    cr_assert_eq(e.finding, SS_FOUND_NOTHING_YET);
}

Test(explain, gives_no_advice_from_a_state_that_is_not_the_published_one)
{
    live(&life, BEGIN, granted());
    live_unlogged(&life, BEGIN + DAY, verified(SS_FACT_IDENTITY));
    live(&life, BEGIN + 2 * DAY, paid(100, SS_CATEGORY_DINING));
    request = ask(&life);
    explain();
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_OTHER);
    cr_assert_eq(e.score->score, life.state.published.score);
    char *text = explained_text(&e), *json = explained_json(&e);
    cr_assert_not(strstr(text, "WHAT WOULD RAISE IT"));
    cr_assert(strstr(text, "the event is no longer in the log"));
    cr_assert(strstr(json, "\"advice\": null"));
    free(text);
    free(json);
}

Test(explain, a_score_of_another_model_is_shown_as_it_was_published)
{
    struct ss_model *other = malloc(sizeof *other);
    live_hundred_days(&life);
    *other = *life.models.person;
    strcpy(other->version, "default-0000000000000000");
    request = ask(&life);
    request.models.person = other;
    explain();
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_NO_MODEL);
    char *text = explained_text(&e), *html = explained_html(&e);
    cr_assert(strstr(text, "not at hand"));
    cr_assert(strstr(html, "WHAT") == NULL && strstr(html, "credit history"));
    free(text);
    free(html);
    free(other);
}

static const struct ss_model *on_shelf(void *arg, struct ss_text version, bool *business)
{
    const struct ss_model *model = arg;
    *business = false;
    return strlen(model->version) == version.size &&
                   memcmp(model->version, version.data, version.size) == 0
               ? model
               : NULL;
}

/* What was live then is not what is now: the record names its model, and the topic has kept it. */
Test(explain, a_score_is_recomputed_by_the_model_that_was_live_then)
{
    const struct ss_model_shelf shelf = {(void *)life.models.person, on_shelf};
    struct ss_model *now = malloc(sizeof *now);
    live_hundred_days(&life);
    *now = *life.models.person;
    strcpy(now->version, "now-0000000000000000");
    now->weights[SS_FACTOR_HISTORY] += 5;
    ss_model_prepare(now);
    request = ask(&life);
    request.models.person = now;
    request.shelf = &shelf;
    explain();
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
    cr_assert_eq(e.model, life.models.person);
    cr_assert(e.changes[e.change_count - 1].benefits_known);
    cr_assert_gt(e.advice.act_count, 0);
    free(now);
}

Test(explain, events_that_changed_no_score_are_taken_in)
{
    live_hundred_days(&life);
    int64_t sequence = life.state.published.sequence;
    live(&life, BEGIN + 100 * DAY + 1, bill(SS_BILL_ISSUED, "b-next", 5000, BEGIN + 130 * DAY));
    cr_assert_eq(life.state.published.sequence, sequence, "it must change no score");
    request = ask(&life);
    explain();
    cr_assert_eq(e.events_counted, 19);
    cr_assert_eq(e.as_of_ms, BEGIN + 100 * DAY + 1);
    cr_assert_eq(e.bill_count, 2);
    cr_assert_eq(memcmp(e.advice.next_bill->bill_id.data, "b-next", 6), 0);
    cr_assert_gt(e.advice.unpaid_loss, 0);
}

Test(explain, benefits_are_those_that_the_engine_says_are_held)
{
    live_hundred_days(&life);
    for (int i = 101; i < 130; i++)
        live(&life, BEGIN + i * DAY,
             paid(50000, (enum ss_payment_category)(i % SS_CATEGORY_COUNT)));
    live(&life, BEGIN + 130 * DAY, bill(SS_BILL_PAID, "b-open", 8000, SS_TIME_UNKNOWN));
    request = ask(&life);
    explain();
    cr_assert_neq(life.state.published.benefits, 0);
    cr_assert_eq(e.changes[e.change_count - 1].benefits, life.state.published.benefits);
}

Test(explain, a_listed_user_hears_of_the_case_first)
{
    live_hundred_days(&life);
    live(&life, BEGIN + 101 * DAY, listing(SS_LISTED, "case-9"));
    request = ask(&life);
    explain();
    cr_assert_eq(e.recomputed, SS_RECOMPUTED_SAME);
    cr_assert_eq(e.score->score, 350);
    cr_assert_eq(e.advice.acts[0].kind, SS_ACT_CLOSE_CASES);
    cr_assert_eq(e.changes[e.change_count - 1].benefits, 0);
    char *text = explained_text(&e);
    cr_assert(strstr(text, "Court case case-9 (District Court) entered you in the register of"));
    free(text);
}
