/* The records of sesame-models: what is written is read, by us and by avro-c. */
#include "helper_avro.h"
#include "schemas/model_record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct ss_text text(const char *literal)
{
    return (struct ss_text){literal, (uint32_t)strlen(literal)};
}

static bool is(struct ss_text got, const char *wanted)
{
    return got.size == strlen(wanted) && memcmp(got.data, wanted, got.size) == 0;
}

static const char *by_avro(struct ss_bytes body, const char *path)
{
    static char found[100];
    avro_schema_t schema = ref_parse(ss_schema_of_models());
    avro_value_t value = ref_new(schema);
    cr_assert(ref_read(&value, body), "avro-c cannot read it");
    struct value at = ref_at(&value, path);
    snprintf(found, sizeof found, "%.*s", (int)at.text.size, at.text.data);
    avro_value_decref(&value);
    avro_schema_decref(schema);
    return found;
}

static struct ss_buffer encode(const struct ss_model_entry *entry)
{
    struct ss_buffer out;
    ss_buffer_init(&out, 4096);
    cr_assert_eq(ss_model_entry_encode(10, entry, &out, NULL), SS_OK);
    return out;
}

static struct ss_bytes body_of(const struct ss_buffer *buffer)
{
    return (struct ss_bytes){buffer->data + SS_WIRE_HEADER_SIZE,
                             buffer->size - SS_WIRE_HEADER_SIZE};
}

Test(model_record, a_model_survives)
{
    const struct ss_model_entry entry = {.published_at_ms = 1767225600000,
                                         .published_by = text("a test"),
                                         .version = text("m-0123456789abcdef"),
                                         .canonical = text("sesame-model 2\n"),
                                         .structural = text("fedcba9876543210"),
                                         .source = text("name: m\n")};
    struct ss_model_entry got;
    struct ss_buffer out = encode(&entry);
    cr_assert_eq(ss_model_entry_decode((struct ss_bytes){out.data, out.size}, &got, NULL), SS_OK);
    cr_assert_not(got.is_activation);
    cr_assert_eq(got.published_at_ms, entry.published_at_ms);
    cr_assert(is(got.published_by, "a test") && is(got.version, "m-0123456789abcdef") &&
              is(got.canonical, "sesame-model 2\n") && is(got.structural, "fedcba9876543210") &&
              is(got.source, "name: m\n"));
    cr_assert_str_eq(by_avro(body_of(&out), "entry.version"), "m-0123456789abcdef");
    cr_assert_str_eq(by_avro(body_of(&out), "entry.source"), "name: m\n");
    ss_buffer_reset(&out);
}

Test(model_record, an_activation_survives)
{
    struct ss_model_entry got, entry = {.published_by = text("b"),
                                        .is_activation = true,
                                        .epoch = 41,
                                        .person = text("p"),
                                        .business = text("q")};
    struct ss_buffer out = encode(&entry);
    cr_assert_eq(ss_model_entry_decode((struct ss_bytes){out.data, out.size}, &got, NULL), SS_OK);
    cr_assert(got.is_activation && got.epoch == 41 && is(got.person, "p") && is(got.business, "q"));
    cr_assert_str_eq(by_avro(body_of(&out), "entry.business"), "q");
    ss_buffer_reset(&out);
    entry.business.size = 0;
    out = encode(&entry);
    cr_assert_eq(ss_model_entry_decode((struct ss_bytes){out.data, out.size}, &got, NULL), SS_OK);
    cr_assert_eq(got.business.size, 0);
    cr_assert_str_eq(by_avro(body_of(&out), "entry.person"), "p");
    ss_buffer_reset(&out);
}

Test(model_record, what_is_damaged_is_refused)
{
    const struct ss_model_entry entry = {.published_by = text("a"),
                                         .version = text("v"),
                                         .canonical = text("c"),
                                         .structural = text("s"),
                                         .source = text("y")};
    struct ss_model_entry got;
    struct ss_error err;
    struct ss_buffer out = encode(&entry);
    for (size_t cut = 0; cut < out.size; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, out.data, cut);
        cr_assert_eq(ss_model_entry_decode((struct ss_bytes){exact, cut}, &got, &err), SS_DROP);
        free(exact);
    }
    cr_assert(ss_buffer_append(&out, "x", 1));
    cr_assert_eq(ss_model_entry_decode((struct ss_bytes){out.data, out.size}, &got, &err), SS_DROP);
    ss_buffer_reset(&out);
}
