#include "tests/audit/helper_logs.h"

#include "consumer/partitioner.h"
#include "schemas/codec.h"
#include "schemas/container.h"
#include "schemas/encode.h"
#include "scoring/apply.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

const char *logs_directory(void)
{
    snprintf(directory, sizeof directory, "/tmp/test-audit-logs-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    return directory;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void logs_remove(void)
{
    if (*directory)
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    *directory = '\0';
}

const char *logs_path(const char *format, ...)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    va_list args;
    int used = snprintf(path, sizeof paths[0], "%s/", directory);
    va_start(args, format);
    vsnprintf(path + used, sizeof paths[0] - (size_t)used, format, args);
    va_end(args);
    return path;
}

struct ss_source *logs_source(int32_t partitions)
{
    const struct ss_source_config config = {.directory = directory, .partition_count = partitions};
    struct ss_source *source;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_source_open(&config, &source, &err), SS_OK, "%s", err.detail);
    return source;
}

static struct ss_container_writer *create(const char *path, const char *schema, const char *codec)
{
    struct ss_container_writer *writer;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_container_create(path, schema, codec, &writer, &err), SS_OK, "%s", err.detail);
    return writer;
}

static void finish(struct ss_container_writer *writer)
{
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_container_finish(writer, &err), SS_OK, "%s", err.detail);
}

static void append_body(struct ss_container_writer *writer, struct ss_bytes body,
                        const int64_t *extras, size_t extra_count)
{
    struct ss_buffer bytes;
    struct ss_error err = {.detail = ""};
    ss_buffer_init(&bytes, 1 << 16);
    cr_assert(ss_buffer_append(&bytes, body.data, body.size));
    for (size_t i = 0; i < extra_count; i++) { /* ["null", "long"] */
        uint8_t number[SS_VARINT_MAX + 1];
        uint8_t *end = ss_varint_write(number, 1);
        end = ss_varint_write(end, extras[i]);
        cr_assert(ss_buffer_append(&bytes, number, (size_t)(end - number)));
    }
    cr_assert_eq(ss_container_append(writer, (struct ss_bytes){bytes.data, bytes.size}, &err),
                 SS_OK, "%s", err.detail);
    ss_buffer_reset(&bytes);
}

/* A value in the wire format, which it takes. */
static void append_value(struct ss_container_writer *writer, struct ss_buffer *value,
                         const int64_t *extras, size_t extra_count)
{
    append_body(
        writer,
        (struct ss_bytes){value->data + SS_WIRE_HEADER_SIZE, value->size - SS_WIRE_HEADER_SIZE},
        extras, extra_count);
    ss_buffer_reset(value);
}

static void append(struct ss_container_writer *writer, const struct ss_event *event,
                   const int64_t *extras, size_t extra_count)
{
    struct ss_buffer bytes;
    struct ss_error err = {.detail = ""};
    ss_buffer_init(&bytes, 1 << 16);
    cr_assert_eq(ss_encode_event(1, event, &bytes, &err), SS_OK, "%s", err.detail);
    append_value(writer, &bytes, extras, extra_count);
}

/* A schema with the three fields that InsertField adds. */
static char *inserted(const char *ours)
{
    static const char *const names[] = {"kafka_partition", "kafka_offset", "kafka_timestamp"};
    json_t *schema = json_loads(ours, 0, NULL);
    cr_assert_not_null(schema);
    for (int i = 0; i < 3; i++)
        json_array_append_new(
            json_object_get(schema, "fields"),
            json_pack("{s:s, s:[s, s], s:n}", "name", names[i], "type", "null", "long", "default"));
    char *text = json_dumps(schema, 0);
    json_decref(schema);
    return text;
}

void logs_archive(const char *path, enum ss_input input, int32_t partition,
                  const struct logged *events, size_t count)
{
    char *schema = inserted(ss_schema_of_input(input));
    struct ss_container_writer *writer = create(path, schema, "deflate");
    for (size_t i = 0; i < count; i++) {
        const int64_t extras[] = {partition, events[i].offset, events[i].timestamp_ms};
        append(writer, &events[i].event, extras, 3);
    }
    finish(writer);
    free(schema);
}

void logs_archive_values(const char *path, const char *schema, struct logged_value *values,
                         size_t count)
{
    char *with_places = inserted(schema);
    struct ss_container_writer *writer = create(path, with_places, "deflate");
    for (size_t i = 0; i < count; i++) {
        const int64_t extras[] = {0, values[i].offset, values[i].timestamp_ms};
        append_value(writer, &values[i].value, extras, 3);
    }
    finish(writer);
    free(with_places);
}

void logs_archive_published(const char *path, enum ss_output output, int32_t partition,
                            const struct ss_published_record *records, size_t count)
{
    char *schema = inserted(ss_schema_of_output(output));
    struct ss_container_writer *writer = create(path, schema, "deflate");
    for (size_t i = 0; i < count; i++) {
        const int64_t extras[] = {partition, records[i].offset, records[i].timestamp_ms};
        append_body(writer, records[i].body, extras, 3);
    }
    finish(writer);
    free(schema);
}

void logs_plain(const char *path, enum ss_input input, const struct ss_event *events, size_t count)
{
    logs_plain_by(path, ss_schema_of_input(input), events, count);
}

void logs_plain_by(const char *path, const char *schema, const struct ss_event *events,
                   size_t count)
{
    struct ss_container_writer *writer = create(path, schema, "null");
    for (size_t i = 0; i < count; i++)
        append(writer, &events[i], NULL, 0);
    finish(writer);
}

struct ss_text logs_text(const char *text)
{
    return (struct ss_text){text, (uint32_t)strlen(text)};
}

static struct ss_text keep(const char *text)
{
    return logs_text(strdup(text)); /* for as long as the process lives */
}

struct ss_event logs_event(enum ss_input input, const char *user, const char *id, int64_t at_ms)
{
    struct ss_event event = {
        .input = input, .user_id = keep(user), .event_id = keep(id), .occurred_at_ms = at_ms};
    if (input == SS_CONSENTS)
        event.consent =
            (struct ss_consent){.action = SS_CONSENT_GRANTED, .purpose = SS_PURPOSE_SCORING};
    if (input == SS_PAYMENTS)
        event.payment = (struct ss_payment){.amount_minor = 100, .currency = logs_text("CNY")};
    return event;
}

void logs_plain_newer(const char *path, size_t count)
{
    const char *ours = ss_schema_of_input(SS_PAYMENTS), *symbol = "\"CHARGED_BACK\"";
    const char *at = strstr(ours, symbol);
    struct ss_event *events = calloc(count, sizeof *events);
    char schema[8192], id[32];
    cr_assert_not_null(at);
    const int head = (int)(at - ours) + (int)strlen(symbol);
    const int length =
        snprintf(schema, sizeof schema, "%.*s,\"PENDING\"%s", head, ours, ours + head);
    cr_assert_lt(length, (int)sizeof schema);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "p%zu", i);
        events[i] = logs_event(SS_PAYMENTS, "ann", id, LOGS_BEGIN + (int64_t)i * 1000);
    }
    cr_assert_gt(count, 2);
    events[2].payment.status = (enum ss_payment_status)(SS_PAYMENT_CHARGED_BACK + 1);
    logs_plain_by(path, schema, events, count);
    free(events);
}

static uint32_t random_below(uint64_t *seed, uint32_t bound)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % bound;
}

static void fill(struct ss_event *event, uint64_t *seed, int i)
{
    char text[32];
    snprintf(text, sizeof text, "x%u", random_below(seed, 6));
    switch (event->input) {
    case SS_PAYMENTS:
        event->payment.category = (enum ss_payment_category)random_below(seed, SS_CATEGORY_COUNT);
        event->payment.amount_minor = random_below(seed, 100000);
        event->payment.status =
            random_below(seed, 20) ? SS_PAYMENT_SETTLED : SS_PAYMENT_CHARGED_BACK;
        break;
    case SS_BILLS:
        event->bill = (struct ss_bill){
            .status = random_below(seed, 2) ? SS_BILL_ISSUED : SS_BILL_PAID,
            .kind = SS_BILL_UTILITY,
            .bill_id = keep(text),
            .amount_minor = random_below(seed, 50000),
            .currency = logs_text("CNY"),
            .due_at_ms = event->occurred_at_ms + LOGS_DAY * (1 + random_below(seed, 30))};
        break;
    case SS_BOOKINGS:
        event->booking = (struct ss_booking){
            .status = (enum ss_booking_status)random_below(seed, 4), .booking_id = keep(text)};
        break;
    case SS_SOCIAL:
        event->social = (struct ss_social){.action = SS_FRIEND_ADDED, .friend_id = keep(text)};
        break;
    case SS_PROFILES:
        event->profile = (struct ss_profile){
            .action = SS_PROFILE_VERIFIED, .fact = SS_FACT_PHONE, .opened_at_ms = SS_TIME_UNKNOWN};
        break;
    case SS_CONSENTS:
        event->consent.action =
            i > 100 && random_below(seed, 3) == 0 ? SS_CONSENT_WITHDRAWN : SS_CONSENT_GRANTED;
        break;
    case SS_BLACKLIST:
        event->listing = (struct ss_listing){
            .action = random_below(seed, 3) ? SS_LISTED : SS_DELISTED, .case_id = keep(text)};
        break;
    default:
        break;
    }
}

struct ss_event *logs_history(int users, int events, size_t *count)
{
    /* likelier than others, one after the other: the inputs of a life */
    static const enum ss_input inputs[] = {SS_PAYMENTS, SS_PAYMENTS, SS_PAYMENTS, SS_BILLS,
                                           SS_BILLS,    SS_BOOKINGS, SS_SOCIAL,   SS_PROFILES,
                                           SS_PAYMENTS, SS_BILLS,    SS_CONSENTS, SS_BLACKLIST};
    struct ss_event *all = calloc((size_t)(users + events), sizeof *all);
    uint64_t seed = 7;
    int64_t now_ms = LOGS_BEGIN;
    *count = 0;
    for (int i = 0; i < users + events; i++) {
        char user[32], id[32];
        int who = i < users ? i : (int)random_below(&seed, (uint32_t)users);
        uint32_t kind = random_below(&seed, 40); /* consents and listings are rare */
        enum ss_input input = i < users   ? SS_CONSENTS
                              : kind < 12 ? inputs[kind]
                                          : inputs[kind % 10];
        snprintf(user, sizeof user, "user-%d", who);
        snprintf(id, sizeof id, "e%d", i);
        now_ms += i < users ? 0 : random_below(&seed, 4 * 3600 * 1000);
        struct ss_event *event = &all[(*count)++];
        *event = logs_event(input, user, id, now_ms);
        fill(event, &seed, i < users ? 0 : i);
    }
    return all;
}

void logs_archive_history(const char *into, const struct ss_event *events, size_t count,
                          int32_t partitions, size_t file_events)
{
    struct logged *logged = calloc(count, sizeof *logged);
    for (int32_t p = 0; p < partitions; p++)
        for (int input = 0; input < SS_INPUT_COUNT; input++) {
            size_t used = 0;
            int64_t offset = 0;
            for (size_t i = 0; i < count; i++) {
                struct ss_bytes key = {events[i].user_id.data, events[i].user_id.size};
                if ((int)events[i].input != input || ss_partition_of(key, partitions) != p)
                    continue;
                logged[used++] = (struct logged){events[i], offset, events[i].occurred_at_ms};
                offset += used % 50 == 0 ? 2 : 1;
            }
            for (size_t from = 0; from < used; from += file_events) {
                const char *topic = ss_input_name((enum ss_input)input);
                char path[512];
                snprintf(path, sizeof path, "%s/%s", into, topic);
                mkdir(path, 0700);
                snprintf(path, sizeof path, "%s/%s/partition=%d", into, topic, p);
                mkdir(path, 0700);
                snprintf(path, sizeof path, "%s/%s/partition=%d/%s+%d+%010lld.avro", into, topic, p,
                         topic, p, (long long)logged[from].offset);
                logs_archive(path, (enum ss_input)input, p, logged + from,
                             used - from < file_events ? used - from : file_events);
            }
        }
    free(logged);
}

void logs_plain_history(const char *into, const struct ss_event *events, size_t count)
{
    struct ss_event *some = calloc(count, sizeof *some);
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        char path[512];
        size_t used = 0;
        for (size_t i = 0; i < count; i++)
            if ((int)events[i].input == input)
                some[used++] = events[i];
        snprintf(path, sizeof path, "%s/%s.avro", into, ss_input_name((enum ss_input)input));
        logs_plain(path, (enum ss_input)input, some, used);
    }
    free(some);
}
