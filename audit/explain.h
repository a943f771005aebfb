/* explain.h - one user's score explained: what it is made of, what holds it down, what would raise
 * it, and how it came to be, change by change.
 *
 * The number, its factors and its reasons are those of a record, as published. The state behind it
 * is folded anew from the user's events up to the record's positions (promise 5); only if it gives
 * the record's very numbers is it used, for the advice.
 *
 * Who has withdrawn is told so and nothing else (promise 7), also of times when the consent held;
 * who has consented again since, of nothing before the consent that now holds.
 *
 * ss_explain computes; ss_explain_text, _json and _html render. One thread.
 */
#ifndef SS_AUDIT_EXPLAIN_H
#define SS_AUDIT_EXPLAIN_H

#include "audit/advice.h"
#include "audit/explain_history.h"
#include "audit/model_shelf.h"
#include "audit/page.h"

#include <stdio.h>

struct ss_explain_request {
    struct ss_models models;            /* in charge now */
    const struct ss_model_shelf *shelf; /* of those that were; may be NULL */
    int64_t at_ms;                      /* the score as it stood then; INT64_MAX: the newest */
    int64_t read_to[SS_INPUT_COUNT];    /* … when the engine had read so far; -1: wherever */
    int64_t score_offset;               /* … by this record of the scores; -1: any */
    int64_t future_tolerance_ms;        /* as the engine's */
};

enum ss_finding {
    SS_FOUND_SCORE,
    SS_FOUND_NOBODY,      /* no record of any topic is of this id */
    SS_FOUND_NO_CONSENT,  /* never given */
    SS_FOUND_WITHDRAWN,   /* … and then nothing else is said */
    SS_FOUND_NOTHING_YET, /* consented, and not yet published */
    SS_FOUND_NOT_THEN,    /* no score at that time, or at those offsets */
};

enum ss_recomputed {
    SS_RECOMPUTED_SAME,
    SS_RECOMPUTED_NO_MODEL, /* the record names another model than those at hand */
    SS_RECOMPUTED_OTHER,    /* the logs at hand give another result: part of them is gone */
};

struct ss_explain_change {
    const struct ss_history_record *record;
    const struct ss_history_event *cause; /* NULL: time alone, or no longer in the log */
    int64_t due_at_ms;                    /* of the bill that the cause is about, where known */
    uint32_t benefits; /* held from here on: bits of the model's, if it is known */
    bool benefits_known;
};

struct ss_explanation {
    const struct ss_history *history; /* borrowed */
    const struct ss_explain_request *request;
    enum ss_finding finding;

    /* The rest is only for SS_FOUND_SCORE. */
    struct ss_explain_change *changes; /* since the consent that holds, up to the one explained */
    size_t change_count;
    bool begins_late;                  /* the opt-in itself is no longer in the log */
    size_t later;                      /* records behind the one explained */
    const struct ss_score_view *score; /* the one explained: the last of the changes */
    const struct ss_model *model;      /* the record's; NULL: not at hand */
    struct ss_models models;           /* the pair that it is recomputed with: its own in it */

    enum ss_recomputed recomputed;
    int64_t events_counted, events_passed; /* read for the state: counted, and without effect */
    int32_t days[SS_INPUT_COUNT];          /* of the user's events */
    struct ss_user_state state;            /* if SS_RECOMPUTED_SAME, as are all below */
    int64_t as_of_ms, clock_ms;            /* of the state; at least the record's */
    struct ss_advice_bill bills[SS_OPEN_BILLS_MAX];
    int bill_count;
    struct ss_advice advice;
};

/* Marks the events that it has read in *history. SS_STOP: out of memory. SS_DROP: an offset asked
 * for that is not the user's (the detail says what to do). */
SS_MUST_USE enum ss_status ss_explain(struct ss_history *history,
                                      const struct ss_explain_request *request,
                                      struct ss_explanation *explanation, struct ss_error *err);
void ss_explanation_reset(struct ss_explanation *explanation);

/* What is said where there is no score: a sentence or two; "" for SS_FOUND_SCORE. */
const char *ss_explain_finding(enum ss_finding finding);

/* Who hands it out. Both may be NULL. */
struct ss_explain_issuer {
    const char *name, *contact;
};

void ss_explain_text(FILE *out, const struct ss_explanation *explanation,
                     const struct ss_explain_issuer *issuer);
/* Ends in a newline. SS_STOP: out of memory. */
SS_MUST_USE enum ss_status ss_explain_json(const struct ss_explanation *explanation,
                                           const struct ss_explain_issuer *issuer,
                                           struct ss_buffer *out, struct ss_error *err);
/* Begins and ends *page, which the caller resets. */
SS_MUST_USE enum ss_status ss_explain_html(const struct ss_explanation *explanation,
                                           const struct ss_explain_issuer *issuer,
                                           struct ss_page *page, struct ss_error *err);

#endif
