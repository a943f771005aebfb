#include "helper_model.h"
#include "scoring/fold.h"

#include <criterion/criterion.h>

static struct ss_payments_part part;

static void fold_event(struct ss_event event)
{
    cr_assert_eq(ss_fold_payment(helper_model(), &part, &event), SS_REFUSAL_NONE);
}

static void fold(int day, enum ss_payment_status status, enum ss_payment_category category,
                 int64_t amount)
{
    fold_event(helper_payment(DAY(day) + 5000, status, category, amount));
}

static void settle(int day, int64_t amount)
{
    fold(day, SS_PAYMENT_SETTLED, SS_CATEGORY_DINING, amount);
}

static void reset(void)
{
    part = (struct ss_payments_part){0};
}

Test(fold_payment, the_first_one_sets_the_part_up, .init = reset)
{
    settle(FIRST_DAY + 35, 700);
    cr_assert(part.any);
    cr_assert_eq(part.ref_day, FIRST_DAY + 35);
    cr_assert_eq(part.settled_milli, 1000);
    cr_assert_eq(part.amount, 700);
    cr_assert_eq(part.month, FIRST_DAY / 30 + 1);
    cr_assert_eq(part.months_mask, 1);
    cr_assert_eq(part.quarter, FIRST_DAY / 90);
    cr_assert_eq(part.categories[0], 1u << SS_CATEGORY_DINING);
    cr_assert_eq(part.categories[1], 0);
}

Test(fold_payment, a_newer_one_ages_the_sums_first, .init = reset)
{
    settle(FIRST_DAY, 701);
    fold(FIRST_DAY, SS_PAYMENT_REFUNDED, SS_CATEGORY_DINING, 0);
    fold(FIRST_DAY, SS_PAYMENT_CHARGED_BACK, SS_CATEGORY_DINING, 0);
    settle(FIRST_DAY + 1, 700);
    cr_assert_eq(part.ref_day, FIRST_DAY + 1);
    cr_assert_eq(part.settled_milli, 1500);
    cr_assert_eq(part.refunded_milli, 500);
    cr_assert_eq(part.reversed_milli, 500);
    cr_assert_eq(part.amount, 350 + 700);
}

Test(fold_payment, an_older_one_is_aged_itself, .init = reset)
{
    settle(FIRST_DAY + 2, 700);
    settle(FIRST_DAY, 403);
    fold(FIRST_DAY, SS_PAYMENT_REFUNDED, SS_CATEGORY_DINING, 203);
    cr_assert_eq(part.ref_day, FIRST_DAY + 2);
    cr_assert_eq(part.settled_milli, 1250);
    cr_assert_eq(part.refunded_milli, 250);
    cr_assert_eq(part.amount, 700 + 100 - 50);
}

Test(fold_payment, an_event_before_the_tables_end_leaves_nothing, .init = reset)
{
    settle(FIRST_DAY, 700);
    settle(FIRST_DAY - SS_DECAY_DAYS_MAX - 1, 700);
    cr_assert_eq(part.settled_milli, 1000);
    cr_assert_eq(part.amount, 700);
    settle(FIRST_DAY + SS_DECAY_DAYS_MAX + 1, 5);
    cr_assert_eq(part.settled_milli, 1000);
    cr_assert_eq(part.amount, 5);
}

Test(fold_payment, refunds_and_chargebacks_take_away_but_not_below_zero, .init = reset)
{
    settle(FIRST_DAY, 700);
    fold(FIRST_DAY, SS_PAYMENT_REFUNDED, SS_CATEGORY_DINING, 100);
    cr_assert_eq(part.amount, 600);
    cr_assert_eq(part.refunded_milli, 1000);
    fold(FIRST_DAY, SS_PAYMENT_CHARGED_BACK, SS_CATEGORY_DINING, 601);
    cr_assert_eq(part.amount, 0);
    cr_assert_eq(part.reversed_milli, 1000);
    cr_assert_eq(part.settled_milli, 1000, "nothing is taken from the count");
}

Test(fold_payment, only_settled_ones_mark_months_and_categories, .init = reset)
{
    fold(FIRST_DAY, SS_PAYMENT_REFUNDED, SS_CATEGORY_DINING, 1);
    fold(FIRST_DAY, SS_PAYMENT_CHARGED_BACK, SS_CATEGORY_DINING, 1);
    cr_assert(part.any);
    cr_assert_eq(part.months_mask, 0);
    cr_assert_eq(part.categories[0], 0);
}

Test(fold_payment, months_are_remembered_for_32, .init = reset)
{
    int32_t month = FIRST_DAY / 30;
    settle(FIRST_DAY, 1);
    settle(FIRST_DAY + 29, 1);
    cr_assert_eq(part.months_mask, 1);
    settle(FIRST_DAY + 60, 1);
    cr_assert_eq(part.month, month + 2);
    cr_assert_eq(part.months_mask, 5);
    settle(FIRST_DAY + 30, 1);
    cr_assert_eq(part.month, month + 2);
    cr_assert_eq(part.months_mask, 7);
    settle(FIRST_DAY - 29 * 30, 1); /* 31 months back */
    cr_assert_eq(part.months_mask, 7 | UINT32_C(1) << 31);
    settle(FIRST_DAY - 30 * 30, 1);
    cr_assert_eq(part.months_mask, 7 | UINT32_C(1) << 31);
    settle(FIRST_DAY + 33 * 30, 1); /* 31 on */
    cr_assert_eq(part.months_mask, UINT32_C(1) << 31 | 1);
    settle(FIRST_DAY + 65 * 30, 1); /* 32 on */
    cr_assert_eq(part.months_mask, 1);
}

Test(fold_payment, categories_are_remembered_for_two_quarters, .init = reset)
{
    fold(FIRST_DAY, SS_PAYMENT_SETTLED, SS_CATEGORY_OTHER, 1);
    fold(FIRST_DAY + 89, SS_PAYMENT_SETTLED, SS_CATEGORY_SERVICES, 1);
    cr_assert_eq(part.categories[0], 1u << SS_CATEGORY_OTHER | 1u << SS_CATEGORY_SERVICES);

    fold(FIRST_DAY + 90, SS_PAYMENT_SETTLED, SS_CATEGORY_DINING, 1);
    cr_assert_eq(part.categories[0], 1u << SS_CATEGORY_DINING);
    cr_assert_eq(part.categories[1], 1u << SS_CATEGORY_OTHER | 1u << SS_CATEGORY_SERVICES);

    fold(FIRST_DAY, SS_PAYMENT_SETTLED, SS_CATEGORY_TRAVEL, 1);
    cr_assert(part.categories[1] & 1u << SS_CATEGORY_TRAVEL);
    cr_assert_eq(part.categories[0], 1u << SS_CATEGORY_DINING);
    fold(FIRST_DAY - 1, SS_PAYMENT_SETTLED, SS_CATEGORY_CHARITY, 1);
    cr_assert(!((part.categories[0] | part.categories[1]) & 1u << SS_CATEGORY_CHARITY));

    fold(FIRST_DAY + 3 * 90, SS_PAYMENT_SETTLED, SS_CATEGORY_FAMILY, 1);
    cr_assert_eq(part.categories[0], 1u << SS_CATEGORY_FAMILY);
    cr_assert_eq(part.categories[1], 0);
}

Test(fold_payment, amounts_are_converted_and_cut, .init = reset)
{
    struct ss_event event =
        helper_payment(DAY(FIRST_DAY), SS_PAYMENT_SETTLED, SS_CATEGORY_OTHER, 7);
    event.payment.currency = helper_text("HLF");
    fold_event(event);
    cr_assert_eq(part.amount, 3);
    event.payment.amount_minor = 0;
    event.payment.currency = helper_text("");
    fold_event(event);
    cr_assert_eq(part.amount, 3);
    cr_assert_eq(part.settled_milli, 2000);
}

Test(fold_payment, amounts_and_sums_saturate, .init = reset)
{
    struct ss_event event =
        helper_payment(DAY(FIRST_DAY), SS_PAYMENT_SETTLED, SS_CATEGORY_OTHER, SS_AMOUNT_MAX);
    event.payment.currency = helper_text("MIL");
    fold_event(event);
    cr_assert_eq(part.amount, SS_AMOUNT_BASE_MAX);
    part.amount = SS_SUM_MAX - 1;
    part.settled_milli = SS_COUNT_MAX - 999;
    fold_event(event);
    cr_assert_eq(part.amount, SS_SUM_MAX);
    cr_assert_eq(part.settled_milli, SS_COUNT_MAX);
}
