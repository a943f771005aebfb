#include "helper_http.h"
#include "serve/serve.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void open_config(struct ss_config *config, const char *assignment)
{
    struct ss_error err;
    cr_assert_eq(ss_config_init(config, &err), SS_OK);
    if (assignment)
        cr_assert_eq(ss_config_set(config, assignment, &err), SS_OK, "%s", err.detail);
}

Test(serve, answers_before_there_is_an_engine)
{
    struct ss_config config;
    struct ss_serve *serve;
    struct ss_error err;
    open_config(&config, "serve.listen=http://127.0.0.1:0");
    cr_assert_eq(ss_serve_open(&config, &serve, &err), SS_OK, "%s", err.detail);
    ss_serve_note(serve);
    struct http_reply reply = http_request(ss_serve_port(serve), "GET", "/live", NULL);
    cr_assert_eq(reply.code, 200);
    cr_assert_str_eq(reply.type, "application/json");
    reply = http_request(ss_serve_port(serve), "GET", "/ready", NULL);
    cr_assert_eq(reply.code, 503);
    cr_assert(strstr(reply.body, "\"reason\": \"starting\""), "%s", reply.body);
    reply = http_request(ss_serve_port(serve), "GET", "/", NULL);
    cr_assert_eq(reply.code, 404);
    cr_assert(strstr(reply.body, "\"/live\"") && strstr(reply.body, "\"/ready\""), "%s",
              reply.body);
    ss_serve_close(serve);
    ss_config_reset(&config);
}

Test(serve, listens_nowhere_by_default)
{
    struct ss_config config;
    struct ss_serve *serve;
    struct ss_error err;
    open_config(&config, NULL);
    cr_assert_null(config.serve_listen);
    cr_assert_eq(config.serve_stuck_ms, 300000);
    cr_assert_eq(ss_serve_open(&config, &serve, &err), SS_OK, "%s", err.detail);
    cr_assert_eq(ss_serve_port(serve), 0);
    ss_serve_note(serve);
    ss_serve_close(serve);
    ss_config_reset(&config);
}

Test(serve, a_taken_address_ends_the_start)
{
    struct ss_config config, second;
    struct ss_serve *serve, *none;
    struct ss_error err;
    char assignment[64];
    open_config(&config, "serve.listen=http://127.0.0.1:0");
    cr_assert_eq(ss_serve_open(&config, &serve, &err), SS_OK, "%s", err.detail);
    snprintf(assignment, sizeof assignment, "serve.listen=http://127.0.0.1:%d",
             ss_serve_port(serve));
    open_config(&second, assignment);
    cr_assert_eq(ss_serve_open(&second, &none, &err), SS_STOP);
    cr_assert(strstr(err.detail, "serve.listen: cannot bind http://127.0.0.1:"), "%s", err.detail);
    ss_serve_close(serve);
    ss_config_reset(&config);
    ss_config_reset(&second);
}
