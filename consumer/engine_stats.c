/* engine_stats.c - how an engine does, for anybody who asks: sums over its workers, where each one
 * is, whether all has been read, and the line that accounts for every event (promise 6).
 */
#include "consumer/engine_internal.h"

#include "base/clock.h"

#include <stdio.h>

enum { QUIET_MS = 10000 }; /* without a new partition: the group has shared them out */

void ss_engine_stats(struct ss_engine *engine, struct ss_worker_stats *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < engine->worker_count; i++) {
        struct ss_worker_stats *stats = &engine->workers[i].stats;
        pthread_mutex_lock(&stats->lock);
        for (int input = 0; input < SS_INPUT_COUNT; input++) {
            out->counts[input].consumed += stats->counts[input].consumed;
            for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++)
                out->counts[input].outcomes[outcome] += stats->counts[input].outcomes[outcome];
        }
        out->score_records += stats->score_records;
        out->entitlements += stats->entitlements;
        out->shared_records += stats->shared_records;
        out->rescored += stats->rescored;
        out->sweeping += stats->sweeping;
        out->neighbour_records += stats->neighbour_records;
        out->transactions += stats->transactions;
        out->restored_records += stats->restored_records;
        out->restoring += stats->restoring;
        out->restore_done += stats->restore_done;
        out->restore_total += stats->restore_total;
        out->assigned += stats->assigned;
        out->ready += stats->ready;
        out->caught_up += stats->caught_up;
        out->rebalances += stats->rebalances;
        pthread_mutex_unlock(&stats->lock);
    }
}

static bool has_joined(const struct ss_engine_thread *worker, int32_t assigned)
{
    enum ss_engine_place place = (enum ss_engine_place)atomic_load(&worker->place);
    /* an owner of nothing is just taking over, or giving back */
    return place == SS_PLACE_SPARE || (place == SS_PLACE_OWNER && assigned > 0);
}

void ss_engine_workers(struct ss_engine *engine, struct ss_engine_worker *out)
{
    int64_t now_ms = ss_clock_steady_ms();
    for (int i = 0; i < engine->worker_count; i++) {
        struct ss_engine_thread *worker = &engine->workers[i];
        struct ss_worker_stats *stats = &worker->stats;
        int64_t turned_ms = atomic_load(&worker->turned_ms);
        pthread_mutex_lock(&stats->lock);
        out[i] = (struct ss_engine_worker){
            .ended = atomic_load(&worker->ended),
            /* it may have turned since now_ms was read, or not have been started */
            .turn_age_ms = turned_ms && turned_ms < now_ms ? now_ms - turned_ms : 0,
            .assigned = stats->assigned,
            .ready = stats->ready,
            .caught_up = stats->caught_up,
            .restoring = stats->restoring,
            .restore_done = stats->restore_done,
            .restore_total = stats->restore_total,
            .restored_records = stats->restored_records,
            .rebalances = stats->rebalances,
            .joined = has_joined(worker, stats->assigned),
        };
        pthread_mutex_unlock(&stats->lock);
    }
}

bool ss_engine_caught_up(struct ss_engine *engine)
{
    struct ss_worker_stats stats;
    int32_t partitions = atomic_load(&engine->partition_count);
    int64_t now_ms = ss_clock_wall_ms();
    ss_engine_stats(engine, &stats);
    if (stats.assigned == 0 || stats.caught_up < stats.assigned ||
        stats.rebalances != engine->rebalances_seen) {
        engine->rebalances_seen = stats.rebalances;
        engine->quiet_since_ms = now_ms;
        return false;
    }
    return stats.assigned == partitions || now_ms - engine->quiet_since_ms > QUIET_MS;
}

int64_t ss_engine_consumed(const struct ss_worker_stats *stats)
{
    int64_t sum = 0;
    for (int input = 0; input < SS_UPSTREAM_COUNT; input++)
        sum += stats->counts[input].consumed;
    return sum;
}

void ss_engine_accounted(const struct ss_worker_stats *stats, char *out, size_t size)
{
    struct ss_counts sum = {0};
    for (int input = 0; input < SS_UPSTREAM_COUNT; input++) {
        sum.consumed += stats->counts[input].consumed;
        for (int outcome = 0; outcome < SS_OUTCOME_COUNT; outcome++)
            sum.outcomes[outcome] += stats->counts[input].outcomes[outcome];
    }
    snprintf(out, size,
             "accounted: consumed %lld = counted %lld + duplicate %lld + not-consented %lld + "
             "dead-lettered %lld",
             (long long)sum.consumed, (long long)sum.outcomes[SS_COUNTED],
             (long long)sum.outcomes[SS_DUPLICATE], (long long)sum.outcomes[SS_NOT_CONSENTED],
             (long long)sum.outcomes[SS_REFUSED]);
}
