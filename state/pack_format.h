/* pack_format.h - what pack.c and unpack.c must agree on. Internal to state/. */
#ifndef SS_STATE_PACK_FORMAT_H
#define SS_STATE_PACK_FORMAT_H

#include <stdint.h>

enum {
    SS_PACK_FORMAT = 3,
    SS_PACK_EPOCH_DAY = 18262, /* 2020-01-01 */
    SS_PACK_PUBLISHED = 7,     /* its bit among the parts, behind those of enum ss_input */
};

#define SS_PACK_DAY_MS INT64_C(86400000)

/* A time's units. */
static const int64_t ss_pack_unit_ms[4] = {1, 1000, 60000, SS_PACK_DAY_MS};

static inline int32_t ss_pack_floor_div(int32_t a, int32_t b)
{
    return a / b - (a % b < 0);
}

/* The reference day once a part with this ref_day has come; 0 is no day. */
static inline int64_t ss_pack_reference(int64_t reference, int32_t day)
{
    return day != 0 && (reference == SS_PACK_EPOCH_DAY || day > reference) ? day : reference;
}

/* Sums and differences wrap. */
static inline int64_t ss_pack_minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}
static inline int64_t ss_pack_plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

#endif
