#include "helper_memory_log.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ss_bytes copy(struct ss_bytes bytes)
{
    if (!bytes.data)
        return bytes;
    char *data = malloc(bytes.size + 1);
    if (bytes.size)
        memcpy(data, bytes.data, bytes.size);
    return (struct ss_bytes){data, bytes.size};
}

struct memory_record *memory_record_new(struct ss_bytes key, struct ss_bytes value,
                                        const struct ss_header *headers, size_t header_count)
{
    struct memory_record *record = calloc(1, sizeof *record);
    cr_assert_leq(header_count, MEMORY_HEADERS_MAX);
    record->key = copy(key);
    record->value = copy(value);
    record->headers = header_count ? calloc(header_count, sizeof *record->headers) : NULL;
    for (size_t i = 0; i < header_count; i++)
        record->headers[i] = (struct ss_header){strdup(headers[i].name), copy(headers[i].value)};
    record->header_count = header_count;
    return record;
}

static void record_free(struct memory_record *record)
{
    free((void *)record->key.data);
    free((void *)record->value.data);
    for (size_t i = 0; i < record->header_count; i++) {
        free((void *)record->headers[i].name);
        free((void *)record->headers[i].value.data);
    }
    free(record->headers);
    free(record);
}

int64_t memory_log_append(struct memory_log *log, struct memory_record *record)
{
    if ((size_t)log->end == log->capacity) {
        log->capacity = log->capacity ? log->capacity * 2 : 16;
        log->records = realloc(log->records, log->capacity * sizeof(struct memory_record *));
    }
    log->records[log->end] = record;
    return log->end++;
}

void memory_log_append_marker(struct memory_log *log)
{
    struct memory_record *marker = calloc(1, sizeof *marker);
    marker->marker = true;
    memory_log_append(log, marker);
}

void memory_log_reset(struct memory_log *log)
{
    for (int64_t i = 0; i < log->end; i++)
        record_free(log->records[i]);
    free(log->records);
    *log = (struct memory_log){0};
}

const struct memory_record *memory_log_next(const struct memory_log *log, int64_t *offset)
{
    while (*offset < log->end) {
        const struct memory_record *record = log->records[(*offset)++];
        if (!record->marker && !record->aborted)
            return record;
    }
    return NULL;
}

struct ss_bytes memory_record_header(const struct memory_record *record, const char *name)
{
    struct ss_bytes found = {"", 0};
    int count = 0;
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) != 0)
            continue;
        found = record->headers[i].value;
        cr_assert_eq(++count, 1, "header %s is there twice", name);
    }
    return found;
}
