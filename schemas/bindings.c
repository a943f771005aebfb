/* bindings.c - which field of our schemas is kept where in struct ss_event. */
#include "schemas/plan.h"

#include <stddef.h>

/* Plans store enumerators and integers by these widths. */
_Static_assert(sizeof(enum ss_payment_status) == sizeof(int32_t), "enums are four bytes");
_Static_assert(sizeof(struct ss_event) <= UINT16_MAX, "offsets fit 16 bits");

#define TEXT(name, member)                                    \
    {                                                         \
        name, SS_BIND_TEXT, offsetof(struct ss_event, member) \
    }
#define LONG(name, member)                                    \
    {                                                         \
        name, SS_BIND_LONG, offsetof(struct ss_event, member) \
    }
#define TIME_OR_NULL(name, member)                                    \
    {                                                                 \
        name, SS_BIND_TIME_OR_NULL, offsetof(struct ss_event, member) \
    }
#define ENUM(name, member)                                    \
    {                                                         \
        name, SS_BIND_ENUM, offsetof(struct ss_event, member) \
    }
#define END                   \
    {                         \
        NULL, SS_BIND_TEXT, 0 \
    }

static const struct ss_binding common[] = {
    TEXT("event_id", event_id),
    TEXT("user_id", user_id),
    LONG("occurred_at", occurred_at_ms),
    END,
};

static const struct ss_binding payments[] = {
    ENUM("status", payment.status),
    LONG("amount_minor", payment.amount_minor),
    TEXT("currency", payment.currency),
    ENUM("category", payment.category),
    TEXT("counterparty", payment.counterparty),
    END,
};

static const struct ss_binding bills[] = {
    ENUM("status", bill.status),
    ENUM("kind", bill.kind),
    TEXT("bill_id", bill.bill_id),
    LONG("amount_minor", bill.amount_minor),
    TEXT("currency", bill.currency),
    TIME_OR_NULL("due_at", bill.due_at_ms),
    END,
};

static const struct ss_binding bookings[] = {
    ENUM("status", booking.status),
    ENUM("kind", booking.kind),
    TEXT("booking_id", booking.booking_id),
    END,
};

static const struct ss_binding social[] = {
    ENUM("action", social.action),
    TEXT("friend_id", social.friend_id),
    END,
};

static const struct ss_binding profiles[] = {
    ENUM("action", profile.action),
    ENUM("fact", profile.fact),
    ENUM("degree_level", profile.degree_level),
    ENUM("holder", profile.holder),
    TIME_OR_NULL("opened_at", profile.opened_at_ms),
    TEXT("line_id", profile.line_id),
    LONG("limit_minor", profile.limit_minor),
    LONG("balance_minor", profile.balance_minor),
    TEXT("currency", profile.currency),
    END,
};

static const struct ss_binding consents[] = {
    ENUM("action", consent.action),
    ENUM("purpose", consent.purpose),
    TEXT("subscriber", consent.subscriber),
    END,
};

static const struct ss_binding blacklist[] = {
    ENUM("action", listing.action),       TEXT("case_id", listing.case_id),
    TEXT("authority", listing.authority), LONG("amount_owed_minor", listing.amount_owed_minor),
    TEXT("currency", listing.currency),   END,
};

static const struct ss_binding neighbours[] = {
    ENUM("kind", neighbour.action),
    TEXT("from", neighbour.from),
    LONG("band", neighbour.band),
    TEXT("cause", neighbour.cause),
    LONG("cause_offset", neighbour.cause_offset),
    LONG("social", neighbour.social_position),
    LONG("consents", neighbour.consents_position),
    END,
};

static const struct ss_binding *const inputs[SS_INPUT_COUNT] = {
    [SS_PAYMENTS] = payments,   [SS_BILLS] = bills,           [SS_BOOKINGS] = bookings,
    [SS_SOCIAL] = social,       [SS_PROFILES] = profiles,     [SS_CONSENTS] = consents,
    [SS_BLACKLIST] = blacklist, [SS_NEIGHBOURS] = neighbours,
};

static const struct ss_binding *find_in(const struct ss_binding *list, const char *field)
{
    for (; list->field; list++)
        if (!strcmp(list->field, field))
            return list;
    return NULL;
}

const struct ss_binding *ss_binding_find(enum ss_input input, const char *field)
{
    const struct ss_binding *found = find_in(common, field);
    return found ? found : find_in(inputs[input], field);
}
