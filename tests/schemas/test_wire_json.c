/* Any Avro value as JSON, from bytes that may be anything. */
#include "schemas/wire_json.h"

#include "helper_events.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>

static struct ss_bytes bytes(const char *data, size_t size)
{
    return (struct ss_bytes){data, size};
}

/* The JSON text, NULL if the bytes are no value of the schema. Static. */
static const char *json_of(const char *schema, const char *data, size_t size)
{
    static struct ss_buffer out;
    struct ss_error err;
    if (!out.size_max)
        ss_buffer_init(&out, 4096);
    out.size = 0;
    enum ss_status status = ss_body_to_json(schema, bytes(data, size), &out, &err);
    if (status != SS_OK) {
        cr_assert_eq(out.size, 0, "something was left behind");
        return NULL;
    }
    cr_assert(ss_buffer_append(&out, "", 1));
    return (const char *)out.data;
}

#define JSON(schema, literal) json_of(schema, literal, sizeof literal - 1)

Test(wire_json, writes_every_type)
{
    cr_assert_str_eq(JSON("\"null\"", ""), "null");
    cr_assert_str_eq(JSON("\"boolean\"", "\1"), "true");
    cr_assert_str_eq(JSON("\"long\"", "\x03"), "-2");
    cr_assert_str_eq(JSON("\"double\"", "\0\0\0\0\0\0\xf8\x3f"), "1.5");
    cr_assert_str_eq(JSON("\"float\"", "\0\0\xc0\x7f"), "null"); /* not a number */
    cr_assert_str_eq(JSON("\"string\"", "\x06"
                                        "a\"b"),
                     "\"a\\\"b\"");
    cr_assert_str_eq(JSON("\"bytes\"", "\x04\x1b\xff"), "\"\\u001b\xc3\xbf\"");
    cr_assert_str_eq(JSON("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "xy"), "\"xy\"");
    cr_assert_str_eq(JSON("[\"null\",\"string\"]", "\x02\x02x"), "\"x\"");
    cr_assert_str_eq(JSON("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "\x02"),
                     "\"B\"");
    cr_assert_str_eq(JSON("{\"type\":\"array\",\"items\":\"int\"}", "\x04\x02\x04\x01\x02\x06\0"),
                     "[1,2,3]");
    cr_assert_str_eq(JSON("{\"type\":\"map\",\"values\":\"int\"}", "\x02\x02k\x0e\0"), "{\"k\":7}");
    cr_assert_str_eq(JSON("{\"type\":\"record\",\"name\":\"R\",\"fields\":["
                          "{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"next\",\"type\":"
                          "[\"null\",\"R\"]}]}",
                          "\x02\x02\x04\0"),
                     "{\"a\":1,\"next\":{\"a\":2,\"next\":null}}");
}

Test(wire_json, escapes_what_a_terminal_obeys_and_mends_what_is_no_text)
{
    struct ss_buffer out;
    ss_buffer_init(&out, 100);
    const char text[] = "\x1b\x7f\xc2\x9b\xc3\xa4\xed\xa0\x80\xff\xf4\x8f\xbf\xbf\\";
    cr_assert(ss_json_append_text(&out, bytes(text, sizeof text - 1)));
    cr_assert(ss_buffer_append(&out, "", 1));
    cr_assert_str_eq((char *)out.data, "\"\\u001b\\u007f\\u009b\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd"
                                       "\xef\xbf\xbd\xef\xbf\xbd\xf4\x8f\xbf\xbf\\\\\"");
    ss_buffer_reset(&out);
}

Test(wire_json, refuses_what_is_no_value)
{
    cr_assert_null(JSON("\"long\"", ""));
    cr_assert_null(JSON("\"long\"", "\x02\x02")); /* more than one */
    cr_assert_null(JSON("\"string\"", "\x08"
                                      "abc")); /* cut off */
    cr_assert_null(JSON("\"string\"", "\x03"
                                      "abc"));             /* a negative size */
    cr_assert_null(JSON("[\"null\",\"string\"]", "\x04")); /* no such branch */
    cr_assert_null(JSON("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", "\x01"));
    cr_assert_null(JSON("{\"type\":\"array\",\"items\":\"int\"}", "\x04\x02"));
    cr_assert_null(JSON("not a schema", ""));
}

Test(wire_json, is_bounded_where_nothing_else_is)
{
    /* 2^62 nulls in no bytes, and lists of lists of lists */
    cr_assert_null(JSON("{\"type\":\"array\",\"items\":\"null\"}",
                        "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1\0"));
    cr_assert_null(JSON("{\"type\":\"array\",\"items\":\"null\"}",
                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0"));
    char deep[1000];
    memset(deep, 2, sizeof deep);
    cr_assert_null(json_of("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"n\","
                           "\"type\":[\"null\",\"R\"]}]}",
                           deep, sizeof deep));
}

Test(wire_json, random_events_are_objects_with_their_fields_and_their_pieces_are_refused)
{
    struct rng rng = {7};
    struct ss_registry_config config = {.url = "embedded:"};
    struct ss_registry *registry;
    struct ss_buffer value, out;
    struct ss_error err;
    cr_assert_eq(ss_registry_open(&config, &registry, &err), SS_OK);
    ss_buffer_init(&value, 1 << 16);
    ss_buffer_init(&out, 1 << 16);
    for (int i = 0; i < 700; i++) {
        struct ss_event event;
        struct event_texts texts;
        random_event(&rng, (enum ss_input)(i % SS_INPUT_COUNT), &event, &texts);
        value.size = out.size = 0;
        cr_assert_eq(ss_encode_event((uint32_t)event.input + 1, &event, &value, &err), SS_OK);
        struct ss_bytes whole = {value.data, value.size};
        cr_assert_eq(ss_wire_to_json(registry, whole, &out, &err), SS_OK, "%s", err.detail);
        json_t *json = json_loadb((char *)out.data, out.size, 0, NULL);
        cr_assert_not_null(json, "%.*s", (int)out.size, (char *)out.data);
        cr_assert_eq(json_integer_value(json_object_get(json, "occurred_at")),
                     event.occurred_at_ms);
        json_decref(json);
        /* cut short, in an allocation of its own so that a sanitizer sees a read beyond it */
        whole.size = SS_WIRE_HEADER_SIZE + rng_below(&rng, value.size - SS_WIRE_HEADER_SIZE);
        char *cut = malloc(whole.size);
        memcpy(cut, value.data, whole.size);
        cr_assert_eq(ss_wire_to_json(registry, bytes(cut, whole.size), &out, &err), SS_DROP);
        free(cut);
        /* any byte another one: an answer, whichever */
        value.data[SS_WIRE_HEADER_SIZE + rng_below(&rng, value.size - SS_WIRE_HEADER_SIZE)] ^=
            (uint8_t)(1 + rng_below(&rng, 255));
        out.size = 0;
        enum ss_status status =
            ss_wire_to_json(registry, (struct ss_bytes){value.data, value.size}, &out, &err);
        cr_assert(status == SS_OK || status == SS_DROP);
    }
    ss_buffer_reset(&value);
    ss_buffer_reset(&out);
    ss_registry_close(registry);
}
