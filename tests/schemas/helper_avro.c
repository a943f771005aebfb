#include "helper_avro.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

avro_schema_t ref_parse(const char *json)
{
    avro_schema_t schema;
    cr_assert_eq(avro_schema_from_json_length(json, strlen(json), &schema), 0, "%s: %s",
                 avro_strerror(), json);
    return schema;
}

avro_value_t ref_new(avro_schema_t schema)
{
    avro_value_t value;
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    cr_assert(iface);
    cr_assert_eq(avro_generic_value_new(iface, &value), 0);
    avro_value_iface_decref(iface);
    return value;
}

static void random_items(struct rng *rng, avro_value_t *value, int depth)
{
    bool map = avro_value_get_type(value) == AVRO_MAP;
    size_t count = depth > 4 ? 0 : rng_below(rng, 4);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        char key[32];
        snprintf(key, sizeof key, "k%zu", i);
        if (map)
            avro_value_add(value, key, &item, NULL, NULL);
        else
            avro_value_append(value, &item, NULL);
        ref_randomise(rng, &item, depth + 1);
    }
}

void ref_randomise(struct rng *rng, avro_value_t *value, int depth)
{
    avro_schema_t schema = avro_value_get_schema(value);
    avro_value_t child;
    char text[81], bytes[64];
    size_t count = 0;
    int branch;

    switch (avro_value_get_type(value)) {
    case AVRO_NULL:
        avro_value_set_null(value);
        break;
    case AVRO_BOOLEAN:
        avro_value_set_boolean(value, (int)rng_below(rng, 2));
        break;
    case AVRO_INT32:
        avro_value_set_int(value, (int32_t)rng_long(rng));
        break;
    case AVRO_INT64:
        avro_value_set_long(value, rng_long(rng));
        break;
    case AVRO_FLOAT:
        avro_value_set_float(value, (float)rng_long(rng));
        break;
    case AVRO_DOUBLE:
        avro_value_set_double(value, (double)rng_long(rng));
        break;
    case AVRO_STRING:
    case AVRO_BYTES:
        count = rng_below(rng, 81);
        for (size_t i = 0; i < count; i++)
            text[i] = (char)(1 + rng_below(rng, 255));
        text[count] = '\0';
        if (avro_value_get_type(value) == AVRO_BYTES)
            avro_value_set_bytes(value, text, count);
        else
            avro_value_set_string(value, text);
        break;
    case AVRO_ENUM:
        avro_value_set_enum(
            value, (int)rng_below(rng, (uint64_t)avro_schema_enum_number_of_symbols(schema)));
        break;
    case AVRO_FIXED:
        count = (size_t)avro_schema_fixed_size(schema);
        cr_assert_leq(count, sizeof bytes);
        memset(bytes, (int)rng_below(rng, 256), count);
        avro_value_set_fixed(value, bytes, count);
        break;
    case AVRO_UNION:
        /* Deep down the first branch, which is null where a schema is recursive. */
        branch = depth > 4 ? 0 : (int)rng_below(rng, avro_schema_union_size(schema));
        avro_value_set_branch(value, branch, &child);
        ref_randomise(rng, &child, depth + 1);
        break;
    case AVRO_ARRAY:
    case AVRO_MAP:
        random_items(rng, value, depth);
        break;
    case AVRO_RECORD:
        avro_value_get_size(value, &count);
        for (size_t i = 0; i < count; i++) {
            avro_value_get_by_index(value, i, &child, NULL);
            ref_randomise(rng, &child, depth + 1);
        }
        break;
    default:
        cr_assert_fail("a type that this helper does not know");
    }
}

struct ss_bytes ref_bytes(avro_value_t *value)
{
    size_t size;
    cr_assert_eq(avro_value_sizeof(value, &size), 0);
    char *data = malloc(size ? size : 1);
    avro_writer_t writer = avro_writer_memory(data, (int64_t)size);
    cr_assert_eq(avro_value_write(writer, value), 0, "%s", avro_strerror());
    avro_writer_free(writer);
    return (struct ss_bytes){data, size};
}

bool ref_read(avro_value_t *value, struct ss_bytes bytes)
{
    char left;
    avro_reader_t reader = avro_reader_memory(bytes.data, (int64_t)bytes.size);
    bool ok = avro_value_read(reader, value) == 0 && avro_read(reader, &left, 1) != 0;
    avro_reader_free(reader);
    return ok;
}

struct value ref_scalar(const avro_value_t *given)
{
    avro_value_t at = *given, branch;
    struct value result = {VALUE_NONE, {0}, 0};
    const void *data = NULL;
    const char *text = "";
    int32_t int32 = 0;
    size_t size = 1;
    int symbol = 0;

    while (avro_value_get_type(&at) == AVRO_UNION) {
        avro_value_get_current_branch(&at, &branch);
        at = branch;
    }
    switch (avro_value_get_type(&at)) {
    case AVRO_NULL:
        result.kind = VALUE_NULL;
        break;
    case AVRO_INT32:
        avro_value_get_int(&at, &int32);
        result = (struct value){VALUE_LONG, {0}, int32};
        break;
    case AVRO_INT64:
        result.kind = VALUE_LONG;
        avro_value_get_long(&at, &result.number);
        break;
    case AVRO_STRING:
        avro_value_get_string(&at, &text, &size); /* counts the NUL */
        result = (struct value){VALUE_TEXT, {text, (uint32_t)size - 1}, 0};
        break;
    case AVRO_BYTES:
        avro_value_get_bytes(&at, &data, &size);
        result = (struct value){VALUE_TEXT, {data, (uint32_t)size}, 0};
        break;
    case AVRO_ENUM:
        avro_value_get_enum(&at, &symbol);
        text = avro_schema_enum_get(avro_value_get_schema(&at), symbol);
        result = (struct value){VALUE_ENUM, {text, (uint32_t)strlen(text)}, symbol};
        break;
    default:
        break;
    }
    return result;
}

struct value ref_at(const avro_value_t *record, const char *path)
{
    avro_value_t at = *record, next;
    char name[64];
    for (;;) {
        size_t size = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)size, path);
        while (avro_value_get_type(&at) == AVRO_UNION) {
            avro_value_get_current_branch(&at, &next);
            at = next;
        }
        cr_assert_eq(avro_value_get_by_name(&at, name, &next, NULL), 0, "no field %s", name);
        at = next;
        if (!path[size])
            return ref_scalar(&at);
        path += size + 1;
    }
}
