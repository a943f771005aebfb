/* What an honest engine published is never told as wrong, whatever of the logs is left: stories of
 * many kinds, by the seeds that were once misjudged, and by any others on request:
 *
 *   SS_STORIES=1-5000 test_audit_verify_stories
 */
#include "helper_story.h"

#include "scoring/score.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum trait {
    HARD = 1,   /* more disorder and silence, users woken seldom */
    HARDER = 2, /* … and few users */
    FRIENDS = 4,
    MODELS = 8, /* a second model half-way */
    ABA = 16,   /* … and the first one back soon */
    MANY = 32,  /* … and so on */
    THIRD = 64,
    OUT = 128,     /* many withdraw */
    SCORES = 256,  /* `scores` begin late */
    INPUTS = 512,  /* the inputs do, all at the same time */
    UNEVEN = 1024, /* … or each at another */
    HALF = 2048,   /* from a snapshot */
    RANKS = 4096,
    LATE = 8192 /* the scores begin behind the snapshot */
};

static const struct kind {
    const char *name;
    unsigned traits;
    uint64_t seeds[8]; /* once misjudged; 0 ends them */
} kinds[] = {
    {"scores cut", SCORES, {989, 1199, 1490}},
    {"hard, scores cut", HARD | SCORES, {138, 599, 727, 869, 980, 1083, 1345}},
    {"harder, scores cut", HARD | HARDER | SCORES, {297, 720, 863, 919, 1006, 1026}},
    {"friends, scores cut", FRIENDS | SCORES, {143}},
    {"friends, models, scores cut", FRIENDS | MODELS | SCORES, {143, 346}},
    {"withdrawals, scores cut", OUT | SCORES, {196, 339, 392, 535, 744, 821, 835}},
    {"many models, scores cut", MODELS | MANY | THIRD | SCORES, {80, 93, 286, 1220}},
    {"A, B, A", MODELS | ABA, {1, 3, 30, 60, 91, 120}},
    {"many models", MODELS | MANY, {1, 2, 3, 4, 5}},
    {"three models", MODELS | MANY | THIRD, {1, 2, 3, 4, 5}},
    {"many orders", HARD | HARDER | FRIENDS | MODELS | MANY, {2021}},
    {"inputs cut", INPUTS, {14, 31, 33, 39}},
    {"inputs cut unevenly", UNEVEN, {33, 37, 38, 39}},
    {"inputs and scores cut", INPUTS | SCORES, {25, 44, 113, 123, 135}},
    {"snapshot, scores cut", HALF | SCORES, {94, 299}},
    {"snapshot, friends, models, scores cut", HALF | FRIENDS | MODELS | RANKS | SCORES, {195, 299}},
    {"scores begin behind the snapshot", HALF | SCORES | LATE, {1, 2, 3, 4, 5, 6, 7, 8}},
    {"friends, scores begin behind the snapshot", HALF | SCORES | LATE | FRIENDS, {1, 2, 3, 4}},
};

static struct story *tell(unsigned traits, uint64_t seed)
{
    struct story_options options = story_plain;
    options.seed = seed;
    options.users = (int)(5 + seed % 30);
    options.disorder = (int)(seed * 7 % 60);
    if (traits & HARD) {
        options.disorder = (int)(seed * 13 % 100);
        options.wake_every = (int)(1 + seed * 5 % 90);
        options.silent = (int)(seed % 100);
        options.events = (int)(600 + seed % 1000);
    }
    if (traits & HARDER) {
        options.disorder = (int)(40 + seed % 60);
        options.wake_every = (int)(50 + seed % 200);
        options.silent = (int)(50 + seed % 50);
        options.events = (int)(500 + seed % 700);
        options.users = (int)(3 + seed % 12);
    }
    options.friends = traits & FRIENDS;
    options.ranks = traits & RANKS;
    options.two_models = traits & MODELS;
    options.half_told = traits & MODELS && traits & HALF && seed % 2;
    options.third = traits & THIRD;
    if (traits & ABA)
        options.returns = (int)(1 + seed % 30);
    if (traits & MANY) {
        options.returns = (int)(1 + seed % 17);
        options.changes = (int)(3 + seed % 9);
    }
    if (traits & OUT)
        options.withdrawals = 60;
    return story_open(&options);
}

static void cut_inputs(struct story *story, unsigned traits, struct ss_proof_options *more)
{
    const uint64_t seed = story->options.seed;
    more->inputs_cut = true;
    for (int i = 0; i < SS_NEIGHBOURS; i++) {
        const uint64_t at = seed * 31 + (traits & UNEVEN ? (uint64_t)i * 3 + seed % 7 : 0);
        const struct ss_score_record *record =
            &story->scores[at % 60 * story->score_count / 100].record;
        more->start[i] = record->positions[i];
        while (story->drop_events[i] < story->counts[i] &&
               story->events[i][story->drop_events[i]].offset < more->start[i])
            story->drop_events[i]++;
    }
}

static struct ss_proof_options cut(struct story *story, unsigned traits)
{
    struct ss_proof_options more = {0};
    const uint64_t seed = story->options.seed;
    if (traits & HALF) {
        more = story_from_half(story);
        more.models = (struct ss_models){.person = story->model};
        if (story->options.half_told)
            more.models = story->models;
    }
    if (traits & (INPUTS | UNEVEN))
        cut_inputs(story, traits, &more);
    if (traits & SCORES) {
        more.scores_cut = !more.seed || traits & LATE;
        story->drop_scores = more.seed ? story->half_scores * (seed % 100) / 100
                                       : story->score_count * (5 + seed * 17 % 90) / 100;
    }
    if (traits & LATE)
        story->drop_scores =
            story->half_scores + (story->score_count - story->half_scores) * (seed % 70) / 100;
    story->batch = 1 + seed % 9;
    return more;
}

/* Nothing is wrong, each record is counted once, and where nothing was cut all are proven. */
static bool is_fair(const struct story *story, const struct ss_proof_options *more,
                    const struct ss_proof_result *result)
{
    const bool whole = !more->seed && !more->scores_cut && !more->inputs_cut;
    const int64_t others = result->out_of_retention + result->before_start + result->erased;
    return ss_proof_holds(result) && story->told == 0 && story->histograms_told == 0 &&
           result->proven + others == result->records && (!whole || others == 0) &&
           result->entitlements_proven + result->entitlements_unjudged == result->entitlements;
}

static bool judge(const struct kind *kind, uint64_t seed)
{
    struct story *story = tell(kind->traits, seed);
    const struct ss_proof_options more = cut(story, kind->traits);
    const struct ss_proof_result result = story_prove(story, &more);
    const bool fair = is_fair(story, &more, &result);
    if (!fair)
        fprintf(stderr, "%s, seed %d: of %d %d proven, %d out of retention, %d differ, %d miss\n",
                kind->name, (int)seed, (int)result.records, (int)result.proven,
                (int)result.out_of_retention, (int)result.differing, (int)result.missing);
    story_close(story);
    return fair;
}

Test(verify_stories, those_that_were_misjudged_once)
{
    int unfair = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (int j = 0; j < 8 && kinds[i].seeds[j]; j++)
            unfair += !judge(&kinds[i], kinds[i].seeds[j]);
    cr_assert_eq(unfair, 0);
}

Test(verify_stories, those_that_are_asked_for)
{
    const char *range = getenv("SS_STORIES");
    int unfair = 0, from = 1, to = 6;
    if (range)
        cr_assert_eq(sscanf(range, "%d-%d", &from, &to), 2, "SS_STORIES is FROM-TO");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (int seed = from; seed <= to; seed++)
            unfair += !judge(&kinds[i], (uint64_t)seed);
    cr_assert_eq(unfair, 0);
}

/* --- what is altered shows all the same --- */

/* The name of another model that was live. */
Test(verify_stories, a_record_that_names_another_model_is_caught_alone)
{
    int altered = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct story *story = tell(MODELS, seed);
        for (int tries = 0; tries < 10; tries++) {
            struct ss_score_record *record =
                &story->scores[story_random(story, story->score_count)].record;
            const char *version = record->model_version;
            record->model_version =
                version == story->model->version ? story->second->version : story->model->version;
            const struct ss_proof_result result = story_prove(story, NULL);
            cr_assert(!ss_proof_holds(&result));
            cr_assert_leq(result.differing + result.missing, 3, "seed %d: %d differ, %d miss",
                          (int)seed, (int)result.differing, (int)result.missing);
            record->model_version = version;
            altered++;
        }
        story_close(story);
    }
    cr_assert_eq(altered, 200);
}

/* A standing that no listing has led to, of somebody whom time alone moves next. */
Test(verify_stories, no_standing_is_too_strange)
{
    int altered = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct story *story = tell(HARD, seed);
        for (size_t i = 0; i < story->score_count; i += 7) {
            struct ss_score_record *record = &story->scores[i].record;
            if (record->standing != SS_STANDING_SCORED)
                continue;
            record->standing = SS_STANDING_LISTED;
            const struct ss_proof_result result = story_prove(story, NULL);
            cr_assert(!ss_proof_holds(&result));
            record->standing = SS_STANDING_SCORED;
            altered++;
        }
        story_close(story);
    }
    cr_assert_gt(altered, 300);
}

/* Of somebody whose folds may be wrong, what no folds lead to is wrong: the score apart from its
 * factors, the place of the record in the log. */
Test(verify_stories, where_scores_begin_late_what_cannot_be_is_caught)
{
    int altered = 0, caught = 0;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct story *story = tell(OUT, seed);
        const struct ss_proof_options more = cut(story, SCORES);
        for (int way = 0; way < 6; way++) {
            const size_t span = story->score_count - story->drop_scores;
            const size_t i = story->drop_scores + story_random(story, span * 9 / 10 + 1);
            struct ss_score_record *record = &story->scores[i].record, before = *record;
            if (!record->has_score || !record->has_previous)
                continue;
            if (way == 0)
                record->score.score++;
            else if (way == 1)
                record->score.factors[SS_FACTOR_HISTORY].value++;
            else if (way == 2)
                record->score.reasons[1].points_centi++;
            else if (way == 3)
                record->previous_score--;
            else if (way == 4)
                record->as_of_ms++;
            else
                record->consent_position++;
            const struct ss_proof_result result = story_prove(story, &more);
            caught += !ss_proof_holds(&result);
            altered++;
            *record = before;
        }
        story_close(story);
    }
    cr_assert_gt(altered, 80);
    cr_assert_gt(caught, altered * 6 / 10, "%d of %d", caught, altered);
}

/* Another value of a factor, and what follows from it: points, score, tier. */
static void forge(const struct ss_model *model, struct ss_score_record *record, int factor)
{
    struct ss_score *score = &record->score;
    score->factors[factor].value += score->factors[factor].value > SS_VALUE_MAX / 2 ? -300 : 300;
    ss_score_add_up(model, false, score);
    record->tier_name = model->tiers[score->tier].name;
}

/* What is right in itself is caught too, if no choice of what did not count leads to it. */
Test(verify_stories, where_scores_begin_late_what_no_choice_leads_to_is_caught)
{
    int altered[5] = {0}, caught[5] = {0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct story *story = tell(0, seed);
        const struct ss_proof_options more = cut(story, SCORES);
        for (int way = 0; way < 5; way++) {
            const size_t span = story->score_count - story->drop_scores;
            const size_t i = story->drop_scores + story_random(story, span);
            struct ss_score_record *record = &story->scores[i].record, before = *record;
            if (!record->has_score || record->standing == SS_STANDING_LISTED ||
                record->score.reason_count == 0)
                continue;
            if (way == 0)
                forge(story->model, record, (int)(seed % SS_FACTOR_COUNT));
            else if (way == 1)
                record->score.reasons[0].code = (struct ss_text){"OTHER", 5};
            else if (way == 2)
                record->score.reason_count--;
            else if (way == 3)
                record->clock_ms--;
            else
                record->friends_confirmed++;
            const struct ss_proof_result result = story_prove(story, &more);
            caught[way] += !ss_proof_holds(&result);
            altered[way]++;
            *record = before;
        }
        story_close(story);
    }
    for (int way = 0; way < 5; way++) {
        static const int least[5] = {40, 39, 39, 20, 39}; /* the rest is out of retention */
        cr_assert_gt(altered[way], 50);
        cr_assert_geq(caught[way], least[way], "way %d: %d of %d", way, caught[way], altered[way]);
    }
}
