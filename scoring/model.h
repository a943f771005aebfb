/* model.h - a scoring model: every number that the score depends on, and nothing else.
 *
 * Loaded from model.yaml by config/model_file.c, which also computes its version, a hash of its
 * canonical form. docs/model.md gives each field's meaning. Immutable once loaded, so any thread
 * may read it.
 *
 * A score is 350 plus the points of five factors. A factor's value, 0 to 10,000, is the weighted
 * mean of its components' values; a component's value is a piecewise linear curve over one
 * variable. Fields marked structural enter the folds (user_state.h): changing one rebuilds from the
 * logs.
 */
#ifndef SS_SCORING_MODEL_H
#define SS_SCORING_MODEL_H

#include "scoring/user_state.h"

enum {
    SS_VALUE_MAX = 10000,
    SS_CURVE_POINTS_MAX = 24,
    SS_CURRENCIES_MAX = 64,
    SS_TIERS_MAX = 8,
    SS_NAME_MAX = 48,
    SS_DECAY_DAYS_MAX = 4095, /* what is older is forgotten */
};

enum ss_factor {
    SS_FACTOR_HISTORY,
    SS_FACTOR_BEHAVIOUR,
    SS_FACTOR_FULFILMENT,
    SS_FACTOR_CHARACTERISTICS,
    SS_FACTOR_RELATIONSHIPS,
    SS_FACTOR_COUNT
};

/* The variables, each feeding one component of one factor; scoring/variables.c computes them. */
enum ss_variable {
    /* history */
    SS_VAR_LATENESS,     /* milli-severity of late and overdue bills */
    SS_VAR_DEFAULTS,     /* decayed defaults, milli */
    SS_VAR_TRACK_RECORD, /* decayed bills paid on time, milli */
    SS_VAR_DEBT,         /* balance owed over limit, in 1/10,000 */
    /* behaviour */
    SS_VAR_ACTIVITY,   /* decayed payments, milli */
    SS_VAR_REGULARITY, /* months of the last twelve with a payment */
    SS_VAR_DIVERSITY,  /* categories paid in during this quarter and the one before */
    SS_VAR_REVERSALS,  /* chargebacks and a part of refunds over payments, in 1/10,000 */
    /* fulfilment */
    SS_VAR_SPENDING,  /* decayed amount paid, base minor units */
    SS_VAR_REPAYMENT, /* decayed amount paid on bills, base minor units */
    SS_VAR_LIMIT,     /* credit limit in all, base minor units */
    SS_VAR_BOOKINGS,  /* bookings kept out of those due, in 1/10,000 */
    /* characteristics */
    SS_VAR_IDENTITY,  /* verified facts, weighted by the model's fact_points */
    SS_VAR_EDUCATION, /* enum ss_degree_level */
    SS_VAR_TENURE,    /* days since the account was opened */
    /* relationships */
    SS_VAR_FRIENDS, /* mean band of the friends who confirm it, milli */
    SS_VAR_COUNT
};

struct ss_curve {
    int count;                      /* 1 to SS_CURVE_POINTS_MAX */
    int64_t x[SS_CURVE_POINTS_MAX]; /* strictly ascending */
    int32_t y[SS_CURVE_POINTS_MAX];
};

struct ss_component {
    int32_t weight;        /* within its factor; 0 switches it off */
    int32_t neutral;       /* value while nothing is known of the variable, 0 to SS_VALUE_MAX */
    struct ss_curve curve; /* variable -> 0 to SS_VALUE_MAX */
};

struct ss_currency {
    char code[4];
    int64_t numerator, denominator; /* base minor units = amount_minor * numerator / denominator */
};

struct ss_tier {
    char name[SS_NAME_MAX];
    int32_t from; /* least score of the tier; the first tier's is the score's minimum */
};

struct ss_benefit {
    char id[SS_NAME_MAX];
    char title[128];
    int32_t threshold;
};

/* Decay by whole days with a half-life: factor[d] = 2^(-d / half_life_days) in 1/2^32, rounded down
 * as docs/model.md says; structural. Filled by ss_decay_init. */
struct ss_decay {
    int32_t half_life_days;
    uint64_t factor[SS_DECAY_DAYS_MAX + 1];
};

/* Derived from the rest of a model by ss_model_prepare (model_plan.h), so that a score need not
 * compute anew what it shares with all others of its model. How it is to be read is told there. */
struct ss_plan_stretch {
    int64_t from;       /* the x where it begins */
    int64_t base;       /* y there */
    int64_t rise;       /* per step of x, in 1/2^22, rounded down */
    uint64_t remainder; /* of that, in 1/2^86, rounded up */
};

enum {
    SS_PLAN_STRETCHES = 32,
    SS_PLAN_CURRENCIES = 256, /* a power of two, several times as many as there can be */
};

struct ss_plan_curve {
    bool many; /* more than 7 points */
    /* One from the least x there is, one from each point, then some from the greatest there is. */
    struct ss_plan_stretch stretches[SS_PLAN_STRETCHES];
};

struct ss_model_plan {
    bool ready;
    int32_t weights[SS_VAR_COUNT], neutrals[SS_VAR_COUNT], best[SS_VAR_COUNT]; /* of components */
    uint64_t shares[SS_VAR_COUNT];    /* of what a component lacks: hundredths of a point */
    uint64_t means[SS_FACTOR_COUNT];  /* of the weighted sum of a factor's components: its value */
    uint64_t points[SS_FACTOR_COUNT]; /* of that: hundredths of a point */
    int32_t tiers_from[SS_TIERS_MAX]; /* then INT32_MAX */
    int32_t benefits_from[SS_BENEFITS_MAX];
    uint8_t currencies[SS_PLAN_CURRENCIES]; /* by hash: 1 + which of the model's, or 0 */
    struct ss_plan_curve overdue, curves[SS_VAR_COUNT];
};

struct ss_model {
    char name[SS_NAME_MAX];
    char version[SS_NAME_MAX]; /* "<name>-<16 hex digits>" */

    int32_t weights[SS_FACTOR_COUNT];
    struct ss_component components[SS_VAR_COUNT];

    /* lateness */
    int32_t late_severity[SS_LATE_BUCKETS]; /* of one bill paid late, by how late, milli */
    struct ss_curve overdue_severity;       /* days overdue -> milli, for bills still unpaid */
    int32_t refund_share;    /* how much of a refund counts as a reversal, 1/10,000 */
    int32_t booking_prior;   /* kept bookings that everybody starts with, milli */
    int32_t cancelled_share; /* how much of a no-show a cancellation is, 1/10,000 */
    int32_t fact_points[SS_FACT_COUNT];

    /* what time alone changes is published at these intervals (kind AGED), whole days */
    int32_t aged_days;         /* after the last as_of */
    int32_t aged_overdue_days; /* likewise, while a bill is overdue */

    int32_t listed_cap;    /* the score of a listed user is at most this */
    int32_t revoke_margin; /* a benefit is revoked below its threshold less this */

    int tier_count;
    struct ss_tier tiers[SS_TIERS_MAX];
    int benefit_count;
    struct ss_benefit benefits[SS_BENEFITS_MAX];

    /* structural */
    struct ss_decay payments_decay, bills_decay, defaults_decay, bookings_decay;
    char base_currency[4];
    int currency_count;
    struct ss_currency currencies[SS_CURRENCIES_MAX]; /* by code ascending; has the base at 1/1 */
    int32_t recent_window; /* event ids remembered per user and input, 0 to SS_RECENT_MAX */
    int32_t friends_max;   /* links of a user, 0 to SS_FRIENDS_MAX; 0: none are kept */
    int32_t recent_days;   /* for how many days of that input's events, 1 to SS_DECAY_DAYS_MAX */

    struct ss_model_plan plan; /* whoever changes any of the above has to prepare it anew */
};

/* Who is scored by which model: businesses by their own, if there is one. The structural parameters
 * of both are the same, since events are folded before it is known whose they are.
 *
 * Models are replaced while the engine runs: each such pair has a number, its epoch, and knows the
 * pair before it. What subscribers were last told of a user is of a model of some epoch
 * (ss_published); where that is not the one now in charge of the user, the user is told of the
 * change first (kind RESCORE). A pair that stands alone is all zero but for its models. */
struct ss_models {
    const struct ss_model *person;
    const struct ss_model *business; /* NULL: as persons */
    int32_t epoch;                   /* 0: the first pair ever */
    /* Since when each is in charge: who is scored by a model that stays is not told. */
    int32_t person_since, business_since;
    const struct ss_models *before; /* of a lesser epoch; NULL: none, or none that can be read */
};

static inline bool ss_is_business(const struct ss_models *models, const struct ss_user_state *state)
{
    return models->business && state->profiles.holder == SS_HOLDER_BUSINESS;
}

static inline const struct ss_model *ss_model_of(const struct ss_models *models,
                                                 const struct ss_user_state *state)
{
    return ss_is_business(models, state) ? models->business : models->person;
}

static inline int32_t ss_models_since(const struct ss_models *models, bool business)
{
    return business ? models->business_since : models->person_since;
}

/* The model of which a user was told in that epoch; NULL: it is not known any more. */
static inline const struct ss_model *ss_models_find(const struct ss_models *models, bool business,
                                                    int32_t epoch)
{
    while (models && ss_models_since(models, business) > epoch)
        models = models->before;
    return !models ? NULL : business ? models->business : models->person;
}

/* Whether what was published in that epoch is of the model now in charge; also of one that has been
 * replaced and has come back, of which nothing is new to a user who was not told in between. */
static inline bool ss_models_told(const struct ss_models *models, bool business, int32_t epoch)
{
    int32_t since = ss_models_since(models, business);
    return epoch == since || (epoch < since && ss_models_find(models, business, epoch) ==
                                                   (business ? models->business : models->person));
}

/* What was published of this user is of another model than the one in charge. */
static inline bool ss_rescore_due(const struct ss_models *models, const struct ss_user_state *state)
{
    const struct ss_published *published = &state->published;
    bool business = ss_is_business(models, state);
    return state->consents.scoring &&
           (published->business != business || !ss_models_told(models, business, published->epoch));
}

enum { SS_SCORE_MIN = 350, SS_SCORE_MAX = 950 };

/* The first variable of a factor, for enum ss_variable lists them factor by factor; of
 * SS_FACTOR_COUNT, SS_VAR_COUNT. */
static inline int ss_factor_first(int factor)
{
    static const uint8_t first[SS_FACTOR_COUNT + 1] = {
        SS_VAR_LATENESS, SS_VAR_ACTIVITY, SS_VAR_SPENDING,
        SS_VAR_IDENTITY, SS_VAR_FRIENDS,  SS_VAR_COUNT,
    };
    return first[factor];
}

/* Which factor a variable belongs to. */
static inline enum ss_factor ss_variable_factor(enum ss_variable variable)
{
    int factor = 0;
    while ((int)variable >= ss_factor_first(factor + 1))
        factor++;
    return (enum ss_factor)factor;
}

/* Names as in model.yaml and in records: "history", "lateness", …; static text. */
const char *ss_factor_name(enum ss_factor factor);
const char *ss_variable_name(enum ss_variable variable);

#endif
