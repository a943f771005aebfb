/* checkpoint.c - format 2: format (byte), cluster id (length in a byte, bytes), incarnation (16
 * bytes), writer (8 bytes), partition count, offset and broker time as varints of zig-zag. */
#include "state/checkpoint.h"

#include "state/wire.h"

#include <assert.h>

enum { FORMAT = 2 };
static_assert(1 + 1 + SS_CLUSTER_ID_MAX + SS_INCARNATION_SIZE + SS_WRITER_SIZE +
                      3 * SS_VARINT_MAX <=
                  SS_CHECKPOINT_PACKED_MAX,
              "a packed checkpoint must fit");

size_t ss_checkpoint_pack(const struct ss_checkpoint *checkpoint, uint8_t *out)
{
    size_t id_size = strnlen(checkpoint->cluster_id, SS_CLUSTER_ID_MAX);
    assert(id_size < SS_CLUSTER_ID_MAX);
    uint8_t *at = out;
    *at++ = FORMAT;
    *at++ = (uint8_t)id_size;
    memcpy(at, checkpoint->cluster_id, id_size);
    at += id_size;
    memcpy(at, checkpoint->incarnation, SS_INCARNATION_SIZE);
    at += SS_INCARNATION_SIZE;
    memcpy(at, checkpoint->writer, SS_WRITER_SIZE);
    at += SS_WRITER_SIZE;
    at = ss_put_varint(at, ss_zigzag(checkpoint->partition_count));
    at = ss_put_varint(at, ss_zigzag(checkpoint->offset));
    at = ss_put_varint(at, ss_zigzag(checkpoint->broker_time_ms));
    return (size_t)(at - out);
}

/* SS_GIVE_UP: not a checkpoint, or of another format; what it stands beside cannot be trusted. */
enum ss_status ss_checkpoint_unpack(struct ss_bytes packed, struct ss_checkpoint *checkpoint,
                                    struct ss_error *err)
{
    memset(checkpoint, 0, sizeof *checkpoint);
    struct ss_reader in = ss_reader_of(packed);
    uint8_t format = ss_get_u8(&in);
    size_t id_size = ss_get_u8(&in);
    if (format != FORMAT || id_size >= SS_CLUSTER_ID_MAX)
        ss_reader_fail(&in);
    const uint8_t *id = ss_get_bytes(&in, id_size);
    const uint8_t *incarnation = ss_get_bytes(&in, SS_INCARNATION_SIZE);
    const uint8_t *writer = ss_get_bytes(&in, SS_WRITER_SIZE);
    int64_t partition_count = ss_unzigzag(ss_get_varint(&in));
    int64_t offset = ss_unzigzag(ss_get_varint(&in));
    int64_t broker_time_ms = ss_unzigzag(ss_get_varint(&in));
    if (in.bad || in.at != in.end || partition_count < 0 || partition_count > INT32_MAX ||
        memchr(id, '\0', id_size))
        return ss_fail(err, SS_GIVE_UP, "%zu bytes are not a checkpoint that this version reads",
                       packed.size);
    memcpy(checkpoint->cluster_id, id, id_size);
    memcpy(checkpoint->incarnation, incarnation, SS_INCARNATION_SIZE);
    memcpy(checkpoint->writer, writer, SS_WRITER_SIZE);
    checkpoint->partition_count = (int32_t)partition_count;
    checkpoint->offset = offset;
    checkpoint->broker_time_ms = broker_time_ms;
    return SS_OK;
}

bool ss_checkpoint_equal(const struct ss_checkpoint *a, const struct ss_checkpoint *b)
{
    return strncmp(a->cluster_id, b->cluster_id, SS_CLUSTER_ID_MAX) == 0 &&
           memcmp(a->incarnation, b->incarnation, SS_INCARNATION_SIZE) == 0 &&
           memcmp(a->writer, b->writer, SS_WRITER_SIZE) == 0 &&
           a->partition_count == b->partition_count && a->offset == b->offset &&
           a->broker_time_ms == b->broker_time_ms;
}
