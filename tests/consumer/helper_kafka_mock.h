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
/* All of them with one partition; for a suite. */
void mocked_open_all(void);
void mocked_close(void);

/* With one header. */
void mocked_send(enum ss_input input, const char *key, const char *value);
void mocked_flush(void);

/* A bus with all that it is assigned begun, or the test fails. */
struct ss_bus *mocked_open_assigned(void);
/* One transaction with an output and a mark, and the next offset of payments; returns what commit
 * says. */
enum ss_status mocked_transact(struct ss_bus *bus, int64_t next, struct ss_error *err);

#endif
