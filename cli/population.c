/* population.c - the stream: whose turn it is, how often payments come so that the span is filled
 * with exactly the events asked for, and the bad events and duplicates in between.
 *
 *   next: a repeat or a friend's reply that is due, else a bad event, else the earliest of
 *         the next to join · the top of the heap of schedules · the next payment
 *
 * Schedules follow from the options alone. Payments make up the rest: each is drawn after a pause
 * of about (time left) / (events left - those that schedules will take).
 */
#include "cli/population_internal.h"

#include "scoring/apply.h"

#include <assert.h>
#include <stdlib.h>

/* --- the heap: four children each, smallest on top --- */

static void heap_down(struct ss_population *p, uint64_t key)
{
    uint32_t at = 0;
    for (;;) {
        uint64_t first = (uint64_t)at * 4 + 1, last = first + 4;
        if (first >= p->heap_count)
            break;
        if (last > p->heap_count)
            last = p->heap_count;
        uint64_t least = first;
        for (uint64_t child = first + 1; child < last; child++)
            if (p->heap[child] < p->heap[least])
                least = child;
        if (p->heap[least] >= key)
            break;
        p->heap[at] = p->heap[least];
        at = (uint32_t)least;
    }
    p->heap[at] = key;
}

static void heap_push(struct ss_population *p, uint64_t key)
{
    uint32_t at = p->heap_count++;
    while (at > 0 && p->heap[(at - 1) / 4] > key) {
        p->heap[at] = p->heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    p->heap[at] = key;
}

static enum slot next_slot(const struct person *person)
{
    int first = 0;
    for (int slot = 1; slot < SLOT_COUNT; slot++)
        if (person->next[slot] < person->next[first])
            first = slot;
    return (enum slot)first;
}

static uint64_t heap_key(const struct ss_population *p, uint32_t user)
{
    const struct person *person = &p->persons[user];
    return (uint64_t)person->next[next_slot(person)] << 32 | user;
}

/* --- opening --- */

static uint32_t period(const struct ss_population *p, int64_t times_milli, uint32_t least)
{
    int64_t seconds = (int64_t)p->span * 1000 / (times_milli > 0 ? times_milli : 1);
    return seconds < least ? least : seconds > INT32_MAX ? INT32_MAX : (uint32_t)seconds;
}

/* Shares the events of a user, in thousandths, among what they do. */
static void plan(struct ss_population *p)
{
    const int64_t life = 7000;
    int64_t each = p->options.events * 1000 / p->options.users, rest = each - life;
    if (rest < 3000)
        rest = 3000;
    /* halves: a bill is issued and ends, a booking is made and ends, a friendship has two sides;
     * two kinds of bills per person on average */
    p->bill_period = period(p, rest * 34 / 100 / 4, 30 * DAY);
    p->booking_period = period(p, rest * 7 / 100 / 2, 12 * DAY);
    p->social_period = period(p, rest * 5 / 100 / 2, 10 * DAY);
    p->line_period = period(p, rest * 5 / 100, 30 * DAY);
    int64_t times = 4 * (int64_t)p->span / p->bill_period +
                    2 * (int64_t)p->span / p->booking_period +
                    2 * (int64_t)p->span / p->social_period + (int64_t)p->span / p->line_period;
    p->others_planned = times * p->options.users * 4 / 5; /* many join later */
}

static enum ss_status check(const struct ss_population_options *options, struct ss_error *err)
{
    if (options->users < 1 || options->users > SS_POPULATION_USERS_MAX)
        return ss_fail(err, SS_STOP, "the number of users must be 1 to %d",
                       SS_POPULATION_USERS_MAX);
    if (options->events < 0 || options->events > INT64_MAX / 1000)
        return ss_fail(err, SS_STOP, "the number of events is out of bounds");
    if (options->start_ms < SS_OCCURRED_AT_MIN || options->end_ms > SS_OCCURRED_AT_MAX)
        return ss_fail(err, SS_STOP, "start and end must lie between the years 2000 and 2200");
    if (options->end_ms - options->start_ms < SS_DAY_MS ||
        options->end_ms - options->start_ms > 36525 * SS_DAY_MS)
        return ss_fail(err, SS_STOP, "start and end must be one day to 100 years apart");
    if (options->duplicates_permille < 0 || options->bad_permille < 0 ||
        options->duplicates_permille + options->bad_permille > 900)
        return ss_fail(err, SS_STOP, "duplicates and bad events: 0 to 900 in 1000 together");
    return SS_OK;
}

enum ss_status ss_population_open(const struct ss_population_options *options,
                                  struct ss_population **out, struct ss_error *err)
{
    enum ss_status status = check(options, err);
    if (status != SS_OK)
        return status;
    struct ss_population *p = calloc(1, sizeof *p);
    if (p) {
        p->persons = calloc((size_t)options->users, sizeof *p->persons);
        p->heap = calloc((size_t)options->users, sizeof *p->heap);
    }
    if (!p || !p->persons || !p->heap) {
        ss_population_close(p);
        return ss_fail(err, SS_STOP, "out of memory for %lld users", (long long)options->users);
    }
    p->options = *options;
    p->random = ss_mix64(options->seed + UINT64_C(0x5e5a3e));
    p->run = ss_mix64(
        ss_mix64(ss_mix64(options->seed ^ (uint64_t)options->users) ^ (uint64_t)options->events) ^
        (uint64_t)options->end_ms);
    p->span = (uint32_t)((options->end_ms - options->start_ms) / 1000);
    p->last_ms = options->start_ms;
    p->next_payment = p->span / 512;
    plan(p);
    *out = p;
    return SS_OK;
}

void ss_population_close(struct ss_population *p)
{
    if (!p)
        return;
    free(p->persons);
    free(p->heap);
    free(p);
}

/* --- whose turn --- */

/* Three in five are there from the first days on, the others come bit by bit. */
static uint32_t join_time(const struct ss_population *p)
{
    uint64_t users = (uint64_t)p->options.users, early = users * 3 / 5 + 1, index = p->joined;
    uint64_t first_days = p->span / 64;
    if (index >= users)
        return NEVER;
    if (index < early)
        return (uint32_t)(first_days * index / early);
    return (uint32_t)(first_days +
                      (p->span - first_days) * (index - early) / (users - early) * 85 / 100);
}

/* Events other than payments from now to the end: as planned at first, then by what was seen. */
static int64_t others_to_come(const struct ss_population *p, uint32_t now, uint32_t left)
{
    uint32_t seen_for = now - p->others_since;
    int64_t joining = (p->options.users - p->joined) * 7;
    if (p->others_since == 0 || seen_for < p->span / 64)
        return p->others_planned / 1024 * (left / (p->span / 1024 + 1)) + joining;
    return p->others_sent * (left / 64) / (seen_for / 64 + 1);
}

static void schedule_payment(struct ss_population *p, uint32_t now)
{
    uint32_t left = now < p->span ? p->span - now : 0;
    /* the first days, when most people join, say nothing of those that follow */
    if (p->others_since == 0 && now > p->span / 16) {
        p->others_since = now;
        p->others_sent = 0;
    }
    int64_t remaining = p->options.events - p->sent;
    int64_t wanted = remaining - others_to_come(p, now, left);
    if (wanted < remaining / 16 + 1)
        wanted = remaining / 16 + 1;
    uint64_t pause = ((uint64_t)left * ss_random_exponential(&p->random) / (uint64_t)wanted);
    pause += ss_random64(&p->random) & 65535; /* seconds are coarse: round at random */
    pause >>= 16;
    p->next_payment = now + (uint32_t)(pause < left ? pause : left);
}

static uint32_t payer(struct ss_population *p)
{
    uint32_t user = 0;
    for (int i = 0; i < 8; i++) {
        user = ss_random_below(&p->random, p->joined);
        if (ss_random_chance(&p->random, p->persons[user].activity))
            break;
    }
    return user;
}

/* Gives the event its user, id and time. */
static void stamp(struct ss_population *p, uint32_t user, uint32_t now)
{
    uint64_t id = ss_mix64(p->run + p->ids++ * UINT64_C(0x9e3779b97f4a7c15));
    int64_t ms = p->options.start_ms + (int64_t)now * 1000 + (int64_t)(id % 1000);
    if (ms < p->last_ms)
        ms = p->last_ms;
    if (ms >= p->options.end_ms)
        ms = p->options.end_ms - 1;
    p->last_ms = ms;
    p->event.user_id = ss_text_user(p->user_id, user);
    p->event.event_id = ss_text_hex(p->event_id, id);
    p->event.occurred_at_ms = ms;
}

static void next_good(struct ss_population *p)
{
    for (;;) {
        uint32_t join = join_time(p);
        uint32_t act = p->heap_count ? (uint32_t)(p->heap[0] >> 32) : NEVER;
        if (p->joined && p->next_payment <= act && p->next_payment <= join) {
            uint32_t user = payer(p), now = p->next_payment;
            ss_person_pay(p, user);
            stamp(p, user, now);
            schedule_payment(p, now);
            return;
        }
        if (join <= act) {
            ss_person_join(p, p->joined, join);
            heap_push(p, heap_key(p, p->joined));
            p->joined++;
            continue;
        }
        uint32_t user = (uint32_t)p->heap[0];
        bool acted = ss_person_act(p, user, next_slot(&p->persons[user]), act);
        heap_down(p, heap_key(p, user));
        if (!acted)
            continue;
        stamp(p, user, act);
        p->others_sent++;
        return;
    }
}

/* --- bad events --- */

static enum ss_flaw next_bad(struct ss_population *p)
{
    uint32_t last = p->options.wire_flaws ? SS_FLAW_COUNT : SS_FLAW_WIRE_FIRST;
    enum ss_flaw flaw = (enum ss_flaw)(1 + ss_random_below(&p->random, last - 1));
    uint32_t user = payer(p);
    int64_t now_ms = p->last_ms - p->options.start_ms;
    struct ss_event *event = &p->event;

    event->input = SS_PAYMENTS;
    event->payment = (struct ss_payment){
        .category = SS_CATEGORY_OTHER,
        .amount_minor = ss_random_between(&p->random, 100, 100000),
        .currency = ss_text_literal("CNY"),
        .counterparty = ss_text_literal("m-00000"),
    };
    stamp(p, user, (uint32_t)(now_ms / 1000));
    switch (flaw) {
    case SS_FLAW_NEGATIVE_AMOUNT:
        event->payment.amount_minor = -event->payment.amount_minor;
        break;
    case SS_FLAW_HUGE_AMOUNT:
        event->payment.amount_minor = INT64_MAX;
        break;
    case SS_FLAW_CURRENCY:
        event->payment.currency = ss_text_literal("XQX");
        break;
    case SS_FLAW_ANCIENT:
        event->occurred_at_ms = 0;
        break;
    case SS_FLAW_FUTURE:
        event->occurred_at_ms = SS_OCCURRED_AT_MAX + 1;
        break;
    case SS_FLAW_NO_BILL_ID:
        event->input = SS_BILLS;
        event->bill = (struct ss_bill){.status = SS_BILL_PAID, .due_at_ms = SS_TIME_UNKNOWN};
        break;
    case SS_FLAW_EVENT_ID:
        p->event_id[7] = '\n';
        break;
    default: /* the sender's to do */
        break;
    }
    p->others_sent++;
    return flaw;
}

const char *ss_flaw_name(enum ss_flaw flaw)
{
    static const char *const names[SS_FLAW_COUNT] = {
        "NONE",      "NEGATIVE_AMOUNT", "HUGE_AMOUNT", "CURRENCY",  "ANCIENT",
        "FUTURE",    "NO_BILL_ID",      "EVENT_ID",    "MAGIC",     "SCHEMA",
        "TRUNCATED", "NO_VALUE",        "NO_KEY",      "OTHER_KEY",
    };
    assert(flaw < SS_FLAW_COUNT);
    return names[flaw];
}

bool ss_population_next(struct ss_population *p, struct ss_population_event *out)
{
    if (p->sent == p->options.events)
        return false;
    out->flaw = SS_FLAW_NONE;
    out->duplicate = p->repeat;
    if (p->repeat) {
        p->repeat = false;
        p->others_sent++;
    } else {
        if (p->reply.due) {
            p->reply.due = false;
            ss_person_reply(p, &p->reply);
            stamp(p, p->reply.user, (uint32_t)((p->last_ms - p->options.start_ms) / 1000));
            p->others_sent++;
        } else if (p->joined && ss_random_chance(&p->random, (uint32_t)p->options.bad_permille)) {
            out->flaw = next_bad(p);
        } else {
            next_good(p);
        }
        p->repeat = out->flaw == SS_FLAW_NONE &&
                    ss_random_chance(&p->random, (uint32_t)p->options.duplicates_permille);
    }
    p->sent++;
    out->event = p->event;
    return true;
}
