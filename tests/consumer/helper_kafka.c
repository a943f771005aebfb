#include "helper_kafka.h"
#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

enum { DEADLINE_MS = 60000 };

static const char *const input_names[] = {"payments", "bills",    "bookings",  "social",
                                          "profiles", "consents", "blacklist", "sesame-neighbours"};
static const char *const target_names[] = {"scores", "entitlements", "dead-letters",
                                           "state",  "ranks",        "told"};

void helper_config(struct ss_kafka_config *config, int slot, const char *bootstrap,
                   const char *prefix)
{
    static char names[4][SS_INPUT_COUNT + SS_TARGET_COUNT + 1][96];
    *config = (struct ss_kafka_config){.access = {.bootstrap = bootstrap},
                                       .instance = "one",
                                       .session_timeout_ms = 6000,
                                       .transaction_timeout_ms = 5000};
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        snprintf(names[slot][i], sizeof names[slot][i], "%s%s", prefix, input_names[i]);
        config->inputs[i] = names[slot][i];
    }
    for (int i = 0; i < SS_TARGET_COUNT; i++) {
        char *name = names[slot][SS_INPUT_COUNT + i];
        snprintf(name, sizeof names[slot][0], "%s%s", prefix, target_names[i]);
        config->targets[i] = name;
    }
    char *group = names[slot][SS_INPUT_COUNT + SS_TARGET_COUNT];
    snprintf(group, sizeof names[slot][0], "%sgroup", prefix);
    config->group = group;
}

struct ss_bus *helper_open(const struct ss_kafka_config *config)
{
    struct ss_bus *bus = NULL;
    struct ss_error err;
    enum ss_status status = ss_kafka_bus_open(config, &bus, &err);
    cr_assert_eq(status, SS_OK, "%s: %s", ss_status_name(status), err.detail);
    return bus;
}

void helper_await(struct ss_bus *bus, enum ss_bus_event event, struct ss_poll *poll)
{
    const int64_t deadline = ss_clock_steady_ms() + DEADLINE_MS;
    struct ss_error err = {.detail = ""};
    do {
        enum ss_status status = bus->ops->poll(bus, 1000, 100, poll, &err);
        if (status == SS_RETRY)
            continue;
        cr_assert_eq(status, SS_OK, "%s: %s", ss_status_name(status), err.detail);
        if (poll->event == event)
            return;
        cr_assert_eq(poll->event, SS_BUS_NOTHING, "event %d while waiting for %d", poll->event,
                     event);
    } while (ss_clock_steady_ms() < deadline);
    cr_assert_fail("event %d did not come: %s", event, err.detail);
}

void helper_begin(struct ss_bus *bus, int32_t partition, struct ss_partition_start *start)
{
    struct ss_error err;
    enum ss_status status = bus->ops->start(bus, partition, start, &err);
    cr_assert_eq(status, SS_OK, "start: %s", err.detail);
    status = bus->ops->open_partition(bus, partition, start->positions, &err);
    cr_assert_eq(status, SS_OK, "open: %s", err.detail);
}

enum ss_status helper_mark(struct ss_bus *bus, int32_t partition, const char *group,
                           struct ss_error *err)
{
    struct ss_mark mark = {.partition_count = bus->partition_count};
    uint8_t packed[SS_MARK_PACKED_MAX];
    snprintf(mark.group, sizeof mark.group, "%s", group);
    return bus->ops->produce(bus, SS_TO_CHANGELOG, partition, ss_mark_key,
                             (struct ss_bytes){packed, ss_mark_pack(&mark, packed)}, NULL, 0, true,
                             err);
}
