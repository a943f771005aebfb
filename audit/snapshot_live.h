/* snapshot_live.h - a snapshot of the states that an engine has committed: the changelog
 * `sesame-state`, folded up to the newest mark of each partition, while the engine goes on.
 */
#ifndef SS_AUDIT_SNAPSHOT_LIVE_H
#define SS_AUDIT_SNAPSHOT_LIVE_H

#include "consumer/kafka_access.h"
#include "scoring/model.h"
#include "state/seal.h"

#include <stdatomic.h>

struct ss_snapshot_live {
    const struct ss_kafka_access *access;
    const char *topic;
    const struct ss_sealer *sealer; /* of the changelog's states, and of the file's; NULL: none */
    const char *models_topic;       /* says what the epochs of marks and states are */
    const char *path;
    atomic_bool *stop;
    void (*progress)(void *arg, int64_t records, double share); /* now and then; may be NULL */
    void *arg;
};

struct ss_snapshot_live_result {
    int32_t partitions;
    int64_t records, users;
};

/* SS_STOP: no such topic, states of a model that is not in the topic of models, sealed ones without
 * a key, or the file cannot be written; says which. SS_RETRY: Kafka does not answer. */
SS_MUST_USE enum ss_status ss_snapshot_live(const struct ss_snapshot_live *options,
                                            struct ss_snapshot_live_result *result,
                                            struct ss_error *err);

#endif
