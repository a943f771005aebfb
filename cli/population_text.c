/* population_text.c - identifiers, written without printf: it would cost more than all the rest. */
#include "cli/population_internal.h"

#include <string.h>

struct ss_text ss_text_literal(const char *text)
{
    return (struct ss_text){text, (uint32_t)strlen(text)};
}

static char *put_number(char *at, uint32_t number, int width)
{
    char digits[10];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (; width > count; width--)
        *at++ = '0';
    while (count)
        *at++ = digits[--count];
    return at;
}

struct ss_text ss_text_user(char out[16], uint32_t user)
{
    out[0] = 'u';
    out[1] = '-';
    return (struct ss_text){out, (uint32_t)(put_number(out + 2, user, 6) - out)};
}

struct ss_text ss_text_numbered(char out[32], const char *prefix, uint32_t number, int width,
                                uint32_t tail)
{
    char *at = out;
    while (*prefix)
        *at++ = *prefix++;
    at = put_number(at, number, width);
    if (tail) {
        *at++ = '-';
        at = put_number(at, tail, 1);
    }
    return (struct ss_text){out, (uint32_t)(at - out)};
}

struct ss_text ss_text_hex(char out[17], uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, value >>= 4)
        out[i] = digits[value & 15];
    return (struct ss_text){out, 16};
}
