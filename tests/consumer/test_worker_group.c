/* The worker's loop in memory: a second group on the topics, the state and the store of a first. It
 * is refused before it has touched any of them, unless it is told to take over. */
#include "helper_scenario.h"

#include <criterion/criterion.h>

#define REFUSED "its state is that of group rig, and this is group other"

TestSuite(worker_group, .init = open_rig, .fini = close_rig);

/* From now on workers are of another group, which has committed nothing. */
static void change_group(const char *group, const char *taken_over)
{
    rig.config.group = group;
    rig.config.taken_over = taken_over;
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            *memory_bus_committed(rig.memory, (enum ss_input)input, p) = -1;
}

static void check_marks(const char *group)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct ss_mark mark;
        int64_t offset;
        cr_assert(rig_mark(&rig, p, &mark, &offset));
        cr_assert_str_eq(mark.group, group, "partition %d is of group %s", p, mark.group);
    }
}

/* Until all partitions are counted. */
static void step_until(const int32_t *count)
{
    for (int step = 0; *count < PARTITIONS; step++) {
        bool idle;
        struct ss_error err;
        cr_assert_lt(step, 100);
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK, "%s", err.detail);
    }
}

/* But for looking which state it holds. */
static int store_calls(void)
{
    int calls = 0;
    for (int op = 0; op < FLAKY_OP_COUNT; op++)
        if (op != FLAKY_CHECKPOINT)
            calls += flaky_store_calls(rig.flaky, (enum flaky_op)op);
    return calls;
}

static void refuse_other(void)
{
    int64_t committed[SS_INPUT_COUNT][PARTITIONS];
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            committed[input][p] = *memory_bus_committed(rig.memory, (enum ss_input)input, p);
    int begun = memory_bus_calls(rig.memory, MEMORY_BEGIN), calls = store_calls();
    change_group("other", NULL);
    rig_restart(&rig);
    rig_run_to_stop(&rig, REFUSED);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_BEGIN), begun, "a transaction was begun");
    cr_assert_eq(store_calls(), calls, "the store was touched");

    change_group("rig", NULL);
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            *memory_bus_committed(rig.memory, (enum ss_input)input, p) = committed[input][p];
    rig_restart(&rig);
}

Test(worker_group, another_ones_state_is_refused_and_stays_as_it_was)
{
    run_all(refuse_other);
    check_against_reference("another group was here", 0);
    check_marks("rig");
}

/* What is distrusted is wiped: not by a stranger, who would have to look at the marks first. */
static void wipe_and_refuse_other(void)
{
    wipe_store();
    refuse_other();
}

Test(worker_group, another_ones_state_is_refused_where_the_store_is_empty)
{
    run_all(wipe_and_refuse_other);
    check_against_reference("another group was here, and the store was empty", 0);
}

/* A restore of more than it gathers before it saves, from a checkpoint that is good. */
static void fall_behind_and_refuse_other(void)
{
    rig.config.limits.restore_save_records = 1;
    refuse_other();
    rig.config.limits.restore_save_records = 0;
    rig_restart(&rig);
}

Test(worker_group, another_ones_state_is_refused_where_the_store_is_behind)
{
    run_and_fall_back();
    fall_behind_and_refuse_other();
    send_payments(&rig);
    send_the_rest(&rig);
    rig_run(&rig);
    check_against_reference("another group was here, and the store was behind", 0);
}

/* As versions before wrote it. */
static void take_names_away(void)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct ss_mark mark;
        int64_t offset;
        uint8_t packed[SS_MARK_PACKED_MAX];
        cr_assert(rig_mark(&rig, p, &mark, &offset));
        mark.group[0] = '\0';
        size_t size = ss_mark_pack(&mark, packed);
        memory_bus_append_target(rig.memory, SS_TO_CHANGELOG, p, ss_mark_key,
                                 (struct ss_bytes){packed, size});
    }
    change_group("other", NULL);
    rig_restart(&rig);
}

Test(worker_group, a_state_that_names_none_is_taken_over)
{
    run_all(take_names_away);
    check_against_reference("no group in the marks", 0);
    check_marks("other");
}

static void rename_group(void)
{
    change_group("other", "rig");
    rig_restart(&rig);
    step_until(&rig.stats.caught_up); /* when `sesame run --until-caught-up` ends */
    check_marks("other");             /* though there was nothing to read */
    int begun = memory_bus_calls(rig.memory, MEMORY_BEGIN);
    rig_run(&rig);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_BEGIN), begun, "again and again");
    rig.config.taken_over = NULL;
    wipe_store(); /* the restore comes upon marks of both */
    rig_restart(&rig);
}

Test(worker_group, that_was_renamed_goes_on)
{
    run_all(rename_group);
    check_against_reference("renamed", 0);
    change_group("rig", NULL);
    rig_restart(&rig);
    rig_run_to_stop(&rig, "its state is that of group other, and this is group rig");
}

Test(worker_group, that_was_renamed_goes_on_from_the_named_one_only)
{
    run_all(NULL);
    change_group("other", "another");
    rig_restart(&rig);
    rig_run_to_stop(&rig, REFUSED);
}

Test(worker_group, that_was_renamed_says_so_before_it_stops)
{
    run_all(NULL);
    change_group("other", "rig");
    rig_restart(&rig);
    step_until(&rig.stats.ready);
    cr_assert_eq(rig_leave(&rig), SS_OK);
    check_marks("other");
}
