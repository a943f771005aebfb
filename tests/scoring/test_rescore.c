/* A model is replaced: docs/model.md 7.15. */
#include "helper_model.h"

#include "scoring/sharing.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define T0 DAY(18262)

static struct helper_user user;
static struct ss_model *first, *second;
static struct ss_models one, two;

/* The second weighs history only, and knows one benefit of the first's two and one of its own. */
static void opted_in(void)
{
    first = helper_model_copy();
    first->benefit_count = 2;
    strcpy(first->benefits[0].id, "gone");
    strcpy(first->benefits[1].id, "kept");
    first->benefits[0].threshold = first->benefits[1].threshold = 400;
    second = helper_model_copy();
    strcpy(second->version, "second");
    for (int f = 1; f < SS_FACTOR_COUNT; f++)
        second->weights[f] = 0;
    second->benefit_count = 2;
    strcpy(second->benefits[0].id, "kept");
    second->benefits[0].threshold = 400;
    strcpy(second->benefits[1].id, "new");
    second->benefits[1].threshold = 350;
    ss_model_prepare(first);
    ss_model_prepare(second);
    one = (struct ss_models){.person = first};
    two = (struct ss_models){
        .person = second, .epoch = 7, .person_since = 7, .business_since = 7, .before = &one};
    helper_user_init(&user, first);
    helper_grant(&user, T0);
    helper_count(&user, helper_bill(T0 + 5, SS_BILL_ISSUED, "a", T0 + DAY(3), 100));
    helper_count(&user, helper_bill(T0 + DAY(1), SS_BILL_PAID, "a", T0 + DAY(3), 100));
}

static void let_go(void)
{
    free(first);
    free(second);
}

static bool wake(const struct ss_models *models, int64_t clock_ms)
{
    user.context.clock_ms = clock_ms;
    return ss_wake(models, &user.state, helper_text("u"), &user.context, &user.effects);
}

Test(rescore, tells_what_the_model_changes_and_nothing_else, .init = opted_in, .fini = let_go)
{
    const struct ss_user_state before = user.state;
    const int64_t sleeps_until = ss_wake_at(&one, &user.state);
    cr_assert_gt(sleeps_until, T0);
    cr_assert_eq(ss_wake_at(&two, &user.state), SS_WAKE_NOW);
    cr_assert(wake(&two, 0), "whatever the clock");
    cr_assert(user.effects.has_record);
    const struct ss_score_record *record = &user.effects.record;
    cr_assert_eq(record->kind, SS_KIND_RESCORE);
    cr_assert_not(record->has_cause);
    cr_assert_str_eq(record->model_version, "second");
    cr_assert_eq(record->previous_score, before.published.score);
    cr_assert_eq(record->sequence, before.published.sequence + 1);
    cr_assert_eq(record->as_of_ms, before.published.as_of_ms, "time has no part in it");
    cr_assert_eq(record->clock_ms, before.published.horizon_ms);
    struct ss_score by_second, by_first;
    ss_score_compute(first, &before, record->as_of_ms, record->clock_ms, &by_first);
    ss_score_compute(second, &before, record->as_of_ms, record->clock_ms, &by_second);
    cr_assert_eq(record->previous_score, by_first.score);
    cr_assert_eq(record->score.score, by_second.score);
    cr_assert_neq(by_first.score, by_second.score);
    cr_assert_eq(user.effects.entitlement_count, 2);
    cr_assert_str_eq(user.effects.entitlements[0].benefit->id, "gone");
    cr_assert_eq(user.effects.entitlements[0].action, SS_ENTITLEMENT_REVOKED);
    cr_assert_str_eq(user.effects.entitlements[1].benefit->id, "new");
    cr_assert_eq(user.effects.entitlements[1].action, SS_ENTITLEMENT_GRANTED);
    cr_assert_not(wake(&two, 0), "once");
    cr_assert_eq(ss_wake_at(&two, &user.state), sleeps_until);
}

Test(rescore, comes_before_whatever_else_is_due, .init = opted_in, .fini = let_go)
{
    helper_count(&user, helper_bill(T0 + DAY(2), SS_BILL_ISSUED, "b", T0 + DAY(3), 100));
    cr_assert(wake(&two, T0 + DAY(9)));
    cr_assert_eq(user.effects.record.kind, SS_KIND_RESCORE);
    cr_assert_eq(user.effects.record.as_of_ms, T0 + DAY(2));
    cr_assert(wake(&two, T0 + DAY(9)));
    cr_assert_eq(user.effects.record.kind, SS_KIND_OVERDUE);
    cr_assert_str_eq(user.effects.record.model_version, "second");
}

Test(rescore, is_told_even_where_the_score_stays, .init = opted_in, .fini = let_go)
{
    *second = *first;
    strcpy(second->version, "second");
    cr_assert(wake(&two, 0));
    cr_assert(user.effects.has_record);
    cr_assert_eq(user.effects.record.score.score, user.effects.record.previous_score);
    cr_assert_eq(user.effects.entitlement_count, 0);
}

Test(rescore, whose_model_stays_is_not_told, .init = opted_in, .fini = let_go)
{
    struct ss_models three = {.person = second,
                              .business = first,
                              .epoch = 9,
                              .person_since = 7,
                              .business_since = 9,
                              .before = &two};
    cr_assert(wake(&two, 0));
    cr_assert_not(wake(&three, 0));
    /* but who turns out to be a business is told as of any such change, by the event's own record
     */
    user.state.profiles.holder = SS_HOLDER_BUSINESS;
    cr_assert(wake(&three, 0));
    cr_assert_str_eq(user.effects.record.model_version, first->version);
    cr_assert_eq(user.state.published.epoch, 9);
    /* and once businesses have no model any more, by the persons' */
    struct ss_models four = {
        .person = second, .epoch = 10, .person_since = 7, .business_since = 10, .before = &three};
    cr_assert(wake(&four, 0));
    cr_assert_eq(user.effects.record.kind, SS_KIND_RESCORE);
    cr_assert_str_eq(user.effects.record.model_version, "second");
    cr_assert_eq(user.state.published.epoch, 7);
    cr_assert_not(wake(&four, 0));
}

Test(rescore, goes_over_several_changes_at_once, .init = opted_in, .fini = let_go)
{
    struct ss_model *third = helper_model_copy();
    *third = *first;
    strcpy(third->version, "third");
    struct ss_models three = {
        .person = third, .epoch = 8, .person_since = 8, .business_since = 8, .before = &two};
    cr_assert(wake(&three, 0));
    cr_assert_str_eq(user.effects.record.model_version, "third");
    cr_assert_eq(user.effects.entitlement_count, 0, "what was held by the first is held by it");
    cr_assert_not(wake(&three, 0));
    free(third);
}

Test(rescore, is_not_told_of_a_model_that_has_come_back, .init = opted_in, .fini = let_go)
{
    const struct ss_models three = {
        .person = first, .epoch = 8, .person_since = 8, .business_since = 8, .before = &two};
    const struct ss_user_state before = user.state;
    cr_assert_eq(ss_wake_at(&three, &user.state), ss_wake_at(&one, &user.state));
    cr_assert_not(wake(&three, 0), "who has not been told of the one in between");
    cr_assert(wake(&two, 0));
    cr_assert(wake(&three, 0), "who has");
    cr_assert_eq(user.effects.record.kind, SS_KIND_RESCORE);
    cr_assert_str_eq(user.effects.record.model_version, first->version);
    cr_assert_eq(user.effects.record.score.score, before.published.score);
    cr_assert_not(wake(&three, 0));
}

Test(rescore, the_listed_are_told_and_hold_nothing, .init = opted_in, .fini = let_go)
{
    helper_count(&user, helper_listing(T0 + DAY(2), SS_LISTED, "c"));
    second->listed_cap = 377;
    cr_assert(wake(&two, 0));
    const struct ss_score_record *record = &user.effects.record;
    cr_assert_eq(record->kind, SS_KIND_RESCORE);
    cr_assert_eq(record->standing, SS_STANDING_LISTED);
    cr_assert_eq(record->score.score, 377);
    cr_assert_eq(record->case_id.size, 0);
    cr_assert_eq(user.effects.entitlement_count, 0);
}

Test(rescore, nobody_is_told_without_a_grant, .init = opted_in, .fini = let_go)
{
    helper_count(&user, helper_listing(T0 + DAY(2), SS_LISTED, "c"));
    helper_count(&user, helper_consent(T0 + DAY(2), SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, ""));
    cr_assert_eq(ss_wake_at(&two, &user.state), SS_WAKE_NEVER);
    cr_assert_not(wake(&two, T0 + DAY(9)));
}

Test(rescore, subscribers_are_told_as_of_any_record, .init = opted_in, .fini = let_go)
{
    helper_count(&user, helper_consent(T0 + DAY(2), SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, "hotel"));
    cr_assert(wake(&two, 0));
    cr_assert_eq(user.effects.told_count, 1);
    cr_assert_eq(user.effects.told[0], ss_subscriber_hash(helper_text("hotel")));
}

Test(rescore, a_model_that_is_not_known_any_more_is_noticed, .init = opted_in, .fini = let_go)
{
    cr_assert(ss_wake_known(&one, &user.state));
    cr_assert(ss_wake_known(&two, &user.state));
    two.before = NULL;
    cr_assert_not(ss_wake_known(&two, &user.state), "nobody could name what is held");
    user.state.published.benefits = 0;
    cr_assert(ss_wake_known(&two, &user.state), "nothing is held");
    cr_assert(wake(&two, 0));
    cr_assert_eq(user.effects.record.kind, SS_KIND_RESCORE);
}
