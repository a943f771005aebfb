/* sim_log.h - a topic's partition as a broker keeps it: records by offset, transactions in it, the
 * last stable offset, compaction; and the memory of a seed.
 *
 * Nothing is ever freed before the seed ends: what compaction or retention removed is `gone` to
 * clients and still there for the oracle.
 */
#ifndef SS_TESTS_SIM_LOG_H
#define SS_TESTS_SIM_LOG_H

#include "consumer/bus.h"

enum { SIM_PARTITIONS_MAX = 4, SIM_OPEN_MAX = 8, SIM_TXN_LOGS_MAX = 64 };

struct sim_arena;
struct sim_arena *sim_arena_new(void);
void sim_arena_free(struct sim_arena *arena);
void sim_arena_reset(struct sim_arena *arena);         /* everything taken from it is void */
void *sim_alloc(struct sim_arena *arena, size_t size); /* zeroed; aborts without memory */
struct ss_bytes sim_copy(struct sim_arena *arena, struct ss_bytes bytes);

enum sim_txn_state { SIM_TXN_OPEN, SIM_TXN_COMMITTED, SIM_TXN_ABORTED };

struct sim_delivery {
    int input;
    int32_t partition;
    int64_t offset;
};

struct sim_txn {
    int number;
    enum sim_txn_state state;
    int markers_left;
    struct sim_log *logs[SIM_TXN_LOGS_MAX]; /* that it has written to */
    int log_count;
    /* offsets in it: -1 where none */
    bool has_offsets, offsets_applied;
    int64_t offsets[SS_INPUT_COUNT][SIM_PARTITIONS_MAX];
    /* for the oracle: whose, and where consents ended when each partition was started */
    int session;
    int64_t drain_end[SIM_PARTITIONS_MAX];
    int64_t ranks_begun; /* the end of sesame-ranks when its process began */
    /* and how far promise 10 lets each partition's clock come: by the polls before the one whose
     * records these are (without records: this one too), and which inputs had more to read then */
    int64_t allowed_ms[SIM_PARTITIONS_MAX];
    uint32_t behind[SIM_PARTITIONS_MAX];
    /* and in which order its records were delivered */
    const struct sim_delivery *order;
    int order_count;
};

struct sim_record {
    int64_t timestamp_ms;
    struct sim_txn *txn; /* NULL: not in a transaction */
    bool control, gone;
    int64_t horizon_ms;         /* a deletion's, once a cleaning has seen it: how long it stays */
    struct ss_bytes key, value; /* data NULL: none */
    const struct ss_header *headers;
    size_t header_count;
    const void *truth; /* of an input's record */
};

struct sim_log {
    struct sim_record *records; /* by offset */
    int64_t start, end, capacity;
    struct {
        struct sim_txn *txn;
        int64_t first;
    } open[SIM_OPEN_MAX];
    int open_count;
};

/* Everything in *record is kept as it is, so it must live as long as the seed. Returns the offset.
 */
int64_t sim_log_append(struct sim_log *log, const struct sim_record *record);
/* Writes the marker that ends a transaction in this log. */
void sim_log_marker(struct sim_log *log, struct sim_txn *txn, int64_t now_ms);
/* The last stable offset. */
int64_t sim_log_stable(const struct sim_log *log);
/* The next record in [*offset, end) that read_committed shows, and *offset behind it; NULL: none,
 * *offset as it was. `gone` ones too if `all`. */
const struct sim_record *sim_log_next(const struct sim_log *log, int64_t *offset, int64_t end,
                                      bool all);
void sim_log_free(struct sim_log *log);

#endif
