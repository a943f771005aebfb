/* event.h - an input event as the core sees it: decoded, borrowed, free of wire format.
 *
 * Strings point into the record's bytes and live as long as the caller keeps those. Times are
 * milliseconds since 1970 in UTC. Amounts are minor units of their ISO currency.
 * Enumerators have the order of the symbols in schemas/<topic>.avsc; tests/schemas holds the two
 * together. Layer: scoring includes nothing but itself and the freestanding headers of C.
 */
#ifndef SS_SCORING_EVENT_H
#define SS_SCORING_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The inputs, in the order in which positions and counts list them. */
enum ss_input {
    SS_PAYMENTS,
    SS_BILLS,
    SS_BOOKINGS,
    SS_SOCIAL,
    SS_PROFILES,
    SS_CONSENTS,
    SS_BLACKLIST,
    SS_NEIGHBOURS, /* internal: written by engines alone */
    SS_INPUT_COUNT
};

enum { SS_UPSTREAM_COUNT = SS_NEIGHBOURS }; /* inputs that others write to */

enum {
    SS_USER_ID_MAX = 64,  /* bytes, UTF-8, no control characters */
    SS_EVENT_ID_MAX = 64, /* bytes, as every other identifier in an event */
};

#define SS_TIME_UNKNOWN INT64_MIN

struct ss_text {
    const char *data;
    uint32_t size;
};

enum ss_payment_status { SS_PAYMENT_SETTLED, SS_PAYMENT_REFUNDED, SS_PAYMENT_CHARGED_BACK };
enum ss_payment_category {
    SS_CATEGORY_OTHER, /* also any symbol that this version does not know */
    SS_CATEGORY_GROCERIES,
    SS_CATEGORY_DINING,
    SS_CATEGORY_TRANSPORT,
    SS_CATEGORY_TRAVEL,
    SS_CATEGORY_HOUSING,
    SS_CATEGORY_UTILITIES,
    SS_CATEGORY_HEALTH,
    SS_CATEGORY_EDUCATION,
    SS_CATEGORY_CLOTHING,
    SS_CATEGORY_ELECTRONICS,
    SS_CATEGORY_ENTERTAINMENT,
    SS_CATEGORY_FINANCIAL, /* repayments, insurance, savings */
    SS_CATEGORY_CHARITY,
    SS_CATEGORY_FAMILY,
    SS_CATEGORY_SERVICES,
    SS_CATEGORY_COUNT
};
struct ss_payment {
    enum ss_payment_status status;
    enum ss_payment_category category;
    int64_t amount_minor; /* 0 to SS_AMOUNT_MAX */
    struct ss_text currency;
    struct ss_text counterparty; /* empty if absent */
};

enum ss_bill_status { SS_BILL_ISSUED, SS_BILL_PAID, SS_BILL_DEFAULTED, SS_BILL_CANCELLED };
enum ss_bill_kind {
    SS_BILL_OTHER,
    SS_BILL_UTILITY,
    SS_BILL_TELECOM,
    SS_BILL_CARD,
    SS_BILL_LOAN_INSTALMENT,
    SS_BILL_RENT,
    SS_BILL_INSURANCE,
    SS_BILL_TAX,
    SS_BILL_FINE,
    SS_BILL_KIND_COUNT
};
struct ss_bill {
    enum ss_bill_status status;
    enum ss_bill_kind kind;
    struct ss_text bill_id;
    int64_t amount_minor; /* 0 where the record has none */
    struct ss_text currency;
    int64_t due_at_ms; /* SS_TIME_UNKNOWN where the record has none; ISSUED must have one */
};

enum ss_booking_status {
    SS_BOOKING_MADE,
    SS_BOOKING_HONOURED,
    SS_BOOKING_NO_SHOW,
    SS_BOOKING_CANCELLED
};
enum ss_booking_kind {
    SS_BOOKING_OTHER,
    SS_BOOKING_HOTEL,
    SS_BOOKING_CAR,
    SS_BOOKING_FLIGHT,
    SS_BOOKING_TRAIN,
    SS_BOOKING_RESTAURANT,
    SS_BOOKING_DOCTOR,
    SS_BOOKING_KIND_COUNT
};
struct ss_booking {
    enum ss_booking_status status;
    enum ss_booking_kind kind;
    struct ss_text booking_id;
};

enum ss_social_action { SS_FRIEND_ADDED, SS_FRIEND_REMOVED };
struct ss_social {
    enum ss_social_action action;
    struct ss_text friend_id;
};

enum ss_profile_action {
    SS_PROFILE_VERIFIED,       /* uses fact, and degree_level where the fact is DEGREE */
    SS_PROFILE_REVOKED,        /* uses fact */
    SS_PROFILE_ACCOUNT_OPENED, /* uses holder, and opened_at_ms where it lies before the event */
    SS_PROFILE_CREDIT_LINE,    /* uses line_id, limit_minor, balance_minor, currency */
};
enum ss_profile_fact {
    SS_FACT_NONE, /* also any symbol that this version does not know */
    SS_FACT_PHONE,
    SS_FACT_ADDRESS,
    SS_FACT_IDENTITY,
    SS_FACT_DEGREE,
    SS_FACT_COUNT
};
enum ss_degree_level {
    SS_DEGREE_UNKNOWN,
    SS_DEGREE_HIGH_SCHOOL,
    SS_DEGREE_UNIVERSITY,
    SS_DEGREE_GRADUATE,
    SS_DEGREE_COUNT
};
enum ss_holder { SS_HOLDER_UNKNOWN, SS_HOLDER_PERSON, SS_HOLDER_BUSINESS };
struct ss_profile {
    enum ss_profile_action action;
    enum ss_profile_fact fact;
    enum ss_degree_level degree_level;
    enum ss_holder holder;
    int64_t opened_at_ms;   /* SS_TIME_UNKNOWN: at occurred_at */
    struct ss_text line_id; /* which credit line; empty is a line like any other */
    int64_t limit_minor;    /* 0 closes the line */
    int64_t balance_minor;  /* owed; negative is a credit balance */
    struct ss_text currency;
};

enum ss_consent_action { SS_CONSENT_GRANTED, SS_CONSENT_WITHDRAWN };
enum ss_consent_purpose { SS_PURPOSE_SCORING, SS_PURPOSE_SOCIAL, SS_PURPOSE_SHARE };
struct ss_consent {
    enum ss_consent_action action;
    enum ss_consent_purpose purpose;
    struct ss_text subscriber; /* with SHARE: who */
};

enum ss_listing_action { SS_LISTED, SS_DELISTED };
struct ss_listing {
    enum ss_listing_action action;
    struct ss_text case_id;
    struct ss_text authority;
    int64_t amount_owed_minor;
    struct ss_text currency;
};

/* What one user's engine tells another's of him: scoring/friends.h. The event's user is who is
 * told, its time the sender's as_of, its event id empty: an id would tell who befriends whom. */
enum ss_neighbour_action {
    SS_NEIGHBOUR_TELLS, /* `from` lists the user, and stands in this band */
    SS_NEIGHBOUR_ASKS,  /* the same, and wants to know the user's */
    SS_NEIGHBOUR_LEFT,  /* `from` does not list the user (any more) */
};
struct ss_neighbour {
    enum ss_neighbour_action action;
    struct ss_text from;
    int64_t band;
    /* For the audit: what made `from` send it, and how far his own lists had been read. */
    struct ss_text cause; /* the input's name; empty: his band is another */
    int64_t cause_offset, social_position, consents_position;
};

struct ss_event {
    enum ss_input input;
    struct ss_text user_id;
    struct ss_text event_id;
    int64_t occurred_at_ms;
    union {
        struct ss_payment payment;
        struct ss_bill bill;
        struct ss_booking booking;
        struct ss_social social;
        struct ss_profile profile;
        struct ss_consent consent;
        struct ss_listing listing;
        struct ss_neighbour neighbour;
    };
};

#endif
