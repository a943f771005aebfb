/* cmd_check_config.c - what the engine would run with. */
#include "cli/command.h"
#include "config/model_file.h"
#include "config/models.h"
#include "consumer/engine.h"
#include "state/key_file.h"

#include <getopt.h>
#include <stdio.h>

enum { PRINT_MAX = 1 << 20 };

static enum ss_status check(const struct ss_config *config, bool docs, struct ss_error *err)
{
    struct ss_buffer text;
    char structural[SS_NAME_MAX];
    struct ss_models models = {0};
    struct ss_key_file *keys = NULL;
    ss_buffer_init(&text, PRINT_MAX);
    enum ss_status status = SS_OK;
    if (docs) {
        status = ss_config_print_docs(&text, err);
    } else {
        status = ss_config_check(config, err);
        if (status == SS_OK)
            status = ss_engine_access_check(config, err);
        if (status == SS_OK)
            status = ss_models_load(config->model_file, config->business_model_file, &models, err);
        if (status == SS_OK && config->encryption_key_file)
            status = ss_key_file_open(config->encryption_key_file, &keys, err);
        if (status == SS_OK)
            status = ss_model_structural_version(models.person, structural, err);
        if (status == SS_OK)
            status = ss_config_print(config, &text, err);
    }
    if (status == SS_OK) {
        fwrite(text.data, 1, text.size, stdout);
        if (!docs)
            printf("\n# model %s, structural %s\n", models.person->version, structural);
        if (models.business)
            printf("# model of businesses %s\n", models.business->version);
    }
    /* Enough for other commands, perhaps: no failure. */
    struct ss_error missing;
    if (status == SS_OK && !docs && ss_config_check_for_run(config, &missing) != SS_OK)
        fprintf(stderr, "sesame: for `sesame run`, %s\n", missing.detail);
    ss_buffer_reset(&text);
    ss_key_file_close(keys);
    ss_models_free(&models);
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option long_options[] = {{"docs", no_argument, NULL, 'd'}, {0}};
    struct ss_common common;
    struct ss_error err;
    bool docs = false;
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt_long(argc, argv, SS_COMMON_OPTIONS, long_options, NULL)) != -1) {
        if (letter == 'd')
            docs = true;
        else if (!ss_common_option(&common, &ss_command_check_config, letter, optarg))
            goto out;
    }
    if (optind < argc) {
        code = ss_usage(&ss_command_check_config, "'%s' is not expected", argv[optind]);
        goto out;
    }
    code = SS_EXIT_FAILED;
    if (ss_common_finish(&common))
        code = check(&common.config, docs, &err) == SS_OK ? SS_EXIT_DONE : ss_failed(&err);
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_check_config = {
    .name = "check-config",
    .summary = "validate the config; print what is in effect, and the model's version",
    .usage = "[-F sesame.yaml] [-X NAME=VALUE …] [--docs]",
    .help = SS_COMMON_HELP "  --docs          print docs/configuration.md instead\n",
    .run = run,
};
