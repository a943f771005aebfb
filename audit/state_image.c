#include "audit/state_image.h"

#include <assert.h>
#include <stddef.h>

/* Of each part what lies before its first list, then the lists: their counts stand there already,
 * but for windows of duplicates, which begin with theirs. */

static inline uint8_t *put(uint8_t *to, const void *from, size_t size)
{
    if (size) /* most lists are empty */
        memcpy(to, from, size);
    return to + size;
}

static inline const uint8_t *get(const uint8_t *from, void *to, size_t size)
{
    if (size)
        memcpy(to, from, size);
    return from + size;
}

static inline uint8_t *put_recent(uint8_t *to, const struct ss_recent *recent)
{
    *to++ = recent->count;
    to = put(to, recent->hash, recent->count * sizeof recent->hash[0]);
    return put(to, recent->day, recent->count * sizeof recent->day[0]);
}

static inline const uint8_t *get_recent(const uint8_t *from, struct ss_recent *recent)
{
    recent->count = *from++;
    from = get(from, recent->hash, recent->count * sizeof recent->hash[0]);
    return get(from, recent->day, recent->count * sizeof recent->day[0]);
}

/* One list of what there is, for both ways: FIXED(part, its bytes), LIST(array, count), WINDOW. */
#define PARTS(S, FIXED, LIST, WINDOW)                                             \
    FIXED(&(S)->published, sizeof(S)->published)                                  \
    FIXED(&(S)->friends, sizeof(S)->friends)                                      \
    FIXED(&(S)->payments, offsetof(struct ss_payments_part, recent))              \
    FIXED(&(S)->bills, offsetof(struct ss_bills_part, open))                      \
    FIXED(&(S)->bookings, offsetof(struct ss_bookings_part, recent))              \
    FIXED(&(S)->profiles, offsetof(struct ss_profiles_part, lines))               \
    FIXED(&(S)->consents, offsetof(struct ss_consents_part, shares))              \
    FIXED(&(S)->blacklist, offsetof(struct ss_blacklist_part, cases))             \
    LIST((S)->bills.open, (S)->bills.open_count)                                  \
    LIST((S)->profiles.lines, (S)->profiles.line_count)                           \
    LIST((S)->consents.shares, (S)->consents.share_count)                         \
    LIST((S)->blacklist.cases, (S)->blacklist.case_count)                         \
    WINDOW(&(S)->payments.recent)                                                 \
    WINDOW(&(S)->bills.recent)                                                    \
    WINDOW(&(S)->bookings.recent)                                                 \
    WINDOW(&(S)->social.recent)                                                   \
    WINDOW(&(S)->profiles.recent)                                                 \
    WINDOW(&(S)->consents.recent)                                                 \
    WINDOW(&(S)->blacklist.recent)

size_t ss_image_write(const struct ss_user_state *state, uint8_t *out)
{
    uint8_t *p = out;
    if (ss_user_state_empty(state))
        return 0;
#define PUT(FROM, SIZE)        p = put(p, FROM, SIZE);
#define PUT_LIST(ARRAY, COUNT) p = put(p, ARRAY, (COUNT) * sizeof(ARRAY)[0]);
#define PUT_RECENT(RECENT)     p = put_recent(p, RECENT);
    PARTS(state, PUT, PUT_LIST, PUT_RECENT)
    assert(p - out <= SS_IMAGE_MAX);
    return (size_t)(p - out);
}

void ss_image_read(struct ss_bytes image, struct ss_user_state *state)
{
    const uint8_t *p = image.data;
    if (image.size == 0) {
        memset(state, 0, sizeof *state);
        return;
    }
#define GET(TO, SIZE)          p = get(p, TO, SIZE);
#define GET_LIST(ARRAY, COUNT) p = get(p, ARRAY, (COUNT) * sizeof(ARRAY)[0]);
#define GET_RECENT(RECENT)     p = get_recent(p, RECENT);
    PARTS(state, GET, GET_LIST, GET_RECENT)
    assert(p == (const uint8_t *)image.data + image.size);
}
