/* redis_url.h - where a Redis is and how to log in, read from a URL. Internal to state/.
 *
 *   redis://[user:password@]host[:port][/db]      rediss://… the same over TLS
 *   redis://[:password@][v6::address]:port
 *   unix:///path/to/socket[?db=N]                 unix://[user:password@]/path for one with a
 * password
 *   redis-cluster://[user:password@]host[:port][,host[:port]…]    any nodes of a Redis Cluster
 *   rediss-cluster://…                            the same over TLS
 *
 * %XX is decoded in user, password and path. Error texts never repeat the URL: it holds a password.
 */
#ifndef SS_STATE_REDIS_URL_H
#define SS_STATE_REDIS_URL_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { SS_REDIS_HOST_MAX = 256, SS_REDIS_SECRET_MAX = 256 };

struct ss_redis_url {
    bool tls, is_unix, cluster;
    char host[SS_REDIS_HOST_MAX]; /* or the socket's path */
    int port;
    int db;
    char user[SS_REDIS_SECRET_MAX], password[SS_REDIS_SECRET_MAX]; /* empty: none */
};

/* SS_STOP: not such a URL. Of a cluster's nodes the first is read. */
SS_MUST_USE enum ss_status ss_redis_url_parse(const char *text, struct ss_redis_url *url,
                                              struct ss_error *err);
/* The same for the index-th of the nodes that the URL of a cluster names; *count (may be NULL) is
 * how many there are, 1 for any other URL. */
SS_MUST_USE enum ss_status ss_redis_url_parse_node(const char *text, size_t index,
                                                   struct ss_redis_url *url, size_t *count,
                                                   struct ss_error *err);

#endif
