#include "scoring/score.h"

#include "scoring/apply.h"
#include "scoring/model_plan.h"

/* What each component is worth. Curves are looked up whether the variable is known or not: that
 * costs less than guessing wrong which are. */
static void find_worth(const struct ss_model_plan *plan, struct ss_variables *variables)
{
    for (int v = 0; v < SS_VAR_COUNT; v++) {
        const int32_t neutral = plan->neutrals[v];
        const int32_t value = ss_curve_at(&plan->curves[v], variables->value[v]);
        variables->worth[v] = neutral + ((value - neutral) & -(int32_t)variables->known[v]);
    }
    /* who has paid no bill yet must not gain by falling behind with one */
    int32_t *lateness = &variables->worth[SS_VAR_LATENESS];
    if (variables->overdue_alone && *lateness > plan->neutrals[SS_VAR_LATENESS])
        *lateness = plan->neutrals[SS_VAR_LATENESS];
}

void ss_score_add_up(const struct ss_model *model, bool listed, struct ss_score *score)
{
    const struct ss_model_plan *plan = ss_model_plan_of(model);
    int32_t points_centi = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        struct ss_factor_result *result = &score->factors[f];
        result->weight = model->weights[f];
        result->points_centi = ss_share_of(plan->points[f], result->value);
        points_centi += result->points_centi;
    }
    score->full_score = SS_SCORE_MIN + points_centi / 100;
    score->listed = listed;
    score->score =
        listed && score->full_score > model->listed_cap ? model->listed_cap : score->full_score;
    score->tier = ss_tier_of(plan, score->score);
}

void ss_score_sum(const struct ss_model *model, struct ss_variables *variables, bool listed,
                  struct ss_score *score)
{
    const struct ss_model_plan *plan = ss_model_plan_of(model);
    int32_t sums[SS_VAR_COUNT + 1];
    find_worth(plan, variables);
    /* Of all components before each, times their weights: at most 16 * 1000 * SS_VALUE_MAX. */
    sums[0] = 0;
    for (int v = 0; v < SS_VAR_COUNT; v++)
        sums[v + 1] = sums[v] + plan->weights[v] * variables->worth[v];
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        const int32_t weighted = sums[ss_factor_first(f + 1)] - sums[ss_factor_first(f)];
        score->factors[f].value = ss_share_of(plan->means[f], weighted);
    }
    ss_score_add_up(model, listed, score);
    score->reason_count = 0;
}

void ss_score_compute(const struct ss_model *model, const struct ss_user_state *state,
                      int64_t as_of_ms, int64_t clock_ms, struct ss_score *score)
{
    struct ss_variables variables;
    ss_variables_compute(model, state, as_of_ms, clock_ms, &variables);
    ss_score_sum(model, &variables, state->blacklist.case_count > 0, score);
    ss_reasons_rank(model, &variables, score);
}
