/* What was published is proven from archived files, what friends told among them. */
#include "audit/prove.h"
#include "helper_logs.h"
#include "helper_story.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct ss_model *find_model(void *arg, struct ss_text version, bool *business)
{
    const struct story *story = arg;
    *business = false;
    return strlen(story->model->version) == version.size &&
                   memcmp(story->model->version, version.data, version.size) == 0
               ? story->model
               : NULL;
}

static void archive(const struct story *story, const char *directory, enum ss_input input,
                    size_t from)
{
    const size_t count = story->counts[input] - from;
    struct logged *events = calloc(count + 1, sizeof *events);
    cr_assert(events);
    for (size_t i = 0; i < count; i++) {
        const struct ss_source_event *event = &story->events[input][from + i];
        events[i] = (struct logged){event->event, event->offset, event->timestamp_ms};
    }
    if (count)
        logs_archive(
            logs_path("%s/%s+0+%010d.avro", directory, ss_input_name(input), (int)events[0].offset),
            input, 0, events, count);
    free(events);
}

static struct ss_proof_result prove(struct story *story, const char *directory,
                                    const struct ss_source_users *users)
{
    const struct ss_model_shelf shelf = {story, find_model};
    const struct ss_source_config config = {.directory = directory, .partition_count = 1};
    struct ss_source *source;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_source_open(&config, &source, &err), SS_OK, "%s", err.detail);
    const struct ss_prove_options options = {.inputs = source,
                                             .published = source,
                                             .shelf = &shelf,
                                             .models = {.person = story->model},
                                             .future_tolerance_ms = LOGS_DAY,
                                             .users = users,
                                             .partition = -1,
                                             .threads = 1,
                                             .no_entitlements = true};
    struct ss_proof_result result;
    cr_assert_eq(ss_source_kind(source), SS_SOURCE_ARCHIVE);
    cr_assert_eq(ss_prove(&options, &result, &err), SS_OK, "%s", err.detail);
    ss_source_close(source);
    return result;
}

Test(verify_archive, friends_follow_from_archived_messages, .fini = logs_remove)
{
    struct story_options options = story_plain;
    options.friends = true;
    options.users = 20;
    struct story *story = story_open(&options);
    struct ss_proof_result result = story_prove(story, NULL); /* encodes the records */
    const int64_t all = result.records;
    static const char *const names[] = {"whole", "cut", "without"};
    char paths[3][512];
    (void)logs_directory();
    for (size_t d = 0; d < 3; d++) {
        snprintf(paths[d], sizeof paths[d], "%s", logs_path("%s", names[d]));
        cr_assert_eq(mkdir(paths[d], 0700), 0);
        for (int i = 0; i < SS_NEIGHBOURS; i++)
            archive(story, names[d], (enum ss_input)i, 0);
        logs_archive_published(logs_path("%s/scores+0+0000000000.avro", names[d]), SS_SCORES, 0,
                               story->published[SS_SCORES], story->published_count[SS_SCORES]);
    }
    const char *whole = paths[0], *cut = paths[1], *without = paths[2];
    archive(story, "whole", SS_NEIGHBOURS, 0);
    archive(story, "cut", SS_NEIGHBOURS, story->counts[SS_NEIGHBOURS] / 2);

    result = prove(story, whole, NULL);
    cr_assert_eq(result.proven, all, "%d of %d", (int)result.proven, (int)all);
    cr_assert_eq(result.records, all);
    cr_assert_eq(result.missing, 0);

    const struct ss_proof_result partly = prove(story, cut, NULL),
                                 wholly = prove(story, without, NULL);
    cr_assert(ss_proof_holds(&partly) && ss_proof_holds(&wholly));
    cr_assert_gt(partly.friends_expired, 0);
    cr_assert_gt(partly.proven, 0);
    cr_assert_eq(partly.proven + partly.friends_expired, all);
    cr_assert_gt(wholly.friends_expired, 0);
    cr_assert_gt(wholly.proven, 0);
    cr_assert_eq(wholly.proven + wholly.friends_expired, all);

    /* for one user what was told to others is not looked at */
    struct ss_source_users *users = ss_source_users_open();
    struct ss_error err;
    const struct ss_score_record *told = NULL;
    int64_t records = 0;
    for (size_t i = 0; i < story->score_count && !told; i++)
        if (story->scores[i].record.kind == SS_KIND_NEIGHBOUR)
            told = &story->scores[i].record;
    cr_assert(users && told);
    for (size_t i = 0; i < story->score_count; i++)
        records += memcmp(story->scores[i].record.user_id.data, told->user_id.data,
                          told->user_id.size) == 0; /* all names are of one length */
    cr_assert_eq(
        ss_source_users_add(users, (struct ss_bytes){told->user_id.data, told->user_id.size}, &err),
        SS_OK);
    result = prove(story, whole, users);
    cr_assert_eq(result.proven, records, "%d of %d", (int)result.proven, (int)records);
    cr_assert_eq(result.records, records);
    ss_source_users_close(users);
    story_close(story);
}
