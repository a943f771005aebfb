/* number.h - whole numbers from text: decimal digits with an optional sign, nothing else (no octal,
 * no hexadecimal, no spaces, no underscores). Pure. */
#ifndef SS_CONFIG_NUMBER_H
#define SS_CONFIG_NUMBER_H

#include <stdint.h>

enum ss_number_result { SS_NUMBER_OK, SS_NUMBER_NOT_ONE, SS_NUMBER_OUT_OF_RANGE };

/* *out is set only with SS_NUMBER_OK. */
enum ss_number_result ss_number_parse(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
