#include "golden.h"

#include <string.h>

/* Symbols in the order of the enumerators, which is that of schemas/<topic>.avsc. */
static const char *const payment_status[] = {"SETTLED", "REFUNDED", "CHARGED_BACK", NULL};
static const char *const payment_category[] = {
    "OTHER",     "GROCERIES", "DINING",    "TRANSPORT", "TRAVEL",      "HOUSING",
    "UTILITIES", "HEALTH",    "EDUCATION", "CLOTHING",  "ELECTRONICS", "ENTERTAINMENT",
    "FINANCIAL", "CHARITY",   "FAMILY",    "SERVICES",  NULL};
static const char *const bill_status[] = {"ISSUED", "PAID", "DEFAULTED", "CANCELLED", NULL};
static const char *const booking_status[] = {"MADE", "HONOURED", "NO_SHOW", "CANCELLED", NULL};
static const char *const social_action[] = {"FRIEND_ADDED", "FRIEND_REMOVED", NULL};
static const char *const profile_action[] = {"VERIFIED", "REVOKED", "ACCOUNT_OPENED", "CREDIT_LINE",
                                             NULL};
static const char *const profile_fact[] = {"NONE", "PHONE", "ADDRESS", "IDENTITY", "DEGREE", NULL};
static const char *const degree_level[] = {"UNKNOWN", "HIGH_SCHOOL", "UNIVERSITY", "GRADUATE",
                                           NULL};
static const char *const holder[] = {"UNKNOWN", "PERSON", "BUSINESS", NULL};
static const char *const consent_action[] = {"GRANTED", "WITHDRAWN", NULL};
static const char *const consent_purpose[] = {"SCORING", "SOCIAL", "SHARE", NULL};
static const char *const listing_action[] = {"LISTED", "DELISTED", NULL};

/* Reads the fields of one value and remembers the first that is wrong. */
struct reader {
    json_t *value;
    const char *wrong;
};

static struct ss_text text(const struct reader *reader, const char *key)
{
    const json_t *field = json_object_get(reader->value, key);
    return field ? (struct ss_text){json_string_value(field), (uint32_t)json_string_length(field)}
                 : (struct ss_text){"", 0};
}

static int64_t number(struct reader *reader, const char *key, int64_t otherwise)
{
    const json_t *field = json_object_get(reader->value, key);
    if (!field || json_is_null(field))
        return otherwise;
    if (!json_is_integer(field))
        reader->wrong = key;
    return json_integer_value(field);
}

/* The place of a field's symbol; a field that is not there has the first. */
static int symbol(struct reader *reader, const char *key, const char *const *symbols)
{
    const char *name = json_string_value(json_object_get(reader->value, key));
    if (!name)
        return 0;
    for (int i = 0; symbols[i]; i++)
        if (strcmp(symbols[i], name) == 0)
            return i;
    reader->wrong = key;
    return 0;
}

static void read_value(struct reader *reader, struct ss_event *event)
{
    switch (event->input) {
    case SS_PAYMENTS:
        event->payment = (struct ss_payment){
            .status = (enum ss_payment_status)symbol(reader, "status", payment_status),
            .category = (enum ss_payment_category)symbol(reader, "category", payment_category),
            .amount_minor = number(reader, "amount_minor", 0),
            .currency = text(reader, "currency"),
        };
        break;
    case SS_BILLS:
        event->bill = (struct ss_bill){
            .status = (enum ss_bill_status)symbol(reader, "status", bill_status),
            .bill_id = text(reader, "bill_id"),
            .amount_minor = number(reader, "amount_minor", 0),
            .currency = text(reader, "currency"),
            .due_at_ms = number(reader, "due_at", SS_TIME_UNKNOWN),
        };
        break;
    case SS_BOOKINGS:
        event->booking = (struct ss_booking){
            .status = (enum ss_booking_status)symbol(reader, "status", booking_status),
            .booking_id = text(reader, "booking_id"),
        };
        break;
    case SS_SOCIAL:
        event->social = (struct ss_social){
            (enum ss_social_action)symbol(reader, "action", social_action),
            text(reader, "friend_id"),
        };
        break;
    case SS_PROFILES:
        event->profile = (struct ss_profile){
            .action = (enum ss_profile_action)symbol(reader, "action", profile_action),
            .fact = (enum ss_profile_fact)symbol(reader, "fact", profile_fact),
            .degree_level = (enum ss_degree_level)symbol(reader, "degree_level", degree_level),
            .holder = (enum ss_holder)symbol(reader, "holder", holder),
            .opened_at_ms = number(reader, "opened_at", SS_TIME_UNKNOWN),
            .line_id = text(reader, "line_id"),
            .limit_minor = number(reader, "limit_minor", 0),
            .balance_minor = number(reader, "balance_minor", 0),
            .currency = text(reader, "currency"),
        };
        break;
    case SS_CONSENTS:
        event->consent = (struct ss_consent){
            (enum ss_consent_action)symbol(reader, "action", consent_action),
            (enum ss_consent_purpose)symbol(reader, "purpose", consent_purpose),
            text(reader, "subscriber"),
        };
        break;
    case SS_BLACKLIST:
        event->listing = (struct ss_listing){
            .action = (enum ss_listing_action)symbol(reader, "action", listing_action),
            .case_id = text(reader, "case_id"),
        };
        break;
    case SS_NEIGHBOURS:
    case SS_INPUT_COUNT:
        break;
    }
}

const char *golden_event(json_t *line, struct ss_event *event, struct ss_context *context)
{
    struct reader outer = {line, NULL};
    struct reader inner = {json_object_get(line, "value"), NULL};
    const char *topic = json_string_value(json_object_get(line, "topic"));
    int input = 0;

    while (topic && input < SS_UPSTREAM_COUNT &&
           strcmp(topic, ss_input_name((enum ss_input)input)) != 0)
        input++;
    if (!topic || input == SS_UPSTREAM_COUNT)
        return "topic";
    if (!json_is_object(inner.value))
        return "value";
    *event = (struct ss_event){
        .input = (enum ss_input)input,
        .user_id = text(&inner, "user_id"),
        .event_id = text(&inner, "event_id"),
        .occurred_at_ms = number(&inner, "occurred_at", 0),
    };
    read_value(&inner, event);
    context->partition = (int32_t)number(&outer, "partition", 0);
    context->offset = number(&outer, "offset", 0);
    context->record_time_ms = number(&outer, "record_time", event->occurred_at_ms);
    context->clock_ms = number(&outer, "clock", 0);
    return outer.wrong ? outer.wrong : inner.wrong;
}
