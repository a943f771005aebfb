/* Friends in a replay of plain files: what they tell each other is heard at once, also by who is
 * taken up from a snapshot; and where nobody can hear it, links count for nothing. */
#include "audit/replay.h"
#include "schemas/codec.h"
#include "schemas/container.h"
#include "schemas/encode.h"
#include "schemas/output_view.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DAY   INT64_C(86400000)
#define BEGIN INT64_C(1577836800000) /* 2020-01-01 */

static char directory[] = "/tmp/test-replay-friends-XXXXXX";
static const char *const topics[SS_INPUT_COUNT] = {
    "payments", "bills",    "bookings",  "social",
    "profiles", "consents", "blacklist", "sesame-neighbours"};

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void remove_files(void)
{
    static const char *const names[] = {"social.avro",    "consents.avro",     "payments.avro",
                                        "middle.avro",    "social+0+0.avro",   "social+1+0.avro",
                                        "scores.csv",     "consents+0+0.avro", "consents+1+0.avro",
                                        "blacklist.avro", "blacklist+0+0.avro"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    rmdir(directory);
}

static void write_events(const char *name, const struct ss_event *events, size_t count)
{
    struct ss_container_writer *writer;
    struct ss_buffer bytes;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_container_create(path_of(name), ss_schema_of_input(events[0].input), "null",
                                     &writer, &err),
                 SS_OK, "%s", err.detail);
    ss_buffer_init(&bytes, 1 << 16);
    for (size_t i = 0; i < count; i++) {
        bytes.size = 0;
        cr_assert_eq(ss_encode_event(1, &events[i], &bytes, &err), SS_OK, "%s", err.detail);
        struct ss_bytes body = {bytes.data + SS_WIRE_HEADER_SIZE, bytes.size - SS_WIRE_HEADER_SIZE};
        cr_assert_eq(ss_container_append(writer, body, &err), SS_OK, "%s", err.detail);
    }
    ss_buffer_reset(&bytes);
    cr_assert_eq(ss_container_finish(writer, &err), SS_OK, "%s", err.detail);
}

static struct ss_text text(const char *s)
{
    return (struct ss_text){s, (uint32_t)strlen(s)};
}

static struct ss_event friendship(const char *user, const char *other, const char *id, int day,
                                  enum ss_social_action action)
{
    return (struct ss_event){.input = SS_SOCIAL,
                             .user_id = text(user),
                             .event_id = text(id),
                             .occurred_at_ms = BEGIN + day * DAY,
                             .social = {.action = action, .friend_id = text(other)}};
}

static struct ss_event consent(const char *user, const char *id, int day,
                               enum ss_consent_action action, enum ss_consent_purpose purpose)
{
    return (struct ss_event){.input = SS_CONSENTS,
                             .user_id = text(user),
                             .event_id = text(id),
                             .occurred_at_ms = BEGIN + day * DAY,
                             .consent = {.action = action, .purpose = purpose}};
}

/* Ann and ben become friends on days 2 and 3, ann and cat on days 4 and 6, dan never confirms;
 * ben, whom a court has listed on day 1, withdraws SOCIAL on day 8. */
static void write_files(const char *social, const char *consents, const char *blacklist)
{
    const struct ss_event listed = {.input = SS_BLACKLIST,
                                    .user_id = text("ben"),
                                    .event_id = text("l1"),
                                    .occurred_at_ms = BEGIN + DAY,
                                    .listing = {.action = SS_LISTED,
                                                .case_id = text("case"),
                                                .authority = text("court"),
                                                .currency = text("CNY")}};
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
    write_events(consents, grants, sizeof grants / sizeof grants[0]);
    write_events(blacklist, &listed, 1);
    write_events(social, friends, sizeof friends / sizeof friends[0]);
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

static void replay(int64_t until_ms, const char *snapshot, const char *save, struct course *course)
{
    atomic_bool stop = false;
    struct ss_replay_options options = {.directory = directory,
                                        .topics = topics,
                                        .until_ms = until_ms,
                                        .future_tolerance_ms = DAY,
                                        .snapshot_file = snapshot,
                                        .save_file = save,
                                        .record = on_record,
                                        .record_arg = course,
                                        .friendship = &friendship_told,
                                        .stop = &stop};
    struct ss_error err = {.detail = ""};
    int64_t users;
    cr_assert_eq(ss_replay_run(&options, &stats, &users, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(users, 3);
}

static void begin(void)
{
    cr_assert_not_null(mkdtemp(directory));
}

TestSuite(replay_friends, .init = begin, .fini = remove_files);

Test(replay_friends, what_friends_tell_is_heard_at_once)
{
    struct course course = {0};
    write_files("social.avro", "consents.avro", "blacklist.avro");
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
    write_files("social.avro", "consents.avro", "blacklist.avro");
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
    write_files("social.avro", "consents.avro", "blacklist.avro");
    replay(INT64_MAX, NULL, NULL, &whole);
    char middle[128];
    snprintf(middle, sizeof middle, "%s", path_of("middle.avro"));
    for (int day = 1; day < 9; day++) {
        halves = (struct course){0};
        replay(BEGIN + day * DAY, NULL, middle, &halves);
        replay(INT64_MAX, middle, NULL, &halves);
        cr_assert_str_eq(halves.text, whole.text, "cut at day %d", day);
    }
}

Test(replay_friends, partitions_without_what_was_told_say_so)
{
    struct course course = {0};
    write_files("social+0+0.avro", "consents+0+0.avro", "blacklist+0+0.avro");
    const struct ss_event other = consent("eve", "c9", 0, SS_CONSENT_GRANTED, SS_PURPOSE_SOCIAL);
    write_events("consents+1+0.avro", &other, 1);
    replay(INT64_MAX, NULL, NULL, &course);
    cr_assert_eq(friendship_told, SS_FRIENDSHIP_UNHEARD);
    cr_assert_eq(course.of_neighbours, 0);
    cr_assert_eq(course.anns_friends, 0);
    cr_assert_eq(stats.counts[SS_NEIGHBOURS].consumed, 0);
}
