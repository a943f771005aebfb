/* friends.h - whose friend a user is, who of them confirms it, and what both are told.
 *
 *            add                        BAND from him
 *   (none) ───────> PENDING ─────────────────────────────> CONFIRMED ──┐ BAND: a new band
 *      ^            his hash only <───────────────────── id, band <────┘
 *      │                │              GONE from him        │
 *      └────────────────┴───────────────────────────────────┘
 *                    remove, withdrawal
 *
 * 1. Whether a user lists a friend follows from the user's own events alone (promise 5); whether
 * the link is confirmed, from the messages of the other. A pending link holds a hash and nothing
 *    else of somebody who may never have opted in.
 * 2. Once no message is under way: A's link to B is confirmed if and only if A and B list each
 * other under consent, and it then holds the band that B last told. This holds if messages from one
 *    user to another are read in the order in which they were sent; reading some of them again
 *    from an earlier one on is harmless. Between other pairs any order will do.
 * 3. sum.confirmed and sum.bands are exactly the number of confirmed links and the sum of the bands
 * in them, so whoever leaves takes back what he had added.
 * 4. A new band is told only once the score has left the told one by more than all friends together
 *    can move it (ss_friends_reach), so that nobody tells twice without an outside cause.
 * 5. Who becomes confirmed says his band to the other, and who is told a band by somebody whom he
 * does not list answers GONE. Nothing answers GONE, so every exchange ends: after an event of
 *    `social`, with at most four messages.
 *
 * docs/decisions/0010-friends.md has the proofs. Pure: caller's memory, no
 * allocation; any thread. All-zero is the empty list and the closed sum. Consent is the caller's to
 * judge: the sum is open exactly while SCORING and SOCIAL hold, and only then do events of `social`
 * come here. Messages borrow: `from` and `to` point into the arguments or into the list, and live
 * until that list is next changed.
 */
#ifndef SS_SCORING_FRIENDS_H
#define SS_SCORING_FRIENDS_H

#include "scoring/event.h"

struct ss_model; /* scoring/model.h, which this header must not need: it is included by it */

enum {
    SS_FRIENDS_MAX = 500, /* links of one user, pending ones included */
    SS_BAND_COUNT = 12,   /* of SS_BAND_WIDTH points each, from the least score up */
    SS_BAND_WIDTH = 50,
    SS_BAND_MARGIN = 10, /* points beyond the reach before a new band is told */
};

enum ss_neighbour_kind {
    SS_NEIGHBOUR_BAND, /* `from` lists `to`, and stands in this band */
    SS_NEIGHBOUR_GONE, /* `from` does not list `to` (any more) */
};

/* A record of `sesame-neighbours`, keyed by `to`. */
struct ss_neighbour_message {
    struct ss_text to, from;
    enum ss_neighbour_kind kind;
    uint8_t band;     /* below SS_BAND_COUNT; 0 with GONE */
    bool wants_reply; /* `to` answers with his band even if he knows all this; false with GONE */
};

/* What of the list stands in the user's packed state, so that events that do not concern friends
 * need not read the list. */
struct ss_friends_sum {
    bool open;          /* SCORING and SOCIAL hold; all else is 0 while it is false */
    uint8_t told_band;  /* what friends have been told, or are being told */
    bool telling;       /* the confirmed links from tell_from on are yet to be told: wake at once */
    uint64_t tell_from; /* 0 unless telling */
    uint16_t confirmed; /* links */
    uint16_t bands;     /* the sum of their bands */
    uint32_t unlinked;  /* added beyond the bound, less removals of whom the list does not have */
};

struct ss_friend {
    uint64_t hash;   /* ss_hash64 of the id */
    uint8_t id_size; /* 0: pending, and then band is 0 too */
    uint8_t band;
    char id[SS_USER_ID_MAX];
};

/* The friends record. About 40 KB, of which only the first `count` links mean anything: empty it by
 * count = 0. */
struct ss_friends {
    uint16_t count;
    struct ss_friend links[SS_FRIENDS_MAX]; /* by hash, strictly ascending */
};

struct ss_friends_step {
    bool list_changed; /* the friends record is to be written; empty, to be deleted */
    bool sum_changed;  /* confirmed or bands: the score may be another */
    bool says;
    struct ss_neighbour_message message; /* if says */
};

/* ---- the model ---- */

/* False: nothing that friends do can change a factor's value under this model. Then keep no list,
 * leave the sum closed, and send and answer nothing. */
bool ss_friends_matter(const struct ss_model *model);

/* No change of the relationships' variables moves a score by more than so many points. */
int32_t ss_friends_reach(const struct ss_model *model);

/* The band that holds a score; scores out of range are in the outermost ones. */
uint8_t ss_band_of(int32_t score);

/* ---- the user's own score and consent ---- */

/* SCORING and SOCIAL hold from now on, at this score: opens an all-zero sum. Nothing if open. */
void ss_friends_open(struct ss_friends_sum *sum, int32_t score);

/* The user's score is now this one: true if it has left the told band far enough for another to be
 * told, which starts the telling over if anybody is to be told. Call whenever a score has been
 * computed. Nothing, and false, if closed. */
bool ss_friends_scored(const struct ss_model *model, struct ss_friends_sum *sum, int32_t score);

/* The next message of a telling (sum->telling), to somebody who has not been told yet: send it.
 * False: all have been told, and sum->telling is over. Take as many as one transaction should hold
 * and go on later; the list may change in between. */
bool ss_friends_tell(const struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                     struct ss_neighbour_message *message);

/* SCORING or SOCIAL is withdrawn: gives the next GONE to send, at most SS_FRIENDS_MAX of them, all
 * in the transaction of the withdrawal. False: nobody is left to be told, list and sum are all-zero
 * in meaning, and the friends record is to be deleted. Call until then, with nothing in between. */
bool ss_friends_leave(struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                      struct ss_neighbour_message *message);

/* ---- events of `social` (the sum must be open) ---- */

/* FRIEND_ADDED. At links_max links (at most SS_FRIENDS_MAX) the friend is counted as unlinked
 * instead. Oneself is nobody's friend. */
void ss_friends_add(struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                    struct ss_text friend_id, uint16_t links_max, struct ss_friends_step *step);

/* FRIEND_REMOVED. Of somebody whom the list does not have: takes back one who is unlinked. */
void ss_friends_remove(struct ss_friends *list, struct ss_friends_sum *sum, struct ss_text self,
                       struct ss_text friend_id, struct ss_friends_step *step);

/* ---- messages ---- */

/* An event of SS_NEIGHBOURS as a message that borrows from it; false: not a valid one. */
bool ss_neighbour_of(const struct ss_event *event, struct ss_neighbour_message *message);
/* Bounds and consistency of a message from the wire, the ids' text aside. */
bool ss_neighbour_valid(const struct ss_neighbour_message *message);

/* A valid message to this user, who may be anybody: with a closed sum (and then an empty list) the
 * answer is GONE, to a BAND, and nothing is kept. */
void ss_friends_receive(struct ss_friends *list, struct ss_friends_sum *sum,
                        const struct ss_neighbour_message *message, struct ss_friends_step *step);

/* ---- checking ---- */

/* Whether the sum's confirmed and bands are those of the list, a closed sum has an empty list, and
 * no field means anything where it must not. */
bool ss_friends_agree(const struct ss_friends *list, const struct ss_friends_sum *sum);

#endif
