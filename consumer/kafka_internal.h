/* kafka_internal.h - the bus over librdkafka from the inside, shared by kafka_open.c (its life),
 * kafka_bus.c (records), kafka_group.c (membership), kafka_start.c (offsets and restore),
 * kafka_transaction.c, and kafka_fence.c (whose place another has taken).
 *
 * A partition's way, and the function behind each step:
 *
 *     not ours ──on_assign──> assigned ──take_event──> announced ──open_partition──> open
 *        ^                       ^                         │                           │
 *        │                       └─ss_kafka_take_back───────┼───────────────────────────┤
 *        └──take_event (REVOKED)──────on_revoke────────────┴───────────────────────────┘
 *
 * A partition is announced until its REVOKED was given out; it can be assigned again before that,
 * and its ASSIGNED then comes after.
 */
#ifndef SS_CONSUMER_KAFKA_INTERNAL_H
#define SS_CONSUMER_KAFKA_INTERNAL_H

#include "consumer/kafka_bus.h"
#include "consumer/kafka_client.h"

struct ss_kafka_flow {
    int64_t next; /* the least offset that may be delivered */
    bool held;
    bool flowing;   /* started at the fetch client */
    int64_t passed; /* the end of the partition when it was last reached, markers included */
    bool at_end;    /* nothing was delivered since then */
};

struct ss_kafka_partition {
    bool assigned;  /* by the group */
    bool announced; /* the worker has it */
    bool revoke_pending, revoke_lost, assign_pending;
    bool open;
    struct ss_kafka_flow flows[SS_INPUT_COUNT];
    int64_t offsets[SS_INPUT_COUNT]; /* to be committed with the open transaction; -1: none */
    bool marked;                     /* in the last transaction */
    int64_t mark_offset, mark_time_ms;
};

/* In the order in which they are drained. */
enum ss_kafka_queue { SS_QUEUE_BLACKLIST, SS_QUEUE_CONSENTS, SS_QUEUE_OTHERS, SS_QUEUE_COUNT };

struct ss_kafka_bus {
    struct ss_bus bus; /* first, so that a bus is its address */
    struct ss_kafka_config config;
    char *strings; /* what the config's copies point into */
    struct ss_kafka_property *properties;
    char id[192]; /* group-instance-worker */
    struct ss_kafka_client client;
    struct ss_error fatal; /* status SS_STOP once nothing helps any more */

    rd_kafka_t *group, *fetch, *restore, *tail;
    rd_kafka_topic_t *inputs[SS_INPUT_COUNT]; /* of fetch; opaque: the input */
    rd_kafka_topic_t *changelog;              /* of restore */
    rd_kafka_queue_t *queues[SS_QUEUE_COUNT];
    int wake_fd;       /* written when a queue gets something */
    size_t flow_count; /* flows started */

    struct ss_kafka_partition *partitions;          /* bus.partition_count of them */
    int32_t *event_partitions;                      /* of the last poll */
    int64_t reassign_at_ms;                         /* not to announce partitions earlier */
    bool spare_untold;                              /* the group has none for us; to be told */
    rd_kafka_consumer_group_metadata_t *membership; /* of the assignment that holds; NULL: none */

    rd_kafka_message_t **messages; /* of the last poll */
    struct ss_record *records;
    size_t capacity, record_count;
    bool reached_end; /* since the last poll */

    rd_kafka_t *producer;
    rd_kafka_topic_t *targets[SS_TARGET_MAX];
    bool producer_ready; /* transactions initialised: nothing of an earlier one is open */
    bool in_transaction;
    bool producer_suspect; /* it refused a record */
    int64_t begun_at_ms, committed_at_ms;
    size_t produced;                    /* since the reports were last served */
    rd_kafka_resp_err_t delivery_error; /* the first of the transaction */
    char delivery_topic[256];

    int fenced_count;     /* in a row */
    int64_t fenced_at_ms; /* the last time */
    int64_t anew_at_ms;   /* no group and no producer before that */
};

/* Keeps the reason and returns SS_STOP now and from every later call. */
enum ss_status ss_kafka_stop(struct ss_kafka_bus *k, struct ss_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* --- kafka_fence.c --- */
/* Outside of a transaction. Takes all partitions from the worker (REVOKED, lost), throws group and
 * producer away and has them made anew after a pause: SS_RETRY. SS_STOP: not for the first time, so
 * there is a twin. `cause` is what librdkafka or the broker said. */
SS_MUST_USE enum ss_status ss_kafka_fenced(struct ss_kafka_bus *k, const char *cause,
                                           struct ss_error *err);
/* How long that pause still lasts. */
int ss_kafka_anew_ms(const struct ss_kafka_bus *k);

/* --- kafka_bus.c --- */
enum ss_status ss_kafka_poll(struct ss_bus *bus, size_t records_max, int timeout_ms,
                             struct ss_poll *out, struct ss_error *err);
enum ss_status ss_kafka_open_partition(struct ss_bus *bus, int32_t partition,
                                       const int64_t positions[SS_INPUT_COUNT],
                                       struct ss_error *err);
enum ss_status ss_kafka_hold(struct ss_bus *bus, enum ss_input input, int32_t partition, bool hold,
                             struct ss_error *err);
int64_t ss_kafka_position(struct ss_bus *bus, enum ss_input input, int32_t partition);
bool ss_kafka_at_end(struct ss_bus *bus, enum ss_input input, int32_t partition);
enum ss_status ss_kafka_rewind(struct ss_bus *bus, enum ss_input input, int32_t partition,
                               int64_t next_offset, struct ss_error *err);
bool ss_kafka_header(struct ss_bus *bus, const struct ss_record *record, size_t i,
                     struct ss_header *out);
void ss_kafka_release(struct ss_kafka_bus *k); /* the records of the last poll */
void ss_kafka_flows_stop(struct ss_kafka_bus *k, int32_t partition);
/* The worker has the partition and it is not being taken away. */
bool ss_kafka_owned(const struct ss_kafka_bus *k, int32_t partition);

/* --- kafka_group.c --- */
SS_MUST_USE enum ss_status ss_kafka_group_open(struct ss_kafka_bus *k, struct ss_error *err);
/* Serves rebalances and errors of the group; keeps the membership alive, and joins again once a
 * pause is over. What it loses shows as partitions that are no longer owned. */
SS_MUST_USE enum ss_status ss_kafka_group_serve(struct ss_kafka_bus *k, struct ss_error *err);
/* Takes all partitions from the worker for good and throws the group client away. */
void ss_kafka_group_lose(struct ss_kafka_bus *k);
void ss_kafka_group_close(struct ss_kafka_bus *k);
/* The next REVOKED or ASSIGNED, if there is one. */
bool ss_kafka_group_event(struct ss_kafka_bus *k, struct ss_poll *out);
/* Takes all partitions from the worker, and gives them out again after `pause_ms`. */
void ss_kafka_take_back(struct ss_kafka_bus *k, int pause_ms);
/* The generation that a commit would name; -1: none. */
int32_t ss_kafka_generation(const rd_kafka_consumer_group_metadata_t *membership);

/* --- kafka_start.c --- */
enum ss_status ss_kafka_start(struct ss_bus *bus, int32_t partition, struct ss_partition_start *out,
                              struct ss_error *err);
enum ss_status ss_kafka_restore(struct ss_bus *bus, int32_t partition, int64_t from, int64_t to,
                                ss_restore_sink *sink, void *arg, struct ss_error *err);
void ss_kafka_start_close(struct ss_kafka_bus *k);

/* --- kafka_mark.c --- */
enum ss_status ss_kafka_newest_group(struct ss_bus *bus, int32_t partition,
                                     const struct ss_partition_start *start,
                                     char group[SS_GROUP_MAX], struct ss_error *err);

/* --- kafka_transaction.c --- */
/* Makes the producer if there is none and settles what its predecessor left open, for at most
 * budget_ms. SS_RETRY: not yet. */
SS_MUST_USE enum ss_status ss_kafka_producer_ready(struct ss_kafka_bus *k, int budget_ms,
                                                   struct ss_error *err);
void ss_kafka_producer_discard(struct ss_kafka_bus *k);
enum ss_status ss_kafka_begin(struct ss_bus *bus, struct ss_error *err);
enum ss_status ss_kafka_produce(struct ss_bus *bus, enum ss_target target, int32_t partition,
                                struct ss_bytes key, struct ss_bytes value,
                                const struct ss_header *headers, size_t header_count, bool mark,
                                struct ss_error *err);
enum ss_status ss_kafka_offset(struct ss_bus *bus, enum ss_input input, int32_t partition,
                               int64_t next_offset, struct ss_error *err);
enum ss_status ss_kafka_commit(struct ss_bus *bus, struct ss_error *err);
enum ss_status ss_kafka_abort(struct ss_bus *bus, struct ss_error *err);
enum ss_status ss_kafka_mark(struct ss_bus *bus, int32_t partition, int64_t *offset,
                             int64_t *broker_time_ms, struct ss_error *err);

#endif
