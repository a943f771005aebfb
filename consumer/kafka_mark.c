/* kafka_mark.c - whose state a changelog holds: its newest mark, looked for from the end.
 *
 * Each transaction ends with a mark, so that all but the last few offsets are left unread unless
 * much was aborted behind it. What is undecided there is waited for, as a restore does.
 */
#include "consumer/kafka_internal.h"

enum { WINDOW = 64, WIDER = 32 }; /* offsets that are read first; by how much more the next time */

struct newest {
    bool found;
    struct ss_mark mark;
};

static enum ss_status on_record(void *arg, int64_t offset, int64_t broker_time_ms,
                                struct ss_bytes key, struct ss_bytes value, struct ss_error *err)
{
    struct newest *newest = arg;
    (void)offset, (void)broker_time_ms;
    if (!ss_bytes_equal(key, ss_mark_key))
        return SS_OK;
    newest->found = true;
    return ss_mark_unpack(value, &newest->mark, err);
}

enum ss_status ss_kafka_newest_group(struct ss_bus *bus, int32_t partition,
                                     const struct ss_partition_start *start,
                                     char group[SS_GROUP_MAX], struct ss_error *err)
{
    const int64_t first = start->changelog_start, end = start->changelog_end;
    struct newest newest = {.found = false};
    enum ss_status status = SS_OK;
    int64_t from = end;
    for (int64_t window = WINDOW; from > first && !newest.found && status == SS_OK;
         window *= WIDER) {
        from = end - first > window ? end - window : first;
        status = ss_kafka_restore(bus, partition, from, end, on_record, &newest, err);
    }
    memcpy(group, newest.mark.group, sizeof newest.mark.group);
    return status;
}
