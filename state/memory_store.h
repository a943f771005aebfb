/* memory_store.h - the store in memory: for replay from files, tests and simulation. */
#ifndef SS_STATE_MEMORY_STORE_H
#define SS_STATE_MEMORY_STORE_H

#include "state/store.h"

SS_MUST_USE enum ss_status ss_memory_open(struct ss_store **store, struct ss_error *err);

#endif
