#include "audit/explain_history.h"

#include "audit/event_texts.h"
#include "audit/room.h"
#include "base/clock.h"
#include "consumer/partitioner.h"

#include <stdlib.h>

struct ss_history_block {
    struct ss_history_block *next;
    char bytes[];
};

enum ss_status ss_history_init(struct ss_history *history, const char *user_id,
                               struct ss_error *err)
{
    size_t size = strlen(user_id);
    memset(history, 0, sizeof *history);
    if (size == 0 || size > SS_USER_ID_MAX)
        return ss_fail(err, SS_DROP, "a user id has 1 to %d bytes", SS_USER_ID_MAX);
    memcpy(history->user_id, user_id, size + 1);
    history->user_id_size = size;
    history->source = "files";
    return SS_OK;
}

void ss_history_reset(struct ss_history *history)
{
    while (history->blocks) {
        struct ss_history_block *next = history->blocks->next;
        free(history->blocks);
        history->blocks = next;
    }
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        free(history->inputs[i].events);
    free(history->records);
    memset(history, 0, sizeof *history);
}

static enum ss_status no_memory(struct ss_error *err)
{
    return ss_fail(err, SS_STOP, "out of memory");
}

/* ---- copies ---- */

static const char *copy_bytes(struct ss_history *history, const void *data, size_t size)
{
    struct ss_history_block *block = malloc(sizeof *block + size + 1);
    if (!block)
        return NULL;
    if (size)
        memcpy(block->bytes, data, size);
    block->bytes[size] = '\0';
    block->next = history->blocks;
    history->blocks = block;
    return block->bytes;
}

enum ss_status ss_history_add_event(struct ss_history *history, int64_t offset,
                                    int64_t timestamp_ms, const struct ss_event *event,
                                    struct ss_error *err)
{
    struct ss_history_log *log = &history->inputs[event->input];
    if (log->count == SS_HISTORY_MAX)
        return ss_fail(err, SS_STOP, "the user has more than %d events of %s", SS_HISTORY_MAX,
                       ss_input_name(event->input));
    if (!ss_make_room(&log->events, log->count, &log->capacity, sizeof log->events[0]))
        return no_memory(err);
    struct ss_history_event *kept = &log->events[log->count];
    *kept =
        (struct ss_history_event){.offset = offset, .timestamp_ms = timestamp_ms, .event = *event};
    struct ss_text *texts[SS_EVENT_TEXTS_MAX];
    size_t count = ss_event_texts(&kept->event, texts);
    for (size_t i = 0; i < count; i++)
        if (!(texts[i]->data = copy_bytes(history, texts[i]->data, texts[i]->size)))
            return no_memory(err);
    log->count++;
    return SS_OK;
}

enum ss_status ss_history_add_record(struct ss_history *history, int64_t offset,
                                     struct ss_bytes body, struct ss_error *err)
{
    if (history->record_count == SS_HISTORY_MAX)
        return ss_fail(err, SS_STOP, "the user has more than %d score records", SS_HISTORY_MAX);
    if (!ss_make_room(&history->records, history->record_count, &history->record_capacity,
                      sizeof history->records[0]))
        return no_memory(err);
    struct ss_history_record *record = &history->records[history->record_count];
    const char *copy = copy_bytes(history, body.data, body.size);
    if (!copy)
        return no_memory(err);
    record->offset = offset;
    enum ss_status status =
        ss_score_view_decode((struct ss_bytes){copy, body.size}, &record->view, err);
    if (status == SS_OK)
        history->record_count++;
    return status;
}

/* ---- from a source ---- */

/* Whether to ask again: nothing came, but there is time left. */
static bool wait_on(const struct ss_history_reading *reading, enum ss_status status,
                    int64_t silent_since_ms)
{
    bool stopped = reading->stop && atomic_load(reading->stop);
    return status == SS_RETRY && !stopped &&
           ss_clock_steady_ms() - silent_since_ms < reading->patience_ms;
}

static enum ss_status read_input(struct ss_history *history,
                                 const struct ss_history_reading *reading, struct ss_puller *puller,
                                 enum ss_input input, struct ss_error *err)
{
    struct ss_source_batch batch;
    int64_t since_ms = ss_clock_steady_ms();
    if (reading->progress)
        reading->progress(reading->arg, ss_input_name(input));
    for (;;) {
        enum ss_status status = ss_puller_next(puller, input, &batch, err);
        if (wait_on(reading, status, since_ms))
            continue;
        if (status != SS_OK || batch.count == 0)
            return status;
        since_ms = ss_clock_steady_ms();
        if (reading->stop && atomic_load(reading->stop))
            return ss_fail(err, SS_STOP, "interrupted");
        for (size_t i = 0; status == SS_OK && i < batch.count; i++)
            if (!batch.events[i].reject)
                status =
                    ss_history_add_event(history, batch.events[i].offset,
                                         batch.events[i].timestamp_ms, &batch.events[i].event, err);
        if (status != SS_OK)
            return status;
    }
}

static bool is_of(const struct ss_history *history, struct ss_bytes body)
{
    struct ss_score_view view;
    return ss_score_view_decode(body, &view, NULL) == SS_OK &&
           view.user_id.size == history->user_id_size &&
           memcmp(view.user_id.data, history->user_id, view.user_id.size) == 0;
}

static enum ss_status read_scores(struct ss_history *history,
                                  const struct ss_history_reading *reading,
                                  struct ss_published_log *log, struct ss_error *err)
{
    struct ss_published_batch batch;
    int64_t since_ms = ss_clock_steady_ms();
    if (reading->progress)
        reading->progress(reading->arg, ss_output_name(SS_SCORES));
    for (;;) {
        enum ss_status status = ss_published_next(log, &batch, err);
        if (wait_on(reading, status, since_ms))
            continue;
        if (status != SS_OK || batch.count == 0)
            return status;
        since_ms = ss_clock_steady_ms();
        if (reading->stop && atomic_load(reading->stop))
            return ss_fail(err, SS_STOP, "interrupted");
        for (size_t i = 0; status == SS_OK && i < batch.count; i++) {
            const struct ss_published_record *record = &batch.records[i];
            if (record->body.data && is_of(history, record->body))
                status = ss_history_add_record(history, record->offset, record->body, err);
        }
        if (status != SS_OK)
            return status;
    }
}

static enum ss_status read_partition(struct ss_history *history,
                                     const struct ss_history_reading *reading,
                                     const struct ss_source_users *users, bool *scores,
                                     struct ss_error *err)
{
    struct ss_puller_config config = {.partition = history->partition, .users = users};
    struct ss_published_config published = {
        .output = SS_SCORES, .partition = history->partition, .users = users};
    struct ss_puller *puller = NULL;
    struct ss_published_log *log = NULL;
    enum ss_status status = ss_puller_open(reading->source, &config, &puller, err);
    for (int i = 0; status == SS_OK && i < SS_INPUT_COUNT; i++)
        status = read_input(history, reading, puller, (enum ss_input)i, err);
    ss_puller_close(puller);
    if (status != SS_OK)
        return status;
    status = ss_published_open(reading->source, &published, &log, NULL, err);
    *scores = status == SS_OK;
    if (status == SS_STOP && ss_source_kind(reading->source) != SS_SOURCE_KAFKA)
        return SS_OK; /* files of the inputs alone */
    if (status == SS_OK)
        status = read_scores(history, reading, log, err);
    ss_published_close(log);
    return status;
}

static bool is_empty(const struct ss_history *history)
{
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (history->inputs[i].count)
            return false;
    return history->record_count == 0;
}

enum ss_status ss_history_read(struct ss_history *history, const struct ss_history_reading *reading,
                               bool *scores, struct ss_error *err)
{
    enum ss_source_kind kind = ss_source_kind(reading->source);
    int32_t count = ss_source_partition_count(reading->source);
    struct ss_bytes id = {history->user_id, history->user_id_size};
    int32_t home = kind == SS_SOURCE_PLAIN || count < 2 ? 0 : ss_partition_of(id, count);
    struct ss_source_users *users = ss_source_users_open();
    if (!users)
        return no_memory(err);
    enum ss_status status = ss_source_users_add(users, id, err);
    history->source = ss_source_kind_name(kind);
    history->partition = home;
    if (status == SS_OK)
        status = read_partition(history, reading, users, scores, err);
    for (int32_t p = 0; reading->partitions_unsure && p < count; p++) {
        if (status != SS_OK || !is_empty(history))
            break;
        history->partition = p;
        if (p != home)
            status = read_partition(history, reading, users, scores, err);
    }
    if (is_empty(history))
        history->partition = home;
    history->published = *scores;
    ss_source_users_close(users);
    return status;
}

/* ---- looking things up ---- */

const struct ss_history_event *ss_history_find(const struct ss_history *history,
                                               enum ss_input input, int64_t offset)
{
    const struct ss_history_log *log = &history->inputs[input];
    size_t from = 0, to = log->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (log->events[middle].offset < offset)
            from = middle + 1;
        else
            to = middle;
    }
    return from < log->count && log->events[from].offset == offset ? &log->events[from] : NULL;
}

enum ss_input ss_history_input_of(struct ss_text topic)
{
    int input = 0;
    for (; input < SS_INPUT_COUNT; input++) {
        const char *name = ss_input_name((enum ss_input)input);
        if (strlen(name) == topic.size && memcmp(name, topic.data, topic.size) == 0)
            break;
    }
    return (enum ss_input)input;
}
