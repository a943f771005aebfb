/* Friends in a replay and in a backtest of files, beside the engine on a bus and a store in memory:
 * events that come one at a time, with all that friends tell each other in between, can be read in
 * one order only. Then all leave everybody with the same score, by the same records. */
#include "audit/backtest_report.h"
#include "audit/replay.h"
#include "config/models.h"
#include "consumer/helper_worker.h"
#include "helper_logs.h"
#include "schemas/output_view.h"
#include "scoring/model_plan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { USERS = 10, EVENTS = 700, LINE_MAX_BYTES = 512, ALONE = 3 /* who never grants SOCIAL */ };

/* What a record says, as text; `clock` and the positions of others' events are left out: they tell
 * how far was read, which is not what is compared. */
static void say(FILE *out, struct ss_bytes user_id, struct ss_bytes body)
{
    struct ss_score_view view;
    struct ss_error err;
    cr_assert_eq(ss_score_view_decode(body, &view, &err), SS_OK, "%s", err.detail);
    fprintf(out, "%.*s %lld kind %d from %d | %d %d %.*s as of %lld, friends %d/%d,",
            (int)user_id.size, (const char *)user_id.data, (long long)view.sequence, (int)view.kind,
            view.previous_score, (int)view.standing, view.score, (int)view.tier.size,
            view.tier.data, (long long)view.as_of_ms, view.friends_bands, view.friends_confirmed);
    for (int f = 0; view.has_factors && f < SS_FACTOR_COUNT; f++)
        fprintf(out, " %d", view.factors[f].points_centi);
    for (int i = 0; i < view.reason_count; i++)
        fprintf(out, " %.*s", (int)view.reasons[i].code.size, view.reasons[i].code.data);
    fputc('\n', out);
}

/* Everybody consents, most also to SOCIAL; friends are these, and one of whom nothing is known. */
static struct ss_event *life_of_friends(size_t *count)
{
    struct ss_event *history = logs_history(USERS, EVENTS, count);
    struct ss_event *all = calloc(*count + USERS, sizeof *all);
    size_t used = 0;
    for (size_t i = 0; i < *count; i++) {
        struct ss_event *event = &history[i];
        if (event->input == SS_SOCIAL || (event->input == SS_PAYMENTS && i % 2 == 0)) {
            char other[32];
            snprintf(other, sizeof other, "user-%d", (int)((i * i % 7 + i) % (USERS + 1)));
            event->input = SS_SOCIAL;
            event->social =
                (struct ss_social){.action = i % 5 == 0 ? SS_FRIEND_REMOVED : SS_FRIEND_ADDED,
                                   .friend_id = logs_event(SS_SOCIAL, other, "", 0).user_id};
        }
        all[used++] = *event;
        if (i < USERS && i != ALONE) {
            char id[32];
            snprintf(id, sizeof id, "social-%d", (int)i);
            event = &all[used++];
            *event = logs_event(SS_CONSENTS, "", id, LOGS_BEGIN);
            event->user_id = history[i].user_id;
            event->consent.purpose = SS_PURPOSE_SOCIAL;
        }
    }
    free(history);
    *count = used;
    return all;
}

static struct rig rig;

/* All that the engine has read of an input, as an archive. */
static void archive(enum ss_input input, int32_t partition)
{
    const struct memory_log *log = memory_bus_input(rig.memory, input, partition);
    struct logged *logged = calloc((size_t)log->end + 1, sizeof *logged);
    struct ss_plan *plan;
    struct ss_error err = {.detail = ""};
    const struct memory_record *record;
    size_t count = 0;
    cr_assert_eq(ss_plan_open(input, ss_schema_of_input(input), &plan, &err), SS_OK);
    for (int64_t next = 0; (record = memory_log_next(log, &next)); count++) {
        uint32_t id;
        struct ss_bytes body;
        cr_assert_eq(ss_wire_open(record->value, &id, &body, &err), SS_OK, "%s", err.detail);
        cr_assert_eq(ss_plan_decode(plan, body, &logged[count].event, &err), SS_OK, "%s",
                     err.detail);
        logged[count].offset = next - 1;
        logged[count].timestamp_ms = record->timestamp_ms;
    }
    ss_plan_close(plan);
    if (count > 0)
        logs_archive(logs_path("%s+%d+0.avro", ss_input_name(input), partition), input, partition,
                     logged, count);
    free(logged);
}

/* One event at a time, each with all that it leads to. */
static char *run_engine(int32_t partitions, const struct ss_event *events, size_t count,
                        bool archives, struct ss_counts *heard)
{
    struct ss_error err = {.detail = ""};
    rig_open(&rig, partitions);
    ss_worker_close(rig.worker);
    rig.config.limits.event_time = true;
    cr_assert_eq(ss_worker_open(&rig.config, &rig.worker, &err), SS_OK, "%s", err.detail);
    for (size_t i = 0; i < count; i++) {
        rig.now_ms = rig.record_time_ms = events[i].occurred_at_ms;
        memory_bus_set_time(rig.memory, rig.now_ms);
        rig_send(&rig, events[i]);
        cr_assert_eq(rig_run(&rig), 0);
    }
    *heard = rig.stats.counts[SS_NEIGHBOURS];
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int32_t p = 0; p < partitions; p++) {
        const struct memory_log *log = memory_bus_target(rig.memory, SS_TO_SCORES, p);
        const struct memory_record *record;
        for (int64_t next = 0; (record = memory_log_next(log, &next));) {
            uint32_t id;
            struct ss_bytes body;
            cr_assert_eq(ss_wire_open(record->value, &id, &body, &err), SS_OK, "%s", err.detail);
            say(out, record->key, body);
        }
        for (int input = 0; archives && input < SS_INPUT_COUNT; input++)
            archive((enum ss_input)input, p);
    }
    fclose(out);
    rig_close(&rig);
    return text;
}

static enum ss_status on_record(void *arg, struct ss_bytes user_id, struct ss_bytes body,
                                struct ss_error *err)
{
    (void)err;
    say(arg, user_id, body);
    return SS_OK;
}

static const char *const *topics(void)
{
    static const char *names[SS_INPUT_COUNT];
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        names[i] = ss_input_name((enum ss_input)i);
    return names;
}

static char *run_replay(const char *directory, enum ss_replay_friendship *friendship,
                        struct ss_counts *heard)
{
    atomic_bool stop = false;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const struct ss_replay_options options = {.directory = directory,
                                              .topics = topics(),
                                              .until_ms = INT64_MAX,
                                              .future_tolerance_ms = 3600000,
                                              .record = on_record,
                                              .record_arg = out,
                                              .friendship = friendship,
                                              .stop = &stop};
    struct ss_worker_stats stats;
    struct ss_error err = {.detail = ""};
    int64_t users;
    cr_assert_eq(ss_replay_run(&options, &stats, &users, &err), SS_OK, "%s", err.detail);
    *heard = stats.counts[SS_NEIGHBOURS];
    fclose(out);
    return text;
}

static int occurrences(const char *text, const char *of)
{
    int count = 0;
    for (; (text = strstr(text, of)); text++)
        count++;
    return count;
}

/* The next line that begins with the user's id; its size, 0: there is none. */
static size_t next_of(const char **at, const char *user)
{
    for (; **at; *at += strcspn(*at, "\n") + 1)
        if (strncmp(*at, user, strlen(user)) == 0)
            return strcspn(*at, "\n");
    return 0;
}

/* How the user stands in the end. */
static size_t last_of(const char **at, const char *user)
{
    const char *last = "";
    for (size_t size; (size = next_of(at, user)) > 0; *at += size + 1)
        last = *at + strcspn(*at, "|");
    *at = last;
    return strcspn(last, "\n");
}

/* User by user: an engine wakes whom time has changed behind an event, a replay before it. Returns
 * how many lines. */
static int same_lines(const char *engine, const char *replayed,
                      size_t (*find)(const char **at, const char *user))
{
    int lines = 0;
    for (int i = 0; i < USERS; i++) {
        char user[32];
        const char *ours = engine, *theirs = replayed;
        snprintf(user, sizeof user, "user-%d ", i);
        for (size_t size = 1; size;) {
            size = find(&ours, user);
            lines += size > 0;
            const size_t other = find(&theirs, user);
            cr_assert(size == other && memcmp(ours, theirs, size) == 0,
                      "%s\nof the engine: %.*s\nof the replay: %.*s", user, (int)size, ours,
                      (int)other, theirs);
            ours += size;
            theirs += size;
            if (find == last_of)
                break;
        }
    }
    return lines;
}

TestSuite(friends_followed, .fini = logs_remove);

static void compare(int32_t partitions, enum ss_replay_friendship expected,
                    size_t (*find)(const char **at, const char *user), int lines_min)
{
    size_t count;
    struct ss_counts heard, replay_heard;
    enum ss_replay_friendship friendship;
    struct ss_event *events = life_of_friends(&count);
    const char *directory = logs_directory();
    const bool looped = expected == SS_FRIENDSHIP_LOOPED;
    char *engine = run_engine(partitions, events, count, !looped, &heard);
    if (looped)
        logs_plain_history(directory, events, count);
    char *replayed = run_replay(directory, &friendship, &replay_heard);
    cr_assert_eq(friendship, expected);
    cr_assert_geq(same_lines(engine, replayed, find), lines_min);
    cr_assert_eq(memcmp(&heard, &replay_heard, sizeof heard), 0);
    /* and it was about friends */
    cr_assert_gt(heard.outcomes[SS_COUNTED], 100);
    cr_assert_gt(occurrences(engine, "kind 7"), 20);
    cr_assert_gt(occurrences(engine, "kind 1"), 2, "listings");
    free(engine);
    free(replayed);
    free(events);
}

Test(friends_followed, friends_who_are_heard_at_once_have_the_engines_scores)
{
    compare(1, SS_FRIENDSHIP_LOOPED, next_of, 300);
}

Test(friends_followed, friends_by_what_was_told_then_have_the_engines_scores)
{
    compare(2, SS_FRIENDSHIP_LOG, last_of, USERS);
}

/* Scores as of an instant: user,score lines. */
static char *replayed_scores(const char *directory, int64_t until_ms)
{
    atomic_bool stop = false;
    const struct ss_replay_options options = {.directory = directory,
                                              .topics = topics(),
                                              .until_ms = until_ms,
                                              .future_tolerance_ms = 3600000,
                                              .scores_csv = logs_path("scores.csv"),
                                              .scores_only = true,
                                              .stop = &stop};
    struct ss_worker_stats stats;
    struct ss_error err = {.detail = ""};
    int64_t users;
    cr_assert_eq(ss_replay_run(&options, &stats, &users, &err), SS_OK, "%s", err.detail);
    FILE *file = fopen(options.scores_csv, "r");
    char *text = calloc(1, 1 << 16);
    cr_assert_gt(fread(text, 1, (1 << 16) - 1, file), 0);
    fclose(file);
    return text;
}

static struct ss_backtest_result result;

static void backtest(const char *directory, const struct ss_models *champion,
                     const struct ss_models *challenger)
{
    atomic_bool stop = false;
    struct ss_error err = {.detail = ""};
    struct ss_source *source;
    const struct ss_source_config config = {.directory = directory, .topics = topics()};
    cr_assert_eq(ss_source_open(&config, &source, &err), SS_OK, "%s", err.detail);
    const struct ss_backtest_options options = {.source = source,
                                                .models = {*champion, *challenger},
                                                .until_ms = INT64_MAX,
                                                .future_tolerance_ms = 3600000,
                                                .stop = &stop};
    ss_backtest_reset(&result);
    cr_assert_eq(ss_backtest_run(&options, &result, &err), SS_OK, "%s", err.detail);
    ss_source_close(source);
}

static void same_scores(const char *replayed, int side)
{
    cr_assert_eq((int)result.at_end.count, occurrences(replayed, "\nuser-"));
    for (size_t i = 0; i < result.at_end.count; i++) {
        const struct ss_backtest_row *row = &result.at_end.rows[i];
        const struct ss_text id = ss_backtest_user(&result, row->person);
        char line[64];
        snprintf(line, sizeof line, "\n%.*s,%d,", (int)id.size, id.data, row->of[side].score);
        cr_expect(strstr(replayed, line), "%s is not in\n%s", line, replayed);
    }
}

Test(friends_followed, a_backtest_follows_them_by_what_was_told_then)
{
    size_t count;
    struct ss_counts heard;
    struct ss_error err = {.detail = ""};
    struct ss_models live = {0}, blind = {0};
    struct ss_event *events = life_of_friends(&count);
    const char *directory = logs_directory();
    char *engine = run_engine(2, events, count, true, &heard);
    cr_assert_eq(ss_models_load(NULL, NULL, &live, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_models_load(NULL, NULL, &blind, &err), SS_OK, "%s", err.detail);
    struct ss_model *without = (struct ss_model *)(uintptr_t)blind.person;
    without->weights[SS_FACTOR_RELATIONSHIPS] = 0;
    ss_model_prepare(without);

    backtest(directory, &live, &blind);
    cr_assert(result.friends_followed && !result.friends_left_out && !result.friends_cut);
    cr_assert(strstr(ss_backtest_friends_words(&result), "told at the time"));
    cr_assert_eq(result.events, (int64_t)count, "messages are nobody's events");
    cr_assert_eq(result.people, USERS);
    char *replayed = replayed_scores(directory, result.as_of_ms);
    same_scores(replayed, SS_CHAMPION);
    int neutral = 0;
    for (size_t i = 0; i < result.at_end.count; i++)
        neutral += result.at_end.rows[i].of[SS_CHAMPION].values[SS_FACTOR_RELATIONSHIPS] == 3000;
    cr_assert_lt(neutral, (int)result.at_end.count / 2);
    /* who asks only now what friends are worth finds the same, by a fold of its own */
    backtest(directory, &blind, &live);
    cr_assert(result.friends_followed && result.refolded);
    same_scores(replayed, SS_CHALLENGER);

    free(replayed);
    free(engine);
    free(events);
    ss_backtest_reset(&result);
    ss_models_free(&live);
    ss_models_free(&blind);
}

Test(friends_followed, a_backtest_of_plain_files_leaves_them_out)
{
    size_t count;
    struct ss_error err = {.detail = ""};
    struct ss_models live = {0};
    const struct ss_models nobody = {0};
    struct ss_event *events = life_of_friends(&count);
    const char *directory = logs_directory();
    logs_plain_history(directory, events, count);
    cr_assert_eq(ss_models_load(NULL, NULL, &live, &err), SS_OK, "%s", err.detail);
    backtest(directory, &live, &nobody);
    cr_assert(result.friends_left_out && !result.friends_followed);
    for (size_t i = 0; i < result.at_end.count; i++)
        cr_assert_eq(result.at_end.rows[i].of[SS_CHAMPION].values[SS_FACTOR_RELATIONSHIPS], 3000);
    free(events);
    ss_backtest_reset(&result);
    ss_models_free(&live);
}
