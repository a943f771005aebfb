#include "schemas/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_SIZE = 2048 };

struct ss_http {
    CURL *curl;
    struct curl_slist *headers;
    char *url; /* no slash at its end */
    struct ss_buffer body;
    bool cut;
    char why[CURL_ERROR_SIZE];
};

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct ss_http *http = arg;
    if (!ss_buffer_append(&http->body, data, size * count)) {
        http->cut = true;
        return 0; /* makes curl stop */
    }
    return size * count;
}

static enum ss_status check_url(const char *url, struct ss_error *err)
{
    const char *authority = strstr(url, "://");
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return ss_fail(err, SS_STOP,
                       "the schema registry's URL must begin with http:// or https://");
    authority += 3;
    if (memchr(authority, '@', strcspn(authority, "/?#")))
        return ss_fail(err, SS_STOP,
                       "the schema registry's URL holds credentials, which would end "
                       "up in logs: put them into basic_auth");
    if (strpbrk(authority, "?#"))
        return ss_fail(err, SS_STOP, "the schema registry's URL must end with its path");
    return SS_OK;
}

static bool set_options(struct ss_http *http, const struct ss_http_config *config)
{
    CURL *curl = http->curl;
    bool ok = !curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) &&
              !curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) &&
              !curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") &&
              /* The config alone says whom we talk to, not the environment. */
              !curl_easy_setopt(curl, CURLOPT_PROXY, "") &&
              !curl_easy_setopt(curl, CURLOPT_USERAGENT, "sesame") &&
              !curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers) &&
              !curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)config->timeout_ms) &&
              !curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)config->timeout_ms) &&
              !curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->why) &&
              !curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) &&
              !curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    if (ok && config->basic_auth)
        ok = !curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) &&
             !curl_easy_setopt(curl, CURLOPT_USERPWD, config->basic_auth);
    if (ok && config->ca_file)
        ok = !curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
    return ok;
}

enum ss_status ss_http_open(const struct ss_http_config *config, struct ss_http **out,
                            struct ss_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    enum ss_status status = check_url(config->url, err);
    if (status != SS_OK)
        return status;
    pthread_once(&once, init_curl);

    struct ss_http *http = calloc(1, sizeof *http);
    if (!http)
        return ss_fail(err, SS_STOP, "out of memory for an HTTP client");
    ss_buffer_init(&http->body, SS_HTTP_ANSWER_MAX + 1);
    http->curl = curl_easy_init();
    http->url = strdup(config->url);
    http->headers = curl_slist_append(NULL, "Content-Type: application/vnd.schemaregistry.v1+json");
    struct curl_slist *more = curl_slist_append(
        http->headers, "Accept: application/vnd.schemaregistry.v1+json, application/json");
    if (!http->curl || !http->url || !http->headers || !more || !set_options(http, config)) {
        ss_http_close(http);
        return ss_fail(err, SS_STOP, "cannot set up an HTTP client");
    }
    for (size_t size = strlen(http->url); size && http->url[size - 1] == '/'; size--)
        http->url[size - 1] = '\0';
    *out = http;
    return SS_OK;
}

void ss_http_close(struct ss_http *http)
{
    if (!http)
        return;
    if (http->curl)
        curl_easy_cleanup(http->curl);
    curl_slist_free_all(http->headers);
    ss_buffer_reset(&http->body);
    free(http->url);
    free(http);
}

enum ss_status ss_http_request(struct ss_http *http, const char *method, const char *path,
                               const char *json, struct ss_http_answer *answer,
                               struct ss_error *err)
{
    char url[PATH_MAX_SIZE];
    int size = snprintf(url, sizeof url, "%s%s", http->url, path);
    if (size < 0 || (size_t)size >= sizeof url)
        return ss_fail(err, SS_STOP, "the schema registry's URL is too long");

    http->body.size = 0;
    http->cut = false;
    http->why[0] = '\0';
    CURL *curl = http->curl;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (json) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(json));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL); /* the caller's text is his again */
    if (code != CURLE_OK && !http->cut)
        return ss_fail(err, SS_RETRY, "no answer from the schema registry at %.200s: %s", url,
                       http->why[0] ? http->why : curl_easy_strerror(code));
    if (!http->cut && !ss_buffer_append(&http->body, "", 1))
        http->cut = true;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->code);
    answer->cut = http->cut;
    answer->body = (struct ss_bytes){http->body.data, http->cut ? 0 : http->body.size - 1};
    return SS_OK;
}
