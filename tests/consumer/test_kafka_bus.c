/* The bus on librdkafka's mock cluster: its contract with the worker, and injected failures. What a
 * mock cannot show (isolation, markers, fencing) is in test_kafka_real.c. */
#include "consumer/kafka_reader.h"
#include "helper_kafka_mock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

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

static void set_up(void)
{
    mocked_open(1, 1, SS_INPUT_COUNT + SS_TARGET_COUNT);
}

static struct ss_bus *open_assigned(void)
{
    struct ss_partition_start start;
    struct ss_poll poll;
    struct ss_bus *bus = helper_open(&mocked.config);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    for (size_t i = 0; i < poll.partition_count; i++)
        helper_begin(bus, poll.partitions[i], &start);
    return bus;
}

/* One transaction with an output and a mark; returns what commit says. */
static enum ss_status transact(struct ss_bus *bus, int64_t next, struct ss_error *err)
{
    cr_assert_eq(bus->ops->begin(bus, err), SS_OK, "%s", err->detail);
    enum ss_status status = bus->ops->produce(bus, SS_TO_SCORES, 0, helper_text("k"),
                                              helper_text("v"), NULL, 0, false, err);
    if (!status)
        status = bus->ops->produce(bus, SS_TO_CHANGELOG, 0, helper_text("\1"), helper_text("m"),
                                   NULL, 0, true, err);
    if (status) {
        struct ss_error ignored;
        cr_assert_eq(bus->ops->abort(bus, &ignored), SS_OK);
        return status;
    }
    cr_assert_eq(bus->ops->offset(bus, SS_PAYMENTS, 0, next, err), SS_OK);
    return bus->ops->commit(bus, err);
}

TestSuite(kafka_bus, .init = set_up, .fini = mocked_close, .timeout = 120);

Test(kafka_bus, delivers_what_was_sent_with_keys_headers_and_null_values)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_header header;
    mocked_send(SS_PAYMENTS, "alice", "one");
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, "payments", helper_text("alice"),
                                        (struct ss_bytes){0}, NULL, 0, 0, &err),
                 SS_OK);
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, "payments", (struct ss_bytes){0},
                                        helper_text("no key"), NULL, 0, 0, &err),
                 SS_OK);
    mocked_flush();
    struct ss_bus *bus = open_assigned();
    cr_assert_eq(bus->partition_count, 1);
    cr_assert_neq(bus->cluster_id[0], '\0');
    helper_await(bus, SS_BUS_RECORDS, &poll);
    cr_assert_eq(poll.record_count, 3);
    struct ss_record *first = &poll.records[0];
    cr_assert_eq(first->input, SS_PAYMENTS);
    cr_assert_eq(first->offset, 0);
    cr_assert(ss_bytes_equal(first->key, helper_text("alice")));
    cr_assert(ss_bytes_equal(first->value, helper_text("one")));
    cr_assert(bus->ops->header(bus, first, 0, &header));
    cr_assert_str_eq(header.name, "h");
    cr_assert(!bus->ops->header(bus, first, 1, &header));
    cr_assert_null(poll.records[1].value.data);
    cr_assert_null(poll.records[2].key.data);
    bus->ops->close(bus);
}

Test(kafka_bus, delivers_nothing_before_a_partition_is_opened)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_partition_start start;
    mocked_send(SS_PAYMENTS, "alice", "one");
    mocked_flush();
    struct ss_bus *bus = helper_open(&mocked.config);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(bus->ops->poll(bus, 10, 100, &poll, &err), SS_OK);
        cr_assert_eq(poll.event, SS_BUS_NOTHING);
    }
    cr_assert_eq(bus->ops->start(bus, 0, &start, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(start.positions[SS_PAYMENTS], 0);
    cr_assert_eq(start.ends[SS_PAYMENTS], 1);
    cr_assert_eq(start.changelog_end, 0);
    cr_assert_eq(bus->ops->open_partition(bus, 0, start.positions, &err), SS_OK);
    helper_await(bus, SS_BUS_RECORDS, &poll);
    bus->ops->close(bus);
}

Test(kafka_bus, commits_outputs_and_reports_the_mark)
{
    struct ss_error err;
    struct ss_poll poll;
    int64_t offset = -1, time_ms = -1;
    mocked_send(SS_PAYMENTS, "alice", "one");
    mocked_flush();
    struct ss_bus *bus = open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll);
    for (int64_t i = 0; i < 3; i++) {
        cr_assert_eq(transact(bus, 1, &err), SS_OK, "%s", err.detail);
        cr_assert_eq(bus->ops->mark(bus, 0, &offset, &time_ms, &err), SS_OK, "%s", err.detail);
        cr_assert_eq(offset, i);
        cr_assert_gt(time_ms, 1500000000000);
    }
    bus->ops->close(bus);

    struct ss_kafka_reader *reader;
    struct ss_kafka_reader_config reading = {
        .access = {.bootstrap = mocked.config.access.bootstrap},
        .topic = "scores",
        .partition = -1,
        .from_offset = -1};
    struct ss_kafka_record record;
    bool end = false;
    int count = 0;
    cr_assert_eq(ss_kafka_reader_open(&reading, &reader, &err), SS_OK, "%s", err.detail);
    while (ss_kafka_reader_next(reader, &record, &end, &err) == SS_OK && !end)
        count++;
    cr_assert(end, "%s", err.detail);
    cr_assert_eq(count, 3);
    ss_kafka_reader_close(reader);
}

static enum ss_status restored(void *arg, int64_t offset, int64_t broker_time_ms,
                               struct ss_bytes key, struct ss_bytes value, struct ss_error *err)
{
    int64_t *next = arg;
    (void)err;
    cr_assert_eq(offset, (*next)++);
    cr_assert_gt(broker_time_ms, 1500000000000);
    cr_assert(ss_bytes_equal(key, helper_text("\1")));
    cr_assert(ss_bytes_equal(value, helper_text("m")));
    return SS_OK;
}

Test(kafka_bus, restores_a_changelog)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_partition_start start;
    struct ss_bus *bus = open_assigned();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(transact(bus, 0, &err), SS_OK, "%s", err.detail);
    bus->ops->close(bus);

    bus = helper_open(&mocked.config);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    cr_assert_eq(bus->ops->start(bus, 0, &start, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(start.changelog_end, 3);
    int64_t next = 1;
    cr_assert_eq(bus->ops->restore(bus, 0, 1, 3, restored, &next, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(next, 3);
    cr_assert_eq(bus->ops->restore(bus, 0, 3, 3, restored, &next, &err), SS_OK);
    cr_assert_eq(bus->ops->restore(bus, 7, 0, 3, restored, &next, &err), SS_GIVE_UP);
    bus->ops->close(bus);
}

/* --- failures --- */

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
    struct ss_bus *bus = open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll);
    ss_kafka_mock_fail(mocked.mock, api, code, times);
    enum ss_status status = transact(bus, 1, &err);
    cr_assert_eq(status, expected, "%s: %s", ss_status_name(status), err.detail);
    if (expected != SS_OK && heals) {
        expect_cycle(bus);
        helper_begin(bus, 0, &start);
        helper_await(bus, SS_BUS_RECORDS, &poll); /* again, from what is committed */
        cr_assert_eq(poll.records[0].offset, 0);
    }
    if (heals)
        cr_assert_eq(transact(bus, 1, &err), SS_OK, "%s", err.detail);
    else
        cr_assert_eq(bus->ops->poll(bus, 10, 10, &poll, &err), expected);
    bus->ops->close(bus);
}

Test(kafka_bus, goes_on_when_the_coordinator_moves)
{
    expect_failure(API_END_TXN, ERR_NOT_COORDINATOR, 2, SS_OK, true);
}

Test(kafka_bus, goes_on_while_the_last_transaction_is_being_written)
{
    expect_failure(API_ADD_PARTITIONS, ERR_CONCURRENT_TRANSACTIONS, 3, SS_OK, true);
}

Test(kafka_bus, rewinds_when_delivery_fails)
{
    expect_failure(API_PRODUCE, ERR_TOPIC_AUTHORIZATION_FAILED, 1, SS_RETRY, true);
}

Test(kafka_bus, rewinds_with_a_new_producer_when_a_commit_is_refused_for_good)
{
    expect_failure(API_END_TXN, ERR_INVALID_TXN_STATE, 1, SS_RETRY, true);
}

Test(kafka_bus, rewinds_when_partitions_cannot_be_added)
{
    expect_failure(API_ADD_PARTITIONS, ERR_TOPIC_AUTHORIZATION_FAILED, 1, SS_RETRY, true);
}

Test(kafka_bus, gives_up_when_the_group_has_moved_on)
{
    expect_failure(API_TXN_OFFSET_COMMIT, ERR_ILLEGAL_GENERATION, 1, SS_GIVE_UP, true);
}

Test(kafka_bus, begins_anew_when_its_producer_is_fenced)
{
    expect_failure(API_END_TXN, ERR_PRODUCER_FENCED, 1, SS_RETRY, true);
}

Test(kafka_bus, begins_anew_when_a_commit_is_refused_for_its_instance)
{
    expect_failure(API_TXN_OFFSET_COMMIT, ERR_FENCED_INSTANCE_ID, 1, SS_RETRY, true);
}

/* Polls until the bus has lost its partition, or ends. */
static enum ss_status await_loss(struct ss_bus *bus, struct ss_error *err)
{
    const int64_t deadline = helper_now_ms() + 60000;
    struct ss_poll poll = {.event = SS_BUS_NOTHING};
    enum ss_status status = SS_OK;
    while (status != SS_STOP && poll.event != SS_BUS_REVOKED && helper_now_ms() < deadline)
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
    struct ss_bus *bus = open_assigned();
    cr_assert_eq(transact(bus, 0, &err), SS_OK, "%s", err.detail);
    ss_kafka_mock_fail(mocked.mock, api, ERR_FENCED_INSTANCE_ID, 1);
    if (api == API_JOIN_GROUP) /* it has to join to be refused */
        ss_kafka_mock_fail(mocked.mock, API_HEARTBEAT, ERR_ILLEGAL_GENERATION, 1);
    cr_assert_eq(await_loss(bus, &err), SS_OK, "%s", err.detail);
    await_again(bus);
    cr_assert_eq(transact(bus, 0, &err), SS_OK, "%s", err.detail);
    bus->ops->close(bus);
}

Test(kafka_bus, begins_anew_when_a_heartbeat_is_fenced)
{
    expect_begun_anew(API_HEARTBEAT);
}

Test(kafka_bus, begins_anew_when_it_is_fenced_while_joining)
{
    expect_begun_anew(API_JOIN_GROUP);
}

Test(kafka_bus, stops_when_it_is_fenced_again_and_again)
{
    struct ss_error err = {.detail = ""};
    struct ss_poll poll;
    struct ss_bus *bus = open_assigned();
    for (int i = 0; i < 2; i++) {
        ss_kafka_mock_fail(mocked.mock, API_END_TXN, ERR_PRODUCER_FENCED, 1);
        enum ss_status status = transact(bus, 0, &err);
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
Test(kafka_bus, forgets_that_it_was_fenced)
{
    struct ss_error err = {.detail = ""};
    struct ss_poll poll;
    mocked.config.session_timeout_ms = 4500;
    struct ss_bus *bus = open_assigned();
    for (int i = 0; i < 3; i++) {
        const int64_t fenced_at = helper_now_ms();
        ss_kafka_mock_fail(mocked.mock, API_END_TXN, ERR_PRODUCER_FENCED, 1);
        enum ss_status status = transact(bus, 0, &err);
        cr_assert_eq(status, SS_RETRY, "%s: %s", ss_status_name(status), err.detail);
        cr_assert_eq(await_loss(bus, &err), SS_OK, "%s", err.detail);
        await_again(bus);
        /* The first two count together, the third comes too late for that. */
        while (i == 1 &&
               helper_now_ms() < fenced_at + 3 * mocked.config.session_timeout_ms + 1000) {
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

Test(kafka_bus, stops_when_a_topic_refuses_the_size_of_its_records)
{
    expect_failure(API_PRODUCE, ERR_TOO_LARGE, 1, SS_STOP, false);
}

Test(kafka_bus, rewinds_after_an_abort)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_bus *bus = open_assigned();
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(bus->ops->produce(bus, SS_TO_SCORES, 0, helper_text("k"), helper_text("v"), NULL,
                                   0, false, &err),
                 SS_OK);
    cr_assert_eq(bus->ops->abort(bus, &err), SS_OK);
    expect_cycle(bus);
    cr_assert_eq(bus->ops->poll(bus, 10, 0, &poll, &err), SS_OK);
    bus->ops->close(bus);
}

Test(kafka_bus, refuses_a_record_that_is_too_large_and_goes_on)
{
    struct ss_error err;
    mocked.config.record_bytes_max = 100000;
    struct ss_bus *bus = open_assigned();
    char *big = calloc(1, 200000);
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(bus->ops->produce(bus, SS_TO_DEAD_LETTERS, 0, helper_text("k"),
                                   (struct ss_bytes){big, 200000}, NULL, 0, false, &err),
                 SS_DROP);
    cr_assert_eq(bus->ops->produce(bus, SS_TO_DEAD_LETTERS, 0, helper_text("k"),
                                   helper_text("coordinates"), NULL, 0, false, &err),
                 SS_OK);
    cr_assert_eq(bus->ops->commit(bus, &err), SS_OK, "%s", err.detail);
    free(big);
    bus->ops->close(bus);
}

/* --- order and flow --- */

Test(kafka_bus, delivers_the_blacklist_ahead_of_a_backlog)
{
    struct ss_error err;
    struct ss_poll poll;
    size_t before = 0;
    bool seen = false;
    for (int i = 0; i < 20000; i++)
        mocked_send(SS_PAYMENTS, "alice", "a payment of some length, as they are in a backlog");
    mocked_flush();
    struct ss_bus *bus = open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll); /* the backlog is flowing and fills its queue */
    mocked_send(SS_BLACKLIST, "alice", "listed");
    mocked_send(SS_CONSENTS, "alice", "granted");
    mocked_flush();
    const int64_t deadline = helper_now_ms() + 30000;
    while (!seen && helper_now_ms() < deadline) {
        cr_assert_eq(bus->ops->poll(bus, 10, 1000, &poll, &err), SS_OK);
        cr_assert_gt(poll.record_count, 0);
        for (size_t i = 0; i < poll.record_count && !seen; i++) {
            seen = poll.records[i].input == SS_BLACKLIST;
            before += !seen;
        }
        cr_assert_eq(transact(bus, 1, &err), SS_OK, "%s", err.detail);
    }
    cr_assert(seen);
    cr_assert_lt(before, 2000, "%zu records of the backlog came first", before);
    bus->ops->close(bus);
}

Test(kafka_bus, holds_an_input_until_it_is_released)
{
    struct ss_error err;
    struct ss_poll poll;
    for (int i = 0; i < 10; i++)
        mocked_send(SS_PAYMENTS, "alice", "p");
    mocked_send(SS_CONSENTS, "alice", "c");
    mocked_flush();
    struct ss_bus *bus = open_assigned();
    cr_assert_eq(bus->ops->hold(bus, SS_PAYMENTS, 0, true, &err), SS_OK);
    helper_await(bus, SS_BUS_RECORDS, &poll);
    cr_assert_eq(poll.record_count, 1);
    cr_assert_eq(poll.records[0].input, SS_CONSENTS);
    cr_assert_eq(bus->ops->position(bus, SS_CONSENTS, 0), 1);
    cr_assert_eq(bus->ops->position(bus, SS_PAYMENTS, 0), 0);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(bus->ops->poll(bus, 100, 50, &poll, &err), SS_OK);
        cr_assert_eq(poll.event, SS_BUS_NOTHING);
    }
    cr_assert_eq(bus->ops->hold(bus, SS_PAYMENTS, 0, false, &err), SS_OK);
    helper_await(bus, SS_BUS_RECORDS, &poll);
    cr_assert_eq(poll.record_count, 10);
    cr_assert_eq(poll.records[0].offset, 0);
    cr_assert_eq(bus->ops->position(bus, SS_PAYMENTS, 0), 10);
    bus->ops->close(bus);
}

Test(kafka_bus, delivers_again_from_where_the_worker_rewinds_to)
{
    struct ss_error err;
    struct ss_poll poll;
    int64_t expected = 3;
    for (int i = 0; i < 500; i++)
        mocked_send(SS_BILLS, "alice", "b");
    mocked_flush();
    struct ss_bus *bus = open_assigned();
    /* Fewer than are there, so that the queue still holds what comes behind. */
    const int64_t deadline = helper_now_ms() + 30000;
    do
        cr_assert_eq(bus->ops->poll(bus, 10, 100, &poll, &err), SS_OK);
    while (poll.record_count == 0 && helper_now_ms() < deadline);
    cr_assert_eq(poll.record_count, 10);
    cr_assert_eq(bus->ops->rewind(bus, SS_BILLS, 0, expected, &err), SS_OK);
    while (expected < 500 && helper_now_ms() < deadline) {
        cr_assert_eq(bus->ops->poll(bus, 100, 100, &poll, &err), SS_OK);
        for (size_t i = 0; i < poll.record_count; i++)
            cr_assert_eq(poll.records[i].offset, expected++);
    }
    cr_assert_eq(expected, 500);
    bus->ops->close(bus);
}

Test(kafka_bus, carries_a_record_of_ten_megabytes)
{
    struct ss_error err;
    struct ss_poll poll;
    const size_t size = 10u << 20;
    char *big = malloc(size);
    for (size_t i = 0; i < size; i++)
        big[i] = (char)(i * 2654435761u >> 13);
    mocked.config.fetch_bytes = 4u << 20; /* less than the record */
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, "payments", helper_text("alice"),
                                        (struct ss_bytes){big, size}, NULL, 0, 0, &err),
                 SS_OK, "%s", err.detail);
    mocked_flush();
    struct ss_bus *bus = open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll);
    cr_assert(ss_bytes_equal(poll.records[0].value, (struct ss_bytes){big, size}));
    struct ss_bytes copy = poll.records[0].value;
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(bus->ops->produce(bus, SS_TO_DEAD_LETTERS, 0, helper_text("alice"), copy, NULL, 0,
                                   false, &err),
                 SS_OK, "%s", err.detail);
    cr_assert_eq(bus->ops->commit(bus, &err), SS_OK, "%s", err.detail);
    free(big);
    bus->ops->close(bus);
}

Test(kafka_bus, waits_out_a_cluster_that_is_away)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_bus *bus = open_assigned();
    ss_kafka_mock_down(mocked.mock, true);
    for (int i = 0; i < 10; i++) {
        enum ss_status status = bus->ops->poll(bus, 10, 50, &poll, &err);
        cr_assert(status == SS_OK || status == SS_RETRY, "%s", err.detail);
    }
    ss_kafka_mock_down(mocked.mock, false);
    mocked_send(SS_PAYMENTS, "alice", "after");
    mocked_flush();
    const int64_t deadline = helper_now_ms() + 60000;
    bool seen = false;
    while (!seen && helper_now_ms() < deadline) {
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

Test(kafka_bus, refuses_properties_that_promises_rest_on)
{
    struct ss_error err;
    struct ss_bus *bus;
    struct ss_kafka_property property = {"isolation.level", "read_uncommitted"};
    mocked.config.access.common = (struct ss_kafka_properties){&property, 1};
    cr_assert_eq(ss_kafka_bus_open(&mocked.config, &bus, &err), SS_STOP);
    cr_assert(strstr(err.detail, "isolation.level"), "%s", err.detail);
    property = (struct ss_kafka_property){"no.such.property", "1"};
    cr_assert_eq(ss_kafka_bus_open(&mocked.config, &bus, &err), SS_STOP);
    cr_assert(strstr(err.detail, "no.such.property"), "%s", err.detail);
}
