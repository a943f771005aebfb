/* check.c - what can be refused in an event without looking at a state. */
#include "scoring/fold.h"

/* All eight bytes are of ASCII, and none is a control character. */
static bool eight_printable(const uint8_t *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t word, deletes;
    memcpy(&word, at, sizeof word);
    deletes = word ^ 0x7f * ones; /* a zero byte in place of each DEL */
    /* Borrows can only come from a byte that is itself told. */
    return ((word | (word - 0x20 * ones) | (deletes - ones)) & tops) == 0;
}

/* The same of all of a text of eight bytes or more, the last eight of which may be looked at twice.
 */
static bool all_printable(struct ss_text text)
{
    const uint8_t *at = (const uint8_t *)text.data, *last = at + text.size - 8;
    for (; at < last; at += 8)
        if (!eight_printable(at))
            return false;
    return eight_printable(last);
}

/* Well-formed UTF-8 (no overlong forms, no surrogates) without control characters (C0, DEL, C1). */
static bool printable_utf8(struct ss_text text)
{
    const uint8_t *at = (const uint8_t *)text.data, *end = at + text.size;
    if (text.size >= 8 && all_printable(text))
        return true;
    while (at < end) {
        uint32_t lead = *at++, code;
        int more;
        if (lead < 0x80) {
            if (lead < 0x20 || lead == 0x7f)
                return false;
            continue;
        } else if (lead >= 0xc2 && lead < 0xe0) {
            code = lead & 0x1f;
            more = 1;
        } else if (lead >= 0xe0 && lead < 0xf0) {
            code = lead & 0x0f;
            more = 2;
        } else if (lead >= 0xf0 && lead < 0xf5) {
            code = lead & 0x07;
            more = 3;
        } else {
            return false;
        }
        if (end - at < more)
            return false;
        for (int i = 0; i < more; i++) {
            if ((*at & 0xc0) != 0x80)
                return false;
            code = code << 6 | (*at++ & 0x3f);
        }
        if (code < 0xa0)
            return false;
        if ((more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10ffff)) ||
            (code >= 0xd800 && code < 0xe000))
            return false;
    }
    return true;
}

static bool identifier(struct ss_text text)
{
    return text.size >= 1 && text.size <= SS_EVENT_ID_MAX;
}

/* An identifier that records repeat must be readable by every subscriber. */
static bool published_identifier(struct ss_text text)
{
    return identifier(text) && printable_utf8(text);
}

/* It becomes a key, of a record or of a message. */
static bool user_identifier(struct ss_text text)
{
    return text.size >= 1 && text.size <= SS_USER_ID_MAX && printable_utf8(text);
}

/* The record's time comes from the wire, so nothing is added to it. */
static bool occurred_in_bounds(int64_t occurred_at_ms, const struct ss_context *context)
{
    return occurred_at_ms >= SS_OCCURRED_AT_MIN && occurred_at_ms <= SS_OCCURRED_AT_MAX &&
           occurred_at_ms - context->future_tolerance_ms <= context->record_time_ms;
}

static enum ss_refusal check_amount(const struct ss_model *model, int64_t amount_minor, int64_t min,
                                    struct ss_text currency)
{
    if (amount_minor < min || amount_minor > SS_AMOUNT_MAX)
        return SS_REFUSAL_BAD_AMOUNT;
    if (amount_minor != 0 && !ss_currency_find(model, currency))
        return SS_REFUSAL_UNKNOWN_CURRENCY;
    return SS_REFUSAL_NONE;
}

static enum ss_refusal check_bill(const struct ss_model *model, const struct ss_event *event)
{
    const struct ss_bill *bill = &event->bill;
    if (!identifier(bill->bill_id))
        return SS_REFUSAL_BAD_FIELD;
    if (bill->due_at_ms == SS_TIME_UNKNOWN) {
        if (bill->status == SS_BILL_ISSUED)
            return SS_REFUSAL_BAD_FIELD;
    } else if (bill->due_at_ms < SS_OCCURRED_AT_MIN ||
               bill->due_at_ms > event->occurred_at_ms + SS_DUE_SPAN_MAX_MS) {
        return SS_REFUSAL_BAD_TIME;
    }
    return check_amount(model, bill->amount_minor, 0, bill->currency);
}

static enum ss_refusal check_profile(const struct ss_model *model, const struct ss_event *event)
{
    const struct ss_profile *profile = &event->profile;
    enum ss_refusal refusal;

    switch (profile->action) {
    case SS_PROFILE_VERIFIED:
    case SS_PROFILE_REVOKED:
        break;
    case SS_PROFILE_ACCOUNT_OPENED:
        if (profile->opened_at_ms != SS_TIME_UNKNOWN &&
            (profile->opened_at_ms < SS_OPENED_AT_MIN ||
             profile->opened_at_ms > event->occurred_at_ms))
            return SS_REFUSAL_BAD_TIME;
        break;
    case SS_PROFILE_CREDIT_LINE:
        if (profile->line_id.size > SS_EVENT_ID_MAX)
            return SS_REFUSAL_BAD_FIELD;
        refusal = check_amount(model, profile->limit_minor, 0, profile->currency);
        if (refusal != SS_REFUSAL_NONE)
            return refusal;
        return check_amount(model, profile->balance_minor, -SS_AMOUNT_MAX, profile->currency);
    }
    return SS_REFUSAL_NONE;
}

/* Its time is another user's as_of, which may be ahead of any record's time. */
static enum ss_refusal check_neighbour(const struct ss_event *event)
{
    struct ss_neighbour_message message;
    if (event->occurred_at_ms < SS_OCCURRED_AT_MIN || event->occurred_at_ms > SS_OCCURRED_AT_MAX)
        return SS_REFUSAL_BAD_TIME;
    return user_identifier(event->neighbour.from) && ss_neighbour_of(event, &message)
               ? SS_REFUSAL_NONE
               : SS_REFUSAL_BAD_FIELD;
}

enum ss_refusal ss_event_check(const struct ss_model *model, const struct ss_event *event,
                               const struct ss_context *context)
{
    if (!user_identifier(event->user_id))
        return SS_REFUSAL_BAD_USER_ID;
    if (event->input == SS_NEIGHBOURS)
        return check_neighbour(event);
    if (!published_identifier(event->event_id))
        return SS_REFUSAL_BAD_EVENT_ID;
    if (!occurred_in_bounds(event->occurred_at_ms, context))
        return SS_REFUSAL_BAD_TIME;

    switch (event->input) {
    case SS_PAYMENTS:
        return check_amount(model, event->payment.amount_minor, 0, event->payment.currency);
    case SS_BILLS:
        return check_bill(model, event);
    case SS_BOOKINGS:
        return identifier(event->booking.booking_id) ? SS_REFUSAL_NONE : SS_REFUSAL_BAD_FIELD;
    case SS_SOCIAL:
        return user_identifier(event->social.friend_id) ? SS_REFUSAL_NONE : SS_REFUSAL_BAD_FIELD;
    case SS_PROFILES:
        return check_profile(model, event);
    case SS_CONSENTS:
        return event->consent.purpose != SS_PURPOSE_SHARE || identifier(event->consent.subscriber)
                   ? SS_REFUSAL_NONE
                   : SS_REFUSAL_BAD_FIELD;
    case SS_BLACKLIST:
        return published_identifier(event->listing.case_id) ? SS_REFUSAL_NONE
                                                            : SS_REFUSAL_BAD_FIELD;
    case SS_NEIGHBOURS:
    case SS_INPUT_COUNT:
        break;
    }
    return SS_REFUSAL_BAD_FIELD;
}
