#include "scoring/fold.h"

enum ss_refusal ss_fold_booking(const struct ss_model *model, struct ss_bookings_part *part,
                                const struct ss_event *event)
{
    const struct ss_decay *decay = &model->bookings_decay;
    int64_t *const counts[] = {
        [SS_BOOKING_MADE] = &part->made_milli,
        [SS_BOOKING_HONOURED] = &part->honoured_milli,
        [SS_BOOKING_NO_SHOW] = &part->no_show_milli,
        [SS_BOOKING_CANCELLED] = &part->cancelled_milli,
    };
    struct ss_fold_days days = ss_fold_days(&part->ref_day, part->any, event->occurred_at_ms);

    if (days.sums)
        for (int i = 0; i < 4; i++)
            *counts[i] = ss_decay_by(decay, *counts[i], days.sums);
    part->any = true;
    int64_t *count = counts[event->booking.status];
    *count = ss_fold_add(decay, *count, 1000, days.event, SS_COUNT_MAX);
    return SS_REFUSAL_NONE;
}
