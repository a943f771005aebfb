#include "helper_http.h"
#include "serve/server.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static bool answer_hello(void *arg, struct ss_answer *answer)
{
    atomic_int *calls = arg;
    atomic_fetch_add(calls, 1);
    answer->content_type = "text/plain";
    return ss_buffer_append(&answer->body, "hello\n", 6);
}

static bool answer_busy(void *arg, struct ss_answer *answer)
{
    (void)arg;
    answer->code = 503;
    return ss_buffer_append(&answer->body, "{}\n", 3);
}

static bool answer_too_much(void *arg, struct ss_answer *answer)
{
    static char page[4096];
    (void)arg;
    for (;;)
        if (!ss_buffer_append(&answer->body, page, sizeof page))
            return false;
}

static bool answer_empty(void *arg, struct ss_answer *answer)
{
    (void)arg, (void)answer;
    return true;
}

static const struct ss_route routes[] = {
    {"/hello", "a greeting", answer_hello},
    {"/busy", "a refusal", answer_busy},
    {"/too-much", "more than fits", answer_too_much},
    {"/empty", "nothing", answer_empty},
};

static atomic_int calls;

static struct ss_server *open_at(const char *listen)
{
    struct ss_server *server;
    struct ss_error err;
    cr_assert_eq(ss_server_open(listen, routes, 4, &calls, &server, &err), SS_OK, "%s", err.detail);
    return server;
}

static void refused(const char *listen, const char *why)
{
    struct ss_server *server;
    struct ss_error err;
    cr_assert_eq(ss_server_open(listen, routes, 4, &calls, &server, &err), SS_STOP, "%s", listen);
    cr_assert(strstr(err.detail, "serve.listen: ") == err.detail, "%s", err.detail);
    cr_assert(strstr(err.detail, listen) && strstr(err.detail, why), "%s", err.detail);
}

Test(server, answers_its_routes)
{
    struct ss_server *server = open_at("http://127.0.0.1:0");
    int port = ss_server_port(server);
    cr_assert_gt(port, 0);
    struct http_reply reply = http_request(port, "GET", "/hello", NULL);
    cr_assert_eq(reply.code, 200);
    cr_assert_str_eq(reply.body, "hello\n");
    cr_assert_str_eq(reply.type, "text/plain");
    cr_assert(strstr(reply.head, "Cache-Control: no-store"), "%s", reply.head);
    reply = http_request(port, "GET", "/hello?a=b", NULL);
    cr_assert_eq(reply.code, 200);
    reply = http_request(port, "GET", "/busy", NULL);
    cr_assert_eq(reply.code, 503);
    cr_assert_str_eq(reply.type, "application/json");
    reply = http_request(port, "GET", "/empty", NULL);
    cr_assert(reply.code == 200 && reply.size == 0);
    ss_server_close(server);
}

Test(server, answers_head_without_a_body)
{
    struct ss_server *server = open_at("http://127.0.0.1:0");
    struct http_reply reply = http_request(ss_server_port(server), "HEAD", "/hello", NULL);
    cr_assert_eq(reply.code, 200);
    cr_assert_eq(reply.size, 0);
    cr_assert(strstr(reply.head, "Content-Length: 6"), "%s", reply.head);
    ss_server_close(server);
}

Test(server, lists_its_paths_to_who_is_lost)
{
    static const char *const lost[] = {"/", "/hell", "/hello/", "/hello/x", "/HELLO", "/%68ellow"};
    struct ss_server *server = open_at("http://127.0.0.1:0");
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        struct http_reply reply = http_request(ss_server_port(server), "GET", lost[i], NULL);
        cr_assert_eq(reply.code, 404, "%s", lost[i]);
        cr_assert_str_eq(reply.type, "application/json");
        cr_assert(strstr(reply.body, "\"/hello\": \"a greeting\""), "%s", reply.body);
        cr_assert(strstr(reply.body, "\"/busy\": \"a refusal\""), "%s", reply.body);
    }
    cr_assert_eq(atomic_load(&calls), 0);
    ss_server_close(server);
}

Test(server, refuses_other_methods)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"};
    struct ss_server *server = open_at("http://127.0.0.1:0");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct http_reply reply =
            http_request(ss_server_port(server), methods[i], "/hello", i < 2 ? "some=body" : NULL);
        cr_assert_eq(reply.code, 405, "%s: %ld", methods[i], reply.code);
        cr_assert(strstr(reply.head, "Allow: GET, HEAD"), "%s", reply.head);
    }
    cr_assert_eq(atomic_load(&calls), 0);
    cr_assert_eq(http_request(ss_server_port(server), "POST", "/none", "x").code, 404);
    ss_server_close(server);
}

Test(server, an_answer_without_memory_is_a_500)
{
    struct ss_server *server = open_at("http://127.0.0.1:0");
    struct http_reply reply = http_request(ss_server_port(server), "GET", "/too-much", NULL);
    cr_assert_eq(reply.code, 500);
    cr_assert_eq(reply.size, 0);
    cr_assert_eq(http_request(ss_server_port(server), "GET", "/hello", NULL).code, 200);
    ss_server_close(server);
}

Test(server, says_which_address_it_cannot_bind)
{
    struct ss_server *first = open_at("http://127.0.0.1:0");
    char taken[64];
    snprintf(taken, sizeof taken, "http://127.0.0.1:%d", ss_server_port(first));
    refused(taken, "cannot bind");
    refused(taken, "Address already in use");
    refused("http://192.0.2.1:8080", "Cannot assign requested address");
    ss_server_close(first);
    ss_server_close(open_at(taken)); /* free again at once */
}

Test(server, takes_a_name_brackets_and_all_addresses)
{
    ss_server_close(open_at("http://localhost:0/"));
    struct ss_server *all = open_at("http://:0");
    cr_assert_eq(http_request(ss_server_port(all), "GET", "/hello", NULL).code, 200);
    ss_server_close(all);
    struct ss_server *server;
    struct ss_error err;
    if (ss_server_open("http://[::1]:0", routes, 4, &calls, &server, &err) == SS_OK)
        ss_server_close(server);
    else /* a machine without IPv6 */
        cr_assert(strstr(err.detail, "cannot bind http://[::1]:0"), "%s", err.detail);
}

Test(server, refuses_what_is_no_address)
{
    static const char *const wrong[] = {
        "http://",          "http://127.0.0.1",     "http://127.0.0.1:",  "http://127.0.0.1:x",
        "http://a:65536",   "http://a:-1",          "http://a:8080/path", "http://::1:8080",
        "http://[::1:8080", "http://[]:8080",       "http://::1]:8080",   "http://a:8 0",
        "http://a:000080",  "http://user:p@host:1/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(wrong[i], "must be http://ADDRESS:PORT");
    refused("http://no-such-host.invalid:8080", "cannot bind");
}

/* Whether the server has ended the connection within the given time. */
static bool ended(int fd, int timeout_ms)
{
    char byte;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

Test(server, closes_while_clients_are_connected)
{
    struct ss_server *server = open_at("http://127.0.0.1:0");
    int idle = http_connect(ss_server_port(server)), half = http_connect(ss_server_port(server));
    cr_assert_eq(send(half, "GET /hel", 8, 0), 8);
    cr_assert_eq(http_request(ss_server_port(server), "GET", "/hello", NULL).code, 200);
    ss_server_close(server);
    cr_assert(ended(idle, 5000) && ended(half, 5000));
    close(idle);
    close(half);
}

/* More clients that say nothing than there is room for: they are put out, and the server answers
 * again. */
Test(server, idle_clients_do_not_keep_it_busy)
{
    struct ss_server *server = open_at("http://127.0.0.1:0");
    int port = ss_server_port(server), fds[SS_SERVER_CONNECTIONS_MAX + 8];
    const size_t count = sizeof fds / sizeof *fds;
    for (size_t i = 0; i < count; i++)
        fds[i] = http_connect(port);
    struct http_reply reply;
    cr_assert_neq(http_try(port, "/hello", 1000, &reply), 0, "there is no limit");
    for (size_t i = 0; i < count; i++)
        cr_assert(ended(fds[i], 3 * SS_SERVER_IDLE_SECONDS_MAX * 1000), "client %zu", i);
    cr_assert_eq(http_request(port, "GET", "/hello", NULL).code, 200);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    ss_server_close(server);
}

Test(server, refuses_a_head_that_is_too_large)
{
    struct ss_server *server = open_at("http://127.0.0.1:0");
    int fd = http_connect(ss_server_port(server));
    static char head[256 * 1024];
    char answer[64] = "";
    memset(head, 'x', sizeof head);
    memcpy(head, "GET /", 5);
    (void)!send(fd, head, sizeof head, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&wait, 1, 5000), 1);
    ssize_t size = recv(fd, answer, sizeof answer - 1, 0); /* an error, or at once the end */
    cr_assert(size <= 0 || strncmp(answer, "HTTP/1.1 4", 10) == 0, "%s", answer);
    cr_assert_eq(http_request(ss_server_port(server), "GET", "/hello", NULL).code, 200);
    close(fd);
    ss_server_close(server);
}

static void *ask_often(void *arg)
{
    intptr_t failed = 0;
    for (int i = 0; i < 50; i++)
        failed += http_request(*(int *)arg, "GET", i % 2 ? "/hello" : "/busy", NULL).code !=
                  (i % 2 ? 200 : 503);
    return (void *)failed;
}

Test(server, answers_many_at_a_time)
{
    struct ss_server *server = open_at("http://127.0.0.1:0");
    int port = ss_server_port(server);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, ask_often, &port), 0);
    for (int i = 0; i < 8; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
    }
    cr_assert_eq(atomic_load(&calls), 8 * 25);
    ss_server_close(server);
}
