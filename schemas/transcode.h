/* transcode.h - records of one of our outputs, whichever schema they were written with, into the
 * bytes of our own schema: for output_view.h, which reads nothing else.
 *
 * By Avro's resolution rules, as plans do for inputs; and as archives need it, a string is taken
 * for an enum, null for what has a default of null, and a whole number that somebody has added to
 * the record is handed out (schemas/container.h, struct ss_container_extra, of which the offset
 * means the index here). What a writer has and we have not is left out.
 *
 * Hostile input as in codec.h. A transcoder is used by one thread.
 */
#ifndef SS_SCHEMAS_TRANSCODE_H
#define SS_SCHEMAS_TRANSCODE_H

#include "schemas/codec.h"

struct ss_transcoder;

enum { SS_TRANSCODE_EXTRAS_MAX = 4 };

/* extras: names of fields of the outermost record. *found (may be NULL): bit i is set if the writer
 * has the i-th. SS_DROP: no schema, or one that ours cannot read; says which field. */
SS_MUST_USE enum ss_status ss_transcoder_open(const char *our_json, const char *writer_json,
                                              const char *const *extras, size_t extra_count,
                                              struct ss_transcoder **transcoder, uint32_t *found,
                                              struct ss_error *err);
void ss_transcoder_close(struct ss_transcoder *transcoder); /* NULL is fine */

/* Whether the schemas are alike: then a record has the same bytes in both. */
bool ss_transcoder_alike(const struct ss_transcoder *transcoder);

/* *out points into body where the schemas are alike, else into the transcoder until the next call.
 * numbers[i], if the record has the i-th extra, is set. SS_DROP: not such a record. */
SS_MUST_USE enum ss_status ss_transcode(struct ss_transcoder *transcoder, struct ss_bytes body,
                                        struct ss_bytes *out, int64_t *numbers,
                                        struct ss_error *err);

#endif
