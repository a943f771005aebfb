/* What friends add to a score is recomputed from what they told, and what was altered of it shows.
 * Where they told it is no longer there, whatever rests on it is neither proven nor different. */
#include "helper_story.h"

#include <criterion/criterion.h>

static struct story *open_varied(uint64_t seed, bool friends)
{
    struct story_options options = story_plain;
    options.seed = seed;
    options.friends = friends;
    options.ranks = true;
    options.two_models = seed % 2;
    options.disorder = (int)(seed * 7 % 60);
    options.users = (int)(5 + seed % 30);
    return story_open(&options);
}

static struct story *open_story(uint64_t seed)
{
    return open_varied(seed, true);
}

Test(verify_friends, what_friends_add_is_proven)
{
    int64_t messages = 0, by_friends = 0, with_friends = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct story *story = open_story(seed);
        struct ss_proof_result result = story_prove(story, NULL);
        story_expect_proven(story, &result);
        cr_assert_eq(result.percentiles_unchecked, 0);
        messages += story->told_by_friends;
        for (size_t i = 0; i < story->score_count; i++) {
            by_friends += story->scores[i].record.kind == SS_KIND_NEIGHBOUR;
            with_friends += story->scores[i].record.friends_confirmed > 0;
        }
        story_close(story);
    }
    cr_assert_gt(messages, 10000);
    cr_assert_gt(by_friends, 1000);
    cr_assert_gt(with_friends, 10000);
}

/* Their last silent events were so at later clocks only than the least, and time owes more by the
 * clock that the last record shows: which the engine had not come to. */
Test(verify_friends, time_owes_nothing_where_the_logs_end)
{
    static const struct {
        uint64_t seed;
        bool friends;
    } stories[] = {{487, false}, {1132, true}};
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        struct story *story = open_varied(stories[i].seed, stories[i].friends);
        struct ss_proof_result result = story_prove(story, NULL);
        story_expect_proven(story, &result);
        cr_assert_gt(result.searched, 0);
        story_close(story);
    }
}

/* … but what an event led to there is owed. */
Test(verify_friends, the_last_record_that_a_user_caused_is_missed)
{
    int gone = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct story *story = open_story(seed);
        for (size_t i = 0; i < story->score_count; i++) {
            const struct ss_score_record *record = &story->scores[i].record;
            bool last = record->has_cause;
            for (size_t j = i + 1; last && j < story->score_count; j++)
                last = story->scores[j].record.user_id.data != record->user_id.data;
            if (!last)
                continue;
            story->scores[i].gone = true;
            struct ss_proof_result result = story_prove(story, NULL);
            cr_assert_gt(result.missing + result.differing, 0,
                         "seed %d: without record %d all is proven", (int)seed, (int)i);
            story->scores[i].gone = false;
            gone++;
        }
        story_close(story);
    }
    cr_assert_gt(gone, 40);
}

/* Friends that there can be, with a sum of bands that there can be: but these were not they. */
Test(verify_friends, other_friends_than_there_were_show)
{
    int altered = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct story *story = open_story(seed);
        for (int tries = 0; tries < 10; tries++) {
            size_t i = (size_t)story_random(story, story->score_count);
            struct ss_score_record *record = &story->scores[i].record, before = *record;
            if (!record->has_score)
                continue;
            if (tries % 2 && record->friends_confirmed > 0)
                record->friends_bands += record->friends_bands ? -1 : 1;
            else
                record->friends_confirmed++;
            struct ss_proof_result result = story_prove(story, NULL);
            cr_assert_eq(result.differing, 1, "seed %d, record %d: %d differ", (int)seed, (int)i,
                         (int)result.differing);
            cr_assert_eq(result.missing, 0);
            cr_assert(strstr(story->fields[0], "friends."), "%s", story->fields[0]);
            *record = before;
            altered++;
        }
        story_close(story);
    }
    cr_assert_gt(altered, 100);
}

/* A message that is not the one that was read. */
Test(verify_friends, other_messages_show)
{
    int altered = 0, shown = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct story *story = open_story(seed);
        for (size_t i = 0; i < story->score_count; i++) {
            const struct ss_score_record *record = &story->scores[i].record;
            if (record->kind != SS_KIND_NEIGHBOUR)
                continue;
            struct ss_source_event *told = story->events[SS_NEIGHBOURS];
            while (told->offset != record->cause.offset)
                told++;
            struct ss_event before = told->event;
            if (told->event.neighbour.action == SS_NEIGHBOUR_LEFT)
                continue;
            told->event.neighbour.band = (told->event.neighbour.band + 5) % SS_BAND_COUNT;
            struct ss_proof_result result = story_prove(story, NULL);
            shown += !ss_proof_holds(&result);
            altered++;
            told->event = before;
        }
        story_close(story);
    }
    cr_assert_gt(altered, 50);
    cr_assert_eq(shown, altered);
}

static void expect_expired(const struct story *story, const struct ss_proof_result *result)
{
    cr_assert(ss_proof_holds(result), "seed %d: %d differ, %d miss: %s", (int)story->options.seed,
              (int)result->differing, (int)result->missing, story->fields[0]);
    cr_assert_eq(story->told, 0);
    cr_assert_eq(result->out_of_retention, result->friends_expired);
    cr_assert_eq(result->proven + result->out_of_retention, result->records);
    cr_assert_eq(result->entitlements_proven + result->entitlements_unjudged, result->entitlements);
    cr_assert_eq(result->entitlements, (int64_t)story->grant_count);
}

Test(verify_friends, what_rests_on_lost_messages_is_out_of_retention)
{
    int64_t partly = 0, wholly = 0, again = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        struct story *story = open_story(seed);
        size_t at = (size_t)story_random(story, story->score_count);
        int64_t cut = story->scores[at].record.positions[SS_NEIGHBOURS];
        struct ss_proof_options more = story_cut_messages(story, cut);
        struct ss_proof_result result = story_prove(story, &more);
        expect_expired(story, &result);
        cr_assert(cut > 0 || result.friends_expired == 0);
        partly += result.friends_expired;
        again += result.looked_at_again;

        more = story_cut_messages(story, -1);
        result = story_prove(story, &more);
        expect_expired(story, &result);
        for (size_t i = 0; i < story->score_count; i++)
            wholly -= story->scores[i].record.friends_confirmed > 0;
        wholly += result.friends_expired;
        story_close(story);
    }
    cr_assert_gt(partly, 1000);
    cr_assert_gt(wholly, 0, "who has friends has them by messages");
    cr_assert_gt(again, 0);
}

/* Who lists nobody any more is known again, and who never did always was. */
Test(verify_friends, lost_messages_are_of_no_account_without_friends)
{
    struct story_options options = story_plain;
    options.friends = true;
    options.withdrawals = 60;
    int64_t records = 0, expired = 0, differing = 0;
    for (options.seed = 1; options.seed <= 8; options.seed++) {
        struct story *story = story_open(&options);
        const size_t third = story->score_count / 3;
        struct ss_proof_options more =
            story_cut_messages(story, story->scores[third].record.positions[SS_NEIGHBOURS]);
        struct ss_proof_result result = story_prove(story, &more);
        expect_expired(story, &result);
        records += result.records;
        expired += result.friends_expired;
        /* what is altered of those who are judged shows as ever */
        for (size_t i = story->score_count - 20; i < story->score_count; i++) {
            story->scores[i].record.score.score++;
            result = story_prove(story, &more);
            differing += result.differing;
            story->scores[i].record.score.score--;
        }
        story_close(story);
    }
    cr_assert_gt(differing, 30);
    cr_assert_gt(expired, records / 50);
    cr_assert_lt(expired, records * 7 / 10, "%d of %d", (int)expired, (int)records);
}

/* The lists of a snapshot are as good as the messages before it. */
Test(verify_friends, it_goes_on_from_a_snapshot)
{
    int64_t expired = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct story *story = open_story(2 * seed);
        const int64_t from = story->half_positions[SS_NEIGHBOURS];
        struct ss_proof_options more = story_from_half(story);
        struct ss_proof_result result = story_prove(story, &more);
        cr_assert(ss_proof_holds(&result), "seed %d: %d differ, %d miss: %s", (int)seed,
                  (int)result.differing, (int)result.missing, story->fields[0]);
        cr_assert_eq(result.proven, (int64_t)(story->score_count - story->half_scores));
        cr_assert_eq(result.out_of_retention, 0);

        /* where the messages since then are lost in part, it is as if there were no lists */
        const size_t last = story->score_count - 1;
        const int64_t cut = (from + story->scores[last].record.positions[SS_NEIGHBOURS] + 1) / 2;
        more.start[SS_NEIGHBOURS] = story_cut_messages(story, cut).start[SS_NEIGHBOURS];
        result = story_prove(story, &more);
        cr_assert(ss_proof_holds(&result), "seed %d: %d differ, %d miss: %s", (int)seed,
                  (int)result.differing, (int)result.missing, story->fields[0]);
        cr_assert_eq(result.out_of_retention, result.friends_expired);
        cr_assert_eq(result.proven + result.out_of_retention,
                     (int64_t)(story->score_count - story->half_scores));
        expired += result.friends_expired;
        story_close(story);
    }
    cr_assert_gt(expired, 100);
}

/* Neither the first records nor the first messages are there any more. The entitlements all are: of
 * those before the first records nothing is said, whether or not they name a cause. */
Test(verify_friends, scores_may_be_cut_too)
{
    int64_t proven = 0, grants = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct story *story = open_story(seed);
        story->drop_scores = story->score_count / 3;
        for (int cut = 0; cut < 2; cut++) {
            const size_t at = story->score_count / 2;
            struct ss_proof_options more = story_cut_messages(
                story, cut ? story->scores[at].record.positions[SS_NEIGHBOURS] : 0);
            more.scores_cut = true;
            struct ss_proof_result result = story_prove(story, &more);
            cr_assert(ss_proof_holds(&result), "seed %d, cut %d: %d differ, %d miss: %s", (int)seed,
                      cut, (int)result.differing, (int)result.missing, story->fields[0]);
            cr_assert_eq(result.proven + result.out_of_retention, result.records);
            cr_assert_eq(result.entitlements, (int64_t)story->grant_count);
            cr_assert_eq(result.entitlements_proven + result.entitlements_unjudged,
                         result.entitlements);
            proven += result.proven;
            grants += result.entitlements_proven;
        }
        story_close(story);
    }
    cr_assert_gt(proven, 1000);
    cr_assert_gt(grants, 1000);
}
