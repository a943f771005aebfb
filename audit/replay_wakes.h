/* replay_wakes.h - who of a partition is to be woken, and when: a calendar over the users that a
 * replay has met, a list for each day to come and a heap for today, the earliest first, ties by
 * user id. Which order they wake in depends on the states
 * alone, so that a replay taken up from a snapshot goes on as it would have.
 *
 * Putting a user off costs nothing: who turns out to have a later instant is put back.
 * One thread. Internal to audit/.
 */
#ifndef SS_AUDIT_REPLAY_WAKES_H
#define SS_AUDIT_REPLAY_WAKES_H

#include "base/bytes.h"
#include "scoring/event.h"

struct ss_replay_waker {
    int64_t at_ms;  /* INT64_MAX: never */
    int64_t due_ms; /* really; at_ms is not later */
    uint64_t hash;  /* the caller's */
    size_t id;      /* where the user id begins in `ids` */
    uint8_t id_size;
};

/* Holds for as long as its instant is still the waker's. */
struct ss_replay_alarm {
    int64_t at_ms;
    uint32_t waker;
};

struct ss_replay_alarms {
    struct ss_replay_alarm *alarms;
    size_t count, capacity;
};

struct ss_replay_wakes {
    struct ss_replay_waker *wakers;
    uint32_t count, capacity;
    struct ss_buffer ids;
    int64_t today;                 /* alarms up to its end are in the heap */
    struct ss_replay_alarms heap;  /* the least on top */
    struct ss_replay_alarms *days; /* from today + 1 on: a ring, of a power of two */
    size_t day_count;
};

void ss_replay_wakes_init(struct ss_replay_wakes *wakes);
void ss_replay_wakes_reset(struct ss_replay_wakes *wakes);

/* A user's number, from 1 on; 0: out of memory. Its instant is SS_WAKE_NEVER. */
SS_MUST_USE uint32_t ss_replay_wakes_add(struct ss_replay_wakes *wakes, uint64_t hash,
                                         struct ss_text id);
/* Sets the instant, earlier or later; INT64_MAX: never. false: out of memory. */
SS_MUST_USE bool ss_replay_wakes_set(struct ss_replay_wakes *wakes, uint32_t number, int64_t at_ms);
/* The earliest, if that is due by clock_ms, and it has no alarm then until it is set again; 0:
 * there is nobody. Clocks do not go back. false: out of memory. */
SS_MUST_USE bool ss_replay_wakes_take(struct ss_replay_wakes *wakes, int64_t clock_ms,
                                      uint32_t *number);
/* Valid until the next add. */
static inline struct ss_text ss_replay_wakes_id(const struct ss_replay_wakes *wakes,
                                                uint32_t number)
{
    const struct ss_replay_waker *waker = &wakes->wakers[number - 1];
    return (struct ss_text){(const char *)wakes->ids.data + waker->id, waker->id_size};
}

#endif
