/* proof_step.c - a step of the walk: a silent event, a record, a stray. */
#include "audit/proof_internal.h"
#include "audit/room.h"

void ss_proof_fold_blind(struct proof *proof, struct ss_user_state *state,
                         const struct ss_source_event *event, int32_t day)
{
    struct ss_context context = ss_proof_context(proof, event, day, proof->low_ms);
    if (!ss_proof_passes(proof, &event->event, &context))
        return;
    while (ss_proof_wake(proof, state, event->event.user_id, &context))
        continue;
    (void)ss_proof_apply(proof, state, &event->event, &context);
}

enum ss_status ss_proof_add_user(struct proof *proof, uint64_t hash, struct ss_text id,
                                 struct ss_user **user)
{
    size_t count = ss_user_table_count(proof->users);
    *user = ss_user_table_add(proof->users, hash, id);
    if (!*user)
        return ss_fail(proof->err, SS_STOP, "out of memory for users");
    if (ss_user_table_count(proof->users) > count)
        (*user)->flags = (uint8_t)((proof->options->inputs_cut ? UNKNOWN : 0) |
                                   (proof->options->scores_cut ? BLIND : 0));
    return SS_OK;
}

/* --- events --- */

/* Whether it can make a state where there is none. */
static bool begins_state(const struct ss_event *event)
{
    return event->input == SS_BLACKLIST ||
           (event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SCORING &&
            event->consent.action == SS_CONSENT_GRANTED);
}

/* Whoever lists friends by now depends on messages that are lost. */
static void expose(const struct proof *proof, struct ss_user *user,
                   const struct ss_user_state *state, const struct ss_event *event)
{
    if (event->input == SS_SOCIAL && ss_proof_friends_losing(proof) &&
        ss_proof_friends_exposed(proof, state))
        user->flags |= EXPIRED;
}

static enum ss_status fold_event(struct proof *proof, struct ss_user *user,
                                 const struct ss_source_event *event)
{
    const bool reads = ss_event_reads_friends(&proof->models, &event->event);
    struct ss_user_state *state = &proof->state;
    bool changed = true;
    enum ss_status status = SS_OK;
    ss_held_read(ss_user_packed(user), state, &proof->places);
    if (reads)
        status = ss_proof_friends_load(proof, state, event->event.user_id);
    if (status != SS_OK)
        return status;
    if (user->flags & BLIND) {
        if (proof->careful)
            ss_skips_add(proof, &proof->cases[user->count].skips, state, event);
        ss_proof_fold_blind(proof, state, event, proof->day);
    } else if (user->flags & EXPIRED && ss_proof_friends_lost(proof)) {
        ss_proof_friends_fold(proof, state, event, proof->day);
    } else if (!ss_proof_silent(proof, state, &event->event, event->offset, event->timestamp_ms,
                                proof->day, proof->low_ms, &changed)) {
        ss_proof_put_aside(proof, user);
        return SS_OK;
    }
    if (reads) {
        expose(proof, user, state, &event->event);
        status = ss_proof_friends_keep(proof, event->event.user_id);
    }
    if (status != SS_OK || !changed)
        return status;
    return ss_proof_put(proof, &user, state, &proof->places, UINT32_C(1) << event->event.input);
}

enum ss_status ss_proof_on_event(struct proof *proof)
{
    const struct ss_source_event *event = proof->walk.event;
    struct ss_text id = event->event.user_id;
    if (id.size == 0 || id.size > SS_USER_ID_MAX || !ss_proof_wants(proof, proof->walk.hash))
        return SS_OK;
    struct ss_user *user = ss_user_table_find(proof->users, proof->walk.hash, id);
    if (proof->careful ? !user || !(user->flags & ASIDE) : user && user->flags & ASIDE)
        return SS_OK;
    if (!user) {
        if (!begins_state(&event->event))
            return SS_OK;
        enum ss_status status = ss_proof_add_user(proof, proof->walk.hash, id, &user);
        if (status != SS_OK)
            return status;
    }
    if (user->flags & UNKNOWN && event->event.input != SS_BLACKLIST)
        return SS_OK;
    if (proof->careful && !(user->flags & (BLIND | UNKNOWN)))
        return ss_case_keep(proof, &proof->cases[user->count], user);
    return fold_event(proof, user, event);
}

/* --- records --- */

/* Where the reading of an input begins, whether or not all from there on is left. */
static int64_t begins_at(const struct ss_proof_options *options, enum ss_input input)
{
    return input == SS_NEIGHBOURS ? options->neighbours_from : options->start[input];
}

static int64_t newest_sequence(const struct ss_user *user)
{
    struct ss_user_state state = {0};
    ss_held_read(ss_user_packed(user), &state, NULL);
    return state.published.sequence;
}

/* Older than the snapshot that everything starts from. user NULL: of somebody who is not judged. */
static bool is_old(const struct proof *proof, const struct ss_user *user,
                   const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    bool same = true;
    if (!options->seed)
        return false;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const int64_t start = begins_at(options, (enum ss_input)i);
        if (view->positions[i] < start)
            return true;
        same &= view->positions[i] == start;
    }
    enum ss_input input = ss_cause_view_input(&view->cause);
    if (input != SS_INPUT_COUNT)
        return view->cause.offset < begins_at(options, input);
    if (!user) /* the next record of the partition tells */
        return same;
    return same && view->sequence <= newest_sequence(user);
}

bool ss_proof_stays_unknown(const struct proof *proof, const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    if (view->kind != SS_KIND_OPT_IN)
        return true;
    /* listed by cases that nobody knows, and may be by more of them than are known */
    if (options->inputs_cut && options->start[SS_BLACKLIST] > 0 &&
        view->standing == SS_STANDING_LISTED)
        return true;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (view->positions[i] < begins_at(options, (enum ss_input)i))
            return true;
    return view->cause.known && view->cause.offset < options->start[SS_CONSENTS];
}

void ss_proof_begin_known(struct ss_user_state *state)
{
    struct ss_blacklist_part blacklist = state->blacklist;
    memset(state, 0, sizeof *state);
    if (blacklist.case_count > 0)
        state->blacklist = blacklist;
}

static enum ss_status judge(struct proof *proof, struct ss_user *user,
                            const struct ss_walk_record *record,
                            const struct ss_source_event *cause)
{
    const bool reads = cause && ss_event_reads_friends(&proof->models, &cause->event);
    struct ss_user_state *state = &proof->state;
    bool same = true;
    enum ss_status status = SS_OK;
    ss_held_read(ss_user_packed(user), state, &proof->places);
    if (reads)
        status = ss_proof_friends_load(proof, state, record->view.user_id);
    if (status != SS_OK)
        return status;
    bool proven = (cause || !record->view.cause.known) && proof->model_known &&
                  ss_proof_arrive(proof, state, record, cause, proof->low_ms);
    if (proven)
        status = ss_grants_judge(proof, user, &same);
    else
        status = ss_grants_take(proof, record->view.user_id, record->view.sequence,
                                record->view.as_of_ms);
    if (status != SS_OK)
        return status;
    if (!proven || !same || user->flags & ASIDE) { /* … by an entitlement that was passed over */
        ss_proof_put_aside(proof, user);
        return SS_OK;
    }
    proof->result->proven++;
    user->count++;
    int grants = proof->options->no_entitlements ? 0 : proof->effects.entitlement_count;
    proof->result->entitlements += grants;
    proof->result->entitlements_proven += grants;
    user->grants += (uint32_t)grants;
    user->flags &= (uint8_t)~BLIND;
    if (reads) {
        expose(proof, user, state, &cause->event);
        status = ss_proof_friends_keep(proof, record->view.user_id);
    }
    const uint32_t inputs = cause ? UINT32_C(1) << cause->event.input : 0;
    return status == SS_OK ? ss_proof_put(proof, &user, state, &proof->places, inputs) : status;
}

/* It rests on what friends have told, and that is lost. */
static enum ss_status pass_expired(struct proof *proof, struct ss_user *user,
                                   const struct ss_walk_record *record,
                                   const struct ss_source_event *cause)
{
    const struct ss_text id = record->view.user_id;
    struct ss_user_state *state = &proof->state;
    ss_held_read(ss_user_packed(user), state, &proof->places);
    enum ss_status status = ss_proof_friends_load(proof, state, id);
    if (status != SS_OK)
        return status;
    if (cause)
        ss_proof_friends_fold(proof, state, cause, proof->day);
    ss_proof_rank_alone(proof, record);
    ss_proof_friends_believe(proof, user, state, &record->view);
    status = ss_proof_friends_keep(proof, id);
    if (status == SS_OK)
        status = ss_proof_put(proof, &user, state, NULL, 0);
    return status == SS_OK ? ss_proof_friends_pass(proof, id, &record->view) : status;
}

/* The record's user; NULL: nothing is to be done with it. */
static enum ss_status find_user(struct proof *proof, const struct ss_walk_record *record,
                                struct ss_user **user)
{
    struct ss_text id = record->view.user_id;
    uint64_t hash = record->hash;
    enum ss_status status = SS_OK;
    *user = NULL;
    if (!ss_proof_wants(proof, hash)) {
        proof->result->others += !proof->careful;
        return SS_OK;
    }
    if (proof->careful) {
        *user = ss_user_table_find(proof->users, hash, id);
        if (*user && !((*user)->flags & ASIDE))
            *user = NULL;
        return SS_OK;
    }
    proof->result->records++;
    ss_proof_rank_count(proof, &record->view);
    status = ss_proof_add_user(proof, hash, id, user);
    if (status == SS_OK && record->view.kind == SS_KIND_OPT_OUT)
        (*user)->note = record->offset + 1;
    return status;
}

static enum ss_status pass_by(struct proof *proof, const struct ss_score_view *view, int64_t *count)
{
    *count += !proof->careful;
    if (proof->careful)
        return ss_grants_take(proof, view->user_id, view->sequence, view->as_of_ms);
    ss_proof_rank_alone(proof, proof->walk.record);
    return ss_grants_pass(proof, view);
}

/* The first record that is known all about, of somebody whose history was not whole. */
static enum ss_status begin_known(struct proof *proof, struct ss_user **user)
{
    struct ss_user_state state = {0};
    ss_held_read(ss_user_packed(*user), &state, NULL);
    ss_proof_begin_known(&state);
    (*user)->flags &= (uint8_t) ~(UNKNOWN | BLIND);
    return ss_proof_put(proof, user, &state, NULL, 0);
}

static enum ss_status on_user_record(struct proof *proof, struct ss_user *user,
                                     const struct ss_walk_record *record,
                                     const struct ss_source_event *cause, bool old)
{
    const struct ss_score_view *view = &record->view;
    if (old)
        return pass_by(proof, view, &proof->result->before_start);
    if (user->flags & UNKNOWN) {
        enum ss_status status = SS_OK;
        if (ss_proof_stays_unknown(proof, view)) {
            if (cause && cause->event.input == SS_BLACKLIST)
                status = fold_event(proof, user, cause);
            return status == SS_OK ? pass_by(proof, view, &proof->result->out_of_retention)
                                   : status;
        }
        status = begin_known(proof, &user);
        if (status != SS_OK)
            return status;
    }
    if (proof->careful)
        return ss_proof_settle(proof, user, record, cause);
    if (user->flags & ASIDE)
        return ss_grants_take(proof, view->user_id, view->sequence, view->as_of_ms);
    if (user->flags & EXPIRED && ss_proof_friends_lost(proof)) {
        if (!(user->flags & BLIND))
            return pass_expired(proof, user, record, cause);
        ss_proof_put_aside(proof, user);
        return ss_grants_take(proof, view->user_id, view->sequence, view->as_of_ms);
    }
    return judge(proof, user, record, cause);
}

static bool same_user(const struct ss_source_event *event, struct ss_text id)
{
    return event->event.user_id.size == id.size &&
           memcmp(event->event.user_id.data, id.data, id.size) == 0;
}

static enum ss_status see(struct proof *proof, int64_t clock_ms)
{
    proof->interval++;
    if (!proof->careful)
        return SS_OK;
    if (!ss_make_room(&proof->sights, proof->sight_count, &proof->sight_capacity,
                      sizeof *proof->sights))
        return ss_fail(proof->err, SS_STOP, "out of memory");
    proof->sights[proof->sight_count++] = (struct proof_sight){proof->interval - 1, clock_ms};
    return SS_OK;
}

enum ss_status ss_proof_on_record(struct proof *proof)
{
    const struct ss_walk_record *record = proof->walk.record;
    const struct ss_source_event *cause = proof->walk.event;
    struct ss_user *user;
    enum ss_status status = SS_OK;
    bool gone = record->view.cause.known && !cause && !ss_proof_friends_lost_cause(proof, record);
    if (cause && !same_user(cause, record->view.user_id)) {
        proof->walk.hash = ss_user_hash(cause->event.user_id);
        status = ss_proof_on_event(proof); /* of whom it really is */
        cause = NULL;
    }
    if (ss_clock_exact(&record->view) && status == SS_OK)
        status = see(proof, record->view.clock_ms);
    else
        proof->interval++;
    if (status == SS_OK)
        status = find_user(proof, record, &user);
    const bool old = status == SS_OK && is_old(proof, user, &record->view);
    if (status == SS_OK && !old) /* what was in charge before the snapshot is not any more */
        status = ss_proof_models(proof, record);
    if (status == SS_OK && user && gone && !old &&
        !proof->careful) /* who reads everybody's events knows */
        user->flags |= GONE;
    if (status == SS_OK && user)
        status = on_user_record(proof, user, record, cause, old);
    if (record->view.clock_ms > proof->low_ms)
        proof->low_ms = record->view.clock_ms;
    proof->heard = record->view.positions[SS_NEIGHBOURS];
    return status;
}

enum ss_status ss_proof_on_stray(struct proof *proof)
{
    const struct ss_walk_record *record = proof->walk.record;
    struct ss_user *user;
    if (record->stray == SS_STRAY_UNREADABLE) {
        const struct ss_proof_difference difference = {
            .verdict = SS_PROOF_UNREADABLE,
            .partition = proof->options->partition,
            .offset = record->offset,
            .why = ss_stray_text(record->stray),
        };
        if (proof->careful)
            return SS_OK;
        proof->result->records++;
        proof->result->differing++;
        if (proof->options->difference)
            proof->options->difference(proof->options->arg, &difference);
        return SS_OK;
    }
    if (record->stray == SS_STRAY_BEYOND && proof->options->live) {
        proof->result->newer += !proof->careful;
        return ss_grants_take(proof, record->view.user_id, record->view.sequence,
                              record->view.as_of_ms);
    }
    enum ss_status status = find_user(proof, record, &user);
    if (status != SS_OK || !user)
        return status;
    if (user->flags & UNKNOWN)
        return pass_by(proof, &record->view, &proof->result->out_of_retention);
    if (!proof->careful) {
        ss_proof_put_aside(proof, user);
        return ss_grants_take(proof, record->view.user_id, record->view.sequence,
                              record->view.as_of_ms);
    }
    status = ss_grants_hold(proof, &record->view);
    return status == SS_OK ? ss_case_keep_stray(proof, &proof->cases[user->count], record) : status;
}
