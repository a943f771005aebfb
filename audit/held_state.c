/* held_state.c
 *
 *   held = parts (byte: bit p, part p is not all zero), then each of these:
 *   part = its struct up to its first list, the list's entries, and of its window of event ids the
 *          count (byte), the hashes and the days
 */
#include "audit/held_state.h"

#include <stddef.h>

enum { PUBLISHED = SS_BLACKLIST + 1, PARTS };
_Static_assert(PARTS <= 8, "a bit for each");

/* A part, as both sides see it. Sizes are constants, so that copies become a few moves. */
struct part {
    int bit;
    void *fixed;
    size_t fixed_size;
    const uint8_t *count; /* of the list, within what is fixed; NULL: there is none */
    void *list;
    size_t entry_size;
    struct ss_recent *recent; /* NULL: there is none */
};

#define INLINE static inline __attribute__((always_inline))

INLINE bool is_zero(const void *from, size_t size)
{
    const uint8_t *p = from;
    uint64_t word;
    for (; size > sizeof word; p += sizeof word, size -= sizeof word) {
        memcpy(&word, p, sizeof word);
        if (word)
            return false;
    }
    word = 0;
    memcpy(&word, p, size);
    return word == 0;
}

struct writer {
    uint8_t *at;
    uint8_t parts;
};

INLINE void put(struct writer *w, struct part part)
{
    struct ss_recent *recent = part.recent;
    if (is_zero(part.fixed, part.fixed_size) && (!recent || recent->count == 0))
        return;
    w->parts |= (uint8_t)(1u << part.bit);
    memcpy(w->at, part.fixed, part.fixed_size);
    w->at += part.fixed_size;
    if (part.count && *part.count > 0) {
        memcpy(w->at, part.list, *part.count * part.entry_size);
        w->at += *part.count * part.entry_size;
    }
    if (!recent)
        return;
    const size_t size = recent->count * sizeof recent->hash[0];
    *w->at++ = recent->count;
    memcpy(w->at, recent->hash, size);
    memcpy(w->at + size, recent->day, size);
    w->at += 2 * size;
}

struct reader {
    const uint8_t *at;
    uint8_t parts;
};

INLINE void get(struct reader *r, struct part part)
{
    struct ss_recent *recent = part.recent;
    if (!(r->parts >> part.bit & 1)) {
        memset(part.fixed, 0, part.fixed_size);
        if (recent)
            recent->count = 0;
        return;
    }
    memcpy(part.fixed, r->at, part.fixed_size);
    r->at += part.fixed_size;
    if (part.count && *part.count > 0) {
        memcpy(part.list, r->at, *part.count * part.entry_size);
        r->at += *part.count * part.entry_size;
    }
    if (!recent)
        return;
    recent->count = *r->at++;
    const size_t size = recent->count * sizeof recent->hash[0];
    memcpy(recent->hash, r->at, size);
    memcpy(recent->day, r->at + size, size);
    r->at += 2 * size;
}

/* What is fixed of a part with a list and a window; the rest of its struct are these. */
#define LISTED(part_bit, owner, list_count, entries)                                    \
    (struct part)                                                                       \
    {                                                                                   \
        part_bit, owner, offsetof(__typeof__(*(owner)), entries), &(owner)->list_count, \
            (owner)->entries, sizeof(owner)->entries[0], &(owner)->recent               \
    }
#define UNLISTED(part_bit, owner)                                                                \
    (struct part)                                                                                \
    {                                                                                            \
        part_bit, owner, offsetof(__typeof__(*(owner)), recent), NULL, NULL, 0, &(owner)->recent \
    }

/* The parts in their order, once for both directions. */
#define EACH_PART(state, does, with)                                          \
    does(with, UNLISTED(SS_PAYMENTS, &(state)->payments));                    \
    does(with, LISTED(SS_BILLS, &(state)->bills, open_count, open));          \
    does(with, UNLISTED(SS_BOOKINGS, &(state)->bookings));                    \
    does(with, (struct part){.bit = SS_SOCIAL,                                \
                             .fixed = &(state)->friends,                      \
                             .fixed_size = sizeof(state)->friends,            \
                             .recent = &(state)->social.recent});             \
    does(with, LISTED(SS_PROFILES, &(state)->profiles, line_count, lines));   \
    does(with, LISTED(SS_CONSENTS, &(state)->consents, share_count, shares)); \
    does(with, LISTED(SS_BLACKLIST, &(state)->blacklist, case_count, cases)); \
    does(with, (struct part){.bit = PUBLISHED,                                \
                             .fixed = &(state)->published,                    \
                             .fixed_size = sizeof(state)->published})

size_t ss_held_write(const struct ss_user_state *state, uint8_t out[SS_HELD_MAX])
{
    struct ss_user_state *read = (struct ss_user_state *)(uintptr_t)state; /* and no more */
    struct writer w = {.at = out + 1};
    if (ss_user_state_empty(state))
        return 0;
    EACH_PART(read, put, &w);
    out[0] = w.parts;
    return (size_t)(w.at - out);
}

void ss_held_read(struct ss_bytes held, struct ss_user_state *state)
{
    static const uint8_t nothing[1];
    const uint8_t *at = held.size ? held.data : nothing;
    struct reader r = {.at = at + 1, .parts = *at};
    EACH_PART(state, get, &r);
}
