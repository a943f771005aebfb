#include "scoring/model_plan.h"

#include "scoring/fold.h"

_Static_assert((int)SS_CURVE_POINTS_MAX < (int)SS_PLAN_STRETCHES, "one before all points");
_Static_assert(SS_PLAN_STRETCHES == 32, "what ss_curve_at searches");

enum { WEIGHT_MAX = 1000, Y_MAX = 1000000 };
#define X_MAX INT64_C(1000000000000)

/* ceil(2^64 * rest / run) of a rest below run, bit by bit: a division of 128 bits is a function of
 * the compiler's library. */
static uint64_t remainder_of(uint64_t rest, uint64_t run)
{
    uint64_t quotient = 0;
    for (int bit = 0; bit < 64; bit++) {
        rest *= 2;
        quotient = quotient * 2 + (rest >= run);
        rest -= rest >= run ? run : 0;
    }
    return quotient + (rest > 0);
}

static struct ss_plan_stretch stretch_between(const struct ss_curve *curve, int left)
{
    const int64_t run = curve->x[left + 1] - curve->x[left];
    const int64_t rise = (int64_t)(curve->y[left + 1] - curve->y[left]) * (1 << SS_SLOPE_BITS);
    const int64_t whole = rise / run - (rise % run < 0); /* rounded down */
    return (struct ss_plan_stretch){
        .from = curve->x[left],
        .base = curve->y[left],
        .rise = whole,
        .remainder = remainder_of((uint64_t)(rise - whole * run), (uint64_t)run)};
}

void ss_curve_prepare(const struct ss_curve *curve, struct ss_plan_curve *plan)
{
    const int count = curve->count;
    SS_REQUIRE(count >= 1 && count <= SS_CURVE_POINTS_MAX);
    for (int i = 0; i < count; i++) {
        SS_REQUIRE(curve->x[i] >= -X_MAX && curve->x[i] <= X_MAX);
        SS_REQUIRE(i == 0 || curve->x[i] > curve->x[i - 1]);
        SS_REQUIRE(curve->y[i] >= 0 && curve->y[i] <= Y_MAX);
    }
    plan->many = count > 7;
    plan->stretches[0] = (struct ss_plan_stretch){.from = INT64_MIN, .base = curve->y[0]};
    for (int i = 1; i < SS_PLAN_STRETCHES; i++)
        plan->stretches[i] =
            i < count ? stretch_between(curve, i - 1)
                      : (struct ss_plan_stretch){.from = i == count ? curve->x[i - 1] : INT64_MAX,
                                                 .base = curve->y[count - 1]};
}

static int32_t best_value(const struct ss_curve *curve)
{
    int32_t best = curve->y[0];
    for (int i = 1; i < curve->count; i++)
        if (curve->y[i] > best)
            best = curve->y[i];
    return best;
}

/* docs/model.md 6.3, 6.4 and 6.8, whose 60000 and 10000 have been cancelled. */
static void prepare_factor(const struct ss_model *model, int factor, uint64_t weights,
                           struct ss_model_plan *plan)
{
    const int begin = ss_factor_first(factor), end = ss_factor_first(factor + 1);
    const uint64_t points = 6 * (uint64_t)model->weights[factor];
    uint64_t of_factor = 0;

    for (int v = begin; v < end; v++) {
        const struct ss_component *component = &model->components[v];
        SS_REQUIRE(component->weight >= 0 && component->weight <= WEIGHT_MAX);
        SS_REQUIRE(component->neutral >= 0 && component->neutral <= SS_VALUE_MAX);
        of_factor += (uint64_t)component->weight;
    }
    for (int v = begin; v < end; v++) {
        const struct ss_component *component = &model->components[v];
        plan->weights[v] = component->weight;
        plan->neutrals[v] = component->neutral;
        plan->best[v] = best_value(&component->curve);
        SS_REQUIRE(plan->best[v] <= SS_VALUE_MAX);
        plan->shares[v] = ss_share_prepare(points * (uint64_t)component->weight,
                                           weights * of_factor, SS_VALUE_MAX);
        ss_curve_prepare(&component->curve, &plan->curves[v]);
    }
    plan->means[factor] = ss_share_prepare(1, of_factor, of_factor * SS_VALUE_MAX);
    plan->points[factor] = ss_share_prepare(points, weights, SS_VALUE_MAX);
}

void ss_model_prepare(struct ss_model *model)
{
    struct ss_model_plan *plan = &model->plan;
    uint64_t weights = 0;

    memset(plan, 0, sizeof *plan);
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        SS_REQUIRE(model->weights[f] >= 0 && model->weights[f] <= WEIGHT_MAX);
        weights += (uint64_t)model->weights[f];
    }
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        prepare_factor(model, f, weights, plan);
    ss_curve_prepare(&model->overdue_severity, &plan->overdue);
    SS_REQUIRE(model->tier_count >= 1 && model->tier_count <= SS_TIERS_MAX);
    for (int t = 0; t < SS_TIERS_MAX; t++)
        plan->tiers_from[t] = t < model->tier_count ? model->tiers[t].from : INT32_MAX;
    SS_REQUIRE(model->benefit_count >= 0 && model->benefit_count <= SS_BENEFITS_MAX);
    for (int b = 0; b < model->benefit_count; b++)
        plan->benefits_from[b] = model->benefits[b].threshold;
    ss_currencies_prepare(model, plan->currencies);
    plan->ready = true;
}
