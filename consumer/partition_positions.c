/* partition_positions.c - how far a partition's inputs were read and passed, whether the group's
 * committed offsets say the same, and whether it is that group's state at all.
 */
#include "consumer/partition.h"

#include "base/log.h"

#include <assert.h>

/* Retention took what was never read, and the operator has said to go on without it: the offset was
 * set to where the log begins now. */
static bool is_skipped(const struct ss_partition_start *start, const struct ss_mark *mark,
                       int input)
{
    return start->positions[input] == start->starts[input] &&
           mark->passed[input] < start->starts[input];
}

static bool is_of_mark(const struct ss_partition_start *start, const struct ss_mark *mark)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (start->positions[input] != mark->passed[input] && !is_skipped(start, mark, input))
            return false;
    return true;
}

static void skip_lost(const struct ss_worker_config *config, struct ss_partition *partition,
                      const struct ss_partition_start *start)
{
    struct ss_mark *mark = &partition->mark;
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        if (!is_skipped(start, mark, input))
            continue;
        ss_warn("worker",
                "worker %d %s [%d]: the group's offset was set from %lld to the log's start %lld; "
                "going on without what retention took in between",
                config->index, config->topics[input], partition->number,
                (long long)mark->passed[input], (long long)start->positions[input]);
        mark->positions[input] = mark->passed[input] = start->positions[input];
    }
}

/* The changelog contradicts the committed offsets. Who was paused since reading them finds a
 * successor's marks there, or what compaction left of them: read again, the offsets have moved on.
 * Only where they have not is something wrong. */
static bool disputed_again(struct ss_partition *partition, const struct ss_partition_start *start)
{
    bool again = partition->disputed && memcmp(partition->disputed_positions, start->positions,
                                               sizeof start->positions) == 0;
    partition->disputed = true;
    memcpy(partition->disputed_positions, start->positions, sizeof start->positions);
    return again;
}

static enum ss_status read_again(const struct ss_partition *partition, struct ss_error *err)
{
    return ss_fail(err, SS_RETRY,
                   "partition %d: the changelog is not that of the committed offsets; reading both "
                   "again",
                   partition->number);
}

enum ss_status ss_partition_compare(const struct ss_worker_config *config,
                                    struct ss_partition *partition,
                                    const struct ss_partition_start *start, bool any_mark,
                                    struct ss_error *err)
{
    if (start->committed && !(any_mark && is_of_mark(start, &partition->mark))) {
        if (!disputed_again(partition, start))
            return read_again(partition, err);
        if (!any_mark)
            return ss_fail(
                err, SS_STOP,
                "partition %d: the group has committed offsets but its changelog is empty, "
                "so the state that belongs to them is lost. Restore the changelog topic, or "
                "reset the group's offsets to rebuild the state from the inputs",
                partition->number);
        return ss_fail(
            err, SS_STOP,
            "partition %d: the group's committed offsets are not those that were committed "
            "with its state; somebody has reset them, or another group has written to the same "
            "state topic since. To rebuild from the inputs, delete the "
            "group and the state topic together; else put the offsets back",
            partition->number);
    }
    partition->disputed = false;
    if (start->committed)
        skip_lost(config, partition, start);
    return SS_OK;
}

bool ss_partition_trails(const struct ss_worker_config *config,
                         const struct ss_partition *partition)
{
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        if (config->bus->ops->position(config->bus, (enum ss_input)input, partition->number) >
            partition->mark.passed[input])
            return true;
    return false;
}

void ss_partition_pass(const struct ss_worker_config *config, struct ss_partition *partition)
{
    struct ss_mark *mark = &partition->mark;
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        int64_t position =
            config->bus->ops->position(config->bus, (enum ss_input)input, partition->number);
        if (position > mark->passed[input])
            mark->passed[input] = position;
        assert(mark->passed[input] >= mark->positions[input]);
    }
}

bool ss_partition_caught_up(const struct ss_worker_config *config,
                            const struct ss_partition *partition)
{
    const struct ss_bus_ops *ops = config->bus->ops;
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        enum ss_input one = (enum ss_input)input;
        int64_t position = ops->position(config->bus, one, partition->number);
        int64_t end = partition->ends[input];
        /* Unless more has come since, the clock waits to hear that this was all. */
        if (position < end ||
            (position == end && !ops->at_end(config->bus, one, partition->number)))
            return false;
    }
    return !partition->unsaved && !partition->renamed &&
           partition->mark.clock_ms < partition->wake_ms && !ss_partition_sweeping(partition);
}

/* Promise 1: offsets are fenced within a group. Two groups on one state topic would each apply the
 * same events to it, and neither would notice before both have committed. */
enum ss_status ss_partition_check_group(const struct ss_worker_config *config,
                                        struct ss_partition *partition, const char *group,
                                        struct ss_error *err)
{
    if (!group[0] || strcmp(group, config->group) == 0)
        return SS_OK;
    if (config->taken_over && strcmp(group, config->taken_over) == 0) {
        if (!partition->renamed)
            ss_info("worker", "worker %d partition %d: group %s takes over the state of group %s",
                    config->index, partition->number, config->group, group);
        partition->renamed = true;
        return SS_OK;
    }
    return ss_fail(err, SS_STOP,
                   "partition %d: its state is that of group %s, and this is group %s. Set `group` "
                   "to the former; or give this one its own `redis.prefix` and `topics.state`, "
                   "`.neighbours`, `.ranks`, `.models`, `.scores`, `.entitlements`, "
                   "`.dead_letters` and subscribers' topics; or, where the former was renamed and "
                   "is stopped, run once with `--take-over` and its name",
                   partition->number, group, config->group);
}

enum ss_status ss_partition_ask_group(const struct ss_worker_config *config,
                                      struct ss_partition *partition,
                                      const struct ss_partition_start *start, struct ss_error *err)
{
    char group[SS_GROUP_MAX];
    enum ss_status status =
        config->bus->ops->newest_group(config->bus, partition->number, start, group, err);
    return status == SS_OK ? ss_partition_check_group(config, partition, group, err) : status;
}
