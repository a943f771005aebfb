/* helper_text.h - files as text, changed in one place at a time. */
#ifndef SS_TESTS_CONFIG_HELPER_TEXT_H
#define SS_TESTS_CONFIG_HELPER_TEXT_H

#include <stddef.h>

/* A file of the repository as text with a closing zero byte; ends the test if it cannot be read. */
char *helper_read(const char *path);
/* A copy of text with the first occurrence of `from` replaced; ends the test if there is none.
 * *line, if not NULL, is the line of it, from 1. */
char *helper_replace(const char *text, const char *from, const char *to, int *line);

#endif
