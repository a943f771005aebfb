/* The histograms of sesame-ranks out of an archive: percentiles at any offset, as whoever sums them
 * anew has them, and what is said where they are not known. */
#include "audit/rank_log.h"
#include "helper_logs.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { PARTITIONS = 3, HISTOGRAMS = 1500 };

static struct ss_error err = {.detail = ""};

struct made {
    int32_t partition;
    int64_t offset;
    struct ss_histogram histogram;
};

static struct made *made;
static size_t made_count;
static uint64_t seed = 3;

static uint32_t below(uint32_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % bound;
}

static void begin(void)
{
    logs_directory();
    /* a source wants an input */
    const struct logged one = {.event = logs_event(SS_PAYMENTS, "ann", "e1", LOGS_BEGIN)};
    logs_archive(logs_path("payments+0+0000000000.avro"), SS_PAYMENTS, 0, &one, 1);
}

static void end(void)
{
    free(made);
    logs_remove();
}

TestSuite(rank_log, .init = begin, .fini = end);

static struct logged_value value_of(const struct made *one, int64_t timestamp_ms)
{
    struct logged_value value = {.offset = one->offset, .timestamp_ms = timestamp_ms};
    struct ss_rank_record record = {
        .partition = one->partition, .histogram = &one->histogram, .clock_ms = timestamp_ms};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        record.positions[i] = one->offset + i;
    ss_buffer_init(&value.value, 1 << 16);
    cr_assert_eq(ss_encode_rank(1, &record, &value.value, &err), SS_OK, "%s", err.detail);
    return value;
}

/* Partitions take turns at random from the offset at which each begins; a second each, and the
 * offset behind each is a marker's. */
static void make(const int64_t first[PARTITIONS])
{
    static struct ss_histogram now[PARTITIONS];
    memset(now, 0, sizeof now);
    made = calloc(HISTOGRAMS, sizeof *made);
    for (int64_t i = 0; i < HISTOGRAMS; i++) {
        int32_t partition = (int32_t)below(PARTITIONS);
        while (2 * i < first[partition])
            partition = (partition + 1) % PARTITIONS;
        uint32_t *users = now[partition].users;
        for (int n = 0; n < 20; n++) {
            users[below(SS_SCORE_COUNT)] += below(3) ? 1 : 100000;
            uint32_t *one = &users[below(SS_SCORE_COUNT)];
            *one -= *one > 0;
        }
        made[made_count++] = (struct made){partition, 2 * i, now[partition]};
    }
}

/* Writes those that compaction leaves: of what lies below `clean`, the last of each partition. */
static void write_all(int64_t clean)
{
    struct logged_value *values = calloc(made_count, sizeof *values);
    size_t count = 0;
    for (size_t i = 0; i < made_count; i++) {
        bool newer = false;
        for (size_t j = i + 1; j < made_count && made[j].offset < clean; j++)
            newer |= made[j].partition == made[i].partition;
        if (made[i].offset >= clean || !newer)
            values[count++] = value_of(&made[i], LOGS_BEGIN + made[i].offset * 1000);
    }
    logs_archive_values(logs_path("ranks+0+0000000000.avro"), ss_schema_of_output(SS_RANKS), values,
                        count);
    free(values);
}

static struct ss_rank_log *read_log(void)
{
    const struct ss_source_config config = {.directory = logs_path(".")};
    struct ss_source *source;
    struct ss_rank_log *log;
    cr_assert_eq(ss_source_open(&config, &source, &err), SS_OK, "%s", err.detail);
    const struct ss_rank_reading reading = {.source = source};
    cr_assert_eq(ss_rank_log_read(&reading, &log, &err), SS_OK, "%s", err.detail);
    ss_source_close(source);
    return log;
}

/* docs/model.md 7.13 */
static int32_t anew(int64_t offset, int32_t score)
{
    const struct ss_histogram *last[PARTITIONS] = {NULL};
    int64_t all = 0, less = 0;
    for (size_t i = 0; i < made_count && made[i].offset < offset; i++)
        last[made[i].partition] = &made[i].histogram;
    for (int p = 0; p < PARTITIONS; p++)
        for (int i = 0; last[p] && i < SS_SCORE_COUNT; i++) {
            all += last[p]->users[i];
            less += SS_SCORE_MIN + i < score ? last[p]->users[i] : 0;
        }
    return all ? (int32_t)(less * 10000 / all) : -1;
}

static void expect_known(struct ss_rank_cursor *cursor, int64_t offset)
{
    int32_t percentile, score = SS_SCORE_MIN + (int32_t)below(SS_SCORE_COUNT);
    const int32_t right = anew(offset, score);
    const enum ss_rank_answer answer = ss_rank_percentile_at(cursor, offset, score, &percentile);
    cr_assert_eq(answer, right < 0 ? SS_RANK_NOBODY : SS_RANK_KNOWN, "offset %d: %d", (int)offset,
                 (int)answer);
    if (right >= 0)
        cr_assert_eq(percentile, right, "offset %d", (int)offset);
}

Test(rank_log, percentiles_are_those_of_the_histograms_below_an_offset)
{
    const int64_t first[PARTITIONS] = {0, 0, 0};
    make(first);
    write_all(0);
    struct ss_rank_log *log = read_log();
    struct ss_rank_cursor *cursor = ss_rank_cursor_open(log);
    int64_t from = 20; /* each partition has had one by then */
    cr_assert_eq(ss_rank_log_count(log), (size_t)HISTOGRAMS);
    for (int64_t offset = from; offset < 2 * HISTOGRAMS; offset += 1 + below(9)) /* as they come */
        expect_known(cursor, offset);
    for (int n = 0; n < 300; n++) /* anywhere */
        expect_known(cursor, from + below(2 * HISTOGRAMS - (uint32_t)from));
    ss_rank_cursor_close(cursor);
    ss_rank_log_close(log);
}

Test(rank_log, what_compaction_took_is_not_known_and_the_rest_is)
{
    const int64_t first[PARTITIONS] = {0, 0, 0}, clean = HISTOGRAMS;
    int32_t percentile;
    make(first);
    write_all(clean);
    struct ss_rank_log *log = read_log();
    struct ss_rank_cursor *cursor = ss_rank_cursor_open(log);
    for (int64_t offset = 1; offset < clean - 200; offset += 1 + below(9))
        cr_assert_eq(ss_rank_percentile_at(cursor, offset, 600, &percentile), SS_RANK_GONE, "%d",
                     (int)offset);
    for (int64_t offset = clean + 21; offset < 2 * HISTOGRAMS; offset += 2)
        expect_known(cursor, offset);
    /* beyond the end there is none, or it is not archived yet */
    cr_expect_eq(ss_rank_percentile_at(cursor, 0, 600, &percentile), SS_RANK_IMPOSSIBLE);
    cr_expect_eq(ss_rank_percentile_at(cursor, 2 * HISTOGRAMS + 1, 600, &percentile), SS_RANK_GONE);
    ss_rank_cursor_close(cursor);
    ss_rank_log_close(log);
}

/* Whether a partition that is first heard of late was heard of before, the scores tell. */

static struct logged_value encoded(int64_t offset, const struct ss_score_record *record)
{
    struct logged_value value = {.offset = offset, .timestamp_ms = LOGS_BEGIN};
    ss_buffer_init(&value.value, 1 << 16);
    cr_assert_eq(ss_encode_score(1, record, &value.value, &err), SS_OK, "%s", err.detail);
    return value;
}

static struct logged_value score_value(int64_t offset, int64_t position)
{
    struct ss_score_record record = {.user_id = logs_text("ann"),
                                     .kind = SS_KIND_OPT_OUT,
                                     .standing = SS_STANDING_OPTED_OUT,
                                     .model_version = "m"};
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        record.positions[i] = position;
    return encoded(offset, &record);
}

/* At the histogram's own positions, or before; `previous` 0: none. */
static struct logged_value scored_value(int64_t offset, int32_t previous, int32_t score)
{
    const struct ss_score_record record = {.user_id = logs_text("ann"),
                                           .kind = previous ? SS_KIND_RESCORE : SS_KIND_OPT_IN,
                                           .standing = SS_STANDING_SCORED,
                                           .has_score = true,
                                           .has_previous = previous != 0,
                                           .previous_score = previous,
                                           .score.score = score,
                                           .tier_name = "good",
                                           .model_version = "m"};
    return encoded(offset, &record);
}

static void expect_known_if(struct ss_rank_cursor *cursor, int64_t offset, bool known, size_t c)
{
    int32_t percentile;
    if (known)
        expect_known(cursor, offset);
    else
        cr_assert_eq(ss_rank_percentile_at(cursor, offset, 600, &percentile), SS_RANK_GONE,
                     "case %zu", c);
}

/* With these as the first partition's scores, its first histogram is its first ever, or that is not
 * known. */
static void expect_first_if(bool first, struct logged_value *scores, size_t count, size_t c)
{
    logs_archive_values(logs_path("scores+0+0000000000.avro"), ss_schema_of_output(SS_SCORES),
                        scores, count);
    struct ss_rank_log *log = read_log();
    struct ss_rank_cursor *cursor = ss_rank_cursor_open(log);
    for (int64_t offset = 41; offset < HISTOGRAMS - 20; offset += 20)
        expect_known_if(cursor, offset, first, c);
    expect_known(cursor, HISTOGRAMS + 21);
    ss_rank_cursor_close(cursor);
    ss_rank_log_close(log);
}

Test(rank_log, the_first_transaction_of_a_partition_shows_which_histogram_is_its_first)
{
    static const struct {
        int64_t offsets[4], positions[4];
        bool first;
    } cases[] = {
        {{0, 1, 2, 4}, {5, 9, 9, HISTOGRAMS + 500}, true},
        {{0, 1, 2, 4}, {5, 9, 9, HISTOGRAMS - 500}, false}, /* of two transactions */
        {{0, 1, 2, 3}, {5, 9, 9, HISTOGRAMS + 500}, false}, /* … and they say more than it counts */
        {{1, 2, 3, 5}, {5, 9, 9, HISTOGRAMS + 500}, false}, /* there was something before */
        {{1, 2, 3, 5}, {HISTOGRAMS + 500, 9999, 9999, 9999}, false}, /* … which it may count */
    };
    const int64_t first[PARTITIONS] = {HISTOGRAMS, 0, 0};
    make(first);
    write_all(0);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct logged_value values[4];
        for (int i = 0; i < 4; i++)
            values[i] = score_value(cases[c].offsets[i], cases[c].positions[i]);
        expect_first_if(cases[c].first, values, 4, c);
    }
}

/* What a partition publishes by itself reads nothing: its positions are those of the histogram. */
Test(rank_log, records_that_time_led_to_are_told_from_those_of_the_first_transaction)
{
    enum { OF_SCORES = 4 };
    static const struct {
        uint32_t users[2]; /* that the histogram counts at 600 and 610 */
        int32_t then;      /* the score of the first user by a RESCORE, and one more */
        int32_t at_last;
        bool first;
    } cases[] = {
        {{2, 0}, 610, 610, true},
        {{2, 0}, 600, 610, false}, /* it may be of the second transaction */
        {{2, 0}, 610, 600, false}, /* … or of the third */
        {{1, 1}, 610, 610, false}, /* it is of a later one */
    };
    const int64_t first[PARTITIONS] = {HISTOGRAMS, 0, 0};
    size_t i = 0;
    make(first);
    while (made[i].partition != 0)
        i++;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        memset(&made[i].histogram, 0, sizeof made[i].histogram);
        made[i].histogram.users[600 - SS_SCORE_MIN] = cases[c].users[0];
        made[i].histogram.users[610 - SS_SCORE_MIN] = cases[c].users[1];
        write_all(0);
        struct logged_value values[OF_SCORES] = {
            scored_value(0, 0, 600),
            scored_value(1, 0, 600),
            scored_value(3, 600, cases[c].then),
            scored_value(5, cases[c].then, cases[c].at_last),
        };
        expect_first_if(cases[c].first, values, OF_SCORES, c);
    }
}

Test(rank_log, a_partition_has_its_histograms_one_after_the_other)
{
    const int64_t first[PARTITIONS] = {0, 0, 0};
    make(first);
    write_all(0);
    struct ss_rank_log *log = read_log();
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct ss_rank_part *part = malloc(sizeof *part);
        ss_rank_part_begin(part, log, p);
        for (size_t i = 0; i < made_count; i++) {
            if (made[i].partition != p)
                continue;
            cr_assert(ss_rank_part_next(part));
            cr_assert_eq(part->entry.offset, made[i].offset);
            cr_assert_eq(part->entry.positions[SS_BILLS], made[i].offset + SS_BILLS);
            cr_assert_eq(
                memcmp(&part->entry.histogram, &made[i].histogram, sizeof made[i].histogram), 0);
        }
        cr_assert_not(ss_rank_part_next(part));
        free(part);
    }
    ss_rank_log_close(log);
}

Test(rank_log, without_the_topic_there_is_none)
{
    cr_assert_null(read_log());
}
