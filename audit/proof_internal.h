/* proof_internal.h - what the parts of a proof share. Internal to audit/proof*.c.
 *
 *   proof.c          the two passes
 *   proof_step.c     … and their steps: silent events, records, strays
 *   proof_judge.c    one user: silent events, and the record they lead to
 *   proof_case.c     what is kept of a user who was put aside
 *   proof_search.c   another way from one record of a user to the next
 *   proof_guess.c    … and where all of them may have led
 *   proof_settle.c   … and whether anything is wrong with it
 *   proof_owed.c     … and what
 *   proof_doubt.c    … or whether the folds may be
 *   proof_skips.c    … and which others there can be
 *   proof_grants.c   the entitlements of a record
 *   proof_friends.c  lists of friends
 *   proof_ranks.c    percentiles, and the histograms that they are of
 */
#ifndef SS_AUDIT_PROOF_INTERNAL_H
#define SS_AUDIT_PROOF_INTERNAL_H

#include "audit/held_state.h"
#include "audit/proof.h"
#include "audit/replay_friends.h"
#include "state/pack.h"
#include "state/pack_friends.h"

/* Flags of a user in the table. */
enum {
    ASIDE = 1,   /* for the second pass */
    UNKNOWN = 2, /* its history begins before the logs do */
    BLIND = 4,   /* what was published of it before `scores` begins is not known */
    GONE = 8,    /* the cause of one of its records is no longer in the log */
    EXPIRED = 16 /* it has friends of whom is lost what they told */
};

enum {
    SEARCH_MAX = 20000,
    SEARCH_LONG = 300000, /* where that is not enough … */
    SEARCHES_LONG = 100,  /* … for so many records */
    GUESSES_MAX = 16,
    GRANTS_AHEAD = 32,
    GRANTS_CUT = 1024, /* as long as entitlements of records that are gone may stand before */
    GRANTS_MAX = 2 * SS_BENEFITS_MAX + 8
};

/* A user's silent event, kept until its next record. */
struct proof_kept {
    struct ss_event event; /* its texts are in `bytes` */
    int64_t offset, timestamp_ms;
    int64_t low_ms;   /* how far the partition's clock had been shown to be before it */
    int32_t day;      /* that its input had come to */
    int32_t epoch;    /* of the models in charge */
    int64_t interval; /* in which of them it was read: within one the order of inputs is open */
    bool losing;      /* ss_proof_friends_losing */
    char bytes[];
};

/* A record of the user that cut nothing. */
struct proof_stray {
    struct ss_walk_record record; /* its texts are in `bytes` */
    uint8_t *bytes;
    bool matched;
    bool can_be;     /* ss_proof_can_be: where it does not follow, the folds may be wrong */
    uint32_t others; /* … in these factors */
};

/* A state that leads to all records so far, with the list of friends. */
struct proof_guess {
    uint64_t hash;
    size_t size, links_size;
    uint8_t bytes[]; /* the state, then the list, both packed */
};

struct proof_guesses {
    struct proof_guess *at[GUESSES_MAX];
    int count;
};

/* What an input may have led to, by which of its first events did not count: proof_skips.c. */
struct proof_choice {
    uint8_t *held;
    size_t size;
};

struct proof_skip {
    struct proof_choice *at;
    size_t count, capacity;
};

enum { SS_SKIP_INPUTS = 4 };

struct proof_skips {
    struct proof_skip of[SS_SKIP_INPUTS]; /* none: all events have counted */
    bool too_many;
};

/* A user of the second pass. Its state is in the table. */
struct proof_case {
    struct proof_kept **kept;
    size_t kept_count, kept_capacity;
    struct proof_stray *strays;
    size_t stray_count, stray_capacity;
    uint8_t *other; /* the state, as it is held, if the last record is believed and not what was
                       computed */
    size_t other_size;
    struct proof_guesses guesses; /* none, or all that are likely, the state in the table first */
    struct proof_skips skips;     /* while BLIND or weak */
    bool strangers;               /* since the last record messages were left out */
    bool erased;                  /* until it opts out */
    bool unsure;                  /* until it opts in: in another order it may have been EXPIRED */
    bool weak, doubtful; /* its folds may be wrong; its last record did not follow from them */
    bool
        lost; /* until it opts in: what was read in which order before `scores` begins is unknown */
};

/* A record of a user of the second pass in hand, or the end of the logs. */
struct settling {
    struct proof *proof;
    struct ss_user *user;
    struct proof_case *one;
    const struct ss_walk_record *record; /* NULL at the end */
    const struct ss_source_event *cause;
    struct ss_published before;
    struct ss_user_state begin; /* where its ways begin, and the list */
    struct ss_friends begin_list;
    int from;                  /* … or another of those states */
    struct proof_guesses ends; /* those of the ways to the record, if there is more than one */
    bool cut_short;            /* the search was */
    bool moved_on;             /* the events up to the record are in one->skips */
};

/* From this offset on an input is at this day (ss_input_day). */
struct proof_day {
    int64_t offset;
    int32_t day;
};

/* A clock that a record has shown exactly. */
struct proof_sight {
    int64_t interval, clock_ms;
};

struct proof_grant {
    int64_t offset;
    struct ss_entitlement_view view; /* its texts are in `body` */
    struct ss_buffer body;
};

struct proof_grants {
    struct ss_published_batch batch;
    size_t batch_at;
    bool ended, begun, placed; /* begun: one has been where it belongs */
    struct proof_grant *ahead[GRANTS_CUT];
    int ahead_count;
    struct proof_grant *taken[GRANTS_MAX]; /* those of the record in hand */
    int taken_count;
    bool taken_late;           /* they stood elsewhere */
    struct proof_grant **late; /* passed over so far */
    size_t late_count, late_capacity;
    struct proof_grant **held; /* of strays, until these are matched */
    size_t held_count, held_capacity;
    struct proof_grant **spare;
    size_t spare_count, spare_capacity;
};

/* A histogram, and a number that tells it from others. */
struct proof_fold {
    struct ss_histogram users;
    uint64_t print;
};

struct proof_ranks {
    const struct ss_rank_entry *next; /* to be judged; NULL: there are no more */
    struct proof_fold next_fold;
    struct proof_fold fold;  /* of the records so far */
    struct proof_fold other; /* … if the last histogram that differed was right */
    bool known, has_other;   /* known: what fold began with */
    bool doubtful;           /* one differed, and where it stood between records is open */
    bool open;               /* a record may be counted in `next`, or may not */
    int64_t seen;            /* records */
};

struct proof {
    const struct ss_proof_options *options;
    struct ss_proof_result *result;
    struct ss_error *err;
    struct ss_user_table *users;
    struct ss_walk walk;
    struct ss_walk_feed feed;
    bool careful; /* the second pass */
    struct ss_models models;
    struct ss_models **befores; /* those that were in charge before */
    size_t before_count;
    bool model_known; /* of the record in hand */
    bool model_alone; /* it is the only one by a model that it took into charge */
    /* The days of the inputs, found by the first pass, which reads everybody's events. */
    struct proof_day *days[SS_INPUT_COUNT];
    size_t day_count[SS_INPUT_COUNT], day_capacity[SS_INPUT_COUNT], day_at[SS_INPUT_COUNT];
    int32_t day;                      /* at walk.event */
    const struct ss_model *passed_by; /* by this ss_event_check lets walk.event pass; NULL: ask */
    struct ss_replay_friends
        *friends; /* `list` is of the state in hand, where something reads it */
    bool list_changed;
    int64_t heard;     /* how far SS_NEIGHBOURS had been read at the last record */
    int64_t low_ms;    /* clocks shown so far */
    int64_t newest_ms; /* event of the partition, as the first pass found it */
    int64_t interval;
    struct proof_grants grants;
    /* where `scores` begins late: how far the inputs had been read at its first record, where the
     * entitlements begin that are not of records before it by their causes, and the first that is
     * of a record that is there */
    int64_t cut_positions[SS_INPUT_COUNT], grants_place, grants_begin;
    struct proof_ranks ranks;

    struct ss_user_state state; /* of the user in hand, in the first pass */
    struct ss_held_places places;
    struct ss_effects effects; /* of the event or step in hand */
    struct ss_buffer encoded;

    struct proof_case *cases;
    size_t case_count;
    struct proof_sight *sights;
    size_t sight_count, sight_capacity;
    struct ss_user_state *stack; /* of the search */
    struct ss_friends *lists;    /* … where it reads them */
    uint64_t *seen;              /* … where it has been */
    int budget, long_searches;
    int64_t skip_bytes;
};

/* --- proof_judge.c --- */

/* An event as the engine would have read it with the clock there; false: something was to be
 * published, and is in proof->effects. *changed: the state may have. */
bool ss_proof_silent(struct proof *proof, struct ss_user_state *state, const struct ss_event *event,
                     int64_t offset, int64_t timestamp_ms, int32_t day, int64_t clock_ms,
                     bool *changed);
/* What an event of the logs is applied with, whatever the record shows of its positions. */
struct ss_context ss_proof_context(const struct proof *proof, const struct ss_source_event *event,
                                   int32_t day, int64_t clock_ms);
/* ss_event_check, unless the first pass has asked already: context->checked. */
bool ss_proof_passes(const struct proof *proof, const struct ss_event *event,
                     struct ss_context *context);
/* ss_apply, with the list in hand; nobody is told anything. */
enum ss_outcome ss_proof_apply(struct proof *proof, struct ss_user_state *state,
                               const struct ss_event *event, struct ss_context *context);
/* ss_wake, likewise. */
bool ss_proof_wake(struct proof *proof, struct ss_user_state *state, struct ss_text user_id,
                   const struct ss_context *context);
/* The clock that a record shows, or the least that can have been. */
int64_t ss_proof_clock(const struct ss_score_view *view, int64_t low_ms);
/* Steps, and the cause if there is one, lead to exactly this record. */
bool ss_proof_arrive(struct proof *proof, struct ss_user_state *state,
                     const struct ss_walk_record *record, const struct ss_source_event *cause,
                     int64_t low_ms);
/* Whether the record in proof->effects is the one that was published. */
bool ss_proof_equal(struct proof *proof, const struct ss_walk_record *record);
/* The same of an entitlement. */
bool ss_proof_equal_grant(struct proof *proof, const struct ss_entitlement *entitlement,
                          const struct proof_grant *grant);
/* Views of what was computed; they point into proof->encoded. */
void ss_proof_view(struct proof *proof, const struct ss_score_record *record,
                   struct ss_score_view *view);
void ss_proof_view_grant(struct proof *proof, const struct ss_entitlement *entitlement,
                         struct ss_entitlement_view *view);
/* Takes the model that a record names into charge, as a new epoch; proof->model_known says whether
 * there is one by that name. */
SS_MUST_USE enum ss_status ss_proof_models(struct proof *proof,
                                           const struct ss_walk_record *record);
/* Puts the models of an epoch of this pass in charge; gives those that were, to be put back. */
struct ss_models ss_proof_go_back(struct proof *proof, int32_t epoch);
/* Of the models by which a kept event was read. Mostly those of which the records around it tell;
 * but before an event of somebody who is due a RESCORE by these, that would have been published:
 * then the ones that he was told of had come back, which no record need show. */
int32_t ss_proof_epoch(struct proof *proof, const struct proof_kept *kept,
                       const struct ss_user_state *state);
/* The user as a record says that it stands: what was published, not what follows from it. */
void ss_proof_adopt(const struct proof *proof, struct ss_user_state *state,
                    const struct ss_score_view *view);

/* --- proof_friends.c --- */

/* The user's list into hand; afterwards back, if it has changed. */
SS_MUST_USE enum ss_status ss_proof_friends_load(struct proof *proof,
                                                 const struct ss_user_state *state,
                                                 struct ss_text user_id);
SS_MUST_USE enum ss_status ss_proof_friends_keep(struct proof *proof, struct ss_text user_id);
/* Empties the list in hand. */
void ss_proof_friends_clear(struct proof *proof);
void ss_proof_friends_copy(struct ss_friends *to, const struct ss_friends *from);
/* Of what friends told from here on something is lost. */
bool ss_proof_friends_losing(const struct proof *proof);
/* … and was lost before the record in hand. */
bool ss_proof_friends_lost(const struct proof *proof);
/* The record's cause is among them. */
bool ss_proof_friends_lost_cause(const struct proof *proof, const struct ss_walk_record *record);
/* Lost messages may have changed the list in hand. */
bool ss_proof_friends_exposed(const struct proof *proof, const struct ss_user_state *state);
/* A record of the same, all before it folded, with the list in hand. */
void ss_proof_friends_believe(struct proof *proof, struct ss_user *user,
                              struct ss_user_state *state, const struct ss_score_view *view);
/* Counts it; or takes back what the first pass has counted. */
SS_MUST_USE enum ss_status ss_proof_friends_pass(struct proof *proof, struct ss_text user_id,
                                                 const struct ss_score_view *view);
void ss_proof_friends_uncount(struct proof *proof, struct ss_text user_id);

/* --- proof_search.c --- */

/* Looks for a way over the kept events to the record (NULL: on which nothing was to be published).
 * On success *state is at its end and proof->effects the record's. */
bool ss_proof_search(struct proof *proof, const struct proof_case *one, struct ss_user_state *state,
                     const struct ss_walk_record *record, const struct ss_source_event *cause,
                     int64_t low_ms);

/* All ends of the likely ways to the record, until there is no more room for them. */
void ss_proof_search_all(struct proof *proof, const struct proof_case *one,
                         const struct ss_user_state *state, const struct ss_walk_record *record,
                         const struct ss_source_event *cause, int64_t low_ms,
                         struct proof_guesses *ends);

/* --- proof_guess.c --- */

/* Whether the order of what the user went through decides whom it lists. */
bool ss_guess_needed(const struct proof_case *one);
/* Whether it is of those whose order does. */
bool ss_guess_of_friends(const struct ss_event *event);
/* Unless it is there; false: there is no more room. */
bool ss_guess_add(struct proof_guesses *guesses, const struct ss_user_state *state,
                  const struct ss_friends *list);
bool ss_guess_take(const struct proof_guess *guess, struct ss_user_state *state,
                   struct ss_friends *list);
void ss_guess_forget(struct proof_guesses *guesses);
uint64_t ss_guess_hash(const struct ss_user_state *state, const struct ss_friends *list);

/* --- proof_case.c --- */

/* The event that the walk has just given. */
SS_MUST_USE enum ss_status ss_case_keep(struct proof *proof, struct proof_case *one,
                                        const struct ss_user *user);
SS_MUST_USE enum ss_status ss_case_keep_stray(struct proof *proof, struct proof_case *one,
                                              const struct ss_walk_record *record);
void ss_case_forget_events(struct proof_case *one);
void ss_case_forget(struct proof_case *one); /* strays too */
void ss_case_reset(struct proof *proof, struct proof_case *one);

/* --- proof_settle.c --- */

/* A record of a user put aside stands where it can (record NULL: the logs end), its cause read. */
SS_MUST_USE enum ss_status ss_proof_settle(struct proof *proof, struct ss_user *user,
                                           const struct ss_walk_record *record,
                                           const struct ss_source_event *cause);

/* A way from *state, with the list in hand, to the record in hand; searching: not the plain one. */
bool ss_proof_way_from(struct settling *s, struct ss_user_state *state, bool searching);

/* --- proof_skips.c --- */

/* The event in hand, of somebody who is BLIND, about to be folded into the state. */
void ss_skips_add(struct proof *proof, struct proof_skips *skips, const struct ss_user_state *state,
                  const struct ss_source_event *event);
/* All up to the record in hand. `proven`: the state behind it, if it says what that gives. */
void ss_skips_move_on(struct settling *s, const struct ss_user_state *proven);
/* Some choice of what did not count leads to the record in hand, or that is not known. *after: all
 * that leads to it has been folded, the cause too. */
bool ss_skips_may_lead(struct settling *s, const struct ss_user_state *after);
void ss_skips_reset(struct proof *proof, struct proof_skips *skips);

/* --- proof_doubt.c --- */

/* The model in charge by which a record says it is. */
const struct ss_model *ss_proof_model_named(const struct proof *proof,
                                            const struct ss_score_view *view);
/* Score and tier are what the factors' values make. */
bool ss_proof_adds_up(const struct proof *proof, const struct ss_score_view *view);

/* Some folds lead to the record in hand, if these do not: all before its cause has been folded,
 * and s->before is as the record before says.
 * *others: bit f, by another factor f. */
bool ss_proof_can_be(struct settling *s, const struct ss_user_state *folded, uint32_t *others);
/* … nor does the one in hand, which follows from the folds, speak against it. */
bool ss_proof_can_have_been(const struct settling *s, const struct proof_stray *stray);

/* --- proof_owed.c --- */

/* A difference. `at`: the published record, NULL where there is none; `upto`: how many of the kept
 * events had been read by then. */
void ss_settle_tell(struct settling *s, enum ss_proof_verdict verdict,
                    const struct ss_walk_record *at, const struct ss_score_view *recomputed,
                    size_t upto, const char *why);
/* The likeliest way, whatever is owed for it; *state is at its end. */
SS_MUST_USE enum ss_status ss_settle_forced(struct settling *s, struct ss_user_state *state);

/* --- proof_grants.c --- */

/* Brings the entitlements of a record into grants.taken, from wherever they are. */
SS_MUST_USE enum ss_status ss_grants_find(struct proof *proof, struct ss_text user_id,
                                          int64_t sequence, int64_t as_of_ms);
/* Those that are the next ones and the record's: user, sequence and as_of tell, for sequences begin
 * anew with each grant of consent. */
SS_MUST_USE enum ss_status ss_grants_take(struct proof *proof, struct ss_text user_id,
                                          int64_t sequence, int64_t as_of_ms);
/* Puts the entitlements of a stray by, for when it is known what should have been there. */
SS_MUST_USE enum ss_status ss_grants_hold(struct proof *proof, const struct ss_score_view *view);
/* They cannot be judged after all. */
void ss_grants_let_go(struct proof *proof, const struct ss_score_view *view);
/* Those of a record that was not recomputed. */
SS_MUST_USE enum ss_status ss_grants_pass(struct proof *proof, const struct ss_score_view *view);
/* Takes them and holds them against proof->effects; *same. In the second pass differences are told.
 */
SS_MUST_USE enum ss_status ss_grants_judge(struct proof *proof, const struct ss_user *user,
                                           bool *same);
/* What is left is of no record: puts its users aside, or tells. */
SS_MUST_USE enum ss_status ss_grants_end(struct proof *proof);
void ss_grants_reset(struct proof_grants *grants);

/* --- proof_ranks.c --- */

/* First pass: counts the percentile of a record. */
void ss_proof_rank_count(struct proof *proof, const struct ss_score_view *view);
/* Tells of the percentile, if it is wrong, of a record that is not recomputed. */
void ss_proof_rank_alone(struct proof *proof, const struct ss_walk_record *record);
/* Sets what proof->effects.record says of its rank, for the comparison with the one published. */
void ss_proof_take_rank(struct proof *proof, const struct ss_score_view *view);
/* First pass, over every record of the log in its order: the partition's histograms. */
void ss_proof_ranks_begin(struct proof *proof);
void ss_proof_ranks_record(struct proof *proof, const struct ss_walk_record *record);
void ss_proof_ranks_end(struct proof *proof);

/* --- proof.c --- */
/* --- proof_step.c --- */

/* What the walk has just given. */
SS_MUST_USE enum ss_status ss_proof_on_event(struct proof *proof);
SS_MUST_USE enum ss_status ss_proof_on_record(struct proof *proof);
SS_MUST_USE enum ss_status ss_proof_on_stray(struct proof *proof);

/* Finds the user, or begins one of whom is known what the logs allow. */
SS_MUST_USE enum ss_status ss_proof_add_user(struct proof *proof, uint64_t hash, struct ss_text id,
                                             struct ss_user **user);
/* Nothing but the register of listings, as before a grant. */
void ss_proof_begin_known(struct ss_user_state *state);
/* Of a record of somebody whose history is not whole. False: with it, it begins anew. */
bool ss_proof_stays_unknown(const struct proof *proof, const struct ss_score_view *view);

static inline bool ss_proof_wants(const struct proof *proof, uint64_t hash)
{
    uint64_t of = proof->options->sample_of;
    return of <= 1 || (hash >> 32) % of == proof->options->sample_seed % of;
}
/* Into the folds, whatever would be published of it. */
typedef void ss_proof_fold(struct proof *proof, struct ss_user_state *state,
                           const struct ss_source_event *event, int32_t day);
ss_proof_fold ss_proof_fold_blind;
ss_proof_fold ss_proof_friends_fold; /* … which stays as it is: of who is EXPIRED */
/* --- proof.c --- */

/* ss_held_put. */
SS_MUST_USE enum ss_status ss_proof_put(struct proof *proof, struct ss_user **user,
                                        const struct ss_user_state *state,
                                        const struct ss_held_places *places, uint32_t inputs);
/* First pass: for the second. */
void ss_proof_put_aside(struct proof *proof, struct ss_user *user);

#endif
