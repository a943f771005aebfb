#include "audit/verify_fold.h"

#include "base/clock.h"
#include "state/changelog.h"
#include "state/pack_friends.h"

#include <time.h>

enum { PAUSE_MS = 20, PROGRESS_RECORDS = 1 << 16 };

void ss_fold_pause(void)
{
    nanosleep(&(struct timespec){0, PAUSE_MS * 1000000L}, NULL);
}

void ss_fold_progress(const struct ss_fold *fold)
{
    const struct ss_verify_options *options = fold->options;
    if (options->progress)
        options->progress(options->arg, fold->result->partition, fold->records, fold->states);
}

struct reading {
    struct ss_fold *fold;
    const struct ss_checkpoint *to; /* NULL: the end */
    bool proven;
    enum ss_fold_end end;
    enum ss_status status;
    struct ss_error *err;
};

/* false: enough, or wrong. */
static bool on_mark(struct reading *reading, const struct ss_kafka_record *record)
{
    struct ss_mark mark;
    reading->status = ss_mark_unpack(record->value, &mark, reading->err);
    if (reading->status != SS_OK)
        return false;
    if (!reading->to) {
        reading->fold->result->mark_offset = record->offset;
        return true;
    }
    if (record->offset < reading->to->offset)
        return true;
    reading->proven = true;
    /* A restore under way saves between marks, and before the first one it knows no incarnation. */
    static const uint8_t unknown[SS_INCARNATION_SIZE];
    if (memcmp(reading->to->incarnation, unknown, sizeof unknown) != 0 &&
        memcmp(mark.incarnation, reading->to->incarnation, SS_INCARNATION_SIZE) != 0)
        reading->end = SS_FOLD_OTHER_INCARNATION;
    return false;
}

/* false: the table is full. */
static bool put(struct ss_fold *fold, const struct ss_kafka_record *record)
{
    uint64_t hash = ss_state_hash(record->key);
    if (!ss_fold_wants(fold, hash))
        return true;
    struct ss_state_entry *entry = ss_state_table_find(fold->table, hash, record->key);
    bool erased = record->value.size == 0;
    uint32_t key_id = ss_seal_key_id(record->value);
    if (!erased)
        ss_verify_count_key(&fold->keys, key_id, 0, 1);
    if (!entry && erased)
        return true;
    if (!entry)
        entry = ss_state_table_add(fold->table, hash, record->key);
    if (!entry)
        return false;
    entry->offset = record->offset;
    entry->digest = ss_state_hash(record->value);
    entry->key_id = key_id;
    entry->flags = erased ? entry->flags & ~(uint32_t)IN_LOG : entry->flags | IN_LOG;
    if (fold->scanned)
        entry->flags |= TOUCHED;
    return true;
}

static bool on_record(void *arg, const struct ss_kafka_record *record)
{
    struct reading *reading = arg;
    struct ss_fold *fold = reading->fold;
    fold->result->records++;
    if (++fold->records % PROGRESS_RECORDS == 0)
        ss_fold_progress(fold);
    if (ss_bytes_equal(record->key, ss_mark_key)) {
        bool more = on_mark(reading, record);
        if (more)
            fold->next = record->offset + 1;
        return more;
    }
    if (reading->to && record->offset > reading->to->offset)
        return true; /* only the next mark is of interest */
    if (record->key.size < 1 || record->key.size > SS_FRIENDS_KEY_MAX) {
        reading->status =
            ss_fail(reading->err, SS_STOP, "changelog partition %d offset %lld is no user's record",
                    record->partition, (long long)record->offset);
        return false;
    }
    if (!put(fold, record)) {
        reading->end = SS_FOLD_FULL;
        return false;
    }
    fold->next = record->offset + 1;
    return true;
}

enum ss_status ss_fold_to(struct ss_fold *fold, const struct ss_checkpoint *checkpoint,
                          enum ss_fold_end *end, struct ss_error *err)
{
    struct ss_state_log *log = fold->options->log;
    const int32_t partition = fold->result->partition;
    const int64_t deadline = ss_clock_steady_ms() + fold->options->settle_ms;
    struct reading reading = {.fold = fold, .to = checkpoint, .err = err};
    enum ss_status status = SS_OK;
    *end = SS_FOLD_UNKNOWN_MARK;
    if (checkpoint && fold->next == 0) {
        int64_t low, high;
        status = log->ops->ends(log, partition, &low, &high, err);
        if (status != SS_OK || checkpoint->offset < low || checkpoint->offset >= high)
            return status;
    }
    for (;;) {
        status = log->ops->read(log, partition, fold->next, on_record, &reading, err);
        if (status == SS_OK)
            status = reading.status;
        if (status != SS_OK || reading.end != SS_FOLD_DONE || reading.proven || !checkpoint)
            break;
        /* A commit is answered before its markers are written everywhere. */
        if (ss_clock_steady_ms() >= deadline) {
            reading.end = SS_FOLD_UNKNOWN_MARK;
            break;
        }
        ss_fold_pause();
    }
    if (checkpoint && reading.proven)
        fold->next = checkpoint->offset + 1;
    *end = reading.end;
    return status;
}

static bool on_later_record(void *arg, const struct ss_kafka_record *record)
{
    struct ss_fold *fold = arg;
    uint64_t hash = ss_state_hash(record->key);
    struct ss_state_entry *entry = ss_state_table_find(fold->table, hash, record->key);
    if (entry)
        entry->flags |= OVERTAKEN;
    fold->result->records++;
    return true;
}

enum ss_status ss_fold_look_ahead(struct ss_fold *fold, struct ss_error *err)
{
    struct ss_state_log *log = fold->options->log;
    for (size_t i = 0; i < ss_state_table_count(fold->table); i++)
        ss_state_table_at(fold->table, i)->flags &= ~(uint32_t)OVERTAKEN;
    return log->ops->read(log, fold->result->partition, fold->next, on_later_record, fold, err);
}
