#include "helper_model.h"
#include "scoring/variables.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ss_user_state state;
static struct ss_variables variables;

static void reset(void)
{
    state = (struct ss_user_state){0};
}

static void compute(const struct ss_model *model, int64_t as_of_ms)
{
    ss_variables_compute(model, &state, as_of_ms, INT64_MAX, &variables);
}

static void expect(enum ss_variable variable, int64_t value)
{
    cr_assert(variables.known[variable], "%s is not known", ss_variable_name(variable));
    cr_assert_eq(variables.value[variable], value, "%s is %ld", ss_variable_name(variable),
                 (long)variables.value[variable]);
}

Test(variables, of_nobody_nothing_is_known, .init = reset)
{
    compute(helper_model(), DAY(FIRST_DAY));
    for (int v = 0; v < SS_VAR_COUNT; v++)
        cr_assert(!variables.known[v], "%s", ss_variable_name((enum ss_variable)v));
}

Test(variables, every_one_has_a_factor, .init = reset)
{
    int of_factor[SS_FACTOR_COUNT] = {0};
    for (int v = 0; v < SS_VAR_COUNT; v++)
        of_factor[ss_variable_factor((enum ss_variable)v)]++;
    cr_assert_eq(of_factor[SS_FACTOR_HISTORY], 4);
    cr_assert_eq(of_factor[SS_FACTOR_BEHAVIOUR], 4);
    cr_assert_eq(of_factor[SS_FACTOR_FULFILMENT], 4);
    cr_assert_eq(of_factor[SS_FACTOR_CHARACTERISTICS], 3);
    cr_assert_eq(of_factor[SS_FACTOR_RELATIONSHIPS], 1);
}

Test(variables, bills_are_aged_to_the_day_of_as_of, .init = reset)
{
    state.bills = (struct ss_bills_part){.ref_day = FIRST_DAY,
                                         .any = true,
                                         .on_time_milli = 4001,
                                         .late_milli = {1000, 2000, 0, 0, 4000},
                                         .defaulted_milli = 3000,
                                         .paid = 801};
    compute(helper_model(), DAY(FIRST_DAY + 1) - 1);
    expect(SS_VAR_TRACK_RECORD, 4001);
    expect(SS_VAR_LATENESS, 100 + 400 + 2000 + 3 * 500);
    expect(SS_VAR_DEFAULTS, 3000);
    expect(SS_VAR_REPAYMENT, 801);
    compute(helper_model(), DAY(FIRST_DAY + 4));
    expect(SS_VAR_TRACK_RECORD, 1000);
    expect(SS_VAR_LATENESS, 25 + 100 + 500 + 750); /* a default is as bad as the latest */
    expect(SS_VAR_DEFAULTS, 1500);
    expect(SS_VAR_REPAYMENT, 200);
    cr_assert_eq(state.bills.on_time_milli, 4001, "the state is not aged in place");
}

Test(variables, severities_round_down_bucket_by_bucket, .init = reset)
{
    state.bills =
        (struct ss_bills_part){.ref_day = FIRST_DAY, .any = true, .late_milli = {9, 4, 3, 2, 1}};
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_LATENESS, 0);
}

Test(variables, of_bills_something_is_known_once_one_has_ended_or_is_overdue, .init = reset)
{
    static const struct ss_bills_part ended[] = {
        {.any = true, .on_time_milli = 1},
        {.any = true, .late_milli = {0, 0, 1}},
        {.any = true, .defaulted_milli = 1},
    };
    state.bills = (struct ss_bills_part){.any = true, .billed = 100, .paid = 100};
    compute(helper_model(), 0);
    for (int v = 0; v < SS_VAR_COUNT; v++)
        cr_assert(!variables.known[v], "%s", ss_variable_name((enum ss_variable)v));
    for (size_t i = 0; i < sizeof ended / sizeof *ended; i++) {
        state.bills = ended[i];
        compute(helper_model(), 0);
        cr_assert(variables.known[SS_VAR_LATENESS]);
        cr_assert(variables.known[SS_VAR_DEFAULTS]);
        cr_assert(variables.known[SS_VAR_TRACK_RECORD]);
        cr_assert(variables.known[SS_VAR_REPAYMENT]);
    }
    compute(helper_model(), DAY(100)); /* forgotten */
    cr_assert(!variables.known[SS_VAR_LATENESS]);
}

Test(variables, a_bill_is_overdue_from_its_due_time_on, .init = reset)
{
    int64_t due = DAY(FIRST_DAY) + 4711;
    state.bills = (struct ss_bills_part){.ref_day = FIRST_DAY, .any = true, .open_count = 1};
    state.bills.open[0] = (struct ss_open_bill){1, due};
    compute(helper_model(), due - 1);
    cr_assert(!variables.known[SS_VAR_LATENESS], "how it will be paid is open");
    cr_assert(!variables.known[SS_VAR_REPAYMENT]);
    compute(helper_model(), due);
    expect(SS_VAR_LATENESS, 0);
    compute(helper_model(), due + DAY(1));
    expect(SS_VAR_LATENESS, 10);
    compute(helper_model(), due + DAY(2) - 1);
    expect(SS_VAR_LATENESS, 10);
    compute(helper_model(), due + DAY(50));
    expect(SS_VAR_LATENESS, 500);
    compute(helper_model(), due + DAY(5000));
    expect(SS_VAR_LATENESS, 1000);
    state.bills.open_count = 2;
    state.bills.open[1] = (struct ss_open_bill){2, due + DAY(40)};
    compute(helper_model(), due + DAY(50));
    expect(SS_VAR_LATENESS, 600);
    ss_variables_compute(helper_model(), &state, due + DAY(50), due + DAY(39), &variables);
    expect(SS_VAR_LATENESS, 500);
}

Test(variables, a_bill_overdue_says_nothing_of_those_that_ended, .init = reset)
{
    int64_t due = DAY(FIRST_DAY);
    state.bills = (struct ss_bills_part){
        .ref_day = FIRST_DAY, .any = true, .paid = 100, .late_milli = {1}, .open_count = 1};
    state.bills.open[0] = (struct ss_open_bill){1, due};
    compute(helper_model(), due);
    cr_assert(!variables.overdue_alone);
    expect(SS_VAR_DEFAULTS, 0);
    expect(SS_VAR_TRACK_RECORD, 0);
    expect(SS_VAR_REPAYMENT, 100);
    compute(helper_model(), due + DAY(2)); /* the one that ended is forgotten */
    cr_assert(variables.overdue_alone);
    expect(SS_VAR_LATENESS, 20);
    cr_assert(!variables.known[SS_VAR_DEFAULTS]);
    cr_assert(!variables.known[SS_VAR_TRACK_RECORD]);
    cr_assert(!variables.known[SS_VAR_REPAYMENT]);
    state.bills.open_count = 0;
    compute(helper_model(), due + DAY(2));
    cr_assert(!variables.overdue_alone);
    cr_assert(!variables.known[SS_VAR_LATENESS]);
}

Test(variables, payments_give_activity_and_spending, .init = reset)
{
    state.payments = (struct ss_payments_part){
        .ref_day = FIRST_DAY, .any = true, .settled_milli = 4001, .amount = 999};
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_ACTIVITY, 4001);
    expect(SS_VAR_SPENDING, 999);
    compute(helper_model(), DAY(FIRST_DAY + 2));
    expect(SS_VAR_ACTIVITY, 1000);
    expect(SS_VAR_SPENDING, 249);
}

Test(variables, regularity_counts_the_last_twelve_months, .init = reset)
{
    state.payments = (struct ss_payments_part){
        .ref_day = FIRST_DAY, .any = true, .month = FIRST_DAY / 30, .months_mask = 0xfff00fff};
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_REGULARITY, 12);
    compute(helper_model(), DAY(FIRST_DAY + 29));
    expect(SS_VAR_REGULARITY, 12);
    compute(helper_model(), DAY(FIRST_DAY + 30));
    expect(SS_VAR_REGULARITY, 11);
    compute(helper_model(), DAY(FIRST_DAY + 11 * 30));
    expect(SS_VAR_REGULARITY, 1);
    compute(helper_model(), DAY(FIRST_DAY + 12 * 30));
    expect(SS_VAR_REGULARITY, 0);
    compute(helper_model(), DAY(FIRST_DAY + 50 * 30));
    expect(SS_VAR_REGULARITY, 0);
    compute(helper_model(), DAY(FIRST_DAY - 30)); /* never in the engine */
    expect(SS_VAR_REGULARITY, 12);
}

Test(variables, diversity_counts_this_quarter_and_the_one_before, .init = reset)
{
    state.payments = (struct ss_payments_part){
        .ref_day = FIRST_DAY, .any = true, .quarter = FIRST_DAY / 90, .categories = {0x7, 0x1c}};
    compute(helper_model(), DAY(FIRST_DAY + 89));
    expect(SS_VAR_DIVERSITY, 5);
    compute(helper_model(), DAY(FIRST_DAY + 90));
    expect(SS_VAR_DIVERSITY, 3);
    compute(helper_model(), DAY(FIRST_DAY + 180));
    expect(SS_VAR_DIVERSITY, 0);
    compute(helper_model(), DAY(FIRST_DAY - 90)); /* never in the engine */
    expect(SS_VAR_DIVERSITY, 5);
}

Test(variables, reversals_are_a_ratio_of_at_most_one, .init = reset)
{
    state.payments = (struct ss_payments_part){.ref_day = FIRST_DAY,
                                               .any = true,
                                               .settled_milli = 3000,
                                               .refunded_milli = 1009,
                                               .reversed_milli = 900};
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_REVERSALS, 3333); /* 10000 * (900 + 100) / 3000 */
    state.payments.reversed_milli = 5000;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_REVERSALS, 10000);
    state.payments.settled_milli = 0;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_REVERSALS, 10000);
    state.payments.reversed_milli = 0;
    state.payments.refunded_milli = 9; /* a tenth of it is nothing */
    compute(helper_model(), DAY(FIRST_DAY));
    cr_assert(!variables.known[SS_VAR_REVERSALS]);
    expect(SS_VAR_ACTIVITY, 0);
}

Test(variables, bookings_are_kept_out_of_due, .init = reset)
{
    state.bookings =
        (struct ss_bookings_part){.ref_day = FIRST_DAY, .any = true, .made_milli = 5000};
    compute(helper_model(), DAY(FIRST_DAY));
    cr_assert(!variables.known[SS_VAR_BOOKINGS], "made says nothing yet");
    state.bookings.no_show_milli = 2000;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_BOOKINGS, 3333); /* 1 of 3 with the prior */
    state.bookings.honoured_milli = 3000;
    state.bookings.cancelled_milli = 2001;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_BOOKINGS, 5714); /* 10000 * 4000 / (4000 + 2000 + 1000) */
    compute(helper_model(), DAY(FIRST_DAY + 1));
    expect(SS_VAR_BOOKINGS, 6250); /* 10000 * 2500 / (2500 + 1000 + 500) */
    compute(helper_model(), DAY(FIRST_DAY + 100));
    cr_assert(!variables.known[SS_VAR_BOOKINGS], "all is forgotten");
}

Test(variables, bookings_without_a_prior_are_known_as_soon_as_one_is_due, .init = reset)
{
    struct ss_model *model = helper_model_copy();
    model->booking_prior = 0;
    model->cancelled_share = 0;
    ss_model_prepare(model);
    state.bookings =
        (struct ss_bookings_part){.ref_day = FIRST_DAY, .any = true, .cancelled_milli = 1000};
    compute(model, DAY(FIRST_DAY));
    cr_assert(!variables.known[SS_VAR_BOOKINGS], "none is due");
    state.bookings.no_show_milli = 1000;
    compute(model, DAY(FIRST_DAY));
    expect(SS_VAR_BOOKINGS, 0);
    free(model);
}

Test(variables, profiles_give_facts_degree_and_tenure, .init = reset)
{
    state.profiles =
        (struct ss_profiles_part){.verified = 1u << SS_FACT_PHONE | 1u << SS_FACT_DEGREE,
                                  .any = true,
                                  .opened = true,
                                  .opened_day = FIRST_DAY - 100};
    compute(helper_model(), DAY(FIRST_DAY) + 5);
    expect(SS_VAR_IDENTITY, 10 + 40);
    expect(SS_VAR_TENURE, 100);
    cr_assert(!variables.known[SS_VAR_EDUCATION]);
    state.profiles.degree_level = SS_DEGREE_UNIVERSITY;
    state.profiles.opened_day = FIRST_DAY + 1;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_EDUCATION, 2);
    expect(SS_VAR_TENURE, 0);
    state.profiles.any = false;
    compute(helper_model(), DAY(FIRST_DAY));
    cr_assert(!variables.known[SS_VAR_IDENTITY]);
}

Test(variables, debt_is_owed_over_limit_of_all_lines, .init = reset)
{
    state.profiles.line_count = 2;
    state.profiles.lines[0] = (struct ss_credit_line){1, 1000, 2000};
    state.profiles.lines[1] = (struct ss_credit_line){2, 2000, -1000};
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_LIMIT, 3000);
    expect(SS_VAR_DEBT, 3333);
    cr_assert(!variables.known[SS_VAR_IDENTITY], "a line is not a fact");
    state.profiles.lines[1].balance = -2500;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_DEBT, 0);
    state.profiles.lines[0] = (struct ss_credit_line){1, 0, 5}; /* less than a minor unit */
    state.profiles.line_count = 1;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_LIMIT, 0);
    cr_assert(!variables.known[SS_VAR_DEBT]);
}

Test(variables, the_largest_lines_do_not_overflow, .init = reset)
{
    const int64_t most = INT64_C(100000000000000);
    state.profiles.line_count = SS_CREDIT_LINES_MAX;
    for (int i = 0; i < SS_CREDIT_LINES_MAX; i++)
        state.profiles.lines[i] = (struct ss_credit_line){(uint32_t)i, most, most};
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_LIMIT, 8 * most);
    expect(SS_VAR_DEBT, 10000);
}

Test(variables, friends_are_the_mean_of_their_bands, .init = reset)
{
    state.friends = (struct ss_friends_sum){.open = true, .unlinked = 7};
    compute(helper_model(), DAY(FIRST_DAY));
    cr_assert(!variables.known[SS_VAR_FRIENDS], "while nobody confirms it");
    state.friends.confirmed = 3;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_FRIENDS, 0);
    state.friends.bands = 20;
    compute(helper_model(), DAY(FIRST_DAY));
    expect(SS_VAR_FRIENDS, 6666);
}

static int32_t curve_at(const struct ss_curve *curve, int64_t x)
{
    static struct ss_plan_curve plan;
    ss_curve_prepare(curve, &plan);
    return ss_curve_at(&plan, x);
}

Test(variables, curves_are_linear_between_points_and_level_beyond)
{
    const struct ss_curve curve = {.count = 3, .x = {-10, 0, 30}, .y = {5, 100, 0}};
    cr_assert_eq(curve_at(&curve, INT64_MIN), 5);
    cr_assert_eq(curve_at(&curve, -10), 5);
    cr_assert_eq(curve_at(&curve, -9), 14); /* 5 + 9.5 */
    cr_assert_eq(curve_at(&curve, 0), 100);
    cr_assert_eq(curve_at(&curve, 1), 96); /* 100 - 3.33: down, not towards zero */
    cr_assert_eq(curve_at(&curve, 3), 90);
    cr_assert_eq(curve_at(&curve, 29), 3);
    cr_assert_eq(curve_at(&curve, 30), 0);
    cr_assert_eq(curve_at(&curve, INT64_MAX), 0);
    const struct ss_curve point = {.count = 1, .x = {7}, .y = {42}};
    cr_assert_eq(curve_at(&point, 6), 42);
    cr_assert_eq(curve_at(&point, 8), 42);
}

Test(variables, the_steepest_curves_that_the_loader_allows_do_not_overflow)
{
    const int64_t x = INT64_C(1000000000000);
    const struct ss_curve up = {.count = 2, .x = {-x, x}, .y = {0, 1000000}};
    const struct ss_curve down = {.count = 2, .x = {-x, x}, .y = {1000000, 0}};
    cr_assert_eq(curve_at(&up, x - 1), 999999);
    cr_assert_eq(curve_at(&up, 0), 500000);
    cr_assert_eq(curve_at(&down, x - 1), 0);
    cr_assert_eq(curve_at(&down, 0), 500000);
}
