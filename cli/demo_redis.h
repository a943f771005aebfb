/* demo_redis.h - a redis-server of our own: on a Unix socket in a private folder, nothing on disk,
 * gone with us however we end.
 *
 * A guardian process between us and the server waits for the end of a pipe that we hold open. When
 * it comes (closed, or the kernel closed it because we were killed), it kills the server and
 * removes the folder. Ctrl-C does not reach either of them. Start it before any thread.
 */
#ifndef SS_CLI_DEMO_REDIS_H
#define SS_CLI_DEMO_REDIS_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/types.h>

struct ss_demo_redis {
    pid_t guardian;
    int pipe;
    char url[128];
};

/* SS_STOP: neither redis-server nor valkey-server is installed, or it does not start. */
SS_MUST_USE enum ss_status ss_demo_redis_start(struct ss_demo_redis *redis, struct ss_error *err);
/* Returns when server and folder are gone. Also for one that did not start. */
void ss_demo_redis_stop(struct ss_demo_redis *redis);

#endif
