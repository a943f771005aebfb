/* redis_connection.h - one connection to Redis: made and checked when needed, dropped when in
 * doubt; commands go out as a pipeline. Internal to state/; one thread.
 *
 * 1. A dropped connection is made again by the next ss_redis_ensure, with AUTH, SELECT and the
 * checks of redis_store.h: a reconnect of hiredis repeats none of them.
 * 2. Whenever replies may be outstanding that nobody will read (timeout, broken pipe, an unexpected
 *    answer), the connection is dropped: what comes later could not be matched. The server forgets
 * the MULTI and WATCH of a dropped connection.
 * 3. Commands are binary safe and copied into one buffer; no text of a user's goes through a format
 *    string, and no server's error text is repeated but for its first word, for it may quote
 * arguments.
 */
#ifndef SS_STATE_REDIS_CONNECTION_H
#define SS_STATE_REDIS_CONNECTION_H

#include "base/bytes.h"
#include "state/redis_url.h"

#include <hiredis/hiredis.h>

struct ss_redis_tls;

/* Where a cluster's node sends us instead of answering. */
enum ss_redis_elsewhere {
    SS_REDIS_HERE = 0,
    SS_REDIS_MOVED,  /* the slot is another node's: host and port say whose */
    SS_REDIS_MOVING, /* the slot is on its way from one node to another: ASK, TRYAGAIN */
};
struct ss_redis_redirect {
    enum ss_redis_elsewhere kind;
    char host[SS_REDIS_HOST_MAX]; /* empty: the host that answered */
    int port;
};

struct ss_redis_connection {
    struct ss_redis_url url;
    char name[SS_REDIS_HOST_MAX + 16]; /* for messages: host:port or path */
    int timeout_ms;
    struct ss_redis_tls *tls;
    redisContext *context;             /* NULL: not connected */
    struct ss_buffer out;              /* commands not yet sent */
    bool overflow;                     /* a command did not fit into out */
    size_t unsent, due;                /* replies to come: to the commands in out, to those sent */
    size_t in_multi;                   /* commands since MULTI */
    struct ss_error queued;            /* the first error in answer to one of them */
    bool warned;                       /* of what may not be configured: once is enough */
    struct ss_redis_redirect redirect; /* the first since the caller has cleared it */
};

/* Copies the URL. SS_STOP: TLS without hiredis_ssl. Does not connect. */
SS_MUST_USE enum ss_status ss_redis_connection_init(struct ss_redis_connection *c,
                                                    const struct ss_redis_url *url, int timeout_ms,
                                                    struct ss_error *err);
void ss_redis_connection_reset(struct ss_redis_connection *c);

SS_MUST_USE enum ss_status ss_redis_ensure(struct ss_redis_connection *c, struct ss_error *err);
void ss_redis_drop(struct ss_redis_connection *c);

/* Begins a command of count arguments, the name included; each ss_redis_arg adds one. What goes
 * wrong here is told by the next reply or exec. */
void ss_redis_command(struct ss_redis_connection *c, size_t count);
void ss_redis_arg(struct ss_redis_connection *c, const void *data, size_t size);
/* A whole command of texts, ended by NULL. */
void ss_redis_texts(struct ss_redis_connection *c, const char *first, ...)
    __attribute__((sentinel));

/* Sends what is due and gives the next reply, to be freed with freeReplyObject. An error reply is
 * turned into a status; any status but SS_OK has dropped the connection. */
SS_MUST_USE enum ss_status ss_redis_reply(struct ss_redis_connection *c, redisReply **reply,
                                          struct ss_error *err);

/* The same, with an error reply given as it is. */
SS_MUST_USE enum ss_status ss_redis_reply_any(struct ss_redis_connection *c, redisReply **reply,
                                              struct ss_error *err);

/* A transaction: ss_redis_multi, any number of commands with ss_redis_flow between them,
 * ss_redis_exec. Flow sends whenever enough has come together, and reads the answers to what was
 * sent before that, so that neither side's buffers grow with the size of the transaction. */
void ss_redis_multi(struct ss_redis_connection *c);
SS_MUST_USE enum ss_status ss_redis_flow(struct ss_redis_connection *c, struct ss_error *err);
/* Ensures that *reply is an array with one element for each command, none of them an error, or nil
 * where a watched key has changed. If a command failed within EXEC, Redis has carried out the
 * others: *partial (which may be NULL) is true then, and the connection is kept. */
SS_MUST_USE enum ss_status ss_redis_exec(struct ss_redis_connection *c, redisReply **reply,
                                         bool *partial, struct ss_error *err);

#endif
