/* model_topic.h - `sesame-models` on Kafka: read from its beginning on, and written to.
 *
 * Of one partition, since the order of activations is what counts. Plain records without a
 * transaction: of two that activate at once the first in the log wins, and the other one is told.
 * One thread; what is live any thread may ask the history for.
 */
#ifndef SS_CONSUMER_MODEL_TOPIC_H
#define SS_CONSUMER_MODEL_TOPIC_H

#include "consumer/kafka_access.h"
#include "consumer/model_history.h"

struct ss_model_topic;

/* What is to become live: models with the files that they were read from. */
struct ss_model_text {
    const struct ss_model *model; /* NULL: none */
    struct ss_bytes source;       /* size 0: it is in the topic already */
};
struct ss_model_activation {
    struct ss_model_text person, business;
    int32_t epoch;
    const char *by; /* who says so */
};

/* Has read the topic to its end. Borrows nothing. SS_STOP: no such topic (says what makes it), or
 * it has several partitions. SS_RETRY: Kafka does not answer. */
SS_MUST_USE enum ss_status ss_model_topic_open(const struct ss_kafka_access *access,
                                               const char *name, struct ss_model_topic **topic,
                                               struct ss_error *err);
/* Reads on, waiting at most timeout_ms for something to come. SS_RETRY: trouble that passes. */
SS_MUST_USE enum ss_status ss_model_topic_poll(struct ss_model_topic *topic, int timeout_ms,
                                               struct ss_error *err);
const struct ss_model_history *ss_model_topic_history(const struct ss_model_topic *topic);
/* Writes the models that are not there and then the activation, and reads on until that epoch is
 * there. *won: it is this one (or an equal one), not somebody else's. schema_id is that of
 * ss_schema_of_models. SS_RETRY: no answer; whether it was written is not known. SS_STOP: the topic
 * now says that it cannot be. */
SS_MUST_USE enum ss_status ss_model_topic_activate(struct ss_model_topic *topic,
                                                   const struct ss_kafka_access *access,
                                                   uint32_t schema_id,
                                                   const struct ss_model_activation *activation,
                                                   bool *won, struct ss_error *err);
void ss_model_topic_close(struct ss_model_topic *topic); /* NULL is fine */

#endif
