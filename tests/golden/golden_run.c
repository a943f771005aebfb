/* golden_run [--avro OUT] EVENTS.jsonl [MODEL.yaml [BUSINESS.yaml]]: applies a golden log with the
 * core and prints one line of results for each event. Without a model it is the built-in one;
 * businesses have the same, or a third argument's. README.md has both formats. OUT gets the same
 * results as the bytes that go to topics, one record after the other. */
#include "config/model_file.h"
#include "golden.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_MAX = 4096, PARTITIONS_MAX = 64, TOLD_MAX = 100000 };

struct user {
    char id[SS_USER_ID_MAX];
    uint32_t id_size;
    int32_t partition;
    struct ss_user_state state;
    struct ss_friends friends;
};

/* What friends have told each other and nobody has read yet. */
struct told {
    char to[SS_USER_ID_MAX], from[SS_USER_ID_MAX];
    struct ss_event event;
};

struct run {
    struct ss_model model, business;
    bool has_business;
    int64_t future_tolerance_ms;
    int64_t positions[PARTITIONS_MAX][SS_INPUT_COUNT];
    int32_t days[PARTITIONS_MAX][SS_INPUT_COUNT];
    int64_t clock_ms[PARTITIONS_MAX];
    int user_count;
    struct user users[USERS_MAX];
    struct user refused;        /* for ids that no user can have */
    struct told told[TOLD_MAX]; /* by what one line leads to */
    int told_count;
    FILE *avro; /* NULL: not wanted */
};

static struct user *user_of(struct run *run, struct ss_text id)
{
    if (id.size == 0 || id.size > SS_USER_ID_MAX)
        return &run->refused;
    for (int i = 0; i < run->user_count; i++)
        if (run->users[i].id_size == id.size && memcmp(run->users[i].id, id.data, id.size) == 0)
            return &run->users[i];
    if (run->user_count == USERS_MAX)
        return NULL;
    struct user *user = &run->users[run->user_count++];
    memcpy(user->id, id.data, id.size);
    user->id_size = id.size;
    return user;
}

static struct ss_text keep(char *out, struct ss_text text)
{
    memcpy(out, text.data, text.size);
    return (struct ss_text){out, text.size};
}

static void queue(struct run *run, const struct ss_neighbour_message *message, int64_t at_ms)
{
    if (run->told_count == TOLD_MAX)
        abort();
    struct told *told = &run->told[run->told_count++];
    told->event = (struct ss_event){
        .input = SS_NEIGHBOURS,
        .user_id = keep(told->to, message->to),
        .event_id = {"", 0},
        .occurred_at_ms = at_ms,
        .neighbour = {.action = message->kind == SS_NEIGHBOUR_GONE ? SS_NEIGHBOUR_LEFT
                                : message->wants_reply             ? SS_NEIGHBOUR_ASKS
                                                                   : SS_NEIGHBOUR_TELLS,
                      .from = keep(told->from, message->from),
                      .band = message->band}};
    if (run->avro)
        golden_avro_event(&told->event, run->avro);
}

/* What one record leads to: the answer, the farewells, and a telling to its end. */
static void tell(struct run *run, struct user *user, const struct ss_effects *effects)
{
    const struct ss_text self = {user->id, user->id_size};
    struct ss_friends_sum closing = {.open = true};
    struct ss_neighbour_message message;
    if (effects->has_message)
        queue(run, &effects->message, effects->message_at_ms);
    while (effects->friends_left && ss_friends_leave(&user->friends, &closing, self, &message))
        queue(run, &message, effects->message_at_ms);
    while (ss_friends_tell(&user->friends, &user->state.friends, self, &message))
        queue(run, &message, user->state.published.as_of_ms);
}

static void published(const struct run *run, const struct ss_effects *effects)
{
    if (run->avro)
        golden_avro(effects, run->avro);
}

/* A message reaches the user at once, at the clock of the user's partition. */
static json_t *hear(struct run *run, const struct told *told)
{
    const struct ss_models models = {.person = &run->model,
                                     .business = run->has_business ? &run->business : NULL};
    struct user *user = user_of(run, told->event.user_id);
    struct ss_effects effects;
    enum ss_refusal refusal;
    if (!user)
        abort();
    int64_t *positions = run->positions[user->partition];
    struct ss_context context = {.partition = user->partition,
                                 .offset = positions[SS_NEIGHBOURS],
                                 .clock_ms = run->clock_ms[user->partition],
                                 .friends = &user->friends};
    memcpy(context.positions, positions, sizeof context.positions);
    json_t *passed = json_array();
    while (ss_wake(&models, &user->state, told->event.user_id, &context, &effects)) {
        golden_passed(passed, &effects);
        published(run, &effects);
    }
    positions[SS_NEIGHBOURS] = ++context.positions[SS_NEIGHBOURS];
    enum ss_outcome outcome =
        ss_apply(&models, &user->state, &told->event, &context, &effects, &refusal);
    json_t *result = golden_result(&told->event, &context, passed, outcome, refusal, &effects);
    golden_message(result, &told->event);
    published(run, &effects);
    tell(run, user, &effects);
    return result;
}

static const char *apply_line(struct run *run, json_t *line)
{
    struct ss_context context = {.future_tolerance_ms = run->future_tolerance_ms};
    struct ss_event event;
    struct ss_effects effects;
    enum ss_refusal refusal;

    const struct ss_models models = {.person = &run->model,
                                     .business = run->has_business ? &run->business : NULL};
    const char *wrong = golden_event(line, &event, &context);
    if (wrong)
        return wrong;
    if (context.partition < 0 || context.partition >= PARTITIONS_MAX)
        return "partition";
    struct user *user = user_of(run, event.user_id);
    if (!user)
        return "user_id (too many users)";
    struct ss_user_state *state = &user->state;
    user->partition = context.partition;
    context.friends = &user->friends;
    int64_t *positions = run->positions[context.partition];
    memcpy(context.positions, positions, sizeof context.positions);
    int64_t *clock_ms = &run->clock_ms[context.partition];
    if (context.clock_ms > *clock_ms)
        *clock_ms = context.clock_ms;
    context.clock_ms = *clock_ms;
    json_t *passed = json_array();
    bool refused = ss_event_check(models.person, &event, &context) != SS_REFUSAL_NONE;
    while (!refused && ss_wake(&models, state, event.user_id, &context, &effects)) {
        golden_passed(passed, &effects); /* at the positions before the event */
        published(run, &effects);
    }
    int32_t *day = &run->days[context.partition][event.input];
    if (!refused)
        *day = ss_input_day(*day, &event, &context);
    context.day = *day;
    positions[event.input] = context.positions[event.input] = context.offset + 1;
    enum ss_outcome outcome = ss_apply(&models, state, &event, &context, &effects, &refusal);
    json_t *result = golden_result(&event, &context, passed, outcome, refusal, &effects);
    published(run, &effects);
    run->told_count = 0;
    tell(run, user, &effects);
    json_t *told = json_array();
    for (int i = 0; i < run->told_count; i++)
        json_array_append_new(told, hear(run, &run->told[i]));
    json_object_set_new(result, "told", told);
    json_dumpf(result, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(result);
    return NULL;
}

static int run_file(struct run *run, FILE *file, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    int number = 0;
    const char *wrong = NULL;

    while (!wrong && getline(&text, &size, file) > 0) {
        json_error_t error;
        json_t *line = json_loads(text, JSON_ALLOW_NUL, &error);
        number++;
        if (!line)
            wrong = error.text;
        else if (number == 1)
            run->future_tolerance_ms =
                json_integer_value(json_object_get(line, "future_tolerance_ms"));
        else
            wrong = apply_line(run, line);
        if (wrong)
            fprintf(stderr, "%s:%d: wrong: %s\n", path, number, wrong);
        json_decref(line);
    }
    free(text);
    return wrong ? 1 : 0;
}

static int run_files(struct run *run, char **files, int count)
{
    struct ss_error err;
    int failed = 2;
    FILE *file = fopen(files[0], "r");
    if (!file) {
        perror(files[0]);
        return failed;
    }
    run->has_business = count > 2;
    enum ss_status status = ss_model_load(count > 1 ? files[1] : NULL, &run->model, &err);
    if (status == SS_OK && run->has_business)
        status = ss_model_load(files[2], &run->business, &err);
    if (status == SS_OK)
        failed = run_file(run, file, files[0]);
    else
        fprintf(stderr, "%s\n", err.detail);
    fclose(file);
    return failed;
}

int main(int argc, char **argv)
{
    struct run *run = calloc(1, sizeof *run);
    const char *avro = NULL;
    int failed = 2;
    if (!run)
        return failed;
    if (argc > 2 && strcmp(argv[1], "--avro") == 0) {
        avro = argv[2];
        argv += 2;
        argc -= 2;
    }
    if (argc < 2 || argc > 4)
        fprintf(stderr,
                "usage: golden_run [--avro OUT] EVENTS.jsonl [MODEL.yaml [BUSINESS.yaml]]\n");
    else if (avro && !(run->avro = fopen(avro, "wb")))
        perror(avro);
    else
        failed = run_files(run, argv + 1, argc - 1);
    if (run->avro && fclose(run->avro) != 0) {
        perror(avro);
        failed = 2;
    }
    free(run);
    return failed;
}
