/* The registry client against a registry that answers, errs, hangs and lies. */
#include "helper_server.h"
#include "schemas/registry.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One reply for every request, unless `types` says that /schemas/types is there, and what came. */
struct script {
    struct reply reply;
    bool types;
    struct request last;
    atomic_int code; /* overrides reply.code unless 0 */
};

static void play(const struct request *request, struct reply *reply, void *arg)
{
    struct script *script = arg;
    if (!strcmp(request->path, "/schemas/types")) {
        *reply = (struct reply){.code = script->types ? 200 : 404, .body = "[\"AVRO\"]"};
        return;
    }
    script->last = *request;
    *reply = script->reply;
    if (atomic_load(&script->code))
        reply->code = atomic_load(&script->code);
}

static struct ss_registry *client(const char *url, int timeout_ms)
{
    struct ss_registry_config config = {.url = url, .timeout_ms = timeout_ms};
    struct ss_registry *registry;
    struct ss_error err = {.detail = ""};
    cr_assert_eq(ss_registry_open(&config, &registry, &err), SS_OK, "%s", err.detail);
    return registry;
}

/* {"schema": "<text>"} and whatever is added; the caller frees. */
static char *answer_with(const char *schema, const char *more)
{
    json_t *json = json_pack("{s:s}", "schema", schema);
    char *text = json_dumps(json, 0);
    size_t size = strlen(text) + strlen(more) + 1;
    text = realloc(text, size);
    snprintf(text + strlen(text) - 1, strlen(more) + 2, "%s}", more);
    json_decref(json);
    return text;
}

/* The status of a look-up that gets this one reply. */
static enum ss_status look_up(struct reply reply, bool types, struct ss_error *err)
{
    struct script script = {.reply = reply, .types = types};
    struct server *server = server_start(play, &script);
    struct ss_registry *registry = client(server_url(server), 60000);
    char *json;
    enum ss_status status = ss_registry_schema(registry, 7, &json, err);
    cr_expect((status == SS_OK) == (json != NULL));
    free(json);
    ss_registry_close(registry);
    server_stop(server);
    return status;
}

#define REPLY(status, ...) look_up((struct reply){.code = (status), __VA_ARGS__}, false, &err)

Test(registry, a_schema_is_asked_for_once)
{
    char *body = answer_with(ss_schema_of_input(SS_BILLS), ", \"schemaType\": \"AVRO\"");
    struct script script = {.reply = {.code = 200, .body = body}};
    struct server *server = server_start(play, &script);
    struct ss_registry *registry = client(server_url(server), 2000);
    struct ss_error err = {.detail = ""};
    const struct ss_plan *plan, *again;
    char *json;

    for (int i = 0; i < 3; i++) {
        cr_assert_eq(ss_registry_schema(registry, 7, &json, &err), SS_OK, "%s", err.detail);
        cr_expect_str_eq(json, ss_schema_of_input(SS_BILLS));
        free(json);
    }
    cr_expect_eq(server_requests(server), 1);
    cr_expect_str_eq(script.last.path, "/schemas/ids/7");
    cr_expect_str_eq(script.last.method, "GET");
    cr_assert_eq(ss_registry_plan(registry, SS_BILLS, 7, &plan, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_registry_plan(registry, SS_BILLS, 7, &again, &err), SS_OK);
    cr_expect_eq(plan, again);
    cr_expect_eq(ss_registry_plan(registry, SS_SOCIAL, 7, &again, &err), SS_DROP, "not its kind");
    cr_expect_null(again);
    cr_expect_eq(ss_registry_plan(registry, SS_SOCIAL, 7, &again, &err), SS_DROP);
    cr_expect(err.detail[0]);
    cr_expect_eq(server_requests(server), 1);
    ss_registry_close(registry);
    server_stop(server);
    free(body);
}

Test(registry, no_such_schema_by_the_registrys_own_word)
{
    struct ss_error err = {.detail = ""};
    cr_expect_eq(REPLY(404, .body = "{\"error_code\": 40403, \"message\": \"Schema not found\"}"),
                 SS_DROP);
    cr_expect(strstr(err.detail, "Schema not found"), "%s", err.detail);
    cr_expect_eq(REPLY(422, .body = "{\"error_code\": 42202, \"message\": \"no id\"}"), SS_DROP);
}

Test(registry, a_404_from_elsewhere_drops_nothing)
{
    struct ss_error err = {.detail = ""};
    struct reply plain = {.code = 404, .body = "<html>no page</html>"};
    struct reply path = {.code = 404, .body = "{\"error_code\": 404, \"message\": \"HTTP 404\"}"};
    cr_expect_eq(look_up(plain, false, &err), SS_RETRY);
    cr_expect(strstr(err.detail, "URL"), "%s", err.detail);
    cr_expect_eq(look_up(path, false, &err), SS_RETRY);
    cr_expect_eq(look_up(path, true, &err), SS_DROP, "a registry that does not use the codes");
}

Test(registry, away_or_unwell_means_retry)
{
    static const int codes[] = {500, 502, 503, 504, 429, 401, 403, 301, 302, 204};
    struct ss_error err = {.detail = ""};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        cr_expect_eq(REPLY(codes[i], .body = codes[i] == 204 ? "" : "{}"), SS_RETRY, "%d",
                     codes[i]);
    cr_expect_eq(REPLY(200, .hang_up = true, .body = ""), SS_RETRY);
    cr_expect_eq(REPLY(200, .body = "welcome to our wifi"), SS_RETRY);
    cr_expect_eq(REPLY(200, .body = "{\"schema\": 17}"), SS_RETRY);
    cr_expect_eq(REPLY(200, .body = "[]"), SS_RETRY);
    cr_expect_eq(REPLY(200, .body = ""), SS_RETRY);
}

Test(registry, what_is_no_use_is_dropped)
{
    struct ss_error err = {.detail = ""};
    cr_expect_eq(REPLY(200, .body = "{\"schema\": \"x\", \"schemaType\": \"PROTOBUF\"}"), SS_DROP);
    cr_expect(strstr(err.detail, "PROTOBUF"));
    cr_expect_eq(REPLY(200, .body = "{\"schema\": \"x\", \"references\": [{\"name\": \"y\"}]}"),
                 SS_DROP);
    cr_expect(strstr(err.detail, "refers"));
    cr_expect_eq(REPLY(200, .body = "{\"schema\": \"x\", \"references\": []}"), SS_OK);
    cr_expect_eq(REPLY(200, .body = "0123456789abcdef", .repeat = 400000), SS_DROP);
    cr_expect(strstr(err.detail, "bound"), "%s", err.detail);
}

Test(registry, a_redirect_is_not_followed)
{
    struct script elsewhere = {.reply = {.code = 200, .body = "{\"schema\": \"x\"}"}};
    struct server *target = server_start(play, &elsewhere);
    struct ss_error err = {.detail = ""};
    char header[128];
    snprintf(header, sizeof header, "Location: %s/schemas/ids/7\r\n", server_url(target));
    cr_expect_eq(REPLY(302, .headers = header, .body = ""), SS_RETRY);
    cr_expect_eq(server_requests(target), 0);
    server_stop(target);
}

Test(registry, a_silent_registry_is_left_in_time)
{
    struct script script = {.reply = {.never = true}};
    struct server *server = server_start(play, &script);
    struct ss_registry *registry = client(server_url(server), 200);
    struct ss_error err = {.detail = ""};
    struct timespec from, to;
    char *json;
    clock_gettime(CLOCK_MONOTONIC, &from);
    cr_expect_eq(ss_registry_schema(registry, 7, &json, &err), SS_RETRY);
    clock_gettime(CLOCK_MONOTONIC, &to);
    cr_expect_lt(to.tv_sec - from.tv_sec, 5);
    cr_expect_eq(server_requests(server), 1);
    ss_registry_close(registry);
    server_stop(server);

    /* Its port is closed now. */
    struct script again = {.reply = {.code = 200, .body = "{\"schema\": \"x\"}"}};
    server = server_start(play, &again);
    char url[64];
    snprintf(url, sizeof url, "%s", server_url(server));
    server_stop(server);
    registry = client(url, 2000);
    cr_expect_eq(ss_registry_schema(registry, 7, &json, &err), SS_RETRY);
    cr_expect(strstr(err.detail, "no answer"), "%s", err.detail);
    ss_registry_close(registry);
}

Test(registry, an_unknown_id_is_remembered_for_a_short_while)
{
    struct script script = {.reply = {.code = 404, .body = "{\"error_code\": 40403}"}};
    struct server *server = server_start(play, &script);
    struct ss_registry *registry = client(server_url(server), 2000);
    struct ss_error err = {.detail = ""};
    const struct ss_plan *plan;
    enum ss_status status;
    struct timespec now, deadline;
    char *json;

    for (int i = 0; i < 1000; i++)
        cr_assert_eq(ss_registry_plan(registry, SS_BILLS, 7, &plan, &err), SS_DROP);
    cr_expect_eq(server_requests(server), 1, "%d", server_requests(server));
    cr_expect(strstr(err.detail, "schema id 7"), "%s", err.detail);
    cr_expect_eq(ss_registry_schema(registry, 8, &json, &err), SS_DROP);
    cr_expect_eq(server_requests(server), 2);
    cr_expect_eq(ss_registry_schema(registry, 0x80000000u, &json, &err), SS_DROP);
    cr_expect_eq(server_requests(server), 2, "no registry gives such ids");

    /* Registered after all, it is found within seconds. */
    char *body = answer_with(ss_schema_of_input(SS_BILLS), "");
    script.reply.body = body;
    atomic_store(&script.code, 200);
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    do {
        status = ss_registry_plan(registry, SS_BILLS, 7, &plan, &err);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (status == SS_DROP && now.tv_sec - deadline.tv_sec < 20);
    cr_expect_eq(status, SS_OK, "%s", err.detail);
    cr_expect_eq(server_requests(server), 3);
    ss_registry_close(registry);
    server_stop(server);
    free(body);
}

/* --- subjects --- */

static enum ss_status subject_call(char what, int code, const char *body, struct script *script,
                                   uint32_t *id, struct ss_error *err)
{
    *script = (struct script){.reply = {.code = code, .body = body}};
    struct server *server = server_start(play, script);
    struct ss_registry *registry = client(server_url(server), 2000);
    const char *json = ss_schema_of_output(SS_SCORES);
    enum ss_status status =
        what == 'r'   ? ss_registry_register(registry, "scores-value", json, id, err)
        : what == 'f' ? ss_registry_find(registry, "a b/c-value", json, id, err)
                      : ss_registry_set_compatibility(registry, "scores-value", "BACKWARD", err);
    ss_registry_close(registry);
    server_stop(server);
    return status;
}

Test(registry, registering)
{
    static struct script script;
    struct ss_error err = {.detail = ""};
    uint32_t id = 0;
    cr_expect_eq(subject_call('r', 200, "{\"id\": 4711}", &script, &id, &err), SS_OK);
    cr_expect_eq(id, 4711);
    cr_expect_str_eq(script.last.method, "POST");
    cr_expect_str_eq(script.last.path, "/subjects/scores-value/versions");
    cr_expect(strstr(script.last.head, "application/vnd.schemaregistry.v1+json"));
    json_t *sent = json_loads(script.last.body, 0, NULL);
    cr_assert(sent);
    cr_expect_str_eq(json_string_value(json_object_get(sent, "schema")),
                     ss_schema_of_output(SS_SCORES));
    json_decref(sent);

    const char *refusal = "{\"error_code\": 409, \"message\": \"READER_FIELD_MISSING_DEFAULT\"}";
    cr_expect_eq(subject_call('r', 409, refusal, &script, &id, &err), SS_STOP);
    cr_expect(strstr(err.detail, "READER_FIELD_MISSING_DEFAULT"), "%s", err.detail);
    cr_expect_eq(subject_call('r', 422, "{}", &script, &id, &err), SS_STOP);
    cr_expect_eq(subject_call('r', 404, "{}", &script, &id, &err), SS_STOP);
    cr_expect_eq(subject_call('r', 503, "{}", &script, &id, &err), SS_RETRY);
    cr_expect_eq(subject_call('r', 401, "{}", &script, &id, &err), SS_RETRY);
    cr_expect_eq(subject_call('r', 200, "{}", &script, &id, &err), SS_RETRY);
}

Test(registry, finding)
{
    static struct script script;
    struct ss_error err = {.detail = ""};
    uint32_t id = 0;
    cr_expect_eq(subject_call('f', 200, "{\"id\": 3, \"version\": 1}", &script, &id, &err), SS_OK);
    cr_expect_eq(id, 3);
    cr_expect_str_eq(script.last.path, "/subjects/a%20b%2Fc-value");
    cr_expect_eq(subject_call('f', 404, "{\"error_code\": 40401}", &script, &id, &err), SS_DROP);
    cr_expect_eq(subject_call('f', 404, "{\"error_code\": 40403}", &script, &id, &err), SS_DROP);
    cr_expect_eq(subject_call('f', 404, "nothing", &script, &id, &err), SS_RETRY);
    cr_expect_eq(subject_call('f', 500, "{}", &script, &id, &err), SS_RETRY);
}

Test(registry, compatibility)
{
    static struct script script;
    struct ss_error err = {.detail = ""};
    cr_expect_eq(subject_call('c', 200, "{\"compatibility\": \"BACKWARD\"}", &script, NULL, &err),
                 SS_OK);
    cr_expect_str_eq(script.last.method, "PUT");
    cr_expect_str_eq(script.last.path, "/config/scores-value");
    cr_expect_str_eq(script.last.body, "{\"compatibility\":\"BACKWARD\"}");
    cr_expect_eq(subject_call('c', 422, "{}", &script, NULL, &err), SS_STOP);
}

/* --- the client's own manners --- */

Test(registry, credentials_are_sent_and_not_told)
{
    struct script script = {.reply = {.code = 401, .body = "{}"}};
    struct server *server = server_start(play, &script);
    char url[128];
    snprintf(url, sizeof url, "%s/apis/ccompat/v7/", server_url(server));
    struct ss_registry_config config = {.url = url, .basic_auth = "u:secret", .timeout_ms = 2000};
    struct ss_registry *registry;
    struct ss_error err = {.detail = ""};
    char *json;
    cr_assert_eq(ss_registry_open(&config, &registry, &err), SS_OK);
    cr_expect_eq(ss_registry_schema(registry, 7, &json, &err), SS_RETRY);
    cr_expect(strstr(script.last.head, "Authorization: Basic dTpzZWNyZXQ="));
    cr_expect_str_eq(script.last.path, "/apis/ccompat/v7/schemas/ids/7");
    cr_expect_not(strstr(err.detail, "secret"));
    ss_registry_close(registry);
    server_stop(server);
}

Test(registry, urls_that_are_not_taken)
{
    static const char *const bad[] = {"",
                                      "ftp://x",
                                      "file:///etc/passwd",
                                      "localhost:8081",
                                      "http://user:secret@host",
                                      "http://host/?a=b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ss_registry_config config = {.url = bad[i], .timeout_ms = 100};
        struct ss_registry *registry;
        struct ss_error err = {.detail = ""};
        cr_expect_eq(ss_registry_open(&config, &registry, &err), SS_STOP, "%s", bad[i]);
        cr_expect_not(strstr(err.detail, "secret"));
    }
}

struct asker {
    struct ss_registry *registry;
    const struct ss_plan *plan;
    enum ss_status status;
};

static void *ask(void *arg)
{
    struct asker *asker = arg;
    for (int i = 0; i < 1000; i++)
        asker->status = ss_registry_plan(asker->registry, SS_BILLS, 7, &asker->plan, NULL);
    return NULL;
}

Test(registry, threads_share_one_request_and_one_plan)
{
    char *body = answer_with(ss_schema_of_input(SS_BILLS), "");
    struct script script = {.reply = {.code = 200, .body = body}};
    struct server *server = server_start(play, &script);
    struct ss_registry *registry = client(server_url(server), 5000);
    struct asker askers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        askers[i] = (struct asker){.registry = registry};
        pthread_create(&threads[i], NULL, ask, &askers[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(askers[i].status, SS_OK);
        cr_expect_eq(askers[i].plan, askers[0].plan);
    }
    cr_expect_eq(server_requests(server), 1);
    ss_registry_close(registry);
    server_stop(server);
    free(body);
}

Test(registry, embedded)
{
    struct ss_registry *registry = client("embedded:", 0);
    struct ss_error err = {.detail = ""};
    const struct ss_plan *plan;
    uint32_t id;
    char *json;
    for (uint32_t i = 0; i < SS_INPUT_COUNT; i++) {
        cr_assert_eq(ss_registry_schema(registry, i + 1, &json, &err), SS_OK);
        cr_expect_str_eq(json, ss_schema_of_input((enum ss_input)i));
        free(json);
        cr_expect_eq(ss_registry_plan(registry, (enum ss_input)i, i + 1, &plan, &err), SS_OK);
    }
    cr_expect_eq(ss_registry_plan(registry, SS_BILLS, 1, &plan, &err), SS_DROP);
    cr_expect_eq(ss_registry_schema(registry, 0, &json, &err), SS_DROP);
    cr_expect_eq(ss_registry_schema(registry, SS_INPUT_COUNT + SS_OUTPUT_COUNT + 1, &json, &err),
                 SS_DROP);
    cr_expect_eq(
        ss_registry_register(registry, "scores-value", ss_schema_of_output(SS_SCORES), &id, &err),
        SS_OK);
    cr_expect_eq(id, 9);
    cr_expect_eq(ss_registry_find(registry, "entitlements-value",
                                  ss_schema_of_output(SS_ENTITLEMENTS), &id, &err),
                 SS_OK);
    cr_expect_eq(id, 10);
    cr_expect_eq(ss_registry_find(registry, "x-value", "\"string\"", &id, &err), SS_DROP);
    cr_expect_eq(ss_registry_register(registry, "x-value", "\"string\"", &id, &err), SS_STOP);
    cr_expect_eq(ss_registry_set_compatibility(registry, "scores-value", "BACKWARD", &err), SS_OK);
    ss_registry_close(registry);
}
