/* fold.h - how an event changes the part of its input; one file each, fold_<input>.c.
 *
 * Friends are apply_friends.c's. A fold gets an event that has passed ss_event_check and the gates
 * of apply.c. It touches nothing but its part, and either applies the event whole or refuses it and
 * leaves the part as it was. The rules are docs/model.md's, section by section. Internal to
 * scoring/.
 */
#ifndef SS_SCORING_FOLD_H
#define SS_SCORING_FOLD_H

#include "scoring/apply.h"
#include "scoring/decay.h"

#include <string.h>

/* Caps, so that no sum or product of theirs leaves 64 bits; docs/model.md, "Numbers". */
#define SS_COUNT_MAX       INT64_C(1000000000000)       /* milli: a decayed count */
#define SS_AMOUNT_BASE_MAX INT64_C(100000000000000)     /* one amount, base minor units */
#define SS_SUM_MAX         INT64_C(1000000000000000000) /* a decayed sum of amounts */

enum ss_refusal ss_fold_payment(const struct ss_model *model, struct ss_payments_part *part,
                                const struct ss_event *event);
enum ss_refusal ss_fold_bill(const struct ss_model *model, struct ss_bills_part *part,
                             const struct ss_event *event);
enum ss_refusal ss_fold_booking(const struct ss_model *model, struct ss_bookings_part *part,
                                const struct ss_event *event);
enum ss_refusal ss_fold_profile(const struct ss_model *model, struct ss_profiles_part *part,
                                const struct ss_event *event);
enum ss_refusal ss_fold_consent(struct ss_consents_part *part, const struct ss_event *event,
                                int64_t offset);
enum ss_refusal ss_fold_listing(struct ss_blacklist_part *part, const struct ss_event *event);

/* The base currency's minor units of an amount, rounded towards zero, within SS_AMOUNT_BASE_MAX.
 * The currency must be the model's (ss_event_check). An amount of 0 needs no currency. */
int64_t ss_base_amount(const struct ss_model *model, int64_t amount_minor, struct ss_text currency);
/* The model's entry for a code, or NULL. */
const struct ss_currency *ss_currency_find(const struct ss_model *model, struct ss_text code);
/* For that, into all-zero slots: those of the model's plan. */
void ss_currencies_prepare(const struct ss_model *model, uint8_t slots[SS_PLAN_CURRENCIES]);

/* Moves a part's reference day up to the event's, if that is newer. Returns by how many days the
 * sums (if the day rose) and the event's own contribution (if it lies before) have to decay. */
struct ss_fold_days {
    int64_t sums, event;
};
static inline struct ss_fold_days ss_fold_days(int32_t *ref_day, bool any, int64_t occurred_at_ms)
{
    int32_t day = ss_day_of(occurred_at_ms);
    struct ss_fold_days days = {0, 0};
    if (!any || day > *ref_day) {
        days.sums = any ? (int64_t)day - *ref_day : 0;
        *ref_day = day;
    } else {
        days.event = (int64_t)*ref_day - day;
    }
    return days;
}

/* sum + the event's contribution as of the reference day, at most cap; contribution may be
 * negative, the sum never becomes so. */
static inline int64_t ss_fold_add(const struct ss_decay *decay, int64_t sum, int64_t contribution,
                                  int64_t days, int64_t cap)
{
    if (contribution < 0) {
        sum -= ss_decay_by(decay, -contribution, days);
        return sum < 0 ? 0 : sum;
    }
    sum += ss_decay_by(decay, contribution, days);
    return sum > cap ? cap : sum;
}

#endif
