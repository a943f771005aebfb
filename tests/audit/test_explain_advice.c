/* What is promised comes true: an act carried out by the engine gives the score that the advice
 * named. */
#include "helper_explained.h"

#include <criterion/criterion.h>

static void begin(void)
{
    begin_life();
    live_hundred_days(&life);
}

TestSuite(advice, .init = begin, .fini = end_life);

static const struct ss_act *find(enum ss_act_kind kind)
{
    for (int i = 0; i < e.advice.act_count; i++)
        if (e.advice.acts[i].kind == kind)
            return &e.advice.acts[i];
    return NULL;
}

/* Does it in truth, at the instant that the advice was for. */
static void expect(enum ss_act_kind kind, const struct ss_event *events, int count)
{
    explain_newest();
    const struct ss_act *act = find(kind);
    cr_assert(act, "kind %d", kind);
    int32_t promised = act->score, gain = act->gain, before = life.state.published.score;
    ss_explanation_reset(&e);
    for (int i = 0; i < count; i++)
        live(&life, life.state.published.as_of_ms, events[i]);
    cr_assert_eq(life.state.published.score, promised, "kind %d: %d, promised %d", kind,
                 life.state.published.score, promised);
    cr_assert_eq(life.state.published.score - before, gain);
}

Test(advice, paying_an_overdue_bill_gives_the_score_promised)
{
    struct ss_event pay = bill(SS_BILL_PAID, "b-open", 8000, SS_TIME_UNKNOWN);
    expect(SS_ACT_PAY_OVERDUE, &pay, 1);
}

Test(advice, names_the_overdue_bill_by_its_id_amount_and_due_date)
{
    explain_newest();
    const struct ss_act *act = find(SS_ACT_PAY_OVERDUE);
    cr_assert_eq(act->bill->bill_id.size, 6);
    cr_assert_eq(memcmp(act->bill->bill_id.data, "b-open", 6), 0);
    cr_assert_eq(act->bill->amount_minor, 8000);
    cr_assert_eq(act->bill->due_at_ms, BEGIN + 60 * DAY);
    cr_assert_null(find(SS_ACT_PAY_ALL_OVERDUE), "there is but one");
}

Test(advice, tells_bills_of_one_due_date_apart)
{
    live(&life, BEGIN + 100 * DAY, bill(SS_BILL_ISSUED, "b-x", 100, BEGIN + 110 * DAY));
    live(&life, BEGIN + 100 * DAY, bill(SS_BILL_ISSUED, "b-y", 200, BEGIN + 110 * DAY));
    live(&life, BEGIN + 101 * DAY, paid(100, SS_CATEGORY_DINING));
    explain_newest();
    cr_assert_eq(e.bill_count, 3);
    cr_assert_neq(e.bills[1].bill_id.data[2], e.bills[2].bill_id.data[2]);
    for (int i = 1; i < 3; i++)
        cr_assert_eq(e.bills[i].amount_minor, e.bills[i].bill_id.data[2] == 'x' ? 100 : 200);
}

Test(advice, paying_all_overdue_bills_gives_the_score_promised)
{
    struct ss_event pay[] = {bill(SS_BILL_PAID, "b-open", 8000, SS_TIME_UNKNOWN),
                             bill(SS_BILL_PAID, "b-more", 3000, SS_TIME_UNKNOWN)};
    live(&life, BEGIN + 100 * DAY, bill(SS_BILL_ISSUED, "b-more", 3000, BEGIN + 101 * DAY));
    live(&life, BEGIN + 110 * DAY, paid(100, SS_CATEGORY_DINING));
    expect(SS_ACT_PAY_ALL_OVERDUE, pay, 2);
}

Test(advice, verifying_a_fact_gives_the_score_promised)
{
    struct ss_event identity = verified(SS_FACT_IDENTITY);
    explain_newest();
    cr_assert_eq(find(SS_ACT_VERIFY)->fact, SS_FACT_IDENTITY, "the best comes first");
    ss_explanation_reset(&e);
    expect(SS_ACT_VERIFY, &identity, 1);
    explain_newest();
    cr_assert_eq(find(SS_ACT_VERIFY)->fact, SS_FACT_ADDRESS, "the phone is verified already");
}

Test(advice, repaying_a_credit_line_gives_the_score_promised)
{
    struct ss_event line = {.input = SS_PROFILES,
                            .profile = {.action = SS_PROFILE_CREDIT_LINE,
                                        .opened_at_ms = SS_TIME_UNKNOWN,
                                        .line_id = {"card", 4},
                                        .limit_minor = 100000,
                                        .balance_minor = 95000,
                                        .currency = {"USD", 3}}};
    live(&life, BEGIN + 100 * DAY, line);
    line.profile.balance_minor = 0;
    explain_newest();
    cr_assert_eq(find(SS_ACT_REPAY)->amount_minor, 95000 * 71 / 10, "in the base currency");
    ss_explanation_reset(&e);
    expect(SS_ACT_REPAY, &line, 1);
}

Test(advice, keeping_bookings_gives_the_score_promised)
{
    struct ss_event missed = {.input = SS_BOOKINGS,
                              .booking = {.status = SS_BOOKING_NO_SHOW, .booking_id = {"x", 1}}};
    struct ss_event kept[5];
    for (int i = 0; i < 5; i++) {
        kept[i] = missed;
        kept[i].booking.status = SS_BOOKING_HONOURED;
    }
    live(&life, BEGIN + 100 * DAY, missed);
    expect(SS_ACT_BOOKINGS, kept, 5);
}

Test(advice, does_not_ask_for_what_would_change_nothing)
{
    struct ss_event kept = {.input = SS_BOOKINGS,
                            .booking = {.status = SS_BOOKING_HONOURED, .booking_id = {"x", 1}}};
    live(&life, BEGIN + 100 * DAY, kept);
    explain_newest();
    cr_assert_null(find(SS_ACT_BOOKINGS), "none was ever missed");
}

Test(advice, the_end_of_all_cases_gives_the_score_promised)
{
    struct ss_event removed[] = {listing(SS_DELISTED, "case-1"), listing(SS_DELISTED, "case-2")};
    live(&life, BEGIN + 100 * DAY, listing(SS_LISTED, "case-1"));
    live(&life, BEGIN + 100 * DAY, listing(SS_LISTED, "case-2"));
    explain_newest();
    cr_assert(e.advice.listed);
    cr_assert_eq(find(SS_ACT_CLOSE_CASES)->count, 2);
    cr_assert_eq(find(SS_ACT_CLOSE_CASES)->score, e.advice.score);
    ss_explanation_reset(&e);
    expect(SS_ACT_CLOSE_CASES, removed, 2);
}

Test(advice, a_bill_left_unpaid_costs_what_was_said)
{
    int64_t due_ms = BEGIN + 105 * DAY;
    live(&life, BEGIN + 100 * DAY, bill(SS_BILL_ISSUED, "b-next", 5000, due_ms));
    explain_newest();
    int32_t loss = e.advice.unpaid_loss;
    struct ss_user_state unpaid = life.state;
    live(&life, due_ms, bill(SS_BILL_PAID, "b-next", 5000, SS_TIME_UNKNOWN));
    struct ss_score score;
    ss_score_compute(life.models.person, &unpaid, due_ms, due_ms, &score);
    cr_assert_eq(life.state.published.score - score.score, loss);
    cr_assert_gt(loss, 0);
}

Test(advice, the_greatest_gain_comes_first_and_nothing_without_a_gain)
{
    explain_newest();
    cr_assert_geq(e.advice.act_count, 4);
    for (int i = 0; i < e.advice.act_count; i++) {
        cr_assert_gt(e.advice.acts[i].gain, 0);
        cr_assert_eq(e.advice.acts[i].score, e.advice.score + e.advice.acts[i].gain);
        if (i > 0)
            cr_assert_leq(e.advice.acts[i].gain, e.advice.acts[i - 1].gain);
    }
}

Test(advice, steady_months_are_those_of_the_engine)
{
    explain_newest();
    struct ss_advice advice = e.advice;
    int64_t as_of_ms = e.as_of_ms;
    ss_explanation_reset(&e);
    cr_assert(advice.as_lately);
    live(&life, as_of_ms, bill(SS_BILL_PAID, "b-open", 8000, SS_TIME_UNKNOWN));
    for (int month = 1; month <= 3; month++) {
        int64_t at_ms = as_of_ms + month * 30 * DAY;
        static const enum ss_payment_category both[] = {SS_CATEGORY_GROCERIES,
                                                        SS_CATEGORY_TRANSPORT};
        for (int i = 0; i < advice.payments_a_month; i++)
            live(&life, at_ms, paid(advice.payment_minor, both[i % 2]));
        live(&life, at_ms, bill(SS_BILL_PAID, "monthly", advice.bill_minor, at_ms));
    }
    cr_assert_eq(advice.path[0].months, 3);
    cr_assert_eq(life.state.published.score, advice.path[0].score);
}
