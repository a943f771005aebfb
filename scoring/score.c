#include "scoring/score.h"

#include "scoring/apply.h"

/* A component's value: its curve's, or the neutral one. */
static int32_t worth(const struct ss_model *model, const struct ss_variables *variables,
                     enum ss_variable variable)
{
    const struct ss_component *component = &model->components[variable];
    if (!variables->known[variable])
        return component->neutral;
    int32_t value = ss_curve_at(&component->curve, variables->value[variable]);
    /* who has paid no bill yet must not gain by falling behind with one */
    if (variable == SS_VAR_LATENESS && variables->overdue_alone && value > component->neutral)
        return component->neutral;
    return value;
}

int ss_score_tier(const struct ss_model *model, int32_t score)
{
    int tier = 0;
    while (tier + 1 < model->tier_count && score >= model->tiers[tier + 1].from)
        tier++;
    return tier;
}

void ss_score_sum(const struct ss_model *model, struct ss_variables *variables, bool listed,
                  struct ss_score *score)
{
    int64_t weights = 0;
    int32_t points_centi = 0;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        weights += model->weights[f];
    for (int f = 0; f < SS_FACTOR_COUNT; f++) {
        int64_t weighted = 0, divisor = 0;
        for (int v = ss_factor_first(f); v < ss_factor_first(f + 1); v++) {
            int32_t weight = model->components[v].weight;
            if (weight == 0)
                continue;
            variables->worth[v] = worth(model, variables, (enum ss_variable)v);
            weighted += (int64_t)weight * variables->worth[v];
            divisor += weight;
        }
        struct ss_factor_result *result = &score->factors[f];
        result->weight = model->weights[f];
        result->value = (int32_t)(weighted / divisor); /* the loader: never 0 */
        result->points_centi = (int32_t)((SS_SCORE_MAX - SS_SCORE_MIN) * INT64_C(100) *
                                         result->weight * result->value / (weights * SS_VALUE_MAX));
        points_centi += result->points_centi;
    }
    score->full_score = SS_SCORE_MIN + points_centi / 100;
    score->listed = listed;
    score->score =
        listed && score->full_score > model->listed_cap ? model->listed_cap : score->full_score;
    score->tier = ss_score_tier(model, score->score);
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
