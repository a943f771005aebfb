/* The worker's loop in memory: what is let through and counted, and when it has caught up. */
#include "helper_text.h"
#include "helper_worker.h"

#include <criterion/criterion.h>

static struct rig rig;

static void open_one(void)
{
    rig_open(&rig, 1);
}

static void close_rig(void)
{
    rig_close(&rig);
}

TestSuite(worker, .init = open_one, .fini = close_rig);

static json_t *score_at(json_t *scores, size_t i)
{
    json_t *score = json_array_get(scores, i);
    cr_assert_not_null(score, "there are only %zu scores", json_array_size(scores));
    return score;
}

static const char *string_in(json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

/* --- the gate --- */

Test(worker, reads_consents_to_their_end_before_anything_else)
{
    /* the bus offers payments first, one record a poll: unless they are held, they come first */
    memory_bus_set_poll_max(rig.memory, 1);
    for (int i = 0; i < 20; i++)
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, i % 2), 1000 * i));
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 1), SS_CONSENT_GRANTED));
    rig_run(&rig);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_COUNTED], 20);
    rig_check(&rig);
}

Test(worker, listings_do_not_wait_for_the_consents)
{
    memory_bus_set_poll_max(rig.memory, 1);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_send(&rig, rig_listing(&rig, rig_user(&rig, 0, 0), SS_LISTED, "case"));
    for (int i = 0; i < 3; i++)
        rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, i), SS_CONSENT_GRANTED));
    rig_run(&rig);
    json_t *scores = rig_values(&rig, SS_TO_SCORES, 0);
    json_t *first = score_at(scores, 0);
    cr_assert_str_eq(string_in(first, "kind"), "OPT_IN");
    cr_assert_str_eq(string_in(first, "standing"), "LISTED");
    json_t *positions = json_object_get(first, "positions");
    cr_assert_eq(json_integer_value(json_object_get(positions, "blacklist")), 1);
    cr_assert_eq(json_integer_value(json_object_get(positions, "payments")), 0);
    json_decref(scores);
    rig_check(&rig);
}

Test(worker, consents_that_end_in_what_is_never_delivered_are_read_to_their_end)
{
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    memory_bus_append_gap(rig.memory, SS_CONSENTS, 0);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_COUNTED], 1);
    rig_check(&rig);
}

Test(worker, a_consent_given_while_running_counts_from_then_on)
{
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_NOT_CONSENTED], 1);
    cr_assert(!rig_stored(&rig, rig_user(&rig, 0, 0)));
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    rig_run(&rig);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_COUNTED], 1);
    rig_check(&rig);
}

Test(worker, withdrawal_leaves_a_tombstone_and_nothing_in_the_store)
{
    const char *user = rig_user(&rig, 0, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    rig_send(&rig, rig_payment(&rig, user, 1000));
    rig_run(&rig);
    cr_assert(rig_stored(&rig, user));

    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_WITHDRAWN));
    rig_run(&rig);
    cr_assert(!rig_stored(&rig, user));
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_CHANGELOG, 0);
    const struct memory_record *record, *last = NULL;
    for (int64_t next = 0; (record = memory_log_next(log, &next));)
        if (ss_bytes_equal(record->key, text(user)))
            last = record;
    cr_assert_not_null(last);
    cr_assert_null(last->value.data, "a tombstone has no value");
    json_t *scores = rig_values(&rig, SS_TO_SCORES, 0);
    cr_assert_str_eq(string_in(score_at(scores, json_array_size(scores) - 1), "kind"), "OPT_OUT");
    json_decref(scores);
    rig_check(&rig);
}

Test(worker, a_duplicate_changes_nothing)
{
    const char *user = rig_user(&rig, 0, 0);
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
    struct ss_event payment = rig_payment(&rig, user, 1000);
    rig_send(&rig, payment);
    rig_send(&rig, payment);
    rig_run(&rig);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_COUNTED], 1);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_DUPLICATE], 1);
    rig_check(&rig);
}

Test(worker, what_is_delivered_again_although_it_is_committed_is_passed_over)
{
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_GRANTED));
    for (int i = 0; i < 5; i++)
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    memory_bus_redeliver(rig.memory, SS_PAYMENTS, 0);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    rig_run(&rig);
    cr_assert_eq(rig_counts(&rig, SS_PAYMENTS).outcomes[SS_COUNTED], 6);
    rig_check(&rig);
}

Test(worker_partitions, are_counted_apart)
{
    rig_open(&rig, 3);
    for (int32_t p = 0; p < 3; p++)
        for (int i = 0; i < 2; i++)
            rig_send(&rig, rig_consent(&rig, rig_user(&rig, p, i), SS_CONSENT_GRANTED));
    for (int32_t p = 0; p < 3; p++)
        for (int i = 0; i < 5 * (p + 1); i++)
            rig_send(&rig, rig_payment(&rig, rig_user(&rig, p, i % 3), 5000));
    rig_run(&rig);
    for (int32_t p = 0; p < 3; p++) {
        struct ss_mark mark;
        int64_t offset;
        cr_assert(rig_mark(&rig, p, &mark, &offset));
        cr_assert_eq(mark.counts[SS_PAYMENTS].consumed, 5 * (p + 1));
        cr_assert_eq(mark.counts[SS_PAYMENTS].outcomes[SS_NOT_CONSENTED], 5 * (p + 1) / 3);
    }
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].consumed, 30);
    cr_assert_eq(rig.stats.counts[SS_CONSENTS].outcomes[SS_COUNTED], 6);
    rig_check(&rig);
    rig_close(&rig);
}

/* --- caught up --- */

static int32_t caught_up(void)
{
    struct ss_error err;
    bool idle;
    cr_assert_neq(rig_step(&rig, &idle, &err), SS_STOP);
    return rig.stats.caught_up;
}

Test(worker, is_caught_up_once_it_has_read_what_was_there_at_assignment)
{
    memory_bus_set_poll_max(rig.memory, 1);
    for (int i = 0; i < 5; i++)
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    for (int steps = 0; memory_bus_calls(rig.memory, MEMORY_COMMIT) < 4; steps++) {
        cr_assert_lt(steps, 100);
        cr_assert_eq(caught_up(), 0);
    }
    /* more comes in all the time, but that was not there at assignment */
    for (int steps = 0; caught_up() == 0; steps++) {
        cr_assert_lt(steps, 10, "never caught up while records come in");
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    }
    cr_assert_geq(rig.stats.counts[SS_PAYMENTS].consumed, 5);
    rig_run(&rig);
    rig_check(&rig);
}

Test(worker, is_not_caught_up_while_the_store_is_behind)
{
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
    flaky_store_fail(rig.flaky, FLAKY_SAVE, 1, 5, SS_RETRY, false);
    for (int i = 0; memory_bus_calls(rig.memory, MEMORY_COMMIT) < 1; i++) {
        cr_assert_lt(i, 10);
        caught_up();
    }
    for (int i = 0; flaky_store_calls(rig.flaky, FLAKY_SAVE) < 5; i++) {
        cr_assert_lt(i, 10);
        cr_assert_eq(caught_up(), 0);
    }
    rig_run(&rig);
    cr_assert_eq(rig.stats.caught_up, 1);
    rig_check(&rig);
}

Test(worker, an_empty_topic_is_caught_up_at_once)
{
    rig_run(&rig);
    cr_assert_eq(rig.stats.assigned, 1);
    cr_assert_eq(rig.stats.ready, 1);
    cr_assert_eq(rig.stats.caught_up, 1);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_BEGIN), 0);
}

Test(worker_partitions, one_that_is_passed_without_a_record_does_not_wait_for_a_lull)
{
    struct ss_error err;
    struct ss_mark mark;
    int64_t offset;
    bool idle;
    rig_open(&rig, 2);
    memory_bus_set_poll_max(rig.memory, 2);
    memory_bus_append_gap(rig.memory, SS_CONSENTS, 1);
    rig_send(&rig, rig_payment(&rig, rig_user(&rig, 1, 0), 1000));
    for (int steps = 0; !rig_mark(&rig, 1, &mark, &offset); steps++) {
        cr_assert_lt(steps, 50, "partition 1 waits while partition 0 has records");
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, 0, 0), 1000));
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK);
    }
    rig_run(&rig);
    rig_check(&rig);
    rig_close(&rig);
}
