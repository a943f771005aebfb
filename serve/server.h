/* server.h - a small HTTP server that answers from a table of routes.
 *
 * It has one thread of its own, which calls the routes' functions one at a time, so that a slow
 * answer delays other answers and nothing else. Bounded (promise 9): so many connections, so much
 * memory for each, so long without a byte; what is over that is closed. GET and HEAD are answered;
 * an unknown path is a 404 that lists the known ones, another method a 405.
 *
 * server.c alone knows libmicrohttpd.
 */
#ifndef SS_SERVE_SERVER_H
#define SS_SERVE_SERVER_H

#include "base/bytes.h"

enum {
    SS_SERVER_CONNECTIONS_MAX = 64,
    SS_SERVER_IDLE_SECONDS_MAX = 5,
    SS_SERVER_BODY_MAX = 1024 * 1024
};

struct ss_answer {
    int code;                 /* 200 until set */
    const char *content_type; /* "application/json" until set; static text */
    struct ss_buffer body;    /* of at most SS_SERVER_BODY_MAX */
};

struct ss_route {
    const char *path; /* the whole of it, without a query */
    const char *help; /* what it tells, for the list of paths */
    /* In the server's thread. false: out of memory, which becomes a 500. */
    bool (*answer)(void *arg, struct ss_answer *answer);
};

struct ss_server;

/* Listens on "http://ADDRESS:PORT": an IPv4 address, an IPv6 one in brackets, a host's name, or
 * nothing for all addresses; port 0 takes a free one. The routes are borrowed until close, as arg
 * is. SS_STOP: the text is wrong, or the address cannot be bound. */
SS_MUST_USE enum ss_status ss_server_open(const char *listen, const struct ss_route *routes,
                                          size_t route_count, void *arg, struct ss_server **server,
                                          struct ss_error *err);
int ss_server_port(const struct ss_server *server);
/* Ends all connections and waits for the answer in hand; then no route is called any more. */
void ss_server_close(struct ss_server *server);

#endif
