/* life.h - the events of one ordinary user over eighteen months, for bench/memory: always the same
 * mix, so that what a state takes can be compared from one version to the next.
 *
 * Of 100 events: 1 grant of SCORING, then 3 facts of who the user is, 1 credit line, 1 grant of
 * SHARE, 8 of bookings, 24 of bills, of which exactly two are open at the end and not yet due, and
 * 62 payments. Other counts have the same bills and bookings in proportion. Times fall on any
 * millisecond; bills are due at midnight in UTC+8. The same user has the same life on every
 * machine.
 */
#ifndef SS_BENCH_LIFE_H
#define SS_BENCH_LIFE_H

#include "scoring/event.h"

enum { LIFE_EVENTS_MIN = 20, LIFE_EVENTS_MAX = 1000, LIFE_ID_SIZE = 16 };

struct life {
    int count;
    struct ss_event events[LIFE_EVENTS_MAX]; /* by occurred_at */
    int64_t positions[LIFE_EVENTS_MAX];      /* of each in its topic */
    char user_id[LIFE_ID_SIZE + 1];
    char texts[LIFE_EVENTS_MAX][2][24]; /* of each event: its id, another one */
};

/* events: LIFE_EVENTS_MIN to LIFE_EVENTS_MAX. */
void life_make(struct life *life, uint64_t user, int events);

#endif
