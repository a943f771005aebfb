/* archive_index.h - which files a directory of archived logs has, by topic and partition, in the
 * order of their first offsets. Immutable once open.
 *
 * Kafka Connect's sinks name a file TOPIC+PARTITION+OFFSET[+OFFSET].avro, in directories that they
 * partition by whatever they were told. A file that is named by its topic alone has neither
 * partition nor offset.
 */
#ifndef SS_AUDIT_ARCHIVE_INDEX_H
#define SS_AUDIT_ARCHIVE_INDEX_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct ss_archive_file {
    char *path;
    size_t topic;      /* index */
    int32_t partition; /* -1: its name does not tell */
    int64_t bytes;
    int64_t offset; /* of its first record; 0 where the name does not tell */
};

struct ss_archive_index {
    struct ss_archive_file *files; /* by topic, partition, offset, path */
    size_t count, capacity;
    int32_t partition_count; /* one more than the highest; 0: no file tells one */
};

/* Looks through the directory and those below it, hidden ones and "+tmp" excepted, for files
 * `*.avro` of these topics. SS_STOP: it cannot be read, or is nested too deeply. */
SS_MUST_USE enum ss_status ss_archive_index_open(const char *directory, const char *const *topics,
                                                 size_t topic_count,
                                                 struct ss_archive_index **index,
                                                 struct ss_error *err);
void ss_archive_index_close(struct ss_archive_index *index); /* NULL is fine */

/* The files of a topic's partition (-1: those that do not tell), in order; *count may be 0. */
const struct ss_archive_file *ss_archive_index_find(const struct ss_archive_index *index,
                                                    size_t topic, int32_t partition, size_t *count);

#endif
