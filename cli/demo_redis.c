#include "cli/demo_redis.h"

#include "cli/time_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOT_INSTALLED = 127, START_SECONDS = 10 };

/* --- in the guardian --- */

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir) {
        struct dirent *entry;
        while ((entry = readdir(dir)))
            (void)unlinkat(dirfd(dir), entry->d_name, 0); /* "." and ".." refuse */
        closedir(dir);
    }
    (void)rmdir(folder);
}

static void be_quiet(void)
{
    int null = open("/dev/null", O_RDWR);
    if (null < 0)
        return;
    for (int fd = 0; fd < 3; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        close(null);
}

static void be_redis(const char *folder)
{
    static const char *const servers[] = {"redis-server", "valkey-server"};
    char socket_path[96];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* should the guardian be killed */
    snprintf(socket_path, sizeof socket_path, "%s/redis.sock", folder);
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
        execlp(servers[i], servers[i], "--port", "0", "--unixsocket", socket_path,
               "--unixsocketperm", "700", "--dir", folder, "--save", "", "--appendonly", "no",
               "--maxmemory-policy", "noeviction", "--daemonize", "no", (char *)NULL);
    _exit(errno == ENOENT ? NOT_INSTALLED : 126);
}

static void guard(const char *folder, int pipe)
{
    int status = 0;
    setsid();
    be_quiet();
    pid_t server = fork();
    if (server == 0)
        be_redis(folder);
    for (;;) {
        struct pollfd ended = {.fd = pipe, .events = POLLIN};
        if (server < 0 || waitpid(server, &status, WNOHANG) == server)
            break;
        if (poll(&ended, 1, 100) > 0) {
            kill(server, SIGKILL);
            waitpid(server, &status, 0);
            break;
        }
    }
    remove_folder(folder);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* --- in the demo --- */

static bool answers(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

static enum ss_status wait_for_server(struct ss_demo_redis *redis, const char *socket_path,
                                      struct ss_error *err)
{
    double deadline = ss_seconds() + START_SECONDS;
    int status;
    while (!answers(socket_path)) {
        if (waitpid(redis->guardian, &status, WNOHANG) == redis->guardian) {
            redis->guardian = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_INSTALLED)
                return ss_fail(err, SS_STOP,
                               "redis-server is not installed; tools/install quick does it, or "
                               "`apt install redis-server`");
            return ss_fail(err, SS_STOP, "redis-server ended as soon as it was started");
        }
        if (ss_seconds() > deadline)
            return ss_fail(err, SS_STOP, "redis-server does not answer within %d s", START_SECONDS);
        nanosleep(&(struct timespec){0, 5 * 1000000L}, NULL);
    }
    return SS_OK;
}

enum ss_status ss_demo_redis_start(struct ss_demo_redis *redis, struct ss_error *err)
{
    const char *temporary = getenv("TMPDIR");
    char folder[72], socket_path[96];
    int ends[2];

    *redis = (struct ss_demo_redis){.pipe = -1};
    if (!temporary || temporary[0] != '/' || strlen(temporary) > 40) /* a socket's path is short */
        temporary = "/tmp";
    snprintf(folder, sizeof folder, "%s/sesame-demo.XXXXXX", temporary);
    if (!mkdtemp(folder))
        return ss_fail(err, SS_STOP, "cannot make a folder in %s: %s", temporary, strerror(errno));
    if (pipe2(ends, O_CLOEXEC) != 0) {
        rmdir(folder);
        return ss_fail(err, SS_STOP, "cannot make a pipe: %s", strerror(errno));
    }
    redis->guardian = fork();
    if (redis->guardian == 0) {
        close(ends[1]);
        guard(folder, ends[0]);
    }
    close(ends[0]);
    redis->pipe = ends[1];
    if (redis->guardian < 0) {
        redis->guardian = 0;
        rmdir(folder);
        return ss_fail(err, SS_STOP, "cannot start a process: %s", strerror(errno));
    }
    snprintf(socket_path, sizeof socket_path, "%s/redis.sock", folder);
    snprintf(redis->url, sizeof redis->url, "unix://%s", socket_path);
    return wait_for_server(redis, socket_path, err);
}

void ss_demo_redis_stop(struct ss_demo_redis *redis)
{
    if (redis->pipe >= 0)
        close(redis->pipe);
    redis->pipe = -1;
    if (redis->guardian > 0)
        while (waitpid(redis->guardian, NULL, 0) < 0 && errno == EINTR)
            ;
    redis->guardian = 0;
}
