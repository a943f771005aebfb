#include "helper_model.h"
#include "scoring/apply.h"
#include "scoring/score.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ss_variables variables;
static struct ss_score score;

static void compute(const struct ss_model *model, bool listed)
{
    ss_score_sum(model, &variables, listed, &score);
    ss_reasons_rank(model, &variables, &score);
}

/* Every variable known, at its curve's best or worst. */
static void extreme(const struct ss_model *model, bool best)
{
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        const struct ss_curve *curve = &model->components[v].curve;
        bool rising = curve->y[0] < curve->y[curve->count - 1];
        variables.known[v] = true;
        variables.value[v] = rising == best ? curve->x[curve->count - 1] : curve->x[0];
    }
}

static void reset(void)
{
    variables = (struct ss_variables){0};
}

static void expect_reason(int i, const char *code, enum ss_factor factor, int32_t points_centi)
{
    cr_assert_gt(score.reason_count, i);
    cr_assert_str_eq(score.reasons[i].code.data, code);
    cr_assert_eq(score.reasons[i].code.size, strlen(code));
    cr_assert_eq(score.reasons[i].factor, factor);
    cr_assert_eq(score.reasons[i].points_centi, points_centi, "%s: %d", code,
                 score.reasons[i].points_centi);
}

Test(score, of_somebody_unknown_is_neutral, .init = reset)
{
    static const int32_t points[SS_FACTOR_COUNT] = {10500, 7500, 6000, 4500, 1500};
    compute(helper_model(), false);
    cr_assert_eq(score.score, 650);
    cr_assert_eq(score.full_score, 650);
    cr_assert_eq(score.tier, 1);
    cr_assert(!score.listed);
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        cr_assert_eq(score.factors[f].value, 5000);
        cr_assert_eq(score.factors[f].weight, helper_model()->weights[f]);
        cr_assert_eq(score.factors[f].points_centi, points[f]);
    }
    /* shares of one code add up, over factors; equals go by the order of codes */
    expect_reason(0, "NO_BILL_HISTORY", SS_FACTOR_HISTORY, 3 * 2625 + 1500);
    expect_reason(1, "NO_PAYMENTS", SS_FACTOR_BEHAVIOUR, 4 * 1875 + 1500);
    expect_reason(2, "NO_CREDIT_LINE", SS_FACTOR_HISTORY, 2625 + 1500);
    expect_reason(3, "NO_BOOKINGS", SS_FACTOR_FULFILMENT, 1500);
    cr_assert_eq(score.reason_count, SS_REASONS_MAX);
}

Test(score, reaches_from_350_to_950, .init = reset)
{
    extreme(helper_model(), true);
    compute(helper_model(), false);
    cr_assert_eq(score.score, 950);
    cr_assert_eq(score.tier, 2);
    cr_assert_eq(score.reason_count, 0, "nothing is amiss");
    extreme(helper_model(), false);
    compute(helper_model(), false);
    cr_assert_eq(score.score, 350);
    cr_assert_eq(score.tier, 0);
    cr_assert_eq(score.reason_count, SS_REASONS_MAX);
}

Test(score, points_are_rounded_down_by_factor_and_then_in_all, .init = reset)
{
    struct ss_model *model = helper_model_copy();
    memcpy(model->weights, (int32_t[SS_FACTOR_COUNT]){1, 1, 1, 0, 0}, sizeof model->weights);
    ss_model_prepare(model);
    extreme(model, true);
    variables.value[SS_VAR_DEBT] = 9999; /* worth 1: the mean is (30000 + 1) / 4 */
    compute(model, false);
    cr_assert_eq(score.factors[SS_FACTOR_HISTORY].value, 7500);
    cr_assert_eq(score.factors[SS_FACTOR_HISTORY].points_centi, 15000);
    cr_assert_eq(score.factors[SS_FACTOR_BEHAVIOUR].points_centi, 20000);
    cr_assert_eq(score.factors[SS_FACTOR_CHARACTERISTICS].points_centi, 0);
    cr_assert_eq(score.score, 350 + 550);

    memcpy(model->weights, (int32_t[SS_FACTOR_COUNT]){7, 7, 7, 7, 1}, sizeof model->weights);
    ss_model_prepare(model);
    compute(model, false);
    int32_t sum = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        sum += score.factors[f].points_centi;
    cr_assert_eq(score.factors[SS_FACTOR_BEHAVIOUR].points_centi, 14482); /* 60000 * 7 / 29 */
    cr_assert_eq(sum, 10862 + 3 * 14482 + 2068);
    cr_assert_eq(score.score, 350 + 563); /* 56376 */
    free(model);
}

Test(score, a_component_without_weight_plays_no_part, .init = reset)
{
    struct ss_model *model = helper_model_copy();
    extreme(model, false);
    variables.value[SS_VAR_FRIENDS] = 10;
    model->components[SS_VAR_LATENESS].weight = 0;
    model->components[SS_VAR_DEFAULTS].weight = 0;
    model->components[SS_VAR_TRACK_RECORD].weight = 0;
    ss_model_prepare(model);
    variables.value[SS_VAR_DEBT] = 0;
    compute(model, false);
    cr_assert_eq(score.factors[SS_FACTOR_HISTORY].value, 10000);
    for (int i = 0; i < score.reason_count; i++)
        cr_assert_neq(score.reasons[i].factor, SS_FACTOR_HISTORY);
    free(model);
}

Test(score, of_a_listed_user_is_capped_and_says_so_first, .init = reset)
{
    compute(helper_model(), true);
    cr_assert(score.listed);
    cr_assert_eq(score.full_score, 650);
    cr_assert_eq(score.score, 400);
    cr_assert_eq(score.tier, 0);
    expect_reason(0, "LISTED", SS_FACTOR_COUNT, 25000);
    expect_reason(1, "NO_BILL_HISTORY", SS_FACTOR_HISTORY, 9375);
    cr_assert_eq(score.reason_count, SS_REASONS_MAX);
    extreme(helper_model(), false);
    compute(helper_model(), true);
    cr_assert_eq(score.score, 350, "the cap raises nobody");
    expect_reason(0, "LISTED", SS_FACTOR_COUNT, 0);
}

Test(score, tiers_begin_at_their_least_score)
{
    static const struct {
        int32_t score;
        int tier;
    } cases[] = {{350, 0}, {599, 0}, {600, 1}, {699, 1}, {700, 2}, {950, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(ss_tier_of(&helper_model()->plan, cases[i].score), cases[i].tier);
}

Test(score, reasons_rank_by_what_the_best_value_would_add, .init = reset)
{
    extreme(helper_model(), true);
    variables.value[SS_VAR_DEFAULTS] = 2000; /* lacks 2000 of 10000: 5250 in all */
    variables.value[SS_VAR_TENURE] = 500;    /* lacks 5000: 3000 in all */
    variables.value[SS_VAR_FRIENDS] = 9000;  /* lacks 1000 */
    compute(helper_model(), false);
    expect_reason(0, "SHORT_TENURE", SS_FACTOR_CHARACTERISTICS, 1500);
    expect_reason(1, "DEFAULTED_BILLS", SS_FACTOR_HISTORY, 1050);
    expect_reason(2, "LOW_FRIENDS_BANDS", SS_FACTOR_RELATIONSHIPS, 300);
    cr_assert_eq(score.reason_count, 3);
}

Test(score, a_neutral_value_above_the_best_is_no_reason, .init = reset)
{
    struct ss_model *model = helper_model_copy();
    extreme(model, true);
    variables.known[SS_VAR_FRIENDS] = false;
    model->components[SS_VAR_FRIENDS].neutral = 10000;
    model->components[SS_VAR_FRIENDS].curve.y[1] = 8000;
    ss_model_prepare(model);
    compute(model, false);
    cr_assert_eq(score.reason_count, 0);
    cr_assert_eq(score.score, 950);
    free(model);
}

/* helper_model: the curve of lateness is 10000 - x, neutral 5000 */
Test(score, overdue_bills_alone_are_worth_neutral_at_most, .init = reset)
{
    variables.known[SS_VAR_LATENESS] = variables.overdue_alone = true;
    variables.value[SS_VAR_LATENESS] = 0;
    compute(helper_model(), false);
    cr_assert_eq(score.score, 650, "as of somebody unknown");
    variables.value[SS_VAR_LATENESS] = 5000;
    compute(helper_model(), false);
    cr_assert_eq(score.score, 650);
    variables.value[SS_VAR_LATENESS] = 9000;
    compute(helper_model(), false);
    cr_assert_eq(score.factors[SS_FACTOR_HISTORY].value, 4000);
    cr_assert_eq(score.score, 650 - 21);
    variables.overdue_alone = false;
    variables.value[SS_VAR_LATENESS] = 0;
    compute(helper_model(), false);
    cr_assert_eq(score.factors[SS_FACTOR_HISTORY].value, 6250);
}

Test(score, of_overdue_bills_alone_the_reasons_do_not_say_that_no_bill_is_known, .init = reset)
{
    variables.known[SS_VAR_LATENESS] = variables.overdue_alone = true;
    variables.value[SS_VAR_LATENESS] = 9000;
    compute(helper_model(), false);
    expect_reason(0, "NO_PAYMENTS", SS_FACTOR_BEHAVIOUR, 4 * 1875 + 1500);
    expect_reason(1, "SHORT_TRACK_RECORD", SS_FACTOR_HISTORY, 2 * 2625 + 1500);
    expect_reason(2, "LATE_BILLS", SS_FACTOR_HISTORY, 4725);
    expect_reason(3, "NO_CREDIT_LINE", SS_FACTOR_HISTORY, 2625 + 1500);
}

/* Whoever has paid no bill, the first that falls overdue never makes it better, nor does time. */
Test(score, never_rises_by_a_bill_that_falls_overdue, .init = reset)
{
    static struct ss_user_state state;
    int64_t due = DAY(FIRST_DAY);
    state.bills =
        (struct ss_bills_part){.ref_day = FIRST_DAY, .any = true, .paid = 100, .open_count = 2};
    state.bills.open[0] = (struct ss_open_bill){1, due};
    state.bills.open[1] = (struct ss_open_bill){2, due + DAY(40)};
    ss_score_compute(helper_model(), &state, due - 1, due - 1, &score);
    int32_t before = score.score;
    cr_assert_eq(before, 650);
    for (int day = 0; day < 400; day++) {
        ss_score_compute(helper_model(), &state, due + DAY(day), INT64_MAX, &score);
        cr_assert_leq(score.score, before, "day %d", day);
        before = score.score;
    }
}

Test(score, every_variable_has_its_two_codes)
{
    static const struct {
        enum ss_variable variable;
        const char *known, *unknown;
    } codes[SS_VAR_COUNT] = {
        {SS_VAR_LATENESS, "LATE_BILLS", "NO_BILL_HISTORY"},
        {SS_VAR_DEFAULTS, "DEFAULTED_BILLS", "NO_BILL_HISTORY"},
        {SS_VAR_TRACK_RECORD, "SHORT_TRACK_RECORD", "NO_BILL_HISTORY"},
        {SS_VAR_DEBT, "HIGH_DEBT", "NO_CREDIT_LINE"},
        {SS_VAR_ACTIVITY, "FEW_PAYMENTS", "NO_PAYMENTS"},
        {SS_VAR_REGULARITY, "IRREGULAR_PAYMENTS", "NO_PAYMENTS"},
        {SS_VAR_DIVERSITY, "NARROW_SPENDING", "NO_PAYMENTS"},
        {SS_VAR_REVERSALS, "REVERSED_PAYMENTS", "NO_PAYMENTS"},
        {SS_VAR_SPENDING, "LOW_SPENDING", "NO_PAYMENTS"},
        {SS_VAR_REPAYMENT, "LOW_REPAYMENT", "NO_BILL_HISTORY"},
        {SS_VAR_LIMIT, "LOW_CREDIT_LIMIT", "NO_CREDIT_LINE"},
        {SS_VAR_BOOKINGS, "BROKEN_BOOKINGS", "NO_BOOKINGS"},
        {SS_VAR_IDENTITY, "UNVERIFIED_FACTS", "NO_PROFILE"},
        {SS_VAR_EDUCATION, "LOW_DEGREE", "NO_DEGREE"},
        {SS_VAR_TENURE, "SHORT_TENURE", "NO_ACCOUNT_AGE"},
        {SS_VAR_FRIENDS, "LOW_FRIENDS_BANDS", "NO_SOCIAL_TIES"},
    };
    for (int i = 0; i < SS_VAR_COUNT; i++) {
        enum ss_variable v = codes[i].variable;
        const struct ss_curve *curve = &helper_model()->components[v].curve;
        extreme(helper_model(), true);
        variables.value[v] = curve->y[0] == 0 ? curve->x[0] : curve->x[1];
        compute(helper_model(), false);
        cr_assert_eq(score.reason_count, 1);
        expect_reason(0, codes[i].known, ss_variable_factor(v), score.reasons[0].points_centi);
        variables.known[v] = false;
        compute(helper_model(), false);
        cr_assert_eq(score.reason_count, 1);
        expect_reason(0, codes[i].unknown, ss_variable_factor(v), score.reasons[0].points_centi);
    }
}
