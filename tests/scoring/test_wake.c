/* What time alone does: docs/model.md 7.11 and 7.12. */
#include "helper_model.h"

#include <criterion/criterion.h>

#define DAY(n) ((int64_t)(n)*86400000)
#define T0     DAY(18262)

static struct helper_user user;

/* By a model where whatever falls overdue shows at once, also in somebody without a history. */
static void opted_in(void)
{
    static struct ss_model model;
    model = *helper_model();
    model.components[SS_VAR_LATENESS].neutral = SS_VALUE_MAX;
    model.overdue_severity.y[0] = 500;
    ss_model_prepare(&model);
    helper_user_init(&user, &model);
    helper_grant(&user, T0);
}

static int64_t wake_at(void)
{
    const struct ss_models models = {.person = user.model, .business = user.business};
    return ss_wake_at(&models, &user.state);
}

static bool wake(int64_t clock_ms)
{
    const struct ss_models models = {.person = user.model, .business = user.business};
    user.context.clock_ms = clock_ms;
    return ss_wake(&models, &user.state, helper_text("u"), &user.context, &user.effects);
}

static void issue(int64_t at_ms, const char *bill_id, int64_t due_at_ms)
{
    helper_count(&user, helper_bill(at_ms, SS_BILL_ISSUED, bill_id, due_at_ms, 100));
}

Test(wake, nobody_is_woken_without_a_grant)
{
    helper_user_init(&user, helper_model());
    helper_count(&user, helper_listing(T0, SS_LISTED, "c"));
    cr_assert_eq(wake_at(), SS_WAKE_NEVER);
    cr_assert_not(wake(T0 + DAY(1000)));
}

Test(wake, a_bill_falls_overdue_at_its_due_time, .init = opted_in)
{
    issue(T0 + 5, "a", T0 + DAY(3) + 7);
    int64_t sequence = user.state.published.sequence;
    int32_t score = user.state.published.score;
    cr_assert_eq(wake_at(), T0 + DAY(3) + 7);
    cr_assert_not(wake(T0 + DAY(3) + 6));
    cr_assert(wake(T0 + DAY(9)));
    cr_assert(user.effects.has_record);
    const struct ss_score_record *record = &user.effects.record;
    cr_assert_eq(record->kind, SS_KIND_OVERDUE);
    cr_assert_not(record->has_cause);
    cr_assert_eq(record->as_of_ms, T0 + DAY(3) + 7, "the due time, not when it was noticed");
    cr_assert_eq(record->clock_ms, T0 + DAY(3) + 7);
    cr_assert_eq(record->sequence, sequence + 1);
    cr_assert_lt(record->score.score, score);
    cr_assert_not(wake(T0 + DAY(9)), "once");
}

Test(wake, several_bills_fall_overdue_in_the_order_of_their_due_times, .init = opted_in)
{
    issue(T0, "late", T0 + DAY(5));
    issue(T0, "early", T0 + DAY(4));
    cr_assert(wake(T0 + DAY(6)));
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(4));
    cr_assert(wake(T0 + DAY(6)));
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(5));
    cr_assert_not(wake(T0 + DAY(6)));
}

/* Promise 10: payments were read ahead of the bills, where PAID may still be waiting. */
Test(wake, as_of_ahead_of_the_clock_raises_no_alarm, .init = opted_in)
{
    issue(T0, "a", T0 + DAY(3));
    user.context.clock_ms = T0 + DAY(1);
    struct ss_event payment =
        helper_payment(T0 + DAY(9), SS_PAYMENT_SETTLED, SS_CATEGORY_DINING, 100);
    const struct ss_models models = {.person = user.model};
    user.context.record_time_ms = payment.occurred_at_ms;
    cr_assert_eq(
        ss_apply(&models, &user.state, &payment, &user.context, &user.effects, &user.refusal),
        SS_COUNTED);
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(9));
    cr_assert_eq(user.state.published.horizon_ms, T0 + DAY(1));
    cr_assert_eq(wake_at(), T0 + DAY(3));
    struct ss_user_state before = user.state;
    cr_assert(wake(T0 + DAY(4)));
    cr_assert_eq(user.effects.record.kind, SS_KIND_OVERDUE);
    cr_assert_eq(user.effects.record.as_of_ms, T0 + DAY(9), "as_of never goes back");
    cr_assert_eq(user.effects.record.clock_ms, T0 + DAY(4));

    user.state = before;
    user.context.clock_ms = T0 + DAY(2);
    helper_count(&user, helper_bill(T0 + DAY(2), SS_BILL_PAID, "a", SS_TIME_UNKNOWN, 100));
    cr_assert_eq(wake_at(), T0 + DAY(39), "paid in time: only age is left");
}

Test(wake, who_is_not_heard_of_ages_at_intervals, .init = opted_in)
{
    helper_count(&user, helper_payment(T0 + DAY(1), SS_PAYMENT_SETTLED, SS_CATEGORY_DINING, 100));
    cr_assert_eq(wake_at(), T0 + DAY(31));
    cr_assert(wake(T0 + DAY(31)));
    cr_assert(user.effects.has_record, "a payment counts for less by then");
    cr_assert_eq(user.effects.record.kind, SS_KIND_AGED);
    cr_assert_eq(wake_at(), T0 + DAY(61));
    cr_assert(wake(T0 + DAY(200)), "after a long sleep once, at the last of the intervals");
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(181));
    cr_assert_not(wake(T0 + DAY(200)));
}

Test(wake, aging_does_not_overtake_a_bill, .init = opted_in)
{
    issue(T0, "a", T0 + DAY(100));
    cr_assert(wake(T0 + DAY(110)));
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(90));
    cr_assert(wake(T0 + DAY(110)));
    cr_assert_eq(user.effects.record.kind, SS_KIND_OVERDUE);
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(100));
    cr_assert(wake(T0 + DAY(110)), "with a bill overdue the interval is shorter");
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(107));
    cr_assert_eq(wake_at(), T0 + DAY(114));
}
