/* sim - runs seeds of the simulation and judges them.
 *
 *   sim --seeds A-B [--length N] [--jobs J] [--mutant NAME] [--first]
 *   sim --verbose SEED [--length N] [--mutant NAME]     traces one seed
 *   sim --regressions FILE                              lines "NAME SEED LENGTH"
 *   sim --mutants                                       lists the mutants that are built in
 *
 * Prints each difference, and last "N seeds, D differences"; exits 1 if there are any. --first
 * stops at the first one. A seed that crashes the process is a difference too. */
#include "sim.h"

#include "base/log.h"
#include "config/model_file.h"
#include "schemas/output_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 1000, JOBS_MAX = 64 };

struct command {
    uint64_t from, to;
    int jobs;
    bool first;
    struct sim_options options;
};

/* What the jobs tell the parent. */
struct shared {
    atomic_ullong next;     /* seed */
    atomic_ullong run, bad; /* how many */
    atomic_bool stop;
    atomic_ullong current[JOBS_MAX]; /* the seed in hand; 0: none (seeds here are + 1) */
};

static struct sim_world *open_world(void)
{
    static struct ss_model model;
    struct ss_registry *registry;
    struct ss_registry_config config = {.url = "embedded:"};
    struct ss_error err;
    if (ss_model_default(&model, &err) != SS_OK ||
        ss_registry_open(&config, &registry, &err) != SS_OK) {
        fprintf(stderr, "sim: %s\n", err.detail);
        exit(2);
    }
    /* Days, so that a seed sees many: the version is another model's, which nobody minds. */
    model.aged_days = 3;
    model.aged_overdue_days = 1;
    model.friends_max = 6; /* which some come to */
    return sim_world_new(&model, registry);
}

static void close_world(struct sim_world *world)
{
    struct ss_registry *registry = world->registry;
    sim_world_free(world);
    ss_registry_close(registry);
}

static void say_difference(uint64_t seed, int length, const char *text)
{
    printf("seed %llu length %d: %s\n", (unsigned long long)seed, length, text);
    fflush(stdout);
}

static void job(const struct command *command, struct shared *shared, int number)
{
    struct sim_world *world = open_world();
    struct sim_options options = command->options;
    while (!atomic_load(&shared->stop)) {
        options.seed = atomic_fetch_add(&shared->next, 1);
        if (options.seed > command->to)
            break;
        atomic_store(&shared->current[number], options.seed + 1);
        sim_world_run(world, &options);
        atomic_store(&shared->current[number], 0);
        atomic_fetch_add(&shared->run, 1);
        if (!world->failed)
            continue;
        atomic_fetch_add(&shared->bad, 1);
        say_difference(options.seed, options.length, world->difference);
        if (command->first)
            atomic_store(&shared->stop, true);
    }
    close_world(world);
}

static pid_t start_job(const struct command *command, struct shared *shared, int number)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        perror("sim: fork");
        exit(2);
    }
    if (pid == 0) {
        job(command, shared, number);
        exit(0);
    }
    return pid;
}

/* A job that died takes its seed with it and is replaced. */
static int run_seeds(const struct command *command)
{
    pid_t pids[JOBS_MAX];
    int left = command->jobs;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("sim: mmap");
        return 2;
    }
    atomic_store(&shared->next, command->from);
    for (int i = 0; i < command->jobs; i++)
        pids[i] = start_job(command, shared, i);
    while (left > 0) {
        int status, i = 0;
        pid_t pid = wait(&status);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break;
        while (i < command->jobs && pids[i] != pid)
            i++;
        uint64_t seed = i < command->jobs ? atomic_exchange(&shared->current[i], 0) : 0;
        if (seed == 0) {
            left--;
            continue;
        }
        char text[64];
        snprintf(text, sizeof text, "the process died of signal %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        say_difference(seed - 1, command->options.length, text);
        atomic_fetch_add(&shared->run, 1);
        atomic_fetch_add(&shared->bad, 1);
        if (command->first)
            atomic_store(&shared->stop, true);
        pids[i] = start_job(command, shared, i);
    }
    unsigned long long bad = atomic_load(&shared->bad);
    printf("%llu seeds, %llu differences\n", (unsigned long long)atomic_load(&shared->run), bad);
    return bad > 0;
}

/* How many score records of each kind were committed. */
static void say_kinds(const struct sim_world *world)
{
    static const char *const names[] = {"UPDATE", "BLACKLIST_DROP", "BLACKLIST_RESTORE",
                                        "OPT_IN", "OPT_OUT",        "OVERDUE",
                                        "AGED",   "NEIGHBOUR",      "RESCORE"};
    int64_t counts[SS_KIND_RESCORE + 1] = {0}, ranked = 0;
    const struct sim_record *record;
    struct ss_score_view view;
    struct ss_bytes body;
    struct ss_error err;
    uint32_t id;
    for (int32_t p = 0; p < world->partition_count; p++)
        for (int64_t at = 0; (record = sim_log_next(&world->targets[SS_TO_SCORES][p], &at,
                                                    world->targets[SS_TO_SCORES][p].end, true));)
            if (ss_wire_open(record->value, &id, &body, &err) == SS_OK &&
                ss_score_view_decode(body, &view, &err) == SS_OK) {
                counts[view.kind]++;
                ranked += view.has_rank;
            }
    for (int kind = 0; kind <= SS_KIND_RESCORE; kind++)
        if (counts[kind] > 0)
            printf("%s %lld  ", names[kind], (long long)counts[kind]);
    printf("ranked %lld  in %.1f days\n", (long long)ranked,
           (double)(world->now_ms - SIM_START_MS) / (double)SIM_DAY_MS);
}

static int run_verbose(const struct sim_options *options)
{
    struct sim_world *world = open_world();
    ss_log_set_level(SS_LOG_ERROR);
    sim_world_run(world, options);
    printf("seed %llu: %s\n", (unsigned long long)options->seed,
           world->failed ? world->difference : "no difference");
    printf("ops %lld, faults %lld, sessions %d, transactions %d, generations %d\n",
           (long long)world->ops, (long long)world->faults, world->session_count, world->txn_count,
           world->group.generation);
    say_kinds(world);
    for (int t = 0; t < SIM_TARGETS; t++)
        for (int32_t p = 0; p < world->partition_count; p++)
            printf("target %d [%d]: %lld records\n", t, p, (long long)world->targets[t][p].end);
    bool failed = world->failed;
    close_world(world);
    return failed;
}

static int run_regressions(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[256], name[128];
    struct sim_options options = {0};
    unsigned long long seed, run = 0, bad = 0;
    if (!file) {
        perror(path);
        return 2;
    }
    struct sim_world *world = open_world();
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "%127s %llu %d", name, &seed, &options.length) != 3) {
            fprintf(stderr, "%s: not NAME SEED LENGTH: %s", path, line);
            bad++;
            continue;
        }
        options.seed = seed;
        sim_world_run(world, &options);
        run++;
        bad += world->failed;
        if (world->failed)
            printf("%s: seed %llu length %d: %s\n", name, seed, options.length, world->difference);
    }
    fclose(file);
    close_world(world);
    printf("%llu seeds, %llu differences\n", run, bad);
    return bad > 0;
}

static enum sim_mutant mutant_of(const char *name)
{
    for (int i = 0; i < SIM_MUTANT_COUNT; i++)
        if (strcmp(sim_mutant_name((enum sim_mutant)i), name) == 0)
            return (enum sim_mutant)i;
    fprintf(stderr, "sim: no mutant is called %s\n", name);
    exit(2);
}

static int usage(void)
{
    fprintf(stderr, "usage: sim --seeds A-B [--length N] [--jobs J] [--mutant NAME] [--first]\n"
                    "       sim --verbose SEED [--length N] [--mutant NAME]\n"
                    "       sim --regressions FILE\n"
                    "       sim --mutants\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct command command = {.jobs = 1, .options = {.length = LENGTH}};
    bool seeds = false;
    ss_log_set_level(SS_LOG_ERROR);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--mutants") == 0) {
            for (int m = 1; m < SIM_MUTANT_COUNT; m++)
                puts(sim_mutant_name((enum sim_mutant)m));
            return 0;
        }
        if (strcmp(argv[i], "--first") == 0) {
            command.first = true;
            continue;
        }
        if (!value)
            return usage();
        i++;
        unsigned long long from, to;
        if (strcmp(argv[i - 1], "--seeds") == 0) {
            if (sscanf(value, "%llu-%llu", &from, &to) != 2 || from > to)
                return usage();
            command.from = from;
            command.to = to;
            seeds = true;
        } else if (strcmp(argv[i - 1], "--verbose") == 0) {
            command.options.verbose = true;
            command.options.seed = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--length") == 0) {
            command.options.length = atoi(value);
        } else if (strcmp(argv[i - 1], "--jobs") == 0) {
            command.jobs = atoi(value);
        } else if (strcmp(argv[i - 1], "--mutant") == 0) {
            command.options.mutant = mutant_of(value);
        } else if (strcmp(argv[i - 1], "--regressions") == 0) {
            return run_regressions(value);
        } else {
            return usage();
        }
    }
    if (command.options.length < 1 || command.jobs < 1 || command.jobs > JOBS_MAX)
        return usage();
    if (command.options.verbose)
        return run_verbose(&command.options);
    return seeds ? run_seeds(&command) : usage();
}
