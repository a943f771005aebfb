/* sender.h - puts events into the topics: encodes them in the Confluent wire format, keys them by
 * user, and does to the bad ones of a population what their flaw says. For `generate`, the demo and
 * `blacklist import`.
 *
 * One thread, but for ss_sender_sent, which any may call.
 */
#ifndef SS_CLI_SENDER_H
#define SS_CLI_SENDER_H

#include "cli/population.h"
#include "config/config.h"
#include "consumer/kafka_producer.h"
#include "schemas/registry.h"

#include <stdatomic.h>

struct ss_sender_counts {
    int64_t sent[SS_INPUT_COUNT]; /* records, duplicates and bad ones included */
    int64_t duplicates, bad;
};

struct ss_sender {
    struct ss_kafka_producer *producer;
    const char *topics[SS_INPUT_COUNT];
    uint32_t schema_ids[SS_INPUT_COUNT];
    struct ss_buffer buffer;
    struct ss_sender_counts counts;
    atomic_llong sent;
};

/* Finds the schema ids of the inputs and opens the producer; borrows the config's texts. SS_STOP: a
 * schema is not registered (says which command does it), or a property is refused. SS_RETRY: no
 * answer. */
SS_MUST_USE enum ss_status ss_sender_open(struct ss_sender *sender, const struct ss_config *config,
                                          struct ss_error *err);
/* The same for one input alone: the others need not be registered, and cannot be sent to. */
SS_MUST_USE enum ss_status ss_sender_open_for(struct ss_sender *sender,
                                              const struct ss_config *config, enum ss_input input,
                                              struct ss_error *err);
/* Waits while there is no room. SS_RETRY: none for a minute. */
SS_MUST_USE enum ss_status ss_sender_send(struct ss_sender *sender,
                                          const struct ss_population_event *event,
                                          struct ss_error *err);
SS_MUST_USE enum ss_status ss_sender_send_event(struct ss_sender *sender,
                                                const struct ss_event *event, struct ss_error *err);
int64_t ss_sender_sent(const struct ss_sender *sender);
void ss_sender_close(struct ss_sender *sender); /* also after a failed open */

#endif
