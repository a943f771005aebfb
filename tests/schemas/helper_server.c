#include "helper_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
    handler_fn *handle;
    void *arg;
    int listener, wake[2]; /* a byte in wake ends the thread */
    pthread_t thread;
    atomic_int requests;
    char url[64];
};

/* Waits until fd can be read; false: the server is to stop. */
static bool readable(struct server *server, int fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = server->wake[0], .events = POLLIN}};
    while (poll(fds, 2, -1) < 0)
        ;
    return !fds[1].revents;
}

static bool read_request(struct server *server, int fd, struct request *request)
{
    static const char length[] = "Content-Length: ";
    size_t used = 0, wanted = 0;
    char *end = NULL;

    memset(request, 0, sizeof *request);
    while (!end) {
        if (used == sizeof request->head - 1 || !readable(server, fd))
            return false;
        ssize_t n = read(fd, request->head + used, 1); /* a byte at a time: the body is not ours */
        if (n <= 0)
            return false;
        used += (size_t)n;
        end = strstr(request->head, "\r\n\r\n");
    }
    sscanf(request->head, "%15s %255s", request->method, request->path);
    const char *header = strstr(request->head, length);
    if (header)
        wanted = strtoul(header + sizeof length - 1, NULL, 10);
    cr_assert_lt(wanted, sizeof request->body);
    for (used = 0; used < wanted;) {
        ssize_t n = readable(server, fd) ? read(fd, request->body + used, wanted - used) : 0;
        if (n <= 0)
            return false;
        used += (size_t)n;
    }
    return true;
}

static bool send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool answer(struct server *server, int fd, const struct request *request)
{
    struct reply reply = {.code = 404, .body = ""};
    char head[1024], byte;

    atomic_fetch_add(&server->requests, 1);
    server->handle(request, &reply, server->arg);
    if (reply.hang_up)
        return false;
    if (reply.never) {
        while (readable(server, fd) && read(fd, &byte, 1) > 0)
            ;
        return false;
    }
    size_t size = strlen(reply.body), times = reply.repeat ? reply.repeat : 1;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n",
                     reply.code, size * times, reply.headers ? reply.headers : "");
    bool ok = send_all(fd, head, (size_t)n);
    while (ok && times--)
        ok = send_all(fd, reply.body, size);
    return ok;
}

static void *serve(void *arg)
{
    struct server *server = arg;
    static _Thread_local struct request request;
    while (readable(server, server->listener)) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            continue;
        while (read_request(server, fd, &request) && answer(server, fd, &request))
            ;
        close(fd);
    }
    return NULL;
}

struct server *server_start(handler_fn *handle, void *arg)
{
    struct server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->handle = handle;
    server->arg = arg;
    cr_assert_eq(pipe(server->wake), 0);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(server->listener, 16), 0);
    getsockname(server->listener, (struct sockaddr *)&address, &size);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
    return server;
}

const char *server_url(const struct server *server)
{
    return server->url;
}

int server_requests(struct server *server)
{
    return atomic_load(&server->requests);
}

void server_stop(struct server *server)
{
    cr_assert_eq(write(server->wake[1], "", 1), 1);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->wake[0]);
    close(server->wake[1]);
    free(server);
}
