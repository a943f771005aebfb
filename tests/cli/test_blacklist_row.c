/* What the fields of a court's list mean, and the name of the event that a row becomes. */
#include "cli/blacklist_csv.h"
#include "cli/blacklist_row.h"
#include "config/model_file.h"
#include "helper_blacklist.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(blacklist_row, .init = list_open, .fini = list_close, .timeout = 60);

static int64_t amount(const char *string, const char *currency)
{
    int64_t minor;
    return ss_blacklist_amount(list_text(string), ss_blacklist_decimals(list_text(currency)),
                               &minor)
               ? minor
               : -1;
}

Test(blacklist_row, amounts_are_exact)
{
    cr_assert_eq(amount("1234.56", "CNY"), 123456);
    cr_assert_eq(amount("1234.5", "CNY"), 123450);
    cr_assert_eq(amount("1234", "CNY"), 123400);
    cr_assert_eq(amount("0.07", "CNY"), 7);
    cr_assert_eq(amount("1234.5600", "CNY"), 123456);
    cr_assert_eq(amount("1234.567", "CNY"), -1);
    cr_assert_eq(amount("12", "JPY"), 12);
    cr_assert_eq(amount("12.00", "JPY"), 12);
    cr_assert_eq(amount("12.5", "JPY"), -1);
    cr_assert_eq(amount("1.234", "KWD"), 1234);
    cr_assert_eq(amount("10000000000.00", "CNY"), SS_AMOUNT_MAX);
    cr_assert_eq(amount("10000000000.01", "CNY"), -1);
    cr_assert_eq(amount("99999999999999999999999", "JPY"), -1);
    const char *const wrong[] = {"", ".5", "5.", "-1", "+1", "1,5", "1 ", "1e3", "1.2.3", "."};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(amount(wrong[i], "CNY"), -1, "%s", wrong[i]);
}

Test(blacklist_row, currencies_have_their_digits)
{
    const struct {
        const char *code;
        int decimals;
    } some[] = {{"AED", 2}, {"CNY", 2},  {"JPY", 0},  {"KRW", 0}, {"BHD", 3}, {"CLF", 4},
                {"ZWG", 2}, {"XYZ", -1}, {"cny", -1}, {"", -1},   {"CN", -1}, {"CNYX", -1}};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        cr_assert_eq(ss_blacklist_decimals(list_text(some[i].code)), some[i].decimals, "%s",
                     some[i].code);
    /* what the default model can convert is what a list can name */
    struct ss_model *model = calloc(1, sizeof *model);
    struct ss_error err;
    cr_assert_eq(ss_model_default(model, &err), SS_OK);
    for (int i = 0; i < model->currency_count; i++)
        cr_assert_geq(ss_blacklist_decimals(list_text(model->currencies[i].code)), 0, "%s",
                      model->currencies[i].code);
    free(model);
}

Test(blacklist_row, times_are_iso_8601)
{
    const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"2024-05-01", 1714521600000},
        {"2024-05-01T08:30:00Z", 1714552200000},
        {"2024-05-01T08:30:00", 1714552200000},
        {"2024-05-01 08:30", 1714552200000},
        {"2024-05-01T08:30:00+08:00", 1714523400000},
        {"2024-05-01T08:30:00-0130", 1714557600000},
        {"2024-05-01T08:30:00.5Z", 1714552200500},
        {"2024-05-01T08:30:00.123456Z", 1714552200123},
        {"2000-02-29", 951782400000},
        {"2024-12-31T23:59:59.999Z", 1735689599999},
    };
    const char *const wrong[] = {"",
                                 "2024-5-1",
                                 "2024-02-30",
                                 "2023-02-29",
                                 "2100-02-29",
                                 "01.05.2024",
                                 "2024-05-01T",
                                 "2024-13-01",
                                 "2024-05-00",
                                 "2024-05-01T24:00:00",
                                 "2024-05-01T08:30:60",
                                 "2024-05-01T08:30:00+8",
                                 "2024-05-01 ",
                                 "1714521600000",
                                 "2024-05-01T08:30:00.Z",
                                 "2024-05-01Z"};
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert(ss_blacklist_time(list_text(good[i].text), &ms), "%s", good[i].text);
        cr_assert_eq(ms, good[i].ms, "%s: %lld", good[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(ss_blacklist_time(list_text(wrong[i]), &ms), "%s", wrong[i]);
}

static void read_row(struct ss_blacklist_row *row, const char *line)
{
    static struct ss_csv_record record;
    struct ss_blacklist_columns columns;
    struct ss_csv *csv;
    struct ss_error err;
    struct ss_model *model = calloc(1, sizeof *model);
    char file[512];
    bool more;
    snprintf(file, sizeof file, COLUMNS ",action\n%s\n", line);
    list_write(file);
    cr_assert_eq(ss_model_default(model, &err), SS_OK);
    cr_assert_eq(ss_csv_open(files.list, &csv, &err), SS_OK);
    cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
    cr_assert_eq(ss_blacklist_columns_read(&columns, &record, false, &err), SS_OK);
    cr_assert_eq(ss_csv_next(csv, &record, &more, &err), SS_OK);
    cr_assert_null(ss_blacklist_row_read(row, &columns, &record, model, 1767225600000, 0));
    ss_csv_close(csv);
    free(model);
}

Test(blacklist_row, the_same_case_is_the_same_event)
{
    struct ss_blacklist_row row, other;
    read_row(&row, "u1,c1,Court,1.00,CNY,2024-05-01,LISTED");
    /* printf 'u1\0c1\0LISTED\0' and the milliseconds, through sha256sum | cut -c 1-32 */
    cr_assert_str_eq(row.event_id, "96f1901848b3a301d8606229c50b4ac3");
    read_row(&other, "u1,c1,The Court,2.00,EUR,2024-05-01T00:00:00Z,");
    cr_assert_str_eq(other.event_id, row.event_id);
    const char *const others[] = {"u2,c1,,,,2024-05-01,", "u1,c2,,,,2024-05-01,",
                                  "u1,c1,,,,2024-05-02,", "u1,c1,,,,2024-05-01,DELISTED",
                                  "u1c,1,,,,2024-05-01,"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        read_row(&other, others[i]);
        cr_assert_str_neq(other.event_id, row.event_id, "%s", others[i]);
    }
}
