/* model_record.h - the records of `sesame-models`: every model that was ever live, and since when.
 *
 * Written and read by our own schema models.avsc as this version has it (no resolution: others use
 * any Avro library). Texts of a decoded entry point into the value. Threads: any.
 */
#ifndef SS_SCHEMAS_MODEL_RECORD_H
#define SS_SCHEMAS_MODEL_RECORD_H

#include "schemas/codec.h"

struct ss_model_entry {
    int64_t published_at_ms;
    struct ss_text published_by;
    bool is_activation;
    /* a model */
    struct ss_text version, canonical, structural, source;
    /* an activation */
    int32_t epoch;
    struct ss_text person, business; /* versions; business of size 0: none */
};

/* Static. */
const char *ss_schema_of_models(void);

/* Appends wire header and body. SS_STOP: no room. */
SS_MUST_USE enum ss_status ss_model_entry_encode(uint32_t schema_id,
                                                 const struct ss_model_entry *entry,
                                                 struct ss_buffer *out, struct ss_error *err);
/* A whole value, wire header included. SS_DROP: not such an entry. */
SS_MUST_USE enum ss_status
ss_model_entry_decode(struct ss_bytes value, struct ss_model_entry *entry, struct ss_error *err);

#endif
