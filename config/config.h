/* config.h - what the engine was told: sesame.yaml, then -X name=value, later ones winning.
 *
 *   ss_config_init ──> ss_config_load (0 or 1 times) ──> ss_config_set … ──>
 * ss_config_check_for_run
 *
 * Every option of ours stands once in the table of options.c, from which loading, -X, `sesame
 * check-config` and docs/configuration.md come. What is no option of ours is a librdkafka property:
 * kept as text, in order, and handed on.
 *
 * In the file, ${NAME} is replaced by the environment variable NAME, ${NAME:-default} falls back
 * where it is unset or empty, and $${ is a plain ${. Not in keys, and not in -X, where the shell
 * does it.
 *
 * All errors are SS_STOP and name file and line (or the -X), key, value and what is allowed; the
 * value of a secret is never in them. After an error only ss_config_reset is allowed.
 *
 * Threads: filled by one, then immutable, so any may read.
 */
#ifndef SS_CONFIG_CONFIG_H
#define SS_CONFIG_CONFIG_H

#include "base/bytes.h"
#include "base/log.h"
#include "base/status.h"
#include "scoring/sharing.h"

/* Which clients a librdkafka property is for. */
enum ss_clients { SS_CLIENTS_ALL, SS_CLIENTS_CONSUMER, SS_CLIENTS_PRODUCER };

struct ss_property {
    enum ss_clients clients;
    char *name, *value;
    int line; /* in the file; 0 from -X */
};

/* Who may see scores of users that share them, and how much of them. */
struct ss_subscriber {
    char *name; /* as in SHARE grants; 1 to 64 bytes, no control characters */
    uint32_t hash;
    char *topic;
    uint32_t fields; /* SS_FIELD_BIT */
    int line;
};

enum ss_clock_source { SS_CLOCK_SYSTEM, SS_CLOCK_EVENTS };

enum { SS_CONFIG_OPTIONS_MAX = 64 };

/* Texts are owned by the config; those marked optional are NULL while not set. */
struct ss_config {
    char *group;
    char *instance; /* unique per process; the host name by default */
    int64_t workers;

    char *registry_url;        /* optional; "embedded:" for the schemas in the binary */
    char *registry_basic_auth; /* optional; secret, user:password */
    char *registry_ca_file;    /* optional */
    int64_t registry_timeout_ms;

    char *redis_url; /* optional; may hold a password */
    char *redis_prefix;
    int64_t redis_buckets;
    int64_t redis_timeout_ms;

    char *input_topics[SS_INPUT_COUNT];
    char *scores_topic, *entitlements_topic, *dead_letters_topic, *state_topic, *ranks_topic;
    char *models_topic;
    int64_t topic_partitions, topic_replication; /* for `topics create` */
    int64_t scores_retention_ms, neighbours_retention_ms;
    int64_t state_segment_ms, state_max_compaction_lag_ms, state_delete_retention_ms;
    int64_t state_heartbeat_ms;
    int64_t ranks_interval_ms, ranks_history_ms;

    int64_t clock_source; /* enum ss_clock_source */
    int64_t clock_wake_interval_ms;

    int64_t batch_records_max, batch_wait_ms;
    int64_t batch_rescore_users_max;
    int64_t memory_fetch_bytes_max, cache_bytes_max; /* per worker */
    int64_t restore_timeout_ms;

    int64_t events_future_tolerance_ms;
    int64_t events_value_bytes_max;
    int64_t dead_letters_value_bytes_max;

    char *serve_listen; /* optional; http://address:port */
    int64_t serve_stuck_ms;

    char *encryption_key_file;       /* optional; NULL is no encryption */
    int64_t encryption_plain_states; /* enum ss_plain_states (state/seal.h) */

    char *model_file;          /* optional; NULL is the built-in model, as in ss_model_load */
    char *business_model_file; /* optional; NULL: businesses are scored as persons are */
    int64_t log_level;         /* enum ss_log_level */

    struct ss_subscriber subscribers[SS_SUBSCRIBERS_MAX];
    int subscriber_count;

    /* librdkafka's, in the order in which to set them: a later one wins over an earlier one. Those
     * for ALL clients and those for one kind are interleaved; pick by ss_property_is_for. */
    struct ss_property *properties;
    size_t property_count;

    char *file;                        /* path of the loaded file, NULL without one */
    int set_by[SS_CONFIG_OPTIONS_MAX]; /* by option: 0 default, line of the file, -1 for -X */
};

/* Everything at its default. */
SS_MUST_USE enum ss_status ss_config_init(struct ss_config *config, struct ss_error *err);
void ss_config_reset(struct ss_config *config);

/* Reads sesame.yaml. Paths in it are relative to its folder. */
SS_MUST_USE enum ss_status ss_config_load(struct ss_config *config, const char *path,
                                          struct ss_error *err);
/* The same from text; `path` names it in errors and is what paths are relative to. */
SS_MUST_USE enum ss_status ss_config_parse(struct ss_config *config, const char *text, size_t size,
                                           const char *path, struct ss_error *err);

/* One -X "name=value". An option of ours by its dotted name ("redis.url=…"), or else a librdkafka
 * property for all clients; with "kafka.", "kafka_consumer." or "kafka_producer." before it, surely
 * one. */
SS_MUST_USE enum ss_status ss_config_set(struct ss_config *config, const char *assignment,
                                         struct ss_error *err);

/* What only shows in the whole: no topic name twice, no subscriber twice, and the like. */
SS_MUST_USE enum ss_status ss_config_check(const struct ss_config *config, struct ss_error *err);
/* That, and what `run` cannot do without and nobody can guess: brokers, Redis, registry. Lists all
 * that is missing at once. */
SS_MUST_USE enum ss_status ss_config_check_for_run(const struct ss_config *config,
                                                   struct ss_error *err);

/* That producers and consumers know of brokers. SS_STOP: they do not; says how to set them. */
SS_MUST_USE enum ss_status ss_config_check_brokers(const struct ss_config *config,
                                                   struct ss_error *err);

/* Whether a property applies to clients of this kind: SS_CLIENTS_CONSUMER or SS_CLIENTS_PRODUCER
 * also get what is for ALL; SS_CLIENTS_ALL (an admin client, say) gets only that. */
static inline bool ss_property_is_for(const struct ss_property *property, enum ss_clients clients)
{
    return property->clients == SS_CLIENTS_ALL || property->clients == clients;
}
/* The value that wins for clients of this kind; NULL if the property is not set. */
const char *ss_config_property(const struct ss_config *config, enum ss_clients clients,
                               const char *name);

/* Appends the effective config, defaults included, as a sesame.yaml that loads again; each line
 * says where its value comes from. Secrets appear as "****". */
SS_MUST_USE enum ss_status ss_config_print(const struct ss_config *config, struct ss_buffer *out,
                                           struct ss_error *err);
/* Appends docs/configuration.md. */
SS_MUST_USE enum ss_status ss_config_print_docs(struct ss_buffer *out, struct ss_error *err);

#endif
