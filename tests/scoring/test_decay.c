#include "helper_model.h"

#include <criterion/criterion.h>

/* Computed from docs/model.md, "Decay", with unbounded integers by another program. */
Test(decay, table_is_the_documents)
{
    static const struct {
        int32_t half_life;
        uint64_t factor[7]; /* after 1, 30, 90, 180, 365, 1095, 4095 days */
    } expected[] = {
        {1, {2147483648, 4, 0, 0, 0, 0, 0}},
        {2, {3037000500, 131072, 0, 0, 0, 0, 0}},
        {180, {4278459964, 3826380850, 3037000479, 2147483618, 1053265631, 63342327, 608}},
        {365, {4286818750, 4057118286, 3620206026, 3051453194, 2147483646, 536870910, 1801568}},
        {1095, {4292249394, 4214173981, 4057118210, 3832440860, 3408917537, 2147483147, 321506511}},
        {4095,
         {4294240362, 4273212706, 4230033540, 4166081489, 4037644714, 3568326466, 2147482169}},
    };
    static const int days[] = {1, 30, 90, 180, 365, 1095, 4095};
    static struct ss_decay decay;

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ss_decay_init(&decay, expected[i].half_life);
        cr_assert_eq(decay.half_life_days, expected[i].half_life);
        cr_assert_eq(decay.factor[0], UINT64_C(1) << 32);
        for (int k = 0; k < 7; k++)
            cr_assert_eq(decay.factor[days[k]], expected[i].factor[k], "half-life %d, %d days",
                         expected[i].half_life, days[k]);
    }
}

Test(decay, no_half_life_ever_makes_an_older_value_larger)
{
    static struct ss_decay decay;
    for (int32_t half_life = 1; half_life <= SS_DECAY_DAYS_MAX; half_life++) {
        ss_decay_init(&decay, half_life);
        for (int d = 1; d <= SS_DECAY_DAYS_MAX; d++)
            cr_assert_leq(decay.factor[d], decay.factor[d - 1], "half-life %d, day %d", half_life,
                          d);
    }
}

Test(decay, a_half_life_halves_to_within_a_millionth)
{
    static struct ss_decay decay;
    for (int32_t half_life = 1; half_life <= SS_DECAY_DAYS_MAX; half_life += 7) {
        ss_decay_init(&decay, half_life);
        cr_assert_leq(decay.factor[half_life], UINT64_C(1) << 31);
        cr_assert_geq(decay.factor[half_life], (UINT64_C(1) << 31) - 2148);
    }
}

Test(decay, values_round_down_and_are_forgotten_at_the_end_of_the_table)
{
    const struct ss_decay *daily = &helper_model()->payments_decay;
    cr_assert_eq(ss_decay_by(daily, 1001, 0), 1001);
    cr_assert_eq(ss_decay_by(daily, 1001, -5), 1001);
    cr_assert_eq(ss_decay_by(daily, 1001, 1), 500);
    cr_assert_eq(ss_decay_by(daily, 1001, 10), 0);
    cr_assert_eq(ss_decay_by(daily, 0, 1), 0);

    static struct ss_decay slow;
    ss_decay_init(&slow, 1095);
    cr_assert_eq(ss_decay_by(&slow, 1000000, SS_DECAY_DAYS_MAX), 74856);
    cr_assert_eq(ss_decay_by(&slow, 1000000, SS_DECAY_DAYS_MAX + 1), 0);
    cr_assert_eq(ss_decay_by(&slow, 1000000, INT64_MAX), 0);
}

Test(decay, large_values_do_not_overflow)
{
    const struct ss_decay *daily = &helper_model()->payments_decay;
    int64_t most = (INT64_C(1) << 62) - 1;
    cr_assert_eq(ss_decay_by(daily, most, 1), most / 2);
    cr_assert_eq(ss_decay_by(daily, most, 2), most / 4);

    static struct ss_decay odd; /* a factor that uses all of its bits */
    ss_decay_init(&odd, 180);
    cr_assert_eq(ss_decay_by(&odd, INT64_C(1000000000000000000), 90), INT64_C(707106776302680373));
}

Test(decay, days_round_towards_the_past)
{
    cr_assert_eq(ss_day_of(0), 0);
    cr_assert_eq(ss_day_of(86399999), 0);
    cr_assert_eq(ss_day_of(86400000), 1);
    cr_assert_eq(ss_day_of(-1), -1);
    cr_assert_eq(ss_day_of(-86400000), -1);
    cr_assert_eq(ss_day_of(-86400001), -2);
    cr_assert_eq(ss_day_of(INT64_MAX), INT32_MAX);
    cr_assert_eq(ss_day_of(INT64_MIN), INT32_MIN);
}
