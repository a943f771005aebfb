#include "audit/explain.h"

#include "scoring/hash.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- which record is explained ---- */

static const struct ss_score_view *view_of(const struct ss_history *history, size_t i)
{
    return &history->records[i].view;
}

static bool is_scoring(const struct ss_history_event *event)
{
    return event->event.consent.purpose == SS_PURPOSE_SCORING;
}

/* Whether the consent log, or the last record, says that no consent holds. A withdrawal that the
 * engine has not read yet is one all the same. */
static bool has_withdrawn(const struct ss_history *history, bool *granted)
{
    const struct ss_history_log *log = &history->inputs[SS_CONSENTS];
    bool withdrawn = false;
    *granted = false;
    if (history->record_count > 0) {
        const struct ss_score_view *last = view_of(history, history->record_count - 1);
        withdrawn = last->kind == SS_KIND_OPT_OUT;
        *granted = !withdrawn;
    }
    for (size_t i = 0; i < log->count; i++) {
        if (!is_scoring(&log->events[i]))
            continue;
        bool grant = log->events[i].event.consent.action == SS_CONSENT_GRANTED;
        withdrawn = !grant && (*granted || withdrawn);
        *granted = grant;
    }
    return withdrawn;
}

static enum ss_finding look_for(const struct ss_history *history)
{
    bool granted, any = history->record_count > 0;
    if (has_withdrawn(history, &granted))
        return SS_FOUND_WITHDRAWN;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        any |= history->inputs[i].count > 0;
    if (!any)
        return SS_FOUND_NOBODY;
    if (!granted)
        return SS_FOUND_NO_CONSENT;
    if (history->record_count == 0 ||
        view_of(history, history->record_count - 1)->kind == SS_KIND_OPT_OUT)
        return SS_FOUND_NOTHING_YET;
    return SS_FOUND_SCORE;
}

static bool was_in_force(const struct ss_history_record *record,
                         const struct ss_explain_request *request)
{
    if (record->view.as_of_ms > request->at_ms)
        return false;
    if (request->score_offset >= 0 && record->offset > request->score_offset)
        return false;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (request->read_to[i] >= 0 && record->view.positions[i] > request->read_to[i] + 1)
            return false;
    return true;
}

static bool asks_for_past(const struct ss_explain_request *request)
{
    bool past = request->at_ms != INT64_MAX || request->score_offset >= 0;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        past |= request->read_to[i] >= 0;
    return past;
}

/* The records since the consent that holds, up to the one asked for. */
static bool choose(const struct ss_history *history, const struct ss_explain_request *request,
                   size_t *first, size_t *end)
{
    *first = history->record_count - 1;
    while (*first > 0 && view_of(history, *first)->kind != SS_KIND_OPT_IN)
        --*first;
    *end = *first;
    while (*end < history->record_count && was_in_force(&history->records[*end], request))
        ++*end;
    return *end > *first;
}

/* ---- the changes ---- */

/* When the bill was due that an event is about, by the last event before it that says so. */
static int64_t due_of(const struct ss_history *history, const struct ss_history_event *event)
{
    const struct ss_history_log *log = &history->inputs[SS_BILLS];
    const struct ss_text *id = &event->event.bill.bill_id;
    if (event->event.input != SS_BILLS)
        return SS_TIME_UNKNOWN;
    for (size_t i = (size_t)(event - log->events); i-- > 0;) {
        const struct ss_bill *bill = &log->events[i].event.bill;
        if (bill->status == SS_BILL_ISSUED && bill->bill_id.size == id->size &&
            memcmp(bill->bill_id.data, id->data, id->size) == 0)
            return bill->due_at_ms;
    }
    return event->event.bill.due_at_ms;
}

static bool named(const struct ss_model *model, struct ss_text version)
{
    return model && strlen(model->version) == version.size &&
           memcmp(model->version, version.data, version.size) == 0;
}

static const struct ss_model *find_model(const struct ss_explain_request *request,
                                         struct ss_text version, bool *business)
{
    const struct ss_model_shelf *shelf = request->shelf;
    *business = named(request->models.business, version);
    if (*business || named(request->models.person, version))
        return *business ? request->models.business : request->models.person;
    return shelf ? shelf->find(shelf->arg, version, business) : NULL;
}

/* Those in charge, with the record's own in its place. */
static void choose_models(struct ss_explanation *e)
{
    bool business;
    e->models = e->request->models;
    e->model = find_model(e->request, e->score->model_version, &business);
    if (e->model)
        *(business ? &e->models.business : &e->models.person) = e->model;
}

/* Benefits go by their ids where the model is replaced. */
static uint32_t carry_over(const struct ss_model *from, const struct ss_model *to, uint32_t held)
{
    uint32_t now = 0;
    for (int a = 0; from && a < from->benefit_count; a++)
        for (int b = 0; held & UINT32_C(1) << a && b < to->benefit_count; b++)
            if (strcmp(from->benefits[a].id, to->benefits[b].id) == 0)
                now |= UINT32_C(1) << b;
    return now;
}

/* docs/model.md 7.7: what is held after a record follows from what was held before it. */
static uint32_t benefits_at(const struct ss_model *model, const struct ss_score_view *view,
                            uint32_t held)
{
    uint32_t now = 0;
    if (view->standing != SS_STANDING_SCORED || !view->has_score)
        return 0;
    for (int b = 0; b < model->benefit_count; b++) {
        int32_t from = model->benefits[b].threshold;
        if (held & UINT32_C(1) << b)
            from -= model->revoke_margin;
        if (view->score >= from)
            now |= UINT32_C(1) << b;
    }
    return now;
}

static enum ss_status list_changes(struct ss_explanation *e, size_t first, size_t end,
                                   struct ss_error *err)
{
    const struct ss_history *history = e->history;
    const struct ss_model *model_before = NULL;
    uint32_t held = 0;
    e->changes = calloc(end - first, sizeof e->changes[0]);
    if (!e->changes)
        return ss_fail(err, SS_STOP, "out of memory");
    for (size_t i = first; i < end; i++) {
        struct ss_explain_change *change = &e->changes[e->change_count++];
        const struct ss_score_view *view = view_of(history, i);
        change->record = &history->records[i];
        change->due_at_ms = SS_TIME_UNKNOWN;
        enum ss_input input =
            view->cause.known ? ss_history_input_of(view->cause.topic) : SS_INPUT_COUNT;
        if (input < SS_INPUT_COUNT)
            change->cause = ss_history_find(history, input, view->cause.offset);
        if (change->cause)
            change->due_at_ms = due_of(history, change->cause);
        bool business;
        const struct ss_model *model = find_model(e->request, view->model_version, &business);
        if (model) {
            held = benefits_at(
                model, view, model == model_before ? held : carry_over(model_before, model, held));
            change->benefits = held;
            change->benefits_known = true;
        }
        model_before = model;
    }
    e->begins_late = view_of(history, first)->kind != SS_KIND_OPT_IN;
    e->later = history->record_count - end;
    e->score = view_of(history, end - 1);
    choose_models(e);
    return SS_OK;
}

/* ---- the state ---- */

static void fold_event(struct ss_explanation *e, struct ss_history_event *event)
{
    struct ss_context context = {
        .partition = e->history->partition,
        .offset = event->offset,
        .record_time_ms =
            event->timestamp_ms >= 0 ? event->timestamp_ms : event->event.occurred_at_ms,
        .future_tolerance_ms = e->request->future_tolerance_ms,
        .clock_ms = INT64_MIN /* no record is written here, so it decides nothing */
    };
    struct ss_effects effects;
    struct ss_friends list;
    list.count = 0; /* whom it holds follows from others' logs too: ss_explain takes the record's */
    context.friends = &list;
    /* the inputs' days are those of whole partitions; the user's own events come close */
    int32_t *day = &e->days[event->event.input];
    const int32_t today = ss_input_day(0, &event->event, &context);
    *day = today > *day ? today : *day;
    context.day = *day;
    event->read = true;
    event->outcome =
        ss_apply(&e->models, &e->state, &event->event, &context, &effects, &event->refusal);
    if (event->outcome == SS_COUNTED)
        e->events_counted++;
    else
        e->events_passed++;
}

static void fold_input(struct ss_explanation *e, struct ss_history *history, enum ss_input input,
                       int64_t from, int64_t to)
{
    struct ss_history_log *log = &history->inputs[input];
    for (size_t i = 0; i < log->count; i++)
        if (log->events[i].offset >= from && log->events[i].offset < to)
            fold_event(e, &log->events[i]);
}

/* Consent first, since it was read first; the register before it, since it outlives consents. After
 * that the order between topics does not matter (promise 5). */
static void fold_to_record(struct ss_explanation *e, struct ss_history *history)
{
    const struct ss_score_view *begin = &e->changes[0].record->view, *view = e->score;
    int64_t listed_before = e->begins_late ? 0 : begin->positions[SS_BLACKLIST];
    fold_input(e, history, SS_BLACKLIST, INT64_MIN, listed_before);
    fold_input(e, history, SS_CONSENTS, view->consent_position, view->positions[SS_CONSENTS]);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        int64_t from = e->begins_late ? INT64_MIN : begin->positions[i];
        if (i == SS_BLACKLIST)
            from = listed_before;
        if (i != SS_CONSENTS && i != SS_NEIGHBOURS)
            fold_input(e, history, (enum ss_input)i, from, view->positions[i]);
    }
}

/* As the record says that it was published. */
static bool gives(struct ss_explanation *e, int64_t as_of_ms, int64_t clock_ms)
{
    struct ss_score score;
    const struct ss_score_view *view = e->score;
    ss_score_compute(e->model, &e->state, as_of_ms, clock_ms, &score);
    if (score.score != view->score || score.listed != (view->standing == SS_STANDING_LISTED))
        return false;
    e->as_of_ms = as_of_ms;
    e->clock_ms = clock_ms;
    return true;
}

/* What friends had told by then is in the record, as what was read of others is. */
static void take_friends(struct ss_explanation *e)
{
    if (!e->state.friends.open)
        return;
    e->state.friends.confirmed = (uint16_t)e->score->friends_confirmed;
    e->state.friends.bands = (uint16_t)e->score->friends_bands;
}

static bool gives_record(struct ss_explanation *e)
{
    struct ss_score score;
    const struct ss_score_view *view = e->score;
    if (!gives(e, view->as_of_ms, view->clock_ms) || ss_model_of(&e->models, &e->state) != e->model)
        return false;
    ss_score_compute(e->model, &e->state, view->as_of_ms, view->clock_ms, &score);
    bool same = view->has_factors && score.reason_count == view->reason_count;
    for (int f = 0; same && f < SS_FACTOR_COUNT; f++)
        same = score.factors[f].value == view->factors[f].value &&
               score.factors[f].points_centi == view->factors[f].points_centi;
    for (int r = 0; same && r < view->reason_count; r++)
        same = score.reasons[r].points_centi == view->reasons[r].points_centi &&
               ss_same_text(score.reasons[r].code, view->reasons[r].code);
    return same;
}

/* Events behind the record may have changed the state and not the score. Takes them in, as far as
 * was asked for and up to the next record, if the published score still follows. */
static void fold_on(struct ss_explanation *e, struct ss_history *history)
{
    const struct ss_explain_request *request = e->request;
    struct ss_user_state before = e->state;
    int64_t as_of_ms = e->score->as_of_ms, counted = e->events_counted, passed = e->events_passed;
    int64_t to[SS_INPUT_COUNT];
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const struct ss_history_log *log = &history->inputs[i];
        to[i] = INT64_MAX;
        if (e->later > 0)
            to[i] = e->score->positions[i]; /* the next record may have been a step of time */
        if (request->read_to[i] >= 0)
            to[i] = request->read_to[i] + 1;
        for (size_t n = 0; n < log->count; n++) {
            struct ss_history_event *event = &history->inputs[i].events[n];
            if (event->offset < e->score->positions[i] || event->offset >= to[i] ||
                i == SS_NEIGHBOURS || event->event.occurred_at_ms > request->at_ms)
                continue;
            fold_event(e, event);
            if (event->outcome == SS_COUNTED && event->event.occurred_at_ms > as_of_ms)
                as_of_ms = event->event.occurred_at_ms;
        }
    }
    if (gives(e, as_of_ms, as_of_ms) || gives(e, as_of_ms, e->score->clock_ms))
        return;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        for (size_t n = 0; n < history->inputs[i].count; n++)
            if (history->inputs[i].events[n].offset >= e->score->positions[i])
                history->inputs[i].events[n].read = false;
    e->state = before;
    e->events_counted = counted;
    e->events_passed = passed;
    (void)gives(e, e->score->as_of_ms, e->score->clock_ms);
}

/* ---- names for what the state keeps hashes of ---- */

static uint32_t low_hash(struct ss_text text)
{
    return (uint32_t)ss_hash64(text);
}

static void name_bills(struct ss_explanation *e)
{
    const struct ss_history_log *log = &e->history->inputs[SS_BILLS];
    int64_t horizon_ms = e->clock_ms < e->as_of_ms ? e->clock_ms : e->as_of_ms;
    for (int i = 0; i < e->state.bills.open_count; i++) {
        const struct ss_open_bill *open = &e->state.bills.open[i];
        struct ss_advice_bill *bill = &e->bills[e->bill_count];
        *bill = (struct ss_advice_bill){.due_at_ms = open->due_at_ms,
                                        .overdue = open->due_at_ms <= horizon_ms};
        for (size_t n = log->count; n-- > 0 && !bill->bill_id.data;) {
            const struct ss_bill *issued = &log->events[n].event.bill;
            if (!log->events[n].read || issued->status != SS_BILL_ISSUED ||
                issued->due_at_ms != open->due_at_ms || low_hash(issued->bill_id) != open->id_hash)
                continue;
            bill->bill_id = issued->bill_id;
            bill->currency = issued->currency;
            bill->kind = issued->kind;
            bill->amount_minor = issued->amount_minor;
        }
        e->bill_count += bill->bill_id.data != NULL;
    }
}

static void name_lines(const struct ss_explanation *e, struct ss_text lines[SS_CREDIT_LINES_MAX])
{
    const struct ss_history_log *log = &e->history->inputs[SS_PROFILES];
    for (int i = 0; i < e->state.profiles.line_count; i++)
        for (size_t n = log->count; n-- > 0 && !lines[i].data;) {
            const struct ss_profile *profile = &log->events[n].event.profile;
            if (log->events[n].read && profile->action == SS_PROFILE_CREDIT_LINE &&
                low_hash(profile->line_id) == e->state.profiles.lines[i].id_hash)
                lines[i] = profile->line_id;
        }
}

static void advise(struct ss_explanation *e)
{
    struct ss_advice_input input = {.models = &e->models,
                                    .state = &e->state,
                                    .as_of_ms = e->as_of_ms,
                                    .clock_ms = e->clock_ms,
                                    .bills = e->bills};
    name_bills(e);
    name_lines(e, input.lines);
    input.bill_count = e->bill_count;
    ss_advice_compute(&input, &e->advice);
}

static void recompute(struct ss_explanation *e, struct ss_history *history)
{
    e->recomputed = SS_RECOMPUTED_NO_MODEL;
    if (!e->model)
        return;
    fold_to_record(e, history);
    take_friends(e);
    e->recomputed = gives_record(e) ? SS_RECOMPUTED_SAME : SS_RECOMPUTED_OTHER;
    if (e->recomputed != SS_RECOMPUTED_SAME)
        return;
    fold_on(e, history);
    advise(e);
}

enum ss_status ss_explain(struct ss_history *history, const struct ss_explain_request *request,
                          struct ss_explanation *e, struct ss_error *err)
{
    size_t first, end;
    memset(e, 0, sizeof *e);
    e->history = history;
    e->request = request;
    e->finding = look_for(history);
    if (e->finding == SS_FOUND_NOTHING_YET && asks_for_past(request))
        e->finding = SS_FOUND_NOT_THEN;
    if (e->finding != SS_FOUND_SCORE)
        return SS_OK;
    if (!choose(history, request, &first, &end)) {
        e->finding = SS_FOUND_NOT_THEN;
        return SS_OK;
    }
    if (request->score_offset >= 0 && history->records[end - 1].offset != request->score_offset)
        return ss_fail(err, SS_DROP,
                       "offset %" PRId64 " of the scores, partition %d, is no record of this user "
                       "since the consent that holds",
                       request->score_offset, history->partition);
    enum ss_status status = list_changes(e, first, end, err);
    if (status == SS_OK)
        recompute(e, history);
    return status;
}

void ss_explanation_reset(struct ss_explanation *explanation)
{
    free(explanation->changes);
    explanation->changes = NULL;
}

const char *ss_explain_finding(enum ss_finding finding)
{
    static const char *const findings[] = {
        [SS_FOUND_SCORE] = "",
        [SS_FOUND_NOBODY] = "There is no such user: no record of any topic carries this id.",
        [SS_FOUND_NO_CONSENT] =
            "This user never agreed to be scored. There is no score, and none has ever been "
            "computed; events that came in were not counted and nothing is kept of them.",
        [SS_FOUND_WITHDRAWN] = "This user has withdrawn the consent to be scored. There is no "
                               "score any more, and what "
                               "it was computed from has been erased.",
        [SS_FOUND_NOTHING_YET] =
            "This user has agreed to be scored, and the engine has not published a score yet.",
        [SS_FOUND_NOT_THEN] =
            "This user had no score then: the consent that now holds was given later, or no score "
            "had been published yet.",
    };
    return findings[finding];
}
