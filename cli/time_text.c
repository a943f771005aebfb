#include "cli/time_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 4 && text[digits] == '\0'; /* four are a year */
}

bool ss_time_parse(const char *text, int64_t *time_ms)
{
    struct tm utc = {0};
    if (is_number(text)) {
        errno = 0;
        *time_ms = strtoll(text, NULL, 10);
        return errno == 0;
    }
    const char *rest = strptime(text, "%Y-%m-%d", &utc);
    if (!rest)
        return false;
    int64_t fraction_ms = 0;
    if (*rest == 'T' || *rest == ' ') {
        rest = strptime(rest + 1, "%H:%M:%S", &utc);
        if (!rest)
            return false;
        if (*rest == '.') {
            int64_t unit_ms = 100;
            for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit_ms /= 10)
                fraction_ms += (*rest - '0') * unit_ms;
        }
        if (*rest == 'Z')
            rest++;
    }
    if (*rest != '\0')
        return false;
    *time_ms = (int64_t)timegm(&utc) * 1000 + fraction_ms;
    return true;
}

char *ss_time_format(int64_t time_ms, char *out, size_t size)
{
    struct tm utc;
    int64_t millis = time_ms % 1000;
    if (millis < 0)
        millis += 1000;
    time_t seconds = (time_t)((time_ms - millis) / 1000);
    if (!gmtime_r(&seconds, &utc)) {
        snprintf(out, size, "%lld", (long long)time_ms);
        return out;
    }
    size_t used = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + used, size - used, ".%03dZ", (int)millis);
    return out;
}

double ss_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
