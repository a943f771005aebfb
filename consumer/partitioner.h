/* partitioner.h - which partition a key belongs to: murmur2 as Kafka's own clients compute it.
 *
 * All topics are keyed by user id and hashed the same way, so that a user's records of every topic
 * meet in one partition. A record found elsewhere is misrouted: counting it would give its user two
 * states. Pure; any thread.
 */
#ifndef SS_CONSUMER_PARTITIONER_H
#define SS_CONSUMER_PARTITIONER_H

#include "base/bytes.h"

/* The hash itself: 32-bit murmur2 with Kafka's seed, as a signed number like in Java. */
int32_t ss_partition_hash(struct ss_bytes key);

/* Equals Java's DefaultPartitioner and librdkafka's murmur2 for a key that is there (an empty one
 * is); partition_count is at least 1. */
int32_t ss_partition_of(struct ss_bytes key, int32_t partition_count);

#endif
