/* files_bus.h - archived logs as a bus: a directory with payments.avro, bills.avro and so on, Avro
 * container files each with the schema of its topic; missing ones are empty.
 *
 * One partition, number 0. The files are merged by occurred_at, each kept in its own order, ties in
 * the order consents, blacklist, then the rest as enum ss_input lists them: a fixed interleaving,
 * so the same files give the same output bytes. An offset is the record's index in its file.
 * What friends tell each other is not read from an archive, but comes back as the worker produces
 * it, before the next batch of events (so where, depends on the batches' size); it needs no file,
 * and one is not looked at. Records carry the embedded schema ids ("embedded:" in
 * schemas/registry.h). What the worker produces goes to a sink; nothing is restored and nothing is
 * kept.
 */
#ifndef SS_CONSUMER_FILES_BUS_H
#define SS_CONSUMER_FILES_BUS_H

#include "consumer/bus.h"

struct ss_files_config {
    const char *directory;
    int64_t until_ms;    /* events that occurred later are left out; INT64_MAX: none are */
    bool assume_consent; /* users without any record in consents.avro are taken to have granted
                            SCORING just before their first event, and SOCIAL before their first
                            friend: for studies */
    /* What the worker publishes, the changelog excepted; valid during the call. May be NULL. */
    enum ss_status (*sink)(void *arg, enum ss_target target, struct ss_bytes key,
                           struct ss_bytes value, struct ss_error *err);
    void *sink_arg;
};

SS_MUST_USE enum ss_status ss_files_open(const struct ss_files_config *config, struct ss_bus **bus,
                                         struct ss_error *err);

/* Every event has been delivered, and all that friends have told each other. */
bool ss_files_end(const struct ss_bus *bus);

#endif
