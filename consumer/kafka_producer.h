/* kafka_producer.h - a plain producer, outside of transactions: `sesame generate`, replayed dead
 * letters.
 *
 * Idempotent, keyed with murmur2 as all inputs are; a record without a key goes anywhere. What is
 * queued is bounded: produce waits for room. One thread.
 */
#ifndef SS_CONSUMER_KAFKA_PRODUCER_H
#define SS_CONSUMER_KAFKA_PRODUCER_H

#include "consumer/bus.h"
#include "consumer/kafka_access.h"

struct ss_kafka_producer;

struct ss_kafka_deliveries {
    int64_t delivered, failed;
    char error[200]; /* of the last failure; "" if none */
};

SS_MUST_USE enum ss_status ss_kafka_producer_open(const struct ss_kafka_access *access,
                                                  struct ss_kafka_producer **producer,
                                                  struct ss_error *err);
/* Copies all of it. key.data NULL: no key; value.data NULL: a tombstone. timestamp_ms 0: now.
 * SS_RETRY: no room for a minute, the cluster is away. SS_DROP: too large. */
SS_MUST_USE enum ss_status
ss_kafka_producer_send(struct ss_kafka_producer *producer, const char *topic, struct ss_bytes key,
                       struct ss_bytes value, const struct ss_header *headers, size_t header_count,
                       int64_t timestamp_ms, struct ss_error *err);
/* Waits until all is acknowledged or has failed. *deliveries (which may be NULL) counts since open.
 * SS_RETRY: some are still under way at the timeout, or some failed. */
SS_MUST_USE enum ss_status ss_kafka_producer_flush(struct ss_kafka_producer *producer,
                                                   int timeout_ms,
                                                   struct ss_kafka_deliveries *deliveries,
                                                   struct ss_error *err);
/* What was not flushed is lost. NULL is fine. */
void ss_kafka_producer_close(struct ss_kafka_producer *producer);

#endif
