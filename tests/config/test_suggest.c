#include "config/number.h"
#include "config/suggest.h"

#include <criterion/criterion.h>

Test(suggest, distance_counts_changes)
{
    cr_assert_eq(ss_suggest_distance("", ""), 0);
    cr_assert_eq(ss_suggest_distance("abc", ""), 3);
    cr_assert_eq(ss_suggest_distance("", "abc"), 3);
    cr_assert_eq(ss_suggest_distance("redis", "redis"), 0);
    cr_assert_eq(ss_suggest_distance("rdis", "redis"), 1);
    cr_assert_eq(ss_suggest_distance("erdis", "redis"), 1, "two neighbours swapped");
    cr_assert_eq(ss_suggest_distance("kitten", "sitting"), 3);
}

Test(suggest, nearest_or_none)
{
    static const char *const names[] = {"workers", "group", "redis.url"};
    cr_assert_str_eq(ss_suggest("worker", names, 3), "workers");
    cr_assert_str_eq(ss_suggest("gruop", names, 3), "group");
    cr_assert_str_eq(ss_suggest("redis.ulr", names, 3), "redis.url");
    cr_assert_null(ss_suggest("bootstrap.servers", names, 3));
    cr_assert_null(ss_suggest("", names, 3));
}

Test(number, only_whole_decimal_numbers)
{
    static const struct {
        const char *text;
        enum ss_number_result result;
        int64_t value;
    } cases[] = {
        {"0", SS_NUMBER_OK, 0},
        {"-100", SS_NUMBER_OK, -100},
        {"+7", SS_NUMBER_OK, 7},
        {"010", SS_NUMBER_OK, 10},
        {"100", SS_NUMBER_OK, 100},
        {"101", SS_NUMBER_OUT_OF_RANGE, 0},
        {"-101", SS_NUMBER_OUT_OF_RANGE, 0},
        {"99999999999999999999", SS_NUMBER_OUT_OF_RANGE, 0},
        {"", SS_NUMBER_NOT_ONE, 0},
        {"-", SS_NUMBER_NOT_ONE, 0},
        {" 1", SS_NUMBER_NOT_ONE, 0},
        {"1 ", SS_NUMBER_NOT_ONE, 0},
        {"1.0", SS_NUMBER_NOT_ONE, 0},
        {"0x10", SS_NUMBER_NOT_ONE, 0},
        {"1e3", SS_NUMBER_NOT_ONE, 0},
        {"--1", SS_NUMBER_NOT_ONE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 0;
        cr_expect_eq(ss_number_parse(cases[i].text, -100, 100, &value), cases[i].result, "'%s'",
                     cases[i].text);
        cr_expect_eq(value, cases[i].value, "'%s'", cases[i].text);
    }
}
