#include "helper_kafka_mock.h"

#include <criterion/criterion.h>

struct mocked mocked;

void mocked_open(int32_t partitions, int32_t odd_partitions, size_t topic_count)
{
    struct ss_kafka_mock_topic topics[SS_INPUT_COUNT + SS_TARGET_COUNT];
    struct ss_error err;
    helper_config(&mocked.config, 0, NULL, "");
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        topics[i] = (struct ss_kafka_mock_topic){mocked.config.inputs[i], partitions};
    for (int i = 0; i < SS_TARGET_COUNT; i++)
        topics[SS_INPUT_COUNT + i] =
            (struct ss_kafka_mock_topic){mocked.config.targets[i], partitions};
    topics[2].partitions = odd_partitions;
    topics[SS_INPUT_COUNT + SS_TO_RANKS].partitions = 1;
    cr_assert_eq(ss_kafka_mock_open(1, topics, topic_count, &mocked.mock, &err), SS_OK, "%s",
                 err.detail);
    mocked.config.access.bootstrap = ss_kafka_mock_bootstrap(mocked.mock);
    mocked.config.mock = true;
    struct ss_kafka_access access = {.bootstrap = mocked.config.access.bootstrap};
    cr_assert_eq(ss_kafka_producer_open(&access, &mocked.producer, &err), SS_OK, "%s", err.detail);
}

void mocked_open_all(void)
{
    mocked_open(1, 1, SS_INPUT_COUNT + SS_TARGET_COUNT);
}

void mocked_close(void)
{
    ss_kafka_producer_close(mocked.producer);
    ss_kafka_mock_close(mocked.mock);
}

void mocked_send(enum ss_input input, const char *key, const char *value)
{
    struct ss_header header = {"h", text("1")};
    struct ss_error err;
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, mocked.config.inputs[input], text(key),
                                        text(value), &header, 1, 0, &err),
                 SS_OK, "%s", err.detail);
}

void mocked_flush(void)
{
    struct ss_error err;
    cr_assert_eq(ss_kafka_producer_flush(mocked.producer, 20000, NULL, &err), SS_OK, "%s",
                 err.detail);
}

struct ss_bus *mocked_open_assigned(void)
{
    struct ss_partition_start start;
    struct ss_poll poll;
    struct ss_bus *bus = helper_open(&mocked.config);
    helper_await(bus, SS_BUS_ASSIGNED, &poll);
    for (size_t i = 0; i < poll.partition_count; i++)
        helper_begin(bus, poll.partitions[i], &start);
    return bus;
}

enum ss_status mocked_transact(struct ss_bus *bus, int64_t next, struct ss_error *err)
{
    cr_assert_eq(bus->ops->begin(bus, err), SS_OK, "%s", err->detail);
    enum ss_status status =
        bus->ops->produce(bus, SS_TO_SCORES, 0, text("k"), text("v"), NULL, 0, false, err);
    if (!status)
        status = helper_mark(bus, 0, mocked.config.group, err);
    if (status) {
        struct ss_error ignored;
        cr_assert_eq(bus->ops->abort(bus, &ignored), SS_OK);
        return status;
    }
    cr_assert_eq(bus->ops->offset(bus, SS_PAYMENTS, 0, next, err), SS_OK);
    return bus->ops->commit(bus, err);
}
