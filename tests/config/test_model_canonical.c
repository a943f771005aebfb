#include "config/model_file.h"
#include "helper_text.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char plain_path[] = "tests/config/model_plain.yaml";

struct versions {
    char whole[SS_NAME_MAX], structural[SS_NAME_MAX];
};

/* false: not a model. */
static bool versions_of(const char *text, struct versions *out)
{
    struct ss_error err = {0};
    struct ss_model *model = malloc(sizeof *model);
    bool ok = ss_model_parse(text, strlen(text), "m", model, &err) == SS_OK;
    if (ok) {
        memcpy(out->whole, model->version, SS_NAME_MAX);
        ok = ss_model_structural_version(model, out->structural, &err) == SS_OK;
    }
    free(model);
    return ok;
}

static void expect_same(const char *what, const char *text, const struct versions *expected)
{
    struct versions got;
    cr_assert(versions_of(text, &got), "%s", what);
    cr_expect_str_eq(got.whole, expected->whole, "%s", what);
    cr_expect_str_eq(got.structural, expected->structural, "%s", what);
}

/* To the byte, as docs/model-canonical.md says. */
Test(model_canonical, the_form_is_pinned)
{
    static const char expected[] = "sesame-model 3\n"
                                   "factor.history.weight 35\n"
                                   "factor.behaviour.weight 25\n"
                                   "factor.fulfilment.weight 20\n"
                                   "factor.characteristics.weight 15\n"
                                   "factor.relationships.weight 5\n"
                                   "component.lateness.weight 40\n"
                                   "component.lateness.neutral 6000\n"
                                   "component.lateness.curve 0:10000 500:7000 4000:0\n"
                                   "component.defaults.weight 30\n";
    static const char end[] = "component.friends.weight 100\n"
                              "component.friends.neutral 4002\n"
                              "component.friends.curve -5:4003 80:9986\n"
                              "late_severity 200 1000 2000 3000 4000\n"
                              "overdue_severity 0:0 30:1001 365:8000\n"
                              "refund_share 2000\n"
                              "cancelled_share 1000\n"
                              "booking_prior 3000\n"
                              "fact_points.phone 20\n"
                              "fact_points.address 21\n"
                              "fact_points.identity 45\n"
                              "fact_points.degree 14\n"
                              "aged_days 30\n"
                              "aged_overdue_days 7\n"
                              "listed_cap 351\n"
                              "revoke_margin 7\n"
                              "tier.low 350\n"
                              "tier.high 600\n"
                              "benefit.loan 600\n"
                              "benefit.car-rental 650\n"
                              "half_life_days.payments 180\n"
                              "half_life_days.bills 365\n"
                              "half_life_days.defaults 1095\n"
                              "half_life_days.bookings 366\n"
                              "recent_window 16\n"
                              "recent_days 14\n"
                              "base_currency CNY\n"
                              "currency.CNY 1/1\n"
                              "currency.JPY 24/5\n"
                              "currency.KWD 58/25\n"
                              "currency.USD 71/10\n";
    struct ss_error err = {0};
    struct ss_buffer text;
    struct ss_model *model = malloc(sizeof *model);
    ss_buffer_init(&text, SS_MODEL_CANONICAL_MAX);
    cr_assert_eq(ss_model_load(plain_path, model, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_model_canonical(model, &text, &err), SS_OK);
    cr_assert(text.size > sizeof expected + sizeof end);
    cr_assert_eq(memcmp(text.data, expected, sizeof expected - 1), 0, "%.*s", 400, text.data);
    cr_assert_eq(memcmp(text.data + text.size - (sizeof end - 1), end, sizeof end - 1), 0, "%.*s",
                 (int)text.size, text.data);
    /* As the second implementation in model_version.py printed it. */
    char structural[SS_NAME_MAX];
    cr_assert_eq(ss_model_structural_version(model, structural, &err), SS_OK);
    cr_assert_str_eq(model->version, "plain-907e51bb4d5a89b1");
    cr_assert_str_eq(structural, "f5d2ec8c020dcede");
    ss_buffer_reset(&text);
    free(model);
}

Test(model_canonical, a_full_buffer_is_an_error)
{
    struct ss_error err = {0};
    struct ss_buffer text;
    struct ss_model *model = malloc(sizeof *model);
    cr_assert_eq(ss_model_load(plain_path, model, &err), SS_OK);
    ss_buffer_init(&text, 100);
    cr_assert_eq(ss_model_canonical(model, &text, &err), SS_STOP);
    ss_buffer_reset(&text);
    free(model);
}

/* Runs the Python implementation on a model file and compares. */
static void compare_with_python(const char *path)
{
    char command[256], whole[128] = "", structural[128] = "";
    snprintf(command, sizeof command, "python3 tests/config/model_version.py %s", path);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    int lines = fscanf(pipe, "%127s %127s", whole, structural);
    int status = pclose(pipe);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127))
        cr_skip_test("no python3 with PyYAML here");
    cr_assert_eq(lines, 2, "%s", command);
    struct versions ours;
    char *text = helper_read(path);
    cr_assert(versions_of(text, &ours));
    cr_expect_str_eq(ours.whole, whole, "%s", path);
    cr_expect_str_eq(ours.structural, structural, "%s", path);
    free(text);
}

Test(model_canonical, a_second_implementation_agrees)
{
    compare_with_python(plain_path);
    compare_with_python("config/model.yaml");
}

Test(model_canonical, what_influences_no_score_changes_no_version)
{
    static const struct {
        const char *what, *from, *to;
    } same[] = {
        {"a comment", "name: plain", "name: plain # a comment"},
        {"a blank line", "refund_share:", "\n\n# more\nrefund_share:"},
        {"quotes", "name: plain", "name: 'plain'"},
        {"a title", "A loan of up to 5000", "A loan"},
        {"the order of keys at the top", "refund_share: 2000\ncancelled_share: 1000\n",
         "cancelled_share: 1000\nrefund_share: 2000\n"},
        {"the order of a component's keys", "{weight: 40, neutral: 6000,",
         "{neutral: 6000, weight: 40,"},
        {"the order of components",
         "      identity: {weight: 51, neutral: 1500, curve: [[0, 1503], [100, 9989]]}\n"
         "      education: {weight: 17, neutral: 4000, curve: [[0, 4001], [3, 9988]]}\n",
         "      education: {weight: 17, neutral: 4000, curve: [[0, 4001], [3, 9988]]}\n"
         "      identity: {weight: 51, neutral: 1500, curve: [[0, 1503], [100, 9989]]}\n"},
        {"the order of currencies",
         "    JPY: {rate: 0.048, decimals: 0}\n    KWD: {rate: 23.2, decimals: 3}\n",
         "    KWD: {rate: 23.2, decimals: 3}\n    JPY: {rate: 0.048, decimals: 0}\n"},
        {"the layout of a curve", "[[0, 10000], [500, 7000], [4000, 0]]",
         "\n          - [0, 10000]\n          - [500, 7000]\n          - [4000, 0]\n        "},
        {"zeros behind the point", "rate: 7.10", "rate: 7.1"},
        {"zeros before a number", "refund_share: 2000", "refund_share: 02000"},
    };
    char *plain = helper_read(plain_path);
    struct versions expected;
    cr_assert(versions_of(plain, &expected));
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char *text = helper_replace(plain, same[i].from, same[i].to, NULL);
        if (i == 8) { /* a block list needs a block map around it */
            char *block = helper_replace(
                text, "{weight: 40, neutral: 6000, curve: \n",
                "\n        weight: 40\n        neutral: 6000\n        curve:\n", NULL);
            char *closed = helper_replace(block, "\n        }\n", "\n", NULL);
            free(block);
            free(text);
            text = closed;
        }
        expect_same(same[i].what, text, &expected);
        free(text);
    }
    /* The name shows, but beside the hash. */
    char *renamed = helper_replace(plain, "name: plain", "name: other", NULL);
    struct versions got;
    cr_assert(versions_of(renamed, &got));
    cr_assert_str_eq(got.whole, "other-907e51bb4d5a89b1");
    free(renamed);
    free(plain);
}

/* Changes one digit, so that it differs. */
static void nudge(char *digit, int by)
{
    if (by > 0)
        *digit = *digit == '9' ? '8' : (char)(*digit + 1);
    else
        *digit = *digit == '0' ? '1' : (char)(*digit - 1);
}

/* Walks over every number of a model file, changes it a little, and expects another version:
 * nothing that is read is left out of the canonical form. `numbers` gets how many there were,
 * `fixed` those of them that can have no other value. */
static void expect_every_number_counts(const char *path, int *numbers, int *fixed)
{
    char *text = helper_read(path);
    const char *structural_part = strstr(text, "\nstructural:");
    struct versions before;
    cr_assert(versions_of(text, &before));
    *numbers = 0;
    *fixed = 0;
    for (char *line = text; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t size = strcspn(line, "\n");
        size_t code = strcspn(line, "#\n"); /* up to a comment */
        char *title = memmem(line, code, "title:", 6);
        if (title)
            code = (size_t)(title - line);
        for (size_t i = 0; i < code && i < size; i++) {
            char *c = line + i;
            /* The last digit of a number, which stands behind a space or bracket: not one of a
             * name. */
            if (!isdigit((unsigned char)*c) || isdigit((unsigned char)c[1]) || c[1] == '.')
                continue;
            char *start = c;
            while (isdigit((unsigned char)start[-1]) || start[-1] == '.')
                start--;
            if (!strchr(" [-", start[-1]) || isalpha((unsigned char)start[-2]))
                continue;
            ++*numbers;
            /* A little more, a little less, much less (10000 may neither grow nor end in another
             * digit). */
            struct {
                char *digit;
                int by;
            } tries[] = {{c, 1}, {c, -1}, {start, -1}};
            struct versions after;
            bool changed = false;
            for (int t = 0; t < 3 && !changed; t++) {
                char kept = *tries[t].digit;
                nudge(tries[t].digit, tries[t].by);
                changed = versions_of(text, &after);
                *tries[t].digit = kept;
            }
            if (!changed) {
                ++*fixed;
                continue;
            }
            cr_expect_str_neq(after.whole, before.whole, "%.*s (column %zu)", (int)size, line, i);
            bool structural = line > structural_part;
            cr_expect_eq(strcmp(after.structural, before.structural) != 0, structural, "%.*s",
                         (int)size, line);
        }
    }
    free(text);
}

Test(model_canonical, every_single_number_changes_the_version)
{
    int numbers, fixed;
    expect_every_number_counts(plain_path, &numbers, &fixed);
    cr_assert_eq(numbers, 143);
    cr_assert_eq(fixed, 2, "the least tier and the base's rate, but %d", fixed);
    /* Here also x values that have neighbours on both sides. */
    expect_every_number_counts("config/model.yaml", &numbers, &fixed);
    cr_assert_gt(numbers, 200);
    cr_assert_lt(fixed, numbers / 20);
}

Test(model_canonical, names_and_order_count_where_subscribers_see_them)
{
    static const struct {
        const char *from, *to;
    } other[] = {
        {"name: low", "name: lower"},
        {"id: loan", "id: loans"},
        {"  - {id: loan, threshold: 600, title: A loan of up to 5000}\n"
         "  - {id: car-rental, threshold: 650, title: No deposit 100 %}\n",
         "  - {id: car-rental, threshold: 650, title: No deposit 100 %}\n"
         "  - {id: loan, threshold: 600, title: A loan of up to 5000}\n"},
        {"USD:", "EUR:"},
        {"    USD: {rate: 7.10, decimals: 2}\n", ""},
        {"[500, 7000], ", ""},
    };
    char *plain = helper_read(plain_path);
    struct versions before, after;
    cr_assert(versions_of(plain, &before));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        char *text = helper_replace(plain, other[i].from, other[i].to, NULL);
        cr_assert(versions_of(text, &after), "%s", other[i].to);
        cr_expect_str_neq(after.whole, before.whole, "%s", other[i].to);
        free(text);
    }
    free(plain);
}

/* The fields themselves, so that a number which the loader mixes up with another does not hide. */
Test(model_canonical, every_field_of_the_struct_changes_the_version)
{
    struct ss_error err = {0};
    struct ss_model *model = malloc(sizeof *model);
    cr_assert_eq(ss_model_load(plain_path, model, &err), SS_OK);
    int32_t *fields[256];
    size_t count = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        fields[count++] = &model->weights[f];
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        fields[count++] = &model->components[v].weight;
        fields[count++] = &model->components[v].neutral;
        for (int i = 0; i < model->components[v].curve.count; i++)
            fields[count++] = &model->components[v].curve.y[i];
    }
    for (int i = 0; i < SS_LATE_BUCKETS; i++)
        fields[count++] = &model->late_severity[i];
    for (int i = 0; i < model->overdue_severity.count; i++)
        fields[count++] = &model->overdue_severity.y[i];
    for (int i = SS_FACT_PHONE; i < SS_FACT_COUNT; i++)
        fields[count++] = &model->fact_points[i];
    fields[count++] = &model->refund_share;
    fields[count++] = &model->cancelled_share;
    fields[count++] = &model->booking_prior;
    fields[count++] = &model->aged_days;
    fields[count++] = &model->aged_overdue_days;
    fields[count++] = &model->listed_cap;
    fields[count++] = &model->revoke_margin;
    fields[count++] = &model->tiers[1].from;
    fields[count++] = &model->benefits[0].threshold;
    size_t first_structural = count;
    fields[count++] = &model->payments_decay.half_life_days;
    fields[count++] = &model->bills_decay.half_life_days;
    fields[count++] = &model->defaults_decay.half_life_days;
    fields[count++] = &model->bookings_decay.half_life_days;
    fields[count++] = &model->recent_window;
    fields[count++] = &model->recent_days;
    char before[SS_NAME_MAX], after[SS_NAME_MAX];
    cr_assert_eq(ss_model_structural_version(model, before, &err), SS_OK);
    for (size_t i = 0; i < count; i++) {
        ++*fields[i];
        cr_assert_eq(ss_model_version(model, after, &err), SS_OK);
        cr_expect_str_neq(after, model->version, "field %zu", i);
        cr_assert_eq(ss_model_structural_version(model, after, &err), SS_OK);
        cr_expect_eq(strcmp(before, after) != 0, i >= first_structural, "field %zu", i);
        --*fields[i];
    }
    free(model);
}
