/* helper_server.h - a small HTTP server on a free loopback port, in a thread of the test. */
#ifndef SS_TEST_HELPER_SERVER_H
#define SS_TEST_HELPER_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct request {
    char method[16], path[256];
    char head[4096]; /* the whole of it */
    char body[65536];
};

struct reply {
    int code;
    const char *headers; /* more of them, each ending in CRLF, or NULL */
    const char *body;
    bool never;    /* says nothing until the client goes away */
    bool hang_up;  /* closes without an answer */
    size_t repeat; /* the body is sent this many times; 0 is once */
};

/* Called in the server's thread for each request; what *reply points to must stay. */
typedef void handler_fn(const struct request *request, struct reply *reply, void *arg);

struct server;

struct server *server_start(handler_fn *handle, void *arg);
const char *server_url(const struct server *server); /* http://127.0.0.1:port */
int server_requests(struct server *server);          /* so far */
void server_stop(struct server *server);             /* joins the thread */

#endif
