/* Clusters that are more than one partition, or not what they have to be: how members share one,
 * and what open refuses. On librdkafka's mock cluster. */
#include "base/clock.h"
#include "consumer/kafka_reader.h"
#include "consumer/partitioner.h"
#include "helper_kafka_mock.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(kafka_clusters, .timeout = 120);

/* A second member comes: what each of the two is assigned then. */
static void share_out(int partitions, size_t *at_a, size_t *at_b)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_kafka_config other;
    mocked_open(partitions, partitions, SS_INPUT_COUNT + SS_TARGET_COUNT);
    struct ss_bus *a = helper_open(&mocked.config), *b;
    helper_await(a, SS_BUS_ASSIGNED, &poll);
    cr_assert_eq(poll.partition_count, (size_t)partitions);
    other = mocked.config;
    other.worker = 1;
    b = helper_open(&other);
    bool revoked = false, told_a = false, told_b = false;
    const int64_t deadline = ss_clock_steady_ms() + 60000;
    while (!(told_a && told_b)) {
        cr_assert_lt(ss_clock_steady_ms(), deadline, "told: %d, %d", told_a, told_b);
        cr_assert_eq(a->ops->poll(a, 10, 50, &poll, &err), SS_OK, "%s", err.detail);
        revoked |= poll.event == SS_BUS_REVOKED;
        if (poll.event == SS_BUS_ASSIGNED) {
            cr_assert(revoked, "assigned before revoked");
            told_a = true;
            *at_a = poll.partition_count;
        }
        cr_assert_eq(b->ops->poll(b, 10, 50, &poll, &err), SS_OK, "%s", err.detail);
        if (poll.event == SS_BUS_ASSIGNED) {
            told_b = true;
            *at_b = poll.partition_count;
        }
    }
    b->ops->close(b);
    a->ops->close(a);
    mocked_close();
}

Test(kafka_clusters, shares_partitions_whole_between_two_members)
{
    size_t at_a = 0, at_b = 0;
    share_out(4, &at_a, &at_b);
    cr_assert_eq(at_a, 2);
    cr_assert_eq(at_b, 2);
}

Test(kafka_clusters, tells_who_gets_no_partition)
{
    size_t at_a = 9, at_b = 9;
    share_out(1, &at_a, &at_b);
    cr_assert_eq(at_a + at_b, 1);
}

/* --- what open refuses --- */

Test(kafka_clusters, refuses_unequal_partition_counts)
{
    struct ss_error err;
    struct ss_bus *bus;
    mocked_open(2, 3, SS_INPUT_COUNT + SS_TARGET_COUNT);
    cr_assert_eq(ss_kafka_bus_open(&mocked.config, &bus, &err), SS_STOP);
    cr_assert(strstr(err.detail, "bookings 3") && strstr(err.detail, "payments 2"), "%s",
              err.detail);
    mocked_close();
}

Test(kafka_clusters, names_missing_topics)
{
    struct ss_error err;
    struct ss_bus *bus;
    mocked_open(1, 1, SS_INPUT_COUNT + SS_TARGET_COUNT - 1);
    cr_assert_eq(ss_kafka_bus_open(&mocked.config, &bus, &err), SS_STOP);
    cr_assert(strstr(err.detail, " told") && strstr(err.detail, "topics create"), "%s", err.detail);
    cr_assert_null(strstr(err.detail, "payments"));
    mocked_close();
}

Test(kafka_clusters, says_retry_when_no_cluster_answers)
{
    struct ss_error err;
    struct ss_bus *bus;
    helper_config(&mocked.config, 0, "127.0.0.1:1", "");
    mocked.config.open_timeout_ms = 500;
    cr_assert_eq(ss_kafka_bus_open(&mocked.config, &bus, &err), SS_RETRY, "%s", err.detail);
}

Test(kafka_clusters, partitions_as_librdkafka_does)
{
    struct ss_error err;
    struct ss_kafka_reader *reader;
    struct ss_kafka_record record;
    bool end = false;
    int count = 0;
    mocked_open(5, 5, SS_INPUT_COUNT + SS_TARGET_COUNT);
    for (int i = 0; i < 300; i++) {
        char key[32];
        snprintf(key, sizeof key, "\xc3\xa4-%d", i * 7919);
        mocked_send(SS_PAYMENTS, key, "x");
    }
    mocked_flush();
    struct ss_kafka_reader_config reading = {
        .access = {.bootstrap = mocked.config.access.bootstrap},
        .topic = "payments",
        .partition = -1,
        .from_offset = -1};
    cr_assert_eq(ss_kafka_reader_open(&reading, &reader, &err), SS_OK, "%s", err.detail);
    while (ss_kafka_reader_next(reader, &record, &end, &err) == SS_OK && !end) {
        cr_assert_eq(record.partition, ss_partition_of(record.key, 5));
        count++;
    }
    cr_assert_eq(count, 300, "%d: %s", count, err.detail);
    ss_kafka_reader_close(reader);
    mocked_close();
}
