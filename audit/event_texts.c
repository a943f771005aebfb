#include "audit/event_texts.h"

size_t ss_event_texts(struct ss_event *event, struct ss_text *out[SS_EVENT_TEXTS_MAX])
{
    size_t count = 0;
    out[count++] = &event->user_id;
    out[count++] = &event->event_id;
    switch (event->input) {
    case SS_PAYMENTS:
        out[count++] = &event->payment.currency;
        out[count++] = &event->payment.counterparty;
        break;
    case SS_BILLS:
        out[count++] = &event->bill.bill_id;
        out[count++] = &event->bill.currency;
        break;
    case SS_BOOKINGS:
        out[count++] = &event->booking.booking_id;
        break;
    case SS_SOCIAL:
        out[count++] = &event->social.friend_id;
        break;
    case SS_PROFILES:
        out[count++] = &event->profile.line_id;
        out[count++] = &event->profile.currency;
        break;
    case SS_CONSENTS:
        out[count++] = &event->consent.subscriber;
        break;
    case SS_BLACKLIST:
        out[count++] = &event->listing.case_id;
        out[count++] = &event->listing.authority;
        out[count++] = &event->listing.currency;
        break;
    case SS_NEIGHBOURS:
        out[count++] = &event->neighbour.from;
        out[count++] = &event->neighbour.cause;
        break;
    case SS_INPUT_COUNT:
        break;
    }
    return count;
}
