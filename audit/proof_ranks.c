/* proof_ranks.c - percentiles and histograms.
 *
 * 1. A percentile is held against the histograms below the offset that its record cites, whatever
 *    becomes of the record: it follows from the score as published, also where the record itself
 *    is not recomputed.
 * 2. A histogram counts all score records up to its positions, and of those that time alone led to
 *    at these very positions any first ones: a transaction that reads nothing leaves positions as
 *    they are. So it is right if it is that of the records up to any point between them.
 * 3. Where one is not, the records behind it are held against both what was counted and what it
 *    says, so that one altered record or histogram does not make all that follow differ.
 * 4. Where `scores` begins late, the first histogram that stands between records in a way that
 *    leaves nothing open is believed.
 */
#include "audit/proof_internal.h"

/* --- percentiles --- */

/* The record says how things can be. */
static bool can_be(const struct ss_score_view *view)
{
    return view->percentile >= 0 && view->percentile <= SS_PERCENTILE_MAX && view->ranks_offset > 0;
}

static int32_t look_up(const struct proof *proof, const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    if (!view->has_score || !can_be(view))
        return SS_PROOF_RANK_NONE;
    return options->rank(options->arg, view->ranks_offset, view->score);
}

void ss_proof_rank_count(struct proof *proof, const struct ss_score_view *view)
{
    struct ss_proof_result *result = proof->result;
    if (!view->has_rank)
        return;
    if (!proof->options->rank) {
        result->percentiles_unchecked++;
        return;
    }
    const int32_t percentile = look_up(proof, view);
    if (percentile == SS_PROOF_RANK_UNKNOWN)
        result->percentiles_out_of_retention++;
    else if (percentile == view->percentile)
        result->percentiles_proven++;
    else
        result->percentiles_differing++;
}

void ss_proof_rank_alone(struct proof *proof, const struct ss_walk_record *record)
{
    const struct ss_score_view *view = &record->view;
    if (!view->has_rank || !proof->options->rank || !proof->options->difference)
        return;
    const int32_t percentile = look_up(proof, view);
    if (percentile == SS_PROOF_RANK_UNKNOWN || percentile == view->percentile)
        return;
    const struct ss_score_view published = ss_score_view_whole(view);
    struct ss_score_view right = published;
    right.has_rank = percentile >= 0;
    right.percentile = percentile;
    const struct ss_proof_difference difference = {
        .verdict = SS_PROOF_PERCENTILE,
        .partition = proof->options->partition,
        .offset = record->offset,
        .user_hash = ss_user_hash(view->user_id),
        .user_id = view->user_id,
        .why = "the record is not recomputed, and its percentile is not that of the histograms",
        .published = &published,
        .recomputed = &right,
    };
    proof->options->difference(proof->options->arg, &difference);
}

/* Where a score stands among all is not of this user's events: what the record says is taken, if it
 * can be so, and held against the histograms where these are at hand. */
void ss_proof_take_rank(struct proof *proof, const struct ss_score_view *view)
{
    const struct ss_proof_options *options = proof->options;
    struct ss_score_record *computed = &proof->effects.record;
    computed->has_rank = computed->has_score && view->has_rank && can_be(view);
    computed->percentile = computed->has_rank ? view->percentile : 0;
    computed->ranks_offset = computed->has_rank ? view->ranks_offset : 0;
    if (!computed->has_rank || !options->rank)
        return;
    int32_t percentile = options->rank(options->arg, computed->ranks_offset, computed->score.score);
    if (percentile == SS_PROOF_RANK_NONE)
        computed->has_rank = false;
    else if (percentile >= 0)
        computed->percentile = percentile;
}

/* --- histograms --- */

/* A number for each score, so that a sum of them stands for a histogram. */
static uint64_t number_of(int i)
{
    uint64_t x = (uint64_t)(i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct proof_fold fold_of(const struct ss_histogram *histogram)
{
    struct proof_fold fold = {.users = *histogram};
    for (int i = 0; i < SS_SCORE_COUNT; i++)
        fold.print += histogram->users[i] * number_of(i);
    return fold;
}

static bool same_fold(const struct proof_fold *a, const struct proof_fold *b)
{
    return a->print == b->print && memcmp(&a->users, &b->users, sizeof a->users) == 0;
}

static void move_user(struct proof_fold *fold, int32_t score, uint32_t by)
{
    if (score < SS_SCORE_MIN || score > SS_SCORE_MAX)
        return;
    fold->users.users[score - SS_SCORE_MIN] += by;
    fold->print += by == 1 ? number_of(score - SS_SCORE_MIN) : 0 - number_of(score - SS_SCORE_MIN);
}

static void move(struct proof_fold *fold, const struct ss_score_view *view)
{
    if (view->has_previous)
        move_user(fold, view->previous_score, (uint32_t)-1);
    if (view->has_score)
        move_user(fold, view->score, 1);
}

static void load(struct proof *proof)
{
    struct proof_ranks *ranks = &proof->ranks;
    ranks->next = proof->options->histogram(proof->options->arg);
    ranks->open = false;
    if (!ranks->next)
        return;
    ranks->next_fold = fold_of(&ranks->next->histogram);
    proof->result->histograms++;
}

/* It is that of the records so far. */
static bool matches(struct proof_ranks *ranks)
{
    const bool other = ranks->has_other && same_fold(&ranks->other, &ranks->next_fold);
    if (!ranks->known || (!other && !same_fold(&ranks->fold, &ranks->next_fold)))
        return false;
    if (other)
        ranks->fold = ranks->other;
    ranks->has_other = ranks->doubtful = false;
    return true;
}

static void proven(struct proof *proof)
{
    proof->result->histograms_proven++;
    load(proof);
}

/* Behind the last point at which it could have been right. */
static void differs(struct proof *proof)
{
    struct proof_ranks *ranks = &proof->ranks;
    const struct ss_proof_options *options = proof->options;
    const struct ss_proof_difference difference = {
        .verdict = SS_PROOF_HISTOGRAM,
        .partition = options->partition,
        .offset = ranks->next->offset,
        .why = "it does not count the users as the score records up to its positions do",
    };
    proof->result->histograms_differing++;
    if (options->difference)
        options->difference(options->arg, &difference);
    ranks->other = ranks->next_fold;
    ranks->has_other = !ranks->open;
    ranks->doubtful = ranks->open;
    load(proof);
}

static void unknown(struct proof *proof)
{
    struct proof_ranks *ranks = &proof->ranks;
    proof->result->histograms_unchecked++;
    if (ranks->seen > 0 && !ranks->open) {
        ranks->fold = ranks->next_fold;
        ranks->known = true;
        ranks->doubtful = false;
    }
    load(proof);
}

enum place { WITHIN, OPEN, BEYOND };

/* Where a record stands to the histogram: counted in it, or perhaps, or not. */
static enum place place_of(const struct ss_rank_entry *entry, const struct ss_score_view *view)
{
    bool before = view->cause.known;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        if (view->positions[i] > entry->positions[i])
            return BEYOND;
        before |= view->positions[i] < entry->positions[i];
    }
    return before ? WITHIN : OPEN;
}

void ss_proof_ranks_begin(struct proof *proof)
{
    struct proof_ranks *ranks = &proof->ranks;
    memset(ranks, 0, sizeof *ranks);
    if (proof->options->some_users || !proof->options->histogram)
        return;
    ranks->known = !proof->options->scores_begin_late;
    load(proof);
}

void ss_proof_ranks_record(struct proof *proof, const struct ss_walk_record *record)
{
    struct proof_ranks *ranks = &proof->ranks;
    enum place place;
    if (!ranks->next || record->stray == SS_STRAY_UNREADABLE)
        return;
    while (ranks->next && (place = place_of(ranks->next, &record->view)) != WITHIN) {
        if (matches(ranks)) {
            proven(proof);
        } else if (place == OPEN) {
            ranks->open = true;
            break;
        } else if (ranks->known && !ranks->doubtful) {
            differs(proof);
        } else {
            unknown(proof);
        }
    }
    move(&ranks->fold, &record->view);
    if (ranks->has_other)
        move(&ranks->other, &record->view);
    ranks->seen++;
}

/* Whether all that it counts has been walked over. */
static bool reached(const struct proof *proof, const struct ss_rank_entry *entry)
{
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        if (i != SS_NEIGHBOURS && entry->positions[i] > proof->walk.inputs[i].next)
            return false;
    return !proof->options->live;
}

void ss_proof_ranks_end(struct proof *proof)
{
    struct proof_ranks *ranks = &proof->ranks;
    while (ranks->next) {
        if (matches(ranks)) {
            proven(proof);
        } else if (ranks->known && !ranks->doubtful && reached(proof, ranks->next)) {
            differs(proof);
        } else {
            proof->result->histograms_unchecked++;
            load(proof);
        }
    }
}
