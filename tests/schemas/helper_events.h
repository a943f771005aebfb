/* helper_events.h - random events, and their fields by the names that our schemas give them,
 * written down once more by hand so that the decoder's own table is checked against something. */
#ifndef SS_TEST_HELPER_EVENTS_H
#define SS_TEST_HELPER_EVENTS_H

#include "schemas/codec.h"

/* A small generator that is the same everywhere (splitmix64). */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* 0 to bound - 1 */
int64_t rng_long(struct rng *rng);                   /* of all magnitudes */

/* A random event; its texts live in `texts`. */
struct event_texts {
    char text[8][80];
};
void random_event(struct rng *rng, enum ss_input input, struct ss_event *event,
                  struct event_texts *texts);

enum value_kind { VALUE_NONE, VALUE_TEXT, VALUE_LONG, VALUE_NULL, VALUE_ENUM };

struct value {
    enum value_kind kind;
    struct ss_text text; /* TEXT, and the symbol of an ENUM where it is known by name */
    int64_t number;      /* LONG, and the enumerator of an ENUM */
};

/* A field of an event; VALUE_NONE: it has none of the name. */
struct value event_value(const struct ss_event *event, const char *field);
bool events_equal(const struct ss_event *a, const struct ss_event *b);

#endif
