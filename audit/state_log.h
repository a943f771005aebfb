/* state_log.h - the changelog `sesame-state` as somebody reads it who owns no partition of it: the
 * edge of verify_state.h, with Kafka behind it, or anything else in tests. One thread.
 */
#ifndef SS_AUDIT_STATE_LOG_H
#define SS_AUDIT_STATE_LOG_H

#include "consumer/kafka_access.h"
#include "state/checkpoint.h"

struct ss_state_log;

/* false: enough. */
typedef bool ss_state_log_sink(void *arg, const struct ss_kafka_record *record);

struct ss_state_log_ops {
    /* A partition's committed records from an offset on, up to where the log ends now. SS_RETRY: no
     * answer, or nothing for too long. */
    enum ss_status (*read)(struct ss_state_log *log, int32_t partition, int64_t from,
                           ss_state_log_sink *sink, void *arg, struct ss_error *err);
    /* Where a partition begins and ends, with what is not committed yet. */
    enum ss_status (*ends)(struct ss_state_log *log, int32_t partition, int64_t *low, int64_t *high,
                           struct ss_error *err);
    void (*close)(struct ss_state_log *log);
};

struct ss_state_log {
    const struct ss_state_log_ops *ops;
    int32_t partition_count;
    char cluster_id[SS_CLUSTER_ID_MAX];
};

/* Borrows the access and the topic. SS_STOP: no such topic. SS_RETRY: Kafka does not answer. */
SS_MUST_USE enum ss_status ss_state_log_open(const struct ss_kafka_access *access,
                                             const char *topic, struct ss_state_log **log,
                                             struct ss_error *err);

#endif
