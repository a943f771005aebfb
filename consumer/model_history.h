/* model_history.h - what `sesame-models` says: every model that was ever live, and which pair is.
 *
 *   entries of the topic, in order ──> ss_model_history_add ──> live: a pair, its epoch, and before
 *
 * 1. A model, once known, is never changed: a further entry of the same version is ignored.
 * 2. The first activation of an epoch counts, if it is above the one that is live.
 * 3. The live pair and all before it stay as they are until close, wherever workers have got them.
 * 4. Where this version cannot read a model, or the models of an activation fold events otherwise
 *    than those before, that activation does not become live, and `trouble` says so; nor is what
 * was before it known to the one after.
 *
 * Threads: one adds; any may call ss_model_history_live.
 */
#ifndef SS_CONSUMER_MODEL_HISTORY_H
#define SS_CONSUMER_MODEL_HISTORY_H

#include "schemas/model_record.h"

struct ss_model_history;

/* One activation, newest first along `before`. */
struct ss_model_epoch {
    struct ss_models models; /* first, so that a pair is its epoch */
    int64_t since_ms;
    const struct ss_model_epoch *previous; /* that was live until then; NULL: the first known */
};

/* NULL: out of memory. */
struct ss_model_history *ss_model_history_open(void);
void ss_model_history_close(struct ss_model_history *history); /* NULL is fine */

/* The value of one record of the topic, in the order of the log. SS_DROP: it is none of ours. */
SS_MUST_USE enum ss_status ss_model_history_add(struct ss_model_history *history,
                                                struct ss_bytes value, struct ss_error *err);

/* NULL: nothing was ever activated. */
const struct ss_model_epoch *ss_model_history_live(const struct ss_model_history *history);
/* The model of this version; NULL: not in the topic, or this sesame cannot read it. */
const struct ss_model *ss_model_history_find(const struct ss_model_history *history,
                                             const char *version);
/* The greatest epoch of which there is an activation, live or not; -1: none. */
int32_t ss_model_history_newest(const struct ss_model_history *history);
/* Why the newest activation is not the live one; NULL where it is. */
const char *ss_model_history_trouble(const struct ss_model_history *history);

#endif
