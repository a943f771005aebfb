/* proof_search.c - another way from one record of a user to the next.
 *
 * What is open: within an interval, in which order the inputs were read; and how far the clock had
 * come at each event, between what the partition's records had shown before it and what they showed
 * after it. Most clocks in between do the same: only those are tried at which time does something
 * else to the user than just before. The likely ways come first, with few clocks that are not the
 * least.
 */
#include "audit/proof_internal.h"
#include "scoring/hash.h"

#include <stdlib.h>

enum { TURNS_MAX = 3, KEPT_MAX = 400, INSTANTS_MAX = 260, JUMPS_MAX = 130, DEPTH_MAX = 512 };
enum { SEEN_BITS = 15, SEEN_BITS_LONG = 18, PART_BUDGET = 4000 };
#define DAY_MS INT64_C(86400000)

/* Within an interval: what decides whom the user lists in any order, and the rest in the walk's,
 * behind or before it; or all of it in any order. */
enum order { REST_LAST, REST_FIRST, ANY_ORDER };

struct way {
    struct proof *proof;
    const struct proof_case *one;
    const struct ss_walk_record *record;
    const struct ss_source_event *cause;
    int64_t low_ms; /* at the record */
    struct ss_text user_id;
    bool done[KEPT_MAX];
    bool with_friends;           /* something on the way reads the list */
    uint16_t list_at[DEPTH_MAX]; /* … which for stack[i] is lists[list_at[i]] */
    enum order order;
    struct proof_guesses *ends; /* NULL: the first way there is, is enough */
    int seen_bits, seen_count;
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
    if (!way->record) /* no record shows how far it came at the end of the logs */
        return way->low_ms > proof->newest_ms ? way->low_ms : proof->newest_ms;
    return ss_proof_clock(&way->record->view, way->low_ms);
}

static int by_time(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* From when on it is overdue, and each day more. */
static int overdue_instants(int64_t due_ms, int64_t least, int64_t most, int64_t out[INSTANTS_MAX],
                            int count)
{
    int64_t first = due_ms;
    if (first < least)
        first = least + ((due_ms - least) % DAY_MS + DAY_MS) % DAY_MS;
    for (int j = 0; first <= most && j < JUMPS_MAX && count < INSTANTS_MAX; j++, first += DAY_MS)
        out[count++] = first;
    return count;
}

/* Clocks from least to most at which time does something else to the user than before, or would
 * with the next event. */
static int instants(const struct way *way, const struct ss_user_state *state,
                    const struct ss_event *next, int64_t least, int64_t most,
                    int64_t out[INSTANTS_MAX])
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
        if (bills->open[i].due_at_ms > most)
            break;
        count = overdue_instants(bills->open[i].due_at_ms, least, most, out, count);
    }
    if (next && next->input == SS_BILLS && next->bill.status == SS_BILL_ISSUED)
        count = overdue_instants(next->bill.due_at_ms, least, most, out, count);
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

static void take_list(const struct way *way, int depth)
{
    struct proof *proof = way->proof;
    ss_proof_friends_copy(&proof->friends->list, &proof->lists[way->list_at[depth]]);
}

/* Whether all from here on has been tried: other orders lead to the same states. */
static bool is_seen(struct way *way, int depth, int64_t clock_ms, int turns)
{
    const struct proof *proof = way->proof;
    const struct ss_friends *list = way->with_friends ? &proof->lists[way->list_at[depth]] : NULL;
    const struct ss_text done = {(const char *)way->done, (uint32_t)way->one->kept_count};
    const uint64_t how = (uint64_t)clock_ms * 64 + (uint64_t)turns * 4 + (uint64_t)way->order;
    uint64_t hash = ss_guess_hash(&proof->stack[depth], list) ^ ss_hash64(done) * 3;
    hash = (hash ^ how) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    const int seen_max = 1 << way->seen_bits;
    uint64_t *slot = &proof->seen[hash >> (64 - way->seen_bits)];
    for (; *slot; slot = slot + 1 == proof->seen + seen_max ? proof->seen : slot + 1)
        if (*slot == hash)
            return true;
    if (way->seen_count < seen_max / 4 * 3) {
        *slot = hash;
        way->seen_count++;
    }
    return false;
}

static bool arrive(struct way *way, const struct ss_user_state *state, int64_t clock_ms)
{
    int64_t low_ms = clock_ms > way->low_ms ? clock_ms : way->low_ms;
    way->end = *state;
    if (way->with_friends)
        take_list(way, (int)(state - way->proof->stack));
    /* at the end of the logs time may have done what the engine had not come to yet */
    return !way->record || ss_proof_arrive(way->proof, &way->end, way->record, way->cause, low_ms);
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
    way->list_at[depth + 1] = way->list_at[depth];
    const bool reads = ss_event_reads_friends(&proof->models, &kept->event);
    if (reads)
        take_list(way, depth);
    const struct ss_models now = ss_proof_go_back(proof, ss_proof_epoch(proof, kept, next));
    bool silent = ss_proof_silent(proof, next, &kept->event, kept->offset, kept->timestamp_ms,
                                  kept->day, clock_ms, &changed);
    proof->models = now;
    if (!silent)
        return false;
    if (reads) {
        way->list_at[depth + 1] = (uint16_t)(depth + 1);
        ss_proof_friends_copy(&proof->lists[depth + 1], &proof->friends->list);
    }
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
    int count = instants(way, &way->proof->stack[depth], &kept->event, least, most, found);
    for (int n = 0; n < count && way->proof->budget >= 0; n++)
        if (found[n] > least && try_event(way, depth, i, found[n], turns - 1))
            return true;
    return false;
}

/* The next in the walk's order of what decides nothing about friends; SIZE_MAX: none is left of the
 * interval. */
static size_t next_of_rest(const struct way *way, size_t first)
{
    const struct proof_case *one = way->one;
    for (size_t i = first; i < one->kept_count; i++) {
        if (one->kept[i]->interval != one->kept[first]->interval)
            break;
        if (!way->done[i] && !ss_guess_of_friends(&one->kept[i]->event))
            return i;
    }
    return SIZE_MAX;
}

/* Not before others of the interval; `rest`: next_of_rest. */
static bool is_later(const struct way *way, size_t i, size_t rest)
{
    if (way->order == REST_FIRST)
        return rest != SIZE_MAX && i != rest;
    return way->order == REST_LAST && !ss_guess_of_friends(&way->one->kept[i]->event);
}

static bool any_tried(const bool tried[SS_INPUT_COUNT])
{
    bool any = false;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        any |= tried[i];
    return any;
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
    if (is_seen(way, depth, clock_ms, turns))
        return false;
    if (way->record && state->consents.scoring && /* neither ever goes back */
        (state->published.as_of_ms > way->record->view.as_of_ms ||
         state->published.horizon_ms > way->record->view.clock_ms))
        return false;
    while (first < one->kept_count && way->done[first])
        first++;
    if (first == one->kept_count) {
        if (arrive(way, state, clock_ms) &&
            (!way->ends || !ss_guess_add(way->ends, &way->end, &proof->friends->list)))
            return true;
    } else {
        /* the first of each input that is left of this interval */
        int64_t interval = one->kept[first]->interval;
        const size_t rest = way->order == ANY_ORDER ? SIZE_MAX : next_of_rest(way, first);
        for (size_t i = first; i < one->kept_count && one->kept[i]->interval == interval; i++) {
            enum ss_input input = one->kept[i]->event.input;
            if (way->done[i] || tried[input] || is_later(way, i, rest))
                continue;
            tried[input] = true;
            if (search_event(way, depth, i, clock_ms, turns))
                return true;
        }
        if (way->order == REST_LAST && rest != SIZE_MAX && !any_tried(tried) &&
            search_event(way, depth, rest, clock_ms, turns))
            return true;
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
    int count = instants(way, state, NULL, clock_ms, most, found);
    proof->models = now;
    for (int n = 0; n < count && proof->budget >= 0; n++) {
        (void)ss_proof_go_back(proof, epoch);
        bool due = ss_wake_at(&proof->models, state) <= found[n];
        proof->stack[depth + 1] = *state;
        way->list_at[depth + 1] = way->list_at[depth];
        bool silent = due && silent_steps(way, &proof->stack[depth + 1], found[n]);
        proof->models = now;
        proof->budget -= due;
        if (silent && search(way, depth + 1, found[n], turns - 1))
            return true;
    }
    return false;
}

static bool reads_friends(const struct proof *proof, const struct proof_case *one,
                          const struct ss_source_event *cause)
{
    bool reads = cause && ss_event_reads_friends(&proof->models, &cause->event);
    for (size_t i = 0; i < one->kept_count; i++)
        reads |= ss_event_reads_friends(&proof->models, &one->kept[i]->event);
    return reads;
}

/* NULL: it is too much, or there is no memory. The list in hand is that of the state. */
static struct way *begin_way(struct proof *proof, const struct proof_case *one,
                             const struct ss_walk_record *record,
                             const struct ss_source_event *cause, int64_t low_ms, int seen_bits)
{
    const bool with_friends = reads_friends(proof, one, cause);
    const size_t seen_size = sizeof *proof->seen << seen_bits;
    if (one->kept_count > KEPT_MAX)
        return NULL;
    if (!proof->stack && !(proof->stack = malloc(DEPTH_MAX * sizeof *proof->stack)))
        return NULL;
    if (!proof->seen && !(proof->seen = malloc(sizeof *proof->seen << SEEN_BITS_LONG)))
        return NULL;
    /* mostly untouched: of a list no more is used than it has links */
    if (with_friends && !proof->lists && !(proof->lists = malloc(DEPTH_MAX * sizeof *proof->lists)))
        return NULL;
    memset(proof->seen, 0, seen_size);
    struct way *way = calloc(1, sizeof *way);
    if (!way)
        return NULL;
    way->proof = proof;
    way->one = one;
    way->record = record;
    way->cause = cause;
    way->low_ms = low_ms;
    way->order = ANY_ORDER;
    way->seen_bits = seen_bits;
    way->with_friends = with_friends;
    if (with_friends)
        ss_proof_friends_copy(&proof->lists[0], &proof->friends->list);
    way->user_id = record ? record->view.user_id : one->kept[0]->event.user_id;
    return way;
}

/* First where only the order of a few is open; then not. */
static bool search_parts(struct way *way, const struct ss_user_state *state)
{
    struct proof *proof = way->proof;
    bool found = false;
    for (way->order = REST_LAST; !found && way->order != ANY_ORDER; way->order++) {
        const int budget = proof->budget;
        proof->budget = budget < PART_BUDGET ? budget : PART_BUDGET;
        const int given = proof->budget;
        proof->stack[0] = *state;
        found = search(way, 0, state->published.horizon_ms, 0);
        proof->budget = budget - (given - (proof->budget < 0 ? 0 : proof->budget));
    }
    return found;
}

static bool search_within(struct proof *proof, const struct proof_case *one,
                          struct ss_user_state *state, const struct ss_walk_record *record,
                          const struct ss_source_event *cause, int64_t low_ms, int most,
                          int seen_bits)
{
    bool found = false;
    struct way *way = begin_way(proof, one, record, cause, low_ms, seen_bits);
    proof->budget = way ? most : -1;
    if (way && ss_guess_needed(one))
        found = search_parts(way, state);
    for (int turns = 0; turns <= TURNS_MAX && !found && proof->budget >= 0; turns++) {
        proof->stack[0] = *state;
        found = search(way, 0, state->published.horizon_ms, turns);
    }
    if (found)
        *state = way->end;
    free(way);
    return found;
}

bool ss_proof_search(struct proof *proof, const struct proof_case *one, struct ss_user_state *state,
                     const struct ss_walk_record *record, const struct ss_source_event *cause,
                     int64_t low_ms)
{
    const int given = proof->options->search_max;
    const bool reads = reads_friends(proof, one, cause);
    struct ss_friends list;
    if (reads)
        ss_proof_friends_copy(&list, &proof->friends->list);
    if (search_within(proof, one, state, record, cause, low_ms, given ? given : SEARCH_MAX,
                      SEEN_BITS))
        return true;
    /* few need more, and they may have it, but for a log of which nothing is right */
    if (given || proof->budget >= 0 || one->kept_count > KEPT_MAX || proof->long_searches == 0)
        return false;
    proof->long_searches--;
    if (reads)
        ss_proof_friends_copy(&proof->friends->list, &list);
    return search_within(proof, one, state, record, cause, low_ms, SEARCH_LONG, SEEN_BITS_LONG);
}

void ss_proof_search_all(struct proof *proof, const struct proof_case *one,
                         const struct ss_user_state *state, const struct ss_walk_record *record,
                         const struct ss_source_event *cause, int64_t low_ms,
                         struct proof_guesses *ends)
{
    struct way *way = begin_way(proof, one, record, cause, low_ms, SEEN_BITS);
    if (!way)
        return;
    way->ends = ends;
    proof->budget = 3 * PART_BUDGET;
    if (!search_parts(way, state)) {
        proof->stack[0] = *state;
        (void)search(way, 0, state->published.horizon_ms, 0);
    }
    free(way);
}
