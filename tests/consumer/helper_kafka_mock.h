/* helper_kafka_mock.h - librdkafka's mock cluster with our topics, the config of a bus on it, and a
 * producer of inputs. One at a time. */
#ifndef SS_TESTS_CONSUMER_HELPER_KAFKA_MOCK_H
#define SS_TESTS_CONSUMER_HELPER_KAFKA_MOCK_H

#include "consumer/kafka_mock.h"
#include "consumer/kafka_producer.h"
#include "helper_kafka.h"

struct mocked {
    struct ss_kafka_mock *mock;
    struct ss_kafka_config config;
    struct ss_kafka_producer *producer;
};
extern struct mocked mocked;

/* The first `topic_count` of inputs and targets; bookings have `odd_partitions`. */
void mocked_open(int32_t partitions, int32_t odd_partitions, size_t topic_count);
void mocked_close(void);

/* With one header. */
void mocked_send(enum ss_input input, const char *key, const char *value);
void mocked_flush(void);

#endif
