/* unpack.c - the reading side of pack.c, where the format is described.
 *
 * The bytes come from outside (a changelog, a Redis that anybody may have written to): nothing is
 * trusted. Only the one form that pack.c writes is accepted, so whatever is read packs to the same
 * bytes again.
 */
#include "state/pack.h"

#include "state/pack_format.h"
#include "state/wire.h"

struct unpacker {
    struct ss_reader in;
    uint32_t mask; /* of the part in hand */
    int64_t reference;
};

static inline bool has(const struct unpacker *u, int bit)
{
    return u->mask >> bit & 1;
}

/* A field that is there differs from its default, or the bytes are not ours. */
static inline uint64_t get_u(struct unpacker *u, int bit, uint64_t max)
{
    if (!has(u, bit))
        return 0;
    uint64_t value = ss_get_bounded(&u->in, max);
    return value == 0 ? ss_reader_fail(&u->in) : value;
}

static inline int64_t get_i64(struct unpacker *u, int bit)
{
    return (int64_t)get_u(u, bit, UINT64_MAX);
}

static int64_t bounded(struct unpacker *u, int64_t value, int64_t min, int64_t max)
{
    return value < min || value > max ? (int64_t)ss_reader_fail(&u->in) : value;
}

static inline int32_t get_relative32(struct unpacker *u, int bit, int32_t expected)
{
    if (!has(u, bit))
        return expected;
    int64_t value = ss_pack_plus(expected, ss_unzigzag(get_u(u, bit, UINT64_MAX)));
    return (int32_t)bounded(u, value, INT32_MIN, INT32_MAX);
}

static inline int32_t get_day(struct unpacker *u, int bit)
{
    if (!has(u, bit))
        return 0;
    int64_t value = ss_pack_plus(u->reference, ss_unzigzag(ss_get_varint(&u->in)));
    return (int32_t)(value == 0 ? (int64_t)ss_reader_fail(&u->in)
                                : bounded(u, value, INT32_MIN, INT32_MAX));
}

static int64_t get_difference(struct ss_reader *in)
{
    uint8_t first = ss_get_u8(in);
    uint64_t n = first >> 2 & 31;
    if (first & 0x80) {
        uint64_t rest = ss_get_varint(in);
        if (rest == 0 || rest >> 59 != 0)
            return (int64_t)ss_reader_fail(in);
        n |= rest << 5;
    }
    int unit = first & 3;
    int64_t ms;
    if (__builtin_mul_overflow(ss_unzigzag(n), ss_pack_unit_ms[unit], &ms) ||
        (unit < 3 && ms % ss_pack_unit_ms[unit + 1] == 0)) /* a larger unit divides it */
        return (int64_t)ss_reader_fail(in);
    return ms;
}

static inline int64_t get_time(struct unpacker *u, int bit)
{
    if (!has(u, bit))
        return 0;
    int64_t ms = ss_pack_plus(u->reference * SS_PACK_DAY_MS, get_difference(&u->in));
    return ms == 0 ? (int64_t)ss_reader_fail(&u->in) : ms;
}

static inline uint8_t get_count(struct unpacker *u, int bit, uint8_t max)
{
    if (!has(u, bit))
        return 0;
    uint8_t count = ss_get_u8(&u->in);
    return count == 0 || count > max ? (uint8_t)ss_reader_fail(&u->in) : count;
}

static inline void get_recent(struct unpacker *u, int bit, struct ss_recent *recent,
                              int64_t expected)
{
    if (!has(u, bit))
        return;
    uint8_t first = ss_get_u8(&u->in), count = (uint8_t)((first & 31) + 1);
    uint64_t far = first >> 5;
    if (far == SS_PACK_DAY_FAR)
        far += ss_get_bounded(&u->in, UINT64_C(1) << 40);
    const uint8_t *at = ss_get_bytes(&u->in, (size_t)count * 4);
    if (!at)
        return;
    for (uint8_t i = 0; i < count; i++)
        recent->hash[i] = ss_load_u32(at + (size_t)i * 4);
    int64_t day = expected + ss_unzigzag(far);
    recent->day[count - 1] = (int32_t)(day = bounded(u, day, INT32_MIN, INT32_MAX));
    for (uint8_t i = (uint8_t)(count - 1); i > 0; i--) {
        day -= (int64_t)ss_get_bounded(&u->in, UINT32_MAX);
        recent->day[i - 1] = (int32_t)(day = bounded(u, day, INT32_MIN, INT32_MAX));
    }
    recent->count = count;
}

static void get_payments(struct unpacker *u, struct ss_payments_part *p)
{
    p->ref_day = get_day(u, 0);
    p->settled_milli = get_i64(u, 1);
    p->refunded_milli = get_i64(u, 2);
    p->reversed_milli = get_i64(u, 3);
    p->amount = get_i64(u, 4);
    p->month = get_relative32(u, 5, ss_pack_floor_div(p->ref_day, 30));
    p->months_mask = (uint32_t)get_u(u, 6, UINT32_MAX);
    p->quarter = get_relative32(u, 7, ss_pack_floor_div(p->ref_day, 90));
    p->categories[0] = (uint32_t)get_u(u, 8, UINT32_MAX);
    p->categories[1] = (uint32_t)get_u(u, 9, UINT32_MAX);
    p->any = has(u, 10);
    u->reference = ss_pack_reference(u->reference, p->ref_day);
    get_recent(u, 11, &p->recent, p->ref_day);
}

static void get_bills(struct unpacker *u, struct ss_bills_part *p)
{
    p->ref_day = get_day(u, 0);
    u->reference = ss_pack_reference(u->reference, p->ref_day);
    p->on_time_milli = get_i64(u, 1);
    for (int i = 0; i < SS_LATE_BUCKETS; i++)
        p->late_milli[i] = get_i64(u, 2 + i);
    p->defaulted_milli = get_i64(u, 7);
    p->billed = get_i64(u, 8);
    p->paid = get_i64(u, 9);
    p->any = has(u, 10);
    p->open_count = get_count(u, 11, SS_OPEN_BILLS_MAX);
    int64_t before = u->reference * SS_PACK_DAY_MS;
    for (unsigned i = 0; i < p->open_count; i++) {
        struct ss_open_bill *bill = &p->open[i];
        bill->due_at_ms = before = ss_pack_plus(before, get_difference(&u->in));
        bill->id_hash = ss_get_u32(&u->in);
        if (i > 0 && (bill->due_at_ms < bill[-1].due_at_ms ||
                      (bill->due_at_ms == bill[-1].due_at_ms && bill->id_hash <= bill[-1].id_hash)))
            ss_reader_fail(&u->in);
    }
    get_recent(u, 12, &p->recent, p->ref_day);
}

static void get_bookings(struct unpacker *u, struct ss_bookings_part *p)
{
    p->ref_day = get_day(u, 0);
    p->made_milli = get_i64(u, 1);
    p->honoured_milli = get_i64(u, 2);
    p->no_show_milli = get_i64(u, 3);
    p->cancelled_milli = get_i64(u, 4);
    p->any = has(u, 5);
    u->reference = ss_pack_reference(u->reference, p->ref_day);
    get_recent(u, 6, &p->recent, p->ref_day);
}

static void get_social(struct unpacker *u, struct ss_social_part *p, struct ss_friends_sum *friends)
{
    friends->open = has(u, 0);
    friends->told_band = (uint8_t)get_u(u, 1, UINT8_MAX);
    friends->telling = has(u, 2);
    if (has(u, 3)) {
        friends->tell_from = ss_get_u64(&u->in);
        if (friends->tell_from == 0)
            ss_reader_fail(&u->in);
    }
    friends->confirmed = (uint16_t)get_u(u, 4, UINT16_MAX);
    friends->bands = (uint16_t)get_u(u, 5, UINT16_MAX);
    friends->unlinked = (uint32_t)get_u(u, 6, UINT32_MAX);
    get_recent(u, 7, &p->recent, u->reference);
}

static void get_profiles(struct unpacker *u, struct ss_profiles_part *p)
{
    p->verified = (uint8_t)get_u(u, 0, UINT8_MAX);
    p->degree_level = (uint8_t)get_u(u, 1, UINT8_MAX);
    p->holder = (uint8_t)get_u(u, 2, UINT8_MAX);
    p->any = has(u, 3);
    p->opened = has(u, 4);
    p->opened_day = get_day(u, 5);
    p->line_count = get_count(u, 6, SS_CREDIT_LINES_MAX);
    for (unsigned i = 0; i < p->line_count; i++) {
        struct ss_credit_line *line = &p->lines[i];
        line->id_hash = ss_get_u32(&u->in);
        line->limit = (int64_t)ss_get_varint(&u->in);
        line->balance = ss_unzigzag(ss_get_varint(&u->in));
        if (i > 0 && line->id_hash <= line[-1].id_hash)
            ss_reader_fail(&u->in);
    }
    get_recent(u, 7, &p->recent, u->reference);
}

static void get_consents(struct unpacker *u, struct ss_consents_part *p)
{
    p->scoring = has(u, 0);
    p->social = has(u, 1);
    p->granted_at_ms = get_time(u, 2);
    p->scoring_position = get_i64(u, 3);
    p->social_position = get_i64(u, 4);
    p->share_count = get_count(u, 5, SS_SHARES_MAX);
    for (unsigned i = 0; i < p->share_count; i++) {
        struct ss_share *share = &p->shares[i];
        share->subscriber_hash = ss_get_u32(&u->in);
        share->position = (int64_t)ss_get_varint(&u->in);
        if (i > 0 && share->subscriber_hash <= share[-1].subscriber_hash)
            ss_reader_fail(&u->in);
    }
    get_recent(u, 6, &p->recent, u->reference);
    p->social_at_ms = get_time(u, 7);
}

static void get_blacklist(struct unpacker *u, struct ss_blacklist_part *p)
{
    p->case_count = get_count(u, 0, SS_CASES_MAX);
    for (unsigned i = 0; i < p->case_count; i++)
        p->cases[i] = ss_get_u64(&u->in);
    get_recent(u, 1, &p->recent, u->reference);
}

static void get_published(struct unpacker *u, struct ss_published *p)
{
    p->standing = (uint8_t)(u->mask >> 6 & 3);
    p->tier = (uint8_t)get_u(u, 0, UINT8_MAX);
    if (has(u, 1))
        p->score = (int16_t)bounded(u, ss_unzigzag(get_u(u, 1, UINT64_MAX)), INT16_MIN, INT16_MAX);
    p->benefits = (uint32_t)get_u(u, 2, UINT32_MAX);
    p->sequence = get_i64(u, 3);
    p->as_of_ms = get_time(u, 4);
    p->business = has(u, 5);
    p->horizon_ms = ss_pack_minus(p->as_of_ms, (int64_t)get_u(u, 8, UINT64_MAX));
    p->epoch = (int32_t)get_u(u, 9, UINT32_MAX);
}

/* Reads the part's mask, of which only `known` bits may be set; false: the part is absent. */
static inline bool begin_part(struct unpacker *u, uint8_t parts, int part, uint32_t known)
{
    if (!(parts >> part & 1))
        return false;
    u->mask = ss_get_u8(&u->in);
    if (known > 0xff)
        u->mask |= (uint32_t)ss_get_u8(&u->in) << 8;
    if (u->mask == 0 || (u->mask & ~known) != 0) {
        ss_reader_fail(&u->in);
        u->mask = 0;
    }
    return true;
}

enum ss_status ss_state_unpack(struct ss_bytes packed, struct ss_user_state *state,
                               struct ss_error *err)
{
    memset(state, 0, sizeof *state);
    if (packed.size == 0)
        return SS_OK;
    struct unpacker u = {.in = ss_reader_of(packed), .reference = SS_PACK_EPOCH_DAY};
    uint8_t format = ss_get_u8(&u.in);
    if (format != SS_PACK_FORMAT)
        return ss_fail(err, SS_GIVE_UP,
                       "a packed state is of format %u, this version reads format %u", format,
                       (unsigned)SS_PACK_FORMAT);
    uint8_t parts = ss_get_u8(&u.in);
    if (parts == 0)
        ss_reader_fail(&u.in);
    if (begin_part(&u, parts, SS_PAYMENTS, 0x0fff))
        get_payments(&u, &state->payments);
    if (begin_part(&u, parts, SS_BILLS, 0x1fff))
        get_bills(&u, &state->bills);
    if (begin_part(&u, parts, SS_BOOKINGS, 0x7f))
        get_bookings(&u, &state->bookings);
    if (begin_part(&u, parts, SS_SOCIAL, 0xff))
        get_social(&u, &state->social, &state->friends);
    if (begin_part(&u, parts, SS_PROFILES, 0xff))
        get_profiles(&u, &state->profiles);
    if (begin_part(&u, parts, SS_CONSENTS, 0xff))
        get_consents(&u, &state->consents);
    if (begin_part(&u, parts, SS_BLACKLIST, 0x03))
        get_blacklist(&u, &state->blacklist);
    if (begin_part(&u, parts, SS_PACK_PUBLISHED, 0x3ff))
        get_published(&u, &state->published);

    if (!u.in.bad && u.in.at == u.in.end)
        return SS_OK;
    const char *what = u.in.bad ? "is damaged" : "has bytes behind its end";
    memset(state, 0, sizeof *state);
    return ss_fail(err, SS_GIVE_UP, "a packed state of %zu bytes %s", packed.size, what);
}
