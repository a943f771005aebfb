#include "helper_cluster.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_S = 20 };

static redisReply *ask(const struct cluster *cluster, int node, const char *format, va_list args)
{
    redisContext *context = redis_server_connect(&cluster->nodes[node]);
    char command[1024];
    vsnprintf(command, sizeof command, format, args);
    redisReply *reply = redisCommand(context, command);
    cr_assert(reply, "node %d does not answer", node);
    redisFree(context);
    return reply;
}

long long cluster_ask(const struct cluster *cluster, int node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = ask(cluster, node, format, args);
    va_end(args);
    long long value = -1;
    if (reply->type == REDIS_REPLY_INTEGER)
        value = reply->integer;
    else if (reply->type == REDIS_REPLY_ARRAY)
        value = (long long)reply->elements;
    else if (reply->type != REDIS_REPLY_ERROR)
        value = 0;
    freeReplyObject(reply);
    return value;
}

static void ask_text(const struct cluster *cluster, int node, char *out, size_t size,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = ask(cluster, node, format, args);
    va_end(args);
    const redisReply *from = reply;
    if (from->type == REDIS_REPLY_ARRAY && from->elements > 0)
        from = from->element[from->elements - 1];
    snprintf(out, size, "%s", from->str ? from->str : "");
    freeReplyObject(reply);
}

void cluster_wait(const struct cluster *cluster, int node, const char *command, const char *text)
{
    static char info[32768];
    double deadline = clock_seconds(CLOCK_MONOTONIC) + DEADLINE_S;
    for (;;) {
        ask_text(cluster, node, info, sizeof info, "%s", command);
        if (strstr(info, text))
            return;
        cr_assert(clock_seconds(CLOCK_MONOTONIC) < deadline, "node %d: no %s in %s: %s", node, text,
                  command, info);
        poll(NULL, 0, 5);
    }
}

static void must(const struct cluster *cluster, int node, const char *command)
{
    cr_assert_eq(cluster_ask(cluster, node, "%s", command), 0, "node %d: %s", node, command);
}

enum { OPTIONS_MAX = 16 };

static void make_options(const struct cluster *cluster, int node, const char **options)
{
    const char *const wanted[OPTIONS_MAX] = {"--cluster-enabled",
                                             "yes",
                                             "--cluster-node-timeout",
                                             "1000",
                                             "--cluster-replica-validity-factor",
                                             "0", /* a replica long cut off may be promoted */
                                             "--repl-diskless-sync-delay",
                                             "0",
                                             "--cluster-port",
                                             cluster->bus_ports[node],
                                             "--repl-ping-replica-period",
                                             "1"};
    memcpy(options, wanted, sizeof wanted);
}

static int first_slot(const struct cluster *cluster, int master)
{
    return CLUSTER_SLOTS * master / cluster->masters;
}

int cluster_owner(const struct cluster *cluster, int slot)
{
    int master = 0;
    while (slot >= first_slot(cluster, master + 1))
        master++;
    return master;
}

static void start_node(struct cluster *cluster, int node)
{
    const char *options[OPTIONS_MAX];
    snprintf(cluster->bus_ports[node], sizeof cluster->bus_ports[node], "%d", redis_free_port());
    make_options(cluster, node, options);
    redis_server_start_tcp(&cluster->nodes[node], options);
    ask_text(cluster, node, cluster->ids[node], sizeof cluster->ids[node], "CLUSTER MYID");
    cr_assert_eq(cluster_ask(cluster, node, "CLUSTER SET-CONFIG-EPOCH %d", node + 1), 0);
    if (node < cluster->masters)
        cr_assert_eq(cluster_ask(cluster, node, "CLUSTER ADDSLOTSRANGE %d %d",
                                 first_slot(cluster, node), first_slot(cluster, node + 1) - 1),
                     0);
    for (int other = 0; other < node; other++)
        cr_assert_eq(cluster_ask(cluster, node, "CLUSTER MEET 127.0.0.1 %d %s",
                                 cluster->nodes[other].port, cluster->bus_ports[other]),
                     0);
}

void cluster_start(struct cluster *cluster, int masters, bool replicas)
{
    char known[48], command[96];
    memset(cluster, 0, sizeof *cluster);
    cluster->masters = masters;
    int count = masters * (replicas ? 2 : 1);
    for (int i = 0; i < count; i++) {
        cluster->count = i + 1; /* removed as well, should it not start */
        start_node(cluster, i);
    }
    snprintf(known, sizeof known, "cluster_known_nodes:%d", count);
    for (int i = 0; i < count; i++)
        cluster_wait(cluster, i, "CLUSTER INFO", known);
    for (int i = masters; i < count; i++) {
        cluster_wait(cluster, i, "CLUSTER NODES", cluster->ids[i - masters]);
        snprintf(command, sizeof command, "CLUSTER REPLICATE %s", cluster->ids[i - masters]);
        must(cluster, i, command);
    }
    for (int i = masters; i < count; i++)
        cluster_wait(cluster, i, "INFO replication", "master_link_status:up");
    for (int i = 0; i < count; i++)
        cluster_wait(cluster, i, "CLUSTER INFO", "cluster_state:ok");
    size_t size = (size_t)snprintf(cluster->url, sizeof cluster->url, "redis-cluster://");
    for (int i = count - 1; i >= 0; i--)
        size += (size_t)snprintf(cluster->url + size, sizeof cluster->url - size, "127.0.0.1:%d%s",
                                 cluster->nodes[i].port, i ? "," : "");
}

void cluster_restart(struct cluster *cluster, int node)
{
    const char *options[OPTIONS_MAX];
    make_options(cluster, node, options);
    redis_server_restart(&cluster->nodes[node], options);
}

void cluster_remove(struct cluster *cluster)
{
    for (int i = 0; i < cluster->count; i++)
        redis_server_remove(&cluster->nodes[i]);
    cluster->count = 0;
}

/* ---- moving a slot ---- */

void cluster_move_open(const struct cluster *cluster, int slot, int from, int to)
{
    char command[96];
    snprintf(command, sizeof command, "CLUSTER SETSLOT %d IMPORTING %s", slot, cluster->ids[from]);
    must(cluster, to, command);
    snprintf(command, sizeof command, "CLUSTER SETSLOT %d MIGRATING %s", slot, cluster->ids[to]);
    must(cluster, from, command);
}

bool cluster_move_key(const struct cluster *cluster, int slot, int from, int to, const char *skip)
{
    redisContext *context = redis_server_connect(&cluster->nodes[from]);
    redisReply *keys = redisCommand(context, "CLUSTER GETKEYSINSLOT %d 2", slot);
    cr_assert(keys && keys->type == REDIS_REPLY_ARRAY);
    size_t i = skip && keys->elements > 0 && strcmp(keys->element[0]->str, skip) == 0;
    bool found = i < keys->elements;
    if (found) {
        redisReply *moved = redisCommand(context, "MIGRATE 127.0.0.1 %d %s 0 5000",
                                         cluster->nodes[to].port, keys->element[i]->str);
        cr_assert(moved && moved->type == REDIS_REPLY_STATUS, "%s", moved ? moved->str : "");
        freeReplyObject(moved);
    }
    freeReplyObject(keys);
    redisFree(context);
    return found;
}

void cluster_move_close(const struct cluster *cluster, int slot, int from, int to)
{
    char command[96], info[2048], epoch[48];
    snprintf(command, sizeof command, "CLUSTER SETSLOT %d NODE %s", slot, cluster->ids[to]);
    must(cluster, to, command);
    must(cluster, from, command);
    /* the epoch under which the target has it must be known before the next move takes one */
    ask_text(cluster, to, info, sizeof info, "CLUSTER INFO");
    const char *found = strstr(info, "cluster_current_epoch:");
    snprintf(epoch, sizeof epoch, "%.*s", (int)strcspn(found, "\r"), found);
    for (int i = 0; i < cluster->masters; i++)
        cluster_wait(cluster, i, "CLUSTER INFO", epoch);
}
