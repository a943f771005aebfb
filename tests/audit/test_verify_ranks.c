/* Percentiles and the histograms that they are of: what an engine published is proven; what was
 * altered afterwards is not, and what compaction took is counted apart. */
#include "helper_story.h"

#include <criterion/criterion.h>

static const struct story_options ranked = {.seed = 5,
                                            .users = 30,
                                            .events = 1500,
                                            .disorder = 10,
                                            .wake_every = 20,
                                            .gaps = 3,
                                            .withdrawals = 20,
                                            .ranks = true,
                                            .silent = 20};

static int64_t with_rank(const struct story *story, int64_t below)
{
    int64_t count = 0;
    for (size_t i = story->drop_scores; i < story->score_count; i++)
        count += story->scores[i].record.has_rank && story->scores[i].record.ranks_offset < below;
    return count;
}

static size_t some_ranked(struct story *story, size_t from)
{
    size_t i;
    do
        i = from + (size_t)story_random(story, story->score_count - from);
    while (!story->scores[i].record.has_rank);
    return i;
}

Test(verify_ranks, percentiles_and_histograms_are_proven)
{
    int64_t histograms = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct story_options options = ranked;
        options.seed = seed;
        options.disorder = (int)(seed * 7 % 60);
        options.wake_every = (int)(1 + seed * 5 % 90);
        options.two_models = seed % 2;
        options.friends = seed % 3 == 0;
        struct story *story = story_open(&options);
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert(ss_proof_holds(&result), "seed %d", (int)seed);
        cr_assert_eq(result.percentiles_proven, with_rank(story, INT64_MAX));
        cr_assert_eq(result.percentiles_out_of_retention, 0);
        cr_assert_eq(result.histograms, (int64_t)story->rank_count);
        cr_assert_eq(result.histograms_proven, result.histograms, "seed %d: %d of %d", (int)seed,
                     (int)result.histograms_proven, (int)result.histograms);
        histograms += result.histograms;
        story_close(story);
    }
    cr_assert_gt(histograms, 300);
}

Test(verify_ranks, an_altered_percentile_or_offset_is_caught)
{
    struct story *story = story_open(&ranked);
    for (int tries = 0; tries < 60; tries++) {
        struct ss_score_record *record = &story->scores[some_ranked(story, 0)].record;
        const struct ss_score_record before = *record;
        if (tries % 2)
            record->percentile += record->percentile < SS_PERCENTILE_MAX ? 1 : -1;
        else
            record->ranks_offset = story->ranks[story->rank_count - 1].offset + 100;
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert(!ss_proof_holds(&result));
        cr_assert_eq(result.differing, 1);
        cr_assert_eq(result.percentiles_differing, 1);
        cr_assert(strstr(story->fields[0], "percentile"), "told: %s", story->fields[0]);
        *record = before;
    }
    story_close(story);
}

/* One histogram earlier or later: it shows unless the score has the same percentile in both. */
Test(verify_ranks, an_offset_of_another_histogram_is_caught_by_the_percentile)
{
    struct story *story = story_open(&ranked);
    int caught = 0;
    for (int tries = 0; tries < 40; tries++) {
        struct ss_score_record *record = &story->scores[some_ranked(story, 400)].record;
        const size_t other = (size_t)story_random(story, story->rank_count);
        const struct ss_score_record before = *record;
        record->ranks_offset = story->ranks[other].offset + 1;
        const bool shows =
            ss_rank_percentile(&story->tables[other], record->score.score) != record->percentile;
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert_eq(ss_proof_holds(&result), !shows);
        caught += shows;
        *record = before;
    }
    cr_assert_gt(caught, 20);
    story_close(story);
}

Test(verify_ranks, what_compaction_took_is_counted_apart)
{
    struct story *story = story_open(&ranked);
    story->drop_ranks = story->rank_count / 2;
    const int64_t kept_from = story->ranks[story->drop_ranks].offset + 1;
    struct ss_proof_result result = story_prove(story, NULL);
    cr_assert(ss_proof_holds(&result));
    cr_assert_eq(result.proven, result.records);
    cr_assert_gt(result.percentiles_out_of_retention, 100);
    cr_assert_eq(result.percentiles_out_of_retention, with_rank(story, kept_from));
    cr_assert_eq(result.percentiles_proven,
                 with_rank(story, INT64_MAX) - with_rank(story, kept_from));
    cr_assert_eq(result.histograms_proven, (int64_t)(story->rank_count - story->drop_ranks));

    struct ss_score_record *record = &story->scores[story->score_count - 1].record;
    while (!record->has_rank)
        record = &((struct story_score *)(void *)record - 1)->record;
    record->percentile += record->percentile < SS_PERCENTILE_MAX ? 1 : -1;
    result = story_prove(story, NULL);
    cr_assert_eq(result.differing, 1);
    cr_assert_eq(result.percentiles_differing, 1);
    story_close(story);
}

/* A percentile follows from the score as published, whether or not that can be recomputed. */
Test(verify_ranks, the_percentile_of_a_record_that_is_not_recomputed_is_held_too)
{
    struct story *story = story_open(&ranked);
    struct ss_proof_options more = {.inputs_cut = true};
    const size_t third = story->score_count / 3;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        more.start[i] = story->scores[third].record.positions[i];
        while (story->drop_events[i] < story->counts[i] &&
               story->events[i][story->drop_events[i]].offset < more.start[i])
            story->drop_events[i]++;
    }
    struct ss_proof_result before = story_prove(story, &more);
    cr_assert(ss_proof_holds(&before));
    cr_assert_gt(before.out_of_retention, 100);
    cr_assert_eq(before.histograms_proven, before.histograms);
    int altered = 0;
    for (size_t i = 100; i < third; i += 20) {
        struct ss_score_record *record = &story->scores[i].record;
        if (!record->has_rank)
            continue;
        const int by = record->percentile < SS_PERCENTILE_MAX ? 1 : -1;
        record->percentile += by;
        struct ss_proof_result result = story_prove(story, &more);
        cr_assert(!ss_proof_holds(&result), "record %d", (int)i);
        cr_assert_eq(result.percentiles_differing, 1);
        cr_assert_eq(result.out_of_retention, before.out_of_retention);
        cr_assert_eq(story->told, 1);
        cr_assert_eq(story->verdicts[0], SS_PROOF_PERCENTILE);
        cr_assert(strstr(story->fields[0], "percentile"));
        record->percentile -= by;
        altered++;
    }
    cr_assert_gt(altered, 5);
    story_close(story);
}

/* --- histograms --- */

Test(verify_ranks, an_altered_histogram_is_caught_and_no_other_with_it)
{
    struct story *story = story_open(&ranked);
    cr_assert_gt(story->rank_count, 10);
    for (size_t i = 0; i < story->rank_count; i++) {
        uint32_t *users = &story->ranks[i].histogram.users[story_random(story, SS_SCORE_COUNT)];
        ++*users;
        struct ss_proof_result result = story_prove(story, NULL);
        --*users;
        cr_assert(!ss_proof_holds(&result));
        cr_assert_eq(result.histograms_differing, 1, "%d of %d: %d", (int)i, (int)story->rank_count,
                     (int)result.histograms_differing);
        cr_assert_eq(result.histograms_proven, (int64_t)story->rank_count - 1);
        cr_assert_eq(story->histograms_told, 1);
        cr_assert_eq(story->told, 0);
    }
    story_close(story);
}

/* An engine counts what it publishes: a record that is gone, or says another score, shows in the
 * next histogram as well, and in that one only. */
Test(verify_ranks, a_record_that_is_gone_shows_in_the_next_histogram)
{
    struct story *story = story_open(&ranked);
    for (int tries = 0; tries < 20; tries++) {
        size_t i = (size_t)story_random(story, story->score_count - 60);
        const struct ss_score_record *record = &story->scores[i].record;
        const bool moves = record->has_score != record->has_previous ||
                           (record->has_score && record->score.score != record->previous_score);
        story->scores[i].gone = true;
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert_leq(result.histograms_differing, 1);
        /* the user may be back where he was before the next one */
        if (moves && result.histograms_differing == 0)
            cr_assert_gt(result.missing + result.differing, 0);
        story->scores[i].gone = false;
    }
    story_close(story);
}

Test(verify_ranks, where_scores_begin_late_one_histogram_is_believed)
{
    int64_t proven = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct story_options options = ranked;
        options.seed = seed;
        struct story *story = story_open(&options);
        const struct ss_proof_options more = {.scores_cut = true};
        story->drop_scores = story->score_count / 3 + (size_t)seed;
        struct ss_proof_result result = story_prove(story, &more);
        cr_assert_eq(result.histograms_differing, 0, "seed %d", (int)seed);
        cr_assert_gt(result.histograms_unchecked, 0);
        cr_assert_eq(result.histograms_proven + result.histograms_unchecked, result.histograms);
        proven += result.histograms_proven;

        story->ranks[story->rank_count - 2].histogram.users[7]++;
        result = story_prove(story, &more);
        cr_assert_eq(result.histograms_differing, 1);
        story_close(story);
    }
    cr_assert_gt(proven, 50);
}

/* --- a snapshot amid a change of model --- */

Test(verify_ranks, a_snapshot_knows_who_has_been_told_of_which_model)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct story_options options = ranked;
        options.seed = seed;
        options.two_models = options.half_told = true;
        options.wake_every = 5000; /* nobody is told but with an event of his own */
        struct story *story = story_open(&options);
        struct ss_proof_options more = story_from_half(story);
        more.models = story->models;
        int told = 0, untold = 0;
        for (int user = 0; user < options.users; user++)
            if (story->half_states[user].consents.scoring)
                ++*(story->half_states[user].published.epoch ? &told : &untold);
        cr_assert(told > 3 && untold > 3, "%d, %d", told, untold);
        struct ss_proof_result result = story_prove(story, &more);
        cr_assert(ss_proof_holds(&result), "seed %d: %d differ, %d miss: %s", (int)seed,
                  (int)result.differing, (int)result.missing, story->fields[0]);
        cr_assert_eq(result.before_start, (int64_t)story->half_scores);

        /* that somebody who was not told counts as told leads to differences: his RESCORE */
        for (int user = 0; user < options.users; user++)
            story->half_states[user].published.epoch = 1;
        result = story_prove(story, &more);
        cr_assert_gt(result.differing + result.missing, 0);
        story_close(story);
    }
}
