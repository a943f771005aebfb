/* kafka_mock.h - librdkafka's mock cluster in this process: for the demo and for error injection.
 *
 * It listens on loopback ports of its own. It proves nothing about exactly once: it forgets the
 * offsets of transactions, writes no markers, aborts nothing and ignores isolation. It keeps about
 * 5 MB (and at most 100,000 batches) of each partition and drops what is older. Set `mock` in
 * struct ss_kafka_config for buses that talk to it.
 *
 * Threads: any; the calls are serialised by librdkafka.
 */
#ifndef SS_CONSUMER_KAFKA_MOCK_H
#define SS_CONSUMER_KAFKA_MOCK_H

#include "base/bytes.h"

struct ss_kafka_mock;

struct ss_kafka_mock_topic {
    const char *name;
    int32_t partitions;
};

SS_MUST_USE enum ss_status ss_kafka_mock_open(int brokers, const struct ss_kafka_mock_topic *topics,
                                              size_t count, struct ss_kafka_mock **mock,
                                              struct ss_error *err);
/* host:port list; valid until close. */
const char *ss_kafka_mock_bootstrap(const struct ss_kafka_mock *mock);
/* The next `times` requests of a Kafka API key are answered with this protocol error code. */
void ss_kafka_mock_fail(struct ss_kafka_mock *mock, int api_key, int error_code, int times);
/* Takes all brokers away, or brings them back. */
void ss_kafka_mock_down(struct ss_kafka_mock *mock, bool down);
void ss_kafka_mock_close(struct ss_kafka_mock *mock); /* NULL is fine */

#endif
