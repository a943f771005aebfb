/* replay_wakes.h - who of a partition is to be woken, and when: a calendar over the users that a
 * replay has met, a list for each day to come and a heap for today, the earliest first, ties by
 * user id. Which order they wake in depends on the states alone, so that a replay taken up from a
 * snapshot goes on as it would have.
 *
 * Putting a user off costs nothing: who turns out to have a later instant is put back.
 * One thread. Internal to audit/.
 */
#ifndef SS_AUDIT_REPLAY_WAKES_H
#define SS_AUDIT_REPLAY_WAKES_H

#include "audit/user_table.h"

struct ss_replay_waker {
    int64_t at_ms;  /* INT64_MAX: never */
    int64_t due_ms; /* really; at_ms is not later */
    uint32_t block; /* of the user, in the table */
};

/* Holds for as long as its instant is still the waker's. */
struct ss_replay_alarm {
    int64_t at_ms;
    uint32_t waker;
    uint32_t block; /* of the user when it was set: to be fetched */
};

struct ss_replay_alarms {
    struct ss_replay_alarm *alarms;
    size_t count, capacity;
};

struct ss_replay_wakes {
    const struct ss_user_table *users; /* the caller's */
    struct ss_replay_waker *wakers;
    uint32_t count, capacity;
    int64_t today;                 /* alarms up to its end are in the heap */
    struct ss_replay_alarms heap;  /* the least on top */
    struct ss_replay_alarms *days; /* from today + 1 on: a ring, of a power of two */
    size_t day_count;
};

void ss_replay_wakes_init(struct ss_replay_wakes *wakes, const struct ss_user_table *users);
void ss_replay_wakes_reset(struct ss_replay_wakes *wakes);

/* A user's number, from 1 on; 0: out of memory. Its instant is SS_WAKE_NEVER. */
SS_MUST_USE uint32_t ss_replay_wakes_add(struct ss_replay_wakes *wakes);
/* Sets the instant, earlier or later; INT64_MAX: never. The user is at `block` from now on. false:
 * out of memory. */
SS_MUST_USE bool ss_replay_wakes_set(struct ss_replay_wakes *wakes, uint32_t number, uint32_t block,
                                     int64_t at_ms);
/* The earliest, if that is due by clock_ms, and it has no alarm then until it is set again; 0:
 * there is nobody. Clocks do not go back. false: out of memory. */
SS_MUST_USE bool ss_replay_wakes_take(struct ss_replay_wakes *wakes, int64_t clock_ms,
                                      uint32_t *number);
/* The user of a number that was taken; valid until its next put. */
static inline struct ss_user *ss_replay_wakes_user(const struct ss_replay_wakes *wakes,
                                                   uint32_t number)
{
    return ss_user_table_at(wakes->users, wakes->wakers[number - 1].block);
}
/* Has the waker at hand by the time ss_replay_wakes_set comes; and the user's state when the
 * earliest of today is taken. */
static inline void ss_replay_wakes_prefetch(const struct ss_replay_wakes *wakes, uint32_t number)
{
    __builtin_prefetch(&wakes->wakers[number - 1], 1);
}
static inline void ss_replay_wakes_prefetch_first(const struct ss_replay_wakes *wakes)
{
    if (wakes->heap.count == 0)
        return;
    const struct ss_replay_alarm *first = &wakes->heap.alarms[0];
    __builtin_prefetch(&wakes->wakers[first->waker], 1);
    ss_user_prefetch(ss_user_table_at(wakes->users, first->block));
}

#endif
