/* cmd_schemas.c - registers the schemas of all topics, with BACKWARD compatibility. */
#include "cli/command.h"
#include "consumer/engine.h"
#include "schemas/model_record.h"
#include "schemas/registry.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static enum ss_status register_schema(struct ss_registry *registry, const char *topic,
                                      const char *json, struct ss_error *err)
{
    char subject[320];
    uint32_t id;
    snprintf(subject, sizeof subject, "%s-value", topic);
    enum ss_status status = ss_registry_register(registry, subject, json, &id, err);
    if (status == SS_OK)
        status = ss_registry_set_compatibility(registry, subject, "BACKWARD", err);
    if (status == SS_OK)
        printf("%-24s id %u, BACKWARD\n", subject, id);
    return status;
}

static int register_all(const struct ss_config *config)
{
    const struct ss_registry_config where = ss_engine_registry(config);
    const char *const outputs[] = {[SS_SCORES] = config->scores_topic,
                                   [SS_ENTITLEMENTS] = config->entitlements_topic,
                                   [SS_RANKS] = config->ranks_topic};
    struct ss_registry *registry;
    struct ss_error err;
    if (ss_config_check(config, &err) != SS_OK)
        return ss_failed(&err);
    if (!config->registry_url) {
        fprintf(stderr, "sesame: registry.url is not set\n");
        return SS_EXIT_FAILED;
    }
    enum ss_status status = ss_registry_open(&where, &registry, &err);
    if (status != SS_OK)
        return ss_failed(&err);
    for (int input = 0; status == SS_OK && input < SS_INPUT_COUNT; input++)
        status = register_schema(registry, config->input_topics[input],
                                 ss_schema_of_input((enum ss_input)input), &err);
    for (int output = 0; status == SS_OK && output < SS_OUTPUT_COUNT; output++)
        if (ss_schema_of_output((enum ss_output)output))
            status = register_schema(registry, outputs[output],
                                     ss_schema_of_output((enum ss_output)output), &err);
    if (status == SS_OK)
        status = register_schema(registry, config->models_topic, ss_schema_of_models(), &err);
    for (int i = 0; status == SS_OK && i < config->subscriber_count; i++) {
        char *json = NULL;
        status = ss_schema_of_subscriber(config->subscribers[i].fields, &json, &err);
        if (status == SS_OK)
            status = register_schema(registry, config->subscribers[i].topic, json, &err);
        free(json);
    }
    ss_registry_close(registry);
    return status == SS_OK ? SS_EXIT_DONE : ss_failed(&err);
}

static int run(int argc, char **argv)
{
    struct ss_common common;
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt(argc, argv, SS_COMMON_OPTIONS)) != -1)
        if (!ss_common_option(&common, &ss_command_schemas, letter, optarg))
            goto out;
    if (optind + 1 != argc || strcmp(argv[optind], "register") != 0)
        code = ss_usage(&ss_command_schemas, "say what to do: register");
    else
        code = ss_common_finish(&common) ? register_all(&common.config) : SS_EXIT_FAILED;
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_schemas = {
    .name = "schemas",
    .summary = "schemas register: register the schemas of all topics",
    .usage = "register -F sesame.yaml [-X NAME=VALUE …]",
    .help = SS_COMMON_HELP "\nSubjects are <topic>-value, their compatibility is set to BACKWARD. "
                           "Registering again changes\n"
                           "nothing; a schema that the registry finds incompatible is an error.\n",
    .run = run,
};
