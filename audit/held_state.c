/* held_state.c
 *
 *   held = parts (byte: bit p, part p is not all zero), then each of these:
 *   part = of its window of event ids the count (byte), the hashes and the days; its struct up to
 *          its first list; the list's entries
 *
 * 1. What changes at every record comes first and is seldom of another size then; behind it the
 *    parts in the order of how seldom their events are, so that most events leave most of the bytes
 *    where and as they are.
 * 2. Some parts half of the users have and half have not: a branch on that would be taken the wrong
 *    way every other time. What is not there is read from zeros.
 * 3. Windows hold an id or two: they are copied as FEW of them, whatever the count. What is beyond
 *    it is written over by the numbers behind, which are no fewer bytes.
 */
#include "audit/held_state.h"

#include <stddef.h>

enum { PUBLISHED, FRIENDS, BLACKLIST, CONSENTS, PROFILES, BOOKINGS, BILLS, PAYMENTS, NONE };
_Static_assert((int)NONE == (int)SS_HELD_PARTS, "a place and a bit for each");

enum {
    FEW = 4,
    EMPTY_MAX = 160, /* of a part with nothing in its lists */
    EITHER_WAY =
        1 << FRIENDS | 1 << BILLS | 1 << PAYMENTS /* who has these parts is anyone's guess */
};

/* A part, as all sides see it. Sizes are constants, so that copies become a few moves. */
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

/* The hashes and the days of `count` event ids, with room behind them as of point 3. */
INLINE void copy_ids(void *hashes, void *days, const void *from_hashes, const void *from_days,
                     size_t count, size_t fixed_size)
{
    enum { FEW_BYTES = FEW * sizeof(uint32_t) };
    if (fixed_size >= FEW_BYTES && __builtin_expect(count <= FEW, true)) {
        memcpy(hashes, from_hashes, FEW_BYTES);
        memcpy(days, from_days, FEW_BYTES);
    } else {
        memcpy(hashes, from_hashes, count * sizeof(uint32_t));
        memcpy(days, from_days, count * sizeof(uint32_t));
    }
}

INLINE bool is_there(struct part part)
{
    return !is_zero(part.fixed, part.fixed_size) || (part.recent && part.recent->count > 0);
}

INLINE size_t size_of(struct part part)
{
    return part.fixed_size + (part.count ? *part.count * part.entry_size : 0) +
           (part.recent ? 1 + 2 * sizeof part.recent->hash[0] * part.recent->count : 0);
}

INLINE uint8_t *put(uint8_t *at, struct part part)
{
    const struct ss_recent *recent = part.recent;
    if (recent) {
        const size_t size = recent->count * sizeof recent->hash[0];
        *at++ = recent->count;
        copy_ids(at, at + size, recent->hash, recent->day, recent->count, part.fixed_size);
        at += 2 * size;
    }
    memcpy(at, part.fixed, part.fixed_size);
    at += part.fixed_size;
    for (int i = 0; part.count && i < *part.count; i++, at += part.entry_size)
        memcpy(at, (const uint8_t *)part.list + i * part.entry_size, part.entry_size);
    return at;
}

INLINE const uint8_t *get(const uint8_t *at, struct part part)
{
    struct ss_recent *recent = part.recent;
    if (recent) {
        recent->count = *at++;
        const size_t size = recent->count * sizeof recent->hash[0];
        copy_ids(recent->hash, recent->day, at, at + size, recent->count, part.fixed_size);
        at += 2 * size;
    }
    memcpy(part.fixed, at, part.fixed_size);
    at += part.fixed_size;
    for (int i = 0; part.count && i < *part.count; i++, at += part.entry_size)
        memcpy((uint8_t *)part.list + i * part.entry_size, at, part.entry_size);
    return at;
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

#define FRIENDS_PART(state)                                                               \
    (struct part)                                                                         \
    {                                                                                     \
        .bit = FRIENDS, .fixed = &(state)->friends, .fixed_size = sizeof(state)->friends, \
        .recent = &(state)->social.recent                                                 \
    }

/* The parts in their order from `first` on, once for all directions. */
#define EACH_PART_FROM(first, state, does, with)                               \
    switch (first) {                                                           \
    case PUBLISHED:                                                            \
        does(with, (struct part){.bit = PUBLISHED,                             \
                                 .fixed = &(state)->published,                 \
                                 .fixed_size = sizeof(state)->published});     \
        __attribute__((fallthrough));                                          \
    case FRIENDS:                                                              \
        does(with, FRIENDS_PART(state));                                       \
        __attribute__((fallthrough));                                          \
    case BLACKLIST:                                                            \
        does(with, LISTED(BLACKLIST, &(state)->blacklist, case_count, cases)); \
        __attribute__((fallthrough));                                          \
    case CONSENTS:                                                             \
        does(with, LISTED(CONSENTS, &(state)->consents, share_count, shares)); \
        __attribute__((fallthrough));                                          \
    case PROFILES:                                                             \
        does(with, LISTED(PROFILES, &(state)->profiles, line_count, lines));   \
        __attribute__((fallthrough));                                          \
    case BOOKINGS:                                                             \
        does(with, UNLISTED(BOOKINGS, &(state)->bookings));                    \
        __attribute__((fallthrough));                                          \
    case BILLS:                                                                \
        does(with, LISTED(BILLS, &(state)->bills, open_count, open));          \
        __attribute__((fallthrough));                                          \
    case PAYMENTS:                                                             \
        does(with, UNLISTED(PAYMENTS, &(state)->payments));                    \
    }

struct writer {
    uint8_t *at;
    unsigned parts;
};

INLINE void write_part(struct writer *w, struct part part)
{
    const bool there = is_there(part);
    w->parts = (w->parts & ~(1u << part.bit)) | (unsigned)there << part.bit;
    if (there)
        w->at = put(w->at, part);
}

size_t ss_held_write(const struct ss_user_state *state, uint8_t out[SS_HELD_MAX])
{
    struct ss_user_state *read = (struct ss_user_state *)(uintptr_t)state; /* and no more */
    struct writer w = {.at = out + 1};
    if (ss_user_state_empty(state))
        return 0;
    EACH_PART_FROM(PUBLISHED, read, write_part, &w);
    out[0] = (uint8_t)w.parts;
    return (size_t)(w.at - out);
}

struct reader {
    const uint8_t *begin, *at;
    unsigned parts;
    struct ss_held_places *places;
};

INLINE void read_part(struct reader *r, struct part part)
{
    static const uint8_t zeros[EMPTY_MAX];
    const bool there = r->parts >> part.bit & 1;
    r->places->at[part.bit] = (uint16_t)(r->at - r->begin);
    if (EITHER_WAY >> part.bit & 1) {
        const uint8_t *const choice[] = {zeros, r->at}, *from = choice[there];
        r->at += (get(from, part) - from) * there;
    } else if (there) {
        r->at = get(r->at, part);
    } else {
        (void)get(zeros, part);
    }
}

void ss_held_read(struct ss_bytes held, struct ss_user_state *state, struct ss_held_places *places)
{
    static const uint8_t nothing[1];
    struct ss_held_places unwanted;
    const uint8_t *at = held.size ? held.data : nothing;
    struct reader r = {at, at + 1, *at, places ? places : &unwanted};
    EACH_PART_FROM(PUBLISHED, state, read_part, &r);
    r.places->at[NONE] = (uint16_t)(r.at - at);
}

/* --- only what has changed --- */

INLINE void measure_part(size_t *size, struct part part)
{
    *size += is_there(part) ? size_of(part) : 0;
}

/* The first part that is of another size than it was, or may be; those behind it may move. */
static inline int first_resized(const struct ss_user_state *state, unsigned parts, uint32_t inputs)
{
    static const uint8_t part_of[SS_INPUT_COUNT] = {
        [SS_PAYMENTS] = PAYMENTS,   [SS_BILLS] = BILLS,
        [SS_BOOKINGS] = BOOKINGS,   [SS_SOCIAL] = FRIENDS,
        [SS_PROFILES] = PROFILES,   [SS_CONSENTS] = PUBLISHED, /* withdrawal erases everything */
        [SS_BLACKLIST] = BLACKLIST, [SS_NEIGHBOURS] = FRIENDS,
    };
    int first = NONE;
    for (; inputs; inputs &= inputs - 1) {
        const int part = part_of[__builtin_ctz(inputs)];
        first = part < first ? part : first;
    }
    if (is_zero(&state->published, sizeof state->published) != !(parts >> PUBLISHED & 1))
        return PUBLISHED;
    const bool friends =
        state->social.recent.count > 0 || !is_zero(&state->friends, sizeof state->friends);
    return first > FRIENDS && friends != (parts >> FRIENDS & 1) ? FRIENDS : first;
}

struct ss_user *ss_held_put(struct ss_user_table *table, struct ss_user *user,
                            const struct ss_user_state *state, const struct ss_held_places *places,
                            uint32_t inputs)
{
    struct ss_user_state *read = (struct ss_user_state *)(uintptr_t)state; /* and no more */
    uint8_t all[SS_HELD_MAX];
    if (places && user->packed_size > 0 && !ss_user_state_empty(state)) {
        uint8_t *held = user->bytes + user->id_size;
        const int first = first_resized(state, *held, inputs);
        size_t size = places->at[first];
        EACH_PART_FROM(first, read, measure_part, &size);
        if (size <= ss_user_room(user)) {
            struct writer w = {held + places->at[first], *held};
            EACH_PART_FROM(first, read, write_part, &w);
            *held = (uint8_t)w.parts;
            if (first > PUBLISHED && *held >> PUBLISHED & 1)
                memcpy(held + places->at[PUBLISHED], &state->published, sizeof state->published);
            if (first > FRIENDS && *held >> FRIENDS & 1)
                put(held + places->at[FRIENDS], FRIENDS_PART(read));
            user->packed_size = (uint16_t)size;
            return user;
        }
    }
    const size_t size = ss_held_write(state, all);
    return ss_user_table_put(table, user, (struct ss_bytes){all, size});
}
