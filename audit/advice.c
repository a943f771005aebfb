#include "audit/advice.h"

#include <string.h>

#define DAY_MS   INT64_C(86400000)
#define MONTH_MS (30 * DAY_MS)

enum { BOOKINGS_TO_KEEP = 5, PAYMENTS_A_MONTH_MAX = 60, PAYMENTS_A_MONTH_UNKNOWN = 4, MONTHS = 12 };
#define AMOUNT_UNKNOWN INT64_C(10000) /* base minor units */

/* A copy of the state that things are tried on. */
struct trial {
    const struct ss_advice_input *input;
    struct ss_user_state state;
    int64_t now_ms, clock_ms;
};

static struct ss_text text_of(const char *text)
{
    return (struct ss_text){text, (uint32_t)strlen(text)};
}

static void begin(const struct ss_advice_input *input, struct trial *trial)
{
    trial->input = input;
    trial->state = *input->state;
    trial->now_ms = input->as_of_ms;
    trial->clock_ms = input->clock_ms;
}

static void happen(struct trial *trial, struct ss_event *event)
{
    struct ss_context context = {.record_time_ms = trial->now_ms, .clock_ms = trial->clock_ms};
    struct ss_effects effects;
    enum ss_refusal refusal;
    event->user_id = text_of("u");
    event->event_id = text_of("e");
    event->occurred_at_ms = trial->now_ms;
    trial->state.payments.recent.count = 0; /* none of these is a duplicate */
    trial->state.bills.recent.count = 0;
    trial->state.bookings.recent.count = 0;
    trial->state.profiles.recent.count = 0;
    trial->state.blacklist.recent.count = 0;
    /* one that is refused changes nothing, and so gains nothing */
    (void)ss_apply(trial->input->models, &trial->state, event, &context, &effects, &refusal);
}

static int32_t judge(const struct trial *trial, bool full)
{
    struct ss_score score;
    ss_score_compute(ss_model_of(trial->input->models, &trial->state), &trial->state, trial->now_ms,
                     trial->clock_ms, &score);
    return full ? score.full_score : score.score;
}

static void pay_bill(struct trial *trial, const struct ss_advice_bill *bill)
{
    struct ss_event event = {.input = SS_BILLS,
                             .bill = {.status = SS_BILL_PAID,
                                      .kind = bill->kind,
                                      .bill_id = bill->bill_id,
                                      .amount_minor = bill->amount_minor,
                                      .currency = bill->currency,
                                      .due_at_ms = bill->due_at_ms}};
    happen(trial, &event);
}

static void pay_overdue(struct trial *trial)
{
    for (int i = 0; i < trial->input->bill_count; i++)
        if (trial->input->bills[i].overdue)
            pay_bill(trial, &trial->input->bills[i]);
}

/* ---- acts ---- */

static void note(struct ss_advice *advice, const struct trial *trial, struct ss_act act)
{
    bool full = advice->listed && act.kind != SS_ACT_CLOSE_CASES;
    struct trial now;
    begin(trial->input, &now);
    int32_t before = judge(&now, full);
    act.score = judge(trial, full);
    act.gain = act.score - before;
    if (act.gain <= 0)
        return;
    int at = advice->act_count < SS_ACTS_MAX ? advice->act_count++ : SS_ACTS_MAX - 1;
    if (at == SS_ACTS_MAX - 1 && advice->acts[at].gain >= act.gain)
        return; /* full of better ones */
    for (; at > 0 && advice->acts[at - 1].gain < act.gain; at--)
        advice->acts[at] = advice->acts[at - 1];
    advice->acts[at] = act;
}

static void try_bills(const struct ss_advice_input *input, struct ss_advice *advice)
{
    struct trial trial;
    int overdue = 0;
    for (int i = 0; i < input->bill_count; i++) {
        if (!input->bills[i].overdue)
            continue;
        overdue++;
        begin(input, &trial);
        pay_bill(&trial, &input->bills[i]);
        note(advice, &trial,
             (struct ss_act){
                 .kind = SS_ACT_PAY_OVERDUE, .reason = "LATE_BILLS", .bill = &input->bills[i]});
    }
    if (overdue < 2)
        return;
    begin(input, &trial);
    pay_overdue(&trial);
    note(advice, &trial,
         (struct ss_act){.kind = SS_ACT_PAY_ALL_OVERDUE, .reason = "LATE_BILLS", .count = overdue});
}

static void try_debt(const struct ss_advice_input *input, const struct ss_model *model,
                     struct ss_advice *advice)
{
    const struct ss_profiles_part *profiles = &input->state->profiles;
    struct trial trial;
    int64_t owed = 0;
    begin(input, &trial);
    for (int i = 0; i < profiles->line_count; i++) {
        const struct ss_credit_line *line = &profiles->lines[i];
        if (line->balance <= 0 || line->limit <= 0 || !input->lines[i].data)
            continue;
        struct ss_event event = {.input = SS_PROFILES,
                                 .profile = {.action = SS_PROFILE_CREDIT_LINE,
                                             .opened_at_ms = SS_TIME_UNKNOWN,
                                             .line_id = input->lines[i],
                                             .limit_minor = line->limit,
                                             .currency = text_of(model->base_currency)}};
        owed += line->balance;
        happen(&trial, &event);
    }
    if (owed > 0)
        note(advice, &trial,
             (struct ss_act){.kind = SS_ACT_REPAY, .reason = "HIGH_DEBT", .amount_minor = owed});
}

static void try_facts(const struct ss_advice_input *input, struct ss_advice *advice)
{
    const struct ss_profiles_part *profiles = &input->state->profiles;
    struct trial trial;
    for (int fact = SS_FACT_PHONE; fact < SS_FACT_COUNT; fact++) {
        bool degree = fact == SS_FACT_DEGREE;
        if (profiles->verified & 1u << fact)
            continue;
        struct ss_event event = {
            .input = SS_PROFILES,
            .profile = {.action = SS_PROFILE_VERIFIED,
                        .fact = (enum ss_profile_fact)fact,
                        .degree_level = degree ? SS_DEGREE_UNIVERSITY : SS_DEGREE_UNKNOWN,
                        .opened_at_ms = SS_TIME_UNKNOWN}};
        begin(input, &trial);
        happen(&trial, &event);
        note(advice, &trial,
             (struct ss_act){.kind = degree ? SS_ACT_DEGREE : SS_ACT_VERIFY,
                             .reason = degree          ? "NO_DEGREE"
                                       : profiles->any ? "UNVERIFIED_FACTS"
                                                       : "NO_PROFILE",
                             .fact = (enum ss_profile_fact)fact});
    }
}

static void try_bookings(const struct ss_advice_input *input, struct ss_advice *advice)
{
    const struct ss_bookings_part *part = &input->state->bookings;
    bool known = part->honoured_milli + part->no_show_milli + part->cancelled_milli > 0;
    struct trial trial;
    begin(input, &trial);
    for (int i = 0; i < BOOKINGS_TO_KEEP; i++) {
        struct ss_event event = {
            .input = SS_BOOKINGS,
            .booking = {.status = SS_BOOKING_HONOURED, .booking_id = text_of("b")}};
        happen(&trial, &event);
    }
    note(advice, &trial,
         (struct ss_act){.kind = SS_ACT_BOOKINGS,
                         .reason = known ? "BROKEN_BOOKINGS" : "NO_BOOKINGS",
                         .count = BOOKINGS_TO_KEEP});
}

static void try_cases(const struct ss_advice_input *input, struct ss_advice *advice)
{
    struct trial trial;
    if (!advice->listed)
        return;
    begin(input, &trial);
    trial.state.blacklist.case_count = 0; /* whatever they are called */
    note(advice, &trial,
         (struct ss_act){.kind = SS_ACT_CLOSE_CASES,
                         .reason = "LISTED",
                         .count = input->state->blacklist.case_count});
}

/* ---- steady months ---- */

/* How often and how much somebody who goes on like this pays a month: a steady rate r a day makes a
 * decayed count of r * half-life / ln 2. */
static void habits(const struct ss_advice_input *input, const struct ss_model *model,
                   struct ss_advice *advice)
{
    const struct ss_payments_part *payments = &input->state->payments;
    const struct ss_bills_part *bills = &input->state->bills;
    int64_t bill_count = bills->on_time_milli;
    for (int b = 0; b < SS_LATE_BUCKETS; b++)
        bill_count += bills->late_milli[b];
    advice->payments_a_month = PAYMENTS_A_MONTH_UNKNOWN;
    advice->payment_minor = advice->bill_minor = AMOUNT_UNKNOWN;
    if (payments->settled_milli >= 1000) {
        int64_t rate = payments->settled_milli * 30 * 693 /
                       (INT64_C(1000000) * model->payments_decay.half_life_days);
        advice->payments_a_month = rate < 1                      ? 1
                                   : rate > PAYMENTS_A_MONTH_MAX ? PAYMENTS_A_MONTH_MAX
                                                                 : (int)rate;
        advice->payment_minor = payments->amount / (payments->settled_milli / 1000);
        advice->as_lately = true;
    }
    if (bill_count >= 1000)
        advice->bill_minor = bills->paid / (bill_count / 1000);
}

static void live_month(struct trial *trial, const struct ss_model *model,
                       const struct ss_advice *advice, uint32_t categories)
{
    int64_t end_ms = trial->now_ms + MONTH_MS;
    for (int i = 0; i < trial->input->bill_count; i++) {
        const struct ss_advice_bill *bill = &trial->input->bills[i];
        if (bill->overdue || bill->due_at_ms > end_ms || bill->due_at_ms <= end_ms - MONTH_MS)
            continue;
        trial->now_ms = trial->clock_ms = bill->due_at_ms;
        pay_bill(trial, bill);
    }
    trial->now_ms = trial->clock_ms = end_ms;
    for (int i = 0, c = 0; i < advice->payments_a_month; i++, c++) {
        while (!(categories & 1u << c % SS_CATEGORY_COUNT))
            c++;
        struct ss_event event = {
            .input = SS_PAYMENTS,
            .payment = {.status = SS_PAYMENT_SETTLED,
                        .category = (enum ss_payment_category)(c % SS_CATEGORY_COUNT),
                        .amount_minor = advice->payment_minor,
                        .currency = text_of(model->base_currency)}};
        happen(trial, &event);
    }
    struct ss_advice_bill monthly = {.bill_id = text_of("monthly"),
                                     .currency = text_of(model->base_currency),
                                     .amount_minor = advice->bill_minor,
                                     .due_at_ms = end_ms};
    pay_bill(trial, &monthly);
}

static void walk_path(const struct ss_advice_input *input, const struct ss_model *model,
                      struct ss_advice *advice)
{
    static const int stops[SS_PATH_MAX] = {3, 6, MONTHS};
    uint32_t categories =
        input->state->payments.categories[0] | input->state->payments.categories[1];
    struct trial trial;
    int stop = 0;
    habits(input, model, advice);
    begin(input, &trial);
    pay_overdue(&trial);
    for (int month = 1; month <= MONTHS; month++) {
        live_month(&trial, model, advice, categories ? categories : 1u << SS_CATEGORY_GROCERIES);
        if (month == stops[stop])
            advice->path[stop++] = (struct ss_path_point){month, judge(&trial, advice->listed)};
    }
}

static void look_at_next_bill(const struct ss_advice_input *input, struct ss_advice *advice)
{
    for (int i = 0; i < input->bill_count; i++) {
        const struct ss_advice_bill *bill = &input->bills[i];
        if (!bill->overdue &&
            (!advice->next_bill || bill->due_at_ms < advice->next_bill->due_at_ms))
            advice->next_bill = bill;
    }
    if (!advice->next_bill)
        return;
    struct trial paid, unpaid;
    begin(input, &unpaid);
    unpaid.now_ms = unpaid.clock_ms = advice->next_bill->due_at_ms;
    paid = unpaid;
    pay_bill(&paid, advice->next_bill);
    advice->unpaid_loss = judge(&paid, advice->listed) - judge(&unpaid, advice->listed);
}

void ss_advice_compute(const struct ss_advice_input *input, struct ss_advice *advice)
{
    const struct ss_model *model = ss_model_of(input->models, input->state);
    struct trial trial;
    memset(advice, 0, sizeof *advice);
    begin(input, &trial);
    advice->listed = input->state->blacklist.case_count > 0;
    advice->score = judge(&trial, advice->listed);
    try_cases(input, advice);
    try_bills(input, advice);
    try_debt(input, model, advice);
    try_facts(input, advice);
    try_bookings(input, advice);
    walk_path(input, model, advice);
    look_at_next_bill(input, advice);
}
