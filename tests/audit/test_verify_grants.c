/* Each entitlement goes with a score record: what is altered of either shows. */
#include "helper_story.h"

#include <criterion/criterion.h>

Test(verify_grants, entitlements_are_held_against_the_records)
{
    struct story *story = story_open(&story_plain);
    cr_assert_gt(story->grant_count, 20);
    for (int tries = 0; tries < 70; tries++) {
        size_t i = (size_t)story_random(story, story->grant_count);
        struct ss_entitlement *e = &story->grants[i].entitlement;
        struct ss_entitlement before = *e;
        static struct ss_benefit other;
        other = *e->benefit;
        switch (tries % 7) {
        case 0:
            story->grants[i].gone = true;
            break;
        case 1:
            e->action = e->action == SS_ENTITLEMENT_GRANTED ? SS_ENTITLEMENT_REVOKED
                                                            : SS_ENTITLEMENT_GRANTED;
            break;
        case 2:
            e->sequence++;
            break;
        case 3:
            e->as_of_ms++;
            break;
        case 4:
            e->model_version = "other";
            break;
        case 5:
            other.threshold++;
            e->benefit = &other;
            break;
        default:
            story->grants[story->grant_count++] = story->grants[i];
        }
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert(!ss_proof_holds(&result), "entitlement %d, case %d", (int)i, tries % 7);
        cr_assert_eq(result.differing, 0);
        cr_assert_eq(result.missing, 0);
        /* at most all benefits of two records */
        cr_assert_leq(result.entitlements_differing, 12, "%d of %d, case %d",
                      (int)result.entitlements_differing, (int)i, tries % 7);
        if (tries % 7 == 6)
            story->grant_count--;
        story->grants[i].gone = false;
        *e = before;
    }
    story_close(story);
}

/* Where `scores` begins late, entitlements of records before that stand before those that are still
 * there: what is wrong with these shows all the same. */
Test(verify_grants, entitlements_are_held_against_records_that_cut_scores_still_has)
{
    const struct ss_proof_options more = {.scores_cut = true};
    int told = 0, altered = 0;
    int64_t causeless = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct story *story = story_open_varied(seed);
        story->drop_scores = story->score_count / 3;
        struct ss_proof_result result = story_prove(story, &more);
        cr_assert(ss_proof_holds(&result), "seed %d: %d differ, %d entitlements", (int)seed,
                  (int)result.differing, (int)result.entitlements_differing);
        cr_assert_eq(result.entitlements, (int64_t)story->grant_count);
        cr_assert_eq(result.entitlements_proven + result.entitlements_unjudged,
                     result.entitlements);
        for (size_t i = 0; i < story->grant_count; i++)
            causeless += !story->grants[i].entitlement.has_cause;
        for (int tries = 0; tries < 6; tries++) {
            /* by then all users' first records have been */
            size_t i = story->grant_count - 1 - (size_t)story_random(story, story->grant_count / 3);
            struct ss_entitlement *e = &story->grants[i].entitlement, before = *e;
            if (tries % 3 == 0)
                story->grants[i].gone = true;
            else if (tries % 3 == 1)
                e->as_of_ms++;
            else
                story->grants[story->grant_count++] = story->grants[i];
            result = story_prove(story, &more);
            told += result.entitlements_differing > 0;
            altered++;
            story->grant_count -= tries % 3 == 2;
            story->grants[i].gone = false;
            *e = before;
        }
        story_close(story);
    }
    cr_assert_gt(causeless, 100);
    cr_assert_gt(told, altered * 9 / 10, "%d of %d", told, altered); /* some are not judged */
}
