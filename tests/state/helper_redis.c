#include "helper_redis.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double clock_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int redis_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void run(struct redis_server *server, const char *const *options)
{
    char port[16];
    const char *argv[40] = {"redis-server",
                            "--port",
                            port,
                            "--bind",
                            "127.0.0.1",
                            "--save",
                            "",
                            "--appendonly",
                            "no",
                            "--dir",
                            server->directory,
                            "--unixsocket",
                            server->socket_path,
                            "--logfile",
                            "redis.log"};
    int argc = 15;
    snprintf(port, sizeof port, "%d", server->port);
    for (; options && *options && argc < 39; options++)
        argv[argc++] = *options;
    pid_t parent = getpid();
    server->pid = fork();
    cr_assert(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
}

static bool answers(const struct redis_server *server)
{
    struct timeval timeout = {5, 0};
    redisContext *context = redisConnectUnixWithTimeout(server->socket_path, timeout);
    bool fine = false;
    if (context && !context->err) {
        redisReply *reply = redisCommand(context, "PING");
        /* one with a password says that it wants it: up as well */
        fine =
            reply && (reply->type == REDIS_REPLY_STATUS || strncmp(reply->str, "NOAUTH", 6) == 0);
        if (reply)
            freeReplyObject(reply);
    }
    if (context)
        redisFree(context);
    return fine;
}

static void wait_until_up(struct redis_server *server)
{
    double deadline = clock_seconds(CLOCK_MONOTONIC) + 10;
    while (!answers(server)) {
        int status;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            cr_assert_fail("redis-server did not start, status %d", status);
        }
        cr_assert(clock_seconds(CLOCK_MONOTONIC) < deadline, "redis-server does not answer");
        poll(NULL, 0, 2);
    }
}

static void start(struct redis_server *server, int port, const char *const *options)
{
    const char *base = getenv("TMPDIR");
    memset(server, 0, sizeof *server);
    /* a Unix socket's path has little room: fall back where TMPDIR is long */
    if (!base || strlen(base) > 32)
        base = "/tmp";
    snprintf(server->directory, sizeof server->directory, "%s/ss-redis-XXXXXX", base);
    cr_assert(mkdtemp(server->directory));
    snprintf(server->socket_path, sizeof server->socket_path, "%s/redis.sock", server->directory);
    snprintf(server->url, sizeof server->url, "unix://%s", server->socket_path);
    server->port = port;
    run(server, options);
    wait_until_up(server);
}

void redis_server_start(struct redis_server *server, const char *const *options)
{
    start(server, 0, options);
}

void redis_server_start_tcp(struct redis_server *server, const char *const *options)
{
    start(server, redis_free_port(), options);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    server->pid = 0;
}

void redis_server_restart(struct redis_server *server, const char *const *options)
{
    unlink(server->socket_path);
    run(server, options);
    wait_until_up(server);
}

void redis_server_remove(struct redis_server *server)
{
    redis_server_kill(server);
    DIR *directory = server->directory[0] ? opendir(server->directory) : NULL;
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(server->directory);
}

redisContext *redis_server_connect(const struct redis_server *server)
{
    struct timeval timeout = {5, 0};
    redisContext *context = redisConnectUnixWithTimeout(server->socket_path, timeout);
    cr_assert(context && !context->err);
    return context;
}

static redisReply *ask(const struct redis_server *server, const char *command,
                       redisContext **context)
{
    *context = redis_server_connect(server);
    redisReply *reply = redisCommand(*context, command);
    cr_assert(reply);
    return reply;
}

long long redis_server_integer(const struct redis_server *server, const char *command)
{
    redisContext *context;
    redisReply *reply = ask(server, command, &context);
    long long value = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    freeReplyObject(reply);
    redisFree(context);
    return value;
}

void redis_server_text(const struct redis_server *server, const char *command, char *out,
                       size_t size)
{
    redisContext *context;
    redisReply *reply = ask(server, command, &context);
    snprintf(out, size, "%s", reply->str ? reply->str : "");
    freeReplyObject(reply);
    redisFree(context);
}
