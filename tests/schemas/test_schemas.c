/* The .avsc files: that they say what event.h and output.h say, and can evolve. */
#include "schemas/plan.h"
#include "schemas/texts.h"

#include <avro.h>
#include <criterion/criterion.h>
#include <jansson.h>

static json_t *load(const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json);
    return json;
}

/* Calls visit(field or type object) for everything with a name. */
static void walk(json_t *json, void (*visit)(json_t *named, void *arg), void *arg)
{
    json_t *child;
    const char *key;
    size_t i;
    if (json_is_object(json) && json_object_get(json, "name"))
        visit(json, arg);
    json_array_foreach(json, i, child) walk(child, visit, arg);
    json_object_foreach(json, key, child) walk(child, visit, arg);
}

static void needs_doc(json_t *named, void *arg)
{
    const char *doc = json_string_value(json_object_get(named, "doc"));
    cr_expect(doc && strlen(doc) > 5, "%s: %s has no doc", (const char *)arg,
              json_string_value(json_object_get(named, "name")));
}

Test(schemas, everything_is_documented_and_avro_c_reads_it)
{
    for (int i = 0; i < SS_SCHEMA_TEXT_COUNT; i++) {
        avro_schema_t schema;
        json_t *json = load(ss_schema_texts[i].json);
        walk(json, needs_doc, (void *)(uintptr_t)ss_schema_texts[i].name);
        cr_expect_str_eq(json_string_value(json_object_get(json, "namespace")), "sesame");
        json_decref(json);
        cr_assert_eq(avro_schema_from_json_length(ss_schema_texts[i].json,
                                                  strlen(ss_schema_texts[i].json), &schema),
                     0);
        avro_schema_decref(schema);
    }
}

Test(schemas, names_are_those_of_the_topics)
{
    static const char *const names[] = {"payments", "bills",        "bookings",  "social",
                                        "profiles", "consents",     "blacklist", "neighbours",
                                        "scores",   "entitlements", "ranks",     "models"};
    for (int i = 0; i < SS_SCHEMA_TEXT_COUNT; i++)
        cr_expect_str_eq(ss_schema_texts[i].name, names[i]);
    cr_expect_str_eq(ss_output_name(SS_SCORES), "scores");
    cr_expect_str_eq(ss_output_name(SS_ENTITLEMENTS), "entitlements");
    cr_expect_str_eq(ss_output_name(SS_DEAD_LETTERS), "dead-letters");
    cr_expect_null(ss_schema_of_output(SS_DEAD_LETTERS));
    cr_expect(strstr(ss_schema_of_output(SS_ENTITLEMENTS), "\"Entitlement\""));
    cr_expect(strstr(ss_schema_of_input(SS_BLACKLIST), "\"Listing\""));
}

Test(schemas, inputs_begin_alike_and_every_field_is_bound)
{
    static const char *const first[] = {"event_id", "user_id", "occurred_at"};
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        json_t *json = load(ss_schema_of_input((enum ss_input)input)), *field;
        json_t *fields = json_object_get(json, "fields");
        size_t i;
        json_array_foreach(fields, i, field)
        {
            const char *name = json_string_value(json_object_get(field, "name"));
            cr_expect(ss_binding_find((enum ss_input)input, name), "%s", name);
            size_t from = input == SS_NEIGHBOURS; /* which have no event_id */
            if (i + from < 3)
                cr_expect_str_eq(name, first[i + from]);
        }
        json_t *time =
            json_object_get(json_array_get(fields, input == SS_NEIGHBOURS ? 1 : 2), "type");
        cr_expect_str_eq(json_string_value(json_object_get(time, "logicalType")),
                         "timestamp-millis");
        json_decref(json);
    }
}

struct expected_enum {
    const char *name, *default_symbol;
    const char *symbols[20]; /* at the index of their enumerator */
    int count;
};

#define COUNT(last) ((int)(last) + 1)

static const struct expected_enum expected_enums[] = {
    {"PaymentStatus",
     NULL,
     {[SS_PAYMENT_SETTLED] = "SETTLED",
      [SS_PAYMENT_REFUNDED] = "REFUNDED",
      [SS_PAYMENT_CHARGED_BACK] = "CHARGED_BACK"},
     COUNT(SS_PAYMENT_CHARGED_BACK)},
    {"PaymentCategory",
     "OTHER",
     {[SS_CATEGORY_OTHER] = "OTHER",
      [SS_CATEGORY_GROCERIES] = "GROCERIES",
      [SS_CATEGORY_DINING] = "DINING",
      [SS_CATEGORY_TRANSPORT] = "TRANSPORT",
      [SS_CATEGORY_TRAVEL] = "TRAVEL",
      [SS_CATEGORY_HOUSING] = "HOUSING",
      [SS_CATEGORY_UTILITIES] = "UTILITIES",
      [SS_CATEGORY_HEALTH] = "HEALTH",
      [SS_CATEGORY_EDUCATION] = "EDUCATION",
      [SS_CATEGORY_CLOTHING] = "CLOTHING",
      [SS_CATEGORY_ELECTRONICS] = "ELECTRONICS",
      [SS_CATEGORY_ENTERTAINMENT] = "ENTERTAINMENT",
      [SS_CATEGORY_FINANCIAL] = "FINANCIAL",
      [SS_CATEGORY_CHARITY] = "CHARITY",
      [SS_CATEGORY_FAMILY] = "FAMILY",
      [SS_CATEGORY_SERVICES] = "SERVICES"},
     SS_CATEGORY_COUNT},
    {"BillStatus",
     NULL,
     {[SS_BILL_ISSUED] = "ISSUED",
      [SS_BILL_PAID] = "PAID",
      [SS_BILL_DEFAULTED] = "DEFAULTED",
      [SS_BILL_CANCELLED] = "CANCELLED"},
     COUNT(SS_BILL_CANCELLED)},
    {"BillKind",
     "OTHER",
     {[SS_BILL_OTHER] = "OTHER",
      [SS_BILL_UTILITY] = "UTILITY",
      [SS_BILL_TELECOM] = "TELECOM",
      [SS_BILL_CARD] = "CARD",
      [SS_BILL_LOAN_INSTALMENT] = "LOAN_INSTALMENT",
      [SS_BILL_RENT] = "RENT",
      [SS_BILL_INSURANCE] = "INSURANCE",
      [SS_BILL_TAX] = "TAX",
      [SS_BILL_FINE] = "FINE"},
     SS_BILL_KIND_COUNT},
    {"BookingStatus",
     NULL,
     {[SS_BOOKING_MADE] = "MADE",
      [SS_BOOKING_HONOURED] = "HONOURED",
      [SS_BOOKING_NO_SHOW] = "NO_SHOW",
      [SS_BOOKING_CANCELLED] = "CANCELLED"},
     COUNT(SS_BOOKING_CANCELLED)},
    {"BookingKind",
     "OTHER",
     {[SS_BOOKING_OTHER] = "OTHER",
      [SS_BOOKING_HOTEL] = "HOTEL",
      [SS_BOOKING_CAR] = "CAR",
      [SS_BOOKING_FLIGHT] = "FLIGHT",
      [SS_BOOKING_TRAIN] = "TRAIN",
      [SS_BOOKING_RESTAURANT] = "RESTAURANT",
      [SS_BOOKING_DOCTOR] = "DOCTOR"},
     SS_BOOKING_KIND_COUNT},
    {"SocialAction",
     NULL,
     {[SS_FRIEND_ADDED] = "FRIEND_ADDED", [SS_FRIEND_REMOVED] = "FRIEND_REMOVED"},
     COUNT(SS_FRIEND_REMOVED)},
    {"ProfileAction",
     NULL,
     {[SS_PROFILE_VERIFIED] = "VERIFIED",
      [SS_PROFILE_REVOKED] = "REVOKED",
      [SS_PROFILE_ACCOUNT_OPENED] = "ACCOUNT_OPENED",
      [SS_PROFILE_CREDIT_LINE] = "CREDIT_LINE"},
     COUNT(SS_PROFILE_CREDIT_LINE)},
    {"ProfileFact",
     "NONE",
     {[SS_FACT_NONE] = "NONE",
      [SS_FACT_PHONE] = "PHONE",
      [SS_FACT_ADDRESS] = "ADDRESS",
      [SS_FACT_IDENTITY] = "IDENTITY",
      [SS_FACT_DEGREE] = "DEGREE"},
     SS_FACT_COUNT},
    {"DegreeLevel",
     "UNKNOWN",
     {[SS_DEGREE_UNKNOWN] = "UNKNOWN",
      [SS_DEGREE_HIGH_SCHOOL] = "HIGH_SCHOOL",
      [SS_DEGREE_UNIVERSITY] = "UNIVERSITY",
      [SS_DEGREE_GRADUATE] = "GRADUATE"},
     SS_DEGREE_COUNT},
    {"Holder",
     "UNKNOWN",
     {[SS_HOLDER_UNKNOWN] = "UNKNOWN",
      [SS_HOLDER_PERSON] = "PERSON",
      [SS_HOLDER_BUSINESS] = "BUSINESS"},
     COUNT(SS_HOLDER_BUSINESS)},
    {"ConsentAction",
     NULL,
     {[SS_CONSENT_GRANTED] = "GRANTED", [SS_CONSENT_WITHDRAWN] = "WITHDRAWN"},
     COUNT(SS_CONSENT_WITHDRAWN)},
    {"ConsentPurpose",
     NULL,
     {[SS_PURPOSE_SCORING] = "SCORING",
      [SS_PURPOSE_SOCIAL] = "SOCIAL",
      [SS_PURPOSE_SHARE] = "SHARE"},
     COUNT(SS_PURPOSE_SHARE)},
    {"ListingAction",
     NULL,
     {[SS_LISTED] = "LISTED", [SS_DELISTED] = "DELISTED"},
     COUNT(SS_DELISTED)},
    {"ScoreKind",
     "UPDATE",
     {[SS_KIND_UPDATE] = "UPDATE",
      [SS_KIND_BLACKLIST_DROP] = "BLACKLIST_DROP",
      [SS_KIND_BLACKLIST_RESTORE] = "BLACKLIST_RESTORE",
      [SS_KIND_OPT_IN] = "OPT_IN",
      [SS_KIND_OPT_OUT] = "OPT_OUT",
      [SS_KIND_OVERDUE] = "OVERDUE",
      [SS_KIND_AGED] = "AGED",
      [SS_KIND_NEIGHBOUR] = "NEIGHBOUR",
      [SS_KIND_RESCORE] = "RESCORE"},
     COUNT(SS_KIND_RESCORE)},
    {"Standing",
     "NONE",
     {[SS_STANDING_NONE] = "NONE",
      [SS_STANDING_SCORED] = "SCORED",
      [SS_STANDING_LISTED] = "LISTED",
      [SS_STANDING_OPTED_OUT] = "OPTED_OUT"},
     COUNT(SS_STANDING_OPTED_OUT)},
    {"ReasonFactor",
     "NONE", /* one more than the enumerator, for NONE */
     {"NONE", [1 + SS_FACTOR_HISTORY] = "HISTORY", [1 + SS_FACTOR_BEHAVIOUR] = "BEHAVIOUR",
      [1 + SS_FACTOR_FULFILMENT] = "FULFILMENT",
      [1 + SS_FACTOR_CHARACTERISTICS] = "CHARACTERISTICS",
      [1 + SS_FACTOR_RELATIONSHIPS] = "RELATIONSHIPS"},
     1 + SS_FACTOR_COUNT},
    {"NeighbourKind",
     NULL,
     {[SS_NEIGHBOUR_TELLS] = "BAND",
      [SS_NEIGHBOUR_ASKS] = "QUESTION",
      [SS_NEIGHBOUR_LEFT] = "GONE"},
     COUNT(SS_NEIGHBOUR_LEFT)},
    {"EntitlementAction",
     "REVOKED",
     {[SS_ENTITLEMENT_GRANTED] = "GRANTED", [SS_ENTITLEMENT_REVOKED] = "REVOKED"},
     COUNT(SS_ENTITLEMENT_REVOKED)},
};

enum { ENUM_COUNT = sizeof expected_enums / sizeof *expected_enums };

static void check_enum(json_t *named, void *arg)
{
    const char *name = json_string_value(json_object_get(named, "name"));
    json_t *symbols = json_object_get(named, "symbols");
    bool *seen = arg;
    if (!symbols)
        return;
    for (int i = 0; i < ENUM_COUNT; i++) {
        const struct expected_enum *expected = &expected_enums[i];
        if (strcmp(expected->name, name) != 0)
            continue;
        const char *otherwise = json_string_value(json_object_get(named, "default"));
        seen[i] = true;
        cr_expect_eq(json_array_size(symbols), (size_t)expected->count, "%s", name);
        for (int j = 0; j < expected->count; j++)
            cr_expect_str_eq(json_string_value(json_array_get(symbols, (size_t)j)),
                             expected->symbols[j], "%s[%d]", name, j);
        cr_expect((!otherwise && !expected->default_symbol) ||
                      (otherwise && expected->default_symbol &&
                       !strcmp(otherwise, expected->default_symbol)),
                  "%s: default", name);
        return;
    }
    cr_expect(false, "enum %s is not checked", name);
}

Test(schemas, enum_symbols_have_the_order_of_the_enumerators)
{
    bool seen[ENUM_COUNT] = {false};
    for (int i = 0; i < SS_SCHEMA_TEXT_COUNT; i++) {
        json_t *json = load(ss_schema_texts[i].json);
        walk(json, check_enum, seen);
        json_decref(json);
    }
    for (int i = 0; i < ENUM_COUNT; i++)
        cr_expect(seen[i], "no enum %s", expected_enums[i].name);
}

Test(schemas, wire_header)
{
    const uint8_t good[] = {0, 0x01, 0x02, 0x03, 0x04, 9}, magic[] = {1, 0, 0, 0, 1, 9};
    struct ss_bytes body;
    struct ss_error err;
    uint32_t id;

    cr_assert_eq(ss_wire_open((struct ss_bytes){good, sizeof good}, &id, &body, &err), SS_OK);
    cr_expect_eq(id, 0x01020304);
    cr_expect_eq(body.size, 1);
    cr_expect_eq(*(const uint8_t *)body.data, 9);
    cr_assert_eq(ss_wire_open((struct ss_bytes){good, 5}, &id, &body, &err), SS_OK);
    cr_expect_eq(body.size, 0);
    for (size_t size = 0; size < 5; size++)
        cr_expect_eq(ss_wire_open((struct ss_bytes){good, size}, &id, &body, &err), SS_DROP);
    cr_expect_eq(ss_wire_open((struct ss_bytes){magic, sizeof magic}, &id, &body, &err), SS_DROP);
    cr_expect_eq(ss_wire_open((struct ss_bytes){NULL, 0}, &id, &body, &err), SS_DROP);
}
