/* pack.c - format 3 of a packed state, field by field.
 *
 *   state   = format (byte, 3) parts (byte) part*
 *   parts     bit i: part i of enum ss_input follows; bit 7: `published` follows. A part whose
 * fields all have their default is absent. part    = mask field*. Mask: 2 bytes little-endian in
 * payments, bills and published, else 1 byte. Bit n: the part's field n (the tables below) differs
 * from its default and follows; flags are the bit itself. Unused bits are 0.
 *
 * Kinds of field; the default is 0 (false) unless the table says otherwise:
 *   u       varint                          z       varint of zig-zag(value)
 *   d       z of (value - reference day)    rel D   z of (value - D); the default is D
 *   t       time, below, against the start of the reference day
 *   recent  a byte of (count - 1) | far << 5, where far is zig-zag(newest day - D) if that is at
 *           most 6, else 7, and the varint of (that - 7) follows. D is the part's own ref_day if
 *           it has that field, else the reference day. Then each hash in 4 bytes little-endian,
 *           then the days from the second newest back, each as varint(the day after it - its own)
 *   list    count (byte, at least 1), then the entries
 *
 * The reference day is 2020-01-01 at first; then the newest ref_day among the parts that have come
 * (payments, bills, bookings), so that days and times near to each other are short.
 *
 * A time is a difference in the largest unit that divides it: ms, s, min, day (0 to 3). With
 * n = zig-zag(difference / unit): a byte of unit | (n & 31) << 2 | more << 7, and if n >= 32 more
 * is 1 and the varint n >> 5 follows.
 *
 *   bit  payments           bills                bookings       profiles       consents
 *   0    ref_day        d   ref_day          d   ref_day    d   verified   u   scoring         flag
 *   1    settled_milli  u   on_time_milli    u   made       u   degree     u   social          flag
 *   2    refunded_milli u   late_milli[0]    u   honoured   u   holder     u   granted_at_ms   t
 *   3    reversed_milli u   late_milli[1]    u   no_show    u   any     flag   scoring_position u
 *   4    amount         u   late_milli[2]    u   cancelled  u   opened  flag   social_position u
 *   5    month     rel d/30 late_milli[3]    u   any     flag   opened_day d   shares          list
 *   6    months_mask    u   late_milli[4]    u   recent         lines   list   recent
 *   7    quarter   rel d/90 defaulted_milli  u                  recent
 *   8    categories[0]  u   billed           u   social         blacklist      published
 *   9    categories[1]  u   paid             u   0 added    u   0 cases list   0 tier          u
 *   10   any         flag   any           flag   1 removed  u   1 recent       1 score         z
 *   11   recent             open          list   2 any   flag                  2 benefits      u
 *   12                      recent               3 recent                      3 sequence      u
 *   d/30 and d/90 are of ref_day, rounded down.                                4 as_of_ms      t
 *                                                                              5 business   flag
 *   horizon is varint(as_of_ms - horizon_ms).                                  6-7 standing itself
 *                                                                              8 horizon
 *                                                                              9 epoch         u
 *
 * Entries: open bills: due t (the first; each other one against the one before), id_hash in 4
 * bytes; credit lines: id_hash in 4 bytes, limit u, balance z; shares: hash in 4 bytes, position u;
 * cases: 8 bytes. Lists are in the order that scoring/user_state.h says; any other is refused.
 *
 * Signed fields under u are their two's complement: they are never negative where it matters, and
 * negative ones survive. All differences wrap, so that any state at all survives the round trip.
 */
#include "state/pack.h"

#include "state/pack_format.h"
#include "state/wire.h"

#include <assert.h>

/* Upper bounds, so that the writer needs no checks. */
enum {
    RECENT_MAX = 1 + 4 * SS_RECENT_MAX + SS_VARINT_MAX + 5 * (SS_RECENT_MAX - 1),
    PAYMENTS_MAX = 2 + 10 * SS_VARINT_MAX + RECENT_MAX,
    BILLS_MAX =
        2 + 10 * SS_VARINT_MAX + 1 + SS_OPEN_BILLS_MAX * (SS_VARINT_MAX + 1 + 4) + RECENT_MAX,
    BOOKINGS_MAX = 1 + 5 * SS_VARINT_MAX + RECENT_MAX,
    SOCIAL_MAX = 1 + 4 * SS_VARINT_MAX + 8 + RECENT_MAX,
    PROFILES_MAX =
        1 + 4 * SS_VARINT_MAX + 1 + SS_CREDIT_LINES_MAX * (4 + 2 * SS_VARINT_MAX) + RECENT_MAX,
    CONSENTS_MAX = 1 + 4 * SS_VARINT_MAX + 1 + 1 + SS_SHARES_MAX * (4 + SS_VARINT_MAX) + RECENT_MAX,
    BLACKLIST_MAX = 1 + 1 + SS_CASES_MAX * 8 + RECENT_MAX,
    PUBLISHED_MAX = 2 + 7 * SS_VARINT_MAX,
};
static_assert(2 + PAYMENTS_MAX + BILLS_MAX + BOOKINGS_MAX + SOCIAL_MAX + PROFILES_MAX +
                      CONSENTS_MAX + BLACKLIST_MAX + PUBLISHED_MAX <=
                  SS_PACKED_MAX,
              "a packed state must fit");

/* ---- writing ---- */

struct writer {
    uint8_t *at;
    uint32_t mask; /* of the part in hand */
    int64_t reference;
};

static inline void put_flag(struct writer *w, int bit, bool value)
{
    w->mask |= (uint32_t)value << bit;
}

static inline void put_u(struct writer *w, int bit, uint64_t value)
{
    if (value) {
        w->mask |= 1u << bit;
        w->at = ss_put_varint(w->at, value);
    }
}

static inline void put_relative(struct writer *w, int bit, int64_t value, int64_t expected)
{
    put_u(w, bit, ss_zigzag(ss_pack_minus(value, expected)));
}

static inline void put_day(struct writer *w, int bit, int32_t day)
{
    if (day) {
        w->mask |= 1u << bit;
        w->at = ss_put_varint(w->at, ss_zigzag(day - w->reference));
    }
}

static uint8_t *put_difference(uint8_t *at, int64_t ms)
{
    int unit = 0;
    if (ms % 1000 == 0)
        unit = ms % 60000 != 0 ? 1 : ms % SS_PACK_DAY_MS != 0 ? 2 : 3;
    uint64_t n = ss_zigzag(ms / ss_pack_unit_ms[unit]);
    *at++ = (uint8_t)((unsigned)unit | (n & 31) << 2 | (n >= 32 ? 0x80 : 0));
    return n >= 32 ? ss_put_varint(at, n >> 5) : at;
}

static inline void put_time(struct writer *w, int bit, int64_t ms)
{
    if (ms) {
        w->mask |= 1u << bit;
        w->at = put_difference(w->at, ss_pack_minus(ms, w->reference * SS_PACK_DAY_MS));
    }
}

/* Begins a list: true if there are entries, which the caller then writes. */
static inline bool put_count(struct writer *w, int bit, unsigned count, unsigned max)
{
    assert(count <= max);
    if (!count)
        return false;
    w->mask |= 1u << bit;
    *w->at++ = (uint8_t)count;
    return true;
}

static inline void put_recent(struct writer *w, int bit, const struct ss_recent *recent,
                              int64_t expected)
{
    if (!recent->count)
        return;
    assert(recent->count <= SS_RECENT_MAX);
    w->mask |= 1u << bit;
    int64_t after = recent->day[recent->count - 1];
    uint64_t far = ss_zigzag(after - expected);
    uint8_t *first = w->at++;
    *first = (uint8_t)((recent->count - 1u) | (far < SS_PACK_DAY_FAR ? far : SS_PACK_DAY_FAR) << 5);
    if (far >= SS_PACK_DAY_FAR)
        w->at = ss_put_varint(w->at, far - SS_PACK_DAY_FAR);
    for (unsigned i = 0; i < recent->count; i++)
        w->at = ss_put_u32(w->at, recent->hash[i]);
    for (unsigned i = recent->count - 1u; i > 0; i--) {
        assert(recent->day[i - 1] <= after);
        w->at = ss_put_varint(w->at, (uint64_t)(after - recent->day[i - 1]));
        after = recent->day[i - 1];
    }
}

static void put_payments(struct writer *w, const struct ss_payments_part *p)
{
    put_day(w, 0, p->ref_day);
    put_u(w, 1, (uint64_t)p->settled_milli);
    put_u(w, 2, (uint64_t)p->refunded_milli);
    put_u(w, 3, (uint64_t)p->reversed_milli);
    put_u(w, 4, (uint64_t)p->amount);
    put_relative(w, 5, p->month, ss_pack_floor_div(p->ref_day, 30));
    put_u(w, 6, p->months_mask);
    put_relative(w, 7, p->quarter, ss_pack_floor_div(p->ref_day, 90));
    put_u(w, 8, p->categories[0]);
    put_u(w, 9, p->categories[1]);
    put_flag(w, 10, p->any);
    w->reference = ss_pack_reference(w->reference, p->ref_day);
    put_recent(w, 11, &p->recent, p->ref_day);
}

static bool bill_before(const struct ss_open_bill *a, const struct ss_open_bill *b)
{
    return a->due_at_ms < b->due_at_ms || (a->due_at_ms == b->due_at_ms && a->id_hash < b->id_hash);
}

static void put_bills(struct writer *w, const struct ss_bills_part *p)
{
    put_day(w, 0, p->ref_day);
    w->reference = ss_pack_reference(w->reference, p->ref_day);
    put_u(w, 1, (uint64_t)p->on_time_milli);
    for (int i = 0; i < SS_LATE_BUCKETS; i++)
        put_u(w, 2 + i, (uint64_t)p->late_milli[i]);
    put_u(w, 7, (uint64_t)p->defaulted_milli);
    put_u(w, 8, (uint64_t)p->billed);
    put_u(w, 9, (uint64_t)p->paid);
    put_flag(w, 10, p->any);
    if (put_count(w, 11, p->open_count, SS_OPEN_BILLS_MAX)) {
        int64_t before = w->reference * SS_PACK_DAY_MS;
        for (unsigned i = 0; i < p->open_count; i++) {
            assert(i == 0 || bill_before(&p->open[i - 1], &p->open[i]));
            w->at = put_difference(w->at, ss_pack_minus(p->open[i].due_at_ms, before));
            w->at = ss_put_u32(w->at, p->open[i].id_hash);
            before = p->open[i].due_at_ms;
        }
    }
    put_recent(w, 12, &p->recent, p->ref_day);
}

static void put_bookings(struct writer *w, const struct ss_bookings_part *p)
{
    put_day(w, 0, p->ref_day);
    put_u(w, 1, (uint64_t)p->made_milli);
    put_u(w, 2, (uint64_t)p->honoured_milli);
    put_u(w, 3, (uint64_t)p->no_show_milli);
    put_u(w, 4, (uint64_t)p->cancelled_milli);
    put_flag(w, 5, p->any);
    w->reference = ss_pack_reference(w->reference, p->ref_day);
    put_recent(w, 6, &p->recent, p->ref_day);
}

static void put_social(struct writer *w, const struct ss_social_part *p,
                       const struct ss_friends_sum *friends)
{
    put_flag(w, 0, friends->open);
    put_u(w, 1, friends->told_band);
    put_flag(w, 2, friends->telling);
    if (friends->tell_from) {
        w->mask |= 1u << 3;
        w->at = ss_put_u64(w->at, friends->tell_from);
    }
    put_u(w, 4, friends->confirmed);
    put_u(w, 5, friends->bands);
    put_u(w, 6, friends->unlinked);
    put_recent(w, 7, &p->recent, w->reference);
}

static void put_profiles(struct writer *w, const struct ss_profiles_part *p)
{
    put_u(w, 0, p->verified);
    put_u(w, 1, p->degree_level);
    put_u(w, 2, p->holder);
    put_flag(w, 3, p->any);
    put_flag(w, 4, p->opened);
    put_day(w, 5, p->opened_day);
    if (put_count(w, 6, p->line_count, SS_CREDIT_LINES_MAX))
        for (unsigned i = 0; i < p->line_count; i++) {
            assert(i == 0 || p->lines[i - 1].id_hash < p->lines[i].id_hash);
            w->at = ss_put_u32(w->at, p->lines[i].id_hash);
            w->at = ss_put_varint(w->at, (uint64_t)p->lines[i].limit);
            w->at = ss_put_varint(w->at, ss_zigzag(p->lines[i].balance));
        }
    put_recent(w, 7, &p->recent, w->reference);
}

static void put_consents(struct writer *w, const struct ss_consents_part *p)
{
    put_flag(w, 0, p->scoring);
    put_flag(w, 1, p->social);
    put_time(w, 2, p->granted_at_ms);
    put_u(w, 3, (uint64_t)p->scoring_position);
    put_u(w, 4, (uint64_t)p->social_position);
    if (put_count(w, 5, p->share_count, SS_SHARES_MAX))
        for (unsigned i = 0; i < p->share_count; i++) {
            assert(i == 0 || p->shares[i - 1].subscriber_hash < p->shares[i].subscriber_hash);
            w->at = ss_put_u32(w->at, p->shares[i].subscriber_hash);
            w->at = ss_put_varint(w->at, (uint64_t)p->shares[i].position);
        }
    put_recent(w, 6, &p->recent, w->reference);
    put_time(w, 7, p->social_at_ms);
}

static void put_blacklist(struct writer *w, const struct ss_blacklist_part *p)
{
    if (put_count(w, 0, p->case_count, SS_CASES_MAX))
        for (unsigned i = 0; i < p->case_count; i++)
            w->at = ss_put_u64(w->at, p->cases[i]);
    put_recent(w, 1, &p->recent, w->reference);
}

static void put_published(struct writer *w, const struct ss_published *p)
{
    assert(p->standing <= 3);
    put_u(w, 0, p->tier);
    put_relative(w, 1, p->score, 0);
    put_u(w, 2, p->benefits);
    put_u(w, 3, (uint64_t)p->sequence);
    put_time(w, 4, p->as_of_ms);
    put_flag(w, 5, p->business);
    w->mask |= (uint32_t)p->standing << 6;
    put_u(w, 8, (uint64_t)ss_pack_minus(p->as_of_ms, p->horizon_ms));
    put_u(w, 9, (uint32_t)p->epoch);
}

static inline uint8_t *begin_part(struct writer *w, int mask_size)
{
    uint8_t *start = w->at;
    w->at += mask_size;
    w->mask = 0;
    return start;
}

static inline void end_part(struct writer *w, uint8_t *start, int mask_size, uint8_t *parts,
                            int part)
{
    if (!w->mask) {
        w->at = start;
        return;
    }
    start[0] = (uint8_t)w->mask;
    if (mask_size == 2)
        start[1] = (uint8_t)(w->mask >> 8);
    *parts |= (uint8_t)(1u << part);
}

size_t ss_state_pack(const struct ss_user_state *state, uint8_t *out)
{
    if (ss_user_state_empty(state))
        return 0;
    struct writer w = {.at = out + 2, .reference = SS_PACK_EPOCH_DAY};
    uint8_t *start;
    out[0] = SS_PACK_FORMAT;
    out[1] = 0;

    start = begin_part(&w, 2);
    put_payments(&w, &state->payments);
    end_part(&w, start, 2, &out[1], SS_PAYMENTS);
    start = begin_part(&w, 2);
    put_bills(&w, &state->bills);
    end_part(&w, start, 2, &out[1], SS_BILLS);
    start = begin_part(&w, 1);
    put_bookings(&w, &state->bookings);
    end_part(&w, start, 1, &out[1], SS_BOOKINGS);
    start = begin_part(&w, 1);
    put_social(&w, &state->social, &state->friends);
    end_part(&w, start, 1, &out[1], SS_SOCIAL);
    start = begin_part(&w, 1);
    put_profiles(&w, &state->profiles);
    end_part(&w, start, 1, &out[1], SS_PROFILES);
    start = begin_part(&w, 1);
    put_consents(&w, &state->consents);
    end_part(&w, start, 1, &out[1], SS_CONSENTS);
    start = begin_part(&w, 1);
    put_blacklist(&w, &state->blacklist);
    end_part(&w, start, 1, &out[1], SS_BLACKLIST);
    start = begin_part(&w, 2);
    put_published(&w, &state->published);
    end_part(&w, start, 2, &out[1], SS_PACK_PUBLISHED);
    return (size_t)(w.at - out);
}
