/* The worker's loop in memory: a store that is not what was left there, restarts, rebalances, and
 * what cannot be mended. Time that passes within a restore: test_worker_restore.c. */
#include "helper_scenario.h"
#include "helper_text.h"

#include <criterion/criterion.h>

TestSuite(recovery, .init = open_rig, .fini = close_rig);

/* --- the store is not what was left there --- */

Test(recovery, a_store_that_was_wiped_meanwhile_is_restored)
{
    run_all(wipe_store);
    check_against_reference("wiped", 0);
    cr_assert_gt(rig.stats.restored_records, 0);
}

Test(recovery_store, that_was_wiped_is_restored_before_anything_is_read_from_it)
{
    open_rig_with_a_small_cache();
    run_all(wipe_store);
    check_against_reference("wiped, without a cache", 0);
    close_rig();
}

/* Moves the store's checkpoint as somebody else would, with other states. */
static void meddle(void)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct ss_checkpoint now, next;
        bool found;
        cr_assert_eq(rig.store->ops->checkpoint(rig.store, p, &now, &found, NULL), SS_OK);
        next = now;
        next.offset++;
        struct ss_put puts[] = {{text(rig_user(&rig, p, 0)), {NULL, 0}, SS_WAKE_NEVER},
                                {text("stranger"), text("not a state"), SS_WAKE_NEVER}};
        cr_assert_eq(rig.store->ops->save(rig.store, p, &now, &next, puts, 2, NULL), SS_OK);
    }
}

Test(recovery_store, that_another_one_has_written_to_is_not_believed)
{
    open_rig_with_a_small_cache();
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    meddle();
    send_more(&rig);
    rig_run(&rig);
    check_against_reference("another one's checkpoint", 0);
    close_rig();
}

Test(recovery_store, that_falls_back_to_an_older_copy_is_brought_forward)
{
    open_rig_with_a_small_cache();
    run_and_fall_back();
    send_payments(&rig);
    send_the_rest(&rig);
    rig_run(&rig);
    check_against_reference("older copy", 0);
    close_rig();
}

static void damage(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    (void)arg, (void)user_id;
    if (packed.size > 4)
        ((uint8_t *)packed.data)[0] ^= 0x7f; /* the format byte */
}

Test(recovery_store, that_holds_damaged_states_is_restored)
{
    open_rig_with_a_small_cache();
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    for (int32_t p = 0; p < PARTITIONS; p++)
        cr_assert_eq(rig.store->ops->scan(rig.store, p, damage, NULL, NULL), SS_OK);
    send_more(&rig);
    cr_assert_gt(rig_run(&rig), 0);
    check_against_reference("damaged", 0);
    close_rig();
}

/* --- restarts --- */

Test(recovery, a_restart_changes_nothing)
{
    run_all(restart);
    check_against_reference("restart", 0);
}

Test(recovery, a_restart_with_the_store_up_to_date_replays_nothing)
{
    run_all(NULL);
    int restores = memory_bus_calls(rig.memory, MEMORY_COMMIT);
    rig_restart(&rig);
    rig_run(&rig);
    cr_assert_leq(rig.stats.restored_records, PARTITIONS,
                  "more than the mark itself was read: %lld",
                  (long long)rig.stats.restored_records);
    cr_assert_eq(rig.stats.caught_up, PARTITIONS);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_COMMIT), restores, "something was done again");
    rig_check(&rig);
}

Test(recovery, a_restart_with_an_empty_store_rebuilds_it)
{
    run_all(restart_wiped);
    check_against_reference("restart with an empty store", 0);
}

/* Restarts with the store's checkpoints changed, which must not be believed. */
static void restart_with(void (*change)(struct ss_checkpoint *checkpoint, int32_t partition))
{
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct ss_checkpoint now, next;
        bool found;
        cr_assert_eq(rig.store->ops->checkpoint(rig.store, p, &now, &found, NULL), SS_OK);
        next = now;
        change(&next, p);
        struct ss_put put = {text(rig_user(&rig, p, 0)), text("not a state"), SS_WAKE_NEVER};
        cr_assert_eq(rig.store->ops->save(rig.store, p, &now, &next, &put, 1, NULL), SS_OK);
    }
    int wipes = flaky_store_calls(rig.flaky, FLAKY_WIPE);
    rig_restart(&rig);
    send_more(&rig);
    rig_run(&rig);
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WIPE), wipes + PARTITIONS);
    check_against_reference("another checkpoint", 0);
}

static void move_ahead(struct ss_checkpoint *checkpoint, int32_t partition)
{
    checkpoint->offset = memory_bus_target(rig.memory, SS_TO_CHANGELOG, partition)->end;
}

static void change_incarnation(struct ss_checkpoint *checkpoint, int32_t partition)
{
    (void)partition;
    checkpoint->incarnation[3] ^= 1;
}

static void change_cluster(struct ss_checkpoint *checkpoint, int32_t partition)
{
    (void)partition;
    strcpy(checkpoint->cluster_id, "elsewhere");
}

static void change_count(struct ss_checkpoint *checkpoint, int32_t partition)
{
    (void)partition;
    checkpoint->partition_count = 9;
}

/* Half of delete.retention.ms ago, and something was written since. */
static void age(struct ss_checkpoint *checkpoint, int32_t partition)
{
    (void)partition;
    checkpoint->offset = 1;
    checkpoint->broker_time_ms = rig.now_ms - rig.config.limits.delete_retention_ms / 2 - 1;
}

Test(recovery, a_store_ahead_of_the_changelog_is_rebuilt)
{
    restart_with(move_ahead);
}

Test(recovery, a_store_of_another_incarnation_is_rebuilt)
{
    restart_with(change_incarnation);
}

Test(recovery, a_store_of_another_cluster_is_rebuilt)
{
    restart_with(change_cluster);
}

Test(recovery, a_store_of_another_partition_count_is_rebuilt)
{
    restart_with(change_count);
}

Test(recovery, a_store_that_is_too_old_is_rebuilt)
{
    restart_with(age);
}

Test(recovery, an_idle_partition_is_not_too_old)
{
    run_all(NULL);
    rig.now_ms += 10 * rig.config.limits.delete_retention_ms;
    int wipes = flaky_store_calls(rig.flaky, FLAKY_WIPE);
    rig_restart(&rig);
    rig_run(&rig);
    cr_assert_eq(flaky_store_calls(rig.flaky, FLAKY_WIPE), wipes);
    rig_check(&rig);
}

/* --- what cannot be mended --- */

Test(recovery, offsets_that_contradict_the_state_stop_the_worker)
{
    run_all(NULL);
    *memory_bus_committed(rig.memory, SS_PAYMENTS, 1) = 0;
    rig_restart(&rig);
    rig_run_to_stop(&rig, "somebody has reset them");
}

Test(recovery, offsets_without_a_changelog_stop_the_worker)
{
    run_all(NULL);
    memory_bus_truncate(rig.memory, SS_TO_CHANGELOG, 0);
    rig_restart(&rig);
    rig_run_to_stop(&rig, "its changelog is empty");
}

Test(recovery, another_partition_count_stops_the_worker)
{
    struct ss_mark mark;
    int64_t offset;
    uint8_t packed[SS_MARK_PACKED_MAX];
    run_all(NULL);
    cr_assert(rig_mark(&rig, 0, &mark, &offset));
    mark.partition_count = 16;
    size_t size = ss_mark_pack(&mark, packed);
    memory_bus_append_target(rig.memory, SS_TO_CHANGELOG, 0, ss_mark_key,
                             (struct ss_bytes){packed, size});
    rig_restart(&rig);
    rig_run_to_stop(&rig, "was written with 16 partitions, the topics now have 2");
}

Test(recovery, offsets_that_have_expired_are_taken_from_the_state)
{
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int input = 0; input < SS_INPUT_COUNT; input++)
            *memory_bus_committed(rig.memory, (enum ss_input)input, p) = -1;
    rig_restart(&rig);
    send_more(&rig);
    rig_run(&rig);
    check_against_reference("expired offsets", 0);
}

/* --- rebalances --- */

static void move_away_and_back(void)
{
    struct ss_error err;
    bool idle;
    memory_bus_revoke(rig.memory, 1);
    while (rig.stats.assigned == PARTITIONS)
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    /* Meanwhile partition 0 goes on: an event that nothing else in the scenario is touched by. */
    struct ss_event event = rig_event(&rig, SS_BOOKINGS, rig_user(&rig, 0, 3));
    event.booking.booking_id = (struct ss_text){"b", 1};
    rig_send(&rig, event);
    rig.events--;
    rig_run(&rig);
    memory_bus_assign(rig.memory, 1);
}

Test(recovery, a_partition_comes_back_from_a_rebalance)
{
    run_all(move_away_and_back);
    check_against_reference("rebalance", 0);
}

Test(recovery, what_cannot_be_begun_is_no_reason_to_be_deaf)
{
    struct ss_error err;
    bool idle;
    send_consents(&rig);
    rig_run(&rig);
    rig_restart(&rig);
    flaky_store_fail(rig.flaky, FLAKY_CHECKPOINT, 1, 1000000, SS_RETRY, false);
    for (int i = 0; i < 5; i++)
        cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
    cr_assert_eq(rig.stats.assigned, PARTITIONS);
    cr_assert_eq(rig.stats.ready, 0);
    memory_bus_revoke(rig.memory, 0);
    for (int i = 0; rig.stats.assigned == PARTITIONS; i++) {
        cr_assert_lt(i, 5, "the revocation is not heard while the store is away");
        cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
    }
    flaky_store_fail(rig.flaky, FLAKY_CHECKPOINT, 1, 0, SS_OK, false);
    memory_bus_assign(rig.memory, 0);
    rig_run(&rig);
    rig_check(&rig);
}
