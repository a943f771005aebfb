/* The worker's loop while the schema registry comes and goes. */
#include "helper_worker.h"

#include "tests/schemas/helper_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct rig rig;
static struct server *server;
static atomic_bool away;
static char *answers[SS_INPUT_COUNT + SS_OUTPUT_COUNT];

static void answer(const struct request *request, struct reply *reply, void *arg)
{
    unsigned id;
    (void)arg;
    *reply = (struct reply){.code = 503, .body = "{}"};
    if (atomic_load(&away))
        return;
    *reply = (struct reply){.code = 404, .body = "{\"error_code\":40403,\"message\":\"no\"}"};
    if (sscanf(request->path, "/schemas/ids/%u", &id) == 1 && id >= 1 &&
        id <= SS_INPUT_COUNT + SS_DEAD_LETTERS)
        *reply = (struct reply){.code = 200, .body = answers[id - 1]};
}

static void open_all(void)
{
    struct ss_error err = {.detail = ""};
    for (int i = 0; i < SS_INPUT_COUNT + SS_DEAD_LETTERS; i++) {
        const char *schema = i < SS_INPUT_COUNT
                                 ? ss_schema_of_input((enum ss_input)i)
                                 : ss_schema_of_output((enum ss_output)(i - SS_INPUT_COUNT));
        json_t *json = json_pack("{s:s}", "schema", schema);
        answers[i] = json_dumps(json, 0);
        json_decref(json);
    }
    atomic_store(&away, true);
    server = server_start(answer, NULL);
    rig_open(&rig, 2);
    ss_worker_close(rig.worker);
    ss_registry_close(rig.registry);
    struct ss_registry_config config = {.url = server_url(server), .timeout_ms = 2000};
    cr_assert_eq(ss_registry_open(&config, &rig.registry, &err), SS_OK, "%s", err.detail);
    rig.config.registry = rig.registry;
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK);
}

static void close_all(void)
{
    rig_close(&rig);
    server_stop(server);
    for (int i = 0; i < SS_INPUT_COUNT + SS_DEAD_LETTERS; i++)
        free(answers[i]);
}

TestSuite(worker_registry, .init = open_all, .fini = close_all, .timeout = 60);

/* Steps; how many of them had to be tried again. */
static int step(int times)
{
    struct ss_error err;
    int retries = 0;
    for (int i = 0; i < times; i++) {
        bool idle;
        enum ss_status status = rig_step(&rig, &idle, &err);
        cr_assert(status == SS_OK || status == SS_RETRY, "%s", err.detail);
        retries += status == SS_RETRY;
    }
    return retries;
}

static void send_payments(int count)
{
    for (int i = 0; i < count; i++)
        rig_send(&rig, rig_payment(&rig, rig_user(&rig, i % 2, i / 2 % 2), 1000 + i));
}

static void send_consents(void)
{
    for (int32_t p = 0; p < 2; p++)
        for (int i = 0; i < 2; i++)
            rig_send(&rig, rig_consent(&rig, rig_user(&rig, p, i), SS_CONSENT_GRANTED));
}

Test(worker_registry, nothing_is_lost_while_it_is_away_from_the_start)
{
    send_consents();
    send_payments(30);
    cr_assert_gt(step(10), 3);
    cr_assert_eq(memory_bus_calls(rig.memory, MEMORY_BEGIN), 0);
    cr_assert_eq(rig.stats.caught_up, 0, "what was put back counts as read");
    atomic_store(&away, false);
    rig_run(&rig);
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].outcomes[SS_COUNTED], 30);
    rig_check(&rig);
}

Test(worker_registry, what_comes_before_a_schema_that_cannot_be_asked_for_is_processed)
{
    atomic_store(&away, false);
    send_consents();
    send_payments(10);
    rig_run(&rig);
    atomic_store(&away, true);
    send_payments(10); /* their schema is known */
    for (int32_t p = 0; p < 2; p++)
        rig_send(&rig, rig_bill(&rig, rig_user(&rig, p, 0), SS_BILL_DEFAULTED, "one"));
    cr_assert_gt(step(4), 0);
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].consumed, 20);
    cr_assert_eq(rig.stats.counts[SS_BILLS].consumed, 0);
    send_payments(10);
    cr_assert_gt(step(4), 0);
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].consumed, 30);
    atomic_store(&away, false);
    rig_run(&rig);
    cr_assert_eq(rig.stats.counts[SS_BILLS].outcomes[SS_COUNTED], 2);
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].outcomes[SS_COUNTED], 30);
    rig_check(&rig);
}

Test(worker_registry, what_cannot_be_put_back_is_read_again_from_what_is_committed)
{
    send_consents();
    send_payments(6);
    memory_bus_fail(rig.memory, MEMORY_REWIND, 1, SS_RETRY, false);
    cr_assert_gt(step(6), 0);
    cr_assert_gt(memory_bus_calls(rig.memory, MEMORY_REWIND), 0);
    send_payments(6);
    atomic_store(&away, false);
    rig_run(&rig);
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].outcomes[SS_COUNTED], 12);
    rig_check(&rig);
}

Test(worker_registry, a_schema_that_it_does_not_know_is_put_aside)
{
    atomic_store(&away, false);
    send_consents();
    rig_run(&rig);
    struct ss_event event = rig_payment(&rig, rig_user(&rig, 0, 0), 1);
    struct ss_bytes value = rig_encode(&event);
    ((uint8_t *)value.data)[4] = 77;
    memory_bus_append(rig.memory, SS_PAYMENTS, 0,
                      (struct ss_bytes){event.user_id.data, event.user_id.size}, value, -1, NULL,
                      0);
    free((void *)value.data);
    send_payments(4);
    rig_run(&rig);
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].outcomes[SS_REFUSED], 1);
    cr_assert_eq(rig.stats.counts[SS_PAYMENTS].outcomes[SS_COUNTED], 4);
    rig_check(&rig);
}
