/* Hostile bytes and hostile schemas: refused or read, never a crash, never a byte outside the
 * record (each body ends where its allocation ends, for the sanitizer to see), never slow. */
#include "helper_avro.h"
#include "helper_evolve.h"
#include "schemas/plan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool inside(struct ss_text text, struct ss_bytes body)
{
    const char *from = body.data;
    return text.size == 0 || (text.data >= from && text.data + text.size <= from + body.size);
}

/* Decodes a copy in an allocation of exactly its size. */
static enum ss_status decode(const struct ss_plan *plan, const uint8_t *bytes, size_t size)
{
    static const char *const texts[] = {"event_id",   "user_id",   "currency", "counterparty",
                                        "bill_id",    "friend_id", "line_id",  "subscriber",
                                        "booking_id", "case_id",   "authority"};
    uint8_t *copy = malloc(size ? size : 1);
    struct ss_bytes body = {copy + (size ? 0 : 1), size};
    struct ss_event event;
    struct ss_error err = {.detail = ""};

    memcpy(copy, bytes, size);
    enum ss_status status = ss_plan_decode(plan, body, &event, &err);
    cr_assert(status == SS_OK || status == SS_DROP);
    cr_assert(status == SS_OK || err.detail[0]);
    for (size_t i = 0; status == SS_OK && i < sizeof texts / sizeof *texts; i++)
        cr_assert(inside(event_value(&event, texts[i]).text, body));
    free(copy);
    return status;
}

static size_t mutate(struct rng *rng, uint8_t *bytes, size_t size, size_t capacity)
{
    static const uint8_t nasty[] = {0x00, 0x01, 0x02, 0x7f, 0x80, 0xff, 0xfe};
    for (uint64_t n = 1 + rng_below(rng, 3); n--;) {
        size_t at = rng_below(rng, size + 1);
        switch (rng_below(rng, 5)) {
        case 0:
            if (at < size)
                bytes[at] ^= (uint8_t)(1u << rng_below(rng, 8));
            break;
        case 1:
            if (at < size)
                bytes[at] = nasty[rng_below(rng, sizeof nasty)];
            break;
        case 2: /* insert up to ten bytes of 0xff: overlong and negative numbers */
            for (uint64_t k = rng_below(rng, 11); k-- && size < capacity; size++) {
                memmove(bytes + at + 1, bytes + at, size - at);
                bytes[at] = 0xff;
            }
            break;
        case 3: /* delete */
            if (at < size) {
                memmove(bytes + at, bytes + at + 1, size - at - 1);
                size--;
            }
            break;
        case 4:
            size = at;
            break;
        }
    }
    return size;
}

Test(hostile, truncations_and_mutations_of_valid_records)
{
    struct rng rng = {11};
    int ok = 0, drops = 0;
    for (int round = 0; round < 60; round++) {
        enum ss_input input = (enum ss_input)(round % SS_INPUT_COUNT);
        json_t *writer = evolve(&rng, input, round < 7 ? 0 : EVOLVE_ALL & ~EVOLVE_RENAME);
        char *json = json_dumps(writer, 0);
        avro_schema_t schema = ref_parse(json);
        struct ss_plan *plan;
        cr_assert_eq(ss_plan_open(input, json, &plan, NULL), SS_OK, "%s", json);
        for (int i = 0; i < 20; i++) {
            avro_value_t value = ref_new(schema);
            ref_randomise(&rng, &value, 0);
            struct ss_bytes body = ref_bytes(&value);
            uint8_t *bytes = malloc(body.size + 64);
            for (size_t size = 0; size < body.size; size++)
                cr_assert_eq(decode(plan, body.data, size), SS_DROP);
            for (int j = 0; j < 300; j++) {
                memcpy(bytes, body.data, body.size);
                size_t size = mutate(&rng, bytes, body.size, body.size + 64);
                if (decode(plan, bytes, size) == SS_OK)
                    ok++;
                else
                    drops++;
            }
            free(bytes);
            free((void *)(uintptr_t)body.data);
            avro_value_decref(&value);
        }
        ss_plan_close(plan);
        avro_schema_decref(schema);
        free(json);
        json_decref(writer);
    }
    cr_expect_gt(ok, 1000);
    cr_expect_gt(drops, 1000);
}

/* A social record with a field x of the given type in front. */
static struct ss_plan *plan_with(const char *type)
{
    char json[4096];
    struct ss_plan *plan;
    struct ss_error err = {.detail = ""};
    snprintf(
        json, sizeof json,
        "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"x\", \"type\": %s}, "
        "{\"name\": \"event_id\", \"type\": \"string\"}, {\"name\": \"user_id\", \"type\": "
        "\"string\"}, {\"name\": \"occurred_at\", \"type\": \"long\"}, {\"name\": \"action\", "
        "\"type\": {\"type\": \"enum\", \"name\": \"A\", \"symbols\": [\"FRIEND_ADDED\"]}}, "
        "{\"name\": \"friend_id\", \"type\": \"string\"}]}",
        type);
    cr_assert_eq(ss_plan_open(SS_SOCIAL, json, &plan, &err), SS_OK, "%s", err.detail);
    return plan;
}

#define REST "\2e\2u\2\0\2f" /* the fields behind x */

/* The status of x's bytes followed by valid fields. */
static enum ss_status with_x(const char *type, const char *x, size_t size)
{
    struct ss_plan *plan = plan_with(type);
    size_t all = size + sizeof REST - 1;
    uint8_t *bytes = malloc(all);
    memcpy(bytes, x, size);
    memcpy(bytes + size, REST, sizeof REST - 1);
    enum ss_status status = decode(plan, bytes, all);
    free(bytes);
    ss_plan_close(plan);
    return status;
}

#define WITH_X(type, x) with_x(type, x, sizeof(x) - 1)
#define ARRAY(items)    "{\"type\": \"array\", \"items\": " items "}"
#define MAP(values)     "{\"type\": \"map\", \"values\": " values "}"
/* zigzag varints */
#define HUGE_COUNT "\x80\x80\x80\x80\x80\x80\x80\x80\x20"     /* 2^60 */
#define MINUS_MAX  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* INT64_MIN */
#define PLUS_MAX   "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* INT64_MAX */
#define OVERLONG   "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x02"
#define ELEVEN     "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"

Test(hostile, what_is_valid_is_skipped)
{
    cr_expect_eq(WITH_X("\"string\"", "\4ab"), SS_OK);
    cr_expect_eq(WITH_X(ARRAY("\"long\""), "\4\2\4\2\2\0"), SS_OK);
    cr_expect_eq(WITH_X(ARRAY("\"long\""), "\3\4\2\4\0"), SS_OK, "a block that tells its size");
    cr_expect_eq(WITH_X(ARRAY("\"null\""), "\xd0\x0f\0"), SS_OK, "1000 nulls");
    cr_expect_eq(WITH_X(MAP("\"boolean\""), "\2\2k\1\0"), SS_OK);
    cr_expect_eq(WITH_X("\"long\"", MINUS_MAX), SS_OK);
    cr_expect_eq(WITH_X("\"boolean\"", "\1" REST), SS_DROP, "bytes behind the record");
    cr_expect_eq(WITH_X("\"long\"", "\x80\x00"), SS_OK, "not the shortest form, but in bounds");
}

Test(hostile, lengths_and_counts)
{
    clock_t before = clock();
    cr_expect_eq(WITH_X("\"string\"", "\1"), SS_DROP);
    cr_expect_eq(WITH_X("\"string\"", PLUS_MAX), SS_DROP);
    cr_expect_eq(WITH_X("\"string\"", MINUS_MAX), SS_DROP);
    cr_expect_eq(WITH_X("\"bytes\"", HUGE_COUNT), SS_DROP);
    cr_expect_eq(WITH_X("\"long\"", OVERLONG), SS_DROP);
    cr_expect_eq(WITH_X("\"long\"", ELEVEN), SS_DROP);
    cr_expect_eq(WITH_X("\"boolean\"", ""), SS_DROP);
    cr_expect_eq(WITH_X("[\"null\", \"long\"]", "\1"), SS_DROP);
    cr_expect_eq(WITH_X("[\"null\", \"long\"]", "\4"), SS_DROP);
    cr_expect_eq(WITH_X("[]", "\0"), SS_DROP);
    cr_expect_eq(WITH_X("{\"type\": \"enum\", \"name\": \"E\", \"symbols\": [\"A\"]}", "\2"),
                 SS_DROP);
    cr_expect_eq(WITH_X("{\"type\": \"fixed\", \"name\": \"F\", \"size\": 2000000000}", "abc"),
                 SS_DROP);
    cr_expect_eq(WITH_X(ARRAY("\"long\""), HUGE_COUNT), SS_DROP);
    cr_expect_eq(WITH_X(ARRAY("\"long\""), PLUS_MAX), SS_DROP);
    cr_expect_eq(WITH_X(ARRAY("\"long\""), MINUS_MAX "\2\0"), SS_DROP);
    cr_expect_eq(WITH_X(ARRAY("\"long\""), "\3" PLUS_MAX), SS_DROP, "a block beyond the end");
    cr_expect_eq(WITH_X(ARRAY("\"long\""), "\3\1\0"), SS_DROP, "a block of negative size");
    cr_expect_eq(WITH_X(ARRAY("\"double\""), "\3\4\2\4\0"), SS_DROP, "too small for its items");
    cr_expect_eq(WITH_X(ARRAY("\"null\""), HUGE_COUNT "\0"), SS_DROP, "2^60 empty items");
    cr_expect_eq(WITH_X(ARRAY(ARRAY("\"null\"")), "\2" HUGE_COUNT "\0\0"), SS_DROP);
    cr_expect_eq(
        WITH_X(ARRAY("{\"type\": \"record\", \"name\": \"Z\", \"fields\": [{\"name\": \"n\""
                     ", \"type\": \"null\"}]}"),
               HUGE_COUNT "\0"),
        SS_DROP);
    cr_expect_eq(WITH_X(MAP("\"null\""), HUGE_COUNT "\0"), SS_DROP);
    cr_expect_eq(WITH_X(MAP("\"null\""), "\2\1\0"), SS_DROP, "a key of negative length");
    cr_expect_lt(clock() - before, CLOCKS_PER_SEC);
}

#define LIST                                                                                \
    "[\"null\", {\"type\": \"record\", \"name\": \"L\", \"fields\": [{\"name\": \"next\", " \
    "\"type\": [\"null\", \"L\"]}]}]"

Test(hostile, recursion_is_bounded)
{
    enum { SIZE = 4 << 20 };
    struct ss_plan *plan = plan_with(LIST);
    uint8_t *bytes = malloc(SIZE + sizeof REST);
    memset(bytes, 2, SIZE); /* branch 1 for ever */
    clock_t before = clock();
    cr_expect_eq(decode(plan, bytes, SIZE), SS_DROP);
    bytes[30] = 0;
    memcpy(bytes + 31, REST, sizeof REST - 1);
    cr_expect_eq(decode(plan, bytes, 31 + sizeof REST - 1), SS_OK, "thirty deep is fine");
    cr_expect_lt(clock() - before, CLOCKS_PER_SEC);
    ss_plan_close(plan);

    /* Without a way out: no value of it ever ends. */
    plan = plan_with("{\"type\": \"record\", \"name\": \"L\", \"fields\": [{\"name\": \"a\", "
                     "\"type\": \"L\"}, {\"name\": \"b\", \"type\": \"L\"}]}");
    cr_expect_eq(decode(plan, bytes, SIZE), SS_DROP);
    ss_plan_close(plan);
    free(bytes);
}

/* Each record holds the one before it twice: 2^40 parts, and as many bytes, which are not there. */
Test(hostile, doubling_types_cost_nothing)
{
    char type[8000] = "{\"type\": \"record\", \"name\": \"D0\", \"fields\": [{\"name\": \"a\", "
                      "\"type\": \"boolean\"}]}",
         next[8000], json[9000];
    struct ss_plan *plan;
    for (int i = 1; i <= 40; i++) {
        snprintf(next, sizeof next,
                 "{\"type\": \"record\", \"name\": \"D%d\", \"fields\": [{\"name\": \"a\", "
                 "\"type\": %.7800s}, {\"name\": \"b\", \"type\": \"D%d\"}]}",
                 i, type, i - 1);
        memcpy(type, next, sizeof type);
        if (i == 28) /* 64 types deep is the bound of schemas */
            break;
    }
    snprintf(json, sizeof json,
             "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"x\", \"type\": "
             "%.7999s}, {\"name\": \"event_id\", \"type\": \"string\"}, {\"name\": \"user_id\", "
             "\"type\": \"string\"}, {\"name\": \"occurred_at\", \"type\": \"long\"}, {\"name\": "
             "\"action\", \"type\": {\"type\": \"enum\", \"name\": \"A\", \"symbols\": [\"X\"]}}, "
             "{\"name\": \"friend_id\", \"type\": \"string\"}]}",
             type);
    cr_assert_eq(ss_plan_open(SS_SOCIAL, json, &plan, NULL), SS_OK);
    uint8_t bytes[4096] = {0};
    clock_t before = clock();
    cr_expect_eq(decode(plan, bytes, sizeof bytes), SS_DROP);
    cr_expect_lt(clock() - before, CLOCKS_PER_SEC / 4);
    ss_plan_close(plan);
}

/* --- schemas --- */

static void expect_no_schema(const char *json, const char *hint)
{
    struct ss_plan *plan;
    struct ss_error err = {.detail = ""};
    cr_expect_eq(ss_plan_open(SS_SOCIAL, json, &plan, &err), SS_DROP, "%.200s", json);
    cr_expect(strstr(err.detail, hint), "'%s' does not say '%s'", err.detail, hint);
}

Test(hostile, what_is_not_a_schema)
{
    static const char *const bad[] = {
        "",
        "{",
        "null",
        "17",
        "{}",
        "[[]]",
        "\"nothing\"",
        "{\"type\": 3}",
        "{\"type\": \"record\"}",
        "{\"type\": \"record\", \"name\": \"\", \"fields\": []}",
        "{\"type\": \"record\", \"name\": \"X\"}",
        "{\"type\": \"record\", \"name\": \"X\", \"fields\": {}}",
        "{\"type\": \"record\", \"name\": \"X\", \"fields\": [1]}",
        "{\"type\": \"record\", \"name\": \"X\", \"fields\": [{\"name\": \"a\"}]}",
        "{\"type\": \"record\", \"name\": \"X\", \"fields\": [{\"name\": \"a\", \"type\": "
        "\"int\"}, "
        "{\"name\": \"a\", \"type\": \"int\"}]}",
        "{\"type\": \"record\", \"name\": \"X\", \"fields\": [{\"name\": \"a\", \"type\": \"Y\"}]}",
        "{\"type\": \"enum\", \"name\": \"X\"}",
        "{\"type\": \"enum\", \"name\": \"X\", \"symbols\": [1]}",
        "{\"type\": \"enum\", \"name\": \"X\", \"symbols\": [\"A\", \"A\"]}",
        "{\"type\": \"fixed\", \"name\": \"X\"}",
        "{\"type\": \"fixed\", \"name\": \"X\", \"size\": -1}",
        "{\"type\": \"fixed\", \"name\": \"X\", \"size\": 99999999999}",
        "{\"type\": \"array\"}",
        "{\"type\": \"map\", \"items\": \"int\"}",
        "[\"int\", \"int\"]",
        "[\"int\", [\"null\"]]",
        "[{\"type\": \"fixed\", \"name\": \"X\", \"size\": 1}, {\"type\": \"fixed\", \"name\": "
        "\"X\", "
        "\"size\": 1}]",
        "[{\"type\": \"fixed\", \"name\": \"X\", \"size\": 1}, \"X\"]",
        "{\"type\": \"array\", \"items\": \"int\", \"items\": \"int\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_no_schema(bad[i], i < 3 ? "" : "not an Avro schema");
}

Test(hostile, schemas_over_the_bounds)
{
    enum { DEEP = 100000 };
    static char text[SS_SCHEMA_TEXT_MAX + 100];
    size_t used = 0;

    memset(text, '[', DEEP);
    text[DEEP] = '\0';
    expect_no_schema(text, "not JSON");
    for (int i = 0; i < 500; i++)
        used += (size_t)sprintf(text + used, "{\"type\": \"array\", \"items\": ");
    used += (size_t)sprintf(text + used, "\"int\"");
    memset(text + used, '}', 500);
    text[used + 500] = '\0';
    expect_no_schema(text, "too deeply");
    memset(text, ' ', sizeof text - 1); /* valid, but too long */
    memcpy(text, "\"string\"", 8);
    text[sizeof text - 1] = '\0';
    expect_no_schema(text, "bound");
    text[200] = '\0';
    struct ss_error err;
    struct ss_plan *plan;
    cr_expect_eq(ss_plan_open(SS_SOCIAL, text, &plan, &err), SS_DROP);
    cr_expect(strstr(err.detail, "not of a record"));
}

Test(hostile, mutated_schemas)
{
    static const char alphabet[] = "\"{}[],:0-tnrl\\\1";
    struct rng rng = {13};
    uint8_t junk[64];
    int opened = 0;
    for (int i = 0; i < 4000; i++) {
        enum ss_input input = (enum ss_input)(i % SS_INPUT_COUNT);
        json_t *writer = evolve(&rng, input, EVOLVE_ALL & ~EVOLVE_RENAME);
        char *json = json_dumps(writer, 0);
        size_t size = strlen(json);
        struct ss_plan *plan;
        for (uint64_t n = rng_below(&rng, 4); n--;) {
            size_t from = rng_below(&rng, size), to = rng_below(&rng, size);
            size_t count = rng_below(&rng, 30);
            if (rng_below(&rng, 2))
                json[from] = alphabet[rng_below(&rng, sizeof alphabet - 1)];
            else if (from + count < size && to + count < size)
                memmove(json + to, json + from, count);
        }
        enum ss_status status = ss_plan_open(input, json, &plan, NULL);
        cr_assert(status == SS_OK || status == SS_DROP);
        for (int j = 0; status == SS_OK && j < 20; j++) {
            for (size_t k = 0; k < sizeof junk; k++)
                junk[k] = (uint8_t)(rng_below(&rng, 2) ? rng_below(&rng, 8) : rng_next(&rng));
            (void)decode(plan, junk, rng_below(&rng, sizeof junk));
        }
        opened += status == SS_OK;
        ss_plan_close(plan);
        free(json);
        json_decref(writer);
    }
    cr_expect_gt(opened, 200);
}
