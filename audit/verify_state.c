#include "audit/verify_state.h"

#include "audit/verify_fold.h"
#include "base/clock.h"
#include "state/pack_friends.h"

#include <stdlib.h>

enum { LOAD_USERS = 1024, LOAD_TRIES = 200, ROUNDS = 5, BITS_MAX = 16 };

/* How a pass ended. */
enum pass_end {
    PASS_DONE,
    PASS_FULL,  /* it needs to be two */
    PASS_AGAIN, /* the checkpoint has vanished, or gone back: begin it once more */
};

struct pass {
    struct ss_fold fold;
    struct ss_checkpoint checkpoint; /* at which the pass began */
    bool full;
    bool strays_again; /* this pass is the repetition that confirms them */
    size_t suspects;
};

static struct ss_store *store_of(const struct pass *pass)
{
    return pass->fold.options->store;
}

/* --- the checkpoint --- */

static enum ss_verify_checkpoint judge(const struct pass *pass,
                                       const struct ss_checkpoint *checkpoint)
{
    const struct ss_state_log *log = pass->fold.options->log;
    if (strcmp(checkpoint->cluster_id, log->cluster_id) != 0)
        return SS_VERIFY_OTHER_CLUSTER;
    if (checkpoint->partition_count != log->partition_count)
        return SS_VERIFY_OTHER_PARTITION_COUNT;
    return SS_VERIFY_USABLE;
}

/* An engine that has just lost its Redis brings the checkpoint back: given a moment. */
static enum ss_status await_checkpoint(struct pass *pass, bool *found, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + pass->fold.options->settle_ms;
    struct ss_store *store = store_of(pass);
    for (;;) {
        enum ss_status status = store->ops->checkpoint(store, pass->fold.result->partition,
                                                       &pass->checkpoint, found, err);
        if (status != SS_OK || *found || ss_clock_steady_ms() >= deadline)
            return status;
        ss_fold_pause();
    }
}

static bool same_log(const struct ss_checkpoint *a, const struct ss_checkpoint *b)
{
    return strcmp(a->cluster_id, b->cluster_id) == 0 && a->partition_count == b->partition_count &&
           memcmp(a->incarnation, b->incarnation, SS_INCARNATION_SIZE) == 0;
}

/* --- step 1 --- */

static void on_scanned(void *arg, struct ss_bytes id, struct ss_bytes packed)
{
    struct pass *pass = arg;
    struct ss_fold *fold = &pass->fold;
    uint64_t hash = ss_state_hash(id);
    if (!ss_fold_wants(fold, hash) || pass->full)
        return;
    fold->states++;
    if (id.size < 1 || id.size > SS_FRIENDS_KEY_MAX) { /* nobody's */
        fold->result->states++;
        fold->result->extra++;
        return;
    }
    struct ss_state_entry *entry = ss_state_table_find(fold->table, hash, id);
    if (!entry) {
        entry = ss_state_table_add(fold->table, hash, id);
        pass->full = !entry;
        if (!entry)
            return;
        entry->offset = -1;
    }
    if (entry->flags & SEEN) /* and no user has two places */
        entry->flags |= STRAY;
    else if (!(entry->flags & IN_LOG) || entry->digest != ss_state_hash(packed))
        entry->flags |= SUSPECT;
    entry->flags |= SEEN;
}

static enum ss_status compare_scan(struct pass *pass, struct ss_error *err)
{
    struct ss_store *store = store_of(pass);
    struct ss_state_table *table = pass->fold.table;
    pass->fold.scanned = true;
    enum ss_status status =
        store->ops->scan(store, pass->fold.result->partition, on_scanned, pass, err);
    ss_fold_progress(&pass->fold);
    for (size_t i = 0; i < ss_state_table_count(table); i++) {
        struct ss_state_entry *entry = ss_state_table_at(table, i);
        if (!(entry->flags & (IN_LOG | SEEN)))
            continue; /* erased, on both sides */
        entry->flags |= COMPARED;
        if (!(entry->flags & SEEN))
            entry->flags |= SUSPECT;
        pass->suspects += (entry->flags & SUSPECT) != 0;
    }
    return status;
}

/* --- step 2 --- */

struct batch {
    struct ss_state_entry *entries[LOAD_USERS];
    struct ss_bytes ids[LOAD_USERS];
    uint64_t digests[LOAD_USERS];
    bool stored[LOAD_USERS];
    size_t count;
};

static void on_loaded(void *arg, size_t i, struct ss_bytes packed)
{
    struct batch *batch = arg;
    batch->stored[i] = packed.size > 0;
    batch->digests[i] = ss_state_hash(packed);
}

/* Reads the batch at whatever checkpoint there is now. */
static enum ss_status load(struct pass *pass, struct batch *batch, struct ss_checkpoint *at,
                           enum pass_end *end, struct ss_error *err)
{
    struct ss_store *store = store_of(pass);
    const int32_t partition = pass->fold.result->partition;
    for (int try = 0; try < LOAD_TRIES; try++) {
        bool found;
        enum ss_status status = store->ops->checkpoint(store, partition, at, &found, err);
        if (status != SS_OK)
            return status;
        if (!found || !same_log(at, &pass->checkpoint) || at->offset + 1 < pass->fold.next) {
            *end = PASS_AGAIN;
            return SS_OK;
        }
        status =
            store->ops->load(store, partition, at, batch->ids, batch->count, on_loaded, batch, err);
        if (status != SS_GIVE_UP)
            return status;
    }
    return ss_fail(err, SS_RETRY, "partition %d: the store's checkpoint moved on %d times in a row",
                   partition, LOAD_TRIES);
}

static void settle_entry(struct ss_state_entry *entry, bool stored, uint64_t digest)
{
    bool in_log = entry->flags & IN_LOG;
    entry->flags = stored ? entry->flags | STORED : entry->flags & ~(uint32_t)STORED;
    if (in_log != stored || (in_log && entry->digest != digest))
        return;
    entry->flags &= ~(uint32_t)SUSPECT;
    /* It reads right, and no record came since: what the scan found lies where no reader looks. */
    if ((entry->flags & SEEN) && !(entry->flags & TOUCHED))
        entry->flags |= STRAY;
}

static enum ss_status recheck_batch(struct pass *pass, struct batch *batch, enum pass_end *end,
                                    struct ss_error *err)
{
    struct ss_checkpoint at;
    enum ss_fold_end fold_end = SS_FOLD_DONE;
    enum ss_status status = load(pass, batch, &at, end, err);
    if (status == SS_OK && *end == PASS_DONE && at.offset >= pass->fold.next)
        status = ss_fold_to(&pass->fold, &at, &fold_end, err);
    if (status != SS_OK || *end != PASS_DONE)
        return status;
    if (fold_end != SS_FOLD_DONE) {
        *end = fold_end == SS_FOLD_FULL ? PASS_FULL : PASS_AGAIN;
        return SS_OK;
    }
    pass->fold.result->rechecked += (int64_t)batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        settle_entry(batch->entries[i], batch->stored[i], batch->digests[i]);
        pass->suspects -= !(batch->entries[i]->flags & SUSPECT);
    }
    return SS_OK;
}

static enum ss_status recheck(struct pass *pass, enum pass_end *end, struct ss_error *err)
{
    struct ss_state_table *table = pass->fold.table;
    struct batch *batch = malloc(sizeof *batch);
    enum ss_status status = SS_OK;
    if (!batch)
        return ss_fail(err, SS_STOP, "out of memory");
    for (size_t i = 0; i < ss_state_table_count(table) && status == SS_OK && *end == PASS_DONE;) {
        for (batch->count = 0; i < ss_state_table_count(table) && batch->count < LOAD_USERS; i++) {
            struct ss_state_entry *entry = ss_state_table_at(table, i);
            if (!(entry->flags & SUSPECT))
                continue;
            batch->ids[batch->count] = ss_state_table_id(table, entry);
            batch->entries[batch->count++] = entry;
        }
        if (batch->count > 0)
            status = recheck_batch(pass, batch, end, err);
    }
    free(batch);
    return status;
}

/* Whether an entry has all of these flags. */
static bool any_flagged(const struct pass *pass, uint32_t flags)
{
    for (size_t i = 0; i < ss_state_table_count(pass->fold.table); i++)
        if ((ss_state_table_at(pass->fold.table, i)->flags & flags) == flags)
            return true;
    return false;
}

/* *moved: the checkpoint names a later mark than the one compared at. */
static enum ss_status await_move(const struct pass *pass, bool *moved, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + pass->fold.options->settle_ms;
    struct ss_store *store = store_of(pass);
    for (*moved = false;;) {
        struct ss_checkpoint at;
        bool found;
        enum ss_status status =
            store->ops->checkpoint(store, pass->fold.result->partition, &at, &found, err);
        *moved = status == SS_OK && (!found || at.offset >= pass->fold.next);
        if (status != SS_OK || *moved || ss_clock_steady_ms() >= deadline)
            return status;
        ss_fold_pause();
    }
}

static enum ss_status settle(struct pass *pass, enum pass_end *end, struct ss_error *err)
{
    const int rounds = pass->fold.options->rounds_max;
    bool moved = true;
    for (int round = 0; round < rounds && moved && pass->suspects > 0; round++) {
        enum ss_status status = recheck(pass, end, err);
        if (status == SS_OK && *end == PASS_DONE)
            status = ss_fold_look_ahead(&pass->fold, err);
        if (status != SS_OK || *end != PASS_DONE || !any_flagged(pass, SUSPECT | OVERTAKEN))
            return status;
        status = await_move(pass, &moved, err);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}

/* --- the report --- */

void ss_verify_count_key(struct ss_verify_keys *keys, uint32_t id, int64_t states, int64_t records)
{
    size_t i = 0;
    while (i < keys->count && i < SS_VERIFY_KEYS_MAX && keys->list[i].id != id)
        i++;
    if (i == SS_VERIFY_KEYS_MAX) /* the last place is theirs */
        id = SS_VERIFY_OTHER_KEYS;
    if (i == keys->count)
        keys->list[keys->count++] = (struct ss_verify_key){.id = id};
    keys->list[i].states += states;
    keys->list[i].records += records;
}

static void report_keys(const struct ss_fold *fold)
{
    struct ss_verify_keys *keys = &fold->result->keys;
    for (size_t i = 0; i < fold->keys.count; i++)
        ss_verify_count_key(keys, fold->keys.list[i].id, 0, fold->keys.list[i].records);
    for (size_t i = 0; i < ss_state_table_count(fold->table); i++) {
        const struct ss_state_entry *entry = ss_state_table_at(fold->table, i);
        if (entry->flags & IN_LOG)
            ss_verify_count_key(keys, entry->key_id, 1, 0);
    }
}

static void report_entry(const struct ss_fold *fold, const struct ss_state_entry *entry)
{
    struct ss_verify_result *result = fold->result;
    struct ss_verify_difference difference = {
        .kind = SS_VERIFY_EXTRA,
        .partition = result->partition,
        .offset = entry->offset,
        .mark_offset = fold->next - 1,
        .user_hash = entry->hash,
        .user_id = ss_state_table_id(fold->table, entry),
    };
    result->states++;
    if (!(entry->flags & (SUSPECT | STRAY))) {
        result->equal++;
        return;
    }
    if (entry->flags & OVERTAKEN) {
        result->undecided++;
        return;
    }
    if ((entry->flags & SUSPECT) && (entry->flags & IN_LOG))
        difference.kind = entry->flags & STORED ? SS_VERIFY_DIFFERING : SS_VERIFY_MISSING_STATE;
    result->differing += difference.kind == SS_VERIFY_DIFFERING;
    result->missing += difference.kind == SS_VERIFY_MISSING_STATE;
    result->extra += difference.kind == SS_VERIFY_EXTRA;
    if (fold->options->difference)
        fold->options->difference(fold->options->arg, &difference);
}

static void report(const struct pass *pass)
{
    const struct ss_fold *fold = &pass->fold;
    for (size_t i = 0; i < ss_state_table_count(fold->table); i++) {
        const struct ss_state_entry *entry = ss_state_table_at(fold->table, i);
        if (entry->flags & COMPARED)
            report_entry(fold, entry);
    }
    fold->result->mark_offset = fold->next - 1;
    report_keys(fold);
}

/* --- passes --- */

static void restart_fold(struct pass *pass)
{
    ss_state_table_reset(pass->fold.table);
    pass->fold.next = 0;
    pass->fold.scanned = false;
    pass->fold.records = pass->fold.states = 0;
    pass->fold.keys.count = 0;
    pass->full = false;
    pass->suspects = 0;
}

/* No state of the store can be used, so all that the log has are missing. */
static enum ss_status count_log(struct pass *pass, enum ss_verify_checkpoint why,
                                enum pass_end *end, struct ss_error *err)
{
    struct ss_verify_result *result = pass->fold.result;
    enum ss_fold_end fold_end;
    restart_fold(pass);
    result->mark_offset = -1;
    enum ss_status status = ss_fold_to(&pass->fold, NULL, &fold_end, err);
    if (status != SS_OK)
        return status;
    if (fold_end == SS_FOLD_FULL) {
        *end = PASS_FULL;
        return SS_OK;
    }
    for (size_t i = 0; i < ss_state_table_count(pass->fold.table); i++)
        if (ss_state_table_at(pass->fold.table, i)->flags & IN_LOG) {
            result->states++;
            result->missing++;
        }
    report_keys(&pass->fold);
    bool empty = why == SS_VERIFY_MISSING && result->mark_offset < 0;
    result->checkpoint = empty ? SS_VERIFY_NONE_NEEDED : why;
    return SS_OK;
}

static enum ss_status compare(struct pass *pass, enum ss_verify_checkpoint *why, enum pass_end *end,
                              struct ss_error *err)
{
    struct ss_verify_result *result = pass->fold.result;
    enum ss_fold_end fold_end;
    const int64_t extra = result->extra, states = result->states;
    restart_fold(pass);
    enum ss_status status = ss_fold_to(&pass->fold, &pass->checkpoint, &fold_end, err);
    if (status != SS_OK)
        return status;
    if (fold_end == SS_FOLD_FULL)
        *end = PASS_FULL;
    else if (fold_end == SS_FOLD_OTHER_INCARNATION)
        *why = SS_VERIFY_OTHER_INCARNATION;
    else if (fold_end == SS_FOLD_UNKNOWN_MARK)
        *why = SS_VERIFY_UNKNOWN_MARK;
    if (fold_end != SS_FOLD_DONE)
        return SS_OK;
    status = compare_scan(pass, err);
    if (status == SS_OK && pass->full)
        *end = PASS_FULL;
    if (status == SS_OK && *end == PASS_DONE)
        status = settle(pass, end, err);
    /* A scan in the middle of a restore sees states that are on their way too. */
    if (status == SS_OK && *end == PASS_DONE && any_flagged(pass, STRAY) && !pass->strays_again) {
        pass->strays_again = true;
        *end = PASS_AGAIN;
    }
    if (*end != PASS_DONE) { /* what on_scanned counted comes again */
        result->extra = extra;
        result->states = states;
    }
    if (status == SS_OK && *end == PASS_DONE)
        report(pass);
    return status;
}

static enum ss_status run_pass(struct pass *pass, enum pass_end *end, struct ss_error *err)
{
    const int rounds = pass->fold.options->rounds_max;
    enum ss_verify_checkpoint why = SS_VERIFY_MISSING;
    pass->strays_again = false;
    for (int round = 0; round < rounds; round++) {
        bool found;
        *end = PASS_DONE;
        enum ss_status status = await_checkpoint(pass, &found, err);
        if (status != SS_OK)
            return status;
        why = found ? judge(pass, &pass->checkpoint) : SS_VERIFY_MISSING;
        if (why == SS_VERIFY_USABLE)
            status = compare(pass, &why, end, err);
        if (status != SS_OK)
            return status;
        if (why != SS_VERIFY_USABLE)
            return count_log(pass, why, end, err);
        if (*end != PASS_AGAIN)
            return SS_OK;
    }
    return ss_fail(err, SS_RETRY,
                   "partition %d: the store's checkpoint vanished or went back %d times while it "
                   "was being compared",
                   pass->fold.result->partition, rounds);
}

enum ss_status ss_verify_partition(const struct ss_verify_options *given, int32_t partition,
                                   struct ss_verify_result *result, struct ss_error *err)
{
    struct ss_verify_options options = *given;
    if (options.rounds_max <= 0)
        options.rounds_max = ROUNDS;
    *result = (struct ss_verify_result){.partition = partition, .mark_offset = -1};
    struct pass pass = {.fold = {.options = &options, .result = result}};
    pass.fold.table = ss_state_table_open(options.memory_bytes_max);
    if (!pass.fold.table)
        return ss_fail(err, SS_STOP, "out of memory for %zu bytes", options.memory_bytes_max);
    enum ss_status status = SS_OK;
    while (status == SS_OK && pass.fold.pass < UINT64_C(1) << pass.fold.bits) {
        enum pass_end end = PASS_DONE;
        status = run_pass(&pass, &end, err);
        result->passes++;
        if (end == PASS_FULL) { /* this range becomes two, and so do all that follow */
            pass.fold.bits++;
            pass.fold.pass *= 2;
        } else {
            pass.fold.pass++;
        }
        if (status == SS_OK && pass.fold.bits > BITS_MAX)
            status =
                ss_fail(err, SS_STOP, "partition %d has too many users for %zu bytes of memory",
                        partition, options.memory_bytes_max);
    }
    ss_state_table_close(pass.fold.table);
    return status;
}

int64_t ss_verify_differences(const struct ss_verify_result *result)
{
    bool unusable =
        result->checkpoint != SS_VERIFY_USABLE && result->checkpoint != SS_VERIFY_NONE_NEEDED;
    return result->differing + result->missing + result->extra + unusable;
}

const char *ss_verify_checkpoint_text(enum ss_verify_checkpoint checkpoint)
{
    static const char *const texts[SS_VERIFY_CHECKPOINT_COUNT] = {
        [SS_VERIFY_USABLE] = "usable",
        [SS_VERIFY_NONE_NEEDED] = "none, and none needed",
        [SS_VERIFY_MISSING] = "missing",
        [SS_VERIFY_OTHER_CLUSTER] = "of another Kafka cluster",
        [SS_VERIFY_OTHER_PARTITION_COUNT] = "of another partition count",
        [SS_VERIFY_OTHER_INCARNATION] = "of another changelog",
        [SS_VERIFY_UNKNOWN_MARK] = "naming a mark that the changelog does not have",
    };
    return texts[checkpoint];
}
