/* helper_memory_bus_internal.h - the cluster in memory, as helper_memory_bus.c (what tests do to
 * it) and helper_memory_bus_ops.c (what the worker does on it) share it. Internal to these two. */
#ifndef SS_TESTS_CONSUMER_HELPER_MEMORY_BUS_INTERNAL_H
#define SS_TESTS_CONSUMER_HELPER_MEMORY_BUS_INTERNAL_H

#include "helper_memory_bus.h"

struct flow {
    int64_t next;   /* to be delivered, or later: what is never delivered may come before */
    int64_t passed; /* the end, once a poll has found nothing before it */
    bool held;
};

struct part {
    bool owned, open;          /* as the worker knows it */
    bool revoke_pending, lost; /* to be told */
    bool assign_pending;
    struct flow flows[SS_INPUT_COUNT];
    int64_t committed[SS_INPUT_COUNT], pending[SS_INPUT_COUNT]; /* -1: none */
    struct memory_log inputs[SS_INPUT_COUNT], targets[SS_TARGET_MAX];
    int64_t starts[SS_INPUT_COUNT];    /* of the inputs' logs: what retention has left */
    int64_t mark_offset, mark_time_ms; /* of the last transaction; -1: none */
};

struct plan {
    int nth; /* counts down; 0: nothing planned */
    enum ss_status status;
    bool late;
};

struct memory_bus {
    struct ss_bus bus;
    struct part *parts;
    struct plan plans[MEMORY_OP_COUNT];
    int calls[MEMORY_OP_COUNT];
    bool in_transaction;
    size_t record_max, poll_max;
    int64_t now_ms;
    struct ss_record *records;
    size_t record_capacity;
    int32_t *told;
};

extern const struct ss_bus_ops memory_bus_ops;

#endif
