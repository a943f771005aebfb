/* helper_cluster.h - a private Redis Cluster on loopback for one test: masters that share the
 * slots evenly, each with a replica or none. Everything waits on conditions, and fails the test
 * after twenty seconds. */
#ifndef SS_TESTS_HELPER_CLUSTER_H
#define SS_TESTS_HELPER_CLUSTER_H

#include "helper_redis.h"

enum { CLUSTER_NODES_MAX = 6, CLUSTER_SLOTS = 16384 };

struct cluster {
    struct redis_server nodes[CLUSTER_NODES_MAX]; /* the masters, then replica i of master i */
    char ids[CLUSTER_NODES_MAX][48];
    char bus_ports[CLUSTER_NODES_MAX][8];
    int masters, count;
    char url[256]; /* redis-cluster:// with all nodes, the replicas first */
};

/* Ensures that every node calls the cluster fine and every replica is in step. */
void cluster_start(struct cluster *cluster, int masters, bool replicas);
void cluster_remove(struct cluster *cluster); /* harmless without one */
/* Starts a killed node again: empty, but it knows who it was. */
void cluster_restart(struct cluster *cluster, int node);

/* One command to one node: 0 for OK, an integer, the number of an array's elements, or -1. */
long long cluster_ask(const struct cluster *cluster, int node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits until INFO or CLUSTER INFO of the node has this text. */
void cluster_wait(const struct cluster *cluster, int node, const char *command, const char *text);
/* The master that has the slot as the cluster was started. */
int cluster_owner(const struct cluster *cluster, int slot);

/* Moves a slot: open, keys one by one (cluster_move_key: false if the source has none of them
 * left; skip, which may be NULL, is passed over), close (and wait until all masters know). */
void cluster_move_open(const struct cluster *cluster, int slot, int from, int to);
bool cluster_move_key(const struct cluster *cluster, int slot, int from, int to, const char *skip);
void cluster_move_close(const struct cluster *cluster, int slot, int from, int to);

#endif
