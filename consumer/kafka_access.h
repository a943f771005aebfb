/* kafka_access.h - where a Kafka cluster is and how its clients are set: plain types, so that
 * callers need not know librdkafka.
 *
 * Property names and values are librdkafka's. `common` goes to every client, `consumer` and
 * `producer` on top of it to those. What they set goes before our defaults, except for what a
 * promise rests on (isolation, idempotence, ids, commits): these are refused with SS_STOP.
 */
#ifndef SS_CONSUMER_KAFKA_ACCESS_H
#define SS_CONSUMER_KAFKA_ACCESS_H

#include "base/bytes.h"
#include "base/status.h"

struct ss_kafka_property {
    const char *name, *value;
};

struct ss_kafka_properties {
    const struct ss_kafka_property *list;
    size_t count;
};

struct ss_kafka_access {
    const char *bootstrap; /* host:port[,host:port]; NULL where the properties say it */
    struct ss_kafka_properties common, consumer, producer;
};

/* SS_STOP: a property that librdkafka does not know or take, or that is ours to set. */
SS_MUST_USE enum ss_status ss_kafka_access_check(const struct ss_kafka_access *access,
                                                 struct ss_error *err);

/* One record as a plain reader sees it; valid until the next call of that reader. */
struct ss_kafka_record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;  /* -1: none */
    struct ss_bytes key;   /* data NULL: no key */
    struct ss_bytes value; /* data NULL: no value */
    void *message;         /* for headers */
};

#endif
