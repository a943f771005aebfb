/* proof.h - recomputes what was published of a partition, record by record, from its logs.
 *
 * The events of the inputs go through the engine's own rules (scoring/apply.h) in the order that
 * the records prescribe (walk.h), and what comes of them is held against what was published, in
 * every field. Two passes:
 *
 *   1. over everybody: the folds of all users, each record compared where it stands. What the logs
 * leave open (the order of a user's silent events of different inputs, when time passed) is taken
 * the likeliest way. Who does not come out equal is put aside.
 *   2. over those who were put aside, if any: the likeliest way again, and where it does not lead
 * to the record a search for one that does (proof_search.c). Only what cannot have been so by any
 * way within the bounds of that search differs.
 *
 * What it finds: records altered in any field, missing, repeated, made up, or out of their order;
 * sequence numbers with gaps; entitlements likewise, so that grants and revocations are balanced as
 * the rules say.
 *
 * What the logs alone cannot tell: when silent events were read, if that makes no difference; the
 * clock of a partition between two instants at which it makes none.
 *
 * One thread per call; partitions are independent of each other.
 */
#ifndef SS_AUDIT_PROOF_H
#define SS_AUDIT_PROOF_H

#include "audit/model_shelf.h"
#include "audit/proof_fields.h"
#include "audit/rank_log.h"
#include "audit/walk.h"
#include "scoring/apply.h"

#include <stdatomic.h>

enum { SS_PROOF_RANK_NONE = -1, SS_PROOF_RANK_UNKNOWN = -2 };

enum ss_proof_verdict {
    SS_PROOF_DIFFERENT,       /* another than the logs lead to */
    SS_PROOF_MISSING,         /* the logs lead to one; it was not published */
    SS_PROOF_EXTRA,           /* published, and nothing leads to it */
    SS_PROOF_OUT_OF_ORDER,    /* right but for where it stands */
    SS_PROOF_UNREADABLE,      /* no record at all */
    SS_PROOF_NO_MODEL,        /* computed by a model that is not at hand */
    SS_PROOF_PERCENTILE,      /* not recomputed, and the percentile is not that of its score */
    SS_PROOF_HISTOGRAM,       /* of `sesame-ranks`: not that of the records */
    SS_PROOF_ENTITLEMENT,     /* an entitlement is different */
    SS_PROOF_NO_ENTITLEMENT,  /* … missing */
    SS_PROOF_ANY_ENTITLEMENT, /* … one too many, or out of its order */
    SS_PROOF_VERDICT_COUNT
};
const char *ss_proof_verdict_text(enum ss_proof_verdict verdict); /* static */

/* An event that led to a record, or should have. */
struct ss_proof_event {
    enum ss_input input;
    int64_t offset, occurred_at_ms, timestamp_ms;
    struct ss_text event_id;
};

struct ss_proof_difference {
    enum ss_proof_verdict verdict;
    int32_t partition;
    int64_t offset; /* of the record in its topic; -1: there is none */
    uint64_t user_hash;
    struct ss_text user_id;
    const char *why; /* NULL or a text for people; static */
    /* What was published and what the logs lead to; NULL: nothing. Of an entitlement only with
     * SS_PROOF_*ENTITLEMENT, of a score record otherwise. */
    const struct ss_score_view *published, *recomputed;
    const struct ss_entitlement_view *published_entitlement, *recomputed_entitlement;
    /* How the user stood before, and what has happened since, as it was read; the cause last. */
    const struct ss_published *before;
    const struct ss_proof_event *events;
    size_t event_count, events_left_out;
};

struct ss_proof_result {
    int64_t records; /* of `scores`, those of others than asked for excepted: the sum of … */
    int64_t proven;
    int64_t differing; /* different, extra, out of order, unreadable, without a model */
    int64_t erased;    /* of users who have withdrawn, whose events are no longer in the logs */
    int64_t out_of_retention; /* the logs no longer hold what they rest on */
    int64_t friends_expired;  /* … of these: what friends had told is no longer there */
    int64_t before_start;     /* older than the snapshot that it starts from */
    int64_t newer;   /* than where the inputs were read to, of a live engine; not of the sum */
    int64_t missing; /* records that are not there */
    int64_t entitlements, entitlements_proven, entitlements_differing; /* missing ones too */
    int64_t entitlements_unjudged; /* of records that were not recomputed */
    /* Of records that have a percentile: the sum of … */
    int64_t percentiles_proven;
    int64_t percentiles_differing;        /* whether or not the record was recomputed */
    int64_t percentiles_out_of_retention; /* compaction took the histograms */
    int64_t percentiles_unchecked;        /* there are none at all */
    int64_t histograms;                   /* of `sesame-ranks`; the sum of … */
    int64_t histograms_proven, histograms_differing;
    int64_t histograms_unchecked;      /* what they count is not known, or not read to its end */
    int64_t others;                    /* records of users who were not asked for */
    int64_t events;                    /* of the inputs, walked over in the first pass */
    int64_t users;                     /* whose records were judged */
    int64_t looked_at_again;           /* users of the second pass */
    int64_t searched;                  /* records for which another way was looked for */
    int64_t undecided;                 /* of the differing and missing: the search was cut short */
    int64_t positions[SS_INPUT_COUNT]; /* how far the inputs have been walked over */
    size_t table_bytes;
};

struct ss_proof_options {
    int32_t partition;
    const struct ss_model_shelf *shelf;
    struct ss_models models; /* in charge until a record names others; person is not NULL */
    int64_t future_tolerance_ms;
    int64_t start[SS_INPUT_COUNT]; /* where the inputs begin: 0, or the snapshot's, or the log's */
    int64_t neighbours_from; /* where SS_NEIGHBOURS began to be read: 0, or the snapshot's; what
                              * lies between here and its start is lost */
    bool without_neighbours; /* … or all of it is, and is not asked for */
    int32_t start_days[SS_INPUT_COUNT]; /* that they had come to there (ss_input_day) */
    int64_t start_clock_ms; /* how far the partition's clock had come there; 0: unknown */
    bool inputs_cut;        /* … and there was more before, of others than SS_NEIGHBOURS */
    bool scores_cut; /* `scores` begins behind its first record, or that after the snapshot */
    bool scores_begin_late; /* … and so does what histograms count, whatever else is known */
    bool entitlements_cut;  /* `entitlements` likewise */
    bool no_entitlements;   /* there are none to be held against */
    bool live; /* an engine may have published more since it was looked where the inputs end */
    /* One user in `of`, chosen by the hash of the id; 0 or 1: everybody. */
    uint64_t sample_of, sample_seed;
    bool some_users; /* the feed gives the events and records of some users only */
    int search_max;  /* attempts for one record; 0: 20,000, and 300,000 for up to 100 records */
    /* Gives the states of the snapshot to `put`, one after the other, and friends records under
     * their keys; NULL: none. */
    enum ss_status (*seed)(void *arg,
                           enum ss_status (*put)(void *to, struct ss_text user_id,
                                                 struct ss_bytes packed, struct ss_error *err),
                           void *to, struct ss_error *err);
    /* Opens the logs from the start; `users` (may be NULL): whose events and records are needed.
     * Called once for each pass; the feed of the pass before is not used any more. */
    enum ss_status (*open)(void *arg, const struct ss_source_users *users,
                           struct ss_walk_feed *feed, struct ss_error *err);
    void (*difference)(void *arg, const struct ss_proof_difference *difference); /* may be NULL */
    void (*progress)(void *arg, int64_t events, int64_t records); /* since last told; may be NULL */
    /* The percentile of a score by the histograms below that offset, SS_PROOF_RANK_NONE where they
     * count nobody or no record can cite it, SS_PROOF_RANK_UNKNOWN; NULL: no percentile is checked.
     */
    int32_t (*rank)(void *arg, int64_t ranks_offset, int32_t score);
    /* The partition's histograms, one with each call, which lives until the next; NULL: there are
     * no more. NULL: none is checked; nor is it with some_users. */
    const struct ss_rank_entry *(*histogram)(void *arg);
    void *arg;
    atomic_bool *stop; /* set: ends with SS_STOP; may be NULL */
};

/* SS_OK: all was judged, and *result says how. SS_STOP, SS_RETRY: logs that cannot be read, out of
 * memory, stopped. */
SS_MUST_USE enum ss_status ss_proof_run(const struct ss_proof_options *options,
                                        struct ss_proof_result *result, struct ss_error *err);

void ss_proof_add(struct ss_proof_result *sum, const struct ss_proof_result *result);
/* All was proven, or is accounted for otherwise. */
bool ss_proof_holds(const struct ss_proof_result *result);

#endif
