#include "consumer/partition.h"

#include "base/log.h"
#include "state/pack_friends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    RESTORE_SAVE_RECORDS = 50000, /* half of them cost Redis a third more: each touches a bucket */
    LOOK_RECORDS = 1024,          /* a restore looks at the clock that often */
    SAY_MS = 5000,                /* and says that often how far it is */
};

static void log_partition(const struct ss_worker_config *config, int32_t partition,
                          const char *text)
{
    ss_info("restore", "worker %d partition %d: %s", config->index, partition, text);
}

enum ss_status ss_partition_save(const struct ss_worker_config *config,
                                 struct ss_partition *partition, struct ss_error *err)
{
    if (!partition->unsaved)
        return SS_OK;
    size_t count = ss_cache_pinned_count(partition->cache);
    struct ss_put *puts = calloc(count ? count : 1, sizeof *puts);
    if (!puts)
        return ss_fail(err, SS_STOP, "out of memory for %zu states to save", count);
    for (size_t i = 0; i < count; i++)
        ss_cache_pinned(partition->cache, i, &puts[i]);
    enum ss_status status = config->store->ops->save(
        config->store, partition->number, partition->has_saved ? &partition->saved : NULL,
        &partition->next, puts, count, err);
    free(puts);
    if (status != SS_OK)
        return status;
    partition->saved = partition->next;
    partition->has_saved = true;
    partition->unsaved = false;
    partition->looked_at_ms = config->clock.now_ms(config->clock.arg);
    ss_cache_saved(partition->cache);
    return SS_OK;
}

/* --- restoring --- */

struct restore {
    const struct ss_worker_config *config;
    struct ss_partition *partition;
    bool probing; /* whether anything at all was written since the checkpoint */
    bool foreign; /* what was read does not belong to the checkpoint */
    bool any_mark;
    bool midway; /* the last record read is of a transaction whose mark was not */
    int64_t records, from, to, done; /* done: the offset up to which the statistics know */
    int64_t seen_ms;                 /* each deletion before this has been read, or was no more */
    bool idle;                       /* nothing was written since the checkpoint */
    int64_t began_ms, said_ms;
};

static size_t save_records(const struct ss_worker_config *config)
{
    size_t records = config->limits.restore_save_records;
    return records ? records : RESTORE_SAVE_RECORDS;
}

static int64_t now_ms(const struct ss_worker_config *config)
{
    return config->clock.now_ms(config->clock.arg);
}

/* Tells the statistics, and every few seconds the log, that all below `offset` is done. */
static void report(struct restore *restore, int64_t offset, int64_t now)
{
    struct ss_worker_stats *stats = restore->config->stats;
    pthread_mutex_lock(&stats->lock);
    stats->restore_done += offset - restore->done;
    pthread_mutex_unlock(&stats->lock);
    restore->done = offset;
    if (now - restore->said_ms < SAY_MS)
        return;
    restore->said_ms = now;
    int64_t passed = offset - restore->from, taken_ms = now - restore->began_ms;
    double whole = (double)(restore->to - restore->from);
    ss_info("restore",
            "worker %d partition %d: %.1f %% of the changelog, %lld records/s, about %lld s to go",
            restore->config->index, restore->partition->number, 100.0 * (double)passed / whole,
            (long long)(restore->records * 1000 / taken_ms),
            (long long)((double)taken_ms * (whole - (double)passed) / (double)(passed + 1) / 1000));
}

static void begin_report(struct restore *restore)
{
    struct ss_worker_stats *stats = restore->config->stats;
    restore->began_ms = restore->said_ms = now_ms(restore->config);
    restore->done = restore->from;
    pthread_mutex_lock(&stats->lock);
    stats->restoring++;
    stats->restore_total += restore->to - restore->from;
    pthread_mutex_unlock(&stats->lock);
}

static void end_report(struct restore *restore)
{
    struct ss_worker_stats *stats = restore->config->stats;
    pthread_mutex_lock(&stats->lock);
    stats->restoring--;
    stats->restore_done -= restore->done - restore->from;
    stats->restore_total -= restore->to - restore->from;
    stats->restored_records += restore->records;
    pthread_mutex_unlock(&stats->lock);
    int64_t taken_ms = now_ms(restore->config) - restore->began_ms;
    if (restore->done == restore->to && taken_ms >= SAY_MS)
        ss_info("restore", "worker %d partition %d: restored, %lld records in %lld s",
                restore->config->index, restore->partition->number, (long long)restore->records,
                (long long)(taken_ms / 1000));
}

static bool too_old(const struct ss_worker_config *config, int64_t age_ms)
{
    return age_ms > config->limits.delete_retention_ms / 2;
}

/* Promise 2, for as long as a restore takes: what was read up to here was read before a deletion in
 * it could have gone. Whoever was frozen in between starts over, from the beginning if the
 * checkpoint is too old by now as well. */
static enum ss_status look(struct restore *restore, int64_t offset, int64_t broker_time_ms,
                           struct ss_error *err)
{
    int64_t now = now_ms(restore->config);
    report(restore, offset + 1, now);
    if (!restore->idle && too_old(restore->config, now - restore->seen_ms))
        return ss_fail(err, SS_RETRY,
                       "partition %d: its restore takes longer than half the changelog's "
                       "delete.retention.ms, so deletions may have gone unseen; starting over",
                       restore->partition->number);
    if (broker_time_ms > restore->seen_ms)
        restore->seen_ms = broker_time_ms;
    return SS_OK;
}

/* The store gets what was gathered, and the offset that it stands for. A changelog that has been
 * compacted holds few marks, so that offset need not be a mark's: the restore goes on from there,
 * and is not over before it has come to the newest mark. */
static enum ss_status save_gathered(struct restore *restore, int64_t offset, int64_t broker_time_ms,
                                    struct ss_error *err)
{
    struct ss_partition *partition = restore->partition;
    partition->next.offset = offset;
    partition->next.broker_time_ms = broker_time_ms;
    partition->unsaved =
        !partition->has_saved || !ss_checkpoint_equal(&partition->saved, &partition->next);
    if (!partition->unsaved ||
        ss_cache_pinned_count(partition->cache) < save_records(restore->config))
        return SS_OK;
    enum ss_status status = look(restore, offset, broker_time_ms, err);
    return status == SS_OK ? ss_partition_save(restore->config, partition, err) : status;
}

/* A restore that was cut short before the first mark does not know whose changelog it has read. */
static bool incarnation_known(const struct ss_checkpoint *checkpoint)
{
    static const uint8_t none[SS_INCARNATION_SIZE];
    return memcmp(checkpoint->incarnation, none, sizeof none) != 0;
}

static enum ss_status on_mark(struct restore *restore, int64_t offset, int64_t broker_time_ms,
                              struct ss_bytes value, struct ss_error *err)
{
    struct ss_partition *partition = restore->partition;
    struct ss_mark mark;
    enum ss_status status = ss_mark_unpack(value, &mark, err);
    if (status != SS_OK)
        return status;
    if (mark.partition_count != restore->config->bus->partition_count)
        return ss_fail(
            err, SS_STOP,
            "the changelog was written with %d partitions, the topics now have %d: the "
            "partition count is part of the state's identity. Go back to %d partitions, or "
            "start a new group with new state topics and replay the inputs into it",
            mark.partition_count, restore->config->bus->partition_count, mark.partition_count);
    if (partition->has_saved && incarnation_known(&partition->saved) &&
        memcmp(mark.incarnation, partition->saved.incarnation, SS_INCARNATION_SIZE) != 0) {
        restore->foreign = true;
        return SS_GIVE_UP;
    }
    restore->any_mark = true;
    partition->mark = mark;
    memcpy(partition->next.incarnation, mark.incarnation, SS_INCARNATION_SIZE);
    return save_gathered(restore, offset, broker_time_ms, err);
}

static enum ss_status gather(struct restore *restore, int64_t offset, int64_t broker_time_ms,
                             struct ss_bytes key, struct ss_bytes value, int64_t wake_ms,
                             struct ss_error *err)
{
    struct ss_cache *cache = restore->partition->cache;
    if (!ss_cache_put(cache, key, value, wake_ms))
        return ss_fail(err, SS_STOP, "out of memory while restoring");
    if (ss_cache_pinned_count(cache) < save_records(restore->config))
        return SS_OK;
    return save_gathered(restore, offset, broker_time_ms, err);
}

static enum ss_status on_friends(struct restore *restore, int64_t offset, int64_t broker_time_ms,
                                 struct ss_bytes key, struct ss_bytes value, struct ss_error *err)
{
    struct ss_friends list;
    struct ss_error why;
    uint8_t opened[SS_FRIENDS_PACKED_MAX];
    struct ss_bytes packed;
    enum ss_status status =
        ss_stored_open(restore->config->keys, key, value, opened, sizeof opened, &packed, &why);
    if (status == SS_OK)
        status = ss_friends_unpack(packed, &list, &why);
    if (status != SS_OK)
        return ss_fail(err, SS_STOP, "changelog partition %d offset %lld: %s%s",
                       restore->partition->number, (long long)offset, why.detail,
                       status == SS_STOP ? "" : " (or was it written by a newer version?)");
    return gather(restore, offset, broker_time_ms, key, value, SS_WAKE_NEVER, err);
}

static enum ss_status on_record(void *arg, int64_t offset, int64_t broker_time_ms,
                                struct ss_bytes key, struct ss_bytes value, struct ss_error *err)
{
    struct restore *restore = arg;
    if (restore->probing && offset != restore->from) {
        restore->foreign = true;
        return SS_GIVE_UP;
    }
    if (restore->records++ % LOOK_RECORDS == 0) {
        enum ss_status status = look(restore, offset, broker_time_ms, err);
        if (status != SS_OK)
            return status;
    }
    restore->midway = !ss_bytes_equal(key, ss_mark_key);
    if (!restore->midway)
        return on_mark(restore, offset, broker_time_ms, value, err);
    if (ss_is_friends_key(key))
        return on_friends(restore, offset, broker_time_ms, key, value, err);
    /* Checked here once: a state that this version cannot read would else be fetched, found bad and
     * restored again for ever. */
    struct ss_user_state state;
    struct ss_error why;
    enum ss_status status = ss_stored_read(restore->config->keys, key, value, &state, &why);
    if (status != SS_OK)
        return ss_fail(err, SS_STOP, "changelog partition %d offset %lld: %s%s",
                       restore->partition->number, (long long)offset, why.detail,
                       status == SS_STOP ? "" : " (or was it written by a newer version?)");
    /* Of whatever epoch the states turn out to be: one of another wakes at once. */
    return gather(restore, offset, broker_time_ms, key, value,
                  ss_wake_at(ss_worker_models(restore->config), &state), err);
}

static enum ss_status fresh_cache(const struct ss_worker_config *config,
                                  struct ss_partition *partition, struct ss_error *err)
{
    ss_cache_close(partition->cache);
    partition->cache =
        ss_cache_open(config->limits.cache_bytes_max / (size_t)config->bus->partition_count);
    return partition->cache ? SS_OK : ss_fail(err, SS_STOP, "out of memory for a cache");
}

/* Nothing was written since, and no deletion can have gone: behind the mark comes its marker. */
static bool is_idle(const struct ss_checkpoint *saved, const struct ss_partition_start *start)
{
    return saved->offset + 2 >= start->changelog_end;
}

static const char too_old_text[] =
    "the store's checkpoint is older than half the changelog's delete.retention.ms";

/* Promise 2: whether the store's checkpoint can be built upon; NULL if so, else why not. */
static const char *distrust(const struct ss_worker_config *config,
                            const struct ss_checkpoint *saved,
                            const struct ss_partition_start *start)
{
    if (strcmp(saved->cluster_id, config->bus->cluster_id) != 0)
        return "the store's checkpoint is of another Kafka cluster";
    if (saved->partition_count != config->bus->partition_count)
        return "the store's checkpoint is of another partition count";
    if (saved->offset >= start->changelog_end)
        return "the store is ahead of the changelog, so it is of another one";
    if (saved->offset < start->changelog_start)
        return "the store's checkpoint lies before the changelog's start";
    if (!incarnation_known(saved))
        return "the restore before this one was cut short";
    if (too_old(config, now_ms(config) - saved->broker_time_ms) && !is_idle(saved, start))
        return too_old_text;
    return NULL;
}

static enum ss_status restore_from(const struct ss_worker_config *config,
                                   struct ss_partition *partition,
                                   const struct ss_partition_start *start, bool probing,
                                   struct restore *restore, struct ss_error *err)
{
    struct ss_bus *bus = config->bus;
    bool resumed = partition->has_saved;
    *restore = (struct restore){
        .config = config,
        .partition = partition,
        .from = resumed ? partition->saved.offset : start->changelog_start,
        .to = start->changelog_end,
        .seen_ms = resumed ? partition->saved.broker_time_ms : now_ms(config),
        .idle = resumed && (probing || is_idle(&partition->saved, start)),
        .probing = probing,
    };
    memset(&partition->mark, 0, sizeof partition->mark);
    partition->next = partition->saved;
    memcpy(partition->next.cluster_id, bus->cluster_id, sizeof partition->next.cluster_id);
    partition->next.partition_count = bus->partition_count;
    memcpy(partition->next.writer, partition->writer, sizeof partition->next.writer);
    partition->unsaved = false;
    enum ss_status status = fresh_cache(config, partition, err);
    if (status != SS_OK || restore->from >= restore->to)
        return status;
    begin_report(restore);
    status = bus->ops->restore(bus, partition->number, restore->from, restore->to, on_record,
                               restore, err);
    /* The end was looked up while somebody's transaction was open, and that has been committed
     * since: these states go with positions that only its mark knows. */
    if (status == SS_OK && restore->midway)
        status = ss_fail(err, SS_RETRY,
                         "partition %d: somebody else has written its changelog meanwhile; "
                         "starting over",
                         partition->number);
    if (status == SS_OK && restore->any_mark)
        status = look(restore, restore->to - 1, partition->next.broker_time_ms, err);
    if (status == SS_OK && restore->any_mark)
        status = ss_partition_check_group(config, partition, partition->mark.group, err);
    if (status == SS_OK && restore->any_mark)
        status = ss_partition_save(config, partition, err);
    end_report(restore);
    return status;
}

/* Promise 1: nothing is saved for another group's state. A restore that begins near the end comes
 * upon the newest mark before it saves anything; else that is looked up first. */
static enum ss_status check_group_ahead(const struct ss_worker_config *config,
                                        struct ss_partition *partition,
                                        const struct ss_partition_start *start,
                                        struct ss_error *err)
{
    if (start->changelog_end - partition->saved.offset <= (int64_t)save_records(config))
        return SS_OK;
    return ss_partition_ask_group(config, partition, start, err);
}

static enum ss_status wipe(const struct ss_worker_config *config, struct ss_partition *partition,
                           struct ss_error *err)
{
    enum ss_status status =
        config->store->ops->wipe(config->store, partition->number, &partition->saved, err);
    partition->has_saved = false;
    memset(&partition->saved, 0, sizeof partition->saved);
    return status;
}

/* Brings cache, mark and store to what the changelog says at start->changelog_end. */
static enum ss_status restore_state(const struct ss_worker_config *config,
                                    struct ss_partition *partition,
                                    const struct ss_partition_start *start, bool *any_mark,
                                    struct ss_error *err)
{
    struct restore restore;
    enum ss_status status = config->store->ops->checkpoint(
        config->store, partition->number, &partition->saved, &partition->has_saved, err);
    if (status != SS_OK)
        return status;
    const char *why =
        partition->has_saved ? distrust(config, &partition->saved, start) : "the store is empty";
    if (!why || why == too_old_text) {
        /* However old, it is good if it names the newest mark: behind it come aborted records and
         * markers only. Rebuilt, it would be this very checkpoint again but for its writer, and by
         * that alone somebody else who has looked at it and was paused could tell the two apart
         * when he wipes. */
        status = check_group_ahead(config, partition, start, err);
        if (status != SS_OK)
            return status;
        status = restore_from(config, partition, start, why != NULL, &restore, err);
        if (status == SS_OK && restore.any_mark) {
            *any_mark = true;
            return SS_OK;
        }
        if (status != SS_OK && !restore.foreign)
            return status;
        if (!why)
            why = "the store's checkpoint is of another changelog";
    }
    status = ss_partition_ask_group(config, partition, start, err);
    if (status != SS_OK)
        return status;
    if (start->changelog_end > start->changelog_start)
        log_partition(config, partition->number, why);
    status = wipe(config, partition, err);
    if (status == SS_OK)
        status = restore_from(config, partition, start, false, &restore, err);
    if (status != SS_OK)
        return status;
    *any_mark = restore.any_mark;
    if (!restore.any_mark)
        return fresh_cache(config, partition, err); /* nothing was ever committed here */
    return SS_OK;
}

/* --- the beginning --- */

static enum ss_status draw(uint8_t *out, size_t size, struct ss_error *err)
{
    if (getrandom(out, size, 0) != (ssize_t)size)
        return ss_fail(err, SS_STOP, "no randomness from the system: %s", strerror(errno));
    return SS_OK;
}

static enum ss_status begin_mark(const struct ss_worker_config *config,
                                 const struct ss_partition_start *start, struct ss_mark *mark,
                                 struct ss_error *err)
{
    memset(mark, 0, sizeof *mark);
    mark->partition_count = config->bus->partition_count;
    memcpy(mark->positions, start->positions, sizeof mark->positions);
    memcpy(mark->passed, start->positions, sizeof mark->passed);
    return draw(mark->incarnation, sizeof mark->incarnation, err);
}

enum ss_status ss_partition_begin(const struct ss_worker_config *config,
                                  struct ss_partition *partition, struct ss_error *err)
{
    struct ss_bus *bus = config->bus;
    struct ss_partition_start start;
    bool any_mark = false;

    partition->renamed = false;
    enum ss_status status = draw(partition->writer, sizeof partition->writer, err);
    if (status == SS_OK)
        status = bus->ops->start(bus, partition->number, &start, err);
    if (status == SS_OK)
        status = restore_state(config, partition, &start, &any_mark, err);
    if (status == SS_OK)
        status = ss_partition_compare(config, partition, &start, any_mark, err);
    if (status == SS_OK && !any_mark)
        status = begin_mark(config, &start, &partition->mark, err);
    if (status == SS_OK)
        status = ss_partition_begin_models(config, partition, any_mark, err);
    if (status != SS_OK)
        return status;
    snprintf(partition->mark.group, sizeof partition->mark.group, "%s", config->group);
    memcpy(partition->next.incarnation, partition->mark.incarnation, SS_INCARNATION_SIZE);
    memcpy(partition->ends, start.ends, sizeof partition->ends);
    memcpy(partition->days, partition->mark.days, sizeof partition->days);

    status = bus->ops->open_partition(bus, partition->number, partition->mark.passed, err);
    partition->draining = true;
    partition->wake_ms = partition->has_saved ? 0 : SS_WAKE_NEVER; /* nobody sleeps there yet */
    partition->woke_at_ms = 0;
    partition->marked_at_ms = now_ms(config);
    if (partition->saved.broker_time_ms <
        partition->marked_at_ms) /* else another's clock is ahead */
        partition->marked_at_ms = partition->saved.broker_time_ms;
    memset(partition->reached_ms, 0, sizeof partition->reached_ms);
    memset(partition->behind, true, sizeof partition->behind);
    partition->behind[SS_NEIGHBOURS] = false;
    for (int input = 0; status == SS_OK && input < SS_INPUT_COUNT; input++)
        if (input != SS_CONSENTS && input != SS_BLACKLIST)
            status = bus->ops->hold(bus, (enum ss_input)input, partition->number, true, err);
    if (status == SS_OK)
        status = ss_partition_drain(config, partition, err);
    return status;
}

enum ss_status ss_partition_drain(const struct ss_worker_config *config,
                                  struct ss_partition *partition, struct ss_error *err)
{
    struct ss_bus *bus = config->bus;
    if (!partition->draining ||
        bus->ops->position(bus, SS_CONSENTS, partition->number) < partition->ends[SS_CONSENTS])
        return SS_OK;
    for (int input = 0; input < SS_INPUT_COUNT; input++) {
        if (input == SS_CONSENTS || input == SS_BLACKLIST)
            continue;
        enum ss_status status =
            bus->ops->hold(bus, (enum ss_input)input, partition->number, false, err);
        if (status != SS_OK)
            return status; /* still draining: the next turn tries again */
    }
    partition->draining = false;
    return SS_OK;
}
