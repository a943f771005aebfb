/* codec.h - bytes <-> structs: Avro in the Confluent wire format. The schemas/ layer is the only
 * one to include avro-c.
 *
 * Decoding runs a plan compiled from (writer schema, our reader schema, struct ss_event): a flat
 * list of steps that reads the writer's bytes and stores straight into the struct, by Avro's
 * resolution rules (fields matched by name and alias, reordered, added with our default, removed
 * and skipped, promoted, enums by symbol with the enum's default). Writers' schemas are
 * parsed by schema_tree.c, which keeps the aliases and defaults that avro-c forgets; avro-c checks
 * the schemas that we publish, and tests/schemas checks plan, encoders and containers against it.
 *
 * Hostile input: every length and block count is checked against what is left of the record before
 * it reaches an allocation or a loop. Decoding allocates nothing.
 *
 * Threads: a plan and an encoder schema are immutable and may be shared; struct ss_event and
 * buffers belong to the caller.
 */
#ifndef SS_SCHEMAS_CODEC_H
#define SS_SCHEMAS_CODEC_H

#include "base/bytes.h"
#include "base/status.h"
#include "scoring/rank.h"
#include "scoring/sharing.h"

enum { SS_WIRE_HEADER_SIZE = 5 }; /* magic 0, big-endian schema id */

/* The outputs whose records this layer encodes. */
enum ss_output { SS_SCORES, SS_ENTITLEMENTS, SS_RANKS, SS_DEAD_LETTERS, SS_OUTPUT_COUNT };

const char *ss_output_name(enum ss_output output); /* "scores", "entitlements", "ranks", … */

/* Our schema of a topic, as JSON text compiled into the binary from schemas/<topic>.avsc. Static.
 * Dead letters are raw bytes with headers and have none: NULL. */
const char *ss_schema_of_input(enum ss_input input);
const char *ss_schema_of_output(enum ss_output output);

/* The schema of a subscriber's topic: that of `scores` less the fields that are not in the set
 * (bits SS_FIELD_BIT), so that what the subscriber may not see does not exist in it. The kind
 * SHARED comes on top, and each field has a default, so that a set can grow by the registry's
 * BACKWARD rule. The caller frees *json. The same set gives the same text. SS_STOP: out of memory.
 */
SS_MUST_USE enum ss_status ss_schema_of_subscriber(uint32_t fields, char **json,
                                                   struct ss_error *err);

/* Splits the wire header off. SS_DROP: no value, shorter than the header, or another magic. */
SS_MUST_USE enum ss_status ss_wire_open(struct ss_bytes value, uint32_t *schema_id,
                                        struct ss_bytes *body, struct ss_error *err);

/* --- decoding inputs --- */

struct ss_plan; /* opaque */

/* Compiles writer_json against our schema of `input`. SS_DROP: not a schema, or not one that ours
 * can read (the detail says which field). The caller frees with ss_plan_close. */
SS_MUST_USE enum ss_status ss_plan_open(enum ss_input input, const char *writer_json,
                                        struct ss_plan **plan, struct ss_error *err);
void ss_plan_close(struct ss_plan *plan); /* NULL is fine */

/* Decodes one body (without the wire header). Texts in *event point into body. SS_DROP: truncated,
 * trailing bytes, an impossible length, an unknown enum symbol that has no default. Times and
 * amounts are passed on as they are; ss_event_check judges them. */
SS_MUST_USE enum ss_status ss_plan_decode(const struct ss_plan *plan, struct ss_bytes body,
                                          struct ss_event *event, struct ss_error *err);

/* --- encoding --- */

/* Appends wire header and body. SS_STOP: out of memory or over the buffer's maximum. */
SS_MUST_USE enum ss_status ss_encode_event(uint32_t schema_id, const struct ss_event *event,
                                           struct ss_buffer *out, struct ss_error *err);
SS_MUST_USE enum ss_status ss_encode_score(uint32_t schema_id, const struct ss_score_record *record,
                                           struct ss_buffer *out, struct ss_error *err);
/* The record cut to the set of fields: by ss_schema_of_subscriber(fields). */
SS_MUST_USE enum ss_status ss_encode_shared_score(uint32_t schema_id, uint32_t fields,
                                                  const struct ss_score_record *record,
                                                  struct ss_buffer *out, struct ss_error *err);
SS_MUST_USE enum ss_status ss_encode_entitlement(uint32_t schema_id,
                                                 const struct ss_entitlement *entitlement,
                                                 struct ss_buffer *out, struct ss_error *err);
/* A partition's histogram, and how far into each input it had read. */
struct ss_rank_record {
    int32_t partition;
    const struct ss_histogram *histogram;
    int64_t positions[SS_INPUT_COUNT];
    int64_t clock_ms;
};
SS_MUST_USE enum ss_status ss_encode_rank(uint32_t schema_id, const struct ss_rank_record *record,
                                          struct ss_buffer *out, struct ss_error *err);
/* Reads the body that ss_encode_rank writes; *partition is not negative. Goes no further than the
 * histogram, with which every version of the schema begins. SS_DROP: not such a record. */
SS_MUST_USE enum ss_status ss_decode_rank(struct ss_bytes body, int32_t *partition,
                                          struct ss_histogram *histogram, struct ss_error *err);
/* All of it, by our schema as this version has it; record->histogram is the one given. SS_DROP: not
 * such a record. */
SS_MUST_USE enum ss_status ss_decode_rank_record(struct ss_bytes body,
                                                 struct ss_histogram *histogram,
                                                 struct ss_rank_record *record,
                                                 struct ss_error *err);

#endif
