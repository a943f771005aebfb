/* proof_settle.c - a user who was put aside, from one of its records to the next.
 *
 * 1. The likeliest way over what it went through in between, then a search for another one.
 * 2. If none leads to the record: the likeliest way all the same, and what it leads to is held
 * against what was published: the record, and those of the user that stand where they cannot
 * (strays), by their sequence numbers.
 * 3. Afterwards the user stands as was computed; if the next record does not follow from that, but
 * from the record as it was published, then that is believed. So one difference does not lead to
 * more.
 */
#include "audit/proof_internal.h"

#include <stdlib.h>

enum { EVENTS_SHOWN = 16 };

/* --- keeping --- */

static struct ss_text copy_text(char **at, struct ss_text text)
{
    struct ss_text copy = {*at, text.size};
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return copy;
}

/* The texts of an event that its folds, gates and records use. */
static int texts_of(struct ss_event *event, struct ss_text *out[WORDS_MAX])
{
    int count = 0;
    out[count++] = &event->user_id;
    out[count++] = &event->event_id;
    switch (event->input) {
    case SS_PAYMENTS:
        out[count++] = &event->payment.currency;
        out[count++] = &event->payment.counterparty;
        break;
    case SS_BILLS:
        out[count++] = &event->bill.bill_id;
        out[count++] = &event->bill.currency;
        break;
    case SS_BOOKINGS:
        out[count++] = &event->booking.booking_id;
        break;
    case SS_SOCIAL:
        out[count++] = &event->social.friend_id;
        break;
    case SS_PROFILES:
        out[count++] = &event->profile.line_id;
        out[count++] = &event->profile.currency;
        break;
    case SS_CONSENTS:
        out[count++] = &event->consent.subscriber;
        break;
    case SS_BLACKLIST:
        out[count++] = &event->listing.case_id;
        out[count++] = &event->listing.authority;
        out[count++] = &event->listing.currency;
        break;
    case SS_NEIGHBOURS: /* never read by a proof */
    case SS_INPUT_COUNT:
        break;
    }
    return count;
}

static bool grow(void **list, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 8;
    void *grown = realloc(*list, more * size);
    if (!grown)
        return false;
    *list = grown;
    *capacity = more;
    return true;
}

enum ss_status ss_proof_keep(struct proof *proof, struct proof_case *one)
{
    const struct ss_walk *walk = &proof->walk;
    struct ss_event event = walk->event->event;
    struct ss_text *texts[WORDS_MAX];
    int count = texts_of(&event, texts);
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += texts[i]->size;
    struct proof_kept *kept = malloc(sizeof *kept + size);
    void *list = one->kept;
    if (!kept || !grow(&list, one->kept_count, &one->kept_capacity, sizeof *one->kept)) {
        free(kept);
        return ss_fail(proof->err, SS_STOP, "out of memory for events");
    }
    one->kept = list;
    kept->event = event;
    char *at = kept->bytes;
    count = texts_of(&kept->event, texts);
    for (int i = 0; i < count; i++)
        *texts[i] = copy_text(&at, *texts[i]);
    kept->offset = walk->event->offset;
    kept->timestamp_ms = walk->event->timestamp_ms;
    kept->low_ms = proof->low_ms;
    kept->day = proof->day;
    kept->epoch = proof->models.epoch;
    kept->interval = proof->interval;
    one->kept[one->kept_count++] = kept;
    return SS_OK;
}

enum ss_status ss_proof_keep_stray(struct proof *proof, struct proof_case *one,
                                   const struct ss_walk_record *record)
{
    struct ss_error ignored;
    void *list = one->strays;
    uint8_t *bytes = malloc(record->body.size + 1);
    if (!bytes || !grow(&list, one->stray_count, &one->stray_capacity, sizeof *one->strays)) {
        free(bytes);
        return ss_fail(proof->err, SS_STOP, "out of memory for records");
    }
    one->strays = list;
    struct proof_stray *stray = &one->strays[one->stray_count++];
    *stray = (struct proof_stray){.record = *record, .bytes = bytes};
    memcpy(bytes, record->body.data, record->body.size);
    stray->record.body.data = bytes;
    (void)!ss_score_view_decode(stray->record.body, &stray->record.view, &ignored);
    return SS_OK;
}

static void forget_events(struct proof_case *one)
{
    while (one->kept_count)
        free(one->kept[--one->kept_count]);
}

static void forget(struct proof_case *one)
{
    forget_events(one);
    while (one->stray_count)
        free(one->strays[--one->stray_count].bytes);
}

void ss_proof_case_reset(struct proof_case *one)
{
    forget(one);
    free(one->kept);
    free(one->strays);
    free(one->other);
    memset(one, 0, sizeof *one);
}

/* --- telling --- */

struct settling {
    struct proof *proof;
    struct ss_user *user;
    struct proof_case *one;
    const struct ss_walk_record *record;
    const struct ss_source_event *cause;
    struct ss_published before;
    bool cut_short; /* the search was */
};

static struct ss_proof_event shown(const struct ss_event *event, int64_t offset,
                                   int64_t timestamp_ms)
{
    return (struct ss_proof_event){event->input, offset, event->occurred_at_ms, timestamp_ms,
                                   event->event_id};
}

/* `upto`: how many of the kept events had been read by then. */
static void tell(struct settling *s, enum ss_proof_verdict verdict, const struct ss_walk_record *at,
                 const struct ss_score_view *recomputed, size_t upto, const char *why)
{
    struct proof *proof = s->proof;
    struct ss_proof_event events[EVENTS_SHOWN];
    bool with_cause = s->cause && at && at == s->record;
    size_t room = EVENTS_SHOWN - with_cause, from = upto > room ? upto - room : 0, count = 0;
    for (size_t i = from; i < upto; i++)
        events[count++] =
            shown(&s->one->kept[i]->event, s->one->kept[i]->offset, s->one->kept[i]->timestamp_ms);
    if (with_cause)
        events[count++] = shown(&s->cause->event, s->cause->offset, s->cause->timestamp_ms);
    const struct ss_proof_difference difference = {
        .verdict = verdict,
        .partition = proof->options->partition,
        .offset = at ? at->offset : -1,
        .user_hash = s->user->hash,
        .user_id = ss_user_id(s->user),
        .why = why,
        .published = at ? &at->view : NULL,
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

/* --- the way --- */

/* Over the kept events, each at the least clock. */
static bool plain(struct settling *s, struct ss_user_state *state)
{
    struct proof *proof = s->proof;
    int64_t clock_ms = 0;
    bool changed;
    for (size_t i = 0; i < s->one->kept_count; i++) {
        const struct proof_kept *kept = s->one->kept[i];
        if (kept->low_ms > clock_ms)
            clock_ms = kept->low_ms;
        const struct ss_models now = ss_proof_go_back(proof, kept->epoch);
        bool silent = ss_proof_silent(proof, state, &kept->event, kept->offset, kept->timestamp_ms,
                                      kept->day, clock_ms, &changed);
        proof->models = now;
        if (!silent)
            return false;
    }
    return !s->record || ss_proof_arrive(proof, state, s->record, s->cause, proof->low_ms);
}

static bool find_way(struct settling *s, struct ss_user_state *state, bool searching)
{
    struct ss_user_state begin = *state;
    if (!searching)
        return plain(s, state);
    if (!s->record && s->one->kept_count == 0)
        return true;
    *state = begin;
    bool found = ss_proof_search(s->proof, s->one, state, s->record, s->cause, s->proof->low_ms);
    s->cut_short |= s->proof->budget < 0;
    return found;
}

static bool any_way(struct settling *s, struct ss_user_state *state)
{
    const struct proof_case *one = s->one;
    const struct ss_user_state begin = *state;
    struct ss_error ignored;
    for (int turn = 0; turn < 4; turn++) {
        bool other = turn & 1, searching = turn & 2;
        if (other && !one->other)
            continue;
        if (turn == 2)
            s->proof->result->searched++;
        *state = begin;
        if (other && ss_state_unpack((struct ss_bytes){one->other, one->other_size}, state,
                                     &ignored) != SS_OK)
            continue;
        if (find_way(s, state, searching))
            return true;
    }
    *state = begin;
    return false;
}

/* --- no way --- */

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
            ss_walk_cause_input(&record->view.cause) == kept->event.input)
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
        tell(s, SS_PROOF_MISSING, NULL, &view, upto, NULL);
    } else {
        bool equal = ss_proof_same_score(&view, &stray->record.view);
        stray->matched = true;
        tell(s, equal ? SS_PROOF_OUT_OF_ORDER : SS_PROOF_DIFFERENT, &stray->record, &view, upto,
             ss_stray_text(stray->record.stray));
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
    ss_proof_take_friends(proof, state, &record->view);
    if (record->cause_input == SS_NEIGHBOURS) {
        status = owed_steps(s, state, context.clock_ms, s->one->kept_count);
        made = status == SS_OK && ss_proof_message(proof, state, &record->view, &context);
    } else if (!s->cause) {
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
        tell(s, SS_PROOF_EXTRA, record, NULL, s->one->kept_count,
             s->cause ? "its cause changes nothing"
             : record->cause_input == SS_NEIGHBOURS
                 ? "no friends that there can be lead to it"
                 : "nothing has happened, and time does nothing");
        return ss_grants_hold(proof, &record->view);
    }
    if (ss_proof_equal(proof, record)) {
        proof->result->proven++;
    } else {
        ss_proof_view(proof, &proof->effects.record, &view);
        tell(s, SS_PROOF_DIFFERENT, record, &view, s->one->kept_count,
             ss_proof_same_score(&view, &record->view)
                 ? "what lies before it leads to it by no way that its as_of and clock allow"
                 : NULL);
    }
    return ss_grants_judge(proof, s->user, &same);
}

static enum ss_status forced(struct settling *s, struct ss_user_state *state)
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

/* --- the record as a whole --- */

/* Its cause is no longer in the logs: of somebody who has withdrawn, or before where they begin. */
static bool is_gone(struct settling *s)
{
    const struct ss_walk_record *record = s->record;
    if (!ss_proof_needs_cause(record) || s->cause || s->one->erased)
        return s->one->erased;
    s->one->erased =
        s->user->flags & GONE && s->user->note > 0 && record->offset <= s->user->note - 1;
    return s->one->erased;
}

static void tell_strays(struct settling *s)
{
    for (size_t i = 0; i < s->one->stray_count; i++) {
        const struct proof_stray *stray = &s->one->strays[i];
        if (!stray->matched)
            tell(s, SS_PROOF_EXTRA, &stray->record, NULL, 0, ss_stray_text(stray->record.stray));
    }
}

static enum ss_status remember(struct settling *s, const struct ss_user_state *state,
                               const struct ss_user_state *other)
{
    uint8_t packed[SS_PACKED_MAX];
    struct proof_case *one = s->one;
    free(one->other);
    one->other = NULL;
    if (other) {
        one->other_size = ss_state_pack(other, packed);
        one->other = malloc(one->other_size + 1);
        if (!one->other)
            return ss_fail(s->proof->err, SS_STOP, "out of memory for states");
        memcpy(one->other, packed, one->other_size);
    }
    return ss_proof_put(s->proof, &s->user, state);
}

static enum ss_status differs(struct settling *s, struct ss_user_state *state)
{
    struct ss_user_state other;
    enum ss_status status = forced(s, state);
    tell_strays(s);
    forget(s->one);
    if (status != SS_OK || !s->record)
        return status == SS_OK ? remember(s, state, NULL) : status;
    other = *state;
    ss_proof_adopt(s->proof, &other, &s->record->view);
    return remember(s, state, &other);
}

static enum ss_status out_of_retention(struct settling *s, const struct ss_user_state *state)
{
    s->proof->result->out_of_retention += 1 + (int64_t)s->one->stray_count;
    forget(s->one);
    enum ss_status status = remember(s, state, NULL);
    return status == SS_OK ? ss_grants_pass(s->proof, &s->record->view) : status;
}

/* Whether a record says of the score what the folds give at its as_of and clock. */
static bool says_the_same(const struct proof *proof, const struct ss_user_state *state,
                          const struct ss_score_view *view)
{
    struct ss_score score;
    if (!view->has_score || !state->consents.scoring)
        return false;
    ss_score_compute(ss_model_of(&proof->models, state), state, view->as_of_ms, view->clock_ms,
                     &score);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        if (score.factors[f].value != view->factors[f].value)
            return false;
    return score.score == view->score;
}

/* Nothing is known of what was published before `scores` begins, nor in which order the inputs were
 * read by then. The first record is believed if it says what the folds give; else they cannot be
 * right. */
static enum ss_status begin_blind(struct settling *s, struct ss_user_state *state)
{
    struct ss_user_state tried = *state;
    s->user->flags &= (uint8_t)~BLIND;
    if (any_way(s, &tried)) {
        bool same;
        s->one->weak = true;
        s->proof->result->proven++;
        enum ss_status status = ss_grants_judge(s->proof, s->user, &same);
        return status == SS_OK ? remember(s, &tried, NULL) : status;
    }
    if (s->cause)
        ss_proof_fold_blind(s->proof, state, s->cause, s->proof->day);
    s->one->weak = says_the_same(s->proof, state, &s->record->view);
    s->one->lost = !s->one->weak;
    if (s->one->weak)
        ss_proof_adopt(s->proof, state, &s->record->view);
    return out_of_retention(s, state);
}

static void fold_kept(struct settling *s, struct ss_user_state *state)
{
    for (size_t i = 0; i < s->one->kept_count; i++) {
        const struct proof_kept *kept = s->one->kept[i];
        const struct ss_source_event event = {
            .event = kept->event, .offset = kept->offset, .timestamp_ms = kept->timestamp_ms};
        const struct ss_models now = ss_proof_go_back(s->proof, kept->epoch);
        ss_proof_fold_blind(s->proof, state, &event, kept->day);
        s->proof->models = now;
    }
}

/* A record of somebody whose folds may be wrong. If the next one follows from them, this one is; if
 * not, they are. */
static enum ss_status doubt(struct settling *s, struct ss_user_state *state)
{
    struct proof_case *one = s->one;
    enum ss_status status = SS_OK;
    fold_kept(s, state);
    if (s->cause)
        ss_proof_fold_blind(s->proof, state, s->cause, s->proof->day);
    forget_events(one);
    if (s->record && !one->doubtful) {
        status = ss_proof_keep_stray(s->proof, one, s->record);
        one->doubtful = true;
        if (status == SS_OK)
            status = ss_grants_hold(s->proof, &s->record->view);
        return status == SS_OK ? remember(s, state, NULL) : status;
    }
    one->weak = one->doubtful = false;
    one->lost = true;
    if (s->record)
        return out_of_retention(s, state);
    s->proof->result->out_of_retention += (int64_t)one->stray_count;
    forget(one);
    return SS_OK;
}

static enum ss_status pass_erased(struct settling *s, struct ss_user_state *state)
{
    struct ss_proof_result *result = s->proof->result;
    const struct ss_score_view *view = &s->record->view;
    result->erased++;
    if (view->kind == SS_KIND_OPT_OUT) {
        s->one->erased = false;
        ss_proof_adopt(s->proof, state, view);
    }
    for (size_t i = 0; i < s->one->stray_count; i++)
        result->erased++;
    forget(s->one);
    enum ss_status status = remember(s, state, NULL);
    return status == SS_OK ? ss_grants_pass(s->proof, view) : status;
}

static bool left_friends(const struct proof_case *one)
{
    for (size_t i = 0; i < one->kept_count; i++) {
        const struct ss_event *event = &one->kept[i]->event;
        if (event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SOCIAL &&
            event->consent.action == SS_CONSENT_WITHDRAWN)
            return true;
    }
    return false;
}

enum ss_status ss_proof_settle(struct proof *proof, struct ss_user *user,
                               const struct ss_walk_record *record,
                               const struct ss_source_event *cause)
{
    struct settling s = {.proof = proof,
                         .user = user,
                         .one = &proof->cases[user->count],
                         .record = record,
                         .cause = cause};
    struct ss_user_state state = {0};
    bool same;
    enum ss_status status = SS_OK;
    ss_held_read(ss_user_packed(user), &state);
    s.before = state.published;
    if (record) {
        if (record->view.kind == SS_KIND_OPT_IN) /* all of it is in what follows */
            s.one->weak = s.one->doubtful;
        if (is_gone(&s))
            return pass_erased(&s, &state);
        if (!proof->model_known) {
            tell(&s, SS_PROOF_NO_MODEL, record, NULL, s.one->kept_count,
                 "there is no such model; give it with --model or --business-model");
            fold_kept(&s, &state);
            if (cause)
                ss_proof_fold_blind(proof, &state, cause, proof->day);
            ss_proof_adopt(proof, &state, &record->view);
            forget_events(s.one);
            status = remember(&s, &state, NULL);
            return status == SS_OK ? ss_grants_pass(proof, &record->view) : status;
        }
        if (ss_proof_needs_cause(record) && !cause) {
            tell(&s, SS_PROOF_EXTRA, record, NULL, s.one->kept_count,
                 "the log has no such event of this user as its cause");
            /* whatever it was made of comes up with the next record */
            return ss_grants_hold(proof, &record->view);
        }
        if (user->flags & BLIND)
            return begin_blind(&s, &state);
        if (s.one->lost) {
            fold_kept(&s, &state);
            if (ss_proof_stays_unknown(proof, &record->view)) {
                if (cause)
                    ss_proof_fold_blind(proof, &state, cause, proof->day);
                return out_of_retention(&s, &state);
            }
            s.one->lost = s.one->weak = false;
            ss_proof_begin_known(&state);
            forget(s.one);
        }
    } else if (user->flags & BLIND || s.one->lost) {
        forget(s.one);
        return SS_OK;
    }
    proof->goal_ms = record ? record->view.as_of_ms : 0;
    proof->left_friends = left_friends(s.one);
    bool found = any_way(&s, &state);
    proof->left_friends = false;
    proof->goal_ms = 0;
    if (s.one->weak && (!found || (!record && s.one->doubtful)))
        return doubt(&s, &state);
    s.one->doubtful = false;
    if (!found)
        return differs(&s, &state);
    tell_strays(&s);
    if (!record) {
        forget(s.one);
        return remember(&s, &state, NULL);
    }
    proof->result->proven++;
    status = ss_grants_judge(proof, user, &same);
    forget(s.one);
    return status == SS_OK ? remember(&s, &state, NULL) : status;
}
