/* helper_logs.h - archived logs for tests: files as Kafka Connect's sinks write them, and plain
 * ones. */
#ifndef SS_TESTS_AUDIT_HELPER_LOGS_H
#define SS_TESTS_AUDIT_HELPER_LOGS_H

#include "audit/source.h"
#include "base/bytes.h"

#include <stddef.h>

#define LOGS_DAY   INT64_C(86400000)
#define LOGS_BEGIN INT64_C(1577836800000) /* 2020-01-01 */

struct logged {
    struct ss_event event;
    int64_t offset, timestamp_ms;
};

/* A new directory, removed with all that is in it by logs_remove. */
const char *logs_directory(void);
void logs_remove(void);
/* A path in it; valid until the eighth call from now. */
const char *logs_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* All that lies in it, as an audit reads it. The caller closes. */
struct ss_source *logs_source(int32_t partitions);

/* Records with the fields kafka_partition, kafka_offset and kafka_timestamp behind ours. */
void logs_archive(const char *path, enum ss_input input, int32_t partition,
                  const struct logged *events, size_t count);
/* Values of partition 0 in the wire format, which are freed, whatever schema of ours they have. */
struct logged_value {
    struct ss_buffer value;
    int64_t offset, timestamp_ms;
};
void logs_archive_values(const char *path, const char *schema, struct logged_value *values,
                         size_t count);
void logs_archive_published(const char *path, enum ss_output output, int32_t partition,
                            const struct ss_published_record *records, size_t count);
/* Our schema and nothing else. */
void logs_plain(const char *path, enum ss_input input, const struct ss_event *events, size_t count);
/* By a writer with a schema of its own, whose bodies are those of ours. */
void logs_plain_by(const char *path, const char *schema, const struct ss_event *events,
                   size_t count);
/* Payments of "ann", one a second from LOGS_BEGIN on, by a newer program: the third has a status
 * that ours does not know, and cannot be read. */
void logs_plain_newer(const char *path, size_t count);

struct ss_text logs_text(const char *text);
/* Texts are kept for as long as the process lives. */
struct ss_event logs_event(enum ss_input input, const char *user, const char *id, int64_t at_ms);

/* A believable history of so many users: events of every input, in the order of their times. The
 * caller frees. The same arguments give the same events. */
struct ss_event *logs_history(int users, int events, size_t *count);
/* The same as an archive of so many partitions in `directory`, in files of `file_events` at most;
 * offsets skip one now and then. */
void logs_archive_history(const char *directory, const struct ss_event *events, size_t count,
                          int32_t partitions, size_t file_events);
/* … and as plain files. */
void logs_plain_history(const char *directory, const struct ss_event *events, size_t count);

#endif
