/* helper_state_log.h - a changelog in memory, and an engine that writes it together with a store.
 */
#ifndef SS_TESTS_AUDIT_HELPER_STATE_LOG_H
#define SS_TESTS_AUDIT_HELPER_STATE_LOG_H

#include "audit/state_log.h"
#include "state/changelog.h"
#include "state/store.h"

enum { LOG_RECORDS_MAX = 20000, LOG_TEXT_MAX = 24, LOG_PARTITION = 2, LOG_PARTITIONS = 4 };

struct log_record {
    int64_t offset;
    char key[LOG_TEXT_MAX], value[LOG_TEXT_MAX];
    bool mark, tombstone;
    uint8_t incarnation;
};

struct engine {
    struct ss_state_log log;
    struct log_record records[LOG_RECORDS_MAX];
    size_t record_count;
    int64_t next_offset;
    int64_t hidden; /* the last so many records are not committed yet */
    int reads;
    uint8_t incarnation;

    struct ss_store *store; /* what the engine saves to */
    bool saved_any;
    struct ss_checkpoint saved;
};

/* An empty log under cluster "cluster", and an empty store. */
struct engine *engine_open(void);
void engine_close(struct engine *engine);

/* One transaction: a user's state (NULL erases) and the mark. */
void engine_commit(struct engine *engine, const char *user, const char *state);
/* The same for users 0 .. count-1, "u<i>" with state "s<i>", in one. */
void engine_commit_many(struct engine *engine, int count);
/* Saves everything that the log says to the store, under its newest mark. */
void engine_save(struct engine *engine);
/* Drops each record of which there is a newer one; below `from` only. */
void engine_compact(struct engine *engine, int64_t from);

/* Writes behind the engine's back; NULL deletes. The checkpoint stays. */
void tamper(struct engine *engine, const char *user, const char *state);
/* The checkpoint is this one from now on. */
void set_checkpoint(struct engine *engine, const struct ss_checkpoint *checkpoint);

struct ss_bytes text_bytes(const char *text);

#endif
