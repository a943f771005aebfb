/* blacklist_csv.h - a CSV file of any size, read record by record in bounded memory (RFC 4180).
 *
 * 1. Fields are separated by commas; a field in quotes may hold commas and, doubled, quotes. Lines
 *    end with LF or CRLF, the last one with either or nothing; blank ones are passed over. A
 *    byte order mark in front is no part of the first field. Bytes are not judged otherwise.
 * 2. A line break in quotes is part of its field only where `multiline` says so. Else, and in any
 *    record with a fault, a record ends with its first line, so that a stray quote costs one line
 * and never swallows those behind it.
 * 3. offset, line and digest are those of what was returned so far: the place to go on at.
 *
 * One thread.
 */
#ifndef SS_CLI_BLACKLIST_CSV_H
#define SS_CLI_BLACKLIST_CSV_H

#include "base/bytes.h"
#include "scoring/event.h"

enum {
    SS_CSV_FIELDS_MAX = 64,
    SS_CSV_RECORD_MAX = 65536, /* bytes of one record */
    SS_CSV_DIGEST_SIZE = 32,
};

struct ss_csv;

/* Valid until the next call. */
struct ss_csv_record {
    int64_t line;       /* the number of its first line, from 1 */
    const char *fault;  /* why it is no record: static text; NULL if it is one */
    struct ss_text raw; /* as in the file, without its line's end; cut if it was too long */
    int field_count;
    struct ss_text fields[SS_CSV_FIELDS_MAX];
};

/* SS_STOP: cannot be read, or is no regular file. */
SS_MUST_USE enum ss_status ss_csv_open(const char *path, struct ss_csv **csv, struct ss_error *err);
void ss_csv_close(struct ss_csv *csv); /* NULL is fine */

/* From the next record on; 0: any number of fields (the header). */
void ss_csv_expect(struct ss_csv *csv, int field_count, bool multiline);
/* *more is false at the end of the file, and *record is not set then. SS_STOP: reading failed. */
SS_MUST_USE enum ss_status ss_csv_next(struct ss_csv *csv, struct ss_csv_record *record, bool *more,
                                       struct ss_error *err);
/* Reads on to an offset and line that an earlier reader was at, for the digest. SS_STOP: the file
 * is shorter. */
SS_MUST_USE enum ss_status ss_csv_skip(struct ss_csv *csv, int64_t offset, int64_t line,
                                       struct ss_error *err);

int64_t ss_csv_size(const struct ss_csv *csv); /* of the file, when it was opened */
int64_t ss_csv_offset(const struct ss_csv *csv);
int64_t ss_csv_line(const struct ss_csv *csv); /* the number of the next line */
/* BLAKE2b of the bytes before the offset. */
void ss_csv_digest(struct ss_csv *csv, uint8_t out[SS_CSV_DIGEST_SIZE]);

#endif
