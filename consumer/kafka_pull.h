/* kafka_pull.h - reads one partition of several topics, each as its reader asks for it, up to given
 * ends: audits. Read committed, no group, commits nothing. One thread.
 */
#ifndef SS_CONSUMER_KAFKA_PULL_H
#define SS_CONSUMER_KAFKA_PULL_H

#include "consumer/kafka_access.h"

struct ss_kafka_pull;

enum { SS_KAFKA_PULL_TOPICS_MAX = 32 };

struct ss_kafka_pull_config {
    const struct ss_kafka_access *access;
    const char *const *topics; /* borrowed; NULL: not this one */
    size_t topic_count;
    int32_t partition;
    const int64_t *from, *to; /* of each topic: the first offset, and behind the last one */
    size_t records_max;       /* of one call */
    size_t memory_bytes_max;  /* of each topic's queue */
    int timeout_ms;           /* for anything to arrive while an end is not reached; 0: 30,000 */
};

SS_MUST_USE enum ss_status ss_kafka_pull_open(const struct ss_kafka_pull_config *config,
                                              struct ss_kafka_pull **pull, struct ss_error *err);
/* The next records of a topic: *count is 0 behind the last. They live until the next call for the
 * same topic. SS_RETRY: nothing arrived in time; call again. SS_STOP: the offset to begin with is
 * no longer there. */
SS_MUST_USE enum ss_status ss_kafka_pull_next(struct ss_kafka_pull *pull, size_t topic,
                                              const struct ss_kafka_record **records, size_t *count,
                                              struct ss_error *err);
void ss_kafka_pull_close(struct ss_kafka_pull *pull); /* NULL is fine */

#endif
