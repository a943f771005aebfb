/* utf8.h - one character of UTF-8 at a time, from bytes that may be anything. Any thread. */
#ifndef SS_BASE_UTF8_H
#define SS_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed character at p, which lies before end, and its *code; 0 if there is none
 * (no overlong forms, no surrogates, nothing past U+10FFFF). */
size_t ss_utf8_next(const uint8_t *p, const uint8_t *end, uint32_t *code);

#endif
