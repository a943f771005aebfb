/* time_text.h - times as people write and read them, in UTC. */
#ifndef SS_CLI_TIME_TEXT_H
#define SS_CLI_TIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2005-09-30 (its first instant), 2005-09-30T23:59:59[.123]Z, or milliseconds since 1970. */
bool ss_time_parse(const char *text, int64_t *time_ms);
/* "2005-09-30T23:59:59.000Z"; returns out. */
char *ss_time_format(int64_t time_ms, char *out, size_t size);
/* Seconds on a clock that only runs forward. */
double ss_seconds(void);

#endif
