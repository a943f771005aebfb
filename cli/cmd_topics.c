/* cmd_topics.c - makes the topics with the partitions, cleanup policies and sizes that the contract
 * asks for. */
#include "cli/command.h"
#include "consumer/engine.h"
#include "consumer/kafka_admin.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { REST_COUNT = 6, TOPICS_MAX = SS_INPUT_COUNT + REST_COUNT + SS_SUBSCRIBERS_MAX };
enum { TIMEOUT_MS = 60000, HEADERS_BYTES = 65536 };

struct numbers {
    char scores_retention[24], neighbours_retention[24], dead_letter_bytes[24];
    char segment[24], compaction_lag[24], delete_retention[24];
    char ranks_segment[24], ranks_history[24];
};

static void format_numbers(const struct ss_config *config, struct numbers *numbers)
{
    const struct {
        char *text;
        int64_t value;
    } list[] = {
        {numbers->scores_retention, config->scores_retention_ms},
        {numbers->neighbours_retention, config->neighbours_retention_ms},
        {numbers->dead_letter_bytes, config->dead_letters_value_bytes_max + HEADERS_BYTES},
        {numbers->segment, config->state_segment_ms},
        {numbers->compaction_lag, config->state_max_compaction_lag_ms},
        {numbers->delete_retention, config->state_delete_retention_ms},
        {numbers->ranks_segment, config->ranks_history_ms / 4},
        {numbers->ranks_history, config->ranks_history_ms},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        snprintf(list[i].text, sizeof numbers->segment, "%lld", (long long)list[i].value);
}

static int create(const struct ss_config *config)
{
    struct numbers numbers;
    format_numbers(config, &numbers);
    /* The events are the ground that every score can be proven from: kept until the operator says
     * otherwise. Their time is the broker's: an event is judged by how far it lies ahead of it,
     * which no producer's clock shall decide. */
    const struct ss_kafka_property inputs[] = {{"cleanup.policy", "delete"},
                                               {"retention.ms", "-1"},
                                               {"message.timestamp.type", "LogAppendTime"}};
    const struct ss_kafka_property neighbours[] = {{"cleanup.policy", "delete"},
                                                   {"retention.ms", numbers.neighbours_retention},
                                                   {"segment.ms", numbers.segment},
                                                   {"message.timestamp.type", "LogAppendTime"}};
    const struct ss_kafka_property outputs[] = {{"cleanup.policy", "delete"},
                                                {"retention.ms", numbers.scores_retention}};
    const struct ss_kafka_property dead_letters[] = {
        {"cleanup.policy", "delete"},
        {"retention.ms", numbers.scores_retention},
        {"max.message.bytes", numbers.dead_letter_bytes}};
    /* LogAppendTime: a checkpoint is dated by the broker's clock. Segments roll and are compacted
     * in bounded time, for an erased user must leave the changelog too. */
    const struct ss_kafka_property state[] = {{"cleanup.policy", "compact"},
                                              {"message.timestamp.type", "LogAppendTime"},
                                              {"segment.ms", numbers.segment},
                                              {"max.compaction.lag.ms", numbers.compaction_lag},
                                              {"delete.retention.ms", numbers.delete_retention},
                                              {"min.cleanable.dirty.ratio", "0.2"}};
    /* Nothing is compacted that a percentile may still be recomputed from, and the rest soon, for
     * every process reads the whole. */
    const struct ss_kafka_property ranks[] = {{"cleanup.policy", "compact"},
                                              {"segment.ms", numbers.ranks_segment},
                                              {"min.compaction.lag.ms", numbers.ranks_history},
                                              {"min.cleanable.dirty.ratio", "0.1"}};
    /* One partition: the order of activations is what counts. A key is never written twice. */
    const struct ss_kafka_property models[] = {{"cleanup.policy", "compact"}};
    const struct {
        const char *name;
        struct ss_kafka_properties properties;
    } rest[REST_COUNT] = {
        {config->scores_topic, {outputs, sizeof outputs / sizeof outputs[0]}},
        {config->entitlements_topic, {outputs, sizeof outputs / sizeof outputs[0]}},
        {config->dead_letters_topic, {dead_letters, sizeof dead_letters / sizeof dead_letters[0]}},
        {config->state_topic, {state, sizeof state / sizeof state[0]}},
        {config->ranks_topic, {ranks, sizeof ranks / sizeof ranks[0]}},
        {config->models_topic, {models, sizeof models / sizeof models[0]}},
    };
    /* What a subscriber has to forget must leave its topic in the same time. */
    const struct ss_kafka_properties shared = {state, sizeof state / sizeof state[0]};
    struct ss_kafka_topic topics[TOPICS_MAX] = {0};
    size_t count = 0;
    for (int i = 0; i < SS_INPUT_COUNT; i++)
        topics[count++] = (struct ss_kafka_topic){
            .name = config->input_topics[i], .config = {inputs, sizeof inputs / sizeof inputs[0]}};
    topics[SS_NEIGHBOURS].config =
        (struct ss_kafka_properties){neighbours, sizeof neighbours / sizeof neighbours[0]};
    for (int i = 0; i < REST_COUNT; i++)
        topics[count++] =
            (struct ss_kafka_topic){.name = rest[i].name, .config = rest[i].properties};
    for (int i = 0; i < config->subscriber_count; i++)
        topics[count++] =
            (struct ss_kafka_topic){.name = config->subscribers[i].topic, .config = shared};
    for (size_t i = 0; i < count; i++) {
        bool single =
            topics[i].name == config->ranks_topic || topics[i].name == config->models_topic;
        topics[i].partitions = single ? 1 : (int32_t)config->topic_partitions;
        topics[i].replication = (int)config->topic_replication;
    }
    struct ss_error err;
    struct ss_kafka_access access;
    if (ss_engine_access_open(config, &access, &err) != SS_OK)
        return ss_failed(&err);
    enum ss_status status = ss_kafka_topics_create(&access, topics, count, TIMEOUT_MS, &err);
    for (size_t i = 0; i < count && status != SS_RETRY; i++)
        printf("%-24s %s\n", topics[i].name, topics[i].created ? "created" : "was there already");
    ss_engine_access_close(&access);
    return status == SS_OK ? SS_EXIT_DONE : ss_failed(&err);
}

static int run(int argc, char **argv)
{
    struct ss_common common;
    struct ss_error err;
    int letter, code = SS_EXIT_USAGE;

    if (!ss_common_init(&common))
        return SS_EXIT_FAILED;
    while ((letter = getopt(argc, argv, SS_COMMON_OPTIONS)) != -1)
        if (!ss_common_option(&common, &ss_command_topics, letter, optarg))
            goto out;
    if (optind + 1 != argc || strcmp(argv[optind], "create") != 0) {
        code = ss_usage(&ss_command_topics, "say what to do: create");
        goto out;
    }
    code = SS_EXIT_FAILED;
    if (ss_common_finish(&common)) {
        if (ss_config_check(&common.config, &err) == SS_OK)
            code = create(&common.config);
        else
            ss_failed(&err);
    }
out:
    ss_common_reset(&common);
    return code;
}

const struct ss_command ss_command_topics = {
    .name = "topics",
    .summary = "topics create: make the topics with the right partitions and policies",
    .usage = "create -F sesame.yaml [-X NAME=VALUE …]",
    .help = SS_COMMON_HELP
    "\nTopics that exist already stay as they are; one with another partition count is an error.\n",
    .run = run,
};
