#include "helper_evolve.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *parse(const char *text)
{
    json_error_t why;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &why);
    cr_assert(json, "%s: %s", why.text, text);
    return json;
}

/* %d is replaced by a number of its own, since names of types may not repeat. */
static const char *const added_types[] = {
    "\"null\"",
    "\"boolean\"",
    "\"int\"",
    "\"long\"",
    "\"float\"",
    "\"double\"",
    "\"bytes\"",
    "\"string\"",
    "{\"type\": \"string\", \"avro.java.string\": \"String\"}",
    "{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 9, \"scale\": 2}",
    "{\"type\": \"fixed\", \"name\": \"Fixed%d\", \"size\": 7}",
    "{\"type\": \"enum\", \"name\": \"Enum%d\", \"symbols\": [\"A\", \"B\", \"C\"]}",
    "{\"type\": \"array\", \"items\": \"long\"}",
    "{\"type\": \"array\", \"items\": \"null\"}",
    "{\"type\": \"array\", \"items\": {\"type\": \"array\", \"items\": [\"null\", \"string\"]}}",
    "{\"type\": \"map\", \"values\": \"double\"}",
    "{\"type\": \"map\", \"values\": {\"type\": \"array\", \"items\": \"bytes\"}}",
    "[\"null\", \"string\"]",
    "[\"string\", \"long\", \"null\", {\"type\": \"map\", \"values\": \"int\"}]",
    "{\"type\": \"record\", \"name\": \"Inner%d\", \"namespace\": \"else.where\", \"fields\": ["
    "{\"name\": \"a\", \"type\": \"string\"}, {\"name\": \"b\", \"type\": \"null\"},"
    "{\"name\": \"c\", \"type\": {\"type\": \"record\", \"name\": \"Deep%d\", \"fields\": ["
    "{\"name\": \"d\", \"type\": [\"null\", \"boolean\"]}]}}]}",
    /* recursive */
    "[\"null\", {\"type\": \"record\", \"name\": \"List%d\", \"fields\": ["
    "{\"name\": \"v\", \"type\": \"long\"}, {\"name\": \"next\", \"type\": [\"null\", "
    "\"List%d\"]}]}]",
};

static void add_field(struct rng *rng, json_t *fields, int number)
{
    const char *type = added_types[rng_below(rng, sizeof added_types / sizeof *added_types)];
    char text[700], name[32], *end = text;
    for (; *type; type++) { /* %d -> number */
        if (type[0] == '%' && type[1] == 'd') {
            end += snprintf(end, 12, "%d", number);
            type++;
        } else {
            *end++ = *type;
        }
    }
    *end = '\0';
    snprintf(name, sizeof name, "added_%d", number);
    json_array_insert_new(fields, rng_below(rng, json_array_size(fields) + 1),
                          json_pack("{s:s, s:o}", "name", name, "type", parse(text)));
}

static void shuffle(struct rng *rng, json_t *array)
{
    for (size_t n = json_array_size(array); n > 1; n--) {
        size_t i = rng_below(rng, n);
        json_t *last = json_incref(json_array_get(array, n - 1));
        json_t *other = json_incref(json_array_get(array, i));
        json_array_set_new(array, n - 1, other);
        json_array_set_new(array, i, last);
    }
}

static bool is_type(json_t *type, const char *name)
{
    const char *text =
        json_string_value(json_is_object(type) ? json_object_get(type, "type") : type);
    return text && !strcmp(text, name);
}

static void change_symbols(struct rng *rng, json_t *type)
{
    json_t *symbols = json_object_get(type, "symbols");
    for (size_t i = 0; i < json_array_size(symbols); i++) {
        char name[32];
        snprintf(name, sizeof name, "UNHEARD_OF_%zu", i);
        if (rng_below(rng, 6) == 0)
            json_array_set_new(symbols, i, json_string(name));
    }
    if (rng_below(rng, 2))
        json_array_append_new(symbols, json_string("NEWER"));
    if (rng_below(rng, 2))
        shuffle(rng, symbols);
    json_object_del(type, "default");
}

/* The type in a union, or one of the union's own types on its own. */
static json_t *change_union(struct rng *rng, json_t *type)
{
    static const char *const others[] = {"null", "boolean", "double", "int", "string", "long"};
    json_t *result;
    if (json_is_array(type) && rng_below(rng, 2)) {
        result = json_incref(json_array_get(type, rng_below(rng, json_array_size(type))));
    } else if (json_is_array(type)) {
        result = json_deep_copy(type);
        shuffle(rng, result);
    } else {
        result = json_array();
        for (size_t i = 0; i < 6; i++)
            if (rng_below(rng, 3) == 0 && !is_type(type, others[i]))
                json_array_append_new(result, json_string(others[i]));
        json_array_append(result, type);
        shuffle(rng, result);
    }
    return result;
}

static void evolve_field(struct rng *rng, json_t *field, int ways)
{
    json_t *type = json_object_get(field, "type");
    if (ways & EVOLVE_SYMBOLS && is_type(type, "enum") && rng_below(rng, 2))
        change_symbols(rng, type);
    if (ways & EVOLVE_PROMOTE && is_type(type, "long") && rng_below(rng, 2))
        json_object_set_new(field, "type", json_string("int"));
    type = json_object_get(field, "type");
    if (ways & EVOLVE_PROMOTE && is_type(type, "string") && rng_below(rng, 2))
        json_object_set_new(field, "type", json_string("bytes"));
    type = json_object_get(field, "type");
    if (ways & EVOLVE_UNION && rng_below(rng, 2))
        json_object_set_new(field, "type", change_union(rng, type));
    if (ways & EVOLVE_RENAME && rng_below(rng, 2)) {
        char name[80];
        snprintf(name, sizeof name, "was_%s", json_string_value(json_object_get(field, "name")));
        json_object_set_new(field, "name", json_string(name));
    }
    json_object_del(field, "default"); /* of no use in a writer's schema */
}

json_t *evolve(struct rng *rng, enum ss_input input, int ways)
{
    json_t *schema = parse(ss_schema_of_input(input));
    json_t *fields = json_object_get(schema, "fields");
    for (size_t i = json_array_size(fields); i-- > 0;) {
        json_t *field = json_array_get(fields, i);
        if (ways & EVOLVE_REMOVE && json_object_get(field, "default") && rng_below(rng, 2))
            json_array_remove(fields, i);
        else
            evolve_field(rng, field, ways);
    }
    for (int i = 0; ways & EVOLVE_ADD && i < 1 + (int)rng_below(rng, 5); i++)
        add_field(rng, fields, i);
    if (ways & EVOLVE_REORDER)
        shuffle(rng, fields);
    return schema;
}

char *evolve_aliases(enum ss_input input)
{
    json_t *schema = parse(ss_schema_of_input(input)), *field;
    size_t i;
    json_array_foreach(json_object_get(schema, "fields"), i, field)
    {
        char name[80];
        snprintf(name, sizeof name, "was_%s", json_string_value(json_object_get(field, "name")));
        json_object_set_new(field, "aliases", json_pack("[s, s]", "never", name));
    }
    char *text = json_dumps(schema, 0);
    json_decref(schema);
    return text;
}
