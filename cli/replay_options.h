/* replay_options.h - the options that `sesame replay` and `sesame snapshot` share. */
#ifndef SS_CLI_REPLAY_OPTIONS_H
#define SS_CLI_REPLAY_OPTIONS_H

#include "audit/replay.h"
#include "cli/command.h"
#include "cli/logs.h"

struct ss_replay_request {
    struct ss_logs_request logs;
    struct ss_replay_options options;
    struct ss_source_users *users; /* NULL: everybody */
    const char *from;              /* a time, or offsets */
    const char *partitions;        /* "0-3,7" */
    bool wrong;                    /* an option was, and it was said */
    /* made by ss_replay_request_finish */
    bool *wanted;
    int64_t *offsets;
    struct ss_source_report *reports;
    struct ss_key_ring *keys;
    const struct ss_sealer *sealer;
    struct ss_model_store *known;
    struct ss_model_shelf shelf;
    struct ss_models models;
    enum ss_replay_friendship friendship; /* once it has run, as are the reports */
    bool terminal;
    double started, said;
};

#define SS_REPLAY_LONG_OPTIONS                                                                     \
    {"files", required_argument, NULL, 'f'}, {"until", required_argument, NULL, 't'},              \
        {"from", required_argument, NULL, 'o'}, {"committed", no_argument, NULL, 'c'},             \
        {"user", required_argument, NULL, 'u'}, {"users", required_argument, NULL, 'U'},           \
        {"partitions", required_argument, NULL, 'p'},                                              \
        {"partition-count", required_argument, NULL, 'P'},                                         \
        {"fields", required_argument, NULL, 'i'}, {"threads", required_argument, NULL, 'T'},       \
        {"model", required_argument, NULL, 'm'}, {"business-model", required_argument, NULL, 'b'}, \
    {                                                                                              \
        "assume-consent", no_argument, NULL, 'a'                                                   \
    }

#define SS_REPLAY_HELP                                                                             \
    "  --files DIR         read archived Avro files: those of Kafka Connect's sinks, whose "       \
    "names\n"                                                                                      \
    "                      and records tell partition and offset, or payments.avro, bills.avro,\n" \
    "                      …; missing ones are empty\n"                                          \
    "  --fields P,O[,T]    what the archived records' fields of partition, offset and timestamp\n" \
    "                      are called (kafka_partition,kafka_offset,kafka_timestamp)\n"            \
    "  --partition-count N of the archived topics, where the last ones are empty\n"                \
    "  --committed         from Kafka: up to what the config's group has committed, instead of\n"  \
    "                      up to the end\n"                                                        \
    "  --from TIME         begin with records of then; or with offsets: payments/0=1200,…\n"     \
    "  --until TIME        leave out what occurred later, and score as of then\n"                  \
    "  --user ID, --users FILE  of these users only; a file has one a line\n"                      \
    "  --partitions LIST   of these only: 0-3,7\n"                                                 \
    "  --threads N         partitions folded at a time (the machine's processors)\n"               \
    "  --model MODEL       a model.yaml, or a version that sesame-models has, instead of the "     \
    "one\n"                                                                                        \
    "                      that is live there (without that topic: instead of the config's)\n"     \
    "  --business-model MODEL  the same for small businesses\n"                                    \
    "  --assume-consent    score users without any consent record too: for studies\n"

void ss_replay_request_init(struct ss_replay_request *request);
void ss_replay_request_reset(struct ss_replay_request *request);
/* false: not one of these, or wrong (said). */
bool ss_replay_request_option(struct ss_replay_request *request, const struct ss_command *command,
                              int letter, char *value);
/* What needs the logs and the config: partitions, offsets, models, keys, progress. */
SS_MUST_USE enum ss_status ss_replay_request_finish(struct ss_replay_request *request,
                                                    const struct ss_logs *logs,
                                                    const struct ss_config *config,
                                                    struct ss_error *err);
/* The keys alone: options.sealer. */
SS_MUST_USE enum ss_status ss_replay_request_keys(struct ss_replay_request *request,
                                                  const struct ss_config *config,
                                                  struct ss_error *err);
/* The bar, which begins now; its argument is the request. */
void (*ss_replay_request_progress(struct ss_replay_request *request))(void *, int64_t, double);
void ss_replay_request_clear(struct ss_replay_request *request); /* the bar goes */
/* How friends were followed, or that they were not. */
void ss_replay_request_print_friends(const struct ss_replay_request *request,
                                     const struct ss_source *source);

#endif
