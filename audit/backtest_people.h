/* backtest_people.h - everybody whom a backtest meets, and their states at the moments that it
 * looks at: the end of the history, and the time of each label. Internal to audit/.
 *
 *   ss_people_add_label … ──> ss_people_apply of every event, in any order between users
 *                               ──> ss_people_state of each moment
 *
 * 1. No look-ahead: an event reaches a label's moment only if it occurred before the label's time.
 *    Nothing that happened at that time or later is in it, in whichever order the events came.
 * 2. Every event passes the gates of the engine (consent, duplicates, refusals) at each moment.
 * 3. What friends told is an event like the others, if it is given to ss_people_apply at all; what
 *    they would tell under another model nobody hears. Whoever it was told to is not met by it.
 * 4. States are folded once for both models if what is structural is the same, else once for each.
 *
 * One thread. Memory grows with the people and labels: some 300 bytes for each moment and fold.
 */
#ifndef SS_AUDIT_BACKTEST_PEOPLE_H
#define SS_AUDIT_BACKTEST_PEOPLE_H

#include "base/bytes.h"
#include "scoring/apply.h"

struct ss_people;

#define SS_MOMENT_END INT64_MAX /* the end of the history, as far as it is read */

struct ss_moment {
    uint32_t person;
    int64_t time_ms; /* SS_MOMENT_END, or a label's */
    bool bad;        /* the label's outcome */
};

/* The models whose folds are kept: one, or two that differ in what is structural. Borrowed.
 * friends: what they told is among the events, so their lists are kept. */
SS_MUST_USE enum ss_status ss_people_open(const struct ss_models *const *folds, int fold_count,
                                          int64_t future_tolerance_ms, bool friends,
                                          struct ss_people **people, struct ss_error *err);
void ss_people_close(struct ss_people *people); /* NULL is fine */

/* SS_STOP: out of memory. Here and below. */
SS_MUST_USE enum ss_status ss_people_add_label(struct ss_people *people, struct ss_text user_id,
                                               int64_t time_ms, bool bad, struct ss_error *err);
/* *outcome: at the end of the history. SS_GIVE_UP cannot happen but by a fault of ours. */
SS_MUST_USE enum ss_status ss_people_apply(struct ss_people *people, const struct ss_event *event,
                                           int32_t partition, int64_t offset, int64_t timestamp_ms,
                                           enum ss_outcome *outcome, struct ss_error *err);

size_t ss_people_count(const struct ss_people *people);
/* Valid until the next person is added. */
struct ss_text ss_people_id(const struct ss_people *people, uint32_t person);
size_t ss_people_moment_count(const struct ss_people *people);
const struct ss_moment *ss_people_moment(const struct ss_people *people, size_t moment);
/* Any event of this person has been read. */
bool ss_people_met(const struct ss_people *people, uint32_t person);

/* The folds at a moment. */
SS_MUST_USE enum ss_status ss_people_state(const struct ss_people *people, size_t moment, int fold,
                                           struct ss_user_state *state, struct ss_error *err);

#endif
