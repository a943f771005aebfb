/* registry.h - a client of the Confluent schema registry's REST API (libcurl and jansson):
 * Confluent's own, Apicurio's ccompat, Karapace, Redpanda's. A base URL may have a path (Apicurio's
 * has) and credentials go into the config, never into a log.
 *
 * A struct ss_registry may be shared by threads: calls are serialised inside, and what was looked
 * up once stays cached (schema ids never change their meaning), within fixed bounds. A
 * lookup of an id that the registry does not know is cached for a short while only, so that a flood
 * of bad ids does not become a flood of requests.
 */
#ifndef SS_SCHEMAS_REGISTRY_H
#define SS_SCHEMAS_REGISTRY_H

#include "schemas/codec.h"

struct ss_registry;

struct ss_registry_config {
    const char *url;        /* http(s)://host:port[/path]; "embedded:" answers from the binary's own
                               schemas, ids 1.. in the order of inputs, outputs, models,
                               those of subscribers as schemas/subscriber_schema.h says; no network */
    const char *basic_auth; /* "user:password", or NULL */
    const char *ca_file;    /* NULL: the system's */
    int timeout_ms;         /* of one request */
};

SS_MUST_USE enum ss_status ss_registry_open(const struct ss_registry_config *config,
                                            struct ss_registry **registry, struct ss_error *err);
void ss_registry_close(struct ss_registry *registry);

/* The JSON text of a schema; the caller frees. SS_DROP: the registry answered that there is none
 * (or not an Avro one); SS_RETRY: no answer, or a 5xx, 429, 401 or 403 (a credential being rotated
 * must not dead-letter a whole topic). */
SS_MUST_USE enum ss_status ss_registry_schema(struct ss_registry *registry, uint32_t id,
                                              char **json, struct ss_error *err);

/* Registers (or finds) a schema under a subject and gives its id. SS_RETRY as above; SS_STOP:
 * refused as incompatible or invalid, with the registry's reason. */
SS_MUST_USE enum ss_status ss_registry_register(struct ss_registry *registry, const char *subject,
                                                const char *json, uint32_t *id,
                                                struct ss_error *err);

/* Looks up the id of exactly this schema under a subject without registering it. SS_DROP: not
 * there. */
SS_MUST_USE enum ss_status ss_registry_find(struct ss_registry *registry, const char *subject,
                                            const char *json, uint32_t *id, struct ss_error *err);

/* Sets a subject's compatibility level, e.g. "BACKWARD". */
SS_MUST_USE enum ss_status ss_registry_set_compatibility(struct ss_registry *registry,
                                                         const char *subject, const char *level,
                                                         struct ss_error *err);

/* The plan for (input, schema id), compiled on first use and kept: shared, owned by the registry,
 * valid until it closes. Fast when cached: lock-free or one uncontended lock. Statuses of
 * ss_registry_schema and ss_plan_open. */
SS_MUST_USE enum ss_status ss_registry_plan(struct ss_registry *registry, enum ss_input input,
                                            uint32_t id, const struct ss_plan **plan,
                                            struct ss_error *err);

#endif
