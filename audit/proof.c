#include "audit/proof_internal.h"
#include "audit/room.h"

enum { PROGRESS_STEPS = 1 << 14 };

enum ss_status ss_proof_put(struct proof *proof, struct ss_user **user,
                            const struct ss_user_state *state, const struct ss_held_places *places,
                            uint32_t inputs)
{
    *user = ss_held_put(proof->users, *user, state, places, inputs);
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
    ss_proof_friends_uncount(proof, ss_user_id(user));
    proof->result->looked_at_again++;
}

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
    proof->day = 0;
    proof->passed_by = NULL;
    if (input == SS_NEIGHBOURS) /* whose messages have no ids */
        return SS_OK;
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
    proof->passed_by = proof->models.person;
    const int64_t newest_ms = event->event.occurred_at_ms < context.record_time_ms
                                  ? event->event.occurred_at_ms
                                  : context.record_time_ms;
    if (newest_ms > proof->newest_ms)
        proof->newest_ms = newest_ms;
    proof->day = ss_input_day(before, &event->event, &context);
    if (proof->day == before)
        return SS_OK;
    if (!ss_make_room(&proof->days[input], count, &proof->day_capacity[input],
                      sizeof *proof->days[input]))
        return ss_fail(proof->err, SS_STOP, "out of memory for days");
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
        if (status == SS_OK && proof->walk.record && !proof->careful)
            ss_proof_ranks_record(proof, proof->walk.record);
        if (status == SS_OK && step == SS_WALK_EVENT)
            status = ss_proof_on_event(proof);
        else if (status == SS_OK && step == SS_WALK_RECORD)
            status = ss_proof_on_record(proof);
        else if (status == SS_OK && step == SS_WALK_STRAY)
            status = ss_proof_on_stray(proof);
        if (status == SS_OK && n % PROGRESS_STEPS == 0)
            status = tell_progress(proof, &events, &records);
    }
    return status == SS_OK ? tell_progress(proof, &events, &records) : status;
}

/* Of the second pass only those who were put aside. */
static bool is_seeded(const struct proof *proof, uint64_t hash, const struct ss_user *user)
{
    return ss_proof_wants(proof, hash) && (!proof->careful || (user && user->flags & ASIDE));
}

/* A friends record, before or behind its user's state. */
static enum ss_status seed_friends(struct proof *proof, struct ss_text user_id,
                                   struct ss_bytes packed, struct ss_error *err)
{
    const uint64_t hash = ss_user_hash(user_id);
    struct ss_user *user = ss_user_table_find(proof->users, hash, user_id);
    if (!is_seeded(proof, hash, user))
        return SS_OK;
    if (ss_proof_friends_losing(proof)) {
        if (ss_proof_add_user(proof, hash, user_id, &user) != SS_OK)
            return SS_STOP;
        user->flags |= EXPIRED;
    }
    return ss_replay_friends_put(proof->friends, user_id, packed, err);
}

static enum ss_status on_seed(void *to, struct ss_text user_id, struct ss_bytes packed,
                              struct ss_error *err)
{
    struct proof *proof = to;
    struct ss_user_state state;
    if (ss_is_friends_key((struct ss_bytes){user_id.data, user_id.size})) {
        const struct ss_text id = {user_id.data + 1, user_id.size - 1};
        return seed_friends(proof, id, packed, err);
    }
    const uint64_t hash = ss_user_hash(user_id);
    struct ss_user *user = ss_user_table_find(proof->users, hash, user_id);
    if (!is_seeded(proof, hash, user))
        return SS_OK;
    if (!user && ss_proof_add_user(proof, hash, user_id, &user) != SS_OK)
        return SS_STOP;
    enum ss_status status = ss_state_unpack(packed, &state, err);
    if (status != SS_OK)
        return status;
    if (state.consents.scoring && !ss_wake_known(&proof->models, &state))
        return ss_fail(err, SS_STOP,
                       "a user of the snapshot was told of a model (epoch %d) that is neither in "
                       "sesame-models nor given with --model",
                       state.published.epoch);
    return ss_proof_put(proof, &user, &state, NULL, 0);
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
    proof->heard = options->neighbours_from;
    proof->interval = 0;
    if (options->seed)
        status = options->seed(options->arg, on_seed, proof, proof->err);
    if (status == SS_OK)
        status = options->open(options->arg, users, &proof->feed, proof->err);
    proof->walk.feed = &proof->feed;
    proof->walk.users = proof->users;
    proof->walk.without_neighbours = options->without_neighbours;
    proof->walk.complete = !options->some_users && !users;
    proof->walk.high_ms = options->start_clock_ms;
    memcpy(proof->walk.start, options->start, sizeof proof->walk.start);
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        proof->walk.position[i] = proof->walk.inputs[i].next = options->start[i];
    return status;
}

static enum ss_status first_pass(struct proof *proof)
{
    struct ss_proof_result *result = proof->result;
    enum ss_status status = begin_pass(proof, NULL);
    ss_proof_ranks_begin(proof);
    if (status == SS_OK)
        status = pass(proof);
    if (status == SS_OK)
        ss_proof_ranks_end(proof);
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
        ss_proof_friends_clear(proof);
        enum ss_status status = ss_proof_friends_keep(proof, id);
        if (status == SS_OK)
            status = ss_source_users_add(users, (struct ss_bytes){id.data, id.size}, proof->err);
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
    proof->long_searches = SEARCHES_LONG;
    if (status == SS_OK)
        status = begin_pass(proof, users);
    if (status == SS_OK)
        status = pass(proof);
    if (status == SS_OK)
        status = end_cases(proof);
    if (status == SS_OK)
        status = ss_grants_end(proof);
    for (size_t i = 0; i < proof->case_count; i++)
        ss_case_reset(proof, &proof->cases[i]);
    free(proof->cases);
    free(proof->sights);
    free(proof->stack);
    free(proof->lists);
    free(proof->seen);
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
    proof->grants_begin = INT64_MAX;
    ss_walk_init(&proof->walk);
    ss_buffer_init(&proof->encoded, 1 << 20);
    proof->users = ss_user_table_open(SS_HELD_FIRST);
    status = ss_replay_friends_open(&proof->friends, err);
    if (status == SS_OK && !proof->users)
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
    ss_replay_friends_close(proof->friends);
    free(proof);
    return status;
}
