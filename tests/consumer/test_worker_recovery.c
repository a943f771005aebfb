/* The worker's loop in memory, with everything that can fail failing: what comes out is what would
 * have come out anyhow, once. */
#include "helper_worker.h"

#include "state/memory_store.h"
#include "state/pack.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { PARTITIONS = 2 };

static struct rig rig;

static void open_rig(void)
{
    rig_open(&rig, PARTITIONS);
    memory_bus_set_poll_max(rig.memory, 7); /* several transactions */
}

static void close_rig(void)
{
    rig_close(&rig);
}

TestSuite(recovery, .init = open_rig, .fini = close_rig);

static struct ss_bytes text(const char *s)
{
    return (struct ss_bytes){s, strlen(s)};
}

/* --- a bit of everything --- */

static void send_consents(struct rig *to)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < 3; i++)
            rig_send(to, rig_consent(to, rig_user(to, p, i), SS_CONSENT_GRANTED));
}

/* What a user's records depend on must not depend on how topics interleave, which a failure
 * changes: users 0 and 1 pay and have bills (always read in this order), 2 is listed, 3 has not
 * consented. */
static void send_events(struct rig *to)
{
    static const int payers[] = {0, 1, 3, 0};
    for (int i = 0; i < 24; i++) {
        int32_t p = i % PARTITIONS;
        struct ss_event payment = rig_payment(to, rig_user(to, p, payers[i / 2 % 4]), 90000 * i);
        rig_send(to, payment);
        if (i % 9 == 0)
            rig_send(to, payment);
        if (i % 10 == 0)
            memory_bus_append(to->memory, SS_PAYMENTS, p, text("?"), text("?"), 1, NULL, 0);
    }
    for (int32_t p = 0; p < PARTITIONS; p++) {
        rig_send(to, rig_bill(to, rig_user(to, p, 0), SS_BILL_ISSUED, "one"));
        rig_send(to, rig_bill(to, rig_user(to, p, 0), SS_BILL_PAID, "one"));
        rig_send(to, rig_bill(to, rig_user(to, p, 1), SS_BILL_DEFAULTED, "two"));
        rig_send(to, rig_listing(to, rig_user(to, p, 2), SS_LISTED, "case"));
    }
}

static void send_payments(struct rig *to)
{
    for (int i = 0; i < 6; i++)
        rig_send(to, rig_payment(to, rig_user(to, i % PARTITIONS, 0), 1777700 + i));
}

static void send_the_rest(struct rig *to)
{
    rig_send(to, rig_consent(to, rig_user(to, 1, 1), SS_CONSENT_WITHDRAWN));
    rig_send(to, rig_listing(to, rig_user(to, 0, 2), SS_DELISTED, "case"));
}

static void send_more(struct rig *to)
{
    send_payments(to);
    send_payments(to);
    send_the_rest(to);
}

/* What everything leads to: lists of scores and entitlements by user, without the positions. */
static json_t *values_of(struct rig *of)
{
    static const enum ss_target targets[] = {SS_TO_SCORES, SS_TO_ENTITLEMENTS};
    json_t *all = json_object(), *value;
    size_t i;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        for (int t = 0; t < 2; t++) {
            json_t *values = rig_values(of, targets[t], p);
            json_array_foreach(values, i, value)
            {
                const char *user = json_string_value(json_object_get(value, "user_id"));
                json_object_del(value, "positions");
                if (!json_object_get(all, user))
                    json_object_set_new(all, user, json_array());
                json_array_append(json_object_get(all, user), value);
            }
            json_decref(values);
        }
    }
    return all;
}

static json_t *reference(void)
{
    static json_t *values;
    struct rig calm;
    if (values)
        return json_incref(values);
    rig_open(&calm, PARTITIONS);
    memory_bus_set_poll_max(calm.memory, 7);
    send_consents(&calm);
    send_events(&calm);
    rig_run(&calm);
    send_more(&calm);
    rig_run(&calm);
    rig_check(&calm);
    values = values_of(&calm);
    cr_assert_eq(json_object_size(values), 3 * PARTITIONS);
    cr_assert_gt(json_array_size(json_object_get(values, rig_user(&calm, 0, 0))), 10);
    rig_close(&calm);
    return json_incref(values);
}

static void check_against_reference(const char *what, int nth)
{
    json_t *expected = reference(), *values = values_of(&rig);
    if (!json_equal(expected, values))
        cr_assert_fail("%s, call %d: other scores than without the failure", what, nth);
    json_decref(expected);
    json_decref(values);
    rig_check(&rig);
}

/* The whole, with a hook between its two halves. */
static int run_all(void (*between)(void))
{
    send_consents(&rig);
    send_events(&rig);
    int failures = rig_run(&rig);
    if (between)
        between();
    send_more(&rig);
    return failures + rig_run(&rig);
}

Test(recovery, the_same_input_gives_the_same_output)
{
    cr_assert_eq(run_all(NULL), 0);
    check_against_reference("nothing", 0);
}

/* --- every call of the bus fails once --- */

struct bus_case {
    enum memory_op op;
    enum ss_status status;
    bool late;
    const char *name;
};

static const struct bus_case bus_cases[] = {
    {MEMORY_POLL, SS_RETRY, false, "poll"},
    {MEMORY_START, SS_RETRY, false, "start"},
    {MEMORY_RESTORE, SS_RETRY, false, "restore"},
    {MEMORY_RESTORE, SS_GIVE_UP, true, "restore past its deadline"},
    {MEMORY_OPEN, SS_RETRY, false, "open"},
    {MEMORY_HOLD, SS_RETRY, false, "hold"},
    {MEMORY_BEGIN, SS_RETRY, false, "begin"},
    {MEMORY_PRODUCE, SS_RETRY, false, "produce"},
    {MEMORY_PRODUCE, SS_RETRY, true, "produce, late"},
    {MEMORY_OFFSET, SS_RETRY, false, "offset"},
    {MEMORY_COMMIT, SS_RETRY, false, "commit"},
    {MEMORY_COMMIT, SS_GIVE_UP, false, "commit after the group has moved on"},
    {MEMORY_COMMIT, SS_RETRY, true, "commit that was done but not answered"},
    {MEMORY_MARK, SS_GIVE_UP, false, "mark"},
};

Test(recovery_bus, any_call_may_fail, .timeout = 120)
{
    for (size_t c = 0; c < sizeof bus_cases / sizeof bus_cases[0]; c++) {
        const struct bus_case *bus_case = &bus_cases[c];
        int failed = 1;
        for (int nth = 1; failed; nth += 1 + nth / 12) { /* the later, the more alike */
            open_rig();
            memory_bus_fail(rig.memory, bus_case->op, nth, bus_case->status, bus_case->late);
            run_all(NULL);
            failed = memory_bus_calls(rig.memory, bus_case->op) >= nth;
            check_against_reference(bus_case->name, nth);
            close_rig();
        }
    }
}

Test(recovery, a_failed_commit_publishes_nothing_and_all_is_done_again)
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

struct store_case {
    enum flaky_op op;
    enum ss_status status;
    bool late;
    int times;
    const char *name;
};

static const struct store_case store_cases[] = {
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

/* A small cache, so that states are read from the store. */
static void open_rig_with_a_small_cache(void)
{
    open_rig();
    ss_worker_close(rig.worker);
    rig.config.limits.cache_bytes_max = 1;
    struct ss_error err;
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK);
}

Test(recovery_store, any_call_may_fail, .timeout = 120)
{
    for (size_t c = 0; c < sizeof store_cases / sizeof store_cases[0]; c++) {
        const struct store_case *store_case = &store_cases[c];
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

Test(recovery, nothing_goes_on_while_the_store_is_away)
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

/* --- the store is not what was left there --- */

static void wipe_store(void)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        cr_assert_eq(rig.store->ops->wipe(rig.store, p, NULL), SS_OK);
}

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
        struct ss_put puts[] = {{text(rig_user(&rig, p, 0)), {NULL, 0}},
                                {text("stranger"), text("not a state")}};
        cr_assert_eq(rig.store->ops->save(rig.store, p, &now, &next, puts, 2, NULL), SS_OK);
    }
}

/* As after a fail-over to a replica that lags: an old checkpoint with the states of then. */
static struct ss_store *replica;

struct copy {
    struct ss_put puts[64];
    size_t count;
};

static void copy_state(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    struct copy *copy = arg;
    char *bytes = malloc(user_id.size + packed.size);
    memcpy(bytes, user_id.data, user_id.size);
    memcpy(bytes + user_id.size, packed.data, packed.size);
    copy->puts[copy->count++] =
        (struct ss_put){{bytes, user_id.size}, {bytes + user_id.size, packed.size}};
}

static void copy_store(struct ss_store *from, struct ss_store *to)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct copy copy = {.count = 0};
        struct ss_checkpoint checkpoint;
        bool found;
        cr_assert_eq(from->ops->checkpoint(from, p, &checkpoint, &found, NULL), SS_OK);
        cr_assert_eq(from->ops->scan(from, p, copy_state, &copy, NULL), SS_OK);
        cr_assert_eq(to->ops->wipe(to, p, NULL), SS_OK);
        if (found)
            cr_assert_eq(to->ops->save(to, p, NULL, &checkpoint, copy.puts, copy.count, NULL),
                         SS_OK);
        for (size_t i = 0; i < copy.count; i++)
            free((void *)copy.puts[i].user_id.data);
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
    cr_assert_eq(ss_memory_open(&replica, NULL), SS_OK);
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    copy_store(rig.store, replica);
    send_payments(&rig);
    rig_run(&rig);
    copy_store(replica, rig.store);
    send_payments(&rig);
    send_the_rest(&rig);
    rig_run(&rig);
    check_against_reference("older copy", 0);
    replica->ops->close(replica);
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

static void restart(void)
{
    rig_restart(&rig);
}

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

static void restart_wiped(void)
{
    wipe_store();
    rig_restart(&rig);
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
        struct ss_put put = {text(rig_user(&rig, p, 0)), text("not a state")};
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
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 3), 1)); /* not consented: no score */
    rig_run(&rig);
    memory_bus_assign(rig.memory, 1);
}

Test(recovery, a_partition_comes_back_from_a_rebalance)
{
    struct rig calm;
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    move_away_and_back();
    send_more(&rig);
    rig_run(&rig);
    rig_check(&rig);

    rig_open(&calm, PARTITIONS);
    memory_bus_set_poll_max(calm.memory, 7);
    send_consents(&calm);
    send_events(&calm);
    rig_send(&calm, rig_payment(&calm, rig_user(&calm, 0, 3), 1));
    rig_run(&calm);
    send_more(&calm);
    rig_run(&calm);
    json_t *expected = values_of(&calm), *values = values_of(&rig);
    cr_assert(json_equal(expected, values));
    json_decref(expected);
    json_decref(values);
    rig_close(&calm);
}

Test(recovery, what_cannot_be_begun_is_no_reason_to_be_deaf)
{
    struct ss_error err;
    bool idle;
    send_consents(&rig);
    /* partition 0's checkpoint cannot be read: every second call, for one partition a turn */
    for (int i = 0; i < 3; i++)
        (void)rig_step(&rig, &idle, &err);
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
