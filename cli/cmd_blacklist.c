/* cmd_blacklist.c - publishes a court's list of cases to the blacklist topic. */
#include "cli/blacklist_import.h"
#include "cli/command.h"
#include "cli/stopping.h"
#include "config/number.h"

#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static int conclude(const struct ss_blacklist_import *options,
                    const struct ss_blacklist_result *result, const struct ss_error *err)
{
    int64_t rows = result->rows - result->rows_before;
    if (options->dry_run)
        printf("%" PRId64 " rows, %" PRId64 " fit to be published, %" PRId64 " rejected",
               result->rows, result->rows - result->rejected, result->rejected);
    else
        printf("%" PRId64 " rows, %" PRId64 " published, %" PRId64 " rejected", result->rows,
               result->published, result->rejected);
    printf(" in %.1f s (%.0f rows/s)", result->seconds,
           result->seconds > 0 ? (double)rows / result->seconds : 0);
    if (result->rows_before)
        printf(", %" PRId64 " of the rows by an earlier run", result->rows_before);
    putchar('\n');
    if (result->rejected && options->rejects_path)
        fprintf(stderr, "sesame: the rejected rows and the reasons are in %s\n",
                options->rejects_path);
    switch (result->end) {
    case SS_BLACKLIST_COMPLETE:
        break;
    case SS_BLACKLIST_REJECTED_TOO_MANY:
        fprintf(stderr, "sesame: more than %" PRId64 " rows are rejected: ended there\n",
                options->rejects_max);
        break;
    case SS_BLACKLIST_STOPPED:
    case SS_BLACKLIST_UNDELIVERED:
        if (result->end == SS_BLACKLIST_UNDELIVERED)
            fprintf(stderr, "sesame: %s\n", err->detail);
        fprintf(stderr, "sesame: ended before the last row; the same command goes on%s%s\n",
                options->dry_run ? "" : " from ", options->dry_run ? "" : options->progress_path);
        return SS_EXIT_UNFINISHED;
    }
    return result->rejected ? SS_EXIT_FAILED : SS_EXIT_DONE;
}

static int import(struct ss_blacklist_import *options, const struct ss_config *config)
{
    struct ss_blacklist_result result;
    struct ss_error err;
    char beside[PATH_MAX];
    if (!options->dry_run &&
        (!config->registry_url ||
         !ss_config_property(config, SS_CLIENTS_PRODUCER, "bootstrap.servers"))) {
        fprintf(stderr, "sesame: blacklist import needs bootstrap.servers and registry.url "
                        "(-F FILE, or -X), or --dry-run\n");
        return SS_EXIT_FAILED;
    }
    if (!options->progress_path) {
        if (snprintf(beside, sizeof beside, "%s.progress", options->path) >= (int)sizeof beside) {
            fprintf(stderr, "sesame: the name of the file is too long\n");
            return SS_EXIT_FAILED;
        }
        options->progress_path = beside;
    }
    options->stop = ss_stopping_catch();
    enum ss_status status = ss_blacklist_import(options, config, &result, &err);
    return status == SS_OK ? conclude(options, &result, &err) : ss_failed(&err);
}

static bool option(struct ss_blacklist_import *options, struct ss_common *common, int letter,
                   const char *value)
{
    switch (letter) {
    case 'r':
        options->rejects_path = value;
        return true;
    case 'm':
        if (ss_number_parse(value, 0, INT64_MAX, &options->rejects_max) == SS_NUMBER_OK)
            return true;
        ss_usage(&ss_command_blacklist, "--rejects-max: '%s' is no whole number from 0", value);
        return false;
    case 'p':
        options->progress_path = value;
        return true;
    case 'i':
        options->ignore_columns = true;
        return true;
    case 'R':
        options->restart = true;
        return true;
    case 'd':
        options->dry_run = true;
        return true;
    default:
        return ss_common_option(common, &ss_command_blacklist, letter, value);
    }
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"rejects", required_argument, NULL, 'r'},
                                                 {"rejects-max", required_argument, NULL, 'm'},
                                                 {"progress", required_argument, NULL, 'p'},
                                                 {"ignore-columns", no_argument, NULL, 'i'},
                                                 {"restart", no_argument, NULL, 'R'},
                                                 {"dry-run", no_argument, NULL, 'd'},
                                                 {0}};
    const struct ss_command *self = &ss_command_blacklist;
    struct ss_blacklist_import options = {.rejects_max = INT64_MAX};
    struct ss_common common;
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1)
        if (!option(&options, &common, letter, optarg))
            goto out;
    if (optind == argc || strcmp(argv[optind], "import") != 0) {
        code = ss_usage(self, "say what to do: import FILE.csv");
    } else if (optind + 2 != argc) {
        code = ss_usage(self, "import takes one file");
    } else {
        options.path = argv[optind + 1];
        code = ss_common_finish(&common) ? import(&options, &common.config) : SS_EXIT_FAILED;
    }
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_blacklist = {
    .name = "blacklist",
    .summary = "blacklist import: publish a court's list of cases from a CSV file",
    .usage = "import FILE.csv -F sesame.yaml [--rejects FILE] [--rejects-max N]\n"
             "           [--ignore-columns] [--restart] [--progress FILE]\n"
             "       sesame blacklist import FILE.csv --dry-run [--rejects FILE] …",
    .help =
        "  --rejects FILE    the rejected rows as CSV, with line and reason, instead of on "
        "standard\n"
        "                    error; replaces the file\n"
        "  --rejects-max N   ends once more than N rows are rejected\n"
        "  --ignore-columns  passes over columns it does not know\n"
        "  --restart         from the first row, whatever an earlier run has published\n"
        "  --progress FILE   where progress is kept (default: FILE.csv.progress); gone in the end\n"
        "  --dry-run         only reads and checks the file; needs no broker\n" SS_COMMON_HELP
        "\nThe first line names the columns, in any order, separated by commas: user_id, case_id,\n"
        "authority, amount_owed (1234.56, in the currency's own unit), currency, listed_at\n"
        "(2024-05-01, or with a time), and optionally action (LISTED, the default, or DELISTED).\n"
        "What was interrupted goes on where it was when it is run again. Importing a row twice\n"
        "changes nothing; docs/blacklist.md says within which bounds.\n"
        "Ends with 0 if all rows are published, 1 if some are rejected or it failed, 3 if it was\n"
        "interrupted or Kafka went away, and is to be run again.\n",
    .run = run,
};
