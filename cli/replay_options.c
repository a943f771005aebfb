#include "cli/replay_options.h"

#include "base/clock.h"
#include "cli/time_text.h"
#include "config/models.h"
#include "config/number.h"
#include "consumer/engine.h"
#include "state/key_ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BAR = 30 };

void ss_replay_request_init(struct ss_replay_request *request)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *request = (struct ss_replay_request){.options = {.until_ms = INT64_MAX}};
    request->options.threads = processors > 0 && processors < 1000 ? (int)processors : 1;
}

void ss_replay_request_reset(struct ss_replay_request *request)
{
    ss_source_users_close(request->users);
    free(request->wanted);
    free(request->offsets);
    free(request->reports);
    ss_models_free(&request->models);
    ss_model_store_close(request->known);
    ss_sealer_close(request->sealer);
    ss_key_ring_close(request->keys);
}

static bool add_users(struct ss_replay_request *request, const char *id, const char *path,
                      const struct ss_command *command)
{
    struct ss_error err = {.detail = "out of memory"};
    if (!request->users)
        request->users = ss_source_users_open();
    if (!request->users ||
        (id &&
         ss_source_users_add(request->users, (struct ss_bytes){id, strlen(id)}, &err) != SS_OK) ||
        (path && ss_source_users_read(request->users, path, &err) != SS_OK)) {
        ss_usage(command, "%s", err.detail);
        return false;
    }
    return true;
}

static bool small_number(const char *text, int32_t *number)
{
    int64_t value = 0;
    const bool fine = ss_number_parse(text, 1, 10000, &value) == SS_NUMBER_OK;
    *number = (int32_t)value;
    return fine;
}

static bool wrong(struct ss_replay_request *request, const struct ss_command *command,
                  const char *what, const char *value)
{
    if (what)
        ss_usage(command, "'%s' is no %s", value, what);
    request->wrong = true;
    return false;
}

bool ss_replay_request_option(struct ss_replay_request *request, const struct ss_command *command,
                              int letter, char *value)
{
    struct ss_replay_options *options = &request->options;
    switch (letter) {
    case 'f':
        request->logs.directory = value;
        return true;
    case 't':
        return ss_time_parse(value, &options->until_ms) ||
               wrong(request, command, "time; write 2005-09-30 or 2005-09-30T23:59:59Z", value);
    case 'o':
        request->from = value;
        return true;
    case 'c':
        request->logs.committed = true;
        return true;
    case 'u':
        return add_users(request, value, NULL, command) || wrong(request, command, NULL, value);
    case 'U':
        return add_users(request, NULL, value, command) || wrong(request, command, NULL, value);
    case 'p':
        request->partitions = value;
        return true;
    case 'P':
        return small_number(value, &request->logs.partition_count) ||
               wrong(request, command, "number of partitions", value);
    case 'i':
        return ss_logs_fields(value, &request->logs.fields) ||
               wrong(request, command, "list of fields; write PARTITION,OFFSET,TIMESTAMP", value);
    case 'T':
        return small_number(value, &options->threads) ||
               wrong(request, command, "number of threads", value);
    case 'm':
        options->model_file = value;
        return true;
    case 'b':
        options->business_model_file = value;
        return true;
    case 'a':
        options->assume_consent = true;
        return true;
    default:
        return false;
    }
}

/* --- partitions and offsets --- */

static enum ss_status parse_partitions(struct ss_replay_request *request, int32_t count,
                                       struct ss_error *err)
{
    const char *p = request->partitions;
    if (!p)
        return SS_OK;
    request->wanted = calloc((size_t)count, sizeof *request->wanted);
    if (!request->wanted)
        return ss_fail(err, SS_STOP, "out of memory");
    while (*p) {
        char *end;
        long first = strtol(p, &end, 10), last = first;
        bool fine = end != p;
        if (fine && *end == '-') {
            p = end + 1;
            last = strtol(p, &end, 10);
            fine = end != p;
        }
        if (!fine || first < 0 || last < first || (*end && *end != ','))
            return ss_fail(err, SS_STOP, "--partitions %s: write 0-3,7", request->partitions);
        if (last >= count)
            return ss_fail(err, SS_STOP, "--partitions %s: there are %d, from 0 on",
                           request->partitions, count);
        for (long i = first; i <= last; i++)
            request->wanted[i] = true;
        p = *end ? end + 1 : end;
    }
    request->options.partitions = request->wanted;
    return SS_OK;
}

/* payments/0=1200,bills/0=77: what is not named begins where it begins. */
static enum ss_status parse_offsets(struct ss_replay_request *request, int32_t count,
                                    const struct ss_config *config, struct ss_error *err)
{
    const char *p = request->from;
    while (*p) {
        const char *slash = strchr(p, '/');
        char *end;
        int input = 0;
        while (slash && input < SS_INPUT_COUNT &&
               (strlen(config->input_topics[input]) != (size_t)(slash - p) ||
                strncmp(config->input_topics[input], p, (size_t)(slash - p)) != 0))
            input++;
        long partition = slash ? strtol(slash + 1, &end, 10) : -1;
        if (!slash || input == SS_INPUT_COUNT || end == slash + 1 || *end != '=')
            return ss_fail(err, SS_STOP,
                           "--from %.100s: write a time, or offsets: TOPIC/PARTITION=OFFSET,…",
                           request->from);
        if (partition < 0 || partition >= count)
            return ss_fail(err, SS_STOP, "--from %.100s: there are %d partitions, from 0 on",
                           request->from, count);
        const char *number = end + 1;
        long long offset = strtoll(number, &end, 10);
        if (end == number || offset < 0 || (*end && *end != ','))
            return ss_fail(err, SS_STOP, "--from %.100s: '%.20s' is no offset", request->from,
                           number);
        request->offsets[partition * SS_INPUT_COUNT + input] = offset;
        p = *end ? end + 1 : end;
    }
    return SS_OK;
}

static enum ss_status find_offsets(struct ss_replay_request *request, struct ss_source *source,
                                   const struct ss_config *config, struct ss_error *err)
{
    const int32_t count = ss_source_partition_count(source);
    const size_t size = (size_t)count * SS_INPUT_COUNT;
    int64_t time_ms;
    enum ss_status status = SS_OK;
    if (!request->from)
        return SS_OK;
    request->offsets = malloc(size * sizeof *request->offsets);
    if (!request->offsets)
        return ss_fail(err, SS_STOP, "out of memory");
    for (size_t i = 0; i < size; i++)
        request->offsets[i] = -1;
    if (!ss_time_parse(request->from, &time_ms))
        status = parse_offsets(request, count, config, err);
    else
        for (int32_t p = 0; p < count && status == SS_OK; p++)
            if (!request->wanted || request->wanted[p])
                status = ss_source_offsets_at(source, p, time_ms,
                                              request->offsets + p * SS_INPUT_COUNT, err);
    request->options.from = request->offsets;
    return status;
}

/* --- progress --- */

static void on_progress(void *arg, int64_t events, double share)
{
    struct ss_replay_request *request = arg;
    char bar[BAR + 1];
    const double now = ss_seconds(), elapsed = now - request->started;
    if (now - request->said < (request->terminal ? 0.2 : 5))
        return;
    request->said = now;
    for (int i = 0; i < BAR; i++)
        bar[i] = share * BAR > i ? '#' : '.';
    bar[BAR] = '\0';
    if (request->terminal)
        fprintf(stderr,
                SS_PROGRESS_BEGIN "[%s] %3.0f %%  %" PRId64 " records, %.0f/s" SS_PROGRESS_END, bar,
                share * 100, events, (double)events / elapsed);
    else
        fprintf(stderr, "%.0f %%: %" PRId64 " records, %.0f/s\n", share * 100, events,
                (double)events / elapsed);
}

void (*ss_replay_request_progress(struct ss_replay_request *request))(void *, int64_t, double)
{
    request->terminal = isatty(STDERR_FILENO);
    request->started = request->said = ss_seconds();
    return on_progress;
}

void ss_replay_request_clear(struct ss_replay_request *request)
{
    ss_progress_wipe(request->terminal);
}

/* Nobody is to take a score without friends for one with them. */
void ss_replay_request_print_friends(const struct ss_replay_request *request,
                                     const struct ss_source *source)
{
    int64_t out_of_time = 0;
    for (int32_t p = 0; p < ss_source_partition_count(source); p++)
        out_of_time += request->reports[p * SS_INPUT_COUNT + SS_NEIGHBOURS].out_of_time > 0;
    switch (request->friendship) {
    case SS_FRIENDSHIP_NONE:
        return;
    case SS_FRIENDSHIP_LOOPED:
        printf("friends are followed: what they tell each other is heard at once\n");
        if (request->users)
            printf("only of the users asked for: their friends beyond them count for nothing\n");
        return;
    case SS_FRIENDSHIP_LOG:
        printf("friends are followed by what %s told at the time\n", ss_input_name(SS_NEIGHBOURS));
        if (out_of_time > 0)
            printf("%s has lost its beginning to retention in %" PRId64
                   " partitions: friends confirmed before that count for nothing\n",
                   ss_input_name(SS_NEIGHBOURS), out_of_time);
        return;
    case SS_FRIENDSHIP_UNHEARD:
        printf("friends are not followed, for the logs hold nothing of %s: relationships stand at "
               "neutral, and scores may differ from those that were published\n",
               ss_input_name(SS_NEIGHBOURS));
        return;
    }
}

/* --- all of it --- */

enum ss_status ss_replay_request_keys(struct ss_replay_request *request,
                                      const struct ss_config *config, struct ss_error *err)
{
    enum ss_status status = ss_engine_keys(config, &request->keys, err);
    if (status == SS_OK && request->keys)
        request->sealer = ss_key_ring_renew(request->keys, NULL, ss_clock_wall_ms());
    request->options.sealer = request->sealer;
    return status;
}

static enum ss_status find_models(struct ss_replay_request *request, const struct ss_logs *logs,
                                  const struct ss_config *config, struct ss_error *err)
{
    struct ss_replay_options *options = &request->options;
    bool found;
    enum ss_status status =
        ss_logs_models(logs, &request->logs, config, &request->known, &found, err);
    if (status == SS_OK)
        status = ss_logs_pair(request->known, config, options->model_file,
                              options->business_model_file, &request->models, err);
    request->shelf = ss_model_store_shelf(request->known);
    options->models = &request->models;
    options->shelf = &request->shelf;
    return status;
}

enum ss_status ss_replay_request_finish(struct ss_replay_request *request,
                                        const struct ss_logs *logs, const struct ss_config *config,
                                        struct ss_error *err)
{
    struct ss_source *source = logs->source;
    struct ss_replay_options *options = &request->options;
    const int32_t count = ss_source_partition_count(source);
    options->source = source;
    options->friendship = &request->friendship;
    options->users = request->users;
    options->future_tolerance_ms = config->events_future_tolerance_ms;
    options->reports = request->reports =
        calloc((size_t)count * SS_INPUT_COUNT, sizeof *request->reports);
    if (!request->reports)
        return ss_fail(err, SS_STOP, "out of memory");
    enum ss_status status = find_models(request, logs, config, err);
    if (status == SS_OK)
        status = parse_partitions(request, count, err);
    if (status == SS_OK)
        status = find_offsets(request, source, config, err);
    /* a snapshot is no plainer than the states that it is made of */
    if (status == SS_OK)
        status = ss_replay_request_keys(request, config, err);
    options->progress = ss_replay_request_progress(request);
    options->progress_arg = request;
    return status;
}
