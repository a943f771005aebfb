/* encode_event.c - an event by our schema of its input: for generators, imports and tests. */
#include "schemas/encode.h"

enum { NUMBERS_MAX = 16 }; /* lengths, enums, branches and numbers of one event, at most */

static size_t text_size(const struct ss_event *e)
{
    size_t size = (size_t)e->event_id.size + e->user_id.size;
    switch (e->input) {
    case SS_PAYMENTS:
        return size + e->payment.currency.size + e->payment.counterparty.size;
    case SS_BILLS:
        return size + e->bill.bill_id.size + e->bill.currency.size;
    case SS_BOOKINGS:
        return size + e->booking.booking_id.size;
    case SS_SOCIAL:
        return size + e->social.friend_id.size;
    case SS_PROFILES:
        return size + e->profile.line_id.size + e->profile.currency.size;
    case SS_CONSENTS:
        return size + e->consent.subscriber.size;
    case SS_BLACKLIST:
        return size + e->listing.case_id.size + e->listing.authority.size +
               e->listing.currency.size;
    case SS_NEIGHBOURS:
        return size + e->neighbour.from.size + e->neighbour.cause.size;
    case SS_INPUT_COUNT:
        break;
    }
    assert(!"an event of no input");
    return 0;
}

static uint8_t *put_nullable_time(uint8_t *p, int64_t time_ms)
{
    if (time_ms == SS_TIME_UNKNOWN)
        return ss_varint_write(p, 0);
    return ss_varint_write(ss_varint_write(p, 1), time_ms);
}

/* The fields behind the first three, in the order of the schema. */
static uint8_t *put_fields(uint8_t *p, const struct ss_event *e)
{
    switch (e->input) {
    case SS_PAYMENTS:
        p = ss_varint_write(p, e->payment.status);
        p = ss_varint_write(p, e->payment.amount_minor);
        p = ss_put_text(p, e->payment.currency);
        p = ss_varint_write(p, e->payment.category);
        return ss_put_text(p, e->payment.counterparty);
    case SS_BILLS:
        p = ss_varint_write(p, e->bill.status);
        p = ss_varint_write(p, e->bill.kind);
        p = ss_put_text(p, e->bill.bill_id);
        p = ss_varint_write(p, e->bill.amount_minor);
        p = ss_put_text(p, e->bill.currency);
        return put_nullable_time(p, e->bill.due_at_ms);
    case SS_BOOKINGS:
        p = ss_varint_write(p, e->booking.status);
        p = ss_varint_write(p, e->booking.kind);
        return ss_put_text(p, e->booking.booking_id);
    case SS_SOCIAL:
        p = ss_varint_write(p, e->social.action);
        return ss_put_text(p, e->social.friend_id);
    case SS_PROFILES:
        p = ss_varint_write(p, e->profile.action);
        p = ss_varint_write(p, e->profile.fact);
        p = ss_varint_write(p, e->profile.degree_level);
        p = ss_varint_write(p, e->profile.holder);
        p = put_nullable_time(p, e->profile.opened_at_ms);
        p = ss_put_text(p, e->profile.line_id);
        p = ss_varint_write(p, e->profile.limit_minor);
        p = ss_varint_write(p, e->profile.balance_minor);
        return ss_put_text(p, e->profile.currency);
    case SS_CONSENTS:
        p = ss_varint_write(p, e->consent.action);
        p = ss_varint_write(p, e->consent.purpose);
        return ss_put_text(p, e->consent.subscriber);
    case SS_BLACKLIST:
        p = ss_varint_write(p, e->listing.action);
        p = ss_put_text(p, e->listing.case_id);
        p = ss_put_text(p, e->listing.authority);
        p = ss_varint_write(p, e->listing.amount_owed_minor);
        return ss_put_text(p, e->listing.currency);
    case SS_NEIGHBOURS:
        p = ss_varint_write(p, e->neighbour.action);
        p = ss_put_text(p, e->neighbour.from);
        p = ss_varint_write(p, e->neighbour.band);
        p = ss_put_text(p, e->neighbour.cause);
        p = ss_varint_write(p, e->neighbour.cause_offset);
        p = ss_varint_write(p, e->neighbour.social_position);
        return ss_varint_write(p, e->neighbour.consents_position);
    case SS_INPUT_COUNT:
        break;
    }
    return p;
}

enum ss_status ss_encode_event(uint32_t schema_id, const struct ss_event *event,
                               struct ss_buffer *out, struct ss_error *err)
{
    uint8_t *p =
        ss_encode_begin(out, schema_id, text_size(event) + NUMBERS_MAX * SS_VARINT_MAX, err);
    if (!p)
        return SS_STOP;
    if (event->input != SS_NEIGHBOURS) /* which have none */
        p = ss_put_text(p, event->event_id);
    p = ss_put_text(p, event->user_id);
    p = ss_varint_write(p, event->occurred_at_ms);
    return ss_encode_end(out, put_fields(p, event));
}
