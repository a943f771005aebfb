/* population.h - a made-up population whose events look like life: for `generate`, the demo and
 * tests.
 *
 * Users join, consent (most of them), prove who they are, pay, get bills and settle them on time,
 * late or never, book and turn up or do not, make friends, fall on hard times, are listed by a
 * court and struck off again. What a user does follows from hidden traits: how reliable and how
 * wealthy.
 *
 * Deterministic: the same options give the same events on every machine (integers only, a generator
 * of random numbers of our own). Events come in the order of occurred_at, exactly as many as asked
 * for. How often users act follows from events / users, so that the span is filled; from about 15
 * events per user on every kind of event occurs. Memory: some 130 bytes per user. One thread per
 * handle.
 */
#ifndef SS_CLI_POPULATION_H
#define SS_CLI_POPULATION_H

#include "base/status.h"
#include "scoring/event.h"

#define SS_DAY_MS INT64_C(86400000)

enum {
    SS_POPULATION_USERS_MAX = 100000000,
    SS_POPULATION_SPAN_DAYS = 548, /* eighteen months: the default span */
};

/* What is wrong with a bad event. The first group is in the event itself, the second one is for the
 * sender to do to the record, and comes only if options.wire_flaws. */
enum ss_flaw {
    SS_FLAW_NONE,
    SS_FLAW_NEGATIVE_AMOUNT,
    SS_FLAW_HUGE_AMOUNT,
    SS_FLAW_CURRENCY,
    SS_FLAW_ANCIENT,
    SS_FLAW_FUTURE,
    SS_FLAW_NO_BILL_ID,
    SS_FLAW_EVENT_ID,
    SS_FLAW_MAGIC,
    SS_FLAW_SCHEMA,
    SS_FLAW_TRUNCATED,
    SS_FLAW_NO_VALUE,
    SS_FLAW_NO_KEY,
    SS_FLAW_OTHER_KEY,
    SS_FLAW_COUNT,
    SS_FLAW_WIRE_FIRST = SS_FLAW_MAGIC,
};

struct ss_population_options {
    uint64_t seed;
    int64_t users;            /* 1 to SS_POPULATION_USERS_MAX */
    int64_t events;           /* 0 or more, all kinds, duplicates and bad ones included */
    int64_t start_ms, end_ms; /* occurred_at from start to before end; at most 100 years */
    int duplicates_permille;  /* events sent twice */
    int bad_permille;         /* events that must be refused */
    bool wire_flaws;
};

struct ss_population_event {
    struct ss_event event; /* texts live until the next call */
    enum ss_flaw flaw;
    bool duplicate; /* the same event as the one before */
};

struct ss_population;

/* SS_STOP: an option out of bounds, or out of memory. */
SS_MUST_USE enum ss_status ss_population_open(const struct ss_population_options *options,
                                              struct ss_population **population,
                                              struct ss_error *err);
/* false: that was all. */
SS_MUST_USE bool ss_population_next(struct ss_population *population,
                                    struct ss_population_event *out);
void ss_population_close(struct ss_population *population); /* NULL is fine */

/* "NEGATIVE_AMOUNT", …; static text. */
const char *ss_flaw_name(enum ss_flaw flaw);

#endif
