#include "audit/rank_log.h"

#include "audit/again.h"
#include "audit/room.h"
#include "audit/snapshot_format.h" /* numbers of variable length */
#include "schemas/output_view.h"

#include <stdlib.h>

enum { SUM_EVERY = 512, PARTITIONS_MAX = 100000, NO_HISTOGRAM = -1 };

struct entry {
    int64_t offset;
    int32_t partition; /* NO_HISTOGRAM: a record that every reader passes over */
    size_t changes;    /* where in log->changes */
    int64_t positions[SS_INPUT_COUNT];
};

struct ss_rank_log {
    struct entry *entries;
    size_t count, capacity;
    struct ss_buffer changes; /* of each entry: runs of (scores skipped, how many, by how much …) */
    int64_t (*sums)[SS_SCORE_COUNT]; /* before each SUM_EVERY-th entry */
    size_t sum_count;
    int64_t end;        /* of the topic */
    bool end_open;      /* … of which more may have been, as of an archive */
    int64_t known_from; /* at this offset and beyond the sum is known */
};

/* While it is read: the last histogram of each partition. */
struct reading {
    struct ss_rank_log *log;
    const struct ss_rank_reading *from;
    struct ss_histogram **last;
    int32_t partition_count;
    size_t *firsts; /* entries: the first of each partition */
    size_t first_count, first_capacity;
    int64_t users[SS_SCORE_COUNT];
};

/* --- reading --- */

static bool put_changes(struct ss_buffer *out, const struct ss_histogram *before,
                        const struct ss_histogram *after)
{
    bool fine = true;
    int at = 0;
    for (int from = 0; from < SS_SCORE_COUNT && fine;) {
        int to;
        while (from < SS_SCORE_COUNT && before->users[from] == after->users[from])
            from++;
        for (to = from; to < SS_SCORE_COUNT && before->users[to] != after->users[to];)
            to++;
        if (to == from)
            break;
        fine = ss_snapshot_put_number(out, from - at) && ss_snapshot_put_number(out, to - from);
        for (int i = from; i < to && fine; i++)
            fine =
                ss_snapshot_put_number(out, (int64_t)after->users[i] - (int64_t)before->users[i]);
        from = at = to;
    }
    return fine && ss_snapshot_put_number(out, SS_SCORE_COUNT);
}

/* What put_changes wrote. */
static void apply_changes(const struct ss_rank_log *log, const struct entry *entry, int64_t *users)
{
    struct ss_snapshot_cursor in = {log->changes.data + entry->changes,
                                    log->changes.data + log->changes.size};
    int64_t gap, count, by;
    if (entry->partition == NO_HISTOGRAM)
        return;
    for (int64_t at = 0; ss_snapshot_take_number(&in, &gap) && gap < SS_SCORE_COUNT;) {
        at += gap;
        if (!ss_snapshot_take_number(&in, &count))
            return;
        for (; count > 0 && ss_snapshot_take_number(&in, &by); count--)
            users[at++] += by;
    }
}

static struct ss_histogram *last_of(struct reading *r, int32_t partition)
{
    if (partition >= r->partition_count) {
        struct ss_histogram **grown = realloc(r->last, ((size_t)partition + 1) * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + r->partition_count, 0,
               (size_t)(partition + 1 - r->partition_count) * sizeof *grown);
        r->last = grown;
        r->partition_count = partition + 1;
    }
    if (!r->last[partition])
        r->last[partition] = calloc(1, sizeof **r->last);
    return r->last[partition];
}

static bool keep_sum(struct ss_rank_log *log, const int64_t *users)
{
    if (log->count % SUM_EVERY != 0)
        return true;
    int64_t(*sums)[SS_SCORE_COUNT] = realloc(log->sums, (log->sum_count + 1) * sizeof *sums);
    if (!sums)
        return false;
    log->sums = sums;
    memcpy(sums[log->sum_count++], users, sizeof *sums);
    return true;
}

static struct entry *add_entry(struct reading *r)
{
    struct ss_rank_log *log = r->log;
    if (!keep_sum(log, r->users))
        return NULL;
    if (!ss_make_room(&log->entries, log->count, &log->capacity, sizeof *log->entries))
        return NULL;
    return &log->entries[log->count++];
}

static enum ss_status add_first(struct reading *r, size_t entry, struct ss_error *err)
{
    if (!ss_make_room(&r->firsts, r->first_count, &r->first_capacity, sizeof *r->firsts))
        return ss_fail(err, SS_STOP, "out of memory for histograms");
    r->firsts[r->first_count++] = entry;
    return SS_OK;
}

static enum ss_status take(struct reading *r, const struct ss_published_record *from,
                           struct ss_error *err)
{
    struct ss_rank_log *log = r->log;
    struct ss_rank_record record = {.partition = NO_HISTOGRAM};
    struct ss_histogram histogram;
    struct ss_error ignored;
    struct entry *entry = add_entry(r);
    if (!entry)
        return ss_fail(err, SS_STOP, "out of memory for histograms");
    *entry = (struct entry){.offset = from->offset, .partition = NO_HISTOGRAM};
    if (!from->body.data ||
        ss_decode_rank_record(from->body, &histogram, &record, &ignored) != SS_OK ||
        record.partition >= PARTITIONS_MAX)
        return SS_OK;
    const bool first = record.partition >= r->partition_count || !r->last[record.partition];
    struct ss_histogram *last = last_of(r, record.partition);
    entry->changes = log->changes.size;
    if (!last || !put_changes(&log->changes, last, &histogram))
        return ss_fail(err, SS_STOP, "out of memory for histograms");
    entry->partition = record.partition;
    memcpy(entry->positions, record.positions, sizeof entry->positions);
    *last = histogram;
    apply_changes(log, entry, r->users);
    return first ? add_first(r, log->count - 1, err) : SS_OK;
}

static enum ss_status next_batch(const struct reading *r, struct ss_published_log *records,
                                 struct ss_published_batch *batch, struct ss_error *err)
{
    const atomic_bool *stop = r->from->stop;
    enum ss_status status;
    int tries = 0;
    do {
        if (stop && atomic_load(stop))
            return ss_fail(err, SS_STOP, "stopped");
        status = ss_published_next(records, batch, err);
    } while (status == SS_RETRY && ss_wait_again(&tries, stop));
    return status == SS_RETRY ? SS_STOP : status;
}

/* Whether a histogram is of the partition's first transaction in `scores`. It can be of any that
 * ends before a record beyond its positions; what time alone led to is beyond none. */
struct first_search {
    const int64_t *positions;
    int64_t left[SS_SCORE_COUNT]; /* the histogram's users, less those of the records so far */
    int left_count;               /* scores at which that is not 0 */
    int64_t next;                 /* the transaction's next offset */
    bool ended;                   /* the first one has */
    bool is_first;
};

static void take_away(struct first_search *search, bool has, int32_t score, int users)
{
    if (!has || score < SS_SCORE_MIN || score > SS_SCORE_MAX)
        return;
    int64_t *left = &search->left[score - SS_SCORE_MIN];
    search->left_count -= *left != 0;
    *left -= users;
    search->left_count += *left != 0;
}

/* false: no need to look on. */
static bool look_on(struct first_search *search, const struct ss_score_view *view, int64_t offset)
{
    bool beyond = false;
    for (int n = 0; n < SS_INPUT_COUNT; n++)
        beyond |= view->positions[n] > search->positions[n];
    if (offset != search->next) {
        search->is_first =
            search->ended ? search->left_count > 0 : beyond || search->left_count == 0;
        search->ended = true;
    } else if (beyond && !search->ended) {
        search->is_first = false;
    }
    if (beyond || !search->is_first)
        return false;
    search->next = offset + 1;
    take_away(search, view->has_previous, view->previous_score, -1);
    take_away(search, view->has_score, view->score, 1);
    return true;
}

/* Whether the first record there is has none before it. Of a whole log it may stand behind aborted
 * ones; of an archive nobody knows. */
static bool begins(const struct ss_source_range *range, int64_t offset)
{
    return offset == 0 || (range->low == 0 && range->end != INT64_MAX);
}

static enum ss_status search_first(const struct reading *r, int32_t partition,
                                   struct first_search *search, struct ss_error *err)
{
    const struct ss_published_config config = {.output = SS_SCORES, .partition = partition};
    struct ss_published_batch batch;
    struct ss_published_log *records;
    struct ss_source_range range;
    struct ss_score_view view;
    struct ss_error ignored;
    bool more = true, begun = false;
    enum ss_status status = ss_published_open(r->from->source, &config, &records, &range, err);
    if (status != SS_OK)
        return status;
    while (more && (status = next_batch(r, records, &batch, err)) == SS_OK) {
        if (batch.count == 0) {
            search->is_first &= !search->ended || search->left_count > 0;
            break;
        }
        if (!begun) {
            search->next = batch.records[0].offset;
            search->is_first = more = begins(&range, search->next);
            begun = true;
        }
        for (size_t i = 0; more && i < batch.count; i++) {
            const struct ss_published_record *record = &batch.records[i];
            const bool readable =
                record->body.data && ss_score_view_decode(record->body, &view, &ignored) == SS_OK;
            search->is_first &= readable;
            more = readable && look_on(search, &view, record->offset);
        }
    }
    ss_published_close(records);
    return status;
}

static enum ss_status is_first_ever(const struct reading *r, const struct entry *entry, bool *is,
                                    struct ss_error *err)
{
    struct first_search *search = calloc(1, sizeof *search);
    *is = false;
    if (!search)
        return ss_fail(err, SS_STOP, "out of memory for histograms");
    search->positions = entry->positions;
    apply_changes(r->log, entry, search->left); /* there is none before it */
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        search->left_count += search->left[i] != 0;
    const enum ss_status status = search_first(r, entry->partition, search, err);
    *is = search->is_first;
    free(search);
    return status;
}

/* From where on each partition's last histogram is there. */
static enum ss_status find_known(const struct reading *r, struct ss_error *err)
{
    struct ss_rank_log *log = r->log;
    enum ss_status status = SS_OK;
    for (size_t i = 0; i < r->first_count && status == SS_OK; i++) {
        const struct entry *entry = &log->entries[r->firsts[i]];
        bool first_ever = false;
        if (entry->partition < ss_source_partition_count(r->from->source))
            status = is_first_ever(r, entry, &first_ever, err);
        if (!first_ever)
            log->known_from = entry->offset + 1; /* they rise */
    }
    return status;
}

static enum ss_status read_all(struct reading *r, struct ss_error *err)
{
    const struct ss_published_config config = {.output = SS_RANKS};
    const struct ss_rank_reading *from = r->from;
    struct ss_published_batch batch = {.count = 1};
    struct ss_published_log *records;
    struct ss_source_range range;
    enum ss_status status = ss_published_open(from->source, &config, &records, &range, err);
    if (status != SS_OK)
        return status;
    while (batch.count > 0 && status == SS_OK) {
        status = next_batch(r, records, &batch, err);
        for (size_t i = 0; status == SS_OK && i < batch.count; i++)
            status = take(r, &batch.records[i], err);
    }
    ss_published_close(records);
    const size_t count = r->log->count;
    r->log->end_open = range.end == INT64_MAX;
    r->log->end = !r->log->end_open ? range.end : count ? r->log->entries[count - 1].offset + 1 : 0;
    return status == SS_OK ? find_known(r, err) : status;
}

enum ss_status ss_rank_log_read(const struct ss_rank_reading *reading, struct ss_rank_log **out,
                                struct ss_error *err)
{
    bool have;
    *out = NULL;
    enum ss_status status = ss_published_have(reading->source, SS_RANKS, &have, err);
    if (status != SS_OK || !have)
        return status;
    struct ss_rank_log *log = calloc(1, sizeof *log);
    if (!log)
        return ss_fail(err, SS_STOP, "out of memory for histograms");
    ss_buffer_init(&log->changes, SIZE_MAX / 2);
    struct reading r = {.log = log, .from = reading};
    status = read_all(&r, err);
    for (int32_t p = 0; p < r.partition_count; p++)
        free(r.last[p]);
    free(r.last);
    free(r.firsts);
    if (status != SS_OK) {
        ss_rank_log_close(log);
        return status;
    }
    *out = log;
    return SS_OK;
}

void ss_rank_log_close(struct ss_rank_log *log)
{
    if (!log)
        return;
    ss_buffer_reset(&log->changes);
    free(log->entries);
    free(log->sums);
    free(log);
}

size_t ss_rank_log_count(const struct ss_rank_log *log)
{
    return log->count;
}

size_t ss_rank_log_bytes(const struct ss_rank_log *log)
{
    return log->changes.size + log->capacity * sizeof *log->entries +
           log->sum_count * sizeof *log->sums;
}

/* --- percentiles --- */

struct ss_rank_cursor {
    const struct ss_rank_log *log;
    int64_t offset; /* cited last; -1: none */
    size_t next;    /* the first entry that is not in the sum */
    int64_t users[SS_SCORE_COUNT];
    struct ss_rank_table table;
};

struct ss_rank_cursor *ss_rank_cursor_open(const struct ss_rank_log *log)
{
    struct ss_rank_cursor *cursor = calloc(1, sizeof *cursor);
    if (cursor) {
        cursor->log = log;
        cursor->offset = -1;
    }
    return cursor;
}

void ss_rank_cursor_close(struct ss_rank_cursor *cursor)
{
    free(cursor);
}

/* How many entries lie below the offset. */
static size_t entries_below(const struct ss_rank_log *log, int64_t offset)
{
    size_t low = 0, high = log->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->entries[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void move_to(struct ss_rank_cursor *cursor, int64_t offset)
{
    const struct ss_rank_log *log = cursor->log;
    const size_t goal = entries_below(log, offset), mark = goal / SUM_EVERY;
    if (cursor->offset >= 0 && goal == cursor->next) {
        cursor->offset = offset;
        return;
    }
    if (mark < log->sum_count && (goal < cursor->next || mark * SUM_EVERY > cursor->next)) {
        memcpy(cursor->users, log->sums[mark], sizeof cursor->users);
        cursor->next = mark * SUM_EVERY;
    }
    while (cursor->next < goal)
        apply_changes(log, &log->entries[cursor->next++], cursor->users);
    ss_rank_table_init(&cursor->table, cursor->users);
    cursor->offset = offset;
}

enum ss_rank_answer ss_rank_percentile_at(struct ss_rank_cursor *cursor, int64_t offset,
                                          int32_t score, int32_t *percentile)
{
    const struct ss_rank_log *log = cursor->log;
    if (offset > log->end)
        return log->end_open ? SS_RANK_GONE : SS_RANK_IMPOSSIBLE;
    if (offset < 1 || score < SS_SCORE_MIN || score > SS_SCORE_MAX)
        return SS_RANK_IMPOSSIBLE;
    if (offset != cursor->offset)
        move_to(cursor, offset);
    if (offset < log->known_from)
        return SS_RANK_GONE;
    *percentile = ss_rank_percentile(&cursor->table, score);
    return *percentile < 0 ? SS_RANK_NOBODY : SS_RANK_KNOWN;
}

/* --- a partition's histograms --- */

void ss_rank_part_begin(struct ss_rank_part *part, const struct ss_rank_log *log, int32_t partition)
{
    memset(part, 0, sizeof *part);
    part->log = log;
    part->partition = partition;
}

bool ss_rank_part_next(struct ss_rank_part *part)
{
    const struct ss_rank_log *log = part->log;
    int64_t users[SS_SCORE_COUNT];
    while (part->next < log->count && log->entries[part->next].partition != part->partition)
        part->next++;
    if (part->next == log->count)
        return false;
    const struct entry *entry = &log->entries[part->next++];
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        users[i] = part->entry.histogram.users[i];
    apply_changes(log, entry, users);
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        part->entry.histogram.users[i] = (uint32_t)users[i];
    part->entry.offset = entry->offset;
    memcpy(part->entry.positions, entry->positions, sizeof part->entry.positions);
    return true;
}
