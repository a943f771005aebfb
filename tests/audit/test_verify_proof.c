/* What an engine has published is proven; what was altered afterwards, in whichever way, is not. */
#include "helper_story.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

Test(verify_proof, what_an_engine_published_is_proven)
{
    int64_t searched = 0, again = 0;
    for (uint64_t seed = 1; seed <= 61; seed++) {
        /* the last: where the logs end, time owes what the engine had not come to */
        struct story *story = story_open_varied(seed <= 60 ? seed : 643);
        struct ss_proof_result result = story_prove(story, NULL);
        story_expect_proven(story, &result);
        searched += result.searched;
        again += result.looked_at_again;
        story_close(story);
    }
    cr_log_info("%d users looked at again, %d records searched for", (int)again, (int)searched);
    cr_assert_gt(searched, 0);
}

/* Who still stands as the model before had it, after others were told of the new one. */
Test(verify_proof, who_was_not_told_of_a_new_model_shows)
{
    struct story_options options = story_plain;
    options.two_models = true;
    struct story *story = story_open(&options);
    int altered = 0;
    for (size_t i = 0; i < story->score_count && altered < 12; i++) {
        if (story->scores[i].record.kind != SS_KIND_RESCORE)
            continue;
        story->scores[i].gone = true;
        struct ss_proof_result result = story_prove(story, NULL);
        bool owed = false;
        for (size_t j = i + 1; j < story->score_count; j++)
            owed |= story->scores[j].record.user_id.data == story->scores[i].record.user_id.data;
        if (owed) {
            cr_assert(!ss_proof_holds(&result), "without RESCORE %d all is proven", (int)i);
            cr_assert_leq(result.differing + result.missing, 3);
            altered++;
        }
        story->scores[i].gone = false;
    }
    cr_assert_gt(altered, 3);
    story_close(story);
}

/* Between the last record by a model and the next by the one that has come back nothing shows when
 * it has: who was not told of the other has had silent events meanwhile. */
Test(verify_proof, a_model_that_comes_back_is_no_news_to_who_was_not_told_of_another)
{
    int told = 0, untold = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct story_options options = story_plain;
        options.seed = seed;
        options.two_models = true;
        options.returns = (int)(1 + seed % 30);
        options.wake_every = 50;
        options.disorder = (int)(seed * 7 % 60);
        struct story *story = story_open(&options);
        struct ss_proof_result result = story_prove(story, NULL);
        story_expect_proven(story, &result);
        for (size_t i = 0; i < story->score_count; i++)
            told += story->scores[i].record.kind == SS_KIND_RESCORE;
        untold += options.users;
        story_close(story);
    }
    cr_assert(told > 100 && told < 2 * untold, "%d RESCOREs of %d users", told, untold);
}

Test(verify_proof, without_histograms_percentiles_are_counted_as_not_checked)
{
    struct story_options options = story_plain;
    options.ranks = true;
    struct story *story = story_open(&options);
    story->no_ranks = true;
    struct ss_proof_result result = story_prove(story, NULL);
    story_expect_proven(story, &result);
    cr_assert_gt(result.percentiles_unchecked, 100);
    size_t i = story->score_count / 2;
    while (!story->scores[i].record.has_rank)
        i++;
    story->scores[i].record.percentile = SS_PERCENTILE_MAX + 1;
    result = story_prove(story, NULL);
    cr_assert_eq(result.differing, 1);
    story_close(story);
}

/* --- one field at a time --- */

struct tampering {
    const char *field; /* of ss_proof_score_fields */
    bool (*apply)(struct story *story, struct ss_score_record *record); /* false: not this one */
};

#define TAMPER(NAME, WHERE, HOW)                                                   \
    static bool tamper_##NAME(struct story *story, struct ss_score_record *record) \
    {                                                                              \
        (void)story;                                                               \
        if (!(WHERE))                                                              \
            return false;                                                          \
        HOW;                                                                       \
        return true;                                                               \
    }

TAMPER(user_id, true,
       record->user_id = story_text(story, "%s",
                                    story->names[record->user_id.data == story->names[0] ? 1 : 0]))
TAMPER(sequence, true, record->sequence++)
TAMPER(kind, record->kind == SS_KIND_UPDATE, record->kind = SS_KIND_AGED)
TAMPER(standing, record->standing == SS_STANDING_SCORED, record->standing = SS_STANDING_LISTED)
TAMPER(score, record->has_score, record->score.score++)
TAMPER(previous_score, record->has_previous, record->previous_score--)
TAMPER(tier, record->has_score, record->tier_name = "splendid")
TAMPER(history, record->has_score, record->score.factors[0].value++)
TAMPER(behaviour, record->has_score, record->score.factors[1].weight++)
TAMPER(fulfilment, record->has_score, record->score.factors[2].points_centi++)
TAMPER(characteristics, record->has_score, record->score.factors[3].value--)
TAMPER(relationships, record->has_score, record->score.factors[4].points_centi--)
TAMPER(reasons, record->has_score && record->score.reason_count > 1,
       record->score.reasons[1].points_centi++)
TAMPER(case_id, record->case_id.size > 0, record->case_id = story_text(story, "another"))
TAMPER(cause_topic, record->has_cause,
       record->cause.input = record->cause.input == SS_BILLS ? SS_SOCIAL : SS_BILLS)
TAMPER(cause_partition, record->has_cause, record->cause.partition = 1)
TAMPER(cause_offset, record->has_cause, record->cause.offset++)
TAMPER(cause_event_id, record->has_cause, record->cause.event_id = story_text(story, "another"))
TAMPER(payments, record->has_cause && record->cause.input == SS_PAYMENTS, record->positions[0]++)
/* Where nothing else says how far an input had been read, a silent event of others may as well have
 * been read a little later. */
static bool as_before(const struct story *story, const struct ss_score_record *record,
                      enum ss_input input)
{
    const struct story_score *score = (const struct story_score *)(const void *)record;
    return score > story->scores && score[-1].record.positions[input] == record->positions[input];
}

TAMPER(bills, record->positions[1] > 0 && as_before(story, record, SS_BILLS),
       record->positions[1]--)
TAMPER(bookings, true, record->positions[2] += 20)
TAMPER(social, record->has_cause && record->cause.input == SS_SOCIAL, record->positions[3]--)
TAMPER(profiles, true, record->positions[4] += 1000)
TAMPER(consents, record->positions[5] > 3, record->positions[5] -= 3)
TAMPER(blacklist, record->has_cause && record->cause.input == SS_BLACKLIST, record->positions[6]--)
TAMPER(neighbours, record->positions[SS_NEIGHBOURS] > 0 && as_before(story, record, SS_NEIGHBOURS),
       record->positions[SS_NEIGHBOURS]--)
TAMPER(friends_confirmed, record->has_score, record->friends_confirmed++)
TAMPER(friends_bands, record->friends_confirmed > 0,
       record->friends_bands += record->friends_bands ? -1 : 1)
TAMPER(percentile, record->has_rank && record->percentile < SS_PERCENTILE_MAX, record->percentile++)
TAMPER(ranks, record->has_rank, record->ranks_offset = -1)
TAMPER(consent_position, true, record->consent_position++)
TAMPER(as_of, true, record->as_of_ms++)
TAMPER(clock, record->has_cause && record->clock_ms == record->as_of_ms, record->clock_ms++)
TAMPER(model_version, true, record->model_version = "sesame-0123456789abcdef")

static const struct tampering tamperings[] = {
    {"user_id", tamper_user_id},
    {"sequence", tamper_sequence},
    {"kind", tamper_kind},
    {"standing", tamper_standing},
    {"score", tamper_score},
    {"previous_score", tamper_previous_score},
    {"tier", tamper_tier},
    {"factors.history", tamper_history},
    {"factors.behaviour", tamper_behaviour},
    {"factors.fulfilment", tamper_fulfilment},
    {"factors.characteristics", tamper_characteristics},
    {"factors.relationships", tamper_relationships},
    {"reasons", tamper_reasons},
    {"case_id", tamper_case_id},
    {"cause.topic", tamper_cause_topic},
    {"cause.partition", tamper_cause_partition},
    {"cause.offset", tamper_cause_offset},
    {"cause.event_id", tamper_cause_event_id},
    {"positions.payments", tamper_payments},
    {"positions.bills", tamper_bills},
    {"positions.bookings", tamper_bookings},
    {"positions.social", tamper_social},
    {"positions.profiles", tamper_profiles},
    {"positions.consents", tamper_consents},
    {"positions.blacklist", tamper_blacklist},
    {"positions.neighbours", tamper_neighbours},
    {"consent_positions.scoring", tamper_consent_position},
    {"friends.confirmed", tamper_friends_confirmed},
    {"friends.bands", tamper_friends_bands},
    {"percentile", tamper_percentile},
    {"ranks", tamper_ranks},
    {"as_of", tamper_as_of},
    {"clock", tamper_clock},
    {"model_version", tamper_model_version},
};

static const struct tampering *tampering_of(const char *field)
{
    for (size_t i = 0; i < sizeof tamperings / sizeof tamperings[0]; i++)
        if (strcmp(tamperings[i].field, field) == 0)
            return &tamperings[i];
    return NULL;
}

/* Every field of the schema is altered in a dozen records, one at a time, and each is caught; what
 * is wrong with the one does not make others wrong. */
Test(verify_proof, each_altered_field_is_caught)
{
    struct story_options options = story_plain;
    options.disorder = 0;
    options.events = 700;
    options.gaps = 0;
    options.ranks = true;
    struct story *lonely = story_open(&options);
    options.friends = true;
    struct story *befriended = story_open(&options);
    for (size_t f = 0; f < ss_proof_score_field_count; f++) {
        const char *field = ss_proof_score_fields[f].name;
        const struct tampering *tampering = tampering_of(field);
        cr_assert(tampering, "no test alters %s", field);
        bool of_friends = strstr(field, "friends") || strstr(field, "neighbours") ||
                          strcmp(field, "positions.social") == 0;
        struct story *story = of_friends ? befriended : lonely;
        int altered = 0;
        for (int tries = 0; tries < 4000 && altered < 12; tries++) {
            size_t i = (size_t)story_random(story, story->score_count);
            struct ss_score_record before = story->scores[i].record;
            if (!tampering->apply(story, &story->scores[i].record))
                continue;
            struct ss_proof_result result = story_prove(story, NULL);
            altered++;
            cr_assert(!ss_proof_holds(&result), "%s of record %d altered, and proven", field,
                      (int)i);
            cr_assert_leq(result.differing + result.missing, 3,
                          "%s of record %d: %d differ, %d miss", field, (int)i,
                          (int)result.differing, (int)result.missing);
            cr_assert_gt(story->told, 0);
            if (strncmp(field, "positions", 9) != 0 && strcmp(field, "user_id") != 0 &&
                strcmp(field, "model_version") != 0 && strcmp(field, "sequence") != 0)
                cr_assert(strstr(story->fields[0], field), "%s of record %d altered, told: %s",
                          field, (int)i, story->fields[0]);
            story->scores[i].record = before;
        }
        cr_assert_geq(altered, 3, "%s: only %d", field, altered);
        if (f + 1 == ss_proof_score_field_count || of_friends) {
            struct ss_proof_result result = story_prove(story, NULL);
            story_expect_proven(story, &result);
        }
    }
    story_close(lonely);
    story_close(befriended);
}

Test(verify_proof, a_clock_that_goes_back_is_caught)
{
    struct story_options options = story_plain;
    options.disorder = 0;
    struct story *story = story_open(&options);
    int altered = 0;
    for (size_t i = story->score_count / 2; i < story->score_count; i++) {
        struct ss_score_record *record = &story->scores[i].record, before = *record;
        if (record->kind != SS_KIND_OPT_IN) /* of others the user's own horizon tells already */
            continue;
        record->clock_ms = story->scores[i - 1].record.clock_ms - 86400000;
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert(!ss_proof_holds(&result), "record %d", (int)i);
        *record = before;
        altered++;
    }
    cr_assert_gt(altered, 0);
    story_close(story);
}

/* A field that comes to the schema has to come to the table. */
Test(verify_proof, every_field_of_the_schema_is_compared)
{
    for (int f = 0; f < SS_FIELD_COUNT; f++) {
        const char *name = ss_score_field_name((enum ss_score_field)f);
        size_t size = strlen(name), found = 0;
        for (size_t i = 0; i < ss_proof_score_field_count; i++) {
            const char *of = ss_proof_score_fields[i].name;
            found += strncmp(of, name, size) == 0 && (of[size] == '\0' || of[size] == '.');
        }
        cr_assert_gt(found, 0, "%s is not compared", name);
        if (f == SS_FIELD_POSITIONS)
            cr_assert_eq(found, SS_INPUT_COUNT);
        if (f == SS_FIELD_FACTORS)
            cr_assert_eq(found, SS_FACTOR_COUNT);
    }
}

/* --- records as a whole --- */

Test(verify_proof, a_missing_record_is_found_the_last_one_too)
{
    struct story *story = story_open(&story_plain);
    for (int tries = 0; tries < 40; tries++) {
        size_t i =
            tries == 0 ? story->score_count - 1 : (size_t)story_random(story, story->score_count);
        story->scores[i].gone = true;
        struct ss_proof_result result = story_prove(story, NULL);
        /* of what time alone did, the engine has no more to say until the user's next event */
        bool owed = story->scores[i].record.has_cause;
        for (size_t j = i + 1; j < story->score_count; j++)
            owed |= story->scores[j].record.user_id.data == story->scores[i].record.user_id.data;
        if (owed) {
            cr_assert(!ss_proof_holds(&result), "without record %d all is proven", (int)i);
            cr_assert_leq(result.differing + result.missing, 3);
        }
        story->scores[i].gone = false;
    }
    story_close(story);
}

Test(verify_proof, a_record_twice_is_one_too_many)
{
    struct story *story = story_open(&story_plain);
    for (int tries = 0; tries < 20; tries++) {
        size_t i = (size_t)story_random(story, story->score_count - 1);
        /* a copy, at the end of the log */
        story->scores[story->score_count++] = story->scores[i];
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert(!ss_proof_holds(&result));
        cr_assert_eq(result.differing, 1);
        cr_assert_eq(result.missing, 0);
        story->score_count--;
    }
    story_close(story);
}

Test(verify_proof, records_in_another_order_are_found)
{
    struct story_options options = story_plain;
    options.disorder = 0;
    struct story *story = story_open(&options);
    for (int tries = 0; tries < 30; tries++) {
        size_t i = (size_t)story_random(story, story->score_count - 1);
        if (memcmp(story->scores[i].record.positions, story->scores[i + 1].record.positions,
                   sizeof story->scores[i].record.positions) == 0 &&
            story->scores[i].record.user_id.data != story->scores[i + 1].record.user_id.data)
            continue; /* two users whom time has passed: nobody can tell who came first */
        story_swap(story, i, i + 1);
        struct ss_proof_result result = story_prove(story, NULL);
        cr_assert(!ss_proof_holds(&result), "records %d and %d swapped", (int)i, (int)i + 1);
        cr_assert_leq(result.differing + result.missing, 3);
        story_swap(story, i, i + 1);
    }
    story_close(story);
}

/* --- what is no longer there --- */

Test(verify_proof, events_of_who_has_withdrawn_may_be_gone)
{
    struct story_options options = story_plain;
    options.withdrawals = 60;
    struct story *story = story_open(&options);
    const struct story_score *out = NULL;
    for (size_t i = 0; i < story->score_count; i++)
        if (story->scores[i].record.kind == SS_KIND_OPT_OUT)
            out = &story->scores[i];
    cr_assert(out);
    /* all of the user's events up to the withdrawal leave the logs */
    for (int input = 0; input < SS_INPUT_COUNT; input++)
        for (size_t i = 0; i < story->counts[input]; i++)
            if (story->events[input][i].event.user_id.data == out->record.user_id.data &&
                story->events[input][i].offset < out->record.positions[input])
                story->events[input][i].reject = "gone";
    struct ss_proof_result result = story_prove(story, NULL);
    cr_assert_eq(result.differing, 0, "%d, %s", (int)result.differing, story->fields[0]);
    cr_assert_eq(result.missing, 0);
    cr_assert_gt(result.erased, 1);
    cr_assert_eq(result.erased + result.proven, result.records);
    cr_assert(ss_proof_holds(&result));
    story_close(story);
}

Test(verify_proof, what_rests_on_cut_logs_is_not_judged)
{
    struct story_options options = story_plain;
    options.withdrawals = 50;
    struct story *story = story_open(&options);
    struct ss_proof_options more = {.inputs_cut = true};
    const struct ss_score_record *at = &story->scores[story->score_count / 3].record;
    for (int i = 0; i < SS_INPUT_COUNT; i++) {
        more.start[i] = at->positions[i];
        while (story->drop_events[i] < story->counts[i] &&
               story->events[i][story->drop_events[i]].offset < more.start[i])
            story->drop_events[i]++;
    }
    struct ss_proof_result result = story_prove(story, &more);
    cr_assert(ss_proof_holds(&result), "%d differ, %d miss: %s", (int)result.differing,
              (int)result.missing, story->fields[0]);
    cr_assert_gt(result.out_of_retention, 0);
    cr_assert_gt(result.proven, 0);
    cr_assert_eq(result.proven + result.out_of_retention, result.records);

    /* the same of `scores`, whose inputs are all there */
    memset(story->drop_events, 0, sizeof story->drop_events);
    story->drop_scores = story->score_count / 2;
    more = (struct ss_proof_options){.scores_cut = true};
    result = story_prove(story, &more);
    cr_assert(ss_proof_holds(&result), "%d differ, %d miss: %s", (int)result.differing,
              (int)result.missing, story->fields[0]);
    cr_assert_gt(result.proven, result.records / 2);
    cr_assert_eq(result.proven + result.out_of_retention, result.records);
    story_close(story);
}

Test(verify_proof, it_goes_on_from_a_snapshot)
{
    struct story *story = story_open(&story_plain);
    const struct ss_proof_options more = story_from_half(story);
    while (story->drop_grants < story->grant_count &&
           story->grants[story->drop_grants].entitlement.sequence > 0 &&
           story->drop_grants < story->grant_count / 4)
        story->drop_grants++;
    struct ss_proof_result result = story_prove(story, &more);
    cr_assert(ss_proof_holds(&result), "%d differ, %d miss: %s", (int)result.differing,
              (int)result.missing, story->fields[0]);
    cr_assert_eq(result.before_start, (int64_t)story->half_scores);
    cr_assert_eq(result.proven, (int64_t)(story->score_count - story->half_scores));

    /* a state that is not the right one shows */
    int changed = 0;
    for (int user = 0; user < story->options.users && !changed; user++)
        if (story->half_states[user].consents.scoring && story->half_states[user].payments.any) {
            story->half_states[user].published.sequence++;
            changed = 1;
        }
    result = story_prove(story, &more);
    cr_assert(!ss_proof_holds(&result));
    story_close(story);
}

Test(verify_proof, a_record_is_held_against_the_model_that_it_names)
{
    struct story_options options = story_plain;
    options.two_models = true;
    options.silent = 0;
    struct story *story = story_open(&options);
    struct ss_proof_result result = story_prove(story, NULL);
    story_expect_proven(story, &result);
    int64_t of_second = 0;
    for (size_t i = 0; i < story->score_count; i++)
        of_second += story->scores[i].record.model_version == story->second->version;
    cr_assert_gt(of_second, 100);
    struct ss_model *second = story->second;
    story->second =
        NULL; /* it is not at hand: its records cannot be recomputed, and are not believed */
    result = story_prove(story, NULL);
    cr_assert(!ss_proof_holds(&result));
    cr_assert_geq(result.differing, of_second);
    story->second = second;
    story_close(story);
}

Test(verify_proof, a_sample_is_a_part_of_it)
{
    struct story *story = story_open(&story_plain);
    int64_t all = 0;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct ss_proof_options more = {.sample_of = 4, .sample_seed = seed};
        struct ss_proof_result result = story_prove(story, &more);
        cr_assert(ss_proof_holds(&result));
        cr_assert_eq(result.proven, result.records);
        cr_assert_eq(result.proven + result.others, (int64_t)story->score_count);
        all += result.proven;
    }
    cr_assert_eq(all, (int64_t)story->score_count);
    story_close(story);
}
