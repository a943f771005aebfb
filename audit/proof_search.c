/* proof_search.c - another way from one record of a user to the next.
 *
 * What is open: within an interval, in which order the inputs were read; and how far the clock had
 * come at each event, between what the partition's records had shown before it and what they showed
 * after it. Most clocks in between do the same: only those are tried at which time does something
 * else to the user than just before. The likely ways come first, with few clocks that are not the
 * least.
 */
#include "audit/proof_internal.h"

#include <stdlib.h>

enum { TURNS_MAX = 3, KEPT_MAX = 400, INSTANTS_MAX = 260, JUMPS_MAX = 130, DEPTH_MAX = 512 };
#define DAY_MS INT64_C(86400000)

struct way {
    struct proof *proof;
    const struct proof_case *one;
    const struct ss_walk_record *record;
    const struct ss_source_event *cause;
    int64_t low_ms; /* at the record */
    struct ss_text user_id;
    bool done[KEPT_MAX];
    struct ss_user_state end;
};

/* How far the clock can have come in an interval: what the first exact clock from there on shows.
 */
static int64_t high_of(const struct way *way, int64_t interval)
{
    const struct proof *proof = way->proof;
    size_t from = 0, to = proof->sight_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (proof->sights[middle].interval < interval)
            from = middle + 1;
        else
            to = middle;
    }
    if (from < proof->sight_count)
        return proof->sights[from].clock_ms;
    if (!way->record)
        return way->low_ms;
    return ss_proof_clock(&way->record->view, way->low_ms);
}

static int by_time(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* Clocks from least to most at which time does something else to the user than before. */
static int instants(const struct way *way, const struct ss_user_state *state, int64_t least,
                    int64_t most, int64_t out[INSTANTS_MAX])
{
    const struct ss_models *models = &way->proof->models;
    const struct ss_bills_part *bills = &state->bills;
    int count = 0, kept = 0;
    int64_t at = ss_wake_at(models, state);
    if (at == SS_WAKE_NEVER || most < least)
        return 0;
    const struct ss_model *model = ss_model_of(models, state);
    bool overdue = bills->open_count > 0 && bills->open[0].due_at_ms <= state->published.horizon_ms;
    int64_t every = (overdue ? model->aged_overdue_days : model->aged_days) * DAY_MS;
    if (at < least)
        at += (least - at) / every * every;
    out[count++] = least;
    for (; at <= most && count < INSTANTS_MAX / 2; at += every)
        out[count++] = at;
    for (int i = 0; i < bills->open_count && count < INSTANTS_MAX; i++) {
        int64_t due = bills->open[i].due_at_ms, first = due;
        if (due > most)
            break;
        if (first < least) /* another day overdue */
            first = least + ((due - least) % DAY_MS + DAY_MS) % DAY_MS;
        for (int j = 0; first <= most && j < JUMPS_MAX && count < INSTANTS_MAX;
             j++, first += DAY_MS)
            out[count++] = first;
    }
    qsort(out, (size_t)count, sizeof *out, by_time);
    for (int i = 0; i < count; i++)
        if (out[i] >= least && out[i] <= most && (kept == 0 || out[i] != out[kept - 1]))
            out[kept++] = out[i];
    return kept;
}

/* Steps up to a clock; false: one was to be published. */
static bool silent_steps(struct way *way, struct ss_user_state *state, int64_t clock_ms)
{
    struct proof *proof = way->proof;
    const struct ss_context context = {.partition = proof->options->partition,
                                       .clock_ms = clock_ms};
    while (ss_proof_wake(proof, state, way->user_id, &context))
        if (proof->effects.has_record)
            return false;
    return true;
}

static bool arrive(struct way *way, const struct ss_user_state *state, int64_t clock_ms)
{
    int64_t low_ms = clock_ms > way->low_ms ? clock_ms : way->low_ms;
    way->end = *state;
    return way->record ? ss_proof_arrive(way->proof, &way->end, way->record, way->cause, low_ms)
                       : silent_steps(way, &way->end, low_ms);
}

static bool search(struct way *way, int depth, int64_t clock_ms, int turns);

/* An event at a clock, and the rest of the way. */
static bool try_event(struct way *way, int depth, size_t i, int64_t clock_ms, int turns)
{
    struct proof *proof = way->proof;
    const struct proof_kept *kept = way->one->kept[i];
    struct ss_user_state *next = &proof->stack[depth + 1];
    bool changed;
    if (--proof->budget < 0)
        return false;
    *next = proof->stack[depth];
    const struct ss_models now = ss_proof_go_back(proof, ss_proof_epoch(proof, kept, next));
    bool silent = ss_proof_silent(proof, next, &kept->event, kept->offset, kept->timestamp_ms,
                                  kept->day, clock_ms, &changed);
    proof->models = now;
    if (!silent)
        return false;
    way->done[i] = true;
    bool found = search(way, depth + 1, clock_ms, turns);
    way->done[i] = false;
    return found;
}

static bool search_event(struct way *way, int depth, size_t i, int64_t clock_ms, int turns)
{
    const struct proof_kept *kept = way->one->kept[i];
    int64_t least = kept->low_ms > clock_ms ? kept->low_ms : clock_ms;
    int64_t most = high_of(way, kept->interval), found[INSTANTS_MAX];
    if (try_event(way, depth, i, least, turns))
        return true;
    if (turns == 0)
        return false;
    if (way->record) {
        int64_t goal = way->record->view.as_of_ms;
        if (ss_clock_exact(&way->record->view) && way->record->view.clock_ms < most)
            most = way->record->view.clock_ms;
        if (least < goal && goal <= most && try_event(way, depth, i, goal, turns - 1))
            return true;
    }
    int count = instants(way, &way->proof->stack[depth], least, most, found);
    for (int n = 0; n < count && way->proof->budget >= 0; n++)
        if (found[n] > least && try_event(way, depth, i, found[n], turns - 1))
            return true;
    return false;
}

/* From stack[depth], over what is not done yet. */
static bool search(struct way *way, int depth, int64_t clock_ms, int turns)
{
    struct proof *proof = way->proof;
    const struct proof_case *one = way->one;
    const struct ss_user_state *state = &proof->stack[depth];
    size_t first = 0;
    bool tried[SS_INPUT_COUNT] = {false};
    if (depth + 1 >= DEPTH_MAX || proof->budget < 0)
        return false;
    if (way->record && state->consents.scoring &&
        state->published.as_of_ms > way->record->view.as_of_ms)
        return false;
    while (first < one->kept_count && way->done[first])
        first++;
    if (first == one->kept_count) {
        if (arrive(way, state, clock_ms))
            return true;
    } else {
        /* the first of each input that is left of this interval */
        int64_t interval = one->kept[first]->interval;
        for (size_t i = first; i < one->kept_count && one->kept[i]->interval == interval; i++) {
            enum ss_input input = one->kept[i]->event.input;
            if (way->done[i] || tried[input])
                continue;
            tried[input] = true;
            if (search_event(way, depth, i, clock_ms, turns))
                return true;
        }
    }
    if (turns == 0 || !state->consents.scoring)
        return false;
    int64_t found[INSTANTS_MAX];
    int64_t most = first < one->kept_count ? high_of(way, one->kept[first]->interval)
                                           : high_of(way, proof->interval);
    /* under the models of what comes next, or of what the user was last told */
    int32_t epoch = first < one->kept_count ? ss_proof_epoch(proof, one->kept[first], state)
                                            : state->published.epoch;
    const struct ss_models now = ss_proof_go_back(proof, epoch);
    int count = instants(way, state, clock_ms, most, found);
    proof->models = now;
    for (int n = 0; n < count && proof->budget >= 0; n++) {
        (void)ss_proof_go_back(proof, epoch);
        bool due = ss_wake_at(&proof->models, state) <= found[n];
        proof->stack[depth + 1] = *state;
        bool silent = due && silent_steps(way, &proof->stack[depth + 1], found[n]);
        proof->models = now;
        proof->budget -= due;
        if (silent && search(way, depth + 1, found[n], turns - 1))
            return true;
    }
    return false;
}

bool ss_proof_search(struct proof *proof, const struct proof_case *one, struct ss_user_state *state,
                     const struct ss_walk_record *record, const struct ss_source_event *cause,
                     int64_t low_ms)
{
    proof->budget = proof->options->search_max ? proof->options->search_max : SEARCH_MAX;
    if (one->kept_count > KEPT_MAX) {
        proof->budget = -1;
        return false;
    }
    if (!proof->stack && !(proof->stack = malloc(DEPTH_MAX * sizeof *proof->stack)))
        return false;
    struct way *way = calloc(1, sizeof *way);
    if (!way)
        return false;
    way->proof = proof;
    way->one = one;
    way->record = record;
    way->cause = cause;
    way->low_ms = low_ms;
    way->user_id = record ? record->view.user_id : one->kept[0]->event.user_id;
    bool found = false;
    for (int turns = 0; turns <= TURNS_MAX && !found && proof->budget >= 0; turns++) {
        proof->stack[0] = *state;
        found = search(way, 0, state->published.horizon_ms, turns);
    }
    if (found)
        *state = way->end;
    free(way);
    return found;
}
