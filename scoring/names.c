/* names.c - the names under which models, records and documents know things. */
#include "scoring/apply.h"
#include "scoring/require.h"

const char *ss_factor_name(enum ss_factor factor)
{
    static const char *const names[] = {"history", "behaviour", "fulfilment", "characteristics",
                                        "relationships"};
    return factor < SS_FACTOR_COUNT ? names[factor] : "blacklist";
}

static const struct {
    const char *name;
    enum ss_factor factor;
} variables[SS_VAR_COUNT] = {
    [SS_VAR_LATENESS] = {"lateness", SS_FACTOR_HISTORY},
    [SS_VAR_DEFAULTS] = {"defaults", SS_FACTOR_HISTORY},
    [SS_VAR_TRACK_RECORD] = {"track_record", SS_FACTOR_HISTORY},
    [SS_VAR_DEBT] = {"debt", SS_FACTOR_HISTORY},
    [SS_VAR_ACTIVITY] = {"activity", SS_FACTOR_BEHAVIOUR},
    [SS_VAR_REGULARITY] = {"regularity", SS_FACTOR_BEHAVIOUR},
    [SS_VAR_DIVERSITY] = {"diversity", SS_FACTOR_BEHAVIOUR},
    [SS_VAR_REVERSALS] = {"reversals", SS_FACTOR_BEHAVIOUR},
    [SS_VAR_SPENDING] = {"spending", SS_FACTOR_FULFILMENT},
    [SS_VAR_REPAYMENT] = {"repayment", SS_FACTOR_FULFILMENT},
    [SS_VAR_LIMIT] = {"limit", SS_FACTOR_FULFILMENT},
    [SS_VAR_BOOKINGS] = {"bookings", SS_FACTOR_FULFILMENT},
    [SS_VAR_IDENTITY] = {"identity", SS_FACTOR_CHARACTERISTICS},
    [SS_VAR_EDUCATION] = {"education", SS_FACTOR_CHARACTERISTICS},
    [SS_VAR_TENURE] = {"tenure", SS_FACTOR_CHARACTERISTICS},
    [SS_VAR_FRIENDS] = {"friends", SS_FACTOR_RELATIONSHIPS},
};

const char *ss_variable_name(enum ss_variable variable)
{
    SS_REQUIRE(variable < SS_VAR_COUNT);
    return variables[variable].name;
}

enum ss_factor ss_variable_factor(enum ss_variable variable)
{
    SS_REQUIRE(variable < SS_VAR_COUNT);
    return variables[variable].factor;
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
    static const char *const names[SS_INPUT_COUNT] = {"payments", "bills",    "bookings", "social",
                                                      "profiles", "consents", "blacklist"};
    SS_REQUIRE(input < SS_INPUT_COUNT);
    return names[input];
}
