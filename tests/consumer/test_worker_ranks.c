/* Percentiles as a worker publishes them, and the histograms that they come from: through failed
 * commits, lost stores, restarts and a lost topic. */
#include "helper_worker.h"

#include <criterion/criterion.h>

enum { PARTITIONS = 2, USERS = 6, SECOND = 1000 };

static struct rig rig;

static void set_up(void)
{
    rig_open(&rig, PARTITIONS);
    rig.config.limits.ranks_interval_ms = 10 * SECOND;
    rig_restart(&rig);
}

static void tear_down(void)
{
    rig_check(&rig);
    rig_close(&rig);
}

TestSuite(worker_ranks, .init = set_up, .fini = tear_down);

static void pass(int64_t ms)
{
    rig.now_ms += ms;
    rig.record_time_ms += ms;
    memory_bus_set_time(rig.memory, rig.now_ms);
    rig_run(&rig);
}

static void grant(const char *user)
{
    rig_send(&rig, rig_consent(&rig, user, SS_CONSENT_GRANTED));
}

static void verify(const char *user, enum ss_profile_fact fact)
{
    struct ss_event event = rig_event(&rig, SS_PROFILES, user);
    event.profile.action = SS_PROFILE_VERIFIED;
    event.profile.fact = fact;
    rig_send(&rig, event);
}

/* The last record of a user; the caller decrefs. */
static json_t *last_of(int32_t partition, const char *user)
{
    json_t *values = rig_values(&rig, SS_TO_SCORES, partition), *value, *last = NULL;
    size_t i;
    json_array_foreach(values, i,
                       value) if (strcmp(json_string_value(json_object_get(value, "user_id")),
                                         user) == 0) last = value;
    cr_assert_not_null(last, "no record of %s", user);
    json_incref(last);
    json_decref(values);
    return last;
}

static void expect_rank(int32_t partition, const char *user, int percentile, int64_t offset)
{
    json_t *record = last_of(partition, user);
    const json_t *got = json_object_get(record, "percentile"),
                 *ranks = json_object_get(record, "ranks");
    cr_assert_not_null(got);
    if (percentile < 0) {
        cr_expect(json_is_null(got) && json_is_null(ranks), "%s has a percentile", user);
    } else {
        cr_expect_eq(json_integer_value(got), percentile, "%s: %lld", user,
                     (long long)json_integer_value(got));
        cr_expect_eq(json_integer_value(ranks), offset, "%s: %lld", user,
                     (long long)json_integer_value(ranks));
    }
    json_decref(record);
}

/* The histogram of the newest mark, against the last score record of every user. */
static void expect_histograms(void)
{
    for (int32_t p = 0; p < PARTITIONS; p++) {
        json_t *values = rig_values(&rig, SS_TO_SCORES, p), *last = json_object(), *value;
        struct ss_histogram counted = {0};
        struct ss_mark mark;
        const char *user;
        int64_t offset;
        size_t i;
        json_array_foreach(values, i, value)
            json_object_set(last, json_string_value(json_object_get(value, "user_id")),
                            json_object_get(value, "score"));
        json_object_foreach(last, user, value) if (json_is_integer(value))
            counted.users[json_integer_value(value) - SS_SCORE_MIN]++;
        if (rig_mark(&rig, p, &mark, &offset))
            cr_expect_eq(memcmp(&mark.histogram, &counted, sizeof counted), 0, "partition %d", p);
        json_decref(last);
        json_decref(values);
    }
}

static int64_t published(void)
{
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_RANKS, 0);
    int64_t next = 0, count = 0;
    while (memory_log_next(log, &next))
        count++;
    return count;
}

/* The users of a partition by its last histogram on the topic; -1: there is none. */
static int64_t ranked(int32_t partition)
{
    const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_RANKS, 0);
    const struct memory_record *record;
    int64_t next = 0, users = -1;
    while ((record = memory_log_next(log, &next))) {
        json_t *value = rig_json(&rig, record->value), *count;
        size_t i;
        if (json_integer_value(json_object_get(value, "partition")) == partition) {
            users = 0;
            json_array_foreach(json_object_get(value, "users"), i, count) users +=
                json_integer_value(count);
        }
        json_decref(value);
    }
    return users;
}

Test(worker_ranks, come_from_what_was_published_before)
{
    const char *a = rig_user(&rig, 0, 0), *b = rig_user(&rig, 1, 0);
    grant(a);
    rig_run(&rig);
    expect_rank(0, a, -1, 0); /* there was no histogram yet */
    cr_assert_eq(published(), 1);
    grant(b);
    rig_run(&rig);
    expect_rank(1, b, 0, 1); /* 561 like the only other one */
    verify(a, SS_FACT_IDENTITY);
    rig_run(&rig);
    expect_rank(0, a, 10000, 3); /* both have 561 there; a marker lies between the two */
    pass(10 * SECOND);
    verify(b, SS_FACT_IDENTITY);
    rig_run(&rig);
    expect_rank(1, b, 5000, 5); /* a has the same by then, b himself is below */
    expect_histograms();
}

Test(worker_ranks, all_records_of_a_transaction_have_the_same_view)
{
    for (int i = 0; i < USERS; i++)
        grant(rig_user(&rig, i % PARTITIONS, i / PARTITIONS));
    rig_run(&rig);
    for (int i = 0; i < USERS; i++)
        verify(rig_user(&rig, i % PARTITIONS, i / PARTITIONS), SS_FACT_IDENTITY);
    rig_run(&rig);
    for (int i = 0; i < USERS; i++)
        expect_rank(i % PARTITIONS, rig_user(&rig, i % PARTITIONS, i / PARTITIONS), 10000, 3);
    expect_histograms();
}

Test(worker_ranks, are_published_at_intervals_and_after_a_change_only)
{
    const char *user = rig_user(&rig, 0, 0);
    grant(user);
    rig_run(&rig);
    cr_assert_eq(published(), 1);
    verify(user, SS_FACT_IDENTITY);
    rig_run(&rig);
    cr_assert_eq(published(), 1, "the interval is not over");
    pass(9 * SECOND);
    cr_assert_eq(published(), 1);
    pass(SECOND);
    cr_assert_eq(published(), 2, "nothing else happens, and it is told all the same");
    pass(60 * SECOND);
    cr_assert_eq(published(), 2, "nothing has changed");
    rig_restart(&rig);
    rig_run(&rig);
    cr_assert_eq(published(), 2, "nor does a restart change anything");
    expect_histograms();
}

Test(worker_ranks, a_change_just_before_the_end_is_told_by_the_next_process)
{
    const char *user = rig_user(&rig, 0, 0);
    grant(user);
    rig_run(&rig);
    grant(rig_user(&rig, 0, 1));
    rig_run(&rig);
    cr_assert_eq(ranked(0), 1);
    rig_restart(&rig);
    rig_run(&rig);
    cr_assert_eq(ranked(0), 2);
}

Test(worker_ranks, who_opts_out_is_not_counted_and_who_is_listed_is)
{
    for (int i = 0; i < 3; i++)
        grant(rig_user(&rig, 0, i));
    rig_send(&rig, rig_listing(&rig, rig_user(&rig, 0, 0), SS_LISTED, "case"));
    rig_run(&rig);
    pass(10 * SECOND);
    cr_assert_eq(ranked(0), 3);
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 1), SS_CONSENT_WITHDRAWN));
    rig_run(&rig);
    expect_rank(0, rig_user(&rig, 0, 1), -1, 0);
    pass(10 * SECOND);
    cr_assert_eq(ranked(0), 2);
    verify(rig_user(&rig, 0, 2), SS_FACT_IDENTITY);
    rig_run(&rig);
    json_t *record = last_of(0, rig_user(&rig, 0, 2));
    cr_expect_eq(json_integer_value(json_object_get(record, "percentile")), 10000);
    json_decref(record);
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 0), SS_CONSENT_WITHDRAWN));
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 2), SS_CONSENT_WITHDRAWN));
    rig_run(&rig);
    pass(10 * SECOND);
    cr_assert_eq(ranked(0), 0);
    grant(rig_user(&rig, 0, 3));
    rig_run(&rig);
    expect_rank(0, rig_user(&rig, 0, 3), -1, 0); /* a histogram of nobody ranks nobody */
    expect_histograms();
}

Test(worker_ranks, survive_a_failed_commit)
{
    const char *user = rig_user(&rig, 0, 0);
    grant(user);
    memory_bus_fail(rig.memory, MEMORY_COMMIT, 1, SS_RETRY, false);
    cr_assert_gt(rig_run(&rig), 0);
    cr_assert_eq(published(), 1);
    cr_assert_eq(ranked(0), 1);
    verify(user, SS_FACT_IDENTITY);
    memory_bus_fail(rig.memory, MEMORY_COMMIT, 1, SS_RETRY, true);
    cr_assert_gt(rig_run(&rig), 0);
    pass(10 * SECOND);
    cr_assert_eq(ranked(0), 1);
    expect_histograms();
}

Test(worker_ranks, survive_a_lost_store_and_restarts)
{
    for (int i = 0; i < USERS; i++)
        grant(rig_user(&rig, i % PARTITIONS, i / PARTITIONS));
    rig_run(&rig);
    wipe_partitions(rig.store, PARTITIONS);
    verify(rig_user(&rig, 0, 0), SS_FACT_IDENTITY);
    rig_run(&rig);
    expect_histograms();
    rig_restart(&rig);
    rig_send(&rig, rig_consent(&rig, rig_user(&rig, 0, 1), SS_CONSENT_WITHDRAWN));
    rig_run(&rig);
    expect_histograms();
    wipe_partitions(rig.store, PARTITIONS);
    rig_restart(&rig);
    pass(10 * SECOND);
    cr_assert_eq(ranked(0), USERS / PARTITIONS - 1);
    cr_assert_eq(ranked(1), USERS / PARTITIONS);
    verify(rig_user(&rig, 1, 0), SS_FACT_IDENTITY);
    rig_run(&rig);
    json_t *record = last_of(1, rig_user(&rig, 1, 0));
    cr_expect_eq(json_integer_value(json_object_get(record, "percentile")), 4 * 10000 / 5);
    json_decref(record);
    expect_histograms();
}

Test(worker_ranks, are_published_anew_after_the_topic_was_lost)
{
    grant(rig_user(&rig, 0, 0));
    grant(rig_user(&rig, 1, 0));
    rig_run(&rig);
    cr_assert_eq(published(), 2);
    memory_bus_truncate(rig.memory, SS_TO_RANKS, 0);
    rig_restart(&rig);
    rig_run(&rig);
    cr_assert_eq(ranked(0), 1);
    cr_assert_eq(ranked(1), 1);
}

Test(worker_ranks, no_partition_begins_before_they_are_read)
{
    struct ss_ranks *unread;
    struct ss_error err = {.detail = ""};
    bool idle;
    cr_assert_eq(ss_ranks_open(&unread, &err), SS_OK);
    ss_worker_close(rig.worker);
    rig.config.ranks = unread;
    memory_bus_restart(rig.memory);
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK);
    grant(rig_user(&rig, 0, 0));
    enum ss_status status = SS_OK;
    for (int i = 0; i < 5; i++)
        status = ss_worker_step(rig.worker, &idle, &err);
    cr_assert_eq(status, SS_RETRY);
    cr_assert(strstr(err.detail, "sesame-ranks"), "%s", err.detail);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_OPEN), 0);
    ss_ranks_set_ready(unread);
    rig_run(&rig);
    cr_assert_eq(rig_last_score(&rig, rig_user(&rig, 0, 0)), 561);
    ss_ranks_close(unread);
}
