/* The worker's loop in memory: the passage of time (promise 10). What happens by time alone happens
 * once, in order, as of when it was due, whatever happens to the worker and to its store. */
#include "helper_time.h"
#include "scoring/model_plan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(worker_time, .init = open_one, .fini = close_rig);

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
    cr_assert_geq(newest_mark().clock_ms, DUE);
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

/* The first group turned out to have nothing to do yet; it must not be woken after the next one. */
static void check_woken_too_early(bool rearm_fails)
{
    flaky_store_find_all(rig.flaky);
    for (int i = 0; i < 12; i++) {
        grant(user(i));
        bill(user(i), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE + (i ? 3 : 2) * HOUR);
    }
    bill(user(0), SS_BILL_ISSUED, "water", RIG_TIME + HOUR, DUE + HOUR);
    rig_run(&rig);
    bill(user(0), SS_BILL_CANCELLED, "water", RIG_TIME + 2 * HOUR, DUE);
    rig_run(&rig);
    if (rearm_fails)
        flaky_store_fail(rig.flaky, FLAKY_REARM, 1, 1, SS_RETRY, true);
    int rearms = flaky_store_calls(rig.flaky, FLAKY_REARM);
    run_at(DUE + HOUR + MINUTE);
    cr_assert_gt(flaky_store_calls(rig.flaky, FLAKY_REARM), rearms, "nobody was woken in vain");
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    run_at(DUE + 2 * HOUR + MINUTE);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; OVERDUE 180000000ms; ");
    rig_check(&rig);
}

Test(worker_time, a_group_that_was_woken_too_early_is_not_woken_late)
{
    check_woken_too_early(false);
}

Test(worker_time, a_group_that_could_not_be_armed_anew_is_not_woken_late)
{
    check_woken_too_early(true);
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
    ss_model_prepare(person);
    *business = *person;
    strcpy(business->version, "business-1");
    strcpy(business->benefits[0].id, "of-businesses");
    rig.config.models = (struct ss_models){.person = person, .business = business};
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
