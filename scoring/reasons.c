#include "scoring/reasons.h"

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
    LOW_FRIENDS_BANDS,
    NO_SOCIAL_TIES,
    CODE_COUNT
};
_Static_assert(CODE_COUNT <= 32, "a bit of a word for each");

static const char *const code_names[CODE_COUNT] = {
    "LATE_BILLS",       "DEFAULTED_BILLS",   "SHORT_TRACK_RECORD", "NO_BILL_HISTORY",
    "HIGH_DEBT",        "NO_CREDIT_LINE",    "FEW_PAYMENTS",       "IRREGULAR_PAYMENTS",
    "NARROW_SPENDING",  "REVERSED_PAYMENTS", "NO_PAYMENTS",        "LOW_SPENDING",
    "LOW_REPAYMENT",    "LOW_CREDIT_LIMIT",  "BROKEN_BOOKINGS",    "NO_BOOKINGS",
    "UNVERIFIED_FACTS", "NO_PROFILE",        "LOW_DEGREE",         "NO_DEGREE",
    "SHORT_TENURE",     "NO_ACCOUNT_AGE",    "LOW_FRIENDS_BANDS",  "NO_SOCIAL_TIES",
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
    [SS_VAR_FRIENDS] = {LOW_FRIENDS_BANDS, NO_SOCIAL_TIES},
};

static enum code code_of(const struct ss_variables *variables, int variable)
{
    if (variables->known[variable])
        return codes[variable].known;
    enum code code = codes[variable].unknown;
    /* LATE_BILLS and NO_BILL_HISTORY would contradict each other */
    return code == NO_BILL_HISTORY && variables->overdue_alone ? SHORT_TRACK_RECORD : code;
}

static int32_t best_value(const struct ss_curve *curve)
{
    int32_t best = curve->y[curve->count - 1];
    for (int i = 0; i < curve->count && best < SS_VALUE_MAX; i++) /* no curve goes above that */
        if (curve->y[i] > best)
            best = curve->y[i];
    return best;
}

/* What all components of each code lack, in hundredths of a point; bit c of the result: code c
 * lacks something. */
static uint32_t find_lacking(const struct ss_model *model, const struct ss_variables *variables,
                             int64_t short_centi[CODE_COUNT], enum ss_factor factors[CODE_COUNT])
{
    int64_t weights = 0;
    uint32_t found = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        weights += model->weights[f];
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        const int begin = ss_factor_first(f), end = ss_factor_first(f + 1);
        int64_t of_factor = 0;
        for (int v = begin; v < end; v++)
            of_factor += model->components[v].weight;
        for (int v = begin; v < end; v++) {
            const struct ss_component *component = &model->components[v];
            if (component->weight == 0)
                continue;
            int64_t lacking = (int64_t)best_value(&component->curve) - variables->worth[v];
            if (lacking <= 0)
                continue;
            int64_t share = 60000 * (int64_t)model->weights[f] * component->weight * lacking /
                            (weights * SS_VALUE_MAX * of_factor);
            if (share == 0)
                continue;
            enum code code = code_of(variables, v);
            if (!(found & UINT32_C(1) << code)) {
                found |= UINT32_C(1) << code;
                short_centi[code] = 0;
                factors[code] = (enum ss_factor)f; /* the first variable's */
            }
            short_centi[code] += share;
        }
    }
    return found;
}

void ss_reasons_rank(const struct ss_model *model, const struct ss_variables *variables,
                     struct ss_score *score)
{
    int64_t short_centi[CODE_COUNT];
    enum ss_factor factors[CODE_COUNT];
    const int max = SS_REASONS_MAX - score->listed;
    /* The greatest first; by what is lacking, then the earlier code. Each code goes past all of
     * them, which takes no branch that depends on it; 0 is none. */
    uint64_t ranked[SS_REASONS_MAX] = {0};

    for (uint32_t left = find_lacking(model, variables, short_centi, factors); left;
         left &= left - 1) {
        const int code = __builtin_ctz(left);
        uint64_t moving = (uint64_t)short_centi[code] << 8 | (uint64_t)(CODE_COUNT - code);
        for (int i = 0; i < SS_REASONS_MAX; i++) {
            const uint64_t there = ranked[i];
            ranked[i] = moving > there ? moving : there;
            moving = moving > there ? there : moving;
        }
    }

    score->reason_count = 0;
    if (score->listed)
        score->reasons[score->reason_count++] =
            (struct ss_reason){"LISTED", SS_FACTOR_COUNT, (score->full_score - score->score) * 100};
    for (int i = 0; i < max && ranked[i]; i++) {
        const int code = CODE_COUNT - (int)(ranked[i] & 0xff);
        score->reasons[score->reason_count++] =
            (struct ss_reason){code_names[code], factors[code], (int32_t)(ranked[i] >> 8)};
    }
}
