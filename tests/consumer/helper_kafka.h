/* helper_kafka.h - what tests of the Kafka bus share: a config, and polling with a deadline. */
#ifndef SS_TESTS_CONSUMER_HELPER_KAFKA_H
#define SS_TESTS_CONSUMER_HELPER_KAFKA_H

#include "consumer/kafka_bus.h"
#include "helper_text.h"

/* Topics "<prefix>payments" and so on; the texts live until the next call with the same slot
 * (0..3). */
void helper_config(struct ss_kafka_config *config, int slot, const char *bootstrap,
                   const char *prefix);

/* Opens a bus or fails the test. */
struct ss_bus *helper_open(const struct ss_kafka_config *config);

/* Polls until `event` comes; other events are skipped if they are NOTHING, and fail the test
 * otherwise. SS_RETRY is polled through. */
void helper_await(struct ss_bus *bus, enum ss_bus_event event, struct ss_poll *poll);

/* Starts and opens a partition from where the group stands. */
void helper_begin(struct ss_bus *bus, int32_t partition, struct ss_partition_start *start);

/* Produces a mark of a group to a partition's changelog, in the open transaction. */
enum ss_status helper_mark(struct ss_bus *bus, int32_t partition, const char *group,
                           struct ss_error *err);

#endif
