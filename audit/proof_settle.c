/* proof_settle.c - a user who was put aside, from one of its records to the next.
 *
 * 1. The likeliest way over what it went through in between, then a search for another one.
 * 2. If none leads to the record, what is owed is told (proof_owed.c).
 * 3. Afterwards the user stands as was computed; if the next record does not follow from that, but
 * from the record as it was published, then that is believed. So one difference does not lead to
 * more.
 */
#include "audit/proof_internal.h"

#include <stdlib.h>

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
        const struct ss_models now = ss_proof_go_back(proof, ss_proof_epoch(proof, kept, state));
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
    if (!searching)
        return plain(s, state);
    if (!s->record && s->one->kept_count == 0)
        return true;
    bool found = ss_proof_search(s->proof, s->one, state, s->record, s->cause, s->proof->low_ms);
    s->cut_short |= s->proof->budget < 0;
    return found;
}

bool ss_proof_way_from(struct settling *s, struct ss_user_state *state, bool searching)
{
    return find_way(s, state, searching);
}

enum { AS_COMPUTED, AS_BELIEVED, AS_GUESSED };

/* The states that it may have begun with, by number; false: there is none by this one. */
static bool set_out(struct settling *s, int from, struct ss_user_state *state)
{
    struct proof_case *one = s->one;
    struct ss_friends *list = &s->proof->friends->list;
    if (from > AS_GUESSED) /* the first is as computed */
        return ss_guess_take(one->guesses.at[from - AS_GUESSED], state, list);
    *state = s->begin;
    ss_proof_friends_copy(list, &s->begin_list);
    if (from == AS_COMPUTED)
        return true;
    if (from == AS_GUESSED || !one->other)
        return false;
    ss_held_read((struct ss_bytes){one->other, one->other_size}, state, NULL);
    if (!state->friends.open)
        ss_proof_friends_clear(s->proof);
    return true;
}

/* From *state, with the list in hand. */
static bool any_way(struct settling *s, struct ss_user_state *state)
{
    const int last = AS_GUESSED + s->one->guesses.count;
    s->begin = *state;
    ss_proof_friends_copy(&s->begin_list, &s->proof->friends->list);
    for (int searching = 0; searching < 2; searching++) {
        s->proof->result->searched += searching;
        for (s->from = AS_COMPUTED; s->from < last; s->from++)
            if (set_out(s, s->from, state) && find_way(s, state, searching))
                return true;
    }
    (void)set_out(s, AS_COMPUTED, state);
    return false;
}

/* Where else the ways to the record may have led; *state and the list are where one did. */
static void guess(struct settling *s, const struct ss_user_state *state)
{
    const bool needed = ss_guess_needed(s->one);
    const int last = AS_GUESSED + s->one->guesses.count;
    struct proof *proof = s->proof;
    struct ss_friends list;
    if (s->from == AS_BELIEVED || (!needed && s->one->guesses.count == 0))
        return;
    ss_proof_friends_copy(&list, &proof->friends->list);
    (void)ss_guess_add(&s->ends, state, &list);
    for (int from = AS_COMPUTED; from < last; from++) {
        struct ss_user_state other;
        const int before = s->ends.count;
        if (from == AS_BELIEVED || !set_out(s, from, &other))
            continue;
        if (needed)
            ss_proof_search_all(proof, s->one, &other, s->record, s->cause, proof->low_ms,
                                &s->ends);
        if (s->ends.count > before || from == s->from)
            continue;
        for (int searching = 0; searching < 2; searching++)
            if (set_out(s, from, &other) && find_way(s, &other, searching)) {
                (void)ss_guess_add(&s->ends, &other, &proof->friends->list);
                break;
            }
    }
    ss_proof_friends_copy(&proof->friends->list, &list);
    if (s->ends.count == 1)
        ss_guess_forget(&s->ends);
}

/* --- the record as a whole --- */

/* Its cause is no longer in the logs: of somebody who has withdrawn, or before where they begin. */
static bool is_gone(struct settling *s)
{
    const struct ss_walk_record *record = s->record;
    if (!record->view.cause.known || s->cause || s->one->erased)
        return s->one->erased;
    s->one->erased =
        s->user->flags & GONE && s->user->note > 0 && record->offset <= s->user->note - 1;
    return s->one->erased;
}

/* What led to the record; `proven`: of ss_skips_move_on. */
static void forget(struct settling *s, const struct ss_user_state *proven)
{
    ss_skips_move_on(s, proven);
    ss_case_forget(s->one);
}

static void forget_events(struct settling *s)
{
    ss_skips_move_on(s, NULL);
    ss_case_forget_events(s->one);
}

/* It is not judged, nor are its entitlements. */
static void pass_stray(struct settling *s, const struct proof_stray *stray, int64_t *count)
{
    ss_grants_let_go(s->proof, &stray->record.view);
    ss_proof_rank_alone(s->proof, &stray->record);
    ++*count;
}

static void tell_strays(struct settling *s)
{
    for (size_t i = 0; i < s->one->stray_count; i++) {
        const struct proof_stray *stray = &s->one->strays[i];
        if (s->record && ss_proof_can_have_been(s, stray))
            pass_stray(s, stray, &s->proof->result->out_of_retention);
        else if (!stray->matched)
            ss_settle_tell(s, SS_PROOF_EXTRA, &stray->record, NULL, 0,
                           ss_stray_text(stray->record.stray));
    }
}

static enum ss_status remember(struct settling *s, const struct ss_user_state *state,
                               const struct ss_user_state *other)
{
    uint8_t held[SS_HELD_MAX];
    struct proof_case *one = s->one;
    ss_guess_forget(&one->guesses);
    one->guesses = s->ends;
    free(one->other);
    one->other = NULL;
    if (other) {
        one->other_size = ss_held_write(other, held);
        one->other = malloc(one->other_size + 1);
        if (!one->other)
            return ss_fail(s->proof->err, SS_STOP, "out of memory for states");
        memcpy(one->other, held, one->other_size);
    }
    s->proof->list_changed |= s->from > AS_GUESSED;
    enum ss_status status = ss_proof_friends_keep(s->proof, ss_user_id(s->user));
    return status == SS_OK ? ss_proof_put(s->proof, &s->user, state, NULL, 0) : status;
}

static enum ss_status differs(struct settling *s, struct ss_user_state *state)
{
    struct ss_user_state other;
    if (s->record && s->proof->model_alone) /* it may say so wrongly, and then nothing follows */
        s->proof->models = *s->proof->models.before;
    enum ss_status status = ss_settle_forced(s, state);
    tell_strays(s);
    forget(s, NULL);
    if (status != SS_OK || !s->record)
        return status == SS_OK ? remember(s, state, NULL) : status;
    other = *state;
    ss_proof_adopt(s->proof, &other, &s->record->view);
    return remember(s, state, &other);
}

static void pass_strays(struct settling *s, int64_t *count)
{
    for (size_t i = 0; i < s->one->stray_count; i++)
        pass_stray(s, &s->one->strays[i], count);
}

static enum ss_status out_of_retention(struct settling *s, const struct ss_user_state *state)
{
    s->proof->result->out_of_retention++;
    pass_strays(s, &s->proof->result->out_of_retention);
    ss_proof_rank_alone(s->proof, s->record);
    forget(s, NULL);
    enum ss_status status = remember(s, state, NULL);
    return status == SS_OK ? ss_grants_pass(s->proof, &s->record->view) : status;
}

/* Whether a record says of the score what the folds give at its as_of and clock. */
static bool says_the_same(const struct proof *proof, const struct ss_user_state *state,
                          const struct ss_score_view *view)
{
    const struct ss_score_view whole = ss_score_view_whole(view);
    struct ss_score score;
    if (!view->has_score || !state->consents.scoring)
        return false;
    ss_score_compute(ss_model_of(&proof->models, state), state, view->as_of_ms, view->clock_ms,
                     &score);
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        if (score.factors[f].value != whole.factors[f].value)
            return false;
    return score.score == view->score && state->friends.confirmed == view->friends_confirmed &&
           state->friends.bands == view->friends_bands;
}

/* Nothing is known of what was published before `scores` begins, nor in which order the inputs were
 * read by then. The first record is believed if it says what the folds give; else they cannot be
 * right. */
static enum ss_status begin_blind(struct settling *s, struct ss_user_state *state, bool expired)
{
    struct ss_user_state tried = *state;
    s->user->flags &= (uint8_t)~BLIND;
    if (!expired && any_way(s, &tried)) {
        bool same;
        s->one->weak = true;
        s->proof->result->proven++;
        enum ss_status status = ss_grants_judge(s->proof, s->user, &same);
        ss_skips_move_on(s, &tried);
        return status == SS_OK ? remember(s, &tried, NULL) : status;
    }
    if (s->cause)
        ss_proof_fold_blind(s->proof, state, s->cause, s->proof->day);
    s->one->weak = !expired && says_the_same(s->proof, state, &s->record->view);
    s->one->lost = !s->one->weak;
    if (s->one->weak)
        ss_proof_adopt(s->proof, state, &s->record->view);
    if (s->proof->model_known && !ss_proof_adds_up(s->proof, &s->record->view)) {
        ss_settle_tell(s, SS_PROOF_DIFFERENT, s->record, NULL, 0,
                       "its score or tier is not what its factors make");
        forget(s, NULL);
        enum ss_status status = remember(s, state, NULL);
        return status == SS_OK ? ss_grants_pass(s->proof, &s->record->view) : status;
    }
    return out_of_retention(s, state);
}

static void fold_one(struct settling *s, struct ss_user_state *state, size_t i, ss_proof_fold *fold)
{
    const struct proof_kept *kept = s->one->kept[i];
    const struct ss_source_event event = {
        .event = kept->event, .offset = kept->offset, .timestamp_ms = kept->timestamp_ms};
    const struct ss_models now = ss_proof_go_back(s->proof, kept->epoch);
    fold(s->proof, state, &event, kept->day);
    s->proof->models = now;
}

/* All since the last record, the cause of this one too. */
static void fold_all(struct settling *s, struct ss_user_state *state, ss_proof_fold *fold)
{
    for (size_t i = 0; i < s->one->kept_count; i++)
        fold_one(s, state, i, fold);
    if (s->cause)
        fold(s->proof, state, s->cause, s->proof->day);
}

/* A record of somebody whose folds may be wrong. If the next one follows from them this one is,
 * unless other folds can lead to it; if not, they are. */
static enum ss_status doubt(struct settling *s, struct ss_user_state *state)
{
    struct proof_case *one = s->one;
    enum ss_status status = SS_OK;
    for (size_t i = 0; i < one->kept_count; i++)
        fold_one(s, state, i, ss_proof_fold_blind);
    if (s->record && !one->doubtful) {
        uint32_t others;
        bool can_be = ss_proof_can_be(s, state, &others);
        if (s->cause)
            ss_proof_fold_blind(s->proof, state, s->cause, s->proof->day);
        can_be = can_be && ss_skips_may_lead(s, state);
        forget_events(s);
        status = ss_case_keep_stray(s->proof, one, s->record);
        one->doubtful = true;
        if (status == SS_OK) {
            one->strays[one->stray_count - 1].can_be = can_be;
            one->strays[one->stray_count - 1].others = others;
            status = ss_grants_hold(s->proof, &s->record->view);
        }
        return status == SS_OK ? remember(s, state, NULL) : status;
    }
    if (s->cause)
        ss_proof_fold_blind(s->proof, state, s->cause, s->proof->day);
    one->weak = one->doubtful = false;
    one->lost = true;
    forget_events(s);
    if (s->record)
        return out_of_retention(s, state);
    pass_strays(s, &s->proof->result->out_of_retention);
    forget(s, NULL);
    return SS_OK;
}

static enum ss_status pass_erased(struct settling *s, struct ss_user_state *state)
{
    struct ss_proof_result *result = s->proof->result;
    const struct ss_score_view *view = &s->record->view;
    const size_t count = s->one->kept_count;
    result->erased++;
    for (size_t i = 0; i < count; i++) /* the register is not erased */
        if (s->one->kept[i]->event.input == SS_BLACKLIST)
            fold_one(s, state, i, ss_proof_fold_blind);
    if (s->cause && s->cause->event.input == SS_BLACKLIST)
        ss_proof_fold_blind(s->proof, state, s->cause, s->proof->day);
    ss_proof_rank_alone(s->proof, s->record);
    if (view->kind == SS_KIND_OPT_OUT) {
        s->one->erased = false;
        ss_proof_adopt(s->proof, state, view);
    }
    pass_strays(s, &result->erased);
    forget(s, NULL);
    enum ss_status status = remember(s, state, NULL);
    return status == SS_OK ? ss_grants_pass(s->proof, view) : status;
}

/* --- who depends on what friends told, and is lost --- */

/* Whether friends have been listed while messages were lost, the likeliest way. */
static enum ss_status find_exposed(struct settling *s, const struct ss_user_state *state)
{
    struct proof *proof = s->proof;
    struct ss_user_state folded = *state;
    const bool losing = ss_proof_friends_losing(proof);
    bool any = losing && s->cause && s->cause->event.input == SS_SOCIAL;
    for (size_t i = 0; i < s->one->kept_count; i++)
        any |= s->one->kept[i]->losing && s->one->kept[i]->event.input == SS_SOCIAL;
    s->one->unsure |= any && ss_guess_needed(s->one);
    if (!any || s->user->flags & EXPIRED)
        return SS_OK;
    for (size_t i = 0; i < s->one->kept_count; i++) {
        fold_one(s, &folded, i, ss_proof_fold_blind);
        if (s->one->kept[i]->losing && ss_proof_friends_exposed(proof, &folded))
            s->user->flags |= EXPIRED;
    }
    if (losing && s->cause) {
        ss_proof_fold_blind(proof, &folded, s->cause, proof->day);
        if (ss_proof_friends_exposed(proof, &folded))
            s->user->flags |= EXPIRED;
    }
    return ss_proof_friends_load(proof, state, ss_user_id(s->user));
}

static enum ss_status pass_expired(struct settling *s, struct ss_user_state *state)
{
    struct proof *proof = s->proof;
    proof->result->friends_expired += (s->record != NULL) + (int64_t)s->one->stray_count;
    s->one->weak = s->one->doubtful = false;
    if (!s->record) {
        pass_strays(s, &proof->result->out_of_retention);
        forget(s, NULL);
        return SS_OK;
    }
    fold_all(s, state, ss_proof_friends_fold);
    ss_proof_friends_believe(proof, s->user, state, &s->record->view);
    return out_of_retention(s, state);
}

/* The same of somebody of whom it is not known either what was before `scores` begins. */
static enum ss_status pass_expired_blind(struct settling *s, struct ss_user_state *state)
{
    s->user->flags &= (uint8_t)~BLIND;
    s->one->lost = true;
    s->one->weak = s->one->doubtful = false;
    s->proof->result->friends_expired += 1 + (int64_t)s->one->stray_count;
    fold_all(s, state, ss_proof_fold_blind);
    return out_of_retention(s, state);
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
    ss_held_read(ss_user_packed(user), &state, NULL);
    enum ss_status status = ss_proof_friends_load(proof, &state, ss_user_id(user));
    if (status == SS_OK && !(user->flags & BLIND) && !s.one->lost)
        status = find_exposed(&s, &state);
    if (status != SS_OK)
        return status;
    const bool expired = user->flags & EXPIRED && ss_proof_friends_lost(proof);
    s.before = state.published;
    if (record) {
        if (record->view.kind == SS_KIND_OPT_IN) /* all of it is in what follows */
            s.one->weak = s.one->doubtful;
        if (is_gone(&s))
            return pass_erased(&s, &state);
    }
    if (expired && !(user->flags & BLIND) && !s.one->lost)
        return pass_expired(&s, &state);
    if (record) {
        if (!proof->model_known) {
            ss_settle_tell(&s, SS_PROOF_NO_MODEL, record, NULL, s.one->kept_count,
                           "its model is neither in sesame-models nor given");
            fold_all(&s, &state, ss_proof_fold_blind);
            ss_proof_adopt(proof, &state, &record->view);
            forget_events(&s);
            status = remember(&s, &state, NULL);
            return status == SS_OK ? ss_grants_pass(proof, &record->view) : status;
        }
        if (!cause && ss_proof_friends_lost_cause(proof, record) &&
            (user->flags & BLIND || s.one->lost || s.one->weak))
            return pass_expired_blind(&s, &state);
        if (record->view.cause.known && !cause) {
            ss_settle_tell(&s, SS_PROOF_EXTRA, record, NULL, s.one->kept_count,
                           "the log has no such event of this user as its cause");
            /* whatever it was made of comes up with the next record */
            return ss_grants_hold(proof, &record->view);
        }
        if (user->flags & BLIND)
            return begin_blind(&s, &state, expired);
        if (s.one->lost) {
            if (ss_proof_stays_unknown(proof, &record->view)) {
                fold_all(&s, &state, ss_proof_fold_blind);
                return out_of_retention(&s, &state);
            }
            for (size_t i = 0; i < s.one->kept_count; i++)
                fold_one(&s, &state, i, ss_proof_fold_blind);
            s.one->lost = s.one->weak = false;
            ss_proof_begin_known(&state);
            ss_proof_friends_clear(proof);
            user->flags &= (uint8_t)~EXPIRED;
            forget(&s, NULL);
        }
    } else if (user->flags & BLIND || s.one->lost) {
        forget(&s, NULL);
        return SS_OK;
    }
    bool found = any_way(&s, &state);
    if (s.one->weak && (!found || (!record && s.one->doubtful)))
        return doubt(&s, &state);
    s.one->doubtful = false;
    if (!found && s.one->unsure && ss_proof_friends_lost(proof))
        return pass_expired(&s, &state);
    if (!found)
        return differs(&s, &state);
    if (record && record->view.kind == SS_KIND_OPT_IN)
        s.one->unsure = s.one->weak = false;
    tell_strays(&s);
    if (!record) {
        forget(&s, NULL);
        return remember(&s, &state, NULL);
    }
    proof->result->proven++;
    status = ss_grants_judge(proof, user, &same);
    if (status == SS_OK)
        guess(&s, &state);
    forget(&s, &state);
    return status == SS_OK ? remember(&s, &state, NULL) : status;
}
