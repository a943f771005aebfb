/* The live model is replaced while the worker runs: everybody is told once (kind RESCORE), whatever
 * else happens meanwhile. */
#include "helper_time.h"

#include "scoring/model_plan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLEEPERS = 6 };

static struct ss_model *first, *second;
static struct ss_models epochs[4]; /* of the first model, the second, and so on in turn */
static const struct ss_models *live;

static const struct ss_models *live_models(void *arg)
{
    (void)arg;
    return live;
}

static void open_with_models(void)
{
    open_one();
    if (!second) {
        first = malloc(sizeof *first);
        second = malloc(sizeof *second);
        *first = *rig.config.models.person;
        first->benefits[0].threshold = SS_SCORE_MIN; /* everybody holds it */
        *second = *first;
        strcpy(second->version, "second-0000");
        second->weights[SS_FACTOR_HISTORY] = 5;
        second->weights[SS_FACTOR_BEHAVIOUR] = 55;
        second->benefit_count = 1;
        ss_model_prepare(first);
        ss_model_prepare(second);
    }
    for (int i = 0; i < 4; i++)
        epochs[i] = (struct ss_models){.person = i % 2 ? second : first,
                                       .epoch = i,
                                       .person_since = i,
                                       .business_since = i,
                                       .before = i ? &epochs[i - 1] : NULL};
    live = &epochs[0];
    rig.config.live = live_models;
    reopen_worker();
}

TestSuite(worker_rescore, .init = open_with_models, .fini = close_rig, .timeout = 120);

static void grant_all(int count)
{
    for (int i = 0; i < count; i++)
        grant(user(i));
}

/* How often each kind was told of a user, by which model. */
static int count_told(const char *who, const char *kind, const char *version)
{
    json_t *values = rig_values(&rig, SS_TO_SCORES, 0), *value;
    size_t i;
    int count = 0;
    json_array_foreach(values, i, value)
    {
        count += strcmp(json_string_value(json_object_get(value, "user_id")), who) == 0 &&
                 strcmp(json_string_value(json_object_get(value, "kind")), kind) == 0 &&
                 (!version ||
                  strcmp(json_string_value(json_object_get(value, "model_version")), version) == 0);
    }
    json_decref(values);
    return count;
}

static void check_all_told(int count, int32_t epoch)
{
    const struct ss_mark mark = newest_mark();
    for (int i = 0; i < count; i++)
        cr_assert_eq(count_told(user(i), "RESCORE", live->person->version), 1, "user %d: %d", i,
                     count_told(user(i), "RESCORE", live->person->version));
    cr_assert_eq(mark.epoch, epoch);
    cr_assert_eq(mark.swept, epoch);
    cr_assert_eq(mark.rescored, count);
    cr_assert_str_eq(mark.model_version, live->person->version);
    rig_check(&rig);
}

Test(worker_rescore, tells_everybody_once_and_ends)
{
    grant_all(SLEEPERS);
    rig_run(&rig);
    live = &epochs[1];
    rig_run(&rig);
    check_all_told(SLEEPERS, 1);
    cr_assert_eq(rig.stats.rescored, SLEEPERS);
    cr_assert_eq(rig.stats.sweeping, 0);
    int marks = count_marks(0);
    rig_run(&rig);
    rig_restart(&rig);
    rig_run(&rig);
    cr_assert_eq(count_marks(0), marks, "nothing is left to do");
    live = &epochs[2];
    rig_run(&rig);
    check_all_told(SLEEPERS, 2);
}

Test(worker_rescore, an_event_is_told_by_the_new_model_after_the_change_was)
{
    grant_all(2);
    rig_run(&rig);
    live = &epochs[1];
    payment(user(1), RIG_TIME + HOUR);
    rig_run(&rig);
    cr_assert(strstr(told(user(1)), "OPT_IN 0d; RESCORE 0d; UPDATE 3600000ms; "), "%s",
              told(user(1)));
    cr_assert_eq(count_told(user(1), "UPDATE", "second-0000"), 1);
    check_all_told(2, 1);
}

Test(worker_rescore, who_comes_later_is_not_told)
{
    grant_all(1);
    rig_run(&rig);
    live = &epochs[1];
    grant(user(5));
    rig_run(&rig);
    cr_assert_eq(count_told(user(5), "OPT_IN", "second-0000"), 1);
    cr_assert_eq(count_told(user(5), "RESCORE", NULL), 0);
    check_all_told(1, 1);
}

Test(worker_rescore, what_falls_due_falls_due_after_it)
{
    begin();
    live = &epochs[1];
    run_at(DUE + HOUR);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; RESCORE 3600000ms; OVERDUE 2d; ");
    check_all_told(1, 1);
}

Test(worker_rescore, goes_on_after_a_restart_and_a_wiped_store)
{
    grant_all(SLEEPERS);
    rig_run(&rig);
    live = &epochs[1];
    struct ss_error err;
    bool idle;
    for (int step = 0; newest_mark().epoch < 1; step++)
        cr_assert(rig_step(&rig, &idle, &err) != SS_STOP && step < 1000);
    restart_wiped();
    rig_run(&rig);
    check_all_told(SLEEPERS, 1);
}

Test(worker_rescore, an_unfinished_change_gives_way_to_the_next)
{
    grant_all(SLEEPERS);
    rig_run(&rig);
    live = &epochs[1];
    struct ss_error err;
    bool idle;
    cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
    live = &epochs[2];
    rig_run(&rig);
    const struct ss_mark mark = newest_mark();
    cr_assert_eq(mark.epoch, 2);
    cr_assert_eq(mark.swept, 2);
    int both = 0;
    for (int i = 0; i < SLEEPERS; i++) {
        int away = count_told(user(i), "RESCORE", epochs[1].person->version);
        cr_assert_leq(away, 1);
        cr_assert_eq(count_told(user(i), "RESCORE", epochs[2].person->version), away,
                     "of the first model again, who was told of another");
        both += away;
    }
    cr_assert_gt(both, 0);
    rig_check(&rig);
}

Test(worker_rescore, a_model_that_is_back_before_anybody_was_told_is_no_news)
{
    grant_all(SLEEPERS);
    rig_run(&rig);
    live = &epochs[2];
    rig_run(&rig);
    const struct ss_mark mark = newest_mark();
    cr_assert_eq(mark.epoch, 2);
    cr_assert_eq(mark.swept, 2);
    cr_assert_eq(mark.rescored, 0);
    for (int i = 0; i < SLEEPERS; i++)
        cr_assert_eq(count_told(user(i), "RESCORE", NULL), 0);
    live = &epochs[3];
    rig_run(&rig);
    check_all_told(SLEEPERS, 3);
}

/* Its predecessor was ahead of it. */
Test(worker_rescore, who_has_not_heard_of_the_live_model_waits)
{
    grant_all(2);
    rig_run(&rig);
    live = &epochs[1];
    rig_run(&rig);
    live = &epochs[0];
    rig_restart(&rig);
    struct ss_error err;
    bool idle;
    int refusals = 0;
    for (int step = 0; step < 20; step++)
        refusals += rig_step(&rig, &idle, &err) == SS_RETRY && strstr(err.detail, "waiting");
    cr_assert_gt(refusals, 3, "%s", err.detail);
    live = &epochs[1];
    rig_run(&rig);
    check_all_told(2, 1);
}

Test(worker_rescore, a_model_that_nobody_knows_any_more_stops_it)
{
    grant_all(1); /* and holds something */
    rig_run(&rig);
    epochs[1].before = NULL;
    live = &epochs[1];
    rig_run_to_stop(&rig, "is not known");
}

Test(worker_rescore, an_empty_partition_needs_no_sweep)
{
    live = &epochs[1];
    rig_run(&rig);
    grant_all(1);
    rig_run(&rig);
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; ");
    cr_assert_eq(newest_mark().swept, 1);
    rig_check(&rig);
}

/* --- with everything failing once --- */

static void run_course(void)
{
    grant_all(SLEEPERS);
    bill(user(0), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
    rig_run(&rig);
    live = &epochs[1];
    payment(user(1), RIG_TIME + 2 * HOUR);
    rig_run(&rig);
    grant(user(SLEEPERS + 1));
    run_at(DUE + HOUR);
}

static void check_course(const char *what, int nth)
{
    for (int i = 0; i < SLEEPERS; i++)
        cr_assert_eq(count_told(user(i), "RESCORE", NULL), 1, "%s, call %d: user %d: %s", what, nth,
                     i, told(user(i)));
    cr_assert_str_eq(told(user(0)), "OPT_IN 0d; RESCORE 3600000ms; OVERDUE 2d; ", "%s, call %d: %s",
                     what, nth, told(user(0)));
    cr_assert_eq(count_told(user(SLEEPERS + 1), "RESCORE", NULL), 0);
    cr_assert_eq(newest_mark().swept, 1);
    rig_check(&rig);
}

Test(worker_rescore, tells_everybody_once_whatever_fails_in_the_store)
{
    static const struct flaky_failure cases[] = {
        {FLAKY_WALK, SS_RETRY, false, 1, "walk"},
        {FLAKY_WALK, SS_RETRY, false, 4, "walk, for a while"},
        {FLAKY_WALK, SS_GIVE_UP, false, 1, "walk at another checkpoint"},
        {FLAKY_SAVE, SS_RETRY, false, 1, "save"},
        {FLAKY_SAVE, SS_RETRY, false, 5, "save, for a while"},
        {FLAKY_SAVE, SS_RETRY, true, 1, "save that was done but not answered"},
        {FLAKY_SAVE, SS_GIVE_UP, false, 1, "save at another checkpoint"},
        {FLAKY_WAKES, SS_GIVE_UP, false, 1, "wakes at another checkpoint"},
        {FLAKY_LOAD, SS_GIVE_UP, false, 1, "load at another checkpoint"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        int failed = 1;
        for (int nth = 1; failed; nth++) {
            close_rig();
            open_with_models();
            flaky_store_fail(rig.flaky, cases[c].op, nth, cases[c].times, cases[c].status,
                             cases[c].late);
            run_course();
            failed = flaky_store_calls(rig.flaky, cases[c].op) >= nth;
            flaky_store_fail(rig.flaky, cases[c].op, 0, 0, SS_OK, false);
            check_course(cases[c].name, nth);
        }
    }
}

Test(worker_rescore, tells_everybody_once_whatever_fails_in_the_bus)
{
    for (size_t c = 0; c < MEMORY_TRANSACTION_FAILURES; c++) {
        const struct memory_failure *one = &memory_transaction_failures[c];
        int failed = 1;
        for (int nth = 1; failed; nth += 1 + nth / 8) {
            close_rig();
            open_with_models();
            memory_bus_fail(rig.memory, one->op, nth, one->status, one->late);
            run_course();
            failed = memory_bus_calls(rig.memory, one->op) >= nth;
            check_course(one->name, nth);
        }
    }
}

/* The sweep is cut off by the end of the process after each single step. */
Test(worker_rescore, tells_everybody_once_whenever_the_process_ends)
{
    for (int steps = 0; steps < 12; steps++) {
        close_rig();
        open_with_models();
        grant_all(SLEEPERS);
        bill(user(0), SS_BILL_ISSUED, "rent", RIG_TIME + HOUR, DUE);
        rig_run(&rig);
        live = &epochs[1];
        payment(user(1), RIG_TIME + 2 * HOUR);
        for (int i = 0; i < steps; i++) {
            struct ss_error err;
            bool idle;
            cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP, "%s", err.detail);
        }
        if (steps % 2)
            restart_wiped();
        else
            rig_restart(&rig);
        rig_run(&rig);
        grant(user(SLEEPERS + 1));
        run_at(DUE + HOUR);
        check_course("restart after", steps);
    }
}
