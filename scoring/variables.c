#include "scoring/variables.h"

#include "scoring/clear.h"
#include "scoring/fold.h"
#include "scoring/model_plan.h"

static void set(struct ss_variables *out, enum ss_variable variable, int64_t value)
{
    out->value[variable] = value;
    out->known[variable] = true;
}

/* How many bits are set: the same steps for any mask. */
static int bits(uint32_t mask)
{
    mask -= mask >> 1 & 0x55555555;
    mask = (mask & 0x33333333) + (mask >> 2 & 0x33333333);
    mask = (mask + (mask >> 4)) & 0x0f0f0f0f;
    return (int)(mask * 0x01010101 >> 24);
}

static void of_bills(const struct ss_model *model, const struct ss_bills_part *bills, int32_t today,
                     int64_t horizon_ms, int64_t as_of_ms, struct ss_variables *out)
{
    int64_t days = (int64_t)today - bills->ref_day;
    if (!bills->any)
        return;
    const uint64_t factor = ss_decay_factor(&model->bills_decay, days);
    int64_t on_time = ss_decay_with(factor, bills->on_time_milli);
    int64_t defaulted = ss_decay_by(&model->defaults_decay, bills->defaulted_milli, days);
    /* a default closes its bill, and stays as bad as the latest of payments */
    int64_t severity = model->late_severity[SS_LATE_BUCKETS - 1] * defaulted / 1000;
    int64_t ended = on_time + defaulted, overdue = 0;
    for (int b = 0; b < SS_LATE_BUCKETS; b++) {
        int64_t late = ss_decay_with(factor, bills->late_milli[b]);
        severity += model->late_severity[b] * late / 1000;
        ended += late;
    }
    for (int i = 0; i < bills->open_count; i++) {
        if (bills->open[i].due_at_ms > horizon_ms)
            break; /* they are in the order of their due times */
        int64_t overdue_ms = as_of_ms - bills->open[i].due_at_ms;
        severity += ss_curve_at(&ss_model_plan_of(model)->overdue, overdue_ms / 86400000);
        overdue++;
    }
    if (ended + overdue == 0)
        return; /* bills that are not due yet say nothing of how they will be paid */
    set(out, SS_VAR_LATENESS, severity);
    out->overdue_alone = ended == 0;
    if (out->overdue_alone)
        return;
    set(out, SS_VAR_REPAYMENT, ss_decay_with(factor, bills->paid));
    set(out, SS_VAR_DEFAULTS, defaulted);
    set(out, SS_VAR_TRACK_RECORD, on_time);
}

static void of_payments(const struct ss_model *model, const struct ss_payments_part *payments,
                        int32_t today, struct ss_variables *out)
{
    if (!payments->any)
        return;
    const uint64_t factor =
        ss_decay_factor(&model->payments_decay, (int64_t)today - payments->ref_day);
    int64_t settled = ss_decay_with(factor, payments->settled_milli);
    int64_t refunded = ss_decay_with(factor, payments->refunded_milli);
    int64_t reversed = ss_decay_with(factor, payments->reversed_milli) +
                       refunded * model->refund_share / SS_VALUE_MAX;
    set(out, SS_VAR_ACTIVITY, settled);
    set(out, SS_VAR_SPENDING, ss_decay_with(factor, payments->amount));

    int32_t months = today / 30 - payments->month;
    if (months < 0)
        months = 0;
    set(out, SS_VAR_REGULARITY, months < 12 ? bits(payments->months_mask << months & 0xfff) : 0);

    int32_t quarters = today / 90 - payments->quarter;
    uint32_t seen = quarters <= 0   ? payments->categories[0] | payments->categories[1]
                    : quarters == 1 ? payments->categories[0]
                                    : 0;
    set(out, SS_VAR_DIVERSITY, bits(seen));

    if (settled > 0) {
        int64_t ratio = SS_VALUE_MAX * reversed / settled;
        set(out, SS_VAR_REVERSALS, ratio < SS_VALUE_MAX ? ratio : SS_VALUE_MAX);
    } else if (reversed > 0) {
        set(out, SS_VAR_REVERSALS, SS_VALUE_MAX);
    }
}

static void of_bookings(const struct ss_model *model, const struct ss_bookings_part *bookings,
                        int32_t today, struct ss_variables *out)
{
    const uint64_t factor =
        ss_decay_factor(&model->bookings_decay, (int64_t)today - bookings->ref_day);
    int64_t honoured = ss_decay_with(factor, bookings->honoured_milli);
    int64_t no_show = ss_decay_with(factor, bookings->no_show_milli);
    int64_t cancelled = ss_decay_with(factor, bookings->cancelled_milli);
    if (honoured + no_show + cancelled == 0)
        return;
    int64_t kept = honoured + model->booking_prior;
    int64_t broken = no_show + cancelled * model->cancelled_share / SS_VALUE_MAX;
    if (kept + broken > 0)
        set(out, SS_VAR_BOOKINGS, SS_VALUE_MAX * kept / (kept + broken));
}

static void of_profile(const struct ss_model *model, const struct ss_profiles_part *profiles,
                       int32_t today, struct ss_variables *out)
{
    if (profiles->any) {
        int64_t points = 0;
        for (int f = 0; f < SS_FACT_COUNT; f++)
            if (profiles->verified & 1u << f)
                points += model->fact_points[f];
        set(out, SS_VAR_IDENTITY, points);
    }
    if (profiles->degree_level != SS_DEGREE_UNKNOWN)
        set(out, SS_VAR_EDUCATION, profiles->degree_level);
    if (profiles->opened) {
        int64_t days = (int64_t)today - profiles->opened_day;
        set(out, SS_VAR_TENURE, days > 0 ? days : 0);
    }
    int64_t limit = 0, balance = 0;
    for (int i = 0; i < profiles->line_count; i++) {
        limit += profiles->lines[i].limit;
        balance += profiles->lines[i].balance;
    }
    if (profiles->line_count > 0)
        set(out, SS_VAR_LIMIT, limit);
    if (limit > 0)
        set(out, SS_VAR_DEBT, balance > 0 ? SS_VALUE_MAX * balance / limit : 0);
}

void ss_variables_compute(const struct ss_model *model, const struct ss_user_state *state,
                          int64_t as_of_ms, int64_t clock_ms, struct ss_variables *out)
{
    int32_t today = ss_day_of(as_of_ms);
    const struct ss_friends_sum *friends = &state->friends;

    ss_clear(out->value, sizeof out->value);
    memset(out->known, 0, sizeof out->known);
    out->overdue_alone = false;
    of_bills(model, &state->bills, today, clock_ms < as_of_ms ? clock_ms : as_of_ms, as_of_ms, out);
    of_payments(model, &state->payments, today, out);
    of_bookings(model, &state->bookings, today, out);
    of_profile(model, &state->profiles, today, out);
    if (friends->confirmed > 0)
        set(out, SS_VAR_FRIENDS, INT64_C(1000) * friends->bands / friends->confirmed);
}
