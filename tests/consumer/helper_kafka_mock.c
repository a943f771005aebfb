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

void mocked_close(void)
{
    ss_kafka_producer_close(mocked.producer);
    ss_kafka_mock_close(mocked.mock);
}

void mocked_send(enum ss_input input, const char *key, const char *value)
{
    struct ss_header header = {"h", helper_text("1")};
    struct ss_error err;
    cr_assert_eq(ss_kafka_producer_send(mocked.producer, mocked.config.inputs[input],
                                        helper_text(key), helper_text(value), &header, 1, 0, &err),
                 SS_OK, "%s", err.detail);
}

void mocked_flush(void)
{
    struct ss_error err;
    cr_assert_eq(ss_kafka_producer_flush(mocked.producer, 20000, NULL, &err), SS_OK, "%s",
                 err.detail);
}
