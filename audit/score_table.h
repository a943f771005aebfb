/* score_table.h - the final scores of a store as a CSV: user_id, score, tier, standing, as_of, then
 * the value and points of each factor; one line per scored user, in the order of their ids' bytes.
 */
#ifndef SS_AUDIT_SCORE_TABLE_H
#define SS_AUDIT_SCORE_TABLE_H

#include "scoring/model.h"
#include "state/store.h"

/* as_of_ms: of all scores, which is the clock as well; INT64_MAX: each user's own last one. *users:
 * lines written. */
SS_MUST_USE enum ss_status ss_score_table_write(struct ss_store *store, int32_t partition_count,
                                                const struct ss_models *models, int64_t as_of_ms,
                                                const char *path, int64_t *users,
                                                struct ss_error *err);

#endif
