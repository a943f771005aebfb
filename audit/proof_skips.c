/* proof_skips.c - which of a user's events may not have counted, where `scores` begins late.
 *
 * An event counts if the grant of consent had been read before it. Where the inputs before the
 * first record were read in an order that nobody knows, any first ones of each input may have been
 * read before the grant. What they fold into changes by the events of its own input alone: so for
 * each input there is a choice for each event up to which none counted, and the folds are one of
 * each.
 *
 * 1. The choices of an input are the parts that it may have led to; those that are the same are
 * one.
 * 2. A record that is proven leaves of the payments those by which behaviour is of its value, of
 * the profiles those by which characteristics are.
 * 3. A record that does not follow from the folds is tried with all choices together that give its
 *    very score and reasons. None of them may lead to it: then it is wrong.
 * 4. Whom a user lists is not among the choices: it follows from the order of three inputs. Of
 *    somebody who lists friends the record before says what they come to, up to the next event that
 *    may change it; then the record in hand is believed in this, and no ways to it are tried.
 * 5. Where there is no room for all of it, or it takes too long, nothing is said.
 */
#include "audit/proof_internal.h"
#include "audit/room.h"

#include <stdlib.h>

enum {
    CHOICES_MAX = 250,          /* of an input of a user */
    SKIPS_BYTES_MAX = 64 << 20, /* of all of a partition */
    SCORES_MAX = 200000,        /* computed for one record … */
    WAYS_MAX = 60               /* … and so many ways to it tried */
};

static const enum ss_input inputs[SS_SKIP_INPUTS] = {SS_PAYMENTS, SS_PROFILES, SS_BILLS,
                                                     SS_BOOKINGS};
enum { BY_PAYMENTS, BY_PROFILES, BY_BILLS, BY_BOOKINGS };

/* --- choices --- */

static void take_part(struct ss_user_state *to, int by, const struct ss_user_state *from)
{
    if (by == BY_PAYMENTS)
        to->payments = from->payments;
    else if (by == BY_PROFILES)
        to->profiles = from->profiles;
    else if (by == BY_BILLS)
        to->bills = from->bills;
    else
        to->bookings = from->bookings;
}

static struct ss_user_state choice_at(const struct proof_skip *skip, size_t i)
{
    struct ss_user_state state = {0};
    ss_held_read((struct ss_bytes){skip->at[i].held, skip->at[i].size}, &state, NULL);
    return state;
}

static void drop(struct proof *proof, struct proof_skip *skip, size_t i)
{
    proof->skip_bytes -= (int64_t)skip->at[i].size;
    free(skip->at[i].held);
    skip->at[i] = skip->at[--skip->count];
}

void ss_skips_reset(struct proof *proof, struct proof_skips *skips)
{
    for (int by = 0; by < SS_SKIP_INPUTS; by++) {
        struct proof_skip *skip = &skips->of[by];
        while (skip->count)
            drop(proof, skip, skip->count - 1);
        free(skip->at);
    }
    memset(skips, 0, sizeof *skips);
}

static void give_up(struct proof *proof, struct proof_skips *skips)
{
    ss_skips_reset(proof, skips);
    skips->too_many = true;
}

/* Of the state only the part counts, and the consent by which events do. */
static bool put(struct proof *proof, struct proof_skip *skip, int by,
                const struct ss_user_state *state)
{
    uint8_t held[SS_HELD_MAX];
    struct ss_user_state alone = {.consents = state->consents};
    take_part(&alone, by, state);
    const size_t size = ss_held_write(&alone, held);
    for (size_t i = 0; i < skip->count; i++)
        if (skip->at[i].size == size && memcmp(skip->at[i].held, held, size) == 0)
            return true;
    uint8_t *bytes = malloc(size + 1);
    if (!bytes || skip->count == CHOICES_MAX ||
        proof->skip_bytes + (int64_t)size > SKIPS_BYTES_MAX ||
        !ss_make_room(&skip->at, skip->count, &skip->capacity, sizeof *skip->at)) {
        free(bytes);
        return false;
    }
    memcpy(bytes, held, size);
    skip->at[skip->count++] = (struct proof_choice){bytes, size};
    proof->skip_bytes += (int64_t)size;
    return true;
}

static void fold_into(struct proof *proof, struct ss_user_state *state,
                      const struct ss_source_event *event, int32_t day)
{
    struct ss_context context = ss_proof_context(proof, event, day, proof->low_ms);
    if (ss_proof_passes(proof, &event->event, &context))
        (void)ss_proof_apply(proof, state, &event->event, &context);
}

static bool concerns(int by, const struct ss_event *event)
{
    return event->input == inputs[by] || event->input == SS_CONSENTS;
}

/* An event that counted, whichever of those before it did. */
static void fold(struct proof *proof, struct proof_skips *skips,
                 const struct ss_published *published, const struct ss_source_event *event,
                 int32_t day)
{
    const bool reads = ss_event_reads_friends(&proof->models, &event->event);
    const bool changed = proof->list_changed;
    struct ss_friends list;
    if (reads)
        ss_proof_friends_copy(&list, &proof->friends->list);
    for (int by = 0; by < SS_SKIP_INPUTS && !skips->too_many; by++) {
        struct proof_skip before = skips->of[by];
        if (!concerns(by, &event->event) || before.count == 0)
            continue;
        skips->of[by] = (struct proof_skip){0};
        bool room = true;
        for (size_t i = 0; i < before.count; i++) {
            struct ss_user_state state = choice_at(&before, i);
            state.published = *published;
            fold_into(proof, &state, event, day);
            room = room && put(proof, &skips->of[by], by, &state);
        }
        while (before.count)
            drop(proof, &before, before.count - 1);
        free(before.at);
        if (!room)
            give_up(proof, skips);
    }
    if (reads)
        ss_proof_friends_copy(&proof->friends->list, &list);
    proof->list_changed = changed;
}

void ss_skips_add(struct proof *proof, struct proof_skips *skips, const struct ss_user_state *state,
                  const struct ss_source_event *event)
{
    const struct ss_user_state nothing = {.consents = state->consents};
    for (int by = 0; by < SS_SKIP_INPUTS && !skips->too_many; by++)
        if (skips->of[by].count == 0 && !put(proof, &skips->of[by], by, state))
            give_up(proof, skips);
    fold(proof, skips, &state->published, event, proof->day);
    /* nothing before a snapshot, nor behind the first record, was read before the grant */
    if (proof->interval > 0 || !state->consents.scoring ||
        state->consents.scoring_position < proof->options->start[SS_CONSENTS])
        return;
    for (int by = 0; by < SS_SKIP_INPUTS && !skips->too_many; by++)
        if (event->event.input == inputs[by] && !put(proof, &skips->of[by], by, &nothing))
            give_up(proof, skips);
}

/* --- records --- */

static bool same_value(const struct ss_score *score, const struct ss_score_view *view, int factor)
{
    return score->factors[factor].value == view->factors[factor].value;
}

/* What it says of the factors and the reasons for them. */
static bool same_score(const struct ss_score *score, const struct ss_score_view *view)
{
    bool same = score->score == view->score && score->reason_count == view->reason_count;
    for (int f = 0; f < SS_FACTOR_COUNT; f++)
        same = same && same_value(score, view, f);
    for (int i = 0; same && i < score->reason_count; i++)
        same = score->reasons[i].points_centi == view->reasons[i].points_centi &&
               ss_same_text(score->reasons[i].code, view->reasons[i].code);
    return same;
}

static void prune(struct settling *s, struct proof_skips *skips, const struct ss_user_state *state,
                  int by, int factor)
{
    const struct ss_score_view whole = ss_score_view_whole(&s->record->view);
    struct proof_skip *skip = &skips->of[by];
    for (size_t i = skip->count; i > 0; i--) {
        const struct ss_user_state choice = choice_at(skip, i - 1);
        struct ss_user_state with = *state;
        struct ss_score score;
        take_part(&with, by, &choice);
        ss_score_compute(ss_proof_model_named(s->proof, &whole), &with, whole.as_of_ms,
                         whole.clock_ms, &score);
        if (!same_value(&score, &whole, factor))
            drop(s->proof, skip, i - 1);
    }
    if (skip->count == 0) /* the folds are one of them */
        give_up(s->proof, skips);
}

static void fold_kept(struct settling *s, struct proof_skips *skips,
                      const struct ss_published *published)
{
    struct proof *proof = s->proof;
    for (size_t i = 0; i < s->one->kept_count && !skips->too_many; i++) {
        const struct proof_kept *kept = s->one->kept[i];
        const struct ss_source_event event = {
            .event = kept->event, .offset = kept->offset, .timestamp_ms = kept->timestamp_ms};
        const struct ss_models now = ss_proof_go_back(proof, kept->epoch);
        fold(proof, skips, published, &event, kept->day);
        proof->models = now;
    }
    if (s->cause && !skips->too_many)
        fold(proof, skips, published, s->cause, proof->day);
}

void ss_skips_move_on(struct settling *s, const struct ss_user_state *proven)
{
    struct proof_skips *skips = &s->one->skips;
    if (s->moved_on)
        return;
    s->moved_on = true;
    s->one->strangers = false;
    if (skips->of[0].count == 0)
        return;
    if (!s->one->weak && !(s->user->flags & BLIND)) {
        ss_skips_reset(s->proof, skips);
        return;
    }
    fold_kept(s, skips, &s->before);
    if (!proven || skips->too_many || !s->record || !s->record->view.has_score)
        return;
    prune(s, skips, proven, BY_PAYMENTS, SS_FACTOR_BEHAVIOUR);
    if (!skips->too_many)
        prune(s, skips, proven, BY_PROFILES, SS_FACTOR_CHARACTERISTICS);
}

/* --- a record that the folds do not lead to --- */

/* The parts of one choice each, before and behind the events that lead to the record. */
struct trial {
    struct settling *s;
    struct ss_score_view view;
    const struct ss_model *model;
    struct ss_user_state *begin[SS_SKIP_INPUTS], *end[SS_SKIP_INPUTS];
    size_t count[SS_SKIP_INPUTS];
    struct ss_user_state with; /* the state behind them, by the choices in hand */
    size_t chosen[SS_SKIP_INPUTS];
    int scores, ways;
    bool believing; /* what the record says of friends */
    bool given_up;
};

static bool open_trial(struct trial *trial)
{
    struct settling *s = trial->s;
    for (int by = 0; by < SS_SKIP_INPUTS; by++) {
        const struct proof_skip *skip = &s->one->skips.of[by];
        trial->begin[by] = malloc(2 * skip->count * sizeof *trial->begin[by]);
        if (!trial->begin[by])
            return false;
        trial->end[by] = trial->begin[by] + skip->count;
        trial->count[by] = skip->count;
        for (size_t i = 0; i < skip->count; i++) {
            struct proof_skips alone = {0};
            trial->begin[by][i] = choice_at(skip, i);
            if (!put(s->proof, &alone.of[by], by, &trial->begin[by][i]))
                return false;
            fold_kept(s, &alone, &s->before);
            if (alone.too_many)
                return false;
            trial->end[by][i] = choice_at(&alone.of[by], 0);
            ss_skips_reset(s->proof, &alone);
        }
    }
    return true;
}

static void choose(struct trial *trial, int by, size_t i, struct ss_score *score)
{
    trial->chosen[by] = i;
    take_part(&trial->with, by, &trial->end[by][i]);
    trial->given_up |= ++trial->scores > SCORES_MAX;
    ss_score_compute(trial->model, &trial->with, trial->view.as_of_ms, trial->view.clock_ms, score);
}

/* Leaves those by which a factor that follows from this input alone is of its value. */
static void keep_those_of(struct trial *trial, int by, int factor)
{
    struct ss_score score;
    size_t kept = 0;
    for (size_t i = 0; i < trial->count[by]; i++) {
        choose(trial, by, i, &score);
        if (!same_value(&score, &trial->view, factor))
            continue;
        trial->begin[by][kept] = trial->begin[by][i];
        trial->end[by][kept++] = trial->end[by][i];
    }
    trial->count[by] = kept;
}

static bool leads(struct trial *trial)
{
    struct settling *s = trial->s;
    struct proof *proof = s->proof;
    for (int searching = 0; searching < 2 && !trial->believing; searching++) {
        struct ss_user_state state = s->begin;
        for (int by = 0; by < SS_SKIP_INPUTS; by++)
            take_part(&state, by, &trial->begin[by][trial->chosen[by]]);
        ss_proof_friends_copy(&proof->friends->list, &s->begin_list);
        if (ss_proof_way_from(s, &state, searching))
            return true;
        trial->given_up |= searching && proof->budget < 0;
    }
    trial->given_up |= ++trial->ways >= WAYS_MAX;
    return trial->believing;
}

/* In every combination, the factors of few inputs first. */
static bool any_leads(struct trial *trial)
{
    const struct ss_score_view *view = &trial->view;
    const bool any = !view->has_score;
    struct ss_score score;
    for (size_t f = 0; f < trial->count[BY_PROFILES]; f++) {
        choose(trial, BY_PROFILES, f, &score);
        for (size_t b = 0; b < trial->count[BY_BILLS] && !trial->given_up; b++) {
            choose(trial, BY_BILLS, b, &score);
            if (!any && !same_value(&score, view, SS_FACTOR_HISTORY))
                continue;
            for (size_t p = 0; p < trial->count[BY_PAYMENTS] && !trial->given_up; p++) {
                choose(trial, BY_PAYMENTS, p, &score);
                for (size_t k = 0; k < trial->count[BY_BOOKINGS] && !trial->given_up; k++) {
                    choose(trial, BY_BOOKINGS, k, &score);
                    if ((any || same_score(&score, view)) && leads(trial))
                        return true;
                }
            }
        }
    }
    return false;
}

/* Some event since the record before may have changed what friends come to. */
static bool may_befriend(const struct settling *s, const struct ss_user_state *after)
{
    const struct ss_models *models = &s->proof->models;
    bool reads = s->one->strangers;
    if (!after->friends.open && !s->begin.friends.open)
        return false;
    for (size_t i = 0; i <= s->one->kept_count; i++) {
        const struct ss_event *event = i < s->one->kept_count ? &s->one->kept[i]->event
                                       : s->cause             ? &s->cause->event
                                                              : NULL;
        reads |=
            event && (ss_event_reads_friends(models, event) ||
                      (event->input == SS_CONSENTS && event->consent.purpose == SS_PURPOSE_SOCIAL));
    }
    return reads;
}

static bool try_choices(struct trial *trial)
{
    if (!open_trial(trial))
        return true;
    if (trial->view.has_score) {
        keep_those_of(trial, BY_PAYMENTS, SS_FACTOR_BEHAVIOUR);
        keep_those_of(trial, BY_PROFILES, SS_FACTOR_CHARACTERISTICS);
    }
    return any_leads(trial) || trial->given_up;
}

bool ss_skips_may_lead(struct settling *s, const struct ss_user_state *after)
{
    const struct proof_skips *skips = &s->one->skips;
    struct proof *proof = s->proof;
    const bool changed = proof->list_changed;
    const int long_searches = proof->long_searches;
    struct ss_friends list;
    if (skips->too_many || s->one->other)
        return true;
    if (skips->of[0].count == 0) /* there was nothing to skip */
        return may_befriend(s, after);
    struct trial *trial = calloc(1, sizeof *trial);
    if (!trial)
        return true;
    proof->long_searches = 0;
    ss_proof_friends_copy(&list, &proof->friends->list);
    trial->s = s;
    trial->view = ss_score_view_whole(&s->record->view);
    trial->model = ss_proof_model_named(proof, &trial->view);
    trial->with = *after;
    trial->believing = may_befriend(s, after);
    if (trial->believing) {
        trial->with.friends.confirmed = trial->view.friends_confirmed;
        trial->with.friends.bands = trial->view.friends_bands;
    }
    const bool lead = try_choices(trial);
    for (int by = 0; by < SS_SKIP_INPUTS; by++)
        free(trial->begin[by]);
    free(trial);
    ss_proof_friends_copy(&proof->friends->list, &list);
    proof->list_changed = changed;
    proof->long_searches = long_searches;
    return lead;
}
