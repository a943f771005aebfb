/* kafka_admin.h - making and emptying topics, and asking where they end. Any thread; each call has
 * a client of its own. */
#ifndef SS_CONSUMER_KAFKA_ADMIN_H
#define SS_CONSUMER_KAFKA_ADMIN_H

#include "consumer/kafka_access.h"

struct ss_kafka_topic {
    const char *name;
    int32_t partitions;
    int replication; /* 0: the broker's default */
    struct ss_kafka_properties config;
    bool created; /* out: false if it was there already */
};

/* Makes the topics that are not there. An existing one is left as it is. SS_STOP: one exists with
 * another partition count, or the cluster refuses (says which and why); the others are made all the
 * same. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_topics_create(const struct ss_kafka_access *access,
                                                  struct ss_kafka_topic *topics, size_t count,
                                                  int timeout_ms, struct ss_error *err);

struct ss_kafka_end {
    int64_t low, high; /* high: the last stable offset if committed, else the high watermark */
};

/* Fills ends[0 .. *partition_count) of a topic; *partition_count comes in as the room there is.
 * SS_STOP: no such topic, or more partitions than room. */
SS_MUST_USE enum ss_status ss_kafka_topic_ends(const struct ss_kafka_access *access,
                                               const char *topic, bool committed,
                                               struct ss_kafka_end *ends, int32_t *partition_count,
                                               int timeout_ms, struct ss_error *err);

/* Deletes all records that a topic holds by now; offsets go on where they were. SS_STOP: no such
 * topic, or the cluster refuses (a compacted one). SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_topic_empty(const struct ss_kafka_access *access,
                                                const char *topic, int timeout_ms,
                                                struct ss_error *err);

/* The cluster's id, as text of less than `size` bytes. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_cluster_id(const struct ss_kafka_access *access, char *id,
                                               size_t size, int timeout_ms, struct ss_error *err);

/* How many members a consumer group has, or had until a session timeout ago: 0 for a group that is
 * not there. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_group_members(const struct ss_kafka_access *access,
                                                  const char *group, int *members, int timeout_ms,
                                                  struct ss_error *err);

#endif
