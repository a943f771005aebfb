/* source_internal.h - the parts of source.h: source.c (opening, ranges, batches), source_kafka.c,
 * source_archive.c (files) and source_published.c. Internal to audit/. */
#ifndef SS_AUDIT_SOURCE_INTERNAL_H
#define SS_AUDIT_SOURCE_INTERNAL_H

#include "audit/archive_index.h"
#include "audit/source.h"
#include "consumer/kafka_positions.h"
#include "consumer/kafka_pull.h"
#include "schemas/container.h"

enum { SS_SOURCE_BATCH_MAX = 128, SS_SOURCE_QUEUE_BYTES = 64 << 20 };

struct ss_source {
    struct ss_source_config config;
    enum ss_source_kind kind;
    int32_t partition_count;
    bool without_neighbours; /* Kafka: there is no such topic */
    bool counted;            /* the partition count is certain, so that records can be misrouted */
    const char *topics[SS_INPUT_COUNT];
    const char *output_topics[SS_OUTPUT_COUNT];
    struct ss_source_range *ranges; /* by partition, then input */
    struct ss_archive_index *index; /* of files */
};

/* One input of a puller. */
struct ss_puller_input {
    struct ss_source_event *events; /* SS_SOURCE_BATCH_MAX; NULL: this input is not read */
    struct ss_source_report report;
    int64_t to;
    bool begun;
    /* Kafka: what is left of the batch that was fetched last */
    const struct ss_kafka_record *records;
    size_t record_count, record_next;
    /* files: the one being read, and which comes next */
    struct ss_container_reader *reader;
    const struct ss_archive_file *file;
    size_t file_next;
    int64_t bytes_done; /* of files read to their end, or passed over */
    int64_t index;      /* of the next record of a plain file */
    int64_t unplaced;   /* unreadable records since the last offset that is known */
};

struct ss_puller {
    struct ss_source *source;
    int32_t partition;
    const struct ss_source_users *users;
    struct ss_kafka_pull *pull;
    uint32_t schema_id[SS_INPUT_COUNT]; /* of `plan`, looked up last */
    const struct ss_plan *plan[SS_INPUT_COUNT];
    struct ss_puller_input inputs[SS_INPUT_COUNT];
};

/* Each fills at most SS_SOURCE_BATCH_MAX events; none, and *end: that is all. Counts what it reads
 * in the input's report. */
SS_MUST_USE enum ss_status ss_source_kafka_fill(struct ss_puller *puller, enum ss_input input,
                                                size_t *count, bool *end, struct ss_error *err);
SS_MUST_USE enum ss_status ss_source_files_fill(struct ss_puller *puller, enum ss_input input,
                                                size_t *count, bool *end, struct ss_error *err);
SS_MUST_USE enum ss_status ss_source_kafka_pull(struct ss_puller *puller, const int64_t *from,
                                                const int64_t *to, struct ss_error *err);

/* Ranges and partition count of the logs. */
SS_MUST_USE enum ss_status ss_source_kafka_open(struct ss_source *source, struct ss_error *err);
SS_MUST_USE enum ss_status ss_source_files_open(struct ss_source *source, struct ss_error *err);
SS_MUST_USE enum ss_status ss_source_files_offsets_at(struct ss_source *source, int32_t partition,
                                                      int64_t time_ms, int64_t *offsets,
                                                      struct ss_error *err);

/* Bytes of a partition's files of all inputs; of those that have been read. */
int64_t ss_source_files_size(const struct ss_source *source, int32_t partition);
int64_t ss_source_files_done(const struct ss_puller *puller);

/* The next record of an input has this offset; false: it was there before, leave it out. */
static inline bool ss_source_step(struct ss_puller_input *in, int64_t offset)
{
    struct ss_source_report *report = &in->report;
    if (report->first >= 0 && offset < report->next) {
        report->repeated++;
        return false;
    }
    int64_t missing = offset - report->next - in->unplaced;
    if (missing > 0 && report->first >= 0) {
        if (report->missing_at < 0)
            report->missing_at = report->next + in->unplaced;
        report->gaps++;
        report->missing += missing;
    }
    if (report->first < 0)
        report->first = offset;
    report->next = offset + 1;
    report->records++;
    in->unplaced = 0;
    return true;
}

#endif
