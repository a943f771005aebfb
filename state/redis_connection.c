#include "state/redis_connection.h"

#include "state/redis_check.h"
#include "state/redis_tls.h"

#include <assert.h>
#include <stdio.h>

/* A chunk is sent once it has this many bytes; a single command stays below COMMAND_MAX. */
enum { CHUNK = 256 * 1024, COMMAND_MAX = 1024 * 1024, HEADER_MAX = 23 };

enum ss_status ss_redis_connection_init(struct ss_redis_connection *c,
                                        const struct ss_redis_url *url, int timeout_ms,
                                        struct ss_error *err)
{
    memset(c, 0, sizeof *c);
    ss_buffer_init(&c->out, CHUNK + COMMAND_MAX);
    c->timeout_ms = timeout_ms;
    c->url = *url;
    if (c->url.is_unix)
        snprintf(c->name, sizeof c->name, "%s", c->url.host);
    else
        snprintf(c->name, sizeof c->name, "%s:%d", c->url.host, c->url.port);
    return c->url.tls ? ss_redis_tls_open(c->url.host, &c->tls, err) : SS_OK;
}

void ss_redis_connection_reset(struct ss_redis_connection *c)
{
    ss_redis_drop(c);
    ss_redis_tls_close(c->tls);
    c->tls = NULL;
    ss_buffer_reset(&c->out);
    explicit_bzero(&c->url, sizeof c->url);
}

void ss_redis_drop(struct ss_redis_connection *c)
{
    if (c->context)
        redisFree(c->context);
    c->context = NULL;
    c->out.size = 0;
    c->overflow = false;
    c->unsent = c->due = c->in_multi = 0;
}

static enum ss_status fail_io(struct ss_redis_connection *c, struct ss_error *err)
{
    enum ss_status status = ss_fail(err, SS_RETRY, "redis %s: %s", c->name,
                                    c->context->err ? c->context->errstr : "cannot be set up");
    ss_redis_drop(c);
    return status;
}

static enum ss_status connect_to(struct ss_redis_connection *c, struct ss_error *err)
{
    struct timeval timeout = {c->timeout_ms / 1000, c->timeout_ms % 1000 * 1000};
    c->context = c->url.is_unix ? redisConnectUnixWithTimeout(c->url.host, timeout)
                                : redisConnectWithTimeout(c->url.host, c->url.port, timeout);
    if (!c->context)
        return ss_fail(err, SS_STOP, "out of memory");
    if (c->context->err || redisSetTimeout(c->context, timeout) != REDIS_OK)
        return fail_io(c, err);
    if (!c->url.is_unix)
        (void)redisEnableKeepAlive(c->context); /* a dead peer is noticed by the timeout anyway */
    if (!c->tls)
        return SS_OK;
    enum ss_status status = ss_redis_tls_start(c->tls, c->context, err);
    if (status != SS_OK)
        ss_redis_drop(c);
    return status;
}

enum ss_status ss_redis_ensure(struct ss_redis_connection *c, struct ss_error *err)
{
    assert(c->unsent + c->due == 0); /* every operation reads what it asked for, or drops */
    if (c->context)
        return SS_OK;
    enum ss_status status = connect_to(c, err);
    if (status == SS_OK)
        status = ss_redis_log_in(c, err);
    if (status == SS_OK)
        status = ss_redis_check(c, err);
    if (status != SS_OK)
        ss_redis_drop(c);
    return status;
}

/* ---- commands ---- */

/* Writes the mark, the number and a line end: "*3\r\n", "$10\r\n". */
static uint8_t *put_header(uint8_t *at, char mark, size_t number)
{
    char digits[20];
    int n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    *at++ = (uint8_t)mark;
    while (n > 0)
        *at++ = (uint8_t)digits[--n];
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

void ss_redis_command(struct ss_redis_connection *c, size_t count)
{
    c->unsent++;
    c->in_multi++;
    if (c->overflow || !ss_buffer_reserve(&c->out, HEADER_MAX)) {
        c->overflow = true;
        return;
    }
    c->out.size = (size_t)(put_header(c->out.data + c->out.size, '*', count) - c->out.data);
}

void ss_redis_arg(struct ss_redis_connection *c, const void *data, size_t size)
{
    if (c->overflow || !ss_buffer_reserve(&c->out, HEADER_MAX + size + 2)) {
        c->overflow = true;
        return;
    }
    uint8_t *at = put_header(c->out.data + c->out.size, '$', size);
    if (size)
        memcpy(at, data, size);
    at += size;
    *at++ = '\r';
    *at++ = '\n';
    c->out.size = (size_t)(at - c->out.data);
}

void ss_redis_texts(struct ss_redis_connection *c, const char *first, ...)
{
    va_list args;
    size_t count = 1;
    va_start(args, first);
    while (va_arg(args, const char *))
        count++;
    va_end(args);
    ss_redis_command(c, count);
    ss_redis_arg(c, first, strlen(first));
    va_start(args, first);
    for (size_t i = 1; i < count; i++) {
        const char *text = va_arg(args, const char *);
        ss_redis_arg(c, text, strlen(text));
    }
    va_end(args);
}

/* Hands everything in `out` to the socket. */
static enum ss_status send_out(struct ss_redis_connection *c, struct ss_error *err)
{
    assert(c->context);
    if (c->overflow) {
        ss_redis_drop(c);
        return ss_fail(err, SS_STOP, "redis %s: a command is too long, or out of memory", c->name);
    }
    if (c->out.size == 0)
        return SS_OK;
    if (redisAppendFormattedCommand(c->context, (const char *)c->out.data, c->out.size) != REDIS_OK)
        return fail_io(c, err);
    c->out.size = 0;
    int done = 0;
    while (!done)
        if (redisBufferWrite(c->context, &done) != REDIS_OK)
            return fail_io(c, err);
    return SS_OK;
}

/* ---- replies ---- */

static enum ss_status read_due(struct ss_redis_connection *c, redisReply **reply,
                               struct ss_error *err)
{
    void *any = NULL;
    assert(c->due > 0);
    if (redisGetReply(c->context, &any) != REDIS_OK)
        return fail_io(c, err);
    c->due--;
    *reply = any;
    return SS_OK;
}

enum ss_status ss_redis_reply_any(struct ss_redis_connection *c, redisReply **reply,
                                  struct ss_error *err)
{
    enum ss_status status = send_out(c, err);
    if (status != SS_OK)
        return status;
    c->due += c->unsent;
    c->unsent = 0;
    return read_due(c, reply, err);
}

enum ss_status ss_redis_reply(struct ss_redis_connection *c, redisReply **reply,
                              struct ss_error *err)
{
    enum ss_status status = ss_redis_reply_any(c, reply, err);
    if (status != SS_OK || (*reply)->type != REDIS_REPLY_ERROR)
        return status;
    status = ss_redis_error(c, *reply, err);
    freeReplyObject(*reply);
    *reply = NULL;
    ss_redis_drop(c);
    return status;
}

/* ---- transactions ---- */

/* Reads all but `keep` of the answers due, which say only "OK" or "QUEUED", and notes the first
 * that says otherwise: EXEC will answer that it refuses, but not why. */
static enum ss_status read_queued(struct ss_redis_connection *c, size_t keep, struct ss_error *err)
{
    while (c->due > keep) {
        redisReply *reply = NULL;
        enum ss_status status = read_due(c, &reply, err);
        if (status != SS_OK)
            return status;
        if (reply->type == REDIS_REPLY_ERROR && c->queued.status == SS_OK)
            ss_redis_error(c, reply, &c->queued);
        freeReplyObject(reply);
    }
    return SS_OK;
}

void ss_redis_multi(struct ss_redis_connection *c)
{
    assert(c->unsent + c->due == 0);
    c->queued.status = SS_OK;
    ss_redis_texts(c, "MULTI", NULL);
    c->in_multi = 0;
}

enum ss_status ss_redis_flow(struct ss_redis_connection *c, struct ss_error *err)
{
    if (c->out.size < CHUNK && !c->overflow)
        return SS_OK;
    enum ss_status status = send_out(c, err);
    if (status == SS_OK)
        status = read_queued(c, 0, err); /* of the chunk before: one is always on its way */
    if (status == SS_OK) {
        c->due = c->unsent;
        c->unsent = 0;
    }
    return status;
}

static enum ss_status check_exec(struct ss_redis_connection *c, const redisReply *reply,
                                 size_t count, bool *partial, struct ss_error *err)
{
    if (c->queued.status != SS_OK)
        return ss_fail(err, c->queued.status, "%s", c->queued.detail);
    if (reply->type == REDIS_REPLY_ERROR)
        return ss_redis_error(c, reply, err);
    if (reply->type == REDIS_REPLY_NIL)
        return SS_OK;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count)
        return ss_fail(err, SS_RETRY, "redis %s answers out of step", c->name);
    for (size_t i = 0; i < count; i++)
        if (reply->element[i]->type == REDIS_REPLY_ERROR) {
            *partial = true;
            return ss_redis_error(c, reply->element[i], err);
        }
    return SS_OK;
}

enum ss_status ss_redis_exec(struct ss_redis_connection *c, redisReply **reply, bool *partial,
                             struct ss_error *err)
{
    bool failed_inside = false;
    size_t count = c->in_multi;
    ss_redis_texts(c, "EXEC", NULL);
    enum ss_status status = send_out(c, err);
    if (status == SS_OK) {
        c->due += c->unsent;
        c->unsent = 0;
        status = read_queued(c, 1, err);
    }
    if (status == SS_OK)
        status = read_due(c, reply, err);
    if (status == SS_OK) {
        status = check_exec(c, *reply, count, &failed_inside, err);
        if (status != SS_OK) {
            freeReplyObject(*reply);
            *reply = NULL;
            if (!failed_inside)
                ss_redis_drop(c);
        }
    }
    if (partial)
        *partial = failed_inside;
    else if (failed_inside)
        ss_redis_drop(c);
    return status;
}
