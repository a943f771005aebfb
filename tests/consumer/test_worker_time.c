/* The worker's loop in memory: the passage of time (promise 10). What happens by time alone happens
 * once, in order, as of when it was due, whatever happens to the worker and to its store. */
#include "helper_worker.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct rig rig;

static void open_one(void)
{
    rig_open(&rig, 1);
}

static void close_rig(void)
{
    rig_close(&rig);
}

TestSuite(worker_time, .init = open_one, .fini = close_rig);

static const char *user(int n)
{
    return rig_user(&rig, 0, n);
}

/* The system's clock and the broker's. */
static void set_clock(int64_t now_ms)
{
    rig.now_ms = now_ms;
    memory_bus_set_time(rig.memory, now_ms);
}

static void run_at(int64_t now_ms)
{
    set_clock(now_ms);
    rig_run(&rig);
}

static void reopen_worker(void)
{
    struct ss_error err;
    ss_worker_close(rig.worker);
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK);
}

/* --- what is sent --- */

static void grant(const char *who)
{
    rig_send(&rig, rig_consent(&rig, who, SS_CONSENT_GRANTED));
}

static void bill(const char *who, enum ss_bill_status status, const char *id, int64_t at_ms,
                 int64_t due_ms)
{
    struct ss_event event = rig_bill(&rig, who, status, id);
    event.occurred_at_ms = at_ms;
    event.bill.due_at_ms = due_ms;
    rig_send(&rig, event);
}

static void payment(const char *who, int64_t at_ms)
{
    struct ss_event event = rig_payment(&rig, who, 1000000);
    event.occurred_at_ms = at_ms;
    rig_send(&rig, event);
}

/* When the bill falls due that most of the tests are about. */
#define DUE (RIG_TIME + 2 * DAY)

static void begin(void)
{
    grant(user(0));
    bill(user(0), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
    rig_run(&rig);
}

/* --- what came out --- */

/* "OPT_IN 0; OVERDUE 172800000; " of a user: each record's kind and as_of after RIG_TIME. */
static const char *told(const char *who)
{
    static char text[4096];
    json_t *values = rig_values(&rig, SS_TO_SCORES, 0), *value;
    size_t i, size = 0;
    text[0] = '\0';
    json_array_foreach(values, i, value)
    {
        if (strcmp(json_string_value(json_object_get(value, "user_id")), who) != 0)
            continue;
        long long as_of = json_integer_value(json_object_get(value, "as_of")) - RIG_TIME;
        bool whole = as_of % DAY == 0;
        size += (size_t)snprintf(text + size, sizeof text - size, "%s %lld%s; ",
                                 json_string_value(json_object_get(value, "kind")),
                                 whole ? as_of / DAY : as_of, whole ? "d" : "ms");
        cr_assert_lt(size, sizeof text);
    }
    json_decref(values);
    return text;
}

static json_t *last_record(void)
{
    json_t *values = rig_values(&rig, SS_TO_SCORES, 0);
    json_t *last = json_incref(json_array_get(values, json_array_size(values) - 1));
    json_decref(values);
    return last;
}

static int64_t mark_clock(void)
{
    struct ss_mark mark;
    int64_t offset;
    cr_assert(rig_mark(&rig, 0, &mark, &offset));
    return mark.clock_ms;
}

static int count_marks(int32_t partition)
{
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, partition);
    const struct memory_record *record;
    int64_t next = 0;
    int count = 0;
    while ((record = memory_log_next(log, &next)))
        count += ss_bytes_equal(record->key, ss_mark_key);
    return count;
}

/* --- a bill falls overdue --- */

Test(worker_time, a_bill_falls_overdue_by_itself_once_as_of_when_it_was_due)
{
    begin();
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    run_at(DUE - 1);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    run_at(DUE + 5 * MINUTE);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ");
    json_t *record = last_record();
    cr_assert(json_is_null(json_object_get(record, "cause")));
    cr_assert_eq(json_integer_value(json_object_get(record, "clock")), DUE);
    json_t *positions = json_object_get(record, "positions");
    cr_assert_eq(json_integer_value(json_object_get(positions, "bills")), 1);
    cr_assert_eq(json_integer_value(json_object_get(positions, "consents")), 1);
    json_decref(record);
    cr_assert_geq(mark_clock(), DUE);
    run_at(DUE + 2 * DAY);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ", "twice");
    rig_check(&rig);
}

Test(worker_time, bills_fall_overdue_in_the_order_of_their_due_times)
{
    grant(user(0));
    grant(user(1));
    bill(user(0), SS_BILL_ISSUED, "later", RIG_TIME + HOUR, RIG_TIME + 4 * DAY);
    bill(user(0), SS_BILL_ISSUED, "sooner", RIG_TIME + HOUR, RIG_TIME + 2 * DAY);
    bill(user(1), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, RIG_TIME + 3 * DAY);
    rig_run(&rig);
    run_at(RIG_TIME + 5 * DAY);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; OVERDUE 4d; ");
    cr_assert_str_eq(told(user(1)), "OPT_IN 0d; OVERDUE 3d; ");
    rig_check(&rig);
}

Test(worker_time, a_bill_that_was_paid_or_cancelled_does_not)
{
    begin();
    bill(user(0), SS_BILL_PAID, "rent", RIG_TIME + 2 * HOUR, DUE);
    bill(user(0), SS_BILL_ISSUED, "water", RIG_TIME + 3 * HOUR, DUE);
    bill(user(0), SS_BILL_CANCELLED, "water", RIG_TIME + 4 * HOUR, DUE);
    rig_run(&rig);
    run_at(DUE + 5 * DAY);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; UPDATE 7200000ms; ");
    rig_check(&rig);
}

Test(worker_time, who_withdraws_is_not_woken)
{
    begin();
    rig_send(&rig, rig_consent(&rig, user(0), SS_CONSENT_WITHDRAWN));
    rig_run(&rig);
    run_at(DUE + 50 * DAY);
    cr_assert_null(strstr(told(user(0)), "OVERDUE"));
    cr_assert_null(strstr(told(user(0)), "AGED"));
}

/* What is due already when the event that shows it is read. */
Test(worker_time, what_is_past_due_when_it_is_read_needs_no_further_event)
{
    grant(user(0));
    rig_run(&rig);
    run_at(RIG_TIME + 5 * DAY);
    bill(user(0), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ");
    rig_check(&rig);
}

/* --- it outlives the worker and the store --- */

static void wipe_store(void)
{
    struct ss_checkpoint shown;
    bool found;
    cr_assert_eq(rig.store->ops->checkpoint(rig.store, 0, &shown, &found, NULL), SS_OK);
    cr_assert_eq(rig.store->ops->wipe(rig.store, 0, &shown, NULL), SS_OK);
}

static void restart(void)
{
    rig_restart(&rig);
}

static void restart_wiped(void)
{
    wipe_store();
    rig_restart(&rig);
}

static void move_away_and_back(void)
{
    memory_bus_revoke(rig.memory, 0);
    rig_run(&rig);
    cr_assert_eq(rig.stats.assigned, 0);
    memory_bus_assign(rig.memory, 0);
}

Test(worker_time, outlives_restarts_wipes_and_moves)
{
    static void (*const disturbances[])(void) = {restart, wipe_store, restart_wiped,
                                                 move_away_and_back};
    for (size_t i = 0; i < sizeof disturbances / sizeof disturbances[0]; i++) {
        close_rig();
        open_one();
        begin();
        disturbances[i]();
        run_at(DUE - 2000);
        cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ", "disturbance %zu", i);
        disturbances[i]();
        run_at(DUE + HOUR);
        cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ", "disturbance %zu", i);
        disturbances[i]();
        run_at(DUE + 2 * HOUR);
        cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ", "disturbance %zu", i);
        rig_check(&rig);
    }
}

/* --- the partition's clock --- */

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

Test(worker_time, a_backlog_whose_other_inputs_are_ahead_raises_no_false_alarm)
{
    check_no_alarm("ahead");
}

Test(worker_time, a_backlog_whose_other_inputs_are_behind_raises_no_false_alarm)
{
    check_no_alarm("behind");
}

/* The payment may be of the very instant, behind another event of that instant. */
Test(worker_time, a_bill_paid_when_it_is_due_raises_no_alarm)
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

Test(worker_time, an_input_that_is_behind_holds_the_clock_back_and_idle_ones_do_not)
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
        cr_assert_eq(mark_clock(), RIG_TIME + DAY + (2 + i) * HOUR - 1);
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

Test(worker_time, times_from_the_future_do_not_move_the_clock)
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
    cr_assert_eq(mark_clock(), DUE - 20 * MINUTE - 1); /* more of that instant may follow */
    rig_run(&rig);
    /* of a producer whose clock is wrong: then that of the record is too */
    event = rig_payment(&rig, user(1), 1000);
    event.occurred_at_ms = rig.record_time_ms = DUE + 20 * DAY;
    send_behind(event);
    cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    cr_assert_eq(mark_clock(), DUE - 10 * MINUTE);
    rig_run(&rig);
    cr_assert_null(strstr(told(user(0)), "OVERDUE"));
    run_at(DUE);
    cr_assert_not_null(strstr(told(user(0)), "OVERDUE 2d; "));
    rig_check(&rig);
}

Test(worker_time, refused_events_do_not_move_the_clock)
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

Test(worker_time, with_event_time_only_events_move_it)
{
    rig.config.limits.event_time = true;
    reopen_worker();
    begin();
    run_at(RIG_TIME + 400 * DAY);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    cr_assert_leq(mark_clock(), RIG_TIME + HOUR);
    rig.record_time_ms = RIG_TIME + 400 * DAY;
    payment(user(1), DUE - 1);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    payment(user(1), DUE);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; ");
    rig_check(&rig);
}

Test(worker_time, the_clock_never_goes_back_even_over_a_restart)
{
    begin();
    run_at(DUE + DAY);
    int64_t before = mark_clock();
    cr_assert_geq(before, DUE);
    restart_wiped();
    run_at(RIG_TIME + DAY + HOUR);
    payment(user(0), RIG_TIME + 2 * HOUR);
    rig_run(&rig);
    cr_assert_geq(mark_clock(), before);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 2d; UPDATE 2d; ");
    rig_check(&rig);
}

Test(worker_time, a_batch_that_is_rewound_moves_nothing)
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
Test(worker_time, an_event_comes_after_the_steps_before_it)
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

/* --- ageing --- */

Test(worker_time, what_ages_is_republished_at_intervals)
{
    grant(user(0));
    for (int i = 0; i < 8; i++)
        payment(user(0), RIG_TIME);
    rig_run(&rig);
    cr_assert_null(strstr(told(user(0)), "AGED"));
    run_at(RIG_TIME + 30 * DAY - 1);
    cr_assert_null(strstr(told(user(0)), "AGED"));
    run_at(RIG_TIME + 30 * DAY);
    const char *aged = strstr(told(user(0)), "AGED");
    cr_assert(aged);
    cr_assert_str_eq(aged, "AGED 30d; ");
    rig_restart(&rig);
    run_at(RIG_TIME + 130 * DAY); /* nobody was awake for three intervals */
    cr_assert_str_eq(strstr(told(user(0)), "AGED"), "AGED 30d; AGED 120d; ");
    rig_check(&rig);
}

/* --- many --- */

enum { CROWD = 3000 };

static void send_crowd(void)
{
    static char names[CROWD][16];
    for (int i = 0; i < CROWD; i++) {
        snprintf(names[i], sizeof names[i], "crowd-%d", i);
        grant(names[i]);
        bill(names[i], SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE + i % 7);
    }
    rig_run(&rig);
}

static void check_crowd(void)
{
    static int overdue[CROWD];
    json_t *values = rig_values(&rig, SS_TO_SCORES, 0), *value;
    size_t i;
    memset(overdue, 0, sizeof overdue);
    cr_assert_eq(json_array_size(values), 2 * CROWD);
    json_array_foreach(values, i, value)
    {
        int n = atoi(json_string_value(json_object_get(value, "user_id")) + 6);
        if (strcmp(json_string_value(json_object_get(value, "kind")), "OVERDUE") != 0)
            continue;
        overdue[n]++;
        cr_assert_eq(json_integer_value(json_object_get(value, "as_of")), DUE + n % 7);
    }
    for (int n = 0; n < CROWD; n++)
        cr_assert_eq(overdue[n], 1, "crowd-%d: %d", n, overdue[n]);
    json_decref(values);
    rig_check(&rig);
}

Test(worker_time, many_at_once_take_several_transactions)
{
    send_crowd();
    int before = memory_bus_calls(rig.memory, MEMORY_COMMIT);
    run_at(DUE + HOUR);
    cr_assert_gt(memory_bus_calls(rig.memory, MEMORY_COMMIT), before + 1);
    check_crowd();
}

Test(worker_time, many_groups_may_share_a_transaction)
{
    flaky_store_find_all(rig.flaky);
    send_crowd();
    int before = memory_bus_calls(rig.memory, MEMORY_COMMIT);
    run_at(DUE + HOUR);
    int transactions = memory_bus_calls(rig.memory, MEMORY_COMMIT) - before;
    cr_assert(transactions > 1 && transactions < 10, "%d transactions", transactions);
    check_crowd();
}

/* The first group turned out to have nothing to do; it must not be woken after the next one. */
Test(worker_time, a_group_that_was_woken_too_early_is_not_woken_late)
{
    flaky_store_find_all(rig.flaky);
    for (int i = 0; i < 12; i++) {
        grant(user(i));
        bill(user(i), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE + (i ? 3 : 2) * HOUR);
    }
    bill(user(0), SS_BILL_ISSUED, "water", RIG_TIME + HOUR, DUE + HOUR);
    bill(user(0), SS_BILL_CANCELLED, "water", RIG_TIME + 2 * HOUR, DUE);
    rig_run(&rig);
    run_at(DUE + HOUR + MINUTE);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    run_at(DUE + 2 * HOUR + MINUTE);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 180000000ms; ");
    rig_check(&rig);
}

Test(worker_time, those_who_are_looked_at_in_vain_do_not_fill_the_memory)
{
    rig.config.limits.cache_bytes_max = 1;
    reopen_worker();
    begin();
    bill(user(0), SS_BILL_CANCELLED, "rent", RIG_TIME + 2 * HOUR, DUE);
    rig_run(&rig);
    run_at(DUE + MINUTE); /* there was a bill once */
    int wakes = flaky_store_calls(rig.flaky, FLAKY_WAKES);
    int loads = flaky_store_calls(rig.flaky, FLAKY_LOAD);
    cr_assert_gt(wakes, 0);
    payment(user(0), RIG_TIME + 3 * HOUR);
    rig_run(&rig);
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_LOAD), loads + 1, "it was still at hand");
}

Test(worker_time, who_sleeps_costs_no_request)
{
    begin();
    run_at(RIG_TIME + DAY + HOUR);
    int wakes = flaky_store_calls(rig.flaky, FLAKY_WAKES);
    for (int i = 0; i < 50; i++)
        run_at(RIG_TIME + DAY + HOUR + i * 1000);
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WAKES), wakes);
}

/* --- heartbeats --- */

static void open_with_heartbeat(int64_t heartbeat_ms)
{
    close_rig();
    rig_open(&rig, 2);
    rig.config.limits.heartbeat_ms = heartbeat_ms;
    reopen_worker();
}

Test(worker_time, an_idle_partition_gets_a_mark_at_intervals_and_a_busy_one_does_not)
{
    open_with_heartbeat(HOUR);
    const char *quiet = rig_user(&rig, 0, 0), *busy = rig_user(&rig, 1, 0);
    rig_send(&rig, rig_consent(&rig, quiet, SS_CONSENT_GRANTED));
    rig_send(&rig, rig_consent(&rig, busy, SS_CONSENT_GRANTED));
    rig_run(&rig);
    cr_assert_eq(count_marks(0), 1);
    cr_assert_eq(count_marks(1), 1);
    int64_t begin_ms = rig.now_ms;
    for (int i = 1; i <= 6; i++) {
        rig_send(&rig, rig_payment(&rig, busy, 1000));
        run_at(begin_ms + i * HOUR / 2);
        cr_assert_eq(count_marks(0), 1 + i / 2, "after %d half hours", i);
        cr_assert_eq(count_marks(1), 1 + i, "after %d half hours", i);
    }
    rig_restart(&rig); /* is no reason for one */
    rig_run(&rig);
    cr_assert_eq(count_marks(0), 4);
    rig_check(&rig);
}

Test(worker_time, a_partition_that_was_never_written_to_gets_no_mark)
{
    open_with_heartbeat(HOUR);
    rig_run(&rig);
    run_at(rig.now_ms + 5 * HOUR);
    cr_assert_eq(count_marks(0) + count_marks(1), 0);
    cr_assert_eq(rig.stats.caught_up, 2);
}

/* A broker whose clock is far from ours must not make us write all the time, or never. */
Test(worker_time, heartbeats_do_not_depend_on_the_brokers_clock)
{
    static const int64_t off[] = {-5 * DAY, 5 * DAY};
    for (int i = 0; i < 2; i++) {
        open_with_heartbeat(HOUR);
        memory_bus_set_time(rig.memory, rig.now_ms + off[i]);
        rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
        rig_run(&rig);
        int before = count_marks(0);
        rig.now_ms += HOUR;
        rig_run(&rig);
        rig_run(&rig);
        cr_assert_eq(count_marks(0), before + 1, "%d marks", count_marks(0) - before);
    }
}

/* --- businesses --- */

Test(worker_time, who_turns_out_to_be_a_business_changes_model_and_benefits)
{
    struct ss_model *person = malloc(sizeof *person), *business = malloc(sizeof *business);
    *person = *rig.config.models.person;
    person->benefit_count = 1;
    strcpy(person->benefits[0].id, "of-persons");
    person->benefits[0].threshold = 350;
    *business = *person;
    strcpy(business->version, "business-1");
    strcpy(business->benefits[0].id, "of-businesses");
    rig.config.models = (struct ss_models){person, business};
    reopen_worker();
    grant(user(0));
    struct ss_event event = rig_event(&rig, SS_PROFILES, user(0));
    event.profile =
        (struct ss_profile){.action = SS_PROFILE_ACCOUNT_OPENED, .holder = SS_HOLDER_BUSINESS};
    rig_send(&rig, event);
    rig_run(&rig);
    json_t *record = last_record(), *values = rig_values(&rig, SS_TO_ENTITLEMENTS, 0), *value;
    cr_assert_str_eq(json_string_value(json_object_get(record, "model_version")), "business-1");
    char moved[256] = "";
    size_t i;
    json_array_foreach(values, i, value)
    {
        strcat(moved, json_string_value(json_object_get(value, "action")));
        strcat(moved, " ");
        strcat(moved, json_string_value(json_object_get(value, "benefit_id")));
        strcat(moved, "; ");
    }
    cr_assert_str_eq(moved, "GRANTED of-persons; REVOKED of-persons; GRANTED of-businesses; ");
    json_decref(values);
    json_decref(record);
    rig_check(&rig);
    rig.config.models.person = NULL; /* the rig's own lives on */
    close_rig();
    free(person);
    free(business);
    open_one();
}

/* --- whatever fails on the way --- */

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

struct store_case {
    enum flaky_op op;
    enum ss_status status;
    bool late;
    int times;
    const char *name;
};

Test(worker_time_failures, neither_lose_nor_double_a_step_whatever_fails_in_the_store,
     .timeout = 120)
{
    static const struct store_case cases[] = {
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
        const struct store_case *one = &cases[c];
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

struct bus_case {
    enum memory_op op;
    enum ss_status status;
    bool late;
    const char *name;
};

Test(worker_time_failures, neither_lose_nor_double_a_step_whatever_fails_in_the_bus, .timeout = 120)
{
    static const struct bus_case cases[] = {
        {MEMORY_BEGIN, SS_RETRY, false, "begin"},
        {MEMORY_PRODUCE, SS_RETRY, false, "produce"},
        {MEMORY_PRODUCE, SS_RETRY, true, "produce, late"},
        {MEMORY_OFFSET, SS_RETRY, false, "offset"},
        {MEMORY_COMMIT, SS_RETRY, false, "commit"},
        {MEMORY_COMMIT, SS_GIVE_UP, false, "commit after the group has moved on"},
        {MEMORY_COMMIT, SS_RETRY, true, "commit that was done but not answered"},
        {MEMORY_MARK, SS_GIVE_UP, false, "mark"},
    };
    calm();
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const struct bus_case *one = &cases[c];
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
