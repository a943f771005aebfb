/* redis_cluster.h - which node of a Redis Cluster has a partition, and a connection to it. Internal
 * to state/; one thread.
 *
 * A partition's keys share a hash tag and so a slot; whoever has the slot has the partition. The
 * map of slots is read from any node that answers, the ones in the URL to begin with, and read
 * again whenever a node says MOVED or CLUSTERDOWN, or is away. MOVED is followed at once. ASK is
 * not: while a slot is being moved its keys are on two nodes, and no transaction and no WATCH spans
 * both. SS_RETRY holds the partition until the move is over; the log tells since when.
 *
 * Every connection logs in and checks its node as redis_connection.h says. There are at most
 * SS_REDIS_CONNECTIONS_MAX; the one that was used least recently makes room.
 */
#ifndef SS_STATE_REDIS_CLUSTER_H
#define SS_STATE_REDIS_CLUSTER_H

#include "state/redis_connection.h"

enum {
    SS_REDIS_SLOTS = 16384,
    SS_REDIS_NODES_MAX = 256, /* masters and nodes in the URL */
    SS_REDIS_CONNECTIONS_MAX = 32,
};

struct ss_redis_cluster;

/* The slot of a key: CRC16 (XMODEM) of what is between its first { and the next }, if anything is,
 * else of the whole key. */
int ss_redis_slot(const char *key, size_t size);

/* Reads the map and checks every master that answers. SS_STOP: a bad URL, not a cluster, or a node
 * that redis_store.h refuses. SS_RETRY: no node answers. */
SS_MUST_USE enum ss_status ss_redis_cluster_open(const char *url, int timeout_ms,
                                                 struct ss_redis_cluster **cluster,
                                                 struct ss_error *err);
void ss_redis_cluster_close(struct ss_redis_cluster *cluster); /* NULL is fine */

/* Gives a connection, ensured, to the node that has the slot; it stands until the next call. */
SS_MUST_USE enum ss_status ss_redis_cluster_route(struct ss_redis_cluster *cluster, int slot,
                                                  struct ss_redis_connection **connection,
                                                  struct ss_error *err);
/* Tells how what was asked there ended. true: the slot is another node's, ask again from route on;
 * false after some such in a row, so that nodes that disagree do not hold up the caller. */
SS_MUST_USE bool ss_redis_cluster_moved(struct ss_redis_cluster *cluster, int slot,
                                        enum ss_status status);

#endif
