/* model_store.h - the models of an audit: every one that was ever live, out of `sesame-models` on
 * Kafka or in an archive (TOPIC+0+OFFSET.avro, or TOPIC.avro), and those of files.
 *
 *   open ──> ss_model_store_read ──> ss_model_store_file … ──> ss_model_store_shelf, _epoch, _live
 *
 * 1. All models of a store fold events alike: a file that does not is refused; one in the topic is
 *    never live beside the others (consumer/model_history.h).
 * 2. Of the topic only what was live is given out: a record that names another was not written by
 *    an engine. Where an activation cannot be read, whatever is there is given out.
 * 3. What was asked for and is nowhere is remembered, to be said once.
 *
 * Reading and adding: one thread. Then any thread may find.
 */
#ifndef SS_AUDIT_MODEL_STORE_H
#define SS_AUDIT_MODEL_STORE_H

#include "audit/model_shelf.h"
#include "audit/source.h"

struct ss_model_store;

struct ss_model_store_place {
    const char *topic;
    const struct ss_kafka_access *access; /* NULL: `directory` */
    const char *directory;
};

SS_MUST_USE enum ss_status ss_model_store_open(struct ss_model_store **store, struct ss_error *err);
void ss_model_store_close(struct ss_model_store *store); /* NULL is fine */

/* Before files; again elsewhere where nothing was found. *found: there is such a topic, and it says
 * what was live. SS_STOP: it cannot be read. SS_RETRY: Kafka does not answer. */
SS_MUST_USE enum ss_status ss_model_store_read(struct ss_model_store *store,
                                               const struct ss_model_store_place *place,
                                               bool *found, struct ss_error *err);
/* NULL: the built-in model. SS_STOP: no such file, not a model, or it folds otherwise. */
SS_MUST_USE enum ss_status ss_model_store_file(struct ss_model_store *store, const char *path,
                                               bool business, struct ss_error *err);

/* Lives as long as the store, as all models do. */
struct ss_model_shelf ss_model_store_shelf(struct ss_model_store *store);

/* A copy of the model of that name, which the caller frees: a version that the topic has, or else a
 * file, which may fold otherwise than the rest. SS_STOP: neither. */
SS_MUST_USE enum ss_status ss_model_store_copy(const struct ss_model_store *store, const char *name,
                                               const struct ss_model **copy, struct ss_error *err);

/* What was in charge at that epoch; NULL: it is not known. */
const struct ss_models *ss_model_store_epoch(const struct ss_model_store *store, int32_t epoch);
const struct ss_models *ss_model_store_live(const struct ss_model_store *store);  /* newest */
const struct ss_models *ss_model_store_first(const struct ss_model_store *store); /* oldest */
/* Those of the files: the last of each kind; person is NULL where there is none. */
struct ss_models ss_model_store_given(const struct ss_model_store *store);

/* The i-th version that was asked for in vain; NULL: there are no more. Not beside a find. */
const char *ss_model_store_missed(const struct ss_model_store *store, size_t i);

#endif
