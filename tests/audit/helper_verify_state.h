/* helper_verify_state.h - a store in which an engine moves on between the calls of whoever reads
 * it, and a comparison of it with the engine's changelog. */
#ifndef SS_TESTS_AUDIT_HELPER_VERIFY_STATE_H
#define SS_TESTS_AUDIT_HELPER_VERIFY_STATE_H

#include "audit/verify_state.h"
#include "helper_state_log.h"

enum { VERIFY_MEMORY = 1 << 20 };

/* The engine's store, with hooks; each call is counted before its hook. */
struct meddler {
    struct ss_store store;
    struct engine *engine;
    void (*before_scan)(struct meddler *self);
    void (*before_load)(struct meddler *self);
    void (*before_checkpoint)(struct meddler *self);
    void (*before_wipe)(struct meddler *self);
    void (*after_scan)(struct meddler *self, ss_store_scan_sink *sink, void *arg);
    int scans, loads, checkpoints, wipes;
    enum ss_status wipe_status;
};

extern struct engine *engine; /* of the test at hand */
extern struct meddler meddler;

/* What the last comparison has found. */
extern struct ss_verify_result result;
extern struct ss_verify_difference last; /* without its user_id, which is last_user */
extern char last_user[64];
extern int reported;

/* For the suite. */
void verify_open(void);
void verify_close(void);

enum ss_status try_verify(size_t memory, int settle_ms, struct ss_error *err);
/* How many differences there are. */
int64_t verify(void);

#endif
