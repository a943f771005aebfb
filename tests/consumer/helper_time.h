/* helper_time.h - tests of what time does, on one partition of a rig: who is sent what, when, and
 * what was told of it. */
#ifndef SS_TESTS_CONSUMER_HELPER_TIME_H
#define SS_TESTS_CONSUMER_HELPER_TIME_H

#include "helper_worker.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
/* When the bill falls due that most of the tests are about. */
#define DUE (RIG_TIME + 2 * DAY)

extern struct rig rig; /* of the test at hand */

void open_one(void);
void close_rig(void);
void reopen_worker(void); /* after a change of rig.config */

/* The nth user. */
const char *user(int n);
/* The system's clock and the broker's; run_at then lets the worker come to rest. */
void set_clock(int64_t now_ms);
void run_at(int64_t now_ms);

void grant(const char *who);
void bill(const char *who, enum ss_bill_status status, const char *id, int64_t at_ms,
          int64_t due_ms);
void payment(const char *who, int64_t at_ms);
/* User 0 opts in and gets a bill; the worker has come to rest. */
void begin(void);

/* "OPT_IN 0d; OVERDUE 2d; " of a user: each record's kind, and as_of after RIG_TIME. Until the next
 * call. */
const char *told(const char *who);
json_t *last_record(void); /* the caller decrefs */
/* That was committed. */
struct ss_mark newest_mark(void);
int count_marks(int32_t partition);

/* helper_scenario.h */
void wipe_store(void);
void restart(void);
void restart_wiped(void);

#endif
