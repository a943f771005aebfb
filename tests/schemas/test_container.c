/* Container files: ours read by avro-c, avro-c's read by ours, and damaged ones. */
#include "helper_avro.h"
#include "schemas/container.h"
#include "schemas/varint.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/sesame-container-XXXXXX";
static char path[64];

static void make_dir(void)
{
    cr_assert(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/events.avro", dir);
}

static void remove_dir(void)
{
    unlink(path);
    rmdir(dir);
}

TestSuite(container, .init = make_dir, .fini = remove_dir);

enum { EVENTS = 3000 };

/* The i-th event of a file, the same each time it is asked for. */
static void event_of(enum ss_input input, int i, struct ss_event *event, struct event_texts *texts)
{
    struct rng rng = {(uint64_t)i * 1000 + (uint64_t)input};
    random_event(&rng, input, event, texts);
}

static void write_ours(enum ss_input input, const char *codec, int events)
{
    struct ss_container_writer *writer;
    struct ss_buffer out;
    struct ss_error err = {.detail = ""};
    ss_buffer_init(&out, 1 << 20);
    cr_assert_eq(ss_container_create(path, ss_schema_of_input(input), codec, &writer, &err), SS_OK,
                 "%s", err.detail);
    for (int i = 0; i < events; i++) {
        struct ss_event event;
        struct event_texts texts;
        struct ss_bytes body;
        uint32_t id;
        event_of(input, i, &event, &texts);
        out.size = 0;
        cr_assert_eq(ss_encode_event(1, &event, &out, NULL), SS_OK);
        cr_assert_eq(ss_wire_open((struct ss_bytes){out.data, out.size}, &id, &body, NULL), SS_OK);
        cr_assert_eq(ss_container_append(writer, body, &err), SS_OK, "%s", err.detail);
    }
    cr_assert_eq(ss_container_finish(writer, &err), SS_OK, "%s", err.detail);
    ss_buffer_reset(&out);
}

static enum ss_status open_plain(const char *file, enum ss_input input,
                                 struct ss_container_reader **reader, struct ss_error *err)
{
    uint32_t found;
    return ss_container_open(file, input, NULL, 0, reader, &found, err);
}

static void read_ours(enum ss_input input, int events)
{
    struct ss_container_reader *reader;
    struct ss_error err = {.detail = ""};
    struct ss_event event, expected;
    struct event_texts texts;
    bool end;
    cr_assert_eq(open_plain(path, input, &reader, &err), SS_OK, "%s", err.detail);
    for (int i = 0; i < events; i++) {
        cr_assert_eq(ss_container_next(reader, &event, &end, &err), SS_OK, "%s", err.detail);
        cr_assert_not(end);
        event_of(input, i, &expected, &texts);
        cr_assert(events_equal(&event, &expected));
    }
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(ss_container_next(reader, &event, &end, &err), SS_OK, "%s", err.detail);
        cr_assert(end);
    }
    ss_container_close(reader);
}

Test(container, round_trip)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        write_ours((enum ss_input)input, "null", EVENTS);
        read_ours((enum ss_input)input, EVENTS);
        write_ours((enum ss_input)input, "deflate", EVENTS);
        read_ours((enum ss_input)input, EVENTS);
    }
    write_ours(SS_PAYMENTS, "deflate", 0);
    read_ours(SS_PAYMENTS, 0);
}

Test(container, the_same_events_give_the_same_file)
{
    char *bytes[2];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        write_ours(SS_BILLS, "deflate", 100);
        FILE *file = fopen(path, "rb");
        bytes[i] = malloc(1 << 20);
        size[i] = fread(bytes[i], 1, 1 << 20, file);
        fclose(file);
    }
    cr_expect_eq(size[0], size[1]);
    cr_expect_arr_eq(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void avro_c_reads(enum ss_input input, const char *codec)
{
    static const char *const fields[] = {"event_id", "occurred_at", "amount_minor", "category"};
    avro_file_reader_t file;
    write_ours(input, codec, EVENTS);
    cr_assert_eq(avro_file_reader(path, &file), 0, "%s", avro_strerror());
    avro_schema_t schema = avro_file_reader_get_writer_schema(file);
    avro_value_t value = ref_new(schema);
    for (int i = 0; i < EVENTS; i++) {
        struct ss_event event;
        struct event_texts texts;
        event_of(input, i, &event, &texts);
        cr_assert_eq(avro_file_reader_read_value(file, &value), 0, "%s", avro_strerror());
        for (size_t j = 0; j < 4; j++) {
            struct value ours = event_value(&event, fields[j]), theirs = ref_at(&value, fields[j]);
            cr_assert_eq(ours.number, theirs.number);
            cr_assert(ours.kind != VALUE_TEXT || ours.text.size == theirs.text.size);
        }
    }
    cr_assert_neq(avro_file_reader_read_value(file, &value), 0);
    avro_value_decref(&value);
    avro_schema_decref(schema);
    avro_file_reader_close(file);
}

Test(container, avro_c_reads_ours)
{
    avro_c_reads(SS_PAYMENTS, "null");
    avro_c_reads(SS_PAYMENTS, "deflate");
}

static void avro_c_writes(enum ss_input input, const char *codec)
{
    avro_schema_t schema = ref_parse(ss_schema_of_input(input));
    avro_value_t value = ref_new(schema);
    avro_file_writer_t file;
    struct ss_buffer out;

    ss_buffer_init(&out, 1 << 20);
    unlink(path);
    cr_assert_eq(avro_file_writer_create_with_codec(path, schema, &file, codec, 16384), 0, "%s",
                 avro_strerror());
    for (int i = 0; i < EVENTS; i++) {
        struct ss_event event;
        struct event_texts texts;
        event_of(input, i, &event, &texts);
        out.size = 0;
        cr_assert_eq(ss_encode_event(1, &event, &out, NULL), SS_OK);
        struct ss_bytes body = {out.data + SS_WIRE_HEADER_SIZE, out.size - SS_WIRE_HEADER_SIZE};
        cr_assert(ref_read(&value, body));
        cr_assert_eq(avro_file_writer_append_value(file, &value), 0);
    }
    cr_assert_eq(avro_file_writer_close(file), 0);
    avro_value_decref(&value);
    avro_schema_decref(schema);
    ss_buffer_reset(&out);
}

Test(container, avro_c_writes_for_ours)
{
    avro_c_writes(SS_BILLS, "null");
    read_ours(SS_BILLS, EVENTS);
    avro_c_writes(SS_BILLS, "deflate");
    read_ours(SS_BILLS, EVENTS);
}

Test(container, snappy_is_read_or_refused_by_name)
{
    struct ss_container_reader *reader;
    struct ss_container_writer *writer;
    struct ss_error err = {.detail = ""};
    avro_c_writes(SS_BILLS, "snappy");
    if (open_plain(path, SS_BILLS, &reader, &err) == SS_OK) {
        ss_container_close(reader);
        read_ours(SS_BILLS, EVENTS);
    } else {
        cr_expect(strstr(err.detail, "snappy"));
    }
    cr_expect_eq(ss_container_create(path, ss_schema_of_input(SS_BILLS), "snappy", &writer, &err),
                 SS_STOP);
    cr_expect_eq(ss_container_create(path, ss_schema_of_input(SS_BILLS), "lzma", &writer, &err),
                 SS_STOP);
}

/* Three records, of which the second has a status that we do not know. */
Test(container, a_record_that_cannot_be_read_is_dropped_and_passed)
{
    static const char schema[] =
        "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"event_id\", \"type\": "
        "\"string\"}, {\"name\": \"user_id\", \"type\": \"string\"}, {\"name\": \"occurred_at\", "
        "\"type\": \"long\"}, {\"name\": \"action\", \"type\": {\"type\": \"enum\", \"name\": "
        "\"A\", "
        "\"symbols\": [\"FRIEND_ADDED\", \"BLOCKED\"]}}, {\"name\": \"friend_id\", \"type\": "
        "\"string\"}]}";
    struct ss_container_writer *writer;
    struct ss_container_reader *reader;
    struct ss_error err = {.detail = ""};
    struct ss_event event;
    bool end;
    cr_assert_eq(ss_container_create(path, schema, "deflate", &writer, &err), SS_OK, "%s",
                 err.detail);
    cr_assert_eq(ss_container_append(writer, (struct ss_bytes){"\2a\2u\2\0\2f", 8}, &err), SS_OK);
    cr_assert_eq(ss_container_append(writer, (struct ss_bytes){"\2b\2u\2\2\2f", 8}, &err), SS_OK);
    cr_assert_eq(ss_container_append(writer, (struct ss_bytes){"\2c\2u\2\0\2f", 8}, &err), SS_OK);
    cr_assert_eq(ss_container_finish(writer, &err), SS_OK);

    cr_assert_eq(open_plain(path, SS_SOCIAL, &reader, &err), SS_OK, "%s", err.detail);
    cr_expect_eq(ss_container_next(reader, &event, &end, &err), SS_OK);
    cr_expect_eq(event.event_id.data[0], 'a');
    cr_expect_eq(ss_container_next(reader, &event, &end, &err), SS_DROP);
    cr_expect(strstr(err.detail, "action"));
    cr_expect_eq(ss_container_next(reader, &event, &end, &err), SS_OK);
    cr_expect_eq(event.event_id.data[0], 'c');
    cr_expect_eq(ss_container_next(reader, &event, &end, &err), SS_OK);
    cr_expect(end);
    ss_container_close(reader);
}

/* Reads a file of these bytes to its end or to the first SS_STOP; how many events came out intact.
 */
static int read_damaged(const char *bytes, size_t size, enum ss_status *last)
{
    struct ss_container_reader *reader;
    struct ss_event event, expected;
    struct event_texts texts;
    struct ss_error err = {.detail = ""};
    bool end = false;
    int intact = 0, i = 0;

    FILE *file = fopen(path, "wb");
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
    *last = open_plain(path, SS_BILLS, &reader, &err);
    if (*last != SS_OK) {
        cr_assert_eq(*last, SS_STOP);
        return 0;
    }
    do {
        *last = ss_container_next(reader, &event, &end, &err);
        if (*last == SS_OK && !end) {
            event_of(SS_BILLS, i, &expected, &texts);
            intact += events_equal(&event, &expected);
        }
        i++;
    } while (!end && *last != SS_STOP);
    if (*last == SS_STOP) {
        cr_assert(strstr(err.detail, "damaged"), "%s", err.detail);
        cr_assert_eq(ss_container_next(reader, &event, &end, &err), SS_STOP, "it stays so");
    }
    ss_container_close(reader);
    return intact;
}

Test(container, damaged_files)
{
    char *bytes = malloc(1 << 20), *copy = malloc(1 << 20);
    struct rng rng = {5};
    int stops = 0;
    for (int codec = 0; codec < 2; codec++) {
        enum ss_status last;
        write_ours(SS_BILLS, codec ? "deflate" : "null", 1500);
        FILE *file = fopen(path, "rb");
        size_t size = fread(bytes, 1, 1 << 20, file);
        fclose(file);

        cr_assert_eq(read_damaged(bytes, size, &last), 1500);
        for (int i = 0; i < 100; i++) { /* cut off anywhere but between two blocks */
            size_t cut = rng_below(&rng, size);
            cr_assert_lt(read_damaged(bytes, cut, &last), 1500);
            stops += last == SS_STOP;
        }
        for (int i = 0; i < 200; i++) {
            memcpy(copy, bytes, size);
            for (int n = 0; n < 3; n++)
                copy[rng_below(&rng, size)] ^= (char)(1 << rng_below(&rng, 8));
            (void)read_damaged(copy, size, &last);
            cr_assert(last == SS_STOP || last == SS_OK || last == SS_DROP);
        }
        memcpy(copy, bytes, size);
        copy[size - 1] ^= 1; /* the last sync marker */
        cr_expect_lt(read_damaged(copy, size, &last), 1500);
        cr_expect_eq(last, SS_STOP);
    }
    cr_expect_gt(stops, 195);
    free(bytes);
    free(copy);
}

Test(container, files_that_are_none)
{
    struct ss_container_reader *reader;
    struct ss_container_writer *writer;
    struct ss_error err = {.detail = ""};
    enum ss_status last;
    cr_expect_eq(open_plain("/nonexistent/x.avro", SS_BILLS, &reader, &err), SS_STOP);
    cr_expect(strstr(err.detail, "/nonexistent/x.avro"));
    cr_expect_eq(ss_container_create("/nonexistent/x.avro", ss_schema_of_input(SS_BILLS), "null",
                                     &writer, &err),
                 SS_STOP);
    cr_expect_eq(ss_container_create(path, "{\"type\": \"nothing\"}", "null", &writer, &err),
                 SS_STOP);
    (void)read_damaged("", 0, &last);
    cr_expect_eq(last, SS_STOP);
    (void)read_damaged("PK\3\4 something else", 18, &last);
    cr_expect_eq(last, SS_STOP);
    /* a metadata map of 2^60 entries, and a key of that length */
    (void)read_damaged("Obj\1\x80\x80\x80\x80\x80\x80\x80\x80\x20", 13, &last);
    cr_expect_eq(last, SS_STOP);
    (void)read_damaged("Obj\1\2\x80\x80\x80\x80\x80\x80\x80\x80\x20", 14, &last);
    cr_expect_eq(last, SS_STOP);
    write_ours(SS_SOCIAL, "null", 3);
    cr_expect_eq(open_plain(path, SS_BILLS, &reader, &err), SS_STOP, "another topic's file");
    cr_expect(strstr(err.detail, "status"), "%s", err.detail);
}

Test(container, a_disk_that_is_full_is_noticed)
{
    struct ss_container_writer *writer;
    struct ss_error err = {.detail = ""};
    static char body[100000];
    if (access("/dev/full", W_OK) != 0)
        cr_skip_test("no /dev/full");
    enum ss_status status =
        ss_container_create("/dev/full", ss_schema_of_input(SS_SOCIAL), "null", &writer, &err);
    if (status == SS_OK) {
        (void)!ss_container_append(writer, (struct ss_bytes){body, sizeof body}, &err);
        status = ss_container_finish(writer, &err);
    }
    cr_expect_eq(status, SS_STOP);
    cr_expect(strstr(err.detail, "/dev/full"));
}

#if __has_include(<zstd.h>)
#include <zstd.h>

/* A file of ours, its only block compressed anew. */
Test(container, zstandard_is_read)
{
    static const char old_codec[] = "\x14"
                                    "avro.codec"
                                    "\x08"
                                    "null";
    static const char new_codec[] = "\x14"
                                    "avro.codec"
                                    "\x12"
                                    "zstandard";
    static uint8_t from[1 << 16], to[1 << 17], packed[1 << 16];
    struct ss_container_reader *reader;
    struct ss_error err = {.detail = ""};
    struct ss_event event;
    int64_t count, bytes;
    bool end;
    write_ours(SS_BILLS, "null", 20);
    FILE *file = fopen(path, "rb");
    const size_t size = fread(from, 1, sizeof from, file);
    fclose(file);
    const uint8_t *codec = memmem(from, size, old_codec, sizeof old_codec - 1);
    const uint8_t *rest = codec + sizeof old_codec - 1;
    const uint8_t *sync = from + size - 16, *block = memmem(rest, size, sync, 16);
    cr_assert(codec && block && block < sync, "one block");
    block += 16;
    uint8_t *p = mempcpy(to, from, (size_t)(codec - from));
    p = mempcpy(p, new_codec, sizeof new_codec - 1);
    p = mempcpy(p, rest, (size_t)(block - rest));
    cr_assert(ss_varint_read(&block, sync, &count) && ss_varint_read(&block, sync, &bytes));
    const size_t packed_size = ZSTD_compress(packed, sizeof packed, block, (size_t)bytes, 3);
    cr_assert(!ZSTD_isError(packed_size));
    p = ss_varint_write(ss_varint_write(p, count), (int64_t)packed_size);
    uint8_t *middle = p + packed_size / 2;
    p = mempcpy(mempcpy(p, packed, packed_size), sync, 16);
    for (int damaged = 0; damaged < 2; damaged++) {
        *middle ^= damaged ? 0x55 : 0;
        file = fopen(path, "wb");
        cr_assert_eq(fwrite(to, 1, (size_t)(p - to), file), (size_t)(p - to));
        fclose(file);
        if (!damaged)
            read_ours(SS_BILLS, 20);
    }
    cr_assert_eq(open_plain(path, SS_BILLS, &reader, &err), SS_OK, "%s", err.detail);
    enum ss_status status = SS_OK;
    for (int i = 0; i < 20 && status != SS_STOP; i++)
        status = ss_container_next(reader, &event, &end, &err);
    cr_expect(status == SS_STOP || !end); /* a frame has no checksum unless its writer wants one */
    ss_container_close(reader);
}
#endif
