#include "scoring/reasons.h"

#include <string.h>

enum code {
    LATE_BILLS,
    DEFAULTED_BILLS,
    SHORT_TRACK_RECORD,
    NO_BILL_HISTORY,
    HIGH_DEBT,
    NO_CREDIT_LINE,
    FEW_PAYMENTS,
    IRREGULAR_PAYMENTS,
    NARROW_SPENDING,
    REVERSED_PAYMENTS,
    NO_PAYMENTS,
    LOW_SPENDING,
    LOW_REPAYMENT,
    LOW_CREDIT_LIMIT,
    BROKEN_BOOKINGS,
    NO_BOOKINGS,
    UNVERIFIED_FACTS,
    NO_PROFILE,
    LOW_DEGREE,
    NO_DEGREE,
    SHORT_TENURE,
    NO_ACCOUNT_AGE,
    FEW_FRIENDS,
    NO_SOCIAL_TIES,
    CODE_COUNT
};

static const char *const code_names[CODE_COUNT] = {
    "LATE_BILLS",       "DEFAULTED_BILLS",   "SHORT_TRACK_RECORD", "NO_BILL_HISTORY",
    "HIGH_DEBT",        "NO_CREDIT_LINE",    "FEW_PAYMENTS",       "IRREGULAR_PAYMENTS",
    "NARROW_SPENDING",  "REVERSED_PAYMENTS", "NO_PAYMENTS",        "LOW_SPENDING",
    "LOW_REPAYMENT",    "LOW_CREDIT_LIMIT",  "BROKEN_BOOKINGS",    "NO_BOOKINGS",
    "UNVERIFIED_FACTS", "NO_PROFILE",        "LOW_DEGREE",         "NO_DEGREE",
    "SHORT_TENURE",     "NO_ACCOUNT_AGE",    "FEW_FRIENDS",        "NO_SOCIAL_TIES",
};

/* The code of a variable that is known and falls short, and of one of which nothing is known.
 * Variables may share a code; their shares add up. */
static const struct {
    enum code known, unknown;
} codes[SS_VAR_COUNT] = {
    [SS_VAR_LATENESS] = {LATE_BILLS, NO_BILL_HISTORY},
    [SS_VAR_DEFAULTS] = {DEFAULTED_BILLS, NO_BILL_HISTORY},
    [SS_VAR_TRACK_RECORD] = {SHORT_TRACK_RECORD, NO_BILL_HISTORY},
    [SS_VAR_DEBT] = {HIGH_DEBT, NO_CREDIT_LINE},
    [SS_VAR_ACTIVITY] = {FEW_PAYMENTS, NO_PAYMENTS},
    [SS_VAR_REGULARITY] = {IRREGULAR_PAYMENTS, NO_PAYMENTS},
    [SS_VAR_DIVERSITY] = {NARROW_SPENDING, NO_PAYMENTS},
    [SS_VAR_REVERSALS] = {REVERSED_PAYMENTS, NO_PAYMENTS},
    [SS_VAR_SPENDING] = {LOW_SPENDING, NO_PAYMENTS},
    [SS_VAR_REPAYMENT] = {LOW_REPAYMENT, NO_BILL_HISTORY},
    [SS_VAR_LIMIT] = {LOW_CREDIT_LIMIT, NO_CREDIT_LINE},
    [SS_VAR_BOOKINGS] = {BROKEN_BOOKINGS, NO_BOOKINGS},
    [SS_VAR_IDENTITY] = {UNVERIFIED_FACTS, NO_PROFILE},
    [SS_VAR_EDUCATION] = {LOW_DEGREE, NO_DEGREE},
    [SS_VAR_TENURE] = {SHORT_TENURE, NO_ACCOUNT_AGE},
    [SS_VAR_FRIENDS] = {FEW_FRIENDS, NO_SOCIAL_TIES},
};

static enum code code_of(const struct ss_variables *variables, int variable)
{
    if (variables->known[variable])
        return codes[variable].known;
    enum code code = codes[variable].unknown;
    /* LATE_BILLS and NO_BILL_HISTORY would contradict each other */
    return code == NO_BILL_HISTORY && variables->overdue_alone ? SHORT_TRACK_RECORD : code;
}

static int32_t best_value(const struct ss_component *component)
{
    int32_t best = component->curve.y[0];
    for (int i = 1; i < component->curve.count; i++)
        if (component->curve.y[i] > best)
            best = component->curve.y[i];
    return best;
}

void ss_reasons_rank(const struct ss_model *model, const struct ss_variables *variables,
                     struct ss_score *score)
{
    int64_t short_centi[CODE_COUNT] = {0};
    enum ss_factor factors[CODE_COUNT];
    int64_t weights = 0, of_factor[SS_FACTOR_COUNT] = {0};

    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        weights += model->weights[f];
    for (int v = 0; v < SS_VAR_COUNT; v++)
        of_factor[ss_variable_factor((enum ss_variable)v)] += model->components[v].weight;
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        const struct ss_component *component = &model->components[v];
        enum ss_factor factor = ss_variable_factor((enum ss_variable)v);
        int64_t lacking = (int64_t)best_value(component) -
                          ss_component_value(model, variables, (enum ss_variable)v);
        if (component->weight == 0 || lacking <= 0)
            continue;
        enum code code = code_of(variables, v);
        if (short_centi[code] == 0)
            factors[code] = factor; /* the first variable's */
        short_centi[code] += 60000 * (int64_t)model->weights[factor] * component->weight * lacking /
                             (weights * SS_VALUE_MAX * of_factor[factor]);
    }

    score->reason_count = 0;
    if (score->listed)
        score->reasons[score->reason_count++] =
            (struct ss_reason){"LISTED", SS_FACTOR_COUNT, (score->full_score - score->score) * 100};
    for (int code = 0; code < CODE_COUNT; code++) {
        /* insertion: an earlier code stays before a later one of the same weight */
        int at = score->reason_count;
        while (at > score->listed && short_centi[code] > score->reasons[at - 1].points_centi)
            at--;
        if (short_centi[code] <= 0 || at == SS_REASONS_MAX)
            continue;
        if (score->reason_count < SS_REASONS_MAX)
            score->reason_count++;
        memmove(&score->reasons[at + 1], &score->reasons[at],
                (size_t)(score->reason_count - at - 1) * sizeof score->reasons[0]);
        score->reasons[at] =
            (struct ss_reason){code_names[code], factors[code], (int32_t)short_centi[code]};
    }
}
