/* output_view.h - our own output records, read back: for the demo, look-ups and tools that show
 * them.
 *
 * Reads exactly our schemas of `scores` and `entitlements` as this version writes them (scores.avsc
 * and entitlements.avsc; no resolution: subscribers of other versions use any Avro library). Texts
 * point into the body. SS_DROP: not such a record: truncated, trailing bytes, an impossible number.
 * Threads: any.
 */
#ifndef SS_SCHEMAS_OUTPUT_VIEW_H
#define SS_SCHEMAS_OUTPUT_VIEW_H

#include "schemas/codec.h"
#include "scoring/rank.h"

struct ss_cause_view {
    bool known;                     /* false: no event, but time alone; nothing else is set then */
    struct ss_text topic, event_id; /* the topic's default name */
    int32_t partition;
    int64_t offset;
};

/* The input whose default topic it was; SS_INPUT_COUNT: none. */
enum ss_input ss_cause_view_input(const struct ss_cause_view *cause);

struct ss_reason_view {
    struct ss_text code;
    enum ss_factor factor; /* SS_FACTOR_COUNT: of none */
    int32_t points_centi;
};

struct ss_score_view {
    struct ss_text user_id;
    int64_t sequence;
    enum ss_score_kind kind;
    enum ss_standing standing;
    bool has_score, has_previous;
    int32_t score, previous_score;
    struct ss_text tier;    /* empty: none */
    struct ss_text case_id; /* empty: none */
    struct ss_cause_view cause;
    int64_t positions[SS_INPUT_COUNT];
    int64_t consent_position;
    int64_t as_of_ms, clock_ms;
    int32_t friends_confirmed, friends_bands;
    struct ss_text model_version;
    bool has_rank; /* of the next two */
    int32_t percentile;
    int64_t ranks_offset;
    /* What the score is made of. In a view that was skimmed: where it lies, and nothing behind this
     * is set; data NULL: it is. */
    struct ss_bytes made_of;
    bool has_factors;
    struct ss_factor_result factors[SS_FACTOR_COUNT];
    int reason_count;
    struct ss_reason_view reasons[SS_REASONS_MAX];
};

struct ss_entitlement_view {
    struct ss_text user_id;
    enum ss_entitlement_action action;
    struct ss_text benefit_id, title;
    int32_t threshold;
    bool has_score;
    int32_t score;
    int64_t sequence;
    int64_t as_of_ms;
    struct ss_cause_view cause;
    struct ss_text model_version;
};

static inline bool ss_same_text(struct ss_text a, struct ss_text b)
{
    return a.size == b.size && ss_same_short(a.data, b.data, a.size);
}

/* Both read a body: what ss_wire_open leaves of a record's value. */
SS_MUST_USE enum ss_status ss_score_view_decode(struct ss_bytes body, struct ss_score_view *view,
                                                struct ss_error *err);
SS_MUST_USE enum ss_status ss_entitlement_view_decode(struct ss_bytes body,
                                                      struct ss_entitlement_view *view,
                                                      struct ss_error *err);

/* For who needs to know seldom what a score is made of: the bodies that ss_score_view_decode reads,
 * and no others, without that. */
SS_MUST_USE enum ss_status ss_score_view_skim(struct ss_bytes body, struct ss_score_view *view,
                                              struct ss_error *err);
/* Skims the record that begins at *cursor, and leaves *cursor behind it; with an error *cursor is
 * as it was. Bytes may follow. */
SS_MUST_USE enum ss_status ss_score_view_skim_next(const uint8_t **cursor, const uint8_t *end,
                                                   struct ss_score_view *view,
                                                   struct ss_error *err);
/* The view with all that was left out, as long as the body lives. */
struct ss_score_view ss_score_view_whole(const struct ss_score_view *view);
/* Another view of the same. */
static inline void ss_score_view_copy(struct ss_score_view *to, const struct ss_score_view *skimmed)
{
    memcpy(to, skimmed, offsetof(struct ss_score_view, has_factors));
}
/* After the body, which was at `from`, has been copied to `to`: the view is of the copy. */
void ss_score_view_move(struct ss_score_view *skimmed, const void *from, const void *to);
/* Whether the record would be encoded as what the view was skimmed from, each field of it. It costs
 * a fraction of encoding it. false: it would not; or it may, but not to the bytes that our encoder
 * chooses for the same, or it has numbers larger than a score is made of. */
bool ss_score_view_is(const struct ss_score_view *skimmed, const struct ss_score_record *record);

#endif
