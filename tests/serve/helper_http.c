#include "helper_http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    struct http_reply *reply = arg;
    if (reply->size + size >= sizeof reply->body)
        return 0;
    memcpy(reply->body + reply->size, data, size);
    reply->size += size;
    return one * size;
}

static size_t on_head(char *data, size_t one, size_t size, void *arg)
{
    struct http_reply *reply = arg;
    size_t used = strlen(reply->head);
    if (used + size >= sizeof reply->head)
        return 0;
    memcpy(reply->head + used, data, size);
    return one * size;
}

static int perform(int port, const char *method, const char *path, const char *data,
                   long timeout_ms, struct http_reply *reply)
{
    char url[256];
    const char *type = NULL;
    CURL *curl = curl_easy_init();
    memset(reply, 0, sizeof *reply);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
    if (data)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, data);
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->code);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    snprintf(reply->type, sizeof reply->type, "%s", type ? type : "");
    curl_easy_cleanup(curl);
    return code;
}

struct http_reply http_request(int port, const char *method, const char *path, const char *data)
{
    struct http_reply reply;
    int code = perform(port, method, path, data, 20000, &reply);
    cr_assert_eq(code, CURLE_OK, "%s %s: %s", method, path, curl_easy_strerror((CURLcode)code));
    return reply;
}

int http_try(int port, const char *path, long timeout_ms, struct http_reply *reply)
{
    return perform(port, "GET", path, NULL, timeout_ms, reply);
}

int http_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}
