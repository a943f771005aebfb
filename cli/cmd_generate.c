/* cmd_generate.c - a made-up population's events, into the topics or into files. */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/sender.h"
#include "cli/stopping.h"
#include "cli/time_text.h"
#include "schemas/container.h"
#include "scoring/apply.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The files of a seed are the same on any day. */
#define FILES_END_MS INT64_C(1767225600000) /* 2026-01-01 */

struct generate {
    struct ss_population_options options;
    const char *directory; /* NULL: to the broker */
    const char *codec;     /* of the files; NULL: deflate */
    int64_t rate;          /* events per second; 0: as fast as it goes */
    atomic_bool *stop;
    bool terminal;
    double started, said;
    int64_t made, made_said;
};

/* --- progress --- */

static void report(struct generate *g, double now)
{
    double rate = (double)(g->made - g->made_said) / (now - g->said);
    int64_t left = g->options.events - g->made;
    fprintf(stderr, "%s%" PRId64 " of %" PRId64 " events (%d %%), %.0f/s, %.0f s to go%s",
            g->terminal ? SS_PROGRESS_BEGIN : "", g->made, g->options.events,
            (int)(g->made * 100 / g->options.events), rate, rate > 0 ? (double)left / rate : 0,
            g->terminal ? SS_PROGRESS_END : "\n");
    g->said = now;
    g->made_said = g->made;
}

/* After each event: tells how far it is, and keeps to the rate. false: asked to stop. */
static bool keep_pace(struct generate *g)
{
    g->made++;
    if ((g->made & 63) && !g->rate)
        return true;
    double now = ss_seconds();
    double due = g->rate ? g->started + (double)g->made / (double)g->rate : now;
    do {
        if (now - g->said >= (g->terminal ? 0.5 : 5))
            report(g, now);
        if (atomic_load(g->stop))
            return false;
        if (due - now < 0.001)
            return true;
        double pause = due - now < 0.1 ? due - now : 0.1;
        nanosleep(&(struct timespec){0, (long)(pause * 1e9)}, NULL);
        now = ss_seconds();
    } while (now < due);
    return true;
}

static void print_counts(const struct generate *g, const struct ss_sender_counts *counts,
                         const char *const topics[SS_INPUT_COUNT], const char *what)
{
    double elapsed = ss_seconds() - g->started;
    int64_t sum = 0;
    for (int input = 0; input < SS_UPSTREAM_COUNT; input++) {
        printf("%-24s %12" PRId64 "\n", topics[input], counts->sent[input]);
        sum += counts->sent[input];
    }
    printf("%s %" PRId64 " events in %.1f s (%.0f/s), of them %" PRId64 " duplicates, %" PRId64
           " bad\n",
           what, sum, elapsed, elapsed > 0 ? (double)sum / elapsed : 0, counts->duplicates,
           counts->bad);
    if (sum < g->options.events)
        printf("stopped before all of %" PRId64 " were made\n", g->options.events);
}

/* --- into files --- */

struct files {
    struct ss_container_writer *writers[SS_INPUT_COUNT];
    struct ss_buffer buffer;
    struct ss_sender_counts counts;
};

static enum ss_status create_files(struct files *files, const struct generate *g,
                                   struct ss_error *err)
{
    enum ss_status status = SS_OK;
    const char *directory = g->directory;
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return ss_fail(err, SS_STOP, "cannot make the folder %.300s: %s", directory,
                       strerror(errno));
    for (int input = 0; status == SS_OK && input < SS_UPSTREAM_COUNT; input++) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s.avro", directory,
                     ss_input_name((enum ss_input)input)) >= (int)sizeof path)
            return ss_fail(err, SS_STOP, "the name of the folder is too long");
        status = ss_container_create(path, ss_schema_of_input((enum ss_input)input),
                                     g->codec ? g->codec : "deflate", &files->writers[input], err);
    }
    return status;
}

static enum ss_status append(struct files *files, const struct ss_population_event *event,
                             struct ss_error *err)
{
    enum ss_input input = event->event.input;
    files->buffer.size = 0;
    enum ss_status status = ss_encode_event(0, &event->event, &files->buffer, err);
    if (status == SS_OK)
        status = ss_container_append(files->writers[input],
                                     (struct ss_bytes){files->buffer.data + SS_WIRE_HEADER_SIZE,
                                                       files->buffer.size - SS_WIRE_HEADER_SIZE},
                                     err);
    if (status != SS_OK)
        return status;
    files->counts.sent[input]++;
    files->counts.duplicates += event->duplicate;
    files->counts.bad += event->flaw != SS_FLAW_NONE;
    return SS_OK;
}

static enum ss_status finish_files(struct files *files, enum ss_status status, struct ss_error *err)
{
    struct ss_error late;
    for (int input = 0; input < SS_UPSTREAM_COUNT; input++) {
        if (!files->writers[input])
            continue;
        enum ss_status finished = ss_container_finish(files->writers[input], &late);
        if (status == SS_OK && finished != SS_OK) {
            status = finished;
            *err = late;
        }
    }
    ss_buffer_reset(&files->buffer);
    return status;
}

static int to_files(struct generate *g, struct ss_population *population)
{
    struct files files = {0};
    struct ss_population_event event;
    struct ss_error err;
    const char *topics[SS_INPUT_COUNT];

    for (int input = 0; input < SS_UPSTREAM_COUNT; input++)
        topics[input] = ss_input_name((enum ss_input)input);
    ss_buffer_init(&files.buffer, 4096);
    enum ss_status status = create_files(&files, g, &err);
    while (status == SS_OK && ss_population_next(population, &event)) {
        status = append(&files, &event, &err);
        if (!keep_pace(g))
            break;
    }
    status = finish_files(&files, status, &err);
    ss_progress_wipe(g->terminal);
    if (status != SS_OK)
        return ss_failed(&err);
    print_counts(g, &files.counts, topics, "wrote");
    return SS_EXIT_DONE;
}

/* --- to the broker --- */

/* Waits for the deliveries as long as they make progress. */
static void deliver(struct generate *g, struct ss_sender *sender, struct ss_kafka_deliveries *done)
{
    int64_t sent = ss_sender_sent(sender), last = -1;
    double moved = ss_seconds();
    struct ss_error err;
    for (;;) {
        (void)!ss_kafka_producer_flush(sender->producer, 500, done, &err);
        int64_t settled = done->delivered + done->failed;
        if (settled >= sent)
            return;
        if (settled != last)
            moved = ss_seconds();
        last = settled;
        if (ss_seconds() - moved > (atomic_load(g->stop) ? 10 : 60))
            return;
    }
}

static int to_broker(struct generate *g, struct ss_population *population,
                     const struct ss_config *config)
{
    struct ss_sender sender;
    struct ss_population_event event;
    struct ss_kafka_deliveries done = {0};
    struct ss_error err;

    enum ss_status status = ss_sender_open(&sender, config, &err);
    if (status != SS_OK) {
        ss_sender_close(&sender);
        return ss_failed(&err);
    }
    g->started = g->said = ss_seconds();
    while (ss_population_next(population, &event)) {
        status = ss_sender_send(&sender, &event, &err);
        if (status != SS_OK || !keep_pace(g))
            break;
    }
    deliver(g, &sender, &done);
    ss_progress_wipe(g->terminal);
    if (status != SS_OK)
        (void)ss_failed(&err);
    print_counts(g, &sender.counts, sender.topics, "sent");
    int64_t sent = ss_sender_sent(&sender);
    printf("delivered %" PRId64 ", failed %" PRId64 "\n", done.delivered, sent - done.delivered);
    if (done.delivered != sent)
        fprintf(stderr, "sesame: %" PRId64 " events were not delivered%s%s\n",
                sent - done.delivered, done.error[0] ? ": " : " in time", done.error);
    ss_sender_close(&sender);
    return status == SS_OK && done.delivered == sent ? SS_EXIT_DONE : SS_EXIT_FAILED;
}

static int generate(struct generate *g, const struct ss_config *config)
{
    struct ss_population *population;
    struct ss_error err;
    int64_t now_ms = ss_clock_wall_ms();

    if (!g->directory && (!config->registry_url ||
                          !ss_config_property(config, SS_CLIENTS_PRODUCER, "bootstrap.servers"))) {
        fprintf(stderr,
                "sesame: generate needs bootstrap.servers and registry.url (-F FILE, or -X), "
                "or --files DIR\n");
        return SS_EXIT_FAILED;
    }
    if (!g->options.end_ms)
        g->options.end_ms = g->directory ? FILES_END_MS : now_ms - now_ms % SS_DAY_MS;
    if (!g->directory && g->options.end_ms > now_ms) {
        fprintf(stderr, "sesame: --end lies in the future: the engine would refuse such events\n");
        return SS_EXIT_FAILED;
    }
    if (!g->options.start_ms)
        g->options.start_ms = g->options.end_ms - SS_POPULATION_SPAN_DAYS * SS_DAY_MS;
    g->options.wire_flaws = !g->directory;
    if (ss_population_open(&g->options, &population, &err) != SS_OK)
        return ss_failed(&err);
    g->stop = ss_stopping_catch();
    g->terminal = isatty(STDERR_FILENO);
    g->started = g->said = ss_seconds();
    int code = g->directory ? to_files(g, population) : to_broker(g, population, config);
    ss_population_close(population);
    return code;
}

static bool parse_time(const struct ss_command *self, const char *name, const char *text,
                       int64_t *out)
{
    if (ss_time_parse(text, out))
        return true;
    ss_usage(self, "--%s: '%s' is no time; write 2025-12-31 or 2025-12-31T23:59:59Z", name, text);
    return false;
}

static bool option(struct generate *g, struct ss_common *common, int letter, const char *name,
                   const char *value)
{
    const struct ss_command *self = &ss_command_generate;
    int64_t number;
    bool fine;
    switch (letter) {
    case 'u':
        return ss_usage_number(self, name, value, 1, SS_POPULATION_USERS_MAX, &g->options.users);
    case 'e':
        return ss_usage_number(self, name, value, 1, INT64_C(1000000000000), &g->options.events);
    case 's':
        fine = ss_usage_number(self, name, value, 0, INT64_MAX, &number);
        g->options.seed = fine ? (uint64_t)number : 0;
        return fine;
    case 'r':
        return ss_usage_number(self, name, value, 1, 100000000, &g->rate);
    case 'd':
        fine = ss_usage_number(self, name, value, 0, 500, &number);
        g->options.duplicates_permille = fine ? (int)number : 0;
        return fine;
    case 'b':
        fine = ss_usage_number(self, name, value, 0, 400, &number);
        g->options.bad_permille = fine ? (int)number : 0;
        return fine;
    case 'S':
        return parse_time(self, name, value, &g->options.start_ms);
    case 'E':
        return parse_time(self, name, value, &g->options.end_ms);
    case 'f':
        g->directory = value;
        return true;
    case 'z':
        g->codec = value;
        return true;
    default:
        return ss_common_option(common, self, letter, value);
    }
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"users", required_argument, NULL, 'u'},
                                                 {"events", required_argument, NULL, 'e'},
                                                 {"seed", required_argument, NULL, 's'},
                                                 {"rate", required_argument, NULL, 'r'},
                                                 {"start", required_argument, NULL, 'S'},
                                                 {"end", required_argument, NULL, 'E'},
                                                 {"files", required_argument, NULL, 'f'},
                                                 {"duplicates", required_argument, NULL, 'd'},
                                                 {"bad", required_argument, NULL, 'b'},
                                                 {"codec", required_argument, NULL, 'z'},
                                                 {0}};
    struct generate g = {
        .options = {.seed = 1, .users = 10000, .events = 500000, .duplicates_permille = 2}};
    struct ss_common common;
    int letter, at = 0, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, &at)) != -1)
        if (!option(&g, &common, letter, long_options[at].name, optarg))
            goto out;
    if (optind < argc)
        code = ss_usage(&ss_command_generate, "'%s' is not expected", argv[optind]);
    else if (g.codec && !g.directory)
        code = ss_usage(&ss_command_generate, "--codec goes with --files%s", "");
    else
        code = ss_common_finish(&common) ? generate(&g, &common.config) : SS_EXIT_FAILED;
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_generate = {
    .name = "generate",
    .summary = "make up a population and its events, into Kafka or into files",
    .usage = "-F sesame.yaml [--users N] [--events N] [--seed N] [--rate N] …\n"
             "       sesame generate --files DIR [--users N] [--events N] [--seed N] …",
    .help =
        "  --users N        how many people (default 10000)\n"
        "  --events N       how many events in all, exactly (default 500000)\n"
        "  --seed N         another seed is another population; the same options, the same events\n"
        "  --start TIME     the span in which the events occur; eighteen months by default,\n"
        "  --end TIME       up to today, or with --files up to 2026-01-01\n"
        "  --rate N         events per second (default: as fast as it goes)\n"
        "  --duplicates N   how many in a thousand are sent twice (default 2)\n"
        "  --bad N          how many in a thousand the engine must refuse (default 0)\n"
        "  --files DIR      writes payments.avro, bills.avro, … instead, for `sesame replay`;\n"
        "                   needs no broker and no registry\n"
        "  --codec NAME     how they are compressed: deflate (the default), or null for not at "
        "all\n" SS_COMMON_HELP
        "\nThe schemas must be registered (`sesame schemas register`) and the topics be there\n"
        "(`sesame topics create`). With ten events per user or more the span is filled.\n"
        "Ends with 1 if an event was not delivered; SIGINT stops it, which is no failure.\n",
    .run = run,
};
