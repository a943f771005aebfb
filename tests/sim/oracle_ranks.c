/* oracle_ranks.c - percentiles and histograms, counted anew: each percentile from the records of
 * sesame-ranks that it cites, each histogram from the score records up to its transaction. */
#include "oracle.h"

static const struct sim_log *log_of(const struct oracle *oracle)
{
    return &oracle->world->targets[SS_TO_RANKS][0];
}

static bool read_rank(struct oracle *oracle, const struct sim_record *record, int32_t *partition,
                      struct ss_histogram *histogram)
{
    struct ss_bytes body;
    struct ss_error err;
    uint32_t id;
    if (ss_wire_open(record->value, &id, &body, &err) == SS_OK &&
        ss_decode_rank(body, partition, histogram, &err) == SS_OK &&
        *partition < oracle->world->partition_count)
        return true;
    sim_differ(oracle->world, "sesame-ranks: %s", err.detail);
    return false;
}

/* Of each partition the last histogram before `offset`; users with a lower score, and all. */
static void recount(struct oracle *oracle, int64_t offset, int32_t score, int64_t *below,
                    int64_t *all)
{
    const struct sim_log *log = log_of(oracle);
    struct ss_histogram *last = sim_alloc(oracle->world->arena, SIM_PARTITIONS_MAX * sizeof *last);
    struct ss_histogram histogram;
    const struct sim_record *record;
    int64_t at = 0;
    int32_t partition;
    while ((record = sim_log_next(log, &at, offset, true)))
        if (read_rank(oracle, record, &partition, &histogram))
            last[partition] = histogram;
    *below = *all = 0;
    for (int p = 0; p < SIM_PARTITIONS_MAX; p++)
        for (int i = 0; i < SS_SCORE_COUNT; i++) {
            *all += last[p].users[i];
            *below += i + SS_SCORE_MIN < score ? last[p].users[i] : 0;
        }
}

static void count(struct oracle *oracle, int32_t score, int by)
{
    oracle->ranked[score - SS_SCORE_MIN] += by;
    oracle->ranks_owed = true;
}

void oracle_rank(struct oracle *oracle, const struct ss_score_view *view,
                 struct ss_score_record *record)
{
    struct sim_world *world = oracle->world;
    int64_t begun = view->ranks_offset, below, all;
    if (record->has_previous)
        count(oracle, record->previous_score, -1);
    if (!record->has_score)
        return;
    count(oracle, record->score.score, 1);
    /* One without a rank cites no offset: nothing was in the log yet, or only of nobody. */
    if (!view->has_rank) {
        int64_t end = world->targets[SS_TO_RANKS][0].end, at = oracle->txn->ranks_begun;
        do
            recount(oracle, at, record->score.score, &below, &all);
        while (all > 0 && at++ < end);
        if (all > 0)
            sim_differ(world, "partition %d: a score record of txn %d without a percentile",
                       oracle->partition, oracle->txn->number);
        return;
    }
    if (sim_log_next(log_of(oracle), &begun, oracle->txn->ranks_begun, true))
        sim_differ(world,
                   "partition %d: txn %d ranks by histograms before %lld, more were there when its "
                   "process began",
                   oracle->partition, oracle->txn->number, (long long)view->ranks_offset);
    recount(oracle, view->ranks_offset, record->score.score, &below, &all);
    record->has_rank = all > 0;
    if (all > 0)
        record->percentile = (int32_t)(below * 10000 / all);
    record->ranks_offset = view->ranks_offset;
}

static void expect_counts(struct oracle *oracle, const struct ss_histogram *histogram,
                          const char *where)
{
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        if (histogram->users[i] != oracle->ranked[i])
            sim_differ(oracle->world,
                       "partition %d: %s of txn %d counts %u users with %d, %lld have it",
                       oracle->partition, where, oracle->txn->number, histogram->users[i],
                       SS_SCORE_MIN + i, (long long)oracle->ranked[i]);
}

/* The partition's next histogram; NULL: none. */
static const struct sim_record *next(struct oracle *oracle, struct ss_histogram *histogram)
{
    const struct sim_log *log = log_of(oracle);
    const struct sim_record *record;
    int32_t partition;
    int64_t at = oracle->ranks_at;
    while ((record = sim_log_next(log, &at, log->end, true)))
        if (read_rank(oracle, record, &partition, histogram) && partition == oracle->partition) {
            oracle->ranks_at = at;
            return record;
        }
    return NULL;
}

void oracle_ranks(struct oracle *oracle, const struct ss_mark *mark)
{
    struct ss_histogram histogram;
    const struct sim_record *record;
    int64_t before = oracle->ranks_at;
    expect_counts(oracle, &mark->histogram, "the mark");
    record = next(oracle, &histogram);
    if (record && record->txn != oracle->txn) {
        oracle->ranks_at = before;
        record = NULL;
    }
    if (record)
        expect_counts(oracle, &histogram, "sesame-ranks");
    oracle->ranks_owed &= !record;
    if (oracle->ranks_owed != mark->ranks_due)
        sim_differ(oracle->world, "partition %d: the mark of txn %d says that its histogram is%s",
                   oracle->partition, oracle->txn->number,
                   mark->ranks_due ? " to be published" : " published");
}

void oracle_no_ranks_left(struct oracle *oracle)
{
    struct ss_histogram histogram;
    const struct sim_record *more = next(oracle, &histogram);
    if (more)
        sim_differ(oracle->world, "partition %d: a histogram in txn %d that no mark accounts for",
                   oracle->partition, more->txn->number);
}
