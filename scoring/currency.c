#include "scoring/fold.h"
#include "scoring/model_plan.h"
#include "scoring/require.h"

_Static_assert((int)SS_CURRENCIES_MAX < (int)SS_PLAN_CURRENCIES, "a search ends at a free slot");

static uint32_t key(const char *code)
{
    return (uint32_t)(uint8_t)code[0] << 16 | (uint32_t)(uint8_t)code[1] << 8 | (uint8_t)code[2];
}

/* The slot that holds it, or the free one where it belongs. */
static const uint8_t *slot_of(const struct ss_model *model, const uint8_t *slots, uint32_t wanted)
{
    uint32_t at = wanted * UINT32_C(2654435769) >> 24;
    while (slots[at] && key(model->currencies[slots[at] - 1].code) != wanted)
        at = (at + 1) % SS_PLAN_CURRENCIES;
    return &slots[at];
}

void ss_currencies_prepare(const struct ss_model *model, uint8_t slots[SS_PLAN_CURRENCIES])
{
    SS_REQUIRE(model->currency_count >= 1 && model->currency_count <= SS_CURRENCIES_MAX);
    for (int c = 0; c < model->currency_count; c++)
        slots[slot_of(model, slots, key(model->currencies[c].code)) - slots] = (uint8_t)(c + 1);
}

const struct ss_currency *ss_currency_find(const struct ss_model *model, struct ss_text code)
{
    if (code.size != 3)
        return NULL;
    const uint8_t found = *slot_of(model, ss_model_plan_of(model)->currencies, key(code.data));
    return found ? &model->currencies[found - 1] : NULL;
}

int64_t ss_base_amount(const struct ss_model *model, int64_t amount_minor, struct ss_text currency)
{
    if (amount_minor == 0)
        return 0;
    const struct ss_currency *found = ss_currency_find(model, currency);
    if (!found)
        return 0; /* ss_event_check has refused such an event */
    /* within 64 bits: SS_AMOUNT_MAX is 10^12 and the loader keeps numerators to 10^6 */
    int64_t amount = amount_minor * found->numerator / found->denominator;
    if (amount > SS_AMOUNT_BASE_MAX)
        return SS_AMOUNT_BASE_MAX;
    return amount < -SS_AMOUNT_BASE_MAX ? -SS_AMOUNT_BASE_MAX : amount;
}
