/* kafka_reader.h - reads a topic from an offset or time up to the end it had when opened: dead
 * letters, replays. Read committed, no group, commits nothing. One thread.
 */
#ifndef SS_CONSUMER_KAFKA_READER_H
#define SS_CONSUMER_KAFKA_READER_H

#include "consumer/bus.h"
#include "consumer/kafka_access.h"

struct ss_kafka_reader;

struct ss_kafka_reader_config {
    struct ss_kafka_access access;
    const char *topic;
    int32_t partition;    /* -1: all, interleaved as they come, in order within each */
    int64_t from_offset;  /* of each partition; -1 or less than the log's start: from there */
    int64_t from_time_ms; /* in place of an offset, unless 0: the first record not older */
    int timeout_ms;       /* for anything to arrive while the end is not reached; 0: 30,000 */
};

/* SS_STOP: no such topic or partition. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_reader_open(const struct ss_kafka_reader_config *config,
                                                struct ss_kafka_reader **reader,
                                                struct ss_error *err);
/* The next record, or *end behind the last. SS_RETRY: nothing arrived in time. */
SS_MUST_USE enum ss_status ss_kafka_reader_next(struct ss_kafka_reader *reader,
                                                struct ss_kafka_record *record, bool *end,
                                                struct ss_error *err);
/* The i-th header of a record; false behind the last. */
bool ss_kafka_reader_header(const struct ss_kafka_record *record, size_t i, struct ss_header *out);
void ss_kafka_reader_close(struct ss_kafka_reader *reader); /* NULL is fine */

#endif
