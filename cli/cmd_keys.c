/* cmd_keys.c - the key file of encrypted states: made, rotated, listed. Keys are never printed. */
#include "base/clock.h"
#include "cli/command.h"
#include "state/key_file.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_ACTIVE_IN_S = 3600, ACTIVE_IN_MAX_S = 366 * 86400 };

/* 0, 90s, 10m, 12h, 7d; seconds without a unit. */
static bool parse_duration(const char *text, int64_t *seconds)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    long value = strtol(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0 && value <= ACTIVE_IN_MAX_S / units[i].seconds) {
            *seconds = value * units[i].seconds;
            return true;
        }
    return false;
}

static int new_key(const char *path, int64_t active_in_s)
{
    struct ss_key_file *file;
    struct ss_key_entry added;
    struct ss_error err;
    char from[SS_KEY_TIME_SIZE];
    int64_t now = ss_clock_wall_ms();
    if (ss_key_file_add(path, now, now + active_in_s * 1000, &added, &err) != SS_OK ||
        ss_key_file_open(path, &file, &err) != SS_OK)
        return ss_failed(&err);
    /* The only key of a file seals whatever its time is. */
    bool seals = ss_key_file_entry(file, ss_key_file_current(file, now))->id == added.id;
    ss_key_file_close(file);
    if (seals)
        printf("key %u added to %s; it seals from now on\n", added.id, path);
    else
        printf("key %u added to %s; it opens from now on and seals from %s on.\n"
               "Until then every process of the group must have this file.\n",
               added.id, path, ss_key_time_text(added.active_from_ms, from));
    return SS_EXIT_DONE;
}

static int list_keys(const char *path)
{
    struct ss_key_file *file;
    struct ss_error err;
    char created[SS_KEY_TIME_SIZE], from[SS_KEY_TIME_SIZE];
    int64_t now = ss_clock_wall_ms();
    if (ss_key_file_open(path, &file, &err) != SS_OK)
        return ss_failed(&err);
    size_t current = ss_key_file_current(file, now);
    printf("%9s  %-20s  %-20s  %s\n", "id", "created", "active from", "state");
    for (size_t i = 0; i < ss_key_file_count(file); i++) {
        const struct ss_key_entry *key = ss_key_file_entry(file, i);
        const char *state = i == current                 ? "seals and opens"
                            : key->active_from_ms <= now ? "opens"
                                                         : "opens; seals from its time on";
        printf("%9u  %-20s  %-20s  %s\n", key->id, ss_key_time_text(key->created_ms, created),
               ss_key_time_text(key->active_from_ms, from), state);
    }
    ss_key_file_close(file);
    return SS_EXIT_DONE;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"active-in", required_argument, NULL, 'a'}, {"help", no_argument, NULL, 'h'}, {0}};
    int64_t active_in_s = -1;
    int letter;
    while ((letter = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (letter == 'h')
            return ss_help(&ss_command_keys);
        if (letter != 'a')
            return ss_usage(&ss_command_keys, "see the options below");
        if (!parse_duration(optarg, &active_in_s))
            return ss_usage(&ss_command_keys,
                            "--active-in takes a duration up to 366d: 0, 90s, 10m, 12h, 7d; not "
                            "'%s'",
                            optarg);
    }
    if (argc - optind < 1)
        return ss_usage(&ss_command_keys, "new or list?");
    const char *verb = argv[optind];
    bool is_new = strcmp(verb, "new") == 0;
    if (!is_new && strcmp(verb, "list") != 0)
        return ss_usage(&ss_command_keys, "there is no 'keys %s', but new and list", verb);
    if (argc - optind != 2)
        return ss_usage(&ss_command_keys, "keys %s takes one key file", verb);
    if (!is_new && active_in_s >= 0)
        return ss_usage(&ss_command_keys, "--active-in is for keys new");
    const char *path = argv[optind + 1];
    return is_new ? new_key(path, active_in_s >= 0 ? active_in_s : DEFAULT_ACTIVE_IN_S)
                  : list_keys(path);
}

const struct ss_command ss_command_keys = {
    .name = "keys",
    .summary = "make, rotate and list the keys of encrypted states",
    .usage = "new FILE [--active-in DURATION] | list FILE",
    .help =
        "`keys new` adds a random key to FILE, or makes FILE with one. The first key seals at "
        "once.\n"
        "A further one only opens at first, and seals once its time has come, by when every\n"
        "process must have the file; processes re-read it by themselves. `keys list` shows ids\n"
        "and times, never keys. docs/encryption.md has the steps of a rotation.\n\n"
        "  --active-in DURATION   when a further key begins to seal: 0, 90s, 10m, 12h, 7d\n"
        "                         (default: 1h)\n"
        "  -h                     this help\n",
    .run = run,
};
