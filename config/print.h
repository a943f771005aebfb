/* print.h - formatted text into a bounded buffer. A failed append sticks, so that a caller prints
 * many lines and asks once. */
#ifndef SS_CONFIG_PRINT_H
#define SS_CONFIG_PRINT_H

#include "base/bytes.h"

struct ss_printer {
    struct ss_buffer *out;
    bool failed; /* out of memory or over the buffer's maximum */
};

void ss_print(struct ss_printer *printer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
