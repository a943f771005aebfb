/* helper_proxy.h - stands between a store and its server, sees each piece that passes, and can act
 * before it passes on or cut the line instead. One connection after the other. */
#ifndef SS_TESTS_HELPER_PROXY_H
#define SS_TESTS_HELPER_PROXY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum proxy_verdict { PROXY_PASS, PROXY_CUT };

/* Called in the proxy's thread. */
typedef enum proxy_verdict proxy_hook(void *arg, bool to_server, const char *data, size_t size);

struct proxy {
    char socket_path[96], url[128];
    const char *server_path;
    proxy_hook *hook;
    void *arg;
    int listener, stop[2];
    pthread_t thread;
};

/* Listens beside the server's own socket. */
void proxy_start(struct proxy *proxy, const char *server_path, proxy_hook *hook, void *arg);
void proxy_stop(struct proxy *proxy);

/* Whether the piece has this word in it. */
bool proxy_says(const char *data, size_t size, const char *word);

#endif
