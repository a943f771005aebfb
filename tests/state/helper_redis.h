/* helper_redis.h - a private redis-server for one test: in a directory of its own under TMPDIR, on
 * a Unix socket or a free loopback port, dead with the test whatever happens to that. */
#ifndef SS_TESTS_HELPER_REDIS_H
#define SS_TESTS_HELPER_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct redis_server {
    char directory[64];
    char socket_path[96];
    char url[128]; /* of the socket */
    int port;      /* 0 until started on TCP */
    pid_t pid;
};

/* Start one, and wait until it answers PING; fail the test after ten seconds. options are further
 * arguments ("--requirepass", "secret", …), ended by NULL, or NULL. */
void redis_server_start(struct redis_server *server, const char *const *options);
/* As above with a free TCP port as well. */
void redis_server_start_tcp(struct redis_server *server, const char *const *options);
/* A port that was free a moment ago. */
int redis_free_port(void);
/* SIGKILL, and reaped. */
void redis_server_kill(struct redis_server *server);
/* Again in the same place, empty, with these options. */
void redis_server_restart(struct redis_server *server, const char *const *options);
/* Kill it, and remove the directory. */
void redis_server_remove(struct redis_server *server);

double clock_seconds(clockid_t clock);

/* A client beside the store under test. */
redisContext *redis_server_connect(const struct redis_server *server);
/* One command: its integer, or -1. */
long long redis_server_integer(const struct redis_server *server, const char *command);
/* One command: its text into out ("" for nil). */
void redis_server_text(const struct redis_server *server, const char *command, char *out,
                       size_t size);

#endif
