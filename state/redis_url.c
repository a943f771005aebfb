#include "state/redis_url.h"

#include <stdlib.h>
#include <string.h>

static enum ss_status fail(struct ss_error *err, const char *what)
{
    return ss_fail(err, SS_STOP,
                   "the Redis URL %s; it is redis://[user:password@]host:port[/db], "
                   "unix:///path/to/socket[?db=N] or "
                   "redis-cluster://[user:password@]host:port[,host:port...]",
                   what);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copies [from, to) with %XX decoded. false: too long, or a broken escape, or a zero byte. */
static bool decode(const char *from, const char *to, char *out, size_t out_size)
{
    size_t n = 0;
    while (from < to) {
        int c = (unsigned char)*from++;
        if (c == '%') {
            if (to - from < 2 || hex_digit(from[0]) < 0 || hex_digit(from[1]) < 0)
                return false;
            c = hex_digit(from[0]) * 16 + hex_digit(from[1]);
            from += 2;
        }
        if (c == 0 || n + 1 >= out_size)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

/* A whole number from 0 to max that fills [from, to). */
static bool number(const char *from, const char *to, int max, int *out)
{
    int value = 0;
    if (from == to)
        return false;
    for (; from < to; from++) {
        if (*from < '0' || *from > '9')
            return false;
        value = value * 10 + (*from - '0');
        if (value > max)
            return false;
    }
    *out = value;
    return true;
}

/* Takes `user:password@` from the front of [*at, end). */
static bool take_login(const char **at, const char *end, struct ss_redis_url *url)
{
    const char *sign = NULL;
    for (const char *p = *at; p < end; p++)
        if (*p == '@')
            sign = p;
    if (!sign)
        return true;
    const char *colon = memchr(*at, ':', (size_t)(sign - *at));
    if (!colon || !decode(*at, colon, url->user, sizeof url->user) ||
        !decode(colon + 1, sign, url->password, sizeof url->password))
        return false;
    *at = sign + 1;
    return true;
}

static enum ss_status parse_unix(const char *at, struct ss_redis_url *url, struct ss_error *err)
{
    const char *end = at + strcspn(at, "?");
    url->is_unix = true;
    if (*at != '/' && !take_login(&at, end, url)) /* a path may hold an @ */
        return fail(err, "has an unreadable user:password");
    if (*end == '?' &&
        (strncmp(end, "?db=", 4) != 0 || !number(end + 4, end + strlen(end), 1 << 20, &url->db)))
        return fail(err, "has something else than ?db=N behind the path");
    if (*at != '/' || !decode(at, end, url->host, sizeof url->host))
        return fail(err, "has no absolute path to a socket");
    return SS_OK;
}

/* The first such character of [from, to); NULL if there is none. */
static const char *find(const char *from, const char *to, char c)
{
    for (; from < to; from++)
        if (*from == c)
            return from;
    return NULL;
}

/* host, host:port, [v6::address] or [v6::address]:port, and nothing else. */
static enum ss_status parse_host(const char *at, const char *end, struct ss_redis_url *url,
                                 struct ss_error *err)
{
    const char *host_end, *rest;
    if (at < end && *at == '[') {
        at++;
        host_end = find(at, end, ']');
        if (!host_end)
            return fail(err, "has an unclosed [address]");
        rest = host_end + 1;
    } else {
        host_end = find(at, end, ':');
        if (!host_end)
            host_end = end;
        rest = host_end;
    }
    if (host_end == at || !decode(at, host_end, url->host, sizeof url->host))
        return fail(err, "has no host");
    url->port = 6379;
    if (rest < end && (*rest != ':' || !number(rest + 1, end, 65535, &url->port) || url->port == 0))
        return fail(err, "has a port that is not 1 to 65535");
    return SS_OK;
}

static enum ss_status parse_tcp(const char *at, struct ss_redis_url *url, struct ss_error *err)
{
    const char *end = at + strcspn(at, "/?#");
    if (!take_login(&at, end, url))
        return fail(err, "has an unreadable user:password");
    if (end[0] == '/' && end[1] != '\0') {
        if (!number(end + 1, end + strlen(end), 1 << 20, &url->db))
            return fail(err, "has no database number behind the slash");
    } else if (end[0] != '\0' && end[0] != '/') {
        return fail(err, "has options that are not known");
    }
    return parse_host(at, end, url, err);
}

/* Reads all nodes, so that each is checked, and keeps the one that is asked for. */
static enum ss_status parse_cluster(const char *at, size_t index, struct ss_redis_url *url,
                                    size_t *count, struct ss_error *err)
{
    const char *end = at + strcspn(at, "/?#");
    struct ss_redis_url node;
    bool found = false;
    url->cluster = true;
    if (!take_login(&at, end, url))
        return fail(err, "has an unreadable user:password");
    if (end[0] != '\0' && strcmp(end, "/") != 0)
        return fail(err, "has something behind the nodes; a cluster has only database 0");
    for (*count = 0;; ++*count) {
        const char *comma = find(at, end, ',');
        enum ss_status status = parse_host(at, comma ? comma : end, &node, err);
        if (status != SS_OK)
            return status;
        if (*count == index) {
            memcpy(url->host, node.host, sizeof url->host);
            url->port = node.port;
            found = true;
        }
        if (!comma)
            break;
        at = comma + 1;
    }
    ++*count;
    return found ? SS_OK : fail(err, "has fewer nodes");
}

enum ss_status ss_redis_url_parse_node(const char *text, size_t index, struct ss_redis_url *url,
                                       size_t *count, struct ss_error *err)
{
    size_t nodes;
    if (!count)
        count = &nodes;
    *count = 1;
    memset(url, 0, sizeof *url);
    if (strncmp(text, "unix://", 7) == 0)
        return parse_unix(text + 7, url, err);
    if (strncmp(text, "redis://", 8) == 0)
        return parse_tcp(text + 8, url, err);
    if (strncmp(text, "redis-cluster://", 16) == 0)
        return parse_cluster(text + 16, index, url, count, err);
    url->tls = true;
    if (strncmp(text, "rediss://", 9) == 0)
        return parse_tcp(text + 9, url, err);
    if (strncmp(text, "rediss-cluster://", 17) == 0)
        return parse_cluster(text + 17, index, url, count, err);
    return fail(err, "is of an unknown kind");
}

enum ss_status ss_redis_url_parse(const char *text, struct ss_redis_url *url, struct ss_error *err)
{
    return ss_redis_url_parse_node(text, 0, url, NULL, err);
}
