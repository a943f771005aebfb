/* The passage of time in a replay: with the events alone, and up to the instant that was asked for.
 */
#include "audit/replay.h"
#include "tests/audit/helper_logs.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define BEGIN LOGS_BEGIN
#define DAY   LOGS_DAY
#define DUE   (BEGIN + 20 * DAY)

static struct ss_event bill(enum ss_bill_status status, const char *id, int64_t at_ms)
{
    struct ss_event one = logs_event(SS_BILLS, "ann", id, at_ms);
    one.bill = (struct ss_bill){.status = status,
                                .bill_id = logs_text("rent"),
                                .amount_minor = 100,
                                .currency = logs_text("CNY"),
                                .due_at_ms = DUE};
    return one;
}

/* Ann has paid a bill on day 1, and has one that is due on day 20 and paid on day 25, if it is; Ben
 * pays at the given time. */
static void write_files(bool paid, int64_t last_ms)
{
    const struct ss_event consents[] = {logs_event(SS_CONSENTS, "ann", "c1", BEGIN),
                                        logs_event(SS_CONSENTS, "ben", "c2", BEGIN)};
    struct ss_event bills[] = {bill(SS_BILL_PAID, "b0", BEGIN + DAY),
                               bill(SS_BILL_ISSUED, "b1", BEGIN + DAY),
                               bill(SS_BILL_PAID, "b2", BEGIN + 25 * DAY)};
    bills[0].bill.bill_id = logs_text("water");
    const struct ss_event payment = logs_event(SS_PAYMENTS, "ben", "p1", last_ms);
    logs_plain(logs_path("consents.avro"), SS_CONSENTS, consents, 2);
    logs_plain(logs_path("bills.avro"), SS_BILLS, bills, paid ? 3 : 2);
    logs_plain(logs_path("payments.avro"), SS_PAYMENTS, &payment, 1);
}

static struct ss_worker_stats stats; /* of the newest replay */

/* How many users there are. */
static int64_t replay(int64_t until_ms)
{
    atomic_bool stop = false;
    const struct ss_replay_options options = {.directory = logs_path("%s", ""),
                                              .until_ms = until_ms,
                                              .future_tolerance_ms = DAY,
                                              .scores_csv = logs_path("scores.csv"),
                                              .stop = &stop};
    struct ss_error err = {.detail = ""};
    int64_t users;
    cr_assert_eq(ss_replay_run(&options, &stats, &users, &err), SS_OK, "%s", err.detail);
    return users;
}

/* The score of ann, and in *records how many were published of both. */
static int replay_ann(int64_t until_ms, int64_t *as_of_ms, int64_t *records)
{
    char line[512];
    int score = 0;
    cr_assert_eq(replay(until_ms), 2);
    *records = stats.score_records;
    FILE *file = fopen(logs_path("scores.csv"), "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file)) {
        long long as_of;
        if (sscanf(line, "ann,%d,%*[^,],%*[^,],%lld", &score, &as_of) == 2)
            *as_of_ms = as_of;
    }
    fclose(file);
    return score;
}

static void begin(void)
{
    logs_directory();
}

TestSuite(replay, .init = begin, .fini = logs_remove);

Test(replay, a_bill_falls_overdue_when_events_have_passed_its_due_time)
{
    int64_t as_of_ms = 0, records;
    write_files(false, DUE);
    int score = replay_ann(INT64_MAX, &as_of_ms, &records);
    cr_assert_eq(as_of_ms, DUE);
    cr_assert_eq(records, 5, "two opt-ins, ben's payment and ann's bills: %lld",
                 (long long)records);
    cr_assert_gt(score, 350);
}

Test(replay, a_bill_does_not_before_that)
{
    int64_t as_of_ms = 0, records;
    write_files(false, DUE - 1);
    replay_ann(INT64_MAX, &as_of_ms, &records);
    cr_assert_eq(as_of_ms, BEGIN + DAY);
    cr_assert_eq(records, 4);
}

Test(replay, scores_are_those_of_the_instant_asked_for)
{
    int64_t as_of_ms = 0, records;
    write_files(true, DUE + 40 * DAY);
    int before = replay_ann(DUE - 1, &as_of_ms, &records);
    cr_assert_eq(as_of_ms, DUE - 1);
    cr_assert_eq(records, 3);
    int overdue = replay_ann(DUE + 4 * DAY, &as_of_ms, &records); /* no event has said so */
    cr_assert_eq(as_of_ms, DUE + 4 * DAY);
    cr_assert_lt(overdue, before);
    int paid = replay_ann(DUE + 5 * DAY, &as_of_ms, &records);
    cr_assert_gt(paid, overdue);
}

Test(replay, what_cannot_be_read_is_accounted_for_as_refused)
{
    const struct ss_counts *payments = &stats.counts[SS_PAYMENTS];
    const struct ss_event consent = logs_event(SS_CONSENTS, "ann", "c1", BEGIN);
    logs_plain(logs_path("consents.avro"), SS_CONSENTS, &consent, 1);
    logs_plain_newer(logs_path("payments.avro"), 4);
    cr_assert_eq(replay(INT64_MAX), 1);
    cr_expect_eq(payments->consumed, 4);
    cr_expect_eq(payments->outcomes[SS_COUNTED], 3);
    cr_expect_eq(payments->outcomes[SS_REFUSED], 1);
}
