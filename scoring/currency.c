#include "scoring/fold.h"

/* Compares as its three letters do. */
static uint32_t key(const char *code)
{
    return (uint32_t)(uint8_t)code[0] << 16 | (uint32_t)(uint8_t)code[1] << 8 | (uint8_t)code[2];
}

const struct ss_currency *ss_currency_find(const struct ss_model *model, struct ss_text code)
{
    if (code.size != 3)
        return NULL;
    const uint32_t wanted = key(code.data);
    int low = 0, high = model->currency_count;
    while (low < high) {
        int middle = (low + high) / 2;
        uint32_t found = key(model->currencies[middle].code);
        if (found == wanted)
            return &model->currencies[middle];
        if (found < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
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
