/* wire_json.h - any Avro value as JSON text, for people to look at: dead letters, scores in tests.
 *
 * Reads by the writer's schema alone, as the bytes are, without resolution to ours. A record is an
 * object, a map too; a union is the value of its branch, without the branch's name; an enum is its
 * symbol; bytes and fixed are strings of a character per byte, as in Avro's JSON; a number that
 * JSON has no word for is null. The bytes may be hostile: depth and output are bounded, the latter
 * by *out's own maximum.
 */
#ifndef SS_SCHEMAS_WIRE_JSON_H
#define SS_SCHEMAS_WIRE_JSON_H

#include "schemas/registry.h"

/* Appends a value in the wire format, its schema looked up in the registry. SS_DROP: not the wire
 * format, an unknown schema, or not a value of it; SS_RETRY: the registry is away; SS_STOP: over
 * *out's maximum or out of memory. On failure *out is as it was. */
SS_MUST_USE enum ss_status ss_wire_to_json(struct ss_registry *registry, struct ss_bytes value,
                                           struct ss_buffer *out, struct ss_error *err);
/* The same for a body without header and a schema at hand. */
SS_MUST_USE enum ss_status ss_body_to_json(const char *schema_json, struct ss_bytes body,
                                           struct ss_buffer *out, struct ss_error *err);

/* Appends text as a JSON string with its quotes. Control characters (DEL and C1 too, which a
 * terminal obeys) are escaped, what is not UTF-8 becomes U+FFFD. false: as ss_buffer_append. */
SS_MUST_USE bool ss_json_append_text(struct ss_buffer *out, struct ss_bytes text);

#endif
