#include "scoring/decay.h"

#include "scoring/require.h"

/* f^n in 1/2^32, by squaring from the lowest bit of n up, dropping the low 32 bits of each product.
 */
static uint64_t power(uint64_t f, int32_t n)
{
    uint64_t result = UINT64_C(1) << 32;
    for (; n > 0; n >>= 1) {
        if (n & 1)
            result = (result * f) >> 32; /* at most 2^32 times below 2^32 */
        f = (f * f) >> 32;
    }
    return result;
}

void ss_decay_init(struct ss_decay *decay, int32_t half_life_days)
{
    SS_REQUIRE(half_life_days >= 1 && half_life_days <= SS_DECAY_DAYS_MAX);
    const uint64_t half = UINT64_C(1) << 31;
    uint64_t low = 0, high = UINT32_MAX; /* power() rises with f, so bisect */
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (power(middle, half_life_days) <= half)
            low = middle;
        else
            high = middle - 1;
    }
    decay->half_life_days = half_life_days;
    for (int32_t d = 0; d <= SS_DECAY_DAYS_MAX; d++)
        decay->factor[d] = power(low, d);
}

int32_t ss_day_of(int64_t time_ms)
{
    const int64_t day_ms = 86400000;
    int64_t day = time_ms / day_ms;
    if (time_ms % day_ms < 0)
        day--;
    if (day > INT32_MAX)
        return INT32_MAX;
    return day < INT32_MIN ? INT32_MIN : (int32_t)day;
}
