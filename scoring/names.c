/* names.c - the names under which models, records and documents know things. */
#include "scoring/apply.h"
#include "scoring/require.h"
#include "scoring/sharing.h"

const char *ss_factor_name(enum ss_factor factor)
{
    static const char *const names[] = {"history", "behaviour", "fulfilment", "characteristics",
                                        "relationships"};
    return factor < SS_FACTOR_COUNT ? names[factor] : "blacklist";
}

const char *ss_variable_name(enum ss_variable variable)
{
    static const char *const names[SS_VAR_COUNT] = {
        "lateness",  "defaults",  "track_record", "debt",      "activity", "regularity",
        "diversity", "reversals", "spending",     "repayment", "limit",    "bookings",
        "identity",  "education", "tenure",       "friends"};
    SS_REQUIRE(variable < SS_VAR_COUNT);
    return names[variable];
}

const char *ss_refusal_name(enum ss_refusal refusal)
{
    static const char *const names[SS_REFUSAL_COUNT] = {
        "NONE",       "BAD_USER_ID",      "BAD_EVENT_ID", "BAD_TIME",
        "BAD_AMOUNT", "UNKNOWN_CURRENCY", "BAD_FIELD",    "TOO_MANY",
    };
    SS_REQUIRE(refusal < SS_REFUSAL_COUNT);
    return names[refusal];
}

const char *ss_outcome_name(enum ss_outcome outcome)
{
    static const char *const names[SS_OUTCOME_COUNT] = {"counted", "duplicate", "not-consented",
                                                        "dead-lettered"};
    SS_REQUIRE(outcome < SS_OUTCOME_COUNT);
    return names[outcome];
}

const char *ss_input_name(enum ss_input input)
{
    static const char *const names[SS_INPUT_COUNT] = {"payments",  "bills",     "bookings",
                                                      "social",    "profiles",  "consents",
                                                      "blacklist", "neighbours"};
    SS_REQUIRE(input < SS_INPUT_COUNT);
    return names[input];
}

const char *ss_score_field_name(enum ss_score_field field)
{
    static const char *const names[SS_FIELD_COUNT] = {
        "sequence", "kind",    "standing", "score",         "previous_score", "tier",
        "factors",  "reasons", "case_id",  "cause",         "positions",      "consent_positions",
        "as_of",    "clock",   "friends",  "model_version", "percentile",     "ranks"};
    SS_REQUIRE(field < SS_FIELD_COUNT);
    return names[field];
}
