/* container.h - Avro container files of our topics: the archives that Kafka Connect's sinks write,
 * and what `sesame generate --files` writes. Codecs null,
 * deflate and, for reading, snappy. A file's schema is that of its writer.
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
/* Flushes and closes; SS_STOP if the file could not be written whole. */
SS_MUST_USE enum ss_status ss_container_finish(struct ss_container_writer *writer,
                                               struct ss_error *err);

/* Opens a file of an input's records and compiles the plan from its own schema. */
SS_MUST_USE enum ss_status ss_container_open(const char *path, enum ss_input input,
                                             struct ss_container_reader **reader,
                                             struct ss_error *err);
/* The next event; *end is set behind the last. Texts stay valid until the next call. SS_DROP: this
 * record cannot be read, the next call goes on behind it. SS_STOP: the file is damaged. */
SS_MUST_USE enum ss_status ss_container_next(struct ss_container_reader *reader,
                                             struct ss_event *event, bool *end,
                                             struct ss_error *err);
void ss_container_close(struct ss_container_reader *reader);

#endif
