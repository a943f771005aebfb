/* sim_upstream.c - the services that write the inputs: events of a few dozen users, with all that
 * goes wrong upstream: duplicates, late events, unreadable and misrouted records, transactions that
 * are aborted or stay open for a while. */
#include "sim.h"

#include "consumer/partitioner.h"

#include <assert.h>
#include <stdio.h>

#define DAY_MS INT64_C(86400000)

static struct ss_text text(struct sim_world *world, const char *format, int number)
{
    char buffer[160];
    int size = snprintf(buffer, sizeof buffer, format, number);
    struct ss_bytes copy = sim_copy(world->arena, (struct ss_bytes){buffer, (size_t)size});
    return (struct ss_text){copy.data, (uint32_t)size};
}

void sim_upstream_init(struct sim_world *world)
{
    static const char *const formats[] = {
        "u%d", "user-%d", "\xc3\xa9l\xc3\xa8ve %d",
        "a-user-id-of-sixty-four-bytes-which-is-the-most-there-may-%06d"};
    world->user_count = 8 + (int)sim_below(world, SIM_USERS_MAX - 8 + 1);
    for (int i = 0; i < world->user_count; i++) {
        struct sim_user *user = &world->users[i];
        user->id = text(world, formats[sim_below(world, 4)], i);
        user->partition = ss_partition_of((struct ss_bytes){user->id.data, user->id.size},
                                          world->partition_count);
        user->since_ms = SIM_START_MS - (int64_t)sim_below(world, 500) * DAY_MS;
    }
    world->events_left = world->options.length;
    world->event_count = 0;
    size_t count = (size_t)world->options.length;
    world->truths = sim_alloc(world->arena, count * sizeof *world->truths);
    world->values = sim_alloc(world->arena, count * sizeof *world->values);
}

/* --- events --- */

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
    bool grant = sim_chance(world, 720);
    consent->action = grant ? SS_CONSENT_GRANTED : SS_CONSENT_WITHDRAWN;
    consent->purpose = sim_chance(world, 650)   ? SS_PURPOSE_SCORING
                       : sim_chance(world, 500) ? SS_PURPOSE_SOCIAL
                                                : SS_PURPOSE_SHARE;
    consent->subscriber = (struct ss_text){"", 0};
    if (consent->purpose == SS_PURPOSE_SHARE)
        consent->subscriber = text(
            world, "bank %d", (int)sim_below(world, sim_chance(world, 600) ? SIM_SUBSCRIBERS : 20));
}

static void fill_event(struct sim_world *world, struct ss_event *event)
{
    static const uint8_t mix[] = {SS_PAYMENTS, SS_PAYMENTS, SS_PAYMENTS, SS_PAYMENTS, SS_BILLS,
                                  SS_BILLS,    SS_BILLS,    SS_BOOKINGS, SS_SOCIAL,   SS_PROFILES,
                                  SS_PROFILES, SS_CONSENTS, SS_CONSENTS, SS_CONSENTS, SS_BLACKLIST};
    event->input = (enum ss_input)mix[sim_below(world, sizeof mix)];
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
        event->bill.status = (enum ss_bill_status)sim_below(world, sim_chance(world, 700) ? 2 : 4);
        event->bill.kind = (enum ss_bill_kind)sim_below(world, SS_BILL_KIND_COUNT);
        event->bill.bill_id = text(world, "bill %d", (int)sim_below(world, 12));
        event->bill.amount_minor = amount(world);
        event->bill.currency = currency(world);
        event->bill.due_at_ms =
            sim_chance(world, 200)
                ? SS_TIME_UNKNOWN
                : event->occurred_at_ms + ((int64_t)sim_below(world, 120) - 60) * DAY_MS;
        break;
    case SS_BOOKINGS:
        event->booking.status = (enum ss_booking_status)sim_below(world, 4);
        event->booking.kind = (enum ss_booking_kind)sim_below(world, SS_BOOKING_KIND_COUNT);
        event->booking.booking_id = text(world, "booking %d", (int)sim_below(world, 90));
        break;
    case SS_SOCIAL:
        event->social.action = (enum ss_social_action)sim_below(world, 2);
        event->social.friend_id = world->users[sim_below(world, (uint32_t)world->user_count)].id;
        break;
    case SS_PROFILES:
        fill_profile(world, event);
        break;
    case SS_CONSENTS:
        fill_consent(world, event);
        break;
    case SS_BLACKLIST:
    case SS_INPUT_COUNT:
        event->listing.action = sim_chance(world, 500) ? SS_LISTED : SS_DELISTED;
        event->listing.case_id = text(world, "case %d", (int)sim_below(world, 4));
        event->listing.authority = (struct ss_text){"court", 5};
        event->listing.amount_owed_minor = 100;
        event->listing.currency = (struct ss_text){"CNY", 3};
        break;
    }
}

static struct sim_truth *new_event(struct sim_world *world)
{
    struct sim_truth *truth = sim_alloc(world->arena, sizeof *truth);
    struct ss_event *event = &truth->event;
    truth->user = (int)sim_below(world, (uint32_t)world->user_count);
    struct sim_user *user = &world->users[truth->user];
    event->user_id = user->id;
    event->event_id = text(world, sim_chance(world, 10) ? "\x01 %d" : "e%d", world->event_count);
    if (sim_chance(world, 600) && user->since_ms < world->now_ms)
        user->since_ms += sim_below(world, 40) * (DAY_MS / 4);
    event->occurred_at_ms =
        user->since_ms - (sim_chance(world, 150) ? sim_below(world, 30) * DAY_MS : 0);
    if (sim_chance(world, 15))
        event->occurred_at_ms = sim_chance(world, 500) ? 12345 : world->now_ms + 90 * DAY_MS;
    fill_event(world, event);
    return truth;
}

static struct ss_bytes encode(struct sim_world *world, const struct ss_event *event)
{
    struct ss_buffer buffer;
    struct ss_error err;
    ss_buffer_init(&buffer, 8192);
    if (ss_encode_event(world->input_ids[event->input], event, &buffer, &err) != SS_OK)
        sim_differ(world, "cannot encode an event: %s", err.detail);
    struct ss_bytes copy = sim_copy(world->arena, (struct ss_bytes){buffer.data, buffer.size});
    ss_buffer_reset(&buffer);
    return copy;
}

/* --- records --- */

static const struct ss_header *some_headers(struct sim_world *world)
{
    static const struct ss_header one[] = {{"trace", {"abc", 3}}, {NULL, {NULL, 0}}};
    static const struct ss_header two[] = {
        {"source", {"app", 3}}, {"empty", {"", 0}}, {NULL, {NULL, 0}}};
    uint32_t which = sim_below(world, 6);
    return which == 0 ? one : which == 1 ? two : NULL;
}

static void change_byte(struct sim_world *world, struct ss_bytes *value, size_t at, char byte)
{
    *value = sim_copy(world->arena, *value);
    memcpy((char *)(uintptr_t)value->data + at, &byte, 1);
}

/* Makes of a good record one that cannot be used, and says why. */
static void spoil(struct sim_world *world, struct sim_truth *truth, struct sim_record *record,
                  int32_t *partition)
{
    size_t large = sim_chance(world, 500) ? SIM_LETTER_BYTES_MAX + 300 : SIM_EVENT_BYTES_MAX + 1;
    switch (sim_below(world, 10)) {
    case 0:
        record->key = (struct ss_bytes){NULL, 0};
        truth->reason = "NO_KEY";
        break;
    case 1:
        record->key = (struct ss_bytes){"", 0};
        truth->reason = "NO_KEY";
        break;
    case 2:
        record->key = (struct ss_bytes){sim_alloc(world->arena, 80), 80};
        truth->reason = "BAD_USER_ID";
        break;
    case 3:
        record->value = (struct ss_bytes){NULL, 0};
        truth->reason = "NO_VALUE";
        break;
    case 4:
        if (world->partition_count == 1)
            return;
        *partition = (*partition + 1) % world->partition_count;
        truth->reason = "MISROUTED";
        break;
    case 5:
        record->value = (struct ss_bytes){sim_alloc(world->arena, large), large};
        truth->reason = "TOO_LARGE";
        break;
    case 6:
        change_byte(world, &record->value, 0, 7);
        truth->reason = "BAD_WIRE_FORMAT";
        break;
    case 7:
        change_byte(world, &record->value, 3, 9);
        truth->reason = "BAD_SCHEMA";
        break;
    case 8:
        record->value.size -= 1;
        truth->reason = "UNREADABLE";
        break;
    default:
        truth->event.user_id = (struct ss_text){"somebody else", 13};
        record->value = encode(world, &truth->event);
        truth->reason = "KEY_MISMATCH";
        break;
    }
}

static struct sim_txn *upstream_txn(struct sim_world *world)
{
    int i = (int)sim_below(world, 6);
    if (i >= 2)
        return NULL;
    if (!world->upstream[i])
        world->upstream[i] = sim_txn_new(world);
    return world->upstream[i]->log_count < 60 ? world->upstream[i] : NULL;
}

static void send(struct sim_world *world)
{
    struct sim_record record = {.timestamp_ms = world->now_ms};
    struct sim_truth *truth;
    int index = world->event_count;
    bool again = index > 0 && sim_chance(world, 100);
    if (again) { /* sent twice, as producers do */
        int back = 1 + (int)sim_below(world, index < 40 ? (uint32_t)index : 40);
        truth = sim_alloc(world->arena, sizeof *truth);
        *truth = *world->truths[index - back];
        record.value = world->values[index - back];
        again = !truth->reason;
    }
    if (!again) {
        truth = new_event(world);
        record.value = encode(world, &truth->event);
    }
    const struct sim_user *user = &world->users[truth->user];
    int32_t partition = user->partition;
    record.key = (struct ss_bytes){user->id.data, user->id.size};
    record.headers = some_headers(world);
    if (sim_chance(world, 30))
        record.timestamp_ms = -1;
    if (!again && sim_chance(world, 40))
        spoil(world, truth, &record, &partition);
    record.truth = truth;
    record.txn = upstream_txn(world);
    world->truths[index] = truth;
    world->values[index] = record.value;
    world->event_count++;
    world->events_left--;
    int64_t offset = sim_log_append(&world->inputs[truth->event.input][partition], &record);
    sim_trace(world, "upstream: %s [%d] %lld%s%s", ss_input_name(truth->event.input), partition,
              (long long)offset, again ? ", again" : "", truth->reason ? truth->reason : "");
}

void sim_upstream_tick(struct sim_world *world)
{
    int burst = sim_chance(world, world->calm ? 1000 : 250) ? 1 + (int)sim_below(world, 3) : 0;
    for (; burst > 0 && world->events_left > 0; burst--)
        send(world);
    for (int i = 0; i < 2; i++) {
        if (!world->upstream[i] || !sim_chance(world, world->events_left ? 60 : 300))
            continue;
        sim_txn_decide(world, world->upstream[i], sim_chance(world, 750));
        world->upstream[i] = NULL;
    }
}

bool sim_upstream_done(const struct sim_world *world)
{
    return world->events_left == 0 && !world->upstream[0] && !world->upstream[1];
}
