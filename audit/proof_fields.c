#include "audit/proof_fields.h"

#include "scoring/apply.h"

#include <inttypes.h>
#include <stdio.h>

static void show_text(struct ss_text text, char *out, size_t size)
{
    size_t at = 0;
    if (!text.size) {
        snprintf(out, size, "null");
        return;
    }
    for (uint32_t i = 0; i < text.size && at + 2 < size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        out[at++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    out[at] = '\0';
}

static void show_maybe(bool has, int64_t value, char *out, size_t size)
{
    if (has)
        snprintf(out, size, "%" PRId64, value);
    else
        snprintf(out, size, "null");
}

const char *ss_proof_kind_name(enum ss_score_kind kind)
{
    static const char *const names[] = {
        "UPDATE",  "BLACKLIST_DROP", "BLACKLIST_RESTORE", "OPT_IN",  "OPT_OUT",
        "OVERDUE", "AGED",           "NEIGHBOUR",         "RESCORE", "SHARED"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

const char *ss_proof_standing_name(enum ss_standing standing)
{
    static const char *const names[] = {"NONE", "SCORED", "LISTED", "OPTED_OUT"};
    return (size_t)standing < sizeof names / sizeof names[0] ? names[standing] : "?";
}

/* Two functions for a field: VIEW is the struct, SAME an expression over a and b, SHOW a statement
 * over v, out and size. */
#define FIELD(NAME, VIEW, SAME, SHOW)                                 \
    static bool same_##NAME(const void *left, const void *right)      \
    {                                                                 \
        const struct VIEW *a = left, *b = right;                      \
        return SAME;                                                  \
    }                                                                 \
    static void show_##NAME(const void *view, char *out, size_t size) \
    {                                                                 \
        const struct VIEW *v = view;                                  \
        SHOW;                                                         \
    }
#define NUMBER(NAME, VIEW, MEMBER) \
    FIELD(NAME, VIEW, a->MEMBER == b->MEMBER, show_maybe(true, v->MEMBER, out, size))
#define TEXT(NAME, VIEW, MEMBER) \
    FIELD(NAME, VIEW, ss_same_text(a->MEMBER, b->MEMBER), show_text(v->MEMBER, out, size))
#define MAYBE(NAME, VIEW, HAS, MEMBER)                                         \
    FIELD(NAME, VIEW, a->HAS == b->HAS && (!a->HAS || a->MEMBER == b->MEMBER), \
          show_maybe(v->HAS, v->MEMBER, out, size))

/* --- scores --- */

#define SCORE(NAME, SAME, SHOW) FIELD(NAME, ss_score_view, SAME, SHOW)

TEXT(user_id, ss_score_view, user_id)
NUMBER(sequence, ss_score_view, sequence)
SCORE(kind, a->kind == b->kind, snprintf(out, size, "%s", ss_proof_kind_name(v->kind)))
SCORE(standing, a->standing == b->standing,
      snprintf(out, size, "%s", ss_proof_standing_name(v->standing)))
MAYBE(score, ss_score_view, has_score, score)
MAYBE(previous_score, ss_score_view, has_previous, previous_score)
TEXT(tier, ss_score_view, tier)

static bool same_factor(const struct ss_score_view *a, const struct ss_score_view *b, int i)
{
    return a->has_factors == b->has_factors &&
           (!a->has_factors || (a->factors[i].value == b->factors[i].value &&
                                a->factors[i].weight == b->factors[i].weight &&
                                a->factors[i].points_centi == b->factors[i].points_centi));
}

static void show_factor(const struct ss_score_view *v, int i, char *out, size_t size)
{
    if (v->has_factors)
        snprintf(out, size, "value %d, weight %d, points %d", v->factors[i].value,
                 v->factors[i].weight, v->factors[i].points_centi);
    else
        snprintf(out, size, "null");
}

#define FACTOR(NAME, INDEX) SCORE(NAME, same_factor(a, b, INDEX), show_factor(v, INDEX, out, size))
FACTOR(history, SS_FACTOR_HISTORY)
FACTOR(behaviour, SS_FACTOR_BEHAVIOUR)
FACTOR(fulfilment, SS_FACTOR_FULFILMENT)
FACTOR(characteristics, SS_FACTOR_CHARACTERISTICS)
FACTOR(relationships, SS_FACTOR_RELATIONSHIPS)

static bool same_reasons_of(const struct ss_score_view *a, const struct ss_score_view *b)
{
    if (a->reason_count != b->reason_count)
        return false;
    for (int i = 0; i < a->reason_count; i++)
        if (!ss_same_text(a->reasons[i].code, b->reasons[i].code) ||
            a->reasons[i].factor != b->reasons[i].factor ||
            a->reasons[i].points_centi != b->reasons[i].points_centi)
            return false;
    return true;
}

static void show_reasons_of(const struct ss_score_view *v, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (int i = 0; i < v->reason_count && at < size; i++) {
        char code[64];
        enum ss_factor factor = v->reasons[i].factor;
        show_text(v->reasons[i].code, code, sizeof code);
        int length = snprintf(out + at, size - at, "%s%s (%s) %d", i ? ", " : "", code,
                              factor == SS_FACTOR_COUNT ? "none" : ss_factor_name(factor),
                              v->reasons[i].points_centi);
        at += length > 0 ? (size_t)length : 0;
    }
    if (v->reason_count == 0)
        snprintf(out, size, "none");
}

SCORE(reasons, same_reasons_of(a, b), show_reasons_of(v, out, size))
TEXT(case_id, ss_score_view, case_id)

#define CAUSE(PREFIX, VIEW)                                                                 \
    FIELD(PREFIX##_cause_topic, VIEW,                                                       \
          a->cause.known == b->cause.known && ss_same_text(a->cause.topic, b->cause.topic), \
          show_text(v->cause.topic, out, size))                                             \
    NUMBER(PREFIX##_cause_partition, VIEW, cause.partition)                                 \
    NUMBER(PREFIX##_cause_offset, VIEW, cause.offset)                                       \
    TEXT(PREFIX##_cause_event_id, VIEW, cause.event_id)
CAUSE(score, ss_score_view)

#define POSITION(NAME, INDEX) NUMBER(position_##NAME, ss_score_view, positions[INDEX])
POSITION(payments, SS_PAYMENTS)
POSITION(bills, SS_BILLS)
POSITION(bookings, SS_BOOKINGS)
POSITION(social, SS_SOCIAL)
POSITION(profiles, SS_PROFILES)
POSITION(consents, SS_CONSENTS)
POSITION(blacklist, SS_BLACKLIST)
POSITION(neighbours, SS_NEIGHBOURS)
NUMBER(friends_confirmed, ss_score_view, friends_confirmed)
NUMBER(friends_bands, ss_score_view, friends_bands)
MAYBE(percentile, ss_score_view, has_rank, percentile)
MAYBE(ranks, ss_score_view, has_rank, ranks_offset)
NUMBER(consent_position, ss_score_view, consent_position)
NUMBER(as_of, ss_score_view, as_of_ms)
NUMBER(clock, ss_score_view, clock_ms)
TEXT(model_version, ss_score_view, model_version)

#define ROW(NAME, FUNCTIONS)                     \
    {                                            \
        NAME, same_##FUNCTIONS, show_##FUNCTIONS \
    }

const struct ss_proof_field ss_proof_score_fields[] = {
    ROW("user_id", user_id),
    ROW("sequence", sequence),
    ROW("kind", kind),
    ROW("standing", standing),
    ROW("score", score),
    ROW("previous_score", previous_score),
    ROW("tier", tier),
    ROW("factors.history", history),
    ROW("factors.behaviour", behaviour),
    ROW("factors.fulfilment", fulfilment),
    ROW("factors.characteristics", characteristics),
    ROW("factors.relationships", relationships),
    ROW("reasons", reasons),
    ROW("case_id", case_id),
    ROW("cause.topic", score_cause_topic),
    ROW("cause.partition", score_cause_partition),
    ROW("cause.offset", score_cause_offset),
    ROW("cause.event_id", score_cause_event_id),
    ROW("positions.payments", position_payments),
    ROW("positions.bills", position_bills),
    ROW("positions.bookings", position_bookings),
    ROW("positions.social", position_social),
    ROW("positions.profiles", position_profiles),
    ROW("positions.consents", position_consents),
    ROW("positions.blacklist", position_blacklist),
    ROW("positions.neighbours", position_neighbours),
    ROW("consent_positions.scoring", consent_position),
    ROW("friends.confirmed", friends_confirmed),
    ROW("friends.bands", friends_bands),
    ROW("percentile", percentile),
    ROW("ranks", ranks),
    ROW("as_of", as_of),
    ROW("clock", clock),
    ROW("model_version", model_version),
};
const size_t ss_proof_score_field_count =
    sizeof ss_proof_score_fields / sizeof ss_proof_score_fields[0];

/* --- entitlements --- */

TEXT(e_user_id, ss_entitlement_view, user_id)
FIELD(e_action, ss_entitlement_view, a->action == b->action,
      snprintf(out, size, "%s", v->action == SS_ENTITLEMENT_GRANTED ? "GRANTED" : "REVOKED"))
TEXT(e_benefit_id, ss_entitlement_view, benefit_id)
TEXT(e_title, ss_entitlement_view, title)
NUMBER(e_threshold, ss_entitlement_view, threshold)
MAYBE(e_score, ss_entitlement_view, has_score, score)
NUMBER(e_sequence, ss_entitlement_view, sequence)
NUMBER(e_as_of, ss_entitlement_view, as_of_ms)
CAUSE(e, ss_entitlement_view)
TEXT(e_model_version, ss_entitlement_view, model_version)

const struct ss_proof_field ss_proof_entitlement_fields[] = {
    ROW("user_id", e_user_id),
    ROW("action", e_action),
    ROW("benefit_id", e_benefit_id),
    ROW("title", e_title),
    ROW("threshold", e_threshold),
    ROW("score", e_score),
    ROW("sequence", e_sequence),
    ROW("as_of", e_as_of),
    ROW("cause.topic", e_cause_topic),
    ROW("cause.partition", e_cause_partition),
    ROW("cause.offset", e_cause_offset),
    ROW("cause.event_id", e_cause_event_id),
    ROW("model_version", e_model_version),
};
const size_t ss_proof_entitlement_field_count =
    sizeof ss_proof_entitlement_fields / sizeof ss_proof_entitlement_fields[0];

static bool same(const struct ss_proof_field *fields, size_t count, const void *a, const void *b)
{
    for (size_t i = 0; i < count; i++)
        if (!fields[i].same(a, b))
            return false;
    return true;
}

bool ss_proof_same_score(const struct ss_score_view *a, const struct ss_score_view *b)
{
    const struct ss_score_view left = ss_score_view_whole(a), right = ss_score_view_whole(b);
    return same(ss_proof_score_fields, ss_proof_score_field_count, &left, &right);
}

bool ss_proof_same_entitlement(const struct ss_entitlement_view *a,
                               const struct ss_entitlement_view *b)
{
    return same(ss_proof_entitlement_fields, ss_proof_entitlement_field_count, a, b);
}
