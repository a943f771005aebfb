#include "schemas/wire_json.h"

#include "base/utf8.h"
#include "schemas/schema_tree.h"
#include "schemas/varint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { JSON_DEPTH_MAX = 128 };

struct walk {
    struct ss_buffer *out;
    const uint8_t *at, *end;
    bool full; /* *out takes no more */
};

/* --- text --- */

static bool put(struct ss_buffer *out, const char *text)
{
    return ss_buffer_append(out, text, strlen(text));
}

static bool put_character(struct ss_buffer *out, const uint8_t *p, size_t size, uint32_t code)
{
    char escape[8];
    if (code == '"' || code == '\\') {
        snprintf(escape, sizeof escape, "\\%c", (char)code);
        return put(out, escape);
    }
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(code & 0xffff));
        return put(out, escape);
    }
    return ss_buffer_append(out, p, size);
}

bool ss_json_append_text(struct ss_buffer *out, struct ss_bytes text)
{
    const uint8_t *p = text.data, *end = p ? p + text.size : p;
    size_t before = out->size;
    bool fits = put(out, "\"");
    while (fits && p != end) {
        uint32_t code;
        size_t size = ss_utf8_next(p, end, &code);
        fits = size ? put_character(out, p, size, code) : put(out, "\xef\xbf\xbd");
        p += size ? size : 1;
    }
    if (fits && put(out, "\""))
        return true;
    out->size = before;
    return false;
}

/* --- values --- */

static bool walk_put(struct walk *walk, const char *text)
{
    walk->full |= !put(walk->out, text);
    return !walk->full;
}

static bool walk_text(struct walk *walk, struct ss_bytes text)
{
    walk->full |= !ss_json_append_text(walk->out, text);
    return !walk->full;
}

static bool take(struct walk *walk, int64_t size, struct ss_bytes *bytes)
{
    if (size < 0 || size > walk->end - walk->at)
        return false;
    *bytes = (struct ss_bytes){walk->at, (size_t)size};
    walk->at += size;
    return true;
}

static bool take_sized(struct walk *walk, struct ss_bytes *bytes)
{
    int64_t size;
    return ss_varint_read(&walk->at, walk->end, &size) && take(walk, size, bytes);
}

static bool walk_bytes(struct walk *walk, struct ss_bytes bytes)
{
    bool fits = walk_put(walk, "\"");
    for (size_t i = 0; fits && i < bytes.size; i++) {
        uint8_t byte = ((const uint8_t *)bytes.data)[i];
        uint8_t utf8[2] = {(uint8_t)(0xc0 | byte >> 6), (uint8_t)(0x80 | (byte & 0x3f))};
        fits = byte < 0x80 ? put_character(walk->out, &byte, 1, byte)
                           : put_character(walk->out, utf8, 2, byte);
    }
    walk->full |= !fits;
    return fits && walk_put(walk, "\"");
}

static bool walk_number(struct walk *walk, struct ss_bytes bytes)
{
    char text[40];
    double number;
    if (bytes.size == sizeof(float)) {
        float narrow;
        memcpy(&narrow, bytes.data, sizeof narrow);
        number = (double)narrow;
        snprintf(text, sizeof text, "%.9g", number);
    } else {
        memcpy(&number, bytes.data, sizeof number);
        snprintf(text, sizeof text, "%.17g", number);
    }
    return walk_put(walk, isfinite(number) ? text : "null");
}

static bool walk_value(struct walk *walk, const struct ss_type *type, int depth);

/* Blocks of an array or a map; the output's maximum bounds items that take no bytes. */
static bool walk_blocks(struct walk *walk, const struct ss_type *type, int depth)
{
    bool map = type->kind == SS_TYPE_MAP, any = false;
    struct ss_bytes key;
    int64_t count, size;

    if (!walk_put(walk, map ? "{" : "["))
        return false;
    while (ss_varint_read(&walk->at, walk->end, &count)) {
        if (count == 0)
            return walk_put(walk, map ? "}" : "]");
        if (count == INT64_MIN || (count < 0 && !ss_varint_read(&walk->at, walk->end, &size)))
            return false;
        for (int64_t left = count < 0 ? -count : count; left > 0; left--) {
            if (any && !walk_put(walk, ","))
                return false;
            any = true;
            if (map && (!take_sized(walk, &key) || !walk_text(walk, key) || !walk_put(walk, ":")))
                return false;
            if (!walk_value(walk, type->types[0], depth + 1))
                return false;
        }
    }
    return false;
}

static bool walk_record(struct walk *walk, const struct ss_type *type, int depth)
{
    bool fine = walk_put(walk, "{");
    for (uint32_t i = 0; fine && i < type->count; i++) {
        const char *name = type->fields[i].name;
        fine = (i == 0 || walk_put(walk, ",")) &&
               walk_text(walk, (struct ss_bytes){name, strlen(name)}) && walk_put(walk, ":") &&
               walk_value(walk, type->fields[i].type, depth + 1);
    }
    return fine && walk_put(walk, "}");
}

static bool walk_value(struct walk *walk, const struct ss_type *type, int depth)
{
    struct ss_bytes bytes;
    char text[24];
    int64_t n;

    if (depth > JSON_DEPTH_MAX)
        return false;
    switch (type->kind) {
    case SS_TYPE_NULL:
        return walk_put(walk, "null");
    case SS_TYPE_BOOLEAN:
        return take(walk, 1, &bytes) &&
               walk_put(walk, *(const uint8_t *)bytes.data ? "true" : "false");
    case SS_TYPE_INT:
    case SS_TYPE_LONG:
        if (!ss_varint_read(&walk->at, walk->end, &n))
            return false;
        snprintf(text, sizeof text, "%lld", (long long)n);
        return walk_put(walk, text);
    case SS_TYPE_FLOAT:
        return take(walk, (int64_t)sizeof(float), &bytes) && walk_number(walk, bytes);
    case SS_TYPE_DOUBLE:
        return take(walk, (int64_t)sizeof(double), &bytes) && walk_number(walk, bytes);
    case SS_TYPE_BYTES:
        return take_sized(walk, &bytes) && walk_bytes(walk, bytes);
    case SS_TYPE_STRING:
        return take_sized(walk, &bytes) && walk_text(walk, bytes);
    case SS_TYPE_FIXED:
        return take(walk, type->size, &bytes) && walk_bytes(walk, bytes);
    case SS_TYPE_ENUM:
        return ss_varint_read(&walk->at, walk->end, &n) && n >= 0 && n < type->count &&
               walk_text(walk, (struct ss_bytes){type->symbols[n], strlen(type->symbols[n])});
    case SS_TYPE_UNION:
        return ss_varint_read(&walk->at, walk->end, &n) && n >= 0 && n < type->count &&
               walk_value(walk, type->types[n], depth + 1);
    case SS_TYPE_ARRAY:
    case SS_TYPE_MAP:
        return walk_blocks(walk, type, depth);
    case SS_TYPE_RECORD:
        return walk_record(walk, type, depth);
    }
    return false;
}

enum ss_status ss_body_to_json(const char *schema_json, struct ss_bytes body, struct ss_buffer *out,
                               struct ss_error *err)
{
    struct ss_schema_tree *tree;
    size_t before = out->size;
    struct walk walk = {.out = out, .at = body.data};
    walk.end = walk.at ? walk.at + body.size : walk.at;
    enum ss_status status = ss_schema_tree_open(schema_json, &tree, err);
    if (status != SS_OK)
        return status;
    if (!walk_value(&walk, tree->root, 0) || walk.at != walk.end) {
        out->size = before;
        status = walk.full
                     ? ss_fail(err, SS_STOP, "the value as JSON is over %zu bytes", out->size_max)
                     : ss_fail(err, SS_DROP, "the bytes are not a value of their schema");
    }
    ss_schema_tree_close(tree);
    return status;
}

enum ss_status ss_wire_to_json(struct ss_registry *registry, struct ss_bytes value,
                               struct ss_buffer *out, struct ss_error *err)
{
    struct ss_bytes body;
    uint32_t id;
    char *json;
    enum ss_status status = ss_wire_open(value, &id, &body, err);
    if (status == SS_OK)
        status = ss_registry_schema(registry, id, &json, err);
    if (status != SS_OK)
        return status;
    status = ss_body_to_json(json, body, out, err);
    free(json);
    return status;
}
