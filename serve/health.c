#include "serve/health.h"

#include "serve/json_body.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_stuck(const struct ss_health *health, const struct ss_engine_worker *worker)
{
    return !worker->ended && worker->restoring == 0 && worker->turn_age_ms > health->stuck_ms;
}

static void add(struct ss_engine_worker *sum, const struct ss_engine_worker *worker)
{
    sum->assigned += worker->assigned;
    sum->ready += worker->ready;
    sum->caught_up += worker->caught_up;
    sum->restoring += worker->restoring;
    sum->restore_done += worker->restore_done;
    sum->restore_total += worker->restore_total;
    sum->restored_records += worker->restored_records;
    sum->rebalances += worker->rebalances;
}

/* To a tenth and never up, so that 100 means the end. */
static double restore_percent(const struct ss_engine_worker *sum)
{
    if (sum->restoring == 0)
        return -1;
    if (sum->restore_total <= 0 || sum->restore_done <= 0)
        return 0;
    if (sum->restore_done >= sum->restore_total)
        return 100;
    return (double)(sum->restore_done * 1000 / sum->restore_total) / 10;
}

static void judge_life(const struct ss_health *health, struct ss_verdict *verdict)
{
    for (int i = 0; i < health->worker_count; i++) {
        if (!is_stuck(health, &health->workers[i]))
            continue;
        snprintf(verdict->why_not_live, sizeof verdict->why_not_live,
                 "worker %d has not finished a turn for %" PRId64 " s", i,
                 health->workers[i].turn_age_ms / 1000);
        return;
    }
    verdict->live = true;
}

static void judge_readiness(const struct ss_health *health, struct ss_verdict *verdict)
{
    const struct ss_engine_worker *sum = &verdict->sum;
    char *why = verdict->why_not_ready;
    const size_t size = sizeof verdict->why_not_ready;
    if (health->stopping)
        snprintf(why, size, "stopping");
    else if (!health->started)
        snprintf(why, size, "starting");
    else if (!verdict->live)
        snprintf(why, size, "%s", verdict->why_not_live);
    else if (verdict->joined < health->worker_count)
        snprintf(why, size, "%d of %d workers wait for their place in the group",
                 health->worker_count - verdict->joined, health->worker_count);
    else if (sum->ready < sum->assigned)
        snprintf(why, size, "%d of %d partitions are not restored yet", sum->assigned - sum->ready,
                 sum->assigned);
    else
        verdict->ready = true;
}

void ss_health_judge(const struct ss_health *given, struct ss_verdict *verdict)
{
    struct ss_health health = *given;
    if (!health.started)
        health.worker_count = 0;
    memset(verdict, 0, sizeof *verdict);
    for (int i = 0; i < health.worker_count; i++) {
        add(&verdict->sum, &health.workers[i]);
        verdict->joined += health.workers[i].joined;
    }
    verdict->restore_percent = restore_percent(&verdict->sum);
    judge_life(&health, verdict);
    judge_readiness(&health, verdict);
}

/* --- bodies --- */

bool ss_health_print_live(const struct ss_health *health, const struct ss_verdict *verdict,
                          struct ss_buffer *out)
{
    json_t *workers = json_array();
    for (int i = 0; health->started && i < health->worker_count; i++) {
        const struct ss_engine_worker *worker = &health->workers[i];
        json_array_append_new(
            workers, json_pack("{s:i, s:I, s:b, s:b, s:b}", "worker", i, "since_last_turn_ms",
                               (json_int_t)worker->turn_age_ms, "restoring", worker->restoring > 0,
                               "ended", worker->ended, "stuck", is_stuck(health, worker)));
    }
    return ss_json_body_append(out, json_pack("{s:b, s:s, s:I, s:o}", "live", verdict->live,
                                              "reason", verdict->why_not_live, "stuck_ms",
                                              (json_int_t)health->stuck_ms, "workers", workers));
}

bool ss_health_print_ready(const struct ss_health *health, const struct ss_verdict *verdict,
                           struct ss_buffer *out)
{
    const struct ss_engine_worker *sum = &verdict->sum;
    json_t *percent =
        verdict->restore_percent < 0 ? json_null() : json_real(verdict->restore_percent);
    return ss_json_body_append(
        out,
        json_pack("{s:b, s:s, s:{s:i, s:i}, s:{s:i, s:i, s:i, s:i}, s:o, s:I, s:I}", "ready",
                  verdict->ready, "reason", verdict->why_not_ready, "workers", "count",
                  health->worker_count, "joined", verdict->joined, "partitions", "assigned",
                  (int)sum->assigned, "ready", (int)sum->ready, "caught_up", (int)sum->caught_up,
                  "restoring", (int)sum->restoring, "restore_percent", percent, "records_restored",
                  (json_int_t)sum->restored_records, "rebalances", (json_int_t)sum->rebalances));
}
