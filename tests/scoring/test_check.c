#include "helper_model.h"

#include <criterion/criterion.h>

static const struct ss_context context = {.record_time_ms = DAY(FIRST_DAY),
                                          .future_tolerance_ms = 3600000};

static enum ss_refusal check(const struct ss_event *event)
{
    return ss_event_check(helper_model(), event, &context);
}

static struct ss_event payment(void)
{
    return helper_payment(DAY(FIRST_DAY), SS_PAYMENT_SETTLED, SS_CATEGORY_OTHER, 1);
}

Test(check, user_ids_are_printable_utf8_of_bounded_length)
{
    static const struct {
        const char *id;
        enum ss_refusal refusal;
    } cases[] = {
        {"", SS_REFUSAL_BAD_USER_ID},
        {"u", SS_REFUSAL_NONE},
        {"\x7e", SS_REFUSAL_NONE},
        {"\xc3\xbc \xe5\xbc\xa0\xe4\xb8\x89 \xf0\x9f\x99\x82", SS_REFUSAL_NONE},
        {"\xf4\x8f\xbf\xbf", SS_REFUSAL_NONE},            /* U+10FFFF */
        {"\xed\x9f\xbf\xee\x80\x80", SS_REFUSAL_NONE},    /* either side of the surrogates */
        {"\xc2\xa0", SS_REFUSAL_NONE},                    /* the first behind C1 */
        {"a\nb", SS_REFUSAL_BAD_USER_ID},                 /* control character */
        {"\x7f", SS_REFUSAL_BAD_USER_ID},                 /* DEL */
        {"\xc2\x85", SS_REFUSAL_BAD_USER_ID},             /* C1 */
        {"\x80", SS_REFUSAL_BAD_USER_ID},                 /* stray continuation */
        {"\xc3", SS_REFUSAL_BAD_USER_ID},                 /* cut short */
        {"\xe5\xbc", SS_REFUSAL_BAD_USER_ID},             /* cut short */
        {"\xc3\x28", SS_REFUSAL_BAD_USER_ID},             /* not continued */
        {"\xc1\x81", SS_REFUSAL_BAD_USER_ID},             /* overlong */
        {"\xe0\x9f\xbf", SS_REFUSAL_BAD_USER_ID},         /* overlong */
        {"\xf0\x8f\xbf\xbf", SS_REFUSAL_BAD_USER_ID},     /* overlong */
        {"\xed\xa0\x80", SS_REFUSAL_BAD_USER_ID},         /* surrogate */
        {"\xf4\x90\x80\x80", SS_REFUSAL_BAD_USER_ID},     /* beyond U+10FFFF */
        {"\xf8\x88\x80\x80\x80", SS_REFUSAL_BAD_USER_ID}, /* five bytes */
    };
    struct ss_event event = payment();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        event.user_id = helper_text(cases[i].id);
        cr_assert_eq(check(&event), cases[i].refusal, "case %zu", i);
    }
    char longest[SS_USER_ID_MAX + 1];
    memset(longest, 'x', sizeof longest);
    event.user_id = (struct ss_text){longest, SS_USER_ID_MAX};
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.user_id.size++;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_USER_ID);
    event.user_id = (struct ss_text){"a\0b", 3};
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_USER_ID);
}

Test(check, identifiers_that_are_published_are_checked_like_user_ids)
{
    struct ss_event event = payment();
    event.event_id = helper_text("");
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_EVENT_ID);
    event.event_id = helper_text("\xff");
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_EVENT_ID);
    char longer[SS_EVENT_ID_MAX + 1];
    memset(longer, 'x', sizeof longer);
    event.event_id = (struct ss_text){longer, sizeof longer};
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_EVENT_ID);

    event = helper_listing(DAY(FIRST_DAY), SS_LISTED, "\xff");
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
    event = helper_listing(DAY(FIRST_DAY), SS_LISTED, "1");
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
}

Test(check, times_are_bounded_by_the_record)
{
    struct ss_event event = payment();
    event.occurred_at_ms = DAY(FIRST_DAY) + 3600000;
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.occurred_at_ms++;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_TIME);
    event.occurred_at_ms = SS_OCCURRED_AT_MIN;
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.occurred_at_ms--;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_TIME);
    event.occurred_at_ms = INT64_MIN;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_TIME);
}

Test(check, a_hostile_record_time_neither_overflows_nor_opens_the_future)
{
    struct ss_context hostile = {.record_time_ms = INT64_MAX, .future_tolerance_ms = 3600000};
    struct ss_event event = payment();
    event.occurred_at_ms = SS_OCCURRED_AT_MAX;
    cr_assert_eq(ss_event_check(helper_model(), &event, &hostile), SS_REFUSAL_NONE);
    event.occurred_at_ms++;
    cr_assert_eq(ss_event_check(helper_model(), &event, &hostile), SS_REFUSAL_BAD_TIME);
    event.occurred_at_ms = INT64_MAX;
    cr_assert_eq(ss_event_check(helper_model(), &event, &hostile), SS_REFUSAL_BAD_TIME);
    hostile.record_time_ms = INT64_MIN;
    event.occurred_at_ms = DAY(FIRST_DAY);
    cr_assert_eq(ss_event_check(helper_model(), &event, &hostile), SS_REFUSAL_BAD_TIME);
}

Test(check, amounts_are_bounded_and_need_a_known_currency)
{
    struct ss_event event = payment();
    event.payment.amount_minor = SS_AMOUNT_MAX;
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.payment.amount_minor++;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_AMOUNT);
    event.payment.amount_minor = -1;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_AMOUNT);
    event.payment.amount_minor = 1;
    static const char *const unknown[] = {"", "BA", "bas", "BAT", "BASE", "AAA", "ZZZ"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        event.payment.currency = helper_text(unknown[i]);
        cr_assert_eq(check(&event), SS_REFUSAL_UNKNOWN_CURRENCY, "%s", unknown[i]);
    }
    static const char *const known[] = {"BAS", "HLF", "MIL"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        event.payment.currency = helper_text(known[i]);
        cr_assert_eq(check(&event), SS_REFUSAL_NONE, "%s", known[i]);
    }
    event.payment.amount_minor = 0;
    event.payment.currency = helper_text("");
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
}

Test(check, bills_need_an_id_and_issued_ones_a_due_time)
{
    int64_t now = DAY(FIRST_DAY);
    struct ss_event event = helper_bill(now, SS_BILL_ISSUED, "", now, 1);
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
    event = helper_bill(now, SS_BILL_ISSUED, "a", SS_TIME_UNKNOWN, 1);
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
    event.bill.status = SS_BILL_PAID;
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.bill.due_at_ms = now + SS_DUE_SPAN_MAX_MS;
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.bill.due_at_ms++;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_TIME);
    event.bill.due_at_ms = SS_OCCURRED_AT_MIN - 1;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_TIME);
    event.bill.due_at_ms = SS_OCCURRED_AT_MIN;
    event.bill.amount_minor = -1;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_AMOUNT);
}

Test(check, profiles_are_checked_by_what_their_action_uses)
{
    int64_t now = DAY(FIRST_DAY);
    struct ss_event event = helper_opened(now, now);
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.profile.opened_at_ms = now + 1;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_TIME);
    event.profile.opened_at_ms = SS_OPENED_AT_MIN;
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.profile.opened_at_ms--;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_TIME);

    event = helper_line(now, "", 1, -SS_AMOUNT_MAX);
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.profile.balance_minor--;
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_AMOUNT);
    event = helper_line(now, "", -1, 0);
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_AMOUNT);
    event = helper_line(now, "", 0, 1);
    event.profile.currency = helper_text("ZZZ");
    cr_assert_eq(check(&event), SS_REFUSAL_UNKNOWN_CURRENCY);
    char longer[SS_EVENT_ID_MAX + 1];
    memset(longer, 'x', sizeof longer);
    event = helper_line(now, "", 1, 0);
    event.profile.line_id = (struct ss_text){longer, sizeof longer};
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
}

Test(check, the_other_inputs_need_their_identifiers)
{
    int64_t now = DAY(FIRST_DAY);
    struct ss_event event = helper_booking(now, SS_BOOKING_MADE);
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event.booking.booking_id = helper_text("");
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
    event = helper_social(now, SS_FRIEND_ADDED, "");
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
    event = helper_consent(now, SS_CONSENT_GRANTED, SS_PURPOSE_SHARE, "");
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
    event = helper_consent(now, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, "");
    cr_assert_eq(check(&event), SS_REFUSAL_NONE);
    event = helper_listing(now, SS_DELISTED, "");
    cr_assert_eq(check(&event), SS_REFUSAL_BAD_FIELD);
}
