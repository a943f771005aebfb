/* score_table.h - final scores as a CSV: user_id, score, tier, standing, as_of, then the value and
 * points of each factor; one line per scored user, in the order of their ids' bytes.
 *
 * Tables are filled apart (a thread and a partition each) and written together.
 */
#ifndef SS_AUDIT_SCORE_TABLE_H
#define SS_AUDIT_SCORE_TABLE_H

#include "base/bytes.h"
#include "scoring/model.h"

struct ss_score_table;

/* as_of_ms: of all scores, which is the clock as well; INT64_MAX: each user's own last one.
 * count_only: lines are counted and not kept, since nobody will write them. */
SS_MUST_USE enum ss_status ss_score_table_open(const struct ss_models *models, int64_t as_of_ms,
                                               bool count_only, struct ss_score_table **table,
                                               struct ss_error *err);
void ss_score_table_close(struct ss_score_table *table); /* NULL is fine */

/* A user's state; who has not opted in gets no line. */
SS_MUST_USE enum ss_status ss_score_table_add(struct ss_score_table *table, struct ss_bytes user_id,
                                              const struct ss_user_state *state,
                                              struct ss_error *err);
int64_t ss_score_table_count(const struct ss_score_table *table);

/* Tables that are NULL are left out. */
SS_MUST_USE enum ss_status ss_score_table_write(struct ss_score_table *const *tables, size_t count,
                                                const char *path, struct ss_error *err);

#endif
