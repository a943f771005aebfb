/* walk.h - a partition's inputs in the order that its score records prescribe.
 *
 * A record's positions say what had been read when it was made. Within a partition they only grow,
 * so the records cut the inputs into intervals: an interval's events, all silent, then the record
 * with its cause. In which order the inputs were read within an interval nobody has written down;
 * it is walked input by input, consents first, the cause last.
 *
 *   WALK_EVENT … WALK_EVENT, WALK_RECORD, WALK_EVENT …, WALK_STRAY, …, WALK_EVENT …, WALK_END
 *
 * 1. A record whose positions or clock cannot be where it stands cuts nothing: it is a stray. To
 * tell an altered record from its neighbours the walk looks two records ahead: one that is beyond
 * both of them is the one that is wrong.
 * 2. Which records are strays depends on scores and the offsets of inputs alone, so that a second
 *    walk, over fewer users, cuts where the first one did.
 * 3. Messages of friends may not be there (`without_neighbours`): a record's position among them
 * must not go back, and nothing more is asked of it.
 * 4. Behind the last record come the events that are left, then WALK_END.
 *
 * One thread. Internal to audit/.
 */
#ifndef SS_AUDIT_WALK_H
#define SS_AUDIT_WALK_H

#include "audit/source.h"
#include "audit/user_table.h"
#include "schemas/output_view.h"

/* Where a partition's logs come from. Statuses, and how long what they give lives, are those of
 * source.h. */
struct ss_walk_feed {
    void *arg;
    enum ss_status (*events)(void *arg, enum ss_input input, struct ss_source_batch *batch,
                             struct ss_error *err);
    enum ss_status (*published)(void *arg, enum ss_output output, struct ss_published_batch *batch,
                                struct ss_error *err);
};

enum ss_walk_step { SS_WALK_EVENT, SS_WALK_RECORD, SS_WALK_STRAY, SS_WALK_END };

/* Why a record is a stray, or SS_STRAY_NOT. */
enum ss_stray {
    SS_STRAY_NOT,
    SS_STRAY_UNREADABLE, /* there is no view then */
    SS_STRAY_KEY,        /* it stands under another user's key */
    SS_STRAY_BACK,       /* its positions lie before those of a record before it */
    SS_STRAY_AHEAD,      /* … behind those of the records after it */
    SS_STRAY_BEYOND,     /* … behind the end of an input */
    SS_STRAY_CAUSE,      /* its cause is not the last that was read of its input */
    SS_STRAY_CLOCK,      /* its clock is later than as_of, or than that of the records after it */
};
const char *ss_stray_text(enum ss_stray stray); /* static */

struct ss_walk_record {
    int64_t offset;
    int64_t timestamp_ms;
    enum ss_stray stray;
    enum ss_input cause_input; /* SS_INPUT_COUNT: it has no cause, or one of no input */
    struct ss_bytes body;      /* as published */
    struct ss_score_view view;
    uint64_t hash; /* of its user */
};

struct ss_walk_input {
    struct ss_source_batch batch;
    size_t at;    /* next event */
    int64_t next; /* behind the last event that the log has given */
    bool ended;
    int64_t events;
};

enum { SS_WALK_AHEAD = 3 };

struct ss_walk {
    const struct ss_walk_feed *feed;
    const struct ss_user_table *users; /* to be warmed up; may be NULL */
    bool complete;                     /* all users' events come: ends of inputs are known */
    bool without_neighbours;           /* no events of that input come */
    int64_t start[SS_INPUT_COUNT];     /* where the inputs begin */
    int64_t position[SS_INPUT_COUNT];  /* everything below has been walked over */
    struct ss_walk_input inputs[SS_INPUT_COUNT];

    /* the records in hand: at[0] is the next one */
    struct ss_walk_record *at[SS_WALK_AHEAD];
    struct ss_walk_record records[SS_WALK_AHEAD];
    struct ss_buffer bodies[SS_WALK_AHEAD];
    int ahead;
    struct ss_published_batch batch;
    size_t batch_at;
    bool no_more_records;
    int64_t record_count;
    int64_t high_ms; /* clocks shown so far */

    /* within an interval */
    bool folding;
    int64_t target[SS_INPUT_COUNT];
    uint32_t silent; /* bit i: input i may have silent events up to its target */

    /* what the last step gave */
    enum ss_input input;                 /* EVENT */
    const struct ss_source_event *event; /* EVENT; RECORD: the cause, NULL if the log has none */
    uint64_t hash;                       /* EVENT: of its user; of a cause nobody asks */
    const struct ss_walk_record *record; /* RECORD, STRAY */
};

/* The caller sets feed, users, complete and start after this. */
void ss_walk_init(struct ss_walk *walk);
void ss_walk_reset(struct ss_walk *walk);
/* What it gives lives until the next call. Statuses of the feed. */
SS_MUST_USE enum ss_status ss_walk_next(struct ss_walk *walk, enum ss_walk_step *step,
                                        struct ss_error *err);

/* What a record shows of the partition's clock: it is exactly that, or at least that. */
static inline bool ss_clock_exact(const struct ss_score_view *view)
{
    /* a change of model moves neither as_of nor what was shown of the clock */
    return view->clock_ms < view->as_of_ms && view->kind != SS_KIND_RESCORE;
}

#endif
