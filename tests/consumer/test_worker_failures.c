/* The worker's loop in memory, with every call of its bus and its store failing: what comes out is
 * what would have come out anyhow, once. */
#include "helper_scenario.h"

#include <criterion/criterion.h>

TestSuite(failures, .init = open_rig, .fini = close_rig);

Test(failures, the_same_input_gives_the_same_output)
{
    cr_assert_eq(run_all(NULL), 0);
    check_against_reference("nothing", 0);
}

/* --- every call of the bus fails once --- */

static const struct memory_failure assignment_failures[] = {
    {MEMORY_POLL, SS_RETRY, false, "poll"},
    {MEMORY_START, SS_RETRY, false, "start"},
    {MEMORY_RESTORE, SS_RETRY, false, "restore"},
    {MEMORY_RESTORE, SS_GIVE_UP, true, "restore past its deadline"},
    {MEMORY_NEWEST_GROUP, SS_RETRY, false, "newest group"},
    {MEMORY_NEWEST_GROUP, SS_GIVE_UP, true, "newest group past its deadline"},
    {MEMORY_OPEN, SS_RETRY, false, "open"},
    {MEMORY_HOLD, SS_RETRY, false, "hold"},
};

static void fail_each_call(const struct memory_failure *failure)
{
    int failed = 1;
    for (int nth = 1; failed; nth += 1 + nth / 12) { /* the later, the more alike */
        open_rig();
        memory_bus_fail(rig.memory, failure->op, nth, failure->status, failure->late);
        run_all(NULL);
        failed = memory_bus_calls(rig.memory, failure->op) >= nth;
        check_against_reference(failure->name, nth);
        close_rig();
    }
}

Test(failures_bus, any_call_may_fail, .timeout = 120)
{
    for (size_t c = 0; c < sizeof assignment_failures / sizeof assignment_failures[0]; c++)
        fail_each_call(&assignment_failures[c]);
    for (size_t c = 0; c < MEMORY_TRANSACTION_FAILURES; c++)
        fail_each_call(&memory_transaction_failures[c]);
}

Test(failures, a_failed_commit_publishes_nothing_and_all_is_done_again)
{
    send_consents(&rig);
    memory_bus_fail(rig.memory, MEMORY_COMMIT, 1, SS_RETRY, false);
    struct ss_error err;
    bool idle;
    while (memory_bus_calls(rig.memory, MEMORY_COMMIT) == 0)
        cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        int64_t next = 0;
        cr_assert_null(memory_log_next(memory_bus_target(rig.memory, SS_TO_SCORES, p), &next));
        cr_assert_eq(*memory_bus_committed(rig.memory, SS_CONSENTS, p), -1);
        cr_assert(!rig_stored(&rig, rig_user(&rig, p, 0)), "the store is ahead of the log");
    }
    rig_run(&rig);
    rig_check(&rig);
    cr_assert_eq(rig.stats.counts[SS_CONSENTS].consumed, 3 * PARTITIONS,
                 "what was aborted has been counted");
}

/* --- every call of the store fails once, or for a while --- */

static const struct flaky_failure store_cases[] = {
    {FLAKY_CHECKPOINT, SS_RETRY, false, 1, "checkpoint"},
    {FLAKY_LOAD, SS_RETRY, false, 1, "load"},
    {FLAKY_LOAD, SS_RETRY, false, 4, "load, for a while"},
    {FLAKY_LOAD, SS_GIVE_UP, false, 1, "load at another checkpoint"},
    {FLAKY_SAVE, SS_RETRY, false, 1, "save"},
    {FLAKY_SAVE, SS_RETRY, false, 5, "save, for a while"},
    {FLAKY_SAVE, SS_RETRY, true, 1, "save that was done but not answered"},
    {FLAKY_SAVE, SS_GIVE_UP, false, 1, "save at another checkpoint"},
    {FLAKY_SAVE, SS_GIVE_UP, false, 2, "save at another checkpoint, and again"},
    {FLAKY_WIPE, SS_RETRY, false, 1, "wipe"},
    {FLAKY_WIPE, SS_GIVE_UP, false, 1, "wipe while another one writes"},
};

Test(failures_store, any_call_may_fail, .timeout = 120)
{
    for (size_t c = 0; c < sizeof store_cases / sizeof store_cases[0]; c++) {
        const struct flaky_failure *store_case = &store_cases[c];
        int failed = 1;
        for (int nth = 1; failed; nth++) {
            open_rig_with_a_small_cache();
            flaky_store_fail(rig.flaky, store_case->op, nth, store_case->times, store_case->status,
                             store_case->late);
            run_all(NULL);
            failed = flaky_store_calls(rig.flaky, store_case->op) >= nth;
            /* what the checks read of the store is not to fail */
            flaky_store_fail(rig.flaky, store_case->op, 0, 0, SS_OK, false);
            check_against_reference(store_case->name, nth);
            close_rig();
        }
    }
}

Test(failures, nothing_goes_on_while_the_store_is_away)
{
    struct ss_error err;
    bool idle;
    send_consents(&rig);
    send_events(&rig);
    flaky_store_fail(rig.flaky, FLAKY_SAVE, 1, 1000, SS_RETRY, false);
    for (int i = 0; i < 50; i++)
        cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_COMMIT), 1, "states pile up unsaved");
    flaky_store_fail(rig.flaky, FLAKY_SAVE, 1, 0, SS_OK, false);
    rig_run(&rig);
    send_more(&rig);
    rig_run(&rig);
    check_against_reference("the store away", 0);
}
