#include "scoring/fold.h"

static void mark_month(struct ss_payments_part *part, int32_t month)
{
    if (part->months_mask == 0) {
        part->month = month;
        part->months_mask = 1;
    } else if (month > part->month) {
        int32_t by = month - part->month;
        part->months_mask = (by < 32 ? part->months_mask << by : 0) | 1;
        part->month = month;
    } else if (part->month - month < 32) {
        part->months_mask |= UINT32_C(1) << (part->month - month);
    }
}

static void mark_category(struct ss_payments_part *part, int32_t quarter, uint32_t bit)
{
    bool none = part->categories[0] == 0 && part->categories[1] == 0;
    if (none || quarter > part->quarter) {
        part->categories[1] = !none && quarter - part->quarter == 1 ? part->categories[0] : 0;
        part->categories[0] = bit;
        part->quarter = quarter;
    } else if (quarter == part->quarter) {
        part->categories[0] |= bit;
    } else if (part->quarter - quarter == 1) {
        part->categories[1] |= bit;
    }
}

enum ss_refusal ss_fold_payment(const struct ss_model *model, struct ss_payments_part *part,
                                const struct ss_event *event)
{
    const struct ss_payment *payment = &event->payment;
    const struct ss_decay *decay = &model->payments_decay;
    int64_t amount = ss_base_amount(model, payment->amount_minor, payment->currency);
    struct ss_fold_days days = ss_fold_days(&part->ref_day, part->any, event->occurred_at_ms);

    if (days.sums) {
        part->settled_milli = ss_decay_by(decay, part->settled_milli, days.sums);
        part->refunded_milli = ss_decay_by(decay, part->refunded_milli, days.sums);
        part->reversed_milli = ss_decay_by(decay, part->reversed_milli, days.sums);
        part->amount = ss_decay_by(decay, part->amount, days.sums);
    }
    part->any = true;
    switch (payment->status) {
    case SS_PAYMENT_SETTLED: {
        int32_t day = ss_day_of(event->occurred_at_ms); /* not negative: SS_OCCURRED_AT_MIN */
        part->settled_milli =
            ss_fold_add(decay, part->settled_milli, 1000, days.event, SS_COUNT_MAX);
        part->amount = ss_fold_add(decay, part->amount, amount, days.event, SS_SUM_MAX);
        mark_month(part, day / 30);
        mark_category(part, day / 90, UINT32_C(1) << payment->category);
        break;
    }
    case SS_PAYMENT_REFUNDED:
        part->refunded_milli =
            ss_fold_add(decay, part->refunded_milli, 1000, days.event, SS_COUNT_MAX);
        part->amount = ss_fold_add(decay, part->amount, -amount, days.event, SS_SUM_MAX);
        break;
    case SS_PAYMENT_CHARGED_BACK:
        part->reversed_milli =
            ss_fold_add(decay, part->reversed_milli, 1000, days.event, SS_COUNT_MAX);
        part->amount = ss_fold_add(decay, part->amount, -amount, days.event, SS_SUM_MAX);
        break;
    }
    return SS_REFUSAL_NONE;
}
