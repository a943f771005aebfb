/* helper_command.h - runs a command in this process, with its output in texts. */
#ifndef SS_TESTS_CLI_HELPER_COMMAND_H
#define SS_TESTS_CLI_HELPER_COMMAND_H

#include "cli/command.h"

struct command_output {
    int code; /* enum ss_exit */
    char out[32768], err[32768];
};

/* Valid until the next call. */
const struct command_output *command_run(const struct ss_command *command, int argc,
                                         const char **argv);

#endif
