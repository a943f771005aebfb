#include "bench/life.h"

#include "cli/population_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY        INT64_C(86400000)
#define SPAN       (548 * DAY)
#define START      INT64_C(1738368000000) /* 2025-02-01 */
#define LOCAL_TIME (8 * INT64_C(3600000)) /* ahead of UTC */

/* Positions as they are where 300 million users with two consents each share 256 partitions. */
enum { POSITIONS = 2300000 };

struct maker {
    struct life *life;
    uint64_t random;
};

static int64_t any_below(struct maker *m, int64_t below)
{
    return (int64_t)(ss_random64(&m->random) % (uint64_t)below);
}

static int64_t any_time(struct maker *m, int64_t from, int64_t to)
{
    return from + any_below(m, to - from);
}

static struct ss_text numbered(struct maker *m, int i, int which, const char *form, uint64_t number)
{
    char *text = m->life->texts[i][which];
    int size = snprintf(text, sizeof m->life->texts[i][which], form, (unsigned long long)number);
    return (struct ss_text){text, (uint32_t)size};
}

static struct ss_event *add(struct maker *m, enum ss_input input, int64_t occurred_at_ms)
{
    int i = m->life->count++;
    struct ss_event *event = &m->life->events[i];
    *event = (struct ss_event){
        .input = input,
        .user_id = {m->life->user_id, LIFE_ID_SIZE},
        .event_id = numbered(m, i, 0, "%016llx", ss_random64(&m->random)),
        .occurred_at_ms = occurred_at_ms,
    };
    return event;
}

static int64_t money(struct maker *m, uint32_t mean_minor)
{
    return 1 + ((int64_t)mean_minor * ss_random_exponential(&m->random) >> 16);
}

static const struct ss_text yuan = {"CNY", 3};

/* --- inputs --- */

static void add_payments(struct maker *m, int count)
{
    for (int i = 0; i < count; i++) {
        struct ss_payment *payment =
            &add(m, SS_PAYMENTS, any_time(m, START + DAY, START + SPAN))->payment;
        uint32_t roll = ss_random_below(&m->random, 1000);
        uint32_t a = ss_random_below(&m->random, SS_CATEGORY_COUNT);
        uint32_t b = ss_random_below(&m->random, SS_CATEGORY_COUNT);
        payment->status = roll < 25   ? SS_PAYMENT_REFUNDED
                          : roll < 30 ? SS_PAYMENT_CHARGED_BACK
                                      : SS_PAYMENT_SETTLED;
        payment->category = (enum ss_payment_category)(a < b ? a : b); /* some more than others */
        payment->amount_minor = money(m, 12000);
        payment->currency = yuan;
    }
}

static int64_t midnight_after(int64_t time_ms, int64_t days)
{
    int64_t local_day = (time_ms + LOCAL_TIME) / DAY;
    return (local_day + 1 + days) * DAY - LOCAL_TIME;
}

/* When a bill is paid: most on time, some late. */
static int64_t paid_at(struct maker *m, int64_t issued, int64_t due)
{
    uint32_t roll = ss_random_below(&m->random, 1000);
    int64_t at = roll < 900   ? any_time(m, issued + DAY / 24, due)
                 : roll < 980 ? due + any_below(m, 30 * DAY)
                              : due + any_below(m, 120 * DAY);
    return at < START + SPAN ? at : START + SPAN - 1 - any_below(m, DAY);
}

static void add_bills(struct maker *m, int count)
{
    int issued_count = count / 2 + 1, paid_count = count - issued_count;
    int64_t apart = (SPAN - 40 * DAY) / paid_count;
    for (int i = 0; i < issued_count; i++) {
        int open = i - paid_count; /* 0 and 1: the two that stay open */
        int64_t issued = open < 0 ? START + DAY + i * apart + any_below(m, apart)
                                  : START + SPAN - (2 - open) * 9 * DAY + any_below(m, 9 * DAY);
        int64_t due = midnight_after(issued, 18 + ss_random_below(&m->random, 10));
        for (int step = 0; step < (open < 0 ? 2 : 1); step++) {
            struct ss_event *event = add(m, SS_BILLS, step ? paid_at(m, issued, due) : issued);
            event->bill = (struct ss_bill){
                .status = step ? SS_BILL_PAID : SS_BILL_ISSUED,
                .kind = SS_BILL_UTILITY,
                .bill_id = numbered(m, m->life->count - 1, 1, "b-%llu",
                                    (uint64_t)i << 32 | (uint32_t)m->random),
                .amount_minor = 5000 + money(m, 40000),
                .currency = yuan,
                .due_at_ms = step ? SS_TIME_UNKNOWN : due,
            };
            if (step) { /* the same bill as in the event before */
                event->bill.bill_id = event[-1].bill.bill_id;
                event->bill.amount_minor = event[-1].bill.amount_minor;
            }
        }
    }
}

static void add_bookings(struct maker *m, int count)
{
    for (int i = 0; i < count / 2; i++) {
        uint32_t roll = ss_random_below(&m->random, 100);
        int64_t made_at = any_time(m, START + DAY, START + SPAN - 20 * DAY);
        struct ss_event *made = add(m, SS_BOOKINGS, made_at);
        made->booking.status = SS_BOOKING_MADE;
        made->booking.booking_id = numbered(m, m->life->count - 1, 1, "k-%llu", (uint64_t)i);
        struct ss_event *kept = add(m, SS_BOOKINGS, made_at + any_below(m, 20 * DAY));
        kept->booking = made->booking;
        kept->booking.status = roll < 90   ? SS_BOOKING_HONOURED
                               : roll < 96 ? SS_BOOKING_CANCELLED
                                           : SS_BOOKING_NO_SHOW;
    }
}

static void add_profile(struct maker *m, int64_t granted)
{
    static const enum ss_profile_fact facts[] = {SS_FACT_PHONE, SS_FACT_IDENTITY};
    for (int i = 0; i < 2; i++) {
        struct ss_profile *fact =
            &add(m, SS_PROFILES, granted + 1 + any_below(m, DAY / 2))->profile;
        fact->action = SS_PROFILE_VERIFIED;
        fact->fact = facts[i];
    }
    struct ss_profile *opened = &add(m, SS_PROFILES, granted + 1 + any_below(m, DAY / 2))->profile;
    opened->action = SS_PROFILE_ACCOUNT_OPENED;
    opened->holder = SS_HOLDER_PERSON;
    opened->opened_at_ms = granted - any_below(m, 3000 * DAY);
    struct ss_profile *line = &add(m, SS_PROFILES, any_time(m, START + DAY, START + SPAN))->profile;
    line->action = SS_PROFILE_CREDIT_LINE;
    line->line_id = numbered(m, m->life->count - 1, 1, "l-%llu", (uint32_t)m->random);
    line->limit_minor = 100000 * (1 + any_below(m, 50)); /* thousands of yuan */
    line->balance_minor = any_below(m, line->limit_minor);
    line->currency = yuan;
    line->opened_at_ms = SS_TIME_UNKNOWN;
}

static void add_share(struct maker *m)
{
    struct ss_consent *share =
        &add(m, SS_CONSENTS, any_time(m, START + DAY, START + SPAN))->consent;
    share->action = SS_CONSENT_GRANTED;
    share->purpose = SS_PURPOSE_SHARE;
    share->subscriber =
        numbered(m, m->life->count - 1, 1, "subscriber-%llu", ss_random_below(&m->random, 8));
}

static int earlier(const void *a, const void *b)
{
    const struct ss_event *x = a, *y = b;
    return (x->occurred_at_ms > y->occurred_at_ms) - (x->occurred_at_ms < y->occurred_at_ms);
}

void life_make(struct life *life, uint64_t user, int events)
{
    struct maker m = {.life = life, .random = ss_mix64(user + 1)};
    int bills = events * 24 / 200 * 2, bookings = events * 8 / 200 * 2;
    life->count = 0;
    /* a letter in front, or Redis would keep some of them as numbers */
    snprintf(life->user_id, sizeof life->user_id, "u%015llx",
             (unsigned long long)(ss_mix64(user ^ UINT64_C(0x5e5a3e)) >> 4));
    int64_t granted = START + any_below(&m, DAY / 2);
    struct ss_consent *grant = &add(&m, SS_CONSENTS, granted)->consent;
    grant->action = SS_CONSENT_GRANTED;
    grant->purpose = SS_PURPOSE_SCORING;
    add_profile(&m, granted);
    add_share(&m);
    add_bills(&m, bills);
    add_bookings(&m, bookings);
    add_payments(&m, events - life->count);
    qsort(life->events, (size_t)life->count, sizeof life->events[0], earlier);
    int64_t position = any_below(&m, POSITIONS / 2);
    for (int i = 0; i < life->count; i++)
        life->positions[i] = position += 1 + any_below(&m, POSITIONS / 2 / life->count);
}
