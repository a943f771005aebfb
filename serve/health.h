/* health.h - whether the process lives and whether it is ready, judged from where its workers are.
 *
 * live    every worker takes turns. One that has not finished a turn for longer than stuck_ms
 *         (serve.stuck_ms) is stuck, unless it is restoring: that has a deadline of its own
 *         (restore.timeout_ms without progress). Waiting for Kafka, Redis or the registry, and
 *         having no partition, is living.
 * ready   all workers have joined the group, every partition that they own is restored and flows,
 *         and nobody is stuck. Not before the first assignment, not while the engine is opened or
 *         stops; also with no partition, once that is the group's decision.
 *
 * Pure functions; nothing in an answer is about a user (promise 7).
 */
#ifndef SS_SERVE_HEALTH_H
#define SS_SERVE_HEALTH_H

#include "base/bytes.h"
#include "consumer/engine.h"

/* What is judged. */
struct ss_health {
    bool started;  /* there is an engine and its workers run */
    bool stopping; /* it was told to stop */
    int64_t stuck_ms;
    int worker_count;
    const struct ss_engine_worker *workers; /* worker_count of them if started */
};

struct ss_verdict {
    bool live, ready;
    char why_not_live[96], why_not_ready[96]; /* "" if so */
    int joined;                               /* workers in the group */
    struct ss_engine_worker sum;              /* over the workers: partitions, records, … */
    /* Of the restores in hand, 0 to 100; -1 if there is none. */
    double restore_percent;
};

void ss_health_judge(const struct ss_health *health, struct ss_verdict *verdict);

/* Append the bodies of /live and /ready, as JSON. false: out of memory. */
SS_MUST_USE bool ss_health_print_live(const struct ss_health *health,
                                      const struct ss_verdict *verdict, struct ss_buffer *out);
SS_MUST_USE bool ss_health_print_ready(const struct ss_health *health,
                                       const struct ss_verdict *verdict, struct ss_buffer *out);

#endif
