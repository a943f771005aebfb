/* What is read from a plan is what docs/model.md says, division by division: over models and
 * variables at random, within the loader's bounds and often on them. */
#include "helper_model.h"
#include "helper_random.h"
#include "scoring/fold.h"
#include "scoring/score.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { MODELS = 400, SCORES = 60 };

#define X_MAX INT64_C(1000000000000)

static uint64_t seed;

static int64_t below(int64_t n)
{
    return helper_random_below(&seed, n);
}

/* Small, large and in between alike, and now and then the bound. */
static int64_t up_to(int64_t max)
{
    int64_t scale = INT64_C(1) << below(62);
    int64_t n = below((scale < max ? scale : max) + 1);
    return below(8) ? n : below(2) ? max : max - n;
}

/* ---- the rules, as they stand in docs/model.md ---- */

static int64_t floor_of(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int32_t rule_curve(const struct ss_curve *curve, int64_t x)
{
    const int last = curve->count - 1;
    if (x <= curve->x[0])
        return curve->y[0];
    if (x >= curve->x[last])
        return curve->y[last];
    int i = 1;
    while (x >= curve->x[i])
        i++;
    return curve->y[i - 1] +
           (int32_t)floor_of((int64_t)(curve->y[i] - curve->y[i - 1]) * (x - curve->x[i - 1]),
                             curve->x[i] - curve->x[i - 1]);
}

static int64_t sum_of_weights(const struct ss_model *model)
{
    int64_t sum = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        sum += model->weights[f];
    return sum;
}

static int64_t sum_of_components(const struct ss_model *model, enum ss_factor factor)
{
    int64_t sum = 0;
    for (int v = 0; v < SS_VAR_COUNT; v++)
        if (ss_variable_factor((enum ss_variable)v) == factor)
            sum += model->components[v].weight;
    return sum;
}

static int32_t rule_worth(const struct ss_model *model, const struct ss_variables *variables, int v)
{
    const struct ss_component *component = &model->components[v];
    if (!variables->known[v])
        return component->neutral;
    int32_t value = rule_curve(&component->curve, variables->value[v]);
    return v == SS_VAR_LATENESS && variables->overdue_alone && value > component->neutral
               ? component->neutral
               : value;
}

static int64_t rule_share(const struct ss_model *model, const struct ss_variables *variables, int v)
{
    const struct ss_component *component = &model->components[v];
    const enum ss_factor factor = ss_variable_factor((enum ss_variable)v);
    int64_t best = 0;
    for (int i = 0; i < component->curve.count; i++)
        best = component->curve.y[i] > best ? component->curve.y[i] : best;
    const int64_t lacking = best - rule_worth(model, variables, v);
    return lacking <= 0 ? 0
                        : 60000 * (int64_t)model->weights[factor] * component->weight * lacking /
                              (sum_of_weights(model) * 10000 * sum_of_components(model, factor));
}

/* The codes in the order in which equals go, each with the variables that it may be said of. */
static const struct {
    const char *name;
    bool known;
    int count;
    enum ss_variable variables[5];
} codes[] = {
    {"LATE_BILLS", true, 1, {SS_VAR_LATENESS}},
    {"DEFAULTED_BILLS", true, 1, {SS_VAR_DEFAULTS}},
    {"SHORT_TRACK_RECORD", true, 1, {SS_VAR_TRACK_RECORD}},
    {"NO_BILL_HISTORY",
     false,
     4,
     {SS_VAR_LATENESS, SS_VAR_DEFAULTS, SS_VAR_TRACK_RECORD, SS_VAR_REPAYMENT}},
    {"HIGH_DEBT", true, 1, {SS_VAR_DEBT}},
    {"NO_CREDIT_LINE", false, 2, {SS_VAR_DEBT, SS_VAR_LIMIT}},
    {"FEW_PAYMENTS", true, 1, {SS_VAR_ACTIVITY}},
    {"IRREGULAR_PAYMENTS", true, 1, {SS_VAR_REGULARITY}},
    {"NARROW_SPENDING", true, 1, {SS_VAR_DIVERSITY}},
    {"REVERSED_PAYMENTS", true, 1, {SS_VAR_REVERSALS}},
    {"NO_PAYMENTS",
     false,
     5,
     {SS_VAR_ACTIVITY, SS_VAR_REGULARITY, SS_VAR_DIVERSITY, SS_VAR_REVERSALS, SS_VAR_SPENDING}},
    {"LOW_SPENDING", true, 1, {SS_VAR_SPENDING}},
    {"LOW_REPAYMENT", true, 1, {SS_VAR_REPAYMENT}},
    {"LOW_CREDIT_LIMIT", true, 1, {SS_VAR_LIMIT}},
    {"BROKEN_BOOKINGS", true, 1, {SS_VAR_BOOKINGS}},
    {"NO_BOOKINGS", false, 1, {SS_VAR_BOOKINGS}},
    {"UNVERIFIED_FACTS", true, 1, {SS_VAR_IDENTITY}},
    {"NO_PROFILE", false, 1, {SS_VAR_IDENTITY}},
    {"LOW_DEGREE", true, 1, {SS_VAR_EDUCATION}},
    {"NO_DEGREE", false, 1, {SS_VAR_EDUCATION}},
    {"SHORT_TENURE", true, 1, {SS_VAR_TENURE}},
    {"NO_ACCOUNT_AGE", false, 1, {SS_VAR_TENURE}},
    {"LOW_FRIENDS_BANDS", true, 1, {SS_VAR_FRIENDS}},
    {"NO_SOCIAL_TIES", false, 1, {SS_VAR_FRIENDS}},
};
enum { CODE_COUNT = sizeof codes / sizeof *codes };

static void rule_reasons(const struct ss_model *model, const struct ss_variables *variables,
                         struct ss_score *score)
{
    struct ss_reason found[CODE_COUNT];
    score->reason_count = 0;
    for (int c = 0; c < CODE_COUNT; c++) {
        found[c] = (struct ss_reason){
            {codes[c].name, (uint32_t)strlen(codes[c].name)}, SS_FACTOR_COUNT, 0};
        for (int i = 0; i < codes[c].count; i++) {
            const enum ss_variable v = codes[c].variables[i];
            const int32_t share = (int32_t)rule_share(model, variables, v);
            if (variables->known[v] != codes[c].known || share == 0)
                continue;
            if (found[c].points_centi == 0)
                found[c].factor = ss_variable_factor(v);
            found[c].points_centi += share;
        }
    }
    if (variables->overdue_alone) { /* NO_BILL_HISTORY is told as SHORT_TRACK_RECORD */
        found[3].code = found[2].code;
        found[2] = found[3];
        found[3].points_centi = 0;
    }
    if (score->listed)
        score->reasons[score->reason_count++] = (struct ss_reason){
            {"LISTED", 6}, SS_FACTOR_COUNT, (score->full_score - score->score) * 100};
    while (score->reason_count < SS_REASONS_MAX) {
        int next = 0;
        for (int c = 1; c < CODE_COUNT; c++)
            if (found[c].points_centi > found[next].points_centi)
                next = c;
        if (found[next].points_centi == 0)
            break;
        score->reasons[score->reason_count++] = found[next];
        found[next].points_centi = 0;
    }
}

static void rule_score(const struct ss_model *model, const struct ss_variables *variables,
                       bool listed, struct ss_score *score)
{
    int32_t points = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        int64_t sum = 0;
        for (int v = ss_factor_first(f); v < ss_factor_first(f + 1); v++)
            sum += (int64_t)model->components[v].weight * rule_worth(model, variables, v);
        const int64_t value = sum / sum_of_components(model, (enum ss_factor)f);
        score->factors[f] = (struct ss_factor_result){
            .value = (int32_t)value,
            .weight = model->weights[f],
            .points_centi = (int32_t)(60000 * (int64_t)model->weights[f] * value /
                                      (sum_of_weights(model) * 10000))};
        points += score->factors[f].points_centi;
    }
    score->full_score = 350 + points / 100;
    score->listed = listed;
    score->score =
        listed && model->listed_cap < score->full_score ? model->listed_cap : score->full_score;
    score->tier = 0;
    for (int t = 0; t < model->tier_count; t++)
        if (score->score >= model->tiers[t].from)
            score->tier = t;
    rule_reasons(model, variables, score);
}

/* ---- models and variables at random ---- */

static struct ss_curve some_curve(int32_t y_max)
{
    struct ss_curve curve = {.count = 1 + (int)below(below(3) ? 9 : SS_CURVE_POINTS_MAX)};
    int64_t x = below(3) ? 0 : (below(2) ? 1 : -1) * up_to(X_MAX - SS_CURVE_POINTS_MAX);
    for (int i = 0; i < curve.count; i++) {
        const int left = curve.count - i;
        curve.x[i] = x;
        curve.y[i] = (int32_t)up_to(y_max);
        x += 1 + up_to((X_MAX - x - left) / left);
    }
    return curve;
}

static int32_t some_weight(void)
{
    return below(5) ? (int32_t)up_to(1000) : 0;
}

static void some_model(struct ss_model *model)
{
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        int64_t sum = 0;
        model->weights[f] = some_weight();
        for (int v = ss_factor_first(f); v < ss_factor_first(f + 1); v++) {
            model->components[v] = (struct ss_component){.weight = some_weight(),
                                                         .neutral = (int32_t)up_to(SS_VALUE_MAX),
                                                         .curve = some_curve(SS_VALUE_MAX)};
            sum += model->components[v].weight;
        }
        if (sum == 0)
            model->components[ss_factor_first(f)].weight = 1 + (int32_t)below(1000);
    }
    if (sum_of_weights(model) == 0)
        model->weights[below(SS_FACTOR_COUNT)] = 1 + (int32_t)below(1000);
    model->listed_cap = 350 + (int32_t)below(601);
    model->tier_count = 1 + (int)below(SS_TIERS_MAX);
    for (int t = 0; t < model->tier_count; t++)
        model->tiers[t].from = t == 0 ? 350 : model->tiers[t - 1].from + 1 + (int32_t)below(120);
    ss_model_prepare(model);
}

/* At a point, beside one, or anywhere. */
static int64_t some_x(const struct ss_curve *curve)
{
    const int i = (int)below(curve->count);
    const int64_t next = i + 1 < curve->count ? curve->x[i + 1] : curve->x[i] + 1000;
    if (below(20) == 0)
        return below(2) ? INT64_MAX : INT64_MIN;
    return below(3) ? curve->x[i] + below(next - curve->x[i]) : curve->x[i] - 1 + below(3);
}

static struct ss_variables some_variables(const struct ss_model *model)
{
    struct ss_variables variables = {.overdue_alone = below(6) == 0};
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        variables.known[v] = below(3) > 0;
        if (variables.known[v])
            variables.value[v] = some_x(&model->components[v].curve);
    }
    if (variables.overdue_alone) {
        variables.known[SS_VAR_LATENESS] = true;
        variables.known[SS_VAR_DEFAULTS] = variables.known[SS_VAR_TRACK_RECORD] =
            variables.known[SS_VAR_REPAYMENT] = false;
    }
    return variables;
}

static void expect_same(const struct ss_score *got, const struct ss_score *rule, int model, int n)
{
    cr_assert_eq(got->score, rule->score, "model %d, score %d", model, n);
    cr_assert_eq(got->full_score, rule->full_score, "model %d, score %d", model, n);
    cr_assert_eq(got->tier, rule->tier, "model %d, score %d", model, n);
    cr_assert_eq(got->listed, rule->listed, "model %d, score %d", model, n);
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        cr_assert_eq(got->factors[f].value, rule->factors[f].value, "model %d, score %d", model, n);
        cr_assert_eq(got->factors[f].weight, rule->factors[f].weight);
        cr_assert_eq(got->factors[f].points_centi, rule->factors[f].points_centi,
                     "model %d, score %d", model, n);
    }
    cr_assert_eq(got->reason_count, rule->reason_count, "model %d, score %d", model, n);
    for (int r = 0; r < rule->reason_count; r++) {
        cr_assert_str_eq(got->reasons[r].code.data, rule->reasons[r].code.data,
                         "model %d, score %d", model, n);
        cr_assert_eq(got->reasons[r].code.size, rule->reasons[r].code.size);
        cr_assert_eq(got->reasons[r].factor, rule->reasons[r].factor, "model %d, score %d", model,
                     n);
        cr_assert_eq(got->reasons[r].points_centi, rule->reasons[r].points_centi,
                     "model %d, score %d", model, n);
    }
}

Test(model_plan, scores_and_reasons_are_those_of_the_rules)
{
    struct ss_model *model = helper_model_copy();
    seed = 1;
    for (int m = 0; m < MODELS; m++) {
        some_model(model);
        for (int n = 0; n < SCORES; n++) {
            struct ss_variables variables = some_variables(model);
            struct ss_score got, rule;
            const bool listed = below(5) == 0;
            ss_score_sum(model, &variables, listed, &got);
            ss_reasons_rank(model, &variables, &got);
            rule_score(model, &variables, listed, &rule);
            expect_same(&got, &rule, m, n);
        }
    }
    free(model);
}

Test(model_plan, curves_are_those_of_the_rule)
{
    struct ss_plan_curve plan;
    seed = 2;
    for (int c = 0; c < 20000; c++) {
        const struct ss_curve curve = some_curve(c % 2 ? SS_VALUE_MAX : 1000000);
        ss_curve_prepare(&curve, &plan);
        for (int n = 0; n < 40; n++) {
            const int64_t x = some_x(&curve);
            cr_assert_eq(ss_curve_at(&plan, x), rule_curve(&curve, x), "curve %d at %lld", c,
                         (long long)x);
        }
    }
}

/* The quotient is whole, or as close below a whole number as it can be. */
Test(model_plan, shares_are_exact_at_their_bounds)
{
    seed = 3;
    for (int i = 0; i < 200000; i++) {
        const uint64_t b = 1 + (uint64_t)up_to(20000000), n_max = SS_VALUE_MAX;
        const uint64_t a = (uint64_t)up_to(b < 1000000 ? 6 * (int64_t)b : 6000000);
        const uint64_t share = ss_share_prepare(a, b, n_max);
        for (int j = 0; j < 10; j++) {
            const uint64_t n = (uint64_t)up_to((int64_t)n_max);
            cr_assert_eq((uint64_t)ss_share_of(share, (int64_t)n), n * a / b);
        }
    }
}

Test(model_plan, a_currency_is_found_by_its_code_alone)
{
    struct ss_model *model = helper_model_copy();
    char code[4] = "AAA";
    model->currency_count = SS_CURRENCIES_MAX;
    for (int c = 0; c < SS_CURRENCIES_MAX; c++) {
        snprintf(code, sizeof code, "%c%c%c", 'A' + c / 26, 'A' + c % 26, 'X' + c % 2);
        model->currencies[c] = (struct ss_currency){"", c + 1, 1};
        memcpy(model->currencies[c].code, code, sizeof code);
    }
    ss_model_prepare(model);
    int found = 0;
    for (int a = 'A'; a <= 'Z'; a++)
        for (int b = 'A'; b <= 'Z'; b++)
            for (int c = 'A'; c <= 'Z'; c++) {
                snprintf(code, sizeof code, "%c%c%c", a, b, c);
                const struct ss_currency *currency = ss_currency_find(model, helper_text(code));
                cr_assert(!currency || strcmp(currency->code, code) == 0);
                found += currency != NULL;
            }
    cr_assert_eq(found, SS_CURRENCIES_MAX);
    cr_assert_null(ss_currency_find(model, helper_text("AA")));
    cr_assert_null(ss_currency_find(model, helper_text("AAXX")));
    cr_assert_null(ss_currency_find(model, (struct ss_text){"\0\0\0", 3}));
    free(model);
}

#ifdef __aarch64__
enum { TRAP = SIGTRAP };
#else
enum { TRAP = SIGILL };
#endif

Test(model_plan, a_model_that_nobody_has_prepared_is_not_used, .signal = TRAP)
{
    struct ss_variables variables = {0};
    struct ss_score score;
    ss_score_sum(helper_model_copy(), &variables, false, &score);
}
