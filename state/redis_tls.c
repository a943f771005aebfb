#include "state/redis_tls.h"

#include <stdlib.h>

#ifdef SS_HAVE_HIREDIS_SSL

#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <pthread.h>

struct ss_redis_tls {
    redisSSLContext *context;
};

static void init_openssl(void)
{
    redisInitOpenSSL();
}

enum ss_status ss_redis_tls_open(const char *host, struct ss_redis_tls **tls, struct ss_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_openssl);
    redisSSLContextError error = REDIS_SSL_CTX_NONE;
    *tls = calloc(1, sizeof **tls);
    if (!*tls)
        return ss_fail(err, SS_STOP, "out of memory");
    (*tls)->context = redisCreateSSLContext(NULL, NULL, NULL, NULL, host, &error);
    if ((*tls)->context)
        return SS_OK;
    free(*tls);
    *tls = NULL;
    return ss_fail(err, SS_STOP, "TLS to Redis: %s", redisSSLContextGetError(error));
}

enum ss_status ss_redis_tls_start(struct ss_redis_tls *tls, struct redisContext *context,
                                  struct ss_error *err)
{
    if (redisInitiateSSLWithContext(context, tls->context) == REDIS_OK)
        return SS_OK;
    return ss_fail(err, SS_RETRY, "TLS to Redis: %s", context->errstr);
}

void ss_redis_tls_close(struct ss_redis_tls *tls)
{
    if (tls)
        redisFreeSSLContext(tls->context);
    free(tls);
}

#else

enum ss_status ss_redis_tls_open(const char *host, struct ss_redis_tls **tls, struct ss_error *err)
{
    (void)host;
    *tls = NULL;
    return ss_fail(err, SS_STOP,
                   "rediss:// needs a hiredis with TLS (Debian 13 has it): use redis:// or "
                   "unix://, or build against hiredis_ssl");
}

enum ss_status ss_redis_tls_start(struct ss_redis_tls *tls, struct redisContext *context,
                                  struct ss_error *err)
{
    (void)tls, (void)context;
    return ss_fail(err, SS_STOP, "no TLS in this build");
}

void ss_redis_tls_close(struct ss_redis_tls *tls)
{
    free(tls);
}

#endif
