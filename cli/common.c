#include "cli/command.h"

#include "cli/help_text.h"
#include "config/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int ss_usage(const struct ss_command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "sesame %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    ss_help_usage(stderr, command->name, command->usage);
    fprintf(stderr, "(sesame %s -h says more)\n", command->name);
    return SS_EXIT_USAGE;
}

bool ss_usage_number(const struct ss_command *command, const char *option, const char *text,
                     int64_t min, int64_t max, int64_t *out)
{
    if (ss_number_parse(text, min, max, out) == SS_NUMBER_OK)
        return true;
    ss_usage(command, "--%s: '%s' is no whole number from %" PRId64 " to %" PRId64, option, text,
             min, max);
    return false;
}

int ss_help(const struct ss_command *command)
{
    ss_help_usage(stdout, command->name, command->usage);
    printf("\n%s\n\n", command->summary);
    ss_help_text(stdout, command->help);
    return SS_EXIT_DONE;
}

void ss_progress_wipe(bool terminal)
{
    if (terminal)
        fputs("\r\033[K", stderr);
}

int ss_printed(int code)
{
    const bool flushed = fflush(stdout) == 0;
    if (flushed && !ferror(stdout))
        return code;
    if (!flushed && errno == EPIPE) /* the reader has had enough */
        return code == SS_EXIT_DONE ? SS_EXIT_FAILED : code;
    /* Of a failure before the last one the reason is gone. */
    fprintf(stderr, "sesame: cannot write all of standard output%s%s\n", flushed ? "" : ": ",
            flushed ? "" : strerror(errno));
    return code == SS_EXIT_DONE ? SS_EXIT_FAILED : code;
}

enum ss_status ss_output_file(const char *path, struct ss_error *err)
{
    struct stat there;
    if (!path || strcmp(path, "-") == 0 || stat(path, &there) != 0 || S_ISREG(there.st_mode))
        return SS_OK;
    return ss_fail(err, SS_STOP, "cannot write %.200s: it is %s; name a file", path,
                   S_ISDIR(there.st_mode) ? "a folder" : "no regular file");
}

int ss_failed(const struct ss_error *err)
{
    fprintf(stderr, "sesame: %s\n", err->detail);
    return SS_EXIT_FAILED;
}

bool ss_common_init(struct ss_common *common)
{
    struct ss_error err;
    memset(common, 0, sizeof *common);
    if (ss_config_init(&common->config, &err) == SS_OK)
        return true;
    ss_failed(&err);
    return false;
}

bool ss_common_option(struct ss_common *common, const struct ss_command *command, int letter,
                      const char *value)
{
    switch (letter) {
    case 'F':
        common->file = value;
        return true;
    case 'X':
        if (common->override_count ==
            (int)(sizeof common->overrides / sizeof common->overrides[0])) {
            ss_usage(command, "too many -X; put them into the config file");
            return false;
        }
        common->overrides[common->override_count++] = value;
        return true;
    case 'v':
        common->verbose++;
        return true;
    case 'h':
        ss_help(command);
        exit(ss_printed(SS_EXIT_DONE));
    default:
        ss_usage(command, "wrong options"); /* getopt has said which */
        return false;
    }
}

bool ss_common_finish(struct ss_common *common)
{
    struct ss_error err;
    enum ss_status status = SS_OK;
    if (common->file)
        status = ss_config_load(&common->config, common->file, &err);
    for (int i = 0; status == SS_OK && i < common->override_count; i++)
        status = ss_config_set(&common->config, common->overrides[i], &err);
    if (status != SS_OK) {
        ss_failed(&err);
        return false;
    }
    int level = (int)common->config.log_level + common->verbose;
    ss_log_set_level(level > SS_LOG_DEBUG ? SS_LOG_DEBUG : (enum ss_log_level)level);
    return true;
}

void ss_common_reset(struct ss_common *common)
{
    ss_config_reset(&common->config);
}
