#include "config/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum ss_number_result ss_number_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
        return SS_NUMBER_NOT_ONE;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno == ERANGE || value < min || value > max)
        return SS_NUMBER_OUT_OF_RANGE;
    *out = value;
    return SS_NUMBER_OK;
}
