/* oracle.h - what should have come out, computed from the input logs and the committed outputs.
 *
 * For each partition the oracle walks over the transactions that wrote its changelog. Within one,
 * each score record and then the mark names positions: the input records between two such cuts are
 * the next ones that took effect, the record's cause last. What a user's score would have been in
 * between depends on an order that nobody recorded, but at each cut it does not: parts fold by
 * input, consent changes only where a record says so, and who got no record must stand where he
 * stood. Time moves as_of and the horizon without a record too; oracle_time.c says what is known of
 * them and when.
 *
 * It shares with the worker the core's folds and its score function (which a second scorer is held
 * against elsewhere), the packed form and the encoders. Friends are oracle_friends.c's own.
 * Decoding, gates, duplicates, order, records, sequences, entitlements, counts, dead letters,
 * positions and time are its own.
 */
#ifndef SS_TESTS_SIM_ORACLE_H
#define SS_TESTS_SIM_ORACLE_H

#include "sim.h"

#include "schemas/output_view.h"

enum { ORACLE_SILENT_MAX = 12, ORACLE_SPANS_MAX = ORACLE_SILENT_MAX + 3 };

/* Friends as plain names. */
struct oracle_link {
    struct ss_text id;
    bool confirmed, told;
    int band;
};
struct oracle_friends {
    bool open, telling;
    bool changed; /* in this transaction: must be in the changelog */
    int told, count;
    uint32_t unlinked;
    struct oracle_link links[SIM_USERS_MAX];
};
/* What somebody must be told in this transaction. */
struct oracle_message {
    struct ss_text from, to;
    enum ss_neighbour_action action;
    int band;
    enum ss_input cause;
    int64_t offset;
    bool sent;
};
enum { ORACLE_MESSAGES_MAX = 2000 };

struct oracle_user {
    struct ss_user_state state;
    uint32_t key_id; /* with which its newest record in the changelog is sealed; 0: none */
    uint32_t friends_key_id;
    struct oracle_friends friends;
    bool stored;  /* its state is in this transaction's changelog */
    bool touched; /* since the last cut: must stand where it was published */
    bool counted; /* in this transaction: must be in the changelog */
    /* Since as_of and horizon were last known, from a record or a state in the changelog: events
     * that led to none. published.as_of is the least that it can be by now. */
    int64_t known_as_of_ms, silent_ms[ORACLE_SILENT_MAX];
    int silent_count; /* may be more than are kept */
    bool silent_bills;
};

struct oracle_letter {
    const struct sim_record *record;
    int64_t offset;
    bool used;
};

struct oracle {
    struct sim_world *world;
    int32_t partition;
    int64_t positions[SS_INPUT_COUNT];
    int64_t passed[SS_INPUT_COUNT];
    int32_t days[SS_INPUT_COUNT];        /* that each input has come to */
    int32_t days_before[SS_INPUT_COUNT]; /* with the mark before the one in hand */
    struct ss_counts counts[SS_INPUT_COUNT];
    /* Models: which is in charge in this transaction, how far its users have been told. */
    int32_t epoch, swept;
    int64_t rescored;
    struct oracle_user users[SIM_USERS_MAX];
    const struct sim_txn *txn; /* whose effects are being checked */
    struct oracle_message messages[ORACLE_MESSAGES_MAX];
    int message_count;
    int64_t scores_at, entitlements_at; /* next offsets */
    int64_t shared_at[SIM_SUBSCRIBERS];
    struct oracle_letter *letters; /* of this partition's dead-letters */
    size_t letter_count;
    struct ss_buffer encoded;
    /* Time (promise 10). */
    int64_t clock_ms;                   /* of the last mark */
    int64_t reached_ms[SS_INPUT_COUNT]; /* event time of what has been read */
    bool has_records;                   /* in this transaction */
    int64_t now_ms;                     /* when it was, at the latest */
    uint32_t behind;                    /* inputs whose times hold back the clock in it */
    int64_t bound_ms;                   /* at the cut in hand */
    int64_t told_clock_ms;              /* the greatest that this transaction tells of */
    const struct ss_score_view *told;   /* the record in hand */
    /* Ranks: what is published of this partition's users by now, by score. */
    int64_t ranked[SS_SCORE_COUNT];
    int64_t ranks_at; /* next offset of its histograms */
    bool ranks_owed;  /* changed since the last of them */
};

/* What an input record leads to. */
struct oracle_effect {
    enum ss_outcome outcome;
    const char *reason; /* with SS_REFUSED */
    bool has_record;
    struct ss_score_record record;
    uint32_t granted, revoked; /* benefits */
};

/* oracle.c: the number of a user, -1: none of ours; whose state or friends record a key is. */
int oracle_user_of(const struct sim_world *world, struct ss_bytes id);
struct ss_bytes oracle_owner_of(struct ss_bytes key);

/* oracle_mark.c. `others`: its transaction has read other inputs than consents. */
void oracle_mark(struct oracle *oracle, const struct ss_mark *mark, bool others);

/* oracle_store.c: the states of a partition once all is read. */
void oracle_store(const struct oracle *oracle);

/* oracle_user.c. `cause`: a score record says that this one made it; otherwise nothing may be
 * published. */
void oracle_apply(struct oracle *oracle, const struct sim_record *record, enum ss_input input,
                  int64_t offset, const int64_t positions[SS_INPUT_COUNT], bool cause,
                  struct oracle_effect *effect);
/* The record of a step that oracle_step has found. */
void oracle_aged(struct oracle *oracle, struct oracle_user *user, struct oracle_effect *effect);
/* What a transaction has left in the windows of somebody whom it has stored. */
void oracle_forget(const struct oracle *oracle, struct ss_user_state *state);
/* The model now in charge is the one by which this user was scored last. */
bool oracle_knows_model(const struct oracle *oracle, const struct ss_user_state *state);
/* A record of kind RESCORE: of somebody who was not told yet. */
void oracle_rescore(struct oracle *oracle, struct oracle_user *user,
                    const struct ss_score_view *told);
/* Whoever was touched and published nothing must stand where he stood. */
void oracle_cut(struct oracle *oracle);

/* What a record says of the time that its input has come to; 0: nothing. */
int64_t oracle_event_ms(const struct oracle *oracle, const struct sim_record *record);

/* oracle_time.c */
/* A record without a cause: its user is where it says, and some step leads there. */
void oracle_step(struct oracle *oracle, struct oracle_user *user, const struct ss_score_view *told);
/* A record with a cause of that time: nothing was owed for the steps before it. */
void oracle_before_event(struct oracle *oracle, struct oracle_user *user, int64_t event_ms,
                         const struct ss_score_view *told);
/* What the changelog says of as_of and horizon at the end of a transaction. */
void oracle_left(struct oracle *oracle, struct oracle_user *user, const struct ss_published *left);
/* Whether what is published holds, as far as that can be told between two transactions' ends. */
bool oracle_stands(const struct oracle *oracle, const struct oracle_user *user);
/* How far the clock may have come at this cut. */
void oracle_bound(struct oracle *oracle, bool before_an_event);
void oracle_clock(struct oracle *oracle, int64_t clock_ms, const char *whose);

/* oracle_ranks.c */
/* A score record of this transaction: counts it, and says in *record what its rank must be. */
void oracle_rank(struct oracle *oracle, const struct ss_score_view *view,
                 struct ss_score_record *record);
/* The histograms of this transaction, if any, and the mark's. */
void oracle_ranks(struct oracle *oracle, const struct ss_mark *mark);
void oracle_no_ranks_left(struct oracle *oracle);

/* oracle_shared.c */
/* Before and after an event that counted: who sees what of it (promise 7). `record` is its score
 * record, NULL if it made none. */
struct oracle_grants {
    bool to[SIM_SUBSCRIBERS];
};
struct oracle_grants oracle_grants(const struct ss_user_state *state);
void oracle_shared(struct oracle *oracle, const struct ss_user_state *state,
                   const struct ss_event *event, int64_t offset, struct oracle_grants before,
                   const struct ss_score_record *record);
/* A step of time has led to a record. */
void oracle_shared_step(struct oracle *oracle, const struct ss_user_state *state,
                        const struct ss_score_record *record);
/* That nobody has seen more than that. */
void oracle_no_shared_left(struct oracle *oracle);

/* oracle_friends.c */
void oracle_read_messages(struct sim_world *world);
/* The place of a record in the order in which the broker delivered this transaction's; -1: none. */
int oracle_place(const struct oracle *oracle, int input, int64_t offset);
/* Events that count, and messages; true: confirmed links or their bands are others. */
void oracle_social(struct oracle *oracle, struct oracle_user *user, const struct ss_event *event,
                   int64_t offset);
bool oracle_told(struct oracle *oracle, struct oracle_user *user, const struct ss_event *event,
                 int64_t offset);
/* A consent has changed: before the score is computed, and after. */
void oracle_consented(struct oracle *oracle, struct oracle_user *user, const struct ss_event *event,
                      int64_t offset);
void oracle_open_friends(struct oracle_user *user);
/* A record was written. */
void oracle_friends_scored(struct oracle *oracle, struct oracle_user *user);
/* At the end of a transaction: it has told what it must and nothing else. */
void oracle_messages(struct oracle *oracle);
/* The friends record, valid until the next call. */
struct ss_bytes oracle_stored_friends(const struct oracle_user *user, struct ss_bytes key);
/* At the end of all. */
void oracle_friends_agree(struct sim_world *world, struct oracle *const *oracles);

/* oracle_letters.c */
void oracle_read_letters(struct oracle *oracle);
void oracle_letter(struct oracle *oracle, const struct sim_record *record, enum ss_input input,
                   int64_t offset, const char *reason);
void oracle_no_letter_left(struct oracle *oracle);

#endif
