/* explain_reasons.c - the reason codes of docs/model.md in plain words, one row each. */
#include "audit/explain_words.h"

#include <string.h>

static const struct ss_reason_words reasons[] = {
    {"LISTED", "listed in the court register of defaulters",
     "A court has entered you in its public register of people who have not paid what a judgment "
     "orders. While you are in it your score is held down, whatever else you do, and you have no "
     "privileges.",
     "Settle the judgment and have the court remove the entry: the score then returns at once to "
     "what everything else says."},
    {"LATE_BILLS", "bills paid late or still unpaid",
     "You paid bills after they were due, or some are due and not paid. The later a bill is paid, "
     "the more it counts; what is long past counts less and less.",
     "Pay what is overdue, and further bills by their due dates. A late bill counts half after "
     "a time that the model sets (a year in the default one)."},
    {"DEFAULTED_BILLS", "bills that were never paid",
     "A bill of yours was given up as unpaid by whoever had issued it. This counts heavily, and "
     "for longer than a late payment.",
     "It counts less as time passes; bills paid on time make up for it bit by bit."},
    {"SHORT_TRACK_RECORD", "few bills paid on time so far",
     "Few bills are known that you paid by their due dates. Nothing is wrong; a longer record "
     "says more.",
     "Each bill paid by its due date adds to it."},
    {"NO_BILL_HISTORY", "no bills known",
     "Nothing is known of how you pay bills, so this part stands at what everybody starts with.",
     "Have bills in your name (utilities, telephone, rent) and pay them by their due dates."},
    {"HIGH_DEBT", "much of the credit line is in use",
     "You owe a large part of what your credit lines allow.",
     "Pay the balance down: what counts is the balance that the bank reported last, over the "
     "limit."},
    {"NO_CREDIT_LINE", "no credit line known",
     "No credit line of yours is known, so this part stands at what everybody starts with. You "
     "need not take one for the sake of a score.",
     NULL},
    {"FEW_PAYMENTS", "few payments lately",
     "You made few payments lately. Older payments count less and less.",
     "Payments that you make anyway count as they come in."},
    {"IRREGULAR_PAYMENTS", "months without any payment",
     "In some of the last twelve months there was no payment at all.",
     "A single payment in each month is enough; a month without one is forgotten after a year."},
    {"NARROW_SPENDING", "payments of few different kinds",
     "The payments of the last months were of few different kinds.",
     "Payments of other kinds that you make anyway (transport, health, utilities, …) count as "
     "they come in."},
    {"REVERSED_PAYMENTS", "payments refunded or charged back",
     "Payments of yours were charged back or refunded. A chargeback counts in full, a refund in "
     "part, both beside how many payments there were.",
     "Further payments without a chargeback make the share smaller."},
    {"NO_PAYMENTS", "no payments known",
     "Nothing is known of payments of yours, so this part stands at what everybody starts with.",
     "Payments count from your consent on, as they come in."},
    {"LOW_SPENDING", "small amounts paid",
     "The amounts that you paid lately are small, beside those at which this part is full.", NULL},
    {"LOW_REPAYMENT", "small amounts paid on bills",
     "The amounts that you paid on bills lately are small, beside those at which this part is "
     "full.",
     "Bills that you pay anyway count as they come in."},
    {"LOW_CREDIT_LIMIT", "a low credit limit",
     "The limits of your credit lines are low in all. They are your bank's decision.", NULL},
    {"BROKEN_BOOKINGS", "bookings not kept",
     "You did not come to something booked, or cancelled it. A cancellation counts much less than "
     "not coming.",
     "Keep the bookings that you make, and cancel in time those that you cannot keep."},
    {"NO_BOOKINGS", "no bookings known",
     "Nothing is known of bookings of yours, so this part stands at what everybody starts with.",
     "Keep the bookings that you make anyway (hotel, doctor, restaurant, …)."},
    {"UNVERIFIED_FACTS", "phone, identity, address or degree not verified",
     "Some facts about you are not verified yet.",
     "Have your phone number, identity, address, or a degree that you hold verified."},
    {"NO_PROFILE", "nothing verified yet", "No fact about you is verified yet.",
     "Have your phone number, identity, and address verified."},
    {"LOW_DEGREE", "no higher degree verified",
     "The degree that is verified is not the highest one that counts.", NULL},
    {"NO_DEGREE", "no degree verified", "No degree of yours is verified.",
     "If you hold a degree, have it verified."},
    {"SHORT_TENURE", "a young account",
     "Your account has not existed for long. This part rises by itself.", NULL},
    {"NO_ACCOUNT_AGE", "the account's age is not known",
     "It is not known when your account was opened.",
     "Ask whoever keeps the account to report when it was opened."},
    {"LOW_FRIENDS_BANDS", "low scores of friends",
     "The friends who confirm it and take part have low scores on average. This part is small, and "
     "nobody should choose friends for a score.",
     NULL},
    {"NO_SOCIAL_TIES", "no friends who take part",
     "No friends who take part are known, so this small part stands at what everybody starts "
     "with.",
     NULL},
};

const struct ss_reason_words *ss_words_reason(struct ss_text code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strlen(reasons[i].code) == code.size &&
            memcmp(reasons[i].code, code.data, code.size) == 0)
            return &reasons[i];
    return NULL;
}

const char *ss_words_factor(enum ss_factor factor)
{
    static const char *const names[] = {
        [SS_FACTOR_HISTORY] = "credit history",
        [SS_FACTOR_BEHAVIOUR] = "behaviour and preference",
        [SS_FACTOR_FULFILMENT] = "fulfilment capacity",
        [SS_FACTOR_CHARACTERISTICS] = "personal characteristics",
        [SS_FACTOR_RELATIONSHIPS] = "interpersonal relationships",
    };
    return factor < SS_FACTOR_COUNT ? names[factor] : "court register";
}

const char *ss_words_factor_meaning(enum ss_factor factor)
{
    static const char *const meanings[] = {
        [SS_FACTOR_HISTORY] = "whether bills are paid, and on time; how much of the credit is used",
        [SS_FACTOR_BEHAVIOUR] =
            "how regularly payments are made, how many kinds, how many come back",
        [SS_FACTOR_FULFILMENT] = "amounts paid, credit limits, and whether bookings are kept",
        [SS_FACTOR_CHARACTERISTICS] = "verified facts, a verified degree, and the account's age",
        [SS_FACTOR_RELATIONSHIPS] = "scores of friends who confirm it and take part as well",
    };
    return factor < SS_FACTOR_COUNT ? meanings[factor] : "a public register";
}

const char *ss_words_kind(enum ss_score_kind kind)
{
    static const char *const kinds[] = {
        [SS_KIND_UPDATE] = "Something new",
        [SS_KIND_BLACKLIST_DROP] = "Entered in the court register",
        [SS_KIND_BLACKLIST_RESTORE] = "Removed from the court register",
        [SS_KIND_OPT_IN] = "You agreed to be scored",
        [SS_KIND_OPT_OUT] = "You withdrew your consent",
        [SS_KIND_OVERDUE] = "A bill fell due unpaid",
        [SS_KIND_AGED] = "Time passed",
        [SS_KIND_NEIGHBOUR] = "A friend's score changed",
        [SS_KIND_RESCORE] = "The model was replaced",
        [SS_KIND_SHARED] = "You shared your score",
    };
    return kind < sizeof kinds / sizeof kinds[0] ? kinds[kind] : "Something else";
}
