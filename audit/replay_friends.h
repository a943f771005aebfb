/* replay_friends.h - the friends records of a replay, and what friends have yet to be told.
 *
 * Only who has links takes memory: a packed record (state/pack_friends.h) of his own. Messages come
 * out in the order in which they went in, so that one user's to another stay in order (friends.h).
 * One thread. Internal to audit/.
 */
#ifndef SS_AUDIT_REPLAY_FRIENDS_H
#define SS_AUDIT_REPLAY_FRIENDS_H

#include "audit/user_table.h"
#include "scoring/friends.h"

struct ss_replay_friends {
    struct ss_user_table *records; /* a user's `note` is where his record lies; 0: he has none */
    struct ss_friends list;        /* scratch: of whoever is in hand */
    struct ss_buffer queue;
    size_t queue_next;
};

SS_MUST_USE enum ss_status ss_replay_friends_open(struct ss_replay_friends **friends,
                                                  struct ss_error *err);
void ss_replay_friends_close(struct ss_replay_friends *friends); /* NULL is fine */

/* The user's links into friends->list. */
SS_MUST_USE enum ss_status ss_replay_friends_read(struct ss_replay_friends *friends,
                                                  struct ss_text user_id, struct ss_error *err);
/* friends->list as the user's record; none if it is empty. */
SS_MUST_USE enum ss_status ss_replay_friends_write(struct ss_replay_friends *friends,
                                                   struct ss_text user_id, struct ss_error *err);
/* A packed record, checked, of somebody who has none. SS_GIVE_UP: it is none. */
SS_MUST_USE enum ss_status ss_replay_friends_put(struct ss_replay_friends *friends,
                                                 struct ss_text user_id, struct ss_bytes packed,
                                                 struct ss_error *err);
/* Those who have records, one after the other, in no order; *at begins at 0. NULL: that was all. */
const struct ss_user *ss_replay_friends_next(const struct ss_replay_friends *friends, size_t *at,
                                             struct ss_bytes *packed);

/* An event of SS_NEIGHBOURS that has been sent at that time; borrows nothing. */
SS_MUST_USE enum ss_status ss_replay_friends_send(struct ss_replay_friends *friends,
                                                  const struct ss_neighbour_message *message,
                                                  int64_t at_ms, struct ss_error *err);
/* The next one, its texts in `texts`; false: there is none. */
bool ss_replay_friends_hear(struct ss_replay_friends *friends, char texts[2 * SS_USER_ID_MAX],
                            struct ss_event *event);

#endif
