/* Output records that were written with another schema than ours, or went through Kafka Connect. */
#include "schemas/output_view.h"
#include "schemas/transcode.h"
#include "schemas/varint.h"

#include <criterion/criterion.h>
#include <stdio.h>
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

/* --- every kind of step, against what we would have written --- */

/* Schemas are easier to read with single quotes. */
static const char *schema(const char *quoted, char *text_out)
{
    size_t i = 0;
    for (; quoted[i]; i++)
        text_out[i] = quoted[i] == '\'' ? '"' : quoted[i];
    text_out[i] = '\0';
    return text_out;
}

static const char small_ours[] =
    "{'type':'record','name':'R','fields':["
    "{'name':'id','type':'string'},"
    "{'name':'kind','type':{'type':'enum','name':'K','symbols':['X','Y','Z']}},"
    "{'name':'list','type':{'type':'array','items':{'type':'record','name':'I','fields':["
    "{'name':'sort','type':{'type':'enum','name':'S','symbols':['X','Y','Z']}},"
    "{'name':'n','type':'int'}]}}},"
    "{'name':'added','type':['null','int'],'default':null},"
    "{'name':'inner','type':{'type':'record','name':'N','fields':["
    "{'name':'a','type':'long'},{'name':'b','type':'string'}]}}]}";

/* {"id", Y, [{Z, 5}, {X, 6}], null, {70000, "bb"}} */
static size_t small_wanted(uint8_t *bytes)
{
    uint8_t *p = ss_varint_write(text(bytes, "id"), 1);
    p = ss_varint_write(p, 2);
    p = ss_varint_write(ss_varint_write(p, 2), 5);
    p = ss_varint_write(ss_varint_write(p, 0), 6);
    p = ss_varint_write(ss_varint_write(p, 0), 0); /* the end, and null */
    return (size_t)(text(ss_varint_write(p, 70000), "bb") - bytes);
}

static void expect_small(const char *writer, const uint8_t *bytes, size_t size)
{
    static const char *const extras[] = {"offset"};
    char ours_text[1024], theirs_text[1024];
    struct ss_transcoder *t;
    struct ss_bytes out;
    uint8_t wanted[64];
    const size_t wanted_size = small_wanted(wanted);
    int64_t offset;
    cr_assert_eq(ss_transcoder_open(schema(small_ours, ours_text), schema(writer, theirs_text),
                                    extras, 1, &t, NULL, &err),
                 SS_OK, "%s", err.detail);
    for (int round = 0; round < 2; round++) {
        offset = -1;
        cr_assert_eq(ss_transcode(t, (struct ss_bytes){bytes, size}, &out, &offset, &err), SS_OK,
                     "%s", err.detail);
        cr_assert_eq(offset, 99);
        cr_assert(ss_bytes_equal(out, (struct ss_bytes){wanted, wanted_size}));
    }
    for (size_t cut = 0; cut < size; cut++)
        cr_assert_eq(ss_transcode(t, (struct ss_bytes){bytes, cut}, &out, &offset, &err), SS_DROP,
                     "at %zu", cut);
    ss_transcoder_close(t);
}

/* A block that tells its size. */
static uint8_t *small_list(uint8_t *p)
{
    p = ss_varint_write(ss_varint_write(p, -2), 6);
    p = ss_varint_write(text(p, "Z"), 5);
    p = ss_varint_write(text(p, "X"), 6);
    return ss_varint_write(p, 0);
}

Test(transcode, fields_in_our_order_are_taken_as_they_come)
{
    uint8_t bytes[96], *p = text(bytes, "id");
    memset(p, 7, 8);
    p = small_list(text(p + 8, "Y"));
    p = text(ss_varint_write(p, 70000), "bb");
    p = ss_varint_write(ss_varint_write(p, 1), 99);
    expect_small("{'type':'record','name':'C','fields':["
                 "{'name':'id','type':'string'},{'name':'theirs','type':'double'},"
                 "{'name':'kind','type':'string'},"
                 "{'name':'list','type':{'type':'array','items':{'type':'record','name':'I',"
                 "'fields':[{'name':'sort','type':'string'},{'name':'n','type':'long'}]}}},"
                 "{'name':'inner','type':{'type':'record','name':'N','fields':["
                 "{'name':'a','type':'int'},{'name':'b','type':'string'}]}},"
                 "{'name':'offset','type':['null','long']}]}",
                 bytes, (size_t)(p - bytes));
}

Test(transcode, fields_in_another_order_are_found_within_each_other)
{
    uint8_t bytes[96], *p = ss_varint_write(bytes, 99);
    p = ss_varint_write(text(p, "bb"), 70000);
    p = ss_varint_write(small_list(p), 1); /* their enum's second symbol is our second, too */
    p = text(p, "id");
    expect_small("{'type':'record','name':'C','fields':["
                 "{'name':'offset','type':'long'},"
                 "{'name':'inner','type':{'type':'record','name':'N','fields':["
                 "{'name':'b','type':'string'},{'name':'a','type':'int'}]}},"
                 "{'name':'list','type':{'type':'array','items':{'type':'record','name':'I',"
                 "'fields':[{'name':'sort','type':'string'},{'name':'n','type':'long'}]}}},"
                 "{'name':'kind','type':{'type':'enum','name':'K','symbols':['W','Y']}},"
                 "{'name':'id','type':'string'}]}",
                 bytes, (size_t)(p - bytes));
}

Test(transcode, a_block_that_tells_its_size_is_written_as_ours_where_all_else_is_alike)
{
    char text_in[1024], ours_text[1024];
    struct ss_transcoder *t;
    struct ss_bytes out;
    static const char list[] = "{'type':'record','name':'R','fields':["
                               "{'name':'l','type':{'type':'array','items':'int'}}";
    char quoted[256];
    const uint8_t bytes[] = {3, 4, 10, 12, 0, 2}, wanted[] = {4, 10, 12, 0};
    snprintf(quoted, sizeof quoted, "%s]}", list);
    schema(quoted, ours_text);
    snprintf(quoted, sizeof quoted, "%s,{'name':'more','type':'int'}]}", list);
    cr_assert_eq(ss_transcoder_open(ours_text, schema(quoted, text_in), NULL, 0, &t, NULL, &err),
                 SS_OK, "%s", err.detail);
    cr_assert_eq(ss_transcode(t, (struct ss_bytes){bytes, sizeof bytes}, &out, NULL, &err), SS_OK);
    cr_assert(ss_bytes_equal(out, (struct ss_bytes){wanted, sizeof wanted}));
    ss_transcoder_close(t);
}
