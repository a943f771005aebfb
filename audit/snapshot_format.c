#include "audit/snapshot_format.h"

#include "schemas/container.h"

#include <stdlib.h>

/* Positions and counts are listed by the input's default name, so that a version with more inputs
 * reads this one's: those it does not find begin at 0. */
const char ss_snapshot_schema[] =
    "[{\"type\":\"record\",\"name\":\"Head\",\"namespace\":\"sesame.snapshot\",\"fields\":["
    "{\"name\":\"format\",\"type\":\"int\"},"
    "{\"name\":\"live\",\"type\":\"int\"},"
    "{\"name\":\"cluster_id\",\"type\":\"string\"},"
    "{\"name\":\"partition_count\",\"type\":\"int\"},"
    "{\"name\":\"made_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"model_version\",\"type\":\"string\"},"
    "{\"name\":\"business_model_version\",\"type\":\"string\"},"
    "{\"name\":\"epochs\",\"type\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"record\",\"name\":\"Epoch\",\"fields\":["
    "{\"name\":\"epoch\",\"type\":\"int\"},"
    "{\"name\":\"person_since\",\"type\":\"int\"},"
    "{\"name\":\"business_since\",\"type\":\"int\"},"
    "{\"name\":\"person\",\"type\":\"string\"},"
    "{\"name\":\"business\",\"type\":\"string\"}]}}},"
    "{\"name\":\"note\",\"type\":\"string\"},"
    "{\"name\":\"crc32\",\"type\":\"long\"}]},"
    "{\"type\":\"record\",\"name\":\"Partition\",\"namespace\":\"sesame.snapshot\",\"fields\":["
    "{\"name\":\"partition\",\"type\":\"int\"},"
    "{\"name\":\"mark_offset\",\"type\":\"long\"},"
    "{\"name\":\"epoch\",\"type\":\"int\"},"
    "{\"name\":\"clock\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"reached\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"score_records\",\"type\":\"long\"},"
    "{\"name\":\"entitlements\",\"type\":\"long\"},"
    "{\"name\":\"records_bytes\",\"type\":\"long\"},"
    "{\"name\":\"users\",\"type\":\"long\"},"
    "{\"name\":\"friends\",\"type\":\"long\"},"
    "{\"name\":\"inputs\",\"type\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"record\",\"name\":\"Input\",\"fields\":["
    "{\"name\":\"input\",\"type\":\"string\"},"
    "{\"name\":\"position\",\"type\":\"long\"},"
    "{\"name\":\"day\",\"type\":\"int\"},"
    "{\"name\":\"consumed\",\"type\":\"long\"},"
    "{\"name\":\"outcomes\",\"type\":{\"type\":\"array\",\"items\":\"long\"}}]}}},"
    "{\"name\":\"crc32\",\"type\":\"long\"}]},"
    "{\"type\":\"record\",\"name\":\"States\",\"namespace\":\"sesame.snapshot\",\"fields\":["
    "{\"name\":\"partition\",\"type\":\"int\"},"
    "{\"name\":\"states\",\"type\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"record\",\"name\":\"State\",\"fields\":["
    "{\"name\":\"user_id\",\"type\":\"string\"},"
    "{\"name\":\"state\",\"type\":\"bytes\"}]}}},"
    "{\"name\":\"crc32\",\"type\":\"long\"}]},"
    "{\"type\":\"record\",\"name\":\"End\",\"namespace\":\"sesame.snapshot\",\"fields\":["
    "{\"name\":\"partitions\",\"type\":\"int\"},"
    "{\"name\":\"states\",\"type\":\"long\"},"
    "{\"name\":\"bytes\",\"type\":\"long\"},"
    "{\"name\":\"file_crc32\",\"type\":\"long\"},"
    "{\"name\":\"crc32\",\"type\":\"long\"}]}]";

static size_t write_number(uint8_t *p, int64_t number)
{
    uint64_t raw = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    size_t size = 0;
    for (; raw >= 0x80; raw >>= 7)
        p[size++] = (uint8_t)(raw | 0x80);
    p[size++] = (uint8_t)raw;
    return size;
}

bool ss_snapshot_put_number(struct ss_buffer *out, int64_t number)
{
    uint8_t bytes[10];
    return ss_buffer_append(out, bytes, write_number(bytes, number));
}

bool ss_snapshot_put_text(struct ss_buffer *out, const void *data, size_t size)
{
    return ss_snapshot_put_number(out, (int64_t)size) && ss_buffer_append(out, data, size);
}

static bool put_string(struct ss_buffer *out, const char *text)
{
    return ss_snapshot_put_text(out, text, strlen(text));
}

bool ss_snapshot_put_crc(struct ss_buffer *out)
{
    return ss_snapshot_put_number(out,
                                  ss_container_crc(0, (struct ss_bytes){out->data, out->size}));
}

static bool put_epochs(struct ss_buffer *out, const struct ss_snapshot_head *head)
{
    bool fine = head->epoch_count == 0 || ss_snapshot_put_number(out, (int64_t)head->epoch_count);
    for (size_t i = 0; i < head->epoch_count && fine; i++) {
        const struct ss_snapshot_epoch *epoch = &head->epochs[i];
        fine = ss_snapshot_put_number(out, epoch->epoch) &&
               ss_snapshot_put_number(out, epoch->person_since) &&
               ss_snapshot_put_number(out, epoch->business_since) &&
               put_string(out, epoch->person) && put_string(out, epoch->business);
    }
    return fine && ss_snapshot_put_number(out, 0);
}

bool ss_snapshot_put_head(struct ss_buffer *out, const struct ss_snapshot_head *head)
{
    return ss_snapshot_put_number(out, SS_SNAPSHOT_HEAD) &&
           ss_snapshot_put_number(out, SS_SNAPSHOT_FORMAT) &&
           ss_snapshot_put_number(out, head->live) && put_string(out, head->cluster_id) &&
           ss_snapshot_put_number(out, head->partition_count) &&
           ss_snapshot_put_number(out, head->made_at_ms) && put_string(out, head->model_version) &&
           put_string(out, head->business_model_version) && put_epochs(out, head) &&
           put_string(out, head->note) && ss_snapshot_put_crc(out);
}

bool ss_snapshot_put_part(struct ss_buffer *out, const struct ss_snapshot_part *part)
{
    bool fine =
        ss_snapshot_put_number(out, SS_SNAPSHOT_PARTITION) &&
        ss_snapshot_put_number(out, part->partition) &&
        ss_snapshot_put_number(out, part->mark_offset) &&
        ss_snapshot_put_number(out, part->epoch) && ss_snapshot_put_number(out, part->clock_ms) &&
        ss_snapshot_put_number(out, part->reached_ms) &&
        ss_snapshot_put_number(out, part->score_records) &&
        ss_snapshot_put_number(out, part->entitlements) &&
        ss_snapshot_put_number(out, part->records_bytes) &&
        ss_snapshot_put_number(out, part->users) && ss_snapshot_put_number(out, part->friends) &&
        ss_snapshot_put_number(out, SS_INPUT_COUNT);
    for (int i = 0; i < SS_INPUT_COUNT && fine; i++) {
        fine = put_string(out, ss_input_name((enum ss_input)i)) &&
               ss_snapshot_put_number(out, part->positions[i]) &&
               ss_snapshot_put_number(out, part->days[i]) &&
               ss_snapshot_put_number(out, part->counts[i].consumed) &&
               ss_snapshot_put_number(out, SS_OUTCOME_COUNT);
        for (int o = 0; o < SS_OUTCOME_COUNT && fine; o++)
            fine = ss_snapshot_put_number(out, part->counts[i].outcomes[o]);
        fine = fine && ss_snapshot_put_number(out, 0);
    }
    return fine && ss_snapshot_put_number(out, 0) && ss_snapshot_put_crc(out);
}

bool ss_snapshot_put_end(struct ss_buffer *out, const struct ss_snapshot_end *end)
{
    return ss_snapshot_put_number(out, SS_SNAPSHOT_END) &&
           ss_snapshot_put_number(out, end->partitions) &&
           ss_snapshot_put_number(out, end->states) && ss_snapshot_put_number(out, end->bytes) &&
           ss_snapshot_put_number(out, end->crc) && ss_snapshot_put_crc(out);
}

/* --- reading --- */

bool ss_snapshot_take_number(struct ss_snapshot_cursor *cursor, int64_t *number)
{
    uint64_t raw = 0;
    for (unsigned shift = 0; cursor->p != cursor->end && shift < 64; shift += 7) {
        uint8_t byte = *cursor->p++;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *number = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
            return true;
        }
    }
    return false;
}

bool ss_snapshot_take_bytes(struct ss_snapshot_cursor *cursor, struct ss_bytes *bytes)
{
    int64_t size;
    if (!ss_snapshot_take_number(cursor, &size) || size < 0 || size > cursor->end - cursor->p)
        return false;
    *bytes = (struct ss_bytes){cursor->p, (size_t)size};
    cursor->p += size;
    return true;
}

static bool take_string(struct ss_snapshot_cursor *cursor, char *text, size_t room)
{
    struct ss_bytes bytes;
    if (!ss_snapshot_take_bytes(cursor, &bytes) || bytes.size >= room)
        return false;
    memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    return true;
}

static bool take_int(struct ss_snapshot_cursor *cursor, int32_t *number)
{
    int64_t wide;
    if (!ss_snapshot_take_number(cursor, &wide) || wide < INT32_MIN || wide > INT32_MAX)
        return false;
    *number = (int32_t)wide;
    return true;
}

/* The checksum is the last number of the record: it is found from the end, by the tops of bytes. */
enum ss_status ss_snapshot_open_record(struct ss_bytes body, enum ss_snapshot_kind *kind,
                                       struct ss_snapshot_cursor *cursor, struct ss_error *err)
{
    const uint8_t *begin = body.data, *end = begin + body.size, *sum = end;
    int64_t branch, told;
    if (body.size >= 2)
        for (sum--; sum > begin && (sum[-1] & 0x80);)
            sum--;
    *cursor = (struct ss_snapshot_cursor){sum, end};
    const uint32_t crc = ss_container_crc(0, (struct ss_bytes){begin, (size_t)(sum - begin)});
    if (!ss_snapshot_take_number(cursor, &told) || cursor->p != end || told != crc)
        return ss_fail(err, SS_STOP, "its checksum is wrong");
    *cursor = (struct ss_snapshot_cursor){begin, sum};
    if (!ss_snapshot_take_number(cursor, &branch) || branch < 0 || branch > SS_SNAPSHOT_END)
        return ss_fail(err, SS_STOP, "it is of no known kind");
    *kind = (enum ss_snapshot_kind)branch;
    return SS_OK;
}

/* Numbers rise, so that there is no more than one of each. */
static bool take_epochs(struct ss_snapshot_cursor *cursor, struct ss_snapshot_head *head,
                        struct ss_snapshot_epoch **epochs)
{
    int64_t count;
    if (!ss_snapshot_take_number(cursor, &count) || count < 0 || count > cursor->end - cursor->p)
        return false;
    head->epochs = *epochs = calloc((size_t)count + 1, sizeof **epochs);
    head->epoch_count = (size_t)count;
    for (int64_t i = 0; i < count && *epochs; i++) {
        struct ss_snapshot_epoch *epoch = &(*epochs)[i];
        if (!take_int(cursor, &epoch->epoch) || !take_int(cursor, &epoch->person_since) ||
            !take_int(cursor, &epoch->business_since) ||
            !take_string(cursor, epoch->person, sizeof epoch->person) ||
            !take_string(cursor, epoch->business, sizeof epoch->business) ||
            (i && epoch->epoch <= epoch[-1].epoch))
            return false;
    }
    return *epochs && (count == 0 || (ss_snapshot_take_number(cursor, &count) && count == 0));
}

enum ss_status ss_snapshot_take_head(struct ss_snapshot_cursor *cursor,
                                     struct ss_snapshot_head *head,
                                     struct ss_snapshot_epoch **epochs, struct ss_error *err)
{
    int64_t format = -1, live = 0;
    if (!ss_snapshot_take_number(cursor, &format))
        return ss_fail(err, SS_STOP, "its head cannot be read");
    if (format != SS_SNAPSHOT_FORMAT)
        return ss_fail(err, SS_STOP,
                       "it has format %lld, and this version reads format %d: make it anew",
                       (long long)format, SS_SNAPSHOT_FORMAT);
    bool fine =
        ss_snapshot_take_number(cursor, &live) &&
        take_string(cursor, head->cluster_id, sizeof head->cluster_id) &&
        take_int(cursor, &head->partition_count) &&
        ss_snapshot_take_number(cursor, &head->made_at_ms) &&
        take_string(cursor, head->model_version, sizeof head->model_version) &&
        take_string(cursor, head->business_model_version, sizeof head->business_model_version) &&
        take_epochs(cursor, head, epochs) && take_string(cursor, head->note, sizeof head->note) &&
        cursor->p == cursor->end;
    head->live = live != 0;
    return fine ? SS_OK : ss_fail(err, SS_STOP, "its head cannot be read");
}

static int input_of(struct ss_bytes name)
{
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const char *known = ss_input_name((enum ss_input)i);
        if (ss_bytes_equal(name, (struct ss_bytes){known, strlen(known)}))
            return i;
    }
    return -1;
}

static bool take_input(struct ss_snapshot_cursor *cursor, struct ss_snapshot_part *part)
{
    struct ss_bytes name;
    int64_t position, count;
    struct ss_counts counts;
    int32_t day;
    if (!ss_snapshot_take_bytes(cursor, &name) || !ss_snapshot_take_number(cursor, &position) ||
        !take_int(cursor, &day) || !ss_snapshot_take_number(cursor, &counts.consumed) ||
        !ss_snapshot_take_number(cursor, &count) || count != SS_OUTCOME_COUNT)
        return false;
    for (int o = 0; o < SS_OUTCOME_COUNT; o++)
        if (!ss_snapshot_take_number(cursor, &counts.outcomes[o]))
            return false;
    int input = input_of(name);
    if (!ss_snapshot_take_number(cursor, &count) || count != 0 || input < 0)
        return false;
    part->positions[input] = position;
    part->counts[input] = counts;
    part->days[input] = day;
    return true;
}

bool ss_snapshot_take_part(struct ss_snapshot_cursor *cursor, struct ss_snapshot_part *part)
{
    int64_t inputs = 0;
    *part = (struct ss_snapshot_part){0};
    bool fine =
        take_int(cursor, &part->partition) && ss_snapshot_take_number(cursor, &part->mark_offset) &&
        take_int(cursor, &part->epoch) && ss_snapshot_take_number(cursor, &part->clock_ms) &&
        ss_snapshot_take_number(cursor, &part->reached_ms) &&
        ss_snapshot_take_number(cursor, &part->score_records) &&
        ss_snapshot_take_number(cursor, &part->entitlements) &&
        ss_snapshot_take_number(cursor, &part->records_bytes) &&
        ss_snapshot_take_number(cursor, &part->users) &&
        ss_snapshot_take_number(cursor, &part->friends) &&
        ss_snapshot_take_number(cursor, &inputs) && inputs > 0 && inputs <= SS_INPUT_COUNT;
    for (int64_t i = 0; i < inputs && fine; i++)
        fine = take_input(cursor, part);
    return fine && ss_snapshot_take_number(cursor, &inputs) && inputs == 0 &&
           cursor->p == cursor->end;
}

bool ss_snapshot_take_end(struct ss_snapshot_cursor *cursor, struct ss_snapshot_end *end)
{
    int64_t crc = 0;
    bool fine = take_int(cursor, &end->partitions) &&
                ss_snapshot_take_number(cursor, &end->states) &&
                ss_snapshot_take_number(cursor, &end->bytes) &&
                ss_snapshot_take_number(cursor, &crc) && cursor->p == cursor->end;
    end->crc = (uint32_t)crc;
    return fine && crc >= 0 && crc <= UINT32_MAX;
}
