/* sharing.h - what a subscriber may see of a score record: a set of its fields.
 *
 * A field is one of schemas/scores.avsc, by its name there and in its order. The user id is always
 * seen. The set is the operator's (config), the permission the user's: a SHARE grant in the
 * subscriber's name, known by the low 32 bits of its hash (docs/model.md 4.6.4). Static; any
 * thread.
 */
#ifndef SS_SCORING_SHARING_H
#define SS_SCORING_SHARING_H

#include "scoring/hash.h"

enum { SS_SUBSCRIBERS_MAX = 32 }; /* in one config */

enum ss_score_field {
    SS_FIELD_SEQUENCE,
    SS_FIELD_KIND,
    SS_FIELD_STANDING,
    SS_FIELD_SCORE,
    SS_FIELD_PREVIOUS_SCORE,
    SS_FIELD_TIER,
    SS_FIELD_FACTORS,
    SS_FIELD_REASONS,
    SS_FIELD_CASE_ID,
    SS_FIELD_CAUSE,
    SS_FIELD_POSITIONS,
    SS_FIELD_CONSENT_POSITIONS,
    SS_FIELD_AS_OF,
    SS_FIELD_CLOCK,
    SS_FIELD_FRIENDS,
    SS_FIELD_MODEL_VERSION,
    SS_FIELD_PERCENTILE,
    SS_FIELD_RANKS,
    SS_FIELD_COUNT
};

#define SS_FIELD_BIT(field) (UINT32_C(1) << (field))
#define SS_FIELDS_ALL       (SS_FIELD_BIT(SS_FIELD_COUNT) - 1)
/* What most need, and what says nothing of how the user lives. */
#define SS_FIELDS_DEFAULT                                             \
    (SS_FIELD_BIT(SS_FIELD_SEQUENCE) | SS_FIELD_BIT(SS_FIELD_KIND) |  \
     SS_FIELD_BIT(SS_FIELD_STANDING) | SS_FIELD_BIT(SS_FIELD_SCORE) | \
     SS_FIELD_BIT(SS_FIELD_TIER) | SS_FIELD_BIT(SS_FIELD_AS_OF))

/* "previous_score", …: the field's name in the schema. Static text. */
const char *ss_score_field_name(enum ss_score_field field);

static inline uint32_t ss_subscriber_hash(struct ss_text name)
{
    return (uint32_t)ss_hash64(name);
}

#endif
