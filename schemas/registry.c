/* registry.c - the client of the Confluent REST API.
 *
 * Two locks: cache_lock guards the caches and is held for moments; http_lock guards the connection
 * and is held for a request. Whoever takes both takes http_lock first. A look-up that is cached
 * therefore never waits for the network.
 *
 * What a look-up's answer means: only the registry's own word that there is no such schema drops a
 * record. A 404 that does not carry one of its error codes may as well come from a wrong path in
 * the URL, so the registry is asked for something that every registry has before it is believed. */
#include "schemas/registry.h"
#include "schemas/http.h"
#include "schemas/registry_cache.h"
#include "schemas/schema_check.h"
#include "schemas/schema_tree.h"
#include "schemas/subscriber_schema.h"
#include "schemas/texts.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 1024, REGISTRY_TIMEOUT_MS = 5000 };

struct ss_registry {
    struct ss_http *http; /* NULL: embedded */
    pthread_mutex_t http_lock, cache_lock;
    struct ss_registry_cache cache;
};

enum ss_status ss_registry_open(const struct ss_registry_config *config, struct ss_registry **out,
                                struct ss_error *err)
{
    struct ss_registry *registry = calloc(1, sizeof *registry);
    *out = NULL;
    if (!registry)
        return ss_fail(err, SS_STOP, "out of memory for a registry client");
    pthread_mutex_init(&registry->http_lock, NULL);
    pthread_mutex_init(&registry->cache_lock, NULL);
    if (strcmp(config->url, "embedded:") != 0) {
        struct ss_http_config http = {config->url, config->basic_auth, config->ca_file,
                                      config->timeout_ms};
        if (http.timeout_ms <= 0)
            http.timeout_ms = REGISTRY_TIMEOUT_MS; /* 0 is for ever to curl */
        enum ss_status status = ss_http_open(&http, &registry->http, err);
        if (status != SS_OK) {
            ss_registry_close(registry);
            return status;
        }
    }
    *out = registry;
    return SS_OK;
}

void ss_registry_close(struct ss_registry *registry)
{
    if (!registry)
        return;
    ss_http_close(registry->http);
    ss_registry_cache_reset(&registry->cache);
    pthread_mutex_destroy(&registry->http_lock);
    pthread_mutex_destroy(&registry->cache_lock);
    free(registry);
}

/* --- answers --- */

static json_t *answer_json(const struct ss_http_answer *answer)
{
    return answer->cut || !answer->body.size
               ? NULL
               : json_loadb(answer->body.data, answer->body.size, JSON_REJECT_DUPLICATES, NULL);
}

static int error_code(const json_t *json)
{
    return (int)json_integer_value(json_object_get(json, "error_code"));
}

/* Fails with what the registry said. */
static enum ss_status fail_with(const struct ss_http_answer *answer, const json_t *json,
                                enum ss_status status, const char *what, struct ss_error *err)
{
    const char *message = json_string_value(json_object_get(json, "message"));
    return ss_fail(err, status, "%s: the schema registry answered %ld%s%.300s", what, answer->code,
                   message ? ": " : "", message ? message : "");
}

static bool may_pass(long code)
{
    return code >= 500 || code == 401 || code == 403 || code == 408 || code == 429;
}

/* A 404, or a 400 or 422 to an id: does the registry say so, or is this not the registry at all? */
static enum ss_status judge_missing(struct ss_registry *registry,
                                    const struct ss_http_answer *answer, const json_t *json,
                                    const char *what, struct ss_error *err)
{
    struct ss_http_answer probe;
    int code = error_code(json);
    bool own_word = answer->code == 404 ? code / 100 == 404 : code / 100 == answer->code;
    if (own_word)
        return fail_with(answer, json, SS_DROP, what, err);

    struct ss_error first = {.detail = ""};
    (void)fail_with(answer, json, SS_DROP, what, &first);
    enum ss_status status =
        ss_http_request(registry->http, "GET", "/schemas/types", NULL, &probe, err);
    if (status != SS_OK)
        return status;
    if (probe.code == 200)
        return ss_fail(err, SS_DROP, "%s", first.detail);
    return ss_fail(err, SS_RETRY, "%.300s; is the registry's URL with its path right?",
                   first.detail);
}

/* --- look-ups --- */

static enum ss_status embedded_schema(uint32_t id, char **json, struct ss_error *err)
{
    if (ss_embedded_subscriber(id))
        return ss_schema_of_subscriber(ss_embedded_fields(id), json, err);
    if (id < 1 || id > SS_SCHEMA_TEXT_COUNT)
        return ss_fail(err, SS_DROP, "no schema of id %u is built in", id);
    *json = strdup(ss_schema_texts[id - 1].json);
    return *json ? SS_OK : ss_fail(err, SS_STOP, "out of memory for a schema");
}

/* Takes the schema out of a registry's answer. */
static enum ss_status schema_of_answer(const json_t *json, const char *what, char **schema,
                                       struct ss_error *err)
{
    const char *text = json_string_value(json_object_get(json, "schema"));
    const char *type = json_string_value(json_object_get(json, "schemaType"));
    if (!text)
        return ss_fail(err, SS_RETRY, "%s: the answer is not a schema registry's", what);
    if (type && strcmp(type, "AVRO") != 0)
        return ss_fail(err, SS_DROP, "%s is of type %.32s, not AVRO", what, type);
    if (json_array_size(json_object_get(json, "references")))
        return ss_fail(err, SS_DROP,
                       "%s refers to other schemas, which is not supported: register "
                       "it with all of its types in one text",
                       what);
    if (strlen(text) > SS_SCHEMA_TEXT_MAX)
        return ss_fail(err, SS_DROP, "%s is over the bound of %d bytes", what, SS_SCHEMA_TEXT_MAX);
    *schema = strdup(text);
    return *schema ? SS_OK : ss_fail(err, SS_STOP, "out of memory for a schema");
}

/* With http_lock held. */
static enum ss_status request_schema(struct ss_registry *registry, uint32_t id, char **schema,
                                     struct ss_error *err)
{
    char path[PATH_SIZE], what[64];
    struct ss_http_answer answer;

    snprintf(path, sizeof path, "/schemas/ids/%u", id);
    snprintf(what, sizeof what, "schema id %u", id);
    enum ss_status status = ss_http_request(registry->http, "GET", path, NULL, &answer, err);
    if (status != SS_OK)
        return status;
    json_t *json = answer_json(&answer);
    if (answer.code == 200 && answer.cut)
        status =
            ss_fail(err, SS_DROP, "%s is over the bound of %d bytes", what, SS_HTTP_ANSWER_MAX);
    else if (answer.code == 200)
        status = schema_of_answer(json, what, schema, err);
    else if (answer.code == 404 || answer.code == 400 || answer.code == 422)
        status = judge_missing(registry, &answer, json, what, err);
    else
        status = fail_with(&answer, json, SS_RETRY, what, err);
    json_decref(json);
    return status;
}

/* What the caches say of an id; false: nothing. */
static bool schema_cached(struct ss_registry *registry, uint32_t id, char **json,
                          enum ss_status *status, struct ss_error *err)
{
    pthread_mutex_lock(&registry->cache_lock);
    const char *text = ss_registry_cache_text(&registry->cache, id);
    const char *refusal =
        text ? NULL : ss_registry_cache_refusal(&registry->cache, SS_CACHE_ANY_INPUT, id);
    if (text) {
        *json = strdup(text);
        *status = *json ? SS_OK : ss_fail(err, SS_STOP, "out of memory for a schema");
    } else if (refusal) {
        *status = ss_fail(err, SS_DROP, "%s", refusal);
    }
    pthread_mutex_unlock(&registry->cache_lock);
    return text || refusal;
}

enum ss_status ss_registry_schema(struct ss_registry *registry, uint32_t id, char **json,
                                  struct ss_error *err)
{
    enum ss_status status;
    struct ss_error own;

    err = err ? err : &own; /* the caches keep the reason */
    *json = NULL;
    if (!registry->http)
        return embedded_schema(id, json, err);
    if (id > INT32_MAX)
        return ss_fail(err, SS_DROP, "schema id %u is beyond what registries give", id);
    if (schema_cached(registry, id, json, &status, err))
        return status;

    pthread_mutex_lock(&registry->http_lock);
    /* Another thread may have asked while this one waited. */
    if (!schema_cached(registry, id, json, &status, err)) {
        status = request_schema(registry, id, json, err);
        pthread_mutex_lock(&registry->cache_lock);
        if (status == SS_OK)
            ss_registry_cache_add_text(&registry->cache, id, *json);
        else if (status == SS_DROP)
            ss_registry_cache_add_refusal(&registry->cache, SS_CACHE_ANY_INPUT, id,
                                          SS_CACHE_UNKNOWN_MS, err->detail);
        pthread_mutex_unlock(&registry->cache_lock);
    }
    pthread_mutex_unlock(&registry->http_lock);
    return status;
}

enum ss_status ss_registry_plan(struct ss_registry *registry, enum ss_input input, uint32_t id,
                                const struct ss_plan **out, struct ss_error *err)
{
    struct ss_plan *plan;
    struct ss_error own;
    char *json;

    err = err ? err : &own;
    *out = ss_registry_cache_plan(&registry->cache, input, id);
    if (*out)
        return SS_OK;
    pthread_mutex_lock(&registry->cache_lock);
    const char *refusal = ss_registry_cache_refusal(&registry->cache, (int)input, id);
    if (refusal)
        (void)ss_fail(err, SS_DROP, "%s", refusal);
    pthread_mutex_unlock(&registry->cache_lock);
    if (refusal)
        return SS_DROP;

    enum ss_status status = ss_registry_schema(registry, id, &json, err);
    if (status != SS_OK)
        return status;
    size_t text_size = strlen(json);
    status = ss_plan_open(input, json, &plan, err);
    free(json);

    pthread_mutex_lock(&registry->cache_lock);
    if (status == SS_OK) {
        *out = ss_registry_cache_plan(&registry->cache, input, id);
        if (*out) { /* another thread was faster */
            ss_plan_close(plan);
        } else if (ss_registry_cache_add_plan(&registry->cache, input, id, plan, text_size)) {
            *out = plan;
        } else {
            ss_plan_close(plan);
            status = ss_fail(err, SS_DROP,
                             "schema id %u is one too many: %d decode plans are kept "
                             "at most",
                             id, SS_CACHE_PLANS_MAX);
        }
    }
    if (status == SS_DROP)
        ss_registry_cache_add_refusal(&registry->cache, (int)input, id, SS_CACHE_REFUSED_MS,
                                      err->detail);
    pthread_mutex_unlock(&registry->cache_lock);
    return status;
}

/* --- subjects --- */

/* The id of one of our own schemas, compared as JSON. */
static enum ss_status embedded_id(const char *json, uint32_t *id, enum ss_status otherwise,
                                  struct ss_error *err)
{
    json_t *wanted = json_loads(json, JSON_DECODE_ANY, NULL);
    uint32_t found = 0;
    for (uint32_t i = 0; wanted && !found && i < SS_SCHEMA_TEXT_COUNT; i++) {
        json_t *ours = json_loads(ss_schema_texts[i].json, JSON_DECODE_ANY, NULL);
        if (json_equal(wanted, ours))
            found = i + 1;
        json_decref(ours);
    }
    json_decref(wanted);
    if (!found)
        found = ss_embedded_id(json);
    *id = found;
    return found ? SS_OK
                 : ss_fail(err, otherwise, "the embedded registry has only this version's schemas");
}

/* "/subjects/<subject>", "/config/<subject>" and so on, escaped. */
static enum ss_status subject_path(char path[PATH_SIZE], const char *before, const char *subject,
                                   const char *behind, struct ss_error *err)
{
    char *escaped = curl_easy_escape(NULL, subject, 0);
    int size = escaped ? snprintf(path, PATH_SIZE, "%s%s%s", before, escaped, behind) : -1;
    curl_free(escaped);
    if (size < 0 || size >= PATH_SIZE)
        return ss_fail(err, SS_STOP, "the subject '%.64s' cannot be asked for", subject);
    return SS_OK;
}

/* Sends {key: value} to a path and calls the answer's id, if `id` is not NULL. */
static enum ss_status subject_request(struct ss_registry *registry, const char *method,
                                      const char *path, const char *key, const char *value,
                                      bool missing_drops, uint32_t *id, struct ss_error *err)
{
    struct ss_http_answer answer;
    json_t *object = json_pack("{s:s}", key, value);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!text)
        return ss_fail(err, SS_STOP, "not valid UTF-8, or out of memory: %.64s", path);

    pthread_mutex_lock(&registry->http_lock);
    enum ss_status status = ss_http_request(registry->http, method, path, text, &answer, err);
    if (status == SS_OK) {
        json_t *json = answer_json(&answer);
        json_t *number = json_object_get(json, "id");
        if (answer.code == 200 && (!id || json_is_integer(number))) {
            if (id)
                *id = (uint32_t)json_integer_value(number);
        } else if (answer.code == 404 && missing_drops) {
            status = judge_missing(registry, &answer, json, path, err);
        } else {
            bool retry = may_pass(answer.code) || answer.code == 200;
            status = fail_with(&answer, json, retry ? SS_RETRY : SS_STOP, path, err);
        }
        json_decref(json);
    }
    pthread_mutex_unlock(&registry->http_lock);
    free(text);
    return status;
}

enum ss_status ss_registry_register(struct ss_registry *registry, const char *subject,
                                    const char *json, uint32_t *id, struct ss_error *err)
{
    char path[PATH_SIZE];
    enum ss_status status = ss_schema_check(json, err);
    if (status != SS_OK)
        return status;
    if (!registry->http)
        return embedded_id(json, id, SS_STOP, err);
    status = subject_path(path, "/subjects/", subject, "/versions", err);
    if (status != SS_OK)
        return status;
    return subject_request(registry, "POST", path, "schema", json, false, id, err);
}

enum ss_status ss_registry_find(struct ss_registry *registry, const char *subject, const char *json,
                                uint32_t *id, struct ss_error *err)
{
    char path[PATH_SIZE];
    if (!registry->http)
        return embedded_id(json, id, SS_DROP, err);
    enum ss_status status = subject_path(path, "/subjects/", subject, "", err);
    if (status != SS_OK)
        return status;
    return subject_request(registry, "POST", path, "schema", json, true, id, err);
}

enum ss_status ss_registry_set_compatibility(struct ss_registry *registry, const char *subject,
                                             const char *level, struct ss_error *err)
{
    char path[PATH_SIZE];
    if (!registry->http)
        return SS_OK; /* its schemas never change */
    enum ss_status status = subject_path(path, "/config/", subject, "", err);
    if (status != SS_OK)
        return status;
    return subject_request(registry, "PUT", path, "compatibility", level, false, NULL, err);
}
