#include "serve/server.h"

#include "base/log.h"
#include "serve/json_body.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTION_BYTES = 16 * 1024 };

struct ss_server {
    const struct ss_route *routes;
    size_t route_count;
    void *arg;
    struct MHD_Daemon *daemon;
    int port;
};

/* --- answering --- */

static const struct ss_route *find(const struct ss_server *server, const char *path)
{
    for (size_t i = 0; i < server->route_count; i++)
        if (strcmp(server->routes[i].path, path) == 0)
            return &server->routes[i];
    return NULL;
}

static bool answer_unknown(const struct ss_server *server, struct ss_answer *answer)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < server->route_count; i++)
        json_object_set_new(paths, server->routes[i].path, json_string(server->routes[i].help));
    answer->code = MHD_HTTP_NOT_FOUND;
    return ss_json_body_append(&answer->body,
                               json_pack("{s:s, s:o}", "error", "no such path", "paths", paths));
}

static bool answer_method(struct ss_answer *answer)
{
    answer->code = MHD_HTTP_METHOD_NOT_ALLOWED;
    return ss_json_body_append(&answer->body,
                               json_pack("{s:s}", "error", "only GET and HEAD are answered"));
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   const struct ss_answer *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.size, answer->body.data, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO; /* closes the connection */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (answer->code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)answer->code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **seen)
{
    const struct ss_server *server = arg;
    struct ss_answer answer = {.code = MHD_HTTP_OK, .content_type = "application/json"};
    const struct ss_route *route = find(server, path);
    bool done;
    (void)version, (void)upload, (void)upload_size, (void)seen;
    ss_buffer_init(&answer.body, SS_SERVER_BODY_MAX);
    if (!route)
        done = answer_unknown(server, &answer);
    else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        done = answer_method(&answer);
    else
        done = route->answer(server->arg, &answer);
    if (!done) {
        ss_buffer_reset(&answer.body);
        answer.code = MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
    enum MHD_Result result = send_answer(connection, &answer);
    ss_buffer_reset(&answer.body);
    return result;
}

/* What a client does wrong is no news at the default level, and may quote what it asked for. */
static void on_log(void *arg, const char *format, va_list arguments)
{
    char text[256];
    (void)arg;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = '\0';
    ss_debug("serve", "%s", text);
}

/* --- listening --- */

/* "http://HOST:PORT" or "http://HOST:PORT/" into its parts. */
static bool split(const char *listen, char host[256], char port[8])
{
    const char *at = strncmp(listen, "http://", 7) == 0 ? listen + 7 : listen;
    const char *end = at + strcspn(at, "/"), *colon = end;
    while (colon > at && *colon != ':')
        colon--;
    if (*colon != ':' || (end[0] == '/' && end[1]))
        return false;
    size_t host_size = (size_t)(colon - at), port_size = (size_t)(end - colon - 1);
    if (host_size && at[0] == '[') {
        if (host_size < 3 || at[host_size - 1] != ']')
            return false;
        at++;
        host_size -= 2;
    } else if (memchr(at, ':', host_size)) {
        return false;
    }
    if (host_size > 255 || port_size < 1 || port_size > 5 ||
        strspn(colon + 1, "0123456789") != port_size || atoi(colon + 1) > 65535)
        return false;
    memcpy(host, at, host_size);
    host[host_size] = '\0';
    memcpy(port, colon + 1, port_size);
    port[port_size] = '\0';
    return true;
}

static int bound_socket(const struct addrinfo *address)
{
    int yes = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(fd, SS_SERVER_CONNECTIONS_MAX) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static enum ss_status listen_at(const char *text, int *fd, struct ss_error *err)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found;
    if (!split(text, host, port))
        return ss_fail(err, SS_STOP,
                       "serve.listen: '%.200s' is not allowed; must be http://ADDRESS:PORT, as in "
                       "http://127.0.0.1:8080",
                       text);
    int code = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (code)
        return ss_fail(err, SS_STOP, "serve.listen: cannot bind %.200s: %s", text,
                       code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    *fd = -1;
    for (const struct addrinfo *address = found; address && *fd < 0; address = address->ai_next)
        *fd = bound_socket(address);
    int why = errno;
    freeaddrinfo(found);
    return *fd >= 0
               ? SS_OK
               : ss_fail(err, SS_STOP, "serve.listen: cannot bind %.200s: %s", text, strerror(why));
}

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size))
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

enum ss_status ss_server_open(const char *listen, const struct ss_route *routes, size_t route_count,
                              void *arg, struct ss_server **out, struct ss_error *err)
{
    int fd;
    enum ss_status status = listen_at(listen, &fd, err);
    if (status != SS_OK)
        return status;
    struct ss_server *server = calloc(1, sizeof *server);
    if (!server) {
        close(fd);
        return ss_fail(err, SS_STOP, "out of memory for the HTTP server");
    }
    server->routes = routes;
    server->route_count = route_count;
    server->arg = arg;
    server->port = port_of(fd);
    server->daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)SS_SERVER_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SS_SERVER_IDLE_SECONDS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
    if (!server->daemon) { /* which has closed the socket */
        free(server);
        return ss_fail(err, SS_STOP, "serve.listen: the HTTP server does not start on %.200s",
                       listen);
    }
    *out = server;
    return SS_OK;
}

int ss_server_port(const struct ss_server *server)
{
    return server->port;
}

void ss_server_close(struct ss_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon);
    free(server);
}
