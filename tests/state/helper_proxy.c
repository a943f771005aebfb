#include "helper_proxy.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool proxy_says(const char *data, size_t size, const char *word)
{
    return memmem(data, size, word, strlen(word)) != NULL;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.107s", path);
    return address;
}

static bool send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* Until either side closes or the hook cuts. false: the proxy is to stop. */
static bool relay(struct proxy *proxy, int client, int server)
{
    static char data[1 << 16];
    for (;;) {
        struct pollfd fds[3] = {
            {client, POLLIN, 0}, {server, POLLIN, 0}, {proxy->stop[0], POLLIN, 0}};
        if (poll(fds, 3, -1) < 0 || fds[2].revents)
            return false;
        for (int i = 0; i < 2; i++) {
            if (!fds[i].revents)
                continue;
            ssize_t size = read(fds[i].fd, data, sizeof data);
            if (size <= 0 || proxy->hook(proxy->arg, i == 0, data, (size_t)size) == PROXY_CUT ||
                !send_all(i == 0 ? server : client, data, (size_t)size))
                return true;
        }
    }
}

static void *run(void *arg)
{
    struct proxy *proxy = arg;
    bool go_on = true;
    while (go_on) {
        struct pollfd fds[2] = {{proxy->listener, POLLIN, 0}, {proxy->stop[0], POLLIN, 0}};
        if (poll(fds, 2, -1) < 0 || fds[1].revents)
            break;
        int client = accept(proxy->listener, NULL, NULL);
        int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = address_of(proxy->server_path);
        if (connect(server, (struct sockaddr *)&address, sizeof address) == 0)
            go_on = relay(proxy, client, server);
        close(server);
        close(client);
    }
    return NULL;
}

void proxy_start(struct proxy *proxy, const char *server_path, proxy_hook *hook, void *arg)
{
    memset(proxy, 0, sizeof *proxy);
    snprintf(proxy->socket_path, sizeof proxy->socket_path, "%.90s.px", server_path);
    snprintf(proxy->url, sizeof proxy->url, "unix://%s", proxy->socket_path);
    proxy->server_path = server_path;
    proxy->hook = hook;
    proxy->arg = arg;
    struct sockaddr_un address = address_of(proxy->socket_path);
    proxy->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(proxy->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(proxy->listener, 8) == 0 && pipe(proxy->stop) == 0 &&
              pthread_create(&proxy->thread, NULL, run, proxy) == 0);
}

void proxy_stop(struct proxy *proxy)
{
    cr_assert_eq(write(proxy->stop[1], "", 1), 1);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    close(proxy->stop[0]);
    close(proxy->stop[1]);
    unlink(proxy->socket_path);
}
