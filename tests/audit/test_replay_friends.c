/* Friends in a replay of plain files: what they tell each other is heard at once, also by who is
 * taken up from a snapshot; and where nobody can hear it, links count for nothing. */
#include "audit/replay.h"
#include "schemas/output_view.h"
#include "tests/audit/helper_logs.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define BEGIN LOGS_BEGIN
#define DAY   LOGS_DAY

static struct ss_event friendship(const char *user, const char *other, const char *id, int day,
                                  enum ss_social_action action)
{
    struct ss_event event = logs_event(SS_SOCIAL, user, id, BEGIN + day * DAY);
    event.social = (struct ss_social){.action = action, .friend_id = logs_text(other)};
    return event;
}

static struct ss_event consent(const char *user, const char *id, int day,
                               enum ss_consent_action action, enum ss_consent_purpose purpose)
{
    struct ss_event event = logs_event(SS_CONSENTS, user, id, BEGIN + day * DAY);
    event.consent = (struct ss_consent){.action = action, .purpose = purpose};
    return event;
}

/* Ann and ben become friends on days 2 and 3, ann and cat on days 4 and 6, dan never confirms;
 * ben, whom a court has listed on day 1, withdraws SOCIAL on day 8. */
static void write_files(const char *suffix)
{
    struct ss_event listed = logs_event(SS_BLACKLIST, "ben", "l1", BEGIN + DAY);
    listed.listing = (struct ss_listing){.action = SS_LISTED,
                                         .case_id = logs_text("case"),
                                         .authority = logs_text("court"),
                                         .currency = logs_text("CNY")};
    const struct ss_event grants[] = {
        consent("ann", "c1", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING),
        consent("ann", "c2", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL),
        consent("ben", "c3", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING),
        consent("ben", "c4", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL),
        consent("cat", "c5", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SCORING),
        consent("cat", "c6", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL),
        consent("ben", "c7", 8, SS_CONSENT_WITHDRAWN, SS_PURPOSE_SOCIAL)};
    const struct ss_event friends[] = {friendship("ann", "ben", "s1", 2, SS_FRIEND_ADDED),
                                       friendship("ben", "ann", "s2", 3, SS_FRIEND_ADDED),
                                       friendship("ann", "cat", "s3", 4, SS_FRIEND_ADDED),
                                       friendship("ann", "dan", "s4", 5, SS_FRIEND_ADDED),
                                       friendship("cat", "ann", "s5", 6, SS_FRIEND_ADDED)};
    logs_plain(logs_path("consents%s", suffix), SS_CONSENTS, grants,
               sizeof grants / sizeof grants[0]);
    logs_plain(logs_path("blacklist%s", suffix), SS_BLACKLIST, &listed, 1);
    logs_plain(logs_path("social%s", suffix), SS_SOCIAL, friends,
               sizeof friends / sizeof friends[0]);
}

struct course {
    int records, of_neighbours;
    int32_t anns_friends; /* of ann's last record */
    char text[4096];      /* what every record said, in order */
};

static enum ss_status on_record(void *arg, struct ss_bytes user_id, struct ss_bytes body,
                                struct ss_error *err)
{
    struct course *course = arg;
    struct ss_score_view view;
    cr_assert_eq(ss_score_view_decode(body, &view, err), SS_OK, "%s", err->detail);
    course->records++;
    course->of_neighbours += view.kind == SS_KIND_NEIGHBOUR;
    if (memcmp(user_id.data, "ann", 3) == 0)
        course->anns_friends = view.friends_confirmed;
    size_t used = strlen(course->text);
    snprintf(course->text + used, sizeof course->text - used, "%.*s %d %d %d/%d %lld %lld\n",
             (int)user_id.size, (const char *)user_id.data, (int)view.kind, view.score,
             view.friends_bands, view.friends_confirmed, (long long)view.as_of_ms,
             (long long)view.positions[SS_NEIGHBOURS]);
    return SS_OK;
}

static struct ss_worker_stats stats;
static enum ss_replay_friendship friendship_told;

/* How many users there are. */
static int64_t run(struct ss_replay_options options, struct course *course)
{
    atomic_bool stop = false;
    struct ss_error err = {.detail = ""};
    int64_t users;
    options.directory = logs_path("%s", "");
    options.future_tolerance_ms = DAY;
    options.record = on_record;
    options.record_arg = course;
    options.friendship = &friendship_told;
    options.stop = &stop;
    cr_assert_eq(ss_replay_run(&options, &stats, &users, &err), SS_OK, "%s", err.detail);
    return users;
}

static void replay(int64_t until_ms, const char *snapshot, const char *save, struct course *course)
{
    const struct ss_replay_options options = {
        .until_ms = until_ms, .snapshot_file = snapshot, .save_file = save};
    cr_assert_eq(run(options, course), 3);
}

static void begin(void)
{
    logs_directory();
}

TestSuite(replay_friends, .init = begin, .fini = logs_remove);

Test(replay_friends, what_friends_tell_is_heard_at_once)
{
    struct course course = {0};
    write_files(".avro");
    replay(BEGIN + 3 * DAY - 1, NULL, NULL, &course);
    cr_assert_eq(friendship_told, SS_FRIENDSHIP_LOOPED);
    cr_assert_eq(course.of_neighbours, 0, "ben has not confirmed it:\n%s", course.text);
    cr_assert_eq(stats.counts[SS_NEIGHBOURS].outcomes[SS_COUNTED], 2,
                 "ben was asked, and ann was told that he lists her not");

    course = (struct course){0};
    replay(BEGIN + 6 * DAY, NULL, NULL, &course);
    cr_assert_eq(course.anns_friends, 2, "%s", course.text);
    cr_assert_gt(course.of_neighbours, 0);
    /* dan, who is nobody, is asked once and it counts for nothing */
    cr_assert_eq(stats.counts[SS_NEIGHBOURS].outcomes[SS_NOT_CONSENTED], 1);
    cr_assert_eq(stats.counts[SS_NEIGHBOURS].consumed,
                 stats.counts[SS_NEIGHBOURS].outcomes[SS_NOT_CONSENTED] +
                     stats.counts[SS_NEIGHBOURS].outcomes[SS_COUNTED]);
}

Test(replay_friends, who_withdraws_takes_back_what_he_had_added)
{
    struct course course = {0};
    write_files(".avro");
    replay(INT64_MAX, NULL, NULL, &course);
    const struct ss_counts *heard = &stats.counts[SS_NEIGHBOURS];
    struct course before = {0};
    const int64_t counted = heard->outcomes[SS_COUNTED];
    replay(BEGIN + 8 * DAY - 1, NULL, NULL, &before);
    cr_assert_eq(counted, heard->outcomes[SS_COUNTED] + 1, "ann was told that ben is gone");
    cr_assert_eq(before.anns_friends, 2, "%s", before.text);
    cr_assert_eq(course.anns_friends, 1, "%s", course.text);
    cr_assert_eq(course.of_neighbours, before.of_neighbours + 1);
}

Test(replay_friends, a_replay_taken_up_from_a_snapshot_goes_on_with_the_same_bytes)
{
    struct course whole = {0}, halves = {0};
    write_files(".avro");
    replay(INT64_MAX, NULL, NULL, &whole);
    for (int day = 1; day < 9; day++) {
        const char *middle = logs_path("middle.avro");
        halves = (struct course){0};
        replay(BEGIN + day * DAY, NULL, middle, &halves);
        replay(INT64_MAX, middle, NULL, &halves);
        cr_assert_str_eq(halves.text, whole.text, "cut at day %d", day);
    }
}

Test(replay_friends, partitions_without_what_was_told_say_so)
{
    struct course course = {0};
    write_files("+0+0.avro");
    const struct ss_event other = consent("eve", "c9", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL);
    logs_plain(logs_path("consents+1+0.avro"), SS_CONSENTS, &other, 1);
    replay(INT64_MAX, NULL, NULL, &course);
    cr_assert_eq(friendship_told, SS_FRIENDSHIP_UNHEARD);
    cr_assert_eq(course.of_neighbours, 0);
    cr_assert_eq(course.anns_friends, 0);
    cr_assert_eq(stats.counts[SS_NEIGHBOURS].consumed, 0);
}

Test(replay_friends, whose_consent_is_assumed_are_friends_too)
{
    struct ss_replay_options options = {.until_ms = INT64_MAX};
    const struct ss_counts *social = &stats.counts[SS_SOCIAL];
    const struct ss_counts *heard = &stats.counts[SS_NEIGHBOURS];
    const struct ss_event friends[] = {friendship("ann", "ben", "s1", 1, SS_FRIEND_ADDED),
                                       friendship("ben", "ann", "s2", 2, SS_FRIEND_ADDED)};
    struct course course = {0};
    logs_plain(logs_path("social.avro"), SS_SOCIAL, friends, 2);
    cr_assert_eq(run(options, &course), 0);
    cr_expect_eq(social->outcomes[SS_NOT_CONSENTED], 2);
    cr_expect_eq(heard->consumed, 0);
    options.assume_consent = true;
    cr_assert_eq(run(options, &course), 2);
    cr_expect_eq(social->outcomes[SS_COUNTED], 2);
    cr_expect_geq(heard->outcomes[SS_COUNTED], 4);
}
