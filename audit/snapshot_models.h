/* snapshot_models.h - by which models the users of a snapshot were told of their scores: a state
 * has the epoch, and the file's head says what each epoch was.
 */
#ifndef SS_AUDIT_SNAPSHOT_MODELS_H
#define SS_AUDIT_SNAPSHOT_MODELS_H

#include "audit/model_shelf.h"
#include "audit/snapshot.h"

/* The epochs up to these models', oldest first, for a head; the caller frees *list. SS_STOP: out of
 * memory. */
SS_MUST_USE enum ss_status ss_snapshot_epochs_list(const struct ss_models *newest,
                                                   struct ss_snapshot_epoch **list, size_t *count,
                                                   struct ss_error *err);

struct ss_snapshot_models;

/* The models of all epochs that the head names, as far as the shelf has them; an epoch whose models
 * it has not is unknown to those behind it. SS_STOP: out of memory. */
SS_MUST_USE enum ss_status ss_snapshot_models_open(const struct ss_snapshot_head *head,
                                                   const struct ss_model_shelf *shelf,
                                                   struct ss_snapshot_models **models,
                                                   struct ss_error *err);
void ss_snapshot_models_close(struct ss_snapshot_models *models); /* NULL is fine */
/* What a partition of that epoch goes on with. SS_STOP: unknown; says what is missing. */
SS_MUST_USE enum ss_status ss_snapshot_models_at(const struct ss_snapshot_models *models,
                                                 int32_t epoch, const struct ss_models **at,
                                                 struct ss_error *err);
/* Whether what this user was told last is of a model that is known. SS_STOP: it is not, and the
 * user holds benefits by it. */
SS_MUST_USE enum ss_status ss_snapshot_models_check(const struct ss_snapshot_head *head,
                                                    const struct ss_models *models,
                                                    const struct ss_user_state *state,
                                                    struct ss_error *err);

#endif
