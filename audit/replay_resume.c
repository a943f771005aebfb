#include "audit/held_state.h"
#include "audit/replay_internal.h"
#include "base/clock.h"
#include "state/pack.h"
#include "state/pack_friends.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

bool ss_replay_records_path(const struct ss_replay *run, int32_t partition, char *path, size_t size)
{
    const struct ss_replay_options *options = run->options;
    int length =
        options->resume_directory
            ? snprintf(path, size, "%s/records-%d.avro", options->resume_directory, partition)
            : snprintf(path, size, "%s.part-%d", options->records_file, partition);
    return length > 0 && (size_t)length < size;
}

struct ss_snapshot_head ss_replay_head(const struct ss_replay *run)
{
    struct ss_snapshot_head head = {.partition_count = run->partition_count,
                                    .epochs = run->epochs,
                                    .epoch_count = run->epoch_count,
                                    .made_at_ms = ss_clock_wall_ms()};
    snprintf(head.model_version, sizeof head.model_version, "%s", run->models.person->version);
    if (run->models.business)
        snprintf(head.business_model_version, sizeof head.business_model_version, "%s",
                 run->models.business->version);
    snprintf(head.note, sizeof head.note, "%s", run->note);
    return head;
}

enum ss_status ss_replay_write(const struct ss_replay_fold *fold, int64_t records_bytes,
                               struct ss_snapshot_writer *writer, struct ss_error *err)
{
    struct ss_snapshot_part part = {.partition = fold->partition,
                                    .mark_offset = -1,
                                    .epoch = fold->models.epoch,
                                    .clock_ms = fold->clock_ms,
                                    .reached_ms = fold->reached_ms,
                                    .score_records = fold->score_records,
                                    .entitlements = fold->entitlements,
                                    .records_bytes = records_bytes};
    memcpy(part.positions, fold->positions, sizeof part.positions);
    memcpy(part.counts, fold->counts, sizeof part.counts);
    memcpy(part.days, fold->days, sizeof part.days);
    const struct ss_user *user;
    struct ss_user_state state;
    uint8_t bytes[SS_PACKED_MAX];
    for (size_t at = 0; (user = ss_user_table_next(fold->users, &at));)
        part.users += user->packed_size > 0;
    struct ss_bytes packed;
    for (size_t at = 0; fold->friends && ss_replay_friends_next(fold->friends, &at, &packed);)
        part.friends++;
    enum ss_status status = ss_snapshot_begin(writer, &part, err);
    for (size_t at = 0; status == SS_OK && (user = ss_user_table_next(fold->users, &at));)
        if (user->packed_size > 0) {
            ss_held_read(ss_user_packed(user), &state, NULL);
            packed = (struct ss_bytes){bytes, ss_state_pack(&state, bytes)};
            status = ss_snapshot_put(writer, ss_user_id(user), packed, err);
        }
    for (size_t at = 0; status == SS_OK && fold->friends &&
                        (user = ss_replay_friends_next(fold->friends, &at, &packed));) {
        uint8_t buffer[SS_FRIENDS_KEY_MAX];
        const struct ss_text id = ss_user_id(user);
        const struct ss_bytes key = ss_friends_key((struct ss_bytes){id.data, id.size}, buffer);
        status =
            ss_snapshot_put(writer, (struct ss_text){key.data, (uint32_t)key.size}, packed, err);
    }
    return status;
}

struct taking {
    struct ss_replay_fold *fold;
    const struct ss_snapshot_head *head;
};

static enum ss_status on_state(void *arg, struct ss_text user_id, struct ss_bytes packed,
                               struct ss_error *err)
{
    const struct taking *taking = arg;
    struct ss_user_state state;
    if (ss_is_friends_key((struct ss_bytes){user_id.data, user_id.size}))
        return ss_replay_fold_put(taking->fold, user_id, packed, err);
    enum ss_status status = ss_state_unpack(packed, &state, err);
    if (status == SS_OK)
        status = ss_snapshot_models_check(taking->head, &taking->fold->models, &state, err);
    return status == SS_OK ? ss_replay_fold_put(taking->fold, user_id, packed, err) : status;
}

enum ss_status ss_replay_read(struct ss_replay_fold *fold, struct ss_snapshot *snapshot,
                              int64_t *records_bytes, struct ss_error *err)
{
    const struct ss_snapshot_part *part = ss_snapshot_part(snapshot, fold->partition);
    if (!part)
        return ss_fail(err, SS_STOP, "the snapshot does not hold partition %d", fold->partition);
    fold->clock_ms = part->clock_ms;
    fold->reached_ms = part->reached_ms;
    fold->score_records = part->score_records;
    fold->entitlements = part->entitlements;
    *records_bytes = part->records_bytes;
    memcpy(fold->positions, part->positions, sizeof fold->positions);
    memcpy(fold->counts, part->counts, sizeof fold->counts);
    memcpy(fold->days, part->days, sizeof fold->days);
    struct taking taking = {fold, ss_snapshot_head(snapshot)};
    return ss_snapshot_read(snapshot, fold->partition, on_state, &taking, err);
}

static bool own_path(const struct ss_replay *run, int32_t partition, char *path, size_t size)
{
    int length =
        snprintf(path, size, "%s/partition-%d.avro", run->options->resume_directory, partition);
    return length > 0 && (size_t)length < size;
}

/* How much of two notes is the same, up to a comma: what is shown begins with what differs. */
static size_t same_note(const char *a, const char *b)
{
    size_t same = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == ' ' && i > 0 && a[i - 1] == ',')
            same = i + 1;
    return same;
}

enum ss_status ss_replay_take_up(const struct ss_replay *run, struct ss_replay_fold *fold,
                                 int64_t *records_bytes, bool *found, struct ss_error *err)
{
    char path[4096];
    struct ss_snapshot *snapshot;
    if (!own_path(run, fold->partition, path, sizeof path))
        return ss_fail(err, SS_STOP, "the directory's name is too long");
    *found = access(path, F_OK) == 0;
    if (!*found)
        return errno == ENOENT
                   ? SS_OK
                   : ss_fail(err, SS_STOP, "cannot read %.200s: %s", path, strerror(errno));
    enum ss_status status = ss_snapshot_open(path, run->options->sealer, &snapshot, err);
    if (status != SS_OK)
        return status;
    const struct ss_snapshot_head *head = ss_snapshot_head(snapshot), now = ss_replay_head(run);
    const size_t same = same_note(head->note, now.note);
    if (strcmp(head->note, now.note) != 0 || head->partition_count != now.partition_count ||
        strcmp(head->model_version, now.model_version) != 0 ||
        strcmp(head->business_model_version, now.business_model_version) != 0)
        status = ss_fail(
            err, SS_STOP,
            "%.160s is of a replay of other logs or with other options (model %.60s, %.60s; "
            "now model %.60s, %.60s): repeat those, or use another directory",
            path, head->model_version, head->note + same, now.model_version, now.note + same);
    else
        status = ss_replay_read(fold, snapshot, records_bytes, err);
    ss_snapshot_close(snapshot);
    return status;
}

enum ss_status ss_replay_save(const struct ss_replay *run, const struct ss_replay_fold *fold,
                              int64_t records_bytes, struct ss_error *err)
{
    char path[4096];
    struct ss_snapshot_writer *writer;
    if (!own_path(run, fold->partition, path, sizeof path))
        return ss_fail(err, SS_STOP, "the directory's name is too long");
    const struct ss_snapshot_head head = ss_replay_head(run);
    enum ss_status status = ss_snapshot_create(path, &head, run->options->sealer, &writer, err);
    if (status != SS_OK)
        return status;
    status = ss_replay_write(fold, records_bytes, writer, err);
    if (status == SS_OK)
        return ss_snapshot_finish(writer, err);
    ss_snapshot_abandon(writer);
    return status;
}
