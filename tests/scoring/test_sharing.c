/* Whom an event is told to: subscribers with a SHARE grant, from the grant on. */
#include "helper_model.h"

#include "scoring/sharing.h"

#include <criterion/criterion.h>

#define T0 DAY(FIRST_DAY)

static struct helper_user user;

static uint32_t hash_of(const char *name)
{
    return ss_subscriber_hash(helper_text(name));
}

static struct ss_event share(int64_t at_ms, enum ss_consent_action action, const char *name)
{
    return helper_consent(at_ms, action, SS_PURPOSE_SHARE, name);
}

static struct ss_event payment(int64_t at_ms)
{
    return helper_payment(at_ms, SS_PAYMENT_SETTLED, SS_CATEGORY_GROCERIES, 100000);
}

static void newcomer(void)
{
    helper_user_init(&user, helper_model());
}

static void member(void)
{
    newcomer();
    helper_grant(&user, T0);
    helper_count(&user, payment(T0));
}

static bool told(const char *name)
{
    int found = 0;
    for (int i = 0; i < user.effects.told_count; i++)
        found += user.effects.told[i] == hash_of(name);
    cr_assert_leq(found, 1);
    return found;
}

static bool gone(const char *name)
{
    int found = 0;
    for (int i = 0; i < user.effects.gone_count; i++)
        found += user.effects.gone[i] == hash_of(name);
    cr_assert_leq(found, 1);
    return found;
}

static void expect_nobody_told(void)
{
    cr_assert_eq(user.effects.told_count, 0);
    cr_assert_eq(user.effects.gone_count, 0);
    cr_assert(!user.effects.has_shared);
}

Test(sharing, a_grant_shows_the_score_as_it_stands, .init = member)
{
    int64_t sequence = user.state.published.sequence;
    struct ss_score now;
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "bank"));
    const struct ss_score_record *shared = &user.effects.shared;
    ss_score_compute(helper_model(), &user.state, T0, INT64_MAX, &now);
    cr_assert(!user.effects.has_record);
    cr_assert(user.effects.has_shared);
    cr_assert_eq(user.effects.shared_with, hash_of("bank"));
    cr_assert_eq(user.effects.told_count, 0);
    cr_assert_eq(shared->kind, SS_KIND_SHARED);
    cr_assert_eq(shared->standing, SS_STANDING_SCORED);
    cr_assert_eq(shared->sequence, sequence);
    cr_assert_eq(user.state.published.sequence, sequence);
    cr_assert(shared->has_score);
    cr_assert(!shared->has_previous, "what was before the grant is not shown");
    cr_assert_eq(shared->score.score, user.state.published.score);
    cr_assert_eq(shared->score.reason_count, now.reason_count);
    cr_assert_eq(memcmp(shared->score.factors, now.factors, sizeof now.factors), 0);
    cr_assert_str_eq(shared->tier_name, helper_model()->tiers[now.tier].name);
    cr_assert_eq(shared->cause.input, SS_CONSENTS);
    cr_assert_eq(shared->cause.offset, user.context.offset);
    cr_assert_eq(shared->as_of_ms, T0);
    cr_assert_eq(shared->consent_position, user.state.consents.scoring_position);
}

Test(sharing, a_grant_that_ages_the_score_tells_the_others_of_the_change, .init = member)
{
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "bank"));
    helper_count(&user, share(T0 + DAY(3), SS_CONSENT_GRANTED, "hotel"));
    cr_assert(user.effects.has_record, "three half-lives of the payment are over");
    cr_assert(told("bank"));
    cr_assert(!told("hotel"));
    cr_assert_eq(user.effects.shared_with, hash_of("hotel"));
    cr_assert_eq(user.effects.shared.kind, SS_KIND_SHARED);
    cr_assert(!user.effects.shared.has_previous);
    cr_assert_eq(user.effects.shared.sequence, user.effects.record.sequence);
    cr_assert_eq(user.effects.shared.score.score, user.effects.record.score.score);
}

Test(sharing, every_later_record_goes_to_all_who_may_see_it, .init = member)
{
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "bank"));
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "hotel"));
    helper_count(&user, helper_listing(T0, SS_LISTED, "1"));
    cr_assert(user.effects.has_record);
    cr_assert(told("bank") && told("hotel"));
    cr_assert_eq(user.effects.told_count, 2);
    cr_assert(!user.effects.has_shared);
    user.state.consents.social = user.state.friends.open = true;
    user.state.friends.confirmed = user.state.friends.bands = 1;
    helper_grant(&user, T0);
    cr_assert(!user.effects.has_record, "a listed score does not move");
    expect_nobody_told();
}

Test(sharing, one_who_is_listed_shares_that, .init = member)
{
    helper_count(&user, helper_listing(T0, SS_LISTED, "1"));
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "bank"));
    cr_assert_eq(user.effects.shared.standing, SS_STANDING_LISTED);
    cr_assert_eq(user.effects.shared.case_id.size, 0);
}

Test(sharing, withdrawal_of_the_share_is_told_once, .init = member)
{
    helper_count(&user, share(T0, SS_CONSENT_WITHDRAWN, "bank"));
    expect_nobody_told();
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "bank"));
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "hotel"));
    helper_count(&user, share(T0 + DAY(3), SS_CONSENT_WITHDRAWN, "bank"));
    cr_assert(user.effects.has_record);
    cr_assert(gone("bank") && !gone("hotel"));
    cr_assert(told("hotel") && !told("bank"), "not even the change that the withdrawal shows");
    helper_count(&user, share(T0 + DAY(3), SS_CONSENT_WITHDRAWN, "bank"));
    expect_nobody_told();
    helper_count(&user, share(T0 + DAY(3), SS_CONSENT_GRANTED, "bank"));
    cr_assert(user.effects.has_shared);
}

Test(sharing, opting_out_is_told_to_all_and_grants_end_with_it, .init = member)
{
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "bank"));
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "hotel"));
    helper_count(&user, helper_consent(T0, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, ""));
    cr_assert_eq(user.effects.record.kind, SS_KIND_OPT_OUT);
    cr_assert_eq(user.effects.told_count, 0, "a subscriber gets a tombstone and not the OPT_OUT");
    cr_assert_eq(user.effects.gone_count, 2);
    cr_assert(gone("bank") && gone("hotel"));
    helper_grant(&user, T0 + 1);
    expect_nobody_told();
    helper_count(&user, helper_listing(T0 + 2, SS_LISTED, "1"));
    cr_assert(user.effects.has_record);
    expect_nobody_told();
    helper_count(&user, share(T0 + 3, SS_CONSENT_GRANTED, "bank"));
    cr_assert(user.effects.has_shared);
}

Test(sharing, without_a_scoring_grant_a_share_is_nothing, .init = newcomer)
{
    struct ss_event event = share(T0, SS_CONSENT_GRANTED, "bank");
    cr_assert_eq(helper_apply(&user, &event), SS_NOT_CONSENTED);
    expect_nobody_told();
    helper_grant(&user, T0);
    expect_nobody_told();
    cr_assert_eq(user.state.consents.share_count, 0);
    helper_count(&user, event);
    cr_assert(user.effects.has_shared, "sent again, it counts");
}

Test(sharing, a_grant_again_shows_the_score_again, .init = member)
{
    struct ss_event event = share(T0, SS_CONSENT_GRANTED, "bank");
    helper_count(&user, event);
    cr_assert_eq(helper_apply(&user, &event), SS_DUPLICATE);
    expect_nobody_told();
    int64_t position = user.state.consents.shares[0].position;
    helper_count(&user, share(T0, SS_CONSENT_GRANTED, "bank"));
    cr_assert(user.effects.has_shared);
    cr_assert_eq(user.effects.told_count, 0);
    cr_assert_eq(user.state.consents.share_count, 1);
    cr_assert_eq(user.state.consents.shares[0].position, position);
}

Test(sharing, one_too_many_is_refused_and_shows_nothing, .init = member)
{
    char name[] = "s00";
    for (int i = 0; i < SS_SHARES_MAX; i++) {
        name[1] = (char)('a' + i);
        helper_count(&user, share(T0, SS_CONSENT_GRANTED, name));
    }
    struct ss_event more = share(T0, SS_CONSENT_GRANTED, "more");
    cr_assert_eq(helper_apply(&user, &more), SS_REFUSED);
    cr_assert_eq(user.refusal, SS_REFUSAL_TOO_MANY);
    expect_nobody_told();
    helper_count(&user, helper_listing(T0, SS_LISTED, "1"));
    cr_assert_eq(user.effects.told_count, SS_SHARES_MAX);
}
