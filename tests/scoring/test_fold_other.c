/* The small folds: bookings, profiles, consents, blacklist. */
#include "helper_model.h"
#include "scoring/fold.h"
#include "scoring/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* --- bookings --- */

static void fold_booking(struct ss_bookings_part *part, int day, enum ss_booking_status status)
{
    struct ss_event event = helper_booking(DAY(day), status);
    cr_assert_eq(ss_fold_booking(helper_model(), part, &event), SS_REFUSAL_NONE);
}

Test(fold_booking, each_status_has_its_count)
{
    struct ss_bookings_part part = {0};
    fold_booking(&part, FIRST_DAY, SS_BOOKING_MADE);
    fold_booking(&part, FIRST_DAY, SS_BOOKING_HONOURED);
    fold_booking(&part, FIRST_DAY, SS_BOOKING_HONOURED);
    fold_booking(&part, FIRST_DAY, SS_BOOKING_NO_SHOW);
    fold_booking(&part, FIRST_DAY + 1, SS_BOOKING_CANCELLED);
    fold_booking(&part, FIRST_DAY, SS_BOOKING_CANCELLED);
    cr_assert_eq(part.ref_day, FIRST_DAY + 1);
    cr_assert_eq(part.made_milli, 500);
    cr_assert_eq(part.honoured_milli, 1000);
    cr_assert_eq(part.no_show_milli, 500);
    cr_assert_eq(part.cancelled_milli, 1500);
    part.made_milli = SS_COUNT_MAX - 1;
    fold_booking(&part, FIRST_DAY + 1, SS_BOOKING_MADE);
    cr_assert_eq(part.made_milli, SS_COUNT_MAX);
}

/* --- profiles --- */

static struct ss_profiles_part profile;

static enum ss_refusal fold_profile(struct ss_event event)
{
    return ss_fold_profile(helper_model(), &profile, &event);
}

static void reset_profile(void)
{
    profile = (struct ss_profiles_part){0};
}

Test(fold_profile, facts_come_and_go, .init = reset_profile)
{
    int64_t at = DAY(FIRST_DAY);
    fold_profile(helper_fact(at, SS_PROFILE_VERIFIED, SS_FACT_PHONE, SS_DEGREE_GRADUATE));
    cr_assert_eq(profile.verified, 1u << SS_FACT_PHONE);
    cr_assert_eq(profile.degree_level, SS_DEGREE_UNKNOWN, "the level is the degree's alone");
    fold_profile(helper_fact(at, SS_PROFILE_VERIFIED, SS_FACT_DEGREE, SS_DEGREE_GRADUATE));
    cr_assert_eq(profile.degree_level, SS_DEGREE_GRADUATE);
    fold_profile(helper_fact(at, SS_PROFILE_REVOKED, SS_FACT_PHONE, SS_DEGREE_UNKNOWN));
    cr_assert_eq(profile.degree_level, SS_DEGREE_GRADUATE);
    fold_profile(helper_fact(at, SS_PROFILE_REVOKED, SS_FACT_DEGREE, SS_DEGREE_GRADUATE));
    cr_assert_eq(profile.verified, 0);
    cr_assert_eq(profile.degree_level, SS_DEGREE_UNKNOWN);
    cr_assert(profile.any);
}

Test(fold_profile, an_unknown_fact_says_only_that_something_is_known, .init = reset_profile)
{
    fold_profile(helper_fact(DAY(FIRST_DAY), SS_PROFILE_VERIFIED, SS_FACT_NONE, 0));
    cr_assert(profile.any);
    cr_assert_eq(profile.verified, 0);
}

Test(fold_profile, the_oldest_account_counts, .init = reset_profile)
{
    fold_profile(helper_opened(DAY(FIRST_DAY) + 1, SS_TIME_UNKNOWN));
    cr_assert(profile.opened);
    cr_assert(!profile.any);
    cr_assert_eq(profile.opened_day, FIRST_DAY);
    cr_assert_eq(profile.holder, SS_HOLDER_PERSON);
    fold_profile(helper_opened(DAY(FIRST_DAY + 1), SS_TIME_UNKNOWN));
    cr_assert_eq(profile.opened_day, FIRST_DAY);
    fold_profile(helper_opened(DAY(FIRST_DAY + 1), -1));
    cr_assert_eq(profile.opened_day, -1);
}

Test(fold_profile, lines_are_kept_by_id_and_closed_by_a_zero_limit, .init = reset_profile)
{
    int64_t at = DAY(FIRST_DAY);
    fold_profile(helper_line(at, "a", 100, 50));
    fold_profile(helper_line(at, "", 200, -5));
    fold_profile(helper_line(at, "b", 300, 400));
    fold_profile(helper_line(at, "a", 150, 60));
    cr_assert_eq(profile.line_count, 3);
    uint32_t before = 0;
    int64_t limits = 0, balances = 0;
    for (int i = 0; i < 3; i++) {
        cr_assert_gt(profile.lines[i].id_hash, before);
        before = profile.lines[i].id_hash;
        limits += profile.lines[i].limit;
        balances += profile.lines[i].balance;
    }
    cr_assert_eq(limits, 150 + 200 + 300);
    cr_assert_eq(balances, 60 - 5 + 400);
    fold_profile(helper_line(at, "a", 0, 60));
    fold_profile(helper_line(at, "unheard of", 0, 60));
    cr_assert_eq(profile.line_count, 2);
    cr_assert_eq(profile.lines[2].id_hash, 0);
    cr_assert(!profile.any, "a line is not a fact");
}

Test(fold_profile, a_ninth_line_is_refused_and_changes_nothing, .init = reset_profile)
{
    char id[8];
    for (int i = 0; i < SS_CREDIT_LINES_MAX; i++) {
        snprintf(id, sizeof id, "l%d", i);
        cr_assert_eq(fold_profile(helper_line(DAY(FIRST_DAY), id, 1, 1)), SS_REFUSAL_NONE);
    }
    struct ss_profiles_part before = profile;
    cr_assert_eq(fold_profile(helper_line(DAY(FIRST_DAY), "more", 1, 1)), SS_REFUSAL_TOO_MANY);
    cr_assert_eq(memcmp(&before, &profile, sizeof profile), 0);
    cr_assert_eq(fold_profile(helper_line(DAY(FIRST_DAY), "l3", 9, 9)), SS_REFUSAL_NONE);
    cr_assert_eq(fold_profile(helper_line(DAY(FIRST_DAY), "l3", 0, 0)), SS_REFUSAL_NONE);
    cr_assert_eq(fold_profile(helper_line(DAY(FIRST_DAY), "more", 1, 1)), SS_REFUSAL_NONE);
}

/* --- consents --- */

static enum ss_refusal fold_consent(struct ss_consents_part *part, enum ss_consent_action action,
                                    enum ss_consent_purpose purpose, const char *subscriber,
                                    int64_t offset)
{
    struct ss_event event = helper_consent(DAY(FIRST_DAY) + offset, action, purpose, subscriber);
    return ss_fold_consent(part, &event, offset);
}

Test(fold_consent, a_grant_that_holds_stays_as_it_is)
{
    struct ss_consents_part part = {0};
    fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, "", 7);
    fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, "", 8);
    fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, "", 9);
    fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, "", 10);
    cr_assert(part.scoring && part.social);
    cr_assert_eq(part.granted_at_ms, DAY(FIRST_DAY) + 7);
    cr_assert_eq(part.scoring_position, 7);
    cr_assert_eq(part.social_position, 8);
    fold_consent(&part, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SOCIAL, "", 11);
    fold_consent(&part, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SCORING, "", 12);
    cr_assert(!part.scoring && !part.social);
    cr_assert_eq(part.social_position, 0);
}

Test(fold_consent, shares_are_kept_by_subscriber_up_to_a_bound)
{
    struct ss_consents_part part = {0};
    char name[8];
    for (int i = 0; i < SS_SHARES_MAX; i++) {
        snprintf(name, sizeof name, "s%d", i);
        cr_assert_eq(fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, name, i),
                     SS_REFUSAL_NONE);
    }
    for (int i = 1; i < SS_SHARES_MAX; i++)
        cr_assert_gt(part.shares[i].subscriber_hash, part.shares[i - 1].subscriber_hash);
    struct ss_consents_part before = part;
    cr_assert_eq(fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, "more", 99),
                 SS_REFUSAL_TOO_MANY);
    fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, "s3", 99);
    fold_consent(&part, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SHARE, "unheard of", 99);
    cr_assert_eq(memcmp(&before, &part, sizeof part), 0);

    fold_consent(&part, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SHARE, "s3", 99);
    cr_assert_eq(part.share_count, SS_SHARES_MAX - 1);
    cr_assert_eq(part.shares[SS_SHARES_MAX - 1].subscriber_hash, 0);
    fold_consent(&part, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, "more", 99);
    uint32_t more = (uint32_t)ss_hash64(helper_text("more"));
    bool found = false;
    for (int i = 0; i < part.share_count; i++)
        found |= part.shares[i].subscriber_hash == more && part.shares[i].position == 99;
    cr_assert(found);
}

/* --- blacklist --- */

static enum ss_refusal fold_listing(struct ss_blacklist_part *part, enum ss_listing_action action,
                                    const char *case_id)
{
    struct ss_event event = helper_listing(DAY(FIRST_DAY), action, case_id);
    return ss_fold_listing(part, &event);
}

Test(fold_listing, cases_are_kept_in_order_of_listing)
{
    struct ss_blacklist_part part = {0};
    fold_listing(&part, SS_LISTED, "1");
    fold_listing(&part, SS_LISTED, "2");
    fold_listing(&part, SS_LISTED, "3");
    fold_listing(&part, SS_LISTED, "2");
    fold_listing(&part, SS_DELISTED, "unheard of");
    cr_assert_eq(part.case_count, 3);
    fold_listing(&part, SS_DELISTED, "1");
    cr_assert_eq(part.case_count, 2);
    cr_assert_eq(part.cases[0], ss_hash64(helper_text("2")));
    cr_assert_eq(part.cases[1], ss_hash64(helper_text("3")));
    cr_assert_eq(part.cases[2], 0);
}

Test(fold_listing, one_more_than_it_holds_is_refused_and_changes_nothing)
{
    struct ss_blacklist_part part = {0};
    char id[8];
    for (int i = 0; i < SS_CASES_MAX; i++) {
        snprintf(id, sizeof id, "c%d", i);
        cr_assert_eq(fold_listing(&part, SS_LISTED, id), SS_REFUSAL_NONE);
    }
    struct ss_blacklist_part before = part;
    cr_assert_eq(fold_listing(&part, SS_LISTED, "more"), SS_REFUSAL_TOO_MANY);
    cr_assert_eq(fold_listing(&part, SS_LISTED, "c5"), SS_REFUSAL_NONE);
    cr_assert_eq(memcmp(&before, &part, sizeof part), 0);
}
