/* changelog.c - format 2 of a mark: format (byte), incarnation (16 bytes), then varints of zig-zag:
 * partition count, clock; the model version (length in a byte, bytes); the number of inputs and of
 * outcomes (a byte each); for each input: consumed, then each outcome, then the position, as
 * varints of zig-zag. */
#include "state/changelog.h"

#include "state/wire.h"

#include <assert.h>

enum { FORMAT = 2 };
static_assert(1 + SS_INCARNATION_SIZE + 2 * SS_VARINT_MAX + 1 + SS_NAME_MAX + 2 +
                      SS_INPUT_COUNT * (SS_OUTCOME_COUNT + 2) * SS_VARINT_MAX <=
                  SS_MARK_PACKED_MAX,
              "a packed mark must fit");

const struct ss_bytes ss_mark_key = {"\x01", 1};

static uint8_t *put(uint8_t *at, int64_t value)
{
    return ss_put_varint(at, ss_zigzag(value));
}

size_t ss_mark_pack(const struct ss_mark *mark, uint8_t *out)
{
    size_t version_size = strnlen(mark->model_version, SS_NAME_MAX);
    assert(version_size < SS_NAME_MAX);
    uint8_t *at = out;
    *at++ = FORMAT;
    memcpy(at, mark->incarnation, SS_INCARNATION_SIZE);
    at += SS_INCARNATION_SIZE;
    at = put(at, mark->partition_count);
    at = put(at, mark->clock_ms);
    *at++ = (uint8_t)version_size;
    memcpy(at, mark->model_version, version_size);
    at += version_size;
    *at++ = SS_INPUT_COUNT;
    *at++ = SS_OUTCOME_COUNT;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        at = put(at, mark->counts[i].consumed);
        for (int o = 0; o < SS_OUTCOME_COUNT; o++)
            at = put(at, mark->counts[i].outcomes[o]);
        at = put(at, mark->positions[i]);
    }
    return (size_t)(at - out);
}

static int64_t get(struct ss_reader *in)
{
    return ss_unzigzag(ss_get_varint(in));
}

enum ss_status ss_mark_unpack(struct ss_bytes packed, struct ss_mark *mark, struct ss_error *err)
{
    memset(mark, 0, sizeof *mark);
    struct ss_reader in = ss_reader_of(packed);
    uint8_t format = ss_get_u8(&in);
    if (!in.bad && format != FORMAT)
        return ss_fail(err, SS_STOP,
                       "the changelog's mark is of format %u, this version reads format %u: "
                       "run the version that wrote it or a newer one",
                       format, (unsigned)FORMAT);
    const uint8_t *incarnation = ss_get_bytes(&in, SS_INCARNATION_SIZE);
    int64_t partition_count = get(&in);
    mark->clock_ms = get(&in);
    size_t version_size = ss_get_u8(&in);
    const uint8_t *version = ss_get_bytes(&in, version_size);
    if (partition_count < 0 || partition_count > INT32_MAX || version_size >= SS_NAME_MAX ||
        (version && memchr(version, '\0', version_size)) || ss_get_u8(&in) != SS_INPUT_COUNT ||
        ss_get_u8(&in) != SS_OUTCOME_COUNT)
        ss_reader_fail(&in);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        mark->counts[i].consumed = get(&in);
        for (int o = 0; o < SS_OUTCOME_COUNT; o++)
            mark->counts[i].outcomes[o] = get(&in);
        mark->positions[i] = get(&in);
    }
    if (in.bad || in.at != in.end) {
        memset(mark, 0, sizeof *mark);
        return ss_fail(err, SS_STOP,
                       "%zu bytes are not a mark of the changelog: is the topic another "
                       "program's?",
                       packed.size);
    }
    memcpy(mark->incarnation, incarnation, SS_INCARNATION_SIZE);
    mark->partition_count = (int32_t)partition_count;
    memcpy(mark->model_version, version, version_size);
    return SS_OK;
}
