/* redis_store.h - states in Redis; only state/redis_*.c include hiredis.
 *
 * Users of a partition are spread over `buckets` hashes of about sixty each, which Redis keeps as
 * listpacks: key `<prefix>:{<partition>}:<bucket, hex>`, field the user id, value the packed state;
 * the hash tag keeps a partition's keys in one cluster slot. The checkpoint is
 * `<prefix>:{<partition>}:cp`; its value names the number of buckets too, and under another number
 * it counts as none. Where there is none, wipe before the first save: leftovers, or a wipe that was
 * cut short, let that save give up, and in a cluster wiping also lays the buckets out.
 */
#ifndef SS_STATE_REDIS_STORE_H
#define SS_STATE_REDIS_STORE_H

#include "state/store.h"

struct ss_redis_config {
    const char *url;    /* redis://[user:password@]host:port[/db] or unix:///path/to/socket[?db=N];
                           redis-cluster://[user:password@]host:port[,host:port…] for a cluster;
                           rediss:// and rediss-cluster:// where hiredis has TLS */
    const char *prefix; /* of all keys */
    int32_t buckets;    /* per partition; part of the data's identity */
    int timeout_ms;     /* connect, and each answer */
};

/* Connects and checks the server: refuses a maxmemory-policy other than noeviction (SS_STOP),
 * raises hash-max-listpack-value and -entries or warns that it may not. SS_RETRY: not reachable
 * now. Of a cluster, each node that is connected to is checked. After a broken connection the next
 * call reconnects, with AUTH, SELECT and the same checks. Makes the process ignore SIGPIPE, unless
 * it handles it. */
SS_MUST_USE enum ss_status ss_redis_open(const struct ss_redis_config *config,
                                         struct ss_store **store, struct ss_error *err);

#endif
