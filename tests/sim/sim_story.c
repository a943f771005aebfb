/* sim_story.c - what happens to users: bills that are paid in time, late or never, people who fall
 * silent, late events, times that lie in the future, inputs that nobody writes to. */
#include "sim.h"

#include "consumer/partitioner.h"

#include <stdio.h>

#define DAY_MS  SIM_DAY_MS
#define HOUR_MS INT64_C(3600000)

static struct ss_text text(struct sim_world *world, const char *format, int number)
{
    char buffer[160];
    int size = snprintf(buffer, sizeof buffer, format, number);
    struct ss_bytes copy = sim_copy(world->arena, (struct ss_bytes){buffer, (size_t)size});
    return (struct ss_text){copy.data, (uint32_t)size};
}

void sim_story_init(struct sim_world *world)
{
    static const char *const formats[] = {
        "u%d", "user-%d", "\xc3\xa9l\xc3\xa8ve %d",
        "a-user-id-of-sixty-four-bytes-which-is-the-most-there-may-%06d"};
    world->user_count = 8 + (int)sim_below(world, SIM_USERS_MAX - 8 + 1);
    world->story_ms = SIM_START_MS;
    for (int i = 0; i < world->user_count; i++) {
        struct sim_user *user = &world->users[i];
        user->id = text(world, formats[sim_below(world, 4)], i);
        user->partition = ss_partition_of((struct ss_bytes){user->id.data, user->id.size},
                                          world->partition_count);
        user->silent_ms = sim_chance(world, 300)
                              ? SIM_START_MS + ((int64_t)sim_below(world, 30) - 15) * DAY_MS
                              : INT64_MAX;
    }
    if (sim_chance(world, 300))
        world->idle_inputs |= 1u << sim_below(world, SS_CONSENTS);
    if (sim_chance(world, 200))
        world->idle_inputs |= 1u << sim_below(world, SS_CONSENTS);
}

static struct ss_text currency(struct sim_world *world)
{
    static const char *const codes[] = {"CNY", "EUR", "USD", "JPY", "XXX"};
    uint32_t i = sim_chance(world, 15) ? 4 : sim_below(world, 4);
    return (struct ss_text){codes[i], 3};
}

static int64_t amount(struct sim_world *world)
{
    if (sim_chance(world, 10))
        return -5;
    return (int64_t)sim_below(world, 1 << (4 + sim_below(world, 20)));
}

static void fill_profile(struct sim_world *world, struct ss_event *event)
{
    struct ss_profile *profile = &event->profile;
    profile->action = (enum ss_profile_action)sim_below(world, 4);
    profile->opened_at_ms = SS_TIME_UNKNOWN;
    profile->line_id = (struct ss_text){"", 0};
    profile->currency = (struct ss_text){"", 0};
    if (profile->action <= SS_PROFILE_REVOKED) {
        profile->fact = (enum ss_profile_fact)(1 + sim_below(world, SS_FACT_COUNT - 1));
        if (profile->fact == SS_FACT_DEGREE)
            profile->degree_level = (enum ss_degree_level)sim_below(world, SS_DEGREE_COUNT);
    } else if (profile->action == SS_PROFILE_ACCOUNT_OPENED) {
        profile->holder = SS_HOLDER_PERSON;
        if (sim_chance(world, 500))
            profile->opened_at_ms =
                event->occurred_at_ms - (int64_t)sim_below(world, 4000) * DAY_MS;
    } else {
        profile->line_id = text(world, "line %d", (int)sim_below(world, 10));
        profile->limit_minor = (int64_t)sim_below(world, 5000000);
        profile->balance_minor = (int64_t)sim_below(world, 4000000) - 100000;
        profile->currency = (struct ss_text){"CNY", 3};
    }
}

static void fill_consent(struct sim_world *world, struct ss_event *event)
{
    struct ss_consent *consent = &event->consent;
    bool grant = sim_chance(world, 780);
    consent->action = grant ? SS_CONSENT_GRANTED : SS_CONSENT_WITHDRAWN;
    consent->purpose = sim_chance(world, 650)   ? SS_PURPOSE_SCORING
                       : sim_chance(world, 500) ? SS_PURPOSE_SOCIAL
                                                : SS_PURPOSE_SHARE;
    consent->subscriber = (struct ss_text){"", 0};
    if (consent->purpose == SS_PURPOSE_SHARE)
        consent->subscriber = text(
            world, "bank %d", (int)sim_below(world, sim_chance(world, 600) ? SIM_SUBSCRIBERS : 20));
}

/* Most are paid, in time or late; some never, and nobody says more about them. */
static void plan_payment(struct sim_world *world, const struct sim_truth *truth)
{
    const struct ss_bill *bill = &truth->event.bill;
    int64_t issued_ms = truth->event.occurred_at_ms, due_ms = bill->due_at_ms;
    uint32_t fate = sim_below(world, 100);
    if (fate >= 75 || world->plan_count == SIM_PLANS_MAX)
        return;
    int64_t at_ms = due_ms;
    if (fate < 40 && due_ms > issued_ms)
        at_ms =
            issued_ms + (int64_t)((uint64_t)(due_ms - issued_ms) * sim_below(world, 1000) / 1000);
    else if (fate >= 45)
        at_ms = due_ms + 1 + (int64_t)sim_below(world, 96) * HOUR_MS;
    world->plans[world->plan_count++] = (struct sim_plan){at_ms, truth->user, bill->bill_id};
}

static void fill_bill(struct sim_world *world, struct sim_truth *truth)
{
    struct ss_event *event = &truth->event;
    struct ss_bill *bill = &event->bill;
    bill->kind = (enum ss_bill_kind)sim_below(world, SS_BILL_KIND_COUNT);
    bill->amount_minor = amount(world);
    bill->currency = currency(world);
    if (sim_chance(world, 700)) {
        bill->status = SS_BILL_ISSUED;
        bill->bill_id = text(world, "bill %d", ++world->bill_count);
        bill->due_at_ms =
            event->occurred_at_ms + (int64_t)sim_below(world, 24 * 10) * HOUR_MS - 2 * HOUR_MS;
        plan_payment(world, truth);
        return;
    }
    bill->status = (enum ss_bill_status)sim_below(world, sim_chance(world, 700) ? 2 : 4);
    bill->bill_id =
        text(world, "bill %d", world->bill_count - (int)sim_below(world, 20)); /* anybody's */
    bill->due_at_ms = sim_chance(world, 200)
                          ? SS_TIME_UNKNOWN
                          : event->occurred_at_ms + ((int64_t)sim_below(world, 120) - 60) * DAY_MS;
}

/* Mostly one of few, so that many add each other. */
static struct ss_text some_friend(struct sim_world *world, int user)
{
    int count = world->user_count;
    int friend = sim_chance(world, 850) ? user + (int)sim_below(world, 7) - 3 + count
                                        : (int)sim_below(world, (uint32_t)count);
    return world->users[friend % count].id;
}

static void fill_event(struct sim_world *world, struct sim_truth *truth)
{
    struct ss_event *event = &truth->event;
    static const uint8_t mix[] = {SS_PAYMENTS, SS_PAYMENTS, SS_PAYMENTS, SS_BILLS,
                                  SS_BILLS,    SS_BILLS,    SS_BILLS,    SS_BOOKINGS,
                                  SS_SOCIAL,   SS_SOCIAL,   SS_SOCIAL,   SS_PROFILES,
                                  SS_PROFILES, SS_CONSENTS, SS_CONSENTS, SS_BLACKLIST};
    do
        event->input = (enum ss_input)mix[sim_below(world, sizeof mix)];
    while (world->idle_inputs >> event->input & 1);
    switch (event->input) {
    case SS_PAYMENTS:
        event->payment.status = sim_chance(world, 850)
                                    ? SS_PAYMENT_SETTLED
                                    : (enum ss_payment_status)sim_below(world, 3);
        event->payment.category = (enum ss_payment_category)sim_below(world, SS_CATEGORY_COUNT);
        event->payment.amount_minor = amount(world);
        event->payment.currency = currency(world);
        event->payment.counterparty = text(world, "shop %d", (int)sim_below(world, 50));
        break;
    case SS_BILLS:
        fill_bill(world, truth);
        break;
    case SS_BOOKINGS:
        event->booking.status = (enum ss_booking_status)sim_below(world, 4);
        event->booking.kind = (enum ss_booking_kind)sim_below(world, SS_BOOKING_KIND_COUNT);
        event->booking.booking_id = text(world, "booking %d", (int)sim_below(world, 90));
        break;
    case SS_SOCIAL:
        event->social.action = sim_chance(world, 650) ? SS_FRIEND_ADDED : SS_FRIEND_REMOVED;
        event->social.friend_id = some_friend(world, truth->user);
        break;
    case SS_PROFILES:
        fill_profile(world, event);
        break;
    case SS_CONSENTS:
        fill_consent(world, event);
        break;
    case SS_BLACKLIST:
    case SS_NEIGHBOURS:
    case SS_INPUT_COUNT:
        event->listing.action = sim_chance(world, 500) ? SS_LISTED : SS_DELISTED;
        event->listing.case_id = text(world, "case %d", (int)sim_below(world, 4));
        event->listing.authority = (struct ss_text){"court", 5};
        event->listing.amount_owed_minor = 100;
        event->listing.currency = (struct ss_text){"CNY", 3};
        break;
    }
}

/* False: nothing is planned for now. */
static bool pay_bill(struct sim_world *world, struct sim_truth *truth)
{
    struct ss_event *event = &truth->event;
    int next = -1;
    for (int i = 0; i < world->plan_count; i++)
        if (world->plans[i].at_ms <= world->story_ms &&
            (next < 0 || world->plans[i].at_ms < world->plans[next].at_ms))
            next = i;
    if (next < 0)
        return false;
    const struct sim_plan plan = world->plans[next];
    world->plans[next] = world->plans[--world->plan_count];
    truth->user = plan.user;
    event->user_id = world->users[plan.user].id;
    event->occurred_at_ms = plan.at_ms;
    event->input = SS_BILLS;
    event->bill = (struct ss_bill){.status = SS_BILL_PAID,
                                   .bill_id = plan.bill_id,
                                   .amount_minor = 100,
                                   .currency = {"CNY", 3},
                                   .due_at_ms = SS_TIME_UNKNOWN};
    return true;
}

static int64_t event_time(struct sim_world *world)
{
    uint32_t kind = sim_below(world, 1000);
    if (kind < 8)
        return 12345;
    if (kind < 16)
        return world->story_ms + 90 * DAY_MS;
    if (kind < 40)
        return world->story_ms + (int64_t)sim_below(world, 24) * HOUR_MS;
    if (kind < 140)
        return world->story_ms - (int64_t)sim_below(world, 30 * 24) * HOUR_MS;
    return world->story_ms - (kind < 400 ? (int64_t)sim_below(world, 7200000) : 0);
}

void sim_story_next(struct sim_world *world, struct sim_truth *truth)
{
    struct ss_event *event = &truth->event;
    event->event_id = text(world, sim_chance(world, 10) ? "\x01 %d" : "e%d", world->event_count);
    if (pay_bill(world, truth))
        return;
    if (world->granted_count < world->user_count && !sim_chance(world, 100)) { /* most begin so */
        truth->user = world->granted_count++;
        event->user_id = world->users[truth->user].id;
        event->occurred_at_ms = world->story_ms;
        event->input = SS_CONSENTS;
        event->consent = (struct ss_consent){SS_CONSENT_GRANTED, SS_PURPOSE_SCORING, {"", 0}};
        return;
    }
    if (world->social_count < world->user_count && !sim_chance(world, 400)) {
        truth->user = world->social_count++;
        event->user_id = world->users[truth->user].id;
        event->occurred_at_ms = world->story_ms;
        event->input = SS_CONSENTS;
        event->consent = (struct ss_consent){SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL, {"", 0}};
        return;
    }
    for (int tries = 0; tries < 4; tries++) {
        truth->user = (int)sim_below(world, (uint32_t)world->user_count);
        if (world->users[truth->user].silent_ms > world->story_ms)
            break;
    }
    event->user_id = world->users[truth->user].id;
    event->occurred_at_ms = event_time(world);
    fill_event(world, truth);
}
