/* rescore_watch.h - how far a change of model has come, as the marks in the changelog say: read
 * only, with engines running or not. One thread.
 */
#ifndef SS_CLI_RESCORE_WATCH_H
#define SS_CLI_RESCORE_WATCH_H

#include "audit/state_log.h"
#include "state/changelog.h"

struct ss_rescore_partition {
    bool
        found; /* there is a mark; else nothing was ever committed here, and nobody is to be told */
    struct ss_mark mark;
    int64_t next; /* offset from which to read on */
};

struct ss_rescore_watch {
    struct ss_state_log *log;
    int32_t partition_count;
    struct ss_rescore_partition *partitions;
};

/* Over all partitions, for one epoch. */
struct ss_rescore_sum {
    int32_t done, begun;     /* partitions: all are told; the new model is in charge */
    int64_t rescored;        /* users told so far */
    int64_t users;           /* how many there will be, about; -1: no telling yet */
    double share;            /* 0 to 1 */
    int32_t epoch_max;       /* the newest that is in charge anywhere */
    const char *version_max; /* its model of persons */
};

/* Reads the newest marks. */
SS_MUST_USE enum ss_status ss_rescore_watch_open(const struct ss_kafka_access *access,
                                                 const char *topic, struct ss_rescore_watch *watch,
                                                 struct ss_error *err);
/* Reads on. SS_RETRY: no answer. */
SS_MUST_USE enum ss_status ss_rescore_watch_refresh(struct ss_rescore_watch *watch,
                                                    struct ss_error *err);
struct ss_rescore_sum ss_rescore_watch_sum(const struct ss_rescore_watch *watch, int32_t epoch);
/* One partition as a line of text, with the users told of that epoch. */
void ss_rescore_watch_line(const struct ss_rescore_watch *watch, int32_t partition, int32_t epoch,
                           char *out, size_t size);
void ss_rescore_watch_close(struct ss_rescore_watch *watch);

#endif
