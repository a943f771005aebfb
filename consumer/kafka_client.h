/* kafka_client.h - what all our librdkafka clients share: properties, logging, errors. Private to
 * consumer/kafka_*.c, the only files to see librdkafka.
 *
 * A struct ss_kafka_client is the opaque of its handles and outlives them. Its error state belongs
 * to the thread that polls; librdkafka's threads only log through it.
 */
#ifndef SS_CONSUMER_KAFKA_CLIENT_H
#define SS_CONSUMER_KAFKA_CLIENT_H

#include "consumer/bus.h"
#include "consumer/kafka_access.h"

#include <librdkafka/rdkafka.h>

struct ss_kafka_client {
    char who[64];                /* names the client in logs */
    void *owner;                 /* for callbacks of the owner's own */
    rd_kafka_resp_err_t trouble; /* what the last report said; reported once until it changes */
    bool all_down;               /* no broker answers */
    int statistics_interval_ms;
    void (*statistics)(void *arg, const char *client, const char *json, size_t size);
    void *statistics_arg;
};

/* A configuration with our logging and error state. Never NULL. */
rd_kafka_conf_t *ss_kafka_conf_new(struct ss_kafka_client *client);

/* SS_STOP with librdkafka's reason. */
SS_MUST_USE enum ss_status ss_kafka_conf_set(rd_kafka_conf_t *conf, const char *name,
                                             const char *value, struct ss_error *err);
SS_MUST_USE enum ss_status ss_kafka_conf_set_number(rd_kafka_conf_t *conf, const char *name,
                                                    int64_t value, struct ss_error *err);

/* Sets what the user gave for clients of this type, bootstrap servers included. SS_STOP: a property
 * that is unknown, malformed, or ours to set. */
SS_MUST_USE enum ss_status ss_kafka_conf_access(rd_kafka_conf_t *conf,
                                                const struct ss_kafka_access *access,
                                                rd_kafka_type_t type, struct ss_error *err);

/* Takes conf, also on failure. */
SS_MUST_USE enum ss_status ss_kafka_handle_open(rd_kafka_conf_t *conf, rd_kafka_type_t type,
                                                rd_kafka_t **handle, struct ss_error *err);

/* A consumer that reads partitions by explicit offset, outside of any group. `budget` bounds the
 * bytes of each of its queues. */
SS_MUST_USE enum ss_status ss_kafka_fetcher_open(struct ss_kafka_client *client,
                                                 const struct ss_kafka_access *access,
                                                 const char *isolation, size_t budget,
                                                 rd_kafka_t **handle, struct ss_error *err);

/* Something worked: says so if trouble had been reported. */
void ss_kafka_client_well(struct ss_kafka_client *client);

/* The error behind code, unwrapping a fatal one: text is at least "?". */
rd_kafka_resp_err_t ss_kafka_cause(rd_kafka_t *handle, rd_kafka_resp_err_t code, char *text,
                                   size_t size);

/* SS_RETRY: nobody answered in time; names the brokers that the config does, and what to look at.
 */
enum ss_status ss_kafka_no_answer(rd_kafka_t *handle, int timeout_ms, rd_kafka_resp_err_t code,
                                  struct ss_error *err);

/* A message as a reader's record, valid as long as it is. */
struct ss_kafka_record ss_kafka_record_of(const rd_kafka_message_t *message);
/* The i-th header of a message; false behind the last. */
bool ss_kafka_message_header(void *message, size_t i, const char **name, struct ss_bytes *value);

/* A copy for librdkafka; the caller's, also on failure. */
rd_kafka_resp_err_t ss_kafka_headers_new(const struct ss_header *headers, size_t count,
                                         rd_kafka_headers_t **list);

/* Low and high watermark by request. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_kafka_watermarks(rd_kafka_t *handle, const char *topic,
                                               int32_t partition, int64_t *low, int64_t *high,
                                               int timeout_ms, struct ss_error *err);

/* For when a partition's queue has run dry. One that was full is filled again only when its
 * broker's thread looks at it, before librdkafka 2.2 up to a second later; a request to that broker
 * makes it look at once. Waits for the answer, whatever it is. */
void ss_kafka_fetcher_wake(rd_kafka_t *handle, const char *topic, int32_t partition);

/* Partition counts of the named topics, 0 for one that is not there (or may not be described),
 * without creating any. SS_RETRY: no answer in time. */
SS_MUST_USE enum ss_status ss_kafka_partition_counts(rd_kafka_t *handle, const char *const *topics,
                                                     size_t count, int32_t *partitions,
                                                     int timeout_ms, struct ss_error *err);

#endif
