#include "config/print.h"

#include <stdarg.h>
#include <stdio.h>

void ss_print(struct ss_printer *printer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int needed = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* One byte more for the closing zero of vsnprintf, which does not count as content. */
    if (printer->failed || needed < 0 || !ss_buffer_reserve(printer->out, (size_t)needed + 1)) {
        printer->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf((char *)printer->out->data + printer->out->size, (size_t)needed + 1, format, args);
    va_end(args);
    printer->out->size += (size_t)needed;
}
