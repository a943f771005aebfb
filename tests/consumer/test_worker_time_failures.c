/* The passage of time with every call of bus and store failing: no step is lost, none is doubled.
 */
#include "helper_time.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Two bills that fall due, one after the other, and what ages; the clock goes on by itself. */
static void run_course(void)
{
    grant(user(0));
    grant(user(1));
    for (int i = 0; i < 4; i++)
        payment(user(1), RIG_TIME);
    bill(user(0), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
    bill(user(1), SS_BILL_ISSUED, "water", RIG_TIME + HOUR, DUE + DAY);
    rig_run(&rig);
    run_at(DUE + HOUR);
    run_at(DUE + 2 * DAY);
    bill(user(0), SS_BILL_PAID, "rent", RIG_TIME + 2 * HOUR, DUE);
    rig_run(&rig);
    run_at(DUE + 40 * DAY);
}

/* Of both; how the inputs interleave decides of as_of of the OPT_IN only. */
static char *course_told(void)
{
    char *both = malloc(8192);
    int size = snprintf(both, 8192, "%s| ", told(user(0)));
    snprintf(both + size, 8192 - (size_t)size, "%s", told(user(1)));
    return both;
}

static const char *calm(void)
{
    static char *text;
    if (!text) {
        open_one();
        run_course();
        rig_check(&rig);
        text = course_told();
        cr_assert_not_null(strstr(text, "OVERDUE 2d; "), "%s", text);
        cr_assert_not_null(strstr(text, "OVERDUE 3d; "), "%s", text);
        cr_assert_not_null(strstr(text, "AGED"), "%s", text);
        close_rig();
    }
    return text;
}

static void check_course(const char *what, int nth)
{
    const char *expected = calm();
    (void)expected;
    char *text = course_told();
    cr_assert_str_eq(text, expected, "%s, call %d: %s", what, nth, text);
    free(text);
    rig_check(&rig);
}

Test(time_failures, neither_lose_nor_double_a_step_whatever_fails_in_the_store, .timeout = 120)
{
    static const struct flaky_failure cases[] = {
        {FLAKY_WAKES, SS_RETRY, false, 1, "wakes"},
        {FLAKY_WAKES, SS_RETRY, false, 4, "wakes, for a while"},
        {FLAKY_WAKES, SS_GIVE_UP, false, 1, "wakes at another checkpoint"},
        {FLAKY_REARM, SS_RETRY, false, 1, "rearm"},
        {FLAKY_REARM, SS_RETRY, true, 1, "rearm that was done but not answered"},
        {FLAKY_REARM, SS_GIVE_UP, false, 1, "rearm at another checkpoint"},
        {FLAKY_SAVE, SS_RETRY, false, 1, "save"},
        {FLAKY_SAVE, SS_RETRY, false, 5, "save, for a while"},
        {FLAKY_SAVE, SS_RETRY, true, 1, "save that was done but not answered"},
        {FLAKY_SAVE, SS_GIVE_UP, false, 1, "save at another checkpoint"},
        {FLAKY_LOAD, SS_GIVE_UP, false, 1, "load at another checkpoint"},
    };
    calm();
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const struct flaky_failure *one = &cases[c];
        int failed = 1;
        for (int nth = 1; failed; nth++) {
            open_one();
            if (nth % 2)
                flaky_store_find_all(rig.flaky);
            flaky_store_fail(rig.flaky, one->op, nth, one->times, one->status, one->late);
            run_course();
            failed = flaky_store_calls(rig.flaky, one->op) >= nth;
            flaky_store_fail(rig.flaky, one->op, 0, 0, SS_OK, false);
            check_course(one->name, nth);
            close_rig();
        }
    }
}

Test(time_failures, neither_lose_nor_double_a_step_whatever_fails_in_the_bus, .timeout = 120)
{
    calm();
    for (size_t c = 0; c < MEMORY_TRANSACTION_FAILURES; c++) {
        const struct memory_failure *one = &memory_transaction_failures[c];
        int failed = 1;
        for (int nth = 1; failed; nth += 1 + nth / 12) {
            open_one();
            memory_bus_fail(rig.memory, one->op, nth, one->status, one->late);
            run_course();
            failed = memory_bus_calls(rig.memory, one->op) >= nth;
            check_course(one->name, nth);
            close_rig();
        }
    }
}
