#include "helper_command.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static void take_text(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

const struct command_output *command_run(const struct ss_command *command, int argc,
                                         const char **argv)
{
    static struct command_output output;
    fflush(stdout);
    fflush(stderr);
    FILE *out = tmpfile(), *err = tmpfile();
    int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO);
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    optind = 0;
    output.code = command->run(argc, (char **)argv);
    fflush(stdout);
    fflush(stderr);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_err, STDERR_FILENO);
    close(old_out);
    close(old_err);
    take_text(out, output.out, sizeof output.out);
    take_text(err, output.err, sizeof output.err);
    return &output;
}
