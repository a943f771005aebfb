/* explain_history.h - all that the logs say of one user: his events, and what was published of him.
 *
 *   ss_history_init ──> ss_history_add_event, ss_history_add_record … ──> (ss_explain) ──> reset
 *
 * ss_history_read fills it from a source. Everything is copied; what is handed out lives until
 * reset. Bounded: SS_HISTORY_MAX events and records. One thread.
 */
#ifndef SS_AUDIT_EXPLAIN_HISTORY_H
#define SS_AUDIT_EXPLAIN_HISTORY_H

#include "audit/source.h"
#include "schemas/output_view.h"
#include "scoring/apply.h"

#include <stdatomic.h>

enum { SS_HISTORY_MAX = 2000000 };

struct ss_history_event {
    int64_t offset, timestamp_ms; /* of the Kafka record; -1: none */
    bool read;                    /* by the engine, as far as the explained state goes */
    enum ss_outcome outcome;      /* if read */
    enum ss_refusal refusal;
    struct ss_event event;
};

struct ss_history_log {
    struct ss_history_event *events; /* by offset */
    size_t count, capacity;
};

struct ss_history_record {
    int64_t offset; /* in the topic of scores; -1: it is not from there */
    struct ss_score_view view;
};

struct ss_history {
    char user_id[SS_USER_ID_MAX + 1];
    size_t user_id_size;
    int32_t partition;  /* the user's */
    const char *source; /* "kafka", "archive", "files"; static */
    bool published;     /* the records were published, not computed here */
    struct ss_history_log inputs[SS_INPUT_COUNT];
    struct ss_history_record *records; /* in the order of the log */
    size_t record_count, record_capacity;
    struct ss_history_block *blocks; /* of copied bytes */
};

/* SS_DROP: not 1 to SS_USER_ID_MAX bytes. */
SS_MUST_USE enum ss_status ss_history_init(struct ss_history *history, const char *user_id,
                                           struct ss_error *err);
void ss_history_reset(struct ss_history *history);

/* Both in the order of their offsets. SS_STOP: too many, or out of memory. SS_DROP: the record is
 * not one of ours. */
SS_MUST_USE enum ss_status ss_history_add_event(struct ss_history *history, int64_t offset,
                                                int64_t timestamp_ms, const struct ss_event *event,
                                                struct ss_error *err);
SS_MUST_USE enum ss_status ss_history_add_record(struct ss_history *history, int64_t offset,
                                                 struct ss_bytes body, struct ss_error *err);

struct ss_history_reading {
    struct ss_source *source;
    int64_t patience_ms; /* how long a silent Kafka is waited for */
    /* Of archives whose number of partitions nobody has told: look where the id does not belong,
     * if there is nothing where it does. */
    bool partitions_unsure;
    atomic_bool *stop;                             /* set: ends with SS_STOP; may be NULL */
    void (*progress)(void *arg, const char *what); /* "payments", …: read next; may be NULL */
    void *arg;
};

/* Reads the user's partition of all inputs and, where there is one, of the scores: *scores says
 * whether. SS_RETRY: Kafka was silent for too long. */
SS_MUST_USE enum ss_status ss_history_read(struct ss_history *history,
                                           const struct ss_history_reading *reading, bool *scores,
                                           struct ss_error *err);

/* NULL: it is not there. */
const struct ss_history_event *ss_history_find(const struct ss_history *history,
                                               enum ss_input input, int64_t offset);
/* The input of a default topic's name; SS_INPUT_COUNT: of none. */
enum ss_input ss_history_input_of(struct ss_text topic);

#endif
