#include "audit/snapshot_live.h"

#include "audit/model_store.h"
#include "audit/snapshot_models.h"
#include "audit/user_table.h"
#include "base/clock.h"
#include "consumer/kafka_admin.h"
#include "consumer/kafka_positions.h"
#include "consumer/kafka_pull.h"
#include "state/pack_friends.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 1000, QUEUE_BYTES = 64 << 20, TIMEOUT_MS = 30000, RETRIES_MAX = 4 };

struct live {
    const struct ss_snapshot_live *options;
    struct ss_snapshot_live_result *result;
    struct ss_snapshot_writer *writer;
    struct ss_model_store *models;
    struct ss_user_table *users;   /* of the partition in hand, as they are stored */
    struct ss_user_table *friends; /* their friends records: `note` is where a struct stored lies */
    struct ss_mark mark;
    int64_t mark_offset; /* -1: none yet */
    bool behind_mark;    /* the newest record is no mark */
    int64_t size;        /* of all partitions, in offsets */
    int64_t done;
};

/* A friends record may be larger than what a table of users holds. */
struct stored {
    size_t size;
    uint8_t bytes[];
};

static struct stored *stored_of(const struct ss_user *user)
{
    return (struct stored *)(intptr_t)user->note;
}

static void close_friends(struct live *live)
{
    struct ss_user *user;
    for (size_t at = 0; live->friends && (user = ss_user_table_next(live->friends, &at));)
        free(stored_of(user));
    ss_user_table_close(live->friends);
    live->friends = NULL;
}

static enum ss_status take_friends(struct live *live, const struct ss_kafka_record *record,
                                   struct ss_error *err)
{
    const char *key = record->key.data;
    const struct ss_text id = {key + 1, (uint32_t)record->key.size - 1};
    struct ss_user *user = ss_user_table_add(live->friends, ss_user_hash(id), id);
    struct stored *stored =
        user ? realloc(stored_of(user), sizeof *stored + record->value.size) : NULL;
    if (!stored)
        return ss_fail(err, SS_STOP, "out of memory for the friends of users");
    stored->size = record->value.size;
    if (record->value.size > 0)
        memcpy(stored->bytes, record->value.data, record->value.size);
    user->note = (int64_t)(intptr_t)stored;
    return SS_OK;
}

static enum ss_status take_record(struct live *live, const struct ss_kafka_record *record,
                                  struct ss_error *err)
{
    live->result->records++;
    live->behind_mark = !ss_bytes_equal(record->key, ss_mark_key);
    if (!live->behind_mark) {
        live->mark_offset = record->offset;
        return ss_mark_unpack(record->value, &live->mark, err);
    }
    const bool of_friends = ss_is_friends_key(record->key) && record->key.size > 1;
    const size_t value_max =
        of_friends ? (size_t)SS_FRIENDS_PACKED_MAX + SS_SEAL_OVERHEAD_MAX : SS_SEALED_MAX;
    if (!record->key.data || record->key.size == 0 ||
        record->key.size > (size_t)SS_USER_ID_MAX + of_friends || record->value.size > value_max)
        return ss_fail(err, SS_STOP, "%s [%d] %lld is no record of the engine's",
                       live->options->topic, record->partition, (long long)record->offset);
    if (of_friends)
        return take_friends(live, record, err);
    const struct ss_text id = {record->key.data, (uint32_t)record->key.size};
    struct ss_user *user = ss_user_table_add(live->users, ss_user_hash(id), id);
    if (user)
        user = ss_user_table_put(live->users, user, record->value);
    return user ? SS_OK : ss_fail(err, SS_STOP, "out of memory for the states of users");
}

static enum ss_status fold(struct live *live, int32_t partition, int64_t low, int64_t end,
                           struct ss_error *err)
{
    const struct ss_kafka_pull_config config = {.access = live->options->access,
                                                .topics = &live->options->topic,
                                                .topic_count = 1,
                                                .partition = partition,
                                                .from = &low,
                                                .to = &end,
                                                .records_max = BATCH,
                                                .memory_bytes_max = QUEUE_BYTES,
                                                .timeout_ms = TIMEOUT_MS};
    const struct ss_kafka_record *records;
    struct ss_kafka_pull *pull;
    size_t count = 1;
    int retries = 0;
    enum ss_status status = ss_kafka_pull_open(&config, &pull, err);
    if (status != SS_OK)
        return status;
    while (count > 0 && status == SS_OK) {
        status = ss_kafka_pull_next(pull, 0, &records, &count, err);
        if (status == SS_RETRY && ++retries < RETRIES_MAX) {
            status = SS_OK;
            count = 1;
            continue;
        }
        for (size_t i = 0; status == SS_OK && i < count; i++)
            status = take_record(live, &records[i], err);
        if (status == SS_OK && atomic_load(live->options->stop))
            status = ss_fail(err, SS_STOP, "interrupted");
        if (status == SS_OK && count > 0 && live->options->progress)
            live->options->progress(live->options->arg, live->result->records,
                                    (double)(live->done + records[count - 1].offset - low) /
                                        (double)(live->size + 1));
    }
    ss_kafka_pull_close(pull);
    live->done += end - low;
    return status;
}

/* After it was looked how far the changelog goes: what marks up to there name is in the topic. */
static enum ss_status read_models(struct live *live, struct ss_error *err)
{
    const struct ss_model_store_place place = {.topic = live->options->models_topic,
                                               .access = live->options->access};
    bool found = false;
    enum ss_status status = ss_model_store_open(&live->models, err);
    if (status == SS_OK)
        status = ss_model_store_read(live->models, &place, &found, err);
    if (status != SS_OK || found)
        return status;
    return ss_fail(
        err, SS_STOP,
        "%s names no live model: an engine writes it at its first start; if it was lost, "
        "`sesame rescore --model` with the file of what was live gives it back",
        place.topic);
}

static enum ss_status check_mark(const struct live *live, int32_t partition, int32_t partitions,
                                 struct ss_error *err)
{
    const struct ss_mark *mark = &live->mark;
    const struct ss_models *models = ss_model_store_epoch(live->models, mark->epoch);
    if (live->behind_mark)
        return ss_fail(err, SS_STOP, "%s [%d] does not end with a mark: what else writes there?",
                       live->options->topic, partition);
    if (live->mark_offset >= 0 && mark->partition_count != partitions)
        return ss_fail(err, SS_STOP, "%s [%d] is of a changelog with %d partitions, not with %d",
                       live->options->topic, partition, mark->partition_count, partitions);
    if (live->mark_offset >= 0 &&
        (!models || strcmp(mark->model_version, models->person->version) != 0))
        return ss_fail(err, SS_STOP,
                       "partition %d is of model %.60s and epoch %d, and %s says %.60s there: its "
                       "states cannot be told apart by model; if it was lost, `sesame rescore "
                       "--model` with the file of what was live gives it back",
                       partition, mark->model_version, mark->epoch, live->options->models_topic,
                       models ? models->person->version : "nothing");
    return SS_OK;
}

static enum ss_status write_users(struct live *live, struct ss_error *err)
{
    enum ss_status status = SS_OK;
    const struct ss_user *user;
    for (size_t at = 0; status == SS_OK && (user = ss_user_table_next(live->users, &at));) {
        uint8_t plain[SS_PACKED_MAX];
        struct ss_bytes packed;
        if (user->packed_size == 0)
            continue;
        const struct ss_text id = ss_user_id(user);
        status = ss_unseal(live->options->sealer, (struct ss_bytes){id.data, id.size},
                           ss_user_packed(user), plain, &packed, err);
        if (status == SS_OK)
            status = ss_snapshot_put(live->writer, id, packed, err);
    }
    for (size_t at = 0; status == SS_OK && (user = ss_user_table_next(live->friends, &at));) {
        uint8_t plain[SS_FRIENDS_PACKED_MAX], buffer[SS_FRIENDS_KEY_MAX];
        const struct stored *stored = stored_of(user);
        struct ss_bytes packed;
        if (stored->size == 0)
            continue;
        const struct ss_text id = ss_user_id(user);
        const struct ss_bytes key = ss_friends_key((struct ss_bytes){id.data, id.size}, buffer);
        status = ss_unseal_into(live->options->sealer, key,
                                (struct ss_bytes){stored->bytes, stored->size}, plain, sizeof plain,
                                &packed, err);
        if (status == SS_OK)
            status = ss_snapshot_put(live->writer, (struct ss_text){key.data, (uint32_t)key.size},
                                     packed, err);
    }
    return status == SS_GIVE_UP ? SS_STOP : status;
}

static enum ss_status snap_partition(struct live *live, int32_t partition, int32_t partitions,
                                     int64_t low, int64_t end, struct ss_error *err)
{
    live->mark = (struct ss_mark){0};
    live->mark_offset = -1;
    live->behind_mark = false;
    live->users = ss_user_table_open(0);
    live->friends = ss_user_table_open(0);
    enum ss_status status = live->users && live->friends
                                ? fold(live, partition, low, end, err)
                                : ss_fail(err, SS_STOP, "out of memory for users");
    if (status == SS_OK)
        status = check_mark(live, partition, partitions, err);
    if (status == SS_OK) {
        struct ss_snapshot_part part = {.partition = partition,
                                        .mark_offset = live->mark_offset,
                                        .epoch = live->mark_offset >= 0
                                                     ? live->mark.epoch
                                                     : ss_model_store_live(live->models)->epoch,
                                        .clock_ms = live->mark.clock_ms,
                                        .reached_ms = live->mark.clock_ms};
        memcpy(part.positions, live->mark.positions, sizeof part.positions);
        memcpy(part.counts, live->mark.counts, sizeof part.counts);
        memcpy(part.days, live->mark.days, sizeof part.days);
        const struct ss_user *user;
        for (size_t at = 0; (user = ss_user_table_next(live->users, &at));)
            part.users += user->packed_size > 0;
        for (size_t at = 0; (user = ss_user_table_next(live->friends, &at));)
            part.friends += stored_of(user)->size > 0;
        live->result->users += part.users;
        status = ss_snapshot_begin(live->writer, &part, err);
    }
    if (status == SS_OK)
        status = write_users(live, err);
    ss_user_table_close(live->users);
    live->users = NULL;
    close_friends(live);
    return status;
}

static enum ss_status create(struct live *live, int32_t partitions, struct ss_error *err)
{
    const struct ss_snapshot_live *options = live->options;
    const struct ss_models *models = ss_model_store_live(live->models);
    struct ss_snapshot_epoch *epochs = NULL;
    struct ss_snapshot_head head = {
        .live = true, .partition_count = partitions, .made_at_ms = ss_clock_wall_ms()};
    enum ss_status status = ss_kafka_cluster_id(options->access, head.cluster_id,
                                                sizeof head.cluster_id, TIMEOUT_MS, err);
    if (status != SS_OK)
        return status;
    snprintf(head.model_version, sizeof head.model_version, "%s", models->person->version);
    snprintf(head.business_model_version, sizeof head.business_model_version, "%s",
             models->business ? models->business->version : "");
    snprintf(head.note, sizeof head.note, "changelog");
    status = ss_snapshot_epochs_list(models, &epochs, &head.epoch_count, err);
    head.epochs = epochs;
    if (status == SS_OK)
        status = ss_snapshot_create(options->path, &head, options->sealer, &live->writer, err);
    free(epochs);
    return status;
}

enum ss_status ss_snapshot_live(const struct ss_snapshot_live *options,
                                struct ss_snapshot_live_result *result, struct ss_error *err)
{
    struct live live = {.options = options, .result = result};
    int32_t count;
    *result = (struct ss_snapshot_live_result){0};
    enum ss_status status =
        ss_kafka_positions_counts(options->access, &options->topic, 1, &count, err);
    if (status == SS_OK && count == 0)
        status = ss_fail(err, SS_STOP, "there is no topic %s", options->topic);
    if (status != SS_OK)
        return status;
    int64_t *lows = calloc(2 * (size_t)count, sizeof *lows);
    if (!lows)
        return ss_fail(err, SS_STOP, "out of memory");
    int64_t *ends = lows + count;
    status = ss_kafka_positions_ends(options->access, &options->topic, 1, count, lows, ends, err);
    for (int32_t p = 0; p < count; p++)
        live.size += ends[p] - lows[p];
    if (status == SS_OK)
        status = read_models(&live, err);
    if (status == SS_OK)
        status = create(&live, count, err);
    for (int32_t p = 0; p < count && status == SS_OK; p++)
        status = snap_partition(&live, p, count, lows[p], ends[p], err);
    if (status == SS_OK) {
        struct ss_snapshot_writer *writer = live.writer;
        live.writer = NULL;
        result->partitions = count;
        status = ss_snapshot_finish(writer, err);
    }
    ss_snapshot_abandon(live.writer);
    ss_model_store_close(live.models);
    free(lows);
    return status;
}
