#include "helper_model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void curve(struct ss_model *model, enum ss_variable variable, int64_t x_max, bool falling)
{
    struct ss_component *component = &model->components[variable];
    component->weight = 10;
    component->neutral = 5000;
    component->curve = (struct ss_curve){
        .count = 2, .x = {0, x_max}, .y = {falling ? 10000 : 0, falling ? 0 : 10000}};
}

static void fill(struct ss_model *model)
{
    static const int32_t weights[SS_FACTOR_COUNT] = {35, 25, 20, 15, 5};
    static const int32_t severity[SS_LATE_BUCKETS] = {100, 200, 300, 400, 500};
    static const int32_t points[SS_FACT_COUNT] = {0, 10, 20, 30, 40};

    strcpy(model->name, "round");
    strcpy(model->version, "round-0000000000000000");
    memcpy(model->weights, weights, sizeof weights);
    memcpy(model->late_severity, severity, sizeof severity);
    memcpy(model->fact_points, points, sizeof points);
    curve(model, SS_VAR_LATENESS, 10000, true);
    curve(model, SS_VAR_DEFAULTS, 10000, true);
    curve(model, SS_VAR_TRACK_RECORD, 10000, false);
    curve(model, SS_VAR_DEBT, 10000, true);
    curve(model, SS_VAR_ACTIVITY, 10000, false);
    curve(model, SS_VAR_REGULARITY, 10, false);
    curve(model, SS_VAR_DIVERSITY, 10, false);
    curve(model, SS_VAR_REVERSALS, 10000, true);
    curve(model, SS_VAR_SPENDING, 100000, false);
    curve(model, SS_VAR_REPAYMENT, 100000, false);
    curve(model, SS_VAR_LIMIT, 100000, false);
    curve(model, SS_VAR_BOOKINGS, 10000, false);
    curve(model, SS_VAR_IDENTITY, 100, false);
    curve(model, SS_VAR_EDUCATION, 4, false);
    curve(model, SS_VAR_TENURE, 1000, false);
    curve(model, SS_VAR_FRIENDS, 10000, false);
    model->overdue_severity = (struct ss_curve){.count = 2, .x = {0, 100}, .y = {0, 1000}};
    model->refund_share = 1000;
    model->cancelled_share = 5000;
    model->booking_prior = 1000;
    model->listed_cap = 400;
    model->revoke_margin = 10;
    model->tier_count = 3;
    model->tiers[0] = (struct ss_tier){"low", 350};
    model->tiers[1] = (struct ss_tier){"middle", 600};
    model->tiers[2] = (struct ss_tier){"high", 700};
    model->benefit_count = 2;
    model->benefits[0] = (struct ss_benefit){"car", "A car", 640};
    model->benefits[1] = (struct ss_benefit){"hotel", "A hotel", 660};
    ss_decay_init(&model->payments_decay, 1);
    ss_decay_init(&model->bills_decay, 2);
    ss_decay_init(&model->defaults_decay, 4);
    ss_decay_init(&model->bookings_decay, 1);
    strcpy(model->base_currency, "BAS");
    model->currency_count = 3;
    model->currencies[0] = (struct ss_currency){"BAS", 1, 1};
    model->currencies[1] = (struct ss_currency){"HLF", 1, 2};
    model->currencies[2] = (struct ss_currency){"MIL", 1000000, 1};
    model->recent_window = 4;
    model->recent_days = 10;
    model->friends_max = SS_FRIENDS_MAX;
    model->aged_days = 30;
    model->aged_overdue_days = 7;
}

const struct ss_model *helper_model(void)
{
    static struct ss_model model;
    if (model.currency_count == 0) {
        fill(&model);
        ss_model_prepare(&model);
    }
    return &model;
}

struct ss_model *helper_model_copy(void)
{
    struct ss_model *copy = malloc(sizeof *copy);
    cr_assert(copy);
    *copy = *helper_model();
    copy->plan.ready = false;
    return copy;
}

struct ss_text helper_text(const char *text)
{
    return (struct ss_text){text, (uint32_t)strlen(text)};
}

static struct ss_event begin(enum ss_input input, int64_t at_ms)
{
    static char ids[16384][8];
    static unsigned next;
    char *id = ids[next % 16384];
    snprintf(id, sizeof ids[0], "e%06u", next++ % 1000000);
    return (struct ss_event){.input = input,
                             .user_id = helper_text("u"),
                             .event_id = helper_text(id),
                             .occurred_at_ms = at_ms};
}

struct ss_event helper_payment(int64_t at_ms, enum ss_payment_status status,
                               enum ss_payment_category category, int64_t amount)
{
    struct ss_event event = begin(SS_PAYMENTS, at_ms);
    event.payment = (struct ss_payment){
        .status = status, .category = category, .amount_minor = amount, helper_text("BAS"), {0}};
    return event;
}

struct ss_event helper_bill(int64_t at_ms, enum ss_bill_status status, const char *bill_id,
                            int64_t due_at_ms, int64_t amount)
{
    struct ss_event event = begin(SS_BILLS, at_ms);
    event.bill = (struct ss_bill){.status = status,
                                  .bill_id = helper_text(bill_id),
                                  .amount_minor = amount,
                                  .currency = helper_text("BAS"),
                                  .due_at_ms = due_at_ms};
    return event;
}

struct ss_event helper_booking(int64_t at_ms, enum ss_booking_status status)
{
    struct ss_event event = begin(SS_BOOKINGS, at_ms);
    event.booking = (struct ss_booking){.status = status, .booking_id = helper_text("booking")};
    return event;
}

struct ss_event helper_social(int64_t at_ms, enum ss_social_action action, const char *friend_id)
{
    struct ss_event event = begin(SS_SOCIAL, at_ms);
    event.social = (struct ss_social){action, helper_text(friend_id)};
    return event;
}

struct ss_event helper_fact(int64_t at_ms, enum ss_profile_action action, enum ss_profile_fact fact,
                            enum ss_degree_level level)
{
    struct ss_event event = begin(SS_PROFILES, at_ms);
    event.profile = (struct ss_profile){
        .action = action, .fact = fact, .degree_level = level, .opened_at_ms = SS_TIME_UNKNOWN};
    return event;
}

struct ss_event helper_opened(int64_t at_ms, int64_t opened_at_ms)
{
    struct ss_event event = begin(SS_PROFILES, at_ms);
    event.profile = (struct ss_profile){.action = SS_PROFILE_ACCOUNT_OPENED,
                                        .holder = SS_HOLDER_PERSON,
                                        .opened_at_ms = opened_at_ms};
    return event;
}

struct ss_event helper_line(int64_t at_ms, const char *line_id, int64_t limit, int64_t balance)
{
    struct ss_event event = begin(SS_PROFILES, at_ms);
    event.profile = (struct ss_profile){.action = SS_PROFILE_CREDIT_LINE,
                                        .opened_at_ms = SS_TIME_UNKNOWN,
                                        .line_id = helper_text(line_id),
                                        .limit_minor = limit,
                                        .balance_minor = balance,
                                        .currency = helper_text("BAS")};
    return event;
}

struct ss_event helper_consent(int64_t at_ms, enum ss_consent_action action,
                               enum ss_consent_purpose purpose, const char *subscriber)
{
    struct ss_event event = begin(SS_CONSENTS, at_ms);
    event.consent = (struct ss_consent){action, purpose, helper_text(subscriber)};
    return event;
}

struct ss_event helper_listing(int64_t at_ms, enum ss_listing_action action, const char *case_id)
{
    struct ss_event event = begin(SS_BLACKLIST, at_ms);
    event.listing = (struct ss_listing){.action = action, .case_id = helper_text(case_id)};
    return event;
}

void helper_user_init(struct helper_user *user, const struct ss_model *model)
{
    memset(user, 0, sizeof *user);
    user->model = model;
    user->context.partition = 3;
    user->context.offset = 99;
}

enum ss_outcome helper_apply(struct helper_user *user, const struct ss_event *event)
{
    user->context.offset++;
    user->context.record_time_ms = event->occurred_at_ms;
    if (event->occurred_at_ms > user->context.clock_ms)
        user->context.clock_ms = event->occurred_at_ms;
    user->context.positions[event->input] = user->context.offset + 1;
    user->context.friends = &user->friends;
    user->context.day = (int32_t)(event->occurred_at_ms / DAY(1));
    const struct ss_models models = {.person = user->model, .business = user->business};
    enum ss_outcome outcome =
        ss_apply(&models, &user->state, event, &user->context, &user->effects, &user->refusal);
    if (user->effects.friends_left)
        user->friends.count = 0;
    return outcome;
}

void helper_count(struct helper_user *user, struct ss_event event)
{
    cr_assert_eq(helper_apply(user, &event), SS_COUNTED, "refused as %s",
                 ss_refusal_name(user->refusal));
}

void helper_grant(struct helper_user *user, int64_t at_ms)
{
    helper_count(user, helper_consent(at_ms, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, ""));
}
