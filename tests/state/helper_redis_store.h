/* helper_redis_store.h - partition 0 of a store on a redis-server of its own, with texts as the
 * states of user-0, user-1 and so on. */
#ifndef SS_TESTS_HELPER_REDIS_STORE_H
#define SS_TESTS_HELPER_REDIS_STORE_H

#include "helper_redis.h"
#include "state/redis_store.h"

extern struct redis_server server;        /* of the test at hand, which starts it */
extern _Thread_local struct ss_error err; /* of each call below; a proxy's thread has its own */
extern char loaded[64];                   /* by the last load */

/* For the suite. */
void remove_server(void);

enum ss_status try_open(const char *url, int32_t buckets, struct ss_store **store);
/* Or fails the test. */
struct ss_store *open_url(const char *url, int32_t buckets);

/* From one offset (-1: from nothing) to the next, with this text as the state of `count` users, at
 * most 1,000. */
enum ss_status save_n(struct ss_store *store, int64_t from, int64_t to, const char *text,
                      int count);
/* Of user-0 alone. */
enum ss_status save(struct ss_store *store, int64_t from, int64_t to, const char *text);
/* The state of user-0. */
enum ss_status load(struct ss_store *store, int64_t offset);
bool has_checkpoint(struct ss_store *store);

/* The value of one option of the server, as a client sees it; -1: none. */
long server_option(const char *name);

#endif
