#include "schemas/schema_tree.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"null",   "boolean", "int",    "long",   "float",
                                         "double", "bytes",   "string", "record", "enum",
                                         "array",  "map",     "union",  "fixed"};

const char *ss_type_kind_name(enum ss_type_kind kind)
{
    return kind_names[kind];
}

struct parser {
    struct ss_schema_tree *tree;
    json_t *names; /* full name -> index of the type; a hash, so that many names cost no more */
    struct ss_type *primitives[SS_TYPE_PRIMITIVE_COUNT];
    struct ss_error *err;
    enum ss_status status; /* what parsing fails with: SS_STOP once memory ran out */
};

static struct ss_type *parse(struct parser *parser, json_t *json, const char *space, int depth);

static struct ss_type *no_memory(struct parser *parser)
{
    parser->status = ss_fail(parser->err, SS_STOP, "out of memory for a schema");
    return NULL;
}

static struct ss_type *type_new(struct parser *parser, enum ss_type_kind kind, uint32_t size_min)
{
    struct ss_schema_tree *tree = parser->tree;
    if (tree->count == tree->capacity) {
        uint32_t capacity = tree->capacity ? tree->capacity * 2 : 32;
        struct ss_type **types = realloc(tree->types, capacity * sizeof *types);
        if (!types)
            goto out_of_memory;
        tree->types = types;
        tree->capacity = capacity;
    }
    struct ss_type *type = calloc(1, sizeof *type);
    if (!type)
        goto out_of_memory;
    *type = (struct ss_type){.kind = kind, .index = tree->count, .size_min = size_min};
    tree->types[tree->count++] = type;
    return type;

out_of_memory:
    return no_memory(parser);
}

static struct ss_type *refuse(struct parser *parser, const char *what, const char *which)
{
    (void)ss_fail(parser->err, SS_DROP, "not an Avro schema: %s%.100s", what, which);
    return NULL;
}

static struct ss_type *parse_primitive(struct parser *parser, enum ss_type_kind kind)
{
    static const uint8_t size_min[] = {0, 1, 1, 1, 4, 8, 1, 1};
    if (!parser->primitives[kind])
        parser->primitives[kind] = type_new(parser, kind, size_min[kind]);
    return parser->primitives[kind];
}

/* "a.b" + "c" -> "a.b.c", unless the name has dots of its own. The caller frees. */
static char *full_name(const char *name, const char *space)
{
    if (strchr(name, '.') || !space || !*space)
        return strdup(name);
    size_t size = strlen(space) + 1 + strlen(name) + 1;
    char *full = malloc(size);
    if (full)
        snprintf(full, size, "%s.%s", space, name);
    return full;
}

static struct ss_type *parse_name(struct parser *parser, const char *name, const char *space)
{
    for (int kind = 0; kind < SS_TYPE_PRIMITIVE_COUNT; kind++)
        if (!strcmp(name, kind_names[kind]))
            return parse_primitive(parser, (enum ss_type_kind)kind);
    char *full = full_name(name, space);
    json_t *index = full ? json_object_get(parser->names, full) : NULL;
    free(full);
    if (!index)
        index = json_object_get(parser->names, name);
    if (!index)
        return refuse(parser, "no type of the name ", name);
    return parser->tree->types[json_integer_value(index)];
}

static struct ss_type *parse_union(struct parser *parser, json_t *json, const char *space,
                                   int depth)
{
    size_t count = json_array_size(json);
    struct ss_type *type = type_new(parser, SS_TYPE_UNION, 1);
    uint32_t unnamed = 0; /* bit k: a branch of kind k, which has no name */
    if (!type)
        return NULL;
    type->types = calloc(count + 1, sizeof *type->types);
    if (!type->types)
        return no_memory(parser);
    for (size_t i = 0; i < count; i++) {
        struct ss_type *branch = parse(parser, json_array_get(json, i), space, depth + 1);
        if (!branch)
            return NULL;
        if (branch->kind == SS_TYPE_UNION)
            return refuse(parser, "a union directly within a union", "");
        bool named = branch->kind == SS_TYPE_RECORD || branch->kind == SS_TYPE_ENUM ||
                     branch->kind == SS_TYPE_FIXED;
        if (named ? branch->seen == type->index + 1 : unnamed >> branch->kind & 1)
            return refuse(parser, "a union has twice the type ", kind_names[branch->kind]);
        branch->seen = type->index + 1;
        unnamed |= named ? 0 : 1u << branch->kind;
        type->types[type->count++] = branch;
    }
    return type;
}

static struct ss_type *parse_items(struct parser *parser, json_t *json, enum ss_type_kind kind,
                                   const char *space, int depth)
{
    json_t *items = json_object_get(json, kind == SS_TYPE_MAP ? "values" : "items");
    struct ss_type *type = type_new(parser, kind, 1);
    if (!type)
        return NULL;
    if (!items)
        return refuse(parser, kind_names[kind], " without the type of what it holds");
    type->types = calloc(1, sizeof *type->types);
    if (!type->types)
        return no_memory(parser);
    type->types[0] = parse(parser, items, space, depth + 1);
    type->count = 1;
    return type->types[0] ? type : NULL;
}

static struct ss_type *parse_fields(struct parser *parser, struct ss_type *type, json_t *fields,
                                    const char *space, int depth)
{
    size_t count = json_array_size(fields);
    uint64_t size_min = 0;
    json_t *seen = json_object();

    type->fields = calloc(count + 1, sizeof *type->fields);
    if (!seen || !type->fields || !json_is_array(fields)) {
        json_decref(seen);
        if (!seen || !type->fields)
            return no_memory(parser);
        return refuse(parser, "a record without an array of fields", "");
    }
    for (size_t i = 0; i < count; i++) {
        json_t *json = json_array_get(fields, i);
        struct ss_type_field *field = &type->fields[type->count];
        const char *name = json_string_value(json_object_get(json, "name"));
        json_t *aliases = json_object_get(json, "aliases");
        if (!name || !*name || json_object_get(seen, name) ||
            json_object_set_new_nocheck(seen, name, json_true())) {
            json_decref(seen);
            return refuse(parser, "a field without a name of its own: ", name ? name : "");
        }
        field->name = name;
        field->aliases = json_is_array(aliases) ? aliases : NULL;
        field->default_value = json_object_get(json, "default");
        field->type = parse(parser, json_object_get(json, "type"), space, depth + 1);
        if (!field->type) {
            json_decref(seen);
            return NULL;
        }
        size_min += field->type->size_min;
        type->count++;
    }
    json_decref(seen);
    type->size_min = size_min > UINT32_MAX ? UINT32_MAX : (uint32_t)size_min;
    return type;
}

static struct ss_type *parse_symbols(struct parser *parser, struct ss_type *type, json_t *json)
{
    json_t *symbols = json_object_get(json, "symbols");
    size_t count = json_array_size(symbols);
    json_t *seen = json_object();

    type->symbols = calloc(count + 1, sizeof *type->symbols);
    for (size_t i = 0; type->symbols && seen && i < count; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));
        if (!symbol || json_object_get(seen, symbol) ||
            json_object_set_new_nocheck(seen, symbol, json_true()))
            break;
        type->symbols[type->count++] = symbol;
    }
    bool allocated = type->symbols && seen;
    json_decref(seen);
    if (!allocated)
        return no_memory(parser);
    if (!json_is_array(symbols) || type->count != count)
        return refuse(parser, "an enum whose symbols are not distinct strings", "");
    type->default_symbol = json_string_value(json_object_get(json, "default"));
    return type;
}

static struct ss_type *parse_named(struct parser *parser, json_t *json, enum ss_type_kind kind,
                                   const char *space, int depth)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    json_t *own_space = json_object_get(json, "namespace");
    if (!name || !*name)
        return refuse(parser, kind_names[kind], " without a name");
    if (json_is_string(own_space))
        space = json_string_value(own_space);

    char *full = full_name(name, space);
    /* Preset: inside itself a record counts as one byte, since no value of it can be empty. */
    struct ss_type *type = full ? type_new(parser, kind, 1) : NULL;
    if (!type || json_object_get(parser->names, full) ||
        json_object_set_new_nocheck(parser->names, full, json_integer(type->index))) {
        free(full);
        return type ? refuse(parser, "a type is defined twice: ", name) : no_memory(parser);
    }
    if (kind == SS_TYPE_ENUM) {
        type = parse_symbols(parser, type, json);
    } else if (kind == SS_TYPE_FIXED) {
        json_t *size = json_object_get(json, "size");
        if (!json_is_integer(size) || json_integer_value(size) < 0 ||
            json_integer_value(size) > INT32_MAX)
            type = refuse(parser, "a fixed without a size: ", name);
        else
            type->size = type->size_min = (uint32_t)json_integer_value(size);
    } else {
        /* Within a record, names without a namespace are in the record's. */
        char *dot = strrchr(full, '.');
        if (dot)
            *dot = '\0';
        type = parse_fields(parser, type, json_object_get(json, "fields"), dot ? full : "", depth);
    }
    free(full);
    return type;
}

static struct ss_type *parse(struct parser *parser, json_t *json, const char *space, int depth)
{
    if (depth > SS_SCHEMA_DEPTH_MAX)
        return refuse(parser, "types are nested too deeply", "");
    if (json_is_string(json))
        return parse_name(parser, json_string_value(json), space);
    if (json_is_array(json))
        return parse_union(parser, json, space, depth);
    if (!json_is_object(json))
        return refuse(parser, "a type is neither a name, an object nor an array", "");

    json_t *type = json_object_get(json, "type");
    if (!json_is_string(type))
        return parse(parser, type, space, depth + 1);
    const char *name = json_string_value(type);
    if (!strcmp(name, "record") || !strcmp(name, "error"))
        return parse_named(parser, json, SS_TYPE_RECORD, space, depth);
    if (!strcmp(name, "enum"))
        return parse_named(parser, json, SS_TYPE_ENUM, space, depth);
    if (!strcmp(name, "fixed"))
        return parse_named(parser, json, SS_TYPE_FIXED, space, depth);
    if (!strcmp(name, "array"))
        return parse_items(parser, json, SS_TYPE_ARRAY, space, depth);
    if (!strcmp(name, "map"))
        return parse_items(parser, json, SS_TYPE_MAP, space, depth);
    return parse_name(parser, name, space);
}

enum ss_status ss_schema_tree_open(const char *json, struct ss_schema_tree **out,
                                   struct ss_error *err)
{
    struct parser parser = {.err = err, .status = SS_DROP};
    json_error_t why;
    size_t size = strlen(json);

    *out = NULL;
    if (size > SS_SCHEMA_TEXT_MAX)
        return ss_fail(err, SS_DROP, "a schema of %zu bytes is over the bound of %d", size,
                       SS_SCHEMA_TEXT_MAX);
    parser.tree = calloc(1, sizeof *parser.tree);
    parser.names = json_object();
    if (!parser.tree || !parser.names) {
        free(parser.tree);
        json_decref(parser.names);
        return ss_fail(err, SS_STOP, "out of memory for a schema");
    }
    parser.tree->json = json_loadb(json, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
    if (!parser.tree->json)
        (void)ss_fail(err, SS_DROP, "not an Avro schema: not JSON: %s", why.text);
    else
        parser.tree->root = parse(&parser, parser.tree->json, "", 0);
    json_decref(parser.names);
    if (!parser.tree->root) {
        ss_schema_tree_close(parser.tree);
        return parser.status;
    }
    *out = parser.tree;
    return SS_OK;
}

void ss_schema_tree_close(struct ss_schema_tree *tree)
{
    if (!tree)
        return;
    for (uint32_t i = 0; i < tree->count; i++) {
        free(tree->types[i]->fields);
        free(tree->types[i]->symbols);
        free(tree->types[i]->types);
        free(tree->types[i]);
    }
    free(tree->types);
    json_decref(tree->json);
    free(tree);
}
