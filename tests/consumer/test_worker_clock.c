/* The worker's loop in memory: how far a partition has seen time pass (promise 10). */
#include "helper_time.h"

#include <criterion/criterion.h>

TestSuite(worker_clock, .init = open_one, .fini = close_rig);

/* Bills: ISSUED and PAID; payments of somebody else before and after; all of it waits. */
static void send_backlog(int64_t payments_from_ms, int64_t payments_to_ms)
{
    grant(user(0));
    grant(user(1));
    bill(user(0), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
    for (int i = 0; i < 10; i++)
        bill(user(1), SS_BILL_CANCELLED, "nothing", RIG_TIME + (2 + i) * HOUR, DUE);
    bill(user(0), SS_BILL_PAID, "rent", DUE - HOUR, DUE);
    for (int i = 0; i <= 20; i++)
        payment(user(1), payments_from_ms + (payments_to_ms - payments_from_ms) / 20 * i);
}

static void check_no_alarm(const char *what)
{
    for (size_t at_once = 1; at_once < 50; at_once += 1 + at_once / 3) {
        close_rig();
        open_one();
        memory_bus_set_poll_max(rig.memory, at_once);
        rig.record_time_ms = RIG_TIME + 30 * DAY;
        set_clock(RIG_TIME + 30 * DAY);
        if (strcmp(what, "ahead") == 0)
            send_backlog(RIG_TIME + 3 * DAY, RIG_TIME + 20 * DAY);
        else
            send_backlog(RIG_TIME, RIG_TIME + DAY);
        rig_run(&rig);
        cr_assert_null(strstr(told(user(0)), "OVERDUE"), "%s, %zu at once: %s", what, at_once,
                       told(user(0)));
        cr_assert_not_null(strstr(told(user(0)), "UPDATE"), "%s", told(user(0)));
        rig_check(&rig);
    }
}

Test(worker_clock, a_backlog_whose_other_inputs_are_ahead_raises_no_false_alarm)
{
    check_no_alarm("ahead");
}

Test(worker_clock, a_backlog_whose_other_inputs_are_behind_raises_no_false_alarm)
{
    check_no_alarm("behind");
}

/* Nothing has been read yet of the input that holds the payment, and much of another. */
Test(worker_clock, a_restart_into_a_backlog_raises_no_alarm)
{
    for (size_t at_once = 1; at_once < 6; at_once++) {
        close_rig();
        open_one();
        begin();
        rig_restart(&rig);
        memory_bus_set_poll_max(rig.memory, at_once);
        rig.record_time_ms = RIG_TIME + 30 * DAY;
        set_clock(RIG_TIME + 30 * DAY);
        bill(user(0), SS_BILL_PAID, "rent", DUE - HOUR, DUE);
        for (int i = 0; i < 10; i++)
            payment(user(1), DUE + i * HOUR);
        rig_run(&rig);
        cr_assert_null(strstr(told(user(0)), "OVERDUE"), "%zu at once", at_once);
        rig_check(&rig);
    }
}

/* The payment may be of the very instant, behind another event of that instant. */
Test(worker_clock, a_bill_paid_when_it_is_due_raises_no_alarm)
{
    for (size_t at_once = 1; at_once < 6; at_once++) {
        close_rig();
        open_one();
        begin();
        memory_bus_set_poll_max(rig.memory, at_once);
        rig.record_time_ms = RIG_TIME + 5 * DAY;
        set_clock(RIG_TIME + 5 * DAY);
        bill(user(0), SS_BILL_ISSUED, "water", DUE, DUE + 9 * DAY);
        bill(user(0), SS_BILL_PAID, "rent", DUE, DUE);
        rig_run(&rig);
        cr_assert_null(strstr(told(user(0)), "OVERDUE"), "%zu at once", at_once);
    }
}

Test(worker_clock, an_input_that_is_behind_holds_the_clock_back_and_idle_ones_do_not)
{
    struct ss_error err;
    bool idle;
    begin();
    memory_bus_set_poll_max(rig.memory, 1);
    rig.record_time_ms = RIG_TIME + 5 * DAY;
    grant(user(1));
    rig_run(&rig);
    for (int i = 0; i < 10; i++) /* the last but one is just beyond its due time */
        payment(user(1), i < 8 ? RIG_TIME + DAY + (2 + i) * HOUR : i == 8 ? DUE + 1 : DUE + HOUR);
    set_clock(RIG_TIME + 5 * DAY);
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
        cr_assert_null(strstr(told(user(0)), "OVERDUE"), "after %d payments", i + 1);
        cr_assert_eq(newest_mark().clock_ms, RIG_TIME + DAY + (2 + i) * HOUR - 1);
    }
    cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ");
    json_t *record = last_record();
    cr_assert_eq(
        json_integer_value(json_object_get(json_object_get(record, "positions"), "payments")), 9);
    json_decref(record);
    rig_run(&rig);
    rig_check(&rig);
}

/* In the middle of a backlog, where the system's clock says nothing yet. */
static void send_behind(struct ss_event event)
{
    memory_bus_set_poll_max(rig.memory, 1);
    rig_send(&rig, event);
    payment(user(0), RIG_TIME + 3 * HOUR); /* so that it is not the last */
}

Test(worker_clock, times_from_the_future_do_not_move_the_clock)
{
    struct ss_error err;
    bool idle;
    begin();
    set_clock(DUE - 10 * MINUTE);
    /* of the event, within what is tolerated of the record's time */
    struct ss_event event = rig_payment(&rig, user(1), 1000);
    event.occurred_at_ms = DUE + 20 * MINUTE;
    rig.record_time_ms = DUE - 20 * MINUTE;
    send_behind(event);
    cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    cr_assert_eq(newest_mark().clock_ms,
                 DUE - 20 * MINUTE - 1); /* more of that instant may follow */
    rig_run(&rig);
    /* of a producer whose clock is wrong: then that of the record is too */
    event = rig_payment(&rig, user(1), 1000);
    event.occurred_at_ms = rig.record_time_ms = DUE + 20 * DAY;
    send_behind(event);
    cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    cr_assert_eq(newest_mark().clock_ms, DUE - 10 * MINUTE);
    rig_run(&rig);
    cr_assert_null(strstr(told(user(0)), "OVERDUE"));
    run_at(DUE);
    cr_assert_not_null(strstr(told(user(0)), "OVERDUE 2d; "));
    rig_check(&rig);
}

Test(worker_clock, refused_events_do_not_move_the_clock)
{
    struct ss_error err;
    bool idle;
    begin();
    rig.config.limits.event_time = true;
    rig.record_time_ms = RIG_TIME + 9 * DAY;
    rig_restart(&rig);
    rig_run(&rig);
    struct ss_event event = rig_payment(&rig, user(0), -5);
    event.occurred_at_ms = DUE + HOUR;
    rig_send(&rig, event);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    event = rig_payment(&rig, user(1), 5); /* nor consented, but that is no matter of its time */
    event.occurred_at_ms = DUE + HOUR;
    rig_send(&rig, event);
    while (strcmp(told(user(0)), "OPT_IN 0d; ") == 0)
        cr_assert(rig_step(&rig, &idle, &err) == SS_OK && !idle, "nothing happens");
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ");
    rig_check(&rig);
}

Test(worker_clock, with_event_time_only_events_move_it)
{
    rig.config.limits.event_time = true;
    reopen_worker();
    begin();
    run_at(RIG_TIME + 400 * DAY);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    cr_assert_leq(newest_mark().clock_ms, RIG_TIME + HOUR);
    rig.record_time_ms = RIG_TIME + 400 * DAY;
    payment(user(1), DUE - 1);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    payment(user(1), DUE);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ");
    rig_check(&rig);
}

Test(worker_clock, the_clock_never_goes_back_even_over_a_restart)
{
    begin();
    run_at(DUE + DAY);
    int64_t before = newest_mark().clock_ms;
    cr_assert_geq(before, DUE);
    restart_wiped();
    run_at(RIG_TIME + DAY + HOUR);
    payment(user(0), RIG_TIME + 2 * HOUR);
    rig_run(&rig);
    cr_assert_geq(newest_mark().clock_ms, before);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; UPDATE 2d; ");
    rig_check(&rig);
}

Test(worker_clock, a_batch_that_is_rewound_moves_nothing)
{
    begin();
    rig.record_time_ms = RIG_TIME + 9 * DAY;
    rig.config.limits.event_time = true;
    reopen_worker();
    memory_bus_restart(rig.memory);
    rig_run(&rig);
    payment(user(1), DUE + DAY);
    memory_bus_fail(rig.memory, MEMORY_COMMIT, 1, SS_RETRY, false);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ");
    rig_check(&rig);
}

/* An event of the user takes the steps before it, at the positions before it. */
Test(worker_clock, an_event_comes_after_the_steps_before_it)
{
    begin();
    rig.config.limits.event_time = true;
    rig.record_time_ms = RIG_TIME + 9 * DAY;
    rig_restart(&rig);
    rig_run(&rig);
    payment(user(0), DUE + HOUR);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; UPDATE 176400000ms; ");
    json_t *values = rig_values(&rig, SS_TO_SCORES, 0);
    for (size_t i = 1; i < 3; i++)
        cr_assert_eq(json_integer_value(json_object_get(
                         json_object_get(json_array_get(values, i), "positions"), "payments")),
                     (json_int_t)i - 1);
    json_decref(values);
    rig_check(&rig);
}
