/* replay_target.h - what a replay publishes, into topics of its own: those of the config behind a
 * prefix, `scores` and `entitlements`.
 *
 * 1. No topic of the live system is ever written to, whatever the prefix.
 * 2. The topics are made where they are missing, with as many partitions as the logs have, so that
 *    a user's records stay together and in order. Their schemas are registered.
 * 3. What is in them is of one replay: topics that hold records are refused, or emptied first.
 *
 * Outside of transactions, with Kafka's partitioner. ss_replay_target_publish from any thread; all
 * else from one.
 */
#ifndef SS_AUDIT_REPLAY_TARGET_H
#define SS_AUDIT_REPLAY_TARGET_H

#include "config/config.h"
#include "schemas/codec.h"
#include "scoring/apply.h"

struct ss_replay_target;

struct ss_replay_target_config {
    const struct ss_config *config; /* where Kafka and the registry are, and the live names */
    const char *prefix;
    int32_t partitions;
    bool replace; /* what the topics hold */
};

struct ss_replay_target_counts {
    const char *topics[SS_OUTPUT_COUNT]; /* NULL: none for these; as long as the target */
    int64_t sent[SS_OUTPUT_COUNT];
};

/* Borrows the config. SS_STOP: a topic is of the live system, holds records, has another number of
 * partitions, or is refused; says what to do. SS_RETRY: Kafka or the registry does not answer. */
SS_MUST_USE enum ss_status ss_replay_target_open(const struct ss_replay_target_config *config,
                                                 struct ss_replay_target **target,
                                                 struct ss_error *err);
/* Waits while there is no room. SS_STOP: none for a minute, or a record is refused. */
SS_MUST_USE enum ss_status ss_replay_target_publish(void *target, struct ss_text user_id,
                                                    const struct ss_effects *effects,
                                                    struct ss_error *err);
/* All is with the brokers. SS_RETRY: it is not, or not all of it. */
SS_MUST_USE enum ss_status ss_replay_target_finish(struct ss_replay_target *target,
                                                   struct ss_replay_target_counts *counts,
                                                   struct ss_error *err);
void ss_replay_target_close(struct ss_replay_target *target); /* NULL is fine */

#endif
