/* oracle_rest.c - whether everything has come to rest: all is read, told, saved, and nobody's time
 * has come. */
#include "oracle.h"

#include "state/pack_friends.h"

#include <stdarg.h>
#include <stdio.h>

static bool not_yet(char why[160], const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool not_yet(char why[160], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, 160, format, args);
    va_end(args);
    return false;
}

/* Promise 10: whoever was to be woken by now has been. The states are the store's, which is where
 * the changelog is. */
static bool nobody_is_due(const struct sim_world *world, char why[160])
{
    struct ss_user_state state;
    for (int32_t p = 0; p < world->partition_count; p++)
        for (size_t i = 0; i < world->redis.live[p].count; i++) {
            const struct sim_pair *pair = &world->redis.live[p].pairs[i];
            if (!ss_is_friends_key(pair->key) && sim_keys_read(pair->key, pair->value, &state) &&
                sim_wake_at(sim_model_of(world, &state), &state) <= world->now_ms - SIM_LOOK_MS)
                return not_yet(why, "user %d of partition %d was to be woken at %lld",
                               oracle_user_of(world, pair->key), p,
                               (long long)sim_wake_at(sim_model_of(world, &state), &state));
        }
    return true;
}

bool sim_caught_up(const struct sim_world *world, char why[160])
{
    if (!sim_upstream_done(world) || world->marker_count > 0 || world->epochs_to_come > 0)
        return not_yet(why, "upstream or markers are under way");
    for (int32_t p = 0; p < world->partition_count; p++) {
        int64_t newest = -1, at = 0;
        const struct sim_log *log = &world->targets[SS_TO_CHANGELOG][p];
        const struct sim_record *record, *newest_mark = NULL;
        while ((record = sim_log_next(log, &at, log->end, true)))
            if (ss_bytes_equal(record->key, ss_mark_key)) {
                newest = at - 1;
                newest_mark = record;
            }
        struct ss_mark mark;
        if (newest_mark && (ss_mark_unpack(newest_mark->value, &mark, NULL) != SS_OK ||
                            mark.swept < world->epoch_count - 1))
            return not_yet(why, "partition %d has not told all of epoch %d", p,
                           world->epoch_count - 1);
        if (newest_mark && mark.ranks_due)
            return not_yet(why, "the histogram of %d is not published", p);
        for (int i = 0; i < SS_INPUT_COUNT; i++) {
            const struct sim_log *input = &world->inputs[i][p];
            int64_t next = world->group.committed[i][p] < 0 ? 0 : world->group.committed[i][p];
            if (sim_log_next(input, &next, input->end, true))
                return not_yet(why, "%s [%d] is read up to %lld", ss_input_name((enum ss_input)i),
                               p, (long long)next - 1);
            if (world->quiet && newest >= 0 && next < input->end)
                return not_yet(why, "%s [%d] has nothing but markers from %lld on, not passed",
                               ss_input_name((enum ss_input)i), p, (long long)next);
        }
        const struct sim_keyspace *space = &world->redis.live[p];
        if (newest >= 0 && (!space->found || space->checkpoint.offset != newest))
            return not_yet(why, "redis is at %lld of changelog %d, not at %lld",
                           space->found ? (long long)space->checkpoint.offset : -1, p,
                           (long long)newest);
    }
    for (int i = 0; i < world->slot_count; i++)
        if (world->producers[i].txn && world->producers[i].txn->state == SIM_TXN_OPEN)
            return not_yet(why, "slot %d has a transaction open", i);
    return nobody_is_due(world, why);
}
