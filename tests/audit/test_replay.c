/* The passage of time in a replay: with the events alone, and up to the instant that was asked for.
 */
#include "audit/replay.h"
#include "schemas/codec.h"
#include "schemas/container.h"
#include "schemas/encode.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DAY   INT64_C(86400000)
#define BEGIN INT64_C(1577836800000) /* 2020-01-01 */
#define DUE   (BEGIN + 20 * DAY)

static char directory[] = "/tmp/test-replay-XXXXXX";
static const char *const topics[SS_INPUT_COUNT] = {
    "payments", "bills",    "bookings",  "social",
    "profiles", "consents", "blacklist", "sesame-neighbours"};

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void remove_files(void)
{
    static const char *const names[] = {"payments.avro", "bills.avro", "consents.avro",
                                        "scores.csv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    rmdir(directory);
}

static void write_events(enum ss_input input, const struct ss_event *events, size_t count)
{
    struct ss_container_writer *writer;
    struct ss_buffer bytes;
    struct ss_error err = {.detail = ""};
    char name[32];
    snprintf(name, sizeof name, "%s.avro", topics[input]);
    cr_assert_eq(
        ss_container_create(path_of(name), ss_schema_of_input(input), "null", &writer, &err), SS_OK,
        "%s", err.detail);
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

static struct ss_text text(const char *s)
{
    return (struct ss_text){s, (uint32_t)strlen(s)};
}

static struct ss_event event(enum ss_input input, const char *user, const char *id, int64_t at_ms)
{
    return (struct ss_event){
        .input = input, .user_id = text(user), .event_id = text(id), .occurred_at_ms = at_ms};
}

static struct ss_event bill(enum ss_bill_status status, const char *id, int64_t at_ms)
{
    struct ss_event one = event(SS_BILLS, "ann", id, at_ms);
    one.bill = (struct ss_bill){.status = status,
                                .bill_id = text("rent"),
                                .amount_minor = 100,
                                .currency = text("CNY"),
                                .due_at_ms = DUE};
    return one;
}

/* Ann has paid a bill on day 1, and has one that is due on day 20 and paid on day 25, if it is; Ben
 * pays at the given time. */
static void write_files(bool paid, int64_t last_ms)
{
    cr_assert_not_null(mkdtemp(directory));
    struct ss_event consents[] = {event(SS_CONSENTS, "ann", "c1", BEGIN),
                                  event(SS_CONSENTS, "ben", "c2", BEGIN)};
    for (int i = 0; i < 2; i++)
        consents[i].consent =
            (struct ss_consent){.action = SS_CONSENT_GRANTED, .purpose = SS_PURPOSE_SCORING};
    struct ss_event bills[] = {bill(SS_BILL_PAID, "b0", BEGIN + DAY),
                               bill(SS_BILL_ISSUED, "b1", BEGIN + DAY),
                               bill(SS_BILL_PAID, "b2", BEGIN + 25 * DAY)};
    bills[0].bill.bill_id = text("water");
    struct ss_event payment = event(SS_PAYMENTS, "ben", "p1", last_ms);
    payment.payment = (struct ss_payment){.amount_minor = 100, .currency = text("CNY")};
    write_events(SS_CONSENTS, consents, 2);
    write_events(SS_BILLS, bills, paid ? 3 : 2);
    write_events(SS_PAYMENTS, &payment, 1);
}

/* The score of ann, and in *records how many were published of both. */
static int replay(int64_t until_ms, int64_t *as_of_ms, int64_t *records)
{
    atomic_bool stop = false;
    char csv[128], line[512];
    int score = 0;
    snprintf(csv, sizeof csv, "%s", path_of("scores.csv"));
    struct ss_replay_options options = {.directory = directory,
                                        .topics = topics,
                                        .until_ms = until_ms,
                                        .future_tolerance_ms = DAY,
                                        .scores_csv = csv,
                                        .stop = &stop};
    struct ss_worker_stats stats;
    struct ss_error err = {.detail = ""};
    int64_t users;
    cr_assert_eq(ss_replay_run(&options, &stats, &users, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(users, 2);
    *records = stats.score_records;
    FILE *file = fopen(csv, "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file)) {
        long long as_of;
        if (sscanf(line, "ann,%d,%*[^,],%*[^,],%lld", &score, &as_of) == 2)
            *as_of_ms = as_of;
    }
    fclose(file);
    return score;
}

TestSuite(replay, .fini = remove_files);

Test(replay, a_bill_falls_overdue_when_events_have_passed_its_due_time)
{
    int64_t as_of_ms = 0, records;
    write_files(false, DUE);
    int score = replay(INT64_MAX, &as_of_ms, &records);
    cr_assert_eq(as_of_ms, DUE);
    cr_assert_eq(records, 5, "two opt-ins, ben's payment and ann's bills: %lld",
                 (long long)records);
    cr_assert_gt(score, 350);
}

Test(replay, a_bill_does_not_before_that)
{
    int64_t as_of_ms = 0, records;
    write_files(false, DUE - 1);
    replay(INT64_MAX, &as_of_ms, &records);
    cr_assert_eq(as_of_ms, BEGIN + DAY);
    cr_assert_eq(records, 4);
}

Test(replay, scores_are_those_of_the_instant_asked_for)
{
    int64_t as_of_ms = 0, records;
    write_files(true, DUE + 40 * DAY);
    int before = replay(DUE - 1, &as_of_ms, &records);
    cr_assert_eq(as_of_ms, DUE - 1);
    cr_assert_eq(records, 3);
    int overdue = replay(DUE + 4 * DAY, &as_of_ms, &records); /* no event has said so */
    cr_assert_eq(as_of_ms, DUE + 4 * DAY);
    cr_assert_lt(overdue, before);
    int paid = replay(DUE + 5 * DAY, &as_of_ms, &records);
    cr_assert_gt(paid, overdue);
}
