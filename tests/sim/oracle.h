/* oracle.h - what should have come out, computed from the input logs and the committed outputs.
 *
 * For each partition the oracle walks over the transactions that wrote its changelog. Within one,
 * each score record and then the mark names positions: the input records between two such cuts are
 * the next ones that took effect, the record's cause last. What a user's score would have been in
 * between depends on an order that nobody recorded, but at each cut it does not: parts fold by
 * input, consent changes only where a record says so, and who got no record must stand where he
 * stood.
 *
 * It shares with the worker the core's folds and its score function (which a second scorer is held
 * against elsewhere), the packed form and the encoders. Decoding, gates, duplicates, order,
 * records, sequences, entitlements, counts, dead letters and positions are its own.
 */
#ifndef SS_TESTS_SIM_ORACLE_H
#define SS_TESTS_SIM_ORACLE_H

#include "sim.h"

struct oracle_user {
    struct ss_user_state state;
    bool touched; /* since the last cut: must stand where it was published */
    bool counted; /* in this transaction: must be in the changelog */
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
    struct ss_counts counts[SS_INPUT_COUNT];
    struct oracle_user users[SIM_USERS_MAX];
    const struct sim_txn *txn;          /* whose effects are being checked */
    int64_t scores_at, entitlements_at; /* next offsets */
    int64_t shared_at[SIM_SUBSCRIBERS];
    struct oracle_letter *letters; /* of this partition's dead-letters */
    size_t letter_count;
    struct ss_buffer encoded;
};

/* What an input record leads to. */
struct oracle_effect {
    enum ss_outcome outcome;
    const char *reason; /* with SS_REFUSED */
    bool has_record;
    struct ss_score_record record;
    uint32_t granted, revoked; /* benefits */
};

/* oracle_user.c. `cause`: a score record says that this one made it; otherwise nothing may be
 * published. */
void oracle_apply(struct oracle *oracle, const struct sim_record *record, enum ss_input input,
                  int64_t offset, const int64_t positions[SS_INPUT_COUNT], bool cause,
                  struct oracle_effect *effect);
/* Whoever was touched and published nothing must stand where he stood. */
void oracle_cut(struct oracle *oracle);

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
/* That nobody has seen more than that. */
void oracle_no_shared_left(struct oracle *oracle);

/* oracle_letters.c */
void oracle_read_letters(struct oracle *oracle);
void oracle_letter(struct oracle *oracle, const struct sim_record *record, enum ss_input input,
                   int64_t offset, const char *reason);
void oracle_no_letter_left(struct oracle *oracle);

/* Compares what was published with an effect. */
void oracle_published(struct oracle *oracle, const struct sim_record *score,
                      struct oracle_effect *effect);

#endif
