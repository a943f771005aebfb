/* replay_fold.h - one partition's events into states in memory, by the engine's own rules
 * (scoring/apply.h), with time passing as the events say.
 *
 *   init ──> (put: the states of a snapshot) ──> event … ──> end ──> states
 *
 * 1. Events come in the order of their times (source_merge.h); the clock stands just before each.
 *    Whoever is to be woken by then is, before the event: bills fall overdue and scores age at the
 *    instants at which the engine would have seen them, had it been there.
 * 2. What is published depends on states, clock and the events that follow alone: a fold that was
 *    saved and taken up again goes on with the same bytes.
 * 3. Every event is counted once (promise 6).
 * 4. What friends tell each other either is an input like the others (SS_FRIENDS_OF_LOG: what was
 *    told then), or reaches them at once, whatever caused it (SS_FRIENDS_LOOPED), or nobody
 *    (SS_FRIENDS_UNHEARD). A fold is between two exchanges whenever a call returns.
 *
 * One thread. Memory: some 600 bytes per user. Internal to audit/.
 */
#ifndef SS_AUDIT_REPLAY_FOLD_H
#define SS_AUDIT_REPLAY_FOLD_H

#include "audit/replay_friends.h"
#include "audit/replay_wakes.h"
#include "audit/source.h"
#include "audit/user_table.h"
#include "state/changelog.h"

enum ss_replay_hearing { SS_FRIENDS_UNHEARD, SS_FRIENDS_LOOPED, SS_FRIENDS_OF_LOG };

/* Users of events that come next are hashed once, when their slots are fetched. */
enum { SS_REPLAY_AHEAD = 8 };
struct ss_replay_ahead {
    const struct ss_source_event *event; /* at this offset */
    int64_t offset;
    uint64_t hash;
};

struct ss_replay_fold {
    struct ss_models models;
    /* the caller's, before the first event */
    int32_t partition;
    int64_t future_tolerance_ms;
    /* What is published, valid during the call; may be NULL. Any status but SS_OK ends the fold. */
    enum ss_status (*sink)(void *arg, struct ss_text user_id, const struct ss_effects *effects,
                           struct ss_error *err);
    void *sink_arg;
    bool without_scores; /* nothing is published; states are good for final scores only */
    bool without_steps;  /* nor does time: for final scores of an instant that is given */
    bool of_some;        /* events are of some users only, and say less of their inputs' days */
    enum ss_replay_hearing hearing;

    /* how far it is: to be saved, and to be set where it goes on */
    int64_t clock_ms;
    int64_t reached_ms; /* the newest event */
    int64_t positions[SS_INPUT_COUNT];
    int32_t days[SS_INPUT_COUNT]; /* ss_input_day */
    struct ss_counts counts[SS_INPUT_COUNT];
    int64_t score_records, entitlements;

    struct ss_user_table *users;
    struct ss_replay_wakes wakes;
    struct ss_replay_friends *friends; /* NULL: nothing that friends do matters to the model */
    struct ss_replay_ahead ahead[SS_INPUT_COUNT][SS_REPLAY_AHEAD];
    struct ss_effects effects; /* scratch */
};

SS_MUST_USE enum ss_status ss_replay_fold_init(struct ss_replay_fold *fold,
                                               const struct ss_models *models,
                                               struct ss_error *err);
void ss_replay_fold_reset(struct ss_replay_fold *fold); /* also of an all-zero one */

/* A saved state of somebody who is not there yet, or a friends record under its key
 * (state/pack_friends.h). SS_GIVE_UP: it is none. */
SS_MUST_USE enum ss_status ss_replay_fold_put(struct ss_replay_fold *fold, struct ss_text user_id,
                                              struct ss_bytes packed, struct ss_error *err);
SS_MUST_USE enum ss_status ss_replay_fold_event(struct ss_replay_fold *fold,
                                                const struct ss_source_event *event,
                                                struct ss_error *err);
/* Tells which events of an input come next, the one in hand included, so that their users' states
 * are on their way into the cache by then. Texts of rejected ones need not be there. */
void ss_replay_fold_ahead(struct ss_replay_fold *fold, const struct ss_source_event *events,
                          size_t count);
/* All has been read: time moves up to the newest event. */
SS_MUST_USE enum ss_status ss_replay_fold_end(struct ss_replay_fold *fold, struct ss_error *err);

#endif
