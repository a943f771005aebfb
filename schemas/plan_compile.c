/* plan_compile.c - (writer schema, our schema, struct ss_event) -> plan, by Avro's resolution
 * rules.
 *
 * Names of records and enums are not compared, only those of fields and symbols: a producer whose
 * types live in a namespace of its own is still understood. Where a union of the writer's has
 * branches that our field cannot take, only records that use such a branch are refused. */
#include "schemas/plan.h"
#include "schemas/texts.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

struct compiler {
    struct ss_plan *plan;
    enum ss_input input;
    const char *field; /* being resolved, for errors and step_fields; kept by the plan */
    struct ss_schema_tree *writer, *reader;
    const struct ss_container_extra *extras;
    size_t extra_count;
    bool archived; /* enums may have become strings */
    struct ss_error *err;
};

static bool grow(void *array, uint32_t count, uint32_t *capacity, size_t item_size)
{
    void *old, *items;
    if (count < *capacity)
        return true;
    uint32_t more = *capacity ? *capacity * 2 : 32;
    memcpy(&old, array, sizeof old);
    items = realloc(old, more * item_size);
    if (!items)
        return false;
    memcpy(array, &items, sizeof items);
    *capacity = more;
    return true;
}

static enum ss_status no_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for a decode plan");
}

/* A copy that the plan owns, since it outlives the trees; NULL: out of memory. */
static const char *keep(struct ss_plan *plan, const char *text)
{
    if (!*text)
        return "";
    if (!grow(&plan->kept, plan->kept_count, &plan->kept_capacity, sizeof *plan->kept))
        return NULL;
    char *copy = strdup(text);
    if (copy)
        plan->kept[plan->kept_count++] = copy;
    return copy;
}

static enum ss_status emit(struct compiler *c, enum ss_op op, uint16_t dst, uint32_t arg)
{
    struct ss_plan *plan = c->plan;
    uint32_t fields_capacity = plan->step_capacity;
    if (!grow(&plan->step_fields, plan->step_count, &fields_capacity, sizeof *plan->step_fields) ||
        !grow(&plan->steps, plan->step_count, &plan->step_capacity, sizeof *plan->steps))
        return no_memory(c->err);
    plan->step_fields[plan->step_count] = c->field;
    plan->steps[plan->step_count++] = (struct ss_step){(uint8_t)op, dst, arg};
    return SS_OK;
}

static enum ss_status emit_table(struct compiler *c, int32_t value)
{
    struct ss_plan *plan = c->plan;
    if (!grow(&plan->table, plan->table_count, &plan->table_capacity, sizeof *plan->table))
        return no_memory(c->err);
    plan->table[plan->table_count++] = value;
    return SS_OK;
}

static enum ss_status emit_skip(struct compiler *c, const struct ss_type *type)
{
    switch (type->kind) {
    case SS_TYPE_NULL:
        return SS_OK;
    case SS_TYPE_INT:
    case SS_TYPE_LONG:
        return emit(c, SS_OP_SKIP_LONG, 0, 0);
    case SS_TYPE_BYTES:
    case SS_TYPE_STRING:
        return emit(c, SS_OP_SKIP_TEXT, 0, 0);
    case SS_TYPE_BOOLEAN:
    case SS_TYPE_FLOAT:
    case SS_TYPE_DOUBLE:
    case SS_TYPE_FIXED:
        return emit(c, SS_OP_SKIP_FIXED, 0, type->size_min);
    default:
        return emit(c, SS_OP_SKIP, 0, type->index);
    }
}

static int32_t symbol_index(const struct ss_type *type, const char *symbol)
{
    for (uint32_t i = 0; symbol && i < type->count; i++)
        if (!strcmp(type->symbols[i], symbol))
            return (int32_t)i;
    return -1;
}

static enum ss_status mismatch(struct compiler *c, const struct ss_type *writer,
                               const struct ss_type *reader)
{
    return ss_fail(c->err, SS_DROP, "field '%.64s': the writer's %s cannot be read as our %s",
                   c->field, ss_type_kind_name(writer->kind), ss_type_kind_name(reader->kind));
}

static enum ss_status resolve_enum(struct compiler *c, const struct ss_type *writer,
                                   const struct ss_type *reader, const struct ss_binding *binding)
{
    uint32_t at = c->plan->table_count;
    int32_t otherwise = symbol_index(reader, reader->default_symbol);
    enum ss_status status = emit_table(c, (int32_t)writer->count);
    for (uint32_t i = 0; status == SS_OK && i < writer->count; i++) {
        int32_t index = symbol_index(reader, writer->symbols[i]);
        status = emit_table(c, index < 0 ? otherwise : index);
    }
    return status == SS_OK ? emit(c, SS_OP_ENUM, binding->offset, at) : status;
}

/* Symbols as text, which is what Kafka Connect makes of an enum. */
static enum ss_status resolve_enum_text(struct compiler *c, const struct ss_type *reader,
                                        const struct ss_binding *binding)
{
    uint32_t at = c->plan->table_count;
    enum ss_status status = emit_table(c, (int32_t)reader->count);
    if (status == SS_OK)
        status = emit_table(c, symbol_index(reader, reader->default_symbol));
    for (uint32_t i = 0; status == SS_OK && i < reader->count; i++) {
        if (!keep(c->plan, reader->symbols[i]))
            return no_memory(c->err);
        status = emit_table(c, (int32_t)c->plan->kept_count - 1);
    }
    return status == SS_OK ? emit(c, SS_OP_ENUM_TEXT, binding->offset, at) : status;
}

/* A writer's type other than a union into one of our fields. */
static enum ss_status resolve_plain(struct compiler *c, const struct ss_type *writer,
                                    const struct ss_type *reader, const struct ss_binding *binding)
{
    bool text = writer->kind == SS_TYPE_STRING || writer->kind == SS_TYPE_BYTES;
    bool number = writer->kind == SS_TYPE_INT || writer->kind == SS_TYPE_LONG;

    if (reader->kind == SS_TYPE_UNION) { /* ours are ["null", X] */
        for (uint32_t i = 0; i < reader->count; i++) {
            const struct ss_type *branch = reader->types[i];
            if (branch->kind != SS_TYPE_NULL && writer->kind != SS_TYPE_NULL)
                return resolve_plain(c, writer, branch, binding);
            if (branch->kind == SS_TYPE_NULL && writer->kind == SS_TYPE_NULL)
                return emit(c, SS_OP_NULL_TIME, binding->offset, 0);
        }
        return mismatch(c, writer, reader);
    }
    if ((reader->kind == SS_TYPE_STRING || reader->kind == SS_TYPE_BYTES) && text)
        return emit(c, SS_OP_TEXT, binding->offset, 0);
    if (reader->kind == SS_TYPE_LONG && number)
        return emit(c, writer->kind == SS_TYPE_INT ? SS_OP_INT : SS_OP_LONG, binding->offset, 0);
    if (reader->kind == SS_TYPE_ENUM && writer->kind == SS_TYPE_ENUM)
        return resolve_enum(c, writer, reader, binding);
    if (reader->kind == SS_TYPE_ENUM && writer->kind == SS_TYPE_STRING && c->archived)
        return resolve_enum_text(c, reader, binding);
    return mismatch(c, writer, reader);
}

/* Both trees may be unions at the top, so one function resolves fields and whole records: a field
 * has a binding, a record has none. */
static enum ss_status resolve(struct compiler *c, const struct ss_type *writer,
                              const struct ss_type *reader, const struct ss_binding *binding);

/* UNION, then for each branch its steps and a jump behind the last. */
static enum ss_status resolve_union(struct compiler *c, const struct ss_type *writer,
                                    const struct ss_type *reader, const struct ss_binding *binding)
{
    struct ss_plan *plan = c->plan;
    uint32_t at = plan->table_count, first = plan->step_count, readable = 0;
    const char *field = c->field;
    enum ss_status status = emit_table(c, (int32_t)writer->count);
    for (uint32_t i = 0; status == SS_OK && i < writer->count; i++)
        status = emit_table(c, 0);
    if (status == SS_OK)
        status = emit(c, SS_OP_UNION, 0, at);
    for (uint32_t i = 0; status == SS_OK && i < writer->count; i++) {
        uint32_t branch = plan->step_count;
        plan->table[at + 1 + i] = (int32_t)branch;
        status = resolve(c, writer->types[i], reader, binding);
        c->field = field;
        if (status == SS_DROP) {
            plan->step_count = branch;
            status = emit(c, SS_OP_REFUSE, 0, 0);
        } else if (status == SS_OK) {
            readable++;
            status = emit(c, SS_OP_JUMP, 0, UINT32_MAX); /* to the end: patched below */
        }
    }
    if (status != SS_OK)
        return status;
    if (!readable)
        return mismatch(c, writer, reader);
    for (uint32_t i = first; i < plan->step_count; i++)
        if (plan->steps[i].op == SS_OP_JUMP && plan->steps[i].arg == UINT32_MAX)
            plan->steps[i].arg = plan->step_count;
    return SS_OK;
}

static enum ss_status set_default(struct compiler *c, const struct ss_type_field *field,
                                  const struct ss_binding *binding)
{
    char *dst = (char *)&c->plan->initial + binding->offset;
    json_t *value = field->default_value;
    int64_t number = json_is_integer(value) ? json_integer_value(value) : SS_TIME_UNKNOWN;
    int32_t symbol;
    struct ss_text text;

    switch (binding->kind) {
    case SS_BIND_TEXT:
        if (!json_is_string(value))
            break;
        text = (struct ss_text){keep(c->plan, json_string_value(value)),
                                (uint32_t)json_string_length(value)};
        if (!text.data)
            return no_memory(c->err);
        memcpy(dst, &text, sizeof text);
        return SS_OK;
    case SS_BIND_LONG:
        if (!json_is_integer(value))
            break;
        memcpy(dst, &number, sizeof number);
        return SS_OK;
    case SS_BIND_TIME_OR_NULL:
        if (!json_is_integer(value) && !json_is_null(value))
            break;
        memcpy(dst, &number, sizeof number);
        return SS_OK;
    case SS_BIND_ENUM:
        symbol = symbol_index(field->type, json_string_value(value));
        if (field->type->kind != SS_TYPE_ENUM || symbol < 0)
            break;
        memcpy(dst, &symbol, sizeof symbol);
        return SS_OK;
    }
    return ss_fail(c->err, SS_DROP,
                   "field '%.64s' is missing in the writer's schema and has no "
                   "default that fits",
                   field->name);
}

static const struct ss_type_field *find_field(const struct ss_type *record, const char *name)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (!strcmp(record->fields[i].name, name))
            return &record->fields[i];
    return NULL;
}

/* The field of the writer's that ours is read from: by name, else by our aliases in their order. */
static const struct ss_type_field *writer_field(const struct ss_type *writer,
                                                const struct ss_type_field *ours)
{
    const struct ss_type_field *found = find_field(writer, ours->name);
    for (size_t i = 0; !found && i < json_array_size(ours->aliases); i++) {
        const char *alias = json_string_value(json_array_get(ours->aliases, i));
        found = alias ? find_field(writer, alias) : NULL;
    }
    return found;
}

/* A field that is none of ours: kept as an extra, or skipped. Extras may be absent or null. */
static enum ss_status resolve_other(struct compiler *c, const struct ss_type_field *theirs)
{
    static struct ss_type none = {.kind = SS_TYPE_NULL}, number = {.kind = SS_TYPE_LONG};
    static struct ss_type *branches[] = {&none, &number};
    static const struct ss_type ours = {.kind = SS_TYPE_UNION, .count = 2, .types = branches};
    for (size_t i = 0; i < c->extra_count; i++) {
        const struct ss_container_extra *extra = &c->extras[i];
        if (strcmp(extra->field, theirs->name) != 0)
            continue;
        struct ss_binding binding = {extra->field, SS_BIND_TIME_OR_NULL, extra->offset};
        c->plan->extras_found |= 1u << i;
        return resolve(c, theirs->type, &ours, &binding);
    }
    return emit_skip(c, theirs->type);
}

static enum ss_status resolve_record(struct compiler *c, const struct ss_type *writer,
                                     const struct ss_type *reader)
{
    enum ss_status status = SS_OK;
    const struct ss_type_field **sources = calloc(reader->count + 1, sizeof *sources);
    if (!sources)
        return no_memory(c->err);
    for (uint32_t i = 0; status == SS_OK && i < reader->count; i++) {
        const struct ss_type_field *ours = &reader->fields[i];
        const struct ss_binding *binding = ss_binding_find(c->input, ours->name);
        assert(binding);
        sources[i] = writer_field(writer, ours);
        if (!sources[i])
            status = set_default(c, ours, binding);
    }
    for (uint32_t i = 0; status == SS_OK && i < writer->count; i++) {
        const struct ss_type_field *theirs = &writer->fields[i];
        const struct ss_type_field *ours = NULL;
        for (uint32_t j = 0; !ours && j < reader->count; j++)
            ours = sources[j] == theirs ? &reader->fields[j] : NULL;
        c->field = keep(c->plan, theirs->name);
        if (!c->field)
            status = no_memory(c->err);
        else if (ours)
            status = resolve(c, theirs->type, ours->type, ss_binding_find(c->input, ours->name));
        else
            status = resolve_other(c, theirs);
    }
    free(sources);
    return status;
}

static enum ss_status resolve(struct compiler *c, const struct ss_type *writer,
                              const struct ss_type *reader, const struct ss_binding *binding)
{
    if (writer->kind == SS_TYPE_UNION)
        return resolve_union(c, writer, reader, binding);
    if (binding)
        return resolve_plain(c, writer, reader, binding);
    if (writer->kind != SS_TYPE_RECORD || reader->kind != SS_TYPE_RECORD)
        return ss_fail(c->err, SS_DROP, "the writer's schema is of a %s, not of a record",
                       ss_type_kind_name(writer->kind));
    return resolve_record(c, writer, reader);
}

/* Mirrors the writer's types for skipping. Parts of records that are always empty are left out. */
static enum ss_status build_skips(struct ss_plan *plan, const struct ss_schema_tree *tree,
                                  struct ss_error *err)
{
    size_t children = 0, used = 0;
    for (uint32_t i = 0; i < tree->count; i++)
        children += tree->types[i]->count;
    plan->skips = calloc(tree->count + 1, sizeof *plan->skips);
    plan->children = calloc(children + 1, sizeof *plan->children);
    if (!plan->skips || !plan->children)
        return no_memory(err);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct ss_type *type = tree->types[i];
        struct ss_skip *skip = &plan->skips[i];
        *skip = (struct ss_skip){.kind = type->kind,
                                 .first = (uint32_t)used,
                                 .size = type->size,
                                 .size_min = type->size_min};
        for (uint32_t j = 0; type->types && j < type->count; j++)
            plan->children[used++] = type->types[j]->index;
        for (uint32_t j = 0; type->fields && j < type->count; j++)
            if (type->fields[j].type->size_min)
                plan->children[used++] = type->fields[j].type->index;
        skip->count = type->kind == SS_TYPE_ENUM ? type->count : (uint32_t)used - skip->first;
    }
    plan->root = tree->root->index;
    return SS_OK;
}

static enum ss_status compile(struct compiler *c, const char *reader_json, const char *writer_json,
                              struct ss_plan **out)
{
    struct ss_error *err = c->err;
    struct ss_plan *plan = c->plan = calloc(1, sizeof *plan);
    enum ss_status status;

    *out = NULL;
    if (!plan)
        return no_memory(err);
    c->field = "";
    plan->initial.input = c->input;
    plan->initial.event_id.data = ""; /* neighbours have none */
    status = ss_schema_tree_open(reader_json, &c->reader, err);
    if (status == SS_OK)
        status = ss_schema_tree_open(writer_json, &c->writer, err);
    if (status == SS_OK)
        status = resolve(c, c->writer->root, c->reader->root, NULL);
    c->field = "";
    if (status == SS_OK)
        status = emit(c, SS_OP_END, 0, 0);
    if (status == SS_OK)
        status = build_skips(plan, c->writer, err);
    ss_schema_tree_close(c->writer);
    ss_schema_tree_close(c->reader);
    if (status != SS_OK) {
        ss_plan_close(plan);
        return status;
    }
    *out = plan;
    return SS_OK;
}

enum ss_status ss_plan_open_between(enum ss_input input, const char *reader_json,
                                    const char *writer_json, struct ss_plan **plan,
                                    struct ss_error *err)
{
    struct compiler c = {.input = input, .err = err};
    return compile(&c, reader_json, writer_json, plan);
}

enum ss_status ss_plan_open_extras(enum ss_input input, const struct ss_container_extra *extras,
                                   size_t extra_count, const char *writer_json,
                                   struct ss_plan **plan, struct ss_error *err)
{
    struct compiler c = {
        .input = input, .extras = extras, .extra_count = extra_count, .archived = true, .err = err};
    return compile(&c, ss_schema_of_input(input), writer_json, plan);
}

enum ss_status ss_plan_open_skipping(const char *writer_json, struct ss_plan **out,
                                     struct ss_error *err)
{
    struct ss_schema_tree *writer;
    *out = NULL;
    enum ss_status status = ss_schema_tree_open(writer_json, &writer, err);
    if (status != SS_OK)
        return status;
    struct ss_plan *plan = calloc(1, sizeof *plan);
    status = plan ? build_skips(plan, writer, err) : no_memory(err);
    ss_schema_tree_close(writer);
    if (status == SS_OK)
        *out = plan;
    else
        ss_plan_close(plan);
    return status;
}

enum ss_status ss_plan_open(enum ss_input input, const char *writer_json, struct ss_plan **plan,
                            struct ss_error *err)
{
    return ss_plan_open_between(input, ss_schema_of_input(input), writer_json, plan, err);
}

void ss_plan_close(struct ss_plan *plan)
{
    if (!plan)
        return;
    free(plan->steps);
    free(plan->step_fields);
    free(plan->table);
    free(plan->skips);
    free(plan->children);
    for (uint32_t i = 0; i < plan->kept_count; i++)
        free(plan->kept[i]);
    free(plan->kept);
    free(plan);
}
