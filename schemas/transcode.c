/* transcode.c - names are resolved once, when a transcoder is opened: into a flat list of steps, as
 * plans have (plan.h), that transcode_run.c performs on each record. */
#include "schemas/transcode_internal.h"
#include "schemas/varint.h"

#include <stdlib.h>

enum {
    DEPTH_MAX = 32,
    FIELDS_MAX = 128,
    LITERALS_MAX = 1 << 20,
    STEPS_MAX = 1 << 14, /* unions within unions multiply */
};

/* --- what goes together --- */

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

static const struct ss_type_field *find_field(const struct ss_type *record, const char *name)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (!strcmp(record->fields[i].name, name))
            return &record->fields[i];
    return NULL;
}

/* Of several records in a union of ours: names get lost on the way through Connect, fields do not.
 */
static bool has_fields(const struct ss_type *theirs, const struct ss_type *ours)
{
    for (uint32_t i = 0; i < ours->count; i++)
        if (!ours->fields[i].default_value && !find_field(theirs, ours->fields[i].name))
            return false;
    return true;
}

/* The branch of ours that takes a type of theirs; -1: none. */
static int branch_for(const struct ss_type *ours, const struct ss_type *theirs)
{
    for (uint32_t i = 0; i < ours->count; i++)
        if (scalar_fits(theirs, ours->types[i]) &&
            (theirs->kind != SS_TYPE_RECORD || has_fields(theirs, ours->types[i])))
            return (int)i;
    return -1;
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

/* Blocks of an array may tell their sizes, which nobody reads who wants our bytes. */
static bool has_array(const struct ss_type *type)
{
    if (type->kind == SS_TYPE_ARRAY)
        return true;
    bool found = false;
    for (uint32_t i = 0; type->kind != SS_TYPE_ENUM && i < type->count && !found; i++)
        found = has_array(type->fields ? type->fields[i].type : type->types[i]);
    return found;
}

/* --- resolving --- */

static enum ss_status no_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for a schema");
}

static enum ss_status emit(struct ss_transcoder *t, struct ss_transcode_step step,
                           struct ss_error *err)
{
    if (t->step_count == STEPS_MAX)
        return ss_fail(err, SS_DROP, "the writer's schema takes too many steps to read");
    if ((t->step_count & (t->step_count - 1)) == 0) { /* at every power of two */
        const size_t capacity = t->step_count ? 2 * (size_t)t->step_count : 1;
        struct ss_transcode_step *steps = realloc(t->steps, capacity * sizeof *steps);
        if (!steps)
            return no_memory(err);
        t->steps = steps;
    }
    t->steps[t->step_count++] = step;
    return SS_OK;
}

/* Room for so many numbers, which begin at *at. */
static enum ss_status reserve(struct ss_transcoder *t, uint32_t count, uint32_t *at,
                              struct ss_error *err)
{
    int32_t *numbers = realloc(t->numbers, (t->number_count + count + 1) * sizeof *numbers);
    if (!numbers)
        return no_memory(err);
    t->numbers = numbers;
    *at = t->number_count;
    t->number_count += count;
    return SS_OK;
}

int ss_transcode_symbol(const struct ss_type *type, const char *symbol, size_t size)
{
    for (uint32_t i = 0; i < type->count; i++)
        if (strlen(type->symbols[i]) == size && !memcmp(type->symbols[i], symbol, size))
            return (int)i;
    return -1;
}

static int default_index(const struct ss_type *type)
{
    const char *symbol = type->default_symbol;
    return symbol ? ss_transcode_symbol(type, symbol, strlen(symbol)) : -1;
}

static bool put_number(struct ss_buffer *out, int64_t number)
{
    uint8_t bytes[SS_VARINT_MAX];
    return ss_buffer_append(out, bytes, (size_t)(ss_varint_write(bytes, number) - bytes));
}

/* Null, numbers, texts, symbols and empty arrays are what our schemas have for defaults. */
static bool put_default(struct ss_buffer *out, const struct ss_type *ours, const json_t *value)
{
    if (ours->kind == SS_TYPE_UNION) /* of its first branch */
        return put_number(out, 0) && put_default(out, ours->types[0], value);
    if (ours->kind == SS_TYPE_NULL)
        return true;
    if (number_kind(ours))
        return put_number(out, json_integer_value(value));
    if (ours->kind == SS_TYPE_ARRAY)
        return json_array_size(value) == 0 && put_number(out, 0);
    const char *text = json_string_value(value);
    if (!text)
        return false;
    if (ours->kind == SS_TYPE_ENUM)
        return put_number(out, ss_transcode_symbol(ours, text, strlen(text)));
    return text_kind(ours) && put_number(out, (int64_t)strlen(text)) &&
           ss_buffer_append(out, text, strlen(text));
}

/* What has been put among the literals since `from`. */
static enum ss_status emit_literal(struct ss_transcoder *t, size_t from, struct ss_error *err)
{
    const struct ss_transcode_step step = {.op = SS_TRANSCODE_LITERAL,
                                           .arg = (uint32_t)from,
                                           .count = (uint32_t)(t->literals.size - from)};
    return emit(t, step, err);
}

static enum ss_status resolve_default(struct ss_transcoder *t, const struct ss_type_field *mine,
                                      struct ss_error *err)
{
    const size_t from = t->literals.size;
    if (!mine->default_value)
        return ss_fail(err, SS_DROP, "field '%.64s' is missing", mine->name);
    if (!put_default(&t->literals, mine->type, mine->default_value))
        return ss_fail(err, SS_DROP, "field '%.64s' is missing, and its default is of no use",
                       mine->name);
    return emit_literal(t, from, err);
}

static enum ss_status resolve(struct ss_transcoder *t, const struct ss_type *theirs,
                              const struct ss_type *ours, const char *field, int depth,
                              struct ss_error *err);

/* A branch that ours cannot take fails with its record. */
static enum ss_status resolve_union(struct ss_transcoder *t, const struct ss_type *theirs,
                                    const struct ss_type *ours, const char *field, int depth,
                                    struct ss_error *err)
{
    uint32_t table = 0, jumps = 0;
    bool any = false;
    struct ss_error why;
    enum ss_status status = reserve(t, theirs->count, &table, err);
    if (status == SS_OK)
        status = reserve(t, theirs->count, &jumps, err);
    if (status == SS_OK)
        status = emit(t,
                      (struct ss_transcode_step){
                          .op = SS_TRANSCODE_BRANCH, .arg = table, .count = theirs->count},
                      err);
    for (uint32_t i = 0; status == SS_OK && i < theirs->count; i++) {
        const uint32_t begin = t->step_count;
        t->numbers[table + i] = (int32_t)begin;
        status = resolve(t, theirs->types[i], ours, field, depth + 1, &why);
        any |= status == SS_OK;
        if (status == SS_DROP) {
            t->step_count = begin;
            status = emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_REFUSE}, err);
        } else if (status != SS_OK) {
            *err = why;
        }
        t->numbers[jumps + i] = (int32_t)t->step_count;
        if (status == SS_OK)
            status = emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_JUMP}, err);
    }
    for (uint32_t i = 0; status == SS_OK && i < theirs->count; i++)
        t->steps[t->numbers[jumps + i]].arg = t->step_count;
    if (status == SS_OK && !any)
        return ss_fail(err, SS_DROP, "no branch of field '%.64s' is ours", field);
    return status;
}

static enum ss_status resolve_enum(struct ss_transcoder *t, const struct ss_type *theirs,
                                   const struct ss_type *ours, struct ss_error *err)
{
    const int otherwise = default_index(ours);
    if (theirs->kind == SS_TYPE_STRING)
        return emit(t,
                    (struct ss_transcode_step){
                        .op = SS_TRANSCODE_ENUM_TEXT, .arg = (uint32_t)otherwise, .type = ours},
                    err);
    uint32_t table = 0;
    enum ss_status status = reserve(t, theirs->count, &table, err);
    if (status != SS_OK)
        return status;
    for (uint32_t i = 0; i < theirs->count; i++) {
        const int index = ss_transcode_symbol(ours, theirs->symbols[i], strlen(theirs->symbols[i]));
        t->numbers[table + i] = index < 0 ? otherwise : index;
    }
    return emit(
        t,
        (struct ss_transcode_step){.op = SS_TRANSCODE_ENUM, .arg = table, .count = theirs->count},
        err);
}

static enum ss_status resolve_array(struct ss_transcoder *t, const struct ss_type *theirs,
                                    const struct ss_type *ours, const char *field, int depth,
                                    struct ss_error *err)
{
    const uint32_t begin = t->step_count;
    enum ss_status status = emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_ARRAY}, err);
    if (status == SS_OK)
        status = resolve(t, theirs->types[0], ours->types[0], field, depth + 1, err);
    if (status == SS_OK)
        status = emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_END}, err);
    if (status == SS_OK)
        t->steps[begin].arg = t->step_count;
    return status;
}

/* A field of theirs that is none of ours. */
static enum ss_status resolve_other(struct ss_transcoder *t, const struct ss_type_field *other,
                                    int depth, struct ss_error *err)
{
    for (uint32_t e = 0; depth == 0 && e < t->extra_count; e++)
        if (!strcmp(t->extras[e], other->name))
            return emit(t,
                        (struct ss_transcode_step){.op = SS_TRANSCODE_EXTRA,
                                                   .arg = other->type->index,
                                                   .count = e,
                                                   .type = other->type},
                        err);
    return emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_SKIP, .arg = other->type->index},
                err);
}

/* Theirs as they come, with our defaults in between. */
static enum ss_status resolve_in_order(struct ss_transcoder *t, const struct ss_type *theirs,
                                       const struct ss_type *ours, int depth, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    uint32_t next = 0; /* of ours */
    for (uint32_t i = 0; status == SS_OK && i < theirs->count; i++) {
        const struct ss_type_field *source = &theirs->fields[i];
        const struct ss_type_field *mine = find_field(ours, source->name);
        if (!mine) {
            status = resolve_other(t, source, depth, err);
            continue;
        }
        while (status == SS_OK && &ours->fields[next] != mine)
            status = resolve_default(t, &ours->fields[next++], err);
        if (status == SS_OK)
            status =
                resolve(t, source->type, ours->fields[next++].type, mine->name, depth + 1, err);
    }
    while (status == SS_OK && next < ours->count)
        status = resolve_default(t, &ours->fields[next++], err);
    return status;
}

static enum ss_status resolve_reordered(struct ss_transcoder *t, const struct ss_type *theirs,
                                        const struct ss_type *ours, int depth, struct ss_error *err)
{
    const uint32_t places = t->place_count;
    t->place_count += theirs->count + 1;
    enum ss_status status = emit(
        t, (struct ss_transcode_step){.op = SS_TRANSCODE_REORDER, .arg = places, .type = theirs},
        err);
    for (uint32_t i = 0; status == SS_OK && i < ours->count; i++) {
        const struct ss_type_field *mine = &ours->fields[i];
        const struct ss_type_field *source = find_field(theirs, mine->name);
        if (!source) {
            status = resolve_default(t, mine, err);
            continue;
        }
        const uint32_t place = places + (uint32_t)(source - theirs->fields);
        status = emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_FROM, .arg = place}, err);
        if (status == SS_OK)
            status = resolve(t, source->type, mine->type, mine->name, depth + 1, err);
    }
    for (uint32_t i = 0; status == SS_OK && depth == 0 && i < theirs->count; i++)
        if (!find_field(ours, theirs->fields[i].name)) {
            status = emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_FROM, .arg = places + i},
                          err);
            if (status == SS_OK)
                status = resolve_other(t, &theirs->fields[i], depth, err);
        }
    if (status == SS_OK)
        status = emit(
            t, (struct ss_transcode_step){.op = SS_TRANSCODE_FROM, .arg = places + theirs->count},
            err);
    return status;
}

static enum ss_status resolve_record(struct ss_transcoder *t, const struct ss_type *theirs,
                                     const struct ss_type *ours, const char *field, int depth,
                                     struct ss_error *err)
{
    const struct ss_type_field *last = NULL;
    bool in_order = true;
    if (theirs->count > FIELDS_MAX)
        return ss_fail(err, SS_DROP, "field '%.64s' has too many parts", field);
    for (uint32_t i = 0; i < theirs->count; i++) {
        const struct ss_type_field *mine = find_field(ours, theirs->fields[i].name);
        in_order = in_order && (!mine || !last || mine > last);
        last = mine ? mine : last;
    }
    return in_order ? resolve_in_order(t, theirs, ours, depth, err)
                    : resolve_reordered(t, theirs, ours, depth, err);
}

static enum ss_status resolve(struct ss_transcoder *t, const struct ss_type *theirs,
                              const struct ss_type *ours, const char *field, int depth,
                              struct ss_error *err)
{
    if (depth > DEPTH_MAX)
        return ss_fail(err, SS_DROP, "field '%.64s' is nested too deeply", field);
    if (alike(theirs, ours) && !has_array(ours))
        return emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_COPY, .arg = theirs->index},
                    err);
    if (theirs->kind == SS_TYPE_UNION)
        return resolve_union(t, theirs, ours, field, depth, err);
    if (ours->kind == SS_TYPE_UNION) {
        const size_t from = t->literals.size;
        const int branch = branch_for(ours, theirs);
        if (branch < 0)
            return ss_fail(err, SS_DROP, "field '%.64s' is of another type", field);
        if (!put_number(&t->literals, branch))
            return no_memory(err);
        enum ss_status status = emit_literal(t, from, err);
        return status == SS_OK ? resolve(t, theirs, ours->types[branch], field, depth + 1, err)
                               : status;
    }
    if (!scalar_fits(theirs, ours))
        return ss_fail(err, SS_DROP, "field '%.64s': the writer's %s cannot be read as our %s",
                       field, ss_type_kind_name(theirs->kind), ss_type_kind_name(ours->kind));
    if (ours->kind == SS_TYPE_ENUM)
        return resolve_enum(t, theirs, ours, err);
    if (ours->kind == SS_TYPE_ARRAY)
        return resolve_array(t, theirs, ours, field, depth, err);
    if (ours->kind == SS_TYPE_RECORD)
        return resolve_record(t, theirs, ours, field, depth, err);
    const bool narrows = ours->kind == SS_TYPE_INT && theirs->kind == SS_TYPE_LONG;
    return emit(t,
                (struct ss_transcode_step){.op = narrows ? SS_TRANSCODE_RANGE : SS_TRANSCODE_COPY,
                                           .arg = theirs->index},
                err);
}

enum ss_status ss_transcoder_open(const char *our_json, const char *writer_json,
                                  const char *const *extras, size_t extra_count,
                                  struct ss_transcoder **out, uint32_t *found, struct ss_error *err)
{
    struct ss_transcoder *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return no_memory(err);
    ss_buffer_init(&t->out, SS_TRANSCODED_MAX);
    ss_buffer_init(&t->literals, LITERALS_MAX);
    for (size_t i = 0; i < extra_count && i < SS_TRANSCODE_EXTRAS_MAX; i++)
        t->extras[t->extra_count++] = extras[i];
    enum ss_status status = ss_schema_tree_open(our_json, &t->ours, err);
    if (status == SS_OK)
        status = ss_schema_tree_open(writer_json, &t->theirs, err);
    if (status == SS_OK)
        status = ss_plan_open_skipping(writer_json, &t->skipping, err);
    if (status == SS_OK)
        status = resolve(t, t->theirs->root, t->ours->root, "", 0, err);
    if (status == SS_OK)
        status = emit(t, (struct ss_transcode_step){.op = SS_TRANSCODE_END}, err);
    if (status == SS_OK && !(t->places = calloc(t->place_count + 1, sizeof *t->places)))
        status = no_memory(err);
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
    free(t->steps);
    free(t->numbers);
    free(t->places);
    ss_buffer_reset(&t->literals);
    ss_buffer_reset(&t->out);
    free(t);
}
