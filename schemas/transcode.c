#include "schemas/transcode.h"

#include "schemas/plan.h"
#include "schemas/varint.h"

#include <stdlib.h>

enum { DEPTH_MAX = 32, FIELDS_MAX = 128, RECORD_MAX = 1 << 20 };

struct ss_transcoder {
    struct ss_schema_tree *ours, *theirs;
    struct ss_plan *skipping; /* over `theirs` */
    bool alike;
    const char *extras[SS_TRANSCODE_EXTRAS_MAX];
    size_t extra_count;
    int64_t *numbers;
    struct ss_buffer out;
    struct ss_error *err;
};

/* --- whether it can be done --- */

static bool number_kind(const struct ss_type *type)
{
    return type->kind == SS_TYPE_INT || type->kind == SS_TYPE_LONG;
}

static bool text_kind(const struct ss_type *type)
{
    return type->kind == SS_TYPE_STRING || type->kind == SS_TYPE_BYTES;
}

static bool scalar_fits(const struct ss_type *theirs, const struct ss_type *ours)
{
    if (number_kind(ours))
        return number_kind(theirs);
    if (text_kind(ours))
        return text_kind(theirs);
    if (ours->kind == SS_TYPE_ENUM)
        return theirs->kind == SS_TYPE_ENUM || theirs->kind == SS_TYPE_STRING;
    return ours->kind == theirs->kind;
}

/* The branch of ours that takes a type of theirs; -1: none. */
static int branch_for(const struct ss_type *ours, const struct ss_type *theirs)
{
    for (uint32_t i = 0; i < ours->count; i++)
        if (scalar_fits(theirs, ours->types[i]))
            return (int)i;
    return -1;
}

static const struct ss_type_field *find_field(const struct ss_type *record, const char *name)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (!strcmp(record->fields[i].name, name))
            return &record->fields[i];
    return NULL;
}

static enum ss_status check(const struct ss_type *theirs, const struct ss_type *ours,
                            const char *field, int depth, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    if (depth > DEPTH_MAX)
        return ss_fail(err, SS_DROP, "field '%.64s' is nested too deeply", field);
    if (theirs->kind == SS_TYPE_UNION) { /* a branch that ours cannot take fails with its record */
        bool any = false;
        struct ss_error ignored;
        for (uint32_t i = 0; i < theirs->count; i++)
            any |= check(theirs->types[i], ours, field, depth + 1, &ignored) == SS_OK;
        return any ? SS_OK : ss_fail(err, SS_DROP, "no branch of field '%.64s' is ours", field);
    }
    if (ours->kind == SS_TYPE_UNION) {
        int branch = branch_for(ours, theirs);
        if (branch < 0)
            return ss_fail(err, SS_DROP, "field '%.64s' is of another type", field);
        return check(theirs, ours->types[branch], field, depth + 1, err);
    }
    if (!scalar_fits(theirs, ours))
        return ss_fail(err, SS_DROP, "field '%.64s': the writer's %s cannot be read as our %s",
                       field, ss_type_kind_name(theirs->kind), ss_type_kind_name(ours->kind));
    if (ours->kind == SS_TYPE_ARRAY)
        return check(theirs->types[0], ours->types[0], field, depth + 1, err);
    if (ours->kind != SS_TYPE_RECORD)
        return SS_OK;
    if (theirs->count > FIELDS_MAX)
        return ss_fail(err, SS_DROP, "field '%.64s' has too many parts", field);
    for (uint32_t i = 0; i < ours->count && status == SS_OK; i++) {
        const struct ss_type_field *mine = &ours->fields[i];
        const struct ss_type_field *source = find_field(theirs, mine->name);
        if (source)
            status = check(source->type, mine->type, mine->name, depth + 1, err);
        else if (!mine->default_value)
            status = ss_fail(err, SS_DROP, "field '%.64s' is missing", mine->name);
    }
    return status;
}

/* The very same bytes. Our schemas are no cycles. */
static bool alike(const struct ss_type *a, const struct ss_type *b)
{
    if (a->kind != b->kind || a->count != b->count || a->size != b->size)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->kind == SS_TYPE_ENUM && strcmp(a->symbols[i], b->symbols[i]) != 0)
            return false;
        if (a->fields && (strcmp(a->fields[i].name, b->fields[i].name) != 0 ||
                          !alike(a->fields[i].type, b->fields[i].type)))
            return false;
        if (a->types && !alike(a->types[i], b->types[i]))
            return false;
    }
    return true;
}

enum ss_status ss_transcoder_open(const char *our_json, const char *writer_json,
                                  const char *const *extras, size_t extra_count,
                                  struct ss_transcoder **out, uint32_t *found, struct ss_error *err)
{
    struct ss_transcoder *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return ss_fail(err, SS_STOP, "out of memory for a schema");
    ss_buffer_init(&t->out, RECORD_MAX);
    for (size_t i = 0; i < extra_count && i < SS_TRANSCODE_EXTRAS_MAX; i++)
        t->extras[t->extra_count++] = extras[i];
    enum ss_status status = ss_schema_tree_open(our_json, &t->ours, err);
    if (status == SS_OK)
        status = ss_schema_tree_open(writer_json, &t->theirs, err);
    if (status == SS_OK)
        status = ss_plan_open_skipping(writer_json, &t->skipping, err);
    if (status == SS_OK)
        status = check(t->theirs->root, t->ours->root, "", 0, err);
    if (status != SS_OK) {
        ss_transcoder_close(t);
        return status;
    }
    t->alike = alike(t->ours->root, t->theirs->root);
    if (found)
        *found = 0;
    for (size_t i = 0; found && i < t->extra_count; i++)
        if (t->theirs->root->kind == SS_TYPE_RECORD && find_field(t->theirs->root, t->extras[i]))
            *found |= 1u << i;
    *out = t;
    return SS_OK;
}

bool ss_transcoder_alike(const struct ss_transcoder *transcoder)
{
    return transcoder->alike;
}

void ss_transcoder_close(struct ss_transcoder *t)
{
    if (!t)
        return;
    ss_schema_tree_close(t->ours);
    ss_schema_tree_close(t->theirs);
    ss_plan_close(t->skipping);
    ss_buffer_reset(&t->out);
    free(t);
}

/* --- doing it --- */

static bool put_number(struct ss_transcoder *t, int64_t number)
{
    uint8_t bytes[SS_VARINT_MAX];
    return ss_buffer_append(&t->out, bytes, (size_t)(ss_varint_write(bytes, number) - bytes));
}

static int symbol_index(const struct ss_type *type, const char *symbol, size_t size)
{
    for (uint32_t i = 0; i < type->count; i++)
        if (strlen(type->symbols[i]) == size && !memcmp(type->symbols[i], symbol, size))
            return (int)i;
    return -1;
}

/* Null, numbers, texts, symbols and empty arrays are what our schemas have for defaults. */
static bool put_default(struct ss_transcoder *t, const struct ss_type *ours, json_t *value)
{
    if (ours->kind == SS_TYPE_UNION) /* of its first branch */
        return put_number(t, 0) && put_default(t, ours->types[0], value);
    if (ours->kind == SS_TYPE_NULL)
        return true;
    if (number_kind(ours))
        return put_number(t, json_integer_value(value));
    if (ours->kind == SS_TYPE_ARRAY)
        return json_array_size(value) == 0 && put_number(t, 0);
    const char *text = json_string_value(value);
    if (!text)
        return false;
    if (ours->kind == SS_TYPE_ENUM)
        return put_number(t, symbol_index(ours, text, strlen(text)));
    return text_kind(ours) && put_number(t, (int64_t)strlen(text)) &&
           ss_buffer_append(&t->out, text, strlen(text));
}

static bool skip(const struct ss_transcoder *t, const struct ss_type *theirs, const uint8_t **p,
                 const uint8_t *end)
{
    return ss_plan_skip(t->skipping, theirs->index, p, end);
}

static bool take_text(const uint8_t **p, const uint8_t *end, struct ss_bytes *text)
{
    int64_t size;
    if (!ss_varint_read(p, end, &size) || size < 0 || size > end - *p)
        return false;
    *text = (struct ss_bytes){*p, (size_t)size};
    *p += size;
    return true;
}

static bool convert(struct ss_transcoder *t, const struct ss_type *theirs,
                    const struct ss_type *ours, const uint8_t **p, const uint8_t *end, int depth);

static bool convert_enum(struct ss_transcoder *t, const struct ss_type *theirs,
                         const struct ss_type *ours, const uint8_t **p, const uint8_t *end)
{
    struct ss_bytes symbol;
    int64_t number;
    if (theirs->kind == SS_TYPE_ENUM) {
        if (!ss_varint_read(p, end, &number) || number < 0 || number >= theirs->count)
            return false;
        symbol = (struct ss_bytes){theirs->symbols[number], strlen(theirs->symbols[number])};
    } else if (!take_text(p, end, &symbol)) {
        return false;
    }
    int index = symbol_index(ours, symbol.data, symbol.size);
    if (index < 0 && ours->default_symbol)
        index = symbol_index(ours, ours->default_symbol, strlen(ours->default_symbol));
    return index >= 0 && put_number(t, index);
}

static bool convert_array(struct ss_transcoder *t, const struct ss_type *theirs,
                          const struct ss_type *ours, const uint8_t **p, const uint8_t *end,
                          int depth)
{
    for (;;) {
        int64_t count, size;
        if (!ss_varint_read(p, end, &count))
            return false;
        if (count == 0)
            return put_number(t, 0);
        if (count < 0 && (count == INT64_MIN || !ss_varint_read(p, end, &size)))
            return false;
        count = count < 0 ? -count : count;
        if (count > end - *p || !put_number(t, count)) /* no item of ours is empty */
            return false;
        for (int64_t i = 0; i < count; i++)
            if (!convert(t, theirs->types[0], ours->types[0], p, end, depth + 1))
                return false;
    }
}

/* A null beside a number leaves the extra as it was. */
static bool take_extra(struct ss_transcoder *t, size_t extra, const struct ss_type *theirs,
                       const uint8_t *p, const uint8_t *end)
{
    int64_t branch;
    if (theirs->kind == SS_TYPE_UNION) {
        if (!ss_varint_read(&p, end, &branch) || branch < 0 || branch >= theirs->count)
            return false;
        theirs = theirs->types[branch];
    }
    return !number_kind(theirs) || ss_varint_read(&p, end, &t->numbers[extra]);
}

/* First where each field of theirs lies, then ours in their order. */
static bool convert_record(struct ss_transcoder *t, const struct ss_type *theirs,
                           const struct ss_type *ours, const uint8_t **p, const uint8_t *end,
                           int depth)
{
    const uint8_t *at[FIELDS_MAX];
    for (uint32_t i = 0; i < theirs->count; i++) {
        at[i] = *p;
        if (!skip(t, theirs->fields[i].type, p, end))
            return false;
        for (size_t e = 0; depth == 0 && e < t->extra_count; e++)
            if (!strcmp(t->extras[e], theirs->fields[i].name) &&
                !take_extra(t, e, theirs->fields[i].type, at[i], *p))
                return false;
    }
    for (uint32_t i = 0; i < ours->count; i++) {
        const struct ss_type_field *mine = &ours->fields[i];
        const struct ss_type_field *source = find_field(theirs, mine->name);
        if (!source) {
            if (!put_default(t, mine->type, mine->default_value))
                return false;
            continue;
        }
        const uint8_t *from = at[source - theirs->fields];
        if (!convert(t, source->type, mine->type, &from, *p, depth + 1))
            return false;
    }
    return true;
}

static bool convert(struct ss_transcoder *t, const struct ss_type *theirs,
                    const struct ss_type *ours, const uint8_t **p, const uint8_t *end, int depth)
{
    const uint8_t *begin = *p;
    struct ss_bytes text;
    int64_t number;

    if (depth > DEPTH_MAX)
        return false;
    if (theirs->kind == SS_TYPE_UNION)
        return ss_varint_read(p, end, &number) && number >= 0 && number < theirs->count &&
               convert(t, theirs->types[number], ours, p, end, depth + 1);
    if (ours->kind == SS_TYPE_UNION) {
        int branch = branch_for(ours, theirs);
        return branch >= 0 && put_number(t, branch) &&
               convert(t, theirs, ours->types[branch], p, end, depth + 1);
    }
    if (!scalar_fits(theirs, ours))
        return false;
    switch (ours->kind) {
    case SS_TYPE_INT:
    case SS_TYPE_LONG:
        return ss_varint_read(p, end, &number) &&
               (ours->kind == SS_TYPE_LONG || (number >= INT32_MIN && number <= INT32_MAX)) &&
               put_number(t, number);
    case SS_TYPE_STRING:
    case SS_TYPE_BYTES:
        return take_text(p, end, &text) && put_number(t, (int64_t)text.size) &&
               ss_buffer_append(&t->out, text.data, text.size);
    case SS_TYPE_ENUM:
        return convert_enum(t, theirs, ours, p, end);
    case SS_TYPE_ARRAY:
        return convert_array(t, theirs, ours, p, end, depth);
    case SS_TYPE_RECORD:
        return convert_record(t, theirs, ours, p, end, depth);
    default: /* the same bytes on both sides */
        return skip(t, theirs, p, end) && ss_buffer_append(&t->out, begin, (size_t)(*p - begin));
    }
}

enum ss_status ss_transcode(struct ss_transcoder *t, struct ss_bytes body, struct ss_bytes *out,
                            int64_t *numbers, struct ss_error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *p = body.data ? body.data : nothing, *end = p + body.size;
    *out = body;
    if (t->alike)
        return SS_OK;
    int64_t ignored[SS_TRANSCODE_EXTRAS_MAX];
    t->numbers = numbers ? numbers : ignored;
    t->out.size = 0;
    if (!convert(t, t->theirs->root, t->ours->root, &p, end, 0) || p != end)
        return ss_fail(err, SS_DROP, "a record is not what its schema says, or over %d bytes",
                       RECORD_MAX);
    *out = (struct ss_bytes){t->out.data, t->out.size};
    return SS_OK;
}
