/* The bus on a real Kafka when somebody else has its name, or the broker has given it up. */
#include "base/clock.h"
#include "consumer/kafka_admin.h"
#include "helper_kafka_real.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(kafka_real_twins, .init = real_open, .timeout = 200);

Test(kafka_real_twins, stops_the_older_of_two_twins)
{
    struct worker a = {.bus = helper_open(&config)};
    const int64_t total = 2000;
    produce(total / 2, 100);
    while (owned_count(&a) < PARTITIONS)
        cr_assert_eq(step(&a, 100, 100), SS_OK, "%s", a.err.detail);
    struct worker b = {.bus = helper_open(&config)};
    enum ss_status status = SS_OK;
    const int64_t begun = ss_clock_steady_ms(), deadline = begun + 90000;
    while (status != SS_STOP && ss_clock_steady_ms() < deadline) {
        status = step(&a, 100, 50);
        cr_assert_neq(step(&b, 100, 50), SS_STOP, "%s", b.err.detail);
    }
    cr_assert_eq(status, SS_STOP);
    fprintf(stderr, "told apart after %lld ms\n", (long long)(ss_clock_steady_ms() - begun));
    cr_assert(strstr(a.err.detail, "another process runs as instance one"), "%s", a.err.detail);
    a.bus->ops->close(a.bus);

    /* and the younger one has the name to itself */
    produce(total / 2, 100);
    while (a.records + b.records < total && ss_clock_steady_ms() < deadline)
        cr_assert_neq(step(&b, 100, 100), SS_STOP, "%s", b.err.detail);
    b.bus->ops->close(b.bus);
    cr_assert_eq(count_outputs(), total);
}

/* A client of the same name that came and went: to the broker it is what a held-up request of the
 * worker's own past is. */
Test(kafka_real_twins, outlives_a_late_request_of_its_own_past)
{
    struct ss_poll poll;
    struct worker a = {.bus = helper_open(&config)};
    const int64_t total = 1000, deadline = ss_clock_steady_ms() + 90000;
    while (owned_count(&a) < PARTITIONS)
        cr_assert_eq(step(&a, 100, 100), SS_OK, "%s", a.err.detail);
    struct ss_bus *late = helper_open(&config);
    helper_await(late, SS_BUS_ASSIGNED, &poll);
    late->ops->close(late);
    bool lost = false;
    while (!lost && ss_clock_steady_ms() < deadline) {
        cr_assert_neq(step(&a, 100, 100), SS_STOP, "%s", a.err.detail);
        lost = owned_count(&a) == 0;
    }
    cr_assert(lost);
    produce(total, 100);
    while (a.records < total && ss_clock_steady_ms() < deadline)
        cr_assert_neq(step(&a, 100, 100), SS_STOP, "%s", a.err.detail);
    a.bus->ops->close(a.bus);
    cr_assert_eq(count_outputs(), total);
}

Test(kafka_real_twins, cannot_commit_once_a_twin_has_its_id)
{
    struct ss_error err = {.detail = ""};
    struct worker a = {0};
    produce(100, 100);
    a.bus = helper_open(&config);
    while (owned_count(&a) < PARTITIONS)
        cr_assert_eq(step(&a, 100, 100), SS_OK, "%s", a.err.detail);
    cr_assert_eq(a.bus->ops->begin(a.bus, &err), SS_OK);
    cr_assert_eq(
        a.bus->ops->produce(a.bus, SS_TO_SCORES, 0, text("k"), text("0/0/0"), NULL, 0, false, &err),
        SS_OK);
    struct ss_bus *b = helper_open(&config);
    enum ss_status status = a.bus->ops->commit(a.bus, &err);
    cr_assert_eq(status, SS_RETRY, "%s: %s", ss_status_name(status), err.detail);
    cr_assert(strstr(err.detail, "was taken over"), "%s", err.detail);
    cr_assert_eq(a.bus->ops->begin(a.bus, &err), SS_RETRY); /* nothing to begin with */
    a.bus->ops->close(a.bus);
    b->ops->close(b);
    cr_assert_eq(count_outputs(), 0);
}

Test(kafka_real_twins, outlives_a_transaction_that_lasted_too_long)
{
    struct ss_error err = {.detail = ""};
    struct worker w = {0};
    produce(100, 100);
    config.transaction_timeout_ms = 1000;
    w.bus = helper_open(&config);
    while (owned_count(&w) < PARTITIONS)
        cr_assert_eq(step(&w, 100, 100), SS_OK, "%s", w.err.detail);
    cr_assert_eq(w.bus->ops->begin(w.bus, &err), SS_OK);
    cr_assert_eq(
        w.bus->ops->produce(w.bus, SS_TO_SCORES, 0, text("k"), text("0/0/0"), NULL, 0, false, &err),
        SS_OK);
    /* Until the broker has aborted it: its marker lets the end move past the record. */
    const int64_t deadline = ss_clock_steady_ms() + 60000;
    struct ss_kafka_end ends[PARTITIONS] = {0};
    while (ends[0].high < 2 && ss_clock_steady_ms() < deadline) {
        int32_t room = PARTITIONS;
        cr_assert_eq(ss_kafka_topic_ends(&config.access, config.targets[SS_TO_SCORES], false, ends,
                                         &room, 10000, &err),
                     SS_OK, "%s", err.detail);
        /* A record waits up to linger.ms; nothing else is sent meanwhile. */
    }
    cr_assert_geq(ends[0].high, 2);
    enum ss_status status = w.bus->ops->commit(w.bus, &err);
    cr_assert_eq(status, SS_RETRY, "%s: %s", ss_status_name(status), err.detail);
    while (w.records < 100 && ss_clock_steady_ms() < deadline) {
        status = step(&w, 100, 100);
        cr_assert_neq(status, SS_STOP, "%s", w.err.detail);
    }
    w.bus->ops->close(w.bus);
    cr_assert_eq(count_outputs(), 100);
}
