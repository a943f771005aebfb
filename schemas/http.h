/* http.h - one request at a time to one server, with libcurl. Internal to schemas/.
 *
 * Plain HTTP or HTTPS only, no redirects, no proxy from the environment, no signals, a deadline for
 * each request and a bound on each answer. A connection is kept open between requests.
 * A struct ss_http belongs to one thread at a time. */
#ifndef SS_SCHEMAS_HTTP_H
#define SS_SCHEMAS_HTTP_H

#include "base/bytes.h"
#include "base/status.h"

#include <stddef.h>

enum { SS_HTTP_ANSWER_MAX = 4 * 1024 * 1024 }; /* bytes */

struct ss_http;

struct ss_http_config {
    const char *url;        /* http(s)://host[:port][/path] */
    const char *basic_auth; /* "user:password", or NULL */
    const char *ca_file;    /* or NULL */
    int timeout_ms;
};

/* SS_STOP: an URL that we do not take, or out of memory. */
SS_MUST_USE enum ss_status ss_http_open(const struct ss_http_config *config, struct ss_http **http,
                                        struct ss_error *err);
void ss_http_close(struct ss_http *http);

struct ss_http_answer {
    long code;            /* HTTP's */
    struct ss_bytes body; /* borrowed until the next request; NUL behind it */
    bool cut;             /* the body was longer than SS_HTTP_ANSWER_MAX and is not whole */
};

/* Sends `method` to url + path, with a JSON body unless it is NULL. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_http_request(struct ss_http *http, const char *method,
                                           const char *path, const char *json,
                                           struct ss_http_answer *answer, struct ss_error *err);

#endif
