/* user_state.h - what is kept of one user: a part for each input, and what was published.
 *
 * 1. A part changes only by events of its own input (promise 5). It is never aged in place: decayed
 *    sums are as of the part's own ref_day, and readers decay a copy (scoring/decay.h).
 * 2. Parts depend on no model parameter but the structural ones (scoring/model.h).
 * 3. Everything is bounded; an event that would exceed a bound is refused with a reason
 *    (scoring/apply.h), never dropped silently.
 * 4. `published` says what subscribers were last told; it belongs to the worker that publishes and
 *    depends on the interleaving, the parts do not.
 * 5. Friends have told of themselves in an order that no position tells: `friends` depends on the
 *    interleaving while messages are under way, and records say what of it they were computed from.
 * 6. A user who has not granted SCORING has nothing but a blacklist part (promise 7).
 *
 * All-zero is the state of somebody unknown. Counts are in thousandths ("milli"), amounts in minor
 * units of the model's base currency, days since 1970. The packed form is state/pack.c's.
 */
#ifndef SS_SCORING_USER_STATE_H
#define SS_SCORING_USER_STATE_H

#include "scoring/friends.h"

enum {
    SS_OPEN_BILLS_MAX = 64,
    SS_CREDIT_LINES_MAX = 8,
    SS_SHARES_MAX = 16,
    SS_CASES_MAX = 16,
    SS_RECENT_MAX = 32,  /* upper bound of the model's duplicate window */
    SS_LATE_BUCKETS = 5, /* days late: 1-29, 30-59, 60-89, 90-119, 120 and more */
    SS_BENEFITS_MAX = 32,
};

/* The newest event ids of one part, as 32-bit hashes, newest last. Each with the newest day that
 * the part had seen when it came, so that the window can forget what is long past; these never
 * fall. */
struct ss_recent {
    uint32_t hash[SS_RECENT_MAX];
    int32_t day[SS_RECENT_MAX];
    uint8_t count;
};

struct ss_payments_part {
    int32_t ref_day;        /* day of the newest event; the sums below are as of it */
    int64_t settled_milli;  /* decayed count of SETTLED */
    int64_t refunded_milli; /* decayed count of REFUNDED */
    int64_t reversed_milli; /* decayed count of CHARGED_BACK */
    int64_t amount;         /* decayed sum of SETTLED less REFUNDED and CHARGED_BACK, not below 0 */
    int32_t month;          /* newest month (day / 30) with a SETTLED event */
    uint32_t months_mask;   /* bit i: a SETTLED event in month - i */
    int32_t quarter;        /* newest quarter (day / 90) with a SETTLED event */
    uint32_t categories[2]; /* bit c: category c SETTLED in that quarter, in the one before */
    bool any;               /* an event has counted */
    struct ss_recent recent;
};

struct ss_open_bill {
    uint32_t id_hash; /* low 32 bits of ss_hash64 of the bill id */
    int64_t due_at_ms;
};

struct ss_bills_part {
    int32_t ref_day;
    int64_t on_time_milli;               /* decayed count of bills paid by their due time */
    int64_t late_milli[SS_LATE_BUCKETS]; /* decayed counts of bills paid late, by how late */
    int64_t defaulted_milli;             /* decayed count, with the default half-life */
    int64_t billed;                      /* decayed sum of ISSUED amounts */
    int64_t paid;                        /* decayed sum of PAID amounts */
    bool any;
    uint8_t open_count;
    struct ss_open_bill open[SS_OPEN_BILLS_MAX]; /* by due_at_ms, then id_hash, ascending */
    struct ss_recent recent;
};

struct ss_bookings_part {
    int32_t ref_day;
    int64_t made_milli, honoured_milli, no_show_milli, cancelled_milli; /* decayed counts */
    bool any;
    struct ss_recent recent;
};

struct ss_social_part { /* whom the user lists is in a record of its own: struct ss_friends */
    struct ss_recent recent;
};

struct ss_credit_line {
    uint32_t id_hash; /* low 32 bits of ss_hash64 of the line id */
    int64_t limit, balance;
};

struct ss_profiles_part {
    uint8_t verified; /* bit f: enum ss_profile_fact f is verified */
    uint8_t degree_level;
    uint8_t holder;
    bool any;    /* a fact was verified or revoked */
    bool opened; /* opened_day is known */
    int32_t opened_day;
    uint8_t line_count;
    struct ss_credit_line lines[SS_CREDIT_LINES_MAX]; /* by id_hash ascending */
    struct ss_recent recent;
};

struct ss_share {
    uint32_t subscriber_hash; /* low 32 bits of ss_hash64 of the name */
    int64_t position;         /* offset of the grant */
};

struct ss_consents_part {
    bool scoring, social;
    int64_t granted_at_ms;    /* occurred_at of the SCORING grant that holds */
    int64_t scoring_position; /* its offset */
    int64_t social_at_ms;     /* occurred_at of the SOCIAL grant that holds */
    int64_t social_position;
    uint8_t share_count;
    struct ss_share shares[SS_SHARES_MAX]; /* by subscriber_hash ascending */
    struct ss_recent recent;
};

struct ss_blacklist_part {
    uint8_t case_count;
    uint64_t cases[SS_CASES_MAX]; /* ss_hash64 of the case ids, in order of listing */
    struct ss_recent recent;
};

enum ss_standing {
    SS_STANDING_NONE,
    SS_STANDING_SCORED,
    SS_STANDING_LISTED,
    SS_STANDING_OPTED_OUT
};

struct ss_published {
    uint8_t standing; /* enum ss_standing; NONE until the grant */
    uint8_t tier;
    bool business; /* by which model: tier and benefits are of that one */
    int16_t score;
    int32_t epoch;      /* since which that one is in charge (struct ss_models) */
    uint32_t benefits;  /* bit b: the model's benefit b is granted */
    int64_t sequence;   /* of the newest record in `scores`; 0 before the first */
    int64_t as_of_ms;   /* never goes back */
    int64_t horizon_ms; /* bills due by then count as overdue; at most as_of, never goes back */
};

struct ss_user_state {
    struct ss_payments_part payments;
    struct ss_bills_part bills;
    struct ss_bookings_part bookings;
    struct ss_social_part social;
    struct ss_friends_sum friends; /* of social, and of what friends have told */
    struct ss_profiles_part profiles;
    struct ss_consents_part consents;
    struct ss_blacklist_part blacklist;
    struct ss_published published;
};

/* Nothing worth keeping: no grant and no listing. Such a state is stored as a tombstone. */
bool ss_user_state_empty(const struct ss_user_state *state);

#endif
