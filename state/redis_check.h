/* redis_check.h - what is asked of a server before it is trusted, and what its errors mean.
 * Internal to state/. */
#ifndef SS_STATE_REDIS_CHECK_H
#define SS_STATE_REDIS_CHECK_H

#include "state/redis_connection.h"

/* AUTH and SELECT as the URL says. */
SS_MUST_USE enum ss_status ss_redis_log_in(struct ss_redis_connection *c, struct ss_error *err);

/* The checks of redis_store.h: version and eviction (SS_STOP), and the listpack limits (raised, or
 * a warning).
 */
SS_MUST_USE enum ss_status ss_redis_check(struct ss_redis_connection *c, struct ss_error *err);

/* The status that an error reply stands for, with advice; of the server's text only the first word
 * is repeated. A cluster's redirect is noted in the connection, the first one counts. */
enum ss_status ss_redis_error(struct ss_redis_connection *c, const redisReply *reply,
                              struct ss_error *err);

#endif
