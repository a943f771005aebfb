/* population_payment.c - what somebody pays, where, and what becomes of it. Every number here is
 * judgement. */
#include "cli/population_internal.h"

static const struct {
    uint32_t share; /* of payments, in 1/1000 */
    uint32_t usual; /* fen */
} categories[SS_CATEGORY_COUNT] = {
    [SS_CATEGORY_OTHER] = {40, 9000},         [SS_CATEGORY_GROCERIES] = {240, 15000},
    [SS_CATEGORY_DINING] = {190, 8000},       [SS_CATEGORY_TRANSPORT] = {130, 3500},
    [SS_CATEGORY_TRAVEL] = {25, 150000},      [SS_CATEGORY_HOUSING] = {25, 260000},
    [SS_CATEGORY_UTILITIES] = {45, 15000},    [SS_CATEGORY_HEALTH] = {35, 25000},
    [SS_CATEGORY_EDUCATION] = {25, 90000},    [SS_CATEGORY_CLOTHING] = {70, 30000},
    [SS_CATEGORY_ELECTRONICS] = {30, 180000}, [SS_CATEGORY_ENTERTAINMENT] = {60, 7000},
    [SS_CATEGORY_FINANCIAL] = {30, 120000},   [SS_CATEGORY_CHARITY] = {10, 10000},
    [SS_CATEGORY_FAMILY] = {25, 60000},       [SS_CATEGORY_SERVICES] = {20, 30000},
};

/* What 100 fen are in minor units of the currency. */
static const struct {
    char code[4];
    uint32_t per_100_fen;
} currencies[] = {{"CNY", 100}, {"HKD", 110}, {"USD", 14}, {"EUR", 13}, {"JPY", 21}, {"THB", 476}};

static uint8_t draw_category(struct ss_population *p)
{
    uint32_t roll = ss_random_below(&p->random, 1000);
    uint8_t category = 0;
    while (category + 1 < SS_CATEGORY_COUNT && roll >= categories[category].share)
        roll -= categories[category++].share;
    return category;
}

static void draw_payment(struct ss_population *p, struct person *person)
{
    uint64_t *random = &p->random;
    uint8_t category = draw_category(p);
    uint64_t fen = ss_person_by_wealth(person, categories[category].usual);
    fen = fen / 4 + (fen * ss_random_exponential(random) * 3 / 4 >> 16);
    person->last_category = category;
    person->last_currency = 0;
    if (ss_random_chance(random, category == SS_CATEGORY_TRAVEL ? 200 : 6))
        person->last_currency =
            (uint8_t)ss_random_between(random, 1, sizeof currencies / sizeof currencies[0] - 1);
    person->last_amount = (uint32_t)(fen * currencies[person->last_currency].per_100_fen / 100) + 1;
    /* each has a few places that they come back to */
    person->last_merchant = (uint16_t)(ss_mix64((uint64_t)person->wealth << 32 | category << 8 |
                                                ss_random_below(random, 6)) %
                                       5000);
    uint32_t roll = ss_random_below(random, 10000);
    if (roll < 120)
        person->reversal = SS_PAYMENT_REFUNDED;
    else if (roll < 122 + (1000u - person->reliability) / 40)
        person->reversal = SS_PAYMENT_CHARGED_BACK;
}

void ss_person_pay(struct ss_population *p, uint32_t user)
{
    struct person *person = &p->persons[user];
    struct ss_payment *out = &p->event.payment;

    p->event.input = SS_PAYMENTS;
    out->status = (enum ss_payment_status)person->reversal;
    if (person->reversal != SS_PAYMENT_SETTLED)
        person->reversal = SS_PAYMENT_SETTLED;
    else
        draw_payment(p, person);
    out->category = (enum ss_payment_category)person->last_category;
    out->amount_minor = person->last_amount;
    out->currency = (struct ss_text){currencies[person->last_currency].code, 3};
    out->counterparty = ss_text_numbered(p->text, "m-", person->last_merchant, 5, 0);
}
