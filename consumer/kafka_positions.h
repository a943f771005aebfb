/* kafka_positions.h - where logs begin and end, where a group stands in them, and which offset a
 * time has. Each call has a client of its own; any thread.
 *
 * Offsets lie as offsets[topic * partition_count + partition].
 */
#ifndef SS_CONSUMER_KAFKA_POSITIONS_H
#define SS_CONSUMER_KAFKA_POSITIONS_H

#include "consumer/kafka_access.h"

/* The partition counts of the topics, 0 for one that is not there. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_positions_counts(const struct ss_kafka_access *access,
                                                     const char *const *topics, size_t topic_count,
                                                     int32_t *counts, struct ss_error *err);

/* The first offset that is there, and the last stable one. */
SS_MUST_USE enum ss_status ss_kafka_positions_ends(const struct ss_kafka_access *access,
                                                   const char *const *topics, size_t topic_count,
                                                   int32_t partition_count, int64_t *lows,
                                                   int64_t *ends, struct ss_error *err);

/* What a group has committed; -1: nothing. The group is not joined. */
SS_MUST_USE enum ss_status ss_kafka_positions_group(const struct ss_kafka_access *access,
                                                    const char *group, const char *const *topics,
                                                    size_t topic_count, int32_t partition_count,
                                                    int64_t *offsets, struct ss_error *err);

/* Of one partition of each topic: the first offset whose record is not older than time_ms; -1: all
 * are older. */
SS_MUST_USE enum ss_status ss_kafka_positions_at(const struct ss_kafka_access *access,
                                                 const char *const *topics, size_t topic_count,
                                                 int32_t partition, int64_t time_ms,
                                                 int64_t *offsets, struct ss_error *err);

#endif
