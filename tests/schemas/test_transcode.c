/* Output records that were written with another schema than ours, or went through Kafka Connect. */
#include "schemas/output_view.h"
#include "schemas/transcode.h"
#include "schemas/varint.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct ss_error err = {.detail = ""};

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"

/* entitlements in another order, with enums as strings, wider numbers, one field of ours missing,
 * one of theirs on top, and what InsertField adds */
static const char
    connect
        [] =
            "{\"type\":\"record\",\"name\":\"ConnectDefault\",\"fields\":[" FIELD(
                "kafka_offset",
                "[\"null"
                "\","
                "\"long\""
                "]") "," FIELD("sequence",
                               "\"int\"") "," FIELD("user_id",
                                                    "\"string\"") "," FIELD("action",
                                                                            "[\"null\",\"string\"]") "," FIELD("benefit_id",
                                                                                                               "\"string\"") "," FIELD("threshold",
                                                                                                                                       "\"long\"") "," FIELD("score", "[\"int\",\"null\"]") "," FIELD("as_of", "\"long\"") "," FIELD("theirs",
                                                                                                                                                                                                                                     "{\"type\":\"array\",\"items\":\"string\"}") "," FIELD("cause", "[\"null\",{\"type\":\"record\",\"name\":\"C\",\"fields\":[" FIELD("offset",
                                                                                                                                                                                                                                                                                                                                                                        "\"int\"") "," FIELD("topic",
                                                                                                                                                                                                                                                                                                                                                                                             "\"string\"") "," FIELD("partition",
                                                                                                                                                                                                                                                                                                                                                                                                                     "\"int\"") "," FIELD("event_id", "\"string\"") "]}]") "," FIELD("model_version",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     "\"string\"") "," FIELD("kafka_partition",
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             "\"int\"") "]}";

static uint8_t *text(uint8_t *p, const char *value)
{
    p = ss_varint_write(p, (int64_t)strlen(value));
    memcpy(p, value, strlen(value));
    return p + strlen(value);
}

static size_t record(uint8_t *bytes, const char *action)
{
    uint8_t *p = ss_varint_write(ss_varint_write(bytes, 1), 4711); /* kafka_offset */
    p = ss_varint_write(p, 12);
    p = text(p, "ann");
    p = text(ss_varint_write(p, 1), action);
    p = text(p, "car");
    p = ss_varint_write(p, 650);
    p = ss_varint_write(ss_varint_write(p, 0), 655);
    p = ss_varint_write(p, 1600000000000);
    p = text(text(ss_varint_write(p, 2), "x"), "y"); /* an array of two, */
    p = ss_varint_write(p, 0);                       /* and its end */
    p = ss_varint_write(ss_varint_write(p, 1), 99);
    p = text(p, "bills");
    p = text(ss_varint_write(p, 3), "e9");
    p = text(p, "model-1");
    return (size_t)(ss_varint_write(p, 3) - bytes);
}

static struct ss_transcoder *open_transcoder(const char *writer)
{
    static const char *const extras[] = {"kafka_partition", "kafka_offset", "kafka_timestamp"};
    struct ss_transcoder *transcoder;
    uint32_t found;
    cr_assert_eq(ss_transcoder_open(ss_schema_of_output(SS_ENTITLEMENTS), writer, extras, 3,
                                    &transcoder, &found, &err),
                 SS_OK, "%s", err.detail);
    cr_assert_eq(found, writer == connect ? 3 : 0);
    return transcoder;
}

Test(transcode, a_record_of_another_schema_reads_as_ours)
{
    struct ss_transcoder *transcoder = open_transcoder(connect);
    int64_t numbers[3] = {-1, -1, -1};
    struct ss_entitlement_view view;
    struct ss_bytes ours;
    uint8_t bytes[512];
    size_t size = record(bytes, "GRANTED");
    cr_assert_eq(ss_transcode(transcoder, (struct ss_bytes){bytes, size}, &ours, numbers, &err),
                 SS_OK, "%s", err.detail);
    cr_assert_eq(ss_entitlement_view_decode(ours, &view, &err), SS_OK, "%s", err.detail);
    cr_expect_eq(numbers[0], 3);
    cr_expect_eq(numbers[1], 4711);
    cr_expect_eq(numbers[2], -1);
    cr_expect_eq(view.action, SS_ENTITLEMENT_GRANTED);
    cr_expect_eq(view.title.size, 0); /* our default */
    cr_expect_eq(view.threshold, 650);
    cr_expect(view.has_score);
    cr_expect_eq(view.score, 655);
    cr_expect_eq(view.sequence, 12);
    cr_expect_eq(view.as_of_ms, 1600000000000);
    cr_expect(view.cause.known);
    cr_expect_eq(view.cause.offset, 99);
    cr_expect_eq(view.cause.partition, 3);
    cr_expect_eq(strncmp(view.cause.event_id.data, "e9", 2), 0);
    cr_expect_eq(strncmp(view.model_version.data, "model-1", 7), 0);
    ss_transcoder_close(transcoder);
}

Test(transcode, our_own_schema_passes_as_it_is)
{
    struct ss_transcoder *transcoder = open_transcoder(ss_schema_of_output(SS_ENTITLEMENTS));
    struct ss_bytes body = {"anything", 8}, ours;
    cr_expect_eq(ss_transcode(transcoder, body, &ours, NULL, &err), SS_OK);
    cr_expect_eq(ours.data, body.data);
    ss_transcoder_close(transcoder);
}

Test(transcode, a_record_that_is_cut_or_has_more_is_dropped)
{
    struct ss_transcoder *transcoder = open_transcoder(connect);
    struct ss_bytes ours;
    uint8_t bytes[512];
    const size_t size = record(bytes, "GRANTED");
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that a sanitizer sees reads behind it */
        memcpy(exact, bytes, cut);
        cr_expect_eq(ss_transcode(transcoder, (struct ss_bytes){exact, cut}, &ours, NULL, &err),
                     SS_DROP, "%zu", cut);
        free(exact);
    }
    bytes[size] = 0;
    cr_expect_eq(ss_transcode(transcoder, (struct ss_bytes){bytes, size + 1}, &ours, NULL, &err),
                 SS_DROP);
    ss_transcoder_close(transcoder);
}

Test(transcode, a_symbol_that_we_do_not_know_takes_the_default)
{
    struct ss_transcoder *transcoder = open_transcoder(connect);
    struct ss_entitlement_view view;
    struct ss_bytes ours;
    uint8_t bytes[512];
    const size_t size = record(bytes, "LENT");
    cr_assert_eq(ss_transcode(transcoder, (struct ss_bytes){bytes, size}, &ours, NULL, &err),
                 SS_OK);
    cr_assert_eq(ss_entitlement_view_decode(ours, &view, &err), SS_OK);
    cr_expect_eq(view.action, SS_ENTITLEMENT_REVOKED);
    ss_transcoder_close(transcoder);
}

Test(transcode, a_schema_that_ours_cannot_read_is_refused)
{
    struct ss_transcoder *transcoder;
    cr_expect_eq(ss_transcoder_open(ss_schema_of_output(SS_ENTITLEMENTS),
                                    ss_schema_of_output(SS_SCORES), NULL, 0, &transcoder, NULL,
                                    &err),
                 SS_DROP);
    cr_expect_eq(ss_transcoder_open(ss_schema_of_output(SS_SCORES), "\"string\"", NULL, 0,
                                    &transcoder, NULL, &err),
                 SS_DROP);
}
