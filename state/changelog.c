/* changelog.c - format 4 of a mark: format (byte), incarnation (16 bytes), then varints of zig-zag:
 * partition count, clock; the model version and the group (length in a byte, bytes; formats 2 and 3
 * do not have the group); the number of inputs and of outcomes (a byte each); for each input:
 * consumed, then each outcome, then the position, then the day, then by how much `passed` is beyond
 * the position (format 2 does not have that), as varints of zig-zag; then epoch, swept, sweep_next,
 * sweep_groups, rescored, likewise; whether the histogram is to be published (a byte), the
 * histogram (pack_histogram.h). */
#include "state/changelog.h"

#include "state/pack_histogram.h"

#include <assert.h>

enum { FORMAT_WITHOUT_PASSED = 2, FORMAT_WITHOUT_GROUP = 3, FORMAT = 4 };
static_assert(1 + SS_INCARNATION_SIZE + 2 * SS_VARINT_MAX + 1 + SS_NAME_MAX + 1 + SS_GROUP_MAX + 2 +
                      (SS_INPUT_COUNT * (SS_OUTCOME_COUNT + 4) + 5) * SS_VARINT_MAX + 1 +
                      SS_HISTOGRAM_PACKED_MAX <=
                  SS_MARK_PACKED_MAX,
              "a packed mark must fit");

const struct ss_bytes ss_mark_key = {"\x01", 1};

static uint8_t *put(uint8_t *at, int64_t value)
{
    return ss_put_varint(at, ss_zigzag(value));
}

/* `text` is of an array of `max` bytes. */
static uint8_t *put_text(uint8_t *at, const char *text, size_t max)
{
    size_t size = strnlen(text, max);
    assert(size < max);
    *at++ = (uint8_t)size;
    memcpy(at, text, size);
    return at + size;
}

size_t ss_mark_pack(const struct ss_mark *mark, uint8_t *out)
{
    uint8_t *at = out;
    *at++ = FORMAT;
    memcpy(at, mark->incarnation, SS_INCARNATION_SIZE);
    at += SS_INCARNATION_SIZE;
    at = put(at, mark->partition_count);
    at = put(at, mark->clock_ms);
    at = put_text(at, mark->model_version, sizeof mark->model_version);
    at = put_text(at, mark->group, sizeof mark->group);
    *at++ = SS_INPUT_COUNT;
    *at++ = SS_OUTCOME_COUNT;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        at = put(at, mark->counts[i].consumed);
        for (int o = 0; o < SS_OUTCOME_COUNT; o++)
            at = put(at, mark->counts[i].outcomes[o]);
        at = put(at, mark->positions[i]);
        at = put(at, mark->days[i]);
        at = put(at,
                 mark->passed[i] > mark->positions[i] ? mark->passed[i] - mark->positions[i] : 0);
    }
    at = put(at, mark->epoch);
    at = put(at, mark->swept);
    at = put(at, mark->sweep_next);
    at = put(at, mark->sweep_groups);
    at = put(at, mark->rescored);
    *at++ = mark->ranks_due;
    at = ss_histogram_pack(&mark->histogram, at);
    return (size_t)(at - out);
}

static int64_t get(struct ss_reader *in)
{
    return ss_unzigzag(ss_get_varint(in));
}

static int64_t get_within(struct ss_reader *in, int64_t max)
{
    int64_t value = get(in);
    if (value >= 0 && value <= max)
        return value;
    ss_reader_fail(in);
    return 0;
}

/* Into an all-zero array of `max` bytes. */
static void get_text(struct ss_reader *in, char *text, size_t max)
{
    size_t size = ss_get_u8(in);
    const uint8_t *bytes = ss_get_bytes(in, size);
    if (size >= max || (bytes && memchr(bytes, '\0', size)))
        ss_reader_fail(in);
    else if (bytes)
        memcpy(text, bytes, size);
}

enum ss_status ss_mark_unpack(struct ss_bytes packed, struct ss_mark *mark, struct ss_error *err)
{
    memset(mark, 0, sizeof *mark);
    struct ss_reader in = ss_reader_of(packed);
    uint8_t format = ss_get_u8(&in);
    if (!in.bad && (format < FORMAT_WITHOUT_PASSED || format > FORMAT))
        return ss_fail(err, SS_STOP,
                       "the changelog's mark is of format %u, this version reads formats %u to "
                       "%u: run the version that wrote it or a newer one",
                       format, (unsigned)FORMAT_WITHOUT_PASSED, (unsigned)FORMAT);
    const uint8_t *incarnation = ss_get_bytes(&in, SS_INCARNATION_SIZE);
    int64_t partition_count = get(&in);
    mark->clock_ms = get(&in);
    get_text(&in, mark->model_version, sizeof mark->model_version);
    if (format > FORMAT_WITHOUT_GROUP)
        get_text(&in, mark->group, sizeof mark->group);
    if (partition_count < 0 || partition_count > INT32_MAX || ss_get_u8(&in) != SS_INPUT_COUNT ||
        ss_get_u8(&in) != SS_OUTCOME_COUNT)
        ss_reader_fail(&in);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        mark->counts[i].consumed = get(&in);
        for (int o = 0; o < SS_OUTCOME_COUNT; o++)
            mark->counts[i].outcomes[o] = get(&in);
        mark->positions[i] = get(&in);
        int64_t day = get(&in);
        mark->days[i] = (int32_t)day;
        if (day != mark->days[i])
            ss_reader_fail(&in);
        mark->passed[i] = mark->positions[i];
        if (format > FORMAT_WITHOUT_PASSED)
            mark->passed[i] +=
                get_within(&in, INT64_MAX - (mark->passed[i] > 0 ? mark->passed[i] : 0));
    }
    mark->epoch = (int32_t)get_within(&in, INT32_MAX);
    mark->swept = (int32_t)get_within(&in, INT32_MAX);
    mark->sweep_next = (uint32_t)get_within(&in, UINT32_MAX);
    mark->sweep_groups = (uint32_t)get_within(&in, UINT32_MAX);
    mark->rescored = get(&in);
    uint8_t due = ss_get_u8(&in);
    if (due > 1)
        ss_reader_fail(&in);
    mark->ranks_due = due;
    ss_histogram_unpack(&in, &mark->histogram);
    if (in.bad || in.at != in.end) {
        memset(mark, 0, sizeof *mark);
        return ss_fail(err, SS_STOP,
                       "%zu bytes are not a mark of the changelog: is the topic another "
                       "program's?",
                       packed.size);
    }
    memcpy(mark->incarnation, incarnation, SS_INCARNATION_SIZE);
    mark->partition_count = (int32_t)partition_count;
    return SS_OK;
}
