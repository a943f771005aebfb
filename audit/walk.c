#include "audit/walk.h"

#include "scoring/apply.h"

#include <stdlib.h>

enum {
    FETCH = 3, /* how many events beforehand one is fetched */
    LINE = 64,
    BODY_MAX = 1 << 20
};

const char *ss_stray_text(enum ss_stray stray)
{
    static const char *const texts[] = {
        [SS_STRAY_NOT] = "in its place",
        [SS_STRAY_UNREADABLE] = "it cannot be read as a score record",
        [SS_STRAY_KEY] = "it stands under another user's key",
        [SS_STRAY_BACK] = "its positions go back behind those of the record before it",
        [SS_STRAY_AHEAD] = "its positions are ahead of those of the records that follow it",
        [SS_STRAY_BEYOND] = "its positions lie beyond the end of an input",
        [SS_STRAY_CAUSE] = "its cause is not the last record that its positions say was read",
        [SS_STRAY_CLOCK] = "its clock is later than as_of, or than the next records' clocks",
    };
    return texts[stray];
}

void ss_walk_init(struct ss_walk *walk)
{
    memset(walk, 0, sizeof *walk);
    for (int i = 0; i < SS_WALK_AHEAD; i++) {
        walk->at[i] = &walk->records[i];
        ss_buffer_init(&walk->bodies[i], BODY_MAX);
    }
}

void ss_walk_reset(struct ss_walk *walk)
{
    for (int i = 0; i < SS_WALK_AHEAD; i++)
        ss_buffer_reset(&walk->bodies[i]);
    memset(walk, 0, sizeof *walk);
}

/* --- the records --- */

/* False: it is no score record. */
static bool view_of(const struct ss_published_record *published, struct ss_score_view *view)
{
    struct ss_error ignored;
    if (published->view)
        ss_score_view_copy(view, published->view);
    else if (!published->body.data || published->reject ||
             ss_score_view_skim(published->body, view, &ignored) != SS_OK)
        return false;
    return view->user_id.size > 0 && view->user_id.size <= SS_USER_ID_MAX;
}

/* Borrows it from the batch in hand. */
static void keep(struct ss_walk *walk, const struct ss_published_record *published)
{
    struct ss_walk_record *record = walk->at[walk->ahead];
    record->offset = published->offset;
    record->timestamp_ms = published->timestamp_ms;
    record->stray = SS_STRAY_NOT;
    record->body = published->body;
    if (!view_of(published, &record->view)) {
        record->stray = SS_STRAY_UNREADABLE;
        memset(&record->view, 0, sizeof record->view);
    } else if (published->key.data &&
               !ss_bytes_equal(published->key, (struct ss_bytes){record->view.user_id.data,
                                                                 record->view.user_id.size})) {
        record->stray = SS_STRAY_KEY;
    }
    record->cause_input = ss_cause_view_input(&record->view.cause);
    record->hash = 0;
    if (record->stray != SS_STRAY_UNREADABLE) {
        record->hash = ss_user_hash(record->view.user_id);
        if (walk->users)
            ss_user_table_prefetch(walk->users, record->hash);
    }
    walk->ahead++;
}

/* Copies what is in hand, since the next batch takes away what it was borrowed from. */
static enum ss_status own_records(struct ss_walk *walk, struct ss_error *err)
{
    for (int i = 0; i < walk->ahead; i++) {
        struct ss_walk_record *record = walk->at[i];
        struct ss_buffer *body = &walk->bodies[record - walk->records];
        if (!record->body.data || record->body.data == body->data)
            continue;
        body->size = 0;
        if (!ss_buffer_append(body, record->body.data, record->body.size))
            return ss_fail(err, SS_STOP, "a score record of %zu bytes at offset %lld",
                           record->body.size, (long long)record->offset);
        if (record->stray != SS_STRAY_UNREADABLE)
            ss_score_view_move(&record->view, record->body.data, body->data);
        record->body = (struct ss_bytes){body->data, body->size};
    }
    return SS_OK;
}

static enum ss_status look_ahead(struct ss_walk *walk, struct ss_error *err)
{
    while (walk->ahead < SS_WALK_AHEAD && !walk->no_more_records) {
        if (walk->batch_at == walk->batch.count) {
            enum ss_status status = own_records(walk, err);
            if (status == SS_OK)
                status = walk->feed->published(walk->feed->arg, SS_SCORES, &walk->batch, err);
            if (status != SS_OK)
                return status;
            walk->batch_at = 0;
            walk->no_more_records = walk->batch.count == 0;
            continue;
        }
        keep(walk, &walk->batch.records[walk->batch_at++]);
    }
    return SS_OK;
}

static void drop_record(struct ss_walk *walk)
{
    struct ss_walk_record *done = walk->at[0];
    for (int i = 1; i < SS_WALK_AHEAD; i++)
        walk->at[i - 1] = walk->at[i];
    walk->at[SS_WALK_AHEAD - 1] = done;
    walk->ahead--;
    if (walk->users && walk->ahead > 1)
        ss_user_table_prefetch_block(walk->users, walk->at[1]->hash);
}

/* Bit i of each: a is there in input i to b. */
struct place {
    uint32_t beyond, behind;
};

/* Asked twice a record: without a loop and its branches. */
static inline struct place place_of(const int64_t a[SS_INPUT_COUNT],
                                    const int64_t b[SS_INPUT_COUNT])
{
    struct place place = {0, 0};
#define BIT(i)                                      \
    place.beyond |= (uint32_t)(a[i] > b[i]) << (i); \
    place.behind |= (uint32_t)(a[i] < b[i]) << (i)
    _Static_assert(SS_INPUT_COUNT == 8, "a bit for each");
    BIT(0);
    BIT(1);
    BIT(2);
    BIT(3);
    BIT(4);
    BIT(5);
    BIT(6);
    BIT(7);
#undef BIT
    return place;
}

/* Beyond all of the next records that do not lie behind what has been walked over, and there is
 * one. The record itself does not lie behind that either. */
static bool ahead_of_next(const struct ss_walk *walk, struct place to_next)
{
    int before = 0;
    for (int i = 1; i < walk->ahead; i++) {
        const struct ss_walk_record *next = walk->at[i];
        if (next->stray)
            continue;
        if (i > 1)
            to_next = place_of(walk->target, next->view.positions);
        if (!to_next.beyond)
            return false;
        before += !place_of(walk->position, next->view.positions).beyond;
    }
    return before > 0;
}

static bool clock_ahead_of_next(const struct ss_walk *walk)
{
    const struct ss_score_view *view = &walk->at[0]->view;
    int ahead = 0;
    if (view->clock_ms > view->as_of_ms)
        return true;
    for (int i = 1; i < walk->ahead; i++) {
        const struct ss_walk_record *next = walk->at[i];
        if (next->stray || !ss_clock_exact(&next->view) || next->view.clock_ms < walk->high_ms)
            continue;
        if (next->view.clock_ms >= view->clock_ms)
            return false;
        ahead++;
    }
    return ahead > 0;
}

/* Where its target lies to what has been walked over, and to the next record. */
static enum ss_stray judge(const struct ss_walk *walk, struct place to_walked, struct place to_next)
{
    const struct ss_walk_record *record = walk->at[0];
    const struct ss_score_view *view = &record->view;
    if (record->stray)
        return record->stray;
    if (to_walked.behind)
        return SS_STRAY_BACK;
    if (view->cause.known) {
        enum ss_input input = record->cause_input;
        if (input == SS_INPUT_COUNT || view->cause.offset + 1 != view->positions[input])
            return SS_STRAY_CAUSE;
        if (view->cause.offset < walk->position[input] && view->cause.offset >= walk->start[input])
            return SS_STRAY_BACK;
    }
    if (ahead_of_next(walk, to_next))
        return SS_STRAY_AHEAD;
    return clock_ahead_of_next(walk) ? SS_STRAY_CLOCK : SS_STRAY_NOT;
}

/* --- the inputs --- */

/* Bit i: input i can be read. */
static uint32_t present(const struct ss_walk *walk)
{
    return ((UINT32_C(1) << SS_INPUT_COUNT) - 1) &
           ~((uint32_t)walk->without_neighbours << SS_NEIGHBOURS);
}

static enum ss_status peek_far(struct ss_walk *walk, enum ss_input which,
                               const struct ss_source_event **event, struct ss_error *err)
{
    struct ss_walk_input *input = &walk->inputs[which];
    *event = NULL;
    for (;;) {
        while (input->at < input->batch.count) {
            const struct ss_source_event *next = &input->batch.events[input->at];
            if (!next->reject) {
                *event = next;
                return SS_OK;
            }
            input->next = next->offset + 1;
            input->events++;
            input->at++;
        }
        if (input->ended)
            return SS_OK;
        enum ss_status status = walk->feed->events(walk->feed->arg, which, &input->batch, err);
        if (status != SS_OK)
            return status;
        input->at = 0;
        if (input->batch.next_offset > input->next)
            input->next = input->batch.next_offset;
        input->ended = input->batch.count == 0;
    }
}

/* The next event of an input that is no dead letter; NULL at its end. */
static inline enum ss_status peek(struct ss_walk *walk, enum ss_input which,
                                  const struct ss_source_event **event, struct ss_error *err)
{
    const struct ss_walk_input *input = &walk->inputs[which];
    if (input->at == input->batch.count || input->batch.events[input->at].reject)
        return peek_far(walk, which, event, err);
    *event = &input->batch.events[input->at];
    return SS_OK;
}

static void take(struct ss_walk *walk, enum ss_input which, const struct ss_source_event *event)
{
    struct ss_walk_input *input = &walk->inputs[which];
    walk->input = which;
    walk->event = event;
    if (input->at + FETCH < input->batch.count)
        for (size_t line = 0; line < sizeof *event; line += LINE)
            __builtin_prefetch((const char *)(event + FETCH) + line);
    input->at++;
    input->events++;
}

/* Has the users of the next record's silent events fetched; its cause is of the record's own user,
 * who is fetched anyway. Where offsets have gaps it may miss them. */
static void warm(const struct ss_walk *walk, struct place to_next)
{
    const struct ss_walk_record *next = walk->at[1];
    if (!walk->users || walk->ahead < 2)
        return;
    for (uint32_t left = to_next.behind; left; left &= left - 1) {
        const enum ss_input i = (enum ss_input)__builtin_ctz(left);
        const struct ss_walk_input *input = &walk->inputs[i];
        const struct ss_source_batch *batch = &input->batch;
        const uint64_t from = (uint64_t)walk->target[i];
        uint64_t silent = (uint64_t)next->view.positions[i] - from - (i == next->cause_input);
        if (input->at >= batch->count)
            continue;
        size_t at = input->at + (size_t)(from - (uint64_t)batch->events[input->at].offset);
        for (; silent > 0 && at < batch->count; silent--, at++)
            if (!batch->events[at].reject)
                ss_user_table_prefetch_block(walk->users,
                                             ss_user_hash(batch->events[at].event.user_id));
    }
}

/* Whether all inputs of `open` reach as far as the record says they had been read. */
static enum ss_status reached(struct ss_walk *walk, uint32_t open, bool *all, struct ss_error *err)
{
    *all = true;
    for (uint32_t left = walk->complete ? open : 0; left; left &= left - 1) {
        const int i = __builtin_ctz(left);
        struct ss_walk_input *input = &walk->inputs[i];
        const struct ss_source_event *event;
        /* what has been handed out already lies before the batch's end */
        if (walk->target[i] <= input->next)
            continue;
        enum ss_status status = peek(walk, (enum ss_input)i, &event, err);
        if (status != SS_OK)
            return status;
        if (walk->target[i] > input->next && input->ended && input->at == input->batch.count)
            *all = false;
    }
    return SS_OK;
}

/* --- the steps --- */

static enum ss_status begin_interval(struct ss_walk *walk, struct ss_error *err)
{
    struct ss_walk_record *record = walk->at[0];
    const enum ss_input cause = record->cause_input;
    bool all = true;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const int64_t position = record->view.positions[i];
        walk->target[i] = position < walk->start[i] ? walk->start[i] : position;
    }
    const struct place to_walked = place_of(walk->target, walk->position);
    const struct place to_next =
        walk->ahead > 1 ? place_of(walk->target, walk->at[1]->view.positions) : (struct place){0};
    const uint32_t open = to_walked.beyond & present(walk);
    walk->silent = open;
    if (cause != SS_INPUT_COUNT && walk->target[cause] - 1 <= walk->position[cause])
        walk->silent &= ~(UINT32_C(1) << cause);
    record->stray = judge(walk, to_walked, to_next);
    enum ss_status status = SS_OK;
    if (!record->stray)
        status = reached(walk, open, &all, err);
    if (!all)
        record->stray = SS_STRAY_BEYOND;
    walk->folding = record->stray == SS_STRAY_NOT;
    if (walk->folding)
        warm(walk, to_next);
    return status;
}

/* All that is left, behind the last record. */
static void begin_rest(struct ss_walk *walk)
{
    walk->folding = true;
    walk->silent = present(walk);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        walk->target[i] = INT64_MAX;
}

/* The next silent event up to the targets; *got false: there is none. */
static enum ss_status next_silent(struct ss_walk *walk, bool *got, struct ss_error *err)
{
    const enum ss_input cause = walk->ahead ? walk->at[0]->cause_input : SS_INPUT_COUNT;
    *got = false;
    while (walk->silent) {
        const bool consents = walk->silent >> SS_CONSENTS & 1;
        const enum ss_input which =
            consents ? SS_CONSENTS : (enum ss_input)__builtin_ctz(walk->silent);
        const struct ss_source_event *event;
        enum ss_status status = peek(walk, which, &event, err);
        if (status != SS_OK)
            return status;
        if (event && event->offset < walk->target[which] - (which == cause)) {
            take(walk, which, event);
            walk->hash = ss_user_hash(event->event.user_id);
            *got = true;
            return SS_OK;
        }
        walk->silent &= ~(UINT32_C(1) << which);
    }
    return SS_OK;
}

static enum ss_status end_interval(struct ss_walk *walk, struct ss_error *err)
{
    struct ss_walk_record *record = walk->at[0];
    const struct ss_source_event *event = NULL;
    enum ss_input input = record->cause_input;
    walk->event = NULL;
    if (input != SS_INPUT_COUNT && present(walk) >> input & 1) {
        enum ss_status status = peek(walk, input, &event, err);
        if (status != SS_OK)
            return status;
        if (event && event->offset == record->view.cause.offset)
            take(walk, input, event);
    }
    /* no stray goes back behind what has been walked over */
    memcpy(walk->position, walk->target, sizeof walk->position);
    if (record->view.clock_ms > walk->high_ms)
        walk->high_ms = record->view.clock_ms;
    walk->folding = false;
    return SS_OK;
}

enum ss_status ss_walk_next(struct ss_walk *walk, enum ss_walk_step *step, struct ss_error *err)
{
    enum ss_status status;
    bool got;
    if (!walk->folding) {
        if (walk->record) { /* the last step's */
            walk->record = NULL;
            drop_record(walk);
        }
        status = look_ahead(walk, err);
        if (status != SS_OK)
            return status;
        if (walk->ahead == 0)
            begin_rest(walk);
        else
            status = begin_interval(walk, err);
        if (status != SS_OK)
            return status;
        if (!walk->folding) {
            walk->record = walk->at[0];
            walk->record_count++;
            *step = SS_WALK_STRAY;
            return SS_OK;
        }
    }
    status = next_silent(walk, &got, err);
    if (status != SS_OK)
        return status;
    *step = SS_WALK_EVENT;
    if (got)
        return SS_OK;
    if (walk->ahead == 0) {
        *step = SS_WALK_END;
        return SS_OK;
    }
    status = end_interval(walk, err);
    if (status != SS_OK)
        return status;
    walk->record = walk->at[0];
    walk->record_count++;
    *step = SS_WALK_RECORD;
    return SS_OK;
}
