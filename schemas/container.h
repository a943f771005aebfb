/* container.h - Avro container files of our topics: the archives that Kafka Connect's sinks write,
 * and what `sesame generate --files` writes. Codecs null, deflate and, for reading, snappy and
 * zstandard where their libraries were there at build time. A file's schema is that of its writer.
 *
 * A reader or writer belongs to one thread.
 */
#ifndef SS_SCHEMAS_CONTAINER_H
#define SS_SCHEMAS_CONTAINER_H

#include "schemas/codec.h"

struct ss_container_writer;
struct ss_container_reader;

/* Creates (truncates) a file with the given schema; codec "null" or "deflate". */
SS_MUST_USE enum ss_status ss_container_create(const char *path, const char *schema_json,
                                               const char *codec,
                                               struct ss_container_writer **writer,
                                               struct ss_error *err);
/* Appends one encoded body (without wire header). */
SS_MUST_USE enum ss_status ss_container_append(struct ss_container_writer *writer,
                                               struct ss_bytes body, struct ss_error *err);
/* Ends the block in hand, and says what has been written so far: how many bytes and their CRC-32.
 */
SS_MUST_USE enum ss_status ss_container_flush(struct ss_container_writer *writer, int64_t *bytes,
                                              uint32_t *crc, struct ss_error *err);
/* Goes on with a file of the same schema and codec behind its first `bytes`, which end with a
 * block; what lies behind is cut off. The CRC-32 of ss_container_flush is not known then. */
SS_MUST_USE enum ss_status ss_container_reopen(const char *path, const char *schema_json,
                                               const char *codec, int64_t bytes,
                                               struct ss_container_writer **writer,
                                               struct ss_error *err);
/* Appends all blocks of another file of the same schema and codec, as they are. */
SS_MUST_USE enum ss_status ss_container_join(struct ss_container_writer *writer, const char *path,
                                             struct ss_error *err);
/* Flushes and closes; SS_STOP if the file could not be written whole. */
SS_MUST_USE enum ss_status ss_container_finish(struct ss_container_writer *writer,
                                               struct ss_error *err);

/* A whole number, or null, that somebody has added to our records (Connect's InsertField). */
struct ss_container_extra {
    const char *field;
    uint16_t offset; /* of an int64_t, from the beginning of the struct ss_event that it is with */
};

/* Opens a file of an input's records and compiles the plan from its own schema. *found: bit i is
 * set if that schema has the i-th of at most 32 extras. A record without one, or with null, leaves
 * the number as it was. */
SS_MUST_USE enum ss_status ss_container_open(const char *path, enum ss_input input,
                                             const struct ss_container_extra *extras,
                                             size_t extra_count,
                                             struct ss_container_reader **reader, uint32_t *found,
                                             struct ss_error *err);
/* The next event; *end is set behind the last. Texts stay valid until the next call. SS_DROP: this
 * record cannot be read, the next call goes on behind it. SS_STOP: the file is damaged. */
SS_MUST_USE enum ss_status ss_container_next(struct ss_container_reader *reader,
                                             struct ss_event *event, bool *end,
                                             struct ss_error *err);
void ss_container_close(struct ss_container_reader *reader);

/* Whether the block in hand has no more records: the next call frees what texts point into. */
bool ss_container_block_end(const struct ss_container_reader *reader);

/* --- records of any schema, undecoded --- */

/* Opens a file whatever its records are; *schema_json lives as long as the reader. */
SS_MUST_USE enum ss_status ss_container_open_raw(const char *path,
                                                 struct ss_container_reader **reader,
                                                 const char **schema_json, struct ss_error *err);
/* The bytes of the next record, which live until the block ends; data NULL: the end. */
SS_MUST_USE enum ss_status ss_container_next_raw(struct ss_container_reader *reader,
                                                 struct ss_bytes *body, struct ss_error *err);
/* For who can tell where a record ends, and need not have it looked for: the bytes from the next
 * record to the end of its block, which live as long as the block, unless *end. Then how many of
 * them were that record; without that it is the next one still. */
SS_MUST_USE enum ss_status ss_container_rest(struct ss_container_reader *reader,
                                             struct ss_bytes *rest, bool *end,
                                             struct ss_error *err);
void ss_container_take(struct ss_container_reader *reader, size_t size);
/* Where the next block begins, with no record left in this one; and going there. */
int64_t ss_container_tell(const struct ss_container_reader *reader);
SS_MUST_USE enum ss_status ss_container_seek(struct ss_container_reader *reader, int64_t offset,
                                             struct ss_error *err);

/* CRC-32 as zip has it: of nothing 0, and going on with more bytes. */
uint32_t ss_container_crc(uint32_t crc, struct ss_bytes bytes);

#endif
