/* Champion and challenger over archives written here: what is folded when, who moves and why, and
 * what the labels are held against. */
#include "audit/backtest_report.h"
#include "config/model_file.h"
#include "scoring/apply.h"
#include "scoring/decay.h"
#include "scoring/model_plan.h"
#include "tests/audit/helper_logs.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

#define DAY   LOGS_DAY
#define BEGIN LOGS_BEGIN

enum { EVENTS_MAX = 64 };

static struct ss_event events[SS_INPUT_COUNT][EVENTS_MAX];
static size_t counts[SS_INPUT_COUNT];
static char ids[EVENTS_MAX * SS_INPUT_COUNT][16];
static int id_count;
static struct ss_model champion, challenger;
static struct ss_backtest_result result;

static void set_up(void)
{
    struct ss_error err;
    logs_directory();
    cr_assert_eq(ss_model_default(&champion, &err), SS_OK);
    challenger = champion;
    snprintf(challenger.name, sizeof challenger.name, "other");
    memset(counts, 0, sizeof counts);
}

static void clean_up(void)
{
    ss_backtest_reset(&result);
    logs_remove();
}

TestSuite(backtest, .init = set_up, .fini = clean_up);

/* ---- events ---- */

static struct ss_event *add(enum ss_input input, const char *user, int64_t at_ms)
{
    struct ss_event *event = &events[input][counts[input]++];
    char *id = ids[id_count++];
    snprintf(id, sizeof ids[0], "e%d", id_count);
    *event = (struct ss_event){.input = input,
                               .user_id = logs_text(user),
                               .event_id = logs_text(id),
                               .occurred_at_ms = at_ms};
    return event;
}

static void consent(const char *user, enum ss_consent_action action, int64_t at_ms)
{
    add(SS_CONSENTS, user, at_ms)->consent =
        (struct ss_consent){.action = action, .purpose = SS_PURPOSE_SCORING};
}

static void bill(const char *user, enum ss_bill_status status, const char *id, int64_t at_ms,
                 int64_t due_ms)
{
    add(SS_BILLS, user, at_ms)->bill = (struct ss_bill){.status = status,
                                                        .bill_id = logs_text(id),
                                                        .amount_minor = 10000,
                                                        .currency = logs_text("CNY"),
                                                        .due_at_ms = due_ms};
}

static void payment(const char *user, int64_t at_ms, int64_t amount)
{
    add(SS_PAYMENTS, user, at_ms)->payment =
        (struct ss_payment){.amount_minor = amount, .currency = logs_text("CNY")};
}

static void write_input(enum ss_input input)
{
    if (counts[input] > 0)
        logs_plain(logs_path("%s.avro", ss_input_name(input)), input, events[input], counts[input]);
}

/* ---- runs ---- */

static struct ss_backtest_options options_of(bool both)
{
    struct ss_backtest_options options = {
        .models = {{.person = &champion}, {.person = both ? &challenger : NULL}},
        .until_ms = INT64_MAX,
        .future_tolerance_ms = DAY};
    return options;
}

static enum ss_status run(struct ss_backtest_options options, struct ss_error *err)
{
    static atomic_bool stop;
    err->detail[0] = '\0';
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        write_input((enum ss_input)input);
    const struct ss_source_config config = {.directory = logs_path("%s", "")};
    enum ss_status status = ss_source_open(&config, &options.source, err);
    cr_assert_eq(status, SS_OK, "%s", err->detail);
    options.stop = &stop;
    ss_backtest_reset(&result);
    status = ss_backtest_run(&options, &result, err);
    ss_source_close(options.source);
    return status;
}

static void backtest(struct ss_backtest_options options)
{
    struct ss_error err;
    ss_model_prepare(&champion); /* tests have changed them */
    ss_model_prepare(&challenger);
    cr_assert_eq(run(options, &err), SS_OK, "%s", err.detail);
}

static const struct ss_backtest_row *row_of(const struct ss_backtest_rows *rows, const char *user)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct ss_text id = ss_backtest_user(&result, rows->rows[i].person);
        if (id.size == strlen(user) && memcmp(id.data, user, id.size) == 0)
            return &rows->rows[i];
    }
    return NULL;
}

static int score_of(const char *user, int side)
{
    const struct ss_backtest_row *row = row_of(&result.at_end, user);
    cr_assert_not_null(row, "%s is not scored", user);
    return row->of[side].score;
}

/* Four people: one pays in time, one late, one not at all, one only shops. */
static void write_four(void)
{
    static const char *const names[4] = {"ann", "ben", "cid", "dot"};
    for (int i = 0; i < 4; i++)
        consent(names[i], SS_CONSENT_GRANTED, BEGIN);
    for (int i = 0; i < 3; i++)
        bill(names[i], SS_BILL_ISSUED, "rent", BEGIN + DAY, BEGIN + 20 * DAY);
    bill("ann", SS_BILL_PAID, "rent", BEGIN + 19 * DAY, SS_TIME_UNKNOWN);
    bill("ben", SS_BILL_PAID, "rent", BEGIN + 70 * DAY, SS_TIME_UNKNOWN);
    payment("dot", BEGIN + 100 * DAY, 50000);
}

/* ---- who moves ---- */

Test(backtest, the_same_model_moves_nobody)
{
    write_four();
    backtest(options_of(true));
    const struct ss_backtest_comparison *c = &result.comparison;
    cr_assert_eq(result.events, 10);
    cr_assert_eq(result.outcomes[SS_COUNTED], 10);
    cr_assert_eq(result.scored, 4);
    cr_assert_eq(result.as_of_ms, BEGIN + 100 * DAY);
    cr_assert_not(result.refolded);
    cr_assert_eq(c->risen + c->fallen, 0);
    cr_assert_eq(c->psi.value, 0);
    cr_assert_eq(c->mover_count, 0);
    cr_assert_eq(c->tier_up + c->tier_down, 0);
    cr_assert_eq(c->ranks.rho, 1);
}

Test(backtest, movers_are_explained_factor_by_factor)
{
    write_four();
    challenger.components[SS_VAR_LATENESS].weight = 20;
    challenger.components[SS_VAR_DEFAULTS].weight = 50;
    backtest(options_of(true));
    const struct ss_backtest_comparison *c = &result.comparison;
    cr_assert_gt(c->mover_count, 1);
    for (int i = 0; i < c->mover_count; i++) {
        const struct ss_backtest_row *row = &result.at_end.rows[c->movers[i].row];
        int change = row->of[1].score - row->of[0].score, points = 0, components = 0;
        for (int f = 0; f < SS_FACTOR_COUNT; f++)
            points += row->of[1].points_centi[f] - row->of[0].points_centi[f];
        cr_assert_leq(abs(points - change * 100), 99, "%d points explain %d", points, change);
        cr_assert_geq(c->movers[i].component_count, 2);
        for (int v = 0; v < c->movers[i].component_count; v++) {
            const struct ss_backtest_component *of = &c->movers[i].components[v];
            components += of->points_centi[1] - of->points_centi[0];
            cr_assert_eq(ss_variable_factor(of->variable), SS_FACTOR_HISTORY);
            cr_assert(v == 0 || abs(of->points_centi[1] - of->points_centi[0]) <=
                                    abs(of[-1].points_centi[1] - of[-1].points_centi[0]));
        }
        cr_assert_leq(abs(components - points), 10, "but for rounding: %d, %d", components, points);
        if (i > 0) {
            const struct ss_backtest_row *before = &result.at_end.rows[c->movers[i - 1].row];
            cr_assert_leq(abs(change), abs(before->of[1].score - before->of[0].score));
        }
    }
    cr_assert_eq(score_of("ann", 1), score_of("ann", 0), "she has neither late bills nor defaults");
    cr_assert_gt(score_of("cid", 1), score_of("cid", 0), "lateness counts for less");
    cr_assert_eq(c->risen, 3);
    cr_assert_eq(c->fallen, 0);
    cr_assert_eq(c->people, 4);
}

Test(backtest, tiers_and_privileges_gained_and_lost_are_counted)
{
    write_four();
    backtest(options_of(false));
    int ann = score_of("ann", 0), cid = score_of("cid", 0);
    cr_assert_gt(ann, cid);
    champion.tier_count = challenger.tier_count = 2;
    champion.tiers[1] = (struct ss_tier){"fine", ann};
    challenger.tiers[1] = (struct ss_tier){"fine", ann + 1};
    champion.benefit_count = 2;
    champion.benefits[0] = (struct ss_benefit){"loan", "", ann};
    champion.benefits[1] = (struct ss_benefit){"old", "", cid};
    challenger.benefit_count = 2;
    challenger.benefits[0] = (struct ss_benefit){"new", "", 350};
    challenger.benefits[1] = (struct ss_benefit){"loan", "", ann + 1};
    backtest(options_of(true));
    const struct ss_backtest_comparison *c = &result.comparison;
    cr_assert_eq(c->tier_down, 1);
    cr_assert_eq(c->tier_up, 0);
    cr_assert_eq(c->tiers[1][0], 1);
    cr_assert_eq(c->tiers[0][0], 3);
    cr_assert_eq(c->benefit_count, 3);
    static const struct {
        const char *id;
        int64_t held[2], gained, lost;
    } wanted[] = {{"loan", {1, 0}, 0, 1}, {"old", {4, 0}, 0, 4}, {"new", {0, 4}, 4, 0}};
    for (int i = 0; i < 3; i++) {
        cr_assert_str_eq(c->benefits[i].id, wanted[i].id);
        cr_expect_eq(c->benefits[i].held[0], wanted[i].held[0], "%s", wanted[i].id);
        cr_expect_eq(c->benefits[i].held[1], wanted[i].held[1], "%s", wanted[i].id);
        cr_expect_eq(c->benefits[i].gained, wanted[i].gained, "%s", wanted[i].id);
        cr_expect_eq(c->benefits[i].lost, wanted[i].lost, "%s", wanted[i].id);
    }
}

Test(backtest, a_listed_person_holds_nothing_under_either)
{
    write_four();
    add(SS_BLACKLIST, "ann", BEGIN + 2 * DAY)->listing =
        (struct ss_listing){.action = SS_LISTED, .case_id = logs_text("c")};
    challenger.benefit_count = champion.benefit_count = 1;
    challenger.benefits[0].threshold = champion.benefits[0].threshold = 350;
    backtest(options_of(true));
    cr_assert_eq(result.listed, 1);
    cr_assert_eq(score_of("ann", 0), champion.listed_cap);
    cr_assert_eq(result.comparison.benefits[0].held[0], 3);
}

Test(backtest, a_structural_difference_folds_the_history_twice)
{
    struct ss_model shorter;
    write_four();
    ss_decay_init(&challenger.bills_decay, 30);
    backtest(options_of(true));
    cr_assert(result.refolded);
    int champions = score_of("ben", 0), challengers = score_of("ben", 1);
    cr_assert_neq(champions, challengers);
    shorter = challenger;
    challenger = champion;
    champion = shorter;
    backtest(options_of(true));
    cr_assert_eq(score_of("ben", 0), challengers);
    cr_assert_eq(score_of("ben", 1), champions);
}

Test(backtest, businesses_are_scored_by_their_own_models)
{
    struct ss_model business = champion;
    write_four();
    add(SS_PROFILES, "ann", BEGIN + DAY)->profile =
        (struct ss_profile){.action = SS_PROFILE_ACCOUNT_OPENED,
                            .holder = SS_HOLDER_BUSINESS,
                            .opened_at_ms = SS_TIME_UNKNOWN};
    snprintf(business.tiers[0].name, SS_NAME_MAX, "young");
    business.weights[SS_FACTOR_HISTORY] = 90;
    ss_model_prepare(&business);
    struct ss_backtest_options options = options_of(true);
    options.models[SS_CHALLENGER].business = &business;
    backtest(options);
    cr_assert_eq(result.comparison.risen + result.comparison.fallen, 1);
    cr_assert_neq(score_of("ann", 0), score_of("ann", 1));
    cr_assert_eq(result.sides[1].tier_count, champion.tier_count + 1);
    cr_assert_eq(result.sides[0].tier_count, champion.tier_count);
}

Test(backtest, until_leaves_out_what_came_later)
{
    write_four();
    struct ss_backtest_options options = options_of(false);
    options.until_ms = BEGIN + 19 * DAY - 1;
    backtest(options);
    cr_assert_eq(result.as_of_ms, options.until_ms);
    cr_assert_eq(result.events, 7);
    int ann = score_of("ann", 0);
    cr_assert_eq(ann, score_of("cid", 0), "neither has paid or fallen overdue yet");
    options.until_ms = BEGIN - 1;
    struct ss_error err;
    cr_assert_eq(run(options, &err), SS_STOP);
    cr_assert_not_null(strstr(err.detail, "no event"), "%s", err.detail);
}

Test(backtest, without_consent_nobody_is_scored_but_for_a_study)
{
    payment("dot", BEGIN, 50000);
    payment("dot", BEGIN + DAY, 50000);
    struct ss_error err;
    struct ss_backtest_options options = options_of(false);
    cr_assert_eq(run(options, &err), SS_STOP);
    cr_assert_not_null(strstr(err.detail, "--assume-consent"), "%s", err.detail);
    options.assume_consent = true;
    backtest(options);
    cr_assert_eq(result.scored, 1);
}

/* ---- labels ---- */

static const struct ss_backtest_row *label_row(const char *user, int64_t time_ms)
{
    struct ss_backtest_label label = {logs_text(user), time_ms, true};
    struct ss_backtest_options options = options_of(false);
    options.labels = &label;
    options.label_count = 1;
    backtest(options);
    return row_of(&result.at_labels, user);
}

Test(backtest, a_label_sees_nothing_that_happened_at_its_time_or_later)
{
    int64_t at = BEGIN + 50 * DAY;
    write_four();
    bill("ann", SS_BILL_DEFAULTED, "car", at, SS_TIME_UNKNOWN);
    bill("ann", SS_BILL_DEFAULTED, "gym", at + DAY, SS_TIME_UNKNOWN);
    const struct ss_backtest_row *row = label_row("ann", at);
    cr_assert_not_null(row);
    int before = row->of[0].score, at_end = score_of("ann", 0);
    cr_assert_gt(before, at_end);
    counts[SS_BILLS] -= 2;
    row = label_row("ann", at);
    cr_assert_eq(row->of[0].score, before, "the defaults were not in it");
    bill("ann", SS_BILL_DEFAULTED, "car", at - 1, SS_TIME_UNKNOWN);
    row = label_row("ann", at);
    cr_assert_lt(row->of[0].score, before, "one just before is");
}

Test(backtest, a_label_sees_what_happened_before_it_but_came_later)
{
    int64_t at = BEGIN + 50 * DAY;
    consent("ann", SS_CONSENT_GRANTED, BEGIN);
    bill("ann", SS_BILL_DEFAULTED, "late", at + 5 * DAY, SS_TIME_UNKNOWN); /* first in the log */
    bill("ann", SS_BILL_DEFAULTED, "early", at - 5 * DAY, SS_TIME_UNKNOWN);
    int with = label_row("ann", at)->of[0].score;
    counts[SS_BILLS] = 0;
    bill("ann", SS_BILL_DEFAULTED, "early", at - 5 * DAY, SS_TIME_UNKNOWN);
    cr_assert_eq(label_row("ann", at)->of[0].score, with);
}

Test(backtest, a_label_is_as_of_its_own_time)
{
    write_four();
    int due = label_row("cid", BEGIN + 20 * DAY)->of[0].score;
    int month = label_row("cid", BEGIN + 50 * DAY)->of[0].score;
    int quarter = label_row("cid", BEGIN + 100 * DAY)->of[0].score;
    cr_assert_lt(month, due, "cid's bill is a month overdue by then");
    cr_assert_lt(quarter, month);
}

Test(backtest, labels_without_a_score_are_counted_and_left_out)
{
    write_four();
    consent("ben", SS_CONSENT_WITHDRAWN, BEGIN + 60 * DAY);
    consent("eve", SS_CONSENT_GRANTED, BEGIN + 60 * DAY);
    const struct ss_backtest_label labels[] = {
        {logs_text("ann"), BEGIN + 50 * DAY, false}, {logs_text("ben"), BEGIN + 50 * DAY, true},
        {logs_text("ben"), BEGIN + 80 * DAY, true},  {logs_text("eve"), BEGIN + 50 * DAY, true},
        {logs_text("zoe"), BEGIN + 50 * DAY, true},  {logs_text("ann"), BEGIN + 90 * DAY, false},
    };
    struct ss_backtest_options options = options_of(true);
    options.labels = labels;
    options.label_count = 6;
    backtest(options);
    const struct ss_backtest_labelled *l = &result.labelled;
    cr_assert_eq(l->labels, 6);
    cr_assert_eq(l->used, 3);
    cr_assert_eq(l->unknown, 1, "zoe");
    cr_assert_eq(l->unscored, 2, "ben has withdrawn, eve has not granted yet");
    cr_assert_eq(l->goods, 2);
    cr_assert_eq(l->bads, 1);
    cr_assert_eq(l->people, 2);
    cr_assert_eq(l->first_ms, BEGIN + 50 * DAY);
    cr_assert_eq(l->last_ms, BEGIN + 90 * DAY);
    cr_assert_null(row_of(&result.at_end, "ben"), "he is not scored at the end");
}

Test(backtest, labels_measure_score_and_factors)
{
    static char names[40][8];
    struct ss_backtest_label labels[40];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "u%02d", i);
        consent(names[i], SS_CONSENT_GRANTED, BEGIN);
        bill(names[i], i % 4 ? SS_BILL_PAID : SS_BILL_DEFAULTED, "b", BEGIN + DAY, BEGIN + 2 * DAY);
        labels[i] = (struct ss_backtest_label){logs_text(names[i]), BEGIN + 10 * DAY, i % 8 < 2};
    }
    struct ss_backtest_options options = options_of(true);
    options.labels = labels;
    options.label_count = 40;
    for (int v = SS_VAR_LATENESS; v <= SS_VAR_TRACK_RECORD; v++)
        challenger.components[v].weight = v == SS_VAR_TRACK_RECORD; /* one curve is as good here */
    backtest(options);
    const struct ss_backtest_labelled *l = &result.labelled;
    /* of 10 bad 5 had defaulted, of 30 good 5: 25 of 30 times 5 of 10, and ties by halves */
    double expected = (25.0 * 5 + (5.0 * 5 + 25.0 * 5) / 2) / 300;
    for (int s = 0; s < 2; s++) {
        const struct ss_backtest_measured *of = &l->of[s];
        cr_assert_float_eq(of->of[SS_BACKTEST_SCORE].auc, expected, 1e-12);
        cr_assert_float_eq(of->of[SS_FACTOR_HISTORY].auc, expected, 1e-12);
        cr_assert_eq(of->of[SS_FACTOR_RELATIONSHIPS].verdict, SS_STATISTICS_ONE_VALUE);
        cr_assert_eq(of->p_together[SS_FACTOR_RELATIONSHIPS], 1);
        cr_assert_geq(of->p_together[SS_BACKTEST_SCORE], of->of[SS_BACKTEST_SCORE].p);
        int64_t people = 0, bads = 0;
        for (int t = 0; t < result.sides[s].tier_count; t++) {
            people += of->tiers[t].count;
            bads += of->tiers[t].bads;
        }
        cr_assert_eq(people, 40);
        cr_assert_eq(bads, 10);
    }
    cr_assert_eq(l->differences[SS_BACKTEST_SCORE].verdict, SS_STATISTICS_ONE_VALUE, "alike");
}

/* ---- reports ---- */

static char *contents(const char *name)
{
    static char bytes[1 << 20];
    FILE *file = fopen(logs_path("%s", name), "r");
    cr_assert_not_null(file);
    size_t size = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    bytes[size] = '\0';
    return bytes;
}

Test(backtest, reports_say_the_same_and_escape_what_people_are_called)
{
    static const char odd[] = "<b>\"x\",&";
    struct ss_error err = {.detail = ""};
    write_four();
    consent(odd, SS_CONSENT_GRANTED, BEGIN);
    const struct ss_backtest_label labels[] = {{logs_text("ann"), BEGIN + 50 * DAY, false},
                                               {logs_text("cid"), BEGIN + 50 * DAY, false}};
    struct ss_backtest_options options = options_of(true);
    options.labels = labels;
    options.label_count = 2;
    challenger.components[SS_VAR_FRIENDS].neutral = 0;
    backtest(options);
    cr_assert_eq(ss_backtest_json(&result, logs_path("out.json"), &err), SS_OK, "%s", err.detail);
    json_t *json = json_load_file(logs_path("out.json"), 0, NULL);
    cr_assert_not_null(json);
    json_t *movers = json_object_get(json_object_get(json, "comparison"), "movers");
    cr_assert_eq(json_array_size(movers), 5);
    bool found = false;
    for (size_t i = 0; i < json_array_size(movers); i++)
        found = found ||
                strcmp(json_string_value(json_object_get(json_array_get(movers, i), "user_id")),
                       odd) == 0;
    cr_assert(found);
    json_t *score = json_object_get(
        json_object_get(json_object_get(json_object_get(json, "labelled"), "champion"), "measures"),
        "score");
    cr_assert_str_eq(json_string_value(json_object_get(score, "verdict")), "one_class");
    json_decref(json);

    cr_assert_eq(ss_backtest_page(&result, logs_path("out.html"), &err), SS_OK, "%s", err.detail);
    char *html = contents("out.html");
    cr_assert_null(strstr(html, "<b>"));
    cr_assert_not_null(strstr(html, "&lt;b&gt;"));
    cr_assert_null(strstr(html, "nan"));
    cr_assert_null(strstr(html, "http:"));

    cr_assert_eq(ss_backtest_csv(&result, false, logs_path("out.csv"), &err), SS_OK);
    cr_assert_not_null(strstr(contents("out.csv"), "\n\"<b>\"\"x\"\",&\","));
    cr_assert_eq(ss_backtest_csv(&result, true, logs_path("out.csv"), &err), SS_OK);
    cr_assert_not_null(strstr(contents("out.csv"), "\nann,2020-02-20T00:00:00Z,0,"));
    FILE *file = fopen(logs_path("out.csv"), "w");
    ss_backtest_text(&result, file);
    fclose(file);
    cr_assert_not_null(strstr(contents("out.csv"), "all have the same outcome"));
    cr_assert_eq(ss_backtest_csv(&result, true, "/nowhere/out.csv", &err), SS_STOP);
}
