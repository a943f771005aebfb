#include "audit/proof_internal.h"

#include <stdlib.h>

enum { PROGRESS_STEPS = 1 << 14 };

const char *ss_proof_verdict_text(enum ss_proof_verdict verdict)
{
    static const char *const texts[SS_PROOF_VERDICT_COUNT] = {
        [SS_PROOF_DIFFERENT] = "different",
        [SS_PROOF_MISSING] = "missing",
        [SS_PROOF_EXTRA] = "extra",
        [SS_PROOF_OUT_OF_ORDER] = "out of order",
        [SS_PROOF_UNREADABLE] = "unreadable",
        [SS_PROOF_NO_MODEL] = "unknown model",
        [SS_PROOF_ENTITLEMENT] = "different entitlement",
        [SS_PROOF_NO_ENTITLEMENT] = "missing entitlement",
        [SS_PROOF_ANY_ENTITLEMENT] = "extra entitlement",
    };
    return texts[verdict];
}

enum ss_status ss_proof_put(struct proof *proof, struct ss_user **user,
                            const struct ss_user_state *state)
{
    uint8_t held[SS_HELD_MAX];
    size_t size = ss_held_write(state, held);
    *user = ss_user_table_put(proof->users, *user, (struct ss_bytes){held, size});
    return *user ? SS_OK : ss_fail(proof->err, SS_STOP, "out of memory for users");
}

void ss_proof_put_aside(struct proof *proof, struct ss_user *user)
{
    if (user->flags & ASIDE)
        return;
    user->flags |= ASIDE;
    proof->result->proven -= user->count;
    proof->result->entitlements -= user->grants;
    proof->result->entitlements_proven -= user->grants;
    user->count = user->grants = 0;
    proof->result->looked_at_again++;
}

void ss_proof_fold_blind(struct proof *proof, struct ss_user_state *state,
                         const struct ss_source_event *event, int32_t day)
{
    struct ss_context context = {
        .partition = proof->options->partition,
        .offset = event->offset,
        .record_time_ms =
            event->timestamp_ms >= 0 ? event->timestamp_ms : event->event.occurred_at_ms,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
        .clock_ms = proof->low_ms,
        .day = day,
    };
    if (ss_event_check(proof->models.person, &event->event, &context) != SS_REFUSAL_NONE)
        return;
    while (ss_proof_wake(proof, state, event->event.user_id, &context))
        continue;
    (void)ss_proof_apply(proof, state, &event->event, &context);
}

static enum ss_status add_user(struct proof *proof, uint64_t hash, struct ss_text id,
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

static enum ss_status fold_event(struct proof *proof, struct ss_user *user,
                                 const struct ss_source_event *event)
{
    struct ss_user_state *state = &proof->state;
    bool changed;
    ss_held_read(ss_user_packed(user), state);
    if (user->flags & BLIND) {
        ss_proof_fold_blind(proof, state, event, proof->day);
        return ss_proof_put(proof, &user, state);
    }
    if (!ss_proof_silent(proof, state, &event->event, event->offset, event->timestamp_ms,
                         proof->day, proof->low_ms, &changed)) {
        ss_proof_put_aside(proof, user);
        return SS_OK;
    }
    return changed ? ss_proof_put(proof, &user, state) : SS_OK;
}

static enum ss_status on_event(struct proof *proof)
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
        enum ss_status status = add_user(proof, proof->walk.hash, id, &user);
        if (status != SS_OK)
            return status;
    }
    if (user->flags & UNKNOWN && event->event.input != SS_BLACKLIST)
        return SS_OK;
    if (proof->careful && !(user->flags & (BLIND | UNKNOWN)))
        return ss_proof_keep(proof, &proof->cases[user->count]);
    return fold_event(proof, user, event);
}

/* --- records --- */

static int64_t newest_sequence(const struct ss_user *user)
{
    struct ss_user_state state = {0};
    ss_held_read(ss_user_packed(user), &state);
    return state.published.sequence;
}

/* Older than the snapshot that everything starts from. */
static bool is_old(const struct proof *proof, const struct ss_user *user,
                   const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    bool same = true;
    if (!options->seed)
        return false;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        if (view->positions[i] < options->start[i])
            return true;
        same &= view->positions[i] == options->start[i];
    }
    enum ss_input input = ss_walk_cause_input(&view->cause);
    if (input != SS_INPUT_COUNT)
        return view->cause.offset < options->start[input];
    return same && view->sequence <= newest_sequence(user);
}

bool ss_proof_stays_unknown(const struct proof *proof, const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    if (view->kind != SS_KIND_OPT_IN)
        return true;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (view->positions[i] < options->start[i])
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
    struct ss_user_state *state = &proof->state;
    bool same = true;
    enum ss_status status = SS_OK;
    proof->held = ss_user_packed(user);
    ss_held_read(proof->held, state);
    bool proven = (cause || !ss_proof_needs_cause(record)) && proof->model_known &&
                  ss_proof_arrive(proof, state, record, cause, proof->low_ms);
    proof->held = (struct ss_bytes){0};
    if (proven)
        status = ss_grants_judge(proof, user, &same);
    else
        status = ss_grants_take(proof, record->view.user_id, record->view.sequence,
                                record->view.as_of_ms);
    if (status != SS_OK)
        return status;
    if (!proof->options->no_entitlements) /* the look for them may have added users */
        user = ss_user_table_find(proof->users, record->hash, record->view.user_id);
    if (!proven || !same) {
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
    return ss_proof_put(proof, &user, state);
}

static bool rank_known(const struct proof *proof, const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    return options->rank &&
           options->rank(options->arg, view->ranks_offset, view->score) != SS_PROOF_RANK_UNKNOWN;
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
    if (record->view.has_rank && !rank_known(proof, &record->view))
        proof->result->percentiles_unchecked++;
    status = add_user(proof, hash, id, user);
    if (status == SS_OK && record->view.kind == SS_KIND_OPT_OUT)
        (*user)->note = record->offset + 1;
    return status;
}

static enum ss_status pass_by(struct proof *proof, const struct ss_score_view *view, int64_t *count)
{
    *count += !proof->careful;
    if (proof->careful)
        return ss_grants_take(proof, view->user_id, view->sequence, view->as_of_ms);
    return ss_grants_pass(proof, view);
}

/* The first record that is known all about, of somebody whose history was not whole. */
static enum ss_status begin_known(struct proof *proof, struct ss_user **user)
{
    struct ss_user_state state = {0};
    ss_held_read(ss_user_packed(*user), &state);
    ss_proof_begin_known(&state);
    (*user)->flags &= (uint8_t) ~(UNKNOWN | BLIND);
    return ss_proof_put(proof, user, &state);
}

static enum ss_status on_user_record(struct proof *proof, struct ss_user *user,
                                     const struct ss_walk_record *record,
                                     const struct ss_source_event *cause)
{
    const struct ss_score_view *view = &record->view;
    if (is_old(proof, user, view))
        return pass_by(proof, view, &proof->result->before_start);
    if (user->flags & UNKNOWN) {
        if (ss_proof_stays_unknown(proof, view))
            return pass_by(proof, view, &proof->result->out_of_retention);
        enum ss_status status = begin_known(proof, &user);
        if (status != SS_OK)
            return status;
    }
    if (proof->careful)
        return ss_proof_settle(proof, user, record, cause);
    if (user->flags & ASIDE)
        return ss_grants_take(proof, view->user_id, view->sequence, view->as_of_ms);
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
    if (proof->sight_count == proof->sight_capacity) {
        size_t more = proof->sight_capacity ? proof->sight_capacity * 2 : 1024;
        struct proof_sight *sights = realloc(proof->sights, more * sizeof *sights);
        if (!sights)
            return ss_fail(proof->err, SS_STOP, "out of memory");
        proof->sights = sights;
        proof->sight_capacity = more;
    }
    proof->sights[proof->sight_count++] = (struct proof_sight){proof->interval - 1, clock_ms};
    return SS_OK;
}

static enum ss_status on_record(struct proof *proof)
{
    const struct ss_walk_record *record = proof->walk.record;
    const struct ss_source_event *cause = proof->walk.event;
    struct ss_user *user;
    enum ss_status status = SS_OK;
    bool gone = ss_proof_needs_cause(record) && !cause;
    if (cause && !same_user(cause, record->view.user_id)) {
        status = on_event(proof); /* of whom it really is */
        cause = NULL;
    }
    if (ss_clock_exact(&record->view) && status == SS_OK)
        status = see(proof, record->view.clock_ms);
    else
        proof->interval++;
    if (status == SS_OK)
        status = ss_proof_models(proof, record);
    if (status == SS_OK)
        status = find_user(proof, record, &user);
    if (status == SS_OK && user && gone && !proof->careful) /* who reads everybody's events knows */
        user->flags |= GONE;
    if (status == SS_OK && user)
        status = on_user_record(proof, user, record, cause);
    if (record->view.clock_ms > proof->low_ms)
        proof->low_ms = record->view.clock_ms;
    return status;
}

static enum ss_status on_stray(struct proof *proof)
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
    return status == SS_OK ? ss_proof_keep_stray(proof, &proof->cases[user->count], record)
                           : status;
}

/* --- a pass --- */

static enum ss_status tell_progress(struct proof *proof, int64_t *events, int64_t *records)
{
    const struct ss_proof_options *options = proof->options;
    int64_t events_now = 0, records_now = proof->walk.record_count;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        events_now += proof->walk.inputs[i].events;
    if (options->progress)
        options->progress(options->arg, events_now - *events, records_now - *records);
    *events = events_now;
    *records = records_now;
    if (options->stop && atomic_load(options->stop))
        return ss_fail(proof->err, SS_STOP, "stopped");
    return SS_OK;
}

/* The day that the input has come to with walk.event (docs/model.md 3.3). The second pass reads the
 * events of some users only, so it looks up what the first one found. */
static enum ss_status come_to_day(struct proof *proof)
{
    const enum ss_input input = proof->walk.input;
    const struct ss_source_event *event = proof->walk.event;
    const struct proof_day *days = proof->days[input];
    size_t count = proof->day_count[input];
    if (proof->careful) {
        size_t *at = &proof->day_at[input];
        while (*at < count && days[*at].offset <= event->offset)
            ++*at;
        proof->day = *at ? days[*at - 1].day : proof->options->start_days[input];
        return SS_OK;
    }
    const struct ss_context context = {
        .record_time_ms =
            event->timestamp_ms >= 0 ? event->timestamp_ms : event->event.occurred_at_ms,
        .future_tolerance_ms = proof->options->future_tolerance_ms,
    };
    int32_t before = count ? days[count - 1].day : proof->options->start_days[input];
    proof->day = before;
    if (ss_event_check(proof->models.person, &event->event, &context) != SS_REFUSAL_NONE)
        return SS_OK;
    proof->day = ss_input_day(before, &event->event, &context);
    if (proof->day == before)
        return SS_OK;
    if (count == proof->day_capacity[input]) {
        size_t more = count ? count * 2 : 256;
        struct proof_day *grown = realloc(proof->days[input], more * sizeof *grown);
        if (!grown)
            return ss_fail(proof->err, SS_STOP, "out of memory for days");
        proof->days[input] = grown;
        proof->day_capacity[input] = more;
    }
    proof->days[input][proof->day_count[input]++] = (struct proof_day){event->offset, proof->day};
    return SS_OK;
}

static enum ss_status pass(struct proof *proof)
{
    enum ss_walk_step step = SS_WALK_EVENT;
    enum ss_status status = SS_OK;
    int64_t events = 0, records = 0;
    for (int64_t n = 1; status == SS_OK && step != SS_WALK_END; n++) {
        status = ss_walk_next(&proof->walk, &step, proof->err);
        if (status == SS_OK && (step == SS_WALK_EVENT || step == SS_WALK_RECORD) &&
            proof->walk.event)
            status = come_to_day(proof);
        if (status == SS_OK && step == SS_WALK_EVENT)
            status = on_event(proof);
        else if (status == SS_OK && step == SS_WALK_RECORD)
            status = on_record(proof);
        else if (status == SS_OK && step == SS_WALK_STRAY)
            status = on_stray(proof);
        if (status == SS_OK && n % PROGRESS_STEPS == 0)
            status = tell_progress(proof, &events, &records);
    }
    return status == SS_OK ? tell_progress(proof, &events, &records) : status;
}

static enum ss_status on_seed(void *to, struct ss_text user_id, struct ss_bytes packed,
                              struct ss_error *err)
{
    struct proof *proof = to;
    if (ss_is_friends_key((struct ss_bytes){user_id.data, user_id.size}))
        return SS_OK;
    uint64_t hash = ss_user_hash(user_id);
    if (!ss_proof_wants(proof, hash))
        return SS_OK;
    struct ss_user *user = ss_user_table_find(proof->users, hash, user_id);
    if (proof->careful && (!user || !(user->flags & ASIDE)))
        return SS_OK;
    if (!user)
        user = ss_user_table_add(proof->users, hash, user_id);
    if (user) {
        struct ss_user_state state;
        enum ss_status status = ss_state_unpack(packed, &state, err);
        if (status != SS_OK)
            return status;
        /* epochs are counted anew here: everybody counts as told of the models in charge */
        state.published.epoch = ss_models_since(&proof->models, state.published.business);
        return ss_proof_put(proof, &user, &state);
    }
    return user ? SS_OK : ss_fail(err, SS_STOP, "out of memory for users");
}

static void forget_models(struct proof *proof)
{
    while (proof->before_count)
        free(proof->befores[--proof->before_count]);
    free(proof->befores);
    proof->befores = NULL;
}

static enum ss_status begin_pass(struct proof *proof, const struct ss_source_users *users)
{
    const struct ss_proof_options *options = proof->options;
    enum ss_status status = SS_OK;
    ss_walk_reset(&proof->walk);
    ss_walk_init(&proof->walk);
    ss_grants_reset(&proof->grants);
    forget_models(proof);
    proof->models = options->models;
    proof->low_ms = options->start_clock_ms;
    proof->interval = 0;
    if (options->seed)
        status = options->seed(options->arg, on_seed, proof, proof->err);
    if (status == SS_OK)
        status = options->open(options->arg, users, &proof->feed, proof->err);
    proof->walk.feed = &proof->feed;
    proof->walk.users = proof->users;
    proof->walk.complete = !options->some_users && !users;
    proof->walk.high_ms = options->start_clock_ms;
    memcpy(proof->walk.start, options->start, sizeof proof->walk.start);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        proof->walk.inputs[i].position = proof->walk.inputs[i].next = options->start[i];
    return status;
}

static enum ss_status first_pass(struct proof *proof)
{
    struct ss_proof_result *result = proof->result;
    enum ss_status status = begin_pass(proof, NULL);
    if (status == SS_OK)
        status = pass(proof);
    if (status == SS_OK)
        status = ss_grants_end(proof);
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        const struct ss_walk_input *input = &proof->walk.inputs[i];
        result->events += input->events;
        result->positions[i] = input->next;
    }
    result->users = (int64_t)ss_user_table_count(proof->users);
    result->table_bytes = ss_user_table_bytes(proof->users);
    return status;
}

/* Those put aside begin anew; there is a case for each. */
static enum ss_status list_aside(struct proof *proof, struct ss_source_users *users)
{
    struct ss_user *user;
    size_t at = 0;
    proof->cases = calloc((size_t)proof->result->looked_at_again, sizeof *proof->cases);
    if (!proof->cases)
        return ss_fail(proof->err, SS_STOP, "out of memory");
    while ((user = ss_user_table_next(proof->users, &at))) {
        if (!(user->flags & ASIDE))
            continue;
        struct ss_text id = ss_user_id(user);
        user->flags =
            (uint8_t)(ASIDE | (user->flags & GONE) | (proof->options->inputs_cut ? UNKNOWN : 0) |
                      (proof->options->scores_cut ? BLIND : 0));
        user->count = (uint32_t)proof->case_count++;
        user->packed_size = 0;
        enum ss_status status =
            ss_source_users_add(users, (struct ss_bytes){id.data, id.size}, proof->err);
        if (status != SS_OK)
            return status;
    }
    return SS_OK;
}

static enum ss_status end_cases(struct proof *proof)
{
    struct ss_user *user;
    size_t at = 0;
    enum ss_status status = SS_OK;
    /* a settled user may move, but no slot does */
    while (status == SS_OK && (user = ss_user_table_next(proof->users, &at)))
        if (user->flags & ASIDE && !(user->flags & UNKNOWN))
            status = ss_proof_settle(proof, user, NULL, NULL);
    return status;
}

static enum ss_status second_pass(struct proof *proof)
{
    struct ss_source_users *users = ss_source_users_open();
    enum ss_status status =
        users ? list_aside(proof, users) : ss_fail(proof->err, SS_STOP, "out of memory");
    proof->careful = true;
    if (status == SS_OK)
        status = begin_pass(proof, users);
    if (status == SS_OK)
        status = pass(proof);
    if (status == SS_OK)
        status = end_cases(proof);
    if (status == SS_OK)
        status = ss_grants_end(proof);
    for (size_t i = 0; i < proof->case_count; i++)
        ss_proof_case_reset(&proof->cases[i]);
    free(proof->cases);
    free(proof->sights);
    free(proof->stack);
    ss_source_users_close(users);
    return status;
}

enum ss_status ss_proof_run(const struct ss_proof_options *options, struct ss_proof_result *result,
                            struct ss_error *err)
{
    memset(result, 0, sizeof *result);
    struct proof *proof = calloc(1, sizeof *proof);
    enum ss_status status = SS_OK;
    if (!proof)
        return ss_fail(err, SS_STOP, "out of memory");
    proof->options = options;
    proof->result = result;
    proof->err = err;
    ss_walk_init(&proof->walk);
    ss_buffer_init(&proof->encoded, 1 << 20);
    proof->users = ss_user_table_open();
    proof->friends = calloc(1, sizeof *proof->friends);
    if (!proof->users || !proof->friends)
        status = ss_fail(err, SS_STOP, "out of memory");
    if (status == SS_OK)
        status = first_pass(proof);
    if (status == SS_OK && result->looked_at_again > 0)
        status = second_pass(proof);
    ss_walk_reset(&proof->walk);
    ss_grants_reset(&proof->grants);
    ss_buffer_reset(&proof->encoded);
    ss_user_table_close(proof->users);
    forget_models(proof);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        free(proof->days[i]);
    free(proof->friends);
    free(proof);
    return status;
}

/* --- results --- */

void ss_proof_add(struct ss_proof_result *sum, const struct ss_proof_result *result)
{
    sum->records += result->records;
    sum->proven += result->proven;
    sum->differing += result->differing;
    sum->erased += result->erased;
    sum->out_of_retention += result->out_of_retention;
    sum->before_start += result->before_start;
    sum->newer += result->newer;
    sum->missing += result->missing;
    sum->entitlements += result->entitlements;
    sum->entitlements_proven += result->entitlements_proven;
    sum->entitlements_differing += result->entitlements_differing;
    sum->entitlements_unjudged += result->entitlements_unjudged;
    sum->percentiles_unchecked += result->percentiles_unchecked;
    sum->others += result->others;
    sum->events += result->events;
    sum->users += result->users;
    sum->looked_at_again += result->looked_at_again;
    sum->searched += result->searched;
    sum->undecided += result->undecided;
    sum->table_bytes += result->table_bytes;
}

bool ss_proof_holds(const struct ss_proof_result *result)
{
    return result->differing == 0 && result->missing == 0 && result->entitlements_differing == 0;
}
