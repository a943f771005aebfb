/* helper_http.h - an HTTP client of the tests, on libcurl. */
#ifndef SS_TEST_HELPER_HTTP_H
#define SS_TEST_HELPER_HTTP_H

#include <stddef.h>

struct http_reply {
    long code;
    char type[64];
    char head[4096];
    char body[8192];
    size_t size; /* of the body */
};

/* One request on a connection of its own to 127.0.0.1; asserts that it is answered. `data` is a
 * body to send, or NULL. */
struct http_reply http_request(int port, const char *method, const char *path, const char *data);
/* What came of trying: 0, or libcurl's code. */
int http_try(int port, const char *path, long timeout_ms, struct http_reply *reply);
/* A socket connected to 127.0.0.1. */
int http_connect(int port);

#endif
