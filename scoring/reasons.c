#include "scoring/reasons.h"

#include "scoring/clear.h"
#include "scoring/model_plan.h"

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
_Static_assert(CODE_COUNT * sizeof(uint32_t) % SS_CLEAR_STEP == 0, "their sums are cleared so");

#define NAME(code) [code] = {#code, sizeof #code - 1}
static const struct ss_text code_names[CODE_COUNT] = {
    NAME(LATE_BILLS),        NAME(DEFAULTED_BILLS),    NAME(SHORT_TRACK_RECORD),
    NAME(NO_BILL_HISTORY),   NAME(HIGH_DEBT),          NAME(NO_CREDIT_LINE),
    NAME(FEW_PAYMENTS),      NAME(IRREGULAR_PAYMENTS), NAME(NARROW_SPENDING),
    NAME(REVERSED_PAYMENTS), NAME(NO_PAYMENTS),        NAME(LOW_SPENDING),
    NAME(LOW_REPAYMENT),     NAME(LOW_CREDIT_LIMIT),   NAME(BROKEN_BOOKINGS),
    NAME(NO_BOOKINGS),       NAME(UNVERIFIED_FACTS),   NAME(NO_PROFILE),
    NAME(LOW_DEGREE),        NAME(NO_DEGREE),          NAME(SHORT_TENURE),
    NAME(NO_ACCOUNT_AGE),    NAME(LOW_FRIENDS_BANDS),  NAME(NO_SOCIAL_TIES),
};

/* The code of a variable: nothing is known of it; it is known and falls short; and both again of
 * whom nothing but overdue bills is known, since LATE_BILLS and NO_BILL_HISTORY would contradict
 * each other. Variables may share a code; their shares add up. */
#define CODES(unknown, known)          \
    {                                  \
        unknown, known, unknown, known \
    }
#define CODES_OF_BILLS(known)                             \
    {                                                     \
        NO_BILL_HISTORY, known, SHORT_TRACK_RECORD, known \
    }
static const uint8_t codes[SS_VAR_COUNT][4] = {
    [SS_VAR_LATENESS] = CODES_OF_BILLS(LATE_BILLS),
    [SS_VAR_DEFAULTS] = CODES_OF_BILLS(DEFAULTED_BILLS),
    [SS_VAR_TRACK_RECORD] = CODES_OF_BILLS(SHORT_TRACK_RECORD),
    [SS_VAR_DEBT] = CODES(NO_CREDIT_LINE, HIGH_DEBT),
    [SS_VAR_ACTIVITY] = CODES(NO_PAYMENTS, FEW_PAYMENTS),
    [SS_VAR_REGULARITY] = CODES(NO_PAYMENTS, IRREGULAR_PAYMENTS),
    [SS_VAR_DIVERSITY] = CODES(NO_PAYMENTS, NARROW_SPENDING),
    [SS_VAR_REVERSALS] = CODES(NO_PAYMENTS, REVERSED_PAYMENTS),
    [SS_VAR_SPENDING] = CODES(NO_PAYMENTS, LOW_SPENDING),
    [SS_VAR_REPAYMENT] = CODES_OF_BILLS(LOW_REPAYMENT),
    [SS_VAR_LIMIT] = CODES(NO_CREDIT_LINE, LOW_CREDIT_LIMIT),
    [SS_VAR_BOOKINGS] = CODES(NO_BOOKINGS, BROKEN_BOOKINGS),
    [SS_VAR_IDENTITY] = CODES(NO_PROFILE, UNVERIFIED_FACTS),
    [SS_VAR_EDUCATION] = CODES(NO_DEGREE, LOW_DEGREE),
    [SS_VAR_TENURE] = CODES(NO_ACCOUNT_AGE, SHORT_TENURE),
    [SS_VAR_FRIENDS] = CODES(NO_SOCIAL_TIES, LOW_FRIENDS_BANDS),
};

struct shares {
    int32_t of[SS_VAR_COUNT]; /* what each component lacks, in hundredths of a point */
    uint8_t code[SS_VAR_COUNT];
    uint32_t of_code[CODE_COUNT]; /* their sums; at most 60,000 in all */
    uint32_t found;               /* bit c: the sum of code c is above 0 */
};

static void find_shares(const struct ss_model_plan *plan, const struct ss_variables *variables,
                        struct shares *shares)
{
    const unsigned alone = variables->overdue_alone ? 2 : 0;
    ss_clear(shares->of_code, sizeof shares->of_code);
    shares->found = 0;
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        const int32_t lacking = plan->best[v] - variables->worth[v];
        const int32_t share = ss_share_of(plan->shares[v], lacking > 0 ? lacking : 0);
        const uint8_t code = codes[v][alone + variables->known[v]];
        shares->of[v] = share;
        shares->code[v] = code;
        shares->of_code[code] += (uint32_t)share;
        shares->found |= (uint32_t)(share > 0) << code;
    }
}

/* Of the first variable that has a part in it. */
static enum ss_factor factor_of(const struct shares *shares, int code)
{
    int v = 0;
    while (shares->code[v] != code || shares->of[v] == 0)
        v++;
    return ss_variable_factor((enum ss_variable)v);
}

/* The greater of the two stays there, the lesser moves on. */
static inline uint32_t pass(uint32_t *there, uint32_t moving)
{
    const uint32_t lesser = moving < *there ? moving : *there;
    *there = moving < *there ? *there : moving;
    return lesser;
}

void ss_reasons_rank(const struct ss_model *model, const struct ss_variables *variables,
                     struct ss_score *score)
{
    struct shares shares;
    const int max = SS_REASONS_MAX - score->listed;
    /* The greatest first; by what is lacking, then the earlier code. Each code goes past all of
     * them, which takes no branch that depends on it; 0 is none. */
    uint32_t ranked[SS_REASONS_MAX] = {0};
    _Static_assert(SS_REASONS_MAX == 4, "a pass for each");

    find_shares(ss_model_plan_of(model), variables, &shares);
    for (uint32_t left = shares.found; left; left &= left - 1) {
        const int code = __builtin_ctz(left);
        uint32_t moving = shares.of_code[code] << 8 | (uint32_t)(CODE_COUNT - code);
        moving = pass(&ranked[0], moving);
        moving = pass(&ranked[1], moving);
        moving = pass(&ranked[2], moving);
        pass(&ranked[3], moving);
    }

    score->reason_count = 0;
    if (score->listed)
        score->reasons[score->reason_count++] = (struct ss_reason){
            {"LISTED", 6}, SS_FACTOR_COUNT, (score->full_score - score->score) * 100};
    for (int i = 0; i < max && ranked[i]; i++) {
        const int code = CODE_COUNT - (int)(ranked[i] & 0xff);
        score->reasons[score->reason_count++] = (struct ss_reason){
            code_names[code], factor_of(&shares, code), (int32_t)(ranked[i] >> 8)};
    }
}
