#include "state/redis_cluster.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOBODY = UINT16_MAX, HOPS_MAX = 5, SAY_AGAIN_MS = 10000 };

struct node {
    char host[SS_REDIS_HOST_MAX]; /* empty: a free place */
    int port;
    bool seed;                              /* named in the URL, and so never forgotten */
    uint64_t used;                          /* when, by the cluster's count of uses */
    struct ss_redis_connection *connection; /* NULL until needed */
};

struct ss_redis_cluster {
    struct ss_redis_url url; /* the login; host and port are each node's own */
    int timeout_ms;
    struct node nodes[SS_REDIS_NODES_MAX];
    uint16_t owner[SS_REDIS_SLOTS]; /* index of a node, or NOBODY */
    bool stale;                     /* read the map before it is used again */
    size_t ask_first;               /* of whom; moves on, for a node cut off tells an old map */
    size_t last;                    /* the node that route has given; NOBODY: none */
    int hops;                       /* MOVED in a row */
    uint64_t uses;
    int moving_slot; /* -1, or one whose move holds us up; since when, and when we last said so */
    int64_t moving_since_ms, said_ms;
};

int ss_redis_slot(const char *key, size_t size)
{
    const char *open = memchr(key, '{', size);
    const char *close = open ? memchr(open, '}', size - (size_t)(open - key)) : NULL;
    if (close && close > open + 1) {
        key = open + 1;
        size = (size_t)(close - key);
    }
    unsigned crc = 0;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned)(uint8_t)key[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return (int)(crc & (SS_REDIS_SLOTS - 1));
}

/* ---- nodes ---- */

static void disconnect(struct node *node)
{
    if (node->connection)
        ss_redis_connection_reset(node->connection);
    free(node->connection);
    node->connection = NULL;
}

/* The node's index; NOBODY if there are too many. */
static uint16_t find_or_add(struct ss_redis_cluster *cluster, const char *host, int port)
{
    size_t place = SS_REDIS_NODES_MAX;
    for (size_t i = 0; i < SS_REDIS_NODES_MAX; i++) {
        const struct node *node = &cluster->nodes[i];
        if (node->port == port && strcmp(node->host, host) == 0)
            return (uint16_t)i;
        if (!node->host[0] && place == SS_REDIS_NODES_MAX)
            place = i;
    }
    if (place == SS_REDIS_NODES_MAX || !host[0] || strlen(host) >= SS_REDIS_HOST_MAX)
        return NOBODY;
    struct node *node = &cluster->nodes[place];
    *node = (struct node){.port = port};
    strcpy(node->host, host);
    return (uint16_t)place;
}

/* Lets go of nodes that have no slot any more. */
static void forget_idle(struct ss_redis_cluster *cluster)
{
    bool owns[SS_REDIS_NODES_MAX] = {false};
    for (size_t slot = 0; slot < SS_REDIS_SLOTS; slot++)
        if (cluster->owner[slot] != NOBODY)
            owns[cluster->owner[slot]] = true;
    for (size_t i = 0; i < SS_REDIS_NODES_MAX; i++)
        if (!owns[i] && !cluster->nodes[i].seed) {
            disconnect(&cluster->nodes[i]);
            cluster->nodes[i] = (struct node){0};
        }
}

static void make_room(struct ss_redis_cluster *cluster)
{
    struct node *oldest = NULL;
    size_t open = 0;
    for (size_t i = 0; i < SS_REDIS_NODES_MAX; i++) {
        struct node *node = &cluster->nodes[i];
        if (!node->connection)
            continue;
        open++;
        if (!oldest || node->used < oldest->used)
            oldest = node;
    }
    if (open >= SS_REDIS_CONNECTIONS_MAX)
        disconnect(oldest);
}

static enum ss_status connect_node(struct ss_redis_cluster *cluster, struct node *node,
                                   struct ss_error *err)
{
    enum ss_status status = SS_OK;
    node->used = ++cluster->uses;
    if (!node->connection) {
        make_room(cluster);
        node->connection = malloc(sizeof *node->connection);
        if (!node->connection)
            return ss_fail(err, SS_STOP, "out of memory");
        struct ss_redis_url url = cluster->url;
        memcpy(url.host, node->host, sizeof url.host);
        url.port = node->port;
        status = ss_redis_connection_init(node->connection, &url, cluster->timeout_ms, err);
        explicit_bzero(&url, sizeof url);
    }
    return status == SS_OK ? ss_redis_ensure(node->connection, err) : status;
}

/* ---- the map ---- */

/* One element of CLUSTER SLOTS: first slot, last slot, [host, port, …] of the master, replicas. A
 * host that is nil, empty or "?" is the one that was asked. */
static bool read_range(struct ss_redis_cluster *cluster, const redisReply *range,
                       const struct node *asked)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3)
        return false;
    const redisReply *first = range->element[0], *last = range->element[1];
    const redisReply *master = range->element[2];
    if (first->type != REDIS_REPLY_INTEGER || last->type != REDIS_REPLY_INTEGER ||
        first->integer < 0 || last->integer >= SS_REDIS_SLOTS ||
        master->type != REDIS_REPLY_ARRAY || master->elements < 2)
        return false;
    const redisReply *host = master->element[0], *port = master->element[1];
    if (port->type != REDIS_REPLY_INTEGER || port->integer < 1 || port->integer > 65535)
        return false;
    bool same = host->type != REDIS_REPLY_STRING || !host->str[0] || strcmp(host->str, "?") == 0;
    uint16_t owner = find_or_add(cluster, same ? asked->host : host->str, (int)port->integer);
    for (long long slot = first->integer; slot <= last->integer; slot++)
        cluster->owner[slot] = owner;
    return owner != NOBODY;
}

static enum ss_status ask_map(struct ss_redis_cluster *cluster, struct node *node,
                              struct ss_error *err)
{
    redisReply *reply = NULL;
    enum ss_status status = connect_node(cluster, node, err);
    if (status != SS_OK)
        return status;
    ss_redis_texts(node->connection, "CLUSTER", "SLOTS", NULL);
    status = ss_redis_reply(node->connection, &reply, err);
    if (status != SS_OK)
        return status;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        status = ss_fail(err, SS_RETRY, "redis %s knows of no slots", node->connection->name);
    } else {
        memset(cluster->owner, 0xff, sizeof cluster->owner); /* NOBODY */
        for (size_t i = 0; i < reply->elements && status == SS_OK; i++)
            if (!read_range(cluster, reply->element[i], node))
                status = ss_fail(err, SS_RETRY,
                                 "redis %s tells slots that are not understood, or of more than "
                                 "%d nodes",
                                 node->connection->name, SS_REDIS_NODES_MAX);
    }
    freeReplyObject(reply);
    return status;
}

/* Asks one node after the other until one answers, for as long as two nodes may take that do not.
 */
static enum ss_status read_map(struct ss_redis_cluster *cluster, struct ss_error *err)
{
    enum ss_status status = ss_fail(err, SS_RETRY, "no node of the Redis Cluster is known");
    int64_t deadline_ms = ss_clock_steady_ms() + 2 * (int64_t)cluster->timeout_ms;
    for (size_t n = 0; n < SS_REDIS_NODES_MAX && ss_clock_steady_ms() < deadline_ms; n++) {
        struct node *node = &cluster->nodes[cluster->ask_first];
        if (node->host[0]) {
            status = ask_map(cluster, node, err);
            if (status == SS_OK) {
                cluster->stale = false;
                forget_idle(cluster);
            }
        }
        cluster->ask_first = (cluster->ask_first + 1) % SS_REDIS_NODES_MAX;
        if (node->host[0] && status != SS_RETRY)
            break;
    }
    return status;
}

/* ---- the handle ---- */

static enum ss_status add_seeds(struct ss_redis_cluster *cluster, const char *url,
                                struct ss_error *err)
{
    size_t count = 1;
    for (size_t i = 0; i < count; i++) {
        enum ss_status status = ss_redis_url_parse_node(url, i, &cluster->url, &count, err);
        if (status != SS_OK)
            return status;
        uint16_t place = find_or_add(cluster, cluster->url.host, cluster->url.port);
        if (count > SS_REDIS_NODES_MAX / 2 || place == NOBODY)
            return ss_fail(err, SS_STOP, "the Redis URL names %zu nodes; %d are enough", count,
                           SS_REDIS_NODES_MAX / 2);
        cluster->nodes[place].seed = true;
    }
    return SS_OK;
}

/* What would be found out later is better told at the start; nodes that do not answer are not
 * waited for for long. */
static enum ss_status check_all(struct ss_redis_cluster *cluster, struct ss_error *err)
{
    int64_t deadline_ms = ss_clock_steady_ms() + 2 * (int64_t)cluster->timeout_ms;
    for (size_t i = 0; i < SS_REDIS_NODES_MAX && ss_clock_steady_ms() < deadline_ms; i++) {
        struct ss_error one;
        if (cluster->nodes[i].host[0] && connect_node(cluster, &cluster->nodes[i], &one) == SS_STOP)
            return ss_fail(err, SS_STOP, "%s", one.detail);
    }
    return SS_OK;
}

enum ss_status ss_redis_cluster_open(const char *url, int timeout_ms,
                                     struct ss_redis_cluster **cluster, struct ss_error *err)
{
    struct ss_redis_cluster *self = calloc(1, sizeof *self);
    *cluster = NULL;
    if (!self)
        return ss_fail(err, SS_STOP, "out of memory");
    self->timeout_ms = timeout_ms;
    self->moving_slot = -1;
    enum ss_status status = add_seeds(self, url, err);
    if (status == SS_OK)
        status = read_map(self, err);
    if (status == SS_OK)
        status = check_all(self, err);
    if (status == SS_OK)
        *cluster = self;
    else
        ss_redis_cluster_close(self);
    return status;
}

void ss_redis_cluster_close(struct ss_redis_cluster *cluster)
{
    if (!cluster)
        return;
    for (size_t i = 0; i < SS_REDIS_NODES_MAX; i++)
        disconnect(&cluster->nodes[i]);
    explicit_bzero(&cluster->url, sizeof cluster->url);
    free(cluster);
}

/* ---- the way ---- */

enum ss_status ss_redis_cluster_route(struct ss_redis_cluster *cluster, int slot,
                                      struct ss_redis_connection **connection, struct ss_error *err)
{
    assert(slot >= 0 && slot < SS_REDIS_SLOTS);
    cluster->last = NOBODY;
    if (cluster->stale) {
        enum ss_status status = read_map(cluster, err);
        if (status != SS_OK)
            return status;
    }
    if (cluster->owner[slot] == NOBODY) {
        cluster->stale = true;
        return ss_fail(err, SS_RETRY, "no node of the Redis Cluster has slot %d", slot);
    }
    struct node *node = &cluster->nodes[cluster->owner[slot]];
    enum ss_status status = connect_node(cluster, node, err);
    if (status != SS_OK) {
        cluster->stale = true; /* a replica may take its place */
        return status;
    }
    node->connection->redirect = (struct ss_redis_redirect){0};
    cluster->last = cluster->owner[slot];
    *connection = node->connection;
    return SS_OK;
}

static void note_moving(struct ss_redis_cluster *cluster, int slot)
{
    int64_t now = ss_clock_steady_ms();
    if (cluster->moving_slot < 0) {
        cluster->moving_slot = slot;
        cluster->moving_since_ms = cluster->said_ms = now;
        ss_warn("redis", "slot %d is being moved to another node: its partition waits until it is",
                slot);
    } else if (cluster->moving_slot == slot && now - cluster->said_ms >= SAY_AGAIN_MS) {
        cluster->said_ms = now;
        ss_warn("redis",
                "slot %d has been on its way to another node for %lld s; if nobody moves it any "
                "more, `redis-cli --cluster fix` brings it to an end",
                slot, (long long)(now - cluster->moving_since_ms) / 1000);
    }
}

static bool follow(struct ss_redis_cluster *cluster, int slot, const struct node *from)
{
    const struct ss_redis_redirect *redirect = &from->connection->redirect;
    const char *host = redirect->host[0] ? redirect->host : from->host;
    uint16_t owner = find_or_add(cluster, host, redirect->port);
    cluster->stale = true;
    if (owner == NOBODY)
        return false;
    cluster->owner[slot] = owner;
    cluster->ask_first = owner; /* it knows best, for the time being */
    if (++cluster->hops <= HOPS_MAX)
        return true;
    cluster->hops = 0;
    return false;
}

bool ss_redis_cluster_moved(struct ss_redis_cluster *cluster, int slot, enum ss_status status)
{
    if (status == SS_RETRY && cluster->last != NOBODY) {
        const struct node *node = &cluster->nodes[cluster->last];
        if (node->connection->redirect.kind == SS_REDIS_MOVED)
            return follow(cluster, slot, node);
        if (node->connection->redirect.kind == SS_REDIS_MOVING)
            note_moving(cluster, slot);
        else
            cluster->stale = true;
    } else if (status != SS_RETRY && cluster->moving_slot == slot) {
        ss_info("redis", "slot %d has arrived, after %lld ms of waiting", slot,
                (long long)(ss_clock_steady_ms() - cluster->moving_since_ms));
        cluster->moving_slot = -1;
    }
    cluster->hops = 0;
    return false;
}
