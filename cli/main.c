/* main.c - `sesame`: a table of subcommands. */
#include "base/version.h"
#include "cli/command.h"

#include <stdio.h>

static const struct ss_command *const commands[] = {
    &ss_command_run,       &ss_command_check_config, &ss_command_topics,  &ss_command_schemas,
    &ss_command_generate,  &ss_command_dead_letters, &ss_command_verify,  &ss_command_verify_state,
    &ss_command_replay,    &ss_command_snapshot,     &ss_command_explain, &ss_command_backtest,
    &ss_command_blacklist, &ss_command_rescore,      &ss_command_keys,    &ss_command_demo,
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_commands(FILE *out)
{
    fprintf(out, "usage: sesame COMMAND [OPTION …]\n\n"
                 "A streaming score engine on Kafka and Redis. Commands:\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-14s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`sesame COMMAND -h` says more of each; `sesame --version` the version.\n");
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return SS_EXIT_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_commands(stdout);
        return SS_EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sesame %s\n", SS_VERSION);
        return SS_EXIT_DONE;
    }
    /* The commands know -h. */
    static char help[] = "-h";
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            argv[i] = help;
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    fprintf(stderr, "sesame: there is no command '%s'\n\n", argv[1]);
    print_commands(stderr);
    return SS_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    return ss_printed(run(argc, argv));
}
