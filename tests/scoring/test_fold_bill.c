#include "helper_model.h"
#include "scoring/fold.h"
#include "scoring/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct ss_bills_part part;

static enum ss_refusal fold(int64_t at_ms, enum ss_bill_status status, const char *id,
                            int64_t due_at_ms, int64_t amount)
{
    struct ss_event event = helper_bill(at_ms, status, id, due_at_ms, amount);
    return ss_fold_bill(helper_model(), &part, &event);
}

static void issue(int64_t at_ms, const char *id, int64_t due_at_ms)
{
    cr_assert_eq(fold(at_ms, SS_BILL_ISSUED, id, due_at_ms, 100), SS_REFUSAL_NONE);
}

static void pay(int64_t at_ms, const char *id)
{
    cr_assert_eq(fold(at_ms, SS_BILL_PAID, id, SS_TIME_UNKNOWN, 100), SS_REFUSAL_NONE);
}

static void reset(void)
{
    part = (struct ss_bills_part){0};
}

static int64_t late_total(void)
{
    int64_t total = 0;
    for (int b = 0; b < SS_LATE_BUCKETS; b++)
        total += part.late_milli[b];
    return total;
}

static uint32_t name(const char *bill_id)
{
    return (uint32_t)ss_hash64(helper_text(bill_id));
}

Test(fold_bill, issued_bills_are_open_in_order_of_due_time, .init = reset)
{
    issue(DAY(FIRST_DAY), "b", DAY(FIRST_DAY + 20));
    issue(DAY(FIRST_DAY), "c", DAY(FIRST_DAY + 30));
    issue(DAY(FIRST_DAY), "a", DAY(FIRST_DAY + 10));
    issue(DAY(FIRST_DAY), "d", DAY(FIRST_DAY + 20));
    uint32_t b = name("b"), d = name("d");
    cr_assert_eq(part.open_count, 4);
    cr_assert_eq(part.open[0].id_hash, name("a"));
    cr_assert_eq(part.open[1].id_hash, b < d ? b : d);
    cr_assert_eq(part.open[2].id_hash, b < d ? d : b);
    cr_assert_eq(part.open[3].id_hash, name("c"));
    cr_assert_eq(part.billed, 400);
    cr_assert_eq(part.on_time_milli + late_total(), 0);
}

Test(fold_bill, issued_again_it_has_its_new_due_time, .init = reset)
{
    issue(DAY(FIRST_DAY), "a", DAY(FIRST_DAY + 10));
    issue(DAY(FIRST_DAY), "a", DAY(FIRST_DAY + 40));
    cr_assert_eq(part.open_count, 1);
    cr_assert_eq(part.open[0].due_at_ms, DAY(FIRST_DAY + 40));
    cr_assert_eq(part.billed, 200);
}

Test(fold_bill, how_late_is_counted_in_whole_days_from_the_due_instant)
{
    static const struct {
        int64_t late_ms;
        int bucket;
    } cases[] = {
        {-DAY(40), -1},    {0, -1},          {DAY(1) - 1, -1}, {DAY(1), 0},      {DAY(30) - 1, 0},
        {DAY(30), 1},      {DAY(60) - 1, 1}, {DAY(60), 2},     {DAY(90) - 1, 2}, {DAY(90), 3},
        {DAY(120) - 1, 3}, {DAY(120), 4},    {DAY(150), 4},    {DAY(2000), 4},
    };
    int64_t due = DAY(FIRST_DAY) + 4711;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reset();
        issue(due - DAY(50), "a", due);
        pay(due + cases[i].late_ms, "a");
        cr_assert_eq(part.open_count, 0);
        cr_assert_eq(part.on_time_milli, cases[i].bucket < 0 ? 1000 : 0, "case %zu", i);
        for (int b = 0; b < SS_LATE_BUCKETS; b++)
            cr_assert_eq(part.late_milli[b], b == cases[i].bucket ? 1000 : 0, "case %zu", i);
    }
}

Test(fold_bill, the_due_time_of_the_issue_goes_before_that_of_the_payment, .init = reset)
{
    issue(DAY(FIRST_DAY), "a", DAY(FIRST_DAY + 1));
    cr_assert_eq(fold(DAY(FIRST_DAY + 3), SS_BILL_PAID, "a", DAY(FIRST_DAY + 9), 100),
                 SS_REFUSAL_NONE);
    cr_assert_eq(part.late_milli[0], 1000);
}

Test(fold_bill, an_unknown_bill_that_is_paid_counts_by_its_own_due_time, .init = reset)
{
    pay(DAY(FIRST_DAY), "a");
    cr_assert_eq(part.paid, 100);
    cr_assert_eq(part.on_time_milli + late_total(), 0, "nobody knows whether it was late");
    fold(DAY(FIRST_DAY), SS_BILL_PAID, "b", DAY(FIRST_DAY - 60), 100);
    cr_assert_eq(part.late_milli[2], 1000);
    fold(DAY(FIRST_DAY), SS_BILL_PAID, "c", DAY(FIRST_DAY), 100);
    cr_assert_eq(part.on_time_milli, 1000);
    cr_assert_eq(part.paid, 300);
}

Test(fold_bill, default_and_cancellation_close_the_bill, .init = reset)
{
    issue(DAY(FIRST_DAY), "a", DAY(FIRST_DAY + 1));
    issue(DAY(FIRST_DAY), "b", DAY(FIRST_DAY + 2));
    fold(DAY(FIRST_DAY), SS_BILL_DEFAULTED, "a", SS_TIME_UNKNOWN, 100);
    cr_assert_eq(part.open_count, 1);
    cr_assert_eq(part.open[0].id_hash, name("b"));
    cr_assert_eq(part.defaulted_milli, 1000);
    fold(DAY(FIRST_DAY), SS_BILL_CANCELLED, "b", SS_TIME_UNKNOWN, 100);
    cr_assert_eq(part.open_count, 0);
    cr_assert_eq(part.open[0].id_hash, 0, "nothing is left behind the list's end");
    cr_assert_eq(part.paid, 0);
    cr_assert_eq(part.on_time_milli + late_total(), 0);
    fold(DAY(FIRST_DAY), SS_BILL_DEFAULTED, "unheard of", SS_TIME_UNKNOWN, 100);
    cr_assert_eq(part.defaulted_milli, 2000);
}

Test(fold_bill, sums_age_and_defaults_age_more_slowly, .init = reset)
{
    fold(DAY(FIRST_DAY), SS_BILL_PAID, "a", DAY(FIRST_DAY), 1000);
    fold(DAY(FIRST_DAY), SS_BILL_PAID, "b", DAY(FIRST_DAY - 40), 1000);
    fold(DAY(FIRST_DAY), SS_BILL_DEFAULTED, "c", SS_TIME_UNKNOWN, 0);
    issue(DAY(FIRST_DAY), "d", DAY(FIRST_DAY));
    fold(DAY(FIRST_DAY + 4), SS_BILL_CANCELLED, "d", SS_TIME_UNKNOWN, 0);
    cr_assert_eq(part.ref_day, FIRST_DAY + 4);
    cr_assert_eq(part.on_time_milli, 250);
    cr_assert_eq(part.late_milli[1], 250);
    cr_assert_eq(part.paid, 500);
    cr_assert_eq(part.billed, 25);
    cr_assert_eq(part.defaulted_milli, 500);
}

Test(fold_bill, an_older_event_is_aged_itself, .init = reset)
{
    fold(DAY(FIRST_DAY + 4), SS_BILL_CANCELLED, "x", SS_TIME_UNKNOWN, 0);
    fold(DAY(FIRST_DAY), SS_BILL_PAID, "a", DAY(FIRST_DAY), 1000);
    fold(DAY(FIRST_DAY), SS_BILL_DEFAULTED, "c", SS_TIME_UNKNOWN, 0);
    issue(DAY(FIRST_DAY), "d", DAY(FIRST_DAY + 9));
    cr_assert_eq(part.ref_day, FIRST_DAY + 4);
    cr_assert_eq(part.on_time_milli, 250);
    cr_assert_eq(part.paid, 250);
    cr_assert_eq(part.billed, 25);
    cr_assert_eq(part.defaulted_milli, 500);
}

Test(fold_bill, one_more_than_it_holds_is_refused_and_changes_nothing, .init = reset)
{
    char id[8];
    for (int i = 0; i < SS_OPEN_BILLS_MAX; i++) {
        snprintf(id, sizeof id, "b%d", i);
        issue(DAY(FIRST_DAY), id, DAY(FIRST_DAY + i));
    }
    struct ss_bills_part before = part;
    cr_assert_eq(fold(DAY(FIRST_DAY + 9), SS_BILL_ISSUED, "more", DAY(FIRST_DAY + 99), 100),
                 SS_REFUSAL_TOO_MANY);
    cr_assert_eq(memcmp(&before, &part, sizeof part), 0);

    issue(DAY(FIRST_DAY), "b7", DAY(FIRST_DAY - 1)); /* known: it moves */
    cr_assert_eq(part.open_count, SS_OPEN_BILLS_MAX);
    cr_assert_eq(part.open[0].id_hash, name("b7"));
    pay(DAY(FIRST_DAY), "unheard of");
    pay(DAY(FIRST_DAY), "b63");
    issue(DAY(FIRST_DAY), "more", DAY(FIRST_DAY + 99));
    cr_assert_eq(part.open_count, SS_OPEN_BILLS_MAX);
}

Test(fold_bill, counts_and_sums_saturate, .init = reset)
{
    issue(DAY(FIRST_DAY), "a", DAY(FIRST_DAY));
    part.on_time_milli = part.defaulted_milli = SS_COUNT_MAX;
    part.paid = part.billed = SS_SUM_MAX;
    pay(DAY(FIRST_DAY), "a");
    issue(DAY(FIRST_DAY), "a", DAY(FIRST_DAY));
    fold(DAY(FIRST_DAY), SS_BILL_DEFAULTED, "a", SS_TIME_UNKNOWN, 0);
    cr_assert_eq(part.on_time_milli, SS_COUNT_MAX);
    cr_assert_eq(part.defaulted_milli, SS_COUNT_MAX);
    cr_assert_eq(part.paid, SS_SUM_MAX);
    cr_assert_eq(part.billed, SS_SUM_MAX);
}
