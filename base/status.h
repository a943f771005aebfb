/* status.h - the one error enum, named for what the caller has to do.
 *
 * Every fallible function returns an enum ss_status that must be used, and puts its reason into a
 * struct ss_error that the caller owns. Only the worker (consumer/worker.c) decides what happens
 * next; everybody else passes the status on. Refusals by a rule of the contract, such as a missing
 * consent, are outcomes (scoring/apply.h), not errors.
 *
 * Threads: a struct ss_error belongs to one thread at a time. Nothing here allocates.
 */
#ifndef SS_BASE_STATUS_H
#define SS_BASE_STATUS_H

#include <stdarg.h>

#define SS_MUST_USE __attribute__((warn_unused_result))

enum ss_status {
    SS_OK = 0,  /* fine */
    SS_DROP,    /* this record cannot be used: dead-letter it and go on */
    SS_RETRY,   /* a dependency is away: try again later, do not advance */
    SS_GIVE_UP, /* this partition cannot be trusted or is no longer ours: restore it or let it go */
    SS_STOP,    /* the process cannot go on: tell the operator and exit */
};

struct ss_error {
    enum ss_status status;
    char detail[480]; /* one line, says what to do where it can; holds no user id */
};

/* Sets *err (which may be NULL) and returns status, so that `return ss_fail(err, SS_STOP, "...")`
 * reads as one step. The text is cut, never overflown. */
enum ss_status ss_fail(struct ss_error *err, enum ss_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "ok", "drop", "retry", "give up", "stop": static text for logs. */
const char *ss_status_name(enum ss_status status);

#endif
