#include "helper_scenario.h"

#include "helper_text.h"
#include "state/memory_store.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct rig rig;

void open_rig(void)
{
    rig_open(&rig, PARTITIONS);
    memory_bus_set_poll_max(rig.memory, 7); /* several transactions */
}

void close_rig(void)
{
    rig_close(&rig);
}

void open_rig_with_a_small_cache(void)
{
    open_rig();
    ss_worker_close(rig.worker);
    rig.config.limits.cache_bytes_max = 1;
    struct ss_error err;
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK);
}

void send_consents(struct rig *to)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < 3; i++)
            rig_send(to, rig_consent(to, rig_user(to, p, i), SS_CONSENT_GRANTED));
}

void send_events(struct rig *to)
{
    static const int payers[] = {0, 1, 3, 0};
    for (int i = 0; i < 24; i++) {
        int32_t p = i % PARTITIONS;
        struct ss_event payment = rig_payment(to, rig_user(to, p, payers[i / 2 % 4]), 90000 * i);
        rig_send(to, payment);
        if (i % 9 == 0)
            rig_send(to, payment);
        if (i % 10 == 0)
            memory_bus_append(to->memory, SS_PAYMENTS, p, text("?"), text("?"), 1, NULL, 0);
    }
    for (int32_t p = 0; p < PARTITIONS; p++) {
        rig_send(to, rig_bill(to, rig_user(to, p, 0), SS_BILL_ISSUED, "one"));
        rig_send(to, rig_bill(to, rig_user(to, p, 0), SS_BILL_PAID, "one"));
        rig_send(to, rig_bill(to, rig_user(to, p, 1), SS_BILL_DEFAULTED, "two"));
        rig_send(to, rig_listing(to, rig_user(to, p, 2), SS_LISTED, "case"));
    }
}

void send_payments(struct rig *to)
{
    for (int i = 0; i < 6; i++)
        rig_send(to, rig_payment(to, rig_user(to, i % PARTITIONS, 0), 1777700 + i));
}

void send_the_rest(struct rig *to)
{
    rig_send(to, rig_consent(to, rig_user(to, 1, 1), SS_CONSENT_WITHDRAWN));
    rig_send(to, rig_listing(to, rig_user(to, 0, 2), SS_DELISTED, "case"));
}

void send_more(struct rig *to)
{
    send_payments(to);
    send_payments(to);
    send_the_rest(to);
}

/* What everything leads to: lists of scores and entitlements by user, without what the interleaving
 * decides. */
static json_t *values_of(struct rig *of)
{
    static const enum ss_target targets[] = {SS_TO_SCORES, SS_TO_ENTITLEMENTS};
    json_t *all = json_object(), *value;
    size_t i;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        for (int t = 0; t < 2; t++) {
            json_t *values = rig_values(of, targets[t], p);
            json_array_foreach(values, i, value)
            {
                const char *user = json_string_value(json_object_get(value, "user_id"));
                json_object_del(value, "positions");
                json_object_del(value, "clock"); /* how far the partition was by then */
                if (!json_object_get(all, user))
                    json_object_set_new(all, user, json_array());
                json_array_append(json_object_get(all, user), value);
            }
            json_decref(values);
        }
    }
    return all;
}

static json_t *reference(void)
{
    static json_t *values;
    struct rig calm;
    if (values)
        return json_incref(values);
    rig_open(&calm, PARTITIONS);
    memory_bus_set_poll_max(calm.memory, 7);
    send_consents(&calm);
    send_events(&calm);
    rig_run(&calm);
    send_more(&calm);
    rig_run(&calm);
    rig_check(&calm);
    values = values_of(&calm);
    cr_assert_eq(json_object_size(values), 3 * PARTITIONS);
    cr_assert_gt(json_array_size(json_object_get(values, rig_user(&calm, 0, 0))), 10);
    rig_close(&calm);
    return json_incref(values);
}

void check_against_reference(const char *what, int nth)
{
    json_t *expected = reference(), *values = values_of(&rig);
    if (!json_equal(expected, values))
        cr_assert_fail("%s, call %d: other scores than without the failure", what, nth);
    json_decref(expected);
    json_decref(values);
    rig_check(&rig);
}

int run_all(void (*between)(void))
{
    send_consents(&rig);
    send_events(&rig);
    int failures = rig_run(&rig);
    if (between)
        between();
    send_more(&rig);
    return failures + rig_run(&rig);
}

void wipe_store(void)
{
    wipe_partitions(rig.store, rig.config.bus->partition_count);
}

void restart(void)
{
    rig_restart(&rig);
}

void restart_wiped(void)
{
    wipe_store();
    rig_restart(&rig);
}

struct copy {
    struct ss_put puts[64];
    size_t count;
};

static void copy_state(void *arg, struct ss_bytes user_id, struct ss_bytes packed)
{
    struct copy *copy = arg;
    char *bytes = malloc(user_id.size + packed.size);
    memcpy(bytes, user_id.data, user_id.size);
    memcpy(bytes + user_id.size, packed.data, packed.size);
    copy->puts[copy->count++] =
        (struct ss_put){{bytes, user_id.size}, {bytes + user_id.size, packed.size}, 0};
}

/* Each partition as it stands, its checkpoint included. */
static void copy_store(struct ss_store *from, struct ss_store *to)
{
    wipe_partitions(to, PARTITIONS);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct copy copy = {.count = 0};
        struct ss_checkpoint checkpoint;
        bool found;
        cr_assert_eq(from->ops->checkpoint(from, p, &checkpoint, &found, NULL), SS_OK);
        cr_assert_eq(from->ops->scan(from, p, copy_state, &copy, NULL), SS_OK);
        if (found)
            cr_assert_eq(to->ops->save(to, p, NULL, &checkpoint, copy.puts, copy.count, NULL),
                         SS_OK);
        for (size_t i = 0; i < copy.count; i++)
            free((void *)copy.puts[i].user_id.data);
    }
}

void run_and_fall_back(void)
{
    struct ss_store *replica;
    cr_assert_eq(ss_memory_open(&replica, NULL), SS_OK);
    send_consents(&rig);
    send_events(&rig);
    rig_run(&rig);
    copy_store(rig.store, replica);
    send_payments(&rig);
    rig_run(&rig);
    copy_store(replica, rig.store);
    replica->ops->close(replica);
}
