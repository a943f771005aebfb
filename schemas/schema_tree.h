/* schema_tree.h - an Avro schema parsed from JSON into a tree of types. Internal to schemas/.
 *
 * Schemas come from outside: text size, nesting and names are bounded, every reference is resolved
 * while parsing, and what is not a schema by Avro's specification is refused. avro-c's parser is no
 * help here, since it forgets aliases and defaults and refuses some schemas that are valid (a
 * record without fields); tests/schemas compares the two.
 *
 * A tree is immutable once parsed. Types live as long as the tree and may form cycles.
 */
#ifndef SS_SCHEMAS_SCHEMA_TREE_H
#define SS_SCHEMAS_SCHEMA_TREE_H

#include "base/status.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SS_SCHEMA_TEXT_MAX = 512 * 1024, /* bytes of JSON */
    SS_SCHEMA_DEPTH_MAX = 64,        /* types within types */
};

enum ss_type_kind {
    SS_TYPE_NULL,
    SS_TYPE_BOOLEAN,
    SS_TYPE_INT,
    SS_TYPE_LONG,
    SS_TYPE_FLOAT,
    SS_TYPE_DOUBLE,
    SS_TYPE_BYTES,
    SS_TYPE_STRING,
    SS_TYPE_PRIMITIVE_COUNT,
    SS_TYPE_RECORD = SS_TYPE_PRIMITIVE_COUNT,
    SS_TYPE_ENUM,
    SS_TYPE_ARRAY,
    SS_TYPE_MAP,
    SS_TYPE_UNION,
    SS_TYPE_FIXED,
};

struct ss_type_field {
    const char *name;
    json_t *aliases;       /* an array of strings, or NULL */
    json_t *default_value; /* NULL: none */
    struct ss_type *type;
};

struct ss_type {
    enum ss_type_kind kind;
    uint32_t index; /* in tree->types */
    uint32_t count; /* fields, symbols, branches; 1 for the items of ARRAY and MAP */
    uint32_t size;  /* FIXED: bytes */
    uint32_t seen;  /* while parsing: 1 + index of the last union that had it as a branch */
    /* No value takes fewer bytes; saturates. 0 means that every value takes none. */
    uint32_t size_min;
    struct ss_type_field *fields; /* RECORD */
    const char **symbols;         /* ENUM */
    const char *default_symbol;   /* ENUM, or NULL */
    struct ss_type **types;       /* UNION, ARRAY, MAP */
};

struct ss_schema_tree {
    json_t *json; /* owns the texts */
    struct ss_type *root;
    struct ss_type **types;
    uint32_t count, capacity;
};

/* SS_DROP: not a schema, or over a bound. The caller frees with ss_schema_tree_close. */
SS_MUST_USE enum ss_status ss_schema_tree_open(const char *json, struct ss_schema_tree **tree,
                                               struct ss_error *err);
void ss_schema_tree_close(struct ss_schema_tree *tree); /* NULL is fine */

const char *ss_type_kind_name(enum ss_type_kind kind); /* "null", "record", …: static */

#endif
