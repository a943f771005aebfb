/* bus.h - the edge to the logs: Kafka, or memory for tests and simulation.
 *
 * One bus belongs to one worker thread; every call is made from it. A bus delivers records of the
 * inputs for the partitions that it is assigned, all of them or none (co-partitioned:
 * partition p of every input), and commits transactions of outputs, changelog and consumed offsets.
 *
 *   poll ──> SS_BUS_ASSIGNED p ──> restore p ──> open p ──> SS_BUS_RECORDS … ──> SS_BUS_REVOKED p
 *                                                  begin, produce …, commit ──┐
 *                                                  ^──────────────────────────┘
 *
 * An assigned partition delivers nothing until ss_bus_open_partition. Revocation arrives only
 * between polls: the worker never has a transaction open while it polls, so there is nothing of a
 * revoked partition left to finish, and records of it that a queue still held are not delivered.
 */
#ifndef SS_CONSUMER_BUS_H
#define SS_CONSUMER_BUS_H

#include "base/bytes.h"
#include "schemas/codec.h"
#include "state/changelog.h"

struct ss_bus;

struct ss_record {
    enum ss_input input;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;  /* -1: none */
    struct ss_bytes key;   /* data NULL: no key */
    struct ss_bytes value; /* data NULL: no value */
    void *message;         /* the implementation's, for headers */
};

struct ss_header {
    const char *name;
    struct ss_bytes value;
};

/* Where a record is produced to. The i-th subscriber's topic is SS_TO_SUBSCRIBERS + i. */
enum ss_target {
    SS_TO_SCORES,
    SS_TO_ENTITLEMENTS,
    SS_TO_DEAD_LETTERS,
    SS_TO_CHANGELOG,
    SS_TO_RANKS,      /* has one partition, whatever the others have */
    SS_TO_NEIGHBOURS, /* the topic of the input SS_NEIGHBOURS, to whichever partition */
    SS_TARGET_COUNT,  /* those that are always there */
    SS_TO_SUBSCRIBERS = SS_TARGET_COUNT,
    SS_TARGET_MAX = SS_TO_SUBSCRIBERS + SS_SUBSCRIBERS_MAX
};

/* What a poll brought. */
enum ss_bus_event { SS_BUS_NOTHING, SS_BUS_RECORDS, SS_BUS_ASSIGNED, SS_BUS_REVOKED };

struct ss_poll {
    enum ss_bus_event event;
    /* RECORDS: valid until the next poll; in offset order within each (input, partition) */
    struct ss_record *records;
    size_t record_count;
    /* ASSIGNED, REVOKED; a lost partition is REVOKED with lost set. ASSIGNED with none: the group
     * has shared them out, and there is none for us. */
    const int32_t *partitions;
    size_t partition_count;
    bool lost;
};

/* One restored changelog record. Any status but SS_OK ends the restore with it. */
typedef enum ss_status ss_restore_sink(void *arg, int64_t offset, int64_t broker_time_ms,
                                       struct ss_bytes key, struct ss_bytes value,
                                       struct ss_error *err);

/* What is known of an assigned partition before it is restored. Fetched in this order: the
 * committed offsets (stable ones), then the changelog's high watermark. */
struct ss_partition_start {
    int64_t positions[SS_INPUT_COUNT];      /* committed; where none: the log's start */
    bool committed;                         /* the group has committed an offset for any of them */
    int64_t starts[SS_INPUT_COUNT];         /* what retention has left begins there */
    int64_t ends[SS_INPUT_COUNT];           /* last stable offsets now */
    int64_t changelog_start, changelog_end; /* low watermark, and high one (not the last stable) */
};

struct ss_bus_ops {
    /* At most `timeout_ms` for the first record; returns what there is then. SS_STOP: a twin runs
     * under this worker's name, or another fatal error, the detail says what to do. SS_RETRY: the
     * bus mends itself; poll on. To be fenced is no fatal error: a late request of the worker's own
     * past does that too. The bus loses all partitions (SS_BUS_REVOKED with lost) and joins anew,
     * and concludes a twin only when fenced three times, each soon after the last. */
    enum ss_status (*poll)(struct ss_bus *bus, size_t records_max, int timeout_ms,
                           struct ss_poll *out, struct ss_error *err);
    /* SS_RETRY: no answer in time, or the committed offsets moved on while they were compared with
     * the logs. SS_GIVE_UP: the partition is no longer ours. SS_STOP: the logs no longer hold what
     * the group has not read, or end before what it has. */
    enum ss_status (*start)(struct ss_bus *bus, int32_t partition, struct ss_partition_start *out,
                            struct ss_error *err);
    /* Reads the partition's committed changelog records from `from` up to `to`, which it reaches
     * even where the last offsets are markers or compacted away. SS_GIVE_UP past the deadline, with
     * the reason. */
    enum ss_status (*restore)(struct ss_bus *bus, int32_t partition, int64_t from, int64_t to,
                              ss_restore_sink *sink, void *arg, struct ss_error *err);
    /* The group that the newest mark in the changelog's range of `start` names; "": there is none,
     * or it names none. Much faster than to restore all. Fails as restore does; SS_STOP: that mark
     * is not to be read. */
    enum ss_status (*newest_group)(struct ss_bus *bus, int32_t partition,
                                   const struct ss_partition_start *start, char group[SS_GROUP_MAX],
                                   struct ss_error *err);
    /* Lets the partition's records flow from the given next offsets. */
    enum ss_status (*open_partition)(struct ss_bus *bus, int32_t partition,
                                     const int64_t positions[SS_INPUT_COUNT], struct ss_error *err);
    /* Holds back, or lets flow again, one input of one partition (consents are drained first). */
    enum ss_status (*hold)(struct ss_bus *bus, enum ss_input input, int32_t partition, bool hold,
                           struct ss_error *err);
    /* Below this offset everything has been delivered. Markers and aborted records count as
     * delivered once the consumer has passed them (it learns of that at the partition's end), so
     * that a log whose last offsets are markers is read to its end too. No request. */
    int64_t (*position)(struct ss_bus *bus, enum ss_input input, int32_t partition);
    /* Whether nothing was left behind what has been delivered when that was last looked at: the
     * input's times no longer hold back the partition's clock (promise 10). No request. */
    bool (*at_end)(struct ss_bus *bus, enum ss_input input, int32_t partition);
    /* Delivers again from next_offset on: the worker has put records back that it could not process
     * yet. What a queue still holds of that input and partition is not delivered before it. */
    enum ss_status (*rewind)(struct ss_bus *bus, enum ss_input input, int32_t partition,
                             int64_t next_offset, struct ss_error *err);

    enum ss_status (*begin)(struct ss_bus *bus, struct ss_error *err);
    /* Copies key, value and headers. value.data NULL is a tombstone. A changelog record with `mark`
     * set has its offset and broker time reported by commit. SS_DROP: larger than the bus carries;
     * nothing was produced and the transaction goes on. */
    enum ss_status (*produce)(struct ss_bus *bus, enum ss_target target, int32_t partition,
                              struct ss_bytes key, struct ss_bytes value,
                              const struct ss_header *headers, size_t header_count, bool mark,
                              struct ss_error *err);
    /* Flushes, then adds the offsets (next offset of every listed input and partition), then
     * commits. SS_OK: committed. SS_RETRY: aborted, nothing of it is visible; the consumer is
     * rewound to what is committed by re-assigning (expect SS_BUS_REVOKED with lost, then
     * ASSIGNED). SS_GIVE_UP: the group has moved on. SS_STOP as by poll. */
    enum ss_status (*commit)(struct ss_bus *bus, struct ss_error *err);
    /* Nothing of the transaction is visible; rewinds as a failed commit does. */
    enum ss_status (*abort)(struct ss_bus *bus, struct ss_error *err);
    /* Next offset to be committed with the open transaction. */
    enum ss_status (*offset)(struct ss_bus *bus, enum ss_input input, int32_t partition,
                             int64_t next_offset, struct ss_error *err);
    /* After a commit: offset and broker time of the partition's mark. */
    enum ss_status (*mark)(struct ss_bus *bus, int32_t partition, int64_t *offset,
                           int64_t *broker_time_ms, struct ss_error *err);
    /* The i-th header of a record; false behind the last. */
    bool (*header)(struct ss_bus *bus, const struct ss_record *record, size_t i,
                   struct ss_header *out);
    void (*close)(struct ss_bus *bus); /* leaves the group */
};

struct ss_bus {
    const struct ss_bus_ops *ops;
    int32_t partition_count;
    char cluster_id[SS_CLUSTER_ID_MAX];
};

#endif
