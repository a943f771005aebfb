/* Plain words: every reason code has them, amounts and times cannot be misread, and nothing that an
 * event carries gets through as anything but text. */
#include "audit/explain_words.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ss_text text(const char *s)
{
    return (struct ss_text){s, (uint32_t)strlen(s)};
}

/* Section 6.10 of docs/model.md lists all codes there are. */
Test(explain_words, every_reason_code_of_the_model_has_words)
{
    FILE *file = fopen("docs/model.md", "r");
    cr_assert(file);
    char line[512];
    bool inside = false;
    int codes = 0;
    while (fgets(line, sizeof line, file)) {
        inside |= strncmp(line, "6.10.", 5) == 0;
        if (strncmp(line, "## 7", 4) == 0)
            break;
        for (char *word = strtok(line, " ,.`()*\n"); inside && word;
             word = strtok(NULL, " ,.`()*\n")) {
            if (strlen(word) < 6 || strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != strlen(word))
                continue;
            const struct ss_reason_words *words = ss_words_reason(text(word));
            cr_assert(words, "%s", word);
            cr_assert(words->brief[0] && words->meaning[0]);
            codes++;
        }
    }
    fclose(file);
    cr_assert_geq(codes, 25);
    cr_assert_null(ss_words_reason(text("LATE_BILL")));
}

Test(explain_words, amounts_have_their_currency_and_its_decimals)
{
    char out[SS_WORDS_SHORT];
    cr_assert_str_eq(ss_words_money(123450, text("CNY"), out), "1,234.50 CNY");
    cr_assert_str_eq(ss_words_money(5, text("CNY"), out), "0.05 CNY");
    cr_assert_str_eq(ss_words_money(1234567, text("JPY"), out), "1,234,567 JPY");
    cr_assert_str_eq(ss_words_money(-1005, text("KWD"), out), "-1.005 KWD");
    cr_assert_str_eq(ss_words_money(INT64_MIN, text("X"), out), "-92,233,720,368,547,758.08 X");
}

Test(explain_words, times_are_utc_and_unambiguous)
{
    char out[SS_WORDS_SHORT];
    cr_assert_str_eq(ss_words_date(INT64_C(1577923200000), out), "2 January 2020");
    cr_assert_str_eq(ss_words_time(INT64_C(1577923200000) - 1, out),
                     "1 January 2020, 23:59:59 UTC");
    cr_assert_str_eq(ss_words_iso(INT64_C(1577923200000) - 1, out), "2020-01-01T23:59:59.999Z");
    cr_assert_str_eq(ss_words_iso(INT64_C(1577923200000), out), "2020-01-02T00:00:00Z");
    cr_assert_str_eq(ss_words_date(-1, out), "31 December 1969");
}

Test(explain_words, says_by_how_much_a_bill_was_late)
{
    char out[SS_WORDS_SENTENCE];
    struct ss_event event = {.input = SS_BILLS,
                             .occurred_at_ms = INT64_C(1577923200000),
                             .bill = {.status = SS_BILL_PAID,
                                      .kind = SS_BILL_RENT,
                                      .bill_id = text("r-1"),
                                      .due_at_ms = SS_TIME_UNKNOWN}};
    cr_assert_str_eq(ss_words_event(&event, SS_TIME_UNKNOWN, out), "The rent r-1 was paid.");
    cr_assert_str_eq(ss_words_event(&event, event.occurred_at_ms - 86400000, out),
                     "The rent r-1 was paid 1 day late; it was due on 1 January 2020.");
    cr_assert_str_eq(ss_words_event(&event, event.occurred_at_ms - 86399999, out),
                     "The rent r-1 was paid on time; it was due on 1 January 2020.");
    cr_assert_str_eq(ss_words_event(&event, event.occurred_at_ms + 86400000, out),
                     "The rent r-1 was paid on time; it was due on 3 January 2020.");
}

Test(explain_words, what_is_no_text_is_replaced)
{
    char out[SS_WORDS_SENTENCE];
    struct ss_event event = {.input = SS_BLACKLIST,
                             .listing = {.action = SS_LISTED,
                                         .case_id = text("c\x1b[31m\n"),
                                         .authority = text("A\xff\xe2\x80\xae"
                                                           "B"),
                                         .currency = text("CNY")}};
    cr_assert_str_eq(ss_words_event(&event, SS_TIME_UNKNOWN, out),
                     "Court case c\xef\xbf\xbd[31m\xef\xbf\xbd (A\xef\xbf\xbd\xef\xbf\xbd"
                     "B) entered you in the register of defaulters.");
}

Test(explain_words, a_long_text_is_cut_between_characters)
{
    char out[8] = "";
    ss_words_append(out, sizeof out, text("abcde\xc3\xa9\xc3\xa9"));
    cr_assert_str_eq(out, "abcde\xc3\xa9");
}
