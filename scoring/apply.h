/* apply.h - the core: one event into one user's state, and what subscribers must be told.
 *
 * Pure: no clock, allocation, I/O, floats or globals; links against nothing. Any thread.
 */
#ifndef SS_SCORING_APPLY_H
#define SS_SCORING_APPLY_H

#include "scoring/output.h"

/* What became of an event: promise 6 counts each under exactly one. */
enum ss_outcome { SS_COUNTED, SS_DUPLICATE, SS_NOT_CONSENTED, SS_REFUSED, SS_OUTCOME_COUNT };

/* Why one was refused; it goes to dead-letters under this name. */
enum ss_refusal {
    SS_REFUSAL_NONE,
    SS_REFUSAL_BAD_USER_ID,  /* empty, over 64 bytes, control characters, not UTF-8 */
    SS_REFUSAL_BAD_EVENT_ID, /* the same rules: it is published with what it causes */
    SS_REFUSAL_BAD_TIME,     /* occurred_at before 2000, from 2200 on, or beyond the record's time +
                              * tolerance; a bill's due or an account's opening out of bounds */
    SS_REFUSAL_BAD_AMOUNT,   /* negative where it must not be, or over SS_AMOUNT_MAX */
    SS_REFUSAL_UNKNOWN_CURRENCY,
    SS_REFUSAL_BAD_FIELD, /* a field that this kind of event needs is missing or too long */
    SS_REFUSAL_TOO_MANY,  /* over a bound of the user's state */
    SS_REFUSAL_COUNT
};

#define SS_AMOUNT_MAX      INT64_C(1000000000000)     /* minor units */
#define SS_OCCURRED_AT_MIN INT64_C(946684800000)      /* 2000-01-01T00:00:00Z */
#define SS_OCCURRED_AT_MAX INT64_C(7258118399999)     /* the last instant before 2200 */
#define SS_OPENED_AT_MIN   INT64_C(-2208988800000)    /* 1900-01-01T00:00:00Z */
#define SS_DUE_SPAN_MAX_MS (INT64_C(3653) * 86400000) /* a bill is due within ten years */

/* Where the event stands in the log, for the record. */
struct ss_context {
    int32_t partition;
    int64_t offset;
    int64_t record_time_ms;      /* the Kafka record's timestamp, or occurred_at without one */
    int64_t future_tolerance_ms; /* not negative */
    int64_t positions[SS_INPUT_COUNT]; /* next offsets, this event included */
    int64_t clock_ms;                  /* the partition's, after this event (promise 10) */
    int32_t day;                /* of this event's input, this event included: ss_input_day */
    bool checked;               /* ss_event_check has let this very event pass */
    struct ss_friends *friends; /* where ss_event_reads_friends: his record, in and out */
    /* For folds that show no record to anybody: reasons are left out; or no score is computed at
     * all, and of `published` only standing, as_of and horizon are kept up. */
    bool without_reasons, without_scores;
};

/* Checks what needs no state. SS_REFUSAL_NONE if the event can be applied. */
enum ss_refusal ss_event_check(const struct ss_model *model, const struct ss_event *event,
                               const struct ss_context *context);

/* The day that an input of a partition has come to with an event that ss_event_check lets pass: by
 * the day of each event, or of its record if that is earlier, one day further at most, so that a
 * stray from the future does no harm; never back. day is the one before, 0 before the first. What
 * is remembered against duplicates is remembered by this day (docs/model.md 3.3). */
int32_t ss_input_day(int32_t day, const struct ss_event *event, const struct ss_context *context);

/* Takes out of a state the ids of events that can no longer be told for duplicates: those that each
 * input's day has left behind. Nothing but the room that the state takes depends on when, or
 * whether, that is done. Bit i: there were some of input i. */
uint32_t ss_forget(const struct ss_models *models, struct ss_user_state *state,
                   const int32_t days[SS_INPUT_COUNT]);
/* Whether applying it may read and change the user's friends record. Then *context->friends is
 * that, empty where there is none; otherwise nobody looks at it. */
bool ss_event_reads_friends(const struct ss_models *models, const struct ss_event *event);

/* Checks, unless that has been done, and applies. On SS_COUNTED *state has changed and *effects
 * says what to publish (has_record false, nobody told where nothing is); on any other outcome
 * *state is as it was and *effects is empty (but for the answer to a message of SS_NEIGHBOURS that
 * is SS_NOT_CONSENTED); on SS_REFUSED *refusal says why. *effects borrows from event and model. */
enum ss_outcome ss_apply(const struct ss_models *models, struct ss_user_state *state,
                         const struct ss_event *event, const struct ss_context *context,
                         struct ss_effects *effects, enum ss_refusal *refusal);

/* "BAD_TIME", …: static text, as in the dead letter's header. */
const char *ss_refusal_name(enum ss_refusal refusal);
const char *ss_outcome_name(enum ss_outcome outcome);
/* "payments", …: static text; the default topic names. */
const char *ss_input_name(enum ss_input input);

/* The score that the folds give at as_of_ms: factors, reasons, tier, cap for a listed user. Open
 * bills due by the earlier of as_of_ms and clock_ms count as overdue. */
void ss_score_compute(const struct ss_model *model, const struct ss_user_state *state,
                      int64_t as_of_ms, int64_t clock_ms, struct ss_score *score);

#define SS_WAKE_NEVER INT64_MAX
#define SS_WAKE_NOW   INT64_C(-1) /* before any clock */

/* When time alone will next have something to do for this user: a bill falls due, or the interval
 * of AGED is over. On the partition's clock; SS_WAKE_NEVER for who is not scored, SS_WAKE_NOW where
 * the model was replaced since the user was last told. */
int64_t ss_wake_at(const struct ss_models *models, const struct ss_user_state *state);

/* Whether the model is known under which the user holds what is held: else nothing of it could be
 * revoked by name. */
bool ss_wake_known(const struct ss_models *models, const struct ss_user_state *state);

/* Takes the earliest step that ss_wake_at names, if the clock has reached it: state moves on to
 * that instant, and *effects says what to publish (kind OVERDUE or AGED, which may be nothing, or
 * RESCORE). Requires ss_wake_known.
 * False, and nothing has changed, where there is no step to take; call until then, before an event
 * of the user is applied and when the time has come. Of *context: partition, positions, clock. */
bool ss_wake(const struct ss_models *models, struct ss_user_state *state, struct ss_text user_id,
             const struct ss_context *context, struct ss_effects *effects);

#endif
