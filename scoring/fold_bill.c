#include "scoring/fold.h"
#include "scoring/hash.h"

static int open_find(const struct ss_bills_part *part, uint32_t id_hash)
{
    for (int i = 0; i < part->open_count; i++)
        if (part->open[i].id_hash == id_hash)
            return i;
    return -1;
}

static void open_remove(struct ss_bills_part *part, int i)
{
    part->open_count--;
    memmove(&part->open[i], &part->open[i + 1],
            (size_t)(part->open_count - i) * sizeof part->open[0]);
    part->open[part->open_count] = (struct ss_open_bill){0};
}

static void open_insert(struct ss_bills_part *part, struct ss_open_bill bill)
{
    int i = part->open_count;
    while (i > 0 && (part->open[i - 1].due_at_ms > bill.due_at_ms ||
                     (part->open[i - 1].due_at_ms == bill.due_at_ms &&
                      part->open[i - 1].id_hash > bill.id_hash)))
        i--;
    memmove(&part->open[i + 1], &part->open[i],
            (size_t)(part->open_count - i) * sizeof part->open[0]);
    part->open[i] = bill;
    part->open_count++;
}

/* -1: on time. A bill is late from one whole day after its due instant on. */
static int late_bucket(int64_t due_at_ms, int64_t paid_at_ms)
{
    int64_t days = paid_at_ms <= due_at_ms ? 0 : (paid_at_ms - due_at_ms) / 86400000;
    if (days < 1)
        return -1;
    int bucket = (int)(days < 30 ? 0 : days / 30);
    return bucket < SS_LATE_BUCKETS ? bucket : SS_LATE_BUCKETS - 1;
}

static void age(const struct ss_model *model, struct ss_bills_part *part, int64_t days)
{
    const struct ss_decay *decay = &model->bills_decay;
    part->on_time_milli = ss_decay_by(decay, part->on_time_milli, days);
    for (int b = 0; b < SS_LATE_BUCKETS; b++)
        part->late_milli[b] = ss_decay_by(decay, part->late_milli[b], days);
    part->billed = ss_decay_by(decay, part->billed, days);
    part->paid = ss_decay_by(decay, part->paid, days);
    part->defaulted_milli = ss_decay_by(&model->defaults_decay, part->defaulted_milli, days);
}

enum ss_refusal ss_fold_bill(const struct ss_model *model, struct ss_bills_part *part,
                             const struct ss_event *event)
{
    const struct ss_bill *bill = &event->bill;
    const struct ss_decay *decay = &model->bills_decay;
    uint32_t id_hash = (uint32_t)ss_hash64(bill->bill_id);
    int found = open_find(part, id_hash);

    if (bill->status == SS_BILL_ISSUED && found < 0 && part->open_count == SS_OPEN_BILLS_MAX)
        return SS_REFUSAL_TOO_MANY;

    int64_t amount = ss_base_amount(model, bill->amount_minor, bill->currency);
    struct ss_fold_days days = ss_fold_days(&part->ref_day, part->any, event->occurred_at_ms);
    if (days.sums)
        age(model, part, days.sums);
    part->any = true;

    int64_t due_at_ms = found >= 0 ? part->open[found].due_at_ms : bill->due_at_ms;
    if (found >= 0)
        open_remove(part, found);
    switch (bill->status) {
    case SS_BILL_ISSUED: /* issued anew, it has its new due date */
        open_insert(part, (struct ss_open_bill){id_hash, bill->due_at_ms});
        part->billed = ss_fold_add(decay, part->billed, amount, days.event, SS_SUM_MAX);
        break;
    case SS_BILL_PAID:
        part->paid = ss_fold_add(decay, part->paid, amount, days.event, SS_SUM_MAX);
        if (due_at_ms != SS_TIME_UNKNOWN) {
            int b = late_bucket(due_at_ms, event->occurred_at_ms);
            int64_t *count = b < 0 ? &part->on_time_milli : &part->late_milli[b];
            *count = ss_fold_add(decay, *count, 1000, days.event, SS_COUNT_MAX);
        }
        break;
    case SS_BILL_DEFAULTED:
        part->defaulted_milli = ss_fold_add(&model->defaults_decay, part->defaulted_milli, 1000,
                                            days.event, SS_COUNT_MAX);
        break;
    case SS_BILL_CANCELLED:
        break;
    }
    return SS_REFUSAL_NONE;
}
