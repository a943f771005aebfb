/* texts.h - our schemas as compiled into the binary from the .avsc files: the inputs in the order
 * of enum ss_input, then the outputs in the order of enum ss_output, then internal ones.
 * Internal to schemas/. */
#ifndef SS_SCHEMAS_TEXTS_H
#define SS_SCHEMAS_TEXTS_H

#include "schemas/codec.h"

enum {
    SS_SCHEMA_OF_MODELS = SS_INPUT_COUNT + SS_DEAD_LETTERS, /* dead letters have no schema */
    SS_SCHEMA_TEXT_COUNT
};

struct ss_schema_text {
    const char *name; /* the default topic */
    size_t name_size;
    const char *json;
};

extern const struct ss_schema_text ss_schema_texts[SS_SCHEMA_TEXT_COUNT];

#endif
