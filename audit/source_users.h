/* source_users.h - a set of user ids that an audit is restricted to. Immutable once filled, so any
 * thread may ask. */
#ifndef SS_AUDIT_SOURCE_USERS_H
#define SS_AUDIT_SOURCE_USERS_H

#include "base/bytes.h"
#include "base/status.h"
#include "scoring/event.h"

struct ss_source_users;

/* Empty. NULL: out of memory. */
struct ss_source_users *ss_source_users_open(void);
void ss_source_users_close(struct ss_source_users *users); /* NULL is fine */

/* Adds a copy; again is fine. SS_DROP: empty or over SS_USER_ID_MAX. SS_STOP: out of memory. */
SS_MUST_USE enum ss_status ss_source_users_add(struct ss_source_users *users, struct ss_bytes id,
                                               struct ss_error *err);
/* Adds those of a file, one a line; empty lines count for nothing. SS_STOP: it cannot be read, or a
 * line is no user id, with its number. */
SS_MUST_USE enum ss_status ss_source_users_read(struct ss_source_users *users, const char *path,
                                                struct ss_error *err);

size_t ss_source_users_count(const struct ss_source_users *users);
/* The same for the same ids, in whichever order they were added. */
uint64_t ss_source_users_digest(const struct ss_source_users *users);
bool ss_source_users_have(const struct ss_source_users *users, const void *id, size_t size);

#endif
