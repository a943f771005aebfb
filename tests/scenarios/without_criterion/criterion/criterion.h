/* criterion.h - what the helpers of tests/consumer need of Criterion, outside of a test: an
 * assertion that fails says so on standard error and ends the process. */
#ifndef SS_TESTS_SCENARIOS_WITHOUT_CRITERION_H
#define SS_TESTS_SCENARIOS_WITHOUT_CRITERION_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void without_criterion(bool holds, const char *what, const char *file, int line,
                                     const char *format, ...)
{
    va_list args;
    if (holds)
        return;
    fprintf(stderr, "%s:%d: %s: ", file, line, what);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(3);
}

/* The text is optional, and an empty format would be a warning: a blank stands before it. */
#define WITHOUT_CRITERION(condition, what, ...) \
    without_criterion(condition, what, __FILE__, __LINE__, " " __VA_ARGS__)

#define cr_assert(condition, ...) WITHOUT_CRITERION(condition, #condition, __VA_ARGS__)
#define cr_assert_not(condition, ...) \
    WITHOUT_CRITERION(!(condition), "not " #condition, __VA_ARGS__)
#define cr_assert_fail(...)         WITHOUT_CRITERION(false, "failed", __VA_ARGS__)
#define cr_assert_eq(a, b, ...)     WITHOUT_CRITERION((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)    WITHOUT_CRITERION((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)     WITHOUT_CRITERION((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)    WITHOUT_CRITERION((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)     WITHOUT_CRITERION((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)    WITHOUT_CRITERION((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(a, ...)      WITHOUT_CRITERION(!(a), #a " is NULL", __VA_ARGS__)
#define cr_assert_not_null(a, ...)  WITHOUT_CRITERION((a) != NULL, #a " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) WITHOUT_CRITERION(strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)

#endif
