/* proof_internal.h - what the parts of a proof share. Internal to audit/proof*.c.
 *
 *   proof.c          the two passes
 *   proof_judge.c    one user: silent events, and the record they lead to
 *   proof_search.c   another way from one record of a user to the next
 *   proof_settle.c   a user who was put aside: what is wrong with it, if anything is
 *   proof_grants.c   the entitlements of a record
 */
#ifndef SS_AUDIT_PROOF_INTERNAL_H
#define SS_AUDIT_PROOF_INTERNAL_H

#include "audit/held_state.h"
#include "audit/proof.h"
#include "state/pack.h"
#include "state/pack_friends.h"

/* Flags of a user in the table. */
enum {
    ASIDE = 1,   /* for the second pass */
    UNKNOWN = 2, /* its history begins before the logs do */
    BLIND = 4,   /* what was published of it before `scores` begins is not known */
    GONE = 8,    /* the cause of one of its records is no longer in the log */
};

enum {
    SEARCH_MAX = 20000,
    GRANTS_AHEAD = 32,
    GRANTS_MAX = 2 * SS_BENEFITS_MAX + 8,
    WORDS_MAX = 80
};

/* A user's silent event, kept until its next record. */
struct proof_kept {
    struct ss_event event; /* its texts are in `bytes` */
    int64_t offset, timestamp_ms;
    int64_t low_ms;   /* how far the partition's clock had been shown to be before it */
    int32_t day;      /* that its input had come to */
    int32_t epoch;    /* of the models in charge */
    int64_t interval; /* in which of them it was read: within one the order of inputs is open */
    char bytes[];
};

/* A record of the user that cut nothing. */
struct proof_stray {
    struct ss_walk_record record; /* its texts are in `bytes` */
    uint8_t *bytes;
    bool matched;
};

/* A user of the second pass. Its state is in the table. */
struct proof_case {
    struct proof_kept **kept;
    size_t kept_count, kept_capacity;
    struct proof_stray *strays;
    size_t stray_count, stray_capacity;
    uint8_t
        *other; /* the state, packed, if the last record is believed and not what was computed */
    size_t other_size;
    bool erased;         /* until it opts out */
    bool weak, doubtful; /* its folds may be wrong; its last record did not follow from them */
    bool
        lost; /* until it opts in: what was read in which order before `scores` begins is unknown */
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
    struct proof_grant *ahead[GRANTS_AHEAD];
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
    /* The days of the inputs, found by the first pass, which reads everybody's events. */
    struct proof_day *days[SS_INPUT_COUNT];
    size_t day_count[SS_INPUT_COUNT], day_capacity[SS_INPUT_COUNT], day_at[SS_INPUT_COUNT];
    int32_t day;                /* at walk.event */
    struct ss_friends *friends; /* an empty list: who is on it is not followed */
    bool left_friends;          /* since the user's last record SOCIAL was withdrawn */
    int64_t goal_ms;            /* as_of of the record that is looked for; 0: not known */
    int64_t low_ms;             /* clocks shown so far */
    int64_t interval;
    struct proof_grants grants;

    struct ss_user_state state; /* of the user in hand, in the first pass */
    struct ss_bytes held;       /* from where it was read, while its record is judged; else NULL */
    struct ss_effects effects;  /* of the event or step in hand */
    struct ss_buffer encoded;

    struct proof_case *cases;
    size_t case_count;
    struct proof_sight *sights;
    size_t sight_count, sight_capacity;
    struct ss_user_state *stack; /* of the search */
    int budget;
};

/* --- proof_judge.c --- */

/* An event as the engine would have read it with the clock there; false: something was to be
 * published, and is in proof->effects. *changed: the state may have. */
bool ss_proof_silent(struct proof *proof, struct ss_user_state *state, const struct ss_event *event,
                     int64_t offset, int64_t timestamp_ms, int32_t day, int64_t clock_ms,
                     bool *changed);
/* ss_apply; messages and lists of friends are left out. */
enum ss_outcome ss_proof_apply(struct proof *proof, struct ss_user_state *state,
                               const struct ss_event *event, struct ss_context *context);
/* ss_wake, likewise. */
bool ss_proof_wake(struct proof *proof, struct ss_user_state *state, struct ss_text user_id,
                   const struct ss_context *context);
/* What friends add to the score, as the record says, where it can be so. */
void ss_proof_take_friends(const struct proof *proof, struct ss_user_state *state,
                           const struct ss_score_view *view);
/* Whether messages of friends may have been read by now. */
bool ss_proof_befriended(const struct proof *proof, const struct ss_user_state *state);
/* A friend's message that led to this record, taken as having come to what it says of friends. */
bool ss_proof_message(struct proof *proof, struct ss_user_state *state,
                      const struct ss_score_view *view, struct ss_context *context);
/* The log of an input has to have the record's cause. */
static inline bool ss_proof_needs_cause(const struct ss_walk_record *record)
{
    return record->view.cause.known && record->cause_input != SS_NEIGHBOURS;
}
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
/* Takes the model that a record names into charge, as a new epoch, unless the records behind it
 * go on with the one before; proof->model_known says whether there is one by that name. */
SS_MUST_USE enum ss_status ss_proof_models(struct proof *proof,
                                           const struct ss_walk_record *record);
/* Puts the models of an epoch of this pass in charge; gives those that were, to be put back. */
struct ss_models ss_proof_go_back(struct proof *proof, int32_t epoch);
/* The user as a record says that it stands: what was published, not what follows from it. */
void ss_proof_adopt(const struct proof *proof, struct ss_user_state *state,
                    const struct ss_score_view *view);

/* --- proof_search.c --- */

/* Looks for a way over the kept events to the record (NULL: to no record by low_ms). On success
 * *state is at its end and proof->effects the record's. */
bool ss_proof_search(struct proof *proof, const struct proof_case *one, struct ss_user_state *state,
                     const struct ss_walk_record *record, const struct ss_source_event *cause,
                     int64_t low_ms);

/* --- proof_settle.c --- */

SS_MUST_USE enum ss_status ss_proof_keep(struct proof *proof, struct proof_case *one);
SS_MUST_USE enum ss_status ss_proof_keep_stray(struct proof *proof, struct proof_case *one,
                                               const struct ss_walk_record *record);
/* A record of a user put aside stands where it can (record NULL: the logs end), its cause read. */
SS_MUST_USE enum ss_status ss_proof_settle(struct proof *proof, struct ss_user *user,
                                           const struct ss_walk_record *record,
                                           const struct ss_source_event *cause);
void ss_proof_case_reset(struct proof_case *one);

/* --- proof_grants.c --- */

/* Brings the entitlements of a record into grants.taken, from wherever they are. */
SS_MUST_USE enum ss_status ss_grants_find(struct proof *proof, struct ss_text user_id,
                                          int64_t sequence);
/* Those that are the next ones and the record's: user, sequence and as_of tell, for sequences begin
 * anew with each grant of consent. */
SS_MUST_USE enum ss_status ss_grants_take(struct proof *proof, struct ss_text user_id,
                                          int64_t sequence, int64_t as_of_ms);
/* Puts the entitlements of a stray by, for when it is known what should have been there. */
SS_MUST_USE enum ss_status ss_grants_hold(struct proof *proof, const struct ss_score_view *view);
/* Those of a record that was not recomputed. */
SS_MUST_USE enum ss_status ss_grants_pass(struct proof *proof, const struct ss_score_view *view);
/* Takes them and holds them against proof->effects; *same. In the second pass differences are told.
 */
SS_MUST_USE enum ss_status ss_grants_judge(struct proof *proof, const struct ss_user *user,
                                           bool *same);
/* What is left is of no record: puts its users aside, or tells. */
SS_MUST_USE enum ss_status ss_grants_end(struct proof *proof);
void ss_grants_reset(struct proof_grants *grants);

/* --- proof.c --- */

/* Nothing but the register of listings, as before a grant. */
void ss_proof_begin_known(struct ss_user_state *state);
/* Of a record of somebody whose history is not whole. False: with it, it begins anew. */
bool ss_proof_stays_unknown(const struct proof *proof, const struct ss_score_view *view);

static inline bool ss_proof_wants(const struct proof *proof, uint64_t hash)
{
    uint64_t of = proof->options->sample_of;
    return of <= 1 || (hash >> 32) % of == proof->options->sample_seed % of;
}
/* All that is published of a user before its first record is passed by. */
void ss_proof_fold_blind(struct proof *proof, struct ss_user_state *state,
                         const struct ss_source_event *event, int32_t day);
/* The user may move. */
SS_MUST_USE enum ss_status ss_proof_put(struct proof *proof, struct ss_user **user,
                                        const struct ss_user_state *state);
/* First pass: for the second. */
void ss_proof_put_aside(struct proof *proof, struct ss_user *user);

#endif
