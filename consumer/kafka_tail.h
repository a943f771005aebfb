/* kafka_tail.h - follows whole topics from their beginning on, without end: what a subscriber of
 * ours sees. Read committed, no group, commits nothing. One thread.
 */
#ifndef SS_CONSUMER_KAFKA_TAIL_H
#define SS_CONSUMER_KAFKA_TAIL_H

#include "consumer/kafka_access.h"

struct ss_kafka_tail;

/* Borrows nothing. SS_STOP: no such topic. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_tail_open(const struct ss_kafka_access *access,
                                              const char *const *topics, size_t topic_count,
                                              struct ss_kafka_tail **tail, struct ss_error *err);
/* The next record, in order within each partition, and which of the topics it is from; *got false
 * if there is none within timeout_ms. SS_RETRY: trouble that passes, or a gap: records were lost to
 * us. */
SS_MUST_USE enum ss_status ss_kafka_tail_next(struct ss_kafka_tail *tail, int timeout_ms,
                                              struct ss_kafka_record *record, size_t *topic,
                                              bool *got, struct ss_error *err);
void ss_kafka_tail_close(struct ss_kafka_tail *tail); /* NULL is fine */

#endif
