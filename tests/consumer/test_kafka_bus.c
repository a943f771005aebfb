/* The bus on librdkafka's mock cluster: its contract with the worker. Injected failures:
 * test_kafka_failures.c; what a mock cannot show (isolation, markers): test_kafka_real.c. */
#include "base/clock.h"
#include "consumer/kafka_reader.h"
#include "helper_kafka_mock.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(kafka_bus, .init = mocked_open_all, .fini = mocked_close, .timeout = 120);

Test(kafka_bus, delivers_what_was_sent_with_keys_headers_and_null_values)
{
    struct ss_error err;
    struct ss_poll poll;
    struct ss_header header;
    mocked_send(SS_PAYMENTS, "alice", "one");
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, "payments", text("alice"),
                                        (struct ss_bytes){0}, NULL, 0, 0, &err),
                 SS_OK);
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, "payments", (struct ss_bytes){0},
                                        text("no key"), NULL, 0, 0, &err),
                 SS_OK);
    mocked_flush();
    struct ss_bus *bus = mocked_open_assigned();
    cr_assert_eq(bus->partition_count, 1);
    cr_assert_neq(bus->cluster_id[0], '\0');
    helper_await(bus, SS_BUS_RECORDS, &poll);
    cr_assert_eq(poll.record_count, 3);
    struct ss_record *first = &poll.records[0];
    cr_assert_eq(first->input, SS_PAYMENTS);
    cr_assert_eq(first->offset, 0);
    cr_assert(ss_bytes_equal(first->key, text("alice")));
    cr_assert(ss_bytes_equal(first->value, text("one")));
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
    struct ss_bus *bus = mocked_open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll);
    for (int64_t i = 0; i < 3; i++) {
        cr_assert_eq(mocked_transact(bus, 1, &err), SS_OK, "%s", err.detail);
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
    struct ss_mark mark;
    cr_assert(ss_bytes_equal(key, ss_mark_key));
    cr_assert_eq(ss_mark_unpack(value, &mark, err), SS_OK, "%s", err->detail);
    cr_assert_str_eq(mark.group, mocked.config.group);
    return SS_OK;
}

Test(kafka_bus, restores_a_changelog)
{
    struct ss_error err;
    char group[SS_GROUP_MAX];
    struct ss_poll poll;
    struct ss_partition_start start;
    struct ss_bus *bus = mocked_open_assigned();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(mocked_transact(bus, 0, &err), SS_OK, "%s", err.detail);
    bus->ops->close(bus);

    bus = helper_open(&mocked.config);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    cr_assert_eq(bus->ops->start(bus, 0, &start, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(start.changelog_end, 3);
    cr_assert_eq(bus->ops->newest_group(bus, 0, &start, group, &err), SS_OK, "%s", err.detail);
    cr_assert_str_eq(group, mocked.config.group);
    int64_t next = 1;
    cr_assert_eq(bus->ops->restore(bus, 0, 1, 3, restored, &next, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(next, 3);
    cr_assert_eq(bus->ops->restore(bus, 0, 3, 3, restored, &next, &err), SS_OK);
    cr_assert_eq(bus->ops->restore(bus, 7, 0, 3, restored, &next, &err), SS_GIVE_UP);
    bus->ops->close(bus);
}

/* What was aborted behind it is as long as it may be. */
Test(kafka_bus, finds_the_newest_mark_however_far_from_the_end)
{
    struct ss_error err;
    char group[SS_GROUP_MAX];
    struct ss_partition_start start;
    struct ss_bus *bus = mocked_open_assigned();
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(helper_mark(bus, 0, "older", &err), SS_OK, "%s", err.detail);
    cr_assert_eq(helper_mark(bus, 0, "newest", &err), SS_OK, "%s", err.detail);
    for (int i = 0; i < 3000; i++)
        cr_assert_eq(bus->ops->produce(bus, SS_TO_CHANGELOG, 0, text("user"), text("state"), NULL,
                                       0, false, &err),
                     SS_OK, "%s", err.detail);
    cr_assert_eq(bus->ops->commit(bus, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(bus->ops->start(bus, 0, &start, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(start.changelog_end, 3002);
    cr_assert_eq(bus->ops->newest_group(bus, 0, &start, group, &err), SS_OK, "%s", err.detail);
    cr_assert_str_eq(group, "newest");
    bus->ops->close(bus);
}

Test(kafka_bus, refuses_a_record_that_is_too_large_and_goes_on)
{
    struct ss_error err;
    mocked.config.record_bytes_max = 100000;
    struct ss_bus *bus = mocked_open_assigned();
    char *big = calloc(1, 200000);
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(bus->ops->produce(bus, SS_TO_DEAD_LETTERS, 0, text("k"),
                                   (struct ss_bytes){big, 200000}, NULL, 0, false, &err),
                 SS_DROP);
    cr_assert_eq(bus->ops->produce(bus, SS_TO_DEAD_LETTERS, 0, text("k"), text("coordinates"), NULL,
                                   0, false, &err),
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
    struct ss_bus *bus = mocked_open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll); /* the backlog is flowing and fills its queue */
    mocked_send(SS_BLACKLIST, "alice", "listed");
    mocked_send(SS_CONSENTS, "alice", "granted");
    mocked_flush();
    const int64_t deadline = ss_clock_steady_ms() + 30000;
    while (!seen && ss_clock_steady_ms() < deadline) {
        cr_assert_eq(bus->ops->poll(bus, 10, 1000, &poll, &err), SS_OK);
        cr_assert_gt(poll.record_count, 0);
        for (size_t i = 0; i < poll.record_count && !seen; i++) {
            seen = poll.records[i].input == SS_BLACKLIST;
            before += !seen;
        }
        cr_assert_eq(mocked_transact(bus, 1, &err), SS_OK, "%s", err.detail);
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
    struct ss_bus *bus = mocked_open_assigned();
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
    struct ss_bus *bus = mocked_open_assigned();
    /* Fewer than are there, so that the queue still holds what comes behind. */
    const int64_t deadline = ss_clock_steady_ms() + 30000;
    do
        cr_assert_eq(bus->ops->poll(bus, 10, 100, &poll, &err), SS_OK);
    while (poll.record_count == 0 && ss_clock_steady_ms() < deadline);
    cr_assert_eq(poll.record_count, 10);
    cr_assert_eq(bus->ops->rewind(bus, SS_BILLS, 0, expected, &err), SS_OK);
    while (expected < 500 && ss_clock_steady_ms() < deadline) {
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
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, "payments", text("alice"),
                                        (struct ss_bytes){big, size}, NULL, 0, 0, &err),
                 SS_OK, "%s", err.detail);
    mocked_flush();
    struct ss_bus *bus = mocked_open_assigned();
    helper_await(bus, SS_BUS_RECORDS, &poll);
    cr_assert(ss_bytes_equal(poll.records[0].value, (struct ss_bytes){big, size}));
    struct ss_bytes copy = poll.records[0].value;
    cr_assert_eq(bus->ops->begin(bus, &err), SS_OK);
    cr_assert_eq(
        bus->ops->produce(bus, SS_TO_DEAD_LETTERS, 0, text("alice"), copy, NULL, 0, false, &err),
        SS_OK, "%s", err.detail);
    cr_assert_eq(bus->ops->commit(bus, &err), SS_OK, "%s", err.detail);
    free(big);
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
