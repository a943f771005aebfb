#include "serve/health.h"

#include <criterion/criterion.h>
#include <jansson.h>

static const struct ss_engine_worker fine = {
    .turn_age_ms = 3, .joined = true, .assigned = 2, .ready = 2, .caught_up = 1, .rebalances = 1};

static struct ss_health of(const struct ss_engine_worker *workers, int count)
{
    return (struct ss_health){
        .started = true, .stuck_ms = 1000, .worker_count = count, .workers = workers};
}

static struct ss_verdict judge(struct ss_health health)
{
    struct ss_verdict verdict;
    ss_health_judge(&health, &verdict);
    cr_assert_eq(verdict.live, !verdict.why_not_live[0]);
    cr_assert_eq(verdict.ready, !verdict.why_not_ready[0]);
    return verdict;
}

Test(health, ready_when_all_partitions_flow)
{
    struct ss_engine_worker workers[] = {fine, fine};
    struct ss_verdict verdict = judge(of(workers, 2));
    cr_assert(verdict.live && verdict.ready);
    cr_assert_eq(verdict.joined, 2);
    cr_assert(verdict.sum.assigned == 4 && verdict.sum.ready == 4 && verdict.sum.caught_up == 2);
    cr_assert_lt(verdict.restore_percent, 0);
}

Test(health, not_ready_before_the_first_assignment)
{
    struct ss_engine_worker workers[] = {fine, {.turn_age_ms = 1}};
    struct ss_verdict verdict = judge(of(workers, 2));
    cr_assert(verdict.live && !verdict.ready);
    cr_assert_str_eq(verdict.why_not_ready, "1 of 2 workers wait for their place in the group");
}

Test(health, ready_with_no_partition_if_that_is_the_groups_decision)
{
    struct ss_engine_worker workers[] = {fine, {.turn_age_ms = 1, .joined = true}};
    cr_assert(judge(of(workers, 2)).ready);
    cr_assert(judge(of(workers + 1, 1)).ready);
}

Test(health, not_ready_while_restoring)
{
    struct ss_engine_worker workers[] = {fine, fine};
    workers[1].ready = 0;
    workers[1].restoring = 1;
    workers[1].restore_total = 3000;
    struct ss_verdict verdict = judge(of(workers, 2));
    cr_assert(verdict.live && !verdict.ready);
    cr_assert_str_eq(verdict.why_not_ready, "2 of 4 partitions are not restored yet");
    cr_assert_eq(verdict.restore_percent, 0);
    workers[1].restore_done = 2999;
    cr_assert_float_eq(judge(of(workers, 2)).restore_percent, 99.9, 1e-9);
    workers[0].restoring = 1;
    workers[0].restore_total = 3000;
    cr_assert_float_eq(judge(of(workers, 2)).restore_percent, 49.9, 1e-9);
    workers[0].restore_done = workers[1].restore_done = 3000;
    cr_assert_eq(judge(of(workers, 2)).restore_percent, 100);
    workers[0].restore_total = workers[1].restore_total = 0; /* just begun, nothing known */
    cr_assert_eq(judge(of(workers, 2)).restore_percent, 0);
}

Test(health, a_worker_that_takes_no_turns_is_stuck)
{
    struct ss_engine_worker workers[] = {fine, fine};
    workers[1].turn_age_ms = 1000;
    cr_assert(judge(of(workers, 2)).live);
    workers[1].turn_age_ms = 312345;
    struct ss_verdict verdict = judge(of(workers, 2));
    cr_assert(!verdict.live && !verdict.ready);
    cr_assert_str_eq(verdict.why_not_live, "worker 1 has not finished a turn for 312 s");
    cr_assert_str_eq(verdict.why_not_ready, verdict.why_not_live);
    workers[1].restoring = 1; /* which may take its time */
    cr_assert(judge(of(workers, 2)).live);
    workers[1].restoring = 0;
    workers[1].ended = true;
    cr_assert(judge(of(workers, 2)).live);
}

Test(health, starting_and_stopping_live_and_are_not_ready)
{
    struct ss_health health = {.stuck_ms = 1000, .worker_count = 2};
    struct ss_verdict verdict = judge(health);
    cr_assert(verdict.live && !verdict.ready);
    cr_assert_str_eq(verdict.why_not_ready, "starting");
    struct ss_engine_worker workers[] = {fine};
    health = of(workers, 1);
    health.stopping = true;
    verdict = judge(health);
    cr_assert(verdict.live && !verdict.ready);
    cr_assert_str_eq(verdict.why_not_ready, "stopping");
}

/* --- bodies --- */

typedef bool print_fn(const struct ss_health *, const struct ss_verdict *, struct ss_buffer *);

static json_t *printed(print_fn *print, struct ss_health health)
{
    struct ss_verdict verdict;
    struct ss_buffer out;
    ss_health_judge(&health, &verdict);
    ss_buffer_init(&out, 65536);
    cr_assert(print(&health, &verdict, &out));
    json_t *json = json_loadb((char *)out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json, "%.*s", (int)out.size, (char *)out.data);
    ss_buffer_reset(&out);
    return json;
}

Test(health, ready_tells_the_progress)
{
    struct ss_engine_worker workers[] = {fine, fine};
    workers[1].ready = workers[1].caught_up = 1;
    workers[1].restoring = 1;
    workers[1].restore_done = 1;
    workers[1].restore_total = 8;
    workers[1].restored_records = 5000000000;
    json_t *json = printed(ss_health_print_ready, of(workers, 2));
    int ready, count, joined, assigned, flowing, caught_up, restoring;
    const char *reason;
    double percent;
    json_int_t records, rebalances;
    json_error_t error;
    int code = json_unpack_ex(
        json, &error, JSON_STRICT,
        "{s:b, s:s, s:{s:i, s:i !}, s:{s:i, s:i, s:i, s:i !}, s:f, s:I, s:I !}", "ready", &ready,
        "reason", &reason, "workers", "count", &count, "joined", &joined, "partitions", "assigned",
        &assigned, "ready", &flowing, "caught_up", &caught_up, "restoring", &restoring,
        "restore_percent", &percent, "records_restored", &records, "rebalances", &rebalances);
    cr_assert_eq(code, 0, "%s", error.text);
    cr_assert(!ready && count == 2 && joined == 2);
    cr_assert_str_eq(reason, "1 of 4 partitions are not restored yet");
    cr_assert(assigned == 4 && flowing == 3 && caught_up == 2 && restoring == 1);
    cr_assert_float_eq(percent, 12.5, 1e-9);
    cr_assert(records == 5000000000 && rebalances == 2);
    json_decref(json);

    json = printed(ss_health_print_ready, of(&fine, 1));
    cr_assert(json_is_true(json_object_get(json, "ready")));
    cr_assert(json_is_null(json_object_get(json, "restore_percent")));
    json_decref(json);
}

Test(health, live_tells_who_is_stuck)
{
    struct ss_engine_worker workers[] = {fine, fine};
    workers[1].turn_age_ms = 5000;
    json_t *json = printed(ss_health_print_live, of(workers, 2));
    cr_assert(json_is_false(json_object_get(json, "live")));
    json_t *list = json_object_get(json, "workers");
    cr_assert_eq(json_array_size(list), 2);
    cr_assert(json_is_false(json_object_get(json_array_get(list, 0), "stuck")));
    json_t *second = json_array_get(list, 1);
    cr_assert(json_is_true(json_object_get(second, "stuck")));
    cr_assert_eq(json_integer_value(json_object_get(second, "worker")), 1);
    cr_assert_eq(json_integer_value(json_object_get(second, "since_last_turn_ms")), 5000);
    json_decref(json);

    json = printed(ss_health_print_live, (struct ss_health){.stuck_ms = 1000, .worker_count = 2});
    cr_assert(json_is_true(json_object_get(json, "live")));
    cr_assert_eq(json_array_size(json_object_get(json, "workers")), 0);
    json_decref(json);
}

Test(health, no_room_is_told)
{
    struct ss_health health = of(&fine, 1);
    struct ss_verdict verdict = judge(health);
    struct ss_buffer out;
    ss_buffer_init(&out, 10);
    cr_assert(!ss_health_print_ready(&health, &verdict, &out));
    cr_assert(!ss_health_print_live(&health, &verdict, &out));
    ss_buffer_reset(&out);
}
