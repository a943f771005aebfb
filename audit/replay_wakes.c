#include "audit/replay_wakes.h"

#include <stdlib.h>

enum { BRANCHES = 4, DAY_MS = 86400000, DAYS_FIRST = 64, DAYS_MAX = 1 << 20, AHEAD = 8 };

void ss_replay_wakes_init(struct ss_replay_wakes *wakes, const struct ss_user_table *users)
{
    *wakes = (struct ss_replay_wakes){.users = users};
}

void ss_replay_wakes_reset(struct ss_replay_wakes *wakes)
{
    for (size_t i = 0; i < wakes->day_count; i++)
        free(wakes->days[i].alarms);
    free(wakes->days);
    free(wakes->wakers);
    free(wakes->heap.alarms);
    ss_replay_wakes_init(wakes, NULL);
}

uint32_t ss_replay_wakes_add(struct ss_replay_wakes *wakes)
{
    if (wakes->count == wakes->capacity) {
        uint32_t capacity = wakes->capacity ? wakes->capacity * 2 : 1024;
        struct ss_replay_waker *wakers = realloc(wakes->wakers, (size_t)capacity * sizeof *wakers);
        if (!wakers)
            return 0;
        wakes->wakers = wakers;
        wakes->capacity = capacity;
    }
    wakes->wakers[wakes->count] = (struct ss_replay_waker){.at_ms = INT64_MAX, .due_ms = INT64_MAX};
    return ++wakes->count;
}

/* At one instant: by user id. */
static bool tie_before(const struct ss_replay_wakes *wakes, struct ss_replay_alarm a,
                       struct ss_replay_alarm b)
{
    if (a.waker == b.waker)
        return false;
    const struct ss_text x = ss_user_id(ss_replay_wakes_user(wakes, a.waker + 1));
    const struct ss_text y = ss_user_id(ss_replay_wakes_user(wakes, b.waker + 1));
    int order = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
    return order != 0 ? order < 0 : x.size < y.size;
}

static inline bool before(const struct ss_replay_wakes *wakes, struct ss_replay_alarm a,
                          struct ss_replay_alarm b)
{
    return a.at_ms < b.at_ms || (a.at_ms == b.at_ms && tie_before(wakes, a, b));
}

/* --- today --- */

static void sift_down(struct ss_replay_wakes *wakes, struct ss_replay_alarm alarm)
{
    struct ss_replay_alarm *heap = wakes->heap.alarms;
    const size_t count = wakes->heap.count;
    size_t place = 0;
    for (;;) {
        size_t best = BRANCHES * place + 1, end = best + BRANCHES;
        if (best >= count)
            break;
        if (end > count)
            end = count;
        for (size_t child = best + 1; child < end; child++)
            if (before(wakes, heap[child], heap[best]))
                best = child;
        if (before(wakes, alarm, heap[best]))
            break;
        heap[place] = heap[best];
        place = best;
    }
    heap[place] = alarm;
}

static bool append(struct ss_replay_alarms *list, struct ss_replay_alarm alarm)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct ss_replay_alarm *alarms = realloc(list->alarms, capacity * sizeof *alarms);
        if (!alarms)
            return false;
        list->alarms = alarms;
        list->capacity = capacity;
    }
    list->alarms[list->count++] = alarm;
    return true;
}

static bool push_today(struct ss_replay_wakes *wakes, struct ss_replay_alarm alarm)
{
    if (!append(&wakes->heap, alarm))
        return false;
    struct ss_replay_alarm *heap = wakes->heap.alarms;
    size_t place = wakes->heap.count - 1;
    while (place > 0 && before(wakes, alarm, heap[(place - 1) / BRANCHES])) {
        heap[place] = heap[(place - 1) / BRANCHES];
        place = (place - 1) / BRANCHES;
    }
    heap[place] = alarm;
    return true;
}

/* --- the days to come --- */

static struct ss_replay_alarms *list_of(const struct ss_replay_wakes *wakes, int64_t day)
{
    return &wakes->days[(uint64_t)day & (wakes->day_count - 1)];
}

/* Room for so many days from tomorrow on. */
static bool widen(struct ss_replay_wakes *wakes, int64_t days)
{
    size_t wanted = wakes->day_count ? wakes->day_count : DAYS_FIRST;
    while ((int64_t)wanted < days)
        wanted *= 2;
    struct ss_replay_alarms *lists = calloc(wanted, sizeof *lists);
    if (!lists)
        return false;
    for (int64_t day = wakes->today + 1; day <= wakes->today + (int64_t)wakes->day_count; day++)
        lists[(uint64_t)day & (wanted - 1)] = *list_of(wakes, day);
    free(wakes->days);
    wakes->days = lists;
    wakes->day_count = wanted;
    return true;
}

static bool push(struct ss_replay_wakes *wakes, struct ss_replay_alarm alarm)
{
    const int64_t day = alarm.at_ms / DAY_MS;
    if (wakes->today == 0) /* the first alarm of all */
        wakes->today = day - 1;
    const int64_t ahead = day - wakes->today;
    if (ahead <= 0 || ahead > DAYS_MAX)
        return push_today(wakes, alarm);
    if (ahead > (int64_t)wakes->day_count && !widen(wakes, ahead))
        return false;
    return append(list_of(wakes, day), alarm);
}

/* Whether the waker's alarm is this one; where it was put off it is put back, and it is not. */
static bool rings(struct ss_replay_wakes *wakes, struct ss_replay_alarm alarm, bool *fine)
{
    struct ss_replay_waker *waker = &wakes->wakers[alarm.waker];
    if (waker->at_ms != alarm.at_ms)
        return false; /* it was set anew since */
    if (waker->due_ms <= alarm.at_ms)
        return true;
    waker->at_ms = waker->due_ms;
    if (waker->due_ms != INT64_MAX)
        *fine = push(wakes, (struct ss_replay_alarm){waker->due_ms, alarm.waker, waker->block});
    return false;
}

/* What is due on the next day goes into the heap. */
static bool next_day(struct ss_replay_wakes *wakes)
{
    bool fine = true;
    struct ss_replay_alarms due = {0};
    wakes->today++;
    if (wakes->day_count > 0) {
        due = *list_of(wakes, wakes->today);
        *list_of(wakes, wakes->today) = (struct ss_replay_alarms){0};
    }
    for (size_t i = 0; i < due.count && fine; i++) {
        if (i + AHEAD < due.count)
            ss_replay_wakes_prefetch(wakes, due.alarms[i + AHEAD].waker + 1);
        if (rings(wakes, due.alarms[i], &fine))
            fine = push_today(wakes, due.alarms[i]);
    }
    free(due.alarms);
    return fine;
}

bool ss_replay_wakes_set(struct ss_replay_wakes *wakes, uint32_t number, uint32_t block,
                         int64_t at_ms)
{
    struct ss_replay_waker *waker = &wakes->wakers[number - 1];
    waker->block = block;
    waker->due_ms = at_ms;
    if (at_ms >= waker->at_ms)
        return true;
    waker->at_ms = at_ms;
    return push(wakes, (struct ss_replay_alarm){at_ms, number - 1, block});
}

bool ss_replay_wakes_take(struct ss_replay_wakes *wakes, int64_t clock_ms, uint32_t *number)
{
    bool fine = true;
    *number = 0;
    while (fine) {
        if (wakes->heap.count == 0 || wakes->heap.alarms[0].at_ms > clock_ms) {
            if (wakes->today == 0 || wakes->today >= clock_ms / DAY_MS)
                return true;
            fine = next_day(wakes);
            continue;
        }
        const struct ss_replay_alarm first = wakes->heap.alarms[0];
        if (--wakes->heap.count > 0)
            sift_down(wakes, wakes->heap.alarms[wakes->heap.count]);
        if (rings(wakes, first, &fine)) {
            wakes->wakers[first.waker].at_ms = INT64_MAX;
            *number = first.waker + 1;
            return true;
        }
    }
    return false;
}
