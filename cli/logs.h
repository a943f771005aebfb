/* logs.h - where a command that audits reads from: Kafka as the config says, or files. */
#ifndef SS_CLI_LOGS_H
#define SS_CLI_LOGS_H

#include "audit/model_store.h"
#include "audit/source.h"
#include "config/config.h"

struct ss_logs_request {
    const char *directory;          /* NULL: Kafka */
    struct ss_source_fields fields; /* of archives */
    int32_t partition_count;        /* of archives; 0: as they look */
    bool committed;                 /* Kafka: up to what the config's group has committed */
};

struct ss_logs {
    struct ss_source *source;
    struct ss_registry *registry;
    struct ss_kafka_access access;
};

/* Takes "partition,offset[,timestamp]" apart, in place. false: it is not that. */
bool ss_logs_fields(char *text, struct ss_source_fields *fields);

/* Borrows config and request. *logs can be closed whatever comes of it. */
SS_MUST_USE enum ss_status ss_logs_open(struct ss_logs *logs, const struct ss_logs_request *request,
                                        const struct ss_config *config, struct ss_error *err);
void ss_logs_close(struct ss_logs *logs);

/* Opens *models, which can be closed whatever comes of it, and reads into it what `sesame-models`
 * says, on Kafka or in the archive. *found: it says what was live. */
SS_MUST_USE enum ss_status ss_logs_models(const struct ss_logs *logs,
                                          const struct ss_logs_request *request,
                                          const struct ss_config *config,
                                          struct ss_model_store **models, bool *found,
                                          struct ss_error *err);
/* The pair that a command works with, for ss_models_free: the models that it was told by name, each
 * a version of `sesame-models` or a file; else what is live there; else the config's. */
SS_MUST_USE enum ss_status ss_logs_pair(const struct ss_model_store *known,
                                        const struct ss_config *config, const char *person,
                                        const char *business, struct ss_models *models,
                                        struct ss_error *err);
/* SS_STOP, with what a name could have been. */
enum ss_status ss_logs_model_unknown(const char *name, const struct ss_config *config,
                                     struct ss_error *err);
/* Says on standard error which models were asked for and are nowhere, and what to do. */
void ss_logs_models_missed(const struct ss_model_store *models, const struct ss_config *config);

#endif
