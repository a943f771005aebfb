/* population_internal.h - what population.c (the stream: who is next, and how often),
 * population_life.c (what somebody does then) and population_payment.c (what somebody pays) share.
 *
 * Times within are whole seconds since the population's start.
 */
#ifndef SS_CLI_POPULATION_INTERNAL_H
#define SS_CLI_POPULATION_INTERNAL_H

#include "cli/population.h"
#include "cli/population_random.h"

#define NEVER UINT32_MAX
enum { DAY = 86400, HOUR = 3600, BILLS_PER_PERSON = 3 };

/* What is scheduled for a person, each at a time of its own. Payments are not: they are drawn over
 * all persons. */
enum slot {
    SLOT_LIFE,
    SLOT_BILLS,
    SLOT_BOOKING = SLOT_BILLS + BILLS_PER_PERSON,
    SLOT_SOCIAL,
    SLOT_LINE,
    SLOT_LISTING,
    SLOT_COUNT
};

/* The steps of a life, done in this order where a person's `todo` has them. */
enum step {
    STEP_GRANT,
    STEP_OPEN_ACCOUNT,
    STEP_PHONE,
    STEP_IDENTITY,
    STEP_ADDRESS,
    STEP_DEGREE,
    STEP_GRANT_LATE,
    STEP_SOCIAL,
    STEP_SHARE,
    STEP_MOVE_AWAY, /* the address no longer holds */
    STEP_UNSHARE,
    STEP_WITHDRAW,
    STEP_GRANT_AGAIN,
    STEP_COUNT
};

struct bill {
    uint32_t issued, due, amount;
    uint16_t number;
    uint8_t kind;    /* enum ss_bill_kind */
    uint8_t outcome; /* enum ss_bill_status: how it will end; ISSUED while none is open */
};

struct person {
    uint32_t next[SLOT_COUNT];
    struct bill bills[BILLS_PER_PERSON];
    uint32_t hard_times; /* when they begin */
    uint32_t last_friend, last_amount;
    uint16_t todo;                          /* bit per step */
    uint16_t reliability, wealth, activity; /* 0 to 1000 */
    uint16_t booking_number, case_number;
    uint16_t last_merchant;
    uint8_t last_category, last_currency;
    uint8_t booking_kind, booking_outcome;
    uint8_t reversal; /* enum ss_payment_status: what becomes of the last payment, if not SETTLED */
    uint8_t subscriber;
    bool parting; /* the last friendship is going to end */
    bool listed, business;
    uint8_t degree;
};

/* A friend's side of what was just sent. */
struct reply {
    bool due;
    uint32_t user, friend;
    enum ss_social_action action;
};

struct ss_population {
    struct ss_population_options options;
    uint64_t random;
    uint64_t run; /* makes event ids of different runs differ */
    uint32_t span;

    /* how often things happen: mean seconds between */
    uint32_t bill_period, booking_period, line_period, social_period;
    int64_t others_planned; /* events that are no payments, per span */

    struct person *persons;
    uint32_t joined;
    uint64_t *heap; /* next time << 32 | user */
    uint32_t heap_count;
    uint32_t next_payment;

    int64_t sent, others_sent; /* others: since others_since */
    uint32_t others_since;
    uint64_t ids;
    int64_t last_ms;
    struct reply reply;
    bool repeat; /* the last event goes out once more */

    struct ss_event event; /* the last one; its texts: */
    char user_id[16], event_id[17], text[32];
};

/* --- population_life.c --- */

/* Draws a new person and their schedule. */
void ss_person_join(struct ss_population *p, uint32_t user, uint32_t now);
/* Does what is due in a slot and schedules what follows. false: nothing came of it. Fills p->event
 * but for what ss_population_stamp fills. */
bool ss_person_act(struct ss_population *p, uint32_t user, enum slot slot, uint32_t now);
void ss_person_reply(struct ss_population *p, const struct reply *reply);
/* An amount of 100, from 8 for the poorest to 168 for the richest. */
uint64_t ss_person_by_wealth(const struct person *person, uint64_t amount);

/* --- population_payment.c --- */

/* A payment, or what becomes of the last one. */
void ss_person_pay(struct ss_population *p, uint32_t user);

/* --- population_text.c --- */
struct ss_text ss_text_literal(const char *text);
struct ss_text ss_text_user(char out[16], uint32_t user);
/* prefix, number (at least `width` digits), and "-tail" unless tail is 0. */
struct ss_text ss_text_numbered(char out[32], const char *prefix, uint32_t number, int width,
                                uint32_t tail);
struct ss_text ss_text_hex(char out[17], uint64_t value);

#endif
