#include "audit/repair_state.h"

#include "base/clock.h"

#include <time.h>

enum { LOOK_MS = 50, TRIES = 100 };

enum ss_status ss_repair_invalidate(struct ss_store *store, int32_t partition, struct ss_error *err)
{
    struct ss_checkpoint shown, before;
    bool found;
    for (int try = 0; try < TRIES; try++) {
        enum ss_status status = store->ops->checkpoint(store, partition, &shown, &found, err);
        if (status != SS_OK || !found)
            return status; /* nobody trusts what is there: the owner is at it, or the next one */
        if (try > 0 && ss_checkpoint_equal(&shown, &before))
            return SS_OK; /* the owner has wiped it, and is back where it was */
        status = store->ops->wipe(store, partition, &shown, err);
        if (status != SS_GIVE_UP)
            return status;
        before = shown; /* the owner has moved on since the look */
    }
    return ss_fail(err, SS_RETRY, "partition %d moves on faster than it can be taken away",
                   partition);
}

enum ss_status ss_repair_await(const struct ss_repair_wait *wait, int32_t partition,
                               int64_t mark_offset, bool *back, struct ss_error *err)
{
    const int64_t deadline = ss_clock_steady_ms() + wait->wait_ms;
    int64_t ask_at = 0;
    for (;;) {
        struct ss_checkpoint checkpoint;
        bool found;
        enum ss_status status =
            wait->store->ops->checkpoint(wait->store, partition, &checkpoint, &found, err);
        *back = status == SS_OK && found && checkpoint.offset >= mark_offset;
        if (status != SS_OK || *back || ss_clock_steady_ms() >= deadline)
            return status;
        if (ss_clock_steady_ms() >= ask_at) {
            if (!wait->live(wait->arg))
                return SS_OK;
            ask_at = ss_clock_steady_ms() + wait->live_every_ms;
        }
        nanosleep(&(struct timespec){0, LOOK_MS * 1000000L}, NULL);
    }
}
