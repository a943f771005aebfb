/* proof_fields.h - the fields of score records and entitlements, each with how to compare and how
 * to show it: one table for all that compares or shows records. Any thread.
 */
#ifndef SS_AUDIT_PROOF_FIELDS_H
#define SS_AUDIT_PROOF_FIELDS_H

#include "schemas/output_view.h"

struct ss_proof_field {
    const char *name; /* as in the schema; parts of a field after a dot */
    bool (*same)(const void *a, const void *b);
    /* A text of less than `size` bytes. Texts of records are cut and made printable. */
    void (*show)(const void *view, char *out, size_t size);
};

extern const struct ss_proof_field ss_proof_score_fields[]; /* of struct ss_score_view */
extern const size_t ss_proof_score_field_count;
extern const struct ss_proof_field ss_proof_entitlement_fields[]; /* struct ss_entitlement_view */
extern const size_t ss_proof_entitlement_field_count;

bool ss_proof_same_score(const struct ss_score_view *a, const struct ss_score_view *b);
bool ss_proof_same_entitlement(const struct ss_entitlement_view *a,
                               const struct ss_entitlement_view *b);

const char *ss_proof_kind_name(enum ss_score_kind kind);
const char *ss_proof_standing_name(enum ss_standing standing);

#endif
