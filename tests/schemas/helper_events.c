#include "helper_events.h"

#include <stdio.h>

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return rng_next(rng) % bound;
}

int64_t rng_long(struct rng *rng)
{
    return (int64_t)(rng_next(rng) >> rng_below(rng, 64)) * (rng_below(rng, 4) ? 1 : -1);
}

static struct ss_text random_text(struct rng *rng, char text[80])
{
    uint32_t size = (uint32_t)rng_below(rng, rng_below(rng, 4) ? 20 : 80);
    for (uint32_t i = 0; i < size; i++)
        text[i] = (char)(1 + rng_below(rng, 255));
    return (struct ss_text){text, size};
}

void random_event(struct rng *rng, enum ss_input input, struct ss_event *e,
                  struct event_texts *texts)
{
    struct ss_text t[8];
    for (int i = 0; i < 8; i++)
        t[i] = random_text(rng, texts->text[i]);
#define PICK(count) rng_below(rng, (uint64_t)(count))
    memset(e, 0, sizeof *e);
    e->input = input;
    e->event_id = t[0];
    e->user_id = t[1];
    e->occurred_at_ms = rng_long(rng);
    switch (input) {
    case SS_PAYMENTS:
        e->payment = (struct ss_payment){PICK(SS_PAYMENT_CHARGED_BACK + 1), PICK(SS_CATEGORY_COUNT),
                                         rng_long(rng), t[2], t[3]};
        break;
    case SS_BILLS:
        e->bill = (struct ss_bill){PICK(SS_BILL_CANCELLED + 1),
                                   PICK(SS_BILL_KIND_COUNT),
                                   t[2],
                                   rng_long(rng),
                                   t[3],
                                   PICK(3) ? rng_long(rng) : SS_TIME_UNKNOWN};
        break;
    case SS_BOOKINGS:
        e->booking =
            (struct ss_booking){PICK(SS_BOOKING_CANCELLED + 1), PICK(SS_BOOKING_KIND_COUNT), t[2]};
        break;
    case SS_SOCIAL:
        e->social = (struct ss_social){PICK(SS_FRIEND_REMOVED + 1), t[2]};
        break;
    case SS_PROFILES:
        e->profile = (struct ss_profile){PICK(SS_PROFILE_CREDIT_LINE + 1),
                                         PICK(SS_FACT_COUNT),
                                         PICK(SS_DEGREE_COUNT),
                                         PICK(SS_HOLDER_BUSINESS + 1),
                                         PICK(3) ? rng_long(rng) : SS_TIME_UNKNOWN,
                                         t[2],
                                         rng_long(rng),
                                         rng_long(rng),
                                         t[3]};
        break;
    case SS_CONSENTS:
        e->consent =
            (struct ss_consent){PICK(SS_CONSENT_WITHDRAWN + 1), PICK(SS_PURPOSE_SHARE + 1), t[2]};
        break;
    case SS_BLACKLIST:
        e->listing = (struct ss_listing){PICK(SS_DELISTED + 1), t[2], t[3], rng_long(rng), t[4]};
        break;
    case SS_NEIGHBOURS:
        e->event_id = (struct ss_text){"", 0}; /* they have none */
        e->neighbour = (struct ss_neighbour){PICK(SS_NEIGHBOUR_LEFT + 1),
                                             t[2],
                                             rng_long(rng),
                                             t[3],
                                             rng_long(rng),
                                             rng_long(rng),
                                             rng_long(rng)};
        break;
    case SS_INPUT_COUNT:
        break;
    }
}

struct value event_value(const struct ss_event *e, const char *field)
{
#define TEXT(name, member)    \
    if (!strcmp(field, name)) \
    return (struct value){VALUE_TEXT, e->member, 0}
#define LONG(name, member)             \
    if (!strcmp(field, name))          \
        return (struct value)          \
        {                              \
            VALUE_LONG, {0}, e->member \
        }
#define ENUM(name, member)                      \
    if (!strcmp(field, name))                   \
        return (struct value)                   \
        {                                       \
            VALUE_ENUM, {0}, (int64_t)e->member \
        }
    TEXT("event_id", event_id);
    TEXT("user_id", user_id);
    LONG("occurred_at", occurred_at_ms);
    switch (e->input) {
    case SS_PAYMENTS:
        ENUM("status", payment.status);
        LONG("amount_minor", payment.amount_minor);
        TEXT("currency", payment.currency);
        ENUM("category", payment.category);
        TEXT("counterparty", payment.counterparty);
        break;
    case SS_BILLS:
        ENUM("status", bill.status);
        ENUM("kind", bill.kind);
        TEXT("bill_id", bill.bill_id);
        LONG("amount_minor", bill.amount_minor);
        TEXT("currency", bill.currency);
        if (!strcmp(field, "due_at") && e->bill.due_at_ms == SS_TIME_UNKNOWN)
            return (struct value){VALUE_NULL, {0}, 0};
        LONG("due_at", bill.due_at_ms);
        break;
    case SS_BOOKINGS:
        ENUM("status", booking.status);
        ENUM("kind", booking.kind);
        TEXT("booking_id", booking.booking_id);
        break;
    case SS_SOCIAL:
        ENUM("action", social.action);
        TEXT("friend_id", social.friend_id);
        break;
    case SS_PROFILES:
        ENUM("action", profile.action);
        ENUM("fact", profile.fact);
        ENUM("degree_level", profile.degree_level);
        ENUM("holder", profile.holder);
        if (!strcmp(field, "opened_at") && e->profile.opened_at_ms == SS_TIME_UNKNOWN)
            return (struct value){VALUE_NULL, {0}, 0};
        LONG("opened_at", profile.opened_at_ms);
        TEXT("line_id", profile.line_id);
        LONG("limit_minor", profile.limit_minor);
        LONG("balance_minor", profile.balance_minor);
        TEXT("currency", profile.currency);
        break;
    case SS_CONSENTS:
        ENUM("action", consent.action);
        ENUM("purpose", consent.purpose);
        TEXT("subscriber", consent.subscriber);
        break;
    case SS_BLACKLIST:
        ENUM("action", listing.action);
        TEXT("case_id", listing.case_id);
        TEXT("authority", listing.authority);
        LONG("amount_owed_minor", listing.amount_owed_minor);
        TEXT("currency", listing.currency);
        break;
    case SS_NEIGHBOURS:
        ENUM("kind", neighbour.action);
        TEXT("from", neighbour.from);
        LONG("band", neighbour.band);
        TEXT("cause", neighbour.cause);
        LONG("cause_offset", neighbour.cause_offset);
        LONG("social", neighbour.social_position);
        LONG("consents", neighbour.consents_position);
        break;
    case SS_INPUT_COUNT:
        break;
    }
    return (struct value){VALUE_NONE, {0}, 0};
}

bool events_equal(const struct ss_event *a, const struct ss_event *b)
{
    static const char *const fields[] = {
        "event_id",     "user_id",           "occurred_at", "status",
        "amount_minor", "currency",          "category",    "counterparty",
        "kind",         "bill_id",           "due_at",      "booking_id",
        "action",       "friend_id",         "fact",        "holder",
        "degree_level", "line_id",           "limit_minor", "balance_minor",
        "opened_at",    "purpose",           "subscriber",  "case_id",
        "authority",    "amount_owed_minor", "from",        "band",
        "cause",        "cause_offset",      "social",      "consents"};
    if (a->input != b->input)
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct value x = event_value(a, fields[i]), y = event_value(b, fields[i]);
        if (x.kind != y.kind || x.number != y.number || x.text.size != y.text.size ||
            (x.text.size && memcmp(x.text.data, y.text.data, x.text.size)))
            return false;
    }
    return true;
}
