#include "helper_model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define T0 DAY(FIRST_DAY)

static struct helper_user user;

static void newcomer(void)
{
    helper_user_init(&user, helper_model());
}

static void member(void)
{
    newcomer();
    helper_grant(&user, T0);
}

static struct ss_event payment(int64_t at_ms)
{
    return helper_payment(at_ms, SS_PAYMENT_SETTLED, SS_CATEGORY_OTHER, 100);
}

static const struct ss_score_record *record(void)
{
    cr_assert(user.effects.has_record);
    return &user.effects.record;
}

static void expect_silence(void)
{
    cr_assert(!user.effects.has_record);
    cr_assert_eq(user.effects.entitlement_count, 0);
}

static void expect_untouched(struct ss_event event, enum ss_outcome outcome)
{
    struct ss_user_state before;
    memcpy(&before, &user.state, sizeof before);
    cr_assert_eq(helper_apply(&user, &event), outcome);
    cr_assert_eq(memcmp(&before, &user.state, sizeof before), 0);
    expect_silence();
}

static void expect_nothing_kept(void)
{
    static const struct ss_user_state nobody;
    cr_assert_eq(memcmp(&nobody, &user.state, sizeof nobody), 0);
    cr_assert(ss_user_state_empty(&user.state));
}

static bool text_is(struct ss_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

/* Of the entitlements of the newest event, the i-th. */
static void expect_entitlement(int i, const char *benefit, enum ss_entitlement_action action)
{
    cr_assert_gt(user.effects.entitlement_count, i);
    const struct ss_entitlement *entitlement = &user.effects.entitlements[i];
    cr_assert_str_eq(entitlement->benefit->id, benefit);
    cr_assert_eq(entitlement->action, action);
    cr_assert_eq(entitlement->sequence, record()->sequence);
    cr_assert_eq(entitlement->as_of_ms, record()->as_of_ms);
    cr_assert_eq(entitlement->has_score, record()->has_score);
    cr_assert_eq(entitlement->score, record()->score.score);
    cr_assert_eq(entitlement->cause.offset, record()->cause.offset);
    cr_assert_str_eq(entitlement->model_version, record()->model_version);
}

/* --- the gate --- */

Test(apply, without_a_grant_nothing_counts_and_nothing_is_kept, .init = newcomer)
{
    expect_untouched(payment(T0), SS_NOT_CONSENTED);
    expect_untouched(helper_bill(T0, SS_BILL_PAID, "a", T0, 1), SS_NOT_CONSENTED);
    expect_untouched(helper_booking(T0, SS_BOOKING_MADE), SS_NOT_CONSENTED);
    expect_untouched(helper_social(T0, SS_FRIEND_ADDED, "v"), SS_NOT_CONSENTED);
    expect_untouched(helper_opened(T0, SS_TIME_UNKNOWN), SS_NOT_CONSENTED);
    expect_untouched(helper_consent(T0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, ""),
                     SS_NOT_CONSENTED);
    expect_untouched(helper_consent(T0, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, "bank"),
                     SS_NOT_CONSENTED);
    expect_nothing_kept();
}

Test(apply, an_event_counts_from_the_instant_of_the_grant_on, .init = member)
{
    expect_untouched(payment(T0 - 1), SS_NOT_CONSENTED);
    helper_count(&user, payment(T0));
    helper_count(&user, helper_consent(T0 - 1, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, ""));
    cr_assert(user.state.consents.social, "consents and listings do not wait for the grant");
    helper_count(&user, helper_listing(T0 - DAY(900), SS_LISTED, "1"));
}

Test(apply, a_refused_event_changes_nothing_and_is_not_remembered, .init = member)
{
    struct ss_event event = payment(T0);
    event.payment.amount_minor = -1;
    expect_untouched(event, SS_REFUSED);
    cr_assert_eq(user.refusal, SS_REFUSAL_BAD_AMOUNT);
    event.payment.amount_minor = 1;
    helper_count(&user, event);
    cr_assert_eq(user.refusal, SS_REFUSAL_NONE);
}

Test(apply, a_bad_event_is_refused_even_without_consent, .init = newcomer)
{
    struct ss_event event = payment(T0);
    event.user_id = helper_text("");
    expect_untouched(event, SS_REFUSED);
    cr_assert_eq(user.refusal, SS_REFUSAL_BAD_USER_ID);
}

Test(apply, what_exceeds_a_bound_is_refused_whole, .init = member)
{
    char id[8];
    for (int i = 0; i < SS_OPEN_BILLS_MAX; i++) {
        snprintf(id, sizeof id, "b%d", i);
        helper_count(&user, helper_bill(T0, SS_BILL_ISSUED, id, T0 + DAY(9), 1));
    }
    expect_untouched(helper_bill(T0 + DAY(5), SS_BILL_ISSUED, "more", T0 + DAY(9), 1), SS_REFUSED);
    cr_assert_eq(user.refusal, SS_REFUSAL_TOO_MANY);
}

/* --- duplicates --- */

Test(apply, an_event_id_counts_once_per_input, .init = member)
{
    struct ss_event event = payment(T0 + DAY(1));
    struct ss_event booking = helper_booking(T0, SS_BOOKING_MADE);
    booking.event_id = event.event_id;
    helper_count(&user, event);
    expect_untouched(event, SS_DUPLICATE);
    event.payment.amount_minor++; /* the id decides, not what it says */
    expect_untouched(event, SS_DUPLICATE);
    helper_count(&user, booking);
    expect_untouched(booking, SS_DUPLICATE);
}

Test(apply, the_newest_ids_of_a_window_are_remembered, .init = member)
{
    struct ss_event events[5];
    for (int i = 0; i < 5; i++)
        helper_count(&user, events[i] = payment(T0));
    cr_assert_eq(user.state.payments.recent.count, 4);
    for (int i = 1; i < 5; i++)
        expect_untouched(events[i], SS_DUPLICATE);
    helper_count(&user, events[0]);
    helper_count(&user, events[1]);
    expect_untouched(events[0], SS_DUPLICATE);
}

Test(apply, a_window_may_be_empty_or_become_smaller, .init = member)
{
    struct ss_model *model = helper_model_copy();
    user.model = model;
    model->recent_window = SS_RECENT_MAX;
    ss_model_prepare(model);
    struct ss_event events[SS_RECENT_MAX];
    for (int i = 0; i < SS_RECENT_MAX; i++)
        helper_count(&user, events[i] = payment(T0));
    cr_assert_eq(user.state.payments.recent.count, SS_RECENT_MAX);
    expect_untouched(events[0], SS_DUPLICATE);
    model->recent_window = 2;
    struct ss_event next = payment(T0);
    helper_count(&user, next);
    cr_assert_eq(user.state.payments.recent.count, 2);
    expect_untouched(next, SS_DUPLICATE);
    expect_untouched(events[SS_RECENT_MAX - 1], SS_DUPLICATE);
    helper_count(&user, events[SS_RECENT_MAX - 2]);
    model->recent_window = 0;
    next = helper_booking(T0, SS_BOOKING_MADE);
    helper_count(&user, next);
    helper_count(&user, next);
    cr_assert_eq(user.state.bookings.recent.count, 0);
    free(model);
}

/* --- records --- */

Test(apply, opting_in_publishes_a_first_record, .init = newcomer)
{
    struct ss_event grant = helper_consent(T0 + 7, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, "");
    helper_count(&user, grant);
    cr_assert(text_is(record()->user_id, "u"));
    cr_assert_eq(record()->kind, SS_KIND_OPT_IN);
    cr_assert_eq(record()->standing, SS_STANDING_SCORED);
    cr_assert_eq(record()->sequence, 1);
    cr_assert(record()->has_score);
    cr_assert(!record()->has_previous);
    cr_assert_eq(record()->score.score, 650);
    cr_assert_str_eq(record()->tier_name, "middle");
    cr_assert_eq(record()->score.reason_count, 4);
    cr_assert_eq(record()->case_id.size, 0);
    cr_assert_eq(record()->cause.input, SS_CONSENTS);
    cr_assert_eq(record()->cause.partition, 3);
    cr_assert_eq(record()->cause.offset, 100);
    cr_assert_eq(record()->cause.event_id.data, grant.event_id.data);
    cr_assert_eq(record()->positions[SS_CONSENTS], 101);
    cr_assert_eq(record()->positions[SS_PAYMENTS], 0);
    cr_assert_eq(record()->consent_position, 100);
    cr_assert_eq(record()->as_of_ms, T0 + 7);
    cr_assert_str_eq(record()->model_version, "round-0000000000000000");
    expect_entitlement(0, "car", SS_ENTITLEMENT_GRANTED);
    cr_assert_eq(user.effects.entitlement_count, 1);
    cr_assert_eq(user.state.published.standing, SS_STANDING_SCORED);
    cr_assert_eq(user.state.published.score, 650);
    cr_assert(!ss_user_state_empty(&user.state));
}

/* A friend in band 1 is there, and an event that changes nothing else finds it out. */
static void befriend(void)
{
    user.state.consents.social = user.state.friends.open = true;
    user.state.friends.confirmed = user.state.friends.bands = 1;
    helper_grant(&user, T0);
}

Test(apply, a_record_is_written_only_when_something_changed, .init = member)
{
    helper_count(&user, helper_consent(T0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, ""));
    expect_silence();
    helper_grant(&user, T0 + 5);
    expect_silence();
    cr_assert_eq(user.state.consents.scoring_position, 100, "the first grant still holds");
    befriend();
    cr_assert_eq(record()->kind, SS_KIND_UPDATE);
    cr_assert_eq(record()->sequence, 2);
    cr_assert(record()->has_previous);
    cr_assert_eq(record()->previous_score, 650);
    cr_assert_eq(record()->score.score, 638); /* a tenth instead of the neutral half */
    cr_assert_eq(record()->consent_position, 100);
}

Test(apply, as_of_never_goes_back, .init = member)
{
    helper_count(&user, payment(T0 + DAY(3)));
    cr_assert_eq(record()->as_of_ms, T0 + DAY(3));
    helper_count(&user, helper_booking(T0 + DAY(1), SS_BOOKING_NO_SHOW));
    cr_assert_eq(record()->as_of_ms, T0 + DAY(3));
    cr_assert_eq(user.state.published.as_of_ms, T0 + DAY(3));
    expect_untouched(payment(T0 - 1), SS_NOT_CONSENTED);
}

Test(apply, the_record_is_what_the_state_says_at_as_of, .init = member)
{
    helper_count(&user, payment(T0 + DAY(3)));
    struct ss_score score;
    ss_score_compute(user.model, &user.state, T0 + DAY(3), INT64_MAX, &score);
    cr_assert_eq(record()->score.score, score.score);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        cr_assert_eq(record()->score.factors[f].points_centi, score.factors[f].points_centi);
    cr_assert_eq(record()->score.reason_count, score.reason_count);
    for (int i = 0; i < score.reason_count; i++)
        cr_assert_str_eq(record()->score.reasons[i].code.data, score.reasons[i].code.data);
}

/* --- the blacklist --- */

Test(apply, a_listed_user_drops_and_is_restored_with_the_last_case, .init = member)
{
    helper_count(&user, helper_listing(T0, SS_LISTED, "1"));
    cr_assert_eq(record()->kind, SS_KIND_BLACKLIST_DROP);
    cr_assert_eq(record()->standing, SS_STANDING_LISTED);
    cr_assert_eq(record()->score.score, 400);
    cr_assert_eq(record()->previous_score, 650);
    cr_assert_str_eq(record()->tier_name, "low");
    cr_assert(text_is(record()->case_id, "1"));
    cr_assert_str_eq(record()->score.reasons[0].code.data, "LISTED");
    expect_entitlement(0, "car", SS_ENTITLEMENT_REVOKED);
    cr_assert_eq(user.effects.entitlement_count, 1);

    helper_count(&user, helper_listing(T0, SS_LISTED, "2"));
    expect_silence();
    helper_count(&user, helper_listing(T0, SS_DELISTED, "1"));
    expect_silence();
    helper_count(&user, helper_listing(T0, SS_DELISTED, "unheard of"));
    expect_silence();
    helper_count(&user, payment(T0)); /* moves the full score, not the capped one */
    expect_silence();

    helper_count(&user, helper_listing(T0, SS_DELISTED, "2"));
    cr_assert_eq(record()->kind, SS_KIND_BLACKLIST_RESTORE);
    cr_assert_eq(record()->standing, SS_STANDING_SCORED);
    cr_assert_eq(record()->previous_score, 400);
    cr_assert_eq(record()->sequence, 3);
    cr_assert(text_is(record()->case_id, "2"));
    cr_assert_gt(record()->score.score, 400);
}

Test(apply, a_listed_user_below_the_cap_is_still_updated, .init = newcomer)
{
    struct ss_model *model = helper_model_copy();
    model->listed_cap = 600;
    ss_model_prepare(model);
    user.model = model;
    helper_grant(&user, T0);
    helper_count(&user, helper_listing(T0, SS_LISTED, "1"));
    cr_assert_eq(record()->score.score, 600);
    for (int i = 0; i < 10; i++)
        helper_count(&user, helper_bill(T0, SS_BILL_DEFAULTED, "a", SS_TIME_UNKNOWN, 0));
    helper_count(&user, payment(T0));
    cr_assert_eq(record()->kind, SS_KIND_UPDATE);
    cr_assert_eq(record()->standing, SS_STANDING_LISTED);
    cr_assert_lt(record()->score.score, 600);

    /* another case comes with a change that is only time's: not a drop, and names no case */
    helper_count(&user, helper_listing(T0 + DAY(2), SS_LISTED, "2"));
    cr_assert_eq(record()->kind, SS_KIND_UPDATE);
    cr_assert_eq(record()->case_id.size, 0);
    free(model);
}

Test(apply, a_case_from_before_the_opt_in_applies_at_it, .init = newcomer)
{
    helper_count(&user, helper_listing(T0, SS_LISTED, "1"));
    expect_silence();
    cr_assert(!ss_user_state_empty(&user.state));
    cr_assert_eq(user.state.published.standing, SS_STANDING_NONE);
    helper_grant(&user, T0 + DAY(1));
    cr_assert_eq(record()->kind, SS_KIND_OPT_IN);
    cr_assert_eq(record()->standing, SS_STANDING_LISTED);
    cr_assert_eq(record()->score.score, 400);
    cr_assert_eq(record()->case_id.size, 0);
    cr_assert_eq(user.effects.entitlement_count, 0);
    helper_count(&user, helper_listing(T0, SS_DELISTED, "1"));
    cr_assert_eq(record()->kind, SS_KIND_BLACKLIST_RESTORE);
    cr_assert_eq(record()->score.score, 650);
    expect_entitlement(0, "car", SS_ENTITLEMENT_GRANTED);
}

Test(apply, of_somebody_unknown_the_register_is_all_that_is_kept, .init = newcomer)
{
    struct ss_event listed = helper_listing(T0, SS_LISTED, "1");
    helper_count(&user, listed);
    expect_untouched(listed, SS_DUPLICATE);
    helper_count(&user, helper_listing(T0, SS_DELISTED, "1"));
    expect_silence();
    expect_nothing_kept();
}

/* --- withdrawal --- */

Test(apply, withdrawal_takes_everything_back_and_erases, .init = member)
{
    helper_count(&user, helper_consent(T0, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, "bank"));
    befriend();
    struct ss_event withdrawn =
        helper_consent(T0 + DAY(1), SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, "");
    helper_count(&user, withdrawn);
    cr_assert_eq(record()->kind, SS_KIND_OPT_OUT);
    cr_assert_eq(record()->standing, SS_STANDING_OPTED_OUT);
    cr_assert_eq(record()->sequence, 3);
    cr_assert(!record()->has_score);
    cr_assert_null(record()->tier_name);
    cr_assert(record()->has_previous);
    cr_assert_eq(record()->previous_score, 638);
    cr_assert_eq(record()->consent_position, 100);
    cr_assert_eq(record()->as_of_ms, T0 + DAY(1));
    expect_entitlement(0, "car", SS_ENTITLEMENT_REVOKED);
    expect_nothing_kept();

    expect_untouched(payment(T0 + DAY(2)), SS_NOT_CONSENTED);
    helper_count(&user, withdrawn); /* even its id is forgotten */
    expect_silence();
    expect_nothing_kept();
}

Test(apply, after_withdrawal_a_grant_begins_anew, .init = member)
{
    helper_count(&user, payment(T0 + DAY(5)));
    helper_count(&user, helper_consent(T0 + DAY(6), SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, ""));
    helper_grant(&user, T0 + DAY(4));
    cr_assert_eq(record()->kind, SS_KIND_OPT_IN);
    cr_assert_eq(record()->sequence, 1);
    cr_assert_eq(record()->score.score, 650);
    cr_assert_eq(record()->as_of_ms, T0 + DAY(4));
    cr_assert_eq(record()->consent_position, 103);
    expect_untouched(payment(T0 + DAY(4) - 1), SS_NOT_CONSENTED);
}

Test(apply, opting_out_and_in_again_launders_nothing, .init = member)
{
    struct ss_event listed = helper_listing(T0, SS_LISTED, "1");
    helper_count(&user, listed);
    helper_count(&user, helper_consent(T0, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, ""));
    cr_assert_eq(record()->kind, SS_KIND_OPT_OUT);
    cr_assert_eq(record()->previous_score, 400);
    cr_assert_eq(user.effects.entitlement_count, 0, "the drop had taken all");
    cr_assert_eq(user.state.blacklist.case_count, 1);
    expect_untouched(listed, SS_DUPLICATE);
    helper_grant(&user, T0);
    cr_assert_eq(record()->standing, SS_STANDING_LISTED);
    cr_assert_eq(record()->score.score, 400);
}

Test(apply, withdrawing_what_was_not_granted_counts_and_says_nothing, .init = newcomer)
{
    helper_count(&user, helper_consent(T0, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, ""));
    expect_silence();
    expect_nothing_kept();
}

/* --- benefits --- */

/* A model whose score is 350 and 6/100 for each thousandth of the friends' mean band. */
static struct ss_model *of_friends(void)
{
    struct ss_model *model = helper_model_copy();
    memcpy(model->weights, (int32_t[SS_FACTOR_COUNT]){0, 0, 0, 0, 1}, sizeof model->weights);
    model->components[SS_VAR_FRIENDS].neutral = 0;
    ss_model_prepare(model);
    return model;
}

static void move_to(int32_t score)
{
    user.state.consents.social = user.state.friends.open = true;
    user.state.friends.confirmed = 1000;
    user.state.friends.bands = (uint16_t)(((score - 350) * 100 + 5) / 6);
    helper_grant(&user, T0);
    cr_assert_eq(record()->score.score, score);
}

Test(apply, benefits_are_granted_at_the_threshold_and_revoked_below_the_margin, .init = newcomer)
{
    struct ss_model *model = of_friends(); /* car from 640, hotel from 660, margin 10 */
    user.model = model;
    helper_grant(&user, T0);
    cr_assert_eq(user.effects.entitlement_count, 0);
    move_to(639);
    cr_assert_eq(user.effects.entitlement_count, 0);
    move_to(640);
    expect_entitlement(0, "car", SS_ENTITLEMENT_GRANTED);
    cr_assert_eq(user.effects.entitlement_count, 1);
    move_to(630);
    cr_assert_eq(user.effects.entitlement_count, 0, "within the margin it is kept");
    move_to(629);
    expect_entitlement(0, "car", SS_ENTITLEMENT_REVOKED);
    move_to(639);
    cr_assert_eq(user.effects.entitlement_count, 0, "and within it nothing is granted");
    move_to(660);
    expect_entitlement(0, "car", SS_ENTITLEMENT_GRANTED);
    expect_entitlement(1, "hotel", SS_ENTITLEMENT_GRANTED);
    move_to(650);
    cr_assert_eq(user.effects.entitlement_count, 0);
    move_to(645);
    expect_entitlement(0, "hotel", SS_ENTITLEMENT_REVOKED);
    cr_assert_eq(user.effects.entitlement_count, 1);
    free(model);
}

Test(apply, thirty_two_benefits_are_all_granted_and_revoked, .init = newcomer)
{
    struct ss_model *model = of_friends();
    model->benefit_count = SS_BENEFITS_MAX;
    for (int b = 0; b < SS_BENEFITS_MAX; b++)
        model->benefits[b] = (struct ss_benefit){"x", "x", 400 + b};
    ss_model_prepare(model);
    user.model = model;
    helper_grant(&user, T0);
    move_to(500);
    cr_assert_eq(user.effects.entitlement_count, 32);
    cr_assert_eq(user.state.published.benefits, UINT32_MAX);
    helper_count(&user, helper_listing(T0, SS_LISTED, "1"));
    cr_assert_eq(user.effects.entitlement_count, 32);
    cr_assert_eq(user.state.published.benefits, 0);
    free(model);
}

Test(apply, what_only_time_changed_is_published_by_the_next_event, .init = member)
{
    helper_count(&user, payment(T0));
    int32_t before = record()->score.score;
    helper_count(&user, helper_consent(T0 + DAY(4), SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, ""));
    cr_assert_eq(record()->kind, SS_KIND_UPDATE);
    cr_assert_lt(record()->score.score, before);
    cr_assert_eq(record()->cause.input, SS_CONSENTS);
}
