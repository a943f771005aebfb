#include "audit/snapshot_format.h"

#include "schemas/container.h"
#include "state/pack_friends.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SYNC_SIZE = 16, TAIL_MAX = 256, PARTITIONS_MAX = 1 << 20 };

struct part {
    struct ss_snapshot_part part;
    int64_t begin; /* where its first block of states lies */
    int64_t seen;  /* states met */
};

struct ss_snapshot {
    char *path;
    const struct ss_sealer *sealer;
    struct ss_container_reader *container;
    struct ss_snapshot_head head;
    struct ss_snapshot_epoch *epochs; /* the head's */
    struct part *parts;               /* in the file's order */
    size_t part_count, part_capacity;
    struct ss_snapshot_end end;
};

static enum ss_status damaged(const struct ss_snapshot *snapshot, int64_t at, const char *why,
                              struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "%.200s is no sound snapshot: the record at byte %lld: %.200s",
                   snapshot->path, (long long)at, why);
}

static enum ss_status take_states(const struct ss_snapshot *snapshot,
                                  struct ss_snapshot_cursor *cursor, int32_t partition,
                                  ss_snapshot_sink *sink, void *arg, int64_t *states,
                                  struct ss_error *err)
{
    int64_t number, count;
    if (!ss_snapshot_take_number(cursor, &number) || number != partition ||
        !ss_snapshot_take_number(cursor, &count) || count < 1)
        return ss_fail(err, SS_STOP, "it is of another partition");
    *states = count;
    for (int64_t i = 0; i < count; i++) {
        uint8_t plain[SS_FRIENDS_PACKED_MAX];
        struct ss_bytes id, stored, packed;
        if (!ss_snapshot_take_bytes(cursor, &id) || !ss_snapshot_take_bytes(cursor, &stored) ||
            id.size == 0 || id.size > (size_t)SS_USER_ID_MAX + ss_is_friends_key(id) ||
            stored.size == 0)
            return ss_fail(err, SS_STOP, "a state cannot be read");
        enum ss_status status =
            ss_unseal_into(snapshot->sealer, id, stored, plain, sizeof plain, &packed, err);
        if (status == SS_OK)
            status = sink(arg, (struct ss_text){id.data, (uint32_t)id.size}, packed, err);
        if (status != SS_OK)
            return status;
    }
    return ss_snapshot_take_number(cursor, &number) && number == 0 && cursor->p == cursor->end
               ? SS_OK
               : ss_fail(err, SS_STOP, "bytes behind its states");
}

static enum ss_status add_part(struct ss_snapshot *snapshot, struct ss_snapshot_cursor *cursor,
                               int64_t at, struct ss_error *err)
{
    if (snapshot->part_count == snapshot->part_capacity) {
        size_t capacity = snapshot->part_capacity ? snapshot->part_capacity * 2 : 16;
        struct part *parts = realloc(snapshot->parts, capacity * sizeof *parts);
        if (!parts || capacity > PARTITIONS_MAX) {
            snapshot->parts = parts ? parts : snapshot->parts;
            return ss_fail(err, SS_STOP, "out of memory for a snapshot");
        }
        snapshot->parts = parts;
        snapshot->part_capacity = capacity;
    }
    struct part *part = &snapshot->parts[snapshot->part_count];
    *part = (struct part){.begin = ss_container_tell(snapshot->container)};
    if (!ss_snapshot_take_part(cursor, &part->part))
        return damaged(snapshot, at, "it cannot be read as a partition", err);
    if (part->part.partition < 0 || part->part.partition >= snapshot->head.partition_count ||
        ss_snapshot_part(snapshot, part->part.partition))
        return damaged(snapshot, at, "there is no such partition, or it is there twice", err);
    snapshot->part_count++;
    return SS_OK;
}

static enum ss_status on_checked(void *arg, struct ss_text user_id, struct ss_bytes packed,
                                 struct ss_error *err)
{
    struct ss_user_state state;
    (void)arg;
    if (ss_is_friends_key((struct ss_bytes){user_id.data, user_id.size})) {
        struct ss_friends list;
        return ss_friends_unpack(packed, &list, err);
    }
    return ss_state_unpack(packed, &state, err);
}

static bool all_seen(const struct ss_snapshot *snapshot)
{
    if (snapshot->part_count == 0)
        return true;
    const struct part *last = &snapshot->parts[snapshot->part_count - 1];
    return last->seen == last->part.users + last->part.friends;
}

/* What a record says, in its place. */
static enum ss_status take_record(struct ss_snapshot *snapshot, struct ss_bytes body, int64_t at,
                                  bool *ended, struct ss_error *err)
{
    struct ss_snapshot_cursor cursor;
    enum ss_snapshot_kind kind;
    struct ss_error why;
    if (ss_snapshot_open_record(body, &kind, &cursor, &why) != SS_OK)
        return damaged(snapshot, at, why.detail, err);
    if ((kind == SS_SNAPSHOT_HEAD) != (snapshot->head.partition_count == 0) || *ended)
        return damaged(snapshot, at, "it is not in its place", err);
    struct part *part = snapshot->part_count ? &snapshot->parts[snapshot->part_count - 1] : NULL;
    int64_t states = 0;
    switch (kind) {
    case SS_SNAPSHOT_HEAD:
        if (ss_snapshot_take_head(&cursor, &snapshot->head, &snapshot->epochs, &why) != SS_OK)
            return damaged(snapshot, at, why.detail, err);
        return snapshot->head.partition_count > 0 ? SS_OK
                                                  : damaged(snapshot, at, "no partitions", err);
    case SS_SNAPSHOT_PARTITION:
        if (!all_seen(snapshot))
            return damaged(snapshot, at, "states are missing before it", err);
        return add_part(snapshot, &cursor, at, err);
    case SS_SNAPSHOT_STATES:
        if (!part)
            return damaged(snapshot, at, "it is not in its place", err);
        enum ss_status status =
            take_states(snapshot, &cursor, part->part.partition, on_checked, NULL, &states, &why);
        part->seen += states;
        snapshot->end.states += states;
        return status == SS_OK ? status : damaged(snapshot, at, why.detail, err);
    case SS_SNAPSHOT_END:
        break;
    }
    *ended = true;
    struct ss_snapshot_end end;
    if (!ss_snapshot_take_end(&cursor, &end) || !all_seen(snapshot) ||
        end.partitions != (int32_t)snapshot->part_count || end.states != snapshot->end.states ||
        end.bytes != at)
        return damaged(snapshot, at, "it does not agree with what is before it", err);
    snapshot->end = end;
    return SS_OK;
}

/* The file is its first end.bytes, with the checksum that End tells, and End's block, which follows
 * from them to the byte. */
static enum ss_status check_bytes(const struct ss_snapshot *snapshot, struct ss_error *err)
{
    uint8_t bytes[1 << 16], tail[TAIL_MAX];
    int64_t left = snapshot->end.bytes;
    uint32_t crc = 0;
    struct ss_buffer record, block;
    FILE *file = fopen(snapshot->path, "rbe");
    if (!file)
        return ss_fail(err, SS_STOP, "cannot open %.200s: %s", snapshot->path, strerror(errno));
    uint8_t sync[SYNC_SIZE] = {0};
    while (left > 0) {
        size_t wanted = left < (int64_t)sizeof bytes ? (size_t)left : sizeof bytes;
        size_t size = fread(bytes, 1, wanted, file);
        if (size == 0)
            break;
        crc = ss_container_crc(crc, (struct ss_bytes){bytes, size});
        left -= (int64_t)size;
        size_t kept = size < SYNC_SIZE ? size : SYNC_SIZE;
        memmove(sync, sync + kept, SYNC_SIZE - kept);
        memcpy(sync + SYNC_SIZE - kept, bytes + size - kept, kept);
    }
    size_t tail_size = fread(tail, 1, sizeof tail, file);
    fclose(file);
    ss_buffer_init(&record, TAIL_MAX);
    ss_buffer_init(&block, TAIL_MAX);
    bool same = left == 0 && crc == snapshot->end.crc &&
                ss_snapshot_put_end(&record, &snapshot->end) && ss_snapshot_put_number(&block, 1) &&
                ss_snapshot_put_text(&block, record.data, record.size) &&
                ss_buffer_append(&block, sync, SYNC_SIZE) && tail_size == block.size &&
                memcmp(tail, block.data, block.size) == 0;
    ss_buffer_reset(&record);
    ss_buffer_reset(&block);
    return same ? SS_OK
                : ss_fail(err, SS_STOP,
                          "%.200s is no sound snapshot: its bytes are not those that were written",
                          snapshot->path);
}

static enum ss_status read_all(struct ss_snapshot *snapshot, struct ss_error *err)
{
    bool ended = false;
    for (;;) {
        int64_t at = ss_container_tell(snapshot->container);
        struct ss_bytes body;
        struct ss_error why;
        enum ss_status status = ss_container_next_raw(snapshot->container, &body, &why);
        if (status != SS_OK)
            return ss_fail(err, status, "no sound snapshot: %.400s", why.detail);
        if (!body.data)
            return ended ? SS_OK
                         : ss_fail(err, SS_STOP, "%.200s is no sound snapshot: its end is missing",
                                   snapshot->path);
        if (!ss_container_block_end(snapshot->container))
            return damaged(snapshot, at, "it shares its block with another", err);
        status = take_record(snapshot, body, at, &ended, err);
        if (status != SS_OK)
            return status;
    }
}

enum ss_status ss_snapshot_open(const char *path, const struct ss_sealer *sealer,
                                struct ss_snapshot **out, struct ss_error *err)
{
    const char *schema;
    struct ss_snapshot *snapshot = calloc(1, sizeof *snapshot);
    *out = NULL;
    if (snapshot) {
        snapshot->path = strdup(path);
        snapshot->sealer = sealer;
    }
    if (!snapshot || !snapshot->path) {
        ss_snapshot_close(snapshot);
        return ss_fail(err, SS_STOP, "out of memory for a snapshot");
    }
    enum ss_status status = ss_container_open_raw(path, &snapshot->container, &schema, err);
    if (status == SS_OK && strcmp(schema, ss_snapshot_schema) != 0)
        status = ss_fail(err, SS_STOP, "%.200s is no snapshot that this version can read", path);
    if (status == SS_OK)
        status = read_all(snapshot, err);
    if (status == SS_OK)
        status = check_bytes(snapshot, err);
    if (status != SS_OK) {
        ss_snapshot_close(snapshot);
        return status == SS_DROP ? SS_STOP : status;
    }
    *out = snapshot;
    return SS_OK;
}

void ss_snapshot_close(struct ss_snapshot *snapshot)
{
    if (!snapshot)
        return;
    ss_container_close(snapshot->container);
    free(snapshot->parts);
    free(snapshot->epochs);
    free(snapshot->path);
    free(snapshot);
}

const struct ss_snapshot_head *ss_snapshot_head(const struct ss_snapshot *snapshot)
{
    return &snapshot->head;
}

static const struct part *find_part(const struct ss_snapshot *snapshot, int32_t partition)
{
    for (size_t i = 0; i < snapshot->part_count; i++)
        if (snapshot->parts[i].part.partition == partition)
            return &snapshot->parts[i];
    return NULL;
}

const struct ss_snapshot_part *ss_snapshot_part(const struct ss_snapshot *snapshot,
                                                int32_t partition)
{
    const struct part *part = find_part(snapshot, partition);
    return part ? &part->part : NULL;
}

int64_t ss_snapshot_states(const struct ss_snapshot *snapshot)
{
    return snapshot->end.states;
}

int64_t ss_snapshot_bytes(const struct ss_snapshot *snapshot)
{
    return snapshot->end.bytes;
}

enum ss_status ss_snapshot_read(struct ss_snapshot *snapshot, int32_t partition,
                                ss_snapshot_sink *sink, void *arg, struct ss_error *err)
{
    const struct part *part = find_part(snapshot, partition);
    if (!part)
        return ss_fail(err, SS_STOP, "%.200s has no partition %d", snapshot->path, partition);
    enum ss_status status = ss_container_seek(snapshot->container, part->begin, err);
    for (int64_t read = 0; status == SS_OK && read < part->part.users + part->part.friends;) {
        const int64_t at = ss_container_tell(snapshot->container);
        struct ss_snapshot_cursor cursor;
        enum ss_snapshot_kind kind = SS_SNAPSHOT_END;
        struct ss_bytes body;
        int64_t states = 0;
        status = ss_container_next_raw(snapshot->container, &body, err);
        if (status == SS_OK && body.data)
            status = ss_snapshot_open_record(body, &kind, &cursor, err);
        if (status == SS_OK && kind != SS_SNAPSHOT_STATES)
            return damaged(snapshot, at, "it has changed since it was checked", err);
        if (status == SS_OK)
            status = take_states(snapshot, &cursor, partition, sink, arg, &states, err);
        read += states;
    }
    return status;
}
