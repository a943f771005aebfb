/* Archived logs as a bus: the interleaving, what is left out, and the whole through a worker. */
#include "consumer/files_bus.h"

#include "helper_worker.h"
#include "schemas/container.h"
#include "state/memory_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_EVENTS_MAX = 32, SEEN_MAX = 128 };

static char directory[64];

static void make_directory(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%.40s/sesame-files-XXXXXX", parent ? parent : "/tmp");
    cr_assert_not_null(mkdtemp(directory));
}

static const char *path_of(enum ss_input input)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s.avro", directory, ss_input_name(input));
    return path;
}

static void remove_directory(void)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        unlink(path_of((enum ss_input)input));
    cr_assert_eq(rmdir(directory), 0);
}

TestSuite(files_bus, .init = make_directory, .fini = remove_directory);

/* --- files --- */

static struct ss_text text(const char *s)
{
    return (struct ss_text){s, (uint32_t)strlen(s)};
}

/* An event so many seconds after the beginning; the id says which. */
static struct ss_event event_at(enum ss_input input, const char *user, int second, const char *id)
{
    struct ss_event event = {.input = input,
                             .user_id = text(user),
                             .event_id = text(id),
                             .occurred_at_ms = RIG_TIME + second * 1000};
    switch (input) {
    case SS_PAYMENTS:
        event.payment = (struct ss_payment){.amount_minor = 5000, .currency = text("CNY")};
        break;
    case SS_CONSENTS:
        event.consent = (struct ss_consent){.purpose = SS_PURPOSE_SCORING};
        break;
    case SS_SOCIAL: /* everybody here has one friend */
        event.social = (struct ss_social){SS_FRIEND_ADDED, text(*user == 'u' ? "v" : "u")};
        break;
    case SS_BOOKINGS:
        event.booking = (struct ss_booking){.booking_id = text("b")};
        break;
    default:
        event.listing = (struct ss_listing){.case_id = text("case"), .authority = text("court")};
    }
    return event;
}

static void write_with(enum ss_input input, const char *schema, const struct ss_event *events,
                       size_t count)
{
    struct ss_container_writer *writer;
    struct ss_buffer bytes;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_container_create(path_of(input), schema, "deflate", &writer, &err), SS_OK, "%s",
                 err.detail);
    ss_buffer_init(&bytes, 1 << 16);
    for (size_t i = 0; i < count; i++) {
        bytes.size = 0;
        cr_assert_eq(ss_encode_event(1, &events[i], &bytes, &err), SS_OK, "%s", err.detail);
        struct ss_bytes body = {bytes.data + SS_WIRE_HEADER_SIZE, bytes.size - SS_WIRE_HEADER_SIZE};
        cr_assert_eq(ss_container_append(writer, body, &err), SS_OK, "%s", err.detail);
    }
    ss_buffer_reset(&bytes);
    cr_assert_eq(ss_container_finish(writer, &err), SS_OK, "%s", err.detail);
}

#define WRITE(input, ...)                                                                \
    write_with(input, ss_schema_of_input(input), (const struct ss_event[]){__VA_ARGS__}, \
               sizeof((const struct ss_event[]){__VA_ARGS__}) / sizeof(struct ss_event))

/* --- reading --- */

struct seen {
    enum ss_input input;
    int64_t offset;
    bool readable;
    struct ss_event event; /* its texts lie in `texts` */
    char texts[2][40];
};

static struct ss_bus *open_bus(const struct ss_files_config *config)
{
    struct ss_bus *bus = NULL;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_files_open(config, &bus, &err), SS_OK, "%s", err.detail);
    return bus;
}

static void copy(char out[40], struct ss_text from)
{
    snprintf(out, 40, "%.*s", (int)from.size, from.data);
}

static void see(const struct ss_record *record, struct seen *seen)
{
    struct ss_plan *plan;
    struct ss_bytes body;
    uint32_t id;
    *seen = (struct seen){record->input, record->offset, record->value.data != NULL, {0}, {""}};
    if (!seen->readable)
        return;
    cr_assert_eq(ss_wire_open(record->value, &id, &body, NULL), SS_OK);
    cr_assert_eq(id, (uint32_t)record->input + 1);
    cr_assert_eq(ss_plan_open(record->input, ss_schema_of_input(record->input), &plan, NULL),
                 SS_OK);
    cr_assert_eq(ss_plan_decode(plan, body, &seen->event, NULL), SS_OK);
    ss_plan_close(plan);
    struct ss_text user = seen->event.user_id;
    cr_assert(ss_bytes_equal(record->key, (struct ss_bytes){user.data, user.size}));
    copy(seen->texts[0], seen->event.user_id);
    copy(seen->texts[1], seen->event.event_id);
}

/* Everything that comes, in polls of so many records. */
static size_t read_all(const struct ss_files_config *config, size_t at_once, struct seen *seen)
{
    struct ss_bus *bus = open_bus(config);
    struct ss_poll poll;
    struct ss_error err = {.detail = ""};
    size_t count = 0;
    cr_assert_eq(bus->ops->poll(bus, at_once, 0, &poll, &err), SS_OK);
    cr_assert_eq(poll.event, SS_BUS_ASSIGNED);
    cr_assert_eq(bus->partition_count, 1);
    cr_assert(!ss_files_end(bus));
    for (;;) {
        cr_assert_eq(bus->ops->poll(bus, at_once, 0, &poll, &err), SS_OK, "%s", err.detail);
        if (poll.event == SS_BUS_NOTHING)
            break;
        cr_assert_leq(poll.record_count, at_once);
        for (size_t i = 0; i < poll.record_count; i++) {
            cr_assert_lt(count, SEEN_MAX);
            see(&poll.records[i], &seen[count++]);
        }
    }
    cr_assert(ss_files_end(bus));
    bus->ops->close(bus);
    return count;
}

/* The event ids in the order of delivery, with offsets: "a@0 b@1". */
static const char *order_of(const struct ss_files_config *config, size_t at_once)
{
    static char order[1024];
    struct seen seen[SEEN_MAX];
    size_t count = read_all(config, at_once, seen), used = 0;
    order[0] = '\0';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(order + used, sizeof order - used, "%s%s@%d", i ? " " : "",
                                 seen[i].readable ? seen[i].texts[1] : "?", (int)seen[i].offset);
    return order;
}

static struct ss_files_config whole(void)
{
    return (struct ss_files_config){.directory = directory, .until_ms = INT64_MAX};
}

Test(files_bus, merges_by_time_and_breaks_ties_consents_first)
{
    WRITE(SS_PAYMENTS, event_at(SS_PAYMENTS, "u", 1, "p1"), event_at(SS_PAYMENTS, "u", 5, "p5"),
          event_at(SS_PAYMENTS, "u", 9, "p9"));
    WRITE(SS_BOOKINGS, event_at(SS_BOOKINGS, "u", 5, "k5"), event_at(SS_BOOKINGS, "u", 6, "k6"));
    WRITE(SS_CONSENTS, event_at(SS_CONSENTS, "u", 0, "c0"), event_at(SS_CONSENTS, "u", 5, "c5"));
    WRITE(SS_BLACKLIST, event_at(SS_BLACKLIST, "u", 5, "l5"));
    struct ss_files_config config = whole();
    const char *expected = "c0@0 p1@0 c5@1 l5@0 p5@1 k5@0 k6@1 p9@2";
    for (size_t at_once = 1; at_once < 10; at_once++)
        cr_assert_str_eq(order_of(&config, at_once), expected, "in polls of %zu", at_once);
}

Test(files_bus, keeps_each_file_in_its_own_order)
{
    WRITE(SS_PAYMENTS, event_at(SS_PAYMENTS, "u", 7, "p7"), event_at(SS_PAYMENTS, "u", 3, "p3"));
    WRITE(SS_BOOKINGS, event_at(SS_BOOKINGS, "u", 4, "k4"), event_at(SS_BOOKINGS, "u", 8, "k8"));
    struct ss_files_config config = whole();
    cr_assert_str_eq(order_of(&config, 100), "k4@0 p7@0 p3@1 k8@1");
}

Test(files_bus, leaves_out_what_is_later_and_counts_it_in_the_offsets)
{
    WRITE(SS_PAYMENTS, event_at(SS_PAYMENTS, "u", 1, "p1"), event_at(SS_PAYMENTS, "u", 9, "p9"),
          event_at(SS_PAYMENTS, "u", 5, "p5"), event_at(SS_PAYMENTS, "u", 6, "p6"));
    struct ss_files_config config = whole();
    config.until_ms = RIG_TIME + 5000;
    cr_assert_str_eq(order_of(&config, 100), "p1@0 p5@2");
}

Test(files_bus, assumes_consent_of_those_alone_who_have_no_consent_record)
{
    WRITE(SS_PAYMENTS, event_at(SS_PAYMENTS, "new", 1, "p1"), event_at(SS_PAYMENTS, "old", 2, "p2"),
          event_at(SS_PAYMENTS, "new", 3, "p3"));
    WRITE(SS_CONSENTS, event_at(SS_CONSENTS, "old", 8, "c8"));
    WRITE(SS_BLACKLIST, event_at(SS_BLACKLIST, "listed", 0, "l0"));
    struct ss_files_config config = whole();
    struct seen seen[SEEN_MAX];
    config.assume_consent = true;
    cr_assert_str_eq(order_of(&config, 1), "l0@0 assumed@0 p1@0 p2@1 p3@2 c8@1");
    read_all(&config, 100, seen);
    cr_assert_eq(seen[1].input, SS_CONSENTS);
    cr_assert_str_eq(seen[1].texts[0], "new");
    cr_assert_eq(seen[1].event.occurred_at_ms, RIG_TIME + 1000);
    cr_assert_eq(seen[1].event.consent.action, SS_CONSENT_GRANTED);
    cr_assert_eq(seen[1].event.consent.purpose, SS_PURPOSE_SCORING);
}

/* A payments file of a newer program: its third record has a status that ours does not know. */
static void write_with_an_unknown_status(void)
{
    const char *ours = ss_schema_of_input(SS_PAYMENTS), *symbol = "\"CHARGED_BACK\"";
    const char *at = strstr(ours, symbol);
    cr_assert_not_null(at);
    size_t head = (size_t)(at - ours) + strlen(symbol);
    char *schema = malloc(strlen(ours) + 20);
    sprintf(schema, "%.*s,\"PENDING\"%s", (int)head, ours, ours + head);
    struct ss_event events[] = {
        event_at(SS_PAYMENTS, "u", 1, "p1"), event_at(SS_PAYMENTS, "u", 2, "p2"),
        event_at(SS_PAYMENTS, "u", 3, "p3"), event_at(SS_PAYMENTS, "u", 4, "p4")};
    events[2].payment.status = (enum ss_payment_status)3;
    write_with(SS_PAYMENTS, schema, events, 4);
    free(schema);
}

Test(files_bus, delivers_what_cannot_be_read_in_its_place_without_a_value)
{
    write_with_an_unknown_status();
    struct ss_files_config config = whole();
    cr_assert_str_eq(order_of(&config, 100), "p1@0 p2@1 ?@2 p4@3");
    cr_assert_str_eq(order_of(&config, 3), "p1@0 p2@1 ?@2 p4@3");
}

Test(files_bus, stops_at_a_directory_that_has_nothing_to_read)
{
    struct ss_files_config config = whole();
    struct ss_bus *bus;
    struct ss_error err;
    cr_assert_eq(ss_files_open(&config, &bus, &err), SS_STOP);
    cr_assert(strstr(err.detail, "payments.avro"), "%s", err.detail);
    config.directory = "/nowhere";
    cr_assert_eq(ss_files_open(&config, &bus, &err), SS_STOP);
    cr_assert(strstr(err.detail, "/nowhere"), "%s", err.detail);
}

Test(files_bus, stops_at_a_file_that_is_cut_off)
{
    WRITE(SS_PAYMENTS, event_at(SS_PAYMENTS, "u", 1, "p1"));
    FILE *file = fopen(path_of(SS_PAYMENTS), "r+b");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    cr_assert_eq(ftruncate(fileno(file), ftell(file) - 5), 0);
    fclose(file);
    struct ss_files_config config = whole();
    struct ss_bus *bus;
    struct ss_error err;
    cr_assert_eq(ss_files_open(&config, &bus, &err), SS_STOP);
}

/* --- through a worker --- */

static enum ss_status collect(void *arg, enum ss_target target, struct ss_bytes key,
                              struct ss_bytes value, struct ss_error *err)
{
    struct ss_buffer *out = arg;
    uint8_t kind = (uint8_t)target;
    (void)err;
    cr_assert(ss_buffer_append(out, &kind, 1) && ss_buffer_append(out, key.data, key.size) &&
              ss_buffer_append(out, value.data, value.size));
    return SS_OK;
}

static bool assume_consent;
static struct ss_counts social_counts, neighbour_counts; /* of the newest replay */

/* What a worker publishes of the files, in batches of so many records; *counts of payments. */
static struct ss_buffer replay(size_t at_once, struct ss_counts *payments)
{
    struct rig rig;
    struct ss_buffer out;
    struct ss_error err = {.detail = ""};
    struct ss_files_config config = whole();
    ss_buffer_init(&out, 1 << 20);
    config.sink = collect;
    config.sink_arg = &out;
    config.assume_consent = assume_consent;
    rig_open(&rig, 1);
    ss_worker_close(rig.worker);
    rig.config.bus = open_bus(&config);
    rig.config.limits.batch_records_max = at_once;
    rig.config.limits.event_time = rig.config.limits.in_order = true;
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK);
    for (int steps = 0; !ss_files_end(rig.config.bus); steps++) {
        bool idle;
        cr_assert_lt(steps, 1000);
        cr_assert_eq(rig_step(&rig, &idle, &err), SS_OK, "%s", err.detail);
    }
    *payments = rig.stats.counts[SS_PAYMENTS];
    social_counts = rig.stats.counts[SS_SOCIAL];
    neighbour_counts = rig.stats.counts[SS_NEIGHBOURS];
    struct ss_bus *bus = rig.config.bus;
    rig_close(&rig); /* the worker first */
    bus->ops->close(bus);
    return out;
}

Test(files_bus, gives_the_same_bytes_in_batches_of_any_size)
{
    struct ss_event consents[FILE_EVENTS_MAX];
    static char users[3][8], ids[FILE_EVENTS_MAX][8];
    struct ss_counts counts;
    write_with_an_unknown_status();
    for (int i = 0; i < 3; i++) {
        snprintf(users[i], sizeof users[i], i ? "v%d" : "u", i);
        snprintf(ids[i], sizeof ids[i], "c%d", i);
        consents[i] = event_at(SS_CONSENTS, users[i], i, ids[i]);
    }
    write_with(SS_CONSENTS, ss_schema_of_input(SS_CONSENTS), consents, 3);
    WRITE(SS_BLACKLIST, event_at(SS_BLACKLIST, "v1", 3, "l3"));
    struct ss_buffer first = replay(100, &counts);
    cr_assert_eq(counts.consumed, 4);
    cr_assert_eq(counts.outcomes[SS_COUNTED], 3);
    cr_assert_eq(counts.outcomes[SS_REFUSED], 1);
    cr_assert_gt(first.size, 500);
    for (size_t at_once = 1; at_once < 10; at_once++) {
        struct ss_buffer again = replay(at_once, &counts);
        cr_assert(ss_bytes_equal((struct ss_bytes){first.data, first.size},
                                 (struct ss_bytes){again.data, again.size}),
                  "other bytes in batches of %zu", at_once);
        ss_buffer_reset(&again);
    }
    ss_buffer_reset(&first);
}

Test(files_bus, brings_back_what_friends_tell_each_other)
{
    struct ss_counts payments;
    struct ss_buffer out;
    WRITE(SS_SOCIAL, event_at(SS_SOCIAL, "u", 1, "s1"), event_at(SS_SOCIAL, "v", 2, "s2"));
    out = replay(100, &payments);
    cr_assert_eq(social_counts.outcomes[SS_NOT_CONSENTED], 2);
    cr_assert_eq(neighbour_counts.consumed, 0);
    ss_buffer_reset(&out);
    assume_consent = true;
    for (size_t at_once = 1; at_once < 6; at_once++) {
        out = replay(at_once, &payments);
        cr_assert_eq(social_counts.outcomes[SS_COUNTED], 2);
        cr_assert_geq(neighbour_counts.outcomes[SS_COUNTED], 4, "in batches of %zu: %lld", at_once,
                      (long long)neighbour_counts.outcomes[SS_COUNTED]);
        ss_buffer_reset(&out);
    }
    assume_consent = false;
}
