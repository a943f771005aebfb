/* helper_kafka_real.h - topics on a real Kafka, of the stack in SESAME_STACK_DIR, and a small
 * worker on them: one output for each record, named after it; a mark for each partition. */
#ifndef SS_TESTS_CONSUMER_HELPER_KAFKA_REAL_H
#define SS_TESTS_CONSUMER_HELPER_KAFKA_REAL_H

#include "helper_kafka.h"

enum { PARTITIONS = 4 };

extern struct ss_kafka_config config; /* of the test at hand, with topics of its own */

/* For the suite: makes the topics; without a Kafka the test is skipped. */
void real_open(void);

struct worker {
    struct ss_bus *bus;
    bool owned[PARTITIONS];
    int64_t transactions, records;
    int abort_every; /* 0: never */
    struct ss_error err;
};

enum ss_status transact(struct worker *w, const struct ss_poll *poll);
/* Polls once and does what that asks for. */
enum ss_status step(struct worker *w, size_t records_max, int timeout_ms);
int owned_count(const struct worker *w);

/* Produces count records of `size` bytes into payments, over many keys. */
void produce(int64_t count, size_t size);
/* How many committed outputs there are; fails on a second one for the same input record. */
int64_t count_outputs(void);

#endif
