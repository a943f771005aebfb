/* redis_tls.h - TLS to Redis, where hiredis was built with it (hiredis_ssl). Internal to state/. */
#ifndef SS_STATE_REDIS_TLS_H
#define SS_STATE_REDIS_TLS_H

#include "base/status.h"

struct redisContext;
struct ss_redis_tls;

/* SS_STOP: this build has none, or the system's certificates cannot be loaded. The server's
 * certificate is checked against the system's authorities (OpenSSL's SSL_CERT_FILE and SSL_CERT_DIR
 * name others); hiredis checks the chain but not the host's name. */
SS_MUST_USE enum ss_status ss_redis_tls_open(const char *host, struct ss_redis_tls **tls,
                                             struct ss_error *err);
/* Shakes hands on a fresh connection. SS_RETRY: it failed. */
SS_MUST_USE enum ss_status ss_redis_tls_start(struct ss_redis_tls *tls,
                                              struct redisContext *context, struct ss_error *err);
void ss_redis_tls_close(struct ss_redis_tls *tls); /* NULL is fine */

#endif
