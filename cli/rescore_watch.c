#include "cli/rescore_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Each transaction ends in a mark, and none writes more records than that. */
enum { BACK = 10000 };

static bool on_record(void *arg, const struct ss_kafka_record *record)
{
    struct ss_rescore_partition *partition = arg;
    struct ss_mark mark;
    partition->next = record->offset + 1;
    if (ss_bytes_equal(record->key, ss_mark_key) &&
        ss_mark_unpack(record->value, &mark, NULL) == SS_OK) {
        partition->mark = mark;
        partition->found = true;
    }
    return true;
}

enum ss_status ss_rescore_watch_refresh(struct ss_rescore_watch *watch, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int32_t p = 0; p < watch->partition_count && status == SS_OK; p++) {
        struct ss_rescore_partition *partition = &watch->partitions[p];
        status = watch->log->ops->read(watch->log, p, partition->next, on_record, partition, err);
    }
    return status;
}

static enum ss_status find_starts(struct ss_rescore_watch *watch, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    for (int32_t p = 0; p < watch->partition_count && status == SS_OK; p++) {
        int64_t low, high;
        status = watch->log->ops->ends(watch->log, p, &low, &high, err);
        if (status == SS_OK)
            watch->partitions[p].next = high - BACK > low ? high - BACK : low;
    }
    return status;
}

enum ss_status ss_rescore_watch_open(const struct ss_kafka_access *access, const char *topic,
                                     struct ss_rescore_watch *watch, struct ss_error *err)
{
    *watch = (struct ss_rescore_watch){0};
    enum ss_status status = ss_state_log_open(access, topic, &watch->log, err);
    if (status != SS_OK)
        return status;
    watch->partition_count = watch->log->partition_count;
    watch->partitions = calloc((size_t)watch->partition_count, sizeof *watch->partitions);
    if (!watch->partitions)
        status = ss_fail(err, SS_STOP, "out of memory");
    if (status == SS_OK)
        status = find_starts(watch, err);
    if (status == SS_OK)
        status = ss_rescore_watch_refresh(watch, err);
    if (status != SS_OK)
        ss_rescore_watch_close(watch);
    return status;
}

void ss_rescore_watch_close(struct ss_rescore_watch *watch)
{
    if (watch->log)
        watch->log->ops->close(watch->log);
    free(watch->partitions);
    *watch = (struct ss_rescore_watch){0};
}

static bool is_done(const struct ss_rescore_partition *partition, int32_t epoch)
{
    return !partition->found || partition->mark.swept >= epoch;
}

static double share_of(const struct ss_rescore_partition *partition, int32_t epoch)
{
    const struct ss_mark *mark = &partition->mark;
    if (is_done(partition, epoch))
        return 1;
    if (mark->epoch != epoch || mark->sweep_groups == 0)
        return 0;
    return (double)mark->sweep_next / (double)mark->sweep_groups;
}

struct ss_rescore_sum ss_rescore_watch_sum(const struct ss_rescore_watch *watch, int32_t epoch)
{
    struct ss_rescore_sum sum = {.users = -1, .version_max = ""};
    double share = 0;
    for (int32_t p = 0; p < watch->partition_count; p++) {
        const struct ss_rescore_partition *partition = &watch->partitions[p];
        const struct ss_mark *mark = &partition->mark;
        sum.done += is_done(partition, epoch);
        sum.begun += !partition->found || mark->epoch >= epoch;
        share += share_of(partition, epoch);
        if (partition->found && mark->epoch == epoch)
            sum.rescored += mark->rescored;
        if (partition->found && (mark->epoch > sum.epoch_max || !sum.version_max[0])) {
            sum.epoch_max = mark->epoch;
            sum.version_max = mark->model_version;
        }
    }
    sum.share = watch->partition_count > 0 ? share / watch->partition_count : 0;
    if (sum.share > 0.02) /* users are spread evenly over what the sweep goes through */
        sum.users = (int64_t)((double)sum.rescored / sum.share + 0.5);
    return sum;
}

void ss_rescore_watch_line(const struct ss_rescore_watch *watch, int32_t p, int32_t epoch,
                           char *out, size_t size)
{
    const struct ss_rescore_partition *partition = &watch->partitions[p];
    const struct ss_mark *mark = &partition->mark;
    if (!partition->found)
        snprintf(out, size, "partition %-4" PRId32 " nothing in it", p);
    else if (mark->epoch > epoch)
        snprintf(out, size, "partition %-4" PRId32 " has gone on to epoch %" PRId32 " (model %s)",
                 p, mark->epoch, mark->model_version);
    else if (mark->epoch < epoch)
        snprintf(out, size, "partition %-4" PRId32 " still scores by model %s", p,
                 mark->model_version);
    else if (is_done(partition, epoch))
        snprintf(out, size, "partition %-4" PRId32 " done, %" PRId64 " users rescored", p,
                 mark->rescored);
    else
        snprintf(out, size, "partition %-4" PRId32 " %.1f %%, %" PRId64 " users rescored", p,
                 100 * share_of(partition, epoch), mark->rescored);
}
