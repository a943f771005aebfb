/* docs/model.md's worked example, number by number. */
#include "helper_model.h"
#include "scoring/hash.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ss_model *example_model(void)
{
    struct ss_model *model = helper_model_copy();
    static const int32_t severity[SS_LATE_BUCKETS] = {200, 1000, 2000, 3000, 4000};
    memcpy(model->late_severity, severity, sizeof severity);
    model->components[SS_VAR_REPAYMENT].curve.x[1] = 10000;
    ss_decay_init(&model->bills_decay, 180);
    ss_model_prepare(model);
    return model;
}

static void expect_points(const struct helper_user *user, int32_t score, int32_t history,
                          int32_t fulfilment)
{
    cr_assert(user->effects.has_record);
    const struct ss_score *got = &user->effects.record.score;
    cr_assert_eq(got->score, score);
    cr_assert_eq(got->factors[SS_FACTOR_HISTORY].points_centi, history);
    cr_assert_eq(got->factors[SS_FACTOR_BEHAVIOUR].points_centi, 7500);
    cr_assert_eq(got->factors[SS_FACTOR_FULFILMENT].points_centi, fulfilment);
    cr_assert_eq(got->factors[SS_FACTOR_CHARACTERISTICS].points_centi, 4500);
    cr_assert_eq(got->factors[SS_FACTOR_RELATIONSHIPS].points_centi, 1500);
}

Test(document, worked_example)
{
    struct ss_model *model = example_model();
    struct helper_user user;
    helper_user_init(&user, model);

    helper_grant(&user, DAY(18262));
    expect_points(&user, 650, 10500, 6000);
    cr_assert_eq(user.effects.record.sequence, 1);

    helper_count(&user, helper_bill(DAY(18262), SS_BILL_ISSUED, "b", DAY(18272), 5000));
    cr_assert(!user.effects.has_record);

    helper_count(&user,
                 helper_bill(DAY(18307) + DAY(1) / 2, SS_BILL_PAID, "b", SS_TIME_UNKNOWN, 5000));
    expect_points(&user, 671, 12600, 6000);
    cr_assert_eq(user.effects.record.kind, SS_KIND_UPDATE);

    helper_count(&user, helper_consent(DAY(18487), SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, ""));
    expect_points(&user, 666, 12862, 5248);
    free(model);
}

Test(document, decay_and_hash_examples)
{
    static struct ss_decay decay;
    ss_decay_init(&decay, 180);
    cr_assert_eq(ss_decay_by(&decay, 1000, 30), 890);
    cr_assert_eq(ss_decay_by(&decay, 1000, 180), 499);
    cr_assert_eq(ss_hash64(helper_text("")), UINT64_C(14695981039346656037));
    cr_assert_eq(ss_hash64(helper_text("a")), UINT64_C(12638187200555641996));
}
