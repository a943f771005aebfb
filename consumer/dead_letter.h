/* dead_letter.h - a record that could not be used, as it came, with headers that say why and from
 * where.
 *
 * The original key, value and headers, then: sesame.reason (a code), sesame.detail (a sentence),
 * sesame.topic, sesame.partition, sesame.offset, sesame.timestamp (-1: none), sesame.version.
 * Numbers are decimal text. Each of these is there once: original headers of such names, as a
 * copied dead letter has them, are left out. sesame.replayed stays: it tells a loop.
 *
 * What is too large for that (a value above the limit, or key and headers above a bound of ours
 * that `sesame topics create` leaves room for) is recorded by coordinates and hash: no value, no
 * original headers, a key only if it is short, and in addition sesame.size and sesame.sha256 of the
 * value. Internal to consumer/; `sesame dead-letters` reads them by the same names.
 */
#ifndef SS_CONSUMER_DEAD_LETTER_H
#define SS_CONSUMER_DEAD_LETTER_H

#include "consumer/worker.h"

#define SS_DEAD_LETTER_PREFIX   "sesame."
#define SS_DEAD_LETTER_REPLAYED "sesame.replayed" /* "PARTITION:OFFSET" of the dead letter */

enum {
    SS_HEADERS_MAX = 128, /* of the original's */
    SS_DEAD_LETTER_KEY_AND_HEADERS_MAX = 48 * 1024,
    SS_DEAD_LETTER_SHORT_KEY_MAX = 1024,
};

struct ss_dead_letter {
    const char *reason; /* static: NO_VALUE, MISROUTED, BAD_TIME, … */
    char detail[160];
};

/* Produces it into the open transaction. Statuses of the bus's produce, but for SS_DROP: what the
 * bus does not carry whole goes by coordinates and hash. */
SS_MUST_USE enum ss_status ss_dead_letter_send(const struct ss_worker_config *config,
                                               const struct ss_record *record,
                                               const struct ss_dead_letter *letter,
                                               struct ss_error *err);

#endif
