/* How far friends can move a score under a model: what the telling of bands rests on. */
#include "scoring/friends.h"

#include "helper_model.h"
#include "helper_random.h"
#include "scoring/score.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(friends_reach, nothing_matters_without_weight_or_without_a_slope)
{
    struct ss_model *model = helper_model_copy();
    struct ss_component *friends = &model->components[SS_VAR_FRIENDS];
    cr_assert(ss_friends_matter(model));
    model->weights[SS_FACTOR_RELATIONSHIPS] = 0;
    cr_assert_not(ss_friends_matter(model));
    cr_assert_eq(ss_friends_reach(model), 0);
    model->weights[SS_FACTOR_RELATIONSHIPS] = 5;
    friends->weight = 0;
    cr_assert_not(ss_friends_matter(model));
    cr_assert_eq(ss_friends_reach(model), 0);
    friends->weight = 10;
    for (int i = 0; i < friends->curve.count; i++)
        friends->curve.y[i] = friends->neutral;
    cr_assert_not(ss_friends_matter(model));
    friends->neutral += 1000; /* known or unknown is a difference too */
    cr_assert(ss_friends_matter(model));
    cr_assert_eq(ss_friends_reach(model), 3);
    free(model);
}

/* Against the score function itself: no two values of the relationships' variables are further
 * apart, and some are as far. */
Test(friends_reach, the_reach_bounds_what_friends_can_move)
{
    uint64_t seed = 4;
    struct ss_model *model = helper_model_copy();
    int tight = 0, models = 2000;
    for (int m = 0; m < models; m++) {
        struct ss_component *friends = &model->components[SS_VAR_FRIENDS];
        for (int f = 0; f < SS_FACTOR_COUNT; f++)
            model->weights[f] = (int32_t)helper_random_below(&seed, 40) + (f == 0);
        friends->weight = (int32_t)helper_random_below(&seed, 20) + 1;
        friends->neutral = (int32_t)helper_random_below(&seed, SS_VALUE_MAX + 1);
        friends->curve.count = (int)helper_random_below(&seed, 5) + 1;
        for (int i = 0; i < friends->curve.count; i++) {
            friends->curve.x[i] = 10 * i;
            friends->curve.y[i] = (int32_t)helper_random_below(&seed, SS_VALUE_MAX + 1);
        }
        ss_model_prepare(model);
        int32_t reach = ss_friends_reach(model), greatest = 0;
        for (int other = 0; other < 40; other++) {
            struct ss_variables variables = {0};
            struct ss_score score;
            int32_t low = INT32_MAX, high = 0;
            for (int v = 0; v < SS_VAR_FRIENDS; v++) {
                variables.known[v] = true;
                variables.value[v] = helper_random_below(&seed, 20000);
            }
            for (int x = -1; x <= 50; x++) {
                variables.known[SS_VAR_FRIENDS] = x >= 0;
                variables.value[SS_VAR_FRIENDS] = x;
                ss_score_sum(model, &variables, false, &score);
                low = score.score < low ? score.score : low;
                high = score.score > high ? score.score : high;
            }
            cr_assert_leq(high - low, reach);
            greatest = high - low > greatest ? high - low : greatest;
        }
        tight += greatest == reach;
        if (!ss_friends_matter(model))
            cr_assert_eq(greatest, 0);
    }
    free(model);
    cr_assert_gt(tight, models / 2);
}
