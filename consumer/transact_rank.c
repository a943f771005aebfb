/* transact_rank.c - the ranks of a transaction: what its records say of them, and the histograms
 * that it publishes.
 *
 * 1. A partition's histogram changes with each score record, and is kept in the mark: so the
 *    changelog restores it together with the states that it counts.
 * 2. All records of a transaction are ranked by one view of the histograms, which are those that
 *    others, and this worker before, have committed to `sesame-ranks`. What this transaction
 *    changes does not enter.
 * 3. A histogram is published within a transaction that writes the partition's mark, and is the
 *    mark's; at intervals, and only after a change.
 */
#include "consumer/batch.h"

#include <assert.h>
#include <stdio.h>

static int64_t now_ms(const struct ss_worker *worker)
{
    return worker->config.clock.now_ms(worker->config.clock.arg);
}

bool ss_rank_look(struct ss_worker *worker)
{
    return !worker->config.ranks || ss_ranks_look(worker->config.ranks, &worker->ranks);
}

void ss_rank_begin(const struct ss_worker *worker, struct ss_partition *partition)
{
    partition->ranks_sent_ms = 0;
    if (worker->config.ranks && !ss_ranks_has(worker->config.ranks, partition->number) &&
        !ss_histogram_empty(&partition->mark.histogram))
        partition->mark.ranks_due = true; /* the topic has lost it */
}

enum ss_status ss_rank_effects(const struct ss_worker *worker, struct ss_partition *partition,
                               struct ss_effects *effects, struct ss_error *err)
{
    const struct ss_ranks_view *ranks = &worker->ranks;
    if (effects->has_record) {
        if (!ss_histogram_move(&partition->mark.histogram, &effects->record))
            return ss_fail(err, SS_STOP,
                           "partition %d: a user's state says that %d was published, the histogram "
                           "of the newest mark counts nobody there; rebuild the partition's state "
                           "from the inputs",
                           partition->number, effects->record.previous_score);
        partition->mark.ranks_due = true;
        ss_rank_record(&ranks->table, ranks->offset, &effects->record);
    }
    if (effects->has_shared)
        ss_rank_record(&ranks->table, ranks->offset, &effects->shared);
    return SS_OK;
}

bool ss_rank_due(const struct ss_worker *worker, const struct ss_partition *partition)
{
    return worker->config.ranks && partition->mark.ranks_due &&
           now_ms(worker) - partition->ranks_sent_ms >= worker->config.limits.ranks_interval_ms;
}

enum ss_status ss_rank_send(struct ss_worker *worker, struct ss_partition *partition,
                            struct ss_error *err)
{
    struct ss_bus *bus = worker->config.bus;
    char key[16];
    int size = snprintf(key, sizeof key, "%d", partition->number);
    struct ss_rank_record record = {.partition = partition->number,
                                    .histogram = &partition->mark.histogram,
                                    .clock_ms = partition->mark.clock_ms};
    assert(size > 0 && (size_t)size < sizeof key);
    memcpy(record.positions, partition->mark.positions, sizeof record.positions);
    worker->encoded.size = 0;
    enum ss_status status =
        ss_encode_rank(worker->config.schema_ids[SS_RANKS], &record, &worker->encoded, err);
    if (status == SS_OK)
        status = bus->ops->produce(bus, SS_TO_RANKS, 0, (struct ss_bytes){key, (size_t)size},
                                   (struct ss_bytes){worker->encoded.data, worker->encoded.size},
                                   NULL, 0, false, err);
    partition->mark.ranks_due = false;
    partition->ranks_sent_ms = now_ms(worker);
    return status;
}
