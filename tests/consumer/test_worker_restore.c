/* The worker's loop in memory, in the middle of a restore: how much time may pass in it, what it
 * shows of its progress, and in what parts it is saved. */
#include "helper_scenario.h"

#include <criterion/criterion.h>

TestSuite(restore, .init = open_rig, .fini = close_rig);

/* The clock that the worker reads. While it restores, each look at the clock comes with its
 * progress; one of them finds that much time has passed, as for a process that was frozen. */
static struct {
    int64_t jump_ms;
    int32_t restoring_max;
    int64_t done_max, total_max;
} during;

static int64_t moved_clock(void *arg)
{
    const struct ss_worker_stats *stats = &rig.stats;
    (void)arg;
    if (stats->restoring > during.restoring_max)
        during.restoring_max = stats->restoring;
    if (stats->restore_done > during.done_max)
        during.done_max = stats->restore_done;
    if (stats->restore_total > during.total_max)
        during.total_max = stats->restore_total;
    if (stats->restore_done > 0) {
        rig.now_ms += during.jump_ms;
        during.jump_ms = 0;
    }
    return rig.now_ms;
}

static void restart_with_a_moved_clock(int64_t jump_ms)
{
    memset(&during, 0, sizeof during);
    during.jump_ms = jump_ms;
    rig.config.clock.now_ms = moved_clock;
    rig.config.limits.restore_save_records = 2;
    rig_restart(&rig);
}

/* Since the wipe the whole changelog is read, in about no time or in a very long one. */
static void check_rebuild(int64_t jump_ms, int times)
{
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    wipe_store();
    int wipes = flaky_store_calls(rig.flaky, FLAKY_WIPE);
    restart_with_a_moved_clock(jump_ms);
    int retries = rig_run(&rig);
    cr_assert_eq(retries, times, "tried again %d times", retries);
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WIPE), wipes + PARTITIONS + times);
    send_more(&rig);
    rig_run(&rig);
    check_against_reference("a long restore", 0);
}

Test(restore, a_restore_within_half_the_retention_is_fine)
{
    check_rebuild(rig.config.limits.delete_retention_ms / 2, 0);
}

Test(restore, a_restore_that_outlasts_half_the_retention_starts_over)
{
    check_rebuild(rig.config.limits.delete_retention_ms / 2 + 1, 1);
}

/* The checkpoint is young enough when the restore begins from it, and too old in its middle. */
static void check_catching_up(int64_t before_ms, int64_t during_ms, bool given_up)
{
    run_and_fall_back();
    int wipes = flaky_store_calls(rig.flaky, FLAKY_WIPE);
    rig.now_ms += before_ms;
    restart_with_a_moved_clock(during_ms);
    cr_assert_eq(rig_run(&rig), given_up ? 1 : 0);
    /* That of the other partition is too old by then as well. */
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WIPE), wipes + (given_up ? PARTITIONS : 0));
    send_payments(&rig);
    send_the_rest(&rig);
    rig_run(&rig);
    check_against_reference("caught up", 0);
}

Test(restore, a_checkpoint_that_stays_young_enough_is_built_upon)
{
    int64_t quarter_ms = rig.config.limits.delete_retention_ms / 4;
    check_catching_up(quarter_ms, quarter_ms - 3600000, false);
}

Test(restore, a_checkpoint_that_gets_too_old_meanwhile_is_given_up)
{
    int64_t quarter_ms = rig.config.limits.delete_retention_ms / 4;
    check_catching_up(quarter_ms, quarter_ms + 3600000, true);
}

Test(restore, a_restore_shows_its_progress)
{
    check_rebuild(0, 0);
    cr_assert_eq(during.restoring_max, 1);
    int64_t longest = 0;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        int64_t end = memory_bus_target(rig.memory, SS_TO_CHANGELOG, p)->end;
        longest = end > longest ? end : longest;
    }
    cr_assert_gt(during.total_max, 10);
    cr_assert_leq(during.total_max, longest);
    cr_assert_gt(during.done_max, 10);
    cr_assert_leq(during.done_max, during.total_max);
    cr_assert_eq(rig.stats.restoring, 0);
    cr_assert_eq(rig.stats.restore_done, 0);
    cr_assert_eq(rig.stats.restore_total, 0);
}

/* Compaction keeps one mark, the newest. */
static void compact_marks(void)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, p);
        bool newest = true;
        for (int64_t offset = log->end - 1; offset >= 0; offset--) {
            struct memory_record *record = log->records[offset];
            if (record->marker || record->aborted || !ss_bytes_equal(record->key, ss_mark_key))
                continue;
            record->aborted = !newest;
            newest = false;
        }
    }
}

/* Promise 9: what a restore gathers is bounded, whatever compaction has left of the marks. */
Test(restore, a_changelog_with_one_mark_is_restored_in_parts)
{
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    compact_marks();
    wipe_store();
    int saves = flaky_store_calls(rig.flaky, FLAKY_SAVE);
    int wipes = flaky_store_calls(rig.flaky, FLAKY_WIPE);
    restart_with_a_moved_clock(0);
    flaky_store_fail(rig.flaky, FLAKY_SAVE, 3, 1, SS_RETRY, true);
    cr_assert_eq(rig_run(&rig), 1);
    cr_assert_geq(flaky_store_calls(rig.flaky, FLAKY_SAVE), saves + 4 * PARTITIONS);
    /* Cut short before the mark, it knows no incarnation, and begins anew. */
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WIPE), wipes + PARTITIONS + 1);
    send_more(&rig);
    rig_run(&rig);
    check_against_reference("restored in parts", 0);
}
