/* subscriber_schema.c - the schema of scores.avsc with fields taken away. */
#include "schemas/subscriber_schema.h"
#include "schemas/texts.h"

#include <jansson.h>
#include <stdlib.h>

static const char record_doc[] = "What a subscriber may see of a user's score, who has agreed to "
                                 "it. Key user_id; a tombstone: no "
                                 "longer.";
static const char kind_doc[] = "What made the score change. SHARED: nothing, it is the score as it "
                               "stood when the user agreed. "
                               "UPDATE is also any symbol that the reader does not know.";
static const char sequence_doc[] =
    "Rises by one with each record of this user, so that a gap shows; begins anew at an opt-in.";

/* The bit of a field by name; 0: it is none that can be taken away. */
static uint32_t field_bit(const char *name)
{
    for (int field = 0; field < SS_FIELD_COUNT; field++)
        if (strcmp(ss_score_field_name((enum ss_score_field)field), name) == 0)
            return SS_FIELD_BIT(field);
    return 0;
}

/* A value of the type that says nothing; NULL: a type without one. */
static json_t *nothing_of(const json_t *type)
{
    const json_t *inner = json_object_get(type, "type");
    const char *name = json_string_value(inner ? inner : type);
    if (!name)
        return NULL;
    if (strcmp(name, "string") == 0)
        return json_string("");
    if (strcmp(name, "int") == 0 || strcmp(name, "long") == 0)
        return json_integer(0);
    if (strcmp(name, "enum") == 0)
        return json_copy(json_object_get(type, "default"));
    if (strcmp(name, "record") != 0)
        return NULL;
    json_t *value = json_object(), *field;
    size_t i;
    json_array_foreach(json_object_get(type, "fields"), i, field)
        json_object_set_new(value, json_string_value(json_object_get(field, "name")),
                            nothing_of(json_object_get(field, "type")));
    return value;
}

static bool set_text(json_t *object, const char *key, const char *text)
{
    return json_object_set_new(object, key, json_string(text)) == 0;
}

static bool adapt_field(json_t *field, const char *name)
{
    json_t *type = json_object_get(field, "type");
    bool fine = true;
    if (strcmp(name, "kind") == 0)
        fine = set_text(type, "doc", kind_doc) &&
               json_array_append_new(json_object_get(type, "symbols"), json_string("SHARED")) == 0;
    else if (strcmp(name, "sequence") == 0)
        fine = set_text(field, "doc", sequence_doc);
    else if (strcmp(name, "previous_score") == 0)
        fine = set_text(field, "doc", "The score before this one; null at SHARED.");
    if (fine && strcmp(name, "user_id") != 0 && !json_object_get(field, "default"))
        fine = json_object_set_new(field, "default", nothing_of(type)) == 0;
    return fine;
}

/* NULL: out of memory. */
static json_t *derive(uint32_t fields)
{
    json_t *schema = json_loads(ss_schema_texts[SS_INPUT_COUNT + SS_SCORES].json, 0, NULL);
    json_t *list = json_object_get(schema, "fields");
    bool fine = schema && set_text(schema, "namespace", "sesame.shared") &&
                set_text(schema, "doc", record_doc);
    for (size_t i = 0; fine && i < json_array_size(list);) {
        json_t *field = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        if (strcmp(name, "user_id") == 0 || fields & field_bit(name)) {
            fine = adapt_field(field, name);
            i++;
        } else {
            fine = json_array_remove(list, i) == 0;
        }
    }
    if (!fine) {
        json_decref(schema);
        return NULL;
    }
    return schema;
}

enum ss_status ss_schema_of_subscriber(uint32_t fields, char **json, struct ss_error *err)
{
    json_t *schema = derive(fields);
    *json = schema ? json_dumps(schema, JSON_COMPACT) : NULL;
    json_decref(schema);
    return *json ? SS_OK : ss_fail(err, SS_STOP, "out of memory for a subscriber's schema");
}

uint32_t ss_embedded_id(const char *json)
{
    json_t *wanted = json_loads(json, 0, NULL), *field;
    uint32_t fields = 0;
    size_t i;
    json_array_foreach(json_object_get(wanted, "fields"), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        fields |= name ? field_bit(name) : 0;
    }
    json_t *ours = derive(fields);
    bool same = wanted && ours && json_equal(wanted, ours);
    json_decref(wanted);
    json_decref(ours);
    return same ? SS_EMBEDDED_SUBSCRIBERS | fields : 0;
}
