/* partition_clock.c - how far a partition has seen time pass (promise 10, docs/model.md 7.11).
 *
 * The least event time reached among the inputs that are not read to their end: whatever is still
 * to come is hardly older. Once all are, the system's time. It never goes back, for it is in the
 * changelog's mark. What friends tell is a consequence of other events and no report: its times
 * count for nothing here.
 */
#include "consumer/partition.h"

static void advance(struct ss_partition *partition, int64_t clock_ms)
{
    if (clock_ms > partition->mark.clock_ms)
        partition->mark.clock_ms = clock_ms;
}

/* Up to which everything has been read, if the inputs are in order: more of the very instant that
 * one has reached may follow, such as the payment of a bill at its due time. INT64_MAX where no
 * input is behind. */
static int64_t least_behind(const struct ss_partition *partition)
{
    int64_t least_ms = INT64_MAX;
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (partition->behind[input] && partition->reached_ms[input] < least_ms)
            least_ms = partition->reached_ms[input];
    return least_ms == INT64_MAX ? least_ms : least_ms - 1;
}

void ss_partition_look(const struct ss_worker_config *config, struct ss_partition *partition)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        partition->behind[input] =
            input != SS_NEIGHBOURS &&
            !config->bus->ops->at_end(config->bus, (enum ss_input)input, partition->number);
}

void ss_partition_tick(const struct ss_worker_config *config, struct ss_partition *partition)
{
    int64_t newest_ms = 0;
    ss_partition_look(config, partition);
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (partition->reached_ms[input] > newest_ms)
            newest_ms = partition->reached_ms[input];
    int64_t clock_ms = least_behind(partition);
    if (clock_ms == INT64_MAX)
        clock_ms = config->limits.event_time ? newest_ms : config->clock.now_ms(config->clock.arg);
    advance(partition, clock_ms);
}

void ss_partition_behind(struct ss_partition *partition, enum ss_input input)
{
    partition->behind[input] = input != SS_NEIGHBOURS;
}

void ss_partition_reach(struct ss_partition *partition, enum ss_input input, int64_t event_ms)
{
    if (input == SS_NEIGHBOURS)
        return;
    if (event_ms > partition->reached_ms[input])
        partition->reached_ms[input] = event_ms;
    int64_t clock_ms = least_behind(partition);
    if (clock_ms != INT64_MAX)
        advance(partition, clock_ms);
}
