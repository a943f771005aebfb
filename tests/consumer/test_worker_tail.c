/* The worker's loop in memory: what follows the last record in an input, markers of transactions
 * and records of aborted ones. Nobody can tell it from records once retention has taken it, so it
 * is committed that it was passed: once, and soon; and nothing is that was not read. */
#include "helper_time.h"

#include <criterion/criterion.h>

#define SOON (59 * INT64_C(1000))

TestSuite(worker_tail, .init = open_one, .fini = close_rig);

static int64_t committed(enum ss_input input)
{
    return *memory_bus_committed(rig.memory, input, 0);
}

static int64_t end_of(enum ss_input input)
{
    return memory_bus_input(rig.memory, input, 0)->end;
}

/* Two consents and a payment, then, known a little later, what is no record. */
static void send_with_markers(void)
{
    set_clock(RIG_TIME + HOUR);
    grant(user(0));
    grant(user(1));
    payment(user(0), RIG_TIME + HOUR);
    rig_run(&rig);
    memory_bus_append_gap(rig.memory, SS_CONSENTS, 0);
    memory_bus_append_gap(rig.memory, SS_PAYMENTS, 0);
    rig_run(&rig);
}

static void cut_all(void)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        memory_bus_cut(rig.memory, (enum ss_input)input, 0);
}

static void check_goes_on(void)
{
    rig_restart(&rig);
    rig_run(&rig);
    payment(user(1), RIG_TIME + 2 * HOUR);
    rig_run(&rig);
    cr_assert_eq(newest_mark().counts[SS_PAYMENTS].outcomes[SS_COUNTED], 2);
}

Test(worker_tail, is_committed_once_when_nothing_else_is)
{
    send_with_markers();
    cr_assert_lt(committed(SS_PAYMENTS), end_of(SS_PAYMENTS), "or nothing is shown here");
    int marks = count_marks(0);
    run_at(RIG_TIME + HOUR + SOON);
    cr_assert_eq(count_marks(0), marks, "too soon: a record may follow");
    run_at(RIG_TIME + HOUR + MINUTE);
    cr_assert_eq(count_marks(0), marks + 1);
    cr_assert_eq(committed(SS_CONSENTS), end_of(SS_CONSENTS));
    cr_assert_eq(committed(SS_PAYMENTS), end_of(SS_PAYMENTS));
    cr_assert_eq(newest_mark().positions[SS_PAYMENTS], 1, "what score records say stays");
    run_at(RIG_TIME + DAY);
    cr_assert_eq(count_marks(0), marks + 1, "again and again");
    rig_check(&rig);

    cut_all();
    check_goes_on();
}

Test(worker_tail, goes_with_the_next_transaction)
{
    send_with_markers();
    int marks = count_marks(0);
    bill(user(1), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
    rig_run(&rig);
    cr_assert_eq(count_marks(0), marks + 1);
    cr_assert_eq(committed(SS_PAYMENTS), end_of(SS_PAYMENTS));
    cr_assert_eq(committed(SS_CONSENTS), end_of(SS_CONSENTS));
    rig_check(&rig);
}

Test(worker_tail, is_committed_by_who_leaves)
{
    send_with_markers();
    int marks = count_marks(0);
    cr_assert_eq(rig_leave(&rig), SS_OK);
    cr_assert_eq(count_marks(0), marks + 1);
    cr_assert_eq(committed(SS_PAYMENTS), end_of(SS_PAYMENTS));
    cr_assert_eq(rig_leave(&rig), SS_OK);
    cr_assert_eq(count_marks(0), marks + 1, "nothing was left to commit");
    rig_check(&rig);

    cut_all();
    check_goes_on();
}

Test(worker_tail, a_leave_that_fails_loses_nothing)
{
    static const enum memory_op ops[] = {MEMORY_BEGIN, MEMORY_PRODUCE, MEMORY_COMMIT};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        for (int late = 0; late < 2; late++) {
            close_rig();
            open_one();
            send_with_markers();
            memory_bus_fail(rig.memory, ops[i], 1, SS_RETRY, late);
            cr_assert_neq(rig_leave(&rig), SS_OK);
            check_goes_on();
            rig_check(&rig);
        }
}

Test(worker_tail, records_that_were_never_read_are_not_passed)
{
    send_with_markers();
    memory_bus_set_poll_max(rig.memory, 1);
    for (int i = 0; i < 3; i++)
        payment(user(0), RIG_TIME + HOUR);
    bool idle;
    struct ss_error err;
    do /* the first of the three, and no more */
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    while (newest_mark().positions[SS_PAYMENTS] == 1);
    cr_assert_eq(rig_leave(&rig), SS_OK);
    cr_assert_eq(committed(SS_PAYMENTS), end_of(SS_PAYMENTS) - 2);
    rig_run(&rig);
    rig_check(&rig);
}

Test(worker_tail, what_retention_took_unread_stops_the_worker_until_it_is_told_to_go_on)
{
    send_with_markers();
    cr_assert_eq(rig_leave(&rig), SS_OK);
    payment(user(0), RIG_TIME + HOUR);
    memory_bus_cut(rig.memory, SS_PAYMENTS, 0);
    rig_restart(&rig);
    rig_run_to_stop(&rig, "payments [0]: committed offset 3 is gone");

    *memory_bus_committed(rig.memory, SS_PAYMENTS, 0) = end_of(SS_PAYMENTS);
    check_goes_on();
    struct ss_mark mark = newest_mark();
    cr_assert_eq(mark.counts[SS_PAYMENTS].consumed, 2, "all but what is lost");
    cr_assert_eq(committed(SS_PAYMENTS), end_of(SS_PAYMENTS));
}

Test(worker_tail, an_offset_that_skips_what_is_still_there_is_refused)
{
    send_with_markers();
    cr_assert_eq(rig_leave(&rig), SS_OK);
    payment(user(0), RIG_TIME + HOUR);
    *memory_bus_committed(rig.memory, SS_PAYMENTS, 0) = end_of(SS_PAYMENTS);
    rig_restart(&rig);
    rig_run_to_stop(&rig, "somebody has reset them");
}
