/* The bus on librdkafka's mock cluster when calls fail: what is gone on from, rewound, given up, or
 * stopped for. Two workers of one name on a real Kafka: test_kafka_real_twins.c. */
#include "base/clock.h"
#include "helper_kafka_mock.h"

#include <criterion/criterion.h>

/* Kafka's API keys and error codes, by number on the wire. */
enum {
    API_PRODUCE = 0,
    API_JOIN_GROUP = 11,
    API_HEARTBEAT = 12,
    API_ADD_PARTITIONS = 24,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,
};
enum {
    ERR_NOT_COORDINATOR = 16,
    ERR_ILLEGAL_GENERATION = 22,
    ERR_TOPIC_AUTHORIZATION_FAILED = 29,
    ERR_INVALID_TXN_STATE = 48,
    ERR_CONCURRENT_TRANSACTIONS = 51,
    ERR_TOO_LARGE = 10,
    ERR_FENCED_INSTANCE_ID = 82,
    ERR_PRODUCER_FENCED = 90,
};

TestSuite(kafka_failures, .init = mocked_open_all, .fini = mocked_close, .timeout = 120);

static void expect_cycle(struct ss_bus *bus)
{
    struct ss_poll poll;
    helper_await(bus, SS_BUS_REVOKED, &poll);
    cr_assert(poll.lost);
    cr_assert_eq(poll.partition_count, 1);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    cr_assert_eq(poll.partition_count, 1);
}

static void expect_failure(int api, int code, int times, enum ss_status expected, bool heals)
{
    struct ss_error err = {.detail = ""};
    struct ss_poll poll;
    struct ss_partition_start start;
    mocked_send(SS_PAYMENTS, "alice", "one");
    mocked_flush();
    struct ss_bus *bus = mocked_open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll);
    ss_kafka_mock_fail(mocked.mock, api, code, times);
    enum ss_status status = mocked_transact(bus, 1, &err);
    cr_assert_eq(status, expected, "%s: %s", ss_status_name(status), err.detail);
    if (expected != SS_OK && heals) {
        expect_cycle(bus);
        helper_begin(bus, 0, &start);
        helper_await(bus, SS_BUS_RECORDS, &poll); /* again, from what is committed */
        cr_assert_eq(poll.records[0].offset, 0);
    }
    if (heals)
        cr_assert_eq(mocked_transact(bus, 1, &err), SS_OK, "%s", err.detail);
    else
        cr_assert_eq(bus->ops->poll(bus, 10, 10, &poll, &err), expected);
    bus->ops->close(bus);
}

Test(kafka_failures, goes_on_when_the_coordinator_moves)
{
    expect_failure(API_END_TXN, ERR_NOT_COORDINATOR, 2, SS_OK, true);
}

Test(kafka_failures, goes_on_while_the_last_transaction_is_being_written)
{
    expect_failure(API_ADD_PARTITIONS, ERR_CONCURRENT_TRANSACTIONS, 3, SS_OK, true);
}

Test(kafka_failures, rewinds_when_delivery_fails)
{
    expect_failure(API_PRODUCE, ERR_TOPIC_AUTHORIZATION_FAILED, 1, SS_RETRY, true);
}

Test(kafka_failures, rewinds_with_a_new_producer_when_a_commit_is_refused_for_good)
{
    expect_failure(API_END_TXN, ERR_INVALID_TXN_STATE, 1, SS_RETRY, true);
}

Test(kafka_failures, rewinds_when_partitions_cannot_be_added)
{
    expect_failure(API_ADD_PARTITIONS, ERR_TOPIC_AUTHORIZATION_FAILED, 1, SS_RETRY, true);
}

Test(kafka_failures, gives_up_when_the_group_has_moved_on)
{
    expect_failure(API_TXN_OFFSET_COMMIT, ERR_ILLEGAL_GENERATION, 1, SS_GIVE_UP, true);
}

Test(kafka_failures, begins_anew_when_its_producer_is_fenced)
{
    expect_failure(API_END_TXN, ERR_PRODUCER_FENCED, 1, SS_RETRY, true);
}

Test(kafka_failures, begins_anew_when_a_commit_is_refused_for_its_instance)
{
    expect_failure(API_TXN_OFFSET_COMMIT, ERR_FENCED_INSTANCE_ID, 1, SS_RETRY, true);
}

/* Polls until the bus has lost its partition, or ends. */
static enum ss_status await_loss(struct ss_bus *bus, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + 60000;
    struct ss_poll poll = {.event = SS_BUS_NOTHING};
    enum ss_status status = SS_OK;
    while (status != SS_STOP && poll.event != SS_BUS_REVOKED && ss_clock_steady_ms() < deadline)
        status = bus->ops->poll(bus, 10, 100, &poll, err);
    cr_assert(status == SS_STOP || (poll.event == SS_BUS_REVOKED && poll.lost), "%s", err->detail);
    return status;
}

static void await_again(struct ss_bus *bus)
{
    struct ss_partition_start start;
    struct ss_poll poll;
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    helper_begin(bus, 0, &start);
}

static void expect_begun_anew(int api)
{
    struct ss_error err = {.detail = ""};
    struct ss_bus *bus = mocked_open_assigned();
    cr_assert_eq(mocked_transact(bus, 0, &err), SS_OK, "%s", err.detail);
    ss_kafka_mock_fail(mocked.mock, api, ERR_FENCED_INSTANCE_ID, 1);
    if (api == API_JOIN_GROUP) /* it has to join to be refused */
        ss_kafka_mock_fail(mocked.mock, API_HEARTBEAT, ERR_ILLEGAL_GENERATION, 1);
    cr_assert_eq(await_loss(bus, &err), SS_OK, "%s", err.detail);
    await_again(bus);
    cr_assert_eq(mocked_transact(bus, 0, &err), SS_OK, "%s", err.detail);
    bus->ops->close(bus);
}

Test(kafka_failures, begins_anew_when_a_heartbeat_is_fenced)
{
    expect_begun_anew(API_HEARTBEAT);
}

Test(kafka_failures, begins_anew_when_it_is_fenced_while_joining)
{
    expect_begun_anew(API_JOIN_GROUP);
}

Test(kafka_failures, stops_when_it_is_fenced_again_and_again)
{
    struct ss_error err = {.detail = ""};
    struct ss_poll poll;
    struct ss_bus *bus = mocked_open_assigned();
    for (int i = 0; i < 2; i++) {
        ss_kafka_mock_fail(mocked.mock, API_END_TXN, ERR_PRODUCER_FENCED, 1);
        enum ss_status status = mocked_transact(bus, 0, &err);
        cr_assert_eq(status, SS_RETRY, "%s: %s", ss_status_name(status), err.detail);
        cr_assert_eq(await_loss(bus, &err), SS_OK, "%s", err.detail);
        await_again(bus);
    }
    ss_kafka_mock_fail(mocked.mock, API_HEARTBEAT, ERR_FENCED_INSTANCE_ID,
                       1); /* whatever it loses */
    cr_assert_eq(await_loss(bus, &err), SS_STOP);
    cr_assert(strstr(err.detail, "another process runs as instance one"), "%s", err.detail);
    cr_assert(strstr(err.detail, "an `instance` of its own"), "%s", err.detail);
    cr_assert(strstr(err.detail, "fenced by other consumer"), "the cause: %s", err.detail);
    cr_assert_eq(bus->ops->poll(bus, 10, 10, &poll, &err), SS_STOP);
    cr_assert_eq(bus->ops->begin(bus, &err), SS_STOP);
    bus->ops->close(bus);
}

/* Each on its own may have been a late request of its own past. */
Test(kafka_failures, forgets_that_it_was_fenced)
{
    struct ss_error err = {.detail = ""};
    struct ss_poll poll;
    mocked.config.session_timeout_ms = 4500;
    struct ss_bus *bus = mocked_open_assigned();
    for (int i = 0; i < 3; i++) {
        const int64_t fenced_at = ss_clock_steady_ms();
        ss_kafka_mock_fail(mocked.mock, API_END_TXN, ERR_PRODUCER_FENCED, 1);
        enum ss_status status = mocked_transact(bus, 0, &err);
        cr_assert_eq(status, SS_RETRY, "%s: %s", ss_status_name(status), err.detail);
        cr_assert_eq(await_loss(bus, &err), SS_OK, "%s", err.detail);
        await_again(bus);
        /* The first two count together, the third comes too late for that. */
        while (i == 1 &&
               ss_clock_steady_ms() < fenced_at + 3 * mocked.config.session_timeout_ms + 1000) {
            status = bus->ops->poll(bus, 10, 100, &poll, &err);
            cr_assert_neq(status, SS_STOP, "%s", err.detail);
            if (poll.event == SS_BUS_ASSIGNED) {
                struct ss_partition_start start;
                helper_begin(bus, 0, &start);
            }
        }
    }
    bus->ops->close(bus);
}

Test(kafka_failures, stops_when_a_topic_refuses_the_size_of_its_records)
{
    expect_failure(API_PRODUCE, ERR_TOO_LARGE, 1, SS_STOP, false);
}

Test(kafka_failures, rewinds_after_an_abort)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_bus *bus = mocked_open_assigned();
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(
        bus->ops->produce(bus, SS_TO_SCORES, 0, text("k"), text("v"), NULL, 0, false, &err), SS_OK);
    cr_assert_eq(bus->ops->abort(bus, &err), SS_OK);
    expect_cycle(bus);
    cr_assert_eq(bus->ops->poll(bus, 10, 0, &poll, &err), SS_OK);
    bus->ops->close(bus);
}

Test(kafka_failures, waits_out_a_cluster_that_is_away)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_bus *bus = mocked_open_assigned();
    ss_kafka_mock_down(mocked.mock, true);
    for (int i = 0; i < 10; i++) {
        enum ss_status status = bus->ops->poll(bus, 10, 50, &poll, &err);
        cr_assert(status == SS_OK || status == SS_RETRY, "%s", err.detail);
    }
    ss_kafka_mock_down(mocked.mock, false);
    mocked_send(SS_PAYMENTS, "alice", "after");
    mocked_flush();
    const int64_t deadline = ss_clock_steady_ms() + 60000;
    bool seen = false;
    while (!seen && ss_clock_steady_ms() < deadline) {
        if (bus->ops->poll(bus, 10, 100, &poll, &err) != SS_OK)
            continue;
        seen = poll.event == SS_BUS_RECORDS;
        if (poll.event == SS_BUS_ASSIGNED) {
            struct ss_partition_start start;
            helper_begin(bus, 0, &start);
        }
    }
    cr_assert(seen);
    bus->ops->close(bus);
}
