/* proof_owed.c - what led to no record by any way: the likeliest one all the same, and all that it
 * owes, told as differences.
 *
 * What it leads to is held against what was published: the record, and those of the user that stand
 * where they cannot (strays), by their sequence numbers.
 */
#include "audit/proof_internal.h"

enum { EVENTS_SHOWN = 16 };

static struct ss_proof_event shown(const struct ss_event *event, int64_t offset,
                                   int64_t timestamp_ms)
{
    return (struct ss_proof_event){event->input, offset, event->occurred_at_ms, timestamp_ms,
                                   event->event_id};
}

/* `upto`: how many of the kept events had been read by then. */
void ss_settle_tell(struct settling *s, enum ss_proof_verdict verdict,
                    const struct ss_walk_record *at, const struct ss_score_view *recomputed,
                    size_t upto, const char *why)
{
    struct proof *proof = s->proof;
    struct ss_proof_event events[EVENTS_SHOWN];
    struct ss_score_view published;
    bool with_cause = s->cause && at && at == s->record;
    size_t room = EVENTS_SHOWN - with_cause, from = upto > room ? upto - room : 0, count = 0;
    for (size_t i = from; i < upto; i++)
        events[count++] =
            shown(&s->one->kept[i]->event, s->one->kept[i]->offset, s->one->kept[i]->timestamp_ms);
    if (with_cause)
        events[count++] = shown(&s->cause->event, s->cause->offset, s->cause->timestamp_ms);
    if (at)
        published = ss_score_view_whole(&at->view);
    const struct ss_proof_difference difference = {
        .verdict = verdict,
        .partition = proof->options->partition,
        .offset = at ? at->offset : -1,
        .user_hash = s->user->hash,
        .user_id = ss_user_id(s->user),
        .why = why,
        .published = at ? &published : NULL,
        .recomputed = recomputed,
        .before = &s->before,
        .events = events,
        .event_count = count,
        .events_left_out = from,
    };
    if (at)
        proof->result->differing++;
    else
        proof->result->missing++;
    proof->result->undecided += s->cut_short;
    if (proof->options->difference)
        proof->options->difference(proof->options->arg, &difference);
}

static struct proof_stray *stray_of(struct proof_case *one, int64_t sequence)
{
    for (size_t i = 0; i < one->stray_count; i++)
        if (!one->strays[i].matched && one->strays[i].record.view.sequence == sequence)
            return &one->strays[i];
    return NULL;
}

/* Was it the cause of a record that stands elsewhere? That shows how far the clock was. */
static int64_t clock_at(const struct proof_case *one, const struct proof_kept *kept,
                        int64_t clock_ms)
{
    for (size_t i = 0; i < one->stray_count; i++) {
        const struct ss_walk_record *record = &one->strays[i].record;
        if (record->stray != SS_STRAY_CLOCK && record->view.cause.offset == kept->offset &&
            ss_cause_view_input(&record->view.cause) == kept->event.input)
            return ss_proof_clock(&record->view, clock_ms);
    }
    return clock_ms;
}

/* Something was to be published before the record: it stands elsewhere, or nowhere. */
static enum ss_status owed(struct settling *s, size_t upto)
{
    struct proof *proof = s->proof;
    struct ss_score_view view;
    struct proof_stray *stray = stray_of(s->one, proof->effects.record.sequence);
    bool same;
    if (stray)
        memcpy(proof->effects.record.positions, stray->record.view.positions,
               sizeof proof->effects.record.positions);
    ss_proof_view(proof, &proof->effects.record, &view);
    if (!stray) {
        ss_settle_tell(s, SS_PROOF_MISSING, NULL, &view, upto, NULL);
    } else {
        bool equal = ss_proof_same_score(&view, &stray->record.view);
        stray->matched = true;
        ss_settle_tell(s, equal ? SS_PROOF_OUT_OF_ORDER : SS_PROOF_DIFFERENT, &stray->record, &view,
                       upto, ss_stray_text(stray->record.stray));
    }
    return ss_grants_judge(proof, s->user, &same);
}

/* Steps up to the clock, whatever is owed for them. */
static enum ss_status owed_steps(struct settling *s, struct ss_user_state *state, int64_t clock_ms,
                                 size_t upto)
{
    struct proof *proof = s->proof;
    const struct ss_context context = {.partition = proof->options->partition,
                                       .clock_ms = clock_ms};
    enum ss_status status = SS_OK;
    while (status == SS_OK && ss_proof_wake(proof, state, ss_user_id(s->user), &context))
        if (proof->effects.has_record)
            status = owed(s, upto);
    return status;
}

static enum ss_status forced_event(struct settling *s, struct ss_user_state *state, size_t i,
                                   int64_t clock_ms)
{
    struct proof *proof = s->proof;
    const struct proof_kept *kept = s->one->kept[i];
    struct ss_context context = {
        .partition = proof->options->partition,
        .offset = kept->offset,
        .record_time_ms = kept->timestamp_ms >= 0 ? kept->timestamp_ms : kept->event.occurred_at_ms,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = clock_ms,
        .day = kept->day,
    };
    if (ss_event_check(proof->models.person, &kept->event, &context) != SS_REFUSAL_NONE)
        return SS_OK;
    enum ss_status status = owed_steps(s, state, clock_ms, i);
    if (status == SS_OK && ss_proof_apply(proof, state, &kept->event, &context) == SS_COUNTED &&
        proof->effects.has_record)
        status = owed(s, i + 1);
    return status;
}

/* What the cause, or time, leads to in place of the record. */
static enum ss_status forced_record(struct settling *s, struct ss_user_state *state)
{
    struct proof *proof = s->proof;
    const struct ss_walk_record *record = s->record;
    struct ss_context context = {
        .partition = proof->options->partition,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = ss_proof_clock(&record->view, proof->low_ms),
        .day = proof->day,
    };
    enum ss_status status = SS_OK;
    struct ss_score_view view;
    bool same, made = false;
    if (context.clock_ms < proof->low_ms)
        context.clock_ms = proof->low_ms;
    memcpy(context.positions, record->view.positions, sizeof context.positions);
    if (!s->cause) {
        while (!made && ss_proof_wake(proof, state, ss_user_id(s->user), &context))
            made = proof->effects.has_record;
    } else {
        status = owed_steps(s, state, context.clock_ms, s->one->kept_count);
        context.offset = s->cause->offset;
        context.record_time_ms =
            s->cause->timestamp_ms >= 0 ? s->cause->timestamp_ms : s->cause->event.occurred_at_ms;
        made = status == SS_OK &&
               ss_proof_apply(proof, state, &s->cause->event, &context) == SS_COUNTED &&
               proof->effects.has_record;
    }
    if (status != SS_OK)
        return status;
    if (!made) {
        ss_settle_tell(s, SS_PROOF_EXTRA, record, NULL, s->one->kept_count,
                       s->cause ? "its cause changes nothing"
                                : "nothing has happened, and time does nothing");
        return ss_grants_hold(proof, &record->view);
    }
    if (ss_proof_equal(proof, record)) {
        proof->result->proven++;
    } else {
        ss_proof_view(proof, &proof->effects.record, &view);
        ss_settle_tell(
            s, SS_PROOF_DIFFERENT, record, &view, s->one->kept_count,
            ss_proof_same_score(&view, &record->view)
                ? "what lies before it leads to it by no way that its as_of and clock allow"
                : NULL);
    }
    return ss_grants_judge(proof, s->user, &same);
}

enum ss_status ss_settle_forced(struct settling *s, struct ss_user_state *state)
{
    enum ss_status status = SS_OK;
    int64_t clock_ms = 0;
    for (size_t i = 0; status == SS_OK && i < s->one->kept_count; i++) {
        const struct proof_kept *kept = s->one->kept[i];
        if (kept->low_ms > clock_ms)
            clock_ms = kept->low_ms;
        const struct ss_models now = ss_proof_go_back(s->proof, kept->epoch);
        status = forced_event(s, state, i, clock_at(s->one, kept, clock_ms));
        s->proof->models = now;
    }
    if (status == SS_OK && s->record)
        status = forced_record(s, state);
    return status;
}
