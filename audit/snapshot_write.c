#include "audit/snapshot_format.h"

#include "schemas/container.h"
#include "state/pack_friends.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK_FULL = 64 * 1024, RECORD_MAX = 1 << 20 };

struct ss_snapshot_writer {
    struct ss_container_writer *container;
    char *path, *draft;
    const struct ss_sealer *sealer;
    struct ss_buffer states, record; /* of the block in hand; scratch */
    int64_t block_states, due;       /* states: in the block, and of the partition still to come */
    int32_t partition;
    struct ss_snapshot_end end;
};

static enum ss_status no_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory for a snapshot");
}

void ss_snapshot_abandon(struct ss_snapshot_writer *writer)
{
    struct ss_error ignored;
    if (!writer)
        return;
    if (writer->container) {
        enum ss_status finished = ss_container_finish(writer->container, &ignored);
        (void)finished;
    }
    if (writer->draft)
        unlink(writer->draft);
    ss_buffer_reset(&writer->states);
    ss_buffer_reset(&writer->record);
    free(writer->path);
    free(writer->draft);
    free(writer);
}

/* A record of its own block. */
static enum ss_status append(struct ss_snapshot_writer *writer, struct ss_error *err)
{
    int64_t bytes;
    uint32_t crc;
    enum ss_status status = ss_container_append(
        writer->container, (struct ss_bytes){writer->record.data, writer->record.size}, err);
    return status == SS_OK ? ss_container_flush(writer->container, &bytes, &crc, err) : status;
}

enum ss_status ss_snapshot_create(const char *path, const struct ss_snapshot_head *head,
                                  const struct ss_sealer *sealer, struct ss_snapshot_writer **out,
                                  struct ss_error *err)
{
    struct ss_snapshot_writer *writer = calloc(1, sizeof *writer);
    *out = NULL;
    if (!writer)
        return no_memory(err);
    const size_t room = strlen(path) + sizeof ".draft";
    ss_buffer_init(&writer->states, RECORD_MAX);
    ss_buffer_init(&writer->record, 2 * RECORD_MAX);
    writer->sealer = sealer;
    writer->path = strdup(path);
    writer->draft = malloc(room);
    enum ss_status status = writer->path && writer->draft ? SS_OK : no_memory(err);
    if (status == SS_OK) {
        snprintf(writer->draft, room, "%s.draft", path);
        status =
            ss_container_create(writer->draft, ss_snapshot_schema, "null", &writer->container, err);
    }
    if (status == SS_OK && !ss_snapshot_put_head(&writer->record, head))
        status = no_memory(err);
    if (status == SS_OK)
        status = append(writer, err);
    if (status != SS_OK) {
        ss_snapshot_abandon(writer);
        return status;
    }
    *out = writer;
    return SS_OK;
}

/* The states gathered so far, as a record. */
static enum ss_status flush(struct ss_snapshot_writer *writer, struct ss_error *err)
{
    if (writer->block_states == 0)
        return SS_OK;
    writer->record.size = 0;
    if (!ss_snapshot_put_number(&writer->record, SS_SNAPSHOT_STATES) ||
        !ss_snapshot_put_number(&writer->record, writer->partition) ||
        !ss_snapshot_put_number(&writer->record, writer->block_states) ||
        !ss_buffer_append(&writer->record, writer->states.data, writer->states.size) ||
        !ss_snapshot_put_number(&writer->record, 0) || !ss_snapshot_put_crc(&writer->record))
        return no_memory(err);
    writer->states.size = 0;
    writer->block_states = 0;
    return append(writer, err);
}

enum ss_status ss_snapshot_begin(struct ss_snapshot_writer *writer,
                                 const struct ss_snapshot_part *part, struct ss_error *err)
{
    assert(writer->due == 0);
    enum ss_status status = flush(writer, err);
    if (status != SS_OK)
        return status;
    writer->partition = part->partition;
    writer->due = part->users + part->friends;
    writer->end.partitions++;
    writer->record.size = 0;
    if (!ss_snapshot_put_part(&writer->record, part))
        return no_memory(err);
    return append(writer, err);
}

enum ss_status ss_snapshot_put(struct ss_snapshot_writer *writer, struct ss_text user_id,
                               struct ss_bytes packed, struct ss_error *err)
{
    _Static_assert((int)SS_FRIENDS_PACKED_MAX >= (int)SS_PACKED_MAX, "sealed must hold either");
    uint8_t sealed[SS_FRIENDS_PACKED_MAX + SS_SEAL_OVERHEAD_MAX];
    assert(writer->due > 0);
    struct ss_bytes state =
        ss_seal(writer->sealer, (struct ss_bytes){user_id.data, user_id.size}, packed, sealed);
    if (!ss_snapshot_put_text(&writer->states, user_id.data, user_id.size) ||
        !ss_snapshot_put_text(&writer->states, state.data, state.size))
        return no_memory(err);
    writer->due--;
    writer->block_states++;
    writer->end.states++;
    return writer->states.size >= BLOCK_FULL ? flush(writer, err) : SS_OK;
}

/* The name stands for what is on disk, whatever happens to the machine. */
static enum ss_status take_name(struct ss_snapshot_writer *writer, struct ss_error *err)
{
    int file = open(writer->draft, O_RDONLY | O_CLOEXEC);
    bool synced = file >= 0 && fsync(file) == 0;
    if (file >= 0)
        close(file);
    if (!synced || rename(writer->draft, writer->path) != 0)
        return ss_fail(err, SS_STOP, "cannot write %.200s: %s", writer->path, strerror(errno));
    return SS_OK;
}

enum ss_status ss_snapshot_finish(struct ss_snapshot_writer *writer, struct ss_error *err)
{
    assert(writer->due == 0);
    enum ss_status status = flush(writer, err);
    if (status == SS_OK)
        status = ss_container_flush(writer->container, &writer->end.bytes, &writer->end.crc, err);
    writer->record.size = 0;
    if (status == SS_OK && !ss_snapshot_put_end(&writer->record, &writer->end))
        status = no_memory(err);
    if (status == SS_OK)
        status = append(writer, err);
    if (status == SS_OK) {
        status = ss_container_finish(writer->container, err);
        writer->container = NULL;
    }
    if (status == SS_OK)
        status = take_name(writer, err);
    ss_snapshot_abandon(writer); /* the draft is gone by now */
    return status;
}
