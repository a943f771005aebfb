#include "helper_state_log.h"

#include "state/memory_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct ss_bytes text_bytes(const char *text)
{
    return (struct ss_bytes){text, strlen(text)};
}

static enum ss_status read_log(struct ss_state_log *log, int32_t partition, int64_t from,
                               ss_state_log_sink *sink, void *arg, struct ss_error *err)
{
    struct engine *engine = (struct engine *)log;
    (void)err;
    cr_assert_eq(partition, LOG_PARTITION);
    engine->reads++;
    size_t end = engine->record_count - (size_t)engine->hidden;
    engine->hidden = 0; /* visible to the next reader */
    for (size_t i = 0; i < end; i++) {
        const struct log_record *at = &engine->records[i];
        uint8_t mark[SS_MARK_PACKED_MAX];
        struct ss_kafka_record record = {.partition = partition, .offset = at->offset};
        if (at->offset < from)
            continue;
        record.key = at->mark ? ss_mark_key : text_bytes(at->key);
        if (at->mark) {
            struct ss_mark content = {.partition_count = LOG_PARTITIONS, .model_version = "m"};
            memset(content.incarnation, at->incarnation, sizeof content.incarnation);
            record.value = (struct ss_bytes){mark, ss_mark_pack(&content, mark)};
        } else if (!at->tombstone) {
            record.value = text_bytes(at->value);
        }
        if (!sink(arg, &record))
            break;
    }
    return SS_OK;
}

static enum ss_status log_ends(struct ss_state_log *log, int32_t partition, int64_t *low,
                               int64_t *high, struct ss_error *err)
{
    (void)partition;
    (void)err;
    *low = 0;
    *high = ((struct engine *)log)->next_offset;
    return SS_OK;
}

static const struct ss_state_log_ops ops = {.read = read_log, .ends = log_ends};

struct engine *engine_open(void)
{
    struct ss_error err;
    struct engine *engine = calloc(1, sizeof *engine);
    cr_assert(engine);
    engine->log.ops = &ops;
    engine->log.partition_count = LOG_PARTITIONS;
    strcpy(engine->log.cluster_id, "cluster");
    engine->incarnation = 7;
    cr_assert_eq(ss_memory_open(&engine->store, &err), SS_OK);
    return engine;
}

void engine_close(struct engine *engine)
{
    engine->store->ops->close(engine->store);
    free(engine);
}

static struct log_record *append(struct engine *engine)
{
    cr_assert_lt(engine->record_count, LOG_RECORDS_MAX);
    struct log_record *record = &engine->records[engine->record_count++];
    memset(record, 0, sizeof *record);
    record->offset = engine->next_offset++;
    record->incarnation = engine->incarnation;
    return record;
}

static void append_mark(struct engine *engine)
{
    append(engine)->mark = true;
    engine->next_offset++; /* the transaction's marker */
}

void engine_commit(struct engine *engine, const char *user, const char *state)
{
    struct log_record *record = append(engine);
    strcpy(record->key, user);
    record->tombstone = !state;
    if (state)
        strcpy(record->value, state);
    append_mark(engine);
}

void engine_commit_many(struct engine *engine, int count)
{
    for (int i = 0; i < count; i++) {
        struct log_record *record = append(engine);
        snprintf(record->key, sizeof record->key, "u%d", i);
        snprintf(record->value, sizeof record->value, "s%d", i);
    }
    append_mark(engine);
}

void engine_save(struct engine *engine)
{
    struct ss_put *puts = calloc(engine->record_count, sizeof *puts);
    struct ss_checkpoint next = {.partition_count = LOG_PARTITIONS, .cluster_id = "cluster"};
    struct ss_error err;
    size_t count = 0;
    cr_assert(puts);
    for (size_t i = 0; i < engine->record_count; i++) {
        const struct log_record *record = &engine->records[i];
        if (record->mark) {
            next.offset = record->offset;
            memset(next.incarnation, record->incarnation, SS_INCARNATION_SIZE);
            continue;
        }
        if (record->offset <= (engine->saved_any ? engine->saved.offset : -1))
            continue;
        size_t at = 0;
        while (count < 500 && at < count &&
               !ss_bytes_equal(puts[at].user_id, text_bytes(record->key)))
            at++;
        if (count >= 500) /* of engine_commit_many, which names nobody twice */
            at = count;
        puts[at].user_id = text_bytes(record->key);
        puts[at].packed = record->tombstone ? (struct ss_bytes){0} : text_bytes(record->value);
        count += at == count;
    }
    cr_assert_eq(engine->store->ops->save(engine->store, LOG_PARTITION,
                                          engine->saved_any ? &engine->saved : NULL, &next, puts,
                                          count, &err),
                 SS_OK, "%s", err.detail);
    free(puts);
    engine->saved = next;
    engine->saved_any = true;
}

void engine_compact(struct engine *engine, int64_t from)
{
    size_t kept = 0;
    for (size_t i = 0; i < engine->record_count; i++) {
        const struct log_record *record = &engine->records[i];
        bool newer = false;
        for (size_t k = i + 1; k < engine->record_count && !newer && record->offset < from; k++)
            newer = record->mark == engine->records[k].mark &&
                    strcmp(record->key, engine->records[k].key) == 0;
        if (!newer)
            engine->records[kept++] = *record;
    }
    engine->record_count = kept;
}

void set_checkpoint(struct engine *engine, const struct ss_checkpoint *checkpoint)
{
    struct ss_error err;
    cr_assert_eq(engine->store->ops->save(engine->store, LOG_PARTITION,
                                          engine->saved_any ? &engine->saved : NULL, checkpoint,
                                          NULL, 0, &err),
                 SS_OK, "%s", err.detail);
    engine->saved = *checkpoint;
    engine->saved_any = true;
}

void tamper(struct engine *engine, const char *user, const char *state)
{
    const struct ss_checkpoint own = engine->saved;
    struct ss_checkpoint other = own;
    struct ss_put put = {text_bytes(user), state ? text_bytes(state) : (struct ss_bytes){0},
                         SS_WAKE_NEVER};
    struct ss_store *store = engine->store;
    struct ss_error err;
    other.broker_time_ms++;
    cr_assert_eq(store->ops->save(store, LOG_PARTITION, &own, &other, &put, 1, &err), SS_OK);
    cr_assert_eq(store->ops->save(store, LOG_PARTITION, &other, &own, NULL, 0, &err), SS_OK);
}
