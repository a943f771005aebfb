/* sim_ranks.c - the thread of a process that reads sesame-ranks: as far as it happens to have come.
 */
#include "sim.h"

#include <stdlib.h>

static const struct sim_log *log_of(const struct sim_session *session)
{
    return &session->world->targets[SS_TO_RANKS][0];
}

void sim_ranks_init(struct sim_session *session)
{
    struct ss_error err;
    if (ss_ranks_open(&session->ranks, &err) != SS_OK)
        abort();
    session->ranks_begun = sim_log_stable(log_of(session));
    if (session->ranks_begun == 0)
        ss_ranks_set_ready(session->ranks);
}

/* The next one below `end`; NULL: none. */
static const struct sim_record *next(struct sim_session *session, int64_t end)
{
    const struct sim_log *log = log_of(session);
    const struct sim_record *record;
    if (session->world->options.mutant != SIM_RANKS_UNCOMMITTED)
        return sim_log_next(log, &session->ranks_next, end, false);
    while (session->ranks_next < log->end) {
        record = &log->records[session->ranks_next++];
        if (!record->control && !record->gone)
            return record;
    }
    return NULL;
}

void sim_ranks_follow(struct sim_session *session)
{
    struct sim_world *world = session->world;
    const struct sim_record *record;
    struct ss_error err;
    if (!session->ranks || !sim_chance(world, 60))
        return;
    int64_t end = sim_log_stable(log_of(session));
    for (uint32_t left = 1 + sim_below(world, 30); left > 0; left--) {
        record = next(session, end);
        if (!record) {
            ss_ranks_set_ready(session->ranks);
            return;
        }
        if (ss_ranks_take(session->ranks, session->ranks_next - 1, record->value, &err) != SS_OK)
            sim_differ(world, "sesame-ranks offset %lld cannot be read: %s",
                       (long long)session->ranks_next - 1, err.detail);
    }
}
