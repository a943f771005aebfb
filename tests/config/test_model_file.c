#include "config/model_file.h"
#include "helper_text.h"
#include "scoring/decay.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char plain_path[] = "tests/config/model_plain.yaml";

Test(model_file, every_number_reaches_its_field)
{
    struct ss_error err = {0};
    struct ss_model *model = malloc(sizeof *model);
    cr_assert_eq(ss_model_load(plain_path, model, &err), SS_OK, "%s", err.detail);
    cr_assert_str_eq(model->name, "plain");
    static const int32_t weights[SS_FACTOR_COUNT] = {35, 25, 20, 15, 5};
    cr_assert_arr_eq(model->weights, weights, sizeof weights);
    static const struct {
        int32_t weight, neutral, y0, y_last;
        int64_t x_last;
    } components[SS_VAR_COUNT] = {
        [SS_VAR_LATENESS] = {40, 6000, 10000, 0, 4000},
        [SS_VAR_DEFAULTS] = {30, 7001, 10000, 500, 1000},
        [SS_VAR_TRACK_RECORD] = {20, 2000, 2000, 9999, 24000},
        [SS_VAR_DEBT] = {10, 6003, 9998, 1800, 10000},
        [SS_VAR_ACTIVITY] = {41, 2500, 1500, 9997, 200000},
        [SS_VAR_REGULARITY] = {29, 2501, 1000, 9996, 12},
        [SS_VAR_DIVERSITY] = {16, 3000, 1501, 9995, 8},
        [SS_VAR_REVERSALS] = {14, 6001, 9994, 0, 5000},
        [SS_VAR_SPENDING] = {26, 2502, 1001, 9993, 40000000},
        [SS_VAR_REPAYMENT] = {31, 2503, 1002, 9992, 40000001},
        [SS_VAR_LIMIT] = {24, 3001, 1502, 9991, 24000000},
        [SS_VAR_BOOKINGS] = {19, 6002, 0, 9990, 10000},
        [SS_VAR_IDENTITY] = {51, 1500, 1503, 9989, 100},
        [SS_VAR_EDUCATION] = {17, 4000, 4001, 9988, 3},
        [SS_VAR_TENURE] = {32, 2001, 1504, 9987, 2190},
        [SS_VAR_FRIENDS] = {100, 4002, 4003, 9986, 80},
    };
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        const struct ss_component *got = &model->components[v];
        const char *name = ss_variable_name((enum ss_variable)v);
        int last = got->curve.count - 1;
        cr_expect_eq(got->weight, components[v].weight, "%s", name);
        cr_expect_eq(got->neutral, components[v].neutral, "%s", name);
        cr_expect_eq(last, v == SS_VAR_LATENESS ? 2 : 1, "%s", name);
        cr_expect_eq(got->curve.x[0], v == SS_VAR_FRIENDS ? -5 : 0, "%s", name);
        cr_expect_eq(got->curve.y[0], components[v].y0, "%s", name);
        cr_expect_eq(got->curve.x[last], components[v].x_last, "%s", name);
        cr_expect_eq(got->curve.y[last], components[v].y_last, "%s", name);
    }
    static const int32_t late[SS_LATE_BUCKETS] = {200, 1000, 2000, 3000, 4000};
    cr_assert_arr_eq(model->late_severity, late, sizeof late);
    cr_assert_eq(model->overdue_severity.count, 3);
    cr_assert_eq(model->overdue_severity.x[1], 30);
    cr_assert_eq(model->overdue_severity.y[1], 1001);
    cr_assert_eq(model->refund_share, 2000);
    cr_assert_eq(model->cancelled_share, 1000);
    cr_assert_eq(model->booking_prior, 3000);
    cr_assert_eq(model->fact_points[SS_FACT_NONE], 0);
    cr_assert_eq(model->fact_points[SS_FACT_PHONE], 20);
    cr_assert_eq(model->fact_points[SS_FACT_ADDRESS], 21);
    cr_assert_eq(model->fact_points[SS_FACT_IDENTITY], 45);
    cr_assert_eq(model->fact_points[SS_FACT_DEGREE], 14);
    cr_assert_eq(model->listed_cap, 351);
    cr_assert_eq(model->revoke_margin, 7);
    cr_assert_eq(model->tier_count, 2);
    cr_assert_str_eq(model->tiers[1].name, "high");
    cr_assert_eq(model->tiers[1].from, 600);
    cr_assert_eq(model->benefit_count, 2);
    cr_assert_str_eq(model->benefits[1].id, "car-rental");
    cr_assert_str_eq(model->benefits[1].title, "No deposit 100 %");
    cr_assert_eq(model->benefits[1].threshold, 650);
    cr_assert_eq(model->payments_decay.half_life_days, 180);
    cr_assert_eq(model->bills_decay.half_life_days, 365);
    cr_assert_eq(model->defaults_decay.half_life_days, 1095);
    cr_assert_eq(model->bookings_decay.half_life_days, 366);
    struct ss_decay decay;
    ss_decay_init(&decay, 366);
    cr_assert_arr_eq(model->bookings_decay.factor, decay.factor, sizeof decay.factor);
    cr_assert_eq(model->recent_window, 16);
    cr_assert_eq(model->recent_days, 14);
    cr_assert_eq(model->aged_days, 30);
    cr_assert_eq(model->aged_overdue_days, 7);
    cr_assert_str_eq(model->base_currency, "CNY");
    static const struct ss_currency currencies[] = {
        {"CNY", 1, 1}, {"JPY", 24, 5}, {"KWD", 58, 25}, {"USD", 71, 10}};
    cr_assert_eq(model->currency_count, 4);
    for (int i = 0; i < 4; i++) {
        cr_expect_str_eq(model->currencies[i].code, currencies[i].code);
        cr_expect_eq(model->currencies[i].numerator, currencies[i].numerator);
        cr_expect_eq(model->currencies[i].denominator, currencies[i].denominator);
    }
    free(model);
}

/* Each case changes the first `from` of the plain model; the error is on that line, plus `below`.
 */
static const struct {
    const char *from, *to;
    int below;
    const char *expect;
} wrong[] = {
    /* names */
    {"name: plain", "name: Plain", 0, "name: 'Plain' is not a name; 1 to 30 of a-z, 0-9 and -"},
    {"name: plain", "name: ''", 0, "is not a name"},
    {"name: plain", "name: a-name-that-is-one-byte-too-long", 0, "is not a name"},
    {"name: plain", "name: [plain]", 0, "is not a name"},
    {"{name: low,", "{name: lo_w,", 0, "tiers.name: 'lo_w' is not a name"},
    {"{id: loan,", "{id: lo an,", 0, "benefits.id: 'lo an' is not a name"},
    /* missing, unknown, in the wrong place, twice */
    {"listed_cap: 351\n", "", -41, ": 'listed_cap' is missing; add it"},
    {"refund_share:", "refund_shares:", 0,
     "'refund_shares' is not known here; did you mean 'refund_share'?"},
    {"revoke_margin: 7", "revoke_margin: 7\ncolour: 7", 1, "'colour' is not known here; remove it"},
    {"      debt: {weight: 10, neutral: 6003, curve: [[0, 9998], [10000, 1800]]}\n", "", -4,
     "factors.history.components: 'debt' is missing"},
    {"debt:", "dept:", 0, "'dept' is not known here; did you mean 'debt'?"},
    {"debt:", "activity:", 0, "'activity' belongs to the factor 'behaviour'; move it there"},
    {"debt:", "lateness:", 0, "'lateness' is here twice, first on line 7"},
    {"  relationships:\n    weight: 5\n    components:\n      friends: {weight: 100, neutral: "
     "4002, curve: [[-5, 4003], [80, 9986]]}\n",
     "", -28, "factors: 'relationships' is missing"},
    {"  relationships:", "  relations:", 0, "factors: 'relations' is not known here"},
    {"neutral: 6000, ", "", 0, "factors.history.components.lateness: 'neutral' is missing"},
    {"{phone: 20, ", "{", 0, "fact_points: 'phone' is missing"},
    {"{payments: 180, ", "{", 0, "structural.half_life_days: 'payments' is missing"},
    {"fact_points: {phone: 20, address: 21, identity: 45, degree: 14}", "fact_points: 3", 0,
     "fact_points: must be a map"},
    /* numbers */
    {"weight: 35", "weight: -1", 0,
     "factors.history.weight: -1 is out of range; allowed are 0 to 1000"},
    {"weight: 35", "weight: 1001", 0, "factors.history.weight: 1001 is out of range"},
    {"weight: 35", "weight: 3.5", 0, "factors.history.weight: '3.5' is not a whole number"},
    {"weight: 35", "weight:", 0, "factors.history.weight: must be a whole number"},
    {"weight: 40,", "weight: x,", 0,
     "factors.history.components.lateness.weight: 'x' is not a whole"},
    {"weight: 100,", "weight: 0,", -1, "factors.relationships.components: all weights are 0"},
    {"neutral: 6000", "neutral: 10001", 0,
     "lateness.neutral: 10001 is out of range; allowed are 0 to 10000"},
    {"refund_share: 2000", "refund_share: 10001", 0, "refund_share: 10001 is out of range"},
    {"cancelled_share: 1000", "cancelled_share: -1", 0, "cancelled_share: -1 is out of range"},
    {"booking_prior: 3000", "booking_prior: 1000001", 0, "booking_prior: 1000001 is out of range"},
    {"phone: 20", "phone: -20", 0, "fact_points.phone: -20 is out of range"},
    {"listed_cap: 351", "listed_cap: 349", 0,
     "listed_cap: 349 is out of range; allowed are 350 to 950"},
    {"listed_cap: 351", "listed_cap: 951", 0, "listed_cap: 951 is out of range"},
    {"revoke_margin: 7", "revoke_margin: -1", 0, "revoke_margin: -1 is out of range"},
    {"payments: 180", "payments: 0", 0,
     "structural.half_life_days.payments: 0 is out of range; allowed are 1 to 4095"},
    {"payments: 180", "payments: 4096", 0, "half_life_days.payments: 4096 is out of range"},
    {"recent_window: 16", "recent_window: 33", 0,
     "recent_window: 33 is out of range; allowed are 0 to 32"},
    /* curves and lists */
    {"[[0, 10000], [500, 7000], [4000, 0]]", "[]", 0,
     "lateness.curve: has 0 entries; allowed are 1 to 24"},
    {"[[0, 10000], [500, 7000], [4000, 0]]", "flat", 0, "lateness.curve: must be a list"},
    {"[500, 7000]", "[0, 7000]", 0, "lateness.curve: x must ascend strictly, but 0 comes after 0"},
    {"[500, 7000]", "[4001, 7000]", 0, "x must ascend strictly, but 4000 comes after 4001"},
    {"[500, 7000]", "[500, 10001]", 0,
     "lateness.curve: 10001 is out of range; allowed are 0 to 10000"},
    {"[500, 7000]", "[500, -1]", 0, "lateness.curve: -1 is out of range"},
    {"[500, 7000]", "[500]", 0, "lateness.curve: each point must be [x, y]"},
    {"[500, 7000]", "500", 0, "lateness.curve: each point must be [x, y]"},
    {"[500, 7000]", "[half, 7000]", 0, "lateness.curve: 'half' is not a whole number"},
    {"[4000, 0]", "[1000000000001, 0]", 0, "1000000000001 is out of range"},
    {"[30, 1001]", "[30, -1]", 0, "overdue_severity: -1 is out of range; allowed are 0 to 1000000"},
    {"[30, 1001]", "[0, 1001]", 0, "overdue_severity: x must ascend"},
    {"[200, 1000, 2000, 3000, 4000]", "[200, 1000, 2000, 3000]", 0,
     "late_severity: has 4 entries; must have 5"},
    {"[200, 1000,", "[200, -1000,", 0, "late_severity: -1000 is out of range"},
    /* tiers and benefits */
    {"from: 350", "from: 351", 0, "tiers: the first tier starts at 351; it must start at 350"},
    {"from: 600", "from: 350", 0, "tiers: tiers must ascend, but 350 comes after 350"},
    {"from: 600", "from: 951", 0, "tiers.from: 951 is out of range"},
    {"name: high", "name: low", 0, "tiers: 'low' is here twice"},
    {"id: car-rental", "id: loan", 0, "benefits: 'loan' is here twice"},
    {"threshold: 600", "threshold: 349", 0,
     "benefits.threshold: 349 is out of range; allowed are 350 to 950"},
    {"threshold: 600", "threshold: 951", 0, "benefits.threshold: 951 is out of range"},
    {"title: A loan of up to 5000", "title: []", 0,
     "benefits.title: must be a text of at most 127 bytes"},
    /* currencies */
    {"base_currency: CNY", "base_currency: cny", 0, "'cny' is not a currency; use its ISO code"},
    {"base_currency: CNY", "base_currency: EUR", 1, "the base currency 'EUR' is missing"},
    {"USD:", "USDT:", 0, "structural.currencies.USDT: 'USDT' is not a currency"},
    {"USD:", "JPY:", 2, "'JPY' is here twice"},
    {"CNY: {rate: 1,", "CNY: {rate: 2,", 0,
     "currencies.CNY: the base currency's rate is '2'; it must be 1"},
    {"rate: 7.10", "rate: 0", 0, "currencies.USD: rate '0' must be a decimal above 0"},
    {"rate: 7.10", "rate: -7.10", 0, "rate '-7.10' must be a decimal"},
    {"rate: 7.10", "rate: 7.1e0", 0, "rate '7.1e0' must be a decimal"},
    {"rate: 7.10", "rate: '7.'", 0, "rate '7.' must be a decimal"},
    {"rate: 7.10", "rate: .7", 0, "rate '.7' must be a decimal"},
    {"rate: 7.10", "rate: 7.1.0", 0, "rate '7.1.0' must be a decimal"},
    {"rate: 7.10", "rate: 7.1234567", 0, "terms of at most 1000000; use fewer digits"},
    {"rate: 7.10", "rate: 1000001", 0, "terms of at most 1000000"},
    {"rate: 7.10", "rate: [7]", 0, "must be a decimal"},
    {"{rate: 0.048, decimals: 0}", "{rate: 0.048, decimals: 5}", 0,
     "JPY: 5 is out of range; allowed are 0 to 4"},
    {"{rate: 0.048, decimals: 0}", "{rate: 0.048}", 0, "JPY: 'decimals' is missing"},
};

Test(model_file, every_mistake_is_an_error_on_its_line)
{
    char *plain = helper_read(plain_path);
    struct ss_model *model = malloc(sizeof *model);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ss_error err = {0};
        int line;
        char *text = helper_replace(plain, wrong[i].from, wrong[i].to, &line);
        char place[32];
        snprintf(place, sizeof place, "m.yaml:%d: ", line + wrong[i].below);
        cr_expect_eq(ss_model_parse(text, strlen(text), "m.yaml", model, &err), SS_STOP, "%s",
                     wrong[i].to);
        cr_expect_eq(strncmp(err.detail, place, strlen(place)), 0, "'%s' gives '%s', not at %s",
                     wrong[i].to, err.detail, place);
        cr_expect(strstr(err.detail, wrong[i].expect), "'%s' gives '%s', not '%s'", wrong[i].to,
                  err.detail, wrong[i].expect);
        free(text);
    }
    free(model);
    free(plain);
}

Test(model_file, weights_of_all_factors_zero_is_an_error)
{
    char *text = helper_read(plain_path);
    static const char *const weights[] = {"    weight: 35\n", "    weight: 25\n",
                                          "    weight: 20\n", "    weight: 15\n",
                                          "    weight: 5\n"};
    struct ss_error err = {0};
    struct ss_model *model = malloc(sizeof *model);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(ss_model_parse(text, strlen(text), "m", model, &err), SS_OK,
                     "one that counts is enough: %s", err.detail);
        char *changed = helper_replace(text, weights[i], "    weight: 0\n", NULL);
        free(text);
        text = changed;
    }
    cr_assert_eq(ss_model_parse(text, strlen(text), "m", model, &err), SS_STOP);
    cr_assert_str_eq(err.detail,
                     "m:3: factors: all weights are 0; give at least one factor a weight");
    free(text);
    free(model);
}

Test(model_file, not_a_map_is_an_error)
{
    struct ss_error err = {0};
    struct ss_model *model = malloc(sizeof *model);
    cr_assert_eq(ss_model_parse("", 0, "m", model, &err), SS_STOP);
    cr_assert_str_eq(err.detail, "m:1: must be a map of `name: value` lines");
    cr_assert_eq(ss_model_load("no/such.yaml", model, &err), SS_STOP);
    cr_assert(strstr(err.detail, "no/such.yaml"));
    free(model);
}

Test(model_file, the_default_model_is_the_file_of_the_repository)
{
    struct ss_error err = {0};
    char *text = helper_read("config/model.yaml");
    struct ss_bytes built_in = ss_model_default_text();
    cr_assert_eq(built_in.size, strlen(text));
    cr_assert_str_eq((const char *)built_in.data, text);
    struct ss_model *model = malloc(sizeof *model);
    struct ss_model *loaded = malloc(sizeof *loaded);
    cr_assert_eq(ss_model_default(model, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_model_load("config/model.yaml", loaded, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(memcmp(model, loaded, sizeof *model), 0);
    cr_assert_eq(ss_model_load(NULL, loaded, &err), SS_OK);
    cr_assert_str_eq(loaded->version, model->version);
    free(loaded);
    free(model);
    free(text);
}

/* What DESIGN.md promises of the default model; the study may tune everything else. */
Test(model_file, the_default_model_is_what_was_publicly_reported)
{
    struct ss_error err = {0};
    struct ss_model *model = malloc(sizeof *model);
    cr_assert_eq(ss_model_default(model, &err), SS_OK, "%s", err.detail);
    static const int32_t weights[SS_FACTOR_COUNT] = {35, 25, 20, 15, 5};
    cr_assert_arr_eq(model->weights, weights, sizeof weights);
    static const struct {
        const char *name;
        int from;
    } tiers[] = {
        {"poor", 350}, {"medium", 550}, {"good", 600}, {"excellent", 650}, {"superb", 700}};
    cr_assert_eq(model->tier_count, 5);
    for (int i = 0; i < 5; i++) {
        cr_expect_str_eq(model->tiers[i].name, tiers[i].name);
        cr_expect_eq(model->tiers[i].from, tiers[i].from);
    }
    static const int thresholds[] = {600, 650, 650, 650, 666, 700, 750};
    cr_assert_eq(model->benefit_count, 7);
    for (int i = 0; i < 7; i++)
        cr_expect_eq(model->benefits[i].threshold, thresholds[i], "%s", model->benefits[i].id);
    cr_assert_eq(model->listed_cap, 350);
    cr_assert(model->currency_count >= 20);
    static const char *const needed[] = {"CNY", "EUR", "GBP", "INR", "JPY", "KRW", "TWD", "USD"};
    for (size_t n = 0; n < sizeof needed / sizeof *needed; n++) {
        bool found = false;
        for (int i = 0; i < model->currency_count; i++)
            found |= strcmp(model->currencies[i].code, needed[n]) == 0;
        cr_expect(found, "%s", needed[n]);
    }
    free(model);
}
