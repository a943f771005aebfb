/* source.h - the logs as an audit reads them: decoded events, and what was published.
 *
 * Three kinds of logs, one way to read them:
 *
 *   Kafka    the topics themselves, read_committed, by no group, committing nothing
 *   archive  a directory of Avro container files as Kafka Connect's sinks write them: any depth of
 *            sub-directories, files named TOPIC+PARTITION+OFFSET[+OFFSET].avro, records with the
 *            fields that InsertField adds (partition, offset, timestamp; the names can be set)
 *   plain    DIR/payments.avro, DIR/bills.avro, …: no partitions and no offsets. It is one
 *            partition, an offset is a record's index, and whatever follows from it proves nothing;
 *            nor does an archive whose records do not tell their offsets, which is plain too but
 *            for the partitions that its file names tell
 *
 *   open ──> ss_source_range (what there is) ──> ss_puller_open of a partition
 *                                                  ss_puller_next of an input, again and again
 *
 * 1. Of each (partition, input), events come once each and in the order of their offsets.
 * 2. A record that the engine could not have used comes too, with `reject` naming the dead letter's
 *    reason: consumed = counted + … + dead-lettered holds for an audit as it does for the engine
 *    (promise 6). Archives hold no record that Connect could not read; its offset is missing then.
 * 3. Offsets that are missing are counted and never an error: transactions leave markers in a log.
 *    A log that begins above 0, or above where it was to be read from, is out of retention.
 * 4. Nothing is copied: texts point into the record's bytes, which live until the next call for the
 *    same input of the same puller.
 *
 * Threads: a source may be shared once it is open. A puller or an output reader belongs to one
 * thread; different ones run in parallel.
 */
#ifndef SS_AUDIT_SOURCE_H
#define SS_AUDIT_SOURCE_H

#include "audit/source_users.h"
#include "consumer/kafka_access.h"
#include "schemas/output_view.h"
#include "schemas/registry.h"

struct ss_source;
struct ss_puller;
struct ss_published_log;

enum ss_source_kind { SS_SOURCE_KAFKA, SS_SOURCE_ARCHIVE, SS_SOURCE_PLAIN };

/* Names of the fields that InsertField adds; NULL takes the default. */
struct ss_source_fields {
    const char *partition; /* "kafka_partition" */
    const char *offset;    /* "kafka_offset" */
    const char *timestamp; /* "kafka_timestamp" */
};

struct ss_source_config {
    const char *directory;                /* an archive or plain files; NULL: Kafka */
    const struct ss_kafka_access *access; /* Kafka; borrowed, as all of this is */
    struct ss_registry *registry;         /* with Kafka */
    const char *const *topics;            /* SS_INPUT_COUNT names; plain files have default names */
    const char *output_topics[SS_OUTPUT_COUNT]; /* NULL: the default names */
    struct ss_source_fields fields;
    /* Kafka: logs end at the group's committed positions instead of at the last stable offsets
     * that they had when the source was opened; an input without any is empty. */
    const char *group;
    /* Archives do not say how many partitions there were: 0 takes one more than the highest found,
     * and then no record counts as misrouted. */
    int32_t partition_count;
    size_t event_bytes_max; /* a larger value is rejected as TOO_LARGE; 0: none is (archives) */
};

/* SS_STOP: nothing there to be read, or it cannot be. SS_RETRY: Kafka gives no answer. */
SS_MUST_USE enum ss_status ss_source_open(const struct ss_source_config *config,
                                          struct ss_source **source, struct ss_error *err);
void ss_source_close(struct ss_source *source); /* NULL is fine */

enum ss_source_kind ss_source_kind(const struct ss_source *source);
int32_t ss_source_partition_count(const struct ss_source *source);
/* "kafka", "archive", "files": static text. */
const char *ss_source_kind_name(enum ss_source_kind kind);

struct ss_source_range {
    int64_t low; /* the first offset that is still there; above 0: retention cut it */
    int64_t end; /* behind the last one; INT64_MAX: known only when it has been read (archives) */
};

/* What there is of an input. An input without a record has low == end, in archives 0 and 0. */
struct ss_source_range ss_source_range(const struct ss_source *source, int32_t partition,
                                       enum ss_input input);
/* Whether any partition has a record of it. */
bool ss_source_has(const struct ss_source *source, enum ss_input input);

/* The first offset whose record is not older than time_ms, of each input. SS_STOP: plain files,
 * whose records have no time; or an archive without a timestamp field. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_source_offsets_at(struct ss_source *source, int32_t partition,
                                                int64_t time_ms, int64_t offsets[SS_INPUT_COUNT],
                                                struct ss_error *err);

/* --- the inputs of a partition --- */

struct ss_source_event {
    struct ss_event event;
    int64_t partition;
    int64_t offset;       /* of a rejected record in an archive: the least that it can have */
    int64_t timestamp_ms; /* of the Kafka record; -1: none */
    const char *reject;   /* NULL: the event is good; else "UNREADABLE", "NO_KEY", …: static */
};

struct ss_source_batch {
    const struct ss_source_event *events;
    size_t count;        /* 0 at the end */
    int64_t next_offset; /* everything below has been handed out, or is of nobody asked for */
};

struct ss_puller_config {
    int32_t partition;
    const int64_t *from; /* SS_INPUT_COUNT next offsets; NULL: all there is */
    const int64_t *to;   /* likewise where to end; NULL: the end of the source's range */
    /* Only events of these users, the others' being skipped as cheaply as can be, and so are
     * records that cannot be read. NULL: everybody's. */
    const struct ss_source_users *users;
    bool inputs_skipped[SS_INPUT_COUNT]; /* set: not read at all */
};

SS_MUST_USE enum ss_status ss_puller_open(struct ss_source *source,
                                          const struct ss_puller_config *config,
                                          struct ss_puller **puller, struct ss_error *err);
/* The next events of an input: some hundred at once. SS_STOP: a damaged archive, or one whose
 * offsets go back. SS_RETRY: Kafka or the registry is away; call again. */
SS_MUST_USE enum ss_status ss_puller_next(struct ss_puller *puller, enum ss_input input,
                                          struct ss_source_batch *batch, struct ss_error *err);
void ss_puller_close(struct ss_puller *puller); /* NULL is fine */

/* How much of the partition there is to read, in units of the source's own (offsets or bytes), and
 * how much a puller of it has read, roughly: for bars. */
int64_t ss_source_size(const struct ss_source *source, int32_t partition);
int64_t ss_puller_done(const struct ss_puller *puller);

/* What has been read of an input so far. */
struct ss_source_report {
    int64_t records;     /* handed out or of others; repeated ones excepted */
    int64_t rejected;    /* of these, handed out with `reject` set */
    int64_t first;       /* the first offset; -1: none */
    int64_t next;        /* behind the last one; where it began if there was none */
    int64_t gaps;        /* places where offsets are missing */
    int64_t missing;     /* offsets missing in them */
    int64_t missing_at;  /* the first one; -1: none */
    int64_t repeated;    /* records that an archive holds twice */
    int64_t out_of_time; /* offsets between where it was to begin and `low`: retention took them */
};
void ss_puller_report(const struct ss_puller *puller, enum ss_input input,
                      struct ss_source_report *report);

/* --- what was published: scores and entitlements --- */

struct ss_published_record {
    int64_t offset;
    int64_t timestamp_ms;
    struct ss_bytes key; /* data NULL: none (archives) */
    struct ss_bytes
        body;           /* in our schema, for output_view.h; data NULL: a tombstone, or `reject` */
    const char *reject; /* NULL, or why it is no record of ours: static */
    /* The body, skimmed; NULL where it has not been: that need not be a record then. */
    const struct ss_score_view *view;
};

struct ss_published_batch {
    const struct ss_published_record *records;
    size_t count; /* 0 at the end */
};

struct ss_published_config {
    enum ss_output output; /* SS_SCORES or SS_ENTITLEMENTS */
    int32_t partition;
    int64_t from; /* offset; 0: all there is */
    const struct ss_source_users *users;
    bool views; /* of `scores`: whoever looks at them all saves looking for where they end */
};

/* Whether there is such a topic, or are files of it that tell their offsets. *have is false where
 * there are none. SS_RETRY: Kafka does not answer. */
SS_MUST_USE enum ss_status ss_published_have(const struct ss_source *source, enum ss_output output,
                                             bool *have, struct ss_error *err);
/* Reads an output's partition in the order of its offsets, whichever schema it was written with.
 * `range` (may be NULL) is filled as for inputs. SS_STOP: there is no such topic or file. */
SS_MUST_USE enum ss_status ss_published_open(struct ss_source *source,
                                             const struct ss_published_config *config,
                                             struct ss_published_log **log,
                                             struct ss_source_range *range, struct ss_error *err);
/* Records live until the next call. Statuses of ss_puller_next. */
SS_MUST_USE enum ss_status ss_published_next(struct ss_published_log *log,
                                             struct ss_published_batch *batch,
                                             struct ss_error *err);
void ss_published_close(struct ss_published_log *log); /* NULL is fine */

#endif
