#include "cli/blacklist_csv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 8 * SS_CSV_RECORD_MAX };

struct ss_csv {
    int file;
    bool at_end, multiline;
    int field_count; /* expected; 0: any */
    int64_t size, line;
    int64_t base; /* offset in the file of buffer[0] */
    size_t hashed, begin, end;
    crypto_generichash_state digest;
    char scratch[SS_CSV_RECORD_MAX]; /* fields that had quotes in them */
    char buffer[BUFFER_SIZE];
};

enum ss_status ss_csv_open(const char *path, struct ss_csv **out, struct ss_error *err)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return ss_fail(err, SS_STOP, "cannot read %.300s: %s", path, strerror(errno));
    struct ss_csv *csv = malloc(sizeof *csv);
    if (!csv || sodium_init() < 0 || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(file);
        free(csv);
        return csv ? ss_fail(err, SS_STOP, "%.300s is no regular file", path)
                   : ss_fail(err, SS_STOP, "out of memory");
    }
    csv->file = file;
    csv->at_end = csv->multiline = false;
    csv->field_count = 0;
    csv->size = about.st_size;
    csv->line = 1;
    csv->base = 0;
    csv->hashed = csv->begin = csv->end = 0;
    crypto_generichash_init(&csv->digest, NULL, 0, SS_CSV_DIGEST_SIZE);
    *out = csv;
    return SS_OK;
}

void ss_csv_close(struct ss_csv *csv)
{
    if (!csv)
        return;
    close(csv->file);
    free(csv);
}

void ss_csv_expect(struct ss_csv *csv, int field_count, bool multiline)
{
    csv->field_count = field_count;
    csv->multiline = multiline;
}

int64_t ss_csv_size(const struct ss_csv *csv)
{
    return csv->size;
}

int64_t ss_csv_offset(const struct ss_csv *csv)
{
    return csv->base + (int64_t)csv->begin;
}

int64_t ss_csv_line(const struct ss_csv *csv)
{
    return csv->line;
}

/* Once for each full buffer and not for each record: short updates cost more than the hashing. */
static void hash_read(struct ss_csv *csv)
{
    crypto_generichash_update(&csv->digest, (uint8_t *)csv->buffer + csv->hashed,
                              csv->begin - csv->hashed);
    csv->hashed = csv->begin;
}

void ss_csv_digest(struct ss_csv *csv, uint8_t out[SS_CSV_DIGEST_SIZE])
{
    hash_read(csv);
    crypto_generichash_state copy = csv->digest;
    crypto_generichash_final(&copy, out, SS_CSV_DIGEST_SIZE);
}

/* More behind what is there. The room is larger than any record by far. */
static enum ss_status fill(struct ss_csv *csv, struct ss_error *err)
{
    hash_read(csv);
    csv->base += (int64_t)csv->begin;
    memmove(csv->buffer, csv->buffer + csv->begin, csv->end - csv->begin);
    csv->end -= csv->begin;
    csv->begin = csv->hashed = 0;
    while (csv->end < BUFFER_SIZE && !csv->at_end) {
        ssize_t got = read(csv->file, csv->buffer + csv->end, BUFFER_SIZE - csv->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ss_fail(err, SS_STOP, "reading the file failed at byte %lld: %s",
                           (long long)(csv->base + (int64_t)csv->end), strerror(errno));
        csv->at_end = got == 0;
        csv->end += (size_t)got;
    }
    return SS_OK;
}

enum ss_status ss_csv_skip(struct ss_csv *csv, int64_t offset, int64_t line, struct ss_error *err)
{
    while (ss_csv_offset(csv) < offset) {
        if (csv->begin == csv->end && fill(csv, err) != SS_OK)
            return SS_STOP;
        size_t there = csv->end - csv->begin;
        int64_t left = offset - ss_csv_offset(csv);
        if (there == 0)
            return ss_fail(err, SS_STOP, "the file ends before byte %lld", (long long)offset);
        csv->begin += left < (int64_t)there ? (size_t)left : there;
    }
    csv->line = line;
    return SS_OK;
}

/* Where the line at `from` ends: its LF, or the end of what is there. */
static size_t line_end(const struct ss_csv *csv, size_t from)
{
    const char *found = memchr(csv->buffer + from, '\n', csv->end - from);
    return found ? (size_t)(found - csv->buffer) : csv->end;
}

/* The same for a record whose quotes may hold line breaks. */
static size_t record_end(const struct ss_csv *csv)
{
    bool quoted = false;
    size_t at = csv->begin;
    for (; at < csv->end && (quoted || csv->buffer[at] != '\n'); at++)
        quoted ^= csv->buffer[at] == '"';
    return at;
}

/* NULL, or what is wrong. */
static const char *split(struct ss_csv *csv, struct ss_csv_record *record)
{
    const char *at = record->raw.data, *end = at + record->raw.size;
    char *free_room = csv->scratch;
    record->field_count = 0;
    for (;;) {
        struct ss_text field;
        if (at < end && *at == '"') {
            char *start = free_room;
            for (at++; at < end && (*at != '"' || (at + 1 < end && at[1] == '"')); at++) {
                at += *at == '"';
                *free_room++ = *at;
            }
            if (at == end)
                return "a quote is not closed";
            at++;
            if (at < end && *at != ',')
                return "text behind a closing quote";
            field = (struct ss_text){start, (uint32_t)(free_room - start)};
        } else {
            const char *comma = memchr(at, ',', (size_t)(end - at));
            const char *stop = comma ? comma : end;
            field = (struct ss_text){at, (uint32_t)(stop - at)};
            if (memchr(at, '"', field.size))
                return "a quote within a field that is not in quotes";
            at = stop;
        }
        if (record->field_count == SS_CSV_FIELDS_MAX)
            return "more than 64 fields";
        record->fields[record->field_count++] = field;
        if (at == end)
            break;
        at++;
    }
    if (csv->field_count && record->field_count < csv->field_count)
        return "fewer fields than the header has";
    if (csv->field_count && record->field_count > csv->field_count)
        return "more fields than the header has";
    return NULL;
}

static struct ss_text text_between(const struct ss_csv *csv, size_t begin, size_t end)
{
    if (end > begin && csv->buffer[end - 1] == '\r')
        end--;
    return (struct ss_text){csv->buffer + begin, (uint32_t)(end - begin)};
}

/* The rest of a line that is longer than any record may be. */
static enum ss_status skip_line(struct ss_csv *csv, struct ss_error *err)
{
    /* What was returned of it stands in the scratch room, for the buffer moves. */
    for (;;) {
        size_t stop = line_end(csv, csv->begin);
        csv->begin = stop;
        if (stop < csv->end) {
            csv->begin++;
            break;
        }
        if (csv->at_end)
            break;
        if (fill(csv, err) != SS_OK)
            return SS_STOP;
    }
    csv->line++;
    return SS_OK;
}

static void take_to(struct ss_csv *csv, size_t stop)
{
    for (size_t at = csv->begin; at < stop; csv->line++)
        at = line_end(csv, at) + 1;
    csv->begin = stop < csv->end ? stop + 1 : stop;
}

enum ss_status ss_csv_next(struct ss_csv *csv, struct ss_csv_record *record, bool *more,
                           struct ss_error *err)
{
    for (;;) {
        if (!csv->at_end && csv->end - csv->begin <= SS_CSV_RECORD_MAX && fill(csv, err) != SS_OK)
            return SS_STOP;
        if (ss_csv_offset(csv) == 0 && csv->end >= 3 && memcmp(csv->buffer, "\xef\xbb\xbf", 3) == 0)
            csv->begin = 3;
        *more = csv->begin < csv->end;
        if (!*more)
            return SS_OK;
        size_t stop = line_end(csv, csv->begin);
        if (text_between(csv, csv->begin, stop).size > 0)
            break;
        csv->line++;
        csv->begin = stop < csv->end ? stop + 1 : stop;
    }
    record->line = csv->line;
    record->fault = NULL;
    size_t first = line_end(csv, csv->begin);
    size_t stop = csv->multiline ? record_end(csv) : first;
    if (stop - csv->begin > SS_CSV_RECORD_MAX && first - csv->begin <= SS_CSV_RECORD_MAX)
        stop = first; /* the quote will turn out not to be closed */
    if (stop - csv->begin > SS_CSV_RECORD_MAX) {
        record->fault = "longer than 65536 bytes";
        record->field_count = 0;
        memcpy(csv->scratch, csv->buffer + csv->begin, 200);
        record->raw = (struct ss_text){csv->scratch, 200};
        return skip_line(csv, err);
    }
    record->raw = text_between(csv, csv->begin, stop);
    record->fault = split(csv, record);
    if (record->fault && stop != first) {
        stop = first;
        record->raw = text_between(csv, csv->begin, stop);
    }
    take_to(csv, stop);
    assert(csv->begin <= csv->end);
    return SS_OK;
}
