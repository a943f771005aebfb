/* encode_rank.c - histograms of scores by our schema, and back. */
#include "schemas/encode.h"
#include "schemas/wire_reader.h"

enum { NUMBERS_MAX = 6 + SS_SCORE_COUNT + SS_INPUT_COUNT };

enum ss_status ss_encode_rank(uint32_t schema_id, const struct ss_rank_record *record,
                              struct ss_buffer *out, struct ss_error *err)
{
    const uint32_t *users = record->histogram->users;
    int from = 0, to = SS_SCORE_COUNT;
    while (to > 0 && users[to - 1] == 0)
        to--;
    while (from < to && users[from] == 0)
        from++;
    uint8_t *p = ss_encode_begin(out, schema_id, (size_t)NUMBERS_MAX * SS_VARINT_MAX, err);
    if (!p)
        return SS_STOP;
    p = ss_varint_write(p, record->partition);
    p = ss_varint_write(p, SS_SCORE_MIN + from);
    if (to > from)
        p = ss_varint_write(p, to - from);
    for (int i = from; i < to; i++)
        p = ss_varint_write(p, users[i]);
    p = ss_varint_write(p, 0);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        p = ss_varint_write(p, record->positions[i]);
    return ss_encode_end(out, ss_varint_write(p, record->clock_ms));
}

/* Once anything was bad, the least of what is asked for, so that loops over it end. */
static int64_t get(struct ss_wire_reader *in, int64_t min, int64_t max)
{
    int64_t value = ss_wire_number(in, min, max);
    return in->bad ? min : value;
}

static int32_t get_histogram(struct ss_wire_reader *in, struct ss_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    int32_t partition = (int32_t)get(in, 0, INT32_MAX);
    int64_t next = get(in, SS_SCORE_MIN, SS_SCORE_MAX) - SS_SCORE_MIN, count;
    while ((count = get(in, 0, SS_SCORE_COUNT - next)) > 0)
        while (count-- > 0)
            histogram->users[next++] = (uint32_t)get(in, 0, UINT32_MAX);
    return partition;
}

enum ss_status ss_decode_rank(struct ss_bytes body, int32_t *partition,
                              struct ss_histogram *histogram, struct ss_error *err)
{
    struct ss_wire_reader in = ss_wire_reader_of(body);
    *partition = get_histogram(&in, histogram);
    if (in.bad)
        return ss_fail(err, SS_DROP, "not a histogram of scores");
    return SS_OK;
}

enum ss_status ss_decode_rank_record(struct ss_bytes body, struct ss_histogram *histogram,
                                     struct ss_rank_record *record, struct ss_error *err)
{
    struct ss_wire_reader in = ss_wire_reader_of(body);
    record->histogram = histogram;
    record->partition = get_histogram(&in, histogram);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        record->positions[i] = get(&in, 0, INT64_MAX);
    record->clock_ms = get(&in, INT64_MIN, INT64_MAX);
    if (in.bad || in.at != in.end)
        return ss_fail(err, SS_DROP, "not a histogram of scores");
    return SS_OK;
}
