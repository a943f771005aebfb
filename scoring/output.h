/* output.h - what an event leads to: at most one score record, and grants and revocations.
 *
 * Plain values, filled by ss_apply (apply.h) and encoded by schemas/. Texts borrow from the event,
 * from the model, or are static. Enumerators have the order of the symbols in schemas/scores.avsc
 * and entitlements.avsc.
 */
#ifndef SS_SCORING_OUTPUT_H
#define SS_SCORING_OUTPUT_H

#include "scoring/model.h"

enum ss_score_kind {
    SS_KIND_UPDATE,
    SS_KIND_BLACKLIST_DROP,
    SS_KIND_BLACKLIST_RESTORE,
    SS_KIND_OPT_IN,
    SS_KIND_OPT_OUT,
    SS_KIND_OVERDUE,
    SS_KIND_AGED,
    SS_KIND_NEIGHBOUR,
    SS_KIND_RESCORE,
    SS_KIND_SHARED, /* subscribers' topics only: the score as it stood when the user shared it */
};

enum { SS_REASONS_MAX = 4 };

struct ss_factor_result {
    int32_t value;        /* 0 to SS_VALUE_MAX */
    int32_t weight;       /* the model's */
    int32_t points_centi; /* hundredths of a point above 350 */
};

struct ss_reason {
    struct ss_text code;   /* static: LISTED, LATE_BILLS, …: docs/model.md lists them */
    enum ss_factor factor; /* SS_FACTOR_COUNT for LISTED, which is of no factor */
    int32_t points_centi;  /* what the best value of this component would add */
};

/* The score proper: a pure function of (model, state, as_of). */
struct ss_score {
    int32_t score;      /* as published: capped for a listed user */
    int32_t full_score; /* what the factors alone say */
    int tier;           /* index into model->tiers */
    bool listed;
    struct ss_factor_result factors[SS_FACTOR_COUNT];
    int reason_count;
    struct ss_reason reasons[SS_REASONS_MAX];
};

/* Where an event came from. */
struct ss_cause {
    enum ss_input input;
    int32_t partition;
    int64_t offset;
    struct ss_text event_id;
};

struct ss_score_record {
    struct ss_text user_id;
    enum ss_score_kind kind;
    enum ss_standing standing;
    int64_t sequence;
    bool has_score, has_previous; /* no score at OPT_OUT, no previous one at OPT_IN */
    int32_t previous_score;
    struct ss_score score;  /* meaningful if has_score */
    const char *tier_name;  /* NULL at OPT_OUT */
    struct ss_text case_id; /* the court case at BLACKLIST_DROP and RESTORE, else empty */
    bool has_cause;         /* no event where time alone made the change: OVERDUE, AGED */
    struct ss_cause cause;
    int64_t positions[SS_INPUT_COUNT]; /* next offset of each input, after this event */
    int64_t consent_position;          /* offset of the SCORING grant that holds, or held */
    int64_t as_of_ms;
    int64_t clock_ms; /* open bills due by then count as overdue; at most as_of */
    int32_t friends_confirmed, friends_bands; /* how many friends, and the sum of their bands */
    const char *model_version;
    /* Set by whoever publishes, who knows the others' scores (rank.h). */
    bool has_rank;
    int32_t percentile;   /* hundredths of a percent */
    int64_t ranks_offset; /* next offset of the histograms that it was computed from */
};

enum ss_entitlement_action { SS_ENTITLEMENT_GRANTED, SS_ENTITLEMENT_REVOKED };

struct ss_entitlement {
    struct ss_text user_id;
    enum ss_entitlement_action action;
    const struct ss_benefit *benefit;
    bool has_score;
    int32_t score;
    int64_t sequence; /* of the score record that it goes with */
    int64_t as_of_ms;
    bool has_cause;
    struct ss_cause cause;
    const char *model_version;
};

struct ss_effects {
    bool has_record;
    struct ss_score_record record;
    int entitlement_count;
    /* twice: a user may change from one model to the other */
    struct ss_entitlement entitlements[2 * SS_BENEFITS_MAX];
    /* Subscribers (ss_subscriber_hash), apart from which of them a config knows: those who get the
     * record too, who get `shared` since the user has just granted it to them, who a tombstone. */
    int told_count, gone_count;
    uint32_t told[SS_SHARES_MAX], gone[SS_SHARES_MAX];
    bool has_shared;
    uint32_t shared_with;
    struct ss_score_record shared; /* kind SHARED; its sequence is that of the newest in `scores` */
    bool friends_changed; /* the friends record is to be written; an empty one, to be deleted */
    bool friends_left;    /* it is to be deleted, and all told whom ss_friends_leave names */
    bool has_message;     /* for sesame-neighbours; borrows from the event */
    struct ss_neighbour_message message;
    int64_t message_at_ms; /* the time of that and of those */
};

#endif
