/* Replays of archives: the same scores however the logs are cut, threaded, interrupted or begun. */
#include "audit/proof_fields.h"
#include "audit/replay.h"
#include "schemas/container.h"
#include "schemas/output_view.h"
#include "tests/audit/helper_logs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PARTITIONS = 4 };

static struct ss_error err = {.detail = ""};
static struct ss_event *history;
static size_t history_count;

static void begin(void)
{
    logs_directory();
    history = logs_history(60, 6000, &history_count);
    mkdir(logs_path("archive"), 0700);
    mkdir(logs_path("plain"), 0700);
    logs_archive_history(logs_path("archive"), history, history_count, PARTITIONS, 300);
    logs_plain_history(logs_path("plain"), history, history_count);
}

static void end(void)
{
    free(history);
    logs_remove();
}

TestSuite(replay_archive, .init = begin, .fini = end);

static struct ss_worker_stats stats;

/* The CSV of a replay; the caller frees. NULL: it was stopped. */
static char *replay(const char *directory, struct ss_replay_options options)
{
    static atomic_bool never;
    const struct ss_source_config config = {.directory = logs_path("%s", directory)};
    const char *csv = logs_path("scores.csv");
    struct ss_source *source;
    int64_t users;
    cr_assert_eq(ss_source_open(&config, &source, &err), SS_OK, "%s", err.detail);
    options.source = source;
    options.until_ms = options.until_ms ? options.until_ms : INT64_MAX;
    options.future_tolerance_ms = LOGS_DAY;
    options.scores_csv = csv;
    options.stop = options.stop ? options.stop : &never;
    enum ss_status status = ss_replay_run(&options, &stats, &users, &err);
    ss_source_close(source);
    if (status != SS_OK)
        return NULL;
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(csv, "r");
    cr_assert_not_null(file);
    fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

/* All records of a container, one behind the other; the caller frees. */
static uint8_t *records_of(const char *path, size_t *size, int64_t *count)
{
    const char *schema;
    struct ss_container_reader *reader;
    uint8_t *bytes = malloc(8 << 20);
    *size = 0;
    *count = 0;
    cr_assert_eq(ss_container_open_raw(path, &reader, &schema, &err), SS_OK, "%s", err.detail);
    for (;; ++*count) {
        struct ss_bytes body;
        struct ss_score_view view;
        cr_assert_eq(ss_container_next_raw(reader, &body, &err), SS_OK, "%s", err.detail);
        if (!body.data)
            break;
        cr_assert_eq(ss_score_view_decode(body, &view, &err), SS_OK, "%s", err.detail);
        memcpy(bytes + *size, body.data, body.size);
        *size += body.size;
    }
    ss_container_close(reader);
    return bytes;
}

Test(replay_archive, gives_the_scores_of_the_same_events_in_plain_files)
{
    struct ss_replay_options options = {0};
    options.until_ms = LOGS_BEGIN + 400 * LOGS_DAY; /* of one instant for all partitions */
    char *plain = replay("plain", options);
    const int64_t counted = stats.counts[SS_PAYMENTS].outcomes[SS_COUNTED];
    char *archived = replay("archive", options);
    cr_assert_not_null(plain);
    cr_assert_not_null(archived);
    cr_expect_str_eq(plain, archived);
    cr_expect_gt(strlen(plain), 1000);
    cr_expect_eq(stats.counts[SS_PAYMENTS].outcomes[SS_COUNTED], counted);
    free(plain);
    free(archived);
}

Test(replay_archive, does_not_depend_on_the_number_of_threads)
{
    size_t size, other_size;
    int64_t count, other_count;
    struct ss_replay_options options = {.records_file = logs_path("one.avro")};
    char *one = replay("archive", options);
    uint8_t *records = records_of(logs_path("one.avro"), &size, &count);
    options.records_file = logs_path("three.avro");
    options.threads = 3;
    char *three = replay("archive", options);
    uint8_t *others = records_of(logs_path("three.avro"), &other_size, &other_count);
    cr_expect_str_eq(one, three);
    cr_expect_eq(count, stats.score_records);
    cr_assert_eq(size, other_size);
    cr_expect_eq(memcmp(records, others, size), 0);
    free(one);
    free(three);
    free(records);
    free(others);
}

Test(replay_archive, does_not_depend_on_the_sizes_of_the_files)
{
    size_t size, other_size;
    int64_t count, other_count;
    struct ss_replay_options options = {.records_file = logs_path("large.avro")};
    mkdir(logs_path("small"), 0700);
    logs_archive_history(logs_path("small"), history, history_count, PARTITIONS, 17);
    char *of_large = replay("archive", options);
    uint8_t *records = records_of(logs_path("large.avro"), &size, &count);
    options.records_file = logs_path("small.avro");
    char *of_small = replay("small", options);
    uint8_t *others = records_of(logs_path("small.avro"), &other_size, &other_count);
    cr_expect_str_eq(of_large, of_small);
    cr_expect_gt(count, 1000);
    cr_assert_eq(size, other_size);
    cr_expect_eq(memcmp(records, others, size), 0);
    free(of_large);
    free(of_small);
    free(records);
    free(others);
}

Test(replay_archive, records_of_either_codec_are_the_same)
{
    size_t size, other_size;
    int64_t count, other_count;
    struct ss_replay_options options = {.records_file = logs_path("deflate.avro")};
    free(replay("archive", options));
    uint8_t *records = records_of(logs_path("deflate.avro"), &size, &count);
    options.records_file = logs_path("null.avro");
    options.records_codec = "null";
    options.resume_directory = logs_path("run-null");
    free(replay("archive", options));
    uint8_t *others = records_of(logs_path("null.avro"), &other_size, &other_count);
    struct stat deflated, plain;
    cr_assert(stat(logs_path("deflate.avro"), &deflated) == 0);
    cr_assert(stat(logs_path("null.avro"), &plain) == 0);
    cr_expect_gt(plain.st_size, (off_t)size);
    cr_expect_lt(deflated.st_size, (off_t)size / 2);
    cr_assert_eq(size, other_size);
    cr_expect_eq(memcmp(records, others, size), 0);
    options.records_codec = "deflate"; /* blocks of both in one file could not be read */
    cr_expect_null(replay("archive", options));
    cr_expect(strstr(err.detail, "records null"), "%s", err.detail);
    options.records_file = logs_path("other.avro");
    options.resume_directory = NULL;
    options.records_codec = "snappy";
    cr_expect_null(replay("archive", options));
    cr_expect(strstr(err.detail, "null or deflate"), "%s", err.detail);
    free(records);
    free(others);
}

static enum ss_status on_record(void *arg, struct ss_bytes user_id, struct ss_bytes body,
                                struct ss_error *ignored)
{
    int64_t *left = arg;
    (void)user_id, (void)body;
    if (--*left == 0)
        return ss_fail(ignored, SS_STOP, "cut short");
    return SS_OK;
}

/* Cut short again and again, at another record each time, and taken up again. */
Test(replay_archive, goes_on_where_it_was_cut_short)
{
    size_t size, other_size;
    int64_t count, other_count;
    struct ss_replay_options options = {.records_file = logs_path("whole.avro")};
    char *whole = replay("archive", options), *resumed = NULL;
    uint8_t *records = records_of(logs_path("whole.avro"), &size, &count);
    const struct ss_counts consents = stats.counts[SS_CONSENTS];
    options.records_file = logs_path("parts.avro");
    options.resume_directory = logs_path("run");
    options.save_ms = 1;
    options.record = on_record;
    int cuts = 0;
    for (int64_t reach = 1500; !resumed; reach += 700, cuts++) {
        int64_t left = reach;
        options.record_arg = &left;
        resumed = replay("archive", options);
        cr_assert(resumed || strstr(err.detail, "cut short"), "%s", err.detail);
        cr_assert_lt(cuts, 100);
    }
    uint8_t *others = records_of(logs_path("parts.avro"), &other_size, &other_count);
    cr_expect_gt(cuts, 1);
    cr_expect_str_eq(whole, resumed);
    cr_expect_eq(stats.score_records, count);
    cr_expect_eq(memcmp(&stats.counts[SS_CONSENTS], &consents, sizeof consents), 0);
    cr_expect_eq(count, other_count);
    cr_assert_eq(size, other_size);
    cr_expect_eq(memcmp(records, others, size), 0);
    free(whole);
    free(resumed);
    free(records);
    free(others);
}

Test(replay_archive, refuses_to_go_on_with_other_options)
{
    struct ss_replay_options options = {.resume_directory = logs_path("run")};
    char *first = replay("archive", options);
    cr_assert_not_null(first);
    options.until_ms = LOGS_BEGIN + LOGS_DAY;
    cr_expect_null(replay("archive", options));
    cr_expect(strstr(err.detail, "other options"), "%s", err.detail);
    char until[64];
    snprintf(until, sizeof until, ", until %lld, ", (long long)options.until_ms);
    cr_expect(strstr(err.detail, until), "shows what differs: %s", err.detail);
    free(first);
}

/* A snapshot at an instant, and the rest of the logs on top of it. */
Test(replay_archive, begins_with_a_snapshot)
{
    struct ss_replay_options options = {0};
    char *whole = replay("archive", options);
    options.save_file = logs_path("half.avro");
    options.until_ms = LOGS_BEGIN + 200 * LOGS_DAY;
    free(replay("archive", options));
    options = (struct ss_replay_options){.snapshot_file = logs_path("half.avro")};
    char *rest = replay("archive", options);
    cr_assert_not_null(rest, "%s", err.detail);
    cr_expect_str_eq(whole, rest);
    free(whole);
    free(rest);
}

Test(replay_archive, of_some_users_gives_their_lines)
{
    struct ss_source_users *users = ss_source_users_open();
    struct ss_replay_options options = {.users = users};
    char *whole = replay("archive", (struct ss_replay_options){0});
    cr_assert_eq(ss_source_users_add(users, (struct ss_bytes){"user-7", 6}, &err), SS_OK);
    char *one = replay("archive", options);
    const char *line = strchr(one, '\n') + 1;
    cr_expect_eq(strncmp(line, "user-7,", 7), 0, "%s", line);
    cr_expect_not_null(strstr(whole, line));
    cr_expect_null(strchr(strchr(line, '\n') + 1, '\n'));
    free(whole);
    free(one);
    ss_source_users_close(users);
}

Test(replay_archive, of_some_partitions_gives_their_users)
{
    const bool wanted[PARTITIONS] = {false, true, false, false};
    struct ss_replay_options options = {.partitions = wanted};
    char *whole = replay("archive", (struct ss_replay_options){0});
    char *part = replay("archive", options);
    cr_expect_lt(strlen(part), strlen(whole));
    cr_expect_gt(strlen(part), 200);
    for (char *line = strtok(part, "\n"); line; line = strtok(NULL, "\n"))
        cr_expect_not_null(strstr(whole, line));
    free(whole);
    free(part);
}

/* Nothing on the way is computed, and nothing of it is missing in the end. */
Test(replay_archive, scores_only_are_the_same_scores)
{
    const int64_t untils[] = {INT64_MAX, LOGS_BEGIN + 300 * LOGS_DAY};
    for (int i = 0; i < 2; i++) {
        struct ss_replay_options options = {.until_ms = untils[i]};
        char *whole = replay("archive", options);
        options.scores_only = true;
        char *quick = replay("archive", options);
        cr_assert_not_null(quick, "%s", err.detail);
        cr_expect_str_eq(whole, quick);
        cr_expect_eq(stats.score_records, 0);
        free(whole);
        free(quick);
    }
    struct ss_replay_options options = {.scores_only = true, .records_file = logs_path("r.avro")};
    cr_expect_null(replay("archive", options));
}

/* What a replay wrote, read as what was published; all of it, and one user's. */
Test(replay_archive, its_records_read_as_published_ones)
{
    struct ss_replay_options options = {.records_file = logs_path("plain/scores.avro")};
    const struct ss_source_config config = {.directory = logs_path("plain")};
    struct ss_source_users *users = ss_source_users_open();
    struct ss_source *source;
    int64_t seen[2] = {0, 0};
    free(replay("plain", options));
    cr_assert_eq(ss_source_users_add(users, (struct ss_bytes){"user-7", 6}, &err), SS_OK);
    cr_assert_eq(ss_source_open(&config, &source, &err), SS_OK, "%s", err.detail);
    for (int i = 0; i < 2; i++) {
        const struct ss_published_config wanted = {.output = SS_SCORES, .users = i ? users : NULL};
        struct ss_published_log *log;
        struct ss_published_batch batch;
        int64_t next = 0;
        cr_assert_eq(ss_published_open(source, &wanted, &log, NULL, &err), SS_OK, "%s", err.detail);
        do {
            cr_assert_eq(ss_published_next(log, &batch, &err), SS_OK, "%s", err.detail);
            for (size_t r = 0; r < batch.count; r++) {
                struct ss_score_view view;
                cr_assert_eq(ss_score_view_decode(batch.records[r].body, &view, &err), SS_OK);
                cr_assert_geq(batch.records[r].offset, next);
                cr_assert(i == 0 ||
                          ss_bytes_equal((struct ss_bytes){view.user_id.data, view.user_id.size},
                                         (struct ss_bytes){"user-7", 6}));
                next = batch.records[r].offset + 1;
                seen[i]++;
            }
        } while (batch.count > 0);
        ss_published_close(log);
    }
    cr_expect_eq(seen[0], stats.score_records);
    cr_expect_gt(seen[1], 0);
    cr_expect_lt(seen[1], seen[0]);
    ss_source_close(source);
    ss_source_users_close(users);
}

enum { MADE = 200, BAD = 70 };

/* Score records, one of them with a percentile that there cannot be, in blocks of a few. */
static void make_published(const char *path, struct ss_buffer bodies[MADE])
{
    struct ss_container_writer *writer;
    int64_t bytes;
    uint32_t crc;
    cr_assert_eq(
        ss_container_create(path, ss_schema_of_output(SS_SCORES), "deflate", &writer, &err), SS_OK);
    for (int i = 0; i < MADE; i++) {
        const struct ss_score_record record = {
            .user_id = logs_text(i % 3 ? "user-7" : "user-8"),
            .sequence = i + 1,
            .kind = SS_KIND_AGED,
            .standing = SS_STANDING_SCORED,
            .has_score = true,
            .score = {.score = 350 + i, .reason_count = 1, .reasons = {{{"HIGH_DEBT", 9}, 0, i}}},
            .tier_name = "poor",
            .as_of_ms = LOGS_BEGIN + i,
            .clock_ms = LOGS_BEGIN + i,
            .model_version = "default-0123456789abcdef",
            .has_rank = true,
            .percentile = i == BAD ? SS_PERCENTILE_MAX + 1 : i,
        };
        ss_buffer_init(&bodies[i], 4096);
        cr_assert_eq(ss_encode_score(0, &record, &bodies[i], &err), SS_OK);
        const struct ss_bytes body = {bodies[i].data + SS_WIRE_HEADER_SIZE,
                                      bodies[i].size - SS_WIRE_HEADER_SIZE};
        cr_assert_eq(ss_container_append(writer, body, &err), SS_OK);
        if (i % 47 == 46)
            cr_assert_eq(ss_container_flush(writer, &bytes, &crc, &err), SS_OK);
    }
    cr_assert_eq(ss_container_finish(writer, &err), SS_OK);
}

/* Decoding finds where records end as the schema does, also behind one that cannot be decoded. */
Test(replay_archive, views_of_published_records_are_those_of_their_bodies)
{
    struct ss_buffer bodies[MADE];
    const struct ss_source_config config = {.directory = logs_path("plain")};
    struct ss_source_users *users = ss_source_users_open();
    struct ss_source *source;
    make_published(logs_path("plain/scores.avro"), bodies);
    cr_assert_eq(ss_source_users_add(users, (struct ss_bytes){"user-7", 6}, &err), SS_OK);
    cr_assert_eq(ss_source_open(&config, &source, &err), SS_OK, "%s", err.detail);
    for (int turn = 0; turn < 3; turn++) { /* all; from an offset; one user's */
        const struct ss_published_config wanted = {.output = SS_SCORES,
                                                   .from = turn == 1 ? 50 : 0,
                                                   .users = turn == 2 ? users : NULL,
                                                   .views = true};
        struct ss_published_log *log;
        struct ss_published_batch batch;
        int64_t next = wanted.from;
        cr_assert_eq(ss_published_open(source, &wanted, &log, NULL, &err), SS_OK, "%s", err.detail);
        do {
            cr_assert_eq(ss_published_next(log, &batch, &err), SS_OK, "%s", err.detail);
            for (size_t r = 0; r < batch.count; r++, next++) {
                const struct ss_published_record *record = &batch.records[r];
                struct ss_score_view view;
                next += turn == 2 && next % 3 == 0;
                cr_assert_eq(record->offset, next);
                const struct ss_bytes body = {bodies[next].data + SS_WIRE_HEADER_SIZE,
                                              bodies[next].size - SS_WIRE_HEADER_SIZE};
                cr_assert(ss_bytes_equal(record->body, body), "record %d", (int)next);
                cr_assert_eq(record->view == NULL, next == BAD);
                if (!record->view)
                    continue;
                cr_assert_eq(ss_score_view_decode(record->body, &view, &err), SS_OK);
                cr_assert(ss_proof_same_score(record->view, &view));
                cr_assert_eq(record->view->user_id.data, view.user_id.data);
            }
        } while (batch.count > 0);
        cr_expect_eq(next + (turn == 2 && next % 3 == 0), MADE);
        ss_published_close(log);
    }
    for (int i = 0; i < MADE; i++)
        ss_buffer_reset(&bodies[i]);
    ss_source_close(source);
    ss_source_users_close(users);
}
