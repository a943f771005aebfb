/* advice.h - what would raise a score most, in acts: each is carried out on a copy of the state, by
 * the engine's own core, and the score that results is the answer. Nothing is estimated.
 *
 * An act is an event, or some, that the user can bring about: an overdue bill paid now, a fact
 * verified, a debt repaid. The path is what steady months would bring. Acts that gain nothing are
 * left out; so is what nobody should be told to do for a score (make friends, borrow more).
 *
 * Pure but for its stack; any thread. Texts borrow from the arguments.
 */
#ifndef SS_AUDIT_ADVICE_H
#define SS_AUDIT_ADVICE_H

#include "scoring/apply.h"

enum { SS_ACTS_MAX = 24, SS_PATH_MAX = 3 };

/* What the state remembers by hash alone, with its name. */
struct ss_advice_bill {
    struct ss_text bill_id, currency;
    enum ss_bill_kind kind;
    int64_t amount_minor, due_at_ms;
    bool overdue;
};

struct ss_advice_input {
    const struct ss_models *models;
    const struct ss_user_state *state;
    int64_t as_of_ms, clock_ms;                /* the score's */
    const struct ss_advice_bill *bills;        /* the open ones */
    int bill_count;                            /* at most SS_OPEN_BILLS_MAX */
    struct ss_text lines[SS_CREDIT_LINES_MAX]; /* ids, in the order of the state; data NULL: ? */
};

enum ss_act_kind {
    SS_ACT_PAY_OVERDUE,     /* `bill`, which is overdue */
    SS_ACT_PAY_ALL_OVERDUE, /* `count` of them */
    SS_ACT_REPAY,           /* what is owed on credit lines: amount_minor, base currency */
    SS_ACT_VERIFY,          /* `fact` */
    SS_ACT_DEGREE,          /* have a university degree verified, if there is one */
    SS_ACT_BOOKINGS,        /* keep the next `count` bookings */
    SS_ACT_CLOSE_CASES,     /* `count` of them: what lists the user ends */
};

struct ss_act {
    enum ss_act_kind kind;
    const char *reason; /* the code that it works against, as known from the state */
    const struct ss_advice_bill *bill;
    enum ss_profile_fact fact;
    int count;
    int64_t amount_minor;
    int32_t score, gain; /* after it alone; of a listed user, the full score, but for CLOSE_CASES */
};

struct ss_path_point {
    int months; /* of 30 days */
    int32_t score;
};

struct ss_advice {
    int act_count;
    struct ss_act acts[SS_ACTS_MAX]; /* greatest gain first; equal ones by kind */
    bool listed;
    int32_t score; /* that the gains start from: the full score of a listed user */
    /* Overdue bills paid at once, those to come on their due dates, and each month this: */
    int payments_a_month;
    int64_t payment_minor, bill_minor; /* of each, base currency; one bill a month */
    bool as_lately;                    /* … which is how the user has lived lately */
    struct ss_path_point path[SS_PATH_MAX];
    /* The next bill that falls due: what its not being paid then costs. bill NULL: there is none */
    const struct ss_advice_bill *next_bill;
    int32_t unpaid_loss; /* points, at the due instant */
};

void ss_advice_compute(const struct ss_advice_input *input, struct ss_advice *advice);

#endif
