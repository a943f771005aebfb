/* The inputs of a partition by time: who comes first, what is left out, and whose consent is
 * assumed. */
#include "audit/source_merge.h"
#include "scoring/apply.h"
#include "tests/audit/helper_logs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ss_error err = {.detail = ""};

static void begin(void)
{
    logs_directory();
}

TestSuite(source_merge, .init = begin, .fini = logs_remove);

/* An event so many seconds after the beginning. */
static struct ss_event at(enum ss_input input, const char *user, int second, const char *id)
{
    return logs_event(input, user, id, LOGS_BEGIN + second * 1000);
}

static void write_plain(const struct ss_event *events, size_t count)
{
    const enum ss_input input = events[0].input;
    logs_plain(logs_path("%s.avro", ss_input_name(input)), input, events, count);
}

#define WRITE(...)                                      \
    write_plain((const struct ss_event[]){__VA_ARGS__}, \
                sizeof((const struct ss_event[]){__VA_ARGS__}) / sizeof(struct ss_event))

static struct ss_merge *open_merge(struct ss_source *source, struct ss_merge_config config)
{
    struct ss_merge *merge;
    config.source = source;
    cr_assert_eq(ss_merge_open(&config, &merge, &err), SS_OK, "%s", err.detail);
    return merge;
}

static const struct ss_source_event *next_of(struct ss_merge *merge)
{
    const struct ss_source_event *event;
    cr_assert_eq(ss_merge_next(merge, &event, &err), SS_OK, "%s", err.detail);
    return event;
}

/* All that comes, by event ids and offsets: "a@0 b@1 …", rejected ones by their reason. */
static const char *merged(struct ss_merge_config config)
{
    static char text[1 << 16];
    struct ss_source *source = logs_source(0);
    struct ss_merge *merge = open_merge(source, config);
    const struct ss_source_event *event;
    size_t used = 0;
    *text = '\0';
    while ((event = next_of(merge))) {
        const struct ss_text id = event->reject ? logs_text(event->reject) : event->event.event_id;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s@%lld", used ? " " : "",
                                 (int)id.size, id.data, (long long)event->offset);
        cr_assert_lt(used, sizeof text);
    }
    ss_merge_close(merge);
    ss_source_close(source);
    return text;
}

static const struct ss_merge_config everything = {.until_ms = INT64_MAX};

/* Every event of a history once, in each partition by time, and each input in its own order. */
Test(source_merge, gives_all_of_a_history_by_time)
{
    size_t count, seen = 0;
    struct ss_event *events = logs_history(50, 3000, &count);
    logs_archive_history(logs_path("%s", ""), events, count, 4, 100);
    struct ss_source *source = logs_source(4);
    for (int32_t p = 0; p < 4; p++) {
        const struct ss_source_event *event;
        struct ss_merge *merge = open_merge(
            source, (struct ss_merge_config){.puller = {.partition = p}, .until_ms = INT64_MAX});
        int64_t last_ms = 0, next[SS_INPUT_COUNT] = {0};
        for (; (event = next_of(merge)); seen++) {
            cr_assert_null(event->reject);
            cr_assert_geq(event->event.occurred_at_ms, last_ms);
            cr_assert_geq(event->offset, next[event->event.input]);
            cr_assert_eq(event->partition, p);
            last_ms = event->event.occurred_at_ms;
            next[event->event.input] = event->offset + 1;
        }
        ss_merge_close(merge);
    }
    cr_expect_eq(seen, count);
    ss_source_close(source);
    free(events);
}

Test(source_merge, breaks_ties_consents_first_then_the_blacklist_then_as_inputs_are_listed)
{
    WRITE(at(SS_PAYMENTS, "ann", 1, "p1"), at(SS_PAYMENTS, "ann", 5, "p5"),
          at(SS_PAYMENTS, "ann", 9, "p9"));
    WRITE(at(SS_BILLS, "ann", 5, "b5"));
    WRITE(at(SS_BOOKINGS, "ann", 5, "k5"), at(SS_BOOKINGS, "ann", 6, "k6"));
    WRITE(at(SS_SOCIAL, "ann", 5, "s5"));
    WRITE(at(SS_PROFILES, "ann", 5, "f5"));
    WRITE(at(SS_CONSENTS, "ann", 0, "c0"), at(SS_CONSENTS, "ann", 5, "c5"));
    WRITE(at(SS_BLACKLIST, "ann", 5, "l5"));
    cr_expect_str_eq(merged(everything), "c0@0 p1@0 c5@1 l5@0 p5@1 b5@0 k5@0 s5@0 f5@0 k6@1 p9@2");
}

Test(source_merge, keeps_each_input_in_its_own_order)
{
    WRITE(at(SS_PAYMENTS, "ann", 7, "p7"), at(SS_PAYMENTS, "ann", 3, "p3"));
    WRITE(at(SS_BOOKINGS, "ann", 4, "k4"), at(SS_BOOKINGS, "ann", 8, "k8"));
    cr_expect_str_eq(merged(everything), "k4@0 p7@0 p3@1 k8@1");
}

Test(source_merge, leaves_out_what_is_later_and_counts_it_in_the_offsets)
{
    struct ss_merge_config config = {.until_ms = LOGS_BEGIN + 5000};
    WRITE(at(SS_PAYMENTS, "ann", 1, "p1"), at(SS_PAYMENTS, "ann", 9, "p9"),
          at(SS_PAYMENTS, "ann", 5, "p5"), at(SS_PAYMENTS, "ann", 6, "p6"));
    cr_expect_str_eq(merged(config), "p1@0 p5@2");
    config.cut = true;
    cr_expect_str_eq(merged(config), "p1@0", "what follows the first later one is left out too");
}

/* Archives of the same events, in files of other sizes, are pulled in other batches. */
Test(source_merge, gives_the_same_sequence_in_batches_of_any_size)
{
    static const size_t sizes[] = {1000, 100, 7, 1};
    size_t count;
    char *first = NULL;
    struct ss_event *events = logs_history(20, 400, &count);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        logs_archive_history(logs_path("%s", ""), events, count, 1, sizes[i]);
        const char *sequence = merged(everything);
        if (!first)
            first = strdup(sequence);
        cr_expect_gt(strlen(sequence), count * strlen("e0@0"));
        cr_expect_str_eq(sequence, first, "in files of %zu", sizes[i]);
        logs_remove();
        logs_directory();
    }
    free(first);
    free(events);
}

Test(source_merge, assumes_consent_of_those_alone_who_have_no_consent_record)
{
    const struct ss_merge_config config = {.until_ms = INT64_MAX, .assume_consent = true};
    WRITE(at(SS_PAYMENTS, "new", 1, "p1"), at(SS_PAYMENTS, "old", 2, "p2"),
          at(SS_PAYMENTS, "new", 3, "p3"));
    WRITE(at(SS_CONSENTS, "old", 8, "c8"));
    WRITE(at(SS_BLACKLIST, "listed", 0, "l0"));
    cr_expect_str_eq(merged(config), "l0@0 assumed@0 p1@0 p2@1 p3@2 c8@1");
    cr_expect_str_eq(merged(everything), "l0@0 p1@0 p2@1 p3@2 c8@0");

    struct ss_source *source = logs_source(0);
    struct ss_merge *merge = open_merge(source, config);
    next_of(merge);
    const struct ss_source_event *grant = next_of(merge);
    cr_expect_eq(grant->event.input, SS_CONSENTS);
    cr_assert_eq(grant->event.user_id.size, 3);
    cr_expect_eq(memcmp(grant->event.user_id.data, "new", 3), 0);
    cr_expect_eq(grant->event.occurred_at_ms, LOGS_BEGIN + 1000);
    cr_expect_eq(grant->event.consent.action, SS_CONSENT_GRANTED);
    cr_expect_eq(grant->event.consent.purpose, SS_PURPOSE_SCORING);
    ss_merge_close(merge);
    ss_source_close(source);
}

Test(source_merge, assumes_social_before_the_first_friend_of_whose_consent_it_has_assumed)
{
    const struct ss_merge_config config = {.until_ms = INT64_MAX, .assume_consent = true};
    WRITE(at(SS_SOCIAL, "new", 1, "s1"), at(SS_SOCIAL, "old", 2, "s2"),
          at(SS_SOCIAL, "new", 3, "s3"));
    WRITE(at(SS_CONSENTS, "old", 0, "c0"));
    cr_expect_str_eq(merged(config), "c0@0 assumed@1 assumed-social@2 s1@0 s2@1 s3@2");

    struct ss_source *source = logs_source(0);
    struct ss_merge *merge = open_merge(source, config);
    next_of(merge), next_of(merge);
    const struct ss_source_event *grant = next_of(merge);
    cr_expect_eq(grant->event.consent.action, SS_CONSENT_GRANTED);
    cr_expect_eq(grant->event.consent.purpose, SS_PURPOSE_SOCIAL);
    ss_merge_close(merge);
    ss_source_close(source);
}

/* It has no time of its own: right behind the one before it, whatever else is older. */
Test(source_merge, gives_what_cannot_be_read_in_its_place)
{
    logs_plain_newer(logs_path("payments.avro"), 4);
    WRITE(at(SS_CONSENTS, "ann", 1, "c1"), at(SS_CONSENTS, "ann", 2, "c2"));
    cr_expect_str_eq(merged(everything), "p0@0 c1@0 p1@1 UNREADABLE@2 c2@1 p3@3");
}

Test(source_merge, stops_at_a_file_that_is_cut_off)
{
    const char *path = logs_path("payments.avro");
    struct stat info;
    const struct ss_source_event *event;
    WRITE(at(SS_PAYMENTS, "ann", 1, "p1"));
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(truncate(path, info.st_size - 5), 0);
    struct ss_source *source = logs_source(0);
    struct ss_merge *merge = open_merge(source, everything);
    cr_expect_eq(ss_merge_next(merge, &event, &err), SS_STOP);
    cr_expect_null(event);
    cr_expect(strstr(err.detail, "payments.avro"), "%s", err.detail);
    ss_merge_close(merge);
    ss_source_close(source);
}
