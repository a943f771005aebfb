/* oracle_mark.c - what the mark that ends a transaction says of it. */
#include "oracle.h"

/* Promise 1: whose state it is. Then promise 6, and that the consents that were there came first
 * (promise 7). */
static void check_mark(struct oracle *oracle, const struct ss_mark *mark, bool others)
{
    struct sim_world *world = oracle->world;
    if (strcmp(mark->group, SIM_GROUP) != 0)
        sim_differ(world, "partition %d: the mark of txn %d is of group \"%s\"", oracle->partition,
                   oracle->txn->number, mark->group);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        int64_t sum = 0;
        for (int o = 0; o < SS_OUTCOME_COUNT; o++)
            sum += mark->counts[i].outcomes[o];
        if (memcmp(&mark->counts[i], &oracle->counts[i], sizeof mark->counts[i]) != 0 ||
            sum != mark->counts[i].consumed)
            sim_differ(world,
                       "%s [%d]: the mark of txn %d counts %lld consumed (%lld counted), the log "
                       "%lld (%lld)",
                       ss_input_name((enum ss_input)i), oracle->partition, oracle->txn->number,
                       (long long)mark->counts[i].consumed,
                       (long long)mark->counts[i].outcomes[SS_COUNTED],
                       (long long)oracle->counts[i].consumed,
                       (long long)oracle->counts[i].outcomes[SS_COUNTED]);
    }
    if (memcmp(mark->days, oracle->days, sizeof mark->days) != 0)
        sim_differ(world, "partition %d: txn %d has come to other days than the log",
                   oracle->partition, oracle->txn->number);
    int64_t at = mark->positions[SS_CONSENTS];
    if (others && sim_log_next(&world->inputs[SS_CONSENTS][oracle->partition], &at,
                               oracle->txn->drain_end[oracle->partition], true))
        sim_differ(world,
                   "partition %d: txn %d has read others before the consents that were there",
                   oracle->partition, oracle->txn->number);
}

/* What the group commits: not behind a record that was not read, and as far as that goes never
 * back.
 */
static void check_passed(struct oracle *oracle, const struct ss_mark *mark)
{
    struct sim_world *world = oracle->world;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const struct sim_log *log = &world->inputs[i][oracle->partition];
        int64_t at = mark->positions[i];
        if (mark->passed[i] < at || mark->passed[i] < oracle->passed[i] ||
            mark->passed[i] > log->end || sim_log_next(log, &at, mark->passed[i], true))
            sim_differ(world,
                       "%s [%d]: txn %d has read up to %lld and passed all before %lld, after %lld",
                       ss_input_name((enum ss_input)i), oracle->partition, oracle->txn->number,
                       (long long)mark->positions[i], (long long)mark->passed[i],
                       (long long)oracle->passed[i]);
        oracle->passed[i] = mark->passed[i];
    }
}

/* Whoever was scored before this model came into charge is told of it once, and none is forgotten
 * when the mark says that it is over. */
static void check_epoch(struct oracle *oracle, const struct ss_mark *mark)
{
    struct sim_world *world = oracle->world;
    if (mark->swept > mark->epoch || mark->swept < oracle->swept ||
        strcmp(mark->model_version, world->epochs[mark->epoch].person->version) != 0 ||
        mark->rescored != oracle->rescored)
        sim_differ(world,
                   "partition %d: the mark of txn %d is at epoch %d (%s), swept %d after %d, with "
                   "%lld rescored of %lld",
                   oracle->partition, oracle->txn->number, mark->epoch, mark->model_version,
                   mark->swept, oracle->swept, (long long)mark->rescored,
                   (long long)oracle->rescored);
    oracle->swept = mark->swept;
    for (int i = 0; i < world->user_count; i++) {
        const struct ss_user_state *state = &oracle->users[i].state;
        if (!state->consents.scoring || oracle_knows_model(oracle, state))
            continue;
        if (mark->swept == mark->epoch || oracle->users[i].counted)
            sim_differ(world, "partition %d, user %d: not told of epoch %d in txn %d",
                       oracle->partition, i, mark->epoch, oracle->txn->number);
    }
}

void oracle_mark(struct oracle *oracle, const struct ss_mark *mark, bool others)
{
    check_mark(oracle, mark, others);
    if (!oracle->world->failed)
        check_passed(oracle, mark);
    if (!oracle->world->failed)
        check_epoch(oracle, mark);
}
