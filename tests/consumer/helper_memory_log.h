/* helper_memory_log.h - a partition's log in memory, with the markers and the aborted records that
 * a transaction leaves there. */
#ifndef SS_TESTS_CONSUMER_HELPER_MEMORY_LOG_H
#define SS_TESTS_CONSUMER_HELPER_MEMORY_LOG_H

#include "consumer/bus.h"

enum { MEMORY_HEADERS_MAX = 160 };

struct memory_record {
    bool marker, aborted; /* not delivered */
    int64_t timestamp_ms;
    struct ss_bytes key, value; /* owned copies; data NULL as given */
    struct ss_header *headers;
    size_t header_count;
    bool mark;
};

struct memory_log {
    struct memory_record **records; /* by offset */
    int64_t end;
    size_t capacity;
};

/* Copies everything; a log that it is appended to owns it. */
struct memory_record *memory_record_new(struct ss_bytes key, struct ss_bytes value,
                                        const struct ss_header *headers, size_t header_count);
/* Returns the offset. */
int64_t memory_log_append(struct memory_log *log, struct memory_record *record);
void memory_log_append_marker(struct memory_log *log);
void memory_log_reset(struct memory_log *log);

/* The next record to be seen by a read_committed subscriber from *offset on, which moves behind it;
 * NULL at the end. */
const struct memory_record *memory_log_next(const struct memory_log *log, int64_t *offset);
/* A header of a record, "" data if there is none; fails the test if it is there twice. */
struct ss_bytes memory_record_header(const struct memory_record *record, const char *name);

#endif
