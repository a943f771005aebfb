/* kafka_ranks.h - follows `sesame-ranks` in a thread of its own, read committed, from its beginning
 * on, and keeps struct ss_ranks up to date. One for a process.
 *
 * Whatever goes wrong is said once and tried again; workers go on meanwhile with what is known, or
 * wait for the beginning of it.
 */
#ifndef SS_CONSUMER_KAFKA_RANKS_H
#define SS_CONSUMER_KAFKA_RANKS_H

#include "consumer/kafka_access.h"
#include "consumer/ranks.h"

struct ss_kafka_ranks;

/* Starts reading. Borrows everything until close. SS_STOP: no thread, or out of memory. */
SS_MUST_USE enum ss_status ss_kafka_ranks_open(const struct ss_kafka_access *access,
                                               const char *topic, struct ss_ranks *ranks,
                                               struct ss_kafka_ranks **reader,
                                               struct ss_error *err);
void ss_kafka_ranks_close(struct ss_kafka_ranks *reader); /* NULL is fine */

#endif
