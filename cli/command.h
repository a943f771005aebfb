/* command.h - the subcommands of `sesame`: a table in main.c, one file cmd_<name>.c each.
 *
 * A command gets the arguments behind its name, with getopt's state fresh, and returns the exit
 * status: 0 done, 1 failed (the reason is on standard error), 2 called wrongly, 3 ended before it
 * was done, to be run again (only where a command's help says so).
 */
#ifndef SS_CLI_COMMAND_H
#define SS_CLI_COMMAND_H

#include "config/config.h"

enum { SS_EXIT_DONE = 0, SS_EXIT_FAILED = 1, SS_EXIT_USAGE = 2, SS_EXIT_UNFINISHED = 3 };

struct ss_command {
    const char *name;    /* "topics create" is the command topics with an argument of its own */
    const char *summary; /* one line */
    const char *help;    /* what -h prints below the usage line */
    const char *usage;   /* behind "sesame NAME" */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

extern const struct ss_command ss_command_run, ss_command_replay, ss_command_snapshot,
    ss_command_topics, ss_command_schemas, ss_command_check_config, ss_command_generate,
    ss_command_dead_letters, ss_command_verify, ss_command_verify_state, ss_command_demo,
    ss_command_blacklist, ss_command_keys, ss_command_backtest, ss_command_explain,
    ss_command_rescore;

/* The options that all commands with a config share: -F FILE, -X name=value (repeatable), -v. A
 * command passes each option letter that it does not know itself; false: not one of these, or wrong
 * (said). The config must be initialised; -X are kept and applied after the file, in order, by
 * ss_common_finish. */
#define SS_COMMON_OPTIONS "F:X:vh"
#define SS_COMMON_HELP                                                                       \
    "  -F FILE         the config, sesame.yaml (default: built-in defaults)\n"               \
    "  -X NAME=VALUE   an option of the config, or a librdkafka property; may be repeated\n" \
    "  -v              more on standard error; twice for still more\n"                       \
    "  -h              this help\n"

struct ss_common {
    struct ss_config config;
    const char *file;
    const char *overrides[64];
    int override_count, verbose;
};

SS_MUST_USE bool ss_common_init(struct ss_common *common);
SS_MUST_USE bool ss_common_option(struct ss_common *common, const struct ss_command *command,
                                  int letter, const char *value);
SS_MUST_USE bool ss_common_finish(struct ss_common *common);
void ss_common_reset(struct ss_common *common);

/* Around a line of progress on a terminal that is to be written over: the terminal cuts what is too
 * wide, for of a wrapped line only the last part could be written over. */
#define SS_PROGRESS_BEGIN "\r\033[?7l"
#define SS_PROGRESS_END   "\033[K\033[?7h"

/* Prints "sesame NAME: TEXT" and a hint at -h; returns SS_EXIT_USAGE. */
int ss_usage(const struct ss_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A whole number that an option was given; false: it is none within the bounds (said). */
SS_MUST_USE bool ss_usage_number(const struct ss_command *command, const char *option,
                                 const char *text, int64_t min, int64_t max, int64_t *out);
/* Prints the help to standard output; returns SS_EXIT_DONE. */
int ss_help(const struct ss_command *command);
/* Wipes the line that shows how far it is, if standard error is a terminal. */
void ss_progress_wipe(bool terminal);
/* Flushes standard output. Where not all of it could be written, whoever reads it has a part and
 * must not take that for the whole: says so, and turns SS_EXIT_DONE into SS_EXIT_FAILED. */
int ss_printed(int code);
/* For what is written beside PATH and takes its name when it is whole: SS_STOP if PATH is there and
 * no regular file. A device or a pipe would be replaced by the file, /dev/stdout for all others.
 * NULL and "-", for standard output, are fine. */
SS_MUST_USE enum ss_status ss_output_file(const char *path, struct ss_error *err);
/* Prints "sesame: DETAIL"; returns SS_EXIT_FAILED. */
int ss_failed(const struct ss_error *err);

#endif
